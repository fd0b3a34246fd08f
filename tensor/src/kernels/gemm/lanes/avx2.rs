//! Vectors of 256 bits.

use std::arch::x86_64::*;
use std::marker::PhantomData;

use super::{Lanes, Shuffle};
use crate::simd::with_avx2;

/// The vectors of AVX2 with FMA.
pub(crate) struct Avx2<T>(PhantomData<T>);

impl Lanes for Avx2<f32> {
    type Element = f32;
    type Short = Self;
    type Vector = __m256;
    type Mask = __m256i;
    const LANES: usize = 8;
    const VECTORS: usize = 2;
    const DEPTH: usize = 256;
    const FREE_MASKS: bool = false;

    #[inline(always)]
    unsafe fn with<R>(body: impl FnOnce() -> R) -> R {
        // SAFETY: the caller has AVX2.
        unsafe { with_avx2(body) }
    }

    #[inline(always)]
    unsafe fn zero() -> __m256 {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn splat(source: *const f32) -> __m256 {
        // SAFETY: the caller has AVX2 and a pointer to an element.
        unsafe { _mm256_broadcast_ss(&*source) }
    }

    #[inline(always)]
    unsafe fn load(source: *const f32) -> __m256 {
        // SAFETY: the caller has AVX2 and a pointer to a vector.
        unsafe { _mm256_loadu_ps(source) }
    }

    #[inline(always)]
    unsafe fn store(target: *mut f32, vector: __m256) {
        // SAFETY: the caller has AVX2 and a pointer to a vector.
        unsafe { _mm256_storeu_ps(target, vector) }
    }

    #[inline(always)]
    unsafe fn mask(count: usize) -> __m256i {
        const BITS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        // SAFETY: the caller has AVX2; eight elements from the (8 - count)-th are within the table.
        unsafe { _mm256_loadu_si256(BITS.as_ptr().add(8 - count).cast()) }
    }

    #[inline(always)]
    unsafe fn load_masked(source: *const f32, mask: __m256i) -> __m256 {
        // SAFETY: the caller has AVX2 and a pointer to the lanes of the mask.
        unsafe { _mm256_maskload_ps(source, mask) }
    }

    // (A masked store takes AMD's processors a dozen cycles.)
    #[inline(always)]
    unsafe fn store_first(mut target: *mut f32, vector: __m256, count: usize) {
        // SAFETY: the caller has AVX2 and a pointer to `count` elements, which 4, 2 and 1 add up to.
        unsafe {
            let mut half = _mm256_castps256_ps128(vector);
            if count & 4 != 0 {
                _mm_storeu_ps(target, half);
                target = target.add(4);
                half = _mm256_extractf128_ps::<1>(vector);
            }
            if count & 2 != 0 {
                _mm_storel_pd(target.cast(), _mm_castps_pd(half));
                target = target.add(2);
                half = _mm_movehl_ps(half, half);
            }
            if count & 1 != 0 {
                _mm_store_ss(target, half);
            }
        }
    }

    #[inline(always)]
    unsafe fn add(x: __m256, y: __m256) -> __m256 {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_add_ps(x, y) }
    }

    #[inline(always)]
    unsafe fn multiply_add(x: __m256, y: __m256, sum: __m256) -> __m256 {
        // SAFETY: the caller has FMA.
        unsafe { _mm256_fmadd_ps(x, y, sum) }
    }

    #[inline(always)]
    unsafe fn subtract(x: __m256, y: __m256) -> __m256 {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_sub_ps(x, y) }
    }

    #[inline(always)]
    unsafe fn relu(x: __m256) -> __m256 {
        // Of two zeros, or where one is NaN, the instruction gives its second operand.
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_max_ps(_mm256_setzero_ps(), x) }
    }

    #[inline(always)]
    unsafe fn shortened(vector: __m256) -> __m256 {
        vector
    }
}

impl Shuffle for Avx2<f32> {
    #[inline(always)]
    unsafe fn sum(vector: __m256) -> f32 {
        // SAFETY: the caller has AVX2.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(vector), _mm256_extractf128_ps::<1>(vector));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }

    #[inline(always)]
    unsafe fn store_sums(vectors: impl Fn(usize) -> __m256, target: *mut f32) {
        // SAFETY: the caller has AVX2 and a pointer to eight elements.
        unsafe {
            // Neighbours added, then pairs of neighbours, then halves.
            let (v, w) = (_mm256_hadd_ps(vectors(0), vectors(1)), _mm256_hadd_ps(vectors(2), vectors(3)));
            let (x, y) = (_mm256_hadd_ps(vectors(4), vectors(5)), _mm256_hadd_ps(vectors(6), vectors(7)));
            let (x, y) = (_mm256_hadd_ps(v, w), _mm256_hadd_ps(x, y));
            let (low, high) = (_mm256_permute2f128_ps::<0x20>(x, y), _mm256_permute2f128_ps::<0x31>(x, y));
            Self::store(target, _mm256_add_ps(low, high));
        }
    }

    #[inline(always)]
    unsafe fn store_transposed(rows: impl Fn(usize) -> __m256, target: *mut f32, stride: usize) {
        // SAFETY: the caller has AVX2 and a pointer to eight vectors, `stride` apart.
        unsafe {
            // Pairs of rows interleaved, then pairs of pairs, then halves exchanged.
            let pair = |i: usize| {
                let (x, y) = (rows(i), rows(i + 1));
                (_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y))
            };
            let quad = |i: usize| {
                let ((x, z), (y, w)) = (pair(i), pair(i + 2));
                [
                    _mm256_shuffle_ps::<0b01_00_01_00>(x, y),
                    _mm256_shuffle_ps::<0b11_10_11_10>(x, y),
                    _mm256_shuffle_ps::<0b01_00_01_00>(z, w),
                    _mm256_shuffle_ps::<0b11_10_11_10>(z, w),
                ]
            };
            let (upper, lower) = (quad(0), quad(4));
            for i in 0..4 {
                let low = _mm256_permute2f128_ps::<0x20>(upper[i], lower[i]);
                let high = _mm256_permute2f128_ps::<0x31>(upper[i], lower[i]);
                Self::store(target.add(i * stride), low);
                Self::store(target.add((i + 4) * stride), high);
            }
        }
    }
}

