//! The layer: plain data plus one function. And the reading of layers from their data.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use gradus_tensor::Float;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use crate::activation::Activation;
pub use crate::build::{AnyLayer, Build};
pub use crate::built::Built;
pub use crate::context::{Context, ParamId};
use crate::error::{Error, Result};

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

    /// The activation that each output has come out of last, in the order of the outputs; `None`, or nothing at all, where
    /// that is not known. `inputs` are those of the layer's inputs.
    ///
    /// A loss is checked against it: probabilities are not expected of a linear layer ([`Expects`](crate::losses::Expects)).
    /// By default nothing is known, and nothing is refused. A layer that only moves or drops elements passes on that of
    /// its input.
    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        Vec::new()
    }

    /// The layer from its data: what serde reads. A layer that holds others overrides this ([`LayerReader`]).
    ///
    /// # Errors
    /// If the data are not a layer's of this kind.
    fn read(config: Json, reader: &LayerReader<'_>) -> Result<Self> {
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
        fn into_any(self) -> std::sync::Arc<dyn crate::build::AnyLayer> {
            std::sync::Arc::new(self)
        }
    };
}
pub(crate) use compiled_here;

impl<L: Layer> AnyLayer for L {
    fn kind(&self) -> &'static str {
        L::KIND
    }
    fn config(&self) -> serde_json::Result<serde_json::Value> {
        serde_json::to_value(self)
    }
    fn add_kind(&self, kinds: &mut LayerKinds) {
        kinds.insert::<L>();
    }
    fn activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        self.output_activations(inputs)
    }
    fn build_f32(&self, build: &mut Build<'_, f32>) -> Result<Built<f32>> {
        self.build(build)
    }
    fn build_f64(&self, build: &mut Build<'_, f64>) -> Result<Built<f64>> {
        self.build(build)
    }
}

type Read = fn(Json, &LayerReader<'_>) -> Result<Arc<dyn AnyLayer>>;

/// The kinds of layer that a network in a file may have: those of this crate ([`standard`](LayerKinds::standard)), and
/// those a program adds.
///
/// A plain value, made where it is needed: nothing is registered behind a program's back.
///
/// ```
/// use gradus_nn::{Build, Built, Layer, LayerKinds, Result, Sequential};
/// use gradus_tensor::Float;
/// use serde::{Deserialize, Serialize};
///
/// /// y = -x
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Negative;
///
/// impl Layer for Negative {
///     const KIND: &'static str = "Negative";
///
///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
///         Ok(Built::new(build.input()?, |_, x| -x))
///     }
/// }
///
/// let json = Sequential::new().add(Negative).to_json()?;
/// assert!(Sequential::from_json(&json).is_err()); // Who reads it must know the layer.
/// let kinds = LayerKinds::standard().with::<Negative>();
/// assert_eq!(Sequential::from_json_with(&json, &kinds)?.len(), 1);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone)]
pub struct LayerKinds {
    readers: BTreeMap<&'static str, Read>,
}

impl LayerKinds {
    /// No kinds.
    pub(crate) fn none() -> Self {
        LayerKinds { readers: BTreeMap::new() }
    }

    /// The kinds in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.readers.keys().copied()
    }

    /// And layers of kind `L`.
    pub fn with<L: Layer>(mut self) -> Self {
        self.insert::<L>();
        self
    }

    fn insert<L: Layer>(&mut self) {
        self.readers.insert(L::KIND, |config, reader| Ok(L::read(config, reader)?.into_any()));
    }
}

