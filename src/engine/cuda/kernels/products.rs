//! How tap products multiply: by which kernel, in what tiles, weights in which form.

use super::fragments::{WORDS, fragments, tf32, two_bf16, two_fp16};
use crate::engine::cuda::Precision;
use crate::engine::cuda::loaded::{Kernels, LoadedKernel};

/// The exponent of the largest weight in fp16, below that of 65504 by 2.
const LARGEST_WEIGHT: i32 = 13;

/// What a block computes, and by how many threads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    pub rows: usize,
    pub columns: usize,
    pub threads: u32,
}

/// Of any number of channels: `kernels/tap_tiles.cuh`.
pub(super) const ANY: Tile = Tile { rows: 64, columns: 64, threads: 128 };
/// Of whole fragments: `kernels/tap_fragments.cuh`.
pub(super) const FRAGMENTS: Tile = Tile { rows: 128, columns: 128, threads: 256 };

/// How deltas are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Products {
    /// In fp32, any number of channels.
    Fp32,
    /// In tf32, any number of channels.
    AnyTf32,
    /// In tf32, multiples of 8 channels a group.
    Tf32,
    /// In fp16, multiples of 16 channels a group.
    Fp16,
    /// In bf16, multiples of 16 channels a group.
    Bf16,
}

impl Products {
    /// Those of groups of `inputs` channels where this precision is asked for. Where one of 16 bits would
    /// need more of them, it is tf32.
    pub(super) const fn of(precision: Precision, inputs: usize) -> Self {
        match precision {
            Precision::Fp32 => Self::Fp32,
            Precision::Fp16 if inputs.is_multiple_of(Self::Fp16.inputs()) => Self::Fp16,
            Precision::Bf16 if inputs.is_multiple_of(Self::Bf16.inputs()) => Self::Bf16,
            _ if inputs.is_multiple_of(Self::Tf32.inputs()) => Self::Tf32,
            _ => Self::AnyTf32,
        }
    }

    /// The same, or tf32 where fp16 cannot hold weights, however they are scaled.
    pub(super) fn that_holds(self, weights: &[f32]) -> Self {
        let scaled = largest(weights) * self.scale(weights);
        let held = scaled == 0.0 || to_exponent(scaled, LARGEST_WEIGHT) == 1.0;
        if self == Self::Fp16 && !held { Self::Tf32 } else { self }
    }

    /// What divides a group's channels.
    pub(super) const fn inputs(self) -> usize {
        match self {
            Self::Fp32 | Self::AnyTf32 => 1,
            Self::Tf32 => WORDS,
            Self::Fp16 | Self::Bf16 => 2 * WORDS,
        }
    }

    /// The kernel of deltas; `halves` if it reads them in fp16.
    pub(super) const fn kernel(self, kernels: &Kernels, halves: bool) -> &LoadedKernel {
        match self {
            Self::Fp32 => &kernels.tap_product_fp32,
            Self::AnyTf32 => &kernels.tap_product_tf32_any,
            Self::Tf32 => &kernels.tap_product_tf32,
            Self::Fp16 if halves => &kernels.tap_product_fp16,
            Self::Fp16 => &kernels.tap_product_fp16_of_fp32,
            Self::Bf16 => &kernels.tap_product_bf16,
        }
    }

    /// What a block of it computes.
    pub(super) const fn tile(self) -> Tile {
        match self {
            Self::Fp32 | Self::AnyTf32 => ANY,
            Self::Tf32 | Self::Fp16 | Self::Bf16 => FRAGMENTS,
        }
    }

    /// By what it has weights multiplied: a power of two.
    pub(super) fn scale(self, weights: &[f32]) -> f32 {
        match self {
            Self::Fp16 => to_exponent(largest(weights), LARGEST_WEIGHT),
            _ => 1.0,
        }
    }

    /// The weights as it reads them, where that is not as they are; see [`fragments`] for `rows`.
    pub(super) fn words(
        self,
        weights: &[f32],
        rows: (usize, usize, usize),
        scale: f32,
    ) -> Option<Vec<u32>> {
        let tf32 = |[weight]: [f32; 1]| tf32(weight).to_bits();
        match self {
            Self::Fp32 => None,
            Self::AnyTf32 => Some(weights.iter().map(|&weight| tf32([weight])).collect()),
            Self::Tf32 => Some(fragments(weights, rows, tf32)),
            Self::Fp16 => {
                let scaled = |two: [f32; 2]| two_fp16(two.map(|weight| scale * weight));
                Some(fragments(weights, rows, scaled))
            }
            Self::Bf16 => Some(fragments(weights, rows, two_bf16)),
        }
    }
}

/// The largest absolute value; NaNs are none.
pub(in crate::engine::cuda) fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()))
}

/// The power of two that brings a value to an exponent, or as near as 2^60 and 2^-60 do: products of two
/// such factors, and what they divide 1 into, are exact. 1 for what has no exponent: 0, subnormal values,
/// infinities and NaNs.
pub(in crate::engine::cuda) fn to_exponent(value: f32, exponent: i32) -> f32 {
    if !(value.is_normal() && value > 0.0) {
        return 1.0;
    }
    let own = (value.to_bits() >> 23) as i32 - 127;
    2.0_f32.powi((exponent - own).clamp(-60, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_fp16_cannot_hold_are_multiplied_in_tf32() {
        for (weight, held) in
            [(0.0, true), (1e-12, true), (3.0, true), (1e20, true), (1e23, false), (1e-30, false)]
        {
            let expected = if held { Products::Fp16 } else { Products::Tf32 };
            assert_eq!(Products::Fp16.that_holds(&[0.0, -weight]), expected, "{weight}");
        }
        assert_eq!(Products::Fp32.that_holds(&[1e30]), Products::Fp32);
    }

    #[test]
    fn values_are_brought_to_an_exponent() {
        for value in [1e-15, 0.001, 0.99, 1.0, 15.9, 16.0, 3e4, 1e17] {
            let scaled = value * to_exponent(value, 3);
            assert!((8.0..16.0).contains(&scaled), "{value} becomes {scaled}");
        }
        assert_eq!(to_exponent(f32::MAX, 3).to_bits(), 2.0_f32.powi(-60).to_bits());
        for value in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(to_exponent(value, 3).to_bits(), 1.0_f32.to_bits());
        }
    }
}
