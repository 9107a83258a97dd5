//! Folders whose manifest or files were changed: every reader says so, at once, and none believes
//! them.

use occlumap::maps::Manifest;
use occlumap::ranking::Side;
use occlumap::report::Results;
use occlumap::report::numbers::{Cells, measure};
use serde_json::{Value, json};

use crate::workplace::{INPUTS, Workplace};

fn swept() -> Workplace {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --layers conv1,conv3 --top 2 --units 0-1 --every 9");
    workplace.succeeds(&format!("{run} --quiet --out out"));
    workplace
}

fn manifest(workplace: &Workplace) -> Value {
    serde_json::from_slice(&workplace.read("out/manifest.json")).unwrap()
}

#[test]
fn maps_are_shown_with_their_own_ranking_alone() {
    let workplace = swept();
    let name = "out/ranking/conv3.npy";
    let mut ranking = workplace.read(name);
    // The header ends with its line; then comes the index of unit 0's first image.
    let first = ranking.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    ranking[first] ^= 1;
    workplace.write(name, &ranking);
    let words = ["out/ranking", "conv3 were made from another ranking"];
    workplace.refuses("report out", 1, &words);
    // What was drawn of conv1 before stays.
    let plotted = workplace.run("plot out --out plots");
    let messages = String::from_utf8(plotted.stderr).unwrap();
    assert_eq!(plotted.status.code(), Some(1), "{messages}");
    assert!(words.iter().all(|word| messages.contains(word)), "{messages}");
}

#[test]
fn changed_files_are_named_with_both_digests_and_the_remedy() {
    let workplace = swept();
    for file in ["conv1_max.npy", "conv1_min_frames.npy", "conv1_max_reliability.npy"] {
        let name = format!("out/maps/{file}");
        let whole = workplace.read(&name);
        let mut changed = whole.clone();
        let last = changed.len() - 3;
        changed[last] ^= 1;
        workplace.write(&name, &changed);
        let expected = manifest(&workplace)["layers"]["conv1"]["files"][file].clone();
        let found = occlumap::files::Digest::of(&changed).to_string();
        let words =
            [file, &found, expected.as_str().unwrap(), "was changed since the sweep", "restore"];
        workplace.refuses("report out", 1, &words);
        let plotted = workplace.run("plot out --out plots");
        assert_eq!(plotted.status.code(), Some(1));
        let messages = String::from_utf8(plotted.stderr).unwrap();
        assert!(words.iter().all(|word| messages.contains(word)), "{messages}");
        workplace.refuses("status out --check", 1, &words);
        let read = Manifest::read(&workplace.path("out")).unwrap().unwrap();
        let errors = read.check_files(&workplace.path("out/maps"), |_| true);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].to_string().contains(file), "{}", errors[0]);
        workplace.write(&name, &whole);
    }
    workplace.succeeds("status out --check");
    let read = Manifest::read(&workplace.path("out")).unwrap().unwrap();
    let mut seen = 0;
    let all = |_: &std::path::Path| {
        seen += 1;
        true
    };
    assert!(read.check_files(&workplace.path("out/maps"), all).is_empty());
    // Means, frames and reliabilities of both sides of two layers.
    assert_eq!(seen, 12);
    workplace.remove("out/maps/conv3_min.npy");
    assert_eq!(read.check_files(&workplace.path("out/maps"), |_| true).len(), 1);
    assert!(read.check_files(&workplace.path("out/maps"), |_| false).is_empty());
}

