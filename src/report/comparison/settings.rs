//! Settings of a comparison.

use std::fmt;
use std::str::FromStr;

use crate::analysis::PairSettings;
use crate::error::ParseError;
use crate::ranking::Side;
use crate::sweep::UnitSelection;

/// Which of a unit's maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapSide {
    /// The mean map over the images of one end of the ranking.
    Of(Side),
    /// The maps of both ends together, each divided by its sum.
    Composite,
}

/// The side of one set and that of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SidePair(pub [MapSide; 2]);

/// Settings of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparisonSettings {
    /// How maps are compared.
    pub pairs: PairSettings,
    /// Layers, by name; all that both sets have, where none is named.
    pub layers: Vec<String>,
    /// Units of each layer.
    pub units: UnitSelection,
    /// Sides; an array has one alone, whatever is named.
    pub sides: Vec<SidePair>,
    /// Pairs of maps of each layer that are kept to be shown: the least alike, and as many of the most
    /// alike.
    pub examples: usize,
}

impl ComparisonSettings {
    /// The usual settings for these sides.
    pub fn of(sides: Vec<SidePair>) -> Self {
        Self {
            pairs: PairSettings::default(),
            layers: Vec::new(),
            units: UnitSelection::default(),
            sides,
            examples: 6,
        }
    }

    /// The index of the blur that is nearest to that of regions.
    pub fn main_blur(&self) -> usize {
        let PairSettings { blurs, region_blur, .. } = &self.pairs;
        let off = |blur: &f64| (blur - region_blur).abs();
        let nearest =
            blurs.iter().enumerate().min_by(|(_, one), (_, other)| off(one).total_cmp(&off(other)));
        nearest.map_or(0, |(index, _)| index)
    }
}

impl MapSide {
    /// `max`, `min` or `composite`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Of(side) => side.name(),
            Self::Composite => "composite",
        }
    }
}

impl FromStr for MapSide {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let all = [Self::Of(Side::Top), Self::Of(Side::Bottom), Self::Composite];
        all.into_iter().find(|side| side.name() == text).ok_or_else(|| {
            ParseError(format!("there is no side `{text}`; expected max, min or composite"))
        })
    }
}

impl SidePair {
    /// Top images against top, bottom against bottom.
    pub const SAME: [Self; 2] =
        [Self([MapSide::Of(Side::Top); 2]), Self([MapSide::Of(Side::Bottom); 2])];

    /// Top images against bottom.
    pub const ENDS: Self = Self([MapSide::Of(Side::Top), MapSide::Of(Side::Bottom)]);

    /// The sides that are compared if none are named: the same of two sets, the ends of a single one.
    pub fn usual(two_sets: bool) -> Vec<Self> {
        if two_sets { Self::SAME.into() } else { vec![Self::ENDS] }
    }
}

impl fmt::Display for SidePair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([one, other]) = self;
        if one == other {
            return write!(f, "{}", one.name());
        }
        write!(f, "{}:{}", one.name(), other.name())
    }
}

impl FromStr for SidePair {
    type Err = ParseError;

    /// `max`, the same side of both, or `max:min`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (one, other) = text.split_once(':').unwrap_or((text, text));
        Ok(Self([one.trim().parse()?, other.trim().parse()?]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_read_as_they_are_shown() {
        for text in ["max", "min", "composite", "max:min", "composite:max"] {
            assert_eq!(text.parse::<SidePair>().unwrap().to_string(), text);
        }
        assert_eq!("max:max".parse::<SidePair>().unwrap().to_string(), "max");
        for wrong in ["", "top", "max:", "max:min:max", "max min"] {
            assert!(wrong.parse::<SidePair>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_main_blur_is_that_of_regions() {
        let settings = ComparisonSettings::of(SidePair::SAME.into());
        assert_eq!(settings.pairs.blurs[settings.main_blur()], 1.0 / 30.0);
    }
}
