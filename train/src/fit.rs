//! The settings of a training run.

use gradus_tensor::Float;

use crate::callbacks::{Callback, Doctor, Progress};

/// The settings of a training run, with Keras's defaults.
///
/// ```
/// use gradus_train::Fit;
/// let fit: Fit = Fit { epochs: 10, batch_size: 64, validation_split: 0.1, ..Fit::default() };
/// ```
pub struct Fit<T: Float = f32> {
    /// The number of epochs: how often to go through the data.
    pub epochs: usize,
    /// The number of samples in a batch; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// The share of the data, 0 to 1, that is not trained on but evaluated after each epoch: the last samples.
    pub validation_split: f64,
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
            batch_size: 32,
            validation_split: 0.0,
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
