//! `occlumap derive` and `occlumap summary`: what is made of finished maps.

use std::collections::BTreeMap;

use ndarray::{Array3, Axis, Ix3};
use occlumap::files::npy::{self, Values};

use crate::workplace::{INPUTS, Workplace};

fn rows(workplace: &Workplace, name: &str) -> Vec<BTreeMap<String, String>> {
    let text = String::from_utf8(workplace.read(name)).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(String::from));
    let header: Vec<String> = lines.next().expect("a header").collect();
    lines.map(|fields| header.iter().cloned().zip(fields).collect()).collect()
}

fn maps(workplace: &Workplace, name: &str) -> Array3<f64> {
    match npy::read(&workplace.path(name)).unwrap() {
        Values::F64(array) => array.into_dimensionality::<Ix3>().unwrap(),
        other => panic!("{name} holds {}", other.dtype()),
    }
}

#[test]
fn derived_maps_are_those_of_their_definitions() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!(
        "run {INPUTS} --layers conv2 --units 0-5 --top 4 --statistics --out out"
    ));
    let messages = workplace.succeeds("derive out --fdr 0.2");
    assert!(messages.contains("wrote derived") && !messages.contains("note:"), "{messages}");
    let composite = maps(&workplace, "derived/conv2_composite.npy");
    let [floor, exceeds, relative] = ["floor", "exceeds", "relative"]
        .map(|kind| maps(&workplace, &format!("derived/conv2_max_{kind}.npy")));
    let floors = rows(&workplace, "derived/floors.csv");
    assert_eq!(floors.len(), 2 * 6);
    let mut tested = 0;
    for unit in 0..6 {
        let of = |maps: &Array3<f64>| maps.index_axis(Axis(0), unit).to_owned();
        let row = &floors[2 * unit];
        assert_eq!((row["unit"].as_str(), row["side"].as_str()), (&*unit.to_string(), "max"));
        if row["status"] != "ok" {
            continue;
        }
        let (level, response): (f64, f64) =
            (row["floor"].parse().unwrap(), row["response"].parse().unwrap());
        for (by_floor, by_response) in of(&floor).iter().zip(&of(&relative)) {
            assert_eq!(by_floor.is_nan(), by_response.is_nan());
            // The same map in two units; the table has seven digits.
            let map = by_floor * level;
            assert!(by_floor.is_nan() || (map - by_response * response).abs() <= 1e-5 * map.abs());
        }
        let found = of(&exceeds).iter().filter(|value| **value == 1.0).count();
        let exceeding: usize = row["exceeding"].parse().unwrap();
        assert_eq!(found > 0, exceeding > 0);
        tested += row["tested"].parse::<usize>().unwrap();
        assert!(of(&composite).iter().any(|value| *value > 0.0));
    }
    assert!(tested > 0);
    // Units that were not swept.
    assert!(composite.index_axis(Axis(0), 6).iter().all(|value| value.is_nan()));
    let columns = rows(&workplace, "derived/floors_columns.csv");
    let header: Vec<&str> = columns.iter().map(|row| row["column"].as_str()).collect();
    let text = String::from_utf8(workplace.read("derived/floors.csv")).unwrap();
    assert_eq!(text.lines().next().unwrap().split(',').collect::<Vec<_>>(), header);
    workplace.succeeds("derive out --fdr 0.2 --threads 1 --out again");
    for file in ["conv2_composite.npy", "conv2_min_exceeds.npy", "floors.csv"] {
        assert!(
            workplace.read(&format!("derived/{file}")) == workplace.read(&format!("again/{file}"))
        );
    }
}

#[test]
fn widths_are_extrapolated_from_sweeps_of_several_occluder_sizes() {
    let workplace = Workplace::new();
    for size in [1, 2, 3] {
        let options = format!("--layers conv2 --units 0-5 --top 4 --occluder-size {size}");
        workplace.succeeds(&format!("run {INPUTS} {options} --quiet --out s{size}"));
    }
    workplace.succeeds("sizes s1 s2 s3");
    let found = rows(&workplace, "sizes/sizes.csv");
    assert_eq!(found.len(), 2 * 6);
    for row in &found {
        let sizes = row["sizes"].split_whitespace().count();
        assert_eq!(row["long_status"] == "few_sizes", sizes < 2, "{row:?}");
        let determined = row["long_status"] == "ok";
        assert!([&row["long"], &row["long_se"]].iter().all(|text| text.is_empty() != determined));
        assert!(row.values().all(|text| !text.contains("inf")), "{row:?}");
    }
    assert!(found.iter().any(|row| !row["long_se"].is_empty()), "no width of two sizes");
    workplace.refuses("sizes s1 s1 --out a", 1, &["occluders of at least two sizes"]);
    workplace
        .succeeds(&format!("run {INPUTS} --layers conv2 --units 0 --top 3 --quiet --out three"));
    workplace.refuses("sizes s1 three --out a", 1, &["three: maps of other images", "--top"]);
    workplace.refuses("sizes s1 --out a", 2, &["s1: maps of one size of occluders"]);
}

