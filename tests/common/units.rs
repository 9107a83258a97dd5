//! Channels of layers that are no convolutions, as units.

use std::path::PathBuf;

use ndarray::Array3;
use occlumap::engine::{Engine, Float64Engine, JobResult, PlacedJob};
use occlumap::geometry::{GridRule, ImageSize, LayerGeometry};
use occlumap::network::{LayerId, Model, Network};
use occlumap::noise::Noise;

use crate::common::suite::{corners, present};

/// The folder of the small residual network.
pub fn folder() -> PathBuf {
    super::root().join("tests/data/onnx")
}

/// The image that the network's outputs were noted on.
pub fn image() -> Array3<f32> {
    Array3::from_shape_fn((3, 41, 37), |(c, y, x)| {
        ((c * 7 + y * 13 + x * 29 + x * y) % 17) as f32 / 8.0 - 1.0
    })
}

/// The network of a file with its weights, and the units of some of its layers.
pub fn model(file: &str, layers: &[&str]) -> (Model, Vec<LayerId>) {
    let path = folder().join(file);
    let mut network = Network::named(&path.to_string_lossy()).expect("a network");
    let units = layers.iter().map(|layer| {
        let id = network.named_layer(layer).expect("a layer");
        network.units_of(id).expect("units")
    });
    let units = units.collect();
    (Model::load(network, &path).expect("its weights"), units)
}

/// Maps of a pooling, a sum and `ReLU`s are those of the plain engine in 64-bit arithmetic.
pub fn maps_of_any_layer_agree(engine: &dyn Engine) {
    let layers = ["maxpool", "layer1.0.add", "layer1.0.relu", "layer1", "relu"];
    let (model, units) = model("tiny_resnet.onnx", &layers);
    let (image, size) = (image(), ImageSize::new(41, 37));
    for (&layer, name) in units.iter().zip(layers) {
        let geometry = LayerGeometry::new(model.network(), layer, size, GridRule::REFERENCE, 5);
        let geometry = geometry.expect("room");
        let placed: Vec<_> = corners(geometry.output)
            .map(|(y, x)| ((y, x), geometry.placement(y, x).expect("inside")))
            .collect();
        let jobs = placed.iter().enumerate().map(|(unit, (position, placement))| PlacedJob {
            image: image.view(),
            image_index: 0,
            unit: unit % model.network().channels(layer),
            position: *position,
            occluders: &placement.occluders,
            fill: Noise::Philox { seed: 1, draw: 0 }.into(),
        });
        let jobs: Vec<PlacedJob<'_>> = jobs.collect();
        let found = present(engine, &model, layer, &jobs);
        let plain = present(&Float64Engine, &model, layer, &jobs);
        let mut changed = 0;
        for (JobResult { response, differences }, plain) in found.iter().zip(&plain) {
            assert!((response - plain.response).abs() <= 1e-5, "{name}");
            let largest = plain.differences.iter().fold(0.0_f32, |most, d| most.max(d.abs()));
            changed += usize::from(largest > 0.0);
            for (found, plain) in differences.iter().zip(&plain.differences) {
                assert!((found - plain).abs() <= 1e-5 * largest.max(0.1), "{name} {found} {plain}");
            }
        }
        assert!(changed > 0, "{name}: no occluder changed anything");
    }
}
