//! Networks from ONNX files, as PyTorch's exporters write them (`tests/data/onnx/make.py`).

use std::collections::BTreeMap;

use occlumap::engine::{CpuEngine, Extremes, Float64Engine, RankingEngine, ReferenceEngine};
use occlumap::geometry::ImageSize;
use occlumap::progress::{CancelToken, Progress};
use serde::Deserialize;

use crate::common::families::{Allowed, families_agree};
use crate::common::json;
use crate::common::units::{folder, image, maps_of_any_layer_agree, model};
use crate::workplace::Workplace;

/// What PyTorch computes on the image: of each channel the largest and the smallest output.
#[derive(Deserialize)]
struct Known {
    max: Vec<f32>,
    min: Vec<f32>,
}

fn extremes_are_pytorchs(engine: &dyn RankingEngine, file: &str) {
    let known: BTreeMap<String, Known> = json(&folder().join("tiny_resnet.json"));
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    let (model, layers) = model(file, &names);
    let prepared = engine.ranker(&model, &layers, ImageSize::new(41, 37)).unwrap();
    let (image, cancel) = (image(), CancelToken::default());
    let found = prepared.extremes(&[image.view()], 0, &Progress::new(&cancel)).unwrap();
    for ((name, known), found) in known.iter().zip(&found[0]) {
        assert_eq!(found.len(), known.max.len(), "{name}");
        for (unit, Extremes { max, min, .. }) in found.iter().enumerate() {
            for (found, known) in [(max, known.max[unit]), (min, known.min[unit])] {
                assert!((found - known).abs() < 2e-6, "{file} {name} {unit}: {found} {known}");
            }
        }
    }
}

#[test]
fn outputs_of_any_layer_are_pytorchs() {
    for file in ["tiny_resnet.onnx", "tiny_resnet_old.onnx"] {
        extremes_are_pytorchs(&ReferenceEngine, file);
    }
}

#[test]
fn maps_of_any_layer_are_the_plain_engines() {
    maps_of_any_layer_agree(&CpuEngine::default());
}

#[test]
fn maps_of_small_networks_of_each_family_are_pytorchs() {
    families_agree(&Float64Engine, Allowed::PLAIN, true);
    families_agree(&ReferenceEngine, Allowed::RESPONSES, true);
    families_agree(&CpuEngine::default(), Allowed::DELTAS, true);
    families_agree(&CpuEngine { direct: true, ..CpuEngine::default() }, Allowed::DELTAS, true);
}

/// A folder with images and the network as `net.onnx`.
fn workplace() -> Workplace {
    let workplace = Workplace::new();
    workplace.write("net.onnx", std::fs::read(folder().join("tiny_resnet.onnx")).unwrap());
    workplace
}

#[test]
fn a_file_is_model_and_weights_of_every_command() {
    let workplace = workplace();
    let inputs = "--model net.onnx --images images";
    let run = format!("run {inputs} --layers conv1,layer1 --units 0-2 --top 2 --every 5 --out out");
    let messages = workplace.succeeds(&run);
    assert!(messages.contains("note: layer1 is layer1.0.relu_1\n"), "{messages}");
    for file in ["conv1_max.npy", "layer1.0.relu_1_min.npy"] {
        assert!(workplace.path("out/maps").join(file).is_file(), "{file}");
    }
    let first = workplace.tree();
    workplace.succeeds(&run);
    assert_eq!(workplace.tree().len(), first.len(), "the same command again finds all done");
    workplace.succeeds(&format!("{run} --layers maxpool,conv1,layer1"));
    assert!(workplace.path("out/maps/maxpool_max.npy").is_file());
    assert_eq!(
        workplace.read("out/maps/layer1.0.relu_1_min.npy"),
        first[std::path::Path::new("out/maps/layer1.0.relu_1_min.npy")].clone().unwrap()
    );
    workplace.succeeds("status out");
    workplace.succeeds("plot out --examples 1 --overlay own");
    // By the module's name, as it was mapped.
    workplace.succeeds("plot out --layers layer1.0 --only numbers --out numbers");
    assert!(workplace.path("numbers/layer1.0.relu_1.csv").is_file());
    workplace.succeeds("report out");
    workplace.succeeds(&format!(
        "map {inputs} --layer layer1.0.add --unit 1 --image 0 --position 3,3 --out map.npy"
    ));
    workplace.succeeds(&format!("plan {inputs} --layers layer1 --top 2"));
    workplace.succeeds("bench --model net.onnx --layers layer1 --image-size 61x53 --time 0.1");
    workplace.succeeds("draw grid --model net.onnx --layer layer1 --position 1,1 --out grid.svg");
}

