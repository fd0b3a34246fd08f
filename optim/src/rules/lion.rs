use super::*;

options! {
    /// Lion: p -= lr sign(beta_1 m + (1 - beta_1) g), then m = beta_2 m + (1 - beta_2) g.
    ///
    /// Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2. Every element moves by the
    /// learning rate, so the authors advise a third to a tenth of Adam's, and a
    /// [`weight_decay`](crate::Optimizer::weight_decay) as many times larger.
    ///
    /// Slot: `momentum`. Learning rate: 0.001.
    ///
    /// ```
    /// use gradus_autograd::{Grads, Params};
    /// use gradus_optim::{IntoOptimizer, Lion};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("w", Tensor::new([1.0, 1.0]));
    /// let grads = Grads::from_iter([Some(Tensor::new([0.001, -20.0]))]);
    /// Lion::default().learning_rate(0.25).step(&mut params, &grads);
    /// assert_eq!(params[0].value, Tensor::new([0.75, 1.25]));
    /// ```
    pub struct Lion {
        /// The share of the average of the gradient in a step, against the gradient itself; 0.9 by default.
        ///
        /// # Panics
        /// Unless 0 <= `beta_1` < 1.
        #[check(fraction)]
        beta_1: f64 = 0.9,
        /// The share of itself that the average of the gradient keeps at each step; 0.99 by default.
        ///
        /// # Panics
        /// Unless 0 <= `beta_2` < 1.
        #[check(fraction)]
        beta_2: f64 = 0.99,
    }
}

impl ElementwiseRule for Lion {
    const LEARNING_RATE: f64 = 0.001;
    type Scalars = [f64; 1];

    fn slot_names(&self) -> &'static [&'static str] {
        &["momentum"]
    }

    fn scalars(&self, _step: u64, learning_rate: f64) -> [f64; 1] {
        [learning_rate]
    }

    #[inline(always)]
    fn formula<N: Real>(&self, [rate]: [N; 1], p: N, g: N, slots: &mut [N]) -> N {
        let [m] = slots else { unreachable!("one slot") };
        let direction = sign(moving_average(self.beta_1, *m, g));
        *m = moving_average(self.beta_2, *m, g);
        p - rate * direction
    }
}

/// 1, 0 or -1; NaN stays NaN.
#[inline(always)]
fn sign<N: Real>(x: N) -> N {
    N::select(x.greater(N::ZERO), N::ONE, N::select(x.less(N::ZERO), -N::ONE, x))
}
