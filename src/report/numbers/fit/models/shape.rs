//! The shapes: their parameters, values and derivatives.
//!
//! The first seven parameters are those of [`Parameters`](super::super::problem::Parameters), in its
//! order. A difference goes on with the surround and `κ`, its ratio being `1 + exp(κ)`; a Gabor with the
//! modulation, the wave vector `(k_y, k_x)` in radians a pixel and the phase at the centre.

use super::Covariance;
use crate::report::numbers::{Cell, Estimate};

/// The shape of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A Gaussian.
    Gaussian,
    /// A difference of two Gaussians of one centre and one form.
    Difference,
    /// A grating under a Gaussian.
    Gabor,
}

impl Shape {
    /// All, the simplest first.
    pub const ALL: [Self; 3] = [Self::Gaussian, Self::Difference, Self::Gabor];

    /// `gaussian`, `dog` or `gabor`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::Difference => "dog",
            Self::Gabor => "gabor",
        }
    }

    /// Parameters of the model.
    pub const fn count(self) -> usize {
        match self {
            Self::Gaussian => 7,
            Self::Difference => 9,
            Self::Gabor => 11,
        }
    }

    /// The shape's own numbers: name, unit and meaning.
    pub const fn own(self) -> &'static [(&'static str, &'static str, &'static str)] {
        match self {
            Self::Gaussian => &[],
            Self::Difference => &[
                ("surround", "response", "height of the second Gaussian; below 0 for a difference"),
                ("surround_ratio", "", "width of the second Gaussian over that of the first"),
            ],
            Self::Gabor => &[
                ("modulation", "response", "half the height of the grating at the centre"),
                ("wavelength", "pixels", "distance of the grating's crests"),
                (
                    "wave_angle",
                    "degrees",
                    "direction across the crests, 0 to 180, counter-clockwise from the right as the map is drawn",
                ),
                (
                    "phase",
                    "degrees",
                    "phase of the grating at the centre, 0 to 180: 0 for a crest, 180 for a trough",
                ),
            ],
        }
    }

    /// The model's value at a cell; `slopes` become its derivatives by the parameters.
    pub fn value_and_slopes(self, at: &[f64], cell: &Cell, slopes: &mut [f64]) -> f64 {
        let (amplitude, offset) = (at[0], at[6]);
        let (p, q, r) = (at[3].exp(), at[4], at[5].exp());
        let (dy, dx) = (cell.y - at[1], cell.x - at[2]);
        let (u, v) = (p * dy + q * dx, r * dx);
        let squared = u * u + v * v;
        let profile = (-0.5 * squared).exp();
        // The value over the offset, and minus its derivative by u over u, as by v over v.
        let (height, fall) = match self {
            Self::Gaussian => (amplitude * profile, amplitude * profile),
            Self::Difference => {
                let (surround, excess) = (at[7], at[8].exp());
                let ratio = 1.0 + excess;
                let wide = (-0.5 * squared / (ratio * ratio)).exp();
                slopes[7] = wide;
                slopes[8] = surround * wide * squared / ratio.powi(3) * excess;
                (
                    amplitude * profile + surround * wide,
                    amplitude * profile + surround * wide / (ratio * ratio),
                )
            }
            Self::Gabor => {
                let (sin, cos) = (at[8] * dy + at[9] * dx + at[10]).sin_cos();
                let along = -at[7] * sin * profile;
                slopes[7] = cos * profile;
                slopes[8] = along * dy;
                slopes[9] = along * dx;
                slopes[10] = along;
                let height = (amplitude + at[7] * cos) * profile;
                (height, height)
            }
        };
        slopes[0] = profile;
        slopes[1] = fall * u * p;
        slopes[2] = fall * (u * q + v * r);
        slopes[3] = -fall * u * p * dy;
        slopes[4] = -fall * u * dx;
        slopes[5] = -fall * v * r * dx;
        slopes[6] = 1.0;
        if self == Self::Gabor {
            // The grating moves with the centre.
            slopes[1] -= slopes[10] * at[8];
            slopes[2] -= slopes[10] * at[9];
        }
        height + offset
    }

    /// The shape's own numbers with their standard errors, in the order of [`own`](Self::own); first
    /// order in the parameters.
    pub(super) fn own_estimates(self, at: &[f64], covariance: &Covariance) -> Vec<Estimate> {
        let of = |value: f64, slopes: &[Slope]| {
            let mut variance = 0.0;
            for one in slopes {
                for other in slopes {
                    let covariance = covariance[(one.parameter, other.parameter)];
                    variance += one.value * other.value * covariance;
                }
            }
            Estimate { value, error: variance.max(0.0).sqrt() }
        };
        let by = |parameter, value| Slope { parameter, value };
        match self {
            Self::Gaussian => Vec::new(),
            Self::Difference => {
                let excess = at[8].exp();
                vec![of(at[7], &[by(7, 1.0)]), of(1.0 + excess, &[by(8, excess)])]
            }
            Self::Gabor => {
                let (modulation, y, x, phase) = (at[7], at[8], at[9], at[10]);
                let k = y.hypot(x);
                let wave = std::f64::consts::TAU / k;
                let fall = -wave / (k * k);
                let degrees = 1.0_f64.to_degrees();
                // A modulation below zero is one above with the phase of a trough.
                let shift = if modulation < 0.0 { std::f64::consts::PI } else { 0.0 };
                let phase = (phase + shift).rem_euclid(std::f64::consts::TAU);
                // Both directions across the crests are one grating, with opposite phases.
                let folded = phase.min(std::f64::consts::TAU - phase);
                let angle = (-y).atan2(x).to_degrees().rem_euclid(180.0);
                let across = degrees / (k * k);
                vec![
                    of(modulation.abs(), &[by(7, 1.0)]),
                    of(wave, &[by(8, fall * y), by(9, fall * x)]),
                    of(angle, &[by(8, -x * across), by(9, y * across)]),
                    of(folded.to_degrees(), &[by(10, degrees)]),
                ]
            }
        }
    }
}

/// The derivative of a number by a parameter of the fit.
struct Slope {
    /// The parameter's index.
    parameter: usize,
    value: f64,
}
