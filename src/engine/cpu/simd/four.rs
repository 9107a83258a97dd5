//! Four vectors in the role of one.

use super::Vector;

/// Four vectors as one: work around each value weighs less, and sums need not wait for each other.
#[derive(Clone, Copy)]
pub(in crate::engine::cpu) struct Four<V>([V; 4]);

impl<V: Vector> Vector for Four<V> {
    const LANES: usize = 4 * V::LANES;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the trait's requirements.
        unsafe {
            Self([
                V::load(from),
                V::load(from.add(V::LANES)),
                V::load(from.add(2 * V::LANES)),
                V::load(from.add(3 * V::LANES)),
            ])
        }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the trait's requirements.
        unsafe { Self([V::splat(value), V::splat(value), V::splat(value), V::splat(value)]) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the trait's requirements.
        unsafe {
            Self([
                self.0[0].mul_add(factor.0[0], sum.0[0]),
                self.0[1].mul_add(factor.0[1], sum.0[1]),
                self.0[2].mul_add(factor.0[2], sum.0[2]),
                self.0[3].mul_add(factor.0[3], sum.0[3]),
            ])
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the trait's requirements.
        unsafe {
            Self([
                self.0[0].add(other.0[0]),
                self.0[1].add(other.0[1]),
                self.0[2].add(other.0[2]),
                self.0[3].add(other.0[3]),
            ])
        }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the trait's requirements.
        unsafe {
            Self([
                self.0[0].sub(other.0[0]),
                self.0[1].sub(other.0[1]),
                self.0[2].sub(other.0[2]),
                self.0[3].sub(other.0[3]),
            ])
        }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: the trait's requirements.
        unsafe {
            Self([
                self.0[0].min(other.0[0]),
                self.0[1].min(other.0[1]),
                self.0[2].min(other.0[2]),
                self.0[3].min(other.0[3]),
            ])
        }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: the trait's requirements.
        unsafe {
            Self([
                self.0[0].max(other.0[0]),
                self.0[1].max(other.0[1]),
                self.0[2].max(other.0[2]),
                self.0[3].max(other.0[3]),
            ])
        }
    }

    #[inline(always)]
    unsafe fn max_nan(self, other: Self) -> Self {
        // SAFETY: the trait's requirements.
        unsafe {
            Self([
                self.0[0].max_nan(other.0[0]),
                self.0[1].max_nan(other.0[1]),
                self.0[2].max_nan(other.0[2]),
                self.0[3].max_nan(other.0[3]),
            ])
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's requirements.
        unsafe {
            for (index, vector) in self.0.into_iter().enumerate() {
                vector.store(to.add(index * V::LANES));
            }
        }
    }
}
