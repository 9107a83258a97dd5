//! Four vectors in the role of one.

use super::Vector;

/// Four vectors as one: work around each value weighs less, and sums need not wait for each other.
#[derive(Clone, Copy)]
pub(in crate::engine::cpu) struct Four<V>([V; 4]);

/// Operations of each of the four vectors by itself.
macro_rules! by_itself {
    ($($operation:ident($($operand:ident),*))*) => {$(
        #[inline(always)]
        unsafe fn $operation(self, $($operand: Self),*) -> Self {
            // SAFETY: the trait's requirements.
            unsafe {
                Self([
                    self.0[0].$operation($($operand.0[0]),*),
                    self.0[1].$operation($($operand.0[1]),*),
                    self.0[2].$operation($($operand.0[2]),*),
                    self.0[3].$operation($($operand.0[3]),*),
                ])
            }
        }
    )*};
}

impl<V: Vector> Vector for Four<V> {
    const LANES: usize = 4 * V::LANES;

    by_itself! { mul_add(factor, sum) add(other) sub(other) min(other) max(other) max_nan(other) }

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
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the trait's requirements.
        unsafe {
            for (index, vector) in self.0.into_iter().enumerate() {
                vector.store(to.add(index * V::LANES));
            }
        }
    }
}
