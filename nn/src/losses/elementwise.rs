//! Losses that compare number by number and take the mean over the last axis.

use gradus_autograd::{Op, Var};
use gradus_tensor::{Float, Math, Tensor};
use serde::{Deserialize, Serialize};

use super::{ALIKE, EPSILON, Loss, same_shape};
use crate::error::Result;

/// The mean over the last axis of `value(target, output)`, with its derivative with respect to the output.
fn mean_elementwise<T: Float>(
    name: &'static str,
    targets: &Tensor<T>,
    outputs: &Var<T>,
    value: impl Fn(T, T) -> T + Sync,
    derivative: impl Fn(T, T) -> T + Sync + 'static,
) -> Result<Var<T>> {
    same_shape(name, targets, outputs, ALIKE)?;
    let (t, p) = (targets.clone(), outputs.value().clone());
    let losses = targets.clone().zip_map(outputs.value(), value);
    if losses.ndim() < 2 {
        return Ok(Op::new(name, losses).input(outputs, move |g| t.zip_map(p, derivative) * g).finish());
    }
    let count = T::of(losses.shape()[losses.ndim() - 1] as f64);
    let derivatives = move |g: Tensor<T>| t.zip_map(p, derivative) * (g / count).unsqueeze(-1);
    Ok(Op::new(name, losses.mean(-1)).input(outputs, derivatives).finish())
}

macro_rules! elementwise_loss {
    ($(#[$doc:meta])+ $Name:ident, $name:literal, |$t:ident, $p:ident| $value:expr, $derivative:expr) => {
        $(#[$doc])+
        ///
        /// Targets and outputs have the same shape `[n, ..]`; a sample's loss is the mean over the last axis.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct $Name;

        impl Loss for $Name {
            fn name(&self) -> &'static str {
                $name
            }

            fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
                mean_elementwise(
                    $name,
                    targets,
                    outputs,
                    #[inline(always)]
                    |$t, $p| $value,
                    #[inline(always)]
                    |$t, $p| $derivative,
                )
            }
        }
    };
}

/// -1, 0 or 1 after the sign of `x`.
#[inline(always)]
fn sign<T: Float>(x: T) -> T {
    if x > T::ZERO {
        T::ONE
    } else if x < T::ZERO {
        -T::ONE
    } else {
        x
    }
}

/// Not below Keras's epsilon.
#[inline(always)]
fn positive<T: Float>(x: T) -> T {
    if x < T::of(EPSILON) { T::of(EPSILON) } else { x }
}

elementwise_loss!(
    /// (t - p)^2
    MeanSquaredError,
    "mean_squared_error",
    |t, p| (p - t) * (p - t),
    (p - t) + (p - t)
);

elementwise_loss!(
    /// |t - p|; the derivative at 0 is taken as 0.
    MeanAbsoluteError,
    "mean_absolute_error",
    |t, p| (p - t).magnitude(),
    sign(p - t)
);

elementwise_loss!(
    /// 100 |t - p| / max(|t|, 1e-7)
    MeanAbsolutePercentageError,
    "mean_absolute_percentage_error",
    |t, p| T::of(100.0) * (p - t).magnitude() / positive(t.magnitude()),
    T::of(100.0) * sign(p - t) / positive(t.magnitude())
);

elementwise_loss!(
    /// (ln(1 + t) - ln(1 + p))^2, with t and p raised to 1e-7 where they are below.
    MeanSquaredLogarithmicError,
    "mean_squared_logarithmic_error",
    |t, p| {
        let distance = Math::ln1p(positive(p)) - Math::ln1p(positive(t));
        distance * distance
    },
    {
        let distance = Math::ln1p(positive(p)) - Math::ln1p(positive(t));
        if p < T::of(EPSILON) { T::ZERO } else { T::of(2.0) * distance / (T::ONE + p) }
    }
);

elementwise_loss!(
    /// ln cosh(p - t): about (p - t)^2 / 2 where that is small, and |p - t| - ln 2 where it is large.
    LogCosh,
    "log_cosh",
    |t, p| {
        let e = p - t;
        e + Math::softplus(T::of(-2.0) * e) - T::of(std::f64::consts::LN_2)
    },
    Math::tanh(p - t)
);

elementwise_loss!(
    /// p - t ln(p + 1e-7): the negative log-likelihood of counts t at rates p, without its constant.
    Poisson,
    "poisson",
    |t, p| p - t * Math::ln(p + T::of(EPSILON)),
    T::ONE - t / (p + T::of(EPSILON))
);

/// e^2 / 2 where e = |p - t| is at most delta, delta e - delta^2 / 2 beyond. Huber, 1964.
///
/// Targets and outputs have the same shape `[n, ..]`; a sample's loss is the mean over the last axis.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Huber {
    delta: f64,
}

impl Default for Huber {
    fn default() -> Self {
        Huber { delta: 1.0 }
    }
}

impl Huber {
    /// With the error beyond which the loss grows linearly; 1 otherwise.
    ///
    /// # Panics
    /// If `delta` is not above 0.
    #[track_caller]
    pub fn delta(self, delta: f64) -> Self {
        assert!(delta > 0.0, "huber: delta must be above 0, found {delta}");
        Huber { delta }
    }
}

impl Loss for Huber {
    fn name(&self) -> &'static str {
        "huber"
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let delta = T::of(self.delta);
        mean_elementwise(
            "huber",
            targets,
            outputs,
            move |t, p| {
                let e = (p - t).magnitude();
                let half = T::of(0.5);
                if e <= delta { half * e * e } else { delta * e - half * delta * delta }
            },
            move |t, p| {
                let e = p - t;
                if e.magnitude() <= delta { e } else { delta * sign(e) }
            },
        )
    }
}
