//! Functions of single values.
#![allow(clippy::inline_always, reason = "only what is inlined gets the caller's vectors")]

use serde::{Deserialize, Serialize};

use super::math::{LANES, Lanes, clip, each, erf, exp, pairs, sigmoid, tanh};
use crate::error::ParseError;

/// A function of each value by itself; the formulas are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Function {
    /// `x` where it is positive, else `negative_slope * x`.
    LeakyRelu {
        /// Slope of the negative part.
        #[serde(default = "default_slope")]
        negative_slope: f32,
    },
    /// `min(max(x, min), max)`; `ReLU6` with 0 and 6.
    Clip {
        /// Least value; none if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f32>,
        /// Largest value; none if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f32>,
    },
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// `x * sigmoid(x)`, also called Swish.
    Silu,
    /// `min(max(alpha * x + beta, 0), 1)`.
    HardSigmoid {
        /// Slope.
        #[serde(default = "default_sixth")]
        alpha: f32,
        /// Value at 0.
        #[serde(default = "default_half")]
        beta: f32,
    },
    /// `x * min(max(x / 6 + 1 / 2, 0), 1)`.
    HardSwish,
    /// `x` where it is positive, else `alpha * (exp(x) - 1)`.
    Elu {
        /// Factor of the negative part.
        #[serde(default = "default_one")]
        alpha: f32,
    },
    /// `1.0507 * elu(x)` with `alpha` 1.6733 (Klambauer et al. 2017, arXiv 1706.02515).
    Selu,
    /// `x * Φ(x)`, with the normal distribution or its approximation by a hyperbolic tangent
    /// (Hendrycks and Gimpel 2016, arXiv 1606.08415).
    Gelu {
        /// Whether it is the approximation.
        #[serde(default)]
        tanh: bool,
    },
    /// `x * tanh(log(1 + exp(x)))` (Misra 2019, arXiv 1908.08681).
    Mish,
    /// `1 / x`.
    Reciprocal,
    /// `sqrt(max(x, 0))`.
    Sqrt,
}

const fn default_slope() -> f32 {
    0.01
}

const fn default_sixth() -> f32 {
    1.0 / 6.0
}

const fn default_half() -> f32 {
    0.5
}

const fn default_one() -> f32 {
    1.0
}

/// `sqrt(2 / π)`.
const ROOT_OF_2_OVER_PI: f64 = 0.797_884_560_802_865_4;

/// Klambauer et al. 2017, section 2, in the digits of PyTorch.
const SELU: (f64, f64) = (1.050_700_987_355_480_5, 1.673_263_242_354_377_2);

impl Function {
    /// The operations' names in a description.
    pub const NAMES: [&'static str; 13] = [
        "leaky_relu",
        "clip",
        "sigmoid",
        "tanh",
        "silu",
        "hard_sigmoid",
        "hard_swish",
        "elu",
        "selu",
        "gelu",
        "mish",
        "reciprocal",
        "sqrt",
    ];

