//! Products of bf16 operands, the same bits by any instructions.
//!
//! **Operands.** A float becomes a bf16 by rounding to nearest, ties to even ([`round`]); `bf16x3`
//! adds a second one, what the first leaves over ([`split`]). Operands below 2^-56 are zero:
//! products of any two others are multiples of 2^-126, so no sum is subnormal, and it does not
//! matter that some instructions flush those and others do not. A product of two bf16 has 16 bits
//! and is exact.
//!
//! **Sums.** The channels that a tap meets are cut into lines of [`LINE`]. Of a line, even channels
//! make one chain of multiply-adds in 32 bits, from zero, and odd ones another, channel `c` before
//! `c + 16`; the two are added, and their sum to what the lines before gave. That is how
//! `tdpbf16ps` adds up a tile, by the text of the instruction set; `vdpbf16ps` adds two products to
//! a chain. In `bf16x3` a line is added three times: deltas' high parts by weights' low parts, high
//! by high, low by high.
//!
//! `deltas` and `weights` pack the operands, `form` chooses the instructions, `product` is the
//! product, `pairs` computes it by the vectors of `dot`, `tiles` by the tiles of `amx`, and
//! `convolve` is the convolution.

mod amx;
mod convolve;
mod deltas;
mod dot;
mod form;
#[cfg(test)]
mod model;
mod pairs;
mod product;
mod tiles;
mod weights;

pub(super) use convolve::{Batches, Scratch};
pub(super) use form::Form;
pub(super) use weights::{Parts, Weights};

use tiles::Panel;

/// Channels of a line.
const LINE: usize = 32;
/// Pairs of a line: words of two operands.
const PAIRS: usize = LINE / 2;
/// Fewest channels of a group that is multiplied in bf16: in a line of fewer, most would be padding.
pub(super) const FEWEST: usize = 8;

/// Bits of 2^-56, the smallest operand that is not zero.
const LEAST: u32 = (127 - 56) << 23;
/// Bits of infinity.
const INFINITE: u32 = 0x7f80_0000;

/// The nearest bf16, in the upper half of a word.
#[inline(always)]
const fn round(value: f32) -> u32 {
    let bits = value.to_bits();
    let size = bits & 0x7fff_ffff;
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
    if size < LEAST {
        0
    } else if size > INFINITE {
        bits | 0x0040_0000
    } else {
        nearest
    }
}

/// The nearest bf16, and that of what is left, each in the upper half of a word.
#[inline(always)]
fn split(value: f32) -> (u32, u32) {
    let high = round(value);
    (high, round(value - f32::from_bits(high)))
}

/// The high and the low parts of a line's values, as [`split`] gives them.
#[inline(always)]
fn split_line(line: &[f32; LINE]) -> [[u32; LINE]; 2] {
    let (mut high, mut low) = ([0; LINE], [0; LINE]);
    for ((high, low), &value) in high.iter_mut().zip(&mut low).zip(line) {
        (*high, *low) = split(value);
    }
    [high, low]
}

/// How the operands of a line lie in its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Word `d` has channel `d` above, which comes first, and `d + 16` below: for `vdpbf16ps`.
    Pairs,
    /// Word `2j` has the channels `2j` below and `2j + 1` above, word `2j + 1` those 16 further on: for
    /// `tdpbf16ps`.
    Tiles,
}

impl Order {
    /// A word of a line, whose operands lie in the upper halves of words.
    #[inline(always)]
    fn word(self, line: &[u32; LINE], word: usize) -> u32 {
        let (below, above) = match self {
            Self::Pairs => (word + PAIRS, word),
            Self::Tiles => {
                let first = word / 2 * 2 + word % 2 * PAIRS;
                (first, first + 1)
            }
        };
        line[below] >> 16 | line[above] & 0xffff_0000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_the_nearest_and_tiny_ones_are_zero() {
        let of = |value: f32| f32::from_bits(round(value));
        for value in [0.0, 1.0, -3.5, 1.0e30, -1.0e-16, f32::INFINITY, f32::NEG_INFINITY] {
            let nearest = half::bf16::from_f32(value).to_f32();
            assert_eq!(of(value), nearest);
        }
        // Between 1 and 1 + 2^-7: ties go to the even one.
        let step = 2_f32.powi(-7);
        assert_eq!(of(1.0 + step / 2.0), 1.0);
        assert_eq!(of(1.0 + step * 1.5), 1.0 + 2.0 * step);
        assert_eq!(of(1.0 + step * 0.501), 1.0 + step);
        assert_eq!(of(2_f32.powi(-56)), 2_f32.powi(-56));
        assert_eq!(of(2_f32.powi(-56).next_down()), 0.0);
        assert_eq!(of(-f32::MIN_POSITIVE), 0.0);
        assert_eq!(of(f32::MAX), f32::INFINITY);
        assert!(of(f32::NAN).is_nan());
        assert!(of(f32::from_bits(0x7f80_0001)).is_nan());
        for value in crate::noise::TorchStream::new(4).take(10_000) {
            let value = (value - 0.5) * 7.0;
            assert_eq!(of(value), half::bf16::from_f32(value).to_f32());
            let (high, low) = split(value);
            let left = value - f32::from_bits(high) - f32::from_bits(low);
            assert!(left.abs() <= value.abs() * 2_f32.powi(-17), "{value} {left}");
        }
    }

    #[test]
    fn both_orders_have_every_channel_once_and_the_same_chains() {
        let line: [u32; LINE] = std::array::from_fn(|channel| (channel as u32 + 1) << 16);
        let halves = |order: Order, word| {
            let word = order.word(&line, word);
            [(word & 0xffff) as usize - 1, (word >> 16) as usize - 1]
        };
        // The chains of even and of odd channels, in their order.
        let mut chains = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
        for word in 0..PAIRS {
            let [second, first] = halves(Order::Pairs, word);
            chains[0][word % 2].extend([first, second]);
            let [even, odd] = halves(Order::Tiles, word);
            chains[1][0].push(even);
            chains[1][1].push(odd);
        }
        assert_eq!(chains[0], chains[1]);
        let [even, odd] = &chains[0];
        assert_eq!(even[..4], [0, 16, 2, 18]);
        assert!(even.iter().all(|channel| channel % 2 == 0) && even.len() == PAIRS);
        assert!(odd.iter().all(|channel| channel % 2 == 1) && odd.len() == PAIRS);
    }
}
