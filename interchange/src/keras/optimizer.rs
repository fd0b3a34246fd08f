//! The state of Keras's optimisers, so that training goes on here.

use std::collections::HashMap;
use std::path::Path;
use std::{iter, slice};

use gradus_nn::{Error, Result, WeightSource};
use gradus_optim::State;
use gradus_tensor::{AnyTensor, Float, Tensor};
use serde_json::Value as Json;

use super::read::{Place, read_model};
use super::slots::{self, Kept, Trained};
use super::weights::KerasWeights;
use super::{SavedModel, within};
use crate::hdf5::Hdf5;

/// The optimiser of a model that Keras has trained: its class, its options, and its state.
///
/// The rule and the schedule are made in the program by [`class`](SavedOptimizer::class) and [`config`](SavedOptimizer::config);
/// [`Optimizer::restore`](gradus_optim::Optimizer::restore) takes the state. Then training goes on where Keras was, but what is random in
/// training is drawn anew. Set [`Adam::keras_epsilon`](gradus_optim::Adam::keras_epsilon), also of the Adam in a
/// [`Muon`](gradus_optim::Muon), and [`Adagrad::keras_epsilon`](gradus_optim::Adagrad::keras_epsilon): Keras adds epsilon elsewhere.
///
/// Where Keras's Muon leaves weights of more than two axes to Adam, name their layers by
/// [`exclude_layers`](gradus_optim::Muon::exclude_layers).
///
/// ```
/// use gradus_interchange::keras;
/// use gradus_nn::losses::MeanSquaredError;
/// use gradus_optim::{Adam, Optimizer};
/// use gradus_tensor::{Generator, Tensor};
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras/trained_adam.keras");
/// let mut model = keras::load(path)?.model;
/// let saved = keras::optimizer(path)?.expect("the model was compiled");
/// assert_eq!((&*saved.class, saved.state.steps), ("Adam", 2));
///
/// let mut optimizer = Optimizer::from(Adam::default().keras_epsilon(true));
/// optimizer.restore(model.params(), saved.state).unwrap();
/// let (x, y) = (Tensor::<f32>::ones([4, 3]), Tensor::<f32>::zeros([4, 1]));
/// let pass = model.grad(&x, &y, None, &MeanSquaredError, &mut Generator::new(1))?;
/// optimizer.step(model.params_mut(), &pass.grads);
/// assert_eq!(optimizer.steps(), 3);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SavedOptimizer<T: Float = f32> {
    /// Keras's class: `"Adam"`.
    pub class: String,
    /// Its options, as Keras names them. The `learning_rate` is a number, or an object of a schedule.
    pub config: Json,
    /// The steps, the learning rate if it is a number, and the slots by the names of the model's weights.
    pub state: State<T>,
}

/// Reads the optimiser out of a model that Keras has saved; none if the model was not compiled.
///
/// ```
/// use gradus_interchange::keras;
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras/trained_sgd.keras");
/// let saved = keras::optimizer(path)?.unwrap();
/// assert_eq!((&*saved.class, saved.config["momentum"].as_f64()), ("SGD", Some(0.5)));
/// // Its learning rate is a schedule.
/// assert_eq!(saved.config["learning_rate"]["class_name"], "ExponentialDecay");
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// [`SavedOptimizer`] shows how training goes on. Adam, AdamW, SGD, RMSprop, Adagrad, Adadelta, Adamax, Nadam, Ftrl, Lion,
/// Lamb, Adafactor and Muon are known.
///
/// # Errors
/// If the file cannot be read, the optimiser is another one, or its variables are not those of the model's weights.
pub fn optimizer(path: impl AsRef<Path>) -> Result<Option<SavedOptimizer>> {
    optimizer_as(path)
}

/// As [`optimizer`], for another element type.
///
/// ```
/// use gradus_interchange::keras;
/// # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/keras/trained_adam.keras");
/// let saved = keras::optimizer_as::<f64>(path)?.unwrap();
/// assert_eq!(saved.state.slots[0].0, "dense/kernel/momentum");
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// As `optimizer`.
pub fn optimizer_as<T: Float>(path: impl AsRef<Path>) -> Result<Option<SavedOptimizer<T>>> {
    let path = path.as_ref();
    within(path, SavedModel::open(path).and_then(|saved| read(&saved)))
}

