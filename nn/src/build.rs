//! The building of a layer: the specs of its inputs, and the place where its weights go.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use gradus_autograd::{Constraint, Param, Params, Role};
use gradus_tensor::{Float, Generator, PerFloat, Shape, Tensor};

use crate::activation::Activation;
use crate::built::Built;
use crate::context::ParamId;
use crate::error::{Error, Result};
use crate::initializers::Initializer;
use crate::inputs::PartialShape;
use crate::layer::LayerKinds;
use crate::mask;
use crate::parts::{self, Flow, PositionLimit};
use crate::regularizers::Regularizer;
use crate::value::{Spec, SpecKind, ValueKind};

/// What a network collects while it is built.
pub(crate) struct Store<T: Float> {
    pub params: Params<T>,
    /// The index of each parameter by its name.
    names: HashMap<String, usize>,
    /// How many layers have been built, one that is shared each time.
    built: usize,
    /// How many inputs these layers had.
    fed: usize,
    /// The kinds of the layers, those within others among them.
    pub kinds: LayerKinds,
    pub penalties: Vec<(ParamId, Regularizer)>,
    pub layers: Vec<LayerInfo>,
    /// Whether a network, nested or not, is no chain.
    pub branches: bool,
    /// The largest number of elements that a layer's output has, for a sample.
    pub widest: usize,
    /// For each input of the model, what layers have asked for.
    pub inputs: RefCell<Vec<AskedInput>>,
    /// Whether sequences come part by part.
    pub in_parts: bool,
    /// Whether each layer shows its outputs to the observer of a computation.
    pub is_observed: bool,
    pub limits: Vec<PositionLimit>,
    pub weights: Weights<T>,
}

/// Where the values of weights come from.
pub(crate) enum Weights<T: Float> {
    /// They are drawn.
    Drawn(Generator),
    /// They are taken out of these, by name.
    Taken(HashMap<String, Param<T>>),
    /// They are there: the store's parameters are those of a model that was built before.
    Given,
    /// They are not there yet: only the shapes are asked for. Each is one element that stands for all.
    Shapes,
}

/// An input of a model while the network is built.
pub(crate) struct AskedInput {
    pub name: String,
    /// The kind, and the layer that has asked for it: `"0 (Embedding)"`.
    pub asked: Option<(ValueKind, String)>,
}

/// A layer of a built network.
#[derive(Clone, Debug)]
pub(crate) struct LayerInfo {
    /// Where it is: `"1"`, or `"encoder/0"` within another.
    pub path: String,
    /// The layer's kind.
    pub kind: &'static str,
    /// The shapes of its outputs, without the batch axis.
    pub outputs: Vec<PartialShape>,
    /// What feeds it, by the names in its network; nothing for a layer within one that is no network.
    pub inputs: Vec<String>,
    /// The layer whose weights it uses, if it shares them.
    pub shares: Option<String>,
    /// The activation that it computes last itself.
    pub activation: Option<Activation>,
}

impl<T: Float> Store<T> {
    /// A store of parameters, with inputs of these names.
    pub fn new(params: Params<T>, weights: Weights<T>, inputs: &[String]) -> Self {
        let inputs = inputs.iter().map(|name| AskedInput { name: name.clone(), asked: None }).collect();
        let names = params.iter().enumerate().map(|(index, param)| (param.name.clone(), index)).collect();
        Store {
            params,
            names,
            built: 0,
            fed: 0,
            kinds: LayerKinds::none(),
            penalties: Vec::new(),
            layers: Vec::new(),
            branches: false,
            widest: 0,
            inputs: RefCell::new(inputs),
            in_parts: false,
            is_observed: false,
            limits: Vec::new(),
            weights,
        }
    }

    /// The building of a network of this kind, on inputs of these specs.
    pub fn root<'a>(&'a mut self, kind: &'static str, inputs: &'a [Spec]) -> Build<'a, T> {
        let given = matches!(self.weights, Weights::Given);
        self.in_parts = inputs.iter().any(|input| input.flow != Flow::Whole);
        Build { inputs, path: String::new(), weights_path: String::new(), given, kind, store: self }
    }
}

