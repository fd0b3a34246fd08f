//! Activation functions, by name.

use gradus_autograd::{Op, Var};
use gradus_tensor::{Float, Tensor, keepdims};
use serde::{Deserialize, Serialize};

/// A function applied to a layer's output, or added to a network as a layer of its own. Names and defaults are Keras's.
///
/// ```
/// use gradus_nn::{Activation, Dense, Sequential};
/// let network = Sequential::new()
///     .add(Dense::new(64).activation(Activation::Gelu))
///     .add(Dense::new(64))
///     .add(Activation::LeakyRelu { negative_slope: 0.2 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Activation {
    /// x
    #[default]
    Linear,
    /// max(x, 0)
    Relu,
    /// min(max(x, 0), 6)
    Relu6,
    /// x where positive, else negative_slope x.
    LeakyRelu {
        /// The slope below 0: 0.2 in Keras unless said otherwise.
        #[serde(serialize_with = "crate::finite::serialize")]
        negative_slope: f64,
    },
    /// x where positive, else alpha (e^x - 1). Clevert et al., arXiv:1511.07289.
    Elu {
        /// The limit below 0 is -alpha: 1 in Keras unless said otherwise.
        #[serde(serialize_with = "crate::finite::serialize")]
        alpha: f64,
    },
    /// 1.0507 times elu with alpha 1.6733, which keeps mean 0 and variance 1. Klambauer et al., arXiv:1706.02515.
    Selu,
    /// x where positive, else alpha (e^(x / alpha) - 1), whose slope is continuous. Barron, arXiv:1704.07483.
    Celu {
        /// The limit below 0 is -alpha: 1 in Keras unless said otherwise. Not 0.
        #[serde(serialize_with = "crate::finite::serialize")]
        alpha: f64,
    },
    /// x/2 (1 + erf(x / sqrt 2)). Hendrycks and Gimpel, arXiv:1606.08415.
    Gelu,
    /// The approximation of [`Gelu`](Activation::Gelu) by tanh: Keras's `gelu(approximate=True)`.
    GeluTanh,
    /// x sigmoid(x), also called swish.
    Silu,
    /// x tanh(softplus(x)). Misra, arXiv:1908.08681.
    Mish,
    /// ln(1 + e^x)
    Softplus,
    /// x / (1 + |x|)
    Softsign,
    /// (x + sqrt(x^2 + b)) / 2. Barron, arXiv:2112.11687.
    Squareplus {
        /// How round the corner is: 4 in Keras unless said otherwise.
        #[serde(serialize_with = "crate::finite::serialize")]
        b: f64,
    },
    /// 0 up to -1, x from 1 on, (x + 1)^2 / 4 between.
    SparsePlus,
    /// exp(x_i) / sum_j exp(x_j) over the last axis.
    Softmax,
    /// x_i - ln sum_j exp(x_j) over the last axis.
    LogSoftmax,
    /// The nearest point of the probability simplex, over the last axis: like softmax, with exact zeros. Martins and
    /// Astudillo, arXiv:1602.02068.
    Sparsemax,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// ln sigmoid(x)
    LogSigmoid,
    /// x/6 + 1/2, within 0 and 1.
    HardSigmoid,
    /// (x + 1)/2, within 0 and 1.
    SparseSigmoid,
    /// x hard_sigmoid(x), also called hard swish. Howard et al., arXiv:1905.02244.
    HardSilu,
    /// (e^x - e^-x) / (e^x + e^-x)
    Tanh,
    /// x, within -1 and 1.
    HardTanh,
    /// x - tanh(x)
    TanhShrink,
    /// 0 where |x| <= threshold, else x.
    HardShrink {
        /// 0.5 in Keras unless said otherwise.
        #[serde(serialize_with = "crate::finite::serialize")]
        threshold: f64,
    },
    /// 0 where |x| <= threshold, else x brought nearer to 0 by it.
    SoftShrink {
        /// 0.5 in Keras unless said otherwise.
        #[serde(serialize_with = "crate::finite::serialize")]
        threshold: f64,
    },
    /// x where it is above the threshold, else the default value.
    Threshold {
        /// What x must exceed.
        #[serde(serialize_with = "crate::finite::serialize")]
        threshold: f64,
        /// What stands in for it where it does not.
        #[serde(serialize_with = "crate::finite::serialize")]
        default_value: f64,
    },
    /// e^x
    Exponential,
}

