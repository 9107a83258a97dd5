//! `occlumap demo`, as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use ndarray::{Array3, Axis, Ix3, concatenate};
use occlumap::demo;
use occlumap::files::npy::{self, Values};
use occlumap::progress::{CancelToken, Progress};
use occlumap::report::Results;

use crate::common::{occlumap, tree};

fn demo(folder: &Path, arguments: &[&str]) -> Output {
    occlumap().arg("demo").args(arguments).current_dir(folder).output().unwrap()
}

fn maps(path: &Path) -> Array3<f64> {
    match npy::read(path).unwrap() {
        Values::F64(array) => array.into_dimensionality::<Ix3>().unwrap(),
        other => panic!("{} holds {}", path.display(), other.dtype()),
    }
}

/// One run serves all of it: the demonstration takes seconds.
#[test]
fn the_demonstration_agrees_repeats_itself_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path(), &["--threads", "1"]);
    let (text, log) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{text}{log}");
    assert_eq!(text.matches("agrees").count(), 21, "{text}");
    assert!(text.contains("occlumap run --model occlumap-demo/model.json"), "{text}");
    let finding = text.lines().find(|line| line.starts_with("Finding: ")).unwrap();
    // What it says is what the comparison's table has.
    let table = fs::read_to_string(folder.path().join("occlumap-demo/comparison/layers.csv"));
    let table = table.unwrap();
    let column = |index: usize| -> Vec<f64> {
        let rows = table.lines().filter(|line| line.contains(",r,0.03333333,"));
        rows.map(|line| line.split(',').nth(index).unwrap().parse().unwrap()).collect()
    };
    let (_, shuffled) = finding.split_once("shuffled weights (").unwrap();
    let told = shuffled
        .trim_end_matches(").")
        .split([',', ';'])
        .map(|number| number.trim_start_matches(" other units").trim().parse::<f64>().unwrap());
    let (told, expected): (Vec<f64>, _) = (told.collect(), [column(8), column(14)].concat());
    assert_eq!([told.len(), expected.len()], [4, 4], "{finding}");
    assert!(told.iter().zip(&expected).all(|(told, value)| (told - value).abs() <= 0.006));
    assert!(finding.contains("maps repeat over") && finding.contains(", but hardly with"));
    let out = folder.path().join("occlumap-demo");
    let first = tree(&out);
    for file in [
        "comparison/comparison.png",
        "comparison/layers.csv",
        "contact_sheet.png",
        "images/0.npy",
        "images/23.npy",
        "manifest.json",
        "maps/conv1_max.npy",
        "maps/conv1_max_frames.npy",
        "maps/conv1_max_reliability.npy",
        "maps/conv1_min.npy",
        "maps/conv1_min_reliability.npy",
        "maps/conv2_max.npy",
        "maps/conv2_max_frames.npy",
        "maps/conv2_max_reliability.npy",
        "maps/conv2_min.npy",
        "maps/conv2_min_reliability.npy",
        "model.json",
        "ranking/conv2.npy",
        "shuffled/maps/conv2_max.npy",
        "shuffled/weights.safetensors",
        "weights.safetensors",
    ] {
        assert!(first.contains_key(Path::new(file)), "{file}: {:?}", first.keys());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "it litters");

    let refused = demo(folder.path(), &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not empty"));
    assert!(refused.stdout.is_empty());
    assert_eq!(tree(&out), first);

    let again = demo(folder.path(), &["--threads", "2", "--force", "--quiet"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(again.stdout.is_empty() && again.stderr.is_empty());
    let second = tree(&out);
    assert!(first.keys().eq(second.keys()));
    // The manifest tells times and threads, which differ.
    let differ: Vec<_> = first.keys().filter(|&name| first[name] != second[name]).collect();
    assert_eq!(differ, ["manifest.json", "shuffled/manifest.json"].map(Path::new));

    without_shuffling_there_is_nothing_to_find(&out);
    spoilt_maps_disagree(&out.join("maps"));
}

/// Maps that are compared with themselves.
fn without_shuffling_there_is_nothing_to_find(out: &Path) {
    let [known, shuffled] =
        [out.to_owned(), out.join("shuffled")].map(|folder| Results::open(&folder, None).unwrap());
    let cancel = CancelToken::default();
    let differences = |one: &Results, other: &Results| {
        demo::find(one, other, &Progress::new(&cancel)).unwrap().differences().join("; ")
    };
    assert_eq!(differences(&known, &shuffled), "");
    let same = differences(&known, &known);
    for layer in ["conv1", "conv2"] {
        assert!(same.contains(&format!("{layer}: maps of shuffled weights correlate")), "{same}");
    }
    // A layer that is not there has not been found to differ.
    let manifest = out.join("shuffled/manifest.json");
    let whole = fs::read(&manifest).unwrap();
    let mut without: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    without["layers"].as_object_mut().unwrap().remove("conv1").unwrap();
    without["complete"] = false.into();
    fs::write(&manifest, serde_json::to_vec(&without).unwrap()).unwrap();
    let missing = differences(&known, &Results::open(&out.join("shuffled"), None).unwrap());
    fs::write(&manifest, whole).unwrap();
    assert!(missing.contains("conv1: maps of shuffled weights correlate by NaN"), "{missing}");
    assert!(!missing.contains("conv2"), "{missing}");
}

/// Maps that a faulty program would have made.
fn spoilt_maps_disagree(folder: &Path) {
    let disagreeing = || -> Vec<Vec<usize>> {
        let layers = demo::judge(folder).unwrap();
        let wrong = |layer: &demo::Judged| {
            let units = layer.units.iter().enumerate();
            units.filter(|(_, unit)| !unit.agrees()).map(|(unit, _)| unit).collect()
        };
        layers.iter().map(wrong).collect()
    };
    let none: [Vec<usize>; 4] = Default::default();
    assert_eq!(disagreeing(), none);
    let names =
        [1, 2, 3, 4].map(|layer| ["max", "min"].map(|side| format!("conv{layer}_{side}.npy")));
    let paths: Vec<PathBuf> = names.as_flattened().iter().map(|name| folder.join(name)).collect();
    let good: Vec<Array3<f64>> = paths.iter().map(|path| maps(path)).collect();
    let spoil = |how: &dyn Fn(&Array3<f64>) -> Array3<f64>| {
        for (path, maps) in paths.iter().zip(&good) {
            npy::write(path, &how(maps)).unwrap();
        }
        disagreeing()
    };
    // All but the silent units, which look the same from any side.
    let all = [vec![0, 1, 2, 3, 4], vec![0, 1, 2, 3, 4], vec![0, 1, 2, 3], vec![0, 1]];
    assert_eq!(spoil(&|maps| maps.clone().permuted_axes([0, 2, 1])), all, "axes exchanged");
    let shifted = |maps: &Array3<f64>, axis: Axis, pixels: usize| {
        let (low, high) = maps.view().split_at(axis, maps.len_of(axis) - pixels);
        concatenate(axis, &[high, low]).unwrap()
    };
    assert_eq!(spoil(&|maps| shifted(maps, Axis(1), 2)), all, "2 pixels down");
    assert_eq!(spoil(&|maps| shifted(maps, Axis(2), 2)), all, "2 pixels to the right");
    let next_unit = spoil(&|maps| shifted(maps, Axis(0), 1));
    // ON and OFF have the same field.
    let expected = [vec![0, 2, 4, 5], vec![0, 1, 2, 3, 4, 5], vec![0, 2, 4], vec![0, 1, 2]];
    assert_eq!(next_unit, expected, "units exchanged");
    assert_eq!(spoil(&|maps| maps + 1e-9)[0], [5], "a silent unit is heard");
    assert_eq!(spoil(&Array3::clone), none);
}
