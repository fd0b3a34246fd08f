//! Epilogues: elementwise work and pooling behind a layer's main computation, done in the same pass over memory.
//!
//! A convolution or a product can scale, shift and rectify each channel of its output while the output is in the cache.
//! A layer that can do so is built by [`Built::with_epilogue`](crate::built::Built::with_epilogue). A layer whose whole
//! computation can be such an epilogue (ReLU, batch normalisation when predicting, maximum pooling) says so by
//! [`Built::or_epilogue`](crate::built::Built::or_epilogue). A network that finds the second behind the first computes both in
//! one step, if no other layer takes the value between them.

use std::sync::Arc;

use gradus_autograd::Var;
use gradus_tensor::{Float, Pooling};

use crate::context::Context;

/// y = pool(relu(scale x + shift)), channel by channel; each of the three parts may be absent.
#[derive(Clone)]
pub(crate) struct Epilogue<T: Float> {
    /// Scale and shift, `[channels]` each.
    pub affine: Option<(Var<T>, Var<T>)>,
    /// Whether negative elements become 0.
    pub relu: bool,
    /// The windows of which the maximum is taken.
    pub pooling: Option<Pooling>,
}

impl<T: Float> Epilogue<T> {
    /// y = x
    pub const IDENTITY: Self = Epilogue { affine: None, relu: false, pooling: None };
    /// y = max(x, 0)
    pub const RELU: Self = Epilogue { relu: true, ..Self::IDENTITY };

    /// This epilogue and then `next`, as one; `None` if no single epilogue does both.
    pub fn then(self, next: Self) -> Option<Self> {
        let Epilogue { affine, relu, pooling } = self;
        match next {
            // max_pool(max(x, 0)) = max(max_pool(x), 0): a ReLU may come before or behind the pooling.
            Epilogue { affine: None, relu: next, pooling: None } => {
                Some(Epilogue { affine, relu: relu || next, pooling })
            }
            Epilogue { affine: None, relu: next, pooling: Some(then) } if pooling.is_none() => {
                Some(Epilogue { affine, relu: relu || next, pooling: Some(then) })
            }
            Epilogue { affine: Some((a, b)), relu: next, pooling: then } if !relu && pooling.is_none() => {
                let affine = match affine {
                    Some((scale, shift)) => (scale * &a, shift * a + b),
                    None => (a, b),
                };
                Some(Epilogue { affine: Some(affine), relu: next, pooling: then })
            }
            _ => None,
        }
    }

    /// relu(scale (x + bias) + shift), in one pass over x. The epilogue must not pool.
    pub fn of_sum(&self, x: Var<T>, bias: Option<&Var<T>>) -> Var<T> {
        match (&self.affine, bias) {
            (Some((scale, shift)), Some(bias)) => x.affine(scale, &(bias * scale + shift), self.relu),
            (Some((scale, shift)), None) => x.affine(scale, shift, self.relu),
            (None, Some(bias)) if self.relu => x.affine(&bias.value().ones_like().into(), bias, true),
            (None, Some(bias)) => x + bias,
            (None, None) if self.relu => x.relu(),
            (None, None) => x,
        }
    }
}

/// The parts of an [`Epilogue`] that a layer can compute behind its own work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Supports {
    pub affine: bool,
    pub relu: bool,
    pub pooling: bool,
}

impl Supports {
    /// No part: the layer computes with [`Epilogue::IDENTITY`] alone.
    pub const NOTHING: Supports = Supports { affine: false, relu: false, pooling: false };
    /// Scale, shift and ReLU.
    pub const ELEMENTWISE: Supports = Supports { affine: true, relu: true, pooling: false };

    /// Whether every part of this epilogue is among them.
    pub fn contain<T: Float>(self, epilogue: &Epilogue<T>) -> bool {
        (self.affine || epilogue.affine.is_none())
            && (self.relu || !epilogue.relu)
            && (self.pooling || epilogue.pooling.is_none())
    }
}

/// A layer's computation with an epilogue behind it, and the epilogues that it can compute.
pub(crate) struct WithEpilogue<T: Float> {
    pub supports: Supports,
    pub compute: Arc<Compute<T>>,
}

/// The computation of a layer of one input that takes an epilogue.
pub(crate) type Compute<T> = dyn Fn(&mut Context<'_, T>, &Var<T>, &Epilogue<T>) -> Var<T> + Send + Sync;

/// A layer's computation as an epilogue of the layer before it; `None` if it is more than that in this pass.
pub(crate) type AsEpilogue<T> = Arc<dyn Fn(&mut Context<'_, T>) -> Option<Epilogue<T>> + Send + Sync>;

#[cfg(test)]
mod tests {
    use gradus_tensor::Tensor;

    use super::*;

    /// The epilogue of x, by the definition.
    fn apply(epilogue: &Epilogue<f64>, x: &Tensor<f64>) -> Tensor<f64> {
        let y = match &epilogue.affine {
            Some((scale, shift)) => x * scale.value() + shift.value(),
            None => x.clone(),
        };
        if epilogue.relu { y.maximum(0.0) } else { y }
    }

    #[test]
    fn then_is_one_epilogue_behind_another() {
        let affine = |scale: [f64; 2], shift: [f64; 2]| Some((Tensor::from(scale).into(), Tensor::from(shift).into()));
        let all = |affine: Option<(Var<f64>, Var<f64>)>| {
            [None, affine]
                .into_iter()
                .flat_map(|affine| [false, true].map(|relu| Epilogue { affine: affine.clone(), relu, pooling: None }))
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
        let [first, second] = [first, second].map(|affine| Epilogue { affine, ..Epilogue::IDENTITY });
        let (scale, shift) = first.then(second).unwrap().affine.unwrap();
        assert_eq!((scale.value(), shift.value()), (&Tensor::from([-6.0, -0.25]), &Tensor::from([-0.5, -1.75])));
    }

    #[test]
    fn no_scale_follows_a_relu() {
        let affine = Epilogue::<f64> { affine: Some((Var::from(2.0), Var::from(0.5))), ..Epilogue::IDENTITY };
        assert!(Epilogue::RELU.then(affine).is_none());
    }

    #[test]
    fn a_pooling_comes_last_and_once() {
        let pooling = |size| Epilogue::<f64> { pooling: Some(Pooling::new(&[size])), ..Epilogue::IDENTITY };
        let affine = Epilogue { affine: Some((Var::from(2.0), Var::from(0.5))), ..Epilogue::IDENTITY };
        assert!(pooling(2).then(affine.clone()).is_none() && pooling(2).then(pooling(3)).is_none());
        let all = affine.then(pooling(2)).and_then(|both| both.then(Epilogue::RELU)).unwrap();
        assert!(all.affine.is_some() && all.relu && all.pooling == Some(Pooling::new(&[2])));
    }
}
