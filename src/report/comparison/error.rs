//! Why maps cannot be compared.

use thiserror::Error;

use crate::analysis::SettingError;
use crate::error::{ErrorKind, HasKind};
use crate::files::{FileError, escaped};
use crate::report::figure::FontError;
use crate::report::results::ResultsError;

/// Why maps cannot be compared.
#[derive(Debug, Error)]
pub enum ComparisonError {
    /// The maps of a folder.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A file that cannot be read, is no array of maps, or cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A setting.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A selection that names nothing, or too much, of the two sets.
    #[error("{}", escaped(.0))]
    Selection(String),
    /// The sets have no map of the same unit.
    #[error(
        "{} and {} have nothing to be compared: {}",
        escaped(one),
        escaped(other),
        escaped(why)
    )]
    Nothing {
        /// The one set.
        one: String,
        /// The other.
        other: String,
        /// The values found.
        why: String,
    },
    /// Labels cannot be drawn.
    #[error(transparent)]
    Font(#[from] FontError),
    /// It was cancelled.
    #[error("stopped")]
    Stopped,
}

impl HasKind for ComparisonError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Results(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::Setting(_) | Self::Selection(_) => ErrorKind::Usage,
            Self::Nothing { .. } => ErrorKind::Input,
            Self::Font(_) => ErrorKind::Internal,
            Self::Stopped => ErrorKind::Stopped,
        }
    }
}
