//! The weights of a model in a file, by name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use gradus_tensor::safetensors::{File, Writer};
use gradus_tensor::{Float, Tensor};

use crate::error::{Error, Result};
use crate::model::Model;

/// Which tensors of a file are which weights of a model: by default all of them, under the same names.
///
/// ```
/// use gradus_nn::{Dense, Matching, Model, Sequential};
/// let network = |classes| Sequential::new().add_named("body", Dense::new(4)).add_named("head", Dense::new(classes));
/// let trained = Model::build(network(10), [8], 1)?;
/// let mut model = Model::build(network(3), [8], 2)?;
/// # let path = std::env::temp_dir().join(format!("gradus_matching_{}.safetensors", std::process::id()));
/// trained.save_weights(&path)?;
/// // The heads differ, and only the body is taken over.
/// let loaded = model.load_weights_with(&path, &Matching::exact().under("body"))?;
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
    pub fn exact() -> Self {
        Matching::default()
    }

    /// Only the weights of the layer at this path (`"encoder"`, `"encoder/0"`), and all within it. What the file has
    /// besides is not used.
    pub fn under(mut self, path: impl Into<String>) -> Self {
        self.under = Some(path.into());
        self
    }

    /// The tensors at or under the path `from` in the file are the weights at or under `to` in the model. An empty `from`
    /// puts all tensors under `to`, an empty `to` takes `from` away.
    pub fn renamed(self, from: impl Into<String>, to: impl Into<String>) -> Self {
        let (from, to) = (from.into(), to.into());
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

    /// The tensor of a name in the file is the weight that the closure names; `None` leaves the tensor out. Several renamings
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

    fn name(&self, of_file: &str) -> Option<String> {
        self.rename.iter().try_fold(of_file.to_owned(), |name, rename| rename(&name))
    }

    fn admits(&self, name: &str) -> bool {
        let Some(path) = &self.under else { return true };
        name.strip_prefix(&**path).is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Debug for Matching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Matching { under, rename, partial } = self;
        let mut all = f.debug_struct("Matching");
        all.field("under", under).field("renamings", &rename.len()).field("partial", partial).finish()
    }
}

/// What [`Model::load_weights_with`] did, by names in the model, but for the tensors that were not used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadedWeights {
    /// The weights that have new values, in the model's order.
    pub loaded: Vec<String>,
    /// The weights that stayed as they were.
    pub left: Vec<String>,
    /// The tensors of the file that were not used, by their names in the file.
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
            write!(f, ", {} tensors of the file not used ({})", unused.len(), shortened(unused))?;
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

    /// A safetensors file of the weights and states, to be written.
    pub(crate) fn weights(&self) -> Writer {
        self.params().iter().fold(Writer::new(), |writer, param| writer.tensor(&*param.name, &param.value))
    }

    /// Takes over the weights and states of a file: one that [`save_weights`](Model::save_weights), [`save`](Model::save) or
    /// another program has written. The file must have exactly those of this model, by name and shape;
    /// [`load_weights_with`](Model::load_weights_with) takes part of them, or renames them.
    ///
    /// # Errors
    /// If the file cannot be read, or weights are missing in it, it has others, or ones of another shape or of more digits:
    /// all of them, in one message. Then nothing has changed.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        self.load_weights_with(path, &Matching::exact()).map(|_| ())
    }

    /// As [`load_weights`](Model::load_weights), with the weights that `matching` says.
    ///
    /// # Errors
    /// As `load_weights`; and if no tensor is used, or two have one name after renaming.
    pub fn load_weights_with(&mut self, path: impl AsRef<Path>, matching: &Matching) -> Result<LoadedWeights> {
        self.load_weights_from(&open(path)?, matching)
    }

    /// As [`load_weights_with`](Model::load_weights_with), from a file that has been opened. Tensors whose names begin with
    /// `/`, such as the slots of an optimiser, are no weights.
    ///
    /// # Errors
    /// As `load_weights_with`.
    pub fn load_weights_from(&mut self, file: &File, matching: &Matching) -> Result<LoadedWeights> {
        let Found { places, left, unused } = find(self, file, matching)?;
        // All are read before one is replaced.
        let read = places.iter().map(|(index, name)| Ok((*index, read(file, name)?)));
        let values: Vec<(usize, Tensor<T>)> = read.collect::<Result<_>>()?;
        let params = self.params_mut();
        let mut loaded = Vec::with_capacity(values.len());
        for (index, value) in values {
            params[index].value = value;
            loaded.push(params[index].name.clone());
        }
        Ok(LoadedWeights { loaded, left, unused })
    }

    /// Reads each parameter out of a file that has exactly them. Each is in memory once: what was there has no elements of
    /// its own.
    pub(crate) fn fill(&mut self, file: &File) -> Result<()> {
        let Found { places, .. } = find(self, file, &Matching::exact())?;
        for (index, name) in places {
            self.params_mut()[index].value = read(file, &name)?;
        }
        Ok(())
    }
}

