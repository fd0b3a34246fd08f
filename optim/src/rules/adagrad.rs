use gradus_tensor::{Float, Math};
use serde::Serialize;

use crate::Rule;
use crate::check::{Check, Checked, checked, not_negative};

checked! {
    /// Adagrad: p -= lr g / (sqrt(a) + epsilon), a being the sum of all g² so far.
    ///
    /// Duchi, Hazan and Singer 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
    /// figure 1 with a diagonal matrix: H = epsilon I + diag(a)^(1/2). PyTorch has it so; Keras puts epsilon under the
    /// root.
    ///
    /// Slot: `accumulator`. Learning rate: 0.001.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct Adagrad {
        initial_accumulator: f64,
        epsilon: f64,
    }
}

impl Default for Adagrad {
    fn default() -> Self {
        Adagrad { initial_accumulator: 0.1, epsilon: 1e-7 }
    }
}

impl Adagrad {
    /// Where the sum begins; 0.1 by default, as in Keras.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn initial_accumulator(self, value: f64) -> Self {
        Adagrad { initial_accumulator: value, ..self }.checked()
    }

    /// What keeps the division away from 0; 1e-7 by default.
    ///
    /// # Panics
    /// If it is negative.
    #[track_caller]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Adagrad { epsilon, ..self }.checked()
    }
}

impl Checked for Adagrad {
    fn check(&self) -> Check {
        not_negative("initial_accumulator", self.initial_accumulator)?;
        not_negative("epsilon", self.epsilon)
    }
}

impl Rule for Adagrad {
    const LEARNING_RATE: f64 = 0.001;

    fn slots(&self) -> &'static [&'static str] {
        &["accumulator"]
    }

    fn initial_slot(&self) -> f64 {
        self.initial_accumulator
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
        let [accumulator] = slots else { unreachable!("one slot") };
        for ((p, &g), a) in parameter.iter_mut().zip(gradient).zip(accumulator.iter_mut()) {
            *a += g * g;
            *p -= rate * g / (Math::sqrt(*a) + epsilon);
        }
    }
}
