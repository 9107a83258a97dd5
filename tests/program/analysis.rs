//! The mathematics of maps against `NumPy` and `SciPy`: `tests/data/analysis/`, numbers beside the scripts
//! that made them.

use std::slice::from_ref;

use occlumap::analysis::{
    Distribution, Extent, Field, Floor, PairSet, PairSettings, Raster, Region, Sample, SizedWidth,
    Ticks, discoveries, extrapolated, student_above,
};
use serde_json::Value;

/// The relative agreement that is asked for.
const TOLERANCE: f64 = 1e-9;

pub fn reference(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/analysis");
    let text = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Holds numbers against those of `SciPy`.
pub fn agree(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (found - expected).abs() / largest.max(f64::MIN_POSITIVE);
        assert!(off <= TOLERANCE, "{what} [{index}]: {found}, SciPy has {expected}");
    }
}

fn field(raster: Raster, values: &Value) -> Field {
    let known = |value: f64| if value == -1.0 { f64::NAN } else { value };
    Field::new(raster, floats(values).into_iter().map(known).collect())
}

#[test]
fn pairs_of_maps_are_as_alike_as_scipy_finds_them() {
    let all = reference("pairs.json");
    let rf = all["rf"].as_f64().unwrap();
    for case in all["cases"].as_array().unwrap() {
        let shape: Vec<usize> = floats(&case["shape"]).into_iter().map(|n| n as usize).collect();
        let raster = Raster { y: Ticks::over(rf, shape[0]), x: Ticks::over(rf, shape[1]) };
        let [one, other] = [0, 1].map(|which| field(raster, &case["maps"][which]));
        let settings = PairSettings {
            blurs: floats(&all["blurs"]),
            region_blur: all["region_blur"].as_f64().unwrap(),
            extent: case["mass"].as_f64().map_or(Extent::HalfMaximum, Extent::Mass),
            shuffles: 0,
            seed: 0,
        };
        let blurred: Vec<f64> = one.blurred(settings.blurs[2] * rf).known().collect();
        agree("blurred", &blurred, &floats(&case["blurred"]));
        let mut set = PairSet::new(&settings, rf);
        set.add(from_ref(&one), from_ref(&other));
        let pair = &set.pairs()[0];
        agree("r", &pair.r, &floats(&case["r"]));
        agree("overlap", &[pair.overlap], &[case["overlap"].as_f64().unwrap()]);
        let regions = [&one, &other].map(|field| {
            Region::of(&field.blurred(settings.region_blur * rf), settings.extent).unwrap()
        });
        agree("areas", &regions.each_ref().map(Region::area), &floats(&case["areas"]));
        let ratio = case["areas"][1].as_f64().unwrap() / case["areas"][0].as_f64().unwrap();
        agree("area ratio", &[pair.area_ratio], &[ratio]);
        for (which, region) in regions.iter().enumerate() {
            let found = &region.profile;
            agree("centre", &[found.y, found.x], &floats(&case["centres"][which]));
            let covariance = [found.yy, found.xx, found.yx];
            agree("covariance", &covariance, &floats(&case["covariances"][which]));
        }
        let [from, to] = [0, 1].map(|which| floats(&case["centres"][which]));
        assert!((pair.shift[0] - (to[0] - from[0])).abs() < TOLERANCE * rf);
        assert!((pair.shift[1] - (to[1] - from[1])).abs() < TOLERANCE * rf);
        agree("turn", &[pair.turn], &[case["turn"].as_f64().unwrap()]);
        if !case["composite"].is_null() {
            let composite = one.composite(&other).unwrap();
            agree("composite", &composite.values, &floats(&case["composite"]));
        }
    }
}

#[test]
fn means_on_coarser_cells_and_quantiles_are_those_of_numpy() {
    let all = reference("pairs.json");
    let fine = Raster { y: Ticks::over(9.0, 9), x: Ticks::over(7.0, 7) };
    let coarse = Raster { y: Ticks::over(9.0, 4), x: Ticks::over(7.0, 3) };
    let found = field(fine, &all["resampled"]["values"]).onto(&coarse);
    agree("means", &found.values, &floats(&all["resampled"]["means"]));
    let expected = &all["distribution"];
    let found = Distribution::of(floats(&expected["values"])).unwrap();
    agree("mean", &[found.mean], &[expected["mean"].as_f64().unwrap()]);
    agree("quantiles", &found.quantiles, &floats(&expected["quantiles"]));
}

#[test]
fn floors_and_what_exceeds_them_are_those_of_scipy() {
    let all = reference("floor.json");
    for line in all["student"].as_array().unwrap() {
        let line = floats(line);
        let (found, expected) = (student_above(line[0], line[1]), line[2]);
        // Relative to the probability itself, however small.
        assert!((found / expected - 1.0).abs() < TOLERANCE, "{line:?}: {found}");
    }
    let images: Vec<Vec<f64>> = all["images"].as_array().unwrap().iter().map(floats).collect();
    let sample = |cell: usize| {
        let values = images.iter().map(|image| image[cell]);
        let squares = values.clone().map(|value| value * value).sum();
        Sample::of_sums(images.len() as f64, values.sum(), squares)
    };
    let samples: Vec<Sample> = (0..images[0].len()).map(sample).collect();
    let errors: Vec<f64> = samples.iter().map(|sample| sample.error).collect();
    agree("errors", &errors, &floats(&all["errors"]));
    let floor = Floor::of(&samples.iter().map(|sample| sample.mean).collect::<Vec<_>>()).unwrap();
    let expected = ["level", "error", "cells"].map(|name| all[name].as_f64().unwrap());
    agree("floor", &[floor.level, floor.error, floor.cells as f64], &expected);
    let p: Vec<f64> = samples.iter().map(|sample| floor.probability(sample)).collect();
    agree("probabilities", &p, &floats(&all["probabilities"]));
    let exceeds = discoveries(&p, all["rate"].as_f64().unwrap());
    let expected = all["exceeds"].as_array().unwrap().iter().map(|is| is.as_bool().unwrap());
    assert_eq!(exceeds, expected.collect::<Vec<_>>());
}

#[test]
fn widths_are_extrapolated_as_scipys_line_says() {
    for case in reference("sizes.json")["cases"].as_array().unwrap() {
        let [sizes, widths, errors] = [0, 1, 2].map(|part| floats(&case[part]));
        let widths = sizes.iter().zip(&widths).zip(&errors);
        let widths = widths.map(|((&size, &width), &error)| SizedWidth { size, width, error });
        let found = extrapolated(&widths.collect::<Vec<_>>()).unwrap();
        let expected: Vec<Option<f64>> =
            case[3].as_array().unwrap().iter().map(Value::as_f64).collect();
        assert_eq!(found.width.is_some(), expected[0].is_some(), "{case}");
        if let Some(width) = found.width {
            agree("width", &[width.width], &[expected[0].unwrap()]);
            agree("error", &[width.error], &[expected[1].unwrap()]);
        }
        agree("slope", &[found.slope], &[expected[2].unwrap()]);
    }
}
