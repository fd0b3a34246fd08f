//! The blocks of transformers.

use gradus_autograd::Var;

use super::support::prelude::*;
use super::support::sum;
use super::{Dense, LayerNormalization, MultiHeadAttention};
use crate::context::Context;
use crate::parts::Flow;
use crate::value::Value;

options! {
    /// A block of a transformer's encoder: attention to itself, and a network of two dense layers at each position, each with a
    /// shortcut, dropout and a layer normalisation. Vaswani et al., arXiv:1706.03762. KerasHub's layer of this name.
    ///
    /// Shapes: `[n, length, features]`, unchanged; the number of heads divides the features. Positions that are padding, by a
    /// [mask](crate::MaskRule), are not seen. The layers within are called `self_attention`, `self_attention_layer_norm`,
    /// `feedforward_intermediate_dense`, `feedforward_output_dense` and `feedforward_layer_norm`.
    ///
    /// ```
    /// use gradus_nn::{Dense, Embedding, GlobalAveragePooling1D, Model, Sequential, TransformerEncoder};
    /// // The class of a text, of which the id 0 is padding.
    /// let network = Sequential::new()
    ///     .add(Embedding::new(1000, 32).mask_zero(true))
    ///     .add(TransformerEncoder::new(64, 4).dropout(0.1))
    ///     .add(GlobalAveragePooling1D::new())
    ///     .add(Dense::new(2));
    /// assert_eq!(Model::build(network, [20], 42)?.output_shape(), &[2]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct TransformerEncoder {
        /// A block whose network has `intermediate_dim` hidden units, with this number of heads.
        pub fn new(
            #[check(checks::at_least_one("hidden unit", "give the units of the first dense layer"))]
            intermediate_dim: usize,
            #[check(checks::at_least_one("head", "give the number of heads"))] num_heads: usize,
        );
        /// The share that is dropped while training, of the weights of attention and of what is added to the shortcuts; 0 by
        /// default.
        #[check(checks::rate)]
        dropout: f64 = 0.0,
        /// The activation of the hidden units; a rectifier by default.
        activation: Activation = Activation::Relu,
        /// The number added to variances in the normalisations; 0.00001 by default.
        #[check(checks::epsilon("KerasHub's is 0.00001"))]
        layer_norm_epsilon: f64 = 1e-5,
        /// Whether what attention and network take is normalised, instead of the sums; false by default.
        normalize_first: bool = false,
        /// The distribution of the kernels' first values; Glorot uniform by default.
        kernel_initializer: Initializer = Initializer::GlorotUniform,
        /// The distribution of the biases' first values; zeros by default.
        bias_initializer: Initializer = Initializer::Zeros,
        /// Whether there is a second output, the weights of attention `[n, num_heads, length, length]`, for a picture; false by
        /// default. No gradient flows through them.
        return_attention_scores: bool = false,
    }
}

options! {
    /// A block of a transformer's decoder: attention to itself and to earlier positions; with a second input, attention to
    /// that, the output of an encoder; and a network of two dense layers at each position. Each has a shortcut, dropout and a
    /// layer normalisation. Vaswani et al., arXiv:1706.03762. KerasHub's layer of this name.
    ///
    /// Inputs: `[decoder]` or `[decoder, encoder]`. Shapes: `[n, length, features]`, unchanged; the encoder's `[n, other length, ..]`.
    /// Positions that are padding, by [masks](crate::MaskRule), are not seen. The layers within are those of
    /// [`TransformerEncoder`], and `cross_attention` and `cross_attention_layer_norm`.
    ///
    /// ```
    /// use gradus_nn::{Graph, Model, Input, TransformerDecoder, TransformerEncoder};
    /// let mut graph = Graph::builder();
    /// let source = graph.input_named("source");
    /// let target = graph.input_named("target");
    /// let encoded = graph.add(TransformerEncoder::new(64, 4), [source]);
    /// let y = graph.add(TransformerDecoder::new(64, 4), [target, encoded]);
    /// let inputs = [Input::named("source", [7, 32]), Input::named("target", [5, 32])];
    /// let model = Model::build(graph.output(y), inputs, 42)?;
    /// assert_eq!(model.output_shape(), &[5, 32]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct TransformerDecoder {
        /// A block whose network has `intermediate_dim` hidden units, with this number of heads.
        pub fn new(
            #[check(checks::at_least_one("hidden unit", "give the units of the first dense layer"))]
            intermediate_dim: usize,
            #[check(checks::at_least_one("head", "give the number of heads"))] num_heads: usize,
        );
        /// The share that is dropped while training, of the weights of attention and of what is added to the shortcuts; 0 by
        /// default.
        #[check(checks::rate)]
        dropout: f64 = 0.0,
        /// The activation of the hidden units; a rectifier by default.
        activation: Activation = Activation::Relu,
        /// The number added to variances in the normalisations; 0.00001 by default.
        #[check(checks::epsilon("KerasHub's is 0.00001"))]
        layer_norm_epsilon: f64 = 1e-5,
        /// Whether what attention and network take is normalised, instead of the sums; false by default.
        normalize_first: bool = false,
        /// Whether the attention to itself sees no later position, as by default.
        use_causal_mask: bool = true,
        /// The distribution of the kernels' first values; Glorot uniform by default.
        kernel_initializer: Initializer = Initializer::GlorotUniform,
        /// The distribution of the biases' first values; zeros by default.
        bias_initializer: Initializer = Initializer::Zeros,
        /// Whether there is a second output, the weights of attention to the encoder's output `[n, num_heads, length, other length]`,
        /// for a picture; without an encoder those of the attention to itself. False by default. No gradient flows through them.
        return_attention_scores: bool = false,
    }
}

