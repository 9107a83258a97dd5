//! Occluders that are filled with something else than noise.

use std::collections::BTreeSet;

use ndarray::{Array3, Array4, Ix4};
use occlumap::files::Digest;
use occlumap::geometry::Occluder;
use occlumap::noise::Fill;
use serde_json::{Value, json};

use crate::common::{Golden, cube, floats, json, to_f64};
use crate::workplace::{INPUTS, Workplace, same_trees, tree};

const RUN: &str = "run --model model.json --weights tiny.npz --images images --layers conv2,conv4 \
                   --top 4 --every 5 --device cpu --quiet";

/// Unit 3 of the first convolution: 5×5 pixels in steps of 2, with a padding of 2; an occluder is a
/// pixel.
const UNIT: usize = 3;
const POSITION: (usize, usize) = (7, 11);
const CORNER: (usize, usize) = (2 * POSITION.0 - 2, 2 * POSITION.1 - 2);
const SIDE: usize = 5;

fn image(workplace: &Workplace, index: usize) -> Array3<f64> {
    cube(floats(&workplace.path(format!("images/{index}.npy"))))
}

/// The differences that the occluders on an image make, from the weights and the pixels.
fn expected(image: &Array3<f64>, fill: &Array3<f64>) -> Vec<f64> {
    let weights = Golden::tiny().arrays("tiny.npz").remove("features.0.weight").unwrap();
    let weights: Array4<f64> = to_f64(weights).into_dimensionality::<Ix4>().unwrap();
    let pixel = |index: usize| {
        let (row, column) = (index / SIDE, index % SIDE);
        let (y, x) = (CORNER.0 + row, CORNER.1 + column);
        let channel =
            |c: usize| weights[[UNIT, c, row, column]] * (fill[[c, y, x]] - image[[c, y, x]]);
        (0..3).map(channel).sum()
    };
    (0..SIDE * SIDE).map(pixel).collect()
}

/// The differences that the program finds, a list for each draw.
fn found(workplace: &Workplace, index: usize, arguments: &str) -> Vec<Vec<f64>> {
    let (y, x) = POSITION;
    workplace.succeeds(&format!(
        "map {INPUTS} --layer conv1 --unit {UNIT} --image {index} --position {y},{x} --quiet --force \
         --out map.npy --responses responses.npy --device cpu {arguments}"
    ));
    let responses = floats(&workplace.path("responses.npy")).into_raw_vec_and_offset().0;
    responses.chunks(SIDE * SIDE).map(<[f64]>::to_vec).collect()
}

fn agree(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 2e-5)
}

#[test]
fn differences_are_those_of_the_pixels_that_each_fill_puts_in() {
    let workplace = Workplace::new();
    let images: Vec<Array3<f64>> = (0..4).map(|index| image(&workplace, index)).collect();
    let original = &images[1];
    let zero = original.mapv(|_| 0.0);
    let mut mean = zero.clone();
    for (channel, mut plane) in mean.outer_iter_mut().enumerate() {
        let values =
            images.iter().flat_map(|image| image.index_axis(ndarray::Axis(0), channel).to_owned());
        let all: Vec<f64> = values.collect();
        plane.fill(all.iter().sum::<f64>() / all.len() as f64);
    }
    // A Gaussian of one pixel, the occluder's side, within four.
    let (_, height, width) = original.dim();
    let blurred = Array3::from_shape_fn(original.dim(), |(channel, y, x)| {
        let (mut sum, mut total) = (0.0, 0.0);
        for (v, u) in (0..height).flat_map(|v| (0..width).map(move |u| (v, u))) {
            let (dy, dx) = (v.abs_diff(y), u.abs_diff(x));
            if dy <= 4 && dx <= 4 {
                let weight = (-((dy * dy + dx * dx) as f64) / 2.0).exp();
                sum += weight * original[[channel, v, u]];
                total += weight;
            }
        }
        sum / total
    });
    for (fill, picture) in [("zero", &zero), ("mean", &mean), ("blur", &blurred)] {
        for method in ["incremental", "full"] {
            let found = found(&workplace, 1, &format!("--fill {fill} --method {method}"));
            assert!(agree(&found[0], &expected(original, picture)), "{fill} {method}");
        }
    }
    // The pixels of 25 occluders of one pixel, of Philox' numbers.
    let occluders: Vec<Occluder> = (0..SIDE * SIDE)
        .map(|index| Occluder {
            index,
            top: CORNER.0 + index / SIDE,
            left: CORNER.1 + index % SIDE,
            size: 1,
        })
        .collect();
    let mut gaussian = zero.clone();
    let patches = Fill::Gaussian { seed: 0, draw: 0 }.patches(1, 3, &occluders);
    for (which, occluder) in occluders.iter().enumerate() {
        let mut pixels = Vec::new();
        patches.draw(which, &mut pixels);
        for (channel, &pixel) in pixels.iter().enumerate() {
            gaussian[[channel, occluder.top, occluder.left]] = f64::from(pixel);
        }
    }
    let found_gaussian = found(&workplace, 1, "--fill gaussian --noise philox:0");
    assert!(agree(&found_gaussian[0], &expected(original, &gaussian)));
    assert_ne!(found_gaussian, found(&workplace, 1, "--noise philox:0"));
    // Three draws are the three other images, each once; of other seeds in another order.
    let mut orders = BTreeSet::new();
    for seed in 0..8 {
        let draws =
            found(&workplace, 1, &format!("--fill images --repeats 3 --noise philox:{seed}"));
        let other = |found: &Vec<f64>| {
            let is = |other: &usize| agree(found, &expected(original, &images[*other]));
            (0..4).find(is).expect("another image")
        };
        let order: Vec<usize> = draws.iter().map(other).collect();
        assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from([0, 2, 3]));
        let second = found(&workplace, 1, &format!("--fill images --noise philox:{seed}:1"));
        assert_eq!(second[0], draws[1]);
        orders.insert(order);
    }
    assert!(orders.len() > 2, "{orders:?}");
}

