//! `occlumap report` in a real browser: it loads, sorts, filters, opens units, in light and dark,
//! wide and narrow, and no script complains. Where there is no Chromium, tests say that they are
//! skipped.

mod chromium;
mod comparison;
mod page;
