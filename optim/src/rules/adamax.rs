use super::*;

options! {
    /// Adamax: Adam with the largest recent gradient in the place of the mean square.
    ///
    /// m = beta_1 m + (1 - beta_1) g; u = max(beta_2 u, |g|); p -= lr / (1 - beta_1^t) m / (u + epsilon).
    ///
    /// Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 2. The paper has no epsilon; as in
    /// Keras it keeps a gradient that has always been 0 from dividing by 0.
    ///
    /// Slots: `momentum` and `norm`. Learning rate: 0.001.
    ///
    /// ```
    /// use gradus_autograd::{Grads, Params};
    /// use gradus_optim::{Adamax, IntoOptimizer};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("w", Tensor::new([1.0, 1.0]));
    /// let grads = Grads::from_iter([Some(Tensor::new([0.5, -20.0]))]);
    /// Adamax::default().learning_rate(0.25).step(&mut params, &grads);
    /// // The first step is the learning rate, whatever the size of the gradient.
    /// assert!(params[0].value.allclose(&Tensor::new([0.75, 1.25]), 1e-5, 0.0));
    /// ```
    pub struct Adamax {
        /// The share of itself that the average of the gradient keeps at each step; 0.9 by default.
        ///
        /// # Panics
        /// Unless 0 <= `beta_1` < 1.
        #[check(fraction)]
        beta_1: f64 = 0.9,
        /// The share of itself that the largest gradient keeps at each step; 0.999 by default.
        ///
        /// # Panics
        /// Unless 0 <= `beta_2` < 1.
        #[check(fraction)]
        beta_2: f64 = 0.999,
        /// The number that keeps the division away from 0; 1e-7 by default.
        ///
        /// # Panics
        /// If it is negative.
        #[check(not_negative)]
        epsilon: f64 = 1e-7,
    }
}

impl ElementwiseRule for Adamax {
    const LEARNING_RATE: f64 = 0.001;
    type Scalars = [f64; 1];

    fn slot_names(&self) -> &'static [&'static str] {
        &["momentum", "norm"]
    }

    fn scalars(&self, step: u64, learning_rate: f64) -> [f64; 1] {
        [learning_rate / correction(self.beta_1, step)]
    }

    #[inline(always)]
    fn formula<N: Real>(&self, [rate]: [N; 1], p: N, g: N, slots: &mut [N]) -> N {
        let [m, u] = slots else { unreachable!("two slots") };
        *m = moving_average(self.beta_1, *m, g);
        *u = g.magnitude().maximum(N::of(self.beta_2) * *u);
        p - rate * (*m / (*u + N::of(self.epsilon)))
    }
}
