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

/// An error and its causes. A cause that the message before it quotes is not repeated.
pub fn with_causes(error: &dyn std::error::Error) -> String {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::files::FileError;
    use crate::runs::RunError;

    #[test]
    fn a_quoted_cause_is_not_repeated() {
        let full = std::io::Error::other("disk full");
        let error = RunError::Output(FileError::write(Path::new("out"))(full));
        let expected = "the output folder cannot be used: out: cannot be written: disk full; choose another --out";
        assert_eq!(with_causes(&error), expected);
    }

    #[test]
    fn a_cause_that_is_not_quoted_follows_a_colon() {
        #[derive(Debug, thiserror::Error)]
        #[error("not done")]
        struct Outer(#[source] std::io::Error);
        assert_eq!(with_causes(&Outer(std::io::Error::other("disk full"))), "not done: disk full");
    }
}
