//! The model, its residuals and its derivatives.
//!
//! The inverse covariance is `RᵀR` with `R = [[p, q], [0, r]]` (rows and columns `y`, `x`) and
//! `p = exp(a)`, `r = exp(c)`: whatever the numbers, that is an ellipse, and none is special, as
//! an angle is where the ellipse is round.

use levenberg_marquardt::LeastSquaresProblem;
use nalgebra::storage::Owned;
use nalgebra::{DVector, Dyn, Matrix2, OMatrix, SVector, U7};

use super::Cell;
use crate::report::Gaussian;

/// Parameters.
pub(super) const COUNT: usize = 7;

/// The model's parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Parameters {
    pub amplitude: f64,
    pub y: f64,
    pub x: f64,
    pub a: f64,
    pub q: f64,
    pub c: f64,
    pub offset: f64,
}

impl Parameters {
    /// An amplitude times a profile, on an offset. The profile must be an ellipse.
    pub fn new(amplitude: f64, profile: &Gaussian, offset: f64) -> Self {
        let determinant = profile.yy * profile.xx - profile.yx * profile.yx;
        let p = (profile.xx / determinant).sqrt();
        let q = -profile.yx / determinant / p;
        let r = profile.xx.recip().sqrt();
        Self { amplitude, y: profile.y, x: profile.x, a: p.ln(), q, c: r.ln(), offset }
    }

    /// The profile: centre and covariance.
    pub fn profile(&self) -> Gaussian {
        let covariance = self.covariance();
        Gaussian {
            y: self.y,
            x: self.x,
            yy: covariance[(0, 0)],
            xx: covariance[(1, 1)],
            yx: covariance[(0, 1)],
        }
    }

    /// The covariance, of `y` and `x`: `(RᵀR)⁻¹`.
    pub fn covariance(&self) -> Matrix2<f64> {
        let (p, q, r) = (self.a.exp(), self.q, self.c.exp());
        let yx = -q / (p * r * r);
        Matrix2::new((q * q + r * r) / (p * r).powi(2), yx, yx, r.powi(-2))
    }

    fn from_vector(v: &SVector<f64, COUNT>) -> Self {
        let [amplitude, y, x, a, q, c, offset] = (*v).into();
        Self { amplitude, y, x, a, q, c, offset }
    }

    fn to_vector(self) -> SVector<f64, COUNT> {
        let Self { amplitude, y, x, a, q, c, offset } = self;
        [amplitude, y, x, a, q, c, offset].into()
    }

    /// The model's value at a cell, and its derivatives by the parameters.
    fn value_and_slopes(&self, cell: &Cell) -> (f64, [f64; COUNT]) {
        let (p, q, r) = (self.a.exp(), self.q, self.c.exp());
        let (dy, dx) = (cell.y - self.y, cell.x - self.x);
        let (u, v) = (p * dy + q * dx, r * dx);
        let profile = (-0.5 * (u * u + v * v)).exp();
        let height = self.amplitude * profile;
        let slopes = [
            profile,
            height * u * p,
            height * (u * q + v * r),
            -height * u * p * dy,
            -height * u * dx,
            -height * v * r * dx,
            1.0,
        ];
        (height + self.offset, slopes)
    }
}

/// A map's cells and the values of the parameters.
#[derive(Clone, Debug)]
pub(super) struct Problem<'a> {
    cells: &'a [Cell],
    at: Parameters,
}

impl<'a> Problem<'a> {
    pub const fn new(cells: &'a [Cell], at: Parameters) -> Self {
        Self { cells, at }
    }

    pub const fn parameters(&self) -> Parameters {
        self.at
    }

    /// Cells.
    pub const fn len(&self) -> usize {
        self.cells.len()
    }
}

impl LeastSquaresProblem<f64, Dyn, U7> for Problem<'_> {
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, U7>;
    type ParameterStorage = Owned<f64, U7>;

    fn set_params(&mut self, parameters: &SVector<f64, COUNT>) {
        self.at = Parameters::from_vector(parameters);
    }

    fn params(&self) -> SVector<f64, COUNT> {
        self.at.to_vector()
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        let residuals = self
            .cells
            .iter()
            .map(|cell| cell.weight.sqrt() * (self.at.value_and_slopes(cell).0 - cell.value));
        let residuals = DVector::from_iterator(self.cells.len(), residuals);
        // A step into the void: the solver takes a shorter one.
        residuals.iter().all(|residual| residual.is_finite()).then_some(residuals)
    }

    fn jacobian(&self) -> Option<OMatrix<f64, Dyn, U7>> {
        let slopes = self.cells.iter().flat_map(|cell| {
            self.at.value_and_slopes(cell).1.map(|slope| cell.weight.sqrt() * slope)
        });
        Some(OMatrix::<f64, Dyn, U7>::from_row_iterator(self.cells.len(), slopes))
    }
}

#[cfg(test)]
mod tests {
    use levenberg_marquardt::differentiate_numerically;

    use super::*;

    #[test]
    fn parameters_and_profiles_go_both_ways() {
        let profile = Gaussian::oriented([3.0, 8.0], [5.0, 2.0], 30.0);
        let back = Parameters::new(2.0, &profile, 0.5).profile();
        let [long, short] = back.widths();
        assert!((long - 5.0).abs() < 1e-12 && (short - 2.0).abs() < 1e-12, "{back:?}");
        assert!((back.angle() - 30.0).abs() < 1e-9 && (back.y, back.x) == (3.0, 8.0), "{back:?}");
    }

    #[test]
    fn the_slopes_are_the_derivatives() {
        let cells: Vec<Cell> = (0..40)
            .map(|i| Cell {
                index: [0, 0],
                y: f64::from(i % 7),
                x: f64::from(i / 7),
                value: f64::from(i % 5),
                weight: f64::from(1 + i % 3),
            })
            .collect();
        let profile = Gaussian::oriented([2.5, 3.5], [3.0, 1.5], 70.0);
        let mut problem = Problem::new(&cells, Parameters::new(2.0, &profile, 0.5));
        let expected = differentiate_numerically(&mut problem).unwrap();
        let found = problem.jacobian().unwrap();
        assert!((found - expected).abs().max() < 1e-5);
    }
}