#[test]
fn a_changed_file_does_not_go_on_with_what_is_there() {
    let workplace = workplace();
    let run = "run --model net.onnx --images images --units 0 --top 1 --every 9 --out out";
    workplace.succeeds(run);
    // A field that no reader knows: the same network, and another file.
    let bytes = [&workplace.read("net.onnx")[..], &[0xa0, 0x06, 0x01]].concat();
    workplace.write("net.onnx", bytes);
    workplace.refuses(run, 2, &["out"]);
}

#[test]
fn info_tells_the_files_size_and_prints_a_description() {
    let workplace = workplace();
    let told = |line: &str| String::from_utf8(workplace.run(line).stdout).unwrap();
    let table = told("info --model net.onnx --layers layer1,conv2");
    assert!(table.contains("net on images of 41×37"), "{table}");
    assert!(table.contains("layer1.0.relu_1") && table.contains("layer1.0.conv1"), "{table}");
    workplace.write("net.json", told("info --model net.onnx --json"));
    let again = told("info --model net.json --layers layer1,conv2 --image-size 41x37");
    // What the file leaves open is a note of the file alone.
    assert!(table.starts_with(&again), "{table}");
}

#[test]
fn files_that_cannot_be_mapped_are_refused_before_anything_is_written() {
    let workplace = workplace();
    let bytes = workplace.read("net.onnx");
    workplace.write("cut.onnx", &bytes[..bytes.len() / 2]);
    workplace.write("empty.onnx", "");
    let run = |model: &str| format!("run --model {model} --images images --top 1 --out out");
    workplace.refuses(&run("cut.onnx"), 1, &["cut.onnx: damaged, cut short or no ONNX file"]);
    workplace.refuses(&run("empty.onnx"), 1, &["empty.onnx: it has no graph"]);
    workplace.refuses(&run("absent.onnx"), 1, &["absent.onnx: cannot be read"]);
    workplace.refuses(&run("images"), 2, &["there is no model `images`", "path of an ONNX file"]);
    workplace.refuses(&run("alexnet"), 2, &["--weights: expected the weight file of `alexnet`"]);
    let asked = format!("{} --layers fc", run("net.onnx"));
    workplace.refuses(&asked, 2, &["layer `fc` of net cannot be mapped"]);
}

/// A field of bytes of a protobuf message.
fn field(tag: usize, content: &[u8]) -> Vec<u8> {
    let length = [content.len() as u8 & 0x7f | 0x80, (content.len() >> 7) as u8];
    [&[(tag << 3 | 2) as u8], &length[..], content].concat()
}

/// A field of a small number.
fn number(tag: usize, number: u8) -> Vec<u8> {
    vec![(tag << 3) as u8, number]
}

/// A convolution of stride 2 with `auto_pad`, for images of this size.
fn padded_network(height: u8, width: u8) -> Vec<u8> {
    let strides = [field(1, b"strides"), field(8, &[2, 2])].concat();
    let auto_pad = [field(1, b"auto_pad"), field(4, b"SAME_UPPER")].concat();
    let node = [
        [field(1, b"x"), field(1, b"c.weight"), field(2, b"c"), field(4, b"Conv")].concat(),
        [field(5, &strides), field(5, &auto_pad)].concat(),
    ]
    .concat();
    let bytes: Vec<u8> = (0..27).flat_map(|weight| (weight as f32 - 13.0).to_le_bytes()).collect();
    let weight =
        [field(1, &[1, 3, 3, 3]), number(2, 1), field(8, b"c.weight"), field(9, &bytes)].concat();
    let shape: Vec<u8> =
        [1, 3, height, width].iter().flat_map(|&n| field(1, &number(1, n))).collect();
    let tensor_type = [number(1, 1), field(2, &shape)].concat();
    let input = [field(1, b"x"), field(2, &field(1, &tensor_type))].concat();
    let graph = [field(1, &node), field(5, &weight), field(11, &input)].concat();
    [number(1, 8), field(7, &graph), field(8, &number(2, 20))].concat()
}

#[test]
fn images_of_another_size_than_auto_pad_is_for_are_refused() {
    let workplace = Workplace::new();
    workplace.write("net.onnx", padded_network(24, 24));
    let words =
        ["the padding of layer `c` (auto_pad) is that for images of 24×24", "--image-size 24x24"];
    for line in [
        "run --model net.onnx --images images --top 1 --out out",
        "info --model net.onnx --image-size 23",
        "draw grid --model net.onnx --layer c --position 1,1 --image-size 23 --out grid.svg",
    ] {
        workplace.refuses(line, 2, &words);
    }
    let told = workplace.run("info --model net.onnx");
    assert!(String::from_utf8_lossy(&told.stdout).contains("12×12"));
    workplace.write("net.onnx", padded_network(61, 53));
    workplace.succeeds("plan --model net.onnx --images images --top 1");
}
