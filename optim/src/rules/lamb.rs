use gradus_tensor::{Float, Shape};

use super::*;
use crate::rule::{Rule, Slot, Weight};

options! {
    /// LAMB: Adam's step, as long as the weight is for the learning rate: p -= lr |p| / |u| u, where u is
    /// m̂ / (sqrt(v̂) + epsilon) of [`Adam`].
    ///
    /// The ratio of the norms is 1 where either is 0. You et al. 2020, "Large Batch Optimization for Deep Learning: Training
    /// BERT in 76 minutes", algorithm 2, with the identity for phi. The paper's weight decay is a part of u; here, as in
    /// Keras, [`weight_decay`](crate::Optimizer::weight_decay) comes before the step.
    ///
    /// Slots: `momentum` and `velocity`. Learning rate: 0.001.
    ///
    /// ```
    /// use gradus_autograd::{Grads, Params};
    /// use gradus_optim::{IntoOptimizer, Lamb};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("w", Tensor::new([3.0, 4.0]));
    /// let before = params[0].value.clone();
    /// let grads = Grads::from_iter([Some(Tensor::new([0.01, -7.0]))]);
    /// Lamb::default().learning_rate(0.1).step(&mut params, &grads);
    /// // The step is 0.1 times as long as the weight, whose norm is 5.
    /// assert!(((&params[0].value - before).norm(..).item() - 0.5).abs() < 1e-4);
    /// ```
    pub struct Lamb {
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
        /// The number that keeps the division away from 0; 1e-7 by default, as in Keras (the paper has 1e-6).
        ///
        /// # Panics
        /// If it is negative.
        #[check(not_negative)]
        epsilon: f64 = 1e-7,
    }
}

impl Lamb {
    fn adam(&self) -> Adam {
        Adam::default().beta_1(self.beta_1).beta_2(self.beta_2).epsilon(self.epsilon)
    }
}

impl Rule for Lamb {
    const LEARNING_RATE: f64 = 0.001;

    fn slots(&self, path: &str, shape: &Shape) -> Vec<Slot> {
        self.adam().slots(path, shape)
    }

    fn apply<T: Float>(&self, step: u64, learning_rate: f64, weight: Weight<'_, T>) {
        let path = weight.path();
        let (value, gradient, slots) = weight.transformed();
        // Adam's step from 0 at a learning rate of 1 is -u.
        let mut direction = value.zeros_like();
        self.adam().apply(step, 1.0, Weight::new(path, &mut direction, &gradient, slots));
        let (length, step_length) = (value.norm_f64(), direction.norm_f64());
        let ratio = if length > 0.0 && step_length > 0.0 { length / step_length } else { 1.0 };
        *value += direction * T::of(learning_rate * ratio);
    }
}
