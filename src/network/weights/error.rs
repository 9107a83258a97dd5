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
    /// The file has several copies of the network, by different prefixes.
    #[error(
        "{}: has tensors of the network under several prefixes: {prefixes}; choose one of them \
         (--weights-prefix), or save a file with one of them",
        shown(path)
    )]
    Copies {
        /// The file.
        path: PathBuf,
        /// The first prefixes.
        prefixes: String,
    },
    /// Two tensors have the same name.
    #[error(
        "{}: \"{first}\" and \"{second}\" are the same tensor of the network; save a file with one of them",
        shown(path)
    )]
    Twice {
        /// The file.
        path: PathBuf,
        /// The first tensor, by the file's own name.
        first: String,
        /// Another.
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
         the range of float32; take a checkpoint from before training diverged",
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
    /// [`WeightsError::Copies`]. Prefixes come from the file; they are escaped, so that none can
    /// rewrite a terminal.
    pub(super) fn copies(path: &Path, prefixes: &[String], count: usize) -> Self {
        let listed: Vec<String> =
            prefixes.iter().map(|prefix| format!("\"{}\"", escaped(prefix))).collect();
        let more = match count - listed.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Self::Copies { path: path.to_owned(), prefixes: listed.join(", ") + &more }
    }

    /// [`WeightsError::Twice`] of two of the file's names, escaped.
    pub(super) fn twice(path: &Path, first: &str, second: &str) -> Self {
        let name = |name: &str| escaped(name).to_string();
        Self::Twice { path: path.to_owned(), first: name(first), second: name(second) }
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
