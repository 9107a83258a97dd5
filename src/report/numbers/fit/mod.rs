//! The elliptical Gaussian that fits a map best, in the sense of least squares.
//!
//! `f(d) = amplitude · exp(-d · C⁻¹ · d / 2) + offset`, `d` the way from the centre; the widths are
//! standard deviations, the roots of the eigenvalues of `C`. Standard errors are those of
//! nonlinear least squares: the covariance of the parameters is `s² (JᵀJ)⁻¹` with the Jacobian `J`
//! at the minimum and `s²` the sum of squared residuals over the cells less the parameters. Cells
//! weigh as many occluders as they are the mean of: the variance of a mean falls with their number.
//! Errors take residuals for independent, which those of a blurred map are not.

mod errors;
mod models;
mod problem;
mod start;

use levenberg_marquardt::{LevenbergMarquardt, MinimizationReport, TerminationReason};
use thiserror::Error;

pub use self::models::{ModelFit, Models, Shape};

use self::errors::errors;
use self::problem::{Parameters, Problem};
use super::{Cell, CellMap, Cells};

/// A value and its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// An elliptical Gaussian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Its height over the offset.
    pub amplitude: Estimate,
    /// Row of its centre.
    pub y: Estimate,
    /// Column of its centre.
    pub x: Estimate,
    /// Standard deviation along its long axis, in pixels.
    pub long: Estimate,
    /// Standard deviation along its short axis.
    pub short: Estimate,
    /// Angle of the long axis in degrees, from 0 up to 180: counter-clockwise from the right as the
    /// map is drawn, `y` downward, so that 45 points to the upper right. `None` for one that is
    /// round, or so nearly that the standard error exceeds 90.
    pub angle: Option<Estimate>,
    /// Its offset.
    pub offset: Estimate,
    /// 1 - (sum of squared residuals) / (sum of squared deviations from the mean), over the cells.
    pub explained_variance: f64,
}

/// The least explained variance of a fit that is reported. Of maps that are nothing but noise, fits
/// explain a few hundredths.
pub const LEAST_EXPLAINED: f64 = 0.1;

/// The least part of a fitted Gaussian's mass in the RF that lies in cells that images cover: of one
/// whose centre lies on their edge it is about a half.
pub const LEAST_COVERED: f64 = 0.4;

/// The narrowest fit, in steps of the grid: one that is narrower rests on a single occluder.
const NARROWEST: f64 = 0.3;

/// Evaluations allowed, for each parameter and one more.
const PATIENCE: usize = 40;

/// Why there is no fit.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum NoFit {
    /// Not more cells than parameters.
    #[error("{0} cells with occluders are too few for 7 parameters")]
    TooFew(usize),
    /// No value differs from the others.
    #[error("the map is the same everywhere")]
    Flat,
    /// The fit does not settle.
    #[error("the fit does not converge")]
    NotConverged,
    /// The best fit is a hole.
    #[error("a dip fits better than a peak")]
    Dip,
    /// The best fit lies outside the map.
    #[error("the centre that fits best lies outside of the receptive field")]
    Outside,
    /// The best fit is a single occluder.
    #[error("what fits best is narrower than the occluders' grid")]
    Narrow,
    /// The best fit is a slope.
    #[error("what fits best is wider than the receptive field")]
    Wide,
    /// There is no telling one parameter from another.
    #[error("the map does not determine the parameters")]
    Undetermined,
    /// Less than [`LEAST_COVERED`] of it lies where there are images.
    #[error("images cut off too much: {:.0} % of the Gaussian that fits best lies where they cover the receptive field; at least {:.0} % are needed", 100.0 * .0, 100.0 * LEAST_COVERED)]
    Cut(f64),
    /// It explains less than [`LEAST_EXPLAINED`].
    #[error("the fit explains {:.0} % of the variance, less than {:.0} %", 100.0 * .0, 100.0 * LEAST_EXPLAINED)]
    Unexplained(f64),
}

