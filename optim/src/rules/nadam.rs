use super::*;

options! {
    /// Nadam: Adam with Nesterov's look ahead.
    ///
    /// With Adam's averages m and v of the gradient and its square, and mu_t = beta_1 (1 - 0.96^t / 2),
    /// m̂ = mu_(t+1) m / (1 - mu_1 .. mu_(t+1)) + (1 - mu_t) g / (1 - mu_1 .. mu_t); v̂ = v / (1 - beta_2^t);
    /// p -= lr m̂ / (sqrt(v̂) + epsilon).
    ///
    /// Dozat 2016, "Incorporating Nesterov Momentum into Adam", with Keras's mu. PyTorch's comes to beta_1 more slowly,
    /// with 0.96^(t / 250); Optax has beta_1 from the beginning.
    ///
    /// Slots: `momentum` and `velocity`. Learning rate: 0.001.
    ///
    /// ```
    /// use gradus_autograd::{Grads, Params};
    /// use gradus_optim::{IntoOptimizer, Nadam};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("w", Tensor::new([1.0]));
    /// let grads = Grads::from_iter([Some(Tensor::new([3.0]))]);
    /// Nadam::default().learning_rate(0.1).step(&mut params, &grads);
    /// // With mu_1 = 0.468 and mu_2 = 0.48528: lr (0.1 mu_2 / (1 - mu_1 mu_2) + 1), a little more than Adam's lr.
    /// assert!((params[0].value.item() - (1.0 - 0.1 * 1.062788)).abs() < 1e-5);
    /// ```
    pub struct Nadam {
        /// The share of itself that the average of the gradient keeps at each step; 0.9 by default.
        ///
        /// # Panics
        /// Unless 0 <= `beta_1` < 1.
        #[check(fraction)]
        beta_1: f64 = 0.9,
        /// The share of itself that the average of the squared gradient keeps at each step; 0.999 by default.
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

impl Nadam {
    /// mu_t.
    fn momentum(&self, step: u64) -> f64 {
        self.beta_1 * (1.0 - 0.5 * 0.96_f64.powf(step as f64))
    }

    /// mu_1 .. mu_t, or less than a rounding of 1 if it is so small.
    fn product(&self, step: u64) -> f64 {
        let (mut product, mut power) = (1.0, 1.0);
        for _ in 0..step {
            power *= 0.96;
            product *= self.beta_1 * (1.0 - 0.5 * power);
            // From here on 1 - product stays 1, so a long training costs no more than some hundred rounds.
            if product < f64::EPSILON / 4.0 {
                break;
            }
        }
        product
    }
}

impl ElementwiseRule for Nadam {
    const LEARNING_RATE: f64 = 0.001;
    type Scalars = [f64; 3];

    fn slot_names(&self) -> &'static [&'static str] {
        &["momentum", "velocity"]
    }

    fn scalars(&self, step: u64, learning_rate: f64) -> [f64; 3] {
        let (now, next, product) = (self.momentum(step), self.momentum(step + 1), self.product(step));
        let rate_m = learning_rate * next / (1.0 - product * next);
        let rate_g = learning_rate * (1.0 - now) / (1.0 - product);
        [rate_m, rate_g, correction(self.beta_2, step).sqrt().recip()]
    }

    #[inline(always)]
    fn formula<N: Real>(&self, [rate_m, rate_g, root]: [N; 3], p: N, g: N, slots: &mut [N]) -> N {
        let [m, v] = slots else { unreachable!("two slots") };
        *m = moving_average(self.beta_1, *m, g);
        *v = moving_average(self.beta_2, *v, g * g);
        p - (rate_m * *m + rate_g * g) / (root * v.sqrt() + N::of(self.epsilon))
    }
}
