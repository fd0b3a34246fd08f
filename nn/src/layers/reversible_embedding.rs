//! A table of vectors that is read both ways: from ids to vectors, and from vectors to logits of the ids.

use gradus_tensor::Shape;

use super::Embedding;
use super::support::prelude::*;
use crate::value::{SpecKind, ValueKind};

options! {
    /// An [`Embedding`] that also goes back: of ids the rows of its table, of floats x the logits x · tableᵀ, one for each id. A
    /// network that begins and ends in it has one table for both ("tied weights"; Press and Wolf, arXiv:1608.05859). Keras's
    /// layer of this name, which is told the direction by `reverse=True`; here what feeds it says it.
    ///
    /// Shapes: ids `[n, ..]` to `[n, .., output_dim]`, and floats `[n, .., output_dim]` to `[n, .., input_dim]`. An input of the
    /// network is ids. Weight: `embeddings` `[input_dim, output_dim]`, uniform in -0.05..0.05.
    ///
    /// ```
    /// use gradus_nn::{Dense, Graph, LayerHandle, Model, ReversibleEmbedding};
    /// use gradus_tensor::Tensor;
    /// let words = LayerHandle::new(ReversibleEmbedding::new(1000, 16));
    /// let mut graph = Graph::builder();
    /// let ids = graph.input();
    /// let x = graph.add(&words, [ids]);
    /// let x = graph.add(Dense::new(16), [x]);
    /// let logits = graph.add(&words, [x]);
    /// let model = Model::build(graph.output(logits), [4], 42)?;
    /// assert_eq!(model.predict(Tensor::from([[3, 999, 0, 3]]))?.shape(), &[1, 4, 1000]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct ReversibleEmbedding {
        /// A layer for `input_dim` ids, each with a vector of `output_dim` numbers.
        pub fn new(input_dim: usize, output_dim: usize);
        /// The distribution of the table's first values; uniform in -0.05..0.05 by default.
        embeddings_initializer: Initializer = Initializer::RandomUniform { minval: -0.05, maxval: 0.05 },
        /// The penalty on the table; none by default.
        embeddings_regularizer: Option<Regularizer> = None,
        /// The constraint on the table; none by default.
        embeddings_constraint: Option<Constraint> = None,
        /// Whether the id 0 is padding ([`Embedding`] says more); false by default. On the way back masks are kept.
        mask_zero: bool = false,
    }
}

impl Layer for ReversibleEmbedding {
    const KIND: &'static str = "ReversibleEmbedding";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let goes_back = build.inputs().first().is_some_and(|spec| spec.kind == SpecKind::Known(ValueKind::Floats));
        let (ids, features) = (self.input_dim, self.output_dim);
        if !goes_back {
            let mut embedding = Embedding::new(ids, features)
                .embeddings_initializer(self.embeddings_initializer)
                .mask_zero(self.mask_zero);
            if let Some(penalty) = self.embeddings_regularizer {
                embedding = embedding.embeddings_regularizer(penalty);
            }
            if let Some(constraint) = &self.embeddings_constraint {
                embedding = embedding.embeddings_constraint(constraint.clone());
            }
            return embedding.build(build);
        }
        let shape = build.input()?;
        let Some((_, outer)) = shape.split_last().filter(|(last, _)| **last == features) else {
            let problem = format!("takes ids, or floats with {features} features to go back to ids, found {shape}");
            return Err(build.error(problem, "give it the output_dim of what comes back, or a Dense between"));
        };
        let output: Shape = outer.iter().copied().chain([ids]).collect();
        let options = (self.embeddings_initializer, self.embeddings_regularizer, self.embeddings_constraint.clone());
        let table = weight_with_options(build, "embeddings", [ids, features], options)?;
        let built = Built::new(output, move |context, x| x.matmul(&context.weight(table).t()));
        // Without an axis of positions there is none that could be masked.
        Ok(built.mask_rule(MaskRule::kept_if(shape.len() > 1)))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}
