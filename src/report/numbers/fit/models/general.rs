//! Least squares of a shape with any number of parameters.

use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt};
use nalgebra::storage::Owned;
use nalgebra::{DMatrix, DVector, Dyn, OMatrix};

use super::{Covariance, Shape};
use crate::report::numbers::Cell;
use crate::report::numbers::fit::{PATIENCE, ending};

/// A map's cells and the values of a shape's parameters.
#[derive(Clone, Debug)]
pub(super) struct Problem<'a> {
    shape: Shape,
    cells: &'a [Cell],
    at: DVector<f64>,
}

impl<'a> Problem<'a> {
    pub fn new(shape: Shape, cells: &'a [Cell], at: Vec<f64>) -> Self {
        Self { shape, cells, at: DVector::from_vec(at) }
    }

    pub fn parameters(&self) -> &[f64] {
        self.at.as_slice()
    }
}

/// Goes down from a guess: where to, and the sum of squared residuals there; `None` where it does not
/// settle.
pub(super) fn minimize(problem: Problem<'_>) -> Option<(Problem<'_>, f64)> {
    let solver = LevenbergMarquardt::new().with_patience(PATIENCE);
    let (problem, report) = solver.minimize(problem);
    let (residuals, settled) = ending(&report);
    settled.then_some((problem, residuals))
}

/// The covariance of the parameters at the minimum, `s² (JᵀJ)⁻¹`.
pub(super) fn covariance(problem: &Problem<'_>, residuals: f64) -> Option<Covariance> {
    let jacobian = problem.jacobian()?;
    let product = jacobian.tr_mul(&jacobian);
    // Parameters have different units: to invert, each is scaled to a slope of length 1.
    let scale: DVector<f64> = product.diagonal().map(|square| square.sqrt().recip());
    if scale.iter().any(|scale| !scale.is_finite()) {
        return None;
    }
    let scale = DMatrix::from_diagonal(&scale);
    let inverse = (&scale * product * &scale).cholesky()?.inverse();
    let free = problem.cells.len() - problem.at.len();
    Some(&scale * inverse * &scale * (residuals / free as f64))
}

impl LeastSquaresProblem<f64, Dyn, Dyn> for Problem<'_> {
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, Dyn>;
    type ParameterStorage = Owned<f64, Dyn>;

    fn set_params(&mut self, parameters: &DVector<f64>) {
        self.at.copy_from(parameters);
    }

    fn params(&self) -> DVector<f64> {
        self.at.clone()
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        let mut slopes = vec![0.0; self.at.len()];
        let residuals = self.cells.iter().map(|cell| {
            let value = self.shape.value_and_slopes(self.at.as_slice(), cell, &mut slopes);
            cell.weight.sqrt() * (value - cell.value)
        });
        let residuals = DVector::from_iterator(self.cells.len(), residuals);
        // A step into the void: the solver takes a shorter one.
        residuals.iter().all(|residual| residual.is_finite()).then_some(residuals)
    }

    fn jacobian(&self) -> Option<OMatrix<f64, Dyn, Dyn>> {
        let count = self.at.len();
        let mut all = vec![0.0; self.cells.len() * count];
        for (cell, slopes) in self.cells.iter().zip(all.chunks_mut(count)) {
            self.shape.value_and_slopes(self.at.as_slice(), cell, slopes);
            for slope in slopes {
                *slope *= cell.weight.sqrt();
            }
        }
        Some(DMatrix::from_row_slice(self.cells.len(), count, &all))
    }
}