#[test]
fn grey_is_half_the_range_of_pixel_values_behind_the_preprocessing() {
    let workplace = Workplace::new();
    let values: Vec<u8> = (0..3 * 61 * 53).map(|index| (index * 7 % 256) as u8).collect();
    workplace.write("images/0.npy", crate::workplace::npy("|u1", "(3, 61, 53)", &values));
    let mean = [0.485, 0.456, 0.406];
    let std = [0.229, 0.224, 0.225];
    let original = Array3::from_shape_fn((3, 61, 53), |(channel, y, x)| {
        let value = f64::from(values[(channel * 61 + y) * 53 + x]) / 255.0;
        (value - mean[channel]) / std[channel]
    });
    let grey =
        Array3::from_shape_fn((3, 61, 53), |(channel, ..)| (0.5 - mean[channel]) / std[channel]);
    for index in 1..4 {
        workplace.copy("images/0.npy", &format!("images/{index}.npy"));
    }
    let found = found(&workplace, 0, "--fill grey --preprocess imagenet");
    assert!(agree(&found[0], &expected(&original, &grey)));
    // Of arrays of unknown scale, and of images that are scaled each by itself.
    for preprocess in ["none", "standardize"] {
        let line = format!("{RUN} --fill grey --preprocess {preprocess} --out grey");
        let words = ["--fill grey", preprocess, "use --fill zero or --fill mean"];
        workplace.refuses(&line, 2, &words);
    }
}

#[test]
fn fills_are_recorded_and_a_folder_has_one() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("{RUN} --seed 4 --out noise"));
    let settings = |out: &str| -> Value {
        let manifest: Value = json(&workplace.path(out).join("manifest.json"));
        manifest["configuration"]["settings"].clone()
    };
    assert_eq!(settings("noise").get("fill"), None);
    for fill in ["gaussian", "mean", "zero", "blur", "images"] {
        workplace.succeeds(&format!("{RUN} --fill {fill} --seed 4 --verify 20 --out out-{fill}"));
        let out = format!("out-{fill}");
        let settings = settings(&out);
        assert_eq!(settings["fill"], json!(fill));
        let drawn = ["gaussian", "images"].contains(&fill);
        assert_eq!(settings["noise"], json!(if drawn { "philox:4" } else { "philox:0" }));
        let constant = ["mean", "zero"].contains(&fill);
        assert_eq!(settings["fill_values"].as_array().map(Vec::len), constant.then_some(3));
        let map = |out: &str| workplace.read(&format!("{out}/maps/conv2_max.npy"));
        assert_ne!(map(&out), map("noise"), "{fill}");
        let maps = tree(&workplace.path(&out).join("maps"));
        workplace.succeeds(&format!("{RUN} --fill {fill} --seed 4 --out out-{fill}"));
        same_trees(&tree(&workplace.path(&out).join("maps")), &maps, fill);
    }
    assert_eq!(settings("out-zero")["fill_values"], json!([0.0, 0.0, 0.0]));
    let words = ["what occluders are filled with (--fill): zero there; blur here"];
    workplace.refuses(&format!("{RUN} --fill blur --out out-zero"), 2, &words);
    let words = ["what occluders are filled with (--fill): the default there; mean here"];
    workplace.refuses(&format!("{RUN} --fill mean --out noise"), 2, &words);
    let words = ["what occluders are filled with (--fill): mean there; the default here"];
    workplace.refuses(&format!("{RUN} --out out-mean"), 2, &words);
}

