//! How a command can end other than well, and the exit codes that tell.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use occlumap::error::{ErrorKind, HasKind};
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
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Error(ErrorKind::Usage, _) => USAGE,
            Self::Error(ErrorKind::Stopped, _) => STOPPED,
            Self::Error(
                ErrorKind::Input | ErrorKind::Output | ErrorKind::Device | ErrorKind::Internal,
                _,
            ) => FAILED,
            Self::Paused => PAUSED,
        })
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

/// An error and its causes. A cause that the message before it quotes is not told twice.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

/// A text that comes partly from outside, escaped but for its ends of lines, so that no name of a
/// file or of a layer can rewrite a terminal.
pub(super) fn printable(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| escaped(line).to_string()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use occlumap::files::FileError;
    use occlumap::runs::RunError;

    use super::*;

    #[test]
    fn a_quoted_cause_is_told_once() {
        let full = std::io::Error::other("disk full");
        let error = RunError::Output(FileError::write(Path::new("out"))(full));
        let expected = "the output folder cannot be used: out: cannot be written: disk full";
        assert_eq!(with_causes(&error), expected);
    }

    #[test]
    fn a_cause_that_is_not_quoted_follows_a_colon() {
        #[derive(Debug, thiserror::Error)]
        #[error("not done")]
        struct Outer(#[source] std::io::Error);
        assert_eq!(with_causes(&Outer(std::io::Error::other("disk full"))), "not done: disk full");
    }

    #[test]
    fn the_exit_code_is_a_function_of_the_kind() {
        let code = |kind| Failure::Error(kind, String::new()).exit_code();
        for kind in [ErrorKind::Input, ErrorKind::Output, ErrorKind::Device, ErrorKind::Internal] {
            assert_eq!(code(kind), ExitCode::from(1), "{kind:?}");
        }
        assert_eq!(code(ErrorKind::Usage), ExitCode::from(2));
        assert_eq!(code(ErrorKind::Stopped), ExitCode::from(130));
        let paused = Failure::Error(ErrorKind::Stopped, String::new()).resumable();
        assert_eq!(paused.exit_code(), ExitCode::from(75));
    }

    #[test]
    fn control_characters_are_escaped() {
        let message = "\u{1b}[31m0.npy: wrong\r\nexpected more";
        assert_eq!(printable(message), "\\u{1b}[31m0.npy: wrong\\r\nexpected more");
    }
}