#[test]
fn each_map_has_a_shape_or_none() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --layers conv2 --units 0-5 --top 4 --out out"));
    let messages = workplace.succeeds("models out");
    assert!(messages.contains("wrote models"), "{messages}");
    let found = rows(&workplace, "models/models.csv");
    assert_eq!(found.len(), 2 * 6);
    assert!(found.iter().any(|row| row["status"] == "ok"), "no fit");
    for row in found.iter().filter(|row| row["status"] == "ok") {
        let criterion = |shape: &str| row[&format!("bic_{shape}")].parse::<f64>().ok();
        let best = criterion(&row["shape"]).unwrap();
        let all = ["gaussian", "dog", "gabor"].into_iter().filter_map(criterion);
        assert!(all.into_iter().all(|other| best <= other), "{row:?}");
        assert_eq!(!row["wavelength"].is_empty(), row["shape"] == "gabor");
        assert!(!row["long_se"].is_empty() && !row["explained_variance"].is_empty());
    }
    let columns = rows(&workplace, "models/models_columns.csv");
    assert_eq!(columns.len(), found[0].len());
    workplace.refuses("models out", 2, &["models.csv: exists", "--force"]);
}

#[test]
fn what_the_sweep_did_not_keep_is_told() {
    let workplace = Workplace::new();
    workplace
        .succeeds(&format!("run {INPUTS} --layers conv1 --units 0 --top 2 --every 3 --out out"));
    workplace.refuses(
        "derive out --only exceeds",
        1,
        &["conv1: maps of kind `exceeds` need", "--statistics"],
    );
    workplace.refuses("derive out --fdr 1", 2, &["a false discovery rate of 1"]);
    workplace.refuses("derive absent", 1, &["absent: there is no such folder"]);
    let messages = workplace.succeeds("derive out");
    assert!(messages.contains("note: no maps of kind exceeds"), "{messages}");
    assert!(!workplace.path("derived/conv1_max_exceeds.npy").exists());
    workplace.refuses("derive out", 2, &["exists", "--force"]);
    workplace.succeeds("derive out --force --quiet");
}

#[test]
fn a_summary_has_a_row_for_each_measure_of_each_layer() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --layers conv1,conv2,conv4 --top 2 --out out"));
    workplace.succeeds(&format!("run {INPUTS} --layers conv2 --top 2 --seed 3 --out other"));
    let messages = workplace.succeeds("summary out --resolution 72");
    assert!(messages.contains("wrote summary"), "{messages}");
    let found = rows(&workplace, "summary/summary.csv");
    assert_eq!(found.len(), 3 * 2 * 12);
    for row in &found {
        assert!(row["count"].parse::<usize>().unwrap() <= row["units"].parse().unwrap(), "{row:?}");
    }
    let share = found.iter().find(|row| row["measure"] == "effective_share").unwrap();
    let median: f64 = share["median"].parse().unwrap();
    assert!((0.05..1.2).contains(&median), "{share:?}");
    assert_eq!(rows(&workplace, "summary/orientations.csv").len(), 3 * 2 * 12);
    assert_eq!(rows(&workplace, "summary/summary_columns.csv").len(), 12);
    // Of all images, and how many reach 0.95.
    assert_eq!(rows(&workplace, "summary/reliability.csv").len(), 3 * 2 * 2);
    assert!(workplace.read("summary/summary.pdf").starts_with(b"%PDF-1.7"));
    workplace.refuses("summary out", 2, &["summary.pdf: exists", "--force"]);
    workplace.refuses("summary out --names a,b --out c", 2, &["2 for 1 folders"]);
    workplace.succeeds("summary out other --names first,second --out both");
    let found = rows(&workplace, "both/summary.csv");
    let names: Vec<&str> = found.iter().map(|row| row["network"].as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("first", "second"));
}
