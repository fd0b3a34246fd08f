//! Sequences part by part: layers that go on where they stopped.

use gradus_tensor::{AnyTensor, Columns, Float, Tensor};

use crate::error::{Error, Result};
use crate::feed::{Fed, matched};
use crate::inputs::InputInfo;
use crate::memory::LayerMemory;
use crate::model::Model;
use crate::parts::Flow;

/// What the layers of a model know of the sequences so far, between calls of [`predict_next`](Model::predict_next): the last states
/// of recurrent layers, the keys and values of attention (a key-value cache), the number of positions. A new one stands for the
/// beginning.
///
/// ```
/// use gradus_nn::{Dense, Model, SequenceStates, Sequential, TokenAndPositionEmbedding, TransformerDecoder};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new()
///     .add(TokenAndPositionEmbedding::new(50, 16, 8))
///     .add(TransformerDecoder::new(32, 2))
///     .add(Dense::new(50));
/// let model = Model::build(network, [None], 42)?;
/// let whole = model.predict(Tensor::from([[7, 3, 9]]))?;
/// // The same in two parts. Nothing is computed twice.
/// let mut states = SequenceStates::new();
/// model.predict_next(Tensor::from([[7, 3]]), &mut states)?;
/// let last = model.predict_next(Tensor::from([[9]]), &mut states)?;
/// assert!(last.allclose(&whole.slice(1, 2..), 1e-5, 1e-5));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[doc(alias = "stateful")]
#[derive(Clone, Debug)]
pub struct SequenceStates<T: Float = f32> {
    memory: LayerMemory<T>,
    /// The number of sequences, once there are some.
    samples: Option<usize>,
    /// Inputs that are the same at each call, by name.
    whole: Columns,
}

impl<T: Float> SequenceStates<T> {
    /// The states at the beginning of sequences.
    pub fn new() -> Self {
        SequenceStates { memory: LayerMemory::new(), samples: None, whole: Columns::new() }
    }

    /// And an input of the model that does not come part by part: it is given here, whole and once, and no more in each call. What
    /// the network computes of such inputs alone is computed once.
    ///
    /// ```
    /// use gradus_nn::{Graph, Input, Model, SequenceStates, TransformerDecoder, TransformerEncoder};
    /// use gradus_tensor::{Generator, Tensor};
    /// let mut graph = Graph::builder();
    /// let (source, target) = (graph.input_named("source"), graph.input_named("target"));
    /// let encoded = graph.add(TransformerEncoder::new(16, 2), [source]);
    /// let y = graph.add(TransformerDecoder::new(16, 2), [target, encoded]);
    /// let inputs = [Input::named("source", [None, Some(8)]), Input::named("target", [None, Some(8)])];
    /// let model = Model::build(graph.output(y), inputs, 42)?;
    ///
    /// let mut generator = Generator::new(1);
    /// let [source, target]: [Tensor; 2] = [5, 3].map(|length| generator.normal([1, length, 8], 0.0, 1.0));
    /// let mut states = SequenceStates::new().whole("source", &source);
    /// model.predict_next(target.slice(1, ..2), &mut states)?;
    /// let last = model.predict_next(target.slice(1, 2..), &mut states)?;
    /// assert!(last.allclose(&model.predict((source, target))?.slice(1, 2..), 1e-5, 1e-5));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Panics
    /// If sequences have begun, or there is such an input already.
    #[track_caller]
    pub fn whole(self, name: &str, input: impl Into<AnyTensor>) -> Self {
        assert!(self.samples.is_none(), "whole: the sequences have begun; give {name:?} to new SequenceStates");
        assert!(self.whole.named(name).is_none(), "whole: the input {name:?} is given twice");
        SequenceStates { whole: self.whole.with(name, input), ..self }
    }

    /// Leaves of the sequences these, in this order: some may be dropped and others be there several times. In a beam search they
    /// are the [parents](crate::Beam::parent) of the sequences that go on.
    ///
    /// ```
    /// use gradus_nn::{GRU, Model, SequenceStates, Sequential};
    /// use gradus_tensor::Tensor;
    /// let model = Model::build(Sequential::new().add(GRU::new(4)), [None, Some(1)], 42)?;
    /// let mut states = SequenceStates::new();
    /// model.predict_next(Tensor::new([[[1.0]], [[2.0]]]), &mut states)?;
    /// states.select(&[1, 1, 0]);
    /// let next = model.predict_next(Tensor::new([[[5.0]]; 3]), &mut states)?;
    /// assert_eq!(next.select(0, 0), next.select(0, 1));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Panics
    /// If there is no such sequence. (Before the first call, without inputs that are whole, there are as many as you like.)
    #[track_caller]
    pub fn select(&mut self, sequences: &[usize]) {
        let samples = self.samples.or_else(|| self.whole.iter().next().map(|input| input.shape()[0]));
        let Some(samples) = samples else { return };
        if let Some(sequence) = sequences.iter().find(|&&sequence| sequence >= samples) {
            panic!("select: there is no sequence {sequence}, only {samples}, counted from 0");
        }
        if sequences.iter().copied().eq(0..samples) {
            return;
        }
        self.memory.take_rows(sequences);
        self.whole = self.whole.take_rows(sequences);
        self.samples = self.samples.map(|_| sequences.len());
    }

