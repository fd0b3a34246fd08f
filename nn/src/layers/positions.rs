//! Where a position stands in its sequence: learned, of sines, and by rotation.

use gradus_autograd::Var;
use gradus_tensor::{Shape, Tensor};

use super::support::prelude::*;
use super::support::{Angles, rotated};
use crate::context::{Context, ParamId};
use crate::mask::and_mask;

options! {
    /// A learned vector for each position, the same in all samples. KerasHub's layer of this name: the result is to be added to
    /// the input.
    ///
    /// Shapes: `[n, length, features]`, unchanged; length is at most `sequence_length`. Weight: `embeddings`
    /// `[sequence_length, features]`, Glorot uniform.
    ///
    /// ```
    /// use gradus_nn::{Add, Graph, Model, PositionEmbedding};
    /// // x + where it stands, for sequences of at most 100 positions.
    /// let mut graph = Graph::builder();
    /// let x = graph.input();
    /// let place = graph.add(PositionEmbedding::new(100), [x]);
    /// let sum = graph.add(Add, [x, place]);
    /// let model = Model::build(graph.output(sum), [None, Some(16)], 42)?;
    /// assert_eq!(model.summary().total_params, 1600);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct PositionEmbedding {
        /// A layer for sequences of at most this length.
        pub fn new(sequence_length: usize);
        /// The distribution of the first values; Glorot uniform by default.
        initializer: Initializer = Initializer::GlorotUniform,
    }
}

impl Layer for PositionEmbedding {
    const KIND: &'static str = "PositionEmbedding";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let [length, features] = sequence(build)?;
        check_length(build, length, self.sequence_length)?;
        let table = build.weight("embeddings", [self.sequence_length, features], self.initializer)?;
        let (layer, in_parts) = (build.number(), build.inputs()[0].is_in_parts());
        let built = Built::new([length, features], move |context, x| {
            let rows = rows_of(context, table, layer, in_parts, x.shape()[1]);
            // Zeros times n give the shape of the batch, for any number of samples.
            &Var::from(Tensor::zeros([x.shape()[0], 1, 1])) + &rows
        });
        Ok(built.mask_rule(MaskRule::Kept))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}

options! {
    /// The sum of a learned vector for each id and one for each position. KerasHub's layer of this name: the beginning of a
    /// transformer.
    ///
    /// Shapes: ids `[n, length]` to `[n, length, embedding_dim]`; length is at most `sequence_length`. Weights:
    /// `token_embedding/embeddings` `[vocabulary_size, embedding_dim]` and `position_embedding/embeddings`
    /// `[sequence_length, embedding_dim]`.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential, TokenAndPositionEmbedding, TransformerDecoder};
    /// let network = Sequential::new()
    ///     .add(TokenAndPositionEmbedding::new(256, 128, 32))
    ///     .add(TransformerDecoder::new(64, 4))
    ///     .add(Dense::new(256));
    /// assert_eq!(Model::build(network, [16], 42)?.output_shape(), &[16, 256]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct TokenAndPositionEmbedding {
        /// A layer for `vocabulary_size` ids and sequences of at most `sequence_length`.
        pub fn new(vocabulary_size: usize, sequence_length: usize, embedding_dim: usize);
        /// The distribution of both tables' first values; uniform in -0.05..0.05 by default, as that of KerasHub.
        embeddings_initializer: Initializer = Initializer::RandomUniform { minval: -0.05, maxval: 0.05 },
        /// Whether the id 0 is padding ([`Embedding`](crate::Embedding) says more); false by default.
        mask_zero: bool = false,
    }
}

