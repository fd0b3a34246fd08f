//! Standardisation with scale and shift, of a batch and of a part of one, and scale and shift alone: one op each.

use gradus_tensor::{Float, Moments, Standardization, Tensor};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with the mean and the variance of the elements that belong
    /// together by `how`, and these two. Shapes: `[.., channels]`, unchanged; gamma and beta `[channels]`.
    ///
    /// The gradient reaches x through the mean and the variance, too, but not through the returned moments.
    ///
    /// # Panics
    /// If the shapes do not fit each other, or the groups not the channels.
    #[track_caller]
    pub fn standardize(&self, gamma: &Var<T>, beta: &Var<T>, how: &Standardization) -> (Var<T>, Moments<T>) {
        let (y, moments) = self.value().standardize(gamma.value(), beta.value(), how);
        let (x, weights) = (self.value().clone(), [gamma.value().clone(), beta.value().clone()]);
        let (kept, how) = (moments.clone(), *how);
        let derivative = move |g, _| x.standardize_gradient(g, &weights[0], &weights[1], &kept, &how);
        (Op::new("standardize", y).joint([self, gamma, beta], derivative).finish(), moments)
    }

    /// y = gamma (x - mean) / sqrt(variance + epsilon) + beta for each channel, with the moments of a batch of which x is a part. Shapes:
    /// `[.., channels]`, unchanged; all others `[channels]`.
    ///
    /// The gradient reaches x through the moments, too. For that, `means` merges what the gradients of the parts sum to, as
    /// [`Tensor::standardize_gradient_with`] says. It is called once, in the backward sweep.
    ///
    /// ```
    /// use gradus_autograd::Tape;
    /// use gradus_tensor::{Standardization, Tensor};
    /// let how = Standardization::of_channels();
    /// let gradient = |alone: bool| {
    ///     let tape = Tape::new();
    ///     let x = tape.var(Tensor::from([[1.0], [2.0], [6.0]]));
    ///     let (gamma, beta) = (tape.var(Tensor::from([2.0])), tape.var(Tensor::from([0.0])));
    ///     let y = match alone {
    ///         true => x.standardize(&gamma, &beta, &how).0,
    ///         // The batch has a single part.
    ///         false => {
    ///             let moments = x.value().channel_moments();
    ///             x.standardize_with(&gamma, &beta, &moments, &how, |sums| sums.map(|sum| sum / 3.0))
    ///         }
    ///     };
    ///     tape.backward(&y.square().sum(0).select(0, 0)).of(&gamma)
    /// };
    /// assert!(gradient(true).allclose(&gradient(false), 1e-12, 1e-12));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other, or `how` is not of channels.
    #[track_caller]
    pub fn standardize_with(
        &self,
        gamma: &Var<T>,
        beta: &Var<T>,
        moments: &Moments<T>,
        how: &Standardization,
        means: impl FnOnce([Tensor<T>; 2]) -> [Tensor<T>; 2] + Send + 'static,
    ) -> Var<T> {
        let y = self.value().standardize_with(gamma.value(), beta.value(), moments, how);
        let (x, weights) = (self.value().clone(), [gamma.value().clone(), beta.value().clone()]);
        let (moments, how) = (moments.clone(), *how);
        let derivative = move |g, _| x.standardize_gradient_with(g, &weights[0], &weights[1], &moments, &how, means);
        Op::new("standardize_with", y).joint([self, gamma, beta], derivative).finish()
    }

    /// y = scale x + shift for each channel, and max(y, 0) in its place if `relu`. Shapes: `[.., channels]`, unchanged;
    /// scale and shift `[channels]`.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn affine(&self, scale: &Var<T>, shift: &Var<T>, relu: bool) -> Var<T> {
        let y = self.value().affine(scale.value(), shift.value(), relu);
        let (x, weights) = (self.value().clone(), [scale.value().clone(), shift.value().clone()]);
        let derivative = move |g, _| x.affine_gradient(g, &weights[0], &weights[1], relu);
        Op::new("affine", y).joint([self, scale, shift], derivative).finish()
    }
}
