//! The end of a run whose loss is not finite.

use gradus_tensor::Float;

use super::{Callback, Run};
use crate::error::Result;

/// Stops the run without an error when the loss becomes NaN or infinite. The history tells the reason.
///
/// Without it `fit` returns an error when the loss becomes NaN.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::{IntoOptimizer, Sgd};
/// use gradus_tensor::Tensor;
/// use gradus_train::callbacks::TerminateOnNaN;
/// use gradus_train::{Fit, Trainer};
/// let data = Dataset::new(Tensor::new([[1.0], [2.0]]), Tensor::new([[1.0], [3.0]]))?;
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 42)?;
/// let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default().learning_rate(1e30));
/// let history = trainer.fit(&data, Fit { epochs: 9, verbose: false, ..Fit::default() }.callback(TerminateOnNaN))?;
/// assert_eq!(history.stopped.as_deref(), Some("the loss became inf in epoch 2, batch 1"));
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TerminateOnNaN;

impl<T: Float> Callback<T> for TerminateOnNaN {
    fn on_batch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        if !run.loss.is_finite() {
            run.stop(format!("the loss became {} in epoch {}, batch {}", run.loss, run.epoch + 1, run.batch));
        }
        Ok(())
    }
}
