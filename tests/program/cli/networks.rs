//! Networks of other operations than AlexNet's, on images of other channels than red, green and blue.

use ndarray::Array3;
use occlumap::files::npy;
use occlumap::network::{Model, Network};
use occlumap::noise::TorchStream;

use crate::common::{floats, largest};
use crate::workplace::Workplace;

/// An inverted bottleneck on four channels, behind a window that is no square.
const NETWORK: &str = r#"{"name": "bottleneck", "channels": 4, "layers": [
    {"name": "stem", "op": "conv", "out_channels": 6, "kernel": [5, 3], "stride": [2, 1], "padding": [2, 1]},
    {"name": "norm", "op": "batch_norm"},
    {"name": "act", "op": "silu"},
    {"name": "pool", "op": "avg_pool", "kernel": [1, 2], "stride": [1, 2]},
    {"name": "expand", "op": "conv", "out_channels": 12, "kernel": 1},
    {"name": "act1", "op": "clip", "min": 0, "max": 6},
    {"name": "depthwise", "op": "conv", "out_channels": 12, "kernel": 3, "padding": [0, 1, 2, 1], "groups": 12},
    {"name": "act2", "op": "gelu"},
    {"name": "shuffle", "op": "shuffle", "groups": 3},
    {"name": "project", "op": "conv", "out_channels": 6, "kernel": 1},
    {"name": "sum", "op": "add", "inputs": ["pool", "project"]},
    {"name": "layer_norm", "op": "channel_norm"},
    {"name": "last", "op": "conv", "out_channels": 5, "kernel": 3, "dilation": 2}
]}"#;

fn place() -> Workplace {
    let place = Workplace::new();
    place.write("bottleneck.json", NETWORK);
    let network = Network::from_description(NETWORK.as_bytes()).unwrap();
    let model = Model::random(network, 3).unwrap();
    model.save_weights(&place.path("bottleneck.safetensors")).unwrap();
    for image in 0..4 {
        let mut pixels = TorchStream::new(image).map(|value| 2.0 * value - 1.0);
        let values = Array3::from_shape_simple_fn((4, 30, 34), || pixels.next().unwrap());
        npy::write(&place.path(format!("images/{image}.npy")), &values).unwrap();
    }
    place
}

#[test]
fn incremental_maps_are_those_of_whole_images() {
    let place = place();
    let inputs = "--model bottleneck.json --weights bottleneck.safetensors --images images";
    let run = format!("run {inputs} --layers act,sum,depthwise,last --top 2 --device cpu");
    place.succeeds(&format!("{run} --statistics --out out"));
    place.succeeds(&format!("{run} --method full --out full"));
    for layer in ["act", "sum", "conv3", "conv5"] {
        let maps = |folder: &str| floats(&place.path(format!("{folder}/maps/{layer}_max.npy")));
        let (found, expected) = (maps("out"), maps("full"));
        let largest = largest(&expected);
        assert!(largest > 0.0, "{layer}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-5 * largest, "{layer}: {found} {expected}");
        }
    }
    place.succeeds("plot out");
    place.succeeds("report out --images images");
    place.succeeds("status out --check");
    place.refuses(
        "run --model alexnet --weights bottleneck.safetensors --images images --out none",
        1,
        &["[4, 30, 34]", "1 or 3 channels"],
    );
}
