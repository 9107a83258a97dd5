//! Numbers and pictures of maps whose receptive fields the images cut.

use std::collections::BTreeMap;

use ndarray::{Array3, Axis};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::json;

use crate::common::{cube, floats};
use crate::workplace::{INPUTS, Workplace};

/// A table's rows, each by column.
fn rows(workplace: &Workplace, name: &str) -> Vec<BTreeMap<String, String>> {
    let text = String::from_utf8(workplace.read(name)).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(String::from));
    let header: Vec<String> = lines.next().expect("a header").collect();
    lines.map(|fields| header.iter().cloned().zip(fields).collect()).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column}: {row:?}"))
}

/// Side of the images, the receptive field, its middle and the standard deviation of its weights.
const IMAGE: usize = 101;
const RF: usize = 61;
const MIDDLE: f64 = 30.0;
const WIDTH: f64 = 8.0;

/// A unit whose weights are a round Gaussian in the middle of its receptive field. Its images draw
/// it to the left border, where half of the field lies outside (`edge`), or inside (`inside`).
fn gaussian() -> Workplace {
    let workplace = Workplace::new();
    let profile = |at: usize| (-(at as f64 - MIDDLE).powi(2) / (2.0 * WIDTH * WIDTH)).exp() as f32;
    let plane = (0..RF * RF).map(|pixel| profile(pixel / RF) * profile(pixel % RF));
    let plane: Vec<u8> = plane.flat_map(f32::to_le_bytes).collect();
    let weights = plane.repeat(3);
    let view = TensorView::new(Dtype::F32, vec![1, 3, RF, RF], &weights).unwrap();
    workplace.write("gauss.safetensors", serialize([("c.weight", view)], None).unwrap());
    let layer = json!({
        "name": "c", "op": "conv", "out_channels": 1, "kernel": RF, "padding": 30, "bias": false,
    });
    workplace.write("gauss.json", json!({"name": "gauss", "layers": [layer]}).to_string());
    let mut state = 1_u32;
    // Of about the variance of a standard normal distribution.
    let mut noise = || {
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24)
        };
        (0..12).map(|_| uniform()).sum::<f64>() - 6.0
    };
    for kind in ["edge", "inside"] {
        std::fs::create_dir(workplace.path(kind)).unwrap();
        for image in 0..20 {
            let values = Array3::from_shape_fn((3, IMAGE, IMAGE), |(_, y, x)| {
                let base = if kind == "edge" {
                    let bright = if y.abs_diff(50) > 25 { 0.25 } else { 0.0 };
                    -0.05 - bright - if x > 60 { 0.1 } else { 0.0 }
                } else {
                    let dark = y.abs_diff(50) < 40 && x.abs_diff(50) < 40;
                    if dark { -0.05 } else { -0.3 }
                };
                (base + 0.02 * noise()) as f32
            });
            occlumap::files::npy::write(&workplace.path(format!("{kind}/{image}.npy")), &values)
                .unwrap();
        }
    }
    workplace
}

const GAUSS: &str = "run --model gauss.json --weights gauss.safetensors --top 10 --quiet";

#[test]
fn a_gaussian_that_the_border_halves_is_found_where_it_is() {
    let workplace = gaussian();
    workplace.succeeds(&format!("{GAUSS} --images inside --out inside-maps"));
    for (out, options) in
        [("all", ""), ("covering", "--statistics --mean-over covering"), ("area", "--deposit area")]
    {
        workplace.succeeds(&format!("{GAUSS} --images edge {options} --out {out}"));
        workplace.succeeds(&format!("plot {out} --only numbers --quiet"));
        let row = &rows(&workplace, &format!("{out}/plots/conv1.csv"))[0];
        assert_eq!(row["status"], "ok", "{row:?}");
        // Half of the field lies outside of all images.
        assert!((number(row, "covered") - 31.0 / 61.0).abs() < 1e-6, "{row:?}");
        assert!((number(row, "fit_x") - MIDDLE).abs() < 1.5, "{out}: {row:?}");
        assert!((number(row, "fit_y") - MIDDLE).abs() < 1.5, "{out}: {row:?}");
        for width in ["fit_long", "fit_short"] {
            assert!((number(row, width) - WIDTH).abs() < 1.2, "{out}: {row:?}");
        }
        assert!(number(row, "centre_x") > 32.0, "{row:?}");
    }
    let row = |out: &str| rows(&workplace, &format!("{out}/plots/conv1.csv")).swap_remove(0);
    // Over whichever images the mean is, the cells' means are the same.
    let same =
        ["peak", "peak_x", "centre_x", "radius_50", "half_maximum_area", "fit_x", "fit_long"];
    for column in same {
        let [all, covering] = ["all", "covering"].map(|out| number(&row(out), column));
        assert!((all / covering - 1.0).abs() < 1e-5, "{column}: {all} {covering}");
    }
    workplace.succeeds("plot inside-maps --only numbers --quiet");
    let inside = row("inside-maps");
    assert_eq!((&inside["covered"][..], &inside["status"][..]), ("1", "ok"));
    assert!((number(&inside, "fit_x") - MIDDLE).abs() < 0.7, "{inside:?}");
}

