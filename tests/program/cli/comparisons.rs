//! `occlumap compare`: what is found, what is left out and told, what is refused.

use std::collections::BTreeMap;

use crate::workplace::{INPUTS, Workplace, npy};

/// A table's rows, each by column.
fn rows(workplace: &Workplace, name: &str) -> Vec<BTreeMap<String, String>> {
    let text = String::from_utf8(workplace.read(name)).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(String::from));
    let header: Vec<String> = lines.next().expect("a header").collect();
    lines.map(|fields| header.iter().cloned().zip(fields).collect()).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> Option<f64> {
    row[column].parse().ok()
}

#[test]
fn maps_are_like_themselves_and_other_noise_makes_them_a_little_less_so() {
    let workplace = Workplace::new();
    let run =
        |options: &str| workplace.succeeds(&format!("run {INPUTS} --layers conv2,conv4 {options}"));
    run("--top 3 --out a");
    run("--top 3 --seed 1 --out b");
    let messages = workplace.succeeds("compare a a --out same");
    assert!(messages.contains("wrote same"), "{messages}");
    for row in rows(&workplace, "same/units.csv").iter().filter(|row| row["status"] == "ok") {
        for column in ["r_0", "r_0.03333", "r_0.5", "overlap", "area_ratio"] {
            let found = number(row, column).unwrap();
            assert!((found - 1.0).abs() < 1e-6, "{column}: {row:?}");
        }
        assert_eq!(
            (number(row, "centre_distance"), number(row, "shift_y")),
            (Some(0.0), Some(0.0))
        );
    }
    workplace.succeeds("compare a b");
    let found = rows(&workplace, "comparison/units.csv");
    let sides: Vec<&str> = found.iter().map(|row| row["sides"].as_str()).collect();
    assert!(sides.contains(&"max") && sides.contains(&"min"));
    let r: Vec<f64> = found.iter().filter_map(|row| number(row, "r_0")).collect();
    assert!(r.len() > 20 && r.iter().all(|r| *r < 1.0), "{r:?}");
    assert!(r.iter().sum::<f64>() / r.len() as f64 > 0.4, "{r:?}");
    // 8 blurs and 4 measures of regions, of two layers and two sides each.
    let layers = rows(&workplace, "comparison/layers.csv");
    assert_eq!(layers.len(), 2 * 2 * 12);
    let first = &layers[0];
    assert_eq!((first["measure"].as_str(), first["blur"].as_str()), ("r", "0"));
    assert!(number(first, "median") > number(first, "baseline_median"), "{first:?}");
    assert_eq!(number(first, "p"), Some(0.01));
    let told: serde_json::Value =
        serde_json::from_slice(&workplace.read("comparison/comparison.json")).unwrap();
    assert_eq!(told["format"], "occlumap comparison");
    assert_eq!(told["layers"].as_array().unwrap().len(), 4);
    let page = String::from_utf8(workplace.read("comparison/comparison.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("data:image/png") && !page.contains("<script"));
    assert!(workplace.read("comparison/comparison.pdf").starts_with(b"%PDF-1.7"));
    assert!(workplace.read("comparison/comparison.png").starts_with(b"\x89PNG"));
    // The same maps give the same bytes, with any number of threads.
    workplace.succeeds("compare a b --threads 1 --out again");
    for file in ["units.csv", "layers.csv", "columns.csv", "comparison.svg", "comparison.html"] {
        assert!(
            workplace.read(&format!("comparison/{file}"))
                == workplace.read(&format!("again/{file}"))
        );
    }
    // Every column is explained.
    let columns = rows(&workplace, "comparison/columns.csv");
    for file in ["units.csv", "layers.csv"] {
        let known = columns.iter().filter(|row| row["file"] == file);
        let known: Vec<&str> = known.map(|row| row["column"].as_str()).collect();
        let text = String::from_utf8(workplace.read(&format!("comparison/{file}"))).unwrap();
        assert_eq!(text.lines().next().unwrap().split(',').collect::<Vec<_>>(), known);
    }
}

#[test]
fn sides_and_arrays_are_compared_with_each_other() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --layers conv2,conv4 --top 3 --out a"));
    workplace.succeeds("compare a --out ends");
    assert!(rows(&workplace, "ends/units.csv").iter().all(|row| row["sides"] == "max:min"));
    workplace.succeeds("compare a a --sides composite:max,composite --units 0-3 --out composite");
    let found = rows(&workplace, "composite/units.csv");
    assert_eq!(found.len(), 2 * 2 * 4);
    assert!(found.iter().any(|row| row["sides"] == "composite:max"));

    // A layer's own map file, as an array of another method: values at the occluders' centres alone.
    workplace.copy("a/maps/conv2_max.npy", "maps.npy");
    workplace.refuses(
        "compare a maps.npy",
        2,
        &["an array has the maps of one layer", "conv2, conv4"],
    );
    workplace.succeeds("compare a maps.npy --layers conv2 --sides max,min --out array");
    let found = rows(&workplace, "array/units.csv");
    let mean = |side: &str| {
        let r = found
            .iter()
            .filter(|row| row["sides"] == side)
            .filter_map(|row| number(row, "r_0.125"));
        let r: Vec<f64> = r.collect();
        r.iter().sum::<f64>() / r.len() as f64
    };
    assert!(
        mean("max") > 0.7 && mean("max") > mean("min") + 0.1,
        "{} {}",
        mean("max"),
        mean("min")
    );
    workplace.succeeds("compare maps.npy maps.npy --out arrays");
    let found = rows(&workplace, "arrays/units.csv");
    assert!(found.iter().all(|row| row["layer"] == "maps" && row["sides"].is_empty()));
}

#[test]
fn what_only_one_set_has_is_left_out_and_told() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --layers conv1,conv2 --units 0-3 --top 2 --out a"));
    workplace.succeeds(&format!("run {INPUTS} --layers conv2,conv3 --top 2 --out b"));
    let messages = workplace.succeeds("compare a b");
    for words in ["conv1: only in A", "conv3: only in B", "conv2 max: 8 units not swept in A"] {
        assert!(messages.contains(words), "{words}: {messages}");
    }
    let found = rows(&workplace, "comparison/units.csv");
    assert!(found.iter().all(|row| row["layer"] == "conv2"));
    assert_eq!(found.iter().filter(|row| row["status"] == "not swept in A").count(), 2 * 8);
    let page = String::from_utf8(workplace.read("comparison/comparison.html")).unwrap();
    assert!(page.contains("<li>conv1: only in A</li>"), "{page}");
    workplace.succeeds(&format!("run {INPUTS} --layers conv3 --top 2 --out c"));
    workplace.refuses(
        "compare a c --out none",
        1,
        &["have nothing to be compared", "conv1: only in A"],
    );
}

