//! The CUDA engines on a GPU, or on the emulator: against the plain engine and the goldens, and
//! where things go wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/emulator.rs"]
mod emulator;

mod failures;
mod full;
mod golden;
mod memory;
