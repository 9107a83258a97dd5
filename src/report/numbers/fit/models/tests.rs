use levenberg_marquardt::{LeastSquaresProblem as _, differentiate_numerically};
use rand_mt::Mt;
use serde_json::Value;

use super::super::super::phantoms::{layer, settings};
use super::*;
use crate::report::Gaussian;

const RF: usize = 99;

fn grid() -> Cells {
    Cells::new(&layer(RF), &settings())
}

/// A map of a function of the position, with noise of a standard deviation on each cell.
fn drawn(value: &dyn Fn(f64, f64) -> f64, noise: f64, seed: u32) -> CellMap {
    let (grid, mut random) = (grid(), Mt::new(seed));
    let count = grid.count();
    let mut uniform = || f64::from(random.next_u32()) / 2.0_f64.powi(32);
    let cell = |index: usize| {
        let index = [index / count, index % count];
        let [y, x] = index.map(|cell| grid.raster().y.middle(cell));
        // Twelve uniform numbers are about normal.
        let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        Cell { index, y, x, value: value(y, x) + noise * normal, weight: 1.0 }
    };
    let cells = (0..count * count).map(cell).collect();
    CellMap { cells, covered: vec![true; count * count], images: 1 }
}

fn profile() -> Gaussian {
    Gaussian::oriented([45.0, 52.0], [14.0, 10.0], 30.0)
}

fn gabor(y: f64, x: f64) -> f64 {
    // Crests 16 pixels apart, going up to the right, at 30 degrees.
    let (sin, cos) = 30.0_f64.to_radians().sin_cos();
    let along = (x - 52.0) * cos - (y - 45.0) * sin;
    let grating = (std::f64::consts::TAU * along / 16.0 + 1.0).cos();
    (1.0 + 0.8 * grating) * profile().value(y, x) + 0.2
}

fn difference(y: f64, x: f64) -> f64 {
    let wide = (-0.5 * profile().squared_distance(y, x) / 4.0).exp();
    2.0 * profile().value(y, x) - 0.9 * wide + 0.5
}

#[test]
fn the_slopes_are_the_derivatives() {
    let map = drawn(&gabor, 0.1, 1);
    let base = [1.3, 44.0, 53.0, -2.6, 0.02, -2.4, 0.1];
    for (shape, own) in [
        (Shape::Gaussian, &[][..]),
        (Shape::Difference, &[-0.6, 0.2]),
        (Shape::Gabor, &[0.7, 0.2, 0.3, 0.5]),
    ] {
        let at = [&base[..], own].concat();
        let mut problem = Problem::new(shape, &map.cells, at);
        let expected = differentiate_numerically(&mut problem).unwrap();
        let found = problem.jacobian().unwrap();
        assert!((found - expected).abs().max() < 1e-4, "{shape:?}");
    }
}

#[test]
fn a_map_has_the_shape_that_it_was_drawn_with() {
    let gaussian = |y: f64, x: f64| profile().value(y, x) + 0.3;
    let values: [&dyn Fn(f64, f64) -> f64; 3] = [&gaussian, &difference, &gabor];
    for (value, shape) in values.into_iter().zip(Shape::ALL) {
        let mut chosen = 0;
        for seed in 0..10 {
            let models = Models::of(&drawn(value, 0.05, 100 + seed), &grid());
            chosen += usize::from(models.best().is_some_and(|best| best.shape == shape));
        }
        assert!(chosen >= 9, "{shape:?}: {chosen} of 10");
    }
}

#[test]
fn a_gabors_and_a_differences_numbers_are_recovered() {
    let models = Models::of(&drawn(&gabor, 0.0, 0), &grid());
    let best = models.best().unwrap();
    assert_eq!(best.shape, Shape::Gabor);
    let expected = [0.8, 16.0, 30.0, 1.0_f64.to_degrees()];
    for (own, expected) in best.own.iter().zip(expected) {
        assert!((own.value / expected - 1.0).abs() < 1e-6, "{best:?}");
    }
    assert!((best.fit.amplitude.value - 1.0).abs() < 1e-6, "{best:?}");
    assert!((best.fit.long.value - 14.0).abs() < 1e-5 && (best.fit.x.value - 52.0).abs() < 1e-5);
    let models = Models::of(&drawn(&difference, 0.0, 0), &grid());
    let best = models.best().unwrap();
    assert_eq!(best.shape, Shape::Difference);
    for (own, expected) in best.own.iter().zip([-0.9, 2.0]) {
        assert!((own.value / expected - 1.0).abs() < 1e-5, "{best:?}");
    }
}

#[test]
fn standard_errors_cover_the_truth_as_often_as_they_should() {
    let mut inside = 0;
    for seed in 0..40 {
        let models = Models::of(&drawn(&gabor, 0.08, 500 + seed), &grid());
        let fit = models.fits[2].as_ref().unwrap();
        inside += usize::from((fit.own[1].value - 16.0).abs() < 2.0 * fit.own[1].error);
    }
    // 95 %: 38, with a standard deviation of 1.4.
    assert!((33..=40).contains(&inside), "{inside}");
}

#[test]
fn maps_without_a_shape_have_none() {
    let models = Models::of(&drawn(&|_, _| 1.0, 0.0, 0), &grid());
    assert!(models.best().is_none(), "{models:?}");
    let mut few = drawn(&gabor, 0.0, 0);
    few.cells.truncate(9);
    assert!(Models::of(&few, &grid()).fits[2].is_err());
}

#[test]
fn fits_and_criteria_are_those_of_scipy() {
    let text = include_str!("../../../../../tests/data/analysis/fits.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let floats = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    for case in all["cases"].as_array().unwrap() {
        let values = floats(&case["values"]);
        let mut map = drawn(&|_, _| 0.0, 0.0, 0);
        for (cell, value) in map.cells.iter_mut().zip(&values) {
            cell.value = *value;
        }
        let models = Models::of(&map, &grid());
        for (fit, expected) in models.fits.iter().zip(case["fits"].as_array().unwrap()) {
            let fit = fit.as_ref().unwrap();
            let near = |what: &str, found: f64, expected: &Value, tolerance: f64| {
                let expected = expected.as_f64().unwrap();
                let off = (found / expected - 1.0).abs();
                assert!(off < tolerance, "{:?} {what}: {found} {expected}", fit.shape);
            };
            near("residuals", fit.residuals, &expected["residuals"], 1e-9);
            let unit = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
            let shifted = fit.criterion + values.len() as f64 * (unit * unit).ln();
            near("criterion", shifted, &expected["criterion"], 1e-9);
            let base = [fit.fit.amplitude, fit.fit.y, fit.fit.x, fit.fit.offset];
            for (estimate, expected) in
                base.iter().chain(&fit.own).zip(expected["own"].as_array().unwrap())
            {
                // Where a sum of squares is flat to 1e-16, parameters are known to its root.
                near("value", estimate.value, &expected[0], 2e-7);
                near("error", estimate.error, &expected[1], 1e-5);
            }
        }
        assert_eq!(models.best().unwrap().shape.name(), case["best"]);
    }
}
