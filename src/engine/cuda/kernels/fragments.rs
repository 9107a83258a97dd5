//! Weights as the lanes of tensor cores hold them: `kernels/tap_fragments.cuh`.

use half::{bf16, f16};

/// Words of K in a fragment.
pub(super) const WORDS: usize = 8;
/// Columns whose fragments lie together: those of a warp.
pub(super) const COLUMNS: usize = 32;

/// The weights `[group][row][padded column]` of groups of so many rows and columns, as
/// `[group][columns / 32][words / 8][2][lane][2][2]`. A word is `VALUES` rows; of it and the column
/// the kernel's header tells the lane.
///
/// Rows are a multiple of 8 words, and there are as many padded columns as 32 divide.
pub(super) fn fragments<const VALUES: usize>(
    weights: &[f32],
    (rows, columns, padded): (usize, usize, usize),
    word: impl Fn([f32; VALUES]) -> u32,
) -> Vec<u32> {
    let words = rows / VALUES;
    let parts = columns.div_ceil(COLUMNS);
    let groups = weights.len() / (rows * padded);
    let mut fragments = Vec::with_capacity(groups * parts * COLUMNS * words);
    for group in weights.chunks_exact(rows * padded) {
        for (part, first) in
            (0..parts).flat_map(|part| (0..words).step_by(WORDS).map(move |first| (part, first)))
        {
            for index in 0..COLUMNS * WORDS {
                let (pair, lane, eight, half) =
                    (index / 128, index / 4 % 32, index / 2 % 2, index % 2);
                let column = part * COLUMNS + (2 * pair + eight) * 8 + lane / 4;
                let row = (first + lane % 4 + 4 * half) * VALUES;
                let values = std::array::from_fn(|value| group[(row + value) * padded + column]);
                fragments.push(word(values));
            }
        }
    }
    fragments
}

/// A value in tf32: 10 bits of mantissa, rounded to nearest, ties away from zero, as
/// `kernels/operands.cuh` rounds deltas.
pub(super) fn tf32(value: f32) -> f32 {
    f32::from_bits(value.to_bits().wrapping_add(0x1000) & 0xFFFF_E000)
}

/// A word of two values in bf16, rounded to nearest, ties to even, likewise.
pub(super) fn two_bf16(values: [f32; 2]) -> u32 {
    two(values.map(|value| bf16::from_f32(value).to_bits()))
}

/// A word of two values in fp16, rounded to nearest, ties to even, likewise.
pub(super) fn two_fp16(values: [f32; 2]) -> u32 {
    two(values.map(|value| f16::from_f32(value).to_bits()))
}

/// The first in the lower half.
fn two([low, high]: [u16; 2]) -> u32 {
    u32::from(low) | u32::from(high) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_has_its_lane() {
        // Two groups of 16 rows and 40 columns; a weight tells where it was.
        let (rows, columns, padded) = (16, 40, 64);
        let weights: Vec<f32> = (0..2 * rows * padded).map(|index| index as f32).collect();
        let found = fragments(&weights, (rows, columns, padded), |[value]: [f32; 1]| value as u32);
        assert_eq!(found.len(), 2 * 64 * rows);
        let at = |group: usize, part: usize, eight_words: usize| {
            &found[((group * 2 + part) * 2 + eight_words) * 256..][..256]
        };
        let weight = |group: usize, row: usize, column: usize| {
            ((group * rows + row) * padded + column) as u32
        };
        // b: (t, g), (t + 4, g) of lane 4g + t.
        let lane = 4 * 5 + 3;
        assert_eq!(at(0, 0, 0)[4 * lane..][..2], [weight(0, 3, 5), weight(0, 7, 5)]);
        assert_eq!(at(0, 0, 0)[4 * lane + 2..][..2], [weight(0, 3, 13), weight(0, 7, 13)]);
        assert_eq!(at(0, 0, 1)[128 + 4 * lane], weight(0, 11, 21));
        assert_eq!(at(1, 1, 1)[128 + 4 * lane + 3], weight(1, 15, 61));
        // Words of two rows.
        let pairs = fragments(&weights, (rows, columns, padded), |[low, high]| {
            (low as u32) << 16 | high as u32
        });
        assert_eq!(pairs.len(), found.len() / 2);
        assert_eq!(pairs[4 * lane], weight(0, 6, 5) << 16 | weight(0, 7, 5));
        assert_eq!(pairs[4 * lane + 1], weight(0, 14, 5) << 16 | weight(0, 15, 5));
    }

    #[test]
    fn two_values_make_a_word() {
        assert_eq!(two_bf16([1.0, -2.0]), 0xC000_3F80);
        assert_eq!(two_bf16([1.003_906_2, 1.011_718_8]), 0x3F82_3F80, "ties to even");
        assert_eq!(two_fp16([1.0, -2.0]), 0xC000_3C00);
        assert_eq!(two_fp16([2049.0, 2051.0]), 0x6802_6800, "ties to even");
    }
}
