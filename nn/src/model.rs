//! A network with its weights.

use gradus_autograd::{Grads, Params, StateUpdates, Var, try_value_and_grad};
use gradus_tensor::{Float, Generator, Shape, Tensor};

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::layer::{Build, Built, Context, Forward, Layer, LayerInfo, ParamId, Store};
use crate::losses::Loss;
use crate::regularizers::Regularizer;
use crate::summary::Summary;

/// A network and its weights: built, then trained or loaded, then used to predict.
///
/// ```
/// use gradus_nn::{Activation, Dense, Model, Sequential};
/// use gradus_tensor::Tensor;
/// let network = Sequential::new().add(Dense::new(2).activation(Activation::Softmax));
/// let model = Model::build(network, [3], 42).unwrap();
/// let probabilities = model.predict(&Tensor::zeros([5, 3])).unwrap();
/// assert_eq!(probabilities, Tensor::full([5, 2], 0.5));
/// ```
#[derive(Clone)]
pub struct Model<T: Float = f32> {
    network: Graph,
    input: Shape,
    output: Shape,
    pub(crate) layers: Vec<LayerInfo>,
    /// Whether a network, nested or not, is no chain.
    pub(crate) branches: bool,
    params: Params<T>,
    penalties: Vec<(ParamId, Regularizer)>,
    forward: Forward<T>,
}

/// What one pass forward and back yields.
pub struct Pass<T: Float = f32> {
    /// The loss: its mean over the batch, and the penalties on weights.
    pub loss: T,
    /// The outputs, batch axis first.
    pub outputs: Tensor<T>,
    /// The gradients of the weights.
    pub grads: Grads<T>,
    /// The next values of the states, such as moving averages; [`Params::update_states`] applies them.
    pub states: StateUpdates<T>,
}

impl Model {
    /// Builds a network for inputs of this shape (without the batch axis): checks the shapes from layer to layer and
    /// draws the weights from `seed`.
    ///
    /// # Errors
    /// If a layer cannot take what it is given: which, what it was given and what it needs; or if the network has not
    /// exactly one input.
    pub fn build(network: impl Into<Graph>, input: impl Into<Shape>, seed: u64) -> Result<Model> {
        Model::build_as(network, input, seed)
    }
}

impl<T: Float> Model<T> {
    /// As [`Model::build`], for another element type: `Model::<f64>::build_as(..)`.
    ///
    /// # Errors
    /// If a layer cannot take what it is given, or the network has not exactly one input.
    pub fn build_as(network: impl Into<Graph>, input: impl Into<Shape>, seed: u64) -> Result<Self> {
        Model::of_graph(network.into(), input.into(), seed)
    }

    fn of_graph(network: Graph, input: Shape, seed: u64) -> Result<Self> {
        if network.inputs != 1 {
            let problem = format!("a model takes one input, the network has {}", network.inputs);
            return Err(Error::new("build", problem, "give it one, and take that apart by layers of your own"));
        }
        let generator = Generator::new(seed);
        let (params, penalties, layers) = (Params::new(), Vec::new(), Vec::new());
        let mut store = Store { params, penalties, layers, branches: false, generator };
        let inputs = std::slice::from_ref(&input);
        let mut build = Build { inputs, path: String::new(), kind: Graph::KIND, store: &mut store };
        let Built { output, forward, .. } = network.build(&mut build)?;
        let Store { params, penalties, layers, branches, .. } = store;
        Ok(Model { network, input, output, layers, branches, params, penalties, forward })
    }

    /// The network this was built from; a `Sequential` is one.
    pub fn network(&self) -> &Graph {
        &self.network
    }

    /// The shape of one input, without the batch axis.
    pub fn input_shape(&self) -> &Shape {
        &self.input
    }

    /// The shape of one output, without the batch axis.
    pub fn output_shape(&self) -> &Shape {
        &self.output
    }

    /// The weights and states.
    pub fn params(&self) -> &Params<T> {
        &self.params
    }

    /// The weights and states, to be changed.
    pub fn params_mut(&mut self) -> &mut Params<T> {
        &mut self.params
    }

    /// The layers with their output shapes and numbers of parameters, to be printed.
    pub fn summary(&self) -> Summary {
        Summary::new(self)
    }

    /// Keeps the weights and states of the layer at `path` (`"1"`, or `"encoder/0"` within another), and of all within
    /// it, as they are: weights get no gradient, and a batch normalisation computes as when predicting.
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn freeze(&mut self, path: &str) -> Result<()> {
        if self.has_params("freeze", path)? {
            self.params.freeze(path);
        }
        Ok(())
    }

    /// Lets the weights and states of the layer at `path`, and of all within it, be trained again.
    ///
    /// # Errors
    /// If there is no such layer.
    pub fn unfreeze(&mut self, path: &str) -> Result<()> {
        if self.has_params("unfreeze", path)? {
            self.params.unfreeze(path);
        }
        Ok(())
    }

