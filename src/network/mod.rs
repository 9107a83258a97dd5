//! Networks: a graph of named layers, its shapes, its receptive fields and its weights.

mod configuration;
mod construction;
mod context;
mod description;
mod error;
mod geometry;
mod layer;
mod leftover;
mod model;
mod names;
mod onnx;
mod op;
mod origin;
mod presets;
mod random;
mod reparametrised;
mod response;
mod sizes;
pub mod weights;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde::Serialize;

use crate::files::Digest;
use crate::geometry::{AxisProjection, PerAxis, Projection};

pub use configuration::ModelConfiguration;
pub use context::{MapContext, WIDE_FLOATS};
pub use error::{NetworkError, PaddingText};
pub use layer::{Input, Layer};
pub use model::{Filters, FoundCopy, Model, ModelError};
pub use onnx::{OnnxError, UnsupportedNode, is_onnx};
pub use op::{
    AveragePool, BatchNorm, ChannelNorm, ChannelScale, ChannelShuffle, ChannelSlice, Convolution,
    Function, Gate, GateJoin, GroupNorm, GroupNormPart, LANES, Lanes, LocalResponseNorm,
    MAX_CHANNELS, MaxPool, Op, Pad, TensorShape, Window,
};
pub use origin::Origin;
pub use presets::PRESETS;
pub use response::Response;

use construction::{name_start, usable_name};
use description::IMAGE;
use onnx::KeptFile;

/// Channels of an image where a network does not say otherwise: red, green and blue.
pub const RGB: usize = 3;

/// The most channels that an image may have.
pub const MAX_IMAGE_CHANNELS: usize = 1 << 10;

/// The largest receptive field, and the largest step, in pixels: beyond any image.
const LARGEST_FIELD: usize = 1 << 20;

/// The most layers that a network may have.
pub const MAX_LAYERS: usize = 1 << 14;

/// The longest name of a network or a layer, in bytes.
const MAX_NAME: usize = 1024;

/// The most values that a layer's output may have: 8 GiB of them.
const LARGEST_OUTPUT: usize = 1 << 31;

/// A layer of one network: its index in the order of computation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LayerId(pub usize);

/// A graph of layers, each after its inputs.
#[derive(Clone, Debug)]
pub struct Network {
    name: String,
    image_channels: usize,
    layers: Vec<Layer>,
    channels: Vec<usize>,
    projections: Vec<PerAxis<AxisProjection>>,
    /// Of each layer, whether each of its values is of the whole map.
    of_whole_map: Vec<bool>,
    by_name: HashMap<String, LayerId>,
    /// The convolutions, in order.
    convolutions: Vec<LayerId>,
    /// A name without dots for each of them: `conv1`, `conv2`, …
    short_names: Vec<String>,
    /// The layers that stand for the outputs of others, behind all of these ([`Network::units_of`]).
    taps: Vec<LayerId>,
    origin: Origin,
    context: MapContext,
    /// The ONNX file that it is from, until its weights are read.
    onnx_file: KeptFile,
}

impl Network {
    /// The network's name, such as `alexnet`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The SHA-256 of the layers, their names, numbers and inputs, and of the images' channels,
    /// unless those are red, green and blue.
    pub fn digest(&self) -> Digest {
        // Layers are plain data, which always serialises.
        let mut bytes = serde_json::to_vec(self.own_layers()).unwrap_or_default();
        if self.image_channels != RGB {
            bytes.extend(self.image_channels.to_string().bytes());
        }
        Digest::of(&bytes)
    }

    /// Where the network comes from, and what of it could not be read.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The layers in the order of computation.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// A layer.
    pub fn layer(&self, id: LayerId) -> &Layer {
        &self.layers[id.0]
    }

    /// Output channels of a layer; of a convolution, its units.
    pub fn channels(&self, id: LayerId) -> usize {
        self.channels[id.0]
    }

    /// Channels of an input.
    pub fn channels_of(&self, input: Input) -> usize {
        match input {
            Input::Image => self.image_channels,
            Input::Layer(id) => self.channels(id),
        }
    }

    /// Channels of the images.
    pub fn image_channels(&self) -> usize {
        self.image_channels
    }

    /// How a layer's positions project onto the image.
    pub fn projection(&self, id: LayerId) -> Projection {
        self.projections[id.0].into()
    }

    /// How a layer's positions project onto each axis of the image, without being made a square.
    pub fn axis_projections(&self, id: LayerId) -> PerAxis<AxisProjection> {
        self.projections[id.0]
    }

    /// Channels of a layer's first input.
    pub fn input_channels(&self, id: LayerId) -> usize {
        self.layer(id).inputs.first().map_or(self.image_channels, |&input| self.channels_of(input))
    }

    /// The convolutions, in order: `conv1`, `conv2`, …
    pub fn convolutions(&self) -> impl Iterator<Item = (LayerId, &Convolution)> {
        self.convolutions.iter().filter_map(|&id| Some((id, self.layer(id).op.convolution()?)))
    }

    /// As [`Network::convolutions`], with those of the whole map, which are no units.
    pub fn all_convolutions(&self) -> impl Iterator<Item = (LayerId, &Convolution)> {
        let layers = self.layers.iter().enumerate();
        layers.filter_map(|(id, layer)| Some((LayerId(id), layer.op.convolution()?)))
    }

    /// Of each layer, whether it leads to one of `targets`, themselves included.
    pub fn leading_to(&self, targets: &[LayerId]) -> Vec<bool> {
        let mut leads = vec![false; self.layers.len()];
        for &LayerId(target) in targets {
            leads[target] = true;
        }
        for (id, layer) in self.layers.iter().enumerate().rev() {
            for input in &layer.inputs {
                if let Input::Layer(LayerId(source)) = *input {
                    leads[source] |= leads[id];
                }
            }
        }
        leads
    }
}