#[test]
fn what_cannot_be_compared_is_refused_before_any_work() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --layers conv1 --top 2 --every 9 --out a"));
    workplace.write("maps.npy", npy("<f4", "(2, 2, 3)", &[0; 48]));
    workplace.write("flat.npy", npy("<f4", "(2, 3)", &[0; 24]));
    workplace.write("square.npy", npy("<f4", "(1, 6, 6)", &[0; 36 * 4]));
    workplace.write("long.npy", npy("<f4", "(1, 6, 12)", &[0; 72 * 4]));
    workplace.write("large.npy", npy("<f8", "(1, 6, 6)", &1e200_f64.to_le_bytes().repeat(36)));
    for (arguments, code, words) in [
        ("absent a", 1, "absent: there is no such folder"),
        ("a absent.npy", 1, "absent.npy"),
        ("a maps.npy", 2, "2 rows and 3 columns"),
        ("a flat.npy", 1, "expected maps, [units, height, width]"),
        ("maps.npy", 2, "expected a second set of maps"),
        ("a --layers conv3", 2, "there are no maps of `conv3`"),
        ("a --units 99", 2, "conv1 has no unit 99 in both sets"),
        ("a --sides top", 2, "expected max, min or composite"),
        ("a --blurs 0,2", 2, "a blur of 2"),
        ("a --blurs x", 2, "no part of a receptive field"),
        ("a --region 0", 2, "no region"),
        ("a --shuffles 99999", 2, "expected at most 9999"),
        ("a --out maps.npy", 2, "maps.npy: is a file"),
        ("square.npy long.npy", 2, "6 rows and 6 columns, and long.npy of 6 and 12"),
        ("square.npy large.npy", 1, "a value that is infinite or beyond 1e100"),
    ] {
        workplace.refuses(&format!("compare {arguments}"), code, &[words]);
    }
    workplace.succeeds("compare a --quiet");
    workplace.refuses("compare a", 2, &["comparison.html: exists", "--force"]);
    // Further pages of a longer comparison are not left among those of a shorter one.
    workplace.succeeds("compare a --quiet --force");
    std::fs::create_dir(workplace.path("longer")).unwrap();
    let pages = ["comparison-2.svg", "comparison-12.png"];
    for page in pages {
        workplace.write(&format!("longer/{page}"), "mine");
    }
    workplace.refuses("compare a --out longer", 2, &[": exists", "--force"]);
    assert_eq!(workplace.read("longer/comparison-2.svg"), b"mine");
    workplace.write("longer/comparison-notes.svg", "mine");
    workplace.succeeds("compare a --quiet --force --out longer");
    assert!(pages.iter().all(|page| !workplace.path(format!("longer/{page}")).exists()));
    assert_eq!(workplace.read("longer/comparison-notes.svg"), b"mine");
}
