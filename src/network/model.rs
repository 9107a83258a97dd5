//! A network with its weights.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::weights::{self, Tensor, WeightsError};
use super::{LayerId, Network};
use crate::error::{ErrorKind, HasKind};
use crate::files::{Digest, FileError, digest_of, shown};

/// What can be wrong with the weights of a network.
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
        "{}: tensor `{tensor}` (shape {expected:?}) of {network} is missing; \
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
    /// Filters that were given, not read, do not fit the network.
    #[error("{network} needs weights and biases of {expected:?} values; found {found:?}")]
    Filters {
        /// The network's name.
        network: String,
        /// Values in weight and bias of each convolution that the network needs.
        expected: Vec<[usize; 2]>,
        /// Values in weight and bias of each that was given.
        found: Vec<[usize; 2]>,
    },
}

impl HasKind for ModelError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}

/// The filters of one convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Filters {
    /// `[out_channels, in_channels / groups, kernel, kernel]`, row-major.
    pub weight: Vec<f32>,
    /// `[out_channels]`; empty where the convolution has no bias.
    pub bias: Vec<f32>,
}

/// A network with the filters of its convolutions.
#[derive(Clone, Debug)]
pub struct Model {
    network: Network,
    filters: BTreeMap<LayerId, Filters>,
    digest: Digest,
    ignored: Vec<String>,
}

impl Model {
    /// Reads the network's weights from `.safetensors`, `.npz` or `.pth`.
    ///
    /// # Errors
    /// Files that cannot be read; tensors that are missing, misshapen or not finite.
    pub fn load(network: Network, path: &Path) -> Result<Self, ModelError> {
        let shapes = tensor_shapes(&network);
        let names: Vec<String> = shapes.iter().map(|(_, name, _)| name.clone()).collect();
        let mut tensors = weights::read(path, &names)?;
        let mut filters: BTreeMap<LayerId, Filters> = BTreeMap::new();
        for (id, tensor, expected) in shapes {
            let (path, network) = (path.to_owned(), network.name().to_owned());
            let Some(Tensor { shape: found, data }) = tensors.found.remove(&tensor) else {
                return Err(ModelError::Missing { path, network, tensor, expected });
            };
            if found != expected {
                return Err(ModelError::Misshapen { path, network, tensor, expected, found });
            }
            let filters = filters
                .entry(id)
                .or_insert_with(|| Filters { weight: Vec::new(), bias: Vec::new() });
            if expected.len() == 1 {
                filters.bias = data;
            } else {
                filters.weight = data;
            }
        }
        Ok(Self { network, filters, digest: digest_of(path)?, ignored: tensors.ignored })
    }

    /// How many weights and biases there are.
    pub fn weights(&self) -> usize {
        self.filters.values().map(|filters| filters.weight.len() + filters.bias.len()).sum()
    }

    /// A model of these filters, one for each convolution in order.
    ///
    /// # Errors
    /// [`ModelError::Filters`]: not as many, or not as long, as the network needs.
    pub fn new(network: Network, filters: Vec<Filters>) -> Result<Self, ModelError> {
        let expected: Vec<[usize; 2]> = network
            .convolutions()
            .map(|(id, conv)| {
                let inputs = network.channels_of(network.layer(id).inputs[0]) / conv.groups;
                let weight = conv.out_channels * inputs * conv.kernel * conv.kernel;
                [weight, if conv.bias { conv.out_channels } else { 0 }]
            })
            .collect();
        let found: Vec<[usize; 2]> =
            filters.iter().map(|f| [f.weight.len(), f.bias.len()]).collect();
        if found != expected {
            return Err(ModelError::Filters { network: network.name, expected, found });
        }
        let bytes = filters.iter().flat_map(|filters| [&filters.weight, &filters.bias]).flatten();
        let bytes: Vec<u8> = bytes.flat_map(|value| value.to_le_bytes()).collect();
        let ids = network.convolutions().map(|(id, _)| id);
        let filters = ids.zip(filters).collect();
        Ok(Self { network, filters, digest: Digest::of(&bytes), ignored: Vec::new() })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The filters of a convolution; `None` for any other layer.
    pub fn filters(&self, id: LayerId) -> Option<&Filters> {
        self.filters.get(&id)
    }

    /// The SHA-256 of the weight file; of filters that were given, of their values.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Names of the file's tensors that the network has no use for.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

/// Every tensor that the network needs: its convolution, its name and its shape.
fn tensor_shapes(network: &Network) -> Vec<(LayerId, String, Vec<usize>)> {
    let mut shapes = Vec::new();
    for (id, conv) in network.convolutions() {
        let layer = network.layer(id);
        let inputs = network.channels_of(layer.inputs[0]) / conv.groups;
        let shape = vec![conv.out_channels, inputs, conv.kernel, conv.kernel];
        shapes.push((id, format!("{}.weight", layer.name), shape));
        if conv.bias {
            shapes.push((id, format!("{}.bias", layer.name), vec![conv.out_channels]));
        }
    }
    shapes
}
