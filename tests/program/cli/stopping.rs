//! Units that stop once their maps are reliable.

use std::collections::BTreeMap;

use ndarray::{Array2, Array3, Axis};
use occlumap::files::npy::{self, Values};
use serde_json::{Value, json};

use crate::common::{cube, floats, json, matrix, vector};
use crate::workplace::{Workplace, npy, same_trees, tree};

const IMAGES: usize = 12;
const COMMON: &str = "--model model.json --weights tiny.npz --images images --layers conv2,conv4 \
                      --every 3 --device cpu --quiet";
const UNTIL: f64 = 0.6;

/// Twelve images, ranked, swept in full with the curve as `all`.
fn workplace() -> Workplace {
    let workplace = Workplace::new();
    let mut state = 1_u32;
    for image in 0..IMAGES {
        let mut value = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        // Broad structure, which maps have in common, and noise.
        let values: Vec<u8> = (0..3 * 61 * 53)
            .map(|index| {
                (((index / 53 % 61 / 7 + index % 53 / 9) % 3) as f32 - 1.0) * 0.4 + value()
            })
            .flat_map(f32::to_le_bytes)
            .collect();
        workplace.write(&format!("images/{image}.npy"), npy("<f4", "(3, 61, 53)", &values));
    }
    workplace.succeeds(&format!("run {COMMON} --top {IMAGES} --reliability-curve --out all"));
    workplace
}

fn sweep(top: usize) -> String {
    format!("sweep {COMMON} --ranking all/ranking --top {top}")
}

/// Images at which each unit of a layer's side has to stop, from the curve.
fn expected(workplace: &Workplace, layer: &str, side: &str) -> Vec<usize> {
    let path = format!("all/maps/{layer}_{side}_reliability_curve.npy");
    let curve: Array2<f64> = matrix(floats(&workplace.path(path)));
    let stop = |row: ndarray::ArrayView1<'_, f64>| {
        let first = row.iter().position(|&reliability| reliability >= UNTIL);
        first.map_or(IMAGES, |index| 2 << index)
    };
    curve.axis_iter(Axis(0)).map(stop).collect()
}

/// Images of each unit, by the frames.
fn found(workplace: &Workplace, out: &str, layer: &str, side: &str) -> Vec<usize> {
    let frames =
        npy::read(&workplace.path(format!("{out}/maps/{layer}_{side}_frames.npy"))).unwrap();
    let Values::I32(frames) = frames else { panic!("{}", frames.dtype()) };
    let frames: Array3<i32> = cube(frames);
    let images = |unit: ndarray::ArrayView2<'_, i32>| {
        unit.rows().into_iter().filter(|frame| frame[0] != i32::MAX).count()
    };
    frames.axis_iter(Axis(0)).map(images).collect()
}

