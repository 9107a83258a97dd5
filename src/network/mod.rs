//! Networks: a graph of named layers, its shapes, its receptive fields and its weights.

mod configuration;
mod description;
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
pub mod weights;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::error::{ErrorKind, HasKind, ParseError};
use crate::files::{Digest, escaped, needs_escaping};
use crate::geometry::{
    Axis, AxisProjection, GeometryError, ImageSize, Padding, PerAxis, Projection,
};

pub use configuration::ModelConfiguration;
pub use layer::{Input, Layer};
pub use model::{Filters, Model, ModelError};
pub use onnx::{OnnxError, UnsupportedNode, is_onnx};
pub use op::{
    AveragePool, BatchNorm, ChannelNorm, ChannelScale, ChannelShuffle, ChannelSlice, Convolution,
    Function, LANES, Lanes, LocalResponseNorm, MAX_CHANNELS, MaxPool, Op, TensorShape, Window,
};
pub use origin::Origin;
pub use presets::PRESETS;
pub use response::Response;

use description::IMAGE;

/// Channels of an image where a network does not say otherwise: red, green and blue.
pub const RGB: usize = 3;

/// The most channels that an image may have.
pub const MAX_IMAGE_CHANNELS: usize = 1 << 10;

/// The largest receptive field, and the largest step, in pixels: beyond any image.
const LARGEST_FIELD: usize = 1 << 20;

/// What can be wrong with a network, or with the way it is asked for.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// A layer's own numbers do not work.
    #[error("layer `{}`: {}", escaped(layer), escaped(problem))]
    Layer {
        /// The layer's name.
        layer: String,
        /// What is wrong, and what was expected.
        problem: String,
    },
    /// Neither a preset nor the path of a description.
    #[error(
        "there is no model `{}`; expected {}, or the path of an ONNX file (.onnx) or of a model \
         description (.json)",
        escaped(name), PRESETS.join(", ")
    )]
    UnknownModel {
        /// The name.
        name: String,
    },
    /// A network description that cannot be read.
    #[error("{}", escaped(&.0.0))]
    Description(ParseError),
    /// An ONNX file that cannot be read, or holds no network that can be mapped.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// Joined branches that see the image in different steps.
    #[error("layer `{layer}`: {source}")]
    Geometry {
        /// The layer's name.
        layer: String,
        /// Why they cannot be joined.
        source: GeometryError,
    },
    /// A layer that the network does not have.
    #[error("{network} has no layer `{asked}`{near}; its convolutions are {known}")]
    UnknownLayer {
        /// The network's name.
        network: String,
        /// The name asked for.
        asked: String,
        /// The nearest names, as a message goes on with them.
        near: String,
        /// The convolutions there are.
        known: String,
    },
    /// A layer of an ONNX file behind a node that is not supported.
    #[error(
        "layer `{asked}` of {network} cannot be mapped: it lies behind, or is, what is not \
         supported{nodes}; its convolutions before that are {known}"
    )]
    LeftOut {
        /// The network's name.
        network: String,
        /// The name asked for.
        asked: String,
        /// The nodes that are not supported, as a message goes on with them.
        nodes: String,
        /// The convolutions there are.
        known: String,
    },
    /// A layer that is no convolution, where one is needed.
    #[error("layer `{asked}` of {network} is a {kind}; expected a convolution: {known}")]
    NotConvolution {
        /// The network's name.
        network: String,
        /// The name asked for.
        asked: String,
        /// What it is.
        kind: &'static str,
        /// The convolutions there are.
        known: String,
    },
    /// Responses of batch normalisations where there are none.
    #[error(
        "no batch normalisation of {network} reads one of the layers asked for; in an ONNX file it is a part of \
         the convolution, whose response is the one behind it: leave out --response bn"
    )]
    NoBatchNorm {
        /// The network's name.
        network: String,
    },
    /// Images of another size than that for which a file's padding is right.
    #[error("{0}")]
    OtherSize(String),
    /// Images too small for the network.
    #[error(
        "images of {image} are too small for layer `{layer}`: it gets {input} and its window of \
         {}×{} (padding {padding}) does not fit; use larger images",
        .kernel.y, .kernel.x
    )]
    NoRoom {
        /// The layer's name.
        layer: String,
        /// The image's size.
        image: ImageSize,
        /// What the layer gets.
        input: ImageSize,
        /// Its window, from the first tap to the last.
        kernel: PerAxis<usize>,
        /// Its padding.
        padding: PaddingText,
    },
}

impl HasKind for NetworkError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRoom { .. } => ErrorKind::Input,
            Self::Onnx(error) => error.kind(),
            _ => ErrorKind::Usage,
        }
    }
}

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
    by_name: HashMap<String, LayerId>,
    /// The convolutions, in order.
    convolutions: Vec<LayerId>,
    /// A name without dots for each of them: `conv1`, `conv2`, …
    short_names: Vec<String>,
    /// The layers that stand for the outputs of others, behind all of these ([`Network::units_of`]).
    taps: Vec<LayerId>,
    origin: Origin,
}

