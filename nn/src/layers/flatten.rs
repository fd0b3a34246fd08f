//! All axes of a sample merged into one.

use serde::{Deserialize, Serialize};

use super::support::prelude::*;

/// The elements of each sample in one axis: `[n, a, b, ..]` to `[n, a b ..]`.
///
/// ```
/// use gradus_nn::{Flatten, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Flatten), [2, 2], 42)?;
/// assert_eq!(model.predict(&Tensor::new([[[1.0, 2.0], [3.0, 4.0]]]))?, Tensor::new([[1.0, 2.0, 3.0, 4.0]]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flatten;

impl Layer for Flatten {
    const KIND: &'static str = "Flatten";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let size = build.input()?.size();
        Ok(Built::new([size], move |_, x| x.reshape([x.shape()[0], size])))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        inputs.to_vec()
    }
}