#[test]
fn numbers_that_the_network_and_the_settings_tell_otherwise_are_refused() {
    let workplace = swept();
    let whole = manifest(&workplace);
    let cases: [(&str, Value, &str); 22] = [
        ("/configuration/layers/1/rf", json!(u64::MAX), "conv3.rf is 18446744073709551615"),
        ("/configuration/layers/1/rf", json!(100_000), "conv3.rf is 100000"),
        ("/configuration/layers/1/rf", json!(2_000), "conv3.rf is 2000"),
        ("/configuration/layers/1/units", json!(1), "conv3.units is 1"),
        ("/configuration/layers/1/occluder_stride", json!(3), "conv3.occluder_stride is 3"),
        ("/configuration/layers/1/occluder_size", json!(0), "conv3.occluder_size is 0"),
        ("/configuration/layers/1/swept", json!([1, 0]), "conv3.swept"),
        ("/configuration/layers/1/swept", json!([0, 70]), "conv3.swept"),
        ("/configuration/layers/1/swept", json!([]), "conv3.swept"),
        ("/layers/conv3/presentations", json!(7), "conv3.presentations is 7"),
        ("/layers/conv3/maps_without_occluders", json!(7), "maps_without_occluders is 7"),
        ("/layers/conv3/seconds", json!(-1.0), "conv3.seconds is -1"),
        ("/configuration/layers/1/name", json!("\u{1b}[31m"), "conv3.name is \"\\u{1b}[31m\""),
        ("/layers/conv3/files", json!({}), "conv3.files has no conv3_max.npy"),
        ("/configuration/images/size/height", json!(0), "images.size.height is 0"),
        (
            "/configuration/images/size/width",
            json!(1_u64 << 40),
            "images.size.width is 1099511627776",
        ),
        ("/configuration/settings/top", json!(1), "2 frames of unit 0; settings.top is 1"),
        ("/configuration/settings/every", json!(0), "settings.every is 0"),
        ("/configuration/settings/every", json!(8), "presentations is"),
        (
            "/configuration/settings/repeats",
            json!(1_u64 << 40),
            "settings.repeats is 1099511627776",
        ),
        ("/configuration/settings/grid/stride", json!({"divisor": 0}), "stride divisor is 0"),
        ("/about/started_unix", json!(u64::MAX), "started_unix is"),
    ];
    for (pointer, value, words) in cases {
        let mut changed = whole.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        workplace.write("out/manifest.json", changed.to_string());
        for command in ["plot out", "report out"] {
            workplace.refuses(command, 1, &["out/manifest.json", words]);
        }
    }
    // Fields that are absent where they have their defaults.
    for (field, value, words) in [
        ("until_reliable", json!(1.5), "settings.until_reliable is 1.5"),
        ("fill", json!("zero"), "settings.fill_values: expected finite numbers for zero"),
        ("fill_values", json!([0.5]), "settings.fill_values: expected none for noise"),
    ] {
        let mut changed = whole.clone();
        changed["configuration"]["settings"][field] = value;
        workplace.write("out/manifest.json", changed.to_string());
        workplace.refuses("plot out", 1, &["out/manifest.json", words]);
    }
}

/// The paths of all values in a document.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                paths(field, &format!("{at}/{key}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                paths(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Opens the folder and measures a unit of each layer, as `plot` and `report` do.
fn look(workplace: &Workplace) {
    let Ok(results) = Results::open(&workplace.path("out"), None) else { return };
    for layer in results.layers() {
        let cells = Cells::new(layer.configuration(), &results.configuration().settings);
        let unit = layer.swept()[0];
        for side in Side::BOTH {
            if let Ok(map) = layer.map(unit, side) {
                measure(&map, &cells, false);
            }
        }
        let _ = layer.ranking();
    }
}

#[test]
fn no_changed_manifest_makes_a_reader_panic_or_hang() {
    let workplace = swept();
    let whole = manifest(&workplace);
    let mut all = Vec::new();
    paths(&whole, "", &mut all);
    let values = [
        Value::Null,
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(3),
        json!(2_000),
        json!(100_000),
        json!(1_u64 << 32),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(0.5),
        json!(1e300),
        json!(""),
        json!("../../x"),
        json!("\u{1b}[2J\n"),
        json!([]),
        json!({}),
        json!([0, 1]),
        json!({"divisor": u64::MAX}),
        json!({"pixels": u64::MAX}),
    ];
    let try_it = |changes: &[(&String, &Value)]| {
        let mut changed = whole.clone();
        for (pointer, value) in changes {
            if let Some(found) = changed.pointer_mut(pointer) {
                *found = (*value).clone();
            }
        }
        workplace.write("out/manifest.json", changed.to_string());
        look(&workplace);
    };
    for pointer in &all {
        for value in &values {
            try_it(&[(pointer, value)]);
        }
    }
    // Two at a time, chosen by a counter that is scattered.
    let pick = |counter: usize, length: usize| counter.wrapping_mul(2_654_435_761) % length;
    for counter in 0..1_000 {
        let [one, other] = [counter, counter + 7_919].map(|at| &all[pick(at, all.len())]);
        let [a, b] = [counter + 31, counter + 104_729].map(|at| &values[pick(at, values.len())]);
        try_it(&[(one, a), (other, b)]);
    }
}