fn read<T: Float>(saved: &SavedModel) -> Result<Option<SavedOptimizer<T>>> {
    let compiled = match saved.is_listed {
        true => saved.training_config()?["optimizer_config"].take(),
        false => saved.config["compile_config"]["optimizer"].clone(),
    };
    let Some(class) = compiled["class_name"].as_str() else { return Ok(None) };
    let config = compiled["config"].clone();
    let refused =
        |problem: String| Error::new("keras", problem, "begin with a new optimiser: the model itself is read by load");
    let model = read_model(&saved.config, &|_| None)?;
    let trained = trained(saved, &model.places)?;
    let weights: Vec<Trained> = trained.iter().map(|weight| weight.weight.clone()).collect();
    let mut kept = slots::variables(class, &config, &weights).map_err(refused)?;
    let mut variables = Variables::new(saved)?;
    let batches = variables.scalar("iteration")?;
    if !(batches >= 0.0 && batches.fract() == 0.0) {
        return Err(refused(format!("the number of steps is {batches}")));
    }
    // Keras counts batches, whether they make a step or wait for others.
    let (batches, per_step) = (batches as u64, slots::batches_per_step(&config).max(1));
    let (steps, waiting) = (batches / per_step, batches % per_step);
    // A schedule has no variable.
    let learning_rate =
        if config["learning_rate"].is_object() { None } else { Some(variables.scalar("learning rate")?) };
    // Keras 3.8 has Nadam's product before the slots.
    if class == "Nadam" && variables.is_number_next()? {
        kept.rotate_right(1);
    }
    let mut slots = Vec::new();
    // Before the first step there are none.
    if variables.is_more() {
        for (index, kept) in kept {
            let weight = index.map(|index| &trained[index]);
            let what = weight.map_or("the product of momenta", |weight| &weight.weight.name);
            let name = match kept {
                Kept::Slot(name) | Kept::Negated(name) => name,
                // Before the first batch averages are 0, which no weight has been.
                Kept::Average if batches > 0 => "moving_average",
                Kept::GradientSum if waiting > 0 => "gradient_sum",
                Kept::Average | Kept::GradientSum | Kept::Velocity | Kept::Nothing | Kept::Product => {
                    variables.next(what)?;
                    continue;
                }
            };
            let mut slot = variables.next_tensor(what)?;
            if matches!(kept, Kept::Negated(_)) {
                slot = -slot;
            }
            // Layers that Keras has as one have the same slots.
            let names = weight.into_iter().flat_map(|weight| iter::once(&weight.weight.name).chain(&weight.twins));
            slots.extend(names.map(|weight| (format!("{weight}/{name}"), slot.clone())));
        }
    }
    if variables.is_more() {
        let problem = format!("the optimiser {class} has more variables than its options and the model call for");
        return Err(refused(problem));
    }
    if batches == 0 && config["use_ema"] == Json::Bool(true) {
        slots.clear();
    }
    let state = State { steps, learning_rate, waiting, slots };
    Ok(Some(SavedOptimizer { class: class.to_owned(), config, state }))
}

/// A weight that Keras trains, and those here that are the same weight there.
struct TrainedOnce {
    weight: Trained,
    twins: Vec<String>,
}

/// The weights that Keras trains, in its order.
fn trained(saved: &SavedModel, places: &[Place]) -> Result<Vec<TrainedOnce>> {
    let source = match saved.is_listed {
        true => KerasWeights::by_lists(&saved.weights, places)?,
        false => KerasWeights::by_paths(slice::from_ref(&saved.weights), places)?,
    };
    let mut all: Vec<TrainedOnce> = Vec::new();
    let mut first: HashMap<String, usize> = HashMap::new();
    for place in places.iter().filter(|place| place.is_trained) {
        let (name, stored) = (place.ours.clone(), source.stored(&place.ours));
        match stored.and_then(|stored| first.get(stored)) {
            Some(&index) => all[index].twins.push(name),
            None => {
                first.extend(stored.map(|stored| (stored.to_owned(), all.len())));
                let shape = source.info(&name).map(|info| info.shape).unwrap_or_default();
                all.push(TrainedOnce { weight: Trained { name, shape }, twins: Vec::new() });
            }
        }
    }
    Ok(all)
}

/// The variables of an optimiser, one after the other.
struct Variables<'a> {
    file: &'a Hdf5,
    paths: std::vec::IntoIter<String>,
}

impl<'a> Variables<'a> {
    fn new(saved: &'a SavedModel) -> Result<Self> {
        let file = &saved.weights;
        let paths: Vec<String> = if saved.is_listed {
            let names = match file.has_group("optimizer_weights") {
                true => super::weights::list(file, "optimizer_weights", "weight_names")?.unwrap_or_default(),
                false => Vec::new(),
            };
            names.iter().map(|name| format!("optimizer_weights/{name}")).collect()
        } else {
            let count = file.tensors()?.iter().filter(|path| path.starts_with("optimizer/vars/")).count();
            (0..count).map(|number| format!("optimizer/vars/{number}")).collect()
        };
        Ok(Variables { file, paths: paths.into_iter() })
    }

    fn is_more(&self) -> bool {
        !self.paths.as_slice().is_empty()
    }

    /// Whether the next variable is a number without axes.
    fn is_number_next(&self) -> Result<bool> {
        let Some(path) = self.paths.as_slice().first() else { return Ok(false) };
        Ok(self.file.info(path)?.is_some_and(|info| info.shape.is_empty()))
    }

    fn next(&mut self, what: &str) -> Result<AnyTensor> {
        match self.paths.next() {
            Some(path) => self.file.read(&path),
            None => {
                let problem = format!("the optimiser has no variable for {what}");
                Err(Error::new("keras", problem, "the file is damaged, or of another model: save it again"))
            }
        }
    }

    fn scalar(&mut self, what: &str) -> Result<f64> {
        let found = self.next(what)?;
        if !found.shape().is_empty() {
            let problem = format!("the optimiser's {what} has the shape {}, not that of a number", found.shape());
            return Err(Error::new("keras", problem, "the file is damaged, or of another model: save it again"));
        }
        Ok(found.to::<f64>().item())
    }

    fn next_tensor<T: Float>(&mut self, weight: &str) -> Result<Tensor<T>> {
        let found = self.next(weight)?;
        if !found.is_float() {
            let problem = format!("the optimiser's variable for {weight:?} holds {}, not floats", found.element());
            return Err(Error::new("keras", problem, "the file is damaged, or of another model: save it again"));
        }
        Ok(found.to())
    }
}
