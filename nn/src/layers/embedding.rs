//! A learned vector for each of many ids.

use gradus_tensor::Tensor;

use super::support::prelude::*;

options! {
    /// Row x of a table, for each id x: `[n, ..]` whole numbers to `[n, .., output_dim]`.
    ///
    /// Ids are whole numbers in 0..`input_dim`, held as floats like every input. Weight: `embeddings`
    /// `[input_dim, output_dim]`, uniform in -0.05..0.05. No gradient flows to the ids.
    ///
    /// ```
    /// use gradus_nn::{Embedding, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(Embedding::new(1000, 16)), [4], 42)?;
    /// let words = model.predict(&Tensor::new([[3.0, 999.0, 0.0, 3.0]]))?;
    /// assert_eq!(words.shape(), &[1, 4, 16]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Panics
    /// The computation panics at an input that is no id.
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
        let output = build.input()?.join(&[self.output_dim]);
        let (initializer, regularizer) = (self.embeddings_initializer, self.embeddings_regularizer);
        let shape = [self.input_dim, self.output_dim];
        let table = weight_with_penalty(build, "embeddings", shape, initializer, regularizer)?;
        let count = self.input_dim;
        Ok(Built::new(output, move |context, x| {
            let ids = whole(x.value(), count);
            context.weight(table).index_select(0, &ids)
        }))
    }
}

/// Ids as integers.
///
/// # Panics
/// If one is not a whole number in 0..`count`.
fn whole<T: Float>(ids: &Tensor<T>, count: usize) -> Tensor<i64> {
    let known = T::of(count as f64);
    // NaN fails the comparisons.
    if let Some(id) = ids.iter().find(|&id| !(id >= T::ZERO && id < known && id.fract() == T::ZERO)) {
        panic!("embedding: {id} is no id, ids are whole numbers from 0 to {}: {}", count as i64 - 1, ids.shape());
    }
    ids.to()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_none_are_named() {
        for (id, message) in [
            (5.0, "embedding: 5 is no id, ids are whole numbers from 0 to 4: [1, 2]"),
            (-1.0, "embedding: -1 is no id, ids are whole numbers from 0 to 4: [1, 2]"),
            (0.5, "embedding: 0.5 is no id, ids are whole numbers from 0 to 4: [1, 2]"),
            (f32::NAN, "embedding: NaN is no id, ids are whole numbers from 0 to 4: [1, 2]"),
        ] {
            let panic = std::panic::catch_unwind(|| whole(&Tensor::new([[4.0, id]]), 5)).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>().unwrap(), message);
        }
        assert_eq!(whole(&Tensor::new([0.0, 4.0]), 5), Tensor::from([0, 4]));
    }
}
