//! The weights of a model in a file, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use gradus_tensor::safetensors::{File, StorageLoss, Stored, TensorInfo, Writer, shortened};
use gradus_tensor::{Float, Tensor};

use crate::build::Weights;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::inputs::Inputs;
use crate::model::Model;
use crate::model_file::write_as;
use crate::weight_source::WeightSource;

/// Which tensors, of a file or of another model, are which weights of a model: at first all of them, under the same names.
///
/// ```
/// use gradus_nn::{Dense, Matching, Model, Sequential};
/// let network = |classes| Sequential::new().add_named("body", Dense::new(4)).add_named("head", Dense::new(classes));
/// let trained = Model::build(network(10), [8], 1)?;
/// let mut model = Model::build(network(3), [8], 2)?;
/// # let path = std::env::temp_dir().join(format!("gradus_matching_{}.safetensors", std::process::id()));
/// trained.save_weights(&path)?;
/// // The heads differ, and only the body is taken over.
/// let loaded = model.load_weights_with(&path, &Matching::new().under("body"))?;
/// assert_eq!(loaded.loaded, ["body/kernel", "body/bias"]);
/// assert_eq!(model.params().get("body/kernel").unwrap().value, trained.params()[0].value);
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Matching {
    under: Option<String>,
    rename: Vec<Rename>,
    partial: bool,
}

/// The name in the model of a tensor of this name in the file; `None` leaves it out.
type Rename = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

impl Matching {
    /// Every weight has its tensor, and every tensor its weight, of the same name and shape.
    pub fn new() -> Self {
        Matching::default()
    }

    /// Only the weights of the layer at this path (`"encoder"`, `"encoder/0"`), and all within it. What there are of other
    /// tensors is not used.
    pub fn under(mut self, path: impl AsRef<str>) -> Self {
        self.under = Some(path_of(path.as_ref()));
        self
    }

    /// The tensors at or under the path `from` are the weights at or under `to` in the model. An empty `from` puts all
    /// tensors under `to`, an empty `to` takes `from` away.
    pub fn renamed(self, from: impl AsRef<str>, to: impl AsRef<str>) -> Self {
        let (from, to) = (path_of(from.as_ref()), path_of(to.as_ref()));
        self.renamed_by(move |name| {
            let rest = if from.is_empty() { Some(name) } else { name.strip_prefix(&from) };
            let rest = match rest {
                Some("") => "",
                Some(rest) if from.is_empty() => rest,
                Some(rest) if rest.starts_with('/') => &rest[1..],
                _ => return Some(name.to_owned()),
            };
            let parts = [&*to, rest];
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            Some(parts.join("/"))
        })
    }

    /// The tensor of a name is the weight that the closure names; `None` leaves the tensor out. Several renamings
    /// follow each other.
    pub fn renamed_by(mut self, rename: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.rename.push(Arc::new(rename));
        self
    }

    /// Weights without a tensor stay as they are, and tensors without a weight are not used. Shapes must still be the same,
    /// and one tensor at least must be used.
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    fn name(&self, of_tensor: &str) -> Option<String> {
        self.rename.iter().try_fold(of_tensor.to_owned(), |name, rename| rename(&name))
    }

    fn admits(&self, name: &str) -> bool {
        let Some(path) = &self.under else { return true };
        name.strip_prefix(&**path).is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
    }
}

/// A path as the summary has it: `"body"` for `"body/"`.
fn path_of(path: &str) -> String {
    path.trim_end_matches('/').to_owned()
}

impl fmt::Debug for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Matching { under, rename, partial } = self;
        let mut all = f.debug_struct("Matching");
        all.field("under", under).field("renamings", &rename.len()).field("partial", partial).finish()
    }
}

