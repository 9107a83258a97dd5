//! Networks of other operations than AlexNet's, on images of other channels than red, green and blue.

use ndarray::Array3;
use occlumap::files::npy;
use occlumap::network::{Model, Network};
use occlumap::noise::TorchStream;

use crate::common::gated::gated;
use crate::common::{floats, json, largest};
use crate::workplace::Workplace;

/// An inverted bottleneck on four channels, behind a window that is no square.
const NETWORK: &str = r#"{"name": "bottleneck", "channels": 4, "layers": [
    {"name": "stem", "op": "conv", "out_channels": 6, "kernel": [5, 3], "stride": [2, 1], "padding": [2, 1]},
    {"name": "norm", "op": "batch_norm", "eps": 0.000010000000656873453},
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

fn workplace() -> Workplace {
    let workplace = Workplace::new();
    for (name, json) in [("bottleneck", NETWORK.to_owned()), ("gated", gated(4))] {
        workplace.write(&format!("{name}.json"), &json);
        let network = Network::from_description(json.as_bytes()).unwrap();
        let model = Model::random(network, 3).unwrap();
        model.save_weights(&workplace.path(format!("{name}.safetensors"))).unwrap();
    }
    for image in 0..4 {
        let mut pixels = TorchStream::new(image).map(|value| 2.0 * value - 1.0);
        let values = Array3::from_shape_simple_fn((4, 30, 34), || pixels.next().unwrap());
        npy::write(&workplace.path(format!("images/{image}.npy")), &values).unwrap();
    }
    workplace
}

#[test]
fn gates_are_computed_anew_or_keep_their_values() {
    let workplace = workplace();
    let run = "run --model gated.json --weights gated.safetensors --images images --layers stem,last \
               --top 2 --device cpu";
    let exact = workplace.succeeds(&format!("{run} --out exact"));
    assert!(exact.contains("conv3 lie behind gates of the whole map"), "{exact}");
    let frozen = workplace.succeeds(&format!("{run} --context frozen --out frozen"));
    assert!(!frozen.contains("behind gates"), "{frozen}");
    workplace.succeeds(&format!("{run} --context frozen --method full --out frozen-full"));
    workplace.succeeds(&format!("{run} --method full --precision fp64 --out full"));
    let maps = |folder: &str, layer: &str| {
        floats(&workplace.path(format!("{folder}/maps/{layer}_max.npy")))
    };
    for (one, other) in [("exact", "full"), ("frozen", "frozen-full")] {
        for layer in ["conv1", "conv3"] {
            let (found, expected) = (maps(one, layer), maps(other, layer));
            let most = 1e-5 * largest(&expected);
            assert!(
                found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= most),
                "{one} {layer}"
            );
        }
    }
    assert_eq!(maps("exact", "conv1").shape(), maps("frozen", "conv1").shape());
    assert_ne!(maps("exact", "conv3"), maps("frozen", "conv3"));
    let context = |folder: &str| {
        let manifest: serde_json::Value = json(&workplace.path(format!("{folder}/manifest.json")));
        manifest["configuration"]["settings"].get("context").cloned()
    };
    assert_eq!(context("exact"), None);
    assert_eq!(context("frozen"), Some("frozen".into()));
    workplace.refuses(&format!("{run} --out frozen"), 2, &["what becomes of gates (--context)"]);
    workplace.succeeds("report frozen --images images");
    workplace.succeeds(&format!("{run} --context frozen --verify 20 --force --out frozen"));
    workplace.succeeds(&format!("{run} --verify 20 --force --out exact"));
    let info = "info --model gated.json --image-size 30";
    workplace.refuses(
        &format!("{info} --layers squeeze"),
        2,
        &["layer `squeeze`", "no receptive field"],
    );
    // Without gates there is nothing to keep.
    let plain = "run --model bottleneck.json --weights bottleneck.safetensors --images images \
                 --layers stem --top 1 --device cpu";
    workplace.succeeds(&format!("{plain} --context frozen --out plain"));
    assert_eq!(context("plain"), None);
}

#[test]
fn responses_are_those_of_the_layer_that_is_asked_for() {
    let workplace = workplace();
    let rank =
        "rank --model gated.json --weights gated.safetensors --images images --top 2 --device cpu";
    workplace.succeeds(&format!("{rank} --layers stem --response bn --out bn"));
    workplace.succeeds(&format!("{rank} --layers bn --out named"));
    let bytes = |folder: &str| workplace.read(&format!("{folder}/ranking/bn.npy"));
    assert_eq!(bytes("bn"), bytes("named"));
    let map = "map --model gated.json --weights gated.safetensors --images images --image 0 --unit 1 \
               --position 7,9 --context frozen";
    for (layer, responses) in [("stem --response bn", "bn"), ("bn", "named"), ("stem", "conv")] {
        let out = format!("--responses {responses}.npy --out {responses}-map.npy");
        workplace.succeeds(&format!("{map} --layer {layer} {out}"));
    }
    for kind in ["", "-map"] {
        let bytes = |name: &str| workplace.read(&format!("{name}{kind}.npy"));
        assert_eq!(bytes("bn"), bytes("named"));
        assert_ne!(bytes("bn"), bytes("conv"));
    }
    let words = ["no batch normalisation of gated reads one of the layers asked for"];
    workplace.refuses(&format!("{rank} --layers last --response bn --out none"), 2, &words);
}

#[test]
fn incremental_maps_are_those_of_whole_images() {
    let workplace = workplace();
    let inputs = "--model bottleneck.json --weights bottleneck.safetensors --images images";
    let run = format!("run {inputs} --layers act,sum,depthwise,last --top 2 --device cpu");
    workplace.succeeds(&format!("{run} --statistics --out out"));
    workplace.succeeds(&format!("{run} --method full --out full"));
    for layer in ["act", "sum", "conv3", "conv5"] {
        let maps = |folder: &str| floats(&workplace.path(format!("{folder}/maps/{layer}_max.npy")));
        let (found, expected) = (maps("out"), maps("full"));
        let largest = largest(&expected);
        assert!(largest > 0.0, "{layer}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-5 * largest, "{layer}: {found} {expected}");
        }
    }
    workplace.succeeds("plot out");
    workplace.succeeds("report out --images images");
    workplace.succeeds("status out --check");
    workplace.refuses(
        "run --model alexnet --weights bottleneck.safetensors --images images --out none",
        1,
        &["[4, 30, 34]", "1 or 3 channels"],
    );
}
