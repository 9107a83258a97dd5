//! The same bits by all instructions of bf16.

use ndarray::Array3;

use super::bf16::Form;
use super::simd::Isa;
use super::{CpuEngine, Precision};
use crate::engine::{Batch, JobResult, PlacedJob};
use crate::geometry::{GridRule, ImageSize, LayerGeometry};
use crate::network::{Model, Network};
use crate::noise::{Noise, TorchStream};
use crate::progress::{CancelToken, Progress};

/// Groups, channels that fill no line, gaps between taps, outputs that fill no tile, a convolution of fewer
/// channels than bf16 has, and deltas that go several ways.
const NETWORK: &[u8] = br#"{"name": "wide", "layers": [
    {"name": "a", "op": "conv", "out_channels": 70, "kernel": 5, "stride": 2},
    {"name": "relu_a", "op": "relu"},
    {"name": "pool", "op": "max_pool", "kernel": 3, "stride": 2},
    {"name": "b", "op": "conv", "out_channels": 84, "kernel": 3, "padding": 1, "groups": 2},
    {"name": "relu_b", "op": "relu"},
    {"name": "c", "op": "conv", "out_channels": 40, "kernel": 2, "dilation": 2},
    {"name": "d", "op": "conv", "out_channels": 40, "kernel": 1},
    {"name": "cut", "op": "relu"},
    {"name": "e", "op": "conv", "out_channels": 33, "kernel": 3, "padding": 1},
    {"name": "relu_e", "op": "relu"},
    {"name": "last", "op": "conv", "out_channels": 6, "kernel": 3}
]}"#;

fn presented(precision: Precision, form: Form) -> Vec<JobResult> {
    let network = Network::from_description(NETWORK).unwrap();
    let size = ImageSize::new(47, 58);
    let layer = network.convolution("last").unwrap();
    let geometry = LayerGeometry::new(&network, layer, size, GridRule::REFERENCE, 7).unwrap();
    let model = Model::random(network, 5).unwrap();
    let pixels: Vec<f32> =
        TorchStream::new(8).take(3 * size.area()).map(|value| 2.0 * value - 1.0).collect();
    let image = Array3::from_shape_vec((3, size.height, size.width), pixels).unwrap();
    let output = geometry.output;
    let positions = [(0, 0), (output.height / 2, output.width / 2), (1, output.width - 1)];
    let placements = positions.map(|(y, x)| geometry.placement(y, x).unwrap());
    let jobs =
        positions.iter().zip(&placements).enumerate().map(|(unit, (&position, placement))| {
            PlacedJob {
                image: image.view(),
                image_index: 0,
                unit,
                position,
                occluders: &placement.occluders,
                fill: Noise::Philox { seed: 1, draw: 0 }.into(),
            }
        });
    let batch: Batch<'_> = jobs.collect();
    let engine = CpuEngine { precision, ..CpuEngine::default() };
    let prepared = engine.prepare_for(form, &model, &[layer], size).unwrap();
    let cancel = CancelToken::default();
    prepared.present(layer, &batch, &Progress::new(&cancel)).unwrap()
}

#[test]
fn maps_in_bf16_are_the_same_bytes_by_any_instructions() {
    let exact = presented(Precision::Fp32, Form::detect());
    for precision in [Precision::Bf16x3, Precision::Bf16] {
        let expected = presented(precision, Form::Floats(Isa::Portable));
        assert_ne!(expected, exact, "{precision:?}");
        for form in Form::available().into_iter().chain([Form::Model]) {
            assert_eq!(presented(precision, form), expected, "{precision:?} by {form:?}");
        }
        let limit = precision.limits(5).largest as f32;
        for (exact, found) in exact.iter().zip(&expected) {
            let largest = exact.differences.iter().fold(0.0_f32, |size, d| size.max(d.abs()));
            let differences = exact.differences.iter().zip(&found.differences);
            let worst = differences.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest > 0.0 && worst <= limit * largest, "{precision:?}: {worst} {largest}");
        }
    }
}
