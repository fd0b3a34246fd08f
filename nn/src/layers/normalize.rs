//! What layer and batch normalisation share.

use gradus_autograd::{Op, Var};
use gradus_tensor::{Axes, Float, Shape, Tensor, keepdims};

use crate::error::Result;
use crate::initializers::Initializer;
use crate::layer::{Build, Context, ParamId};

/// The axes of an input along which a normalising layer has weights: one for each place on them.
pub(super) struct Features {
    /// Counted with the batch axis, in ascending order.
    pub axes: Vec<usize>,
    /// The shape of the weights: the lengths of the axes.
    pub shape: Shape,
    /// The same with length 1 for each other axis behind the first of them, so that it broadcasts to the input.
    spread: Shape,
}

impl Features {
    /// Of these axes of the one input, which Keras counts: from 1, or from -1 down.
    pub fn new<T: Float>(axes: &[isize], build: &Build<'_, T>) -> Result<Self> {
        let input = build.input()?;
        let mut places = axes.iter().map(|&axis| build.axis(axis)).collect::<Result<Vec<usize>>>()?;
        places.sort_unstable();
        let Some(&first) = places.first() else {
            return Err(build.error("needs an axis to normalise, found none", "-1 is the last"));
        };
        if places.windows(2).any(|pair| pair[0] == pair[1]) {
            let problem = format!("the axes {axes:?} name one of samples of shape {input} twice");
            return Err(build.error(problem, "name each axis once"));
        }
        let shape = places.iter().map(|&axis| input[axis - 1]).collect();
        let spread = (first..=input.len()).map(|axis| if places.contains(&axis) { input[axis - 1] } else { 1 });
        Ok(Features { shape, spread: spread.collect(), axes: places })
    }

    /// A weight so shaped that it broadcasts to the input; no op where it does so by itself.
    pub fn spread<T: Float>(&self, weight: &Var<T>) -> Var<T> {
        if self.spread == self.shape { weight.clone() } else { weight.reshape(&self.spread) }
    }
}

/// y = gamma x + beta, the last step of a normalisation: one of each per feature, or none.
pub(super) struct Affine {
    gamma: Option<ParamId>,
    beta: Option<ParamId>,
}

impl Affine {
    /// With gamma if the layer scales, and beta if it centres.
    pub fn new<T: Float>(scale: bool, center: bool, features: &Features, build: &mut Build<'_, T>) -> Result<Self> {
        let gamma = scale.then(|| build.weight("gamma", &features.shape, Initializer::Ones)).transpose()?;
        let beta = center.then(|| build.weight("beta", &features.shape, Initializer::Zeros)).transpose()?;
        Ok(Affine { gamma, beta })
    }

    /// The computation.
    pub fn apply<T: Float>(&self, mut y: Var<T>, features: &Features, context: &Context<'_, T>) -> Var<T> {
        if let Some(gamma) = self.gamma {
            y = y * features.spread(context.weight(gamma));
        }
        if let Some(beta) = self.beta {
            y = y + features.spread(context.weight(beta));
        }
        y
    }
}

/// The epsilon, if a variance of 0 plus it has a root to divide by.
pub(super) fn check_epsilon<T: Float>(epsilon: f64, build: &Build<'_, T>) -> Result<T> {
    if epsilon > 0.0 && epsilon.is_finite() {
        return Ok(T::of(epsilon));
    }
    Err(build.error(format!("epsilon must be positive and finite, found {epsilon}"), "Keras's is 0.001"))
}

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
