//! Sums of lines of values: all that the transforms are made of.

use super::points::MOST;
use crate::engine::cpu::simd::{Four, One, Vector};

/// Lines of values, one every `step`.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    /// The first and all behind it.
    pub values: &'a [f32],
    /// Values from one line's beginning to the next's.
    pub step: usize,
}

/// `to[i] = Σ factor · lines.values[index · lines.step + i]` over the terms, `(index, factor)` each, for every `i` of
/// `to`; added to what is there, if `add` says so.
///
/// The factors stay in registers all along, which is what makes long lines fast. Requires the
/// instructions of `V`.
#[inline(always)]
pub(super) unsafe fn combine<V: Vector>(
    terms: &[(usize, f32)],
    lines: Lines<'_>,
    to: &mut [f32],
    add: bool,
) {
    assert!(terms.len() <= MOST);
    assert!(terms.iter().all(|&(index, _)| index * lines.step + to.len() <= lines.values.len()));
    // SAFETY: the lines were just checked; `V` is the caller's.
    unsafe {
        match terms.len() {
            0 => of::<V, 0>(terms, lines, to, add),
            1 => of::<V, 1>(terms, lines, to, add),
            2 => of::<V, 2>(terms, lines, to, add),
            3 => of::<V, 3>(terms, lines, to, add),
            4 => of::<V, 4>(terms, lines, to, add),
            5 => of::<V, 5>(terms, lines, to, add),
            6 => of::<V, 6>(terms, lines, to, add),
            7 => of::<V, 7>(terms, lines, to, add),
            _ => of::<V, MOST>(terms, lines, to, add),
        }
    }
}

/// As [`combine`], of `N` terms, whose lines must be as long as `to`.
#[inline(always)]
unsafe fn of<V: Vector, const N: usize>(
    terms: &[(usize, f32)],
    lines: Lines<'_>,
    to: &mut [f32],
    add: bool,
) {
    let wide = to.len() / Four::<V>::LANES * Four::<V>::LANES;
    let whole = to.len() / V::LANES * V::LANES;
    let (length, to) = (to.len(), to.as_mut_ptr());
    let from = lines.values.as_ptr();
    // SAFETY: the caller's.
    unsafe {
        let terms: [(*const f32, f32); N] =
            std::array::from_fn(|term| (from.add(terms[term].0 * lines.step), terms[term].1));
        for start in (0..wide).step_by(Four::<V>::LANES) {
            sum::<Four<V>, N>(&terms, start, to, add);
        }
        for start in (wide..whole).step_by(V::LANES) {
            sum::<V, N>(&terms, start, to, add);
        }
        for start in whole..length {
            sum::<One, N>(&terms, start, to, add);
        }
    }
}

/// The sum at one element, for the lanes of a vector.
#[inline(always)]
unsafe fn sum<V: Vector, const N: usize>(
    terms: &[(*const f32, f32); N],
    start: usize,
    to: *mut f32,
    add: bool,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut sum = V::splat(0.0);
        for &(line, factor) in terms {
            sum = V::splat(factor).mul_add(V::load(line.add(start)), sum);
        }
        let to = to.add(start);
        if add {
            sum = V::load(to).add(sum);
        }
        sum.store(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu::compress::Compress;
    use crate::engine::cpu::simd::{Isa, Kernel};

    struct Combine<'a>(&'a [(usize, f32)], Lines<'a>, &'a mut [f32], bool);

    impl Kernel for Combine<'_> {
        type Output = ();

        #[inline(always)]
        unsafe fn run<V: Compress>(self) {
            let Self(terms, lines, to, add) = self;
            // SAFETY: `V` is the caller's.
            unsafe { combine::<V>(terms, lines, to, add) };
        }
    }

    #[test]
    fn every_length_and_number_of_terms_equals_its_definition() {
        // Whole numbers and halves, so that sums are exact.
        let from: Vec<f32> = (0..1_000).map(|index| (index * 37 % 101) as f32 - 50.0).collect();
        for isa in Isa::available() {
            for number in 0..=MOST {
                let terms: Vec<(usize, f32)> =
                    (0..number).map(|term| ((term * 3) % 7, term as f32 - 2.5)).collect();
                for length in [0, 1, 7, 8, 16, 31, 64, 100, 131] {
                    let before: Vec<f32> = (0..length).map(|index| (index % 7) as f32).collect();
                    let step = length + 3;
                    for add in [false, true] {
                        let mut to = before.clone();
                        let lines = Lines { values: &from, step };
                        isa.run(Combine(&terms, lines, &mut to, add));
                        for (element, (&found, &before)) in to.iter().zip(&before).enumerate() {
                            let term =
                                |&(line, by): &(usize, f32)| by * from[line * step + element];
                            let sum: f32 = terms.iter().map(term).sum();
                            let before = if add { before } else { 0.0 };
                            assert_eq!(found, before + sum, "{isa:?} {number} {length} {element}");
                        }
                    }
                }
            }
        }
    }
}
