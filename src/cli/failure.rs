//! Failures of commands, and their exit codes.

use std::fmt;

use occlumap::error::{ErrorKind, HasKind, with_causes};
use occlumap::files::escaped;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// EX_TEMPFAIL of `sysexits.h`: finished work is kept, and the same command continues.
const PAUSED: u8 = 75;
/// 128 + SIGINT, as shells expect.
pub(super) const STOPPED: u8 = 130;

/// Failure of a command.
#[derive(Debug)]
pub(super) enum Failure {
    /// An error of this kind, with its message.
    Error(ErrorKind, String),
    /// Stopped by the user; finished work is kept.
    Paused,
}

impl Failure {
    /// Contradictory arguments.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Error(ErrorKind::Usage, message.into())
    }

    /// An error that no setting can mend.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Error(ErrorKind::Internal, message.into())
    }

    /// An error of a setting on the command line.
    pub fn of_setting(error: &impl HasKind) -> Self {
        Self::Error(ErrorKind::Usage, with_causes(error))
    }

    /// The failure of a command that continues when it is given again.
    pub fn resumable(self) -> Self {
        match self {
            Self::Error(ErrorKind::Stopped, _) => Self::Paused,
            other => other,
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Error(ErrorKind::Usage, _) => USAGE,
            Self::Error(ErrorKind::Stopped, _) => STOPPED,
            Self::Error(
                ErrorKind::Input | ErrorKind::Output | ErrorKind::Device | ErrorKind::Internal,
                _,
            ) => FAILED,
            Self::Paused => PAUSED,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(ErrorKind::Stopped, _) => write!(f, "stopped"),
            Self::Error(_, message) => write!(f, "error: {}", printable(message)),
            Self::Paused => {
                write!(f, "stopped: finished work is kept, and the same command continues")
            }
        }
    }
}

impl<E: HasKind> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.kind(), with_causes(&error))
    }
}

/// A text with foreign parts, escaped except for its line ends: no name of a file or a layer can
/// rewrite a terminal.
pub(super) fn printable(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| escaped(line).to_string()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_a_function_of_the_kind() {
        let code = |kind| Failure::Error(kind, String::new()).exit_code();
        for kind in [ErrorKind::Input, ErrorKind::Output, ErrorKind::Device, ErrorKind::Internal] {
            assert_eq!(code(kind), 1, "{kind:?}");
        }
        assert_eq!(code(ErrorKind::Usage), 2);
        assert_eq!(code(ErrorKind::Stopped), 130);
        let paused = Failure::Error(ErrorKind::Stopped, String::new()).resumable();
        assert_eq!(paused.exit_code(), 75);
    }

    #[test]
    fn control_characters_are_escaped() {
        let message = "\u{1b}[31m0.npy: wrong\r\nexpected more";
        assert_eq!(printable(message), "\\u{1b}[31m0.npy: wrong\\r\nexpected more");
    }
}
