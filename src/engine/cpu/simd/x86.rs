//! Vectors of AVX2 and AVX-512.

use std::arch::x86_64::{
    __m256, __m512, _CMP_UNORD_Q, _mm256_add_ps, _mm256_blendv_ps, _mm256_cmp_ps, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_max_ps, _mm256_min_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm256_sub_ps,
    _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_mov_ps,
    _mm512_max_ps, _mm512_min_ps, _mm512_set1_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

use super::Vector;

/// A vector whose operations are instructions: the one that reads, that fills and that writes, and those of
/// each lane by itself.
macro_rules! vector {
    (
        $vector:ident: $lanes:literal, $load:ident, $splat:ident, $store:ident;
        $($operation:ident($($operand:ident),*) = $instruction:ident;)*
    ) => {
        impl Vector for $vector {
            const LANES: usize = $lanes;

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the trait's requirements.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: the trait's requirements.
                unsafe { $splat(value) }
            }

            $(
                #[inline(always)]
                unsafe fn $operation(self, $($operand: Self),*) -> Self {
                    // SAFETY: the trait's requirements.
                    unsafe { $instruction(self, $($operand),*) }
                }
            )*

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the trait's requirements.
                unsafe { $store(to, self) }
            }
        }
    };
}

vector! {
    __m512: 16, _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps;
    mul_add(factor, sum) = _mm512_fmadd_ps;
    add(other) = _mm512_add_ps;
    sub(other) = _mm512_sub_ps;
    min(other) = _mm512_min_ps;
    max(other) = _mm512_max_ps;
    max_nan(other) = max_nan_512;
}

vector! {
    __m256: 8, _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps;
    mul_add(factor, sum) = _mm256_fmadd_ps;
    add(other) = _mm256_add_ps;
    sub(other) = _mm256_sub_ps;
    min(other) = _mm256_min_ps;
    max(other) = _mm256_max_ps;
    max_nan(other) = max_nan_256;
}

/// [`Vector::max_nan`]. Requires AVX-512.
#[inline(always)]
unsafe fn max_nan_512(one: __m512, other: __m512) -> __m512 {
    // SAFETY: the caller's.
    unsafe {
        let max_nan = _mm512_max_ps(other, one);
        let none = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(other, other);
        _mm512_mask_mov_ps(max_nan, none, other)
    }
}

/// [`Vector::max_nan`]. Requires AVX2.
#[inline(always)]
unsafe fn max_nan_256(one: __m256, other: __m256) -> __m256 {
    // SAFETY: the caller's.
    unsafe {
        let max_nan = _mm256_max_ps(other, one);
        let none = _mm256_cmp_ps::<_CMP_UNORD_Q>(other, other);
        _mm256_blendv_ps(max_nan, other, none)
    }
}
