//! Padding with values of the map itself.

use ndarray::Array3;
use occlumap::engine::{CpuEngine, Engine, Float64Engine, PlacedJob, ReferenceEngine};
use occlumap::geometry::{ImageSize, Occluder};
use occlumap::network::{Filters, Model, Network};
use occlumap::noise::Fill;
use occlumap::program::Program;

use crate::common::suite::{self, Tolerance, Trials, present};
use crate::workplace::Workplace;

/// A row of four pixels under taps of 1, 10 and 100: what a difference of each pixel does to each position.
#[test]
fn a_pixel_beside_the_border_acts_twice() {
    let model = |mode: &str| {
        let json = format!(
            r#"{{"name": "row", "channels": 1, "layers": [
                {{"op": "pad", "mode": "{mode}", "padding": [0, 1]}},
                {{"name": "c", "op": "conv", "out_channels": 1, "kernel": [1, 3], "bias": false}}
            ]}}"#
        );
        let network = Network::from_description(json.as_bytes()).unwrap();
        let filters = Filters { weight: vec![1.0, 10.0, 100.0], bias: Vec::new() };
        Model::new(network, vec![filters]).unwrap()
    };
    let row = |pixels: [f32; 4]| Array3::from_shape_vec((1, 1, 4), pixels.to_vec()).unwrap();
    let (shown, other) = (row([1.0, 2.0, 3.0, 4.0]), row([2.0, 4.0, 6.0, 9.0]));
    let differences = [1.0, 2.0, 3.0, 5.0];
    let occluders: Vec<Occluder> =
        (0..4).map(|left| Occluder { index: left, top: 0, left, size: 1 }).collect();
    for (mode, taps) in [
        ("reflect", [[10, 101, 0, 0], [1, 10, 100, 0], [0, 1, 10, 100], [0, 0, 101, 10]]),
        ("edge", [[11, 100, 0, 0], [1, 10, 100, 0], [0, 1, 10, 100], [0, 0, 1, 110]]),
    ] {
        let model = model(mode);
        let layer = model.network().convolution("c").unwrap();
        let job = |x| PlacedJob {
            image: shown.view(),
            image_index: 0,
            unit: 0,
            position: (0, x),
            occluders: &occluders,
            fill: Fill::Picture(&other),
        };
        let jobs: Vec<PlacedJob<'_>> = (0..4).map(job).collect();
        let engines: [&dyn Engine; 3] = [&CpuEngine::default(), &ReferenceEngine, &Float64Engine];
        for engine in engines {
            let found = present(engine, &model, layer, &jobs);
            for (x, (found, taps)) in found.iter().zip(taps).enumerate() {
                let expected = taps.iter().zip(differences).map(|(&tap, by)| tap as f32 * by);
                assert!(expected.eq(found.differences.iter().copied()), "{mode} {x} {found:?}");
            }
        }
    }
}

/// A residual block behind a strided blur, and a pooling; paddings of each mode.
fn padded() -> Network {
    Network::from_description(
        br#"{"name": "padded", "layers": [
            {"name": "p", "op": "pad", "mode": "reflect", "padding": 3},
            {"name": "a", "op": "conv", "out_channels": 48, "kernel": 7, "stride": 2},
            {"name": "relu", "op": "relu"},
            {"name": "q", "op": "pad", "mode": "reflect", "padding": [1, 1, 2, 2]},
            {"name": "blur", "op": "conv", "out_channels": 48, "kernel": 4, "stride": 2, "groups": 48},
            {"name": "r", "op": "pad", "mode": "edge", "padding": 1},
            {"name": "b", "op": "conv", "out_channels": 48, "kernel": 3},
            {"name": "relu2", "op": "relu"},
            {"name": "sum", "op": "add", "inputs": ["blur", "relu2"]},
            {"name": "s", "op": "pad", "mode": "reflect", "padding": [0, 2]},
            {"name": "pool", "op": "max_pool", "kernel": [2, 3], "stride": 1},
            {"name": "c", "op": "conv", "out_channels": 48, "kernel": 3, "padding": 1}
        ]}"#,
    )
    .unwrap()
}

