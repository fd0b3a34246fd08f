use super::*;

options! {
    /// Stochastic gradient descent: p -= lr g.
    ///
    /// With momentum mu, v = mu v - lr g and p += v; with Nesterov's look ahead, p += mu v - lr g with the new v
    /// (Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", as Keras writes
    /// it).
    ///
    /// Slots: `momentum`, if there is any. Learning rate: 0.01.
    ///
    /// ```
    /// use gradus_optim::{IntoOptimizer, Optimizer, Sgd};
    /// let optimizer: Optimizer<Sgd> = Sgd::default().momentum(0.9).nesterov(true).learning_rate(0.1);
    /// ```
    pub struct Sgd {
        /// The share of the last step that the next one keeps, from 0 (default) to below 1.
        ///
        /// # Panics
        /// If it is out of this range.
        #[check(fraction)]
        momentum: f64 = 0.0,
        /// Whether the step looks ahead along the momentum; without momentum it changes nothing.
        nesterov: bool = false,
    }
}

impl ElementwiseRule for Sgd {
    const LEARNING_RATE: f64 = 0.01;
    type Scalars = [f64; 1];

    fn slot_names(&self) -> &'static [&'static str] {
        if self.momentum > 0.0 { &["momentum"] } else { &[] }
    }

    fn scalars(&self, _step: u64, learning_rate: f64) -> [f64; 1] {
        [learning_rate]
    }

    #[inline(always)]
    fn formula<N: Real>(&self, [rate]: [N; 1], p: N, g: N, slots: &mut [N]) -> N {
        let [v] = slots else { return p - rate * g };
        let momentum = N::of(self.momentum);
        *v = momentum * *v - rate * g;
        p + if self.nesterov { momentum * *v - rate * g } else { *v }
    }
}
