//! Normalisation.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::LARGEST;
use super::window::yes;
use crate::error::ParseError;

/// `x / (k + alpha / size * sum of x² over `size` neighbouring channels)^beta`, with channels
/// `c - size / 2 ..= c + (size - 1) / 2`, unless `further_after` (PyTorch's `LocalResponseNorm`; Krizhevsky et al. 2012,
/// section 3.3, with `alpha` divided by `size`).
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LocalResponseNorm {
    /// Channels summed over.
    pub size: usize,
    /// Weight of the sum.
    #[serde(default = "LocalResponseNorm::default_alpha")]
    pub alpha: f32,
    /// Exponent.
    #[serde(default = "LocalResponseNorm::default_beta")]
    pub beta: f32,
    /// Constant.
    #[serde(default = "LocalResponseNorm::default_k")]
    pub k: f32,
    /// Of an even size, whether the further channel is the one after, as in ONNX.
    #[serde(default, skip_serializing_if = "is_false")]
    pub further_after: bool,
}

/// `(x - mean) / sqrt(var + eps) * weight + bias`, each a value for each channel.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    /// Added to the variance.
    #[serde(default = "BatchNorm::default_eps")]
    pub eps: f32,
    /// Whether there are a weight and a bias.
    #[serde(default = "yes")]
    pub affine: bool,
}

/// `x * factor + shift`, with numbers for each channel that are part of the network, not of its weights.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelScale {
    /// A factor for each channel.
    pub factors: Vec<f32>,
    /// A shift for each channel.
    pub shifts: Vec<f32>,
}

/// `(x - mean) / sqrt(var + eps) * weight + bias`, with mean and variance of a position's channels
/// (Ba et al. 2016, arXiv 1607.06450, over channels alone).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelNorm {
    /// Added to the variance.
    #[serde(default = "ChannelNorm::default_eps")]
    pub eps: f32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl LocalResponseNorm {
    /// The channels, of this many, that are summed over for one.
    pub fn neighbours(&self, channel: usize, channels: usize) -> RangeInclusive<usize> {
        let [before, after] = self.reach();
        channel.saturating_sub(before)..=(channel + after).min(channels - 1)
    }

    /// Numbers of summed channels before and after a channel.
    pub const fn reach(&self) -> [usize; 2] {
        let (near, far) = ((self.size - 1) / 2, self.size / 2);
        if self.further_after { [near, far] } else { [far, near] }
    }

    /// Normalisation over `size` channels, with the numbers of Krizhevsky et al. 2012 and `k` 1.
    pub const fn over(size: usize) -> Self {
        let (alpha, beta, k) = (Self::default_alpha(), Self::default_beta(), Self::default_k());
        Self { size, alpha, beta, k, further_after: false }
    }

    const fn default_alpha() -> f32 {
        1e-4
    }

    const fn default_beta() -> f32 {
        0.75
    }

    const fn default_k() -> f32 {
        1.0
    }

    pub(super) fn check(&self) -> Result<(), ParseError> {
        let finite = self.alpha.is_finite() && self.beta.is_finite() && self.k.is_finite();
        // With a negative base the power would be no number.
        let positive = self.alpha >= 0.0 && self.k >= 0.0 && self.alpha.max(self.k) > 0.0;
        if !(1..=LARGEST).contains(&self.size) || !finite || !positive {
            return Err(ParseError(format!(
                "size {}, alpha {}, beta {}, k {}; expected a size of at least 1, finite numbers, \
                 alpha and k not negative and not both 0",
                self.size, self.alpha, self.beta, self.k
            )));
        }
        Ok(())
    }
}

impl BatchNorm {
    const fn default_eps() -> f32 {
        1e-5
    }

    /// The factor and the shift of a channel, from its numbers in the state dict.
    pub fn factor_and_shift(&self, [weight, bias, mean, var]: [f32; 4]) -> [f32; 2] {
        let factor = f64::from(weight) / (f64::from(var) + f64::from(self.eps)).sqrt();
        [factor as f32, (f64::from(bias) - f64::from(mean) * factor) as f32]
    }
}

impl ChannelScale {
    pub(super) fn check(&self, channels: usize) -> Result<(), ParseError> {
        let found = [self.factors.len(), self.shifts.len()];
        if found != [channels; 2] {
            return Err(ParseError(format!(
                "its {} factors and {} shifts are not one for each of {channels} channels",
                found[0], found[1]
            )));
        }
        match self.factors.iter().chain(&self.shifts).find(|number| !number.is_finite()) {
            Some(number) => {
                Err(ParseError(format!("one of its numbers is {number}; expected finite numbers")))
            }
            None => Ok(()),
        }
    }
}

impl ChannelNorm {
    const fn default_eps() -> f32 {
        1e-5
    }
}

pub(super) fn check_eps(eps: f32) -> Result<(), ParseError> {
    if (0.0..=1.0).contains(&eps) {
        return Ok(());
    }
    Err(ParseError(format!("its eps is {eps}; expected a number from 0 to 1")))
}
