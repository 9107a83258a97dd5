//! Agreement with the reference: what its own code computes for the same network, images and
//! noise (`tests/golden/README.md`).

use ndarray::{Array2, s};
use occlumap::engine::cpu::Precision;
use occlumap::geometry::{Deposit, Frame, GridRule, ImageSize, Occluder, PixelBox};
use occlumap::network::Network;
use occlumap::noise::TorchStream;
use serde::Deserialize;

use crate::common::{
    Golden, cube, floats, json, largest, matrix, run_well, to_f64, to_i64, vector,
};

/// The largest error of a difference, or of a map's pixel, as a part of the key's largest one.
const TOLERANCE: f64 = 1e-4;

fn pixel_box([y_min, x_min, y_max, x_max]: [usize; 4]) -> PixelBox {
    PixelBox { y_min, x_min, y_max, x_max }
}

#[test]
fn occluder_grids_are_the_references() {
    #[derive(Deserialize)]
    struct Grid {
        #[serde(rename = "box")]
        pixels: [usize; 4],
        rf: usize,
        image: [usize; 2],
        top_left: Vec<[usize; 2]>,
        /// Not kept for every grid.
        bottom_right: Option<Vec<[usize; 2]>>,
        size: usize,
    }
    let grids: Vec<Grid> = json(&Golden::tiny().folder.join("grid.json"));
    assert!(grids.len() >= 60);
    for grid in grids {
        let [height, width] = grid.image;
        let image = ImageSize::new(height, width);
        let occluders =
            GridRule::REFERENCE.occluders(&pixel_box(grid.pixels), grid.rf, image).unwrap();
        let first: Vec<[usize; 2]> = occluders.iter().map(|o| [o.top, o.left]).collect();
        let last: Vec<[usize; 2]> =
            occluders.iter().map(|o| [o.pixels().y_max, o.pixels().x_max]).collect();
        assert_eq!(first, grid.top_left, "{:?}", grid.pixels);
        assert!(grid.bottom_right.is_none_or(|expected| last == expected), "{:?}", grid.pixels);
        assert!(occluders.iter().all(|occluder| occluder.size == grid.size));
    }
}

#[test]
fn deposits_are_the_references() {
    #[derive(Deserialize)]
    struct Deposited {
        #[serde(rename = "box")]
        pixels: [usize; 4],
        rf: usize,
        image: [usize; 2],
        diff: Vec<f64>,
        nonzero: Vec<(usize, usize, f64)>,
    }
    let deposits: Vec<Deposited> = json(&Golden::tiny().folder.join("deposit.json"));
    assert!(deposits.len() >= 15);
    for deposited in deposits {
        let [height, width] = deposited.image;
        let pixels = pixel_box(deposited.pixels);
        let occluders: Vec<Occluder> = GridRule::REFERENCE
            .occluders(&pixels, deposited.rf, ImageSize::new(height, width))
            .unwrap();
        assert_eq!(occluders.len(), deposited.diff.len());
        let mut map = Array2::zeros((deposited.rf, deposited.rf));
        for (occluder, difference) in occluders.iter().zip(&deposited.diff) {
            // What `--frame reference` uses; the default is the same for each RF that has this
            // box and is not larger than the image.
            let frame = Frame::of_box(&pixels, deposited.rf);
            let (rows, columns) = Deposit::Centre.pixels(frame, occluder, deposited.rf);
            map.slice_mut(s![rows, columns]).mapv_inplace(|value: f64| value + difference.abs());
        }
        let mut expected = Array2::zeros(map.dim());
        for (y, x, value) in deposited.nonzero {
            expected[[y, x]] = value;
        }
        assert_eq!(map, expected, "{pixels}");
    }
}

#[test]
fn the_stream_of_torch_is_replayed_to_the_bit() {
    let arrays = Golden::tiny().arrays("noise.npz");
    let seed = to_i64(arrays["seed"].clone()).sum();
    let mut stream = TorchStream::new(u32::try_from(seed).unwrap());
    for name in ["first_3x5x5", "then_3x16x16"] {
        for (index, expected) in to_f64(arrays[name].clone()).iter().enumerate() {
            assert_eq!(stream.next().map(f64::from), Some(*expected), "{name} {index}");
        }
    }
}

/// `occlumap map --noise torch:SEED` for every key: differences, map and geometry.
fn maps_agree(golden: &Golden, options: &str) {
    maps_agree_within(golden, options, &|_| TOLERANCE);
}

/// The same in a reduced precision of the CPU, within its limits; what the reference itself rounds is a part of
/// [`TOLERANCE`].
fn maps_agree_in(golden: &Golden, precision: Precision, name: &str) {
    let network = Network::named(&golden.model).unwrap();
    let limit = |layer: &str| {
        let layer = network.convolution(layer).unwrap();
        precision.limits_of(&network, layer).largest.max(TOLERANCE)
    };
    maps_agree_within(golden, &format!("incremental --precision {name} --device cpu"), &limit);
}

