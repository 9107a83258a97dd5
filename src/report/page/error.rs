//! Why a report could not be written.

use thiserror::Error;

use crate::error::{ErrorKind, HasKind};
use crate::files::FileError;
use crate::images::ImageError;
use crate::ranking::RankingError;
use crate::report::results::ResultsError;

/// Why a report could not be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The maps, or what belongs to them.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A ranking.
    #[error(transparent)]
    Ranking(#[from] RankingError),
    /// An image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
}

impl HasKind for ReportError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Results(error) => error.kind(),
            Self::Ranking(error) => error.kind(),
            Self::Image(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::Stopped => ErrorKind::Stopped,
        }
    }
}
