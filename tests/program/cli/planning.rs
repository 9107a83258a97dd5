//! What is told before and after the work: `plan`, `bench`, `--verify`.

use serde_json::Value;

use crate::workplace::{INPUTS, Workplace, tree};

fn manifest(workplace: &Workplace, out: &str) -> Value {
    serde_json::from_slice(&workplace.read(&format!("{out}/manifest.json"))).unwrap()
}

#[test]
fn a_plan_counts_what_a_run_presents_and_writes_nothing() {
    let workplace = Workplace::new();
    let before = tree(&workplace.path(""));
    let output = workplace.run(&format!("plan {INPUTS} --top 2 --units 0-3 --every 3 --out out"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert_eq!(before, tree(&workplace.path("")));
    workplace.succeeds(&format!("run {INPUTS} --top 2 --units 0-3 --every 3 --quiet --out out"));
    let manifest = manifest(&workplace, "out");
    for layer in ["conv1", "conv2", "conv3", "conv4"] {
        let row = text.lines().find(|line| line.starts_with(layer)).unwrap();
        let columns: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(columns[1], "16", "{row}");
        let number = |text: &str| text.replace(',', "").parse::<f64>().unwrap();
        let presented = manifest["layers"][layer]["presentations"].as_f64().unwrap();
        // Positions are where the images have them, not everywhere alike.
        assert!((number(columns[2]) / presented - 1.0).abs() < 0.5, "{row}: {presented}");
        let [full, cones, deltas] = [3, 4, 5].map(|column| number(columns[column]));
        assert!(full >= cones && cones >= deltas && full > 0.0, "{row}");
        assert!(number(columns[6]) > 0.0, "{row}");
    }
    for part in ["all ", "ranking 4 images", "memory: about", "at most 2.0 GiB"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// `info`, `plan` and `run` say the same.
#[test]
fn maps_with_few_occluders_or_none_are_noted_before_and_after_the_ranking() {
    let workplace = Workplace::new();
    let few = "note: maps of conv1 have at most 1 occluder";
    let run = format!("{INPUTS} --top 2 --units 0 --layers conv1 --occluder-size 5");
    let said = |line: &str| {
        let output = workplace.run(line);
        assert!(output.status.success(), "{output:?}");
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat()
    };
    let info = "info --model model.json --image-size 61x53 --layers conv1";
    let info_of_one = format!("{info} --occluder-size 5");
    for line in [info_of_one, format!("plan {run}"), format!("run {run} --out out")] {
        let text = said(&line);
        assert!(text.contains(few) && text.contains("smaller --occluder-size"), "{line}: {text}");
    }
    for enough in ["", "--occluder-size 3 --occluder-stride 1"] {
        assert!(!said(&format!("{info} {enough}")).contains("note: maps of"), "{enough}");
    }
}

#[test]
fn a_plan_of_units_that_stop_is_a_limit() {
    let workplace = Workplace::new();
    let plan = format!("plan {INPUTS} --top 4 --units 0 --every 9 --layers conv1");
    let text = |options: &str| {
        let output = workplace.run(&format!("{plan} {options}"));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let limit = "presentations and times: at most";
    assert!(text("--until-reliable 0.9").contains(limit) && !text("").contains(limit));
    workplace.refuses(&format!("{plan} --until-reliable 1"), 2, &["above 0 and below 1"]);
}

/// However fast a layer is.
#[test]
fn a_bench_measures_a_layer_for_about_as_long_as_it_is_told() {
    let workplace = Workplace::new();
    workplace.succeeds(
        "bench --model model.json --image-size 61x53 --layers conv1 --every 9 --time 0.4 \
         --device cpu --quiet --json bench.json",
    );
    let bench: Value = serde_json::from_slice(&workplace.read("bench.json")).unwrap();
    assert!(bench["ranking_rate"].as_f64().unwrap() > 0.0);
    let layer = &bench["layers"][0];
    let number = |name: &str| layer[name].as_f64().unwrap();
    assert!(number("seconds") >= 0.2 && number("maps") <= 256.0, "{layer}");
    assert_eq!(number("presentations") % number("times"), 0.0, "{layer}");
    let rate = number("presentations") / number("seconds");
    assert!((number("rate") / rate - 1.0).abs() < 1e-9, "{layer}");
}

#[test]
fn a_verified_run_says_how_far_it_agrees_and_records_it() {
    let workplace = Workplace::new();
    let run = format!("run {INPUTS} --top 2 --every 9 --units 0-2");
    let messages = workplace.succeeds(&format!("{run} --verify 12 --out out"));
    let verified = manifest(&workplace, "out");
    for layer in ["conv1", "conv2", "conv3", "conv4"] {
        assert!(messages.contains(&format!("{layer}: 12 presentations agree")), "{messages}");
        let record = &verified["layers"][layer]["verified"];
        assert_eq!((&record["presentations"], &record["passed"]), (&12.into(), &true.into()));
        assert_eq!(record["tolerance"], 1e-5);
        assert!(record["largest_error"].as_f64().unwrap() <= 1e-5);
    }
    workplace.succeeds(&format!("{run} --quiet --out unverified"));
    assert!(manifest(&workplace, "unverified")["layers"]["conv1"]["verified"].is_null());
    let maps = |out: &str| tree(&workplace.path(out).join("maps"));
    assert_eq!(maps("out"), maps("unverified"));
}
