//! The op that layer and batch normalisation share.

use gradus_autograd::{Op, Var};
use gradus_tensor::{Axes, Float, Tensor, keepdims};

/// What [`normalize`] yields.
pub(super) struct Normalized<T: Float> {
    /// Mean 0 and variance 1 over the axes. Shape: the input's.
    pub output: Var<T>,
    /// The mean over the axes, which stay with length 1.
    pub mean: Tensor<T>,
    /// The population variance over the axes, which stay with length 1.
    pub variance: Tensor<T>,
}

/// y = (x - mean) / sqrt(variance + epsilon), mean and variance over `axes`.
///
/// The gradient reaches x through the mean and the variance, too: g' = (g - mean(g) - y mean(g y)) / sqrt(variance +
/// epsilon). Ioffe and Szegedy, arXiv:1502.03167, section 3, with their three terms put together.
pub(super) fn normalize<T: Float>(x: &Var<T>, axes: impl Into<Axes>, epsilon: T) -> Normalized<T> {
    let axes = keepdims(axes);
    let mean = x.value().mean(axes.clone());
    let centered = x.value() - &mean;
    let variance = centered.square().mean(axes.clone());
    let scale = (&variance + epsilon).rsqrt();
    let y = centered * &scale;
    let output = Op::new("normalize", y.clone())
        .input(x, move |g| {
            let along = (&g * &y).mean(axes.clone());
            let mean = g.mean(axes);
            (g - mean - y * along) * scale
        })
        .finish();
    Normalized { output, mean, variance }
}
