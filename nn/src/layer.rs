//! The layer: plain data plus one function.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use gradus_autograd::{Params, Var};
use gradus_tensor::{Float, Generator, PerFloat, Shape, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::epilogue::{AsEpilogue, Epilogue, Supports, WithEpilogue};
use crate::error::{Error, Result};
use crate::initializers::Initializer;
use crate::registry::LayerReader;
use crate::regularizers::Regularizer;

/// A layer: plain data that says what to build, and [`build`](Layer::build), which does.
///
/// A layer has no weights and no modes of its own: `build` checks the input shape, registers named weights, and
/// returns the output shape with the computation. Whether it is training shows in the [`Context`].
///
/// ```
/// use gradus_nn::{Build, Built, Initializer, Layer, Result, check_layer};
/// use gradus_tensor::Float;
/// use serde::{Deserialize, Serialize};
///
/// /// y = x * scale, with one learned factor per feature.
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Scale;
///
/// impl Layer for Scale {
///     const KIND: &'static str = "Scale";
///
///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
///         let shape = build.input()?.clone();
///         let scale = build.weight("scale", shape.clone(), Initializer::Ones)?;
///         Ok(Built::new(shape, move |context, x| x * context.weight(scale)))
///     }
/// }
///
/// check_layer(&Scale, [3]).unwrap();
/// ```
pub trait Layer: Clone + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The layer's name as in Keras: `"Dense"`. It names the layer in summaries, messages and files.
    const KIND: &'static str;

    /// Checks the input, registers weights, and returns the output shape and the computation.
    ///
    /// # Errors
    /// If the input's shape does not suit the layer.
    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>>;

    /// The layer from its data: what serde reads. A layer that holds others overrides this ([`LayerReader`]).
    ///
    /// # Errors
    /// If the data are not a layer's of this kind.
    fn read(config: Value, reader: &LayerReader<'_>) -> Result<Self> {
        reader.config(config)
    }

    /// The layer as networks hold it.
    #[doc(hidden)]
    fn into_any(self) -> Arc<dyn AnyLayer> {
        Arc::new(self)
    }
}

/// Within `impl Layer`: has the layer compiled in this crate, once for each float type, and not again in every program
/// that adds it to a network. (A provided method is compiled where it is called, one written out where it is written.)
macro_rules! compiled_here {
    () => {
        fn into_any(self) -> std::sync::Arc<dyn crate::layer::AnyLayer> {
            std::sync::Arc::new(self)
        }
    };
}
pub(crate) use compiled_here;

