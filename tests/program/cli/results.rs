//! Finished maps, opened to be looked at.

use std::path::Path;

use ndarray::{Array3, Axis, Ix3};
use occlumap::files::npy::{self, Values};
use occlumap::ranking::Side;
use occlumap::report::{Results, Tones, UnitMap};

use crate::workplace::{INPUTS, Workplace};

fn maps(path: &Path) -> Array3<f64> {
    match npy::read(path).unwrap() {
        Values::F64(array) => array.into_dimensionality::<Ix3>().unwrap(),
        other => panic!("{} holds {}", path.display(), other.dtype()),
    }
}

#[test]
fn a_run_is_opened_with_maps_rankings_places_and_images() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("run {INPUTS} --layers conv4,conv2 --top 3 --units 1,4 --out out"));
    let results = Results::open(&workplace.path("out"), None).unwrap();
    assert!(results.is_complete());
    let names: Vec<&str> =
        results.layers().iter().map(occlumap::report::LayerResults::name).collect();
    assert_eq!(names, ["conv2", "conv4"]);
    let [layer] = results.layers_named(&["conv4".into()]).unwrap()[..] else { panic!("one") };
    assert_eq!((layer.units(), layer.swept()), (6, vec![1, 4]));
    let stored = maps(&workplace.path("out/maps/conv4_min.npy"));
    for unit in 0..6 {
        let found = layer.map(unit, Side::Bottom).unwrap();
        if [1, 4].contains(&unit) {
            assert_eq!(found.values().unwrap(), stored.index_axis(Axis(0), unit));
        } else {
            assert_eq!(found, UnitMap::NotSwept);
        }
    }
    assert!(layer.map(6, Side::Top).is_err());

    let ranking = layer.ranking().unwrap().unwrap();
    assert_eq!((ranking.len(), ranking[4].top.len()), (6, 3));
    let entry = ranking[4].top[0];
    assert!(entry.response.unwrap() >= ranking[4].top[1].response.unwrap());
    let (y, x) = layer.position(&entry);
    assert_eq!(entry.position as usize, y * layer.geometry().output.width + x);
    let placement = layer.placement(&entry).unwrap();
    assert_eq!(placement.pixels, layer.field(&entry).clip(results.image_size()));

    // The manifest names the images as they were named: from here they are not there.
    let error = results.images(None).unwrap_err().to_string();
    assert!(error.contains("images: there is no such folder") && error.contains("--images"));
    let images = results.images(Some(&workplace.path("images"))).unwrap();
    let tones = Tones::of(&images).unwrap();
    let image = images.read(entry.image as usize).unwrap();
    let crop = tones.crop(&image.view(), layer.field(&entry));
    assert_eq!(crop.dimensions(), (layer.rf() as u32, layer.rf() as u32));
    workplace.copy("images/1.npy", "images/0.npy");
    assert!(images.read(0).unwrap_err().to_string().contains("changed"));
    workplace.copy("images/1.npy", "images/4.npy");
    assert_eq!(results.images(Some(&workplace.path("images"))).unwrap().len(), 4);
    workplace.remove("images/4.npy");
    workplace.remove("images/3.npy");
    let error = results.images(Some(&workplace.path("images"))).unwrap_err().to_string();
    assert!(error.contains("holds no 3.npy, from which the maps were made"), "{error}");
}

#[test]
fn a_sweep_of_a_ranking_elsewhere_is_opened_with_it_or_without() {
    let workplace = Workplace::new();
    workplace.succeeds(&format!("rank {INPUTS} --layers conv2 --top 2 --out ranked"));
    workplace.succeeds(&format!(
        "sweep {INPUTS} --layers conv2 --ranking ranked/ranking --units 0 --every 9 --out out"
    ));
    let out = workplace.path("out");
    let alone = Results::open(&out, None).unwrap();
    assert_eq!(alone.layers()[0].ranking().unwrap(), None);
    let both = Results::open(&out, Some(&workplace.path("ranked/ranking"))).unwrap();
    assert!(both.layers()[0].ranking().unwrap().is_some());
    let error = Results::open(&out, Some(&workplace.path("absent"))).unwrap_err().to_string();
    assert!(error.contains("absent: there is no such folder"), "{error}");
    workplace.succeeds(&format!("rank {INPUTS} --preprocess standardize --top 2 --out other"));
    let error =
        Results::open(&out, Some(&workplace.path("other/ranking"))).unwrap_err().to_string();
    assert!(error.contains("made for preprocessing standardize"), "{error}");
}

#[test]
fn what_is_unfinished_damaged_or_something_else_is_refused_with_its_reason() {
    let workplace = Workplace::new();
    let refused = |folder: &str, parts: &[&str]| {
        let error = Results::open(&workplace.path(folder), None).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{error}");
        }
    };
    refused("absent", &["absent: there is no such folder", "the --out of a `run` or `sweep`"]);
    refused("images", &["holds no results of occlumap"]);
    workplace.succeeds(&format!("rank {INPUTS} --layers conv1 --top 2 --out out"));
    refused("out", &["holds a ranking and no maps"]);
    workplace.succeeds(&format!("run {INPUTS} --layers conv1 --top 2 --every 9 --out out"));
    assert!(Results::open(&workplace.path("out"), None).is_ok());

    let manifest = String::from_utf8(workplace.read("out/manifest.json")).unwrap();
    let changed = |from: &str, to: &str| {
        assert!(manifest.contains(from), "{from}");
        workplace.write("out/manifest.json", manifest.replace(from, to));
    };
    changed("\"version\": 2", "\"version\": 1");
    refused(
        "out",
        &["manifest.json: is of version 1, and this program reads version 2", "--force"],
    );
    changed("occlumap maps", "occlumap pictures");
    refused("out", &["manifest.json: not a manifest of finished `occlumap maps` of version 2"]);
    changed("\"kernel\": 5", "\"kernel\": 7");
    refused("out", &["manifest.json", "has other layers than it had"]);
    changed("\"complete\": true", "\"complete\": false");
    assert!(!Results::open(&workplace.path("out"), None).unwrap().is_complete());
    workplace.write("out/manifest.json", &manifest);
    workplace.cut("out/maps/conv1_min.npy");
    refused("out", &["conv1_min.npy: damaged or cut short"]);
    workplace.remove("out/maps/conv1_min.npy");
    refused("out", &["conv1_min.npy: cannot be read"]);
    workplace.remove("out/manifest.json");
    std::fs::create_dir_all(workplace.path("out/blocks/maps")).unwrap();
    refused("out", &["is not finished", "`occlumap status"]);
}
