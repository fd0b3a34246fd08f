//! Padding told by its values.

use gradus_autograd::Var;

use super::support::prelude::*;
use crate::mask::and_mask;

options! {
    /// Masks the positions of sequences at which every feature is `mask_value`: the layers that follow leave them out, as do
    /// losses and metrics. [`MaskRule`] tells more.
    ///
    /// Shapes: `[n, length, features]`, unchanged. The output is 0 at these positions, whatever the `mask_value`.
    ///
    /// ```
    /// use gradus_nn::{GlobalAveragePooling1D, Masking, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let network = Sequential::new().add(Masking::new(0.0)).add(GlobalAveragePooling1D::new());
    /// let model = Model::build(network, [None, Some(2)], 42)?;
    /// // The last position is padding, so the mean is that of two.
    /// let x = Tensor::new([[[1.0, 2.0], [3.0, 0.0], [0.0, 0.0]]]);
    /// assert_eq!(model.predict(&x)?, Tensor::new([[2.0, 1.0]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct Masking {
        /// A layer that masks positions of this value; Keras's default is 0.
        pub fn new(mask_value: f64 = 0.0);
    }
}

impl Layer for Masking {
    const KIND: &'static str = "Masking";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.input()?;
        if shape.len() != 2 {
            let problem = format!("takes sequences of vectors, [n, length, features], found samples of shape {shape}");
            return Err(build.error(problem, "reshape the input, or use mask_zero of an Embedding for ids"));
        }
        let value = T::of(self.mask_value);
        let built = Built::of_values(vec![Spec::floats(shape).masked()], move |_, inputs| {
            let x = inputs[0].floats();
            let mask = and_mask(x.value().not_equal(value).any(-1), inputs.mask(0));
            Values::from(Var::where_(&mask.unsqueeze(-1), x, T::ZERO)).with_mask(0, Some(mask))
        });
        Ok(built.mask_rule(MaskRule::Known).part_rule(PartRule::Alone))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![None]
    }
}
