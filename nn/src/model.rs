//! A network with its weights.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use gradus_autograd::{
    Grads, Params, StateUpdates, Var, checked_value_and_grad, grads_as_they_come, try_value_and_grad,
};
use gradus_tensor::safetensors::shortened;
use gradus_tensor::{Columns, Float, Generator, Shape, Tensor};

use crate::build::{LayerInfo, Weights, is_within};
use crate::context::{Context, ParamId};
use crate::error::{Error, Result};
use crate::feed::{Fed, matched};
use crate::free::{self, Computation, Recent};
use crate::graph::Graph;
use crate::info::ModelInfo;
use crate::inputs::{Input, InputInfo, Inputs, OutputInfo, PartialShape};
use crate::layer::LayerKinds;
use crate::losses::{Objective, OutputLoss, Scored, Total};
use crate::memory::LayerMemory;
use crate::observer::Collector;
use crate::parts::Flow;
use crate::regularizers::Regularizer;
use crate::shard::Shard;
use crate::summary::{Summary, Table};
use crate::value::{Value, ValueKind, Values};

/// A network and its weights: built, then trained or loaded, then used to predict.
///
/// ```
/// use gradus_nn::{Activation, Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new().add(Dense::new(2).activation(Activation::Softmax));
/// let model = Model::build(network, [3], 42).unwrap();
/// let probabilities = model.predict(&Tensor::<f32>::zeros([5, 3])).unwrap();
/// assert_eq!(probabilities, Tensor::full([5, 2], 0.5));
/// ```
///
/// With a free length, a model computes for whatever lengths it meets, with the same weights:
///
/// ```
/// use gradus_nn::{Dense, Embedding, GlobalAveragePooling1D, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new().add(Embedding::new(1000, 16)).add(GlobalAveragePooling1D::new()).add(Dense::new(2));
/// let model = Model::build(network, [None], 42)?;
/// assert_eq!(model.predict(Tensor::from([[7, 2, 999]]))?.shape(), &[1, 2]);
/// assert_eq!(model.predict(Tensor::from([[1, 0, 3, 5, 8]]))?.shape(), &[1, 2]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone)]
pub struct Model<T: Float = f32> {
    network: Graph,
    inputs: Vec<InputInfo>,
    outputs: Vec<OutputInfo>,
    layers: Vec<LayerInfo>,
    /// The kinds of its layers, by which its file is read.
    pub(crate) kinds: LayerKinds,
    /// Whether a network, nested or not, is no chain.
    branches: bool,
    params: Params<T>,
    penalties: Vec<(ParamId, Regularizer)>,
    /// The computation if no length is free; else that of some lengths.
    computation: Arc<Computation<T>>,
    /// The computations for lengths met lately.
    recent: Recent<T>,
    /// The parameters as constants, made at the first prediction: threads that predict share them. They hold the weights'
    /// memory, so they are dropped before the weights can be changed.
    constants: OnceLock<Vec<Var<T>>>,
    pub(crate) info: ModelInfo,
    /// What makes inputs of raw data.
    pub(crate) preprocessing: Option<Arc<Model<T>>>,
}

/// The result of one pass forward and back.
///
/// ```
/// use gradus_nn::losses::MeanSquaredError;
/// use gradus_nn::{Dense, Initializer, Model, Sequential};
/// use gradus_tensor::{Generator, Tensor};
/// let network = Sequential::new().add(Dense::new(1).kernel_initializer(Initializer::Ones));
/// let model = Model::build(network, [1], 42)?;
/// let (x, y) = (Tensor::new([[3.0]]), Tensor::new([[1.0]]));
/// let pass = model.grad(&x, &y, None, &MeanSquaredError, &mut Generator::new(1))?;
/// assert_eq!((pass.loss, pass.output()), (4.0, &Tensor::new([[3.0]])));
/// // By the kernel 2 (3 - 1) 3, by the bias 2 (3 - 1).
/// assert_eq!((&pass.grads[0], &pass.grads[1]), (&Some(Tensor::new([[12.0]])), &Some(Tensor::new([4.0]))));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub struct Pass<T: Float = f32> {
    /// The loss: its mean over the batch, and the penalties on weights.
    pub loss: T,
    /// The loss of each output, without penalties on weights.
    pub parts: Vec<OutputLoss<T>>,
    /// The outputs in order, batch axis first.
    pub outputs: Vec<Tensor<T>>,
    /// For each output the mask `[n, length]` of the positions that are there; `None` if all are.
    pub masks: Vec<Option<Tensor<bool>>>,
    /// The gradients of the weights.
    pub grads: Grads<T>,
    /// The next values of the states, such as moving averages; [`Params::update_states`] applies them.
    pub states: StateUpdates<T>,
}

