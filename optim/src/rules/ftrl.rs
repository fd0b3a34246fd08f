use super::*;

options! {
    /// Ftrl, "follow the regularized leader": for sparse linear models, whose weights it can make exactly 0.
    ///
    /// n' = n + g²; z += g + 2 `l2_shrinkage` p - (n'^-power - n^-power) / lr p;
    /// p = (clamp(z, -l1, l1) - z) / ((n'^-power + beta) / lr + 2 `l2`).
    ///
    /// McMahan et al. 2013, "Ad Click Prediction: a View from the Trenches", algorithm 1, with the factors of Keras: the paper
    /// has `l2` where Keras has 2 `l2`, and no shrinkage. z begins at 0 whatever the weight is, so the first step keeps only
    /// 1 - (n / n')^-power of it. A step at a rate of 0 changes nothing.
    ///
    /// Slots: `accumulator` (n) and `linear` (z). Learning rate: 0.001.
    ///
    /// ```
    /// use gradus_autograd::{Grads, Params};
    /// use gradus_optim::{Ftrl, IntoOptimizer};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("w", Tensor::new([0.5, 0.5]));
    /// let grads = Grads::from_iter([Some(Tensor::new([-2.0, 0.01]))]);
    /// Ftrl::default().l1(0.5).learning_rate(0.1).step(&mut params, &grads);
    /// // The second weight hardly matters, and becomes exactly 0.
    /// let w = params[0].value.to_vec();
    /// assert!(w[0] > 0.0 && w[1] == 0.0);
    /// ```
    pub struct Ftrl {
        /// The power of n by which the rate of each weight falls; -0.5 by default, 0 for one that stays.
        ///
        /// # Panics
        /// If it is greater than 0 or not finite.
        #[check(not_positive)]
        learning_rate_power: f64 = -0.5,
        /// The value at which n begins; 0.1 by default.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        initial_accumulator: f64 = 0.1,
        /// Keras's `l1_regularization_strength`: weights with |z| up to it are 0; 0 by default.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        l1: f64 = 0.0,
        /// Keras's `l2_regularization_strength`, which keeps weights near 0; 0 by default.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        l2: f64 = 0.0,
        /// Keras's `l2_shrinkage_regularization_strength`: a penalty of its multiple of p² in the loss; 0 by default. n does not
        /// see it.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        l2_shrinkage: f64 = 0.0,
        /// The paper's beta, which slows the first steps down; 0 by default.
        ///
        /// # Panics
        /// If it is negative or not finite.
        #[check(not_negative)]
        beta: f64 = 0.0,
    }
}

impl Ftrl {
    /// n^-power.
    #[inline(always)]
    fn power<N: Real>(&self, n: N) -> N {
        if self.learning_rate_power == -0.5 { n.sqrt() } else { n.pow(N::of(-self.learning_rate_power)) }
    }
}

impl ElementwiseRule for Ftrl {
    const LEARNING_RATE: f64 = 0.001;
    type Scalars = [f64; 1];

    fn slot_names(&self) -> &'static [&'static str] {
        &["accumulator", "linear"]
    }

    fn initial_slot(&self, name: &str) -> f64 {
        if name == "accumulator" { self.initial_accumulator } else { 0.0 }
    }

    fn scalars(&self, _step: u64, learning_rate: f64) -> [f64; 1] {
        [learning_rate]
    }

    #[inline(always)]
    fn formula<N: Real>(&self, [rate]: [N; 1], p: N, g: N, slots: &mut [N]) -> N {
        let [n, z] = slots else { unreachable!("two slots") };
        let sum = *n + g * g;
        let (before, after) = (self.power(*n), self.power(sum));
        let linear = *z + g + N::of(2.0 * self.l2_shrinkage) * p - (after - before) / rate * p;
        let clamped = linear.maximum(N::of(-self.l1)).minimum(N::of(self.l1));
        let weight = (clamped - linear) / ((after + N::of(self.beta)) / rate + N::of(2.0 * self.l2));
        let moves = rate.not_equal(N::ZERO);
        (*n, *z) = (N::select(moves, sum, *n), N::select(moves, linear, *z));
        N::select(moves, weight, p)
    }
}