#[test]
fn units_stop_where_the_curve_says_with_the_maps_of_so_many_images() {
    let workplace = workplace();
    let messages = workplace.succeeds(
        &format!("{} --until-reliable {UNTIL} --verify 30 --out some", sweep(IMAGES))
            .replace(" --quiet", ""),
    );
    let tops = [2, 4, 8, IMAGES];
    for top in tops {
        workplace.succeeds(&format!("{} --out top{top}", sweep(top)));
    }
    let [manifest, whole]: [Value; 2] =
        ["some", "all"].map(|out| json(&workplace.path(out).join("manifest.json")));
    let mut all_stops = Vec::new();
    for layer in ["conv2", "conv4"] {
        let record = &manifest["layers"][layer];
        for side in ["max", "min"] {
            let stops = expected(&workplace, layer, side);
            assert_eq!(found(&workplace, "some", layer, side), stops, "{layer} {side}");
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for (unit, stop) in stops.iter().enumerate() {
                *counts.entry(stop.to_string()).or_default() += 1;
                for kind in ["", "_reliability"] {
                    let read = |out: &str| {
                        let path = format!("{out}/maps/{layer}_{side}{kind}.npy");
                        let values = floats(&workplace.path(path)).index_axis_move(Axis(0), unit);
                        values.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
                    };
                    assert_eq!(read("some"), read(&format!("top{stop}")), "{layer} {side} {unit}");
                }
            }
            assert_eq!(record["images"][side], json!(counts));
            assert!(messages.contains(&format!("{layer}: units stopped at")), "{messages}");
            all_stops.extend(stops);
        }
        let whole = &whole["layers"][layer]["presentations"];
        assert!(record["presentations"].as_u64() < whole.as_u64());
        let layers = manifest["configuration"]["layers"].as_array().unwrap();
        assert!(layers.iter().any(|layer| layer["presentations"] == *whole));
        assert_eq!(record["verified"]["presentations"], 30);
    }
    all_stops.sort_unstable();
    all_stops.dedup();
    assert!(all_stops.len() > 2, "{all_stops:?}");
    assert_eq!(manifest["configuration"]["settings"]["until_reliable"], UNTIL);
    // Tables, pages and reports tell it.
    workplace.succeeds("plot some --images images --ranking all/ranking --quiet");
    let table = String::from_utf8(workplace.read("some/plots/conv2.csv")).unwrap();
    let column = |line: &str| line.rsplit(',').next().unwrap().to_owned();
    let told: Vec<String> = table.lines().skip(1).step_by(2).map(column).collect();
    let stops = expected(&workplace, "conv2", "max");
    assert_eq!(told, stops.iter().map(ToString::to_string).collect::<Vec<_>>());
    workplace.succeeds("report some --images images --ranking all/ranking --quiet");
    let report = String::from_utf8(workplace.read("some/report.html")).unwrap();
    assert!(report.contains(&format!("--until-reliable {UNTIL}")));
    assert!(report.contains(&format!("\"count\":{}", stops[0])));
    workplace.succeeds("summary some --out summary --quiet");
}

#[test]
fn curves_of_units_that_stop_tell_what_each_unit_was_presented() {
    let workplace = workplace();
    workplace.succeeds(&format!(
        "{} --until-reliable {UNTIL} --reliability-curve --out both",
        sweep(IMAGES)
    ));
    workplace.succeeds("summary both --out summary --quiet");
    let table = String::from_utf8(workplace.read("summary/reliability.csv")).unwrap();
    let head: Vec<&str> = table.lines().next().unwrap().split(',').collect();
    for layer in ["conv2", "conv4"] {
        for side in ["max", "min"] {
            let stops = expected(&workplace, layer, side);
            assert_eq!(found(&workplace, "both", layer, side), stops, "{layer} {side}");
            let path = |kind| workplace.path(format!("both/maps/{layer}_{side}_{kind}.npy"));
            let curve: Array2<f64> = matrix(floats(&path("reliability_curve")));
            let last = vector(floats(&path("reliability")));
            let least = *stops.iter().min().unwrap();
            assert!(least < IMAGES, "{layer} {side}");
            let row = |measure: &str, images: &str| {
                let is = |line: &&str| {
                    let fields: Vec<&str> = line.split(',').collect();
                    let of = |name| fields[head.iter().position(|head| *head == name).unwrap()];
                    [of("layer"), of("side"), of("measure"), of("images")]
                        == [layer, side, measure, images]
                };
                let line = table.lines().find(is).unwrap_or_else(|| panic!("{measure} {images}"));
                let of = |name: &str| {
                    let field = head.iter().position(|head| *head == name).unwrap();
                    line.split(',').nth(field).unwrap().to_owned()
                };
                (of("count"), of("mean"))
            };
            let is_mean = |told: (String, String), values: Vec<f64>| {
                let known: Vec<f64> =
                    values.into_iter().filter(|value| value.is_finite()).collect();
                assert_eq!(told.0, known.len().to_string(), "{layer} {side}");
                let mean = known.iter().sum::<f64>() / known.len() as f64;
                assert!((told.1.parse::<f64>().unwrap() - mean).abs() < 1e-6, "{told:?} {mean}");
            };
            for (index, images) in [2, 4, 8, IMAGES].into_iter().enumerate() {
                let told = row("reliability", &images.to_string());
                if images <= least {
                    is_mean(told, curve.column(index).to_vec());
                } else {
                    assert_eq!(told, ("0".into(), String::new()), "{layer} {side} {images}");
                }
            }
            is_mean(row("reliability_stopped", ""), last.to_vec());
        }
    }
    // The page has a unit's own curve up to its stop, and the reliability there.
    workplace.succeeds("report both --images images --ranking all/ranking --quiet");
    let page = workplace.block("both/report.html", "page-conv2").unwrap();
    for (unit, stop) in expected(&workplace, "conv2", "max").into_iter().enumerate() {
        let facts = &page["units"][unit]["max"];
        assert_eq!(facts["count"], json!(stop), "{unit}");
        let curve = facts["curve"].as_array().unwrap();
        for (value, images) in curve.iter().zip([2, 4, 8, IMAGES]) {
            assert!(images <= stop || value.is_null(), "{unit}: {curve:?}");
        }
    }
}