/// The result of [`Model::evaluate`].
///
/// ```
/// use gradus_nn::losses::MeanAbsoluteError;
/// use gradus_nn::{Dense, Initializer, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new().add(Dense::new(1).kernel_initializer(Initializer::Ones));
/// let model = Model::build(network, [1], 42)?;
/// let scores = model.evaluate(&Tensor::new([[3.0], [5.0]]), &Tensor::new([[1.0], [5.0]]), None, &MeanAbsoluteError)?;
/// assert_eq!((scores.loss, scores.output()), (1.0, &Tensor::new([[3.0], [5.0]])));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub struct Evaluation<T: Float = f32> {
    /// The loss: its mean over the batch, and the penalties on weights.
    pub loss: T,
    /// The loss of each output, without penalties on weights.
    pub parts: Vec<OutputLoss<T>>,
    /// The outputs in order, batch axis first.
    pub outputs: Vec<Tensor<T>>,
    /// For each output the mask `[n, length]` of the positions that are there; `None` if all are.
    pub masks: Vec<Option<Tensor<bool>>>,
}

impl<T: Float> Pass<T> {
    /// The first output, which is the only one of most models.
    pub fn output(&self) -> &Tensor<T> {
        &self.outputs[0]
    }
}

impl<T: Float> Evaluation<T> {
    /// The first output, which is the only one of most models.
    pub fn output(&self) -> &Tensor<T> {
        &self.outputs[0]
    }
}

impl Model {
    /// Builds a network for inputs of this shape (without the batch axis): checks the shapes from layer to layer and
    /// draws the weights from `seed`. [`Inputs`] says how several inputs and free lengths are written.
    ///
    /// # Errors
    /// If a layer cannot take its input: which, what it was given and what it needs; or if the network has another number
    /// of inputs, or inputs of other names.
    pub fn build(network: impl Into<Graph>, inputs: impl Into<Inputs>, seed: u64) -> Result<Model> {
        Model::build_as(network, inputs, seed)
    }
}

impl<T: Float> Model<T> {
    /// As [`Model::build`], for another element type: `Model::<f64>::build_as(..)`.
    ///
    /// # Errors
    /// If a layer cannot take its input, or the network has other inputs.
    pub fn build_as(network: impl Into<Graph>, inputs: impl Into<Inputs>, seed: u64) -> Result<Self> {
        Model::of_graph(network.into(), inputs.into(), Weights::Drawn(Generator::new(seed)))
    }

    /// A model of this network, with weights from there.
    pub(crate) fn of_graph(network: Graph, inputs: Inputs, weights: Weights<T>) -> Result<Self> {
        let mut inputs = of_network(&network, inputs)?;
        let (whole, outputs) = free::build(&network, &mut inputs, weights)?;
        let (store, computation) = (whole.store, Arc::new(whole.computation));
        let (layers, kinds, branches, penalties) = (store.layers, store.kinds, store.branches, store.penalties);
        let (params, recent, constants) = (store.params, Recent::default(), OnceLock::new());
        let (info, preprocessing) = (ModelInfo::default(), None);
        Ok(Model {
            network,
            inputs,
            outputs,
            layers,
            kinds,
            branches,
            params,
            penalties,
            computation,
            recent,
            constants,
            info,
            preprocessing,
        })
    }

    /// The network this was built from; a `Sequential` is one.
    pub fn network(&self) -> &Graph {
        &self.network
    }

    /// The inputs in order: names, shapes, and kinds of element.
    pub fn inputs(&self) -> &[InputInfo] {
        &self.inputs
    }

