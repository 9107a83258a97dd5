//! What clusters do to a sweep: processes are killed, disks are full, files are damaged, images
//! change. Afterwards the maps are the same bytes as those of an undisturbed run, and nothing that
//! was finished is lost. Each test prints how often it did what.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]
#![allow(clippy::print_stderr, reason = "how often each fault was tried")]
#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;
mod place;
#[path = "../cli/workplace.rs"]
#[allow(dead_code, reason = "the command line's tests use the rest")]
mod workplace;

mod damage;
mod disks;
mod images;
mod kills;
mod leftovers;
mod races;
