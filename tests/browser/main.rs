//! `occlumap report` in a real browser: it loads, sorts, filters, opens units, in light and dark,
//! wide and narrow, and no script complains. Where there is no Chromium, tests say that they are
//! skipped.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]
#![cfg(unix)]

mod chromium;
#[path = "../common/mod.rs"]
mod common;
mod page;