#[test]
fn threads_batches_memory_and_shards_do_not_change_a_byte() {
    let workplace = Workplace::new();
    let fills =
        ["--fill gaussian --repeats 2", "--fill mean", "--fill blur", "--fill images --repeats 3"];
    for (number, arguments) in fills.into_iter().enumerate() {
        let [out, again, shards] = ["first", "again", "shards"].map(|out| format!("{out}{number}"));
        let run = format!("{RUN} {arguments} --force");
        workplace.succeeds(&format!("{run} --threads 1 --batch 1 --out {out}"));
        let maps = |out: &str| tree(&workplace.path(out).join("maps"));
        let first = maps(&out);
        for more in ["--threads 3 --batch 1000", "--threads 2 --batch 7 --memory 200MiB --block 1"]
        {
            workplace.succeeds(&format!("{run} {more} --out {again}"));
            same_trees(&maps(&again), &first, &format!("{arguments} {more}"));
        }
        for shard in ["2/2", "1/2"] {
            let sweep = format!("{RUN} {arguments}");
            let sweep = sweep.replace("run ", &format!("sweep --ranking {out}/ranking "));
            workplace.succeeds(&format!("{sweep} --block 2 --shard {shard} --out {shards}"));
        }
        workplace.succeeds(&format!("merge {shards} --quiet"));
        same_trees(&maps(&shards), &first, arguments);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let workplace = Workplace::new();
    for fill in ["mean", "zero", "blur"] {
        let words = ["--repeats 2", "every draw presents the same pixels"];
        workplace.refuses(&format!("{RUN} --fill {fill} --repeats 2 --out out"), 2, &words);
    }
    let words = ["4 draws (--repeats)", "there are 3 others"];
    workplace.refuses(&format!("{RUN} --fill images --repeats 4 --out out"), 2, &words);
    let map = format!("map {INPUTS} --layer conv1 --unit 0 --image 0 --position 3,3 --out map.npy");
    let words = ["--noise torch:3 with --fill gaussian", "give --noise philox:SEED"];
    workplace.refuses(&format!("{map} --noise torch:3 --fill gaussian"), 2, &words);
    let words = ["4 draws (--repeats)", "there are 3 others"];
    workplace.refuses(&format!("{map} --noise philox:3:3 --fill images"), 2, &words);
    workplace.refuses(&format!("{RUN} --fill green --out out"), 2, &["invalid value 'green'"]);
    for image in ["1.npy", "2.npy", "3.npy"] {
        workplace.remove(&format!("images/{image}"));
    }
    workplace.refuses(&format!("{RUN} --fill images --out out"), 2, &["there is one image"]);
}

#[test]
fn reports_plots_and_sizes_know_the_fill() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("{RUN} --fill images --seed 3 --out out"));
    workplace.succeeds("report out --images images --quiet");
    let report = String::from_utf8(workplace.read("out/report.html")).unwrap();
    assert!(report.contains("--fill images") && report.contains(r#""fill":"images""#));
    workplace.succeeds("plot out --overlay own --examples 2 --quiet");
    workplace.succeeds(&format!("{RUN} --fill zero --out zero"));
    let mut manifest: Value = json(&workplace.path("zero/manifest.json"));
    manifest["configuration"]["settings"]["fill_values"] = json!([0.5]);
    let configuration = serde_json::to_vec(&manifest["configuration"]).unwrap();
    manifest["configuration_sha256"] = json!(Digest::of(&configuration).to_string());
    workplace.write("zero/manifest.json", serde_json::to_vec(&manifest).unwrap());
    let words = ["manifest.json: settings.fill_values", "1 values; expected 3"];
    workplace.refuses("plot zero --overlay own --examples 2", 1, &words);
    workplace.succeeds(&format!("{RUN} --occluder-size 2 --out noise"));
    workplace.refuses("sizes out noise", 1, &["with another --deposit, --mean-over, --fill"]);
}
