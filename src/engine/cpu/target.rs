//! A layer that the engine was prepared for.

use std::collections::HashMap;
use std::sync::Arc;

use super::weights::{Packed, UnitFilters};
use crate::engine::{EngineError, target};
use crate::geometry::ImageSize;
use crate::network::{Input, LayerId, Model, Network, Op};

/// A target with its filters in the order in which this engine reads them.
pub(super) type Target = target::Target<Arc<Packed>, UnitFilters>;
/// What a node of its lineage computes.
pub(super) type Step = target::Step<Arc<Packed>, UnitFilters>;

/// A target; `packed` has the filters that other targets already needed, `direct` is as in
/// [`Packed::new`].
pub(super) fn target(
    model: &Model,
    layer: LayerId,
    image: ImageSize,
    direct: bool,
    packed: &mut HashMap<LayerId, Arc<Packed>>,
) -> Result<Target, EngineError> {
    Target::new(
        model,
        layer,
        image,
        |(id, conv, filters, channels)| {
            let sparse = sparse(model.network(), id);
            let new = || Arc::new(Packed::new(conv, filters, channels, sparse, direct));
            Ok(Arc::clone(packed.entry(id).or_insert_with(new)))
        },
        |(_, conv, filters, channels)| Ok(UnitFilters::new(conv, filters, channels)),
    )
}

/// Whether many differences that a layer is computed from are zero: those of a ReLU, also behind
/// poolings.
fn sparse(network: &Network, layer: LayerId) -> bool {
    network.layer(layer).inputs.iter().all(|input| match input {
        Input::Image => false,
        Input::Layer(input) => match network.layer(*input).op {
            Op::Relu => true,
            Op::MaxPool(_) | Op::Dropout | Op::Concat => sparse(network, *input),
            Op::Conv(_) | Op::LocalResponseNorm(_) | Op::Add => false,
        },
    })
}
