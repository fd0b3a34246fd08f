//! Attention of several heads.

use super::support::prelude::*;
use super::support::{AttentionOptions, attention_layer};

options! {
    /// Attention of several heads: each position of a query sees the positions of a value, weighted by the softmax of the
    /// products of queries and keys. Vaswani et al., arXiv:1706.03762.
    ///
    /// Inputs, as in Keras: `[x]` attends to itself, `[query, value]` has the values as keys, `[query, value, key]` has all. Shapes:
    /// queries `[n, tq, features]`, values and keys `[n, tk, features]`; output `[n, tq, features of a query]`. Memory
    /// grows with the lengths, not with their product.
    ///
    /// Weights: `query`, `key` and `value` have a `kernel` `[features, num_heads, key_dim or value_dim]` and a `bias`,
    /// `attention_output` a `kernel` `[num_heads, value_dim, output]` and a `bias`.
    ///
    /// Positions of keys and values that are padding, by a [mask](crate::MaskRule), are not seen. A query that sees nothing gets
    /// zeros before the last projection. The output has the mask of the query.
    ///
    /// ```
    /// use gradus_nn::{Graph, Model, MultiHeadAttention};
    /// use gradus_tensor::Tensor;
    /// let mut graph = Graph::builder();
    /// let x = graph.input();
    /// let y = graph.add(MultiHeadAttention::new(4, 8).use_causal_mask(true), [x]);
    /// let model = Model::build(graph.output(y), [10, 32], 42)?;
    /// assert_eq!(model.predict(Tensor::<f32>::zeros([1, 10, 32]))?.shape(), &[1, 10, 32]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct MultiHeadAttention {
        /// A layer of `num_heads` heads, with queries and keys of `key_dim` numbers each.
        pub fn new(
            #[check(checks::at_least_one("head", "give the number of heads"))] num_heads: usize,
            #[check(checks::at_least_one("number of a key", "give the length of a key"))] key_dim: usize,
        );
        /// The length of a value in each head; `key_dim` by default.
        value_dim: Option<usize> = None,
        /// The share of the weights that is dropped while training; 0 by default.
        #[check(checks::rate)]
        dropout: f64 = 0.0,
        /// Whether biases are added, as by default.
        use_bias: bool = true,
        /// The length of the output; that of a query by default.
        output_shape: Option<usize> = None,
        /// Whether a position sees no later one; false by default. Queries and keys are aligned at their ends.
        use_causal_mask: bool = false,
        /// Whether the last input is a mask `[n, tq, tk]` of the keys that each query sees; false by default.
        use_attention_mask: bool = false,
        /// Whether there is a second output, the weights `[n, num_heads, tq, tk]`, for a picture; false by default. No gradient
        /// flows through them.
        return_attention_scores: bool = false,
        /// The longest wavelength of rotary positions (10,000 is usual), by which queries and keys are turned
        /// ([`RotaryEmbedding`](crate::RotaryEmbedding)); no such positions by default.
        rope_max_wavelength: Option<f64> = None,
        /// The distribution of the kernels' first values; Glorot uniform by default.
        kernel_initializer: Initializer = Initializer::GlorotUniform,
        /// The distribution of the biases' first values; zeros by default.
        bias_initializer: Initializer = Initializer::Zeros,
        /// The penalty on the kernels; none by default.
        kernel_regularizer: Option<Regularizer> = None,
        /// The penalty on the biases; none by default.
        bias_regularizer: Option<Regularizer> = None,
        /// The constraint on the kernels; none by default.
        kernel_constraint: Option<Constraint> = None,
        /// The constraint on the biases; none by default.
        bias_constraint: Option<Constraint> = None,
    }
}

impl Layer for MultiHeadAttention {
    const KIND: &'static str = "MultiHeadAttention";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        self.check(build)?;
        let options = AttentionOptions {
            heads: self.num_heads,
            kv_heads: self.num_heads,
            key_dim: self.key_dim,
            value_dim: self.value_dim.unwrap_or(self.key_dim),
            output: self.output_shape,
            use_bias: self.use_bias,
            dropout: self.dropout,
            causal: self.use_causal_mask,
            scores: self.return_attention_scores,
            takes_mask: self.use_attention_mask,
            rope_max_wavelength: self.rope_max_wavelength,
            kernel: (self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint.clone()),
            bias: (self.bias_initializer, self.bias_regularizer, self.bias_constraint.clone()),
        };
        attention_layer(build, options)
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear), None]
    }
}