/// A layer's computation: from its inputs, batch axis first, to its output. An input that nobody else needs is given away
/// for good, so that its memory may be freed or computed in.
pub type Forward<T> = Arc<dyn Fn(&mut Context<'_, T>, Vec<Var<T>>) -> Var<T> + Send + Sync>;

/// What building a layer yields: its output shape (without the batch axis) and its computation.
pub struct Built<T: Float> {
    /// The output shape, without the batch axis.
    pub output: Shape,
    /// The computation.
    pub forward: Forward<T>,
    /// The computation with an epilogue behind it, if the layer takes one.
    pub(crate) with_epilogue: Option<WithEpilogue<T>>,
    /// The computation as an epilogue of the layer before it, if it can be one.
    pub(crate) as_epilogue: Option<AsEpilogue<T>>,
}

impl<T: Float> Built<T> {
    /// A layer of one input.
    pub fn new(
        output: impl Into<Shape>,
        forward: impl Fn(&mut Context<'_, T>, &Var<T>) -> Var<T> + Send + Sync + 'static,
    ) -> Self {
        Self::merging(output, move |context, inputs| forward(context, &inputs[0]))
    }

    /// A layer of several inputs.
    pub fn merging(
        output: impl Into<Shape>,
        forward: impl Fn(&mut Context<'_, T>, Vec<Var<T>>) -> Var<T> + Send + Sync + 'static,
    ) -> Self {
        Built { output: output.into(), forward: Arc::new(forward), with_epilogue: None, as_epilogue: None }
    }

    /// A layer of one input whose computation takes an epilogue. It gets [`Epilogue::IDENTITY`], or an epilogue whose
    /// parts it `supports`, made of the layers behind it.
    pub(crate) fn with_epilogue(
        output: impl Into<Shape>,
        supports: Supports,
        compute: impl Fn(&mut Context<'_, T>, &Var<T>, &Epilogue<T>) -> Var<T> + Send + Sync + 'static,
    ) -> Self {
        let compute = Arc::new(compute);
        let alone = Arc::clone(&compute);
        let built = Built::new(output, move |context, x| alone(context, x, &Epilogue::IDENTITY));
        Built { with_epilogue: Some(WithEpilogue { supports, compute }), ..built }
    }

    /// The same layer, which is this epilogue of the layer before it wherever the function gives one.
    pub(crate) fn or_epilogue(
        self,
        epilogue: impl Fn(&mut Context<'_, T>) -> Option<Epilogue<T>> + Send + Sync + 'static,
    ) -> Self {
        Built { as_epilogue: Some(Arc::new(epilogue)), ..self }
    }
}

/// The handle of a weight or state: its index among the model's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamId(pub(crate) usize);

/// What a network collects while it is built.
pub(crate) struct Store<T: Float> {
    pub params: Params<T>,
    pub penalties: Vec<(ParamId, Regularizer)>,
    pub layers: Vec<LayerInfo>,
    /// Whether a network, nested or not, is no chain.
    pub branches: bool,
    pub generator: Generator,
}

/// What a model knows about one of its layers, nested ones included.
#[derive(Clone, Debug)]
pub(crate) struct LayerInfo {
    /// Where it is in the network: `"1"`, or `"encoder/0"` within another.
    pub path: String,
    /// [`Layer::KIND`].
    pub kind: &'static str,
    /// The shape of its output, without the batch axis.
    pub output: Shape,
    /// What feeds it, by the names in its network; nothing for a layer within one that is no network.
    pub inputs: Vec<String>,
}

/// The building of one layer: its input shapes, and where its weights go.
pub struct Build<'a, T: Float> {
    pub(crate) inputs: &'a [Shape],
    pub(crate) path: String,
    pub(crate) kind: &'static str,
    pub(crate) store: &'a mut Store<T>,
}

impl<T: Float> Build<'_, T> {
    /// The shape of the one input, without the batch axis.
    ///
    /// # Errors
    /// If the layer is given several inputs.
    pub fn input(&self) -> Result<&Shape> {
        match self.inputs {
            [shape] => Ok(shape),
            shapes => {
                Err(self.error(format!("takes one input, found {}", shapes.len()), "merge them by a layer before it"))
            }
        }
    }

    /// The shapes of all inputs, without the batch axis.
    pub fn inputs(&self) -> &[Shape] {
        self.inputs
    }

    /// The shapes of the inputs of a layer that merges them, without the batch axis.
    ///
    /// # Errors
    /// If there are fewer than two.
    pub fn several_inputs(&self) -> Result<&[Shape]> {
        match self.inputs {
            [_, _, ..] => Ok(self.inputs),
            inputs => {
                let problem = format!("merges two inputs or more, found {}", inputs.len());
                Err(self.error(problem, "feed it with several layers of a Graph"))
            }
        }
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
        let path = self.new_name(name)?;
        let bytes = shape.iter().try_fold(size_of::<T>(), |bytes, &length| bytes.checked_mul(length));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            let problem = format!("no memory holds the weight {name:?} of shape {shape}");
            return Err(self.error(problem, "make the layer smaller"));
        }
        if let Err((problem, hint)) = initializer.check::<T>(&shape) {
            return Err(self.error(format!("the weight {name:?}: {problem}"), hint));
        }
        let value = initializer.draw(&shape, &mut self.store.generator);
        Ok(ParamId(self.store.params.add(path, value)))
    }

    /// Registers a state, which the layer itself changes while training: a moving average, a statistic of the data.
    ///
    /// # Errors
    /// If the layer has a weight or a state of that name.
    pub fn state(&mut self, name: &str, value: Tensor<T>) -> Result<ParamId> {
        let path = self.new_name(name)?;
        Ok(ParamId(self.store.params.add_state(path, value)))
    }

    /// Adds a penalty on a weight to the loss.
    pub fn penalty(&mut self, weight: ParamId, regularizer: Option<Regularizer>) {
        self.store.penalties.extend(regularizer.map(|regularizer| (weight, regularizer)));
    }

    /// An error of this layer: what is wrong, and one thing to do.
    pub fn error(&self, problem: impl Into<String>, hint: &str) -> Error {
        Error::new(format!("layer {} ({})", self.path, self.kind), problem, hint)
    }

    /// Builds a layer within this one, on inputs of these shapes; its weights are named beneath `name`.
    ///
    /// # Errors
    /// What the inner layer finds wrong.
    pub fn child(&mut self, name: &str, layer: &dyn AnyLayer, inputs: &[Shape]) -> Result<Built<T>> {
        self.child_of(name, layer, inputs, Vec::new())
    }

    /// As [`child`](Build::child), of a network in which these feed it.
    pub(crate) fn child_of(
        &mut self,
        name: &str,
        layer: &dyn AnyLayer,
        inputs: &[Shape],
        sources: Vec<String>,
    ) -> Result<Built<T>> {
        let (path, kind) = (self.name_of(name), layer.kind());
        // In its place before the layers within it; its output shape is known after them.
        let index = self.store.layers.len();
        self.store.layers.push(LayerInfo { path: path.clone(), kind, output: Shape::default(), inputs: sources });
        let built = T::choose(BuildOf)(layer, &mut Build { inputs, path, kind, store: self.store })?;
        self.store.layers[index].output = built.output.clone();
        Ok(built)
    }

    /// The full name of a weight or state that there is not yet.
    fn new_name(&self, name: &str) -> Result<String> {
        let path = self.name_of(name);
        if name.is_empty() || self.store.params.get(&path).is_some() {
            let problem = format!("the name of a weight must be new and not empty, found {name:?}");
            return Err(self.error(problem, "name each weight of the layer differently"));
        }
        Ok(path)
    }

    fn name_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }
}

/// What a computation runs in: the bound weights and, only while training, the randomness.
pub struct Context<'a, T: Float> {
    params: &'a Params<T>,
    /// Parallel to the parameters.
    vars: &'a [Var<T>],
    training: Option<&'a mut Generator>,
    /// New values of states, by index of the parameter.
    pub(crate) updates: Vec<(usize, Tensor<T>)>,
}