#[test]
fn every_border_agrees() {
    let size = ImageSize::new(43, 50);
    for engine in [CpuEngine::default(), CpuEngine { direct: true, ..CpuEngine::default() }] {
        for layer in ["blur", "b", "c"] {
            suite::network_agrees(&engine, Tolerance::F32, padded(), layer, size, 3);
        }
    }
}

#[test]
fn the_bits_do_not_depend_on_threads_batches_order_or_memory() {
    let layers = [("c", ImageSize::new(43, 50)), ("b", ImageSize::new(37, 31))];
    let tight = CpuEngine { base_bytes: 1, ..CpuEngine::default() };
    let engines: [&dyn Engine; 2] = [&CpuEngine::default(), &tight];
    let trials = Trials { jobs: 40, every: 1, threads: &[1, 2, 5], batches: &[1, 7, 40] };
    suite::bits_of_layers_depend_on_nothing_else(&engines, &padded(), &layers, &trials);
}

#[test]
fn a_program_lists_paddings() {
    let network = padded();
    let target = network.convolution("b").unwrap();
    let program = Program::new(&network, target, ImageSize::new(43, 50)).unwrap();
    let steps: Vec<String> = program.rows(&network).into_iter().map(|row| row.step).collect();
    assert_eq!(steps[1], "reflect the border, padding 3");
    assert_eq!(steps[6], "repeat the border, padding 1");
}

/// A blur of 4 with more padding behind than before sees less of a map of odd length than it mirrors.
#[test]
fn layers_that_pixels_outside_of_their_fields_reach_are_refused() {
    let workplace = Workplace::new();
    let network = Network::from_description(
        br#"{"name": "blurred", "layers": [
            {"name": "a", "op": "conv", "out_channels": 4, "kernel": 3, "padding": 1},
            {"name": "pad", "op": "pad", "mode": "reflect", "padding": [1, 1, 2, 2]},
            {"name": "blur", "op": "conv", "out_channels": 4, "kernel": 4, "stride": 2, "groups": 4},
            {"name": "b", "op": "conv", "out_channels": 3, "kernel": 1},
            {"name": "c", "op": "conv", "out_channels": 3, "kernel": 3, "padding": 1}
        ]}"#,
    )
    .unwrap();
    workplace.write("net.json", network.description().to_string());
    let model = Model::random(network, 0).unwrap();
    model.save_weights(&workplace.path("net.safetensors")).unwrap();
    let inputs = "--model net.json --weights net.safetensors --images images";
    let words = [
        "layer `b` cannot be mapped on images of 61×53: by a padding with values of the map, row 30 of its \
         output depends on rows 57 to 60",
        "use images of another size, or map other layers",
    ];
    for line in ["run --out out", "plan"] {
        workplace.refuses(&format!("{line} {inputs} --top 1 --layers b,c --device cpu"), 1, &words);
    }
    let told = workplace.run("info --model net.json --image-size 61x53").stdout;
    let told = String::from_utf8(told).unwrap();
    let notes: Vec<&str> = told.lines().filter(|line| line.starts_with("note: layer")).collect();
    assert_eq!(notes.len(), 2, "{told}");
    assert!(notes[0].contains("layer `blur`") && notes[1].contains("layer `b`"), "{told}");
    // Another position of the same layer, and layers behind it that see more.
    let map = format!("map {inputs} --layer b --unit 0 --image 0 --out map.npy --device cpu");
    workplace.succeeds(&format!("{map} --position 29,25"));
    workplace.refuses(
        &format!("{map} --force --position 29,26"),
        1,
        &["column 26 of its output depends on columns 49 to 52"],
    );
    workplace
        .succeeds(&format!("run {inputs} --top 1 --layers a,c --out out --device cpu --verify 20"));
}
