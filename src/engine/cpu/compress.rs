//! The values of a vector that are not zero.

use super::simd::{Plain, Vector};

/// A vector whose zeros can be left out.
pub(super) trait Compress: Vector {
    /// Writes the values that are not zero, one after the other, and for each of them `first` and as
    /// many times `step` as it has lanes before it; returns how many. All
    /// [`LANES`](Vector::LANES) elements of both are written.
    unsafe fn store_nonzero(
        self,
        values: *mut f32,
        offsets: *mut u16,
        first: u16,
        step: u16,
    ) -> usize;
}

impl<const N: usize> Compress for Plain<N> {
    #[inline(always)]
    unsafe fn store_nonzero(
        self,
        values: *mut f32,
        offsets: *mut u16,
        first: u16,
        step: u16,
    ) -> usize {
        let (mut all, mut offset, mut length) = ([0.0; N], first, 0);
        // SAFETY: `all` has the vector's length, and both buffers have as many elements.
        unsafe {
            self.store(all.as_mut_ptr());
            // Each is written, and the next one over it if it is zero: no branch could be foretold.
            for value in all {
                values.add(length).write(value);
                offsets.add(length).write(offset);
                length += usize::from(value != 0.0);
                offset = offset.wrapping_add(step);
            }
        }
        length
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256, __m512, _CMP_NEQ_UQ, _mm_loadl_epi64, _mm_packus_epi32, _mm_storeu_si128,
        _mm256_add_epi32, _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cvtepu8_epi32,
        _mm256_extracti128_si256, _mm256_movemask_ps, _mm256_mullo_epi32, _mm256_permutevar8x32_ps,
        _mm256_set1_epi32, _mm256_setzero_ps, _mm256_storeu_ps, _mm256_storeu_si256,
        _mm512_add_epi32, _mm512_cmp_ps_mask, _mm512_cvtepi32_epi16, _mm512_maskz_compress_epi32,
        _mm512_maskz_compress_ps, _mm512_mullo_epi32, _mm512_set1_epi32, _mm512_setr_epi32,
        _mm512_setzero_ps, _mm512_storeu_ps,
    };

    use super::Compress;

    /// For each mask of lanes, the lanes that are set, the first ones first.
    static LANES_OF: [[u8; 8]; 256] = {
        let mut all = [[0; 8]; 256];
        let mut mask = 0;
        while mask < 256 {
            let (mut lane, mut length) = (0, 0);
            while lane < 8 {
                if mask >> lane & 1 == 1 {
                    all[mask][length] = lane as u8;
                    length += 1;
                }
                lane += 1;
            }
            mask += 1;
        }
        all
    };

    impl Compress for __m512 {
        #[inline(always)]
        unsafe fn store_nonzero(
            self,
            values: *mut f32,
            offsets: *mut u16,
            first: u16,
            step: u16,
        ) -> usize {
            // SAFETY: the traits' requirements.
            unsafe {
                let there = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self, _mm512_setzero_ps());
                _mm512_storeu_ps(values, _mm512_maskz_compress_ps(there, self));
                let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
                let lanes = _mm512_maskz_compress_epi32(there, lanes);
                let lanes = _mm512_mullo_epi32(lanes, _mm512_set1_epi32(step.into()));
                let lanes = _mm512_add_epi32(lanes, _mm512_set1_epi32(first.into()));
                _mm256_storeu_si256(offsets.cast(), _mm512_cvtepi32_epi16(lanes));
                there.count_ones() as usize
            }
        }
    }

    impl Compress for __m256 {
        #[inline(always)]
        unsafe fn store_nonzero(
            self,
            values: *mut f32,
            offsets: *mut u16,
            first: u16,
            step: u16,
        ) -> usize {
            // SAFETY: the traits' requirements; a mask has eight bits.
            unsafe {
                let there = _mm256_cmp_ps::<_CMP_NEQ_UQ>(self, _mm256_setzero_ps());
                let there = _mm256_movemask_ps(there) as usize;
                let lanes = LANES_OF.get_unchecked(there).as_ptr().cast();
                let lanes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(lanes));
                _mm256_storeu_ps(values, _mm256_permutevar8x32_ps(self, lanes));
                let lanes = _mm256_mullo_epi32(lanes, _mm256_set1_epi32(step.into()));
                let lanes = _mm256_add_epi32(lanes, _mm256_set1_epi32(first.into()));
                let (low, high) =
                    (_mm256_castsi256_si128(lanes), _mm256_extracti128_si256::<1>(lanes));
                _mm_storeu_si128(offsets.cast(), _mm_packus_epi32(low, high));
                there.count_ones() as usize
            }
        }
    }
}
