use gradus_tensor::Float;
use serde::Serialize;

use crate::Rule;
use crate::check::{Check, Checked, checked, fraction};

checked! {
    /// Stochastic gradient descent: p -= lr g.
    ///
    /// With momentum mu, v = mu v - lr g and p += v; with Nesterov's look ahead, p += mu v - lr g with the new v
    /// (Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", as Keras writes
    /// it).
    ///
    /// Slots: `momentum`, if there is any. Learning rate: 0.01.
    ///
    /// ```
    /// use gradus_optim::{Optimizer, Rule, Sgd};
    /// let optimizer: Optimizer<Sgd> = Sgd::default().momentum(0.9).nesterov(true).learning_rate(0.1);
    /// ```
    #[derive(Clone, Debug, Default, PartialEq, Serialize)]
    pub struct Sgd {
        momentum: f64,
        nesterov: bool,
    }
}

impl Sgd {
    /// How much of the last step the next one keeps, from 0 (default) to below 1.
    ///
    /// # Panics
    /// If it is out of this range.
    #[track_caller]
    pub fn momentum(self, momentum: f64) -> Self {
        Sgd { momentum, ..self }.checked()
    }

    /// Whether the step looks ahead along the momentum; without momentum it changes nothing.
    pub fn nesterov(self, nesterov: bool) -> Self {
        Sgd { nesterov, ..self }
    }
}

impl Checked for Sgd {
    fn check(&self) -> Check {
        fraction("momentum", self.momentum)
    }
}

impl Rule for Sgd {
    const LEARNING_RATE: f64 = 0.01;

    fn slots(&self) -> &'static [&'static str] {
        if self.momentum > 0.0 { &["momentum"] } else { &[] }
    }

    #[inline(always)]
    fn update<T: Float>(
        &self,
        _step: u64,
        learning_rate: f64,
        parameter: &mut [T],
        gradient: &[T],
        slots: &mut [&mut [T]],
    ) {
        let rate = T::of(learning_rate);
        let momentum = T::of(self.momentum);
        let pairs = parameter.iter_mut().zip(gradient);
        match slots {
            [] => {
                for (p, &g) in pairs {
                    *p -= rate * g;
                }
            }
            [velocity] => {
                for ((p, &g), v) in pairs.zip(velocity.iter_mut()) {
                    *v = momentum * *v - rate * g;
                    *p += if self.nesterov { momentum * *v - rate * g } else { *v };
                }
            }
            _ => unreachable!("one slot for momentum"),
        }
    }
}
