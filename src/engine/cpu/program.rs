//! The program of a layer with its weights as this engine reads them.

use std::collections::HashMap;
use std::sync::Arc;

use super::CpuEngine;
use super::bf16::Form;
use super::weights::{Arithmetic, Packed, UnitFilters};
use crate::engine::{EngineError, convolutions_before};
use crate::geometry::ImageSize;
use crate::network::{Filters, Input, Layer, LayerId, Model, Network};
use crate::program::{self, ConvolutionFilters, Packing};

/// The program of a layer.
pub(super) type Program = program::Program<Arc<Packed>, Filters, UnitFilters>;
/// What a node computes.
pub(super) type Step = program::Step<Arc<Packed>, Filters>;

/// What the programs of several layers share.
pub(super) struct Shared<'a> {
    /// Of all layers, as [`sparse`] says.
    pub sparse: &'a [bool],
    /// The engine's settings.
    pub engine: &'a CpuEngine,
    /// What multiplies bf16.
    pub form: Form,
    /// The filters that other programs already needed.
    pub packed: HashMap<LayerId, Arc<Packed>>,
}

impl Shared<'_> {
    /// The program of a layer.
    pub fn program(
        &mut self,
        model: &Model,
        layer: LayerId,
        image: ImageSize,
    ) -> Result<Program, EngineError> {
        let before = convolutions_before(model.network());
        let packing = Packing {
            convolution: |ConvolutionFilters { layer, conv, filters, inputs, .. }| {
                let arithmetic = Arithmetic {
                    sparse: reads_sparse(model.network().layer(layer), self.sparse),
                    direct: self.engine.direct,
                    bf16: self.engine.parts(before[layer.0]).map(|parts| (parts, self.form)),
                };
                let new = || Arc::new(Packed::new(conv, filters, inputs, arithmetic));
                Ok(Arc::clone(self.packed.entry(layer).or_insert_with(new)))
            },
            numbers: |numbers: &Filters, _| Ok(numbers.clone()),
            units: |ConvolutionFilters { conv, filters, inputs, .. }| {
                Ok(UnitFilters::new(conv, filters, inputs))
            },
        };
        program::Program::new(model.network(), layer, image)?.with_weights(model, packing)
    }
}

/// Of each layer, whether many of its deltas are zero: of a ReLU, also behind poolings.
pub(super) fn sparse(network: &Network) -> Vec<bool> {
    let mut sparse: Vec<bool> = Vec::with_capacity(network.layers().len());
    for layer in network.layers() {
        sparse.push(layer.op.has_sparse_deltas(reads_sparse(layer, &sparse)));
    }
    sparse
}

/// Whether all inputs of a layer are layers of which many deltas are zero.
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
