//! Why a summary cannot be made.

use thiserror::Error;

use crate::error::{ErrorKind, HasKind};
use crate::files::FileError;
use crate::report::figure::FontError;
use crate::report::results::ResultsError;

/// Why a summary cannot be made.
#[derive(Debug, Error)]
pub enum SummaryError {
    /// The maps.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A file that cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Labels cannot be drawn.
    #[error(transparent)]
    Font(#[from] FontError),
    /// It was cancelled.
    #[error("stopped")]
    Stopped,
}

impl HasKind for SummaryError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Results(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::Font(_) => ErrorKind::Internal,
            Self::Stopped => ErrorKind::Stopped,
        }
    }
}
