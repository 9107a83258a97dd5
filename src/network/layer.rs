//! Layers: what they compute, from what.

use serde::Serialize;

use super::{LayerId, Op};

/// A named layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// The framework's name, such as `features.3`; its weights are `features.3.weight` and
    /// `features.3.bias`.
    pub name: String,
    /// Its operation.
    pub op: Op,
    /// Its inputs: one, or several for the joins.
    pub inputs: Vec<Input>,
}

/// An input of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Input {
    /// The image.
    Image,
    /// An earlier layer's output.
    Layer(LayerId),
}
