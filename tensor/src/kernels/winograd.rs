//! Winograd's algorithm: a convolution with strides of 1 and a kernel of 3, or 3 by 3, by fewer multiplications (Winograd,
//! "Arithmetic complexity of computations", 1980; Lavin and Gray, "Fast algorithms for convolutional neural networks",
//! arXiv:1509.09308).
//!
//! Four by four results, a tile, read six by six elements. Tiles and kernel are transformed by additions, mostly; then 36
//! products for each channel and filter take the place of 144. Over one axis, six take the place of twelve. Three axes are
//! convolutions over the last two that are summed up over the first.
//!
//! `tensor/KERNELS.md` says when this pays, and how exact it is.

#[cfg(target_arch = "x86_64")]
mod forward;
#[cfg(target_arch = "x86_64")]
mod kernel_gradient;
#[cfg(target_arch = "x86_64")]
mod product;
#[cfg(target_arch = "x86_64")]
mod scratch;
mod tiling;
#[cfg(target_arch = "x86_64")]
mod transforms;

#[cfg(target_arch = "x86_64")]
use super::gemm::lanes::{Avx2, Avx512};
#[cfg(target_arch = "x86_64")]
use crate::simd::{has_avx2, has_avx512};
pub use tiling::Tiling;

/// The positions of a transformed kernel along an axis, which are also the elements that a tile reads.
const POINTS: usize = 6;
/// The results of a tile along an axis.
const RESULTS: usize = 4;
/// The length of the kernel along an axis.
const KERNEL: usize = 3;

/// An element type for which convolutions may be computed by Winograd's algorithm.
pub trait Winograd: Sized {
    /// Whether the type has the algorithm on this processor.
    #[doc(hidden)]
    fn has_winograd() -> bool {
        false
    }

    /// Writes the convolution of x with a kernel `[taps, kernel.., channels, filters]` plus `bias`, and max(y, 0) in place of
    /// each result y if `relu`. Returns `false` where a result before the bias is not finite; then the results are not those
    /// of the convolution.
    ///
    /// # Panics
    ///
    /// If a slice does not have the tiling's size, or the type lacks the algorithm.
    #[doc(hidden)]
    fn convolve(
        _: &Tiling,
        _x: &[Self],
        _kernel: &[Self],
        _bias: Option<&[Self]>,
        _relu: bool,
        _out: &mut [Self],
    ) -> bool {
        unreachable!("Winograd's algorithm on a type or processor without it")
    }

    /// Writes the gradient by the kernel `[taps, kernel.., channels, filters]`. Returns `false` where it is not finite; then it is
    /// not that of the definition.
    ///
    /// # Panics
    ///
    /// As [`convolve`](Winograd::convolve).
    #[doc(hidden)]
    fn kernel_gradient(_: &Tiling, _x: &[Self], _gradient: &[Self], _out: &mut [Self]) -> bool {
        unreachable!("Winograd's algorithm on a type or processor without it")
    }
}

#[cfg(target_arch = "x86_64")]
impl Winograd for f32 {
    fn has_winograd() -> bool {
        has_avx2()
    }

    fn convolve(tiling: &Tiling, x: &[f32], kernel: &[f32], bias: Option<&[f32]>, relu: bool, out: &mut [f32]) -> bool {
        tiling.check(x.len(), kernel.len(), out.len());
        assert!(bias.is_none_or(|bias| bias.len() == tiling.filters), "convolve: a bias of other filters");
        assert!(has_avx2(), "convolve: Winograd's algorithm needs AVX2");
        // SAFETY: the instructions are there, and the sizes have been compared.
        unsafe {
            if has_avx512() {
                forward::convolve::<Avx512>(tiling, [x, kernel], bias, relu, out)
            } else {
                forward::convolve::<Avx2<f32>>(tiling, [x, kernel], bias, relu, out)
            }
        }
    }

    fn kernel_gradient(tiling: &Tiling, x: &[f32], gradient: &[f32], out: &mut [f32]) -> bool {
        tiling.check(x.len(), out.len(), gradient.len());
        assert!(has_avx2() && tiling.tiles() > 0, "kernel_gradient: Winograd's algorithm needs AVX2 and results");
        // SAFETY: the instructions are there, and the sizes have been compared.
        unsafe {
            if has_avx512() {
                kernel_gradient::kernel_gradient::<Avx512>(tiling, [x, gradient], out)
            } else {
                kernel_gradient::kernel_gradient::<Avx2<f32>>(tiling, [x, gradient], out)
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Winograd for f32 {}

// Gradients are checked in f64, where exactness matters more than time.
impl Winograd for f64 {}
