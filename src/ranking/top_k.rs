//! The largest `n` of a stream.

use super::Entry;

/// The `n` entries with the largest responses pushed so far, largest first; of equal responses the
/// earlier stays ahead.
#[derive(Clone, Debug)]
pub struct TopK {
    n: usize,
    entries: Vec<(f32, u32, u32)>,
    /// The smallest of `n` entries, which rejects most pushes by one comparison. NaN, which rejects
    /// nothing, if there are fewer entries or one of them is NaN.
    floor: f32,
    /// Whether no entry is NaN.
    numbers: bool,
}

impl TopK {
    /// An empty collection of at most `n` entries.
    pub const fn new(n: usize) -> Self {
        Self { n, entries: Vec::new(), floor: f32::NAN, numbers: true }
    }

    /// Pushes an image's response with its position.
    pub fn push(&mut self, response: f32, image: u32, position: u32) {
        if response <= self.floor {
            return;
        }
        let index = self.entries.partition_point(|&(other, ..)| other >= response);
        if index < self.n {
            self.entries.truncate(self.n - 1);
            self.entries.insert(index, (response, image, position));
            self.numbers &= !response.is_nan();
            self.floor = match self.entries.last() {
                Some(&(last, ..)) if self.numbers && self.entries.len() == self.n => last,
                _ => f32::NAN,
            };
        }
    }

    /// The entries, best first.
    pub fn into_entries(self) -> Vec<Entry> {
        let entry =
            |(response, image, position)| Entry { image, position, response: Some(response) };
        self.entries.into_iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_equals_a_stable_sort(
            responses in prop::collection::vec((-3_i8..3).prop_map(f32::from), 0..40),
            n in 1_usize..10,
        ) {
            let mut top = TopK::new(n);
            for (image, &response) in responses.iter().enumerate() {
                top.push(response, image as u32, 0);
            }
            let mut sorted: Vec<usize> = (0..responses.len()).collect();
            sorted.sort_by(|&a, &b| responses[b].total_cmp(&responses[a]));
            sorted.truncate(n);
            let found: Vec<usize> =
                top.into_entries().iter().map(|entry| entry.image as usize).collect();
            prop_assert_eq!(found, sorted);
        }

        /// The quick rejection gives the same result as none.
        #[test]
        fn what_is_turned_away_at_once_would_not_have_been_taken(
            responses in prop::collection::vec(
                prop_oneof![
                    20 => (-3_i8..3).prop_map(f32::from),
                    1 => Just(f32::NAN),
                    1 => Just(f32::NEG_INFINITY),
                    1 => Just(-0.0),
                ],
                0..60,
            ),
            n in 0_usize..10,
        ) {
            let (mut top, mut plain) = (TopK::new(n), Vec::new());
            for (image, &response) in responses.iter().enumerate() {
                top.push(response, image as u32, 0);
                let index = plain.partition_point(|&(other, _)| other >= response);
                if index < n {
                    plain.truncate(n - 1);
                    plain.insert(index, (response, image as u32));
                }
            }
            let bits = |(response, image): (f32, u32)| (response.to_bits(), image);
            let found: Vec<_> =
                top.entries.iter().map(|&(response, image, _)| bits((response, image))).collect();
            let plain: Vec<_> = plain.into_iter().map(bits).collect();
            prop_assert_eq!(found, plain);
        }
    }
}