impl Lanes for Avx2<f64> {
    type Element = f64;
    type Short = Self;
    type Vector = __m256d;
    type Mask = __m256i;
    const LANES: usize = 4;
    const VECTORS: usize = 2;
    const DEPTH: usize = 256;
    const FREE_MASKS: bool = false;

    #[inline(always)]
    unsafe fn with<R>(body: impl FnOnce() -> R) -> R {
        // SAFETY: the caller has AVX2.
        unsafe { with_avx2(body) }
    }

    #[inline(always)]
    unsafe fn zero() -> __m256d {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_setzero_pd() }
    }

    #[inline(always)]
    unsafe fn splat(source: *const f64) -> __m256d {
        // SAFETY: the caller has AVX2 and a pointer to an element.
        unsafe { _mm256_broadcast_sd(&*source) }
    }

    #[inline(always)]
    unsafe fn load(source: *const f64) -> __m256d {
        // SAFETY: the caller has AVX2 and a pointer to a vector.
        unsafe { _mm256_loadu_pd(source) }
    }

    #[inline(always)]
    unsafe fn store(target: *mut f64, vector: __m256d) {
        // SAFETY: the caller has AVX2 and a pointer to a vector.
        unsafe { _mm256_storeu_pd(target, vector) }
    }

    #[inline(always)]
    unsafe fn mask(count: usize) -> __m256i {
        const BITS: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];
        // SAFETY: the caller has AVX2; four elements from the (4 - count)-th are within the table.
        unsafe { _mm256_loadu_si256(BITS.as_ptr().add(4 - count).cast()) }
    }

    #[inline(always)]
    unsafe fn load_masked(source: *const f64, mask: __m256i) -> __m256d {
        // SAFETY: the caller has AVX2 and a pointer to the lanes of the mask.
        unsafe { _mm256_maskload_pd(source, mask) }
    }

    #[inline(always)]
    unsafe fn store_first(mut target: *mut f64, vector: __m256d, count: usize) {
        // SAFETY: the caller has AVX2 and a pointer to `count` elements, which 2 and 1 add up to.
        unsafe {
            let mut half = _mm256_castpd256_pd128(vector);
            if count & 2 != 0 {
                _mm_storeu_pd(target, half);
                target = target.add(2);
                half = _mm256_extractf128_pd::<1>(vector);
            }
            if count & 1 != 0 {
                _mm_store_sd(target, half);
            }
        }
    }

    #[inline(always)]
    unsafe fn add(x: __m256d, y: __m256d) -> __m256d {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_add_pd(x, y) }
    }

    #[inline(always)]
    unsafe fn multiply_add(x: __m256d, y: __m256d, sum: __m256d) -> __m256d {
        // SAFETY: the caller has FMA.
        unsafe { _mm256_fmadd_pd(x, y, sum) }
    }

    #[inline(always)]
    unsafe fn subtract(x: __m256d, y: __m256d) -> __m256d {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_sub_pd(x, y) }
    }

    #[inline(always)]
    unsafe fn relu(x: __m256d) -> __m256d {
        // Of two zeros, or where one is NaN, the instruction gives its second operand.
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_max_pd(_mm256_setzero_pd(), x) }
    }

    #[inline(always)]
    unsafe fn shortened(vector: __m256d) -> __m256d {
        vector
    }
}

impl Shuffle for Avx2<f64> {
    #[inline(always)]
    unsafe fn sum(vector: __m256d) -> f64 {
        // SAFETY: the caller has AVX2.
        unsafe {
            let two = _mm_add_pd(_mm256_castpd256_pd128(vector), _mm256_extractf128_pd::<1>(vector));
            _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)))
        }
    }

    #[inline(always)]
    unsafe fn store_sums(vectors: impl Fn(usize) -> __m256d, target: *mut f64) {
        // SAFETY: the caller has AVX2 and a pointer to four elements.
        unsafe {
            let (x, y) = (_mm256_hadd_pd(vectors(0), vectors(1)), _mm256_hadd_pd(vectors(2), vectors(3)));
            let (low, high) = (_mm256_permute2f128_pd::<0x20>(x, y), _mm256_permute2f128_pd::<0x31>(x, y));
            Self::store(target, _mm256_add_pd(low, high));
        }
    }

    #[inline(always)]
    unsafe fn store_transposed(rows: impl Fn(usize) -> __m256d, target: *mut f64, stride: usize) {
        // SAFETY: the caller has AVX2 and a pointer to four vectors, `stride` apart.
        unsafe {
            let pair = |i: usize| {
                let (x, y) = (rows(i), rows(i + 1));
                [_mm256_unpacklo_pd(x, y), _mm256_unpackhi_pd(x, y)]
            };
            let (upper, lower) = (pair(0), pair(2));
            for i in 0..2 {
                let low = _mm256_permute2f128_pd::<0x20>(upper[i], lower[i]);
                let high = _mm256_permute2f128_pd::<0x31>(upper[i], lower[i]);
                Self::store(target.add(i * stride), low);
                Self::store(target.add((i + 2) * stride), high);
            }
        }
    }
}
