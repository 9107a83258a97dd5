//! What a caller can do about an error.

use thiserror::Error;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Correct or replace a file that is read: an image, weights, a ranking, results.
    Input,
    /// Correct a setting.
    Usage,
    /// Make the output folder writable, or room on its disk.
    Output,
    /// Repair a device, its driver or its libraries, or use another.
    Device,
    /// Go on later: the caller cancelled the work.
    Stopped,
    /// Report the error: the library broke one of its own rules.
    Internal,
}

/// An error that tells its kind.
pub trait HasKind: std::error::Error {
    /// What a caller can do about it.
    fn kind(&self) -> ErrorKind;
}

/// A text that does not say what it should: what was found, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ParseError(pub String);

impl From<ParseError> for String {
    fn from(error: ParseError) -> Self {
        error.0
    }
}

impl From<String> for ParseError {
    fn from(message: String) -> Self {
        Self(message)
    }
}

impl From<&str> for ParseError {
    fn from(message: &str) -> Self {
        Self(message.into())
    }
}

impl HasKind for ParseError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }
}