/// The reading of one layer from its data: which kinds of layer there are, and where it stands in the network.
///
/// A layer that holds others overrides [`Layer::read`] and reads them by [`nested`](LayerReader::nested), so that layers
/// of a program's own are known within it too.
///
/// ```
/// use gradus_nn::{Build, Built, Dense, Layer, LayerReader, LayerHandle, Result};
/// use gradus_tensor::Float;
/// use serde::{Deserialize, Serialize};
/// use serde_json::Value;
///
/// /// y = 2 inner(x)
/// #[derive(Clone, Debug, Serialize, Deserialize)]
/// struct Doubled {
///     inner: LayerHandle,
/// }
///
/// impl Layer for Doubled {
///     const KIND: &'static str = "Doubled";
///
///     fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
///         let inner = build.child("inner", &*self.inner, build.inputs())?;
///         Ok(Built::of_values(inner.outputs.clone(), move |context, inputs| {
///             (inner.run(context, inputs).into_floats() * T::of(2.0)).into()
///         }))
///     }
///
///     fn read(mut config: Value, reader: &LayerReader<'_>) -> Result<Self> {
///         Ok(Doubled { inner: reader.nested("inner", config["inner"].take())? })
///     }
/// }
///
/// gradus_nn::check_layer(&Doubled { inner: LayerHandle::new(Dense::new(3)) }, [2]).unwrap();
/// ```
pub struct LayerReader<'a> {
    /// The function that reads, which errors name: `"from_json"`, or `"load"` for a model's file.
    op: &'static str,
    kinds: &'a LayerKinds,
    path: String,
    kind: &'a str,
}

impl LayerReader<'_> {
    /// Data that are no layers themselves.
    ///
    /// # Errors
    /// If they are not what `D` needs.
    pub fn config<D: DeserializeOwned>(&self, config: Json) -> Result<D> {
        serde_json::from_value(config).map_err(|error| self.config_error(&error))
    }

    /// The error of data that [`config`](LayerReader::config) cannot read.
    fn config_error(&self, error: &serde_json::Error) -> Error {
        match &*self.path {
            "" => self.error(format!("this is no network: {error}"), "give a text that to_json has written"),
            _ => self.error(error.to_string(), "compare it with what to_json writes"),
        }
    }

    /// A layer within this one, from what [`LayerHandle`] writes. Its errors name it beneath `name`.
    ///
    /// # Errors
    /// If there is no such kind, or its data are wrong.
    pub fn nested(&self, name: &str, layer: Json) -> Result<LayerHandle> {
        let HandleRecord { layer: kind, config } = self.config(layer)?;
        Ok(LayerHandle(self.layer(name, &kind, config)?))
    }

    /// An error of this layer: what is wrong, and one thing to do.
    pub fn error(&self, problem: impl Into<String>, hint: &str) -> Error {
        let place = match &*self.path {
            "" => self.op.to_owned(),
            path => format!("{}: layer {path} ({})", self.op, self.kind),
        };
        Error::new(place, problem, hint)
    }

    /// A layer of this name and kind within this one.
    pub(crate) fn layer(&self, name: &str, kind: &str, config: Json) -> Result<Arc<dyn AnyLayer>> {
        let inner = self.at(name, kind);
        let Some(read) = self.kinds.readers.get(kind) else {
            let known: Vec<&str> = self.kinds.names().collect();
            return Err(Error::new(
                format!("{}: layer {}", self.op, inner.path),
                format!("there is no kind of layer {kind:?}, only {}", known.join(", ")),
                format!("add your own kinds by LayerKinds::with and read by {}_with", self.op),
            ));
        };
        read(config, &inner)
    }

    /// The reader of a layer within this one.
    pub(crate) fn at<'b>(&'b self, name: &str, kind: &'b str) -> LayerReader<'b> {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) };
        LayerReader { op: self.op, kinds: self.kinds, path, kind }
    }
}

/// A whole network or layer in a text.
pub(crate) fn from_json<L: Layer>(json: &str, kinds: &LayerKinds) -> Result<L> {
    let config = serde_json::from_str(json).map_err(|error| {
        let reader = LayerReader { op: "from_json", kinds, path: String::new(), kind: L::KIND };
        reader.error(format!("this is no network: {error}"), "give a text that to_json has written")
    })?;
    from_value("from_json", config, kinds)
}

