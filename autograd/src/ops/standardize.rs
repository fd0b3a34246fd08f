//! Standardisation with scale and shift, and scale and shift alone, one op each.

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

    /// y = gamma (x - mean) / sqrt(variance + epsilon) + beta for each channel, with moments that are those of several tensors
    /// together, of which this is one: a batch in parts. Shapes: `[.., channels]`, unchanged; all others `[channels]`.
    ///
    /// The gradient reaches x through the moments, too. It needs what the gradients of all these tensors sum to: `means` is given
    /// the [sums](Tensor::standardize_sums) of this one, adds those of the others, and divides by the number of elements in a
    /// channel of all of them.
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
    /// If the shapes do not fit each other.
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
        let (x, gamma_value, beta_value) = (self.value().clone(), gamma.value().clone(), beta.value().clone());
        let (moments, how) = (moments.clone(), *how);
        let derivative = move |g: Tensor<T>, _| {
            let sums = x.standardize_sums(&g, &gamma_value, &beta_value, &moments, &how);
            let by_gamma = &sums[1] * (&moments.variance + T::of(how.added_to_variance())).rsqrt();
            let by_beta = sums[0].clone();
            let means = means(sums);
            let by_x = x.standardize_gradient_with(g, &gamma_value, &beta_value, &moments, means.each_ref(), &how);
            [by_x, by_gamma, by_beta]
        };
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
