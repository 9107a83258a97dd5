//! Patterns sorted by the taps that they meet, so that blocks have rows of several of them.
//!
//! There are tens of thousands of patterns in a wave, and the device waits for them: they are sorted
//! list by list on all cores, and then moved once.

use rayon::prelude::*;

use crate::engine::cuda::tables::layout::Pattern;

/// How many patterns a list that is returned has at least, but for the last.
const EACH: usize = 1024;

/// What is the same for patterns whose rows may share a block: the taps, and how wide their inputs are.
type TapClass = [i32; 5];

fn tap_class_of(pattern: &Pattern) -> TapClass {
    let &Pattern { tap_y, tap_x, taps_y, taps_x, input_tap_row, .. } = pattern;
    [tap_y, tap_x, taps_y, taps_x, input_tap_row]
}

/// Something of each class, in the order in which classes appeared. There are a few hundred, and they are
/// looked up for every pattern of a wave: with the standard library's maps the host took longer
/// (`docs/design/tensor-cores.md`).
struct Kinds<T> {
    slots: Vec<Vec<usize>>,
    found: Vec<(TapClass, T)>,
}

impl<T: Default> Kinds<T> {
    const SLOTS: usize = 512;

    fn new() -> Self {
        Self { slots: vec![Vec::new(); Self::SLOTS], found: Vec::new() }
    }

    fn of(&mut self, class: TapClass) -> &mut T {
        let slot = class.iter().fold(0, |slot: usize, &part| 13 * slot + part as usize);
        let slot = &mut self.slots[slot % Self::SLOTS];
        let known = slot.iter().copied().find(|&index| self.found[index].0 == class);
        let index = known.unwrap_or_else(|| {
            slot.push(self.found.len());
            self.found.push((class, T::default()));
            self.found.len() - 1
        });
        &mut self.found[index].1
    }
}

/// The patterns of all lists, those of a class one after the other, in the order in which they were,
/// and all of them in one list; each is told how many follow.
pub(in crate::engine::cuda) fn by_taps(patterns: &[Vec<Pattern>]) -> Vec<Vec<Pattern>> {
    let of_list = |list: &Vec<Pattern>| {
        let mut classes: Kinds<Vec<Pattern>> = Kinds::new();
        for pattern in list {
            classes.of(tap_class_of(pattern)).push(*pattern);
        }
        classes.found
    };
    let lists: Vec<_> = patterns.par_iter().map(of_list).collect();
    let mut classes: Kinds<Vec<&[Pattern]>> = Kinds::new();
    for (class, some) in lists.iter().flatten() {
        classes.of(*class).push(some);
    }
    // Some classes each.
    let mut count = 0;
    let some: Vec<_> = classes
        .found
        .chunk_by(|(_, before), _| {
            count += before.iter().map(|some| some.len()).sum::<usize>();
            let more = count < EACH;
            count = if more { count } else { 0 };
            more
        })
        .collect();
    let of_some = |&classes: &&[(TapClass, Vec<&[Pattern]>)]| -> Vec<Pattern> {
        classes.iter().flat_map(|(_, some)| one(some)).collect()
    };
    some.par_iter().map(of_some).collect()
}

/// Whether the inputs of patterns that share blocks lie in their order: the kernels count from a
/// block's first row on.
pub(in crate::engine::cuda) fn rise(patterns: &[Vec<Pattern>]) -> bool {
    let rises = |pair: &[Pattern]| pair[0].following == 0 || pair[0].input <= pair[1].input;
    patterns.par_iter().all(|list| list.windows(2).all(rises))
}

/// The patterns of a class.
fn one<'a>(some: &'a [&'a [Pattern]]) -> impl Iterator<Item = Pattern> + 'a {
    let count = some.iter().map(|some| some.len()).sum::<usize>();
    let following = (0..count).rev();
    some.iter()
        .copied()
        .flatten()
        .zip(following)
        .map(|(pattern, following)| Pattern { following: following as u32, ..*pattern })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_a_kind_follow_each_other() {
        let pattern = |tap_x, input_tap_row, input| Pattern {
            taps_y: 1,
            taps_x: 1,
            tap_x,
            input_tap_row,
            input,
            ..Pattern::default()
        };
        let lists = by_taps(&[
            vec![pattern(0, 8, 0), pattern(1, 8, 8), pattern(0, 8, 16)],
            vec![],
            vec![pattern(0, 16, 24), pattern(1, 8, 32), pattern(0, 8, 40)],
        ]);
        let told: Vec<_> =
            lists.iter().flatten().map(|pattern| (pattern.input, pattern.following)).collect();
        assert_eq!(told, [(0, 2), (16, 1), (40, 0), (8, 1), (32, 0), (24, 0)]);
        assert_eq!(by_taps(&[]), Vec::<Vec<Pattern>>::new());
    }

    #[test]
    fn no_list_ends_within_a_kind() {
        // Kinds of 1, 2, … patterns.
        let classes = (1..100).flat_map(|class| (0..class).map(move |_| class));
        let pattern = |class| Pattern { taps_y: 1, taps_x: class, ..Pattern::default() };
        let lists = by_taps(&[classes.map(pattern).collect()]);
        assert!(lists.len() > 3);
        assert_eq!(lists.iter().map(Vec::len).sum::<usize>(), 99 * 100 / 2);
        for list in &lists {
            assert_eq!(list.last().map(|pattern| pattern.following), Some(0));
            assert!(list.len() < EACH + 99, "{}", list.len());
        }
    }
}
