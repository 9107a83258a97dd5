//! The largest few of many.

use super::Entry;

/// The `n` entries with the largest responses among those offered, largest first; of equal ones
/// the first offered stays ahead.
#[derive(Clone, Debug)]
pub struct Best {
    n: usize,
    entries: Vec<(f32, u32, u32)>,
}

impl Best {
    /// Room for `n` entries.
    pub const fn new(n: usize) -> Self {
        Self { n, entries: Vec::new() }
    }

    /// Offers an image's response and the position where it occurs.
    pub fn offer(&mut self, response: f32, image: u32, position: u32) {
        let place = self.entries.partition_point(|&(other, ..)| other >= response);
        if place < self.n {
            self.entries.truncate(self.n - 1);
            self.entries.insert(place, (response, image, position));
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
            let mut best = Best::new(n);
            for (image, &response) in responses.iter().enumerate() {
                best.offer(response, image as u32, 0);
            }
            let mut sorted: Vec<usize> = (0..responses.len()).collect();
            sorted.sort_by(|&a, &b| responses[b].total_cmp(&responses[a]));
            sorted.truncate(n);
            let found: Vec<usize> =
                best.into_entries().iter().map(|entry| entry.image as usize).collect();
            prop_assert_eq!(found, sorted);
        }
    }
}