    /// The kind of layer, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::LeakyRelu { .. } => "leaky ReLU",
            Self::Clip { .. } => "clip",
            Self::Sigmoid => "sigmoid",
            Self::Tanh => "hyperbolic tangent",
            Self::Silu => "SiLU",
            Self::HardSigmoid { .. } => "hard sigmoid",
            Self::HardSwish => "hard swish",
            Self::Elu { .. } => "ELU",
            Self::Selu => "SELU",
            Self::Gelu { .. } => "GELU",
            Self::Mish => "Mish",
            Self::Reciprocal => "reciprocal",
            Self::Sqrt => "square root",
        }
    }

    /// Whether many of its values are exactly 0, and stay so when an input changes.
    pub fn is_sparse(&self) -> bool {
        matches!(self, Self::Clip { min: Some(0.0), .. })
    }

    /// Whether it takes an exponential or more to compute.
    pub const fn is_costly(&self) -> bool {
        matches!(
            self,
            Self::Sigmoid
                | Self::Tanh
                | Self::Silu
                | Self::Elu { .. }
                | Self::Selu
                | Self::Gelu { .. }
                | Self::Mish
        )
    }

    pub(super) fn check(&self) -> Result<(), ParseError> {
        let numbers = match *self {
            Self::LeakyRelu { negative_slope } => [negative_slope, 0.0],
            Self::HardSigmoid { alpha, beta } => [alpha, beta],
            Self::Elu { alpha } => [alpha, 0.0],
            Self::Clip { min, max } => {
                let (least, most) =
                    (min.unwrap_or(f32::NEG_INFINITY), max.unwrap_or(f32::INFINITY));
                // Also where one is no number.
                if !matches!(least.partial_cmp(&most), Some(o) if o.is_le()) {
                    return Err(ParseError(format!(
                        "it clips to {least} to {most}; expected a least value that is not above the largest"
                    )));
                }
                return Ok(());
            }
            _ => return Ok(()),
        };
        match numbers.iter().find(|number| !number.is_finite()) {
            Some(number) => {
                Err(ParseError(format!("one of its numbers is {number}; expected finite numbers")))
            }
            None => Ok(()),
        }
    }

    /// The function of each number.
    #[inline(always)]
    #[must_use]
    pub fn of(self, x: Lanes) -> Lanes {
        match self {
            Self::LeakyRelu { negative_slope } => {
                let slope = f64::from(negative_slope);
                each(x, |x| if x < 0.0 { slope * x } else { x })
            }
            Self::Clip { min, max } => {
                let min = min.map_or(f64::NEG_INFINITY, f64::from);
                let max = max.map_or(f64::INFINITY, f64::from);
                each(x, |x| clip(x, min, max))
            }
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => tanh(x),
            Self::Silu => pairs(x, sigmoid(x), |x, part| x * part),
            Self::HardSigmoid { alpha, beta } => {
                let (alpha, beta) = (f64::from(alpha), f64::from(beta));
                each(x, |x| clip(alpha * x + beta, 0.0, 1.0))
            }
            Self::HardSwish => each(x, |x| x * clip(x / 6.0 + 0.5, 0.0, 1.0)),
            Self::Elu { alpha } => elu(x, alpha.into()),
            Self::Selu => each(elu(x, SELU.1), |x| SELU.0 * x),
            Self::Gelu { tanh: false } => {
                let part = erf(each(x, |x| x * std::f64::consts::FRAC_1_SQRT_2));
                pairs(x, part, |x, part| 0.5 * x * (1.0 + part))
            }
            Self::Gelu { tanh: true } => {
                let inner = each(x, |x| ROOT_OF_2_OVER_PI * (x + 0.044_715 * x * x * x));
                pairs(x, tanh(inner), |x, part| 0.5 * x * (1.0 + part))
            }
            // tanh(log(1 + e)) is (e² + 2e) / (e² + 2e + 2).
            Self::Mish => {
                let power = exp(each(x, |x| clip(x, -700.0, 40.0)));
                pairs(x, power, |x, power| {
                    let part = power * (power + 2.0);
                    x * (part / (part + 2.0))
                })
            }
            Self::Reciprocal => each(x, |x| 1.0 / x),
            // A sum of squares may be rounded to below 0.
            Self::Sqrt => each(x, |x| if x < 0.0 { 0.0 } else { x.sqrt() }),
        }
    }

    /// The function of a number.
    #[must_use]
    pub fn value(self, x: f64) -> f64 {
        self.of([x; LANES])[0]
    }
}

#[inline(always)]
fn elu(x: Lanes, alpha: f64) -> Lanes {
    pairs(x, exp(x), |x, power| if x < 0.0 { alpha * (power - 1.0) } else { x })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_their_formulas() {
        let clip = Function::Clip { min: Some(0.0), max: Some(6.0) };
        // At -1.5 and 0.75, by Python's math.
        for (function, expected) in [
            (Function::LeakyRelu { negative_slope: 0.25 }, [-0.375, 0.75]),
            (clip, [0.0, 0.75]),
            (Function::Sigmoid, [0.182_425_523_806, 0.679_178_699_175]),
            (Function::Tanh, [-0.905_148_253_645, 0.635_148_952_387]),
            (Function::Silu, [-0.273_638_285_710, 0.509_384_024_382]),
            (Function::HardSigmoid { alpha: 0.2, beta: 0.5 }, [0.2, 0.65]),
            (Function::HardSwish, [-0.375, 0.468_75]),
            (Function::Elu { alpha: 1.0 }, [-0.776_869_839_852, 0.75]),
            (Function::Selu, [-1.365_814_353_367, 0.788_025_740_517]),
            (Function::Gelu { tanh: false }, [-0.100_210_801_903, 0.580_029_485_717]),
            (Function::Gelu { tanh: true }, [-0.100_428_423_020, 0.579_960_555_166]),
            (Function::Mish, [-0.298_099_742_167, 0.610_018_335_218]),
            (Function::Reciprocal, [-0.666_666_666_667, 1.333_333_333_333]),
            (Function::Sqrt, [0.0, 0.866_025_403_784]),
        ] {
            for (x, expected) in [-1.5, 0.75].into_iter().zip(expected) {
                let found = function.value(x);
                assert!((found - expected).abs() < 2e-8, "{function:?} at {x}: {found}");
            }
            assert!(function.value(f64::NAN).is_nan(), "{function:?}");
        }
    }

    #[test]
    fn names_are_those_of_the_description() {
        for name in Function::NAMES {
            let json = format!(r#"{{"op": "{name}"}}"#);
            let function: Function = serde_json::from_str(&json).unwrap();
            let written = serde_json::to_value(function).unwrap();
            assert_eq!(written["op"], name);
            assert!(function.check().is_ok());
        }
    }
}