/// The options of a block.
struct Block {
    intermediate_dim: usize,
    num_heads: usize,
    dropout: f64,
    activation: Activation,
    epsilon: f64,
    normalize_first: bool,
    causal: bool,
    scores: bool,
    kernel_initializer: Initializer,
    bias_initializer: Initializer,
}

/// A part of a block with its shortcut: x + dropout(body(norm(x))), or norm(x + dropout(body(x))). What a body gives besides are
/// weights of attention.
struct Part<T: Float> {
    body: Vec<Built<T>>,
    norm: Built<T>,
    dropout: f64,
    normalize_first: bool,
}

impl<T: Float> Part<T> {
    fn run(
        &self,
        context: &mut Context<'_, T>,
        x: Var<T>,
        to_values: impl FnOnce(Var<T>) -> Values<T>,
    ) -> (Var<T>, Option<Value<T>>) {
        let normed = |context: &mut Context<'_, T>, x: Var<T>| self.norm.run(context, x).into_floats();
        let input = if self.normalize_first { normed(context, x.clone()) } else { x.clone() };
        let mut values =
            self.body.iter().fold(to_values(input), |values, layer| layer.run(context, values)).into_iter();
        let y = values.next().expect("a layer has an output").into_floats();
        let y = match context.training() {
            Some(generator) if self.dropout > 0.0 => y.dropout(self.dropout, generator.next_u64()),
            _ => y,
        };
        let y = sum(vec![y, x]);
        (if self.normalize_first { y } else { normed(context, y) }, values.next())
    }
}

