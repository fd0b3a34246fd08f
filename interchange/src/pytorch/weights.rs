//! Weights from PyTorch into a model, and out of it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use gradus_nn::{Error, Graph, Inputs, Matching, Model, Result, WeightSource};
use gradus_tensor::safetensors::{TensorInfo, Writer, shortened};
use gradus_tensor::{AnyTensor, Float, Tensor};

use super::mapping::{LoadReport, Mapping, Placed};
use super::modules::{Module, Weight};
use super::state_dict::StateDict;

/// Takes weights and states of a file of PyTorch into a model, their axes turned to the order that they have here.
///
/// The kind of a layer says how: the kernel of a `Dense` is the transpose of a `Linear`'s weight, channels of convolutions are last,
/// gates of recurrent layers stand in Keras's order, the biases of an LSTM are added up. Where a map is flattened before a layer, or
/// made of what a `Dense` gives, its elements stand in another order here, since channels are last: the weights are put in that order. A
/// map is what convolutions, poolings and their like give, and an input of three axes or more.
///
/// `num_batches_tracked` is not needed. Epsilons, paddings and activations are options of the network, not weights: set
/// `BatchNormalization::epsilon(1e-5)`, and pad a convolution with strides by a `ZeroPadding2D`, since [`Padding::Same`] pads less in
/// front than PyTorch's `padding=1`.
///
/// ```
/// use gradus_interchange::pytorch::{self, Mapping, StateDict};
/// use gradus_nn::{Dense, Flatten, Model, Sequential};
/// use gradus_tensor::{Tensor, safetensors::Writer};
/// // nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False)) on pictures of two channels and two points.
/// let bytes = Writer::new().tensor("1.weight", Tensor::new([[1.0, 2.0, 3.0, 4.0]])).to_bytes()?;
/// let network = Sequential::new().add(Flatten).add(Dense::new(1).use_bias(false));
/// let mut model = Model::build(network, [1, 2, 2], 42)?;
/// pytorch::load_weights(&mut model, &StateDict::from_bytes(bytes)?, &Mapping::new())?;
/// // Here both channels of a point stand side by side.
/// assert_eq!(model.params()[0].value, Tensor::new([[1.0], [3.0], [2.0], [4.0]]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// If tensors are missing, are too many or have other shapes, or a layer is none that PyTorch has: all of them, in one message; or if the
/// file cannot be read. Then nothing has changed.
///
/// [`Padding::Same`]: gradus_nn::Padding::Same
pub fn load_weights<T: Float>(model: &mut Model<T>, state: &StateDict, mapping: &Mapping) -> Result<LoadReport> {
    let turned = Turned::new(model, state, mapping)?;
    let matching = if mapping.is_partial() { Matching::new().partial() } else { Matching::new() };
    let loaded = model.load_weights_from(&turned, &matching)?;
    let report = |name: &String| {
        let shape = turned.info(name).expect("it has been loaded").shape;
        (name.clone(), shape, turned.sources(name).into_iter().map(str::to_owned).collect())
    };
    let loaded_from = loaded.loaded.iter().map(report).collect();
    Ok(LoadReport { loaded: loaded_from, left: loaded.left, unused: turned.unused })
}

/// Builds a network with the weights of a file of PyTorch. None are drawn, and each is in memory once; otherwise as [`load_weights`].
///
/// ```
/// use gradus_interchange::pytorch::{self, Mapping, StateDict};
/// use gradus_nn::{Dense, Sequential};
/// use gradus_tensor::{Tensor, safetensors::Writer};
/// let bytes = Writer::new().tensor("0.weight", Tensor::new([[2.0, 3.0]])).to_bytes()?;
/// let network = Sequential::new().add(Dense::new(1).use_bias(false));
/// let model = pytorch::build(network, [2], &StateDict::from_bytes(bytes)?, &Mapping::new())?;
/// assert_eq!(model.predict(&Tensor::new([[1.0, 10.0]]))?, Tensor::new([[32.0]]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`Model::build`] and [`load_weights`]. Every layer needs its tensors, also by a partial mapping.
pub fn build(
    network: impl Into<Graph>,
    inputs: impl Into<Inputs>,
    state: &StateDict,
    mapping: &Mapping,
) -> Result<Model> {
    Model::with_weights_of(network, inputs, |model| Turned::new(model, state, mapping))
}