/// What [`Model::load_weights_with`] or [`Model::copy_weights_from`] did, by names in the model, but for the tensors that were
/// not used.
///
/// ```
/// use gradus_nn::{Dense, Matching, Model, Sequential};
/// let network = |head| Sequential::new().add_named("body", Dense::new(8)).add_named("head", Dense::new(head));
/// let trained = Model::build(network(10), [4], 1)?;
/// let mut model = Model::build(network(3), [4], 2)?;
/// let weights = model.copy_weights_from(&trained, &Matching::new().under("body"))?;
/// assert_eq!(weights.loaded, ["body/kernel", "body/bias"]);
/// println!("{weights}");
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadedWeights {
    /// The weights that have new values, in the model's order.
    pub loaded: Vec<String>,
    /// The weights that stayed as they were.
    pub left: Vec<String>,
    /// The tensors that were not used, by their names in the file or in the other model.
    pub unused: Vec<String>,
}

impl fmt::Display for LoadedWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LoadedWeights { loaded, left, unused } = self;
        write!(f, "{} weights loaded", loaded.len())?;
        if !left.is_empty() {
            write!(f, ", {} left as they were ({})", left.len(), shortened(left))?;
        }
        if !unused.is_empty() {
            write!(f, ", {} tensors not used ({})", unused.len(), shortened(unused))?;
        }
        Ok(())
    }
}