/// `options` are the method, and more.
fn maps_agree_within(golden: &Golden, options: &str, tolerance: &dyn Fn(&str) -> f64) {
    let arrays = golden.arrays("maps.npz");
    let keys = golden.keys();
    assert!(keys.len() >= 16);
    let folder = tempfile::tempdir().unwrap();
    let (map, responses) = (folder.path().join("map.npy"), folder.path().join("responses.npy"));
    let mut worst: f64 = 0.0;
    for key in &keys {
        let name = &key.name;
        run_well(
            &format!(
                "map {} --layer {} --unit {} --image {} --position {},{} --noise torch:{} --method {options} --quiet \
                 --force --out {{}} --responses {{}}",
                golden.arguments(),
                key.layer,
                key.unit,
                key.image,
                key.y,
                key.x,
                key.torch_seed
            ),
            &[&map, &responses],
        );
        let expected = vector(to_f64(arrays[&format!("{name}_diff")].clone()));
        let found = vector(floats(&responses));
        assert_eq!(found.len(), key.occluders, "{name}");
        let scale = largest(&expected);
        let error = largest(&(&found - &expected)) / scale;
        let tolerance = tolerance(&key.layer);
        assert!(error <= tolerance, "{name}: {error:e} of the largest difference");
        worst = worst.max(error);

        let expected = matrix(to_f64(arrays[&format!("{name}_map")].clone()));
        let found = matrix(floats(&map));
        assert_eq!(found.dim(), (key.rf, key.rf), "{name}");
        let error = largest(&(&found - &expected)) / scale;
        assert!(error <= tolerance, "{name}: {error:e} of the largest difference, in the map");
        same_places(&found, &expected, name);
    }
    let maps = keys.len();
    println!("{options}: largest error of {maps} maps: {worst:e} of the key's largest difference");
}

/// A pixel is exactly zero where the reference's is: occluders are where they should be.
fn same_places(found: &Array2<f64>, expected: &Array2<f64>, name: &str) {
    for ((index, found), expected) in found.indexed_iter().zip(expected) {
        assert!(*expected != 0.0 || *found == 0.0, "{name} {index:?}: {found}");
    }
}

/// `occlumap rank`: the order of all images, from both ends, and where, exactly.
fn ranks_agree(golden: &Golden) {
    let arrays = golden.arrays("rank.npz");
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let layers: Vec<String> =
        arrays.keys().filter_map(|name| name.strip_suffix("_max_idx")).map(String::from).collect();
    let images = to_f64(arrays[&format!("{}_max", layers[0])].clone()).shape()[0];
    run_well(&format!("rank {} --top {images} --quiet --out {{}}", golden.arguments()), &[&out]);
    for layer in layers {
        let file = |name: String| out.join("ranking").join(name);
        let ranking =
            cube(to_i64(occlumap::files::npy::read(&file(format!("{layer}.npy"))).unwrap()));
        let responses = cube(floats(&file(format!("{layer}_responses.npy"))));
        for (side, sign) in [("max", -1.0), ("min", 1.0)] {
            let column = usize::from(side == "min");
            let expected = matrix(to_f64(arrays[&format!("{layer}_{side}")].clone()));
            let positions = matrix(to_i64(arrays[&format!("{layer}_{side}_idx")].clone()));
            let units = expected.dim().1;
            assert_eq!(ranking.dim(), (units, images, 4), "{layer}");
            for unit in 0..units {
                let mut order: Vec<usize> = (0..images).collect();
                order.sort_by(|&a, &b| {
                    (sign * expected[[a, unit]]).total_cmp(&(sign * expected[[b, unit]]))
                });
                for (rank, image) in order.into_iter().enumerate() {
                    let label = format!("{layer} {side}, unit {unit}, rank {rank}");
                    assert_eq!(ranking[[unit, rank, 2 * column]], image as i64, "{label}");
                    let position = ranking[[unit, rank, 2 * column + 1]];
                    assert_eq!(position, positions[[image, unit]], "{label}");
                    let error = responses[[unit, rank, column]] - expected[[image, unit]];
                    assert!(error.abs() < 1e-4 * expected[[image, unit]].abs().max(0.1), "{label}");
                }
            }
        }
    }
}

