//! Softmax along any axis.

use super::support::prelude::*;

options! {
    /// exp(x_i) / sum_j exp(x_j) over an axis, the last by default. Shape: unchanged.
    ///
    /// ```
    /// use gradus_nn::{Model, Sequential, Softmax};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(Softmax::new().axis(1)), [2, 3], 42)?;
    /// assert_eq!(model.predict(&Tensor::<f32>::zeros([1, 2, 3]))?, Tensor::full([1, 2, 3], 0.5));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct Softmax {
        /// The softmax over the last axis.
        pub fn new();
        /// The axis: counted from 1, since axis 0 is the batch, or from -1, the last, down.
        axis: isize = -1,
    }
}

impl Layer for Softmax {
    const KIND: &'static str = "Softmax";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let axis = build.axis(self.axis)? as isize;
        let rule = MaskRule::kept_if(axis != 1);
        Ok(Built::new(build.input()?, move |_, x| x.softmax(axis)).mask_rule(rule))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Softmax)]
    }
}