/// Every occluder's effect is in the numbers, and in the pictures what is not covered differs from
/// no effect.
#[test]
fn sums_in_tables_are_those_of_the_maps_for_every_deposit_grid_and_subsampling() {
    let workplace = Workplace::new();
    for (number_of, options) in [
        "",
        "--every 4",
        "--every 7 --deposit area",
        "--deposit area --mean-over covering --statistics",
        "--grid zhou --occluder-size 5 --occluder-stride 2 --every 3",
        "--size-divisor 4 --stride-divisor 1 --every 2 --mean-over covering",
        "--frame reference --occluder-size 3 --occluder-stride 3 --repeats 2",
    ]
    .into_iter()
    .enumerate()
    {
        let out = format!("out-{number_of}");
        let run = format!("run {INPUTS} --layers conv2,conv4 --top 3 --units 0-3 {options}");
        workplace.succeeds(&format!("{run} --quiet --out {out}"));
        workplace.succeeds(&format!("plot {out} --only numbers --quiet"));
        for layer in ["conv2", "conv4"] {
            let mut checked = 0;
            let maps = ["max", "min"].map(|side| {
                cube(floats(&workplace.path(format!("{out}/maps/{layer}_{side}.npy"))))
            });
            for row in rows(&workplace, &format!("{out}/plots/{layer}.csv")) {
                if ["not_swept", "silent", "not_covered"].contains(&&row["status"][..]) {
                    continue;
                }
                let side = usize::from(row["side"] == "min");
                let unit: usize = row["unit"].parse().unwrap();
                let sum = maps[side].index_axis(Axis(0), unit).sum();
                let mass = number(&row, "mass");
                assert!((mass / sum - 1.0).abs() < 1e-6, "{options}: {mass} {sum} {row:?}");
                assert!(number(&row, "peak") > 0.0 && number(&row, "centre_y") > 0.0);
                checked += 1;
            }
            assert!(checked > 0, "{options}: {layer}");
        }
    }
}

#[test]
fn what_is_not_covered_is_told_by_a_folder_without_rankings_too() {
    let workplace = gaussian();
    workplace.succeeds(
        "rank --model gauss.json --weights gauss.safetensors --images edge --top 10 --quiet --out \
         ranked",
    );
    workplace.succeeds(
        "sweep --model gauss.json --weights gauss.safetensors --images edge --top 10 --quiet \
         --ranking ranked/ranking --out out",
    );
    let messages = workplace.succeeds("plot out --resolution 72");
    assert!(messages.contains("no rankings beside the maps"), "{messages}");
    workplace.succeeds("report out --quiet");
    let page = String::from_utf8(workplace.read("out/report.html")).unwrap();
    assert!(page.contains(r#""uncovered":true"#));
    let picture = image::open(workplace.path("out/plots/conv1_max.png")).unwrap().into_rgb8();
    let stripes = occlumap::report::colours::NOT_COVERED;
    let striped = picture.pixels().filter(|pixel| stripes.contains(&pixel.0)).count();
    // Of the map of some 126 pixels about half, and a little more in the legend.
    assert!((5_000..11_000).contains(&striped), "{striped}");
}
