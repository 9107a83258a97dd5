//! The part of the whole map in a response.

use serde::{Deserialize, Serialize};

use super::{Input, LayerId, Network, Op};

/// The image that a gate's values are computed from while an occluder is presented. The receptive field is
/// that of the local path in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "snake_case")]
pub enum MapContext {
    /// The occluded image, as the network computes it.
    #[default]
    Exact,
    /// The original image: many times faster.
    Frozen,
}

impl MapContext {
    /// Whether it is the default.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
    pub fn is_exact(&self) -> bool {
        *self == Self::Exact
    }
}

/// Floats that a value of 64 bits takes.
pub const WIDE_FLOATS: usize = size_of::<f64>() / size_of::<f32>();

impl Network {
    /// The treatment of gates while an occluder is presented.
    pub fn context(&self) -> MapContext {
        self.context
    }

    /// The network with another context; without gates it has none but the exact one.
    #[must_use]
    pub fn with_context(self, context: MapContext) -> Self {
        let has_gates = self.layers.iter().any(|layer| matches!(layer.op, Op::Gate(_)));
        Self { context: if has_gates { context } else { MapContext::Exact }, ..self }
    }

    /// Whether each value of a layer is of the whole map, so that it has no position in the image.
    pub fn is_of_whole_map(&self, id: LayerId) -> bool {
        self.of_whole_map[id.0]
    }

    /// Whether an input is the output of such a layer.
    pub(super) fn reads_whole_map(&self, input: Input) -> bool {
        matches!(input, Input::Layer(id) if self.is_of_whole_map(id))
    }

    /// Whether an occluder changes every position of the maps behind a gate on the way to `target`, through
    /// the gate's numbers.
    pub fn has_exact_gates_before(&self, target: LayerId) -> bool {
        self.context == MapContext::Exact && !self.gates_before(&[target]).is_empty()
    }

    /// Floats that an activation of each layer takes while occluders are presented to `target`, at most: those
    /// of a costly function, and behind exact gates of any, are kept [in 64 bits](WIDE_FLOATS) too.
    pub fn floats_kept(&self, target: LayerId) -> impl Fn(LayerId) -> usize + '_ {
        let gated = self.has_exact_gates_before(target);
        move |id| match &self.layer(id).op {
            Op::Pointwise(function) if gated || function.is_costly() => 1 + WIDE_FLOATS,
            _ => 1,
        }
    }

    /// The layers that a gate on the way to one of `targets` reads its numbers from.
    pub fn gates_before(&self, targets: &[LayerId]) -> Vec<LayerId> {
        let leading = self.leading_to(targets);
        let layers = self.layers.iter().zip(leading).filter(|(_, leads)| *leads);
        let gates = layers.filter_map(|(layer, _)| match (&layer.op, &layer.inputs[..]) {
            (Op::Gate(_), &[_, Input::Layer(gate)]) => Some(gate),
            _ => None,
        });
        gates.collect()
    }
}