impl<'a, T: Float> Context<'a, T> {
    pub(crate) fn new(params: &'a Params<T>, vars: &'a [Var<T>], training: Option<&'a mut Generator>) -> Self {
        Context { params, vars, training, updates: Vec::new() }
    }

    /// A weight or a state.
    pub fn weight(&self, id: ParamId) -> &'a Var<T> {
        &self.vars[id.0]
    }

    /// The generator of a training step; `None` when predicting. Layers that behave differently while training match
    /// on it.
    pub fn training(&mut self) -> Option<&mut Generator> {
        self.training.as_deref_mut()
    }

    /// Whether a weight or a state is frozen. Freezing a layer freezes all it has.
    pub fn is_frozen(&self, id: ParamId) -> bool {
        self.params[id.0].frozen
    }

    /// Gives a state its next value, taken over at the end of the training step. A frozen state keeps its own.
    pub fn update(&mut self, state: ParamId, value: Tensor<T>) {
        if !self.is_frozen(state) {
            self.updates.push((state.0, value));
        }
    }
}

/// Any [`Layer`], as networks hold them. Implemented for every layer.
pub trait AnyLayer: Any + fmt::Debug + Send + Sync {
    /// [`Layer::KIND`].
    fn kind(&self) -> &'static str;
    /// The layer's data.
    ///
    /// # Errors
    /// If the layer's own `Serialize` fails.
    fn config(&self) -> serde_json::Result<serde_json::Value>;
    #[doc(hidden)]
    fn build_f32(&self, build: &mut Build<'_, f32>) -> Result<Built<f32>>;
    #[doc(hidden)]
    fn build_f64(&self, build: &mut Build<'_, f64>) -> Result<Built<f64>>;
}

impl<L: Layer> AnyLayer for L {
    fn kind(&self) -> &'static str {
        L::KIND
    }
    fn config(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
    fn build_f32(&self, build: &mut Build<'_, f32>) -> Result<Built<f32>> {
        self.build(build)
    }
    fn build_f64(&self, build: &mut Build<'_, f64>) -> Result<Built<f64>> {
        self.build(build)
    }
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