#[test]
fn sums_of_units_that_stop_count_as_memory() {
    let workplace = workplace();
    let least = |arguments: &str| -> u64 {
        let line = format!("{} {arguments} --memory 1 --threads 1 --out few", sweep(IMAGES));
        let output = workplace.run(&line);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        let (_, least) = error.split_once("needs at least ").unwrap();
        let (number, unit) = least.split_once(' ').unwrap();
        assert!(unit.starts_with("MiB"), "{error}");
        (number.parse::<f64>().unwrap() * 10.0).round() as u64
    };
    assert_eq!(least(&format!("--until-reliable {UNTIL}")), least("") + 640);
}

#[test]
fn sizes_of_units_that_stop_are_not_extrapolated() {
    let workplace = workplace();
    let sized = format!("{} --occluder-size 1,2", sweep(4));
    workplace.succeeds(&format!("{sized} --until-reliable {UNTIL} --out some"));
    workplace.refuses("sizes some --out widths", 1, &["its units stop", "--until-reliable"]);
    workplace.succeeds(&format!("{} --occluder-size 1,2 --out other", sweep(3)));
    workplace.succeeds(&format!("{sized} --out wide"));
    let words = ["of another number of them (--top)"];
    workplace.refuses("sizes wide/size1 other/size2 --out widths", 1, &words);
    workplace.succeeds(&format!("{sized} --out fewer --every 4").replace(" --every 3", ""));
    let words = ["--every", "expected the occluders' size alone to differ"];
    workplace.refuses("sizes wide/size1 fewer/size2 --out widths", 1, &words);
    workplace.succeeds("sizes wide --out widths --quiet");
}

#[test]
fn threads_batches_memory_blocks_shards_and_restarts_do_not_change_a_byte() {
    let workplace = workplace();
    let run = format!("{} --until-reliable {UNTIL} --repeats 2", sweep(IMAGES));
    let maps = |out: &str| tree(&workplace.path(out).join("maps"));
    workplace.succeeds(&format!("{run} --threads 1 --batch 1 --out first"));
    let first = maps("first");
    for (number, arguments) in
        ["--threads 3 --batch 1000", "--threads 2 --batch 7 --memory 264MiB --block 1"]
            .into_iter()
            .enumerate()
    {
        workplace.succeeds(&format!("{run} {arguments} --out out-{number}"));
        same_trees(&maps(&format!("out-{number}")), &first, arguments);
    }
    for shard in ["2/2", "1/2"] {
        workplace.succeeds(&format!("{run} --block 2 --shard {shard} --out shards"));
        let status = workplace.run("status shards --json");
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        let part = &status["parts"]["conv4"];
        if shard == "1/2" {
            // What was spared is done.
            assert_eq!(part["amount_done"], part["amount"], "{status}");
        }
    }
    workplace.succeeds("merge shards --quiet");
    same_trees(&maps("shards"), &first, "shards");
    workplace.succeeds(&format!("{run} --block 2 --shard 1/2 --out again"));
    workplace.succeeds(&format!("{run} --block 2 --out again"));
    same_trees(&maps("again"), &first, "taken up again");
    let words = ["the reliability at which units stop (--until-reliable): 0.6 there; 0.7 here"];
    let other = format!("{} --until-reliable 0.7 --repeats 2 --out first", sweep(IMAGES));
    workplace.refuses(&other, 2, &words);
    for wrong in ["0", "1", "-0.5", "nan", "high"] {
        let line = format!("{} --until-reliable={wrong} --out wrong", sweep(IMAGES));
        workplace.refuses(&line, 2, &["expected a number above 0 and below 1"]);
    }
    let reliability = vector(floats(&workplace.path("first/maps/conv2_max_reliability.npy")));
    assert!(reliability.iter().any(|&value| value >= UNTIL));
}
