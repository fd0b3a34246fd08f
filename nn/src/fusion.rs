//! Steps computed in the same pass over memory: what follows a layer, where it is a matter of single channels.
//!
//! A layer may say what it does to each channel, and another that it can do such a thing to its own output. A network
//! that finds the one behind the other, and nobody else looking at what is between them, leaves it to the first.

use std::sync::Arc;

use gradus_autograd::Var;
use gradus_tensor::{Float, Pooling};

use crate::layer::Context;

/// What is done to each channel: y = scale x + shift, then, if `relu`, max(y, 0), then the largest of each window.
#[derive(Clone)]
pub(crate) struct Channelwise<T: Float> {
    /// Scale and shift, `[channels]` each.
    pub affine: Option<(Var<T>, Var<T>)>,
    pub relu: bool,
    pub pooling: Option<Pooling>,
}

impl<T: Float> Channelwise<T> {
    /// x
    pub const IDENTITY: Self = Channelwise { affine: None, relu: false, pooling: None };
    /// max(x, 0)
    pub const RELU: Self = Channelwise { relu: true, ..Self::IDENTITY };

    /// This, and then that; none if one such thing does not do both.
    pub fn then(self, next: Self) -> Option<Self> {
        let Channelwise { affine, relu, pooling } = self;
        match next {
            // A largest element is still the largest when all that are negative are 0.
            Channelwise { affine: None, relu: next, pooling: None } => {
                Some(Channelwise { affine, relu: relu || next, pooling })
            }
            Channelwise { affine: None, relu: next, pooling: Some(then) } if pooling.is_none() => {
                Some(Channelwise { affine, relu: relu || next, pooling: Some(then) })
            }
            Channelwise { affine: Some((a, b)), relu: next, pooling: then } if !relu && pooling.is_none() => {
                let affine = match affine {
                    Some((scale, shift)) => (scale * &a, shift * a + b),
                    None => (a, b),
                };
                Some(Channelwise { affine: Some(affine), relu: next, pooling: then })
            }
            _ => None,
        }
    }

    /// This of y + bias, in one pass over it; it must not pool.
    pub fn of_sum(&self, y: Var<T>, bias: Option<&Var<T>>) -> Var<T> {
        match (&self.affine, bias) {
            (Some((scale, shift)), Some(bias)) => y.affine(scale, &(bias * scale + shift), self.relu),
            (Some((scale, shift)), None) => y.affine(scale, shift, self.relu),
            (None, Some(bias)) => y.affine(&bias.value().ones_like().into(), bias, self.relu),
            (None, None) if self.relu => y.relu(),
            (None, None) => y,
        }
    }
}

/// What a layer does to each channel in this pass, or none if it is something else.
pub(crate) type Follows<T> = Arc<dyn Fn(&mut Context<'_, T>) -> Option<Channelwise<T>> + Send + Sync>;

/// A layer's computation, with what is done to each channel of its output.
pub(crate) struct Absorbs<T: Float> {
    pub takes: Takes,
    pub compute: Box<Compute<T>>,
}

/// What a layer takes over.
#[derive(Clone, Copy)]
pub(crate) struct Takes {
    /// Whether the layer makes what is negative 0 by itself, so that no scale and no shift may follow.
    pub relu: bool,
    /// Whether it takes over a pooling.
    pub pooling: bool,
}

impl Takes {
    /// Scale and shift, and what makes 0 of negative ones.
    pub const ELEMENTWISE: Takes = Takes { relu: false, pooling: false };
}

pub(crate) type Compute<T> = dyn Fn(&mut Context<'_, T>, &Var<T>, &Channelwise<T>) -> Var<T> + Send + Sync;

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
            [None, affine].into_iter().flat_map(|affine| {
                [false, true].map(|relu| Channelwise { affine: affine.clone(), relu, pooling: None })
            })
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
        let [first, second] = [first, second].map(|affine| Channelwise { affine, ..Channelwise::IDENTITY });
        let (scale, shift) = first.then(second).unwrap().affine.unwrap();
        assert_eq!((scale.value(), shift.value()), (&Tensor::from([-6.0, -0.25]), &Tensor::from([-0.5, -1.75])));
    }

    #[test]
    fn nothing_scales_what_has_been_rectified() {
        let affine = Channelwise::<f64> { affine: Some((Var::from(2.0), Var::from(0.5))), ..Channelwise::IDENTITY };
        assert!(Channelwise::RELU.then(affine).is_none());
    }

    #[test]
    fn a_pooling_ends_what_is_scaled_and_comes_once() {
        let pooling = |size| Channelwise::<f64> { pooling: Some(Pooling::new(&[size])), ..Channelwise::IDENTITY };
        let affine = Channelwise { affine: Some((Var::from(2.0), Var::from(0.5))), ..Channelwise::IDENTITY };
        assert!(pooling(2).then(affine.clone()).is_none() && pooling(2).then(pooling(3)).is_none());
        let all = affine.then(pooling(2)).and_then(|both| both.then(Channelwise::RELU)).unwrap();
        assert!(all.affine.is_some() && all.relu && all.pooling == Some(Pooling::new(&[2])));
    }
}
