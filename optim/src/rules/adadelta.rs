use gradus_tensor::{Float, Math};
use serde::Serialize;

use crate::Rule;
use crate::check::{Check, Checked, checked, fraction, positive};

checked! {
    /// Adadelta: p -= lr sqrt(d + epsilon) / sqrt(a + epsilon) g: steps as large as recent steps, not as gradients.
    ///
    /// a and d are moving averages, keeping rho of themselves, of the squared gradient and of the squared step before
    /// `lr`. Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method", algorithm 1, whose learning rate is 1.
    ///
    /// Slots: `gradients` and `steps`. Learning rate: 0.001, as in Keras.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct Adadelta {
        rho: f64,
        epsilon: f64,
    }
}

impl Default for Adadelta {
    fn default() -> Self {
        Adadelta { rho: 0.95, epsilon: 1e-7 }
    }
}

impl Adadelta {
    /// How much of themselves the averages keep at each step; 0.95 by default.
    ///
    /// # Panics
    /// Unless 0 <= `rho` < 1.
    #[track_caller]
    pub fn rho(self, rho: f64) -> Self {
        Adadelta { rho, ..self }.checked()
    }

    /// What the first steps begin from; 1e-7 by default.
    ///
    /// # Panics
    /// If it is not greater than 0: nothing would ever move.
    #[track_caller]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Adadelta { epsilon, ..self }.checked()
    }
}

impl Checked for Adadelta {
    fn check(&self) -> Check {
        fraction("rho", self.rho)?;
        positive("epsilon", self.epsilon)
    }
}

impl Rule for Adadelta {
    const LEARNING_RATE: f64 = 0.001;

    fn slots(&self) -> &'static [&'static str] {
        &["gradients", "steps"]
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
        let (rate, epsilon) = (T::of(learning_rate), T::of(self.epsilon));
        let (keep, take) = (T::of(self.rho), T::of(1.0 - self.rho));
        let [gradients, steps] = slots else { unreachable!("two slots") };
        let averages = gradients.iter_mut().zip(steps.iter_mut());
        for ((p, &g), (a, d)) in parameter.iter_mut().zip(gradient).zip(averages) {
            *a = keep * *a + take * (g * g);
            let step = Math::sqrt((*d + epsilon) / (*a + epsilon)) * g;
            *d = keep * *d + take * (step * step);
            *p -= rate * step;
        }
    }
}
