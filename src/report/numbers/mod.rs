//! The numbers of a map: where its peak is, how far it spreads, the elliptical
//! Gaussian that fits it best.
//!
//! Everything is measured on the [`Cells`] of the occluder grid that an image covers and in which
//! an occluder was: values are means over these, and cells without any take no part. Lengths
//! are pixels of the map and coordinates its rows and columns, `y` downward, `(0, 0)` the middle
//! of its first pixel: `map[y, x]`. Values are changes of a response, in the response's own unit.
//!
//! An occluder is marked at its centre pixel. Where its side is even, that is the one up and left
//! of its true centre: half a pixel is to be added to either coordinate to get that.

mod cells;
mod fit;
#[cfg(test)]
pub(in crate::report) mod phantoms;
#[cfg(test)]
mod properties;
mod spread;
mod table;

pub use cells::{Cell, CellMap, Cells};
pub use fit::{Estimate, Fit, LEAST_COVERED, LEAST_EXPLAINED, ModelFit, Models, NoFit, Shape};
pub use table::{Row, layer_table, table};

use super::results::UnitMap;

/// Parts of a map's mass for which [`Numbers::radii`] are given.
pub const MASSES: [f64; 3] = [0.1, 0.5, 0.9];

/// The blur before a fit, as a part of the RF: a standard deviation of `rf / 30`.
pub const BLUR: f64 = 1.0 / 30.0;

/// The measurement of a unit's map.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "most units have numbers")]
pub enum Measured {
    /// Nothing: the unit was not swept.
    NotSwept,
    /// Nothing: no image has an occluder in the receptive field.
    NotCovered,
    /// Nothing: the map is zero everywhere.
    Silent,
    /// Its numbers.
    Numbers(Numbers),
}

/// The numbers of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// The largest value of a cell, of those with at least a tenth of the occluders that the cell
    /// with the most has.
    pub peak: f64,
    /// Where that is, `[y, x]`.
    pub peak_at: [f64; 2],
    /// The sum of the map, over all of its pixels.
    pub mass: f64,
    /// The centre of mass of the cells' values, `[y, x]`.
    pub centre: [f64; 2],
    /// Radii of the circles around the centre of mass that hold the parts [`MASSES`] of the cells'
    /// values, each spread evenly over its cell.
    pub radii: [f64; 3],
    /// The covered area in which the map, interpolated between cells, is at least half its peak;
    /// pixels².
    pub half_maximum_area: f64,
    /// The part of the receptive field that any image covers, 0 to 1.
    pub covered: f64,
    /// The elliptical Gaussian, or why there is none.
    pub fit: Result<Fit, NoFit>,
}

/// Measures a map. `blurred`: the map is blurred before the fit, and for nothing else, by a
/// Gaussian with a standard deviation of [`BLUR`] times the RF, which the fitted widths then
/// contain.
pub fn measure(map: &UnitMap, cells: &Cells, blurred: bool) -> Measured {
    let (map, coverage) = match map {
        UnitMap::NotSwept => return Measured::NotSwept,
        UnitMap::NotCovered => return Measured::NotCovered,
        UnitMap::Silent => return Measured::Silent,
        UnitMap::Values { map, coverage } => (map, coverage),
    };
    let found = cells.of(&map.view(), coverage);
    let Some(peak) = found.peak() else { return Measured::NotCovered };
    let sum: f64 = found.cells.iter().map(|cell| cell.value).sum();
    let moment = |of: fn(&Cell) -> f64| {
        found.cells.iter().map(|cell| cell.value * of(cell)).sum::<f64>() / sum
    };
    let centre = [moment(|cell| cell.y), moment(|cell| cell.x)];
    let for_fit = if blurred { cells.blurred(&found) } else { found.clone() };
    Measured::Numbers(Numbers {
        peak: peak.value,
        peak_at: [peak.y, peak.x],
        mass: map.sum(),
        centre,
        radii: spread::radii(&found.cells, cells.step(), centre, MASSES),
        half_maximum_area: spread::half_maximum_area(&found, cells, peak.value / 2.0),
        covered: coverage.covered(),
        fit: fit::fit(&for_fit, cells),
    })
}
