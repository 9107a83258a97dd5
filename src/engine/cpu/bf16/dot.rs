//! Vectors of pairs of bf16.

use super::super::simd::{Plain, Vector};

/// A vector of words, each of two bf16.
///
/// Every method requires that the machine has the instructions that the type is named after, and that
/// pointers are good for as many words as the sums have lanes.
pub(super) trait Dot: Copy {
    /// Sums of 32 bits.
    type Sum: Vector;
    /// Reads words.
    unsafe fn load(from: *const u32) -> Self;
    /// One word in every lane.
    unsafe fn splat(word: u32) -> Self;
    /// `sum` and the products of the upper halves, then of the lower ones, each rounded once.
    unsafe fn dot(self, other: Self, sum: Self::Sum) -> Self::Sum;
}

/// The halves of words as floats.
#[derive(Clone, Copy)]
pub(super) struct Floats<V> {
    above: V,
    below: V,
}

/// What a vector needs for [`Floats`].
pub(super) trait Halves: Vector {
    /// The halves of words, the upper ones first.
    unsafe fn halves(from: *const u32) -> [Self; 2];
}

impl<V: Halves> Dot for Floats<V> {
    type Sum = V;

    #[inline(always)]
    unsafe fn load(from: *const u32) -> Self {
        // SAFETY: the trait's requirements.
        unsafe {
            let [above, below] = V::halves(from);
            Self { above, below }
        }
    }

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        // SAFETY: the trait's requirements.
        unsafe {
            Self {
                above: V::splat(f32::from_bits(word & 0xffff_0000)),
                below: V::splat(f32::from_bits(word << 16)),
            }
        }
    }

    #[inline(always)]
    unsafe fn dot(self, other: Self, sum: V) -> V {
        // SAFETY: the trait's requirements. A product of two bf16 is exact, so it is rounded once even where
        // it is rounded before it is added.
        unsafe { self.below.mul_add(other.below, self.above.mul_add(other.above, sum)) }
    }
}

impl<const N: usize> Halves for Plain<N> {
    #[inline(always)]
    unsafe fn halves(from: *const u32) -> [Self; 2] {
        // SAFETY: the trait's requirements.
        unsafe {
            let words = from.cast::<[u32; N]>().read();
            let above = words.map(|word| f32::from_bits(word & 0xffff_0000));
            let below = words.map(|word| f32::from_bits(word << 16));
            [Self::load(above.as_ptr()), Self::load(below.as_ptr())]
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, __m512bh, __m512i, _mm256_and_si256, _mm256_castsi256_ps,
        _mm256_loadu_si256, _mm256_set1_epi32, _mm256_slli_epi32, _mm512_and_si512,
        _mm512_castsi512_ps, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_set1_epi32,
        _mm512_slli_epi32,
    };

    use super::{Dot, Halves};

    impl Halves for __m512 {
        #[inline(always)]
        unsafe fn halves(from: *const u32) -> [Self; 2] {
            // SAFETY: the trait's requirements.
            unsafe {
                let words = _mm512_loadu_si512(from.cast());
                let above = _mm512_and_si512(words, _mm512_set1_epi32(0xffff_0000_u32 as i32));
                let below = _mm512_slli_epi32::<16>(words);
                [_mm512_castsi512_ps(above), _mm512_castsi512_ps(below)]
            }
        }
    }

    impl Halves for __m256 {
        #[inline(always)]
        unsafe fn halves(from: *const u32) -> [Self; 2] {
            // SAFETY: the trait's requirements.
            unsafe {
                let words = _mm256_loadu_si256(from.cast());
                let above = _mm256_and_si256(words, _mm256_set1_epi32(0xffff_0000_u32 as i32));
                let below = _mm256_slli_epi32::<16>(words);
                [_mm256_castsi256_ps(above), _mm256_castsi256_ps(below)]
            }
        }
    }

    impl Dot for __m512i {
        type Sum = __m512;

        #[inline(always)]
        unsafe fn load(from: *const u32) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm512_loadu_si512(from.cast()) }
        }

        #[inline(always)]
        unsafe fn splat(word: u32) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm512_set1_epi32(word as i32) }
        }

        #[inline(always)]
        unsafe fn dot(self, other: Self, sum: __m512) -> __m512 {
            // SAFETY: the trait's requirements; both types are 512 bits of which any are good.
            unsafe {
                let this = std::mem::transmute::<__m512i, __m512bh>(self);
                _mm512_dpbf16_ps(sum, this, std::mem::transmute::<__m512i, __m512bh>(other))
            }
        }
    }
}
