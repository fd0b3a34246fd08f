//! Steps computed in the same pass over memory: what follows a convolution, where it is a matter of single channels.
//!
//! A layer may say what it does to each channel, and another that it can do such a thing to its own output. A network
//! that finds the one behind the other, and nobody else looking at what is between them, leaves it to the first.

use std::sync::Arc;

use gradus_autograd::Var;
use gradus_tensor::Float;

use crate::layer::Context;

/// What is done to each channel: y = scale x + shift, and then, if `relu`, max(y, 0).
#[derive(Clone)]
pub(crate) struct Channelwise<T: Float> {
    /// Scale and shift, `[channels]` each.
    pub affine: Option<(Var<T>, Var<T>)>,
    pub relu: bool,
}

impl<T: Float> Channelwise<T> {
    /// max(x, 0)
    pub const RELU: Self = Channelwise { affine: None, relu: true };

    /// This, and then that; none if one such thing does not do both.
    pub fn then(self, next: Self) -> Option<Self> {
        match (self, next) {
            (first, Channelwise { affine: None, relu }) => Some(Channelwise { relu: first.relu || relu, ..first }),
            (Channelwise { affine: None, relu: false }, next) => Some(next),
            (Channelwise { affine: Some((scale, shift)), relu: false }, Channelwise { affine: Some((a, b)), relu }) => {
                Some(Channelwise { affine: Some((scale * &a, shift * a + b)), relu })
            }
            _ => None,
        }
    }
}

/// What a layer does to each channel in this pass, or none if it is something else.
pub(crate) type Follows<T> = Arc<dyn Fn(&mut Context<'_, T>) -> Option<Channelwise<T>> + Send + Sync>;

/// A layer's computation, with what is done to each channel of its output.
pub(crate) type Absorbs<T> = Arc<dyn Fn(&mut Context<'_, T>, &Var<T>, &Channelwise<T>) -> Var<T> + Send + Sync>;

#[cfg(test)]
mod tests {
    use gradus_tensor::Tensor;

    use super::*;

    /// What is done to x, by the definition.
    fn apply(channelwise: &Channelwise<f64>, x: &Tensor<f64>) -> Tensor<f64> {
        let y = match &channelwise.affine {
            Some((scale, shift)) => x * scale.value() + shift.value(),
            None => x.clone(),
        };
        if channelwise.relu { y.maximum(0.0) } else { y }
    }

    #[test]
    fn one_thing_and_then_another() {
        let affine = |scale: [f64; 2], shift: [f64; 2]| Some((Tensor::from(scale).into(), Tensor::from(shift).into()));
        let all = |affine: Option<(Var<f64>, Var<f64>)>| {
            [None, affine]
                .into_iter()
                .flat_map(|affine| [false, true].map(|relu| Channelwise { affine: affine.clone(), relu }))
        };
        let x = Tensor::from([[-3.0, -1.0], [-0.5, 0.0], [0.25, 2.0], [4.0, -2.0]]);
        for first in all(affine([2.0, -1.0], [0.5, 1.0])) {
            for second in all(affine([-3.0, 0.25], [1.0, -2.0])) {
                let impossible = first.relu && second.affine.is_some();
                match first.clone().then(second.clone()) {
                    // Powers of two and small numbers: nothing is rounded.
                    Some(both) => assert_eq!(apply(&both, &x), apply(&second, &apply(&first, &x))),
                    None => assert!(impossible),
                }
            }
        }
        // By hand: -3 (2 x + 0.5) + 1 = -6 x - 0.5, and 0.25 (1 - x) - 2 = -0.25 x - 1.75.
        let [first, second] = [affine([2.0, -1.0], [0.5, 1.0]), affine([-3.0, 0.25], [1.0, -2.0])];
        let [first, second] = [first, second].map(|affine| Channelwise { affine, relu: false });
        let (scale, shift) = first.then(second).unwrap().affine.unwrap();
        assert_eq!((scale.value(), shift.value()), (&Tensor::from([-6.0, -0.25]), &Tensor::from([-0.5, -1.75])));
    }

    #[test]
    fn nothing_scales_what_has_been_rectified() {
        let affine = Channelwise { affine: Some((Var::from(2.0), Var::from(0.5))), relu: false };
        assert!(Channelwise::RELU.then(affine).is_none());
    }
}
