//! Which units of a layer are swept.

use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::error::ParseError;

/// Units by number and range, `0-15,40`; any layer's all where none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitSelection(Vec<RangeInclusive<usize>>);

impl UnitSelection {
    /// Whether all units are meant.
    pub const fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// The units meant of a layer that has `units`, ascending, each once.
    ///
    /// # Errors
    /// The first unit that the layer does not have.
    pub fn of(&self, units: usize) -> Result<Vec<usize>, usize> {
        if self.is_all() {
            return Ok((0..units).collect());
        }
        if let Some(range) = self.0.iter().find(|range| *range.end() >= units) {
            return Err((*range.start()).max(units));
        }
        let mut chosen: Vec<usize> = self.0.iter().cloned().flatten().collect();
        chosen.sort_unstable();
        chosen.dedup();
        Ok(chosen)
    }
}

impl FromStr for UnitSelection {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let range = |part: &str| -> Option<RangeInclusive<usize>> {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let range = first.trim().parse().ok()?..=last.trim().parse().ok()?;
            (!range.is_empty()).then_some(range)
        };
        text.split(',')
            .map(|part| {
                range(part).ok_or_else(|| {
                    ParseError(format!(
                        "`{part}` is neither a unit nor a range of units; expected a list such as \
                         0-15,40"
                    ))
                })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ranges_are_read_in_any_order_and_sorted() {
        let selection: UnitSelection = "40,0-3,2-4".parse().unwrap();
        assert_eq!(selection.of(64), Ok(vec![0, 1, 2, 3, 4, 40]));
        assert_eq!(UnitSelection::default().of(3), Ok(vec![0, 1, 2]));
    }

    #[test]
    fn a_unit_that_is_not_there_is_named() {
        let selection: UnitSelection = "0-63,70-80".parse().unwrap();
        assert_eq!(selection.of(64), Err(70));
        assert_eq!(selection.of(72), Err(72));
    }

    #[test]
    fn what_is_no_list_of_units_is_refused() {
        for wrong in ["", "a", "3-1", "1,,2", "-1", "1-2-3", "1.5"] {
            assert!(wrong.parse::<UnitSelection>().is_err(), "{wrong}");
        }
    }
}
