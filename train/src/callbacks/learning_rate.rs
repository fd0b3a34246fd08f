//! Changes of the learning rate between epochs.

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::monitor::Monitor;
use super::{Callback, Run};
use crate::error::{Error, Result};
use crate::state::{NamedState, from_state, to_state};

/// Sets the learning rate of each epoch to `schedule(epoch, rate)`, where epochs count from 0 and `rate` is the rate
/// before.
///
/// For a rate that changes from step to step, give the optimiser a schedule instead.
///
/// ```
/// use gradus_train::callbacks::LearningRateScheduler;
/// let halving = LearningRateScheduler::new(|epoch, rate| if epoch > 0 { rate / 2.0 } else { rate });
/// ```
pub struct LearningRateScheduler<F> {
    schedule: F,
}

impl<F: FnMut(usize, f64) -> f64 + Send> LearningRateScheduler<F> {
    /// A schedule of rates. A rate that is negative or not finite ends the run with an error.
    ///
    /// Compute the rate from `epoch` and `rate` alone: what the closure counts in variables of its own is lost when the program
    /// ends, and a run that is resumed begins with them anew.
    pub fn new(schedule: F) -> Self {
        LearningRateScheduler { schedule }
    }
}

impl<T: Float, F: FnMut(usize, f64) -> f64 + Send> Callback<T> for LearningRateScheduler<F> {
    fn on_epoch_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        let rate = (self.schedule)(run.epoch, run.learning_rate());
        if !(rate.is_finite() && rate >= 0.0) {
            let problem = format!("the schedule gives the rate {rate} for epoch {}", run.epoch);
            return Err(Error::new("LearningRateScheduler", problem, "give a number that is not negative"));
        }
        run.set_learning_rate(rate);
        Ok(())
    }
}

/// Lowers the learning rate when a measurement has not become better for `patience` epochs.
///
/// The defaults are Keras's: a tenth of the rate after 10 epochs without a gain above 0.0001.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::{IntoOptimizer, Sgd};
/// use gradus_tensor::Tensor;
/// use gradus_train::callbacks::ReduceLrOnPlateau;
/// use gradus_train::{Fit, Trainer};
/// let data = Dataset::new(Tensor::new([[0.0], [1.0]]), Tensor::new([[1.0], [3.0]]))?;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 42)?;
/// // With steps this small nothing becomes better: the rate is halved after the second and the third epoch.
/// let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default().learning_rate(1e-12));
/// let halved = ReduceLrOnPlateau::new("loss").factor(0.5).patience(1);
/// trainer.fit(&data, Fit { epochs: 3, verbose: false, ..Fit::default() }.callback(halved))?;
/// assert_eq!(trainer.optimizer().current_learning_rate(), 1e-12 / 4.0);
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReduceLrOnPlateau {
    monitor: Monitor,
    factor: f64,
    patience: usize,
    cooldown: usize,
    min_lr: f64,
    waited: usize,
    cooling: usize,
}

impl ReduceLrOnPlateau {
    /// Watches the measurement of this name, such as `"val_loss"`. Less is better if the name ends in `loss`, `error`, `mae`
    /// or `mse`, else more is better.
    pub fn new(monitor: impl Into<String>) -> Self {
        ReduceLrOnPlateau {
            monitor: Monitor::new(monitor).min_delta(1e-4),
            factor: 0.1,
            patience: 10,
            cooldown: 0,
            min_lr: 0.0,
            waited: 0,
            cooling: 0,
        }
    }

    /// Sets the factor by which the rate is multiplied, 0.1 by default.
    ///
    /// # Panics
    /// If it is not between 0 and 1.
    #[track_caller]
    pub fn factor(self, factor: f64) -> Self {
        assert!(0.0 < factor && factor < 1.0, "ReduceLrOnPlateau: the factor must be between 0 and 1, found {factor}");
        ReduceLrOnPlateau { factor, ..self }
    }

    /// Waits this many epochs for something better; 10 by default.
    pub fn patience(self, patience: usize) -> Self {
        ReduceLrOnPlateau { patience, ..self }
    }

    /// Sets the number of epochs after a change of the rate in which it does not wait, 0 by default.
    pub fn cooldown(self, cooldown: usize) -> Self {
        ReduceLrOnPlateau { cooldown, ..self }
    }

    /// Sets the least change that counts as better, 0.0001 by default: a change must be greater.
    ///
    /// # Panics
    /// If it is not finite.
    #[track_caller]
    pub fn min_delta(mut self, min_delta: f64) -> Self {
        self.monitor = self.monitor.min_delta(min_delta);
        self
    }

    /// Lets less be better, whatever the name.
    pub fn minimize(mut self) -> Self {
        self.monitor = self.monitor.minimize();
        self
    }

    /// Lets more be better, whatever the name.
    pub fn maximize(mut self) -> Self {
        self.monitor = self.monitor.maximize();
        self
    }

    /// Sets the lowest rate, 0 by default.
    ///
    /// # Panics
    /// If it is negative or not finite.
    #[track_caller]
    pub fn min_lr(self, min_lr: f64) -> Self {
        assert!(min_lr.is_finite() && min_lr >= 0.0, "ReduceLrOnPlateau: min_lr must not be negative, found {min_lr}");
        ReduceLrOnPlateau { min_lr, ..self }
    }
}

impl<T: Float> Callback<T> for ReduceLrOnPlateau {
    fn on_begin(&mut self, _run: &mut Run<'_, T>) -> Result<()> {
        self.monitor.reset();
        (self.waited, self.cooling) = (0, 0);
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if self.monitor.waits(run) {
            return Ok(());
        }
        let better = self.monitor.improves("ReduceLrOnPlateau", &run.logs())?;
        if self.cooling > 0 {
            self.cooling -= 1;
        }
        if better {
            self.waited = 0;
        } else if self.cooling == 0 {
            self.waited += 1;
            if self.waited >= self.patience.max(1) {
                let rate = run.learning_rate();
                if rate > self.min_lr {
                    run.set_learning_rate((rate * self.factor).max(self.min_lr));
                }
                (self.waited, self.cooling) = (0, self.cooldown);
            }
        }
        Ok(())
    }

    fn state(&self) -> Value {
        to_state(&State { waited: self.waited, cooling: self.cooling, best: self.monitor.best() })
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        let State { waited, cooling, best } = from_state(state)?;
        self.monitor.restore(best);
        (self.waited, self.cooling) = (waited, cooling);
        Ok(())
    }
}

/// The state between two epochs; the rate itself is part of the optimiser's state.
#[derive(Serialize, Deserialize)]
struct State {
    waited: usize,
    cooling: usize,
    #[serde(with = "crate::number")]
    best: f64,
}