/// Fits the cells of a map.
pub(super) fn fit(map: &CellMap, grid: &Cells) -> Result<Fit, NoFit> {
    let cells = &map.cells;
    if cells.len() <= problem::COUNT {
        return Err(NoFit::TooFew(cells.len()));
    }
    // Weights of 1 on average.
    let weights = cells.iter().map(|cell| cell.weight).sum::<f64>() / cells.len() as f64;
    let sum = |of: &dyn Fn(&Cell) -> f64| -> f64 {
        cells.iter().map(|cell| cell.weight / weights * of(cell)).sum()
    };
    let mean = sum(&|cell| cell.value) / cells.len() as f64;
    let deviations = sum(&|cell| (cell.value - mean).powi(2));
    // In units of the largest value, so that no map is too faint for the tolerances.
    let unit = cells.iter().fold(0.0, |largest: f64, cell| largest.max(cell.value.abs()));
    if deviations <= cells.len() as f64 * (1e-9 * unit).powi(2) {
        return Err(NoFit::Flat);
    }
    let scale =
        |cell: &Cell| Cell { value: cell.value / unit, weight: cell.weight / weights, ..*cell };
    let scaled: Vec<Cell> = cells.iter().map(scale).collect();
    let deviations = deviations / (unit * unit);

    // The best minimum of those that are reached.
    let mut best: Option<(Problem<'_>, f64)> = None;
    let mut astray = NoFit::NotConverged;
    for start in start::guesses(&scaled, grid.step() as f64) {
        let (found, residuals, settled) = minimize(&scaled, start);
        if !settled {
            // Where to it ran away is more to know than that it did.
            astray = check(&found.parameters(), grid).err().unwrap_or(astray);
        } else if best.as_ref().is_none_or(|(_, least)| residuals < *least) {
            best = Some((found, residuals));
        }
        if best.as_ref().is_some_and(|(_, least)| *least < 1e-6 * deviations) {
            break;
        }
    }
    let (problem, residuals) = best.ok_or(astray)?;
    check(&problem.parameters(), grid)?;
    let covered = covered(&problem.parameters(), map, grid);
    if covered < LEAST_COVERED {
        return Err(NoFit::Cut(covered));
    }
    let explained = 1.0 - residuals / deviations;
    if explained < LEAST_EXPLAINED {
        return Err(NoFit::Unexplained(explained.max(0.0)));
    }
    let fit = errors(&problem, residuals).ok_or(NoFit::Undetermined)?;
    if fit.amplitude.error > fit.amplitude.value {
        return Err(NoFit::Undetermined);
    }
    let scale = |estimate: Estimate| Estimate {
        value: estimate.value * unit,
        error: estimate.error * unit,
    };
    Ok(Fit {
        amplitude: scale(fit.amplitude),
        offset: scale(fit.offset),
        explained_variance: explained,
        ..fit
    })
}

/// Goes down from a guess: where to, the sum of squared residuals there, and whether it settled.
fn minimize(cells: &[Cell], start: Parameters) -> (Problem<'_>, f64, bool) {
    let solver = LevenbergMarquardt::new().with_patience(PATIENCE);
    let (problem, report) = solver.minimize(Problem::new(cells, start));
    let (residuals, settled) = ending(&report);
    (problem, residuals, settled)
}

/// The sum of squared residuals at the solver's end, and whether it settled there.
fn ending(report: &MinimizationReport<f64>) -> (f64, bool) {
    let settled = matches!(
        report.termination,
        TerminationReason::ResidualsZero
            | TerminationReason::Orthogonal
            | TerminationReason::Converged { .. }
            // As near as the arithmetic allows.
            | TerminationReason::NoImprovementPossible(_)
    );
    // The objective is half the sum.
    let residuals = 2.0 * report.objective_function;
    (residuals, settled && residuals.is_finite())
}

/// Whether what fits best is a peak of the map.
fn check(found: &Parameters, grid: &Cells) -> Result<(), NoFit> {
    let side = grid.rf() as f64;
    let inside = |coordinate: f64| (-0.5..side - 0.5).contains(&coordinate);
    let [long, short] = found.profile().widths();
    if found.amplitude <= 0.0 {
        Err(NoFit::Dip)
    } else if long > side || long.is_nan() {
        Err(NoFit::Wide)
    } else if !inside(found.y) || !inside(found.x) {
        Err(NoFit::Outside)
    } else if short < NARROWEST * grid.step() as f64 {
        Err(NoFit::Narrow)
    } else {
        Ok(())
    }
}

/// The part of a Gaussian's mass in the RF that lies in covered cells.
fn covered(found: &Parameters, map: &CellMap, grid: &Cells) -> f64 {
    let profile = found.profile();
    let (mut inside, mut all) = (0.0, 0.0);
    for (index, &covered) in map.covered.iter().enumerate() {
        let [y, x] = [index / grid.count(), index % grid.count()].map(|cell| grid.middle(cell));
        let value = profile.value(y, x);
        all += value;
        inside += if covered { value } else { 0.0 };
    }
    // Of one that no cell sees nothing is covered.
    if all > 0.0 { inside / all } else { 0.0 }
}

#[cfg(test)]
mod tests;