impl Network {
    /// A network of these layers on images of red, green and blue, in an order in which each layer
    /// comes after its inputs.
    ///
    /// # Errors
    /// Names that are not unique, inputs that do not come before, numbers that do not work
    /// together, and what is not supported.
    pub fn new(name: impl Into<String>, layers: Vec<Layer>) -> Result<Self, NetworkError> {
        Self::with_channels(name, RGB, layers)
    }

    /// As [`Network::new`], on images of `image_channels` channels.
    ///
    /// # Errors
    /// As [`Network::new`]; no channels, or more than [`MAX_IMAGE_CHANNELS`].
    pub fn with_channels(
        name: impl Into<String>,
        image_channels: usize,
        layers: Vec<Layer>,
    ) -> Result<Self, NetworkError> {
        let mut network = Self::empty(name, image_channels)?;
        if layers.len() > MAX_LAYERS {
            let problem = format!("it has {} layers; at most {MAX_LAYERS} are read", layers.len());
            return Err(NetworkError::Description(ParseError(format!(
                "{}: {problem}",
                network.name
            ))));
        }
        for layer in layers {
            network.push(layer)?;
        }
        network.finish()
    }

    /// A network without layers yet.
    fn empty(name: impl Into<String>, image_channels: usize) -> Result<Self, NetworkError> {
        let name = name.into();
        if let Some(problem) = name_problem(&name) {
            let name = name_start(&name);
            return Err(NetworkError::Description(ParseError(format!(
                "network `{name}`: {problem}"
            ))));
        }
        if !(1..=MAX_IMAGE_CHANNELS).contains(&image_channels) {
            return Err(NetworkError::Description(ParseError(format!(
                "{name}: images of {image_channels} channels; expected 1 to {MAX_IMAGE_CHANNELS}"
            ))));
        }
        Ok(Self {
            name,
            image_channels,
            layers: Vec::new(),
            channels: Vec::new(),
            projections: Vec::new(),
            by_name: HashMap::new(),
            convolutions: Vec::new(),
            short_names: Vec::new(),
            taps: Vec::new(),
            origin: Origin::default(),
        })
    }

    /// The network, when it has all layers.
    fn finish(mut self) -> Result<Self, NetworkError> {
        if self.convolutions.is_empty() {
            let problem = format!("{}: it has no convolution, so no units", self.name);
            return Err(NetworkError::Description(ParseError(problem)));
        }
        self.short_names = names::short_names(&self)?;
        Ok(self)
    }

    fn push(&mut self, layer: Layer) -> Result<(), NetworkError> {
        let problem = |problem: String| {
            Err(NetworkError::Layer { layer: name_start(&layer.name).to_owned(), problem })
        };
        if self.layers.len() >= MAX_LAYERS {
            return problem(format!("at most {MAX_LAYERS} layers are read"));
        }
        if layer.name.is_empty() || layer.name == IMAGE {
            return problem("a layer needs a name, other than that of the image".into());
        }
        if let Some(found) = name_problem(&layer.name) {
            return problem(found);
        }
        if self.by_name.contains_key(&layer.name) {
            return problem("another layer has the same name".into());
        }
        if let Some(Input::Layer(LayerId(id))) =
            layer.inputs.iter().copied().find(
                |input| matches!(input, Input::Layer(LayerId(id)) if *id >= self.layers.len()),
            )
        {
            return problem(format!("its input, layer {id}, does not come before it"));
        }
        let inputs: Vec<usize> =
            layer.inputs.iter().map(|&input| self.channels_of(input)).collect();
        let channels = match layer.op.channels(&inputs) {
            Ok(channels) => channels,
            Err(found) => return problem(found.0),
        };
        let window = layer.op.window();
        let along = |axis: Axis| {
            let mut fields = layer.inputs.iter().map(|&input| match input {
                Input::Image => AxisProjection::IMAGE,
                Input::Layer(LayerId(id)) => self.projections[id].of(axis),
            });
            let first = fields.next().unwrap_or(AxisProjection::IMAGE);
            let joined = fields.try_fold(first, AxisProjection::join);
            joined.map(|joined| joined.through(window.axes.of(axis)))
        };
        let geometry = |source| NetworkError::Geometry { layer: layer.name.clone(), source };
        let projection =
            PerAxis { y: along(Axis::Y).map_err(geometry)?, x: along(Axis::X).map_err(geometry)? };
        // A layer's numbers are below 2^17, so as long as this holds, the next cannot overflow.
        let too_large = |axis: &AxisProjection| axis.step.max(axis.size) > LARGEST_FIELD;
        if let Some(axis) = [projection.y, projection.x].into_iter().find(too_large) {
            return problem(format!(
                "its receptive field of {} pixels in steps of {} is larger than {LARGEST_FIELD}",
                axis.size, axis.step
            ));
        }
        let id = LayerId(self.layers.len());
        if matches!(layer.op, Op::Conv(_)) {
            self.convolutions.push(id);
        }
        self.by_name.insert(layer.name.clone(), id);
        self.projections.push(projection);
        self.channels.push(channels);
        self.layers.push(layer);
        Ok(())
    }

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
        self.convolutions.iter().filter_map(|&id| match &self.layer(id).op {
            Op::Conv(convolution) => Some((id, convolution)),
            _ => None,
        })
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

