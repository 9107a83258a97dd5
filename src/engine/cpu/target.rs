//! A layer that the engine was prepared for.

use std::collections::HashMap;
use std::sync::Arc;

use super::weights::{Packed, UnitFilters};
use crate::engine::EngineError;
use crate::engine::target::{self, Leading, Packing};
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
    let packing = Packing {
        convolution: |(id, conv, filters, channels): Leading<'_>| {
            let sparse = sparse(model.network(), id);
            let new = || Arc::new(Packed::new(conv, filters, channels, sparse, direct));
            Ok(Arc::clone(packed.entry(id).or_insert_with(new)))
        },
        units: |(_, conv, filters, channels): Leading<'_>| {
            Ok(UnitFilters::new(conv, filters, channels))
        },
        depthwise: true,
    };
    Target::new(model, layer, image, packing)
}

/// Whether many differences that a layer is computed from are zero: those of a ReLU, also behind
/// poolings.
fn sparse(network: &Network, layer: LayerId) -> bool {
    network.layer(layer).inputs.iter().all(|input| match input {
        Input::Image => false,
        Input::Layer(input) => match &network.layer(*input).op {
            Op::Relu => true,
            Op::Pointwise(function) => function.is_sparse(),
            Op::MaxPool(_) | Op::Dropout | Op::Concat | Op::Slice(_) | Op::Shuffle(_) => {
                sparse(network, *input)
            }
            _ => false,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sparse_convolutions(network: &Network) -> Vec<bool> {
        network.convolutions().map(|(id, _)| sparse(network, id)).collect()
    }

    #[test]
    fn what_lies_behind_a_relu_is_sparse() {
        let alexnet = Network::preset("alexnet").unwrap();
        assert_eq!(sparse_convolutions(&alexnet), [false, true, true, true, true]);
    }

    #[test]
    fn a_pooling_or_a_concatenation_behind_relus_is_and_anything_else_is_not() {
        let network = Network::from_description(
            br#"{"name": "all", "layers": [
                {"name": "a", "op": "conv", "out_channels": 4, "kernel": 1},
                {"name": "b", "op": "conv", "out_channels": 4, "kernel": 1, "inputs": ["image"]},
                {"name": "relu_a", "op": "relu", "inputs": ["a"]},
                {"name": "relu_b", "op": "relu", "inputs": ["b"]},
                {"name": "both", "op": "concat", "inputs": ["relu_a", "relu_b"]},
                {"name": "pool", "op": "max_pool", "kernel": 2, "stride": 2},
                {"name": "c", "op": "conv", "out_channels": 4, "kernel": 1},
                {"name": "half", "op": "concat", "inputs": ["a", "relu_b"]},
                {"name": "d", "op": "conv", "out_channels": 4, "kernel": 1},
                {"name": "sum", "op": "add", "inputs": ["relu_a", "relu_b"]},
                {"name": "e", "op": "conv", "out_channels": 4, "kernel": 1},
                {"name": "f", "op": "conv", "out_channels": 4, "kernel": 1}
            ]}"#,
        )
        .unwrap();
        assert_eq!(sparse_convolutions(&network), [false, false, true, false, false, false]);
    }
}