impl<T: Float> Model<T> {
    /// Writes the weights and states into a safetensors file, without the network. It is written beside its place and
    /// renamed: a crash leaves the old file or the new one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        self.weights().write(path).map_err(Error::file)
    }

    /// As [`save_weights`](Model::save_weights), with the weights stored in two bytes each, and says what they lose by that.
    ///
    /// # Errors
    /// As `save_weights`.
    pub fn save_weights_as(&self, path: impl AsRef<Path>, stored: Stored) -> Result<StorageLoss> {
        write_as(self.weights(), path.as_ref(), stored)
    }

    /// A safetensors file of the weights and states, to be written.
    pub(crate) fn weights(&self) -> Writer {
        self.params().iter().fold(Writer::new(), |writer, param| writer.tensor(&*param.name, &param.value))
    }

    /// Takes over the weights and states of a file: one that [`save_weights`](Model::save_weights), [`save`](Model::save) or
    /// another program has written. The file must have exactly those of this model, by name and shape;
    /// [`load_weights_with`](Model::load_weights_with) takes part of them, or renames them.
    ///
    /// ```
    /// use gradus_nn::{Dense, Model, Sequential};
    /// # let path = std::env::temp_dir().join(format!("gradus_weights_{}.safetensors", std::process::id()));
    /// let network = || Sequential::new().add(Dense::new(3));
    /// let trained = Model::build(network(), [4], 1)?;
    /// trained.save_weights(&path)?;
    /// let mut model = Model::build(network(), [4], 2)?;
    /// model.load_weights(&path)?;
    /// assert_eq!(model.params()[0].value, trained.params()[0].value);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be read, or weights are missing in it, it has others, or ones of another shape or of more digits:
    /// all of them, in one message. Then nothing has changed.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_weights_with(path, &Matching::new()).map(|_| ())
    }

    /// As [`load_weights`](Model::load_weights), with the weights that `matching` says.
    ///
    /// # Errors
    /// As `load_weights`; and if no tensor is used, or two have one name after renaming.
    pub fn load_weights_with(&mut self, path: impl AsRef<Path>, matching: &Matching) -> Result<LoadedWeights> {
        self.load_weights_from(&open(path)?, matching)
    }

    /// As [`load_weights_with`](Model::load_weights_with), from a file that has been opened, or another source of tensors.
    ///
    /// # Errors
    /// As `load_weights_with`.
    pub fn load_weights_from(&mut self, source: &dyn WeightSource, matching: &Matching) -> Result<LoadedWeights> {
        let load = || {
            let Found { places, left, unused } = find(self, "load_weights", &tensors(source), matching)?;
            // All are read before one is replaced.
            let read = places.iter().map(|(index, name)| Ok((*index, source.read(name)?.to())));
            Ok((read.collect::<Result<Vec<(usize, Tensor<T>)>>>()?, left, unused))
        };
        let (values, left, unused) = within(source, load())?;
        Ok(LoadedWeights { loaded: self.replace(values), left, unused })
    }

    /// Takes over the weights and states of another model that `matching` says; without a file, as
    /// [`load_weights_with`](Model::load_weights_with) does with one. The memory is shared until one of the two models changes
    /// them.
    ///
    /// So trained parts are put together anew, such as the decoder of an autoencoder on inputs of its own:
    ///
    /// ```
    /// use gradus_nn::{Dense, Matching, Model, Sequential};
    /// use gradus_tensor::Tensor;
    /// let decoder = Sequential::new().add(Dense::new(8));
    /// let network = Sequential::new().add_named("encoder", Dense::new(2)).add_named("decoder", decoder.clone());
    /// let autoencoder = Model::build(network, [8], 42)?;
    /// let mut generator = Model::build(Sequential::new().add_named("decoder", decoder), [2], 1)?;
    /// generator.copy_weights_from(&autoencoder, &Matching::new().under("decoder"))?;
    ///
    /// let x = Tensor::<f32>::ones([3, 8]);
    /// let codes = autoencoder.up_to("encoder")?.predict(&x)?;
    /// assert_eq!(generator.predict(&codes)?, autoencoder.predict(&x)?);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If weights are missing in the other model, it has others, or ones of another shape: all of them, in one message; if none
    /// is used, or two have one name after renaming. Then nothing has changed.
    pub fn copy_weights_from(&mut self, other: &Model<T>, matching: &Matching) -> Result<LoadedWeights> {
        let params = other.params();
        let tensors = params.iter().map(|param| {
            let shape = param.value.shape().clone();
            let bytes = size_of::<T>() * shape.size();
            (param.name.clone(), TensorInfo { stored: T::NAME.to_owned(), element: Some(T::NAME), shape, bytes })
        });
        let Found { places, left, unused } = find(self, "copy_weights_from", &tensors.collect::<Vec<_>>(), matching)?;
        let value = |name: &str| params.get(name).expect("it has just been found").value.clone();
        let values = places.into_iter().map(|(index, name)| (index, value(&name))).collect();
        Ok(LoadedWeights { loaded: self.replace(values), left, unused })
    }

    /// Puts these values in the place of those of the parameters, and returns their names.
    fn replace(&mut self, values: Vec<(usize, Tensor<T>)>) -> Vec<String> {
        let params = self.params_mut();
        let replaced = values.into_iter().map(|(index, value)| {
            params[index].value = value;
            params[index].name.clone()
        });
        replaced.collect()
    }

    /// Builds a network with the weights and states of this source, which has exactly those, by name and shape. No weights are
    /// drawn, and each is in memory once.
    ///
    /// # Errors
    /// As [`Model::build`] and [`load_weights`](Model::load_weights).
    pub fn with_weights(
        network: impl Into<Graph>,
        inputs: impl Into<Inputs>,
        source: &dyn WeightSource,
    ) -> Result<Self> {
        let mut model = Model::of_graph(network.into(), inputs.into(), Weights::Shapes)?;
        within(source, model.fill(source))?;
        Ok(model)
    }

    /// As [`with_weights`](Model::with_weights), with a source that is made for the model: `source` is given the model with the shapes
    /// of its weights, whose elements are not drawn yet.
    ///
    /// # Errors
    /// As `with_weights`; and what `source` returns.
    pub fn with_weights_of<S: WeightSource>(
        network: impl Into<Graph>,
        inputs: impl Into<Inputs>,
        source: impl FnOnce(&Self) -> Result<S>,
    ) -> Result<Self> {
        let mut model = Model::of_graph(network.into(), inputs.into(), Weights::Shapes)?;
        let source = source(&model)?;
        within(&source, model.fill(&source))?;
        Ok(model)
    }

    /// Reads each parameter out of a source that has exactly them. Each is in memory once: what was there has no elements of
    /// its own.
    pub(crate) fn fill(&mut self, source: &dyn WeightSource) -> Result<()> {
        let Found { places, .. } = find(self, "load", &tensors(source), &Matching::new())?;
        for (index, name) in places {
            self.params_mut()[index].value = source.read(&name)?.to();
        }
        Ok(())
    }
}

