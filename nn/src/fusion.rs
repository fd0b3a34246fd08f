//! Steps computed in the same pass over memory: what follows a layer, where it is a matter of single channels.
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
    /// x
    pub const IDENTITY: Self = Channelwise { affine: None, relu: false };
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

    /// This of y + bias, in one pass over it.
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
pub(crate) type Absorbs<T> = Arc<dyn Fn(&mut Context<'_, T>, &Var<T>, &Channelwise<T>) -> Var<T> + Send + Sync>;