    /// All inputs of a model, and how each comes.
    fn inputs(&self, op: &str, of_model: &[InputInfo], given: &Columns) -> Result<(Columns, Vec<Flow>)> {
        let is_whole = |input: &&InputInfo| self.whole.named(&input.name).is_some();
        let parts: Vec<&InputInfo> = of_model.iter().filter(|input| !is_whole(input)).collect();
        if parts.len() + self.whole.len() != of_model.len() {
            let names: Vec<&str> = self.whole.names().flatten().collect();
            let problem = format!("of the inputs that are given whole, {}, the model has not all", names.join(", "));
            return Err(Error::new(op, problem, "name them as the network names its inputs"));
        }
        if let Some(input) = parts.iter().find(|input| input.shape.first() != Some(&None)) {
            let problem = format!("the input {:?} of shape {} does not come part by part", input.name, input.shape);
            let hint = "build the model with None for the length of sequences, and give an input that is no sequence by \
                        SequenceStates::whole";
            return Err(Error::new(op, problem, hint));
        }
        if parts.is_empty() {
            return Err(Error::new(op, "no input comes part by part", "call predict"));
        }
        let names: Vec<&str> = parts.iter().map(|input| &*input.name).collect();
        let mut given = matched(op, "input", &names, given)?.into_iter();
        let of_input = |input: &InputInfo| match self.whole.named(&input.name) {
            Some(whole) => (whole.clone(), Flow::Whole),
            None => (given.next().expect("one for each").clone(), Flow::Part),
        };
        let (columns, flows): (Vec<AnyTensor>, Vec<Flow>) = of_model.iter().map(of_input).unzip();
        Ok((columns.into(), flows))
    }
}

impl<T: Float> Default for SequenceStates<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> Model<T> {
    /// The output for the next positions of sequences, one or more, `[n, positions, ..]`: Keras's stateful layers, and the key-value
    /// cache of transformers. Layers begin where they stopped in the call before, as `states` say, so that the outputs of all calls
    /// are those of [`predict`](Model::predict) for the whole sequences. So a text is written word by word
    /// ([`generate`](Model::generate)), and a signal read as it comes. The model is built for any number of positions: with `None`
    /// for their axis.
    ///
    /// Recurrent layers, causal attention and layers of positions remember what came before; other layers compute each position
    /// alone, or refuse: those that need what comes later (`Bidirectional`, attention without `use_causal_mask`), and those that
    /// mix positions and do not remember (convolutions and pooling along them).
    ///
    /// # Errors
    /// As [`predict`](Model::predict); if a layer cannot compute part by part, or knows fewer positions; if there are more or fewer
    /// sequences than before. The states are unchanged then.
    pub fn predict_next(&self, inputs: impl Into<Columns>, states: &mut SequenceStates<T>) -> Result<Tensor<T>> {
        let op = "predict_next";
        if self.outputs().len() != 1 {
            let problem = format!("the network has {} outputs", self.outputs().len());
            return Err(Error::new(op, problem, "cut the network down to one of them by up_to"));
        }
        let (inputs, flows) = states.inputs(op, self.inputs(), &inputs.into())?;
        let fed = Fed::new(op, self.inputs(), &inputs)?;
        if let Some(before) = states.samples.filter(|&before| before != fed.samples) {
            let problem = format!("the states are those of {before} sequences, found {}", fed.samples);
            let hint = "begin with new SequenceStates, or give the next positions of the same sequences";
            return Err(Error::new(op, problem, hint));
        }
        let computation = self.computation_of_parts(op, &fed, &flows)?;
        for limit in &computation.limits {
            let seen = states.memory.positions.get(&limit.layer).copied().unwrap_or_default();
            if seen + limit.length > limit.most {
                let (length, most) = (limit.length, limit.most);
                let problem =
                    format!("{}: {length} positions after {seen} are more than the {most} it knows", limit.place);
                return Err(Error::new(op, problem, "begin anew with the last ones, or give a larger sequence_length"));
            }
        }
        let values = fed.values(op, self.inputs(), 0, fed.samples)?;
        // From here on nothing fails.
        states.samples = Some(fed.samples);
        Ok(self.output_after(&computation, values, &mut states.memory))
    }
}
