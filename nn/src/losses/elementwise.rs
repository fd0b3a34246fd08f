//! Losses that compare number by number and take the mean over the last axis.

use gradus_autograd::Var;
use gradus_tensor::{Float, Real, Tensor, pointwise};
use serde::{Deserialize, Serialize};

use super::probabilities::check_rates;
use super::{Loss, at_least, mean_of_all, mean_pointwise, options};
use crate::error::Result;

/// Keras's small number, where a loss would divide by 0.
const EPSILON: f64 = 1e-7;

pointwise! {
    #[cfg(test)]
    pub(super) static FUNCTIONS: all;
    static MEAN_SQUARED_ERROR = mean_squared_error(t, p): (p - t) * (p - t),
        derivative |g| ((p - t) + (p - t)) * g;
    static MEAN_ABSOLUTE_ERROR = mean_absolute_error(t, p): (p - t).magnitude(),
        derivative |g| sign(p - t) * g;
    static MEAN_ABSOLUTE_PERCENTAGE_ERROR = mean_absolute_percentage_error(t, p): {
            N::of(100.0) * (p - t).magnitude() / positive(t.magnitude())
        },
        derivative |g| N::of(100.0) * sign(p - t) / positive(t.magnitude()) * g;
    static MEAN_SQUARED_LOGARITHMIC_ERROR = mean_squared_logarithmic_error(t, p): {
            let distance = positive(p).ln1p() - positive(t).ln1p();
            distance * distance
        },
        derivative |g| {
            let distance = positive(p).ln1p() - positive(t).ln1p();
            N::select(p.less(N::of(EPSILON)), N::ZERO, N::of(2.0) * distance / (N::ONE + p)) * g
        };
    static LOG_COSH = log_cosh(t, p): {
            // Below 1 by cosh e - 1 = (e^|e| - 1)^2 / (2 e^|e|), above without overflow.
            let e = (p - t).magnitude();
            let near = N::select(e.less(N::ONE), e, N::ONE).expm1();
            let near = (N::of(0.5) * near * near / (near + N::ONE)).ln1p();
            let far = e + (N::of(-2.0) * e).softplus() - N::of(std::f64::consts::LN_2);
            N::select(e.less(N::ONE), near, far)
        },
        derivative |g| (p - t).tanh() * g;
    // A rate below 0 by rounding counts as 0.
    static POISSON = poisson(t, p): p - t * (at_least(p, N::ZERO) + N::of(EPSILON)).ln(),
        derivative |g| (N::ONE - t / (at_least(p, N::ZERO) + N::of(EPSILON))) * g;
    static HUBER = huber(t, p; delta): {
            let e = (p - t).magnitude();
            let half = N::of(0.5);
            N::select(e.less_equal(delta), half * e * e, delta * e - half * delta * delta)
        },
        derivative |g| {
            let e = p - t;
            N::select(e.magnitude().less_equal(delta), e, delta * sign(e)) * g
        };
}

/// -1, 0 or 1 after the sign of `x`; NaN stays.
#[inline(always)]
fn sign<N: Real>(x: N) -> N {
    N::select(x.greater(N::ZERO), N::ONE, N::select(x.less(N::ZERO), -N::ONE, x))
}

/// Not below Keras's epsilon.
#[inline(always)]
fn positive<N: Real>(x: N) -> N {
    at_least(x, N::of(EPSILON))
}

/// Losses that are the mean of a function without parameters.
macro_rules! losses {
    ($($(#[$doc:meta])+ $Name:ident: $FUNCTION:ident;)+) => {$(
        $(#[$doc])+
        ///
        /// Targets and outputs have the same shape `[n, ..]`; a sample's loss is the mean over the last axis.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
        pub struct $Name;

        impl Loss for $Name {
            fn name(&self) -> &'static str {
                $FUNCTION.name()
            }

            fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
                mean_pointwise(self.name(), &$FUNCTION, targets, outputs, &[])
            }

            fn mean<T: Float>(
                &self,
                targets: &Tensor<T>,
                outputs: &Var<T>,
                weights: Option<&Tensor<T>>,
            ) -> Result<Var<T>> {
                match weights {
                    None => mean_of_all(self.name(), &$FUNCTION, targets, outputs, &[]),
                    Some(_) => Ok(self.weighted(targets, outputs, weights)?.mean(..)),
                }
            }
        }
    )+};
}

