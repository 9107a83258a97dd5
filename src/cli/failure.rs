//! How a command can end other than well, and the exit codes that tell.

use std::fmt;
use std::process::ExitCode;

use crate::blocks::BlockError;
use crate::engine::EngineError;
use crate::sweep::SweepError;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// EX_TEMPFAIL of `sysexits.h`: what is done is kept, the same command goes on from there.
const PAUSED: u8 = 75;
/// 128 + SIGINT, as shells expect.
pub(super) const STOPPED: u8 = 130;

/// Why a command did not end well.
#[derive(Debug)]
pub(super) enum Failure {
    /// An argument cannot be used.
    Usage(anyhow::Error),
    /// Something went wrong.
    Failed(anyhow::Error),
    /// The user stopped it.
    Stopped,
    /// The user stopped it, and what is finished is kept.
    Paused,
}

impl Failure {
    /// A [`Failure::Usage`] with a message.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(anyhow::Error::msg(message.into()))
    }

    /// The same, of a command that goes on where it stopped when it is given again.
    pub fn resumable(self) -> Self {
        match self {
            Self::Stopped => Self::Paused,
            other => other,
        }
    }

    /// Whether a folder of blocks was removed meanwhile: by the process that put them together.
    pub fn is_gone(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        matches!(error.downcast_ref(), Some(BlockError::Gone { .. }))
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => USAGE,
            Self::Failed(_) => FAILED,
            Self::Stopped => STOPPED,
            Self::Paused => PAUSED,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => {
                write!(f, "error: {}\n\nFor more, try `--help`.", in_words(error))
            }
            Self::Failed(error) => write!(f, "error: {}", in_words(error)),
            Self::Stopped => write!(f, "stopped"),
            Self::Paused => {
                write!(f, "stopped; what is finished is kept, and the same command goes on")
            }
        }
    }
}

/// An error and its causes. A cause that the message before it quotes is not told twice. Names
/// of files and of layers come from outside: control characters are escaped, so that none can
/// rewrite a terminal.
fn in_words(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let shown = |c: char| c == '\n' || !c.is_control();
    text.chars().fold(String::new(), |mut text, c| {
        if shown(c) {
            text.push(c);
        } else {
            text.extend(c.escape_default());
        }
        text
    })
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let stopped = match error.downcast_ref::<SweepError>() {
            Some(SweepError::Engine(engine)) => matches!(engine, EngineError::Stopped),
            _ => matches!(error.downcast_ref(), Some(EngineError::Stopped)),
        };
        if stopped { Self::Stopped } else { Self::Failed(error) }
    }
}

/// Marks an error as the user's to correct on the command line.
pub(super) trait OrUsage<T> {
    /// Turns the error into a [`Failure::Usage`].
    fn or_usage(self) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrUsage<T> for Result<T, E> {
    fn or_usage(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::Usage(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn a_quoted_cause_is_told_once_and_another_after_a_colon() {
        let error = std::io::Error::other("disk full");
        let quoted = Err::<(), _>(error).context("a.npy: cannot be written: disk full");
        assert_eq!(in_words(&quoted.unwrap_err()), "a.npy: cannot be written: disk full");
        let context = Err::<(), _>(anyhow!("disk full")).context("a.npy");
        assert_eq!(in_words(&context.unwrap_err()), "a.npy: disk full");
    }

    #[test]
    fn control_characters_are_escaped() {
        let error = anyhow!("\u{1b}[31m0.npy: wrong\r\nexpected more");
        assert_eq!(in_words(&error), "\\u{1b}[31m0.npy: wrong\\r\nexpected more");
    }
}