impl Layer for TokenAndPositionEmbedding {
    const KIND: &'static str = "TokenAndPositionEmbedding";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let ids = build.ids(self.vocabulary_size)?;
        let &[length] = &ids[..] else {
            let problem = format!("takes ids of shape [n, length], found samples of shape {ids}");
            return Err(build.error(problem, "give one id for each position"));
        };
        check_length(build, length, self.sequence_length)?;
        let (initializer, units) = (self.embeddings_initializer, self.embedding_dim);
        let tokens = build.weight("token_embedding/embeddings", [self.vocabulary_size, units], initializer)?;
        let positions = build.weight("position_embedding/embeddings", [self.sequence_length, units], initializer)?;
        let (mask_zero, is_masked) = (self.mask_zero, self.mask_zero || build.inputs()[0].is_masked());
        let (layer, in_parts) = (build.number(), build.inputs()[0].is_in_parts());
        let output = Spec::floats([length, units]);
        let output = if is_masked { output.masked() } else { output };
        let built = Built::of_values(vec![output], move |context, inputs| {
            let ids = inputs[0].ids();
            let rows = rows_of(context, positions, layer, in_parts, ids.shape()[1]);
            let sum = context.weight(tokens).index_select(0, ids) + rows;
            let given = inputs.mask(0);
            let mask = if mask_zero { Some(and_mask(ids.not_equal(0), given)) } else { given.cloned() };
            Values::from(sum).with_mask(0, mask)
        });
        Ok(built.mask_rule(MaskRule::Known).part_rule(PartRule::Alone))
    }

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        vec![Some(Activation::Linear)]
    }
}

options! {
    /// Sines and cosines of the position, the same in all samples (Vaswani et al., arXiv:1706.03762). KerasHub's layer of this
    /// name: the result is to be added to the input.
    ///
    /// Feature 2i of position p is sin(p / max_wavelength^(2i / features)), feature 2i + 1 the cosine of the same. Shapes:
    /// `[n, length, features]`, unchanged.
    ///
    /// ```
    /// use gradus_nn::{Model, Sequential, SinePositionEncoding};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(SinePositionEncoding::default()), [2, 2], 42)?;
    /// let y = model.predict(&Tensor::<f32>::zeros([1, 2, 2]))?;
    /// // Positions 0 and 1, each with its sine and its cosine.
    /// let expected = Tensor::new([[[0.0, 1.0], [1.0_f32.sin(), 1.0_f32.cos()]]]);
    /// assert!(y.allclose(&expected, 1e-6, 0.0));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct SinePositionEncoding {
        /// A layer with this wavelength of the slowest sine; 10,000 is usual.
        pub fn new(#[check(checks::positive)] max_wavelength: f64 = 10_000.0);
    }
}

impl Layer for SinePositionEncoding {
    const KIND: &'static str = "SinePositionEncoding";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let [length, features] = sequence(build)?;
        self.check(build)?;
        let (layer, in_parts, wavelength) = (build.number(), build.inputs()[0].is_in_parts(), self.max_wavelength);
        let lengths: Vec<f64> =
            (0..features).map(|feature| wavelength.powf((feature / 2 * 2) as f64 / features as f64)).collect();
        let built = Built::new([length, features], move |context, x| {
            let first = first_of(context, layer, in_parts, x.shape()[1]);
            let encoding = |i: usize| {
                let feature = i % features;
                let angle = (first + i / features) as f64 / lengths[feature];
                T::of(if feature.is_multiple_of(2) { angle.sin() } else { angle.cos() })
            };
            let shape: Shape = [x.shape()[1], features].into();
            let rows = (0..shape.size()).map(encoding).collect::<Tensor<T>>().reshape(shape);
            Var::from(rows.broadcast_to(x.shape().clone()))
        });
        Ok(built.mask_rule(MaskRule::Kept))
    }
}

options! {
    /// Pairs of features turned by an angle that grows with the position, so that products of two positions depend on
    /// their distance (Su et al., arXiv:2104.09864). KerasHub's layer of this name.
    ///
    /// Features i and i + d/2 of position p, of d features, are turned by p / scaling_factor / max_wavelength^(2i / d). Shapes:
    /// `[n, length, .., d]`, unchanged.
    ///
    /// ```
    /// use gradus_nn::{Model, RotaryEmbedding, Sequential};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(RotaryEmbedding::default()), [2, 2], 42)?;
    /// let y = model.predict(&Tensor::new([[[1.0, 0.0], [1.0, 0.0]]]))?;
    /// // Position 0 stays, position 1 is turned by 1 radian.
    /// let expected = Tensor::new([[[1.0, 0.0], [1.0_f32.cos(), 1.0_f32.sin()]]]);
    /// assert!(y.allclose(&expected, 1e-6, 1e-7));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub struct RotaryEmbedding {
        /// A layer with this wavelength of the slowest pair; 10,000 is usual.
        pub fn new(#[check(checks::positive)] max_wavelength: f64 = 10_000.0);
        /// Positions are divided by it; 1 by default.
        #[check(checks::positive)]
        scaling_factor: f64 = 1.0,
    }
}