/// The building of one layer: the specs of its inputs, and the place where its weights go.
///
/// A layer of two inputs, with layers within it:
///
/// ```
/// use gradus_nn::{Build, Built, Dense, Graph, Layer, Model, Result, Spec, ValueKind};
/// use gradus_tensor::Float;
/// use serde::{Deserialize, Serialize};
///
/// /// y = x gamma(c) + beta(c), where c is a second input. Perez et al., arXiv:1709.07871.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct FiLM;
///
/// impl Layer for FiLM {
///     const KIND: &'static str = "FiLM";
///
///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
///         let x = build.input_as(0, ValueKind::Floats)?.clone();
///         let condition = &build.inputs()[1..];
///         if x.len() != 1 || condition.len() != 1 {
///             return Err(build.error(format!("takes features {x} and one condition"), "feed it with [x, c]"));
///         }
///         let gamma = build.child("gamma", &Dense::new(x[0]), condition)?;
///         let beta = build.child("beta", &Dense::new(x[0]), condition)?;
///         Ok(Built::of_values(vec![Spec::floats(x)], move |context, inputs| {
///             let gamma = gamma.run(context, inputs[1].clone()).into_floats();
///             let beta = beta.run(context, inputs[1].clone()).into_floats();
///             (inputs[0].floats() * gamma + beta).into()
///         }))
///     }
/// }
///
/// let mut graph = Graph::builder();
/// let (x, c) = (graph.input(), graph.input());
/// let y = graph.add(FiLM, [x, c]);
/// let model = Model::build(graph.output(y), ([4], [2]), 42)?;
/// assert_eq!(model.params().get("0/gamma/kernel").unwrap().value.shape(), &[2, 4]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub struct Build<'a, T: Float> {
    inputs: &'a [Spec],
    /// Where the layer is in the network.
    path: String,
    /// Where its weights are: elsewhere, if it shares those of another.
    weights_path: String,
    /// Whether the weights are there already.
    given: bool,
    kind: &'static str,
    pub(crate) store: &'a mut Store<T>,
}

