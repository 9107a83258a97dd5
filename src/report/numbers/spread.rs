//! How far a map spreads.

use super::{Cell, CellMap, Cells};

/// Points along an axis of the whole map, about, at which it is looked at.
const POINTS: usize = 160;
/// Points along an axis of a cell, at least: a map may lie in a single one.
const LEAST_POINTS: usize = 12;

/// The radii, around `centre`, of the circles that hold these parts of the mass, ascending. Each
/// value is spread evenly over its cell of `step` pixels.
pub(super) fn radii(cells: &[Cell], step: usize, centre: [f64; 2], parts: [f64; 3]) -> [f64; 3] {
    let (side, fine) = points(cells, step);
    // The mass by its distance, in bins of a fraction of a pixel.
    let bin = fine / 4.0;
    let mut masses: Vec<f64> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.value != 0.0) {
        let offset = |point: usize| (point as f64 + 0.5) * fine - step as f64 / 2.0;
        for (row, column) in (0..side).flat_map(|row| (0..side).map(move |column| (row, column))) {
            let (dy, dx) = (cell.y + offset(row) - centre[0], cell.x + offset(column) - centre[1]);
            let ring = (dy.hypot(dx) / bin) as usize;
            if ring >= masses.len() {
                masses.resize(ring + 1, 0.0);
            }
            masses[ring] += cell.value;
        }
    }
    let total: f64 = masses.iter().sum();
    parts.map(|part| {
        let mut before = 0.0;
        for (ring, mass) in masses.iter().enumerate() {
            if before + mass >= part * total {
                return bin * (ring as f64 + (part * total - before) / mass.max(f64::MIN_POSITIVE));
            }
            before += mass;
        }
        bin * masses.len() as f64
    })
}

/// The area, in pixels², of the covered cells in which the map, interpolated linearly between the
/// cells' centres, is at least `level`. Cells that are not measured are
/// [filled](Cells::filled); outside of the RF the map is zero.
pub(super) fn half_maximum_area(map: &CellMap, grid: &Cells, level: f64) -> f64 {
    let (side, fine) = points(&map.cells, grid.step());
    // A border of zeros, so that each of the cells has four neighbours.
    let across = grid.count() + 2;
    let (mut values, mut covered) = (vec![0.0; across * across], vec![false; across * across]);
    for (((y, x), &value), &is_covered) in grid.filled(map).indexed_iter().zip(&map.covered) {
        values[(y + 1) * across + x + 1] = value;
        covered[(y + 1) * across + x + 1] = is_covered;
    }
    let mut inside = 0_usize;
    for (top, left) in (0..across - 1).flat_map(|top| (0..across - 1).map(move |left| (top, left)))
    {
        let corner = |dy: usize, dx: usize| values[(top + dy) * across + left + dx];
        let corners = [corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)];
        if corners.iter().all(|&value| value < level) {
            continue;
        }
        let part = |point: usize| (point as f64 + 0.5) / side as f64;
        for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (part(y), part(x)))) {
            let upper = corners[0] * (1.0 - x) + corners[1] * x;
            let lower = corners[2] * (1.0 - x) + corners[3] * x;
            let nearest = (top + usize::from(y >= 0.5)) * across + left + usize::from(x >= 0.5);
            inside += usize::from(covered[nearest] && upper * (1.0 - y) + lower * y >= level);
        }
    }
    inside as f64 * fine * fine
}

/// Points along an axis of a cell, and the distance between them in pixels.
fn points(cells: &[Cell], step: usize) -> (usize, f64) {
    let across = cells.iter().map(|cell| cell.index[0].max(cell.index[1]) + 1).max().unwrap_or(1);
    let side = (POINTS / across).max(LEAST_POINTS);
    (side, step as f64 / side as f64)
}

#[cfg(test)]
mod tests {
    use super::super::phantoms::{Phantom, layer, settings, uncut};
    use super::super::{MASSES, Measured, measure};
    use super::*;

    #[test]
    fn a_gaussian_spreads_as_its_formula_says() {
        for rf in [51, 99, 163] {
            let width = rf as f64 / 9.0;
            let phantom = Phantom {
                y: 0.45 * rf as f64,
                x: 0.53 * rf as f64,
                long: width,
                short: width,
                ..Phantom::default()
            };
            let cells = Cells::new(&layer(rf), &settings());
            let Measured::Numbers(found) = measure(&phantom.map(rf), &cells, false) else {
                panic!("numbers")
            };
            for (radius, part) in found.radii.iter().zip(MASSES) {
                let expected = width * (-2.0 * (1.0 - part).ln()).sqrt();
                assert!((radius / expected - 1.0).abs() < 0.04, "{rf}: {radius} {expected}");
            }
            let area = 2.0 * std::f64::consts::PI * std::f64::consts::LN_2 * width * width;
            assert!((found.half_maximum_area / area - 1.0).abs() < 0.06, "{rf}: {found:?}");
            assert!((found.centre[0] - phantom.y).abs() < 0.1, "{found:?}");
            assert!((found.centre[1] - phantom.x).abs() < 0.1, "{found:?}");
        }
    }

    #[test]
    fn a_single_mark_spreads_over_its_cell() {
        let cells = Cells::new(&layer(99), &settings());
        let mut map = ndarray::Array2::zeros((99, 99));
        map[[8, 12]] = 3.0;
        let found = cells.of(&map.view(), &uncut(99));
        let [tenth, half, most] = radii(&found.cells, 4, [8.0, 12.0], MASSES);
        // Circles of a tenth and of half of a square of 4 by 4.
        for (radius, part) in [(tenth, 0.1), (half, 0.5)] {
            let expected = (16.0 * part / std::f64::consts::PI).sqrt();
            assert!((radius - expected).abs() < 0.1, "{radius} {expected}");
        }
        assert!((2.0..2.0 * 2.0_f64.sqrt()).contains(&most), "{most}");
    }
}
