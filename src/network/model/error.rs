//! Errors of the weights of a network.

use std::path::PathBuf;

use thiserror::Error;

use crate::error::{ErrorKind, HasKind};
use crate::files::{FileError, shown};
use crate::network::NetworkError;
use crate::network::weights::WeightsError;

/// Errors of the weights of a network.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file cannot be read as weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The file cannot be read at all.
    #[error(transparent)]
    File(#[from] FileError),
    /// A tensor that the network needs is not there.
    #[error(
        "{}: tensor `{tensor}` (shape {expected:?}) of {network} is missing{near}; \
         is this a state dict of {network}?",
        shown(path)
    )]
    Missing {
        /// The weight file.
        path: PathBuf,
        /// The network's name.
        network: String,
        /// The tensor's name.
        tensor: String,
        /// The shape it should have.
        expected: Vec<usize>,
        /// The nearest names in the file, as a message goes on with them.
        near: String,
    },
    /// A batch normalisation whose factor is no number.
    #[error(
        "{}: `{layer}.running_var` of {network}, or another of the layer's tensors, gives a factor or a \
         shift that is not finite; expected variances above 0",
        shown(path)
    )]
    Statistics {
        /// The weight file.
        path: PathBuf,
        /// The network's name.
        network: String,
        /// The layer's name.
        layer: String,
    },
    /// A prefix for the tensors of an ONNX file, which belong to its nodes.
    #[error("{}: --weights-prefix is for weight files; an ONNX file has one set", shown(path))]
    Prefix {
        /// The ONNX file.
        path: PathBuf,
    },
    /// A tensor that the network has to use, and does not.
    #[error(
        "{}: tensor \"{tensor}\" is part of {network}, and no layer of it uses the tensor: maps \
         would be those of another network; describe its layer (docs/formats.md), or save a file \
         without it",
        shown(path)
    )]
    Unused {
        /// The weight file.
        path: PathBuf,
        /// The network's name.
        network: String,
        /// The tensor, by the file's own name.
        tensor: String,
    },
    /// A tensor that stands among the network's modules and is not the network's.
    #[error(
        "{}: tensor \"{tensor}\" stands among the modules of {network}, and no layer of {network} uses it: \
         the file seems to hold another network's weights; choose that network, or save a file without \
         the tensor",
        shown(path)
    )]
    OfAnother {
        /// The weight file.
        path: PathBuf,
        /// The network's name.
        network: String,
        /// The tensor, by the file's own name.
        tensor: String,
    },
    /// A tensor has another shape than the network says.
    #[error("{}: tensor `{tensor}` has shape {found:?}; {network} needs {expected:?}", shown(path))]
    Misshapen {
        /// The weight file.
        path: PathBuf,
        /// The network's name.
        network: String,
        /// The tensor's name.
        tensor: String,
        /// The shape it should have.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// An ONNX file that holds another network.
    #[error(
        "{}: holds another network than {network}; expected the ONNX file that {network} was read \
         from, or a weight file",
        shown(path)
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// The network's name.
        network: String,
    },
    /// An ONNX file that cannot be read.
    #[error(transparent)]
    Onnx(#[from] NetworkError),
    /// Filters that were given, not read, do not fit the network.
    #[error("{network} needs weights and biases of {expected:?} values; found {found:?}")]
    Filters {
        /// The network's name.
        network: String,
        /// Values in weight and bias of each layer that needs some.
        expected: Vec<[usize; 2]>,
        /// Values in weight and bias of each that was given.
        found: Vec<[usize; 2]>,
    },
}

impl HasKind for ModelError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Onnx(error) => error.kind(),
            Self::Prefix { .. } => ErrorKind::Usage,
            _ => ErrorKind::Input,
        }
    }
}
