//! The library and the program without a GPU: the command line, what clusters do to a sweep, reports
//! in a browser, agreement with the reference, and the incremental CPU engine.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "shown where a test fails: the case")]

#[path = "../common/mod.rs"]
mod common;
mod workplace;

mod analysis;
#[cfg(unix)]
mod browser;
mod cli;
mod cpu_engine;
mod demo;
#[cfg(target_os = "linux")]
mod faults;
mod golden;
#[cfg(unix)]
mod gpu_check;
mod onnx;
mod padding;
mod python_words;
mod receptive_fields;
mod runs;
mod sweep;
mod words;
