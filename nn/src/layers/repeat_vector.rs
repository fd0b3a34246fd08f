//! A vector repeated.

use super::support::prelude::*;

options! {
    /// Each sample, a vector, repeated: `[n, features]` to `[n, repeats, features]`.
    ///
    /// ```
    /// use gradus_nn::{Model, RepeatVector, Sequential};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(RepeatVector::new(3)), [2], 42)?;
    /// assert_eq!(model.predict(&Tensor::new([[1.0, 2.0]]))?, Tensor::new([[[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct RepeatVector {
        /// A layer that repeats it `n` times.
        pub fn new(n: usize);
    }
}

impl Layer for RepeatVector {
    const KIND: &'static str = "RepeatVector";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let [features] = build.input()?[..] else {
            let problem = format!("takes vectors, samples of one axis, found samples of shape {}", build.input()?);
            return Err(build.error(problem, "put a Flatten before it"));
        };
        let n = self.n;
        Ok(Built::new([n, features], move |_, x| x.unsqueeze(1).broadcast_to([x.shape()[0], n, features])))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        inputs.to_vec()
    }
}
