//! Attention in which several heads share keys and values.

use super::support::prelude::*;
use super::support::{AttentionOptions, attention_layer};

options! {
    /// Attention in which groups of query heads share a head of keys and values, so that these take less memory and time.
    /// Keras's `GroupQueryAttention`. Ainslie et al., arXiv:2305.13245.
    ///
    /// Inputs, shapes and masks are those of [`MultiHeadAttention`](crate::MultiHeadAttention). Weights: the kernels of `query`
    /// `[features, num_query_heads, head_dim]`, of `key` and `value` `[features, num_key_value_heads, head_dim]`.
    ///
    /// ```
    /// use gradus_nn::{GroupedQueryAttention, Model, Sequential};
    /// let network = Sequential::new().add(GroupedQueryAttention::new(8, 4, 2));
    /// assert_eq!(Model::build(network, [10, 32], 42)?.output_shape(), &[10, 32]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    #[doc(alias = "GroupQueryAttention")]
    pub struct GroupedQueryAttention {
        /// A layer of heads of `head_dim` numbers: `num_query_heads` of queries, a multiple of the number of key heads.
        pub fn new(
            #[check(checks::at_least_one("number of a head", "give the length of a head"))] head_dim: usize,
            #[check(checks::at_least_one("query head", "give the number of heads"))] num_query_heads: usize,
            #[check(checks::at_least_one("key head", "give the number of heads"))] num_key_value_heads: usize,
        );
        /// The share of the weights that is dropped while training; 0 by default.
        #[check(checks::rate)]
        dropout: f64 = 0.0,
        /// Whether biases are added, as by default.
        use_bias: bool = true,
        /// Whether a position sees no later one; false by default.
        use_causal_mask: bool = false,
        /// Whether the last input is a mask `[n, tq, tk]` of the keys that each query sees; false by default.
        use_attention_mask: bool = false,
        /// Whether there is a second output, the weights `[n, num_query_heads, tq, tk]`; false by default.
        return_attention_scores: bool = false,
        /// The longest wavelength of rotary positions; no such positions by default.
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

impl Layer for GroupedQueryAttention {
    const KIND: &'static str = "GroupQueryAttention";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        self.check(build)?;
        let (heads, kv_heads) = (self.num_query_heads, self.num_key_value_heads);
        if !heads.is_multiple_of(kv_heads) {
            let problem = format!("{kv_heads} heads of keys do not divide {heads} heads of queries");
            return Err(build.error(problem, "give a number of query heads that is a multiple"));
        }
        let options = AttentionOptions {
            heads,
            kv_heads,
            key_dim: self.head_dim,
            value_dim: self.head_dim,
            output: None,
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