impl Activation {
    /// The function of `x`. Shape: unchanged.
    pub fn apply<T: Float>(self, x: &Var<T>) -> Var<T> {
        match self {
            Activation::Linear => x.clone(),
            Activation::Relu => x.relu(),
            Activation::Relu6 => x.relu6(),
            Activation::LeakyRelu { negative_slope } => x.leaky_relu(T::of(negative_slope)),
            Activation::Elu { alpha } => x.elu(T::of(alpha)),
            Activation::Selu => x.selu(),
            Activation::Celu { alpha } => x.celu(T::of(alpha)),
            Activation::Gelu => x.gelu(),
            Activation::GeluTanh => x.gelu_tanh(),
            Activation::Silu => x.silu(),
            Activation::Mish => x.mish(),
            Activation::Softplus => x.softplus(),
            Activation::Softsign => x.softsign(),
            Activation::Squareplus { b } => x.squareplus(T::of(b)),
            Activation::SparsePlus => x.sparse_plus(),
            Activation::Softmax => x.softmax(-1),
            Activation::LogSoftmax => x.log_softmax(-1),
            Activation::Sparsemax => sparsemax(x),
            Activation::Sigmoid => x.sigmoid(),
            Activation::LogSigmoid => x.log_sigmoid(),
            Activation::HardSigmoid => x.hard_sigmoid(),
            Activation::SparseSigmoid => x.sparse_sigmoid(),
            Activation::HardSilu => x.hard_silu(),
            Activation::Tanh => x.tanh(),
            Activation::HardTanh => x.hard_tanh(),
            Activation::TanhShrink => x.tanh_shrink(),
            Activation::HardShrink { threshold } => x.hard_shrink(T::of(threshold)),
            Activation::SoftShrink { threshold } => x.soft_shrink(T::of(threshold)),
            Activation::Threshold { threshold, default_value } => x.threshold(T::of(threshold), T::of(default_value)),
            Activation::Exponential => x.exp(),
        }
    }

    /// What is wrong with the numbers of the activation, and what to do about it.
    pub(crate) fn check(self) -> Result<(), (String, &'static str)> {
        let (holds, hint) = match self {
            Activation::LeakyRelu { negative_slope: number } | Activation::Elu { alpha: number } => {
                (number.is_finite(), "give a finite number")
            }
            Activation::Celu { alpha } => (alpha.is_finite() && alpha != 0.0, "give a finite alpha other than 0"),
            Activation::Squareplus { b: number }
            | Activation::HardShrink { threshold: number }
            | Activation::SoftShrink { threshold: number } => {
                (number.is_finite() && number >= 0.0, "give a finite number of 0 or more")
            }
            Activation::Threshold { threshold, default_value } => {
                (threshold.is_finite() && default_value.is_finite(), "give finite numbers")
            }
            _ => (true, ""),
        };
        if holds { Ok(()) } else { Err((format!("{self:?} is no activation"), hint)) }
    }

    /// Whether an element of the output depends on others along the last axis.
    pub(crate) fn is_along_last_axis(self) -> bool {
        matches!(self, Activation::Softmax | Activation::LogSoftmax | Activation::Sparsemax)
    }
}

/// max(x - tau, 0), with tau such that the last axis sums to 1. Algorithm 1 of the paper.
fn sparsemax<T: Float>(x: &Var<T>) -> Var<T> {
    // The function does not change under a shift; without it, 1 would be lost in the rounding of large numbers.
    let shifted = x.value() - x.value().max(keepdims(-1));
    let descending = shifted.sort(-1).flip(-1);
    let places = Tensor::arange(T::ONE, T::of(descending.shape()[descending.ndim() - 1] as f64 + 1.0), T::ONE);
    let in_support = (&descending * places + T::ONE).greater(descending.cumsum(-1));
    let count = in_support.to::<T>().sum(keepdims(-1));
    // Chosen, not multiplied by 0, which would make NaN of minus infinity.
    let tau = (in_support.where_(descending, T::ZERO).sum(keepdims(-1)) - T::ONE) / count;
    let y = (shifted - tau).relu();
    Op::new("sparsemax", y.clone())
        .input(x, move |g| {
            let support = y.greater(T::ZERO).to::<T>();
            let mean = (&g * &support).sum(keepdims(-1)) / support.sum(keepdims(-1));
            (g - mean) * support
        })
        .finish()
}
