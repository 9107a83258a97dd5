//! Philox4x32-10, a counter-based generator: Salmon, Moraes, Dror and Shaw, "Parallel random
//! numbers: as easy as 1, 2, 3", SC 2011.

use crate::geometry::Occluder;

const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Four random words for a 128-bit counter and a 64-bit key.
pub fn philox4x32_10(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    side_by_side(counter.map(|word| [word]), key).map(|[word]| word)
}

/// Four random words for each of `N` counters, laid out for vectors.
#[inline(always)]
fn side_by_side<const N: usize>(mut counter: [[u32; N]; 4], mut key: [u32; 2]) -> [[u32; N]; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        for lane in 0..N {
            let word = |which: usize| counter[which][lane];
            let p0 = u64::from(MULTIPLIER[0]) * u64::from(word(0));
            let p1 = u64::from(MULTIPLIER[1]) * u64::from(word(2));
            let next = [
                (p1 >> 32) as u32 ^ word(1) ^ key[0],
                p1 as u32,
                (p0 >> 32) as u32 ^ word(3) ^ key[1],
                p0 as u32,
            ];
            for (words, next) in counter.iter_mut().zip(next) {
                words[lane] = next;
            }
        }
    }
    counter
}

/// Number of blocks drawn together.
pub(super) const BLOCKS: usize = 16;

/// The words for blocks `first` to `first + BLOCKS` of an occluder's noise `[channel, row,
/// column]`; word `w` of block `b` is element `4 * b + w`'s, at `[w][b - first]`.
///
/// The counter, low word first: the block; the image's index; the top-left corner, `top` in the
/// high half; the occluder's size, in the high half, and the draw. Coordinates and sizes fit: an
/// image's sides are below 2^16.
#[inline(always)]
pub(super) fn blocks(
    seed: u64,
    draw: u16,
    image: u32,
    occluder: &Occluder,
    first: u32,
) -> [[u32; BLOCKS]; 4] {
    let halves = |high: usize, low: usize| (high as u32) << 16 | low as u32;
    let counter = [
        std::array::from_fn(|block| first + block as u32),
        [image; BLOCKS],
        [halves(occluder.top, occluder.left); BLOCKS],
        [halves(occluder.size, usize::from(draw)); BLOCKS],
    ];
    side_by_side(counter, [seed as u32, (seed >> 32) as u32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_known_answers() {
        // Random123 1.14, examples/kat_vectors, lines "philox4x32 10".
        let known = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in known {
            assert_eq!(philox4x32_10(counter, key), expected);
        }
    }
}