/// A whole network or layer from its data.
pub(crate) fn from_value<L: Layer>(op: &'static str, config: Json, kinds: &LayerKinds) -> Result<L> {
    L::read(config, &LayerReader { op, kinds, path: String::new(), kind: L::KIND })
}

/// `Deserialize` of a layer that holds others: by its own `read`, with the kinds of this crate.
pub(crate) fn deserialize<'de, L: Layer, D: Deserializer<'de>>(deserializer: D) -> Result<L, D::Error> {
    let config = serde::Deserialize::deserialize(deserializer)?;
    let reader = LayerReader { op: "from_json", kinds: &LayerKinds::standard(), path: String::new(), kind: L::KIND };
    L::read(config, &reader).map_err(D::Error::custom)
}

/// A handle of a layer or network of any kind.
///
/// As a field it holds a layer within another, such as [`Residual`](crate::Residual)'s body: it is built by
/// [`Build::child`](crate::Build::child), and read with the program's own kinds of layer by [`LayerReader::nested`]. By
/// `Deserialize` alone, this crate's kinds are known.
///
/// Added to a network at several places, it is one layer, whose weights these places share: Keras's layer that is called
/// twice.
///
/// ```
/// use gradus_nn::{Dense, Graph, LayerHandle, Model, Subtract};
/// let tower = LayerHandle::new(Dense::new(8));
/// let mut graph = Graph::builder();
/// let (a, b) = (graph.input(), graph.input());
/// let (left, right) = (graph.add(&tower, [a]), graph.add(&tower, [b]));
/// let difference = graph.add(Subtract, [left, right]);
/// let model = Model::build(graph.output(difference), ([4], [4]), 42)?;
/// assert_eq!(model.summary().total_params, 4 * 8 + 8);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone)]
pub struct LayerHandle(Arc<dyn AnyLayer>);

/// What is written of a layer within another: the kind and the data.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HandleRecord {
    layer: String,
    config: Json,
}

impl LayerHandle {
    /// Of this layer or network.
    pub fn new(layer: impl Layer) -> Self {
        LayerHandle(layer.into_any())
    }
}

impl Deref for LayerHandle {
    type Target = dyn AnyLayer;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Debug for LayerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for LayerHandle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let config = self.0.config().map_err(serde::ser::Error::custom)?;
        HandleRecord { layer: self.0.kind().to_owned(), config }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LayerHandle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let layer = Json::deserialize(deserializer)?;
        let reader = LayerReader { op: "from_json", kinds: &LayerKinds::standard(), path: String::new(), kind: "" };
        reader.nested("", layer).map_err(D::Error::custom)
    }
}

/// What can be added to a network: a layer, or the handle of one.
///
/// ```
/// use gradus_nn::{Dense, IntoLayer, LayerHandle, Model, Sequential};
/// /// The same layer, one behind the other.
/// fn twice<L: IntoLayer + Clone>(layer: L) -> Sequential {
///     Sequential::new().add(layer.clone()).add(layer)
/// }
/// // Two layers of the same data, and one layer used twice.
/// let params = |network| Model::build(network, [4], 42).map(|model| model.summary().total_params);
/// assert_eq!(params(twice(Dense::new(4)))?, 40);
/// assert_eq!(params(twice(&LayerHandle::new(Dense::new(4))))?, 20);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no layer",
    label = "give a layer, such as `Dense::new(10)`, or `&handle` for a `LayerHandle`",
    note = "a layer of your own implements `Layer`, and is `Clone`, `Debug`, `Serialize` and `Deserialize`"
)]
pub trait IntoLayer {
    #[doc(hidden)]
    fn into_layer(self) -> Arc<dyn AnyLayer>;
}

impl<L: Layer> IntoLayer for L {
    fn into_layer(self) -> Arc<dyn AnyLayer> {
        self.into_any()
    }
}

impl IntoLayer for &LayerHandle {
    fn into_layer(self) -> Arc<dyn AnyLayer> {
        Arc::clone(&self.0)
    }
}
