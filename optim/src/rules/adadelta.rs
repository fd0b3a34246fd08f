use super::*;

options! {
    /// Adadelta: p -= lr sqrt(d + epsilon) / sqrt(a + epsilon) g.
    ///
    /// a is a moving average of the squared gradient, d one of the squared step before the factor lr; both keep rho of
    /// themselves. A step is then about as large as recent steps, whatever the scale of the gradient. Zeiler 2012, "ADADELTA: An
    /// Adaptive Learning Rate Method", algorithm 1, whose learning rate is 1.
    ///
    /// Slots: `gradients` and `steps`. Learning rate: 0.001, as in Keras.
    ///
    /// ```
    /// use gradus_autograd::{Grads, Params};
    /// use gradus_optim::{Adadelta, IntoOptimizer};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("w", Tensor::new([1.0]));
    /// let grads = Grads::from_iter([Some(Tensor::new([2.0]))]);
    /// Adadelta::default().learning_rate(1.0).step(&mut params, &grads);
    /// // a = 0.05 x 2^2, so the first step is sqrt(1e-7 / 0.2) x 2.
    /// assert!((params[0].value.item() - (1.0 - 0.00141421)).abs() < 1e-6);
    /// ```
    pub struct Adadelta {
        /// The share of themselves that the averages keep at each step; 0.95 by default.
        ///
        /// # Panics
        /// Unless 0 <= `rho` < 1.
        #[check(fraction)]
        rho: f64 = 0.95,
        /// The number under both roots, which sets the size of the first steps; 1e-7 by default.
        ///
        /// # Panics
        /// If it is not greater than 0: nothing would ever move.
        #[check(positive)]
        epsilon: f64 = 1e-7,
    }
}

impl ElementwiseRule for Adadelta {
    const LEARNING_RATE: f64 = 0.001;
    type Scalars = [f64; 1];

    fn slot_names(&self) -> &'static [&'static str] {
        &["gradients", "steps"]
    }

    fn scalars(&self, _step: u64, learning_rate: f64) -> [f64; 1] {
        [learning_rate]
    }

    #[inline(always)]
    fn formula<N: Real>(&self, [rate]: [N; 1], p: N, g: N, slots: &mut [N]) -> N {
        let [a, d] = slots else { unreachable!("two slots") };
        let epsilon = N::of(self.epsilon);
        *a = moving_average(self.rho, *a, g * g);
        let step = ((*d + epsilon) / (*a + epsilon)).sqrt() * g;
        *d = moving_average(self.rho, *d, step * step);
        p - rate * step
    }
}
