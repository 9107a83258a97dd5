//! How a command can end other than well, and the exit codes that tell.

use std::fmt;

use occlumap::error::{ErrorKind, HasKind, with_causes};
use occlumap::files::escaped;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// EX_TEMPFAIL of `sysexits.h`: what is done is kept, the same command goes on from there.
const PAUSED: u8 = 75;
/// 128 + SIGINT, as shells expect.
pub(super) const STOPPED: u8 = 130;

/// Why a command did not end well.
#[derive(Debug)]
pub(super) enum Failure {
    /// An error of this kind, with its message.
    Error(ErrorKind, String),
    /// The user stopped it, and what is finished is kept.
    Paused,
}

impl Failure {
    /// Arguments that do not go together.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Error(ErrorKind::Usage, message.into())
    }

    /// An error that no setting mends.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Error(ErrorKind::Internal, message.into())
    }

    /// The same, where the setting that the error is about was given on the command line.
    pub fn of_setting(error: &impl HasKind) -> Self {
        Self::Error(ErrorKind::Usage, with_causes(error))
    }

    /// The same, of a command that goes on where it stopped when it is given again.
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
                write!(f, "stopped; what is finished is kept, and the same command goes on")
            }
        }
    }
}

impl<E: HasKind> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.kind(), with_causes(&error))
    }
}

/// A text that comes partly from outside, escaped but for its ends of lines, so that no name of a
/// file or of a layer can rewrite a terminal.
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