    /// The outputs in order: names and shapes.
    pub fn outputs(&self) -> &[OutputInfo] {
        &self.outputs
    }

    /// The shape of the first input, without the batch axis.
    pub fn input_shape(&self) -> &PartialShape {
        &self.inputs[0].shape
    }

    /// The shape of the first output, without the batch axis.
    pub fn output_shape(&self) -> &PartialShape {
        &self.outputs[0].shape
    }

    /// The elements of the widest value that one sample becomes on its way from raw data to output: an input, or a layer's
    /// output. A prediction has some such values in memory at once. Who loads files of others refuses a number that is too
    /// large; with free lengths it is that of the lengths which the model was tried with when it was built.
    pub fn widest(&self) -> usize {
        let before = self.preprocessing.as_ref().map_or(0, |before| before.computation.widest);
        before.max(self.computation.widest)
    }

    /// The weights and states.
    pub fn params(&self) -> &Params<T> {
        &self.params
    }

    /// The weights and states, to be changed.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let mut model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
    /// model.params_mut().get_mut("0/kernel").unwrap().value = Tensor::new([[10.0], [1.0]]);
    /// assert_eq!(model.predict(&Tensor::new([[4.0, 2.0]]))?, Tensor::new([[42.0]]));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub fn params_mut(&mut self) -> &mut Params<T> {
        self.constants.take();
        &mut self.params
    }

    /// The layers with their output shapes and numbers of parameters, to be printed.
    pub fn summary(&self) -> Summary {
        let Model { network, inputs, outputs, layers, branches, params, .. } = self;
        Summary::new(Table { is_chain: network.is_chain(), branches: *branches, inputs, outputs, layers, params })
    }

    /// Keeps the weights and states of the layer at `path` (`"1"`, or `"encoder/0"` within another), and of all within
    /// it, as they are: weights get no gradient, and a batch normalisation computes as when predicting. Layers that share
    /// weights have them frozen together.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential};
    /// let network = Sequential::new().add_named("body", Dense::new(8)).add_named("head", Dense::new(2));
    /// let mut model = Model::build(network, [4], 42)?;
    /// model.freeze("body")?;
    /// assert_eq!(model.summary().trainable_params, 8 * 2 + 2);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn freeze(&mut self, path: &str) -> Result<()> {
        if let Some(path) = self.weights_of("freeze", path)? {
            self.params.freeze(&path);
        }
        Ok(())
    }

    /// Lets the weights and states of the layer at `path`, and of all within it, be trained again.
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn unfreeze(&mut self, path: &str) -> Result<()> {
        if let Some(path) = self.weights_of("unfreeze", path)? {
            self.params.unfreeze(&path);
        }
        Ok(())
    }

    /// The path of the weights and states of the layer at `path`, if it has any.
    fn weights_of(&self, op: &str, path: &str) -> Result<Option<String>> {
        let Some(layer) = self.layers.iter().find(|layer| layer.path == path) else {
            let paths: Vec<&str> = self.layers.iter().map(|layer| &*layer.path).collect();
            let problem = format!("there is no layer {path:?}, only {}", paths.join(", "));
            return Err(Error::new(op, problem, "the summary lists the layers"));
        };
        let path = layer.shares.as_deref().unwrap_or(path);
        Ok(self.params.iter().any(|param| is_within(&param.name, path)).then(|| path.to_owned()))
    }

    /// The output for a batch of inputs: `[n, input shape]` to `[n, output shape]`.
    ///
    /// The inputs are one tensor of any element type, or [`Columns`] for several inputs. They have been prepared:
    /// [`predict_from_raw`](Model::predict_from_raw) takes raw data, such as pictures of bytes. Large batches are computed part
    /// by part, so that memory for what is between input and output stays small.
    ///
    /// ```
    /// use gradus_nn::{Dense, Initializer, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let network = Sequential::new().add(Dense::new(1).kernel_initializer(Initializer::Ones));
    /// let model = Model::build(network, [2], 42)?;
    /// assert_eq!(model.predict(&Tensor::new([[1.0, 2.0], [3.0, 4.0]]))?, Tensor::new([[3.0], [7.0]]));
    /// // Samples have two features, not three.
    /// assert!(model.predict(&Tensor::new([[1.0, 2.0, 3.0]])).is_err());
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the inputs have another shape, an id is none that its layer knows, or the network has several outputs.
    pub fn predict(&self, inputs: impl Into<Columns>) -> Result<Tensor<T>> {
        if self.outputs.len() != 1 {
            let names: Vec<&str> = self.outputs.iter().map(|output| &*output.name).collect();
            let problem = format!("the network has {} outputs: {}", names.len(), names.join(", "));
            return Err(Error::new("predict", problem, "call predict_all, which returns all of them"));
        }
        Ok(self.outputs_of("predict", &inputs.into())?.0.swap_remove(0))
    }

    /// All outputs for a batch of inputs, in the order of [`outputs`](Model::outputs); otherwise as
    /// [`predict`](Model::predict).
    ///
    /// ```
    /// use gradus_nn::{Dense, Graph, Initializer, Model};
    /// use gradus_tensor::Tensor;
    /// let mut graph = Graph::builder();
    /// let x = graph.input();
    /// let sum = graph.add_named("sum", Dense::new(1).kernel_initializer(Initializer::Ones), [x]);
    /// let nothing = graph.add_named("nothing", Dense::new(1).kernel_initializer(Initializer::Zeros), [x]);
    /// let model = Model::build(graph.outputs([sum, nothing]), [2], 42)?;
    /// assert_eq!(model.predict_all(&Tensor::new([[1.0, 2.0]]))?, [Tensor::new([[3.0]]), Tensor::new([[0.0]])]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the inputs have another shape, or an id is none that its layer knows.
    pub fn predict_all(&self, inputs: impl Into<Columns>) -> Result<Vec<Tensor<T>>> {
        Ok(self.outputs_of("predict_all", &inputs.into())?.0)
    }

    pub(crate) fn outputs_of(&self, op: &str, inputs: &Columns) -> Result<WithMasks<T>> {
        let fed = Fed::new(op, &self.inputs, inputs)?;
        let computation = self.computation(op, &fed)?;
        let vars = self.constants();
        let outputs = |first: usize, end: usize| {
            let values = fed.values(op, &self.inputs, first, end)?;
            Ok(with_masks(self.run(&computation, vars, values, None, None).0))
        };
        // As many samples at once as make no layer's output much larger than a processor's cache.
        const ELEMENTS: usize = 1 << 20;
        let (samples, part) = (fed.samples, (ELEMENTS / computation.widest.max(1)).max(1));
        if samples <= part {
            return outputs(0, samples);
        }
        let parts = (0..samples).step_by(part).map(|first| outputs(first, (first + part).min(samples)));
        let mut of_outputs = vec![(Vec::new(), Vec::new()); self.outputs.len()];
        for part in parts {
            let (outputs, masks) = part?;
            for ((of_output, of_mask), (output, mask)) in of_outputs.iter_mut().zip(outputs.into_iter().zip(masks)) {
                of_output.push(output);
                of_mask.extend(mask);
            }
        }
        let whole = |(outputs, masks): (Vec<Tensor<T>>, Vec<Tensor<bool>>)| {
            (Tensor::concat(&outputs, 0), (!masks.is_empty()).then(|| Tensor::concat(&masks, 0)))
        };
        Ok(of_outputs.into_iter().map(whole).unzip())
    }

    /// Checks inputs without computing anything: the number and the names of the columns, their shapes, and that each id is
    /// one that its layer knows. `op` begins the message.
    ///
    /// # Errors
    /// As [`predict`](Model::predict).
    pub fn check_inputs(&self, op: &str, inputs: impl Into<Columns>) -> Result<()> {
        Fed::new(op, &self.inputs, &inputs.into())?.check_values(op, &self.inputs)
    }

    /// Checks that the activations in which the network ends can be meant with this loss: that a loss over probabilities is
    /// not given those of a layer without an activation, and one over logits not those of a softmax. A network whose last
    /// activation is not known ([`OutputInfo::activation`]) suits every loss. `op` begins the message.
    ///
    /// ```
    /// use gradus_nn::losses::CategoricalCrossentropy;
    /// use gradus_nn::{Dense, Model, Sequential};
    /// let model = Model::build(Sequential::new().add(Dense::new(3)), [4], 42)?;
    /// // There is no softmax: these are logits.
    /// assert!(model.check_loss("fit", &CategoricalCrossentropy::default()).is_err());
    /// assert!(model.check_loss("fit", &CategoricalCrossentropy::default().from_logits(true)).is_ok());
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If they cannot be meant: which output, and what to change.
    pub fn check_loss(&self, op: &str, loss: &(impl Objective<T> + ?Sized)) -> Result<()> {
        for output in &self.outputs {
            let Some(activation) = output.activation else { continue };
            loss.check_activation(&output.name, activation).map_err(|error| match &self.outputs[..] {
                [_] => error.within(op),
                _ => error.within(&format!("{op}: output {}", output.name)),
            })?;
        }
        Ok(())
    }

    /// The targets of each output, in the order of the outputs. Columns with names are matched to the outputs by name,
    /// columns without names by order. `op` begins the message.
    ///
    /// # Errors
    /// If there is not one column for each output.
    pub fn match_targets(&self, op: &str, targets: impl Into<Columns>) -> Result<Vec<Tensor<T>>> {
        let names: Vec<&str> = self.outputs.iter().map(|output| &*output.name).collect();
        Ok(matched(op, "target", &names, &targets.into())?.into_iter().map(|targets| targets.to()).collect())
    }

    /// The computation for inputs of these shapes.
    fn computation(&self, op: &str, fed: &Fed<'_>) -> Result<Arc<Computation<T>>> {
        if self.inputs.iter().all(|input| input.shape.is_fixed()) {
            return Ok(Arc::clone(&self.computation));
        }
        self.computation_of(op, fed, &self.whole(), false)
    }

    /// The computation for inputs of these shapes, in which each layer shows its outputs to an observer.
    fn observed_computation(&self, op: &str, fed: &Fed<'_>) -> Result<Arc<Computation<T>>> {
        self.computation_of(op, fed, &self.whole(), true)
    }

    /// Of each input that it comes whole.
    fn whole(&self) -> Vec<Flow> {
        vec![Flow::Whole; self.inputs.len()]
    }

    /// The computation for inputs of these shapes, each of which is whole or a part of a sequence.
    pub(crate) fn computation_of_parts(&self, op: &str, fed: &Fed<'_>, flows: &[Flow]) -> Result<Arc<Computation<T>>> {
        self.computation_of(op, fed, flows, false)
    }

    fn computation_of(&self, op: &str, fed: &Fed<'_>, flows: &[Flow], observed: bool) -> Result<Arc<Computation<T>>> {
        let shapes = fed.shapes();
        let named = |(input, shape): (&InputInfo, &Shape)| format!("{} {shape}", input.name);
        let Model { recent, network, inputs, params, .. } = self;
        let built = free::computation(recent, network, inputs, shapes.clone(), flows, observed, params);
        built.map_err(|error| {
            let found: Vec<String> = self.inputs.iter().zip(&shapes).map(named).collect();
            error.within(&format!("{op}: samples of shape {}", found.join(", ")))
        })
    }

    /// The outputs for inputs of the shapes that the model was built for, and the next values of the states by their index
    /// among the parameters.
    pub(crate) fn compute(
        &self,
        vars: &[Var<T>],
        inputs: Values<T>,
        training: Option<&mut Generator>,
    ) -> (Values<T>, Vec<(usize, Tensor<T>)>) {
        self.run(&self.computation, vars, inputs, training, None)
    }

    /// As [`compute`](Model::compute), by a computation for inputs of other shapes, perhaps with an observer.
    fn run(
        &self,
        computation: &Computation<T>,
        vars: &[Var<T>],
        inputs: Values<T>,
        training: Option<&mut Generator>,
        observer: Option<&mut Collector<T>>,
    ) -> (Values<T>, Vec<(usize, Tensor<T>)>) {
        let mut context = Context::new(&self.params, vars, training).observed_by(observer);
        let outputs = (computation.forward)(&mut context, inputs);
        (outputs, context.updates)
    }

    /// The one output for parts of sequences, from what layers remember of the parts before.
    pub(crate) fn output_after(
        &self,
        computation: &Computation<T>,
        inputs: Values<T>,
        memory: &mut LayerMemory<T>,
    ) -> Tensor<T> {
        let mut context = Context::new(&self.params, self.constants(), None).with_memory(memory);
        (computation.forward)(&mut context, inputs).into_floats().into_value()
    }

    /// The parameters as constants.
    fn constants(&self) -> &[Var<T>] {
        self.constants.get_or_init(|| self.params.iter().map(|param| Var::from(&param.value)).collect())
    }

    /// One training pass: outputs, loss and gradients for a batch, with `generator` for what is random in training.
    /// Nothing is changed: an optimiser applies the gradients, [`Params::update_states`] the next values of states.
    ///
    /// The targets are a tensor, or [`Columns`] with one for each output. `weights` are the samples' weights in the loss,
    /// `[n]`.
    ///
    /// # Errors
    /// If inputs or targets have a shape that the model or the loss cannot take, an id is none that its layer knows, or the
    /// network ends in an activation that cannot be meant with the loss ([`check_loss`](Model::check_loss)).
    pub fn grad(
        &self,
        inputs: impl Into<Columns>,
        targets: impl Into<Columns>,
        weights: Option<&Tensor<T>>,
        loss: &(impl Objective<T> + ?Sized),
        generator: &mut Generator,
    ) -> Result<Pass<T>> {
        self.pass(&inputs.into(), &targets.into(), weights, loss, generator, None)
    }

    /// As [`grad`](Model::grad), perhaps with an observer of the outputs of layers.
    pub(crate) fn pass(
        &self,
        inputs: &Columns,
        targets: &Columns,
        weights: Option<&Tensor<T>>,
        loss: &(impl Objective<T> + ?Sized),
        generator: &mut Generator,
        mut observer: Option<&mut Collector<T>>,
    ) -> Result<Pass<T>> {
        let fed = Fed::new("grad", &self.inputs, inputs)?;
        let computation = match &observer {
            Some(_) => self.observed_computation("grad", &fed)?,
            None => self.computation("grad", &fed)?,
        };
        let mut values = fed.values("grad", &self.inputs, 0, fed.samples)?;
        if let Some(observer) = observer.as_deref_mut() {
            values = self.show_inputs(observer, values);
        }
        let targets = self.match_targets("grad", targets)?;
        self.check_loss("grad", loss)?;
        let is_checked = observer.as_ref().is_some_and(|observer| observer.is_checked);
        let seen = observer.as_deref_mut();
        let total = |vars: &[Var<T>]| {
            let (outputs, states) = self.run(&computation, vars, values, Some(generator), seen);
            let Total { loss: mut total, parts } = self.total(&targets, &outputs, weights, loss)?;
            for &(weight, regularizer) in &self.penalties {
                total = total + regularizer.penalty(&vars[weight.0]);
            }
            Ok::<_, Error>((total, (with_masks(outputs), parts, states.into_iter().collect())))
        };
        let (value, ((outputs, masks), parts, states), grads, faults) = if is_checked {
            checked_value_and_grad(&self.params, total)?
        } else {
            let (value, also, grads) = try_value_and_grad(&self.params, total)?;
            (value, also, grads, Vec::new())
        };
        if let Some(observer) = observer {
            observer.faults = faults;
        }
        Ok(Pass { loss: value, parts, outputs, masks, grads, states })
    }

    /// As [`grad`](Model::grad), for one shard of a batch, while other threads or machines compute the other shards. `inputs`, `targets`
    /// and `weights` are the samples of this shard; [`Shard`] has an example.
    ///
    /// The gradients go to `done`, each with the index of its parameter, as soon as the backward sweep has completed it. Those of all
    /// shards, added up, are the gradients of the whole batch.
    ///
    /// Losses and states of the pass are those of the whole batch, outputs and masks those of this shard. [`Pass::grads`] is empty. A
    /// batch normalisation normalises the whole batch. States are merged as [`Context::update`](crate::Context::update) says.
    ///
    /// Each shard needs a generator of its own, or all drop the same units. A loss that compares samples with each other sees those of the
    /// shard alone.
    ///
    /// # Errors
    /// As [`grad`](Model::grad), in the shard whose samples are wrong, and before any gradient comes. The others wait for it in
    /// [`Shard::merge`]: the caller must see to it that they unwind.
    ///
    /// # Panics
    /// If `shard` panics, as where another shard has ended early.
    #[allow(clippy::too_many_arguments)] // Those of `grad`, and two that belong to the shard.
    pub fn grad_of_shard(
        &self,
        inputs: impl Into<Columns>,
        targets: impl Into<Columns>,
        weights: Option<&Tensor<T>>,
        loss: &(impl Objective<T> + ?Sized),
        generator: &mut Generator,
        shard: &Arc<dyn Shard>,
        done: impl FnMut(usize, Tensor<T>),
    ) -> Result<Pass<T>> {
        let inputs = inputs.into();
        let fed = Fed::new("grad", &self.inputs, &inputs)?;
        let computation = self.computation("grad", &fed)?;
        let values = fed.values("grad", &self.inputs, 0, fed.samples)?;
        let targets = self.match_targets("grad", targets)?;
        self.check_loss("grad", loss)?;
        let total = |vars: &[Var<T>]| {
            let mut context = Context::new(&self.params, vars, Some(generator)).in_shard(shard);
            let outputs = (computation.forward)(&mut context, values);
            let states = context.states_of_batch(fed.samples);
            let terms = loss.terms(&self.scored(&targets, &outputs, loss)?, weights)?;
            let penalties = self.penalties.iter().filter(|_| shard.is_first());
            let penalty = penalties.map(|&(weight, regularizer)| regularizer.penalty(&vars[weight.0]));
            let penalty = penalty.reduce(|sum, penalty| sum + penalty);
            let (Total { loss, parts }, whole) = terms.total_of_batch(penalty, &**shard)?;
            Ok::<_, Error>((loss, (whole, with_masks(outputs), parts, states.into_iter().collect())))
        };
        let (_, (loss, (outputs, masks), parts, states)) = grads_as_they_come(&self.params, total, done)?;
        Ok(Pass { loss, parts, outputs, masks, grads: Grads::default(), states })
    }

    /// The outputs for a batch, as when predicting, with an observer of the inputs and of the outputs of layers.
    pub(crate) fn outputs_seen(&self, op: &str, inputs: &Columns, observer: &mut Collector<T>) -> Result<Vec<Var<T>>> {
        let fed = Fed::new(op, &self.inputs, inputs)?;
        let computation = self.observed_computation(op, &fed)?;
        let values = self.show_inputs(observer, fed.values(op, &self.inputs, 0, fed.samples)?);
        let outputs = self.run(&computation, self.constants(), values, None, Some(observer)).0;
        Ok(outputs.into_iter().map(Value::into_floats).collect())
    }

    /// Shows the inputs to an observer; returns what the network goes on with.
    fn show_inputs(&self, observer: &mut Collector<T>, values: Values<T>) -> Values<T> {
        let shown = self.inputs.iter().zip(values).map(|(input, value)| {
            let values = observer.take(&input.name, "Input", value.into());
            values.into_iter().next().expect("one value is given, one comes back")
        });
        shown.collect()
    }

    /// The loss of a batch, penalties on weights included, and the outputs, as when predicting.
    ///
    /// # Errors
    /// If inputs or targets have a shape that the model or the loss cannot take, an id is none that its layer knows, or the
    /// network ends in an activation that cannot be meant with the loss ([`check_loss`](Model::check_loss)).
    pub fn evaluate(
        &self,
        inputs: impl Into<Columns>,
        targets: impl Into<Columns>,
        weights: Option<&Tensor<T>>,
        loss: &(impl Objective<T> + ?Sized),
    ) -> Result<Evaluation<T>> {
        let targets = self.match_targets("evaluate", targets)?;
        self.check_loss("evaluate", loss)?;
        let (outputs, masks) = self.outputs_of("evaluate", &inputs.into())?;
        let mut values = Values::default();
        for (output, mask) in outputs.into_iter().zip(masks) {
            values.push((Value::Floats(output.into()), mask));
        }
        let Total { loss: mut total, parts } = self.total(&targets, &values, weights, loss)?;
        for &(weight, regularizer) in &self.penalties {
            total = total + regularizer.penalty(&Var::from(&self.params[weight.0].value));
        }
        let (outputs, masks) = with_masks(values);
        Ok(Evaluation { loss: total.value().item(), parts, outputs, masks })
    }

    fn total(
        &self,
        targets: &[Tensor<T>],
        outputs: &Values<T>,
        weights: Option<&Tensor<T>>,
        loss: &(impl Objective<T> + ?Sized),
    ) -> Result<Total<T>> {
        loss.total(&self.scored(targets, outputs, loss)?, weights)
    }

    /// The outputs with their targets, which have been checked.
    fn scored<'a>(
        &'a self,
        targets: &'a [Tensor<T>],
        outputs: &'a Values<T>,
        loss: &(impl Objective<T> + ?Sized),
    ) -> Result<Vec<Scored<'a, T>>> {
        let scored = self.outputs.iter().zip(targets).zip(outputs.iter()).enumerate();
        let scored = scored.map(|(place, ((output, targets), found))| Scored {
            name: &output.name,
            targets,
            outputs: found.floats(),
            mask: outputs.mask(place),
        });
        let scored: Vec<Scored<'_, T>> = scored.collect();
        for (output, scored) in self.outputs.iter().zip(&scored) {
            let Some(activation) = output.activation else { continue };
            loss.check_targets(scored, activation).map_err(|error| match &self.outputs[..] {
                [_] => error,
                _ => error.within(&format!("output {}", output.name)),
            })?;
        }
        Ok(scored)
    }
}

