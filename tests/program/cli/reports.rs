//! `occlumap report`: what it writes, what it says, and what it refuses. What the page shows and
//! does is tested in a browser (`tests/program/browser/`).

use serde_json::Value;

use crate::workplace::{INPUTS, Workplace};

/// A workplace with two layers swept into `out`.
fn swept() -> Workplace {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --layers conv1,conv2 --top 2 --every 9 --out out"));
    workplace
}

fn pages(workplace: &Workplace, folder: &str) -> Vec<String> {
    let names = std::fs::read_dir(workplace.path(folder)).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_small_report_is_one_file_and_is_replaced_only_when_told() {
    let workplace = swept();
    let said = workplace.succeeds("report out --examples 1");
    assert!(said.contains("wrote out/report.html ("), "{said}");
    assert!(!workplace.path("out/report-data").exists());
    let index = workplace.block("out/report.html", "index").unwrap();
    assert_eq!(index["run"]["engine"], "cpu-incremental");
    assert_eq!(index["layers"].as_array().unwrap().len(), 2);
    let layer = &index["layers"][1];
    let units = layer["units"].as_u64().unwrap() as usize;
    for side in ["max", "min"] {
        assert_eq!(layer[side]["peak"].as_array().unwrap().len(), units);
        assert_eq!(layer[side]["reliability"].as_array().unwrap().len(), units);
    }
    let page = workplace.block("out/report.html", "page-conv2").unwrap();
    let images = &page["units"][0]["max"]["images"];
    assert_eq!((images.as_array().unwrap().len(), &images[0]["picture"]), (1, &Value::from(0)));
    assert!(workplace.block("out/report.html", "page-pictures-0").is_some());

    let words = ["out/report.html: exists; choose another name, or give --force"];
    workplace.refuses("report out", 2, &words);
    workplace.succeeds("report out --force --examples 0 --quiet");
    assert!(workplace.block("out/report.html", "page-pictures-0").is_none());
}

#[test]
fn data_beside_the_report_are_its_own_and_old_ones_go() {
    let workplace = swept();
    let said = workplace.succeeds("report out --split --out page.html");
    assert!(said.contains("wrote page.html and page-data, which belongs beside it"), "{said}");
    let first = pages(&workplace, "page-data");
    assert_eq!(first.len(), 3, "{first:?}");
    assert!(workplace.block("page.html", "page-conv1").is_none());
    workplace.write("page-data/notes.txt", "mine");
    workplace.write("page-data/conv1-0123456789ab.js", "of an older report");
    workplace.succeeds("report out --split --out page.html --force --blur");
    let second = pages(&workplace, "page-data");
    assert_eq!(second.len(), 4, "{second:?}");
    assert!(second.contains(&"notes.txt".to_owned()));
    // Inside again: of the folder only what is the user's stays.
    workplace.succeeds("report out --out page.html --force");
    assert_eq!(pages(&workplace, "page-data"), ["notes.txt"]);
}

#[test]
fn a_report_without_images_or_layers_says_so() {
    let workplace = swept();
    std::fs::rename(workplace.path("images"), workplace.path("moved")).unwrap();
    let said = workplace.succeeds("report out");
    let note = "note: the report shows no images: images: there is no such folder";
    assert!(said.contains(note) && said.contains("--images"), "{said}");
    let said = workplace.succeeds("report out --force --images moved");
    assert!(!said.contains("note:"), "{said}");
    let index = workplace.block("out/report.html", "index").unwrap();
    let command = index["layers"][0]["command"][0].as_str().unwrap();
    assert!(command.contains(" --images moved ") && command.contains(" --every 9 "), "{command}");

    let manifest = String::from_utf8(workplace.read("out/manifest.json")).unwrap();
    workplace
        .write("out/manifest.json", manifest.replace("\"complete\": true", "\"complete\": false"));
    let said = workplace.succeeds("report out --force --examples 0");
    let note = "note: not all layers are finished; the report shows conv1, conv2";
    assert!(said.contains(note), "{said}");
    std::fs::remove_dir_all(workplace.path("out/ranking")).unwrap();
    let said = workplace.succeeds("report out --force");
    assert!(said.contains("no rankings beside the maps; --ranking names them"), "{said}");
}

#[test]
fn what_cannot_be_shown_or_written_is_refused() {
    let workplace = swept();
    workplace.refuses(
        "report absent",
        1,
        &["absent: there is no such folder", "of a `run` or `sweep`"],
    );
    let words = ["page.htm: expected a name that ends in .html"];
    workplace.refuses("report out --out page.htm", 2, &words);
    workplace.refuses("report out --out no/page.html", 2, &["no: there is no such folder"]);
    workplace.refuses("report out --images absent", 1, &["absent: there is no such folder"]);
    workplace.refuses("report out --ranking absent", 1, &["absent: there is no such folder"]);
    workplace.write("out/report-data", "a file");
    workplace.refuses(
        "report out",
        2,
        &["out/report-data: is a file; a large report needs a folder"],
    );
    workplace.remove("out/report-data");
    workplace.copy("images/1.npy", "images/0.npy");
    workplace.refuses("report out", 1, &["images/0.npy", "changed"]);
}

#[test]
fn a_comparison_belongs_to_the_report_where_it_is_requested() {
    let workplace = swept();
    workplace.succeeds("report out --quiet --examples 0");
    let index = workplace.block("out/report.html", "index").unwrap();
    assert!(index["comparison"].is_null() && index["layers"][0]["curve"].is_null());
    assert!(index["layers"][0]["max"]["r"].is_null());

    let said = workplace.succeeds("report out --compare out --force --examples 0");
    assert!(!said.contains("not compared"), "{said}");
    let index = workplace.block("out/report.html", "index").unwrap();
    let comparison = &index["comparison"];
    assert_eq!(comparison["layers"].as_array().unwrap().len(), 4);
    let first = &comparison["layers"][0];
    assert_eq!(first["r"][0]["found"], serde_json::json!([1.0, 1.0, 1.0]));
    assert!(first["r"][0]["baseline"][1].as_f64().unwrap() < 0.9);
    let r = index["layers"][0]["max"]["r"].as_array().unwrap();
    assert!(r.iter().any(Value::is_f64), "{r:?}");
    assert!(r.iter().all(|r| r.is_null() || (r.as_f64().unwrap() - 1.0).abs() < 1e-6), "{r:?}");
    let page = workplace.block("out/report.html", "page-conv2").unwrap();
    let facts = &page["units"][0]["max"]["compared"];
    assert_eq!((facts["overlap"].as_f64(), facts["shift"][0].as_f64()), (Some(1.0), Some(0.0)));

    workplace.refuses(
        "report out --compare absent --force",
        1,
        &["absent: there is no such folder"],
    );
    workplace.copy("out/maps/conv2_max.npy", "maps.npy");
    let words = ["an array has the maps of one layer"];
    workplace.refuses("report out --compare maps.npy --force", 2, &words);
}

#[test]
fn reliability_curves_are_those_of_the_summary() {
    let workplace = Workplace::new();
    let options = "--layers conv2 --units 0-7 --top 4 --reliability-curve --out out";
    workplace.succeeds(&format!("run {INPUTS} {options} --quiet"));
    workplace.succeeds("report out --quiet --examples 0");
    workplace.succeeds("summary out --quiet");
    let index = workplace.block("out/report.html", "index").unwrap();
    let curve = &index["layers"][0]["curve"];
    assert_eq!(curve["images"], serde_json::json!([2, 4]));
    let table = String::from_utf8(workplace.read("summary/reliability.csv")).unwrap();
    let mut checked = 0;
    for line in table.lines().skip(1) {
        // network, layer, depth, side, rf, units, mapped, measure, images, count, mean, quantiles
        let fields: Vec<&str> = line.split(',').collect();
        let number = |index: usize| fields[index].parse::<f64>().unwrap();
        let side = &curve[fields[3]];
        let pairs = match fields[8] {
            "" => vec![(&side["needed"], number(13))],
            images => {
                let quartiles = &side["quartiles"][usize::from(images == "4")];
                (0..3).map(|part| (&quartiles[part], number(12 + part))).collect()
            }
        };
        for (shown, expected) in pairs {
            let shown = shown.as_f64().unwrap();
            // Six figures on the page, seven in the table.
            assert!((shown - expected).abs() <= 6e-6 * expected.abs(), "{shown}: {line}");
            checked += 1;
        }
    }
    assert_eq!(checked, 2 * (2 * 3 + 1));
    let page = workplace.block("out/report.html", "page-conv2").unwrap();
    for (unit, facts) in page["units"].as_array().unwrap().iter().enumerate() {
        let curve = facts["max"]["curve"].as_array().unwrap();
        assert_eq!((curve.len(), &curve[1]), (2, &index["layers"][0]["max"]["reliability"][unit]));
    }
}
