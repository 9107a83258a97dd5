//! Where the fit of a shape begins: Gaussians of some sizes around the map's peak, with gratings or
//! surrounds of some sizes; what enters linearly is solved for, and the best few are taken.

use nalgebra::{DMatrix, DVector};

use super::Shape;
use crate::report::Gaussian;
use crate::report::numbers::Cell;
use crate::report::numbers::fit::problem::Parameters;
use crate::report::numbers::fit::start;

/// Guesses that are followed.
const FOLLOWED: usize = 4;
/// Sizes of the Gaussian, in those of the guess.
const SIZES: [f64; 3] = [1.0, 0.6, 1.6];
/// Widths of surrounds, in those of the centre.
const RATIOS: [f64; 3] = [1.5, 2.2, 3.5];
/// Waves in a standard deviation of the Gaussian.
const WAVES: [f64; 5] = [0.15, 0.25, 0.4, 0.65, 1.0];
/// Directions of gratings.
const DIRECTIONS: usize = 8;

/// Guesses of a shape's parameters, the best first.
pub(super) fn guesses(shape: Shape, cells: &[Cell], step: f64) -> Vec<Vec<f64>> {
    let gaussians = start::guesses(cells, step);
    if shape == Shape::Gaussian {
        return gaussians.iter().map(|guess| first(guess).to_vec()).collect();
    }
    let mut found: Vec<(f64, Vec<f64>)> = Vec::new();
    for guess in &gaussians {
        for size in SIZES {
            let Gaussian { y, x, yy, xx, yx } = guess.profile();
            let scaled = |variance: f64| variance * size * size;
            let profile = Gaussian { y, x, yy: scaled(yy), xx: scaled(xx), yx: scaled(yx) };
            let base = Parameters::new(1.0, &profile, 0.0);
            match shape {
                Shape::Gaussian => {}
                Shape::Difference => found.extend(differences(&base, cells)),
                Shape::Gabor => found.extend(gabors(&base, cells, step)),
            }
        }
    }
    found.sort_by(|one, other| one.0.total_cmp(&other.0));
    found.into_iter().take(FOLLOWED).map(|(_, guess)| guess).collect()
}

fn first(guess: &Parameters) -> [f64; 7] {
    let Parameters { amplitude, y, x, a, q, c, offset } = *guess;
    [amplitude, y, x, a, q, c, offset]
}

fn differences<'c>(
    base: &'c Parameters,
    cells: &'c [Cell],
) -> impl Iterator<Item = (f64, Vec<f64>)> + 'c {
    let profile = base.profile();
    RATIOS.into_iter().filter_map(move |ratio| {
        let wide =
            |cell: &Cell| (-0.5 * profile.squared_distance(cell.y, cell.x) / (ratio * ratio)).exp();
        let terms = |cell: &Cell| vec![profile.value(cell.y, cell.x), wide(cell), 1.0];
        let (residuals, linear) = solved(cells, &terms)?;
        let mut guess = first(base).to_vec();
        (guess[0], guess[6]) = (linear[0], linear[2]);
        guess.extend([linear[1], (ratio - 1.0_f64).ln()]);
        Some((residuals, guess))
    })
}

fn gabors<'c>(
    base: &'c Parameters,
    cells: &'c [Cell],
    step: f64,
) -> impl Iterator<Item = (f64, Vec<f64>)> + 'c {
    let profile = base.profile();
    let [long, short] = profile.widths();
    let width = (long * short).sqrt();
    let waves = WAVES.into_iter().filter(move |waves| width / waves > 2.0 * step);
    let vectors = waves.flat_map(move |waves| {
        (0..DIRECTIONS).map(move |direction| {
            let angle = std::f64::consts::PI * direction as f64 / DIRECTIONS as f64;
            let k = std::f64::consts::TAU * waves / width;
            [k * angle.sin(), k * angle.cos()]
        })
    });
    vectors.filter_map(move |[y, x]| {
        let terms = |cell: &Cell| {
            let height = profile.value(cell.y, cell.x);
            let (sin, cos) = (y * (cell.y - base.y) + x * (cell.x - base.x)).sin_cos();
            vec![height, height * cos, -height * sin, 1.0]
        };
        let (residuals, linear) = solved(cells, &terms)?;
        let mut guess = first(base).to_vec();
        (guess[0], guess[6]) = (linear[0], linear[3]);
        guess.extend([linear[1].hypot(linear[2]), y, x, linear[2].atan2(linear[1])]);
        Some((residuals, guess))
    })
}

/// The factors of some terms that fit best, and the sum of squared residuals.
fn solved(cells: &[Cell], terms: &dyn Fn(&Cell) -> Vec<f64>) -> Option<(f64, Vec<f64>)> {
    let rows: Vec<Vec<f64>> = cells.iter().map(terms).collect();
    let count = rows.first()?.len();
    let (mut product, mut right) = (DMatrix::zeros(count, count), DVector::zeros(count));
    let mut squares = 0.0;
    for (cell, row) in cells.iter().zip(&rows) {
        for (one, by_one) in row.iter().enumerate() {
            right[one] += cell.weight * by_one * cell.value;
            for (other, by_other) in row.iter().enumerate() {
                product[(one, other)] += cell.weight * by_one * by_other;
            }
        }
        squares += cell.weight * cell.value * cell.value;
    }
    let factors = product.cholesky()?.solve(&right);
    let residuals = squares - factors.dot(&right);
    Some((residuals, factors.as_slice().to_vec()))
}
