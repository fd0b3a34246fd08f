use gradus_tensor::{Float, Math};
use serde::Serialize;

use crate::Rule;
use crate::check::{Check, Checked, checked, fraction, not_negative};

checked! {
    /// RMSprop: p -= lr g / sqrt(v + epsilon), v being a moving average of g².
    ///
    /// v = rho v + (1 - rho) g². Centred, the average's own square a², a = rho a + (1 - rho) g, is taken off v, so that
    /// it is the variance. With momentum mu, b = mu b + lr g / sqrt(v + epsilon) and p -= b.
    ///
    /// Hinton 2012, lecture 6 of "Neural Networks for Machine Learning"; Graves 2013, "Generating Sequences With
    /// Recurrent Neural Networks", equations 38 to 45, for the centred form, epsilon within the root and the momentum.
    /// So it is in Keras; PyTorch adds epsilon to the root.
    ///
    /// Slots: `velocity`; then `average` if centred; then `momentum` if there is any. Learning rate: 0.001.
    ///
    /// ```
    /// use gradus_optim::{Optimizer, RmsProp, Rule};
    /// let optimizer: Optimizer<RmsProp> = RmsProp::default().momentum(0.9).centered(true).learning_rate(1e-4);
    /// ```
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct RmsProp {
        rho: f64,
        momentum: f64,
        epsilon: f64,
        centered: bool,
    }
}

impl Default for RmsProp {
    fn default() -> Self {
        RmsProp { rho: 0.9, momentum: 0.0, epsilon: 1e-7, centered: false }
    }
}

impl RmsProp {
    /// How much of themselves the averages keep at each step; 0.9 by default.
    ///
    /// # Panics
    /// Unless 0 <= `rho` < 1.
    #[track_caller]
    pub fn rho(self, rho: f64) -> Self {
        RmsProp { rho, ..self }.checked()
    }

    /// How much of the last step the next one keeps, from 0 (default) to below 1.
    ///
    /// # Panics
    /// If it is out of this range.
    #[track_caller]
    pub fn momentum(self, momentum: f64) -> Self {
        RmsProp { momentum, ..self }.checked()
    }

    /// What keeps the division away from 0; 1e-7 by default.
    ///
    /// # Panics
    /// If it is negative.
    #[track_caller]
    pub fn epsilon(self, epsilon: f64) -> Self {
        RmsProp { epsilon, ..self }.checked()
    }

    /// Whether to divide by the deviation of the gradient from its average, not by its size.
    pub fn centered(self, centered: bool) -> Self {
        RmsProp { centered, ..self }
    }
}

impl Checked for RmsProp {
    fn check(&self) -> Check {
        fraction("rho", self.rho)?;
        fraction("momentum", self.momentum)?;
        not_negative("epsilon", self.epsilon)
    }
}

impl Rule for RmsProp {
    const LEARNING_RATE: f64 = 0.001;

    fn slots(&self) -> &'static [&'static str] {
        match (self.centered, self.momentum > 0.0) {
            (false, false) => &["velocity"],
            (false, true) => &["velocity", "momentum"],
            (true, false) => &["velocity", "average"],
            (true, true) => &["velocity", "average", "momentum"],
        }
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
        let epsilon = T::of(self.epsilon);
        let momentum = T::of(self.momentum);
        let (keep, take) = (T::of(self.rho), T::of(1.0 - self.rho));
        let square = |v: &mut T, g: T| {
            *v = keep * *v + take * (g * g);
            *v
        };
        let variance = |v: &mut T, a: &mut T, g: T| {
            *a = keep * *a + take * g;
            square(v, g) - *a * *a
        };
        let step = |g: T, square: T| rate * g / Math::sqrt(square + epsilon);
        let pairs = parameter.iter_mut().zip(gradient);
        match (self.centered, slots) {
            (false, [velocity]) => {
                for ((p, &g), v) in pairs.zip(velocity.iter_mut()) {
                    *p -= step(g, square(v, g));
                }
            }
            (false, [velocity, heap]) => {
                for (((p, &g), v), b) in pairs.zip(velocity.iter_mut()).zip(heap.iter_mut()) {
                    *b = momentum * *b + step(g, square(v, g));
                    *p -= *b;
                }
            }
            (true, [velocity, average]) => {
                for (((p, &g), v), a) in pairs.zip(velocity.iter_mut()).zip(average.iter_mut()) {
                    *p -= step(g, variance(v, a, g));
                }
            }
            (true, [velocity, average, heap]) => {
                for ((((p, &g), v), a), b) in
                    pairs.zip(velocity.iter_mut()).zip(average.iter_mut()).zip(heap.iter_mut())
                {
                    *b = momentum * *b + step(g, variance(v, a, g));
                    *p -= *b;
                }
            }
            _ => unreachable!("one slot, and one each for centring and momentum"),
        }
    }
}