impl Block {
    fn layer<T: Float>(&self, build: &mut Build<'_, T>, decodes: bool) -> Result<Built<T>> {
        let most = if decodes { 2 } else { 1 };
        let inputs = build.inputs();
        if inputs.is_empty() || inputs.len() > most {
            let takes = if decodes { "a sequence and perhaps an encoder's output" } else { "a sequence" };
            let problem = format!("takes {takes}, found {} inputs", inputs.len());
            let hint = if decodes {
                "feed it with [decoder] or [decoder, encoder]"
            } else {
                "feed it with one sequence; a TransformerDecoder takes two"
            };
            return Err(build.error(problem, hint));
        }
        let shape = build.input_as(0, crate::value::ValueKind::Floats)?.clone();
        let &[_, features] = &shape[..] else {
            let problem = format!("takes sequences of shape [length, features], found {shape}");
            return Err(build.error(problem, "join other axes by a Reshape"));
        };
        if features == 0 || !features.is_multiple_of(self.num_heads) {
            let problem = format!("{} heads cannot share {features} features", self.num_heads);
            return Err(build.error(problem, "give a number of heads that divides the features"));
        }
        let attention = MultiHeadAttention::new(self.num_heads, features / self.num_heads)
            .dropout(self.dropout)
            .kernel_initializer(self.kernel_initializer)
            .bias_initializer(self.bias_initializer);
        let plain = Spec::floats(shape.clone()).flowing(inputs[0].flow);
        let is_masked = inputs[0].is_masked();
        let queries = if is_masked { plain.clone().masked() } else { plain.clone() };

        let of_other = inputs.len() > 1;
        let causal = attention.clone().use_causal_mask(self.causal).return_attention_scores(self.scores && !of_other);
        let attention = attention.return_attention_scores(self.scores);
        let itself = self.part(build, "self_attention", &causal, std::slice::from_ref(&queries), &plain)?;
        let other = match inputs.get(1) {
            Some(encoded) => {
                build.input_as(1, crate::value::ValueKind::Floats)?;
                Some(self.part(build, "cross_attention", &attention, &[plain.clone(), encoded.clone()], &plain)?)
            }
            None => None,
        };
        let dense = |units: usize, activation: Activation| {
            Dense::new(units)
                .activation(activation)
                .kernel_initializer(self.kernel_initializer)
                .bias_initializer(self.bias_initializer)
        };
        let hidden = dense(self.intermediate_dim, self.activation);
        let hidden = build.child("feedforward_intermediate_dense", &hidden, std::slice::from_ref(&plain))?;
        let back = dense(features, Activation::Linear);
        let back = build.child("feedforward_output_dense", &back, &hidden.outputs)?;
        let norm = self.norm(build, "feedforward_layer_norm", &plain)?;
        let network = self.with_shortcut(vec![hidden, back], norm);

        let mut outputs = vec![queries];
        if self.scores {
            let keys = inputs[inputs.len() - 1].shape[0];
            let scores = Spec::floats([self.num_heads, shape[0], keys]);
            let is_whole = inputs.iter().all(|input| input.flow == Flow::Whole);
            outputs.push(if is_whole { scores } else { scores.flowing(Flow::Never) });
        }
        let built = Built::of_values(outputs, move |context, inputs| {
            let mask = inputs.mask(0).cloned();
            let mut values = inputs.with_masks();
            let x = values.next().expect("there is an input").0.into_floats();
            let encoded = values.next();
            let (x, scores) = itself.run(context, x, |x| Values::from(x).with_mask(0, mask.clone()));
            let (x, scores) = match (&other, encoded) {
                (Some(part), Some((encoded, mask))) => {
                    part.run(context, x, |x| [x.into(), encoded].into_iter().collect::<Values<T>>().with_mask(1, mask))
                }
                _ => (x, scores),
            };
            let (x, _) = network.run(context, x, Values::from);
            let outputs: Values<T> = std::iter::once(Value::Floats(x)).chain(scores).collect();
            outputs.with_mask(0, mask)
        });
        Ok(built.mask_rule(MaskRule::Known).part_rule(PartRule::Known))
    }

    /// Attention of this name, on inputs of these specs.
    fn part<T: Float>(
        &self,
        build: &mut Build<'_, T>,
        name: &str,
        attention: &MultiHeadAttention,
        inputs: &[Spec],
        plain: &Spec,
    ) -> Result<Part<T>> {
        // What comes whole stays so: these are the specs of the block's own inputs.
        let body = build.child_of(name, attention, inputs, Vec::new(), None)?;
        let norm = self.norm(build, &format!("{name}_layer_norm"), plain)?;
        Ok(self.with_shortcut(vec![body], norm))
    }

    fn norm<T: Float>(&self, build: &mut Build<'_, T>, name: &str, plain: &Spec) -> Result<Built<T>> {
        build.child(name, &LayerNormalization::new().epsilon(self.epsilon), std::slice::from_ref(plain))
    }

    fn with_shortcut<T: Float>(&self, body: Vec<Built<T>>, norm: Built<T>) -> Part<T> {
        Part { body, norm, dropout: self.dropout, normalize_first: self.normalize_first }
    }
}

impl Layer for TransformerEncoder {
    const KIND: &'static str = "TransformerEncoder";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        self.check(build)?;
        let block = Block {
            intermediate_dim: self.intermediate_dim,
            num_heads: self.num_heads,
            dropout: self.dropout,
            activation: self.activation,
            epsilon: self.layer_norm_epsilon,
            normalize_first: self.normalize_first,
            causal: false,
            scores: self.return_attention_scores,
            kernel_initializer: self.kernel_initializer,
            bias_initializer: self.bias_initializer,
        };
        block.layer(build, false)
    }
}

impl Layer for TransformerDecoder {
    const KIND: &'static str = "TransformerDecoder";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        self.check(build)?;
        let block = Block {
            intermediate_dim: self.intermediate_dim,
            num_heads: self.num_heads,
            dropout: self.dropout,
            activation: self.activation,
            epsilon: self.layer_norm_epsilon,
            normalize_first: self.normalize_first,
            causal: self.use_causal_mask,
            scores: self.return_attention_scores,
            kernel_initializer: self.kernel_initializer,
            bias_initializer: self.bias_initializer,
        };
        block.layer(build, true)
    }
}
