//! Dispatch at run time to the widest vector instructions that the kernels are compiled for.

/// Runs `body` compiled for the vector instructions of this machine.
///
/// The compiler builds `body` twice: for the target's baseline and, on x86-64, for AVX2 with fused multiply-add. Functions that
/// `body` calls must inline into it (`#[inline(always)]`), so it should be plain loops over slices, which the compiler then
/// vectorises. The compiler adds no fused multiply-add by itself: kernels that want it call `mul_add`. So both versions give the
/// same bits.
///
/// ```
/// let mut x = [1.0_f32; 100];
/// gradus_tensor::simd::vectorize(|| x.iter_mut().for_each(|x| *x += 1.0));
/// assert_eq!(x, [2.0; 100]);
/// ```
#[inline(always)]
pub fn vectorize<R>(body: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        // SAFETY: the features have just been detected on this processor.
        return unsafe { with_avx2(body) };
    }
    body()
}

/// As [`vectorize`], and compiled for AVX-512 too: for loops that choose between values, which its masks make several times as
/// fast. (Most loops wait for memory, and would gain nothing from a third copy of their code.)
#[inline(always)]
pub(crate) fn vectorize_choices<R>(body: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    if has_avx512() {
        // SAFETY: the features have just been detected on this processor.
        return unsafe { with_avx512(body) };
    }
    vectorize(body)
}

/// Calls `body`, compiled for the features of [`has_avx2`]. Functions that it calls must inline into it.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2")]
pub(crate) fn with_avx2<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Calls `body`, compiled for the features of [`has_avx512`]. Functions that it calls must inline into it.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma,bmi1,bmi2")]
pub(crate) fn with_avx512<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Whether this processor has AVX2, FMA and BMI; the standard library detects once and caches the answer.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
}

/// Whether this processor has AVX2 and AVX-512 with the extensions BW, DQ and VL, which all but the first such processors have.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && has_avx2()
}
