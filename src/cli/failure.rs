//! How a command can end other than well, and the exit codes that tell.

use std::fmt;
use std::process::ExitCode;

use crate::engine::EngineError;
use crate::sweep::SweepError;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
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
}

impl Failure {
    /// A [`Failure::Usage`] with a message.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(anyhow::Error::msg(message.into()))
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => USAGE,
            Self::Failed(_) => FAILED,
            Self::Stopped => STOPPED,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => write!(f, "error: {error:#}\n\nFor more, try `--help`."),
            Self::Failed(error) => write!(f, "error: {error:#}"),
            Self::Stopped => write!(f, "stopped; what was finished is kept"),
        }
    }
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
