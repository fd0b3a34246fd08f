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
    file: &'a Hdf5,
    /// The data set of each weight, and of each number that is an option here.
    data: BTreeMap<String, String>,
    names: Vec<String>,
}

impl<'a> KerasWeights<'a> {
    /// The weights at these places in a file in which Keras's paths lead to variables.
    ///
    /// # Errors
    /// If variables are missing, or the file has others.
    pub fn by_paths(file: &'a Hdf5, places: &[Place]) -> Result<Self> {
        let tensors = file.tensors()?;
        let there: HashSet<&str> = tensors.iter().map(String::as_str).collect();
        // Of a layer that lies in two models, Keras stores the variables under the first path alone.
        let mut stored: HashMap<(&str, &str), String> = HashMap::new();
        let (mut data, mut missing, mut used) = (Vec::new(), Vec::new(), HashSet::new());
        for place in places {
            let own = place.path();
            let key = (&*place.twin, last_name(&place.ours));
            if there.contains(&*own) {
                used.insert(own.clone());
                stored.entry(key).or_insert_with(|| own.clone());
                data.push((place, own));
            } else if let Some(twin) = stored.get(&key) {
                data.push((place, twin.clone()));
            } else {
                missing.push(format!("{} ({own})", place.ours));
            }
        }
        let others = tensors.iter().filter(|tensor| !used.contains(*tensor) && !is_of_training(tensor));
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
        Ok(KerasWeights::new(file, data))
    }

    /// The weights at these places in an older file, which lists the variables of each layer by name.
    ///
    /// # Errors
    /// If a layer has another number of variables.
    pub fn by_lists(file: &'a Hdf5, places: &[Place]) -> Result<Self> {
        let root = if file.has_group("model_weights") { "model_weights" } else { "" };
        let layers = list(file, root, "layer_names")?.unwrap_or_default();
        let mut by_layer: HashMap<&str, Vec<&Place>> = HashMap::new();
        for place in places {
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
                if found != wanted {
                    problems.push(format!("{name:?} stands where {:?} is needed", place.ours));
                }
                data.push((place, format!("{group}/{name}")));
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
        Ok(KerasWeights::new(file, data))
    }

    fn new(file: &'a Hdf5, data: Vec<(&Place, String)>) -> Self {
        let names = data.iter().filter(|(place, _)| matches!(place.kind, WeightKind::Trained | WeightKind::State));
        let names = names.map(|(place, _)| place.ours.clone()).collect();
        let data = data.into_iter().map(|(place, tensor)| (place.ours.clone(), tensor)).collect();
        KerasWeights { file, data, names }
    }

    /// The numbers of a tensor that is an option here.
    pub fn numbers(&self, name: &str) -> Option<Vec<f64>> {
        let tensor = self.file.read(self.data.get(name)?).ok()?;
        tensor.is_float().then(|| tensor.to::<f64>().to_vec())
    }
}

impl WeightSource for KerasWeights<'_> {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn info(&self, name: &str) -> Option<TensorInfo> {
        match self.file.info(self.data.get(name)?) {
            Ok(info) => info,
            // What is wrong with it is said when it is read.
            Err(_) => Some(TensorInfo { stored: "unknown".to_owned(), element: None, shape: [0].into(), bytes: 0 }),
        }
    }

    fn read(&self, name: &str) -> Result<AnyTensor> {
        match self.data.get(name) {
            Some(tensor) => self.file.read(tensor),
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
