//! Errors of pages, plots, summaries and figures.

use thiserror::Error;

use super::figure::FontError;
use super::results::ResultsError;
use crate::engine::EngineError;
use crate::error::{ErrorKind, HasKind};
use crate::files::FileError;
use crate::images::ImageError;
use crate::ranking::RankingError;
use crate::runs::RunError;
use crate::sweep::SweepError;

/// Errors of pages, plots, summaries and figures.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The maps, or files that belong to them.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// The settings, or the weights of images' own maps.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A ranking.
    #[error(transparent)]
    Ranking(#[from] RankingError),
    /// An image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An image's own map that cannot be computed.
    #[error(transparent)]
    Own(SweepError),
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Labels that cannot be drawn.
    #[error(transparent)]
    Font(#[from] FontError),
    /// Cancelled work.
    #[error("stopped")]
    Stopped,
}

impl HasKind for ReportError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Results(error) => error.kind(),
            Self::Run(error) => error.kind(),
            Self::Ranking(error) => error.kind(),
            Self::Image(error) => error.kind(),
            Self::Own(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::Font(error) => error.kind(),
            Self::Stopped => ErrorKind::Stopped,
        }
    }
}

impl From<SweepError> for ReportError {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Engine(EngineError::Stopped) => Self::Stopped,
            error => Self::Own(error),
        }
    }
}
