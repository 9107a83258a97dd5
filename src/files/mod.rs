//! Files as every other module reads and writes them: checked when read, atomic when written.

mod atomic;
mod beside;
mod digest;
mod input;
mod names;
pub mod npy;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use crate::error::{ErrorKind, HasKind};

pub(crate) use atomic::temporary_in;
pub use atomic::{AtomicFile, remove_leftovers, write_atomically};
pub use beside::path_beside;
pub use digest::{Digest, DigestWriter, digest_of};
pub use input::{MOST_BYTES, open_regular, read_at_most, read_json_bytes};
pub use names::{counted, escaped, near, needs_escaping, shown};

/// Errors of files.
#[derive(Debug, Error)]
pub enum FileError {
    /// The file does not exist or cannot be read.
    #[error("{}: cannot be read: {source}", shown(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file or its folder cannot be written.
    #[error("{}: cannot be written: {source}", shown(path))]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The content is not as expected.
    #[error("{}: {}", shown(path), escaped(problem))]
    Content {
        /// The file.
        path: PathBuf,
        /// Found, expected and, where it helps, the remedy.
        problem: String,
    },
}

impl FileError {
    /// A [`FileError::Read`] of `path`, for `map_err`.
    pub fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    /// A [`FileError::Write`] of `path`, for `map_err`.
    pub fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source: without_temporary_name(source) }
    }

    /// Whether the file, or its folder, does not exist.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => {
                source.kind() == io::ErrorKind::NotFound
            }
            Self::Content { .. } => false,
        }
    }

    /// A [`FileError::Content`] of `path`.
    pub fn content(path: &Path, problem: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), problem: problem.into() }
    }
}

impl HasKind for FileError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { .. } | Self::Content { .. } => ErrorKind::Input,
            Self::Write { .. } => ErrorKind::Output,
        }
    }
}

/// The error without the name of the temporary file, which means nothing to a user.
fn without_temporary_name(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path \"") {
        Some((what, _)) if error.get_ref().is_some() => {
            io::Error::new(error.kind(), what.to_owned())
        }
        _ => error,
    }
}

/// The whole of a regular file of at most [`MOST_BYTES`].
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    read_at_most(path, MOST_BYTES)
}

/// Writes a text atomically.
pub fn write_text(path: &Path, text: &str) -> Result<(), FileError> {
    write_atomically(path, |file| file.write_all(text.as_bytes()))
}

/// Writes a value as JSON, atomically.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| FileError::content(path, error.to_string()))?;
    write_text(path, &(text + "\n"))
}

/// Removes a file if it exists.
pub fn remove_file(path: &Path) -> Result<(), FileError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::write(path)(error)),
        _ => Ok(()),
    }
}
