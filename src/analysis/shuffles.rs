//! Permutations that leave nothing where it was.

use crate::noise::philox4x32_10;

/// Permutations of a seed: Philox4x32-10 counted by shuffle and index, so each is known by its number.
#[derive(Clone, Copy, Debug)]
pub struct Shuffles {
    seed: u64,
    /// Which of several sets of permutations.
    set: u32,
}

impl Shuffles {
    /// The permutations of a seed; those of different sets have nothing in common.
    pub const fn new(seed: u64, set: u32) -> Self {
        Self { seed, set }
    }

    /// A permutation of `count` things: one cycle through all of them (Sattolo's algorithm), so that
    /// none keeps its index if there are at least two.
    pub fn cycle(&self, number: u32, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        let key = [self.seed as u32, (self.seed >> 32) as u32];
        for last in (1..count).rev() {
            let word = philox4x32_10([last as u32, number, self.set, 0], key)[0];
            let other = (u64::from(word) * last as u64) >> 32;
            order.swap(last, other as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_keeps_its_place_and_nothing_is_lost() {
        for count in 0..40 {
            let found = Shuffles::new(7, 1).cycle(3, count);
            let mut sorted = found.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..count).collect::<Vec<_>>());
            assert!(count < 2 || found.iter().enumerate().all(|(at, &to)| at != to), "{found:?}");
        }
    }

    #[test]
    fn every_place_is_as_likely_as_the_others() {
        let mut counts = [0; 5];
        for number in 0..4000 {
            counts[Shuffles::new(1, 0).cycle(number, 5)[0]] += 1;
        }
        // 1000 each, with a standard deviation of 27.
        assert!(counts[0] == 0 && counts[1..].iter().all(|count| (880..1120).contains(count)));
        assert_ne!(Shuffles::new(1, 0).cycle(0, 9), Shuffles::new(1, 1).cycle(0, 9));
        assert_ne!(Shuffles::new(1, 0).cycle(0, 9), Shuffles::new(1 << 40, 0).cycle(0, 9));
    }
}
