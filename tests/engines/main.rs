//! The incremental engines against the plain one, in 64-bit arithmetic.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/emulator.rs"]
mod emulator;

mod cpu;
mod cuda;
mod suite;
