//! Vectors of 512 bits.

use std::arch::x86_64::*;

use super::{Avx2, Lanes};
use crate::simd::with_avx512;

/// The vectors of AVX-512, for f32 alone; f64 serves to check gradients, for which AVX2 is fast enough.
pub(crate) struct Avx512;

impl Lanes for Avx512 {
    type Element = f32;
    type Short = Avx2<f32>;
    type Vector = __m512;
    type Mask = __mmask16;
    const LANES: usize = 16;
    const VECTORS: usize = 4;
    const DEPTH: usize = 128;
    const FREE_MASKS: bool = true;

    #[inline(always)]
    unsafe fn with<R>(body: impl FnOnce() -> R) -> R {
        // SAFETY: the caller has AVX-512.
        unsafe { with_avx512(body) }
    }

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn splat(source: *const f32) -> __m512 {
        // SAFETY: the caller has AVX-512 and a pointer to an element.
        unsafe { _mm512_set1_ps(*source) }
    }

    #[inline(always)]
    unsafe fn load(source: *const f32) -> __m512 {
        // SAFETY: the caller has AVX-512 and a pointer to a vector.
        unsafe { _mm512_loadu_ps(source) }
    }

    #[inline(always)]
    unsafe fn store(target: *mut f32, vector: __m512) {
        // SAFETY: the caller has AVX-512 and a pointer to a vector.
        unsafe { _mm512_storeu_ps(target, vector) }
    }

    #[inline(always)]
    unsafe fn mask(count: usize) -> __mmask16 {
        ((1_u32 << count) - 1) as __mmask16
    }

    #[inline(always)]
    unsafe fn load_masked(source: *const f32, mask: __mmask16) -> __m512 {
        // SAFETY: the caller has AVX-512 and a pointer to the lanes of the mask.
        unsafe { _mm512_maskz_loadu_ps(mask, source) }
    }

    #[inline(always)]
    unsafe fn store_first(target: *mut f32, vector: __m512, count: usize) {
        // SAFETY: the caller has AVX-512 and a pointer to `count` elements.
        unsafe { _mm512_mask_storeu_ps(target, Self::mask(count), vector) }
    }

    #[inline(always)]
    unsafe fn add(x: __m512, y: __m512) -> __m512 {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_add_ps(x, y) }
    }

    #[inline(always)]
    unsafe fn multiply_add(x: __m512, y: __m512, sum: __m512) -> __m512 {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_fmadd_ps(x, y, sum) }
    }

    #[inline(always)]
    unsafe fn subtract(x: __m512, y: __m512) -> __m512 {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_sub_ps(x, y) }
    }

    #[inline(always)]
    unsafe fn relu(x: __m512) -> __m512 {
        // Of two zeros, or where one is NaN, the instruction gives its second operand.
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), x) }
    }

    #[inline(always)]
    unsafe fn shortened(vector: __m512) -> __m256 {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm256_add_ps(_mm512_castps512_ps256(vector), _mm512_extractf32x8_ps::<1>(vector)) }
    }
}
