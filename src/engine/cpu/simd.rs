//! What the processor can do, found out once.

use super::compress::Compress;
use crate::engine::maximum::max_nan;

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Isa {
    /// 512-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 256-bit vectors with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Whatever the compiler may take for granted.
    Portable,
}

impl Isa {
    /// The widest that this machine has.
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// All that this machine has, the widest first.
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                found.push(Self::Avx512);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                found.push(Self::Avx2);
            }
        }
        found.push(Self::Portable);
        found
    }

    /// Runs a kernel with these vectors.
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            // SAFETY: `available` found the instructions on this machine.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { avx512(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { avx2(kernel) },
            // SAFETY: every machine has what the compiler takes for granted.
            Self::Portable => unsafe { kernel.run::<Eight>() },
        }
    }
}

/// Work that is the same for vectors of any length. `run`, and all that it calls with `V`, must
/// be `#[inline(always)]`: that is what gives it the vectors' instructions.
pub(super) trait Kernel {
    /// What it gives.
    type Output;
    /// Does the work. Requires that the machine has the instructions of `V`.
    unsafe fn run<V: Compress>(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn avx512<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the caller's.
    unsafe { kernel.run::<std::arch::x86_64::__m512>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<K: Kernel>(kernel: K) -> K::Output {
    // SAFETY: the caller's.
    unsafe { kernel.run::<std::arch::x86_64::__m256>() }
}

/// A vector of `f32`.
///
/// Every method requires that the machine has the instructions that the type is named after, and
/// that pointers are good for [`LANES`](Vector::LANES) values.
pub(super) trait Vector: Copy {
    /// Values in a vector.
    const LANES: usize;
    /// Reads values.
    unsafe fn load(from: *const f32) -> Self;
    /// One value in every lane.
    unsafe fn splat(value: f32) -> Self;
    /// `self * factor + sum` in each lane, rounded once where the processor can.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// `self + other` in each lane.
    unsafe fn add(self, other: Self) -> Self;
    /// `self - other` in each lane.
    unsafe fn sub(self, other: Self) -> Self;
    /// The smaller in each lane; `other` where one is no number.
    unsafe fn min(self, other: Self) -> Self;
    /// The larger in each lane; `other` where one is no number.
    unsafe fn max(self, other: Self) -> Self;
    /// The larger in each lane; no number where one is none.
    unsafe fn max_nan(self, other: Self) -> Self;
    /// Writes values.
    unsafe fn store(self, to: *mut f32);
}

/// Has a cache line brought into a core's first cache, if the processor can be asked to. It need not
/// exist.
#[inline(always)]
pub(super) fn prefetch<T>(line: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and a prefetch never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(line.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// Has every line of a run of values brought into a core's second cache.
#[inline(always)]
pub(super) fn prefetch_all(values: &[f32]) {
    const LINE: usize = 16;
    for line in values.chunks(LINE) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as in `prefetch`.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = line;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _CMP_UNORD_Q, _mm256_add_ps, _mm256_blendv_ps, _mm256_cmp_ps,
        _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps,
        _mm256_storeu_ps, _mm256_sub_ps, _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_fmadd_ps,
        _mm512_loadu_ps, _mm512_mask_mov_ps, _mm512_max_ps, _mm512_min_ps, _mm512_set1_ps,
        _mm512_storeu_ps, _mm512_sub_ps,
    };

    impl super::Vector for __m512 {
        const LANES: usize = 16;

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm512_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm512_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm512_fmadd_ps(self, factor, sum) }
        }

        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm512_add_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm512_sub_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm512_min_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm512_max_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn max_nan(self, other: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe {
                let max_nan = _mm512_max_ps(other, self);
                let none = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(other, other);
                _mm512_mask_mov_ps(max_nan, none, other)
            }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the trait's requirements.
            unsafe { _mm512_storeu_ps(to, self) }
        }
    }

    impl super::Vector for __m256 {
        const LANES: usize = 8;

        #[inline(always)]
        unsafe fn load(from: *const f32) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm256_loadu_ps(from) }
        }

        #[inline(always)]
        unsafe fn splat(value: f32) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm256_set1_ps(value) }
        }

        #[inline(always)]
        unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm256_fmadd_ps(self, factor, sum) }
        }

        #[inline(always)]
        unsafe fn add(self, other: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm256_add_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn sub(self, other: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm256_sub_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn min(self, other: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm256_min_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn max(self, other: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe { _mm256_max_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn max_nan(self, other: Self) -> Self {
            // SAFETY: the trait's requirements.
            unsafe {
                let max_nan = _mm256_max_ps(other, self);
                let none = _mm256_cmp_ps::<_CMP_UNORD_Q>(other, other);
                _mm256_blendv_ps(max_nan, other, none)
            }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: the trait's requirements.
            unsafe { _mm256_storeu_ps(to, self) }
        }
    }
}

/// Some values, for the compiler to find vectors in.
#[derive(Clone, Copy)]
pub(super) struct Plain<const LANES: usize>([f32; LANES]);

/// What stands in for a vector where there are none.
pub(super) type Eight = Plain<8>;
/// For what is left over when a length is no multiple of a vector's.
pub(super) type One = Plain<1>;

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

/// Four vectors as one: work around each value weighs less, and sums need not wait for each other.
#[derive(Clone, Copy)]
pub(super) struct Four<V>([V; 4]);

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