losses! {
    /// (t - p)^2
    ///
    /// ```
    /// use gradus_autograd::Var;
    /// use gradus_nn::losses::{Loss, MeanSquaredError};
    /// use gradus_tensor::Tensor;
    /// let (targets, outputs) = (Tensor::new([[1.0, 2.0]]), Var::from(Tensor::new([[1.0, 5.0]])));
    /// assert_eq!(MeanSquaredError.mean(&targets, &outputs, None)?.value().item(), 4.5); // (0 + 9) / 2
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias = "MSELoss")]
    MeanSquaredError: MEAN_SQUARED_ERROR;
    /// |t - p|; the derivative at 0 is taken as 0.
    ///
    /// ```
    /// use gradus_autograd::Var;
    /// use gradus_nn::losses::{Loss, MeanAbsoluteError};
    /// use gradus_tensor::Tensor;
    /// let (targets, outputs) = (Tensor::new([[1.0, 2.0]]), Var::from(Tensor::new([[1.0, 5.0]])));
    /// assert_eq!(MeanAbsoluteError.mean(&targets, &outputs, None)?.value().item(), 1.5); // (0 + 3) / 2
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias = "L1Loss")]
    MeanAbsoluteError: MEAN_ABSOLUTE_ERROR;
    /// 100 |t - p| / max(|t|, 1e-7)
    ///
    /// ```
    /// use gradus_autograd::Var;
    /// use gradus_nn::losses::{Loss, MeanAbsolutePercentageError};
    /// use gradus_tensor::Tensor;
    /// let (targets, outputs) = (Tensor::new([[4.0, 2.0]]), Var::from(Tensor::new([[5.0, 2.0]])));
    /// let loss = MeanAbsolutePercentageError.mean(&targets, &outputs, None)?;
    /// assert_eq!(loss.value().item(), 12.5); // 25 % and 0 %
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    MeanAbsolutePercentageError: MEAN_ABSOLUTE_PERCENTAGE_ERROR;
    /// (ln(1 + t) - ln(1 + p))^2, with t and p raised to 1e-7 where they are below.
    ///
    /// ```
    /// use gradus_autograd::Var;
    /// use gradus_nn::losses::{Loss, MeanSquaredLogarithmicError};
    /// use gradus_tensor::Tensor;
    /// // Twice as many is as bad for few as for many: 1 + t is half of 1 + p in both.
    /// let (targets, outputs) = (Tensor::new([[4.0], [499.0]]), Var::from(Tensor::new([[9.0], [999.0]])));
    /// let losses = MeanSquaredLogarithmicError.per_sample(&targets, &outputs)?;
    /// assert!(losses.value().allclose(&Tensor::full([2], 2.0_f32.ln().powi(2)), 1e-5, 0.0));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    MeanSquaredLogarithmicError: MEAN_SQUARED_LOGARITHMIC_ERROR;
    /// ln cosh(p - t): about (p - t)^2 / 2 where that is small, and |p - t| - ln 2 where it is large.
    ///
    /// ```
    /// use gradus_autograd::Var;
    /// use gradus_nn::losses::{LogCosh, Loss};
    /// use gradus_tensor::Tensor;
    /// let (targets, outputs) = (Tensor::new([[0.0]]), Var::from(Tensor::new([[1.0]])));
    /// let loss = LogCosh.mean(&targets, &outputs, None)?.value().item();
    /// assert!((loss - 1.0_f32.cosh().ln()).abs() < 1e-6);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    LogCosh: LOG_COSH;
}

/// p - t ln(p + 1e-7): the negative log-likelihood of counts t at rates p, without its constant.
///
/// Targets and outputs have the same shape `[n, ..]`; a sample's loss is the mean over the last axis. A rate below 0 is an
/// error.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{Loss, Poisson};
/// use gradus_tensor::Tensor;
/// // A count of 3 at a rate of e: e - 3.
/// let (targets, outputs) = (Tensor::new([[3.0]]), Var::from(Tensor::new([[1.0_f32.exp()]])));
/// let loss = Poisson.mean(&targets, &outputs, None)?.value().item();
/// assert!((loss - (1.0_f32.exp() - 3.0)).abs() < 1e-6);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[doc(alias = "PoissonNLLLoss")]
pub struct Poisson;

impl Loss for Poisson {
    fn name(&self) -> &'static str {
        POISSON.name()
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        check_rates(self.name(), outputs.value())?;
        mean_pointwise(self.name(), &POISSON, targets, outputs, &[])
    }
}

/// e^2 / 2 where e = |p - t| is at most delta, delta e - delta^2 / 2 beyond. Huber, 1964.
///
/// Targets and outputs have the same shape `[n, ..]`; a sample's loss is the mean over the last axis.
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{Huber, Loss};
/// use gradus_tensor::Tensor;
/// let (targets, outputs) = (Tensor::new([[0.0], [0.0]]), Var::from(Tensor::new([[0.5], [5.0]])));
/// // 0.5^2 / 2 near the target; 2 x 5 - 2^2 / 2 far from it, where a square would be 12.5.
/// let losses = Huber::default().delta(2.0).per_sample(&targets, &outputs)?;
/// assert_eq!(losses.value(), &Tensor::new([0.125, 8.0]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[doc(alias("HuberLoss", "SmoothL1Loss"))]
pub struct Huber {
    #[serde(deserialize_with = "options::read_delta")]
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
    /// If `delta` is not above 0, or not finite.
    #[track_caller]
    pub fn delta(self, delta: f64) -> Self {
        Huber { delta: options::DELTA.given(delta) }
    }
}

impl Loss for Huber {
    fn name(&self) -> &'static str {
        HUBER.name()
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        mean_pointwise(self.name(), &HUBER, targets, outputs, &[T::of(self.delta)])
    }
}
