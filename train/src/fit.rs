//! The settings of a training run.

use gradus_tensor::Float;

use crate::callbacks::{Callback, Doctor, Progress};
use crate::error::{Error, Result};

/// The settings of a training run, with Keras's defaults.
///
/// ```
/// use gradus_train::Fit;
/// let fit: Fit = Fit { epochs: 10, batch_size: 64, validation_split: 0.1, ..Fit::default() };
/// ```
pub struct Fit<T: Float = f32> {
    /// The number of epochs: how often to go through the data, or how many times `steps_per_epoch` batches.
    pub epochs: usize,
    /// The number of the first epoch, counted from 0, where earlier ones have been trained before: `epochs: 10` and
    /// `initial_epoch: 6` are four epochs, and what depends on an epoch's number begins with 6. A run that goes on, paused
    /// or [resumed](crate::Trainer::resume), does so where it was, whatever stands here.
    pub initial_epoch: usize,
    /// The number of batches in an epoch; `None` for all of the data. The next epoch goes on in the data where the last one
    /// ended. When they end, within an epoch or after it, they begin anew in a new order. (Keras cuts the epoch short
    /// there, unless the data repeat themselves.)
    pub steps_per_epoch: Option<usize>,
    /// The number of samples in a batch; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// The share of the data, 0 to 1, that is not trained on but evaluated after each epoch: the last samples.
    pub validation_split: f64,
    /// The number of epochs from one evaluation to the next: with 3, the third epoch is evaluated, the sixth and so on. In
    /// the others nothing is measured of the validation, and callbacks that watch it wait.
    pub validation_freq: usize,
    /// The number of batches of the validation data, from their beginning, that are evaluated; `None` for all.
    pub validation_steps: Option<usize>,
    /// Whether each epoch goes through the data in a new random order.
    pub shuffle: bool,
    /// The weight of each class in the loss, for data in which some classes are rare: finite, not negative, not all 0.
    pub class_weights: Option<Vec<f64>>,
    /// The number of batches that are gathered and augmented ahead of their use, on threads of their own. With 0, each
    /// is made when it is needed.
    pub prefetch: usize,
    /// The number of threads that make batches ahead, at least one; without effect if `prefetch` is 0.
    pub workers: usize,
    /// Whether to show progress on standard error: a bar on a terminal, elsewhere a line per epoch.
    pub verbose: bool,
    /// Whether a [`Doctor`] watches the run, and says what is wrong with it.
    pub doctor: bool,
    /// The callbacks, in the order in which they are called.
    pub callbacks: Vec<Box<dyn Callback<T>>>,
}

impl<T: Float> Default for Fit<T> {
    fn default() -> Self {
        Fit {
            epochs: 1,
            initial_epoch: 0,
            steps_per_epoch: None,
            batch_size: 32,
            validation_split: 0.0,
            validation_freq: 1,
            validation_steps: None,
            shuffle: true,
            class_weights: None,
            prefetch: 0,
            workers: 1,
            verbose: true,
            doctor: false,
            callbacks: Vec::new(),
        }
    }
}

impl<T: Float> Fit<T> {
    /// With one more callback.
    pub fn callback(mut self, callback: impl Callback<T> + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Checks that the numbers make a run.
    pub(crate) fn check(&self) -> Result<()> {
        let counts = [
            ("batch_size", Some(self.batch_size), "32 is a good start"),
            (
                "steps_per_epoch",
                self.steps_per_epoch,
                "give the number of batches in an epoch, or None for all of the data",
            ),
            ("validation_freq", Some(self.validation_freq), "1 evaluates after each epoch"),
            ("validation_steps", self.validation_steps, "give the number of batches to evaluate, or None for all"),
        ];
        if let Some((name, _, hint)) = counts.iter().find(|(_, count, _)| *count == Some(0)) {
            return Err(Error::new("fit", format!("the {name} is 0, it must be at least 1"), *hint));
        }
        Ok(())
    }

    /// Checks that there is an epoch, or none at all, after the first of a new run.
    pub(crate) fn check_initial_epoch(&self) -> Result<()> {
        let (first, epochs) = (self.initial_epoch, self.epochs);
        if first <= epochs {
            return Ok(());
        }
        let problem = format!("the initial_epoch is {first}, and there are {epochs} epochs");
        Err(Error::new("fit", problem, "epochs counts those before the first as well: give the number of the last one"))
    }

    /// All callbacks. The doctor is the first, so that the others see its findings; progress is the last, so that it shows what
    /// they have changed.
    pub(crate) fn all_callbacks(&mut self) -> Vec<Box<dyn Callback<T>>> {
        let mut callbacks = std::mem::take(&mut self.callbacks);
        if self.doctor {
            callbacks.insert(0, Box::new(Doctor::new()));
        }
        if self.verbose {
            callbacks.push(Box::new(Progress::new()));
        }
        callbacks
    }
}