/// The inputs of a network in its order, with these shapes; the kinds are not known yet.
fn of_network(network: &Graph, Inputs(given): Inputs) -> Result<Vec<InputInfo>> {
    let names = &network.inputs;
    if given.len() != names.len() {
        let count =
            |count: usize, what: &str| if count == 1 { format!("one {what}") } else { format!("{count} {what}s") };
        let (inputs, shapes) = (count(names.len(), "input"), count(given.len(), "shape"));
        let problem = format!("the network has {inputs} ({}), found {shapes}", names.join(", "));
        return Err(Error::new("build", problem, "give a shape for each input, in order or by Input::named"));
    }
    let named = given.iter().filter(|input| input.name.is_some()).count();
    if named != 0 && named != given.len() {
        let problem = format!("{named} of {} shapes have names", given.len());
        return Err(Error::new("build", problem, "name the shapes of all inputs or of none"));
    }
    let mut by_name: HashMap<&str, &PartialShape> = HashMap::new();
    for Input { name, shape } in &given {
        // Of two of one name the first counts.
        name.iter().for_each(|name| _ = by_name.entry(name).or_insert(shape));
    }
    let shape_of = |(place, name): (usize, &String)| match by_name.get(&**name) {
        Some(&shape) => Ok(shape.clone()),
        None if named == 0 => Ok(given[place].shape.clone()),
        None => {
            let found: Vec<&str> = given.iter().filter_map(|input| input.name.as_deref()).collect();
            let problem = format!("there is no shape for the input {name:?}, only for {}", shortened(&found));
            Err(Error::new("build", problem, "name the shapes as the network names its inputs"))
        }
    };
    let info = |(place, name): (usize, &String)| {
        let (kind, layer) = (ValueKind::Floats, String::new());
        Ok(InputInfo { name: name.clone(), shape: shape_of((place, name))?, kind, layer })
    };
    names.iter().enumerate().map(info).collect()
}

/// Outputs, and the mask of each.
type WithMasks<T> = (Vec<Tensor<T>>, Vec<Option<Tensor<bool>>>);

/// The tensors of values that are floats, and their masks.
fn with_masks<T: Float>(values: Values<T>) -> WithMasks<T> {
    values.with_masks().map(|(value, mask)| (value.into_floats().into_value(), mask)).unzip()
}