/// `run`'s maps are the means of what `map` gives for each image of the ranking, to the bit.
fn run_is_the_mean_of_maps(golden: &Golden, units: &str, top: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (out, file) = (folder.path().join("out"), folder.path().join("map.npy"));
    run_well(
        &format!(
            "run {} --units {units} --top {top} --seed 5 --every 7 --quiet --out {{}}",
            golden.arguments()
        ),
        &[&out],
    );
    let manifest: serde_json::Value = json(&out.join("manifest.json"));
    assert_eq!(manifest["complete"], true);
    for record in manifest["configuration"]["layers"].as_array().unwrap() {
        let layer = record["layer"].as_str().unwrap();
        let ranking = out.join(format!("ranking/{layer}.npy"));
        let ranking = cube(to_i64(occlumap::files::npy::read(&ranking).unwrap()));
        let width = output_width(golden, layer);
        for (side, column) in [("max", 0), ("min", 2)] {
            let maps = cube(floats(&out.join(format!("maps/{layer}_{side}.npy"))));
            assert_eq!(maps.dim().0, record["units"].as_u64().unwrap() as usize);
            for unit in record["swept"].as_array().unwrap() {
                let unit = unit.as_u64().unwrap() as usize;
                let mut mean = Array2::<f64>::zeros((maps.dim().1, maps.dim().2));
                for rank in 0..top {
                    let image = ranking[[unit, rank, column]];
                    let position = ranking[[unit, rank, column + 1]];
                    let (y, x) = (position / width, position % width);
                    run_well(
                        &format!(
                            "map {} --layer {layer} --unit {unit} --image {image} --position \
                             {y},{x} --noise philox:5 --every 7 --quiet --force --out {{}}",
                            golden.arguments()
                        ),
                        &[&file],
                    );
                    mean += &matrix(floats(&file));
                }
                mean /= top as f64;
                assert!(mean.sum() > 0.0, "{layer} unit {unit}");
                let found = maps.index_axis(ndarray::Axis(0), unit);
                assert_eq!(found, mean, "{layer} {side} unit {unit}");
            }
        }
    }
}

/// Columns of a layer's output, as `info` says.
fn output_width(golden: &Golden, layer: &str) -> i64 {
    let size = match golden.model.as_str() {
        "alexnet" => "227",
        model if model.contains("ops") => "42x33",
        _ => "61x53",
    };
    let table = run_well(&format!("info --model {} --image-size {size}", golden.model), &[]);
    let row = table.lines().find(|line| line.split_whitespace().next() == Some(layer)).unwrap();
    let output = row.split_whitespace().nth(3).unwrap();
    output.split('×').nth(1).unwrap().parse().unwrap()
}

#[test]
fn maps_of_the_tiny_network() {
    maps_agree(&Golden::tiny(), "incremental");
    maps_agree(&Golden::tiny(), "full");
}

#[test]
fn ranks_of_the_tiny_network() {
    ranks_agree(&Golden::tiny());
}

#[test]
fn run_on_the_tiny_network() {
    run_is_the_mean_of_maps(&Golden::tiny(), "1,4-5", 2);
}

#[test]
fn maps_of_every_layer_kind() {
    maps_agree(&Golden::ops(), "incremental");
    maps_agree(&Golden::ops(), "full");
}

#[test]
fn ranks_of_every_layer_kind() {
    ranks_agree(&Golden::ops());
}

#[test]
fn weights_of_every_format_give_the_same_maps() {
    let folder = tempfile::tempdir().unwrap();
    let maps: Vec<Vec<u8>> = ["npz", "pth", "safetensors"]
        .iter()
        .map(|format| {
            let mut golden = Golden::tiny();
            golden.weights = golden.folder.join(format!("tiny.{format}"));
            let file = folder.path().join(format);
            run_well(
                &format!(
                    "map {} --layer features.3 --unit 3 --image 1 --position 2,3 --quiet --out {{}}",
                    golden.arguments()
                ),
                &[&file],
            );
            std::fs::read(file).unwrap()
        })
        .collect();
    assert_eq!(maps[0], maps[1]);
    assert_eq!(maps[0], maps[2]);
}

#[test]
fn maps_of_alexnet() {
    if let Some(golden) = Golden::alexnet("maps_of_alexnet") {
        maps_agree(&golden, "incremental");
    }
}

#[test]
fn maps_in_bf16x3_and_bf16() {
    for golden in [Golden::tiny(), Golden::ops()] {
        maps_agree_in(&golden, Precision::Bf16x3, "bf16x3");
        maps_agree_in(&golden, Precision::Bf16, "bf16");
    }
    if let Some(golden) = Golden::alexnet("maps_in_bf16x3_and_bf16") {
        maps_agree_in(&golden, Precision::Bf16x3, "bf16x3");
        maps_agree_in(&golden, Precision::Bf16, "bf16");
    }
}

#[test]
fn ranks_of_alexnet() {
    if let Some(golden) = Golden::alexnet("ranks_of_alexnet") {
        ranks_agree(&golden);
    }
}

#[test]
fn run_on_alexnet() {
    if let Some(golden) = Golden::alexnet("run_on_alexnet") {
        run_is_the_mean_of_maps(&golden, "0,63", 2);
    }
}
