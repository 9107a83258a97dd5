//! From the minimum to the estimates and their standard errors.

use levenberg_marquardt::LeastSquaresProblem as _;
use nalgebra::{Matrix2, SMatrix, SVector, Vector2};

use super::problem::{COUNT, Parameters, Problem};
use super::{Estimate, Fit};

/// The least ratio of the widths by which an ellipse has a direction at all.
const ROUND: f64 = 1.0 + 1e-6;

/// The estimates at the minimum, where the squared residuals sum to `residuals`; `None` where the
/// parameters cannot be distinguished. Explained variance is left to the caller.
pub(super) fn errors(problem: &Problem<'_>, residuals: f64) -> Option<Fit> {
    estimates(&problem.parameters(), &covariance(problem, residuals)?)
}

/// The estimates of these parameters, of which the covariance is known; `None` where one is not finite.
/// Explained variance is left to the caller.
pub(super) fn estimates(at: &Parameters, covariance: &SMatrix<f64, COUNT, COUNT>) -> Option<Fit> {
    let profile = at.profile();
    let by = |slopes: &SVector<f64, COUNT>| slopes.dot(&(covariance * slopes)).max(0.0).sqrt();
    let own = |index: usize, value: f64| Estimate {
        value,
        error: covariance[(index, index)].max(0.0).sqrt(),
    };
    let [long, short] = profile.widths();
    let shape = ShapeSlopes::at(at, [long, short], profile.angle());
    let angle = (long > ROUND * short)
        .then(|| Estimate { value: profile.angle(), error: by(&shape.angle).to_degrees() })
        .filter(|angle| angle.error <= 90.0);
    let fit = Fit {
        amplitude: own(0, at.amplitude),
        y: own(1, at.y),
        x: own(2, at.x),
        long: Estimate { value: long, error: by(&shape.long) },
        short: Estimate { value: short, error: by(&shape.short) },
        angle,
        offset: own(6, at.offset),
        explained_variance: 0.0,
    };
    let estimates = [fit.amplitude, fit.y, fit.x, fit.long, fit.short, fit.offset];
    estimates.iter().all(|e| e.value.is_finite() && e.error.is_finite()).then_some(fit)
}

/// The covariance of the parameters, `s² (JᵀJ)⁻¹`.
fn covariance(problem: &Problem<'_>, residuals: f64) -> Option<SMatrix<f64, COUNT, COUNT>> {
    let jacobian = problem.jacobian()?;
    let product: SMatrix<f64, COUNT, COUNT> = jacobian.tr_mul(&jacobian);
    // Parameters have different units: to invert, each is scaled to a slope of length 1.
    let scale: SVector<f64, COUNT> = product.diagonal().map(|square| square.sqrt().recip());
    if scale.iter().any(|scale| !scale.is_finite()) {
        return None;
    }
    let scale = SMatrix::<f64, COUNT, COUNT>::from_diagonal(&scale);
    let inverse = (scale * product * scale).cholesky()?.inverse();
    let variance = residuals / (problem.len() - COUNT) as f64;
    Some(scale * inverse * scale * variance)
}

/// How the widths and the angle depend on the parameters.
struct ShapeSlopes {
    long: SVector<f64, COUNT>,
    short: SVector<f64, COUNT>,
    /// In radians.
    angle: SVector<f64, COUNT>,
}

impl ShapeSlopes {
    /// First-order perturbation of the covariance's eigenvalues and eigenvectors.
    fn at(at: &Parameters, [long, short]: [f64; 2], degrees: f64) -> Self {
        let (p, q, r) = (at.a.exp(), at.q, at.c.exp());
        let covariance = at.covariance();
        // Of the inverse covariance [[p², pq], [pq, q² + r²]] by a, q and c.
        let slopes = [
            (3, Matrix2::new(2.0 * p * p, p * q, p * q, 0.0)),
            (4, Matrix2::new(0.0, p, p, 2.0 * q)),
            (5, Matrix2::new(0.0, 0.0, 0.0, 2.0 * r * r)),
        ];
        let (sin, cos) = degrees.to_radians().sin_cos();
        // Along the long axis, as (y, x), and a right angle further.
        let (along, across) = (Vector2::new(-sin, cos), Vector2::new(-cos, -sin));
        let mut found =
            Self { long: SVector::zeros(), short: SVector::zeros(), angle: SVector::zeros() };
        for (index, slope) in slopes {
            let change = -covariance * slope * covariance;
            found.long[index] = along.dot(&(change * along)) / (2.0 * long);
            found.short[index] = across.dot(&(change * across)) / (2.0 * short);
            found.angle[index] = across.dot(&(change * along)) / (long * long - short * short);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Gaussian;

    #[test]
    fn the_slopes_of_widths_and_angle_are_their_derivatives() {
        let profile = Gaussian::oriented([2.5, 3.5], [3.0, 1.5], 70.0);
        let at = Parameters::new(2.0, &profile, 0.5);
        let shape = ShapeSlopes::at(&at, profile.widths(), profile.angle());
        let step = 1e-6;
        let moved = [
            Parameters { a: at.a + step, ..at },
            Parameters { q: at.q + step, ..at },
            Parameters { c: at.c + step, ..at },
        ];
        for (index, moved) in moved.iter().enumerate() {
            let (before, after) = (at.profile(), moved.profile());
            let slope = |of: fn(&Gaussian) -> f64| (of(&after) - of(&before)) / step;
            for (found, expected) in [
                (shape.long[index + 3], slope(|g| g.widths()[0])),
                (shape.short[index + 3], slope(|g| g.widths()[1])),
                (shape.angle[index + 3], slope(|g| g.angle().to_radians())),
            ] {
                assert!((found - expected).abs() < 1e-4, "{index}: {found} {expected}");
            }
        }
    }
}
