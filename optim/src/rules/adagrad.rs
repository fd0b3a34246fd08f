use super::*;

options! {
    /// Adagrad: p -= lr g / (sqrt(a) + epsilon), a being the sum of all g² so far.
    ///
    /// Duchi, Hazan and Singer 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
    /// figure 1 with a diagonal matrix: H = epsilon I + diag(a)^(1/2). PyTorch computes the same; Keras puts epsilon
    /// under the root, which [`keras_epsilon`](Adagrad::keras_epsilon) does here.
    ///
    /// Slot: `accumulator`. Learning rate: 0.001.
    ///
    /// ```
    /// use gradus_autograd::{Grads, Params};
    /// use gradus_optim::{Adagrad, IntoOptimizer};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("w", Tensor::new([1.0]));
    /// let mut optimizer = Adagrad::default().initial_accumulator(0.0).learning_rate(0.1);
    /// // Steps of lr 3 / sqrt(3^2) and lr 4 / sqrt(3^2 + 4^2).
    /// for gradient in [3.0, 4.0] {
    ///     optimizer.step(&mut params, &Grads::from_iter([Some(Tensor::new([gradient]))]));
    /// }
    /// assert!((params[0].value.item() - (1.0 - 0.1 - 0.08)).abs() < 1e-6);
    /// ```
    pub struct Adagrad {
        /// The value at which the sum begins; 0.1 by default, as in Keras.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        initial_accumulator: f64 = 0.1,
        /// The number that keeps the division away from 0; 1e-7 by default.
        ///
        /// # Panics
        /// If it is negative.
        #[check(not_negative)]
        epsilon: f64 = 1e-7,
        /// Whether epsilon is added to a, as Keras does, and not to sqrt(a): for a training that was begun in Keras, or goes on there.
        keras_epsilon: bool = false,
    }
}

impl ElementwiseRule for Adagrad {
    const LEARNING_RATE: f64 = 0.001;
    type Scalars = [f64; 1];

    fn slot_names(&self) -> &'static [&'static str] {
        &["accumulator"]
    }

    fn initial_slot(&self, _: &str) -> f64 {
        self.initial_accumulator
    }

    fn scalars(&self, _step: u64, learning_rate: f64) -> [f64; 1] {
        [learning_rate]
    }

    #[inline(always)]
    fn formula<N: Real>(&self, [rate]: [N; 1], p: N, g: N, slots: &mut [N]) -> N {
        let [a] = slots else { unreachable!("one slot") };
        *a = *a + g * g;
        let epsilon = N::of(self.epsilon);
        p - rate * g / if self.keras_epsilon { (*a + epsilon).sqrt() } else { a.sqrt() + epsilon }
    }
}
