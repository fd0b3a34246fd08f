//! A learned vector for each of many ids.

use super::support::prelude::*;

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
    }
}

impl Layer for Embedding {
    const KIND: &'static str = "Embedding";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let output = build.ids(self.input_dim)?.join(&[self.output_dim]);
        let (initializer, regularizer) = (self.embeddings_initializer, self.embeddings_regularizer);
        let shape = [self.input_dim, self.output_dim];
        let table = weight_with_penalty(build, "embeddings", shape, initializer, regularizer)?;
        Ok(Built::of_ids(output, move |context, ids| context.weight(table).index_select(0, ids)))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}
