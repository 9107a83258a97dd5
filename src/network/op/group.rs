//! Normalisation of groups of channels by their whole maps.

use serde::{Deserialize, Serialize};

use super::normalisation::check_eps;
use crate::error::ParseError;

/// Of each channel one of the two numbers of `x * factor + shift`, which normalises groups of channels by mean
/// and variance over channels and positions (Wu and He 2018, arXiv 1803.08494; with a channel a group, instance
/// normalisation: Ulyanov et al. 2016, arXiv 1607.08022): with a channel's `weight` and `bias`, the factor is
/// `weight / sqrt(var + eps)` and the shift `bias - mean * factor`. Gates join them with the map.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GroupNorm {
    /// Groups; they divide the channels.
    pub groups: usize,
    /// Added to the variance.
    #[serde(default = "GroupNorm::default_eps")]
    pub eps: f32,
    /// Which of the two.
    pub part: GroupNormPart,
}

/// A number of a normalisation of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupNormPart {
    /// The factor.
    Factor,
    /// The shift.
    Shift,
}

impl GroupNorm {
    const fn default_eps() -> f32 {
        1e-5
    }

    pub(super) fn check(&self, channels: usize) -> Result<(), ParseError> {
        check_eps(self.eps)?;
        if self.groups == 0 || !channels.is_multiple_of(self.groups) {
            return Err(ParseError(format!(
                "its {} groups do not divide its {channels} channels",
                self.groups
            )));
        }
        Ok(())
    }

    /// The number of a channel, from mean and variance of its group and from its weight and bias.
    pub fn number(&self, mean: f64, variance: f64, [weight, bias]: [f64; 2]) -> f64 {
        let factor = weight / (variance + f64::from(self.eps)).sqrt();
        match self.part {
            GroupNormPart::Factor => factor,
            GroupNormPart::Shift => bias - mean * factor,
        }
    }
}
