//! A layer that the engine was prepared for.

use std::collections::HashMap;
use std::sync::Arc;

use super::weights::{Packed, UnitFilters};
use crate::engine::EngineError;
use crate::engine::target::{self, Leading, Packing};
use crate::geometry::ImageSize;
use crate::network::{Input, Layer, LayerId, Model, Network, Op};

/// A target with its filters in the order in which this engine reads them.
pub(super) type Target = target::Target<Arc<Packed>, UnitFilters>;
/// What a node of its lineage computes.
pub(super) type Step = target::Step<Arc<Packed>, UnitFilters>;

/// A target; `packed` has the filters that other targets already needed, `sparse` is that of all
/// layers, `direct` is as in [`Packed::new`].
pub(super) fn target(
    model: &Model,
    layer: LayerId,
    image: ImageSize,
    direct: bool,
    (sparse, packed): (&[bool], &mut HashMap<LayerId, Arc<Packed>>),
) -> Result<Target, EngineError> {
    let packing = Packing {
        convolution: |(id, conv, filters, channels): Leading<'_>| {
            let sparse = reads_sparse(model.network().layer(id), sparse);
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

/// Of each layer, whether many of its differences are zero: of a ReLU, also behind poolings.
pub(super) fn sparse(network: &Network) -> Vec<bool> {
    let mut sparse: Vec<bool> = Vec::with_capacity(network.layers().len());
    for layer in network.layers() {
        sparse.push(match &layer.op {
            Op::Relu => true,
            Op::Pointwise(function) => function.is_sparse(),
            Op::MaxPool(_) | Op::Dropout | Op::Concat | Op::Slice(_) | Op::Shuffle(_) => {
                reads_sparse(layer, &sparse)
            }
            _ => false,
        });
    }
    sparse
}

/// Whether all inputs of a layer are layers of which many differences are zero.
fn reads_sparse(layer: &Layer, sparse: &[bool]) -> bool {
    layer.inputs.iter().all(|input| match *input {
        Input::Image => false,
        Input::Layer(LayerId(id)) => sparse[id],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sparse_convolutions(network: &Network) -> Vec<bool> {
        let all = sparse(network);
        network.convolutions().map(|(id, _)| reads_sparse(network.layer(id), &all)).collect()
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

    #[test]
    fn layers_that_read_another_twice_again_and_again_are_looked_at_once() {
        let mut layers = vec![
            r#"{"name": "x", "op": "conv", "out_channels": 1, "kernel": 1}"#.to_owned(),
            r#"{"name": "s", "op": "relu"}"#.to_owned(),
        ];
        let mut before = "s".to_owned();
        for number in 0..60 {
            layers.push(format!(
                r#"{{"name": "j{number}", "op": "concat", "inputs": ["{before}", "{before}"]}}"#
            ));
            before = format!("s{number}");
            layers.push(format!(r#"{{"name": "{before}", "op": "slice", "start": 0, "end": 1}}"#));
        }
        layers.push(r#"{"op": "conv", "out_channels": 1, "kernel": 1}"#.to_owned());
        let layers = layers.join(", ");
        let json = format!(r#"{{"name": "twice", "layers": [{layers}]}}"#);
        let network = Network::from_description(json.as_bytes()).unwrap();
        assert_eq!(sparse_convolutions(&network), [false, true]);
    }
}
