//! The `occlumap` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    occlumap::cli::main()
}
