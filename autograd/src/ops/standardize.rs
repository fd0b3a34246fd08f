//! Standardisation with scale and shift, and scale and shift alone, one op each.

use std::cell::Cell;
use std::rc::Rc;

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
        let back = move |g| x.standardize_gradient(g, &weights[0], &weights[1], &kept, &how);
        (together("standardize", y, [self, gamma, beta], back), moments)
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
        let back = move |g| x.affine_gradient(g, &weights[0], &weights[1], relu);
        together("affine", y, [self, scale, shift], back)
    }
}

/// An op whose derivatives by all inputs are computed at once.
///
/// On the way back these are two ops. The last, of which one thing only depends, gets the gradient for itself and computes
/// in its memory; the first hands out what that leaves.
#[track_caller]
fn together<T: Float>(
    name: &'static str,
    y: Tensor<T>,
    [x, a, b]: [&Var<T>; 3],
    back: impl FnOnce(Tensor<T>) -> [Tensor<T>; 3] + 'static,
) -> Var<T> {
    let left = Rc::new(Cell::new(None));
    let (of_a, of_b) = (Rc::clone(&left), Rc::clone(&left));
    let take = |left: &Cell<Option<[Option<Tensor<T>>; 2]>>, which: usize| {
        let mut both = left.take().expect("the last op has put it here");
        let one = both[which].take().expect("each is asked for once");
        left.set(Some(both));
        one
    };
    let inputs = Op::new(name, y.clone())
        .input(a, move |_| take(&of_a, 0))
        .input(b, move |_| take(&of_b, 1))
        .input(x, |g| g)
        .finish();
    let derivative = move |g| {
        let [by_x, by_a, by_b] = back(g);
        left.set(Some([Some(by_a), Some(by_b)]));
        by_x
    };
    Op::new(name, y).input(&inputs, derivative).finish()
}
