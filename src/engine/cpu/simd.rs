//! What the processor can do, found out once.

mod four;
mod plain;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(super) use self::four::Four;
pub(super) use self::plain::{Eight, One, Plain};
use super::compress::Compress;

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

    /// What messages call it.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "AVX2",
            Self::Portable => "portable vectors",
        }
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
