//! Errors of a network.

use std::fmt;

use thiserror::Error;

use super::{OnnxError, PRESETS};
use crate::error::{ErrorKind, HasKind, ParseError};
use crate::files::{escaped, near};
use crate::geometry::{Axis, GeometryError, ImageSize, Padding, PerAxis, Span};

/// Errors of a network, or of a request for one.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// A layer's own numbers do not work.
    #[error("layer `{}`: {}", escaped(layer), escaped(problem))]
    Layer {
        /// The layer's name.
        layer: String,
        /// The problem, and what was expected.
        problem: String,
    },
    /// Neither a preset nor the path of a description.
    #[error(
        "there is no model `{}`{}; expected {}, or the path of an ONNX file (.onnx) or of a model \
         description (.json)",
        escaped(name), near(name, PRESETS.into_iter()), PRESETS.join(", ")
    )]
    UnknownModel {
        /// The name.
        name: String,
    },
    /// A weight file as the network.
    #[error(
        "`{}` is a file of weights: give it to --weights, and a network to --model",
        escaped(name)
    )]
    WeightsAsModel {
        /// The path.
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
    #[error("{network} has no layer {}{near}; its convolutions are {known}", named(asked))]
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
        "layer `{asked}` of {network} cannot be mapped: it is, or lies behind, an operation that is not \
         supported{nodes}; the convolutions before it are {known}"
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
        /// The kind.
        kind: &'static str,
        /// The convolutions there are.
        known: String,
    },
    /// A layer whose values have no receptive field.
    #[error(
        "layer `{}`: each of its values is of the whole map, so it has no receptive field; choose a layer \
         before the global pooling, or behind the gate",
        escaped(layer)
    )]
    NoField {
        /// The layer's name.
        layer: String,
    },
    /// Responses of batch normalisations where there are none.
    #[error(
        "no batch normalisation of {network} reads one of the layers asked for; in an ONNX file the \
         convolution contains it, and its response is the normalised one: leave out the response `bn`"
    )]
    NoBatchNorm {
        /// The network's name.
        network: String,
    },
    /// A layer of which some positions are reached by pixels outside of their receptive fields, so that no
    /// map shows all that changes them.
    #[error(
        "layer `{layer}` cannot be mapped on images of {image}: by a padding with values of the map, {} \
         {position} of its output depends on {}, and its receptive field has {}; use images of another \
         size, or map other layers",
        line(*axis), lines(*axis, *pixels), lines(*axis, *field)
    )]
    OutsideField {
        /// The layer's name.
        layer: String,
        /// The image's size.
        image: ImageSize,
        /// Along which axis.
        axis: Axis,
        /// The first such position.
        position: usize,
        /// The pixels that reach it, along that axis.
        pixels: Span,
        /// Those of its receptive field.
        field: Span,
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
        /// The input of the layer.
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
            // Of a file of the network, or of images of a size that it cannot take.
            Self::Layer { .. }
            | Self::Description(_)
            | Self::Geometry { .. }
            | Self::NoRoom { .. }
            | Self::OutsideField { .. } => ErrorKind::Input,
            Self::Onnx(error) => error.kind(),
            // Of a setting.
            Self::OtherSize(_)
            | Self::UnknownModel { .. }
            | Self::WeightsAsModel { .. }
            | Self::UnknownLayer { .. }
            | Self::LeftOut { .. }
            | Self::NotConvolution { .. }
            | Self::NoBatchNorm { .. }
            | Self::NoField { .. } => ErrorKind::Usage,
        }
    }
}

/// A position of an axis in messages.
const fn line(axis: Axis) -> &'static str {
    match axis {
        Axis::Y => "row",
        Axis::X => "column",
    }
}

/// Positions of an axis in messages.
fn lines(axis: Axis, positions: Span) -> String {
    let what = line(axis);
    match positions.len() {
        0 => format!("no {what}s"),
        1 => format!("{what} {}", positions.start),
        _ => format!("{what}s {} to {}", positions.start, positions.end - 1),
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

/// A layer's name in a message; one that is empty stands where a comma is too many.
fn named(asked: &str) -> String {
    if asked.is_empty() { "with an empty name".into() } else { format!("`{asked}`") }
}
