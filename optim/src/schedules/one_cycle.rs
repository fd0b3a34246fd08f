//! Up to a large rate, and down to a tiny one.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::check::{Check, Checked, at_least_one_step, checked, demand, positive};

/// The way from one rate to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Annealing {
    /// Half a cosine wave: gentle at both ends.
    #[default]
    Cosine,
    /// A straight line.
    Linear,
}

impl Annealing {
    /// The rate at the place `done`, from 0 to 1, between two rates.
    fn between(self, from: f64, to: f64, done: f64) -> f64 {
        match self {
            Annealing::Cosine => to + (from - to) * 0.5 * (1.0 + (PI * done).cos()),
            Annealing::Linear => from + (to - from) * done,
        }
    }
}

checked! {
    /// Up from max / 25 to max over three tenths of the steps, then down to a ten-thousandth of where it began.
    ///
    /// Smith and Topin 2018, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
    /// with the defaults of PyTorch. After the last step the rate stays where it is. The momentum is not cycled.
    ///
    /// ```
    /// use gradus_optim::{OneCycle, Schedule};
    /// let schedule = OneCycle::new(0.5, 1001);
    /// assert!((schedule.at(0) - 0.02).abs() < 1e-12 && (schedule.at(1000) - 2e-6).abs() < 1e-12);
    /// ```
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct OneCycle {
        max: f64,
        steps: u64,
        rise: f64,
        div_factor: f64,
        final_div_factor: f64,
        annealing: Annealing,
        three_phase: bool,
    }
}

impl OneCycle {
    /// One cycle up to the learning rate `max` in `steps` steps.
    ///
    /// # Panics
    /// If there are fewer than 2 steps, or the rate is not greater than 0.
    #[track_caller]
    pub fn new(max: f64, steps: u64) -> Self {
        OneCycle {
            max,
            steps,
            rise: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
            annealing: Annealing::Cosine,
            three_phase: false,
        }
        .checked()
    }

    /// The fraction of the steps in which the rate rises; 0.3 by default.
    ///
    /// # Panics
    /// If it is not between 0 and 1.
    #[track_caller]
    pub fn rise(self, rise: f64) -> Self {
        OneCycle { rise, ..self }.checked()
    }

    /// How many times smaller than the largest the first rate is; 25 by default.
    ///
    /// # Panics
    /// If it is not greater than 0.
    #[track_caller]
    pub fn div_factor(self, div_factor: f64) -> Self {
        OneCycle { div_factor, ..self }.checked()
    }

    /// How many times smaller than the first rate the last one is; 10,000 by default.
    ///
    /// # Panics
    /// If it is not greater than 0.
    #[track_caller]
    pub fn final_div_factor(self, final_div_factor: f64) -> Self {
        OneCycle { final_div_factor, ..self }.checked()
    }

    /// The way up and down.
    pub fn annealing(self, annealing: Annealing) -> Self {
        OneCycle { annealing, ..self }
    }

    /// Whether the rate comes back to the first one in as many steps as it rose, and falls to the last one in those
    /// that remain, as in the paper.
    pub fn three_phase(self, three_phase: bool) -> Self {
        OneCycle { three_phase, ..self }
    }
}

impl Checked for OneCycle {
    fn check(&self) -> Check {
        at_least_one_step("OneCycle: steps after the first", self.steps.saturating_sub(1))?;
        positive("OneCycle: max", self.max)?;
        demand(self.rise > 0.0 && self.rise < 1.0, "OneCycle: rise", "a number between 0 and 1", self.rise)?;
        positive("OneCycle: div_factor", self.div_factor)?;
        positive("OneCycle: final_div_factor", self.final_div_factor)
    }
}

impl Schedule for OneCycle {
    fn at(&self, step: u64) -> f64 {
        let (low, high) = (self.max / self.div_factor, self.max);
        let bottom = low / self.final_div_factor;
        let last = (self.steps - 1) as f64;
        let step = (step as f64).min(last);
        let top = (self.rise * self.steps as f64 - 1.0).max(0.0);
        let back = if self.three_phase { (2.0 * top).min(last) } else { top };
        let (from, to, begin, end) = if step <= top {
            (low, high, 0.0, top)
        } else if step <= back {
            (high, low, top, back)
        } else {
            (if self.three_phase { low } else { high }, bottom, back, last)
        };
        let done = if end > begin { (step - begin) / (end - begin) } else { 1.0 };
        self.annealing.between(from, to, done)
    }
}