impl<'a, T: Float> Build<'a, T> {
    /// The shape of the one input, without the batch axis. The layer takes it as floats.
    ///
    /// # Errors
    /// If the layer is given several inputs, or no floats.
    pub fn input(&self) -> Result<&'a Shape> {
        self.one(ValueKind::Floats)
    }

    /// The shape of the one input, without the batch axis. The layer takes it as ids, whole numbers from 0 to `count` - 1.
    ///
    /// # Errors
    /// If the layer is given several inputs, or no ids, or more different ones.
    pub fn ids(&self, count: usize) -> Result<&'a Shape> {
        self.one(ValueKind::Ids { count })
    }

    fn one(&self, kind: ValueKind) -> Result<&'a Shape> {
        match self.inputs.len() {
            1 => self.input_as(0, kind),
            count => Err(self.error(format!("takes one input, found {count}"), "merge them by a layer before it")),
        }
    }

    /// What is known of all inputs. A layer that computes with an input says by [`input_as`](Build::input_as) what it takes
    /// it for; one that only passes it to a layer within it need not.
    pub fn inputs(&self) -> &'a [Spec] {
        self.inputs
    }

    /// The shape of an input, without the batch axis, for a layer of several of different kinds. The layer takes it as
    /// this kind.
    ///
    /// # Errors
    /// If there is no such input, or it is of another kind; if it is an input of the network, and another layer takes it
    /// as another kind.
    pub fn input_as(&self, index: usize, kind: ValueKind) -> Result<&'a Shape> {
        let Some(spec) = self.inputs.get(index) else {
            let problem = format!("takes {} inputs or more, found {}", index + 1, self.inputs.len());
            return Err(self.error(problem, "feed it with as many"));
        };
        match spec.kind {
            SpecKind::Input(place) => self.ask(place, kind)?,
            SpecKind::Known(given) => match (given, kind) {
                (ValueKind::Floats, ValueKind::Floats) | (ValueKind::Mask, ValueKind::Mask) => {}
                (ValueKind::Ids { count }, ValueKind::Ids { count: known }) if count <= known => {}
                _ => {
                    let problem = format!("takes {kind}, found {given}");
                    return Err(self.error(problem, "feed it with an input of the network, or convert by a layer"));
                }
            },
        }
        Ok(&spec.shape)
    }

    /// Settles the kind of an input of the model.
    fn ask(&self, place: usize, kind: ValueKind) -> Result<()> {
        let input = &mut self.store.inputs.borrow_mut()[place];
        let me = || format!("{} ({})", self.path, self.kind);
        match &input.asked {
            None => input.asked = Some((kind, me())),
            Some((ValueKind::Ids { count }, _)) if matches!(kind, ValueKind::Ids { .. }) => {
                if matches!(kind, ValueKind::Ids { count: fewer } if fewer < *count) {
                    input.asked = Some((kind, me()));
                }
            }
            Some((asked, _)) if *asked == kind => {}
            Some((asked, layer)) => {
                let problem = format!("takes {kind} from {:?}, of which layer {layer} takes {asked}", input.name);
                return Err(self.error(problem, "convert by a layer, or feed the network with two inputs"));
            }
        }
        Ok(())
    }

    /// The shapes of the inputs of a layer that merges them, without the batch axis. The layer takes them as floats.
    ///
    /// # Errors
    /// If there are fewer than two, or one is not floats.
    pub fn several_inputs(&self) -> Result<Vec<&'a Shape>> {
        let count = self.inputs.len();
        if count < 2 {
            let problem = format!("merges two inputs or more, found {count}");
            return Err(self.error(problem, "feed it with several layers of a Graph"));
        }
        (0..count).map(|index| self.input_as(index, ValueKind::Floats)).collect()
    }

    /// The length of the last axis of the one input: its features.
    ///
    /// # Errors
    /// If there are several inputs or the input has no axis besides the batch.
    pub fn features(&self) -> Result<usize> {
        let shape = self.input()?;
        shape.last().copied().ok_or_else(|| {
            self.error(
                "needs an input with a last axis of features, found one number per sample: []".to_owned(),
                "give the inputs the shape [n, 1]",
            )
        })
    }

    /// The place of an axis of the one input, counted as Keras does: with the batch axis, so from 1, or from -1, the last,
    /// down.
    ///
    /// # Errors
    /// If there are several inputs, or samples have no such axis.
    pub fn axis(&self, axis: isize) -> Result<usize> {
        self.axis_of(self.input()?, axis)
    }

    /// As [`axis`](Build::axis), of samples of this shape.
    pub(crate) fn axis_of(&self, shape: &Shape, axis: isize) -> Result<usize> {
        let ndim = shape.len() + 1;
        match usize::try_from(if axis < 0 { axis + ndim as isize } else { axis }) {
            Ok(place) if (1..ndim).contains(&place) => Ok(place),
            _ => {
                let problem = format!("there is no axis {axis} in samples of shape {shape}");
                Err(self.error(problem, "count axes from 1, the first after the batch, or from -1, the last"))
            }
        }
    }

    /// Registers a trainable weight, drawn by `initializer`.
    ///
    /// # Errors
    /// If the initialiser cannot draw that shape, no memory could hold it, or the layer has a weight of that name.
    pub fn weight(&mut self, name: &str, shape: impl Into<Shape>, initializer: Initializer) -> Result<ParamId> {
        let shape = shape.into();
        if self.given {
            return self.given_param(name, &shape);
        }
        let path = self.new_name(name)?;
        let bytes = shape.iter().try_fold(size_of::<T>(), |bytes, &length| bytes.checked_mul(length));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            let problem = format!("no memory holds the weight {name:?} of shape {shape}");
            return Err(self.error(problem, "make the layer smaller"));
        }
        if let Err((problem, hint)) = initializer.check::<T>(&shape) {
            return Err(self.error(format!("the weight {name:?}: {problem}"), hint));
        }
        let value = match &mut self.store.weights {
            Weights::Drawn(generator) => initializer.draw(&shape, generator),
            Weights::Taken(_) => return self.taken_param(path, &shape, Role::Weight),
            // One element that stands for all: no memory is taken.
            Weights::Given | Weights::Shapes => Tensor::scalar(T::ZERO).broadcast_to(shape),
        };
        Ok(self.add(path, value, Role::Weight))
    }

    /// Changes a weight that has just been drawn; one that was read or given stays as it is.
    pub(crate) fn redraw(&mut self, weight: ParamId, change: impl FnOnce(&mut Tensor<T>)) {
        if matches!(self.store.weights, Weights::Drawn(_)) && !self.given {
            change(&mut self.store.params[weight.0].value);
        }
    }

    /// The number of this layer among all that are built: the same whenever the network is built.
    pub(crate) fn number(&self) -> usize {
        self.store.built
    }

    /// The path under which a value within the layer may be observed, if the computation is to be.
    pub(crate) fn inner_path(&self, name: &str) -> Option<String> {
        self.store.is_observed.then(|| join(&self.path, name))
    }

    /// The layer's kind.
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    /// Says that the layer knows positions 0 to `most` - 1 of sequences, of which it is given parts of this length.
    pub(crate) fn limit_positions(&mut self, length: usize, most: usize) {
        let (layer, place) = (self.number(), format!("layer {} ({})", self.path, self.kind));
        self.store.limits.push(PositionLimit { layer, place, length, most });
    }

    /// Registers a state, which the layer itself changes while training: a moving average, a statistic of the data.
    ///
    /// # Errors
    /// If the layer has a weight or a state of that name.
    pub fn state(&mut self, name: &str, value: Tensor<T>) -> Result<ParamId> {
        if self.given {
            return self.given_param(name, value.shape());
        }
        let path = self.new_name(name)?;
        if let Weights::Taken(_) = self.store.weights {
            return self.taken_param(path, value.shape(), Role::State);
        }
        let value = match self.store.weights {
            Weights::Shapes => Tensor::scalar(T::ZERO).broadcast_to(value.shape()),
            // A layer may give one element that stands for all, so that shapes alone take no memory.
            _ => value.contiguous(),
        };
        Ok(self.add(path, value, Role::State))
    }

    /// Adds a penalty on a weight to the loss, once however many layers share the weight.
    ///
    /// ```
    /// use gradus_nn::losses::MeanSquaredError;
    /// use gradus_nn::{Build, Built, Initializer, Layer, Model, Regularizer, Result, Sequential};
    /// use gradus_tensor::{Float, Tensor};
    /// use serde::{Deserialize, Serialize};
    ///
    /// /// y = x scale, with a penalty of 0.5 scale^2.
    /// #[derive(Clone, Debug, Serialize, Deserialize)]
    /// struct Scale;
    ///
    /// impl Layer for Scale {
    ///     const KIND: &'static str = "Scale";
    ///
    ///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
    ///         let shape = build.input()?.clone();
    ///         let scale = build.weight("scale", shape.clone(), Initializer::Constant(2.0))?;
    ///         build.penalty(scale, Some(Regularizer::L2(0.5)));
    ///         Ok(Built::new(shape, move |context, x| x * context.weight(scale)))
    ///     }
    /// }
    ///
    /// let model = Model::build(Sequential::new().add(Scale), [1], 42)?;
    /// let scores = model.evaluate(&Tensor::new([[1.0]]), &Tensor::new([[2.0]]), None, &MeanSquaredError)?;
    /// assert_eq!((scores.parts[0].loss, scores.loss), (0.0, 2.0));
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    pub fn penalty(&mut self, weight: ParamId, regularizer: Option<Regularizer>) {
        if !self.given {
            self.store.penalties.extend(regularizer.map(|regularizer| (weight, regularizer)));
        }
    }

    /// Says what an optimiser makes hold of a weight after each step.
    ///
    /// # Errors
    /// If the weight lacks an axis of the constraint.
    pub fn constraint(&mut self, weight: ParamId, constraint: Option<Constraint>) -> Result<()> {
        let param = &self.store.params[weight.0];
        if let Some(problem) = constraint.as_ref().and_then(|constraint| constraint.problem_of(param.value.shape())) {
            return Err(self.error(problem, "count the axes of the weight from 0, or from -1, the last"));
        }
        if !self.given {
            self.store.params[weight.0].constraint = constraint;
        }
        Ok(())
    }

    /// An error of this layer: what is wrong, and one thing to do.
    pub fn error(&self, problem: impl Into<String>, hint: &str) -> Error {
        let place = match &*self.path {
            "" => "network".to_owned(),
            path => format!("layer {path} ({})", self.kind),
        };
        Error::new(place, problem, hint)
    }

    /// Builds a layer within this one, on inputs of these specs; its weights are named beneath `name`.
    ///
    /// # Errors
    /// What the inner layer finds wrong.
    pub fn child(&mut self, name: &str, layer: &dyn AnyLayer, inputs: &[Spec]) -> Result<Built<T>> {
        // A spec that the layer has made says nothing of how its value comes, so it does not count as whole.
        let is_whole = self.inputs.iter().all(|input| input.flow == Flow::Whole);
        let flow = |flow: Flow| if flow == Flow::Whole && !is_whole { Flow::Latest } else { flow };
        let inputs: Vec<Spec> = inputs.iter().map(|input| input.clone().flowing(flow(input.flow))).collect();
        self.child_of(name, layer, &inputs, Vec::new(), None)
    }

    /// As [`child`](Build::child), of a network in which layers or inputs called `sources` feed it, and which has the
    /// weights of the layer `shares`, if there is one.
    pub(crate) fn child_of(
        &mut self,
        name: &str,
        layer: &dyn AnyLayer,
        inputs: &[Spec],
        sources: Vec<String>,
        shares: Option<&str>,
    ) -> Result<Built<T>> {
        let (path, kind) = (join(&self.path, name), layer.kind());
        let weights_path = join(&self.weights_path, shares.unwrap_or(name));
        // In its place before the layers within it; its output shape is known after them. Layers within one that shares
        // its weights are listed where the weights are.
        let index = self.store.layers.len();
        let shares_above = self.path != self.weights_path;
        let shared = shares.map(|shares| join(&self.path, shares));
        if !shares_above {
            // Of inputs of which nothing is known, so that a layer which passes on what feeds it has none.
            let activation = layer.activations(&vec![None; inputs.len()]).first().copied().flatten();
            let (path, outputs) = (path.clone(), Vec::new());
            self.store.layers.push(LayerInfo { path, kind, outputs, inputs: sources, shares: shared, activation });
        }
        let given = self.given || shares.is_some();
        let mut build = Build { inputs, path, weights_path, given, kind, store: self.store };
        build.check_work()?;
        layer.add_kind(&mut build.store.kinds);
        let built = T::choose(BuildOf)(layer, &mut build)?;
        let built = mask::settle(&build, built)?;
        let built = parts::settle(&build, built)?;
        if let Some(output) = built.outputs.iter().find(|output| output.shape.len() > MOST_AXES) {
            let problem = format!("its output has {} axes, there can be {MOST_AXES}", output.shape.len());
            return Err(build.error(problem, "join axes by a Reshape"));
        }
        if let Some(output) = built.outputs.iter().find(|output| !fits_memory(&output.shape)) {
            return Err(build.error(format!("no memory holds its output of shape {}", output.shape), "make it smaller"));
        }
        let shapes = built.outputs.iter().map(|output| &output.shape);
        self.store.widest = shapes.clone().map(|shape| shape.size()).fold(self.store.widest, usize::max);
        if !shares_above {
            self.store.layers[index].outputs = shapes.map(PartialShape::from).collect();
        }
        Ok(if self.store.is_observed { built.observed(join(&self.path, name), kind) } else { built })
    }

    /// Counts the layer, and refuses more work than a file may ask for.
    fn check_work(&mut self) -> Result<()> {
        self.store.built += 1;
        self.store.fed += self.inputs.len();
        let (problem, hint) = if self.store.built > MOST_LAYERS {
            (format!("the network computes more than {MOST_LAYERS} layers"), "share and nest fewer networks")
        } else if self.store.fed > MOST_FED {
            (format!("the layers of the network have more than {MOST_FED} inputs"), "feed layers with fewer others")
        } else if self.path.len() > LONGEST_PATH {
            let problem = format!("the layer's path has {} bytes, it can have {LONGEST_PATH}", self.path.len());
            // Without the path itself.
            return Err(Error::new("build", problem, "give layers shorter names"));
        } else {
            return Ok(());
        };
        Err(self.error(problem, hint))
    }

    /// The weight or state that is there already.
    fn given_param(&self, name: &str, shape: &Shape) -> Result<ParamId> {
        let path = join(&self.weights_path, name);
        let Some(&index) = self.store.names.get(&path) else {
            let problem = format!("there is no weight {path:?} to be used again");
            return Err(self.error(problem, "build the same weights whatever the lengths of the input"));
        };
        let found = self.store.params[index].value.shape();
        if found == shape {
            return Ok(ParamId(index));
        }
        let problem = format!("the weight {path:?} has the shape {found}, on this input it would be {shape}");
        Err(self.error(problem, "share or use a layer only where its weights have the same shapes"))
    }

    /// The weight or state of this full name, taken out of those that there are.
    fn taken_param(&mut self, path: String, shape: &Shape, role: Role) -> Result<ParamId> {
        let Weights::Taken(taken) = &mut self.store.weights else {
            unreachable!("weights are taken only out of those that there are")
        };
        let Some(Param { value, frozen, .. }) = taken.remove(&path) else {
            return Err(self.error(format!("there is no weight {path:?}"), TAKEN));
        };
        if value.shape() != shape {
            let found = value.shape();
            return Err(self.error(format!("the weight {path:?} has the shape {found}, {shape} is needed"), TAKEN));
        }
        let id = self.add(path, value, role);
        self.store.params[id.0].frozen = frozen;
        Ok(id)
    }

    /// Adds a parameter, whose name is new.
    fn add(&mut self, path: String, value: Tensor<T>, role: Role) -> ParamId {
        let Store { params, names, .. } = &mut *self.store;
        let index = match role {
            Role::Weight => params.add(&*path, value),
            Role::State => params.add_state(&*path, value),
        };
        names.insert(path, index);
        ParamId(index)
    }

    /// The full name of a weight or state that there is not yet.
    fn new_name(&self, name: &str) -> Result<String> {
        let path = join(&self.weights_path, name);
        if name.is_empty() || self.store.names.contains_key(&path) {
            let problem = format!("the name of a weight must be new and not empty, found {name:?}");
            return Err(self.error(problem, "name each weight of the layer differently"));
        }
        Ok(path)
    }
}

