//! The weights of a model in Keras's files, by the names that they have here.

use std::collections::{BTreeMap, HashMap, HashSet};

use gradus_nn::{Error, Result, WeightSource};
use gradus_tensor::AnyTensor;
use gradus_tensor::safetensors::{TensorInfo, shortened};

use super::layers::WeightKind;
use super::read::Place;
use crate::hdf5::Hdf5;

/// The weights of a model in a file.
pub(super) struct KerasWeights<'a> {
    files: &'a [Hdf5],
    /// The file and the data set of each weight, and of each number that is an option here.
    data: BTreeMap<String, Stored>,
    names: Vec<String>,
}

/// The number of the file and the path of a data set.
type Stored = (usize, String);

impl<'a> KerasWeights<'a> {
    /// The weights at these places in files in which Keras's paths lead to variables.
    ///
    /// # Errors
    /// If variables are missing, or the file has others.
    pub fn by_paths(files: &'a [Hdf5], places: &[Place]) -> Result<Self> {
        let mut there: BTreeMap<String, usize> = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            there.extend(file.tensors()?.into_iter().map(|tensor| (tensor, number)));
        }
        // Of a layer that lies in two models, Keras stores the variables under the first path alone.
        let mut stored: HashMap<(&str, &str), Stored> = HashMap::new();
        let (mut data, mut missing, mut used) = (Vec::new(), Vec::new(), HashSet::new());
        for place in places {
            let own = place.path();
            let key = (&*place.twin, last_name(&place.ours));
            if let Some(&number) = there.get(&own) {
                used.insert(own.clone());
                stored.entry(key).or_insert_with(|| (number, own.clone()));
                data.push((place, (number, own)));
            } else if let Some(twin) = stored.get(&key) {
                data.push((place, twin.clone()));
            } else {
                missing.push(format!("{} ({own})", place.ours));
            }
        }
        let others = there.keys().filter(|tensor| !used.contains(*tensor) && !is_of_training(tensor));
        let others: Vec<&String> = others.collect();
        let mut problems = Vec::new();
        if !missing.is_empty() {
            problems.push(format!("{} missing: {}", missing.len(), shortened(&missing)));
        }
        if !others.is_empty() {
            problems.push(format!("{} unexpected: {}", others.len(), shortened(&others)));
        }
        if !problems.is_empty() {
            let problem = format!("the variables are not those of the model: {}", problems.join("; "));
            return Err(Error::new("keras", problem, "load the file into the model that it was saved from"));
        }
        KerasWeights::new(files, data)
    }

    /// The weights at these places in an older file, which lists the variables of each layer by name.
    ///
    /// # Errors
    /// If a layer has another number of variables.
    pub fn by_lists(file: &'a Hdf5, places: &[Place]) -> Result<Self> {
        let root = if file.has_group("model_weights") { "model_weights" } else { "" };
        let layers = list(file, root, "layer_names")?.unwrap_or_default();
        let mut by_layer: HashMap<&str, Vec<&Place>> = HashMap::new();
        for place in places.iter().filter(|place| place.kind != WeightKind::Copy) {
            by_layer.entry(&place.layer).or_default().push(place);
        }
        let (mut data, mut problems) = (Vec::new(), Vec::new());
        for layer in &layers {
            let group = super::read::joined(root, layer);
            let names = list(file, &group, "weight_names")?.unwrap_or_default();
            let mut of_layer = by_layer.remove(&**layer).unwrap_or_default();
            // Keras writes the variables that are trained before those that are not.
            of_layer.sort_by_key(|place| !place.is_trained);
            if names.len() != of_layer.len() {
                problems.push(format!(
                    "the layer {layer:?} has {} variables, {} are needed",
                    names.len(),
                    of_layer.len()
                ));
                continue;
            }
            for (place, name) in of_layer.into_iter().zip(names) {
                let found = last_name(&name).split(':').next().unwrap_or_default();
                let wanted = last_name(&place.ours);
                // As Keras 2 calls the kernel of a depthwise convolution.
                if found != wanted && (found, wanted) != ("depthwise_kernel", "kernel") {
                    problems.push(format!("{name:?} stands where {:?} is needed", place.ours));
                }
                data.push((place, (0, format!("{group}/{name}"))));
            }
        }
        let missing: Vec<&str> = by_layer.into_keys().collect();
        if !missing.is_empty() {
            problems.push(format!("layers without variables in the file: {}", shortened(&missing)));
        }
        if !problems.is_empty() {
            let hint = "load the file into the model that it was saved from";
            return Err(Error::new("keras", shortened(&problems).to_string(), hint));
        }
        KerasWeights::new(std::slice::from_ref(file), data)
    }

    fn new(files: &'a [Hdf5], data: Vec<(&Place, Stored)>) -> Result<Self> {
        for (place, (file, tensor)) in &data {
            if files[*file].info(tensor)?.is_none() {
                let problem = format!("there is no data set {tensor:?}, which is {:?}", place.ours);
                return Err(Error::new("keras", problem, "the file is damaged: fetch or write it again"));
            }
        }
        let names = data.iter().filter(|(place, _)| matches!(place.kind, WeightKind::Trained | WeightKind::State));
        let names = names.map(|(place, _)| place.ours.clone()).collect();
        let data = data.into_iter().map(|(place, tensor)| (place.ours.clone(), tensor)).collect();
        Ok(KerasWeights { files, data, names })
    }

    /// The path of the data set of a weight, by our name for it.
    pub fn stored(&self, name: &str) -> Option<&str> {
        self.data.get(name).map(|(_, path)| &**path)
    }

    /// The numbers of a tensor that is an option here.
    pub fn numbers(&self, name: &str) -> Option<Vec<f64>> {
        let (file, tensor) = self.data.get(name)?;
        let tensor = self.files[*file].read(tensor).ok()?;
        tensor.is_float().then(|| tensor.to::<f64>().to_vec())
    }
}

impl WeightSource for KerasWeights<'_> {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        let (file, tensor) = self.data.get(name)?;
        // Looked up once already, when the source was made.
        self.files[*file].info(tensor).ok()?
    }

    fn read(&self, name: &str) -> Result<AnyTensor> {
        match self.data.get(name) {
            Some((file, tensor)) => self.files[*file].read(tensor),
            None => Err(Error::new("keras", format!("there is no weight {name:?}"), "")),
        }
    }
}

/// Whether variables at this path are those of the optimiser, or of metrics and losses.
fn is_of_training(path: &str) -> bool {
    ["optimizer/", "_metrics", "_compile_metrics", "_compile_loss", "_loss_tracker"]
        .iter()
        .any(|of| path.starts_with(of))
}

/// The names of a list attribute, which Keras cuts into several attributes where it is long: `weight_names0` and so on.
pub(super) fn list(file: &Hdf5, group: &str, name: &str) -> Result<Option<Vec<String>>> {
    if let Some(names) = file.texts(group, name)? {
        return Ok(Some(names));
    }
    let mut all = None;
    for number in 0.. {
        let Some(names) = file.texts(group, &format!("{name}{number}"))? else { break };
        all.get_or_insert_with(Vec::new).extend(names);
    }
    Ok(all)
}

fn last_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
