//! The end of a run whose loss is not finite.

use gradus_tensor::Float;

use super::{Callback, Run};
use crate::error::Result;

/// Stops the run without an error when the loss becomes NaN or infinite. The history tells the reason.
///
/// Without it `fit` returns an error when the loss becomes NaN.
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