/// Writes the weights and states of a model as a `.safetensors` file with PyTorch's names and layout, which
/// `model.load_state_dict(safetensors.torch.load_file(path))` takes. The same model is the same bytes. A crash leaves the old file or the
/// new one.
///
/// Names are those that `mapping` says; one by order has none of its own, and the layers' paths are taken. Of the two biases of an LSTM,
/// one is the bias here, the other 0. `num_batches_tracked` is 0.
///
/// ```
/// use gradus_interchange::pytorch::{self, Mapping, StateDict};
/// use gradus_nn::{Dense, Model, Sequential, WeightSource};
/// # let path = std::env::temp_dir().join(format!("gradus_pytorch_save_{}.safetensors", std::process::id()));
/// let model = Model::build(Sequential::new().add(Dense::new(3)), [2], 42)?;
/// pytorch::save(&model, &path, &Mapping::new().module("fc", "0"))?;
/// let state = StateDict::open(&path)?;
/// assert_eq!(state.names(), ["fc.bias", "fc.weight"]);
/// assert_eq!(state.info("fc.weight").unwrap().shape, [3, 2]);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If a layer is none that PyTorch has, unless the mapping is partial; if two tensors have one name; or the file cannot be written.
pub fn save<T: Float>(model: &Model<T>, path: impl AsRef<Path>, mapping: &Mapping) -> Result<()> {
    let path = path.as_ref();
    let failed = |problem: String, hint: &str| Error::new(path.display().to_string(), problem, hint);
    let placed = Placed::new(model, mapping)?;
    let value = |name: &str| model.params().get(name).expect("the module's weights are the model's").value.clone();
    let mut tensors: BTreeMap<String, AnyTensor> = BTreeMap::new();
    let (mut twice, mut refused) = (Vec::new(), Vec::new());
    let mut add = |name: &String, tensor: AnyTensor| {
        if tensors.insert(name.clone(), tensor).is_some() {
            twice.push(name.clone());
        }
    };
    for (weight, name) in &placed.tensors {
        add(name, value(weight).contiguous().into());
    }
    for ((module, names), count) in placed.modules.iter().zip(&placed.names).zip(&placed.counts) {
        if let Some(why) = &module.refused {
            refused.push(format!("layer {} ({}) {why}", module.path, module.kind));
            continue;
        }
        for (name, tensor) in names.iter().flatten().zip(module.tensors(value)) {
            add(name, tensor.into());
        }
        if let Some(count) = count {
            add(count, Tensor::scalar(0_i64).into());
        }
    }
    if !refused.is_empty() && !mapping.is_partial() {
        return Err(failed(
            refused.join("; "),
            "Mapping::tensor writes a weight as it is, Mapping::partial leaves it out",
        ));
    }
    if !twice.is_empty() {
        return Err(failed(
            format!("two tensors are named {}", shortened(&twice)),
            "give each module a place of its own",
        ));
    }
    let writer = Writer::new().metadata("format", "pt");
    let writer = tensors.into_iter().fold(writer, |writer, (name, tensor)| writer.tensor(name, tensor));
    writer.write(path).map_err(|error| failed(error.problem(), error.hint()))
}

/// The tensors of a file as the weights of a model, under its names and in its layout.
struct Turned<'a> {
    state: &'a StateDict,
    placed: Placed,
    /// For names of weights their place among modules and weights.
    weights: HashMap<String, (usize, usize)>,
    unused: Vec<String>,
}

impl<'a> Turned<'a> {
    fn new<T: Float>(model: &Model<T>, state: &'a StateDict, mapping: &Mapping) -> Result<Self> {
        let found = Placed::find(model, state, mapping);
        let (placed, unused) = found.map_err(|error| match state.path() {
            Some(path) => error.within(&path.display().to_string()),
            None => error,
        })?;
        let mut weights = HashMap::new();
        for (index, (module, names)) in placed.modules.iter().zip(&placed.names).enumerate() {
            if names.is_none() || module.refused.is_some() {
                continue;
            }
            for (place, weight) in module.weights.iter().enumerate() {
                weights.insert(weight.name.clone(), (index, place));
            }
        }
        Ok(Turned { state, placed, weights, unused })
    }

    /// A weight with its module and the names of the module's tensors.
    fn weight(&self, name: &str) -> Option<(&Module, &Weight, &[String])> {
        let &(index, place) = self.weights.get(name)?;
        let module = &self.placed.modules[index];
        Some((module, &module.weights[place], self.placed.names[index].as_ref()?))
    }

    /// The names of the tensors that a weight is made of.
    fn sources(&self, name: &str) -> Vec<&str> {
        match self.weight(name) {
            Some((_, weight, names)) => weight.slots().iter().map(|&slot| &*names[slot]).collect(),
            None => self.placed.tensors.get(name).map(|name| &**name).into_iter().collect(),
        }
    }
}

impl WeightSource for Turned<'_> {
    fn names(&self) -> Vec<String> {
        self.weights.keys().chain(self.placed.tensors.keys()).cloned().collect()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        let sources = self.sources(name);
        let first = self.state.info(sources.first()?)?;
        let shape = match self.weight(name) {
            Some((_, weight, _)) => weight.shape.clone(),
            None => first.shape.clone(),
        };
        // Several tensors are added up or joined: the widest counts.
        let infos = sources.iter().filter_map(|name| self.state.info(name));
        let widest = infos.max_by_key(|info| info.element != Some("f32")).unwrap_or(first);
        Some(TensorInfo { shape, ..widest })
    }

    fn read(&self, name: &str) -> Result<AnyTensor> {
        let Some((_, weight, names)) = self.weight(name) else {
            return self.state.read(self.placed.tensors.get(name).map_or(name, |name| name));
        };
        if weight
            .slots()
            .iter()
            .any(|&slot| self.state.info(&names[slot]).is_some_and(|info| info.element == Some("f64")))
        {
            return Ok(weight.make::<f64>(|slot| Ok(self.state.read(&names[slot])?.to()))?.into());
        }
        Ok(weight.make::<f32>(|slot| Ok(self.state.read(&names[slot])?.to()))?.into())
    }

    fn path(&self) -> Option<&Path> {
        self.state.path()
    }
}
