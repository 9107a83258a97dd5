//! Errors of a weight file.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::error::ParseError;
use crate::files::{FileError, escaped, shown};

/// Errors of a weight file. Every message begins with the file's path.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file cannot be read, or is damaged as a whole.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file's content is of no format that is read.
    #[error(
        "{}: not a weight file of a known format; expected .safetensors, .npz \
         (numpy.savez), .pth (torch.save) or .caffemodel",
        shown(path)
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A format of PyTorch before version 1.6, or a bare pickle.
    #[error("{}: {kind}, which is not read; {advice}", shown(path))]
    LegacyTorch {
        /// The file.
        path: PathBuf,
        /// The kind.
        kind: &'static str,
        /// How to convert it.
        advice: &'static str,
    },
    /// Two tensors fit a requested name equally well.
    #[error(
        "{}: `{requested}` may mean \"{first}\" or \"{second}\"; save a file that has only one of \
         them",
        shown(path)
    )]
    Ambiguous {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        requested: String,
        /// The first tensor that fits it, by the file's own name.
        first: String,
        /// Another.
        second: String,
    },
    /// Requested tensors under different prefixes: they may belong to different copies of a network.
    #[error(
        "{}: tensor \"{first}\" and tensor \"{second}\" have different prefixes; save a file with \
         one network's tensors",
        shown(path)
    )]
    Mixed {
        /// The file.
        path: PathBuf,
        /// A requested tensor, by the file's own name.
        first: String,
        /// One with another prefix.
        second: String,
    },
    /// A requested tensor cannot be read.
    #[error("{}: tensor \"{tensor}\": {}", shown(path), escaped(problem))]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor, by the file's own name.
        tensor: String,
        /// Found, expected, and a remedy if there is one.
        problem: String,
    },
    /// A requested tensor holds a NaN, an infinity, or a number that is too large for `f32`.
    #[error(
        "{}: tensor \"{tensor}\": its element {index} is {value:?}; expected finite numbers in \
         the range of float32",
        shown(path)
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor, by the file's own name.
        tensor: String,
        /// The element's index in row-major order, from 0.
        index: usize,
        /// The element.
        value: f64,
    },
}

impl WeightsError {
    /// [`WeightsError::Mixed`] of two of the file's names.
    pub(super) fn mixed(path: &Path, first: &str, second: &str) -> Self {
        let name = |name: &str| escaped(name).to_string();
        Self::Mixed { path: path.to_owned(), first: name(first), second: name(second) }
    }

    /// Names come from the file; they are escaped, so that none can rewrite a terminal.
    pub(super) fn ambiguous(path: &Path, requested: &str, first: &str, second: &str) -> Self {
        let name = |name: &str| escaped(name).to_string();
        Self::Ambiguous {
            path: path.to_owned(),
            requested: name(requested),
            first: name(first),
            second: name(second),
        }
    }
}

/// The problem of one tensor, for a reader that knows neither its file nor its name.
#[derive(Debug)]
pub(in super::super) enum TensorProblem {
    Content(String),
    NotFinite { index: usize, value: f64 },
}

impl TensorProblem {
    pub fn content(problem: impl Into<String>) -> Self {
        Self::Content(problem.into())
    }

    /// The problem, of tensor `name` of the file `path`.
    pub fn of(self, path: &Path, name: &str) -> WeightsError {
        let (path, tensor) = (path.to_owned(), escaped(name).to_string());
        match self {
            Self::Content(problem) => WeightsError::Tensor { path, tensor, problem },
            Self::NotFinite { index, value } => {
                WeightsError::NotFinite { path, tensor, index, value }
            }
        }
    }
}

impl From<ParseError> for TensorProblem {
    fn from(ParseError(problem): ParseError) -> Self {
        Self::Content(problem)
    }
}

impl From<String> for TensorProblem {
    fn from(problem: String) -> Self {
        Self::Content(problem)
    }
}
