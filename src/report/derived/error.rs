//! Why maps cannot be made of maps.

use thiserror::Error;

use crate::error::{ErrorKind, HasKind};
use crate::files::{FileError, escaped};
use crate::report::results::ResultsError;

/// Why maps cannot be made of maps.
#[derive(Debug, Error)]
pub enum DerivedError {
    /// The maps.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A file that cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A rate that is no part.
    #[error("a false discovery rate of {0}; expected more than 0 and less than 1")]
    Rate(f64),
    /// The sweep did not keep how sure its maps are.
    #[error(
        "{}: maps of kind `exceeds` need standard errors; sweep with --statistics or --repeats",
        escaped(.0)
    )]
    NoErrors(String),
    /// The sweep marked whole occluders.
    #[error(
        "{}: maps of kind `exceeds` need differences at the occluders' centres; sweep with --deposit \
         centre",
        escaped(.0)
    )]
    Area(String),
    /// The ranking does not tell any responses.
    #[error(
        "{}: maps of kind `relative` need the responses of the ranking, and there is no \
         {}_responses.npy",
        escaped(.0),
        escaped(.0)
    )]
    NoResponses(String),
    /// It was cancelled.
    #[error("stopped")]
    Stopped,
}

impl HasKind for DerivedError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Results(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::Rate(_) => ErrorKind::Usage,
            Self::NoErrors(_) | Self::Area(_) | Self::NoResponses(_) => ErrorKind::Input,
            Self::Stopped => ErrorKind::Stopped,
        }
    }
}
