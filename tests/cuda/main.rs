//! The CUDA engines and the program on a GPU, or on the emulator: against the plain engine and the
//! goldens, and where things go wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]
#![allow(clippy::print_stdout, reason = "the largest errors are worth a line")]

#[path = "../common/mod.rs"]
mod common;

mod compiler;
mod devices;
mod failures;
mod full;
mod golden;
mod incremental;
mod memory;
mod runs;