    /// Whether the layer at `path` has parameters.
    fn has_params(&self, op: &str, path: &str) -> Result<bool> {
        if self.layers.iter().any(|layer| layer.path == path) {
            return Ok(self.params.iter().any(|param| is_within(&param.name, path)));
        }
        let paths: Vec<&str> = self.layers.iter().map(|layer| &*layer.path).collect();
        let problem = format!("there is no layer {path:?}, only {}", paths.join(", "));
        Err(Error::new(op, problem, "the summary lists the layers"))
    }

    /// The outputs for a batch of inputs: `[n, input shape]` to `[n, output shape]`.
    ///
    /// Large batches are computed part by part, so that memory for what is between input and output stays small.
    ///
    /// # Errors
    /// If the inputs have another shape.
    pub fn predict(&self, inputs: &Tensor<T>) -> Result<Tensor<T>> {
        self.check_inputs("predict", inputs)?;
        let vars: Vec<Var<T>> = self.params.iter().map(|param| Var::from(&param.value)).collect();
        let outputs = |inputs: &Tensor<T>| self.run(&vars, Var::from(inputs), None).0.into_value();
        let (samples, part) = (inputs.shape()[0], self.samples_at_once());
        if samples <= part {
            return Ok(outputs(inputs));
        }
        let parts: Vec<Tensor<T>> = (0..samples)
            .step_by(part)
            .map(|start| outputs(&inputs.slice(0, start..(start + part).min(samples))))
            .collect();
        Ok(Tensor::concat(&parts, 0))
    }

    /// How many samples [`predict`](Model::predict) computes at once: such that no layer's output is much larger than a
    /// processor's cache.
    fn samples_at_once(&self) -> usize {
        const ELEMENTS: usize = 1 << 20;
        let widest = self.layers.iter().map(|layer| layer.output.size()).fold(self.input.size(), usize::max);
        (ELEMENTS / widest.max(1)).max(1)
    }

    /// The computation: outputs, and the next values of the states by their index among the parameters.
    pub(crate) fn run(
        &self,
        vars: &[Var<T>],
        inputs: Var<T>,
        training: Option<&mut Generator>,
    ) -> (Var<T>, Vec<(usize, Tensor<T>)>) {
        let mut context = Context::new(&self.params, vars, training);
        let outputs = (self.forward)(&mut context, vec![inputs]);
        (outputs, context.updates)
    }

    /// One training pass: outputs, loss and gradients for a batch, with `generator` for what is random in training.
    /// Nothing is changed: an optimiser applies the gradients, [`Params::update_states`] the next values of states.
    ///
    /// # Errors
    /// If inputs or targets have a shape that the model or the loss cannot take.
    pub fn grad(
        &self,
        inputs: &Tensor<T>,
        targets: &Tensor<T>,
        weights: Option<&Tensor<T>>,
        loss: &impl Loss,
        generator: &mut Generator,
    ) -> Result<Pass<T>> {
        self.check_inputs("grad", inputs)?;
        let (value, (outputs, states), grads) = try_value_and_grad(&self.params, |vars| {
            let (outputs, states) = self.run(vars, Var::from(inputs), Some(generator));
            let mut total = loss.mean(targets, &outputs, weights)?;
            for &(weight, regularizer) in &self.penalties {
                total = total + regularizer.penalty(&vars[weight.0]);
            }
            Ok::<_, Error>((total, (outputs.into_value(), states.into_iter().collect())))
        })?;
        Ok(Pass { loss: value, outputs, grads, states })
    }

    /// The loss of a batch, penalties on weights included, and the outputs, as when predicting.
    ///
    /// # Errors
    /// If inputs or targets have a shape that the model or the loss cannot take.
    pub fn evaluate(
        &self,
        inputs: &Tensor<T>,
        targets: &Tensor<T>,
        weights: Option<&Tensor<T>>,
        loss: &impl Loss,
    ) -> Result<(T, Tensor<T>)> {
        let outputs = Var::from(self.predict(inputs)?);
        let mut total = loss.mean(targets, &outputs, weights)?;
        for &(weight, regularizer) in &self.penalties {
            total = total + regularizer.penalty(&Var::from(&self.params[weight.0].value));
        }
        Ok((total.value().item(), outputs.into_value()))
    }

    fn check_inputs(&self, op: &str, inputs: &Tensor<T>) -> Result<()> {
        if inputs.ndim() > 0 && inputs.shape()[1..] == self.input[..] {
            return Ok(());
        }
        let expected = self.input.iter().map(usize::to_string);
        let expected: Vec<String> = std::iter::once("n".to_owned()).chain(expected).collect();
        let hint = if inputs.shape()[..] == self.input[..] {
            "give a single sample a batch axis by unsqueeze(0), and leave the batch axis out of the shape that the model \
             is built for"
        } else if self.input.len() == 3 && inputs.ndim() == 4 && inputs.shape()[3] == self.input[2] {
            "resize or crop the pictures, or build the model for their size"
        } else {
            "reshape the inputs, or build the model for their shape"
        };
        let problem = format!("the model takes inputs of shape [{}], found {}", expected.join(", "), inputs.shape());
        Err(Error::new(op, problem, hint))
    }
}

/// Whether a parameter belongs to the layer at `path` or one within it.
pub(crate) fn is_within(name: &str, path: &str) -> bool {
    name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
}
