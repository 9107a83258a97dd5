//! The measures of each map.

use std::f64::consts::PI;

use crate::analysis::LEAST_ASPECT;
use crate::report::numbers::{Cells, Numbers};

/// Bins of orientations, of 15 degrees each: the first around the right, from -7.5 degrees on.
pub const BINS: usize = 12;

/// A number of a map.
#[derive(Clone, Copy)]
pub struct SizeMeasure {
    /// Its name.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Its meaning.
    pub meaning: &'static str,
    /// The number; NaN where a map has none.
    pub value: fn(&Numbers, &Cells) -> f64,
}

impl std::fmt::Debug for SizeMeasure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SizeMeasure").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All of them.
pub const MEASURES: [SizeMeasure; 12] = [
    SizeMeasure {
        name: "effective_diameter",
        unit: "pixels",
        meaning: "diameter of a circle of the area where the map is at least half its peak",
        value: |numbers, _| diameter(numbers),
    },
    SizeMeasure {
        name: "effective_share",
        unit: "",
        meaning: "effective diameter over the side of the theoretical receptive field",
        value: |numbers, cells| diameter(numbers) / cells.rf() as f64,
    },
    SizeMeasure {
        name: "half_maximum_area",
        unit: "pixels^2",
        meaning: "area where the map is at least half its peak",
        value: |numbers, _| numbers.half_maximum_area,
    },
    SizeMeasure {
        name: "area_share",
        unit: "",
        meaning: "that area over the area of the theoretical receptive field",
        value: |numbers, cells| numbers.half_maximum_area / (cells.rf() as f64).powi(2),
    },
    SizeMeasure {
        name: "radius_50",
        unit: "pixels",
        meaning: "radius of the circle around the centre of mass that holds 50 % of the map",
        value: |numbers, _| numbers.radii[1],
    },
    SizeMeasure {
        name: "radius_90",
        unit: "pixels",
        meaning: "the same for 90 %",
        value: |numbers, _| numbers.radii[2],
    },
    SizeMeasure {
        name: "eccentricity",
        unit: "pixels",
        meaning: "distance of the fitted Gaussian's centre from the middle of the receptive field",
        value: eccentricity,
    },
    SizeMeasure {
        name: "eccentricity_share",
        unit: "",
        meaning: "that distance over half the side of the receptive field",
        value: |numbers, cells| 2.0 * eccentricity(numbers, cells) / cells.rf() as f64,
    },
    SizeMeasure {
        name: "fit_long",
        unit: "pixels",
        meaning: "standard deviation of the fitted Gaussian along its long axis",
        value: |numbers, _| numbers.fit.map_or(f64::NAN, |fit| fit.long.value),
    },
    SizeMeasure {
        name: "fit_short",
        unit: "pixels",
        meaning: "along its short axis",
        value: |numbers, _| numbers.fit.map_or(f64::NAN, |fit| fit.short.value),
    },
    SizeMeasure {
        name: "aspect",
        unit: "",
        meaning: "the one over the other",
        value: |numbers, _| aspect(numbers),
    },
    SizeMeasure {
        name: "explained_variance",
        unit: "",
        meaning: "explained variance of the fitted Gaussian",
        value: |numbers, _| numbers.fit.map_or(f64::NAN, |fit| fit.explained_variance),
    },
];

fn diameter(numbers: &Numbers) -> f64 {
    2.0 * (numbers.half_maximum_area / PI).sqrt()
}

fn eccentricity(numbers: &Numbers, cells: &Cells) -> f64 {
    let middle = (cells.rf() as f64 - 1.0) / 2.0 - cells.shift();
    numbers.fit.map_or(f64::NAN, |fit| (fit.y.value - middle).hypot(fit.x.value - middle))
}

fn aspect(numbers: &Numbers) -> f64 {
    numbers.fit.map_or(f64::NAN, |fit| fit.long.value / fit.short.value)
}

/// The bin of a map's orientation; `None` of one without a fit, or that is rounder than
/// [`LEAST_ASPECT`].
pub(super) fn bin(numbers: &Numbers) -> Option<usize> {
    let angle = numbers.fit.ok()?.angle?.value;
    let width = 180.0 / BINS as f64;
    (aspect(numbers) >= LEAST_ASPECT).then(|| ((angle / width).round() as usize) % BINS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::numbers::phantoms::{Phantom, layer, settings};
    use crate::report::numbers::{Measured, measure};

    #[test]
    fn a_gaussians_numbers_are_those_that_it_was_drawn_with() {
        let cells = Cells::new(&layer(99), &settings());
        let phantom = Phantom {
            y: 46.0,
            x: 53.0,
            long: 16.0,
            short: 8.0,
            degrees: 44.0,
            ..Phantom::default()
        };
        let Measured::Numbers(found) = measure(&phantom.map(99), &cells, false) else {
            panic!("numbers")
        };
        let of = |name| {
            let measure = MEASURES.iter().find(|measure| measure.name == name).unwrap();
            (measure.value)(&found, &cells)
        };
        let area = 2.0 * PI * std::f64::consts::LN_2 * 16.0 * 8.0;
        assert!((of("half_maximum_area") / area - 1.0).abs() < 0.05);
        assert!((of("effective_share") * 99.0 - of("effective_diameter")).abs() < 1e-9);
        assert!((of("area_share") * 99.0 * 99.0 - of("half_maximum_area")).abs() < 1e-9);
        // 3 rows above and 4 columns right of the middle, (49, 49).
        assert!((of("eccentricity") - 5.0).abs() < 0.02, "{}", of("eccentricity"));
        assert!((of("eccentricity_share") - 10.0 / 99.0).abs() < 1e-3);
        assert!((of("aspect") - 2.0).abs() < 0.01 && of("explained_variance") > 0.999);
        assert_eq!(bin(&found), Some(3));
        let round = Phantom { long: 9.0, short: 8.5, ..phantom };
        let Measured::Numbers(round) = measure(&round.map(99), &cells, false) else { panic!() };
        assert_eq!(bin(&round), None);
        // 178 degrees lie in the bin around 0.
        let level = Phantom { degrees: 178.0, ..phantom };
        let Measured::Numbers(level) = measure(&level.map(99), &cells, false) else { panic!() };
        assert_eq!(bin(&level), Some(0));
    }
}
