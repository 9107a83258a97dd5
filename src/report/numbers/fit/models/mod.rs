//! Other shapes than a Gaussian, fitted to the same cells, and which of them a map has.
//!
//! With the Gaussian profile `g(s) = exp(-d · C⁻¹ · d / (2 s²))`, `d` the way from the centre:
//!
//! | shape | model |
//! | --- | --- |
//! | Gaussian | `amplitude · g(1) + offset` |
//! | difference of Gaussians | `amplitude · g(1) + surround · g(ratio) + offset`, `ratio > 1` |
//! | Gabor | `(amplitude + modulation · cos(k · d + phase)) · g(1) + offset` |
//!
//! A difference has a surround below zero; one above is a centre on a broad base. A map of the sizes of
//! changes is never below zero, so a Gabor's grating is distinguished from the Gaussian under it. Standard errors
//! are those of nonlinear least squares, as for the Gaussian. The shape is the one with the smallest
//! Bayesian information criterion, `n ln(SSE / n) + K ln n`, of `n` cells and `K` parameters, of which the
//! variance is one: a grating is the best of many waves, which Akaike's criterion does not count.

mod general;
mod shape;
mod start;

use nalgebra::{DMatrix, SMatrix};

use self::general::{Problem, covariance, minimize};
pub use self::shape::Shape;
use super::errors::estimates;
use super::problem::{COUNT, Parameters};
use super::{Estimate, Fit, NoFit};
use crate::report::numbers::{Cell, CellMap, Cells};

/// The widest surround, in widths of the centre.
const WIDEST: f64 = 8.0;

/// A shape, fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFit {
    /// Which.
    pub shape: Shape,
    /// The Gaussian of it: of a difference the centre, of a Gabor what the grating lies under.
    pub fit: Fit,
    /// The shape's own parameters, in the order of [`Shape::own`].
    pub own: Vec<Estimate>,
    /// Sum of squared residuals over the cells, weighted by their occluders with a mean weight of 1.
    pub residuals: f64,
    /// The information criterion, of values in units of the map's largest.
    pub criterion: f64,
}

/// The shapes of a map: each fitted, or why it is not.
#[derive(Clone, Debug)]
pub struct Models {
    /// In the order of [`Shape::ALL`].
    pub fits: [Result<ModelFit, NoFit>; 3],
}

impl Models {
    /// The shape with the smallest criterion; `None` where none fits.
    pub fn best(&self) -> Option<&ModelFit> {
        let fits = self.fits.iter().filter_map(|fit| fit.as_ref().ok());
        fits.min_by(|one, other| one.criterion.total_cmp(&other.criterion))
    }

    /// Fits all shapes to the cells of a map.
    pub fn of(map: &CellMap, grid: &Cells) -> Self {
        Self { fits: Shape::ALL.map(|shape| fit(shape, map, grid)) }
    }
}

/// The criterion of a fit with this many parameters.
pub(super) fn criterion(residuals: f64, cells: usize, parameters: usize) -> f64 {
    let (n, k) = (cells as f64, parameters as f64 + 1.0);
    // A fit without residuals is exact but for rounding.
    let mean = (residuals / n).max(1e-24);
    n * mean.ln() + k * n.ln()
}

fn fit(shape: Shape, map: &CellMap, grid: &Cells) -> Result<ModelFit, NoFit> {
    let count = shape.count();
    if map.cells.len() <= count + 2 {
        return Err(NoFit::TooFew(map.cells.len()));
    }
    let n = map.cells.len() as f64;
    let weights = map.cells.iter().map(|cell| cell.weight).sum::<f64>() / n;
    let unit = map.cells.iter().fold(0.0, |largest: f64, cell| largest.max(cell.value.abs()));
    let scale =
        |cell: &Cell| Cell { value: cell.value / unit, weight: cell.weight / weights, ..*cell };
    let cells: Vec<Cell> = map.cells.iter().map(scale).collect();
    let mean = cells.iter().map(|cell| cell.weight * cell.value).sum::<f64>() / n;
    let deviations: f64 = cells.iter().map(|cell| cell.weight * (cell.value - mean).powi(2)).sum();
    if deviations <= n * 1e-18 {
        return Err(NoFit::Flat);
    }
    let mut best: Option<(Problem<'_>, f64)> = None;
    for start in start::guesses(shape, &cells, grid.step() as f64) {
        if let Some((found, residuals)) = minimize(Problem::new(shape, &cells, start))
            && best.as_ref().is_none_or(|(_, least)| residuals < *least)
        {
            best = Some((found, residuals));
        }
    }
    let (problem, residuals) = best.ok_or(NoFit::NotConverged)?;
    let at = problem.parameters();
    check(shape, at, grid)?;
    let covariance = covariance(&problem, residuals).ok_or(NoFit::Undetermined)?;
    let base = base(at);
    let block = SMatrix::<f64, COUNT, COUNT>::from_fn(|row, column| covariance[(row, column)]);
    let fit = estimates(&base, &block).ok_or(NoFit::Undetermined)?;
    let own = shape.own_estimates(at, &covariance);
    if own.iter().any(|own| !own.value.is_finite() || !own.error.is_finite()) {
        return Err(NoFit::Undetermined);
    }
    let scaled = |estimate: Estimate| Estimate {
        value: estimate.value * unit,
        error: estimate.error * unit,
    };
    let mut own = own;
    if let Some(first) = own.first_mut() {
        // A surround or a modulation, in units of the response.
        *first = scaled(*first);
    }
    Ok(ModelFit {
        shape,
        fit: Fit {
            amplitude: scaled(fit.amplitude),
            offset: scaled(fit.offset),
            explained_variance: 1.0 - residuals / deviations,
            ..fit
        },
        own,
        residuals: residuals * unit * unit,
        criterion: criterion(residuals, cells.len(), count),
    })
}

/// The Gaussian among a shape's parameters.
fn base(at: &[f64]) -> Parameters {
    let [amplitude, y, x, a, q, c, offset] = [0, 1, 2, 3, 4, 5, 6].map(|index| at[index]);
    Parameters { amplitude, y, x, a, q, c, offset }
}

/// Whether what fits best is that shape.
fn check(shape: Shape, at: &[f64], grid: &Cells) -> Result<(), NoFit> {
    let found = base(at);
    let side = grid.rf() as f64;
    let inside = |coordinate: f64| (-0.5..side - 0.5).contains(&coordinate);
    let [long, short] = found.profile().widths();
    if shape == Shape::Gaussian && found.amplitude <= 0.0 {
        Err(NoFit::Dip)
    } else if long > side || long.is_nan() {
        Err(NoFit::Wide)
    } else if !inside(found.y) || !inside(found.x) {
        Err(NoFit::Outside)
    } else if short < super::NARROWEST * grid.step() as f64 {
        Err(NoFit::Narrow)
    } else {
        let too_wide = shape == Shape::Difference && 1.0 + at[8].exp() > WIDEST;
        // A wave has at least two cells, or the grid does not show it.
        let wave = |y: f64, x: f64| std::f64::consts::TAU / y.hypot(x);
        let too_short = shape == Shape::Gabor && wave(at[8], at[9]) < 2.0 * grid.step() as f64;
        match (too_wide, too_short) {
            (true, _) => Err(NoFit::Wide),
            (_, true) => Err(NoFit::Narrow),
            (false, false) => Ok(()),
        }
    }
}

/// A matrix of a shape's parameters.
type Covariance = DMatrix<f64>;

#[cfg(test)]
mod tests;
