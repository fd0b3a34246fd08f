//! Convolutions by Winograd's algorithm, where it is faster than the direct way and all results are finite.
//!
//! A result depends on the rounding of its tile's other elements, and an element that is not finite would reach all results of
//! its tiles. So where any result is not finite, the whole convolution is computed again in the direct way. Then elements that
//! are not finite, and numbers so large that the transforms overflow, give what the definition says.

use super::elements;
use crate::convolution::{Convolution, Lengths};
use crate::element::Float;
use crate::kernels::winograd::Tiling;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The spatial axes that are cut into tiles.
fn tiled_axes(rank: usize) -> usize {
    rank.min(2)
}

/// Some lengths of the last axes; those of the first axes, which are missing, are `missing`.
fn three<T: Copy>(lengths: impl ExactSizeIterator<Item = T>, missing: T) -> [T; 3] {
    let mut three = [missing; 3];
    let first = 3 - lengths.len();
    three[first..].iter_mut().zip(lengths).for_each(|(to, from)| *to = from);
    three
}

/// The tiles of a convolution from `input` to `output`, whose first window begins at place `start(axis)` of each axis; `None` if
/// Winograd's algorithm does not fit the shapes.
fn tiling(
    [input, kernel, output]: [&Shape; 3],
    convolution: &Convolution,
    start: impl Fn(usize) -> isize,
    [channels, filters]: [usize; 2],
) -> Option<Tiling> {
    let rank = convolution.rank();
    let tiled = rank - tiled_axes(rank)..rank;
    let ones = |steps: &Lengths| steps.iter().all(|&step| step == 1);
    let fits = convolution.groups == 1
        && ones(&convolution.strides)
        && ones(&convolution.dilation)
        && kernel[tiled].iter().all(|&length| length == 3);
    let lengths = |shape: &Shape| three(shape[1..=rank].iter().copied(), 1);
    fits.then(|| Tiling {
        samples: input[0],
        input: lengths(input),
        output: lengths(output),
        start: three((0..rank).map(start), 0),
        taps: if rank == 3 { kernel[0] } else { 1 },
        channels,
        filters,
        two: tiled_axes(rank) == 2,
    })
}

/// The tiles of [`convolve`](Tensor::convolve).
fn forward_tiling(input: &Shape, kernel: &Shape, output: &Shape, convolution: &Convolution) -> Option<Tiling> {
    let rank = convolution.rank();
    let start = |axis: usize| -(convolution.padding[axis].0 as isize);
    tiling([input, kernel, output], convolution, start, [kernel[rank], kernel[rank + 1]])
}

/// The tiles of the gradient by the input: a convolution of the gradient with the turned kernel, whose channels and filters are
/// exchanged.
fn input_gradient_tiling(gradient: &Shape, kernel: &Shape, input: &Shape, convolution: &Convolution) -> Option<Tiling> {
    let rank = convolution.rank();
    // The first element meets the last kernel position at the window that begins that much before it.
    let start = |axis: usize| convolution.padding[axis].0 as isize - (kernel[axis] as isize - 1);
    tiling([gradient, kernel, input], convolution, start, [kernel[rank + 1], kernel[rank]])
}

impl<T: Float> Tensor<T> {
    /// [`convolved`](Tensor::convolved), or `None` if the direct way is faster or needed.
    pub(super) fn convolved_in_tiles(
        &self,
        kernel: &Tensor<T>,
        bias: Option<&Tensor<T>>,
        relu: bool,
        convolution: &Convolution,
        shape: &Shape,
    ) -> Option<Tensor<T>> {
        let tiling = worth_while::<T>(forward_tiling(self.shape(), kernel.shape(), shape, convolution))?;
        by_tiles(&tiling, self, kernel, bias, relu, shape)
    }

    /// [`convolve_input_gradient`](Tensor::convolve_input_gradient), or `None` if the direct way is faster or needed.
    pub(super) fn input_gradient_in_tiles(
        &self,
        kernel: &Tensor<T>,
        input: &Shape,
        convolution: &Convolution,
    ) -> Option<Tensor<T>> {
        let tiling = worth_while::<T>(input_gradient_tiling(self.shape(), kernel.shape(), input, convolution))?;
        by_tiles(&tiling, self, &turned(kernel), None, false, input)
    }

    /// [`convolve_kernel_gradient`](Tensor::convolve_kernel_gradient), or `None` if the direct way is faster or needed.
    pub(super) fn kernel_gradient_in_tiles(
        &self,
        gradient: &Tensor<T>,
        kernel: &Shape,
        convolution: &Convolution,
    ) -> Option<Tensor<T>> {
        let tiling = worth_while::<T>(forward_tiling(self.shape(), kernel, gradient.shape(), convolution))?;
        kernel_gradient_by_tiles(&tiling, self, gradient, kernel)
    }
}

/// The tiling if Winograd's algorithm pays.
fn worth_while<T: Float>(tiling: Option<Tiling>) -> Option<Tiling> {
    tiling.filter(|tiling| T::has_winograd() && tiling.is_worth_while())
}

/// The kernel in reverse order along each spatial axis, with channels and filters exchanged.
fn turned<T: Float>(kernel: &Tensor<T>) -> Tensor<T> {
    let rank = kernel.ndim() - 2;
    (0..rank).fold(kernel.t(), |kernel, axis| kernel.flip(axis as isize))
}

/// The convolution of x, or `None` if a result is not finite.
fn by_tiles<T: Float>(
    tiling: &Tiling,
    x: &Tensor<T>,
    kernel: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    relu: bool,
    shape: &Shape,
) -> Option<Tensor<T>> {
    let (x, kernel, bias) = (x.contiguous(), kernel.contiguous(), bias.map(Tensor::contiguous));
    let mut finite = false;
    let y = Tensor::written(shape.clone(), |out| {
        finite = T::convolve(tiling, elements(&x), elements(&kernel), bias.as_ref().map(elements), relu, out);
    });
    finite.then_some(y)
}

/// The gradient by the kernel, or `None` if it is not finite.
fn kernel_gradient_by_tiles<T: Float>(
    tiling: &Tiling,
    x: &Tensor<T>,
    gradient: &Tensor<T>,
    kernel: &Shape,
) -> Option<Tensor<T>> {
    let (x, gradient) = (x.contiguous(), gradient.contiguous());
    let mut finite = false;
    let dk = Tensor::written(kernel.clone(), |out| {
        finite = T::kernel_gradient(tiling, elements(&x), elements(&gradient), out);
    });
    finite.then_some(dk)
}

#[cfg(test)]
mod tests;
