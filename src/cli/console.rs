//! Output of the program. A closed pipe must not end the work, which `println!` and `eprintln!`
//! would do by a panic.

use std::io::{self, ErrorKind, Write};

use super::failure::Failure;

/// Writes a command's answer to standard output. A reader that stops reading, such as `head`, is
/// not an error.
pub(super) fn print(text: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error, if it is open.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
