//! Why maps could not be plotted.

use thiserror::Error;

use crate::engine::EngineError;
use crate::error::{ErrorKind, HasKind};
use crate::files::FileError;
use crate::images::ImageError;
use crate::report::figure::FontError;
use crate::report::results::ResultsError;
use crate::runs::RunError;
use crate::sweep::SweepError;

/// Why maps could not be plotted.
#[derive(Debug, Error)]
pub enum PlotError {
    /// The maps, or what belongs to them.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// The settings, or the weights of images' own maps.
    #[error(transparent)]
    Run(#[from] RunError),
    /// An image cannot be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// An image's own map cannot be computed.
    #[error(transparent)]
    Own(SweepError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Labels cannot be drawn.
    #[error(transparent)]
    Font(#[from] FontError),
    /// It was asked to stop.
    #[error("stopped")]
    Stopped,
}

impl HasKind for PlotError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Results(error) => error.kind(),
            Self::Run(error) => error.kind(),
            Self::Image(error) => error.kind(),
            Self::Own(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::Font(_) => ErrorKind::Internal,
            Self::Stopped => ErrorKind::Stopped,
        }
    }
}

impl From<SweepError> for PlotError {
    fn from(error: SweepError) -> Self {
        match error {
            SweepError::Engine(EngineError::Stopped) => Self::Stopped,
            error => Self::Own(error),
        }
    }
}
