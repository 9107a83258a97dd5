//! Errors of an ONNX file.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use thiserror::Error;

use crate::error::{ErrorKind, HasKind};
use crate::files::{FileError, escaped, shown};

/// Errors of an ONNX file.
#[derive(Debug, Error)]
pub enum OnnxError {
    /// It cannot be read, is damaged, or holds what makes no network.
    #[error(transparent)]
    File(#[from] FileError),
    /// It has no convolution before what is not supported.
    #[error("{}: no convolution can be mapped; not supported are {}", shown(path), NodeList(nodes))]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The nodes.
        nodes: Vec<UnsupportedNode>,
    },
}

impl HasKind for OnnxError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}

/// A node of an ONNX file that is not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedNode {
    /// Its name, as a layer's.
    pub name: String,
    /// Its operation.
    pub operation: String,
    /// The operation that is not supported.
    pub problem: String,
}

impl Display for UnsupportedNode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, operation, problem } = self;
        write!(f, "`{}` ({}: {})", escaped(name), escaped(operation), escaped(problem))
    }
}

/// Nodes, as a message lists them.
pub(in crate::network) struct NodeList<'a>(pub &'a [UnsupportedNode]);

/// The most numbers of a list, and the most characters of a text, that a node's message quotes: many
/// nodes can share one list.
const QUOTED: (usize, usize) = (8, 64);

/// A list of numbers, as a node's message quotes it.
pub(super) fn shown_list<T: fmt::Debug>(list: &[T]) -> String {
    match list.get(..QUOTED.0) {
        Some(begin) if list.len() > QUOTED.0 => {
            format!("{begin:?} and {} more", list.len() - QUOTED.0)
        }
        _ => format!("{list:?}"),
    }
}

/// The beginning of a text, as a node's message quotes it.
pub(super) fn shown_text(text: &str) -> &str {
    text.char_indices().nth(QUOTED.1).map_or(text, |(end, _)| &text[..end])
}

/// How many nodes a message names.
const SHOWN: usize = 16;

impl Display for NodeList<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, node) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{node}")?;
        }
        match self.0.len().checked_sub(SHOWN) {
            Some(more @ 1..) => write!(f, " and {more} more"),
            _ => Ok(()),
        }
    }
}
