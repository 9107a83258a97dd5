//! Where a fit begins.

use super::{Cell, Parameters};
use crate::report::Gaussian;

/// Two guesses: the moments of what stands out of the map, and a round profile at its peak. The
/// first is the better one where a map has one smooth peak, the second where it has several.
pub(super) fn guesses(cells: &[Cell], step: f64) -> Vec<Parameters> {
    let mut values: Vec<f64> = cells.iter().map(|cell| cell.value).collect();
    values.sort_unstable_by(f64::total_cmp);
    let (offset, largest) = (values[values.len() / 10], values[values.len() - 1]);
    let amplitude = largest - offset;
    let Some(peak) = cells.iter().find(|cell| cell.value >= largest) else { return Vec::new() };

    // Values above a quarter count by the excess.
    let level = offset + 0.25 * amplitude;
    let weight = |cell: &Cell| (cell.value - level).max(0.0);
    let sum: f64 = cells.iter().map(weight).sum();
    let mean = |of: &dyn Fn(&Cell) -> f64| {
        cells.iter().map(|cell| weight(cell) * of(cell)).sum::<f64>() / sum
    };
    let (y, x) = (mean(&|cell| cell.y), mean(&|cell| cell.x));
    // A single cell has no moments.
    let least = step * step / 4.0;
    let moments = Gaussian {
        y,
        x,
        yy: mean(&|cell| (cell.y - y).powi(2)) + least,
        xx: mean(&|cell| (cell.x - x).powi(2)) + least,
        yx: mean(&|cell| (cell.y - y) * (cell.x - x)),
    };

    let half = offset + 0.5 * amplitude;
    let area = step * step * cells.iter().filter(|cell| cell.value >= half).count() as f64;
    // A Gaussian's area at half its height is 2π ln 2 times its variance.
    let variance = area / (2.0 * std::f64::consts::PI * std::f64::consts::LN_2);
    let round = Gaussian { y: peak.y, x: peak.x, yy: variance, xx: variance, yx: 0.0 };
    [moments, round].map(|profile| Parameters::new(amplitude, &profile, offset)).into()
}
