//! How to fit.

use gradus_tensor::Float;

use crate::callbacks::{Callback, Progress};

/// The settings of a training run, with Keras's defaults.
///
/// ```
/// use gradus_train::Fit;
/// let fit: Fit = Fit { epochs: 10, batch_size: 64, validation_split: 0.1, ..Fit::default() };
/// ```
pub struct Fit<T: Float = f32> {
    /// How many times to go through the data.
    pub epochs: usize,
    /// Samples per step; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// The part of the data, 0 to 1, that is held back from its end and evaluated after each epoch.
    pub validation_split: f64,
    /// Whether each epoch goes through the data in a new random order.
    pub shuffle: bool,
    /// A factor on the loss for each class, for data in which some are rare.
    pub class_weights: Option<Vec<f64>>,
    /// How many batches are gathered, and augmented, ahead of use; 0 does each when it is needed.
    pub prefetch: usize,
    /// How many threads do so, at least one, if any are to be ahead.
    pub workers: usize,
    /// Whether to show progress: a bar on a terminal, elsewhere a line per epoch. On standard error.
    pub verbose: bool,
    /// What else to do along the way, in order.
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

    /// All callbacks, progress last: it shows what the others have changed.
    pub(crate) fn all_callbacks(&mut self) -> Vec<Box<dyn Callback<T>>> {
        let mut callbacks = std::mem::take(&mut self.callbacks);
        if self.verbose {
            callbacks.push(Box::new(Progress::new()));
        }
        callbacks
    }
}
