//! Notes of maps with few occluders, or none.

use super::text::count;
use crate::files::{counted, escaped};
use crate::sweep::Occluders;

/// Fewest occluders of a map to which a Gaussian can be fitted: one more than its parameters.
pub const LEAST_OCCLUDERS: u64 = 8;

/// The note on a layer with an RF of `rf` pixels whose maps have at most `most` occluders; `None` if
/// these are enough for a fit, or an RF of so few pixels has no more.
pub(super) fn few_occluders_note(layer: &str, rf: usize, most: u64) -> Option<String> {
    let has_pixels = (rf as u64).pow(2) >= LEAST_OCCLUDERS;
    (has_pixels && (1..LEAST_OCCLUDERS).contains(&most)).then(|| {
        format!(
            "note: maps of {} have at most {}, and a Gaussian fit needs {LEAST_OCCLUDERS}; a smaller \
             --occluder-size, --occluder-stride or --every makes more",
            escaped(layer),
            counted(most as usize, "occluder")
        )
    })
}

/// The end of a note on maps without occluders.
pub(super) const WITHOUT: &str = "have no occluder, since the image cuts their receptive field to less than \
                                  one; they count as zeros";

impl Occluders {
    /// Notes of a layer with an RF of `rf` pixels, before its positions are known: what
    /// [`sweep`](super::sweep()) notes of its maps.
    pub fn notes(&self, layer: &str, rf: usize) -> Vec<String> {
        let without = (self.positions_without > 0).then(|| {
            format!(
                "note: maps of {} at {} of {} positions {WITHOUT}",
                escaped(layer),
                count(self.positions_without as u64),
                count(self.positions as u64)
            )
        });
        let few = few_occluders_note(layer, rf, self.most as u64);
        without.into_iter().chain(few).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_has_few_occluders_below_eight_where_its_field_could_have_more() {
        let is_noted = |rf, most| few_occluders_note("conv1", rf, most).is_some();
        for (rf, most, expected) in [
            (11, 7, true),
            (11, 8, false),
            (3, 4, true),
            // A field of four pixels has no more; without any occluder another note tells.
            (2, 4, false),
            (11, 0, false),
        ] {
            assert_eq!(is_noted(rf, most), expected, "{rf} {most}");
        }
    }

    #[test]
    fn positions_without_an_occluder_are_counted() {
        let occluders = Occluders { mean: 3.0, most: 4, positions: 3025, positions_without: 220 };
        let [without, few] = &occluders.notes("conv1", 11)[..] else { panic!("two notes") };
        assert_eq!(
            without,
            "note: maps of conv1 at 220 of 3,025 positions have no occluder, since the image cuts \
             their receptive field to less than one; they count as zeros"
        );
        assert!(few.contains("at most 4 occluders"), "{few}");
    }
}