impl Layer for RotaryEmbedding {
    const KIND: &'static str = "RotaryEmbedding";
    compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.input()?.clone();
        self.check(build)?;
        if shape.len() < 2 || !shape[shape.len() - 1].is_multiple_of(2) {
            let problem = format!("takes [n, length, .., features] with an even number of features, found {shape}");
            return Err(build.error(problem, "give the inputs such a shape"));
        }
        let angles = Angles::new(self.max_wavelength, self.scaling_factor, shape[shape.len() - 1]);
        let (layer, in_parts) = (build.number(), build.inputs()[0].is_in_parts());
        let built =
            Built::new(shape, move |context, x| rotated(x, &angles, first_of(context, layer, in_parts, x.shape()[1])));
        Ok(built.mask_rule(MaskRule::Kept))
    }
}

/// The length and the features of the one input.
fn sequence<T: Float>(build: &Build<'_, T>) -> Result<[usize; 2]> {
    let shape = build.input()?;
    match shape[..] {
        [length, features] => Ok([length, features]),
        _ => {
            let problem = format!("takes sequences of shape [length, features], found {shape}");
            Err(build.error(problem, "join other axes by a Reshape"))
        }
    }
}

/// The first position of the part that a layer is given: 0 unless there were parts before.
fn first_of<T: Float>(context: &mut Context<'_, T>, layer: usize, in_parts: bool, length: usize) -> usize {
    if in_parts { context.memory().go_on(layer, length) } else { 0 }
}

/// The rows of a table for the positions of the part that a layer is given.
fn rows_of<T: Float>(
    context: &mut Context<'_, T>,
    table: ParamId,
    layer: usize,
    in_parts: bool,
    length: usize,
) -> Var<T> {
    let first = first_of(context, layer, in_parts, length);
    context.weight(table).slice(0, first..first + length)
}

fn check_length<T: Float>(build: &mut Build<'_, T>, length: usize, most: usize) -> Result<()> {
    if length <= most {
        if build.inputs()[0].is_in_parts() {
            build.limit_positions(length, most);
        }
        return Ok(());
    }
    let problem = format!("the sequence has {length} positions, the layer knows {most}");
    Err(build.error(problem, "give a larger sequence_length, or shorter sequences"))
}

#[cfg(test)]
mod tests {
    use crate::{Model, RotaryEmbedding, Sequential, SinePositionEncoding};
    use gradus_tensor::Tensor;

    fn output(network: Sequential, x: Tensor) -> Tensor {
        Model::build(network, &x.shape()[1..], 0).unwrap().predict(&x).unwrap()
    }

    #[test]
    fn sines_and_cosines_take_turns() {
        // By hand: with a wavelength of 100 and four features, the angles of position p are p and p / 10.
        let found = output(Sequential::new().add(SinePositionEncoding::new(100.0)), Tensor::zeros([2, 3, 4]));
        let row = |p: f32| [p.sin(), p.cos(), (p / 10.0).sin(), (p / 10.0).cos()];
        let expected = Tensor::new([row(0.0), row(1.0), row(2.0)]).broadcast_to([2, 3, 4]);
        assert!(found.allclose(&expected, 1e-6, 1e-6), "{found:?}");
    }

    #[test]
    fn pairs_are_turned() {
        // By hand: the pair (1, 0) is turned by p, the pair (0, 1) by p / 10.
        let x = Tensor::new([1.0, 0.0, 0.0, 1.0]).broadcast_to([1, 3, 4]);
        let found = output(Sequential::new().add(RotaryEmbedding::new(100.0)), x);
        let row = |p: f32| [p.cos(), -(p / 10.0).sin(), p.sin(), (p / 10.0).cos()];
        let expected = Tensor::new([[row(0.0), row(1.0), row(2.0)]]);
        assert!(found.allclose(&expected, 1e-6, 1e-6), "{found:?}");
    }
}
