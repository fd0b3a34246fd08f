use super::*;

options! {
    /// RMSprop: p -= lr g / sqrt(v + epsilon), v being a moving average of g².
    ///
    /// v = rho v + (1 - rho) g². The centred form divides by sqrt(v - a² + epsilon), the deviation of the gradient from its
    /// average a = rho a + (1 - rho) g. With momentum mu, b = mu b + lr g / sqrt(v + epsilon) and p -= b.
    ///
    /// Hinton 2012, lecture 6 of "Neural Networks for Machine Learning"; Graves 2013, "Generating Sequences With
    /// Recurrent Neural Networks", equations 38 to 45, for the centred form, epsilon within the root and the momentum.
    /// Keras computes the same; PyTorch adds epsilon to the root.
    ///
    /// Slots: `velocity`; then `average` if centred; then `momentum` if there is any. Learning rate: 0.001.
    ///
    /// ```
    /// use gradus_optim::{IntoOptimizer, Optimizer, RmsProp};
    /// let optimizer: Optimizer<RmsProp> = RmsProp::default().momentum(0.9).centered(true).learning_rate(1e-4);
    /// ```
    pub struct RmsProp {
        /// The share of themselves that the averages keep at each step; 0.9 by default.
        ///
        /// # Panics
        /// Unless 0 <= `rho` < 1.
        #[check(fraction)]
        rho: f64 = 0.9,
        /// The share of the last step that the next one keeps, from 0 (default) to below 1.
        ///
        /// # Panics
        /// If it is out of this range.
        #[check(fraction)]
        momentum: f64 = 0.0,
        /// The number that keeps the division away from 0; 1e-7 by default.
        ///
        /// # Panics
        /// If it is negative.
        #[check(not_negative)]
        epsilon: f64 = 1e-7,
        /// Whether to divide by the deviation of the gradient from its average, not by its size.
        centered: bool = false,
    }
}

impl ElementwiseRule for RmsProp {
    const LEARNING_RATE: f64 = 0.001;
    type Scalars = [f64; 1];

    fn slot_names(&self) -> &'static [&'static str] {
        match (self.centered, self.momentum > 0.0) {
            (false, false) => &["velocity"],
            (false, true) => &["velocity", "momentum"],
            (true, false) => &["velocity", "average"],
            (true, true) => &["velocity", "average", "momentum"],
        }
    }

    fn scalars(&self, _step: u64, learning_rate: f64) -> [f64; 1] {
        [learning_rate]
    }

    #[inline(always)]
    fn formula<N: Real>(&self, [rate]: [N; 1], p: N, g: N, slots: &mut [N]) -> N {
        let [v, rest @ ..] = slots else { unreachable!("at least one slot") };
        *v = moving_average(self.rho, *v, g * g);
        let (mut variance, mut rest) = (*v, rest);
        if self.centered {
            let [a, others @ ..] = rest else { unreachable!("a slot for the average") };
            *a = moving_average(self.rho, *a, g);
            (variance, rest) = (centered(variance, *a), others);
        }
        let step = rate * g / (variance + N::of(self.epsilon)).sqrt();
        let [b] = rest else { return p - step };
        *b = N::of(self.momentum) * *b + step;
        p - *b
    }
}

/// v - a², which rounding must not make negative: the mean of squares is never less than the square of the mean. It is
/// infinite where v is.
#[inline(always)]
fn centered<N: Real>(v: N, a: N) -> N {
    let variance = v - a * a;
    let least = N::select(v.less(N::of(f64::INFINITY)), N::ZERO, v);
    N::select(variance.greater(N::ZERO), variance, least)
}
