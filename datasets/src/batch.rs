//! The samples of one step of training.

use gradus_tensor::{SampleType, Samples, Tensor};

/// Some samples of a data set, for one step of training.
///
/// The inputs and the targets are tensors or [`Columns`](gradus_tensor::Columns), as those of the data set are.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<X: SampleType = f32, Y: SampleType = X> {
    /// The inputs, `[size, ..]`.
    pub inputs: X::Data,
    /// The targets, `[size, ..]`.
    pub targets: Y::Data,
    /// The samples' weights in the loss, `[size]`, if the data set has any.
    pub weights: Option<Tensor<f32>>,
}

impl<X: SampleType, Y: SampleType> Batch<X, Y> {
    /// The number of samples.
    #[allow(clippy::len_without_is_empty)] // It never is.
    pub fn len(&self) -> usize {
        self.inputs.sample_count()
    }
}
