//! What the program prints. A closed pipe must not end the work, as `println!` and `eprintln!`
//! would: they panic.

use std::io::{self, ErrorKind, Write};

use super::failure::Failure;

/// Writes a command's answer to standard output. A reader that has seen enough, such as `head`,
/// is no failure.
pub(super) fn print(text: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error, if there is anybody to read it.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
