//! Arrays in the role of vectors.

use super::Vector;
use crate::engine::maximum::max_nan;

/// Some values, for the compiler to find vectors in.
#[derive(Clone, Copy)]
pub(in crate::engine::cpu) struct Plain<const LANES: usize>([f32; LANES]);

/// What stands in for a vector where there are none.
pub(in crate::engine::cpu) type Eight = Plain<8>;
/// For what is left over when a length is no multiple of a vector's.
pub(in crate::engine::cpu) type One = Plain<1>;

impl<const LANES: usize> Plain<LANES> {
    #[inline(always)]
    fn zip(self, other: Self, each: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|lane| each(self.0[lane], other.0[lane])))
    }
}

impl<const N: usize> Vector for Plain<N> {
    const LANES: usize = N;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's requirements; an array of `f32` needs no more than their alignment.
        unsafe { Self(from.cast::<[f32; N]>().read()) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; N])
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // Without the instruction, `f32::mul_add` is a slow call.
        const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));
        Self(std::array::from_fn(|lane| {
            let (value, factor, sum) = (self.0[lane], factor.0[lane], sum.0[lane]);
            if FUSED { value.mul_add(factor, sum) } else { value * factor + sum }
        }))
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    unsafe fn max_nan(self, other: Self) -> Self {
        self.zip(other, max_nan)
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's requirements.
        unsafe { to.cast::<[f32; N]>().write(self.0) }
    }
}
