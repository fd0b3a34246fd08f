//! Standardisation with scale and shift, and scale and shift alone, one op each.

use gradus_tensor::{Float, Moments, Standardization};

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
