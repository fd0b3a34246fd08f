//! A learned vector for each of many ids.

use super::support::prelude::*;
use crate::mask::and_mask;

options! {
    /// Row x of a table, for each id x: `[n, ..]` ids to `[n, .., output_dim]` floats.
    ///
    /// Ids are whole numbers from 0 to `input_dim` - 1. The [`Model`](crate::Model) checks them where data enter. Weight:
    /// `embeddings` `[input_dim, output_dim]`, uniform in -0.05..0.05. No gradient flows to the ids.
    ///
    /// ```
    /// use gradus_nn::{Embedding, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(Embedding::new(1000, 16)), [4], 42)?;
    /// let words = model.predict(Tensor::from([[3, 999, 0, 3]]))?;
    /// assert_eq!(words.shape(), &[1, 4, 16]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct Embedding {
        /// A layer for `input_dim` ids, each with a vector of `output_dim` numbers.
        pub fn new(input_dim: usize, output_dim: usize);
        /// The distribution of the table's first values; uniform in -0.05..0.05 by default.
        embeddings_initializer: Initializer = Initializer::RandomUniform { minval: -0.05, maxval: 0.05 },
        /// The penalty on the table; none by default.
        embeddings_regularizer: Option<Regularizer> = None,
        /// The constraint on the table; none by default.
        embeddings_constraint: Option<Constraint> = None,
        /// Whether the id 0 is padding: positions with it are left out by a [mask](crate::MaskRule) in the layers that follow, in
        /// losses and in metrics; false by default. Then the first axis after the batch is the position: ids `[n, length]`.
        mask_zero: bool = false,
    }
}

impl Layer for Embedding {
    const KIND: &'static str = "Embedding";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let output = build.ids(self.input_dim)?.join(&[self.output_dim]);
        let options = (self.embeddings_initializer, self.embeddings_regularizer, self.embeddings_constraint.clone());
        let table = weight_with_options(build, "embeddings", [self.input_dim, self.output_dim], options)?;
        if !self.mask_zero {
            let built = Built::of_ids(output, move |context, ids| context.weight(table).index_select(0, ids));
            return Ok(built.mask_rule(MaskRule::Kept));
        }
        if output.len() != 2 {
            let problem =
                format!("mask_zero takes ids of shape [n, length], found samples of shape {}", build.inputs()[0].shape);
            return Err(build.error(problem, "give one id for each position, or leave mask_zero out"));
        }
        let built = Built::of_values(vec![Spec::floats(output).masked()], move |context, inputs| {
            let ids = inputs[0].ids();
            let mask = and_mask(ids.not_equal(0), inputs.mask(0));
            Values::from(context.weight(table).index_select(0, ids)).with_mask(0, Some(mask))
        });
        Ok(built.mask_rule(MaskRule::Known).part_rule(PartRule::Alone))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}
