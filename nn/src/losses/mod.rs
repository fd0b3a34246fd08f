//! Losses: how far outputs are from targets.

mod categorical;

pub use categorical::CategoricalCrossentropy;

use std::fmt;

use gradus_autograd::Var;
use gradus_tensor::{Float, Shape, Tensor};

use crate::error::{Error, Result};

/// How far outputs are from targets, sample by sample.
///
/// Losses do not broadcast: targets and outputs must have the shapes that the loss states, and the error says what to
/// do where they have not.
pub trait Loss: Clone + fmt::Debug + Send + Sync + 'static {
    /// The name as in Keras: `"categorical_crossentropy"`.
    fn name(&self) -> &'static str;

    /// The loss of each sample: `[n]`, or `[n, ..]` where a sample has several.
    ///
    /// # Errors
    /// If the shapes do not fit each other.
    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>>;

    /// The mean over the samples, each times its weight where weights `[n]` are given: Keras's `sum_over_batch_size`.
    ///
    /// # Errors
    /// If the shapes do not fit each other.
    fn mean<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>, weights: Option<&Tensor<T>>) -> Result<Var<T>> {
        let losses = self.per_sample(targets, outputs)?;
        Ok(match weights {
            None => losses.mean(..),
            Some(weights) => {
                let column: Shape = (0..losses.ndim()).map(|axis| if axis == 0 { weights.size() } else { 1 }).collect();
                (losses * &weights.reshape(column)).mean(..)
            }
        })
    }
}

/// Checks that targets and outputs have the same shape.
pub(crate) fn same_shape<T: Float>(name: &str, targets: &Tensor<T>, outputs: &Var<T>, hint: &str) -> Result<()> {
    if targets.shape() == outputs.shape() {
        return Ok(());
    }
    let problem = format!("targets {} and outputs {} must have the same shape", targets.shape(), outputs.shape());
    Err(Error::new(name, problem, hint))
}