const TAKEN: &str = "take the weights of a model with this network";

/// Layers that a network computes at most. Networks that are shared within shared networks double with each level, so that a
/// small file could ask for more than ever ends.
const MOST_LAYERS: usize = 20_000;
/// Inputs that all layers have at most, and bytes of a layer's path, for the same reason: paths are written for each layer.
const MOST_FED: usize = 1_000_000;
const LONGEST_PATH: usize = 1000;
/// Axes of a sample at most: NumPy's limit, which files have as well.
pub(crate) const MOST_AXES: usize = 64;

/// Whether memory could hold a sample of this shape, and its sizes can be computed with.
pub(crate) fn fits_memory(shape: &Shape) -> bool {
    let elements = shape.iter().try_fold(1_usize, |elements, &length| elements.checked_mul(length.max(1)));
    elements.is_some_and(|elements| elements <= isize::MAX as usize / size_of::<f64>())
}

/// `name` beneath a path.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// Whether a parameter belongs to the layer at `path` or one within it.
pub(crate) fn is_within(name: &str, path: &str) -> bool {
    name.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
}

/// Any [`Layer`](crate::Layer), as networks hold them. Implemented for every layer.
///
/// ```
/// use gradus_nn::{AnyLayer, Dropout, LayerHandle};
/// let layer = LayerHandle::new(Dropout::new(0.25));
/// assert_eq!((layer.kind(), layer.config().unwrap()["rate"].as_f64()), ("Dropout", Some(0.25)));
/// ```
pub trait AnyLayer: Any + fmt::Debug + Send + Sync {
    /// [`Layer::KIND`](crate::Layer::KIND).
    fn kind(&self) -> &'static str;
    /// The layer's data.
    ///
    /// # Errors
    /// If the layer's own `Serialize` fails.
    fn config(&self) -> serde_json::Result<serde_json::Value>;
    /// [`Layer::output_activations`](crate::Layer::output_activations).
    #[doc(hidden)]
    fn activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>>;
    /// Adds the layer's own kind to these.
    #[doc(hidden)]
    fn add_kind(&self, kinds: &mut LayerKinds);
    #[doc(hidden)]
    fn build_f32(&self, build: &mut Build<'_, f32>) -> Result<Built<f32>>;
    #[doc(hidden)]
    fn build_f64(&self, build: &mut Build<'_, f64>) -> Result<Built<f64>>;
}

/// A trait object's `build` for each float type.
struct BuildOf;

type BuildFn<T> = fn(&dyn AnyLayer, &mut Build<'_, T>) -> Result<Built<T>>;

impl PerFloat for BuildOf {
    type Of<T: Float> = BuildFn<T>;
    fn f32(self) -> BuildFn<f32> {
        |layer, build| layer.build_f32(build)
    }
    fn f64(self) -> BuildFn<f64> {
        |layer, build| layer.build_f64(build)
    }
}