    /// Output sizes of the layers that lead to `target`, itself included, for images of this size; of
    /// the other layers before it 0×0.
    ///
    /// # Errors
    /// [`NetworkError::NoRoom`] where a window does not fit, [`NetworkError::Layer`] where joined
    /// branches have different sizes, [`NetworkError::OtherSize`].
    pub fn sizes(&self, image: ImageSize, target: LayerId) -> Result<Vec<ImageSize>, NetworkError> {
        self.sizes_for(image, &[target])
    }

    /// As [`Network::sizes`], for several targets.
    ///
    /// # Errors
    /// As [`Network::sizes`].
    pub fn sizes_for(
        &self,
        image: ImageSize,
        targets: &[LayerId],
    ) -> Result<Vec<ImageSize>, NetworkError> {
        if let Some(problem) = self.origin.size_problem(image) {
            return Err(NetworkError::OtherSize(problem));
        }
        let leads = self.leading_to(targets);
        let count = targets.iter().max().map_or(0, |last| last.0 + 1);
        let mut sizes: Vec<ImageSize> = Vec::with_capacity(count);
        for (layer, leads) in self.layers[..count].iter().zip(leads) {
            if !leads {
                sizes.push(ImageSize::new(0, 0));
                continue;
            }
            let mut inputs = layer.inputs.iter().map(|input| match input {
                Input::Image => image,
                Input::Layer(LayerId(id)) => sizes[*id],
            });
            let input = inputs.next().unwrap_or(image);
            if let Some(other) = inputs.find(|&other| other != input) {
                return Err(NetworkError::Layer {
                    layer: layer.name.clone(),
                    problem: format!("it joins outputs of {input} and {other}"),
                });
            }
            let window = layer.op.window();
            let output = window.output_size(input).ok_or_else(|| NetworkError::NoRoom {
                layer: layer.name.clone(),
                image,
                input,
                kernel: PerAxis::from_fn(|axis| window.axes.of(axis).extent()),
                padding: PaddingText(window.padding()),
            })?;
            let channels = self.channels[sizes.len()];
            let values = channels.saturating_mul(output.height).saturating_mul(output.width);
            if values > LARGEST_OUTPUT {
                return Err(NetworkError::Layer {
                    layer: layer.name.clone(),
                    problem: format!(
                        "its output on images of {image} is {channels} channels of {output}; at \
                         most {LARGEST_OUTPUT} values are supported"
                    ),
                });
            }
            if matches!(layer.op, Op::MaxPool(_)) && window.sees_only_padding(input, output) {
                return Err(NetworkError::Layer {
                    layer: layer.name.clone(),
                    problem: format!(
                        "on images of {image} it gets {input}, where some of its windows see \
                         nothing but padding; use larger images"
                    ),
                });
            }
            sizes.push(output);
        }
        Ok(sizes)
    }

    /// Multiply-adds of one forward pass of the layers that lead to `last`, itself included.
    ///
    /// # Errors
    /// As [`Network::sizes`].
    pub fn multiply_adds(&self, image: ImageSize, last: LayerId) -> Result<u64, NetworkError> {
        let sizes = self.sizes(image, last)?;
        let leads = self.leading_to(&[last]);
        let counts = self.convolutions().filter(|&(id, _)| leads[id.0]).map(|(id, conv)| {
            let inputs = self.input_channels(id) / conv.groups;
            let positions = (sizes[id.0].area() * conv.out_channels) as u64;
            positions.saturating_mul((inputs * conv.taps()) as u64)
        });
        Ok(counts.fold(0, u64::saturating_add))
    }
}

/// A padding in messages: one number where all sides are alike.
#[derive(Clone, Copy, Debug)]
pub struct PaddingText(pub Padding);

impl fmt::Display for PaddingText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sides @ [first, ..] = self.0.sides();
        if sides.iter().all(|&side| side == first) {
            write!(f, "{first}")
        } else {
            write!(f, "{sides:?}")
        }
    }
}

/// What is wrong with a name, if anything is.
fn name_problem(name: &str) -> Option<String> {
    if name.len() > MAX_NAME {
        return Some(format!("its name has {} bytes; at most {MAX_NAME} are read", name.len()));
    }
    needs_escaping(name).then(|| {
        "its name has characters that are not shown (control characters or directions of \
         writing); use letters, digits, dots and underscores"
            .into()
    })
}

/// Whether a layer or a network can have a name.
fn usable_name(name: &str) -> bool {
    !name.is_empty() && name_problem(name).is_none()
}

/// The beginning of a name, short enough for a message.
fn name_start(name: &str) -> &str {
    match name.char_indices().nth(MAX_NAME / 16) {
        Some((end, _)) if name.len() > MAX_NAME => &name[..end],
        _ => name,
    }
}