/// Where the weights of a model are in a file.
struct Found {
    /// For each weight that there is its index and the name in the file.
    places: Vec<(usize, String)>,
    /// The weights that are not in the file.
    left: Vec<String>,
    /// The tensors that are no weights of the model.
    unused: Vec<String>,
}

/// Finds the weights of a model in a file, or says all that does not fit.
fn find<T: Float>(model: &Model<T>, file: &File, matching: &Matching) -> Result<Found> {
    let place = || file.path().map_or_else(|| "load_weights".to_owned(), |path| path.display().to_string());
    let (mut of_file, mut unused) = (BTreeMap::new(), Vec::new());
    for name in file.names().filter(|name| !name.starts_with('/')) {
        let Some(renamed) = matching.name(name).filter(|renamed| matching.admits(renamed)) else {
            unused.push(name.to_owned());
            continue;
        };
        if let Some(before) = of_file.insert(renamed.clone(), name) {
            let problem = format!("the tensors {before:?} and {name:?} are both renamed to {renamed:?}");
            return Err(Error::new(place(), problem, "rename each to a name of its own"));
        }
    }
    let (mut places, mut left, mut unfit) = (Vec::new(), Vec::new(), Vec::new());
    for (index, param) in model.params().iter().enumerate() {
        let found = if matching.admits(&param.name) { of_file.remove(&param.name) } else { None };
        let Some(name) = found else {
            left.push(param.name.clone());
            continue;
        };
        let info = file.info(name).expect("the file has a tensor of this name");
        if info.shape != *param.value.shape() {
            unfit.push(format!("{:?} has the shape {}, {} is needed", param.name, info.shape, param.value.shape()));
        } else if !matches!(info.element, Some(element) if element == "f32" || element == T::NAME) {
            unfit.push(format!("{:?} has elements {}, which {} does not hold", param.name, info.stored, T::NAME));
        }
        places.push((index, name.to_owned()));
    }
    let missing: Vec<String> = left.iter().filter(|name| matching.admits(name)).cloned().collect();
    let unexpected: Vec<String> = of_file.into_values().map(str::to_owned).collect();
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
        let hint = "build the network that they come from, or say by load_weights_with which ones are wanted";
        return Err(Error::new(place(), problem, hint));
    }
    if places.is_empty() && !(matching.under.is_none() && model.params().is_empty()) {
        let names: Vec<String> = file.names().map(str::to_owned).collect();
        let problem = format!("no tensor is a weight of the model, the file has: {}", shortened(&names));
        return Err(Error::new(place(), problem, "check the path and the renaming"));
    }
    unused.extend(unexpected);
    unused.sort();
    Ok(Found { places, left, unused })
}

/// Opens a file.
pub(crate) fn open(path: impl AsRef<Path>) -> Result<File> {
    File::open(path).map_err(Error::file)
}

fn read<T: Float>(file: &File, name: &str) -> Result<Tensor<T>> {
    Ok(file.read(name).map_err(Error::file)?.to())
}

/// The first of a list, for a message.
fn shortened(list: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = list.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if list.len() > SHOWN { format!("{shown}, and {} more", list.len() - SHOWN) } else { shown }
}