/// Where the weights of a model are among tensors.
struct Found {
    /// For each weight that there is its index and the name of the tensor.
    places: Vec<(usize, String)>,
    /// The weights that have no tensor.
    left: Vec<String>,
    /// The tensors that are no weights of the model.
    unused: Vec<String>,
}

/// The tensors of a source.
fn tensors(source: &dyn WeightSource) -> Vec<(String, TensorInfo)> {
    let info = |name: &str| source.info(name).expect("the source has a tensor of this name");
    source.names().into_iter().map(|name| (name.clone(), info(&name))).collect()
}

/// Finds the weights of a model among tensors, or says all that does not fit; `op` is the function that was called.
fn find<T: Float>(model: &Model<T>, op: &str, tensors: &[(String, TensorInfo)], matching: &Matching) -> Result<Found> {
    let (mut named, mut unused, mut all) = (BTreeMap::new(), Vec::new(), Vec::new());
    for (name, info) in tensors {
        all.push(&**name);
        let Some(renamed) = matching.name(name).filter(|renamed| matching.admits(renamed)) else {
            unused.push(name.to_owned());
            continue;
        };
        if let Some((before, _)) = named.insert(renamed.clone(), (name, info)) {
            let problem = format!("the tensors {before:?} and {name:?} are both renamed to {renamed:?}");
            return Err(Error::new(op, problem, "rename each to a name of its own"));
        }
    }
    let (mut places, mut left, mut unfit) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_wide = false;
    for (index, param) in model.params().iter().enumerate() {
        let found = if matching.admits(&param.name) { named.remove(&param.name) } else { None };
        let Some((name, info)) = found else {
            left.push(param.name.clone());
            continue;
        };
        if info.shape != *param.value.shape() {
            unfit.push(format!("{:?} has the shape {}, {} is needed", param.name, info.shape, param.value.shape()));
        } else if !matches!(info.element, Some(element) if element == "f32" || element == T::NAME) {
            is_wide |= info.element == Some("f64");
            unfit.push(format!("{:?} has elements {}, which {} does not hold", param.name, info.stored, T::NAME));
        }
        places.push((index, name.to_owned()));
    }
    let missing: Vec<&String> = left.iter().filter(|name| matching.admits(name)).collect();
    let unexpected: Vec<String> = named.into_values().map(|(name, _)| name.to_owned()).collect();
    let mut problems = Vec::new();
    if !matching.partial && !missing.is_empty() {
        problems.push(format!("{} missing: {}", missing.len(), shortened(&missing)));
    }
    if !matching.partial && !unexpected.is_empty() {
        problems.push(format!("{} unexpected: {}", unexpected.len(), shortened(&unexpected)));
    }
    if !unfit.is_empty() {
        problems.push(format!("{} that do not fit: {}", unfit.len(), shortened(&unfit)));
    }
    if !problems.is_empty() {
        let problem = format!("the weights are not those of the model: {}", problems.join("; "));
        let hint = match op {
            "load" if is_wide => "load a model of f64 by Model::<f64>::load_as",
            "load" => "the file is damaged, or of other layers than this program has: write it again",
            _ if is_wide => "build a model of f64 by Model::<f64>::build_as",
            "copy_weights_from" => "say by its Matching which weights are wanted, or under which names",
            _ => "build the network that they come from, or say by load_weights_with which ones are wanted",
        };
        return Err(Error::new(op, problem, hint));
    }
    if places.is_empty() && !(matching.under.is_none() && model.params().is_empty()) {
        let problem = format!("no tensor is a weight of the model, there are: {}", shortened(&all));
        return Err(Error::new(op, problem, "check the path and the renaming"));
    }
    unused.extend(unexpected);
    unused.sort();
    Ok(Found { places, left, unused })
}

/// Opens a file.
pub(crate) fn open(path: impl AsRef<Path>) -> Result<File> {
    File::open(path).map_err(Error::file)
}

/// The result of reading a source, with its path in front of an error.
pub(crate) fn within<R>(source: &dyn WeightSource, result: Result<R>) -> Result<R> {
    result.map_err(|error| match source.path() {
        Some(path) => error.within(&path.display().to_string()),
        None => error,
    })
}
