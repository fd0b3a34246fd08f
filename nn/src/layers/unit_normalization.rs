//! Vectors of length 1.

use gradus_autograd::Var;
use gradus_tensor::keepdims;

use super::support::prelude::*;

options! {
    /// y = x / |x|, the vectors along an axis brought to the length 1. Shape: unchanged.
    ///
    /// A vector shorter than 1e-6 is divided by 1e-6, so that zeros stay zeros.
    ///
    /// ```
    /// use gradus_nn::{Model, Sequential, UnitNormalization};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(UnitNormalization::new()), [2], 0)?;
    /// assert!(model.predict(Tensor::new([[3.0, 4.0]]))?.allclose(&Tensor::new([[0.6, 0.8]]), 1e-6, 0.0));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias = "normalize")]
    pub struct UnitNormalization {
        /// A layer over the last axis.
        pub fn new();
        /// The axis: counted from 1, since axis 0 is the batch, or from -1, the last, down.
        axis: isize = -1,
    }
}

impl Layer for UnitNormalization {
    const KIND: &'static str = "UnitNormalization";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let axis = build.axis(self.axis)? as isize;
        let unit = move |x: &Var<T>| {
            let length = x.norm(keepdims(axis)).maximum(T::of(1e-6));
            x / length
        };
        Ok(Built::new(build.input()?, move |_, x| unit(x)).mask_rule(MaskRule::kept_if(axis != 1)))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}
