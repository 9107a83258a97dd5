//! Grids with a name, and rules that differ from them in sizes and strides.

use serde::Deserialize;

use super::{GridRule, OccluderSize, OccluderStride};
use crate::error::ParseError;

/// A grid with a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum GridPreset {
    /// Side and distance scaled with the RF, from the corner of its box
    #[default]
    Reference,
    /// Zhou et al. 2015: 11×11 in steps of 3 over the whole image
    Zhou,
}

impl GridPreset {
    /// The rule.
    pub const fn rule(self) -> GridRule {
        match self {
            Self::Reference => GridRule::REFERENCE,
            Self::Zhou => GridRule::ZHOU,
        }
    }

    /// A rule for each size, with its stride or the only one; those of the preset if there are none.
    ///
    /// # Errors
    /// A number of strides that is neither 1 nor that of the sizes.
    pub fn rules(
        self,
        sizes: &[OccluderSize],
        strides: &[OccluderStride],
    ) -> Result<Vec<GridRule>, ParseError> {
        let preset = self.rule();
        let sizes = if sizes.is_empty() { &[preset.size] } else { sizes };
        let strides = if strides.is_empty() { &[preset.stride] } else { strides };
        if strides.len() != 1 && strides.len() != sizes.len() {
            return Err(ParseError(format!(
                "{} sizes of occluders and {} strides; expected one stride, or one for each size",
                sizes.len(),
                strides.len()
            )));
        }
        let rule = |(&size, &stride)| GridRule { size, stride, lattice: preset.lattice };
        Ok(sizes.iter().zip(strides.iter().cycle()).map(rule).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_its_stride_or_the_only_one() {
        let sizes = [5, 9].map(OccluderSize::Pixels);
        let rules = |strides: &[usize]| {
            let strides: Vec<_> = strides.iter().copied().map(OccluderStride::Pixels).collect();
            GridPreset::Zhou.rules(&sizes, &strides)
        };
        let strides = |strides: &[usize]| -> Vec<OccluderStride> {
            rules(strides).unwrap().iter().map(|rule| rule.stride).collect()
        };
        assert_eq!(strides(&[]), [OccluderStride::Pixels(3); 2]);
        assert_eq!(strides(&[4]), [OccluderStride::Pixels(4); 2]);
        assert_eq!(strides(&[4, 2]), [4, 2].map(OccluderStride::Pixels));
        assert!(rules(&[1, 2, 3]).is_err());
        assert_eq!(GridPreset::Reference.rules(&[], &[]), Ok(vec![GridRule::REFERENCE]));
    }
}
