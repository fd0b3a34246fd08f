//! The state of Keras's optimisers, so that training goes on here.

use std::path::Path;

use gradus_nn::{Error, Result};
use gradus_optim::State;
use gradus_tensor::{AnyTensor, Float, Tensor};
use serde_json::Value as Json;

use super::read::{Place, read_model};
use super::{SavedModel, within};
use crate::hdf5::Hdf5;

/// The optimiser of a model that Keras has trained: its class, its options, and its state.
///
/// The rule and the schedule are made in the program by [`class`](SavedOptimizer::class) and [`config`](SavedOptimizer::config);
/// [`Optimizer::restore`](gradus_optim::Optimizer::restore) takes the state. Then training goes on where Keras was, but what is random in
/// training is drawn anew. Set [`Adam::keras_epsilon`](gradus_optim::Adam::keras_epsilon): Keras adds epsilon before the bias is corrected.
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
/// [`SavedOptimizer`] shows how training goes on. Adam, AdamW, SGD, RMSprop, Adagrad, Adadelta, Adamax, Nadam, Ftrl, Lion and Lamb are known.
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
    if !config["gradient_accumulation_steps"].is_null() {
        return Err(refused("the optimiser gathers gradients of several batches".to_owned()));
    }
    let Some(groups) = slots_of(class, &config) else {
        return Err(refused(format!("there is no optimiser {class:?} here")));
    };
    let model = read_model(&saved.config, &|_| None)?;
    let trained: Vec<&Place> = model.places.iter().filter(|place| place.is_trained).collect();
    let mut variables = Variables::new(saved)?;
    let steps = variables.scalar("iteration")?;
    if !(steps >= 0.0 && steps.fract() == 0.0) {
        return Err(refused(format!("the number of steps is {steps}")));
    }
    // A schedule has no variable.
    let learning_rate =
        if config["learning_rate"].is_object() { None } else { Some(variables.scalar("learning rate")?) };
    let mut slots = Vec::new();
    // Before the first step there are none.
    if variables.is_more() {
        for group in groups {
            for place in &trained {
                for name in group {
                    let slot = variables.next_tensor(&place.ours)?;
                    slots.push((format!("{}/{name}", place.ours), slot));
                }
            }
        }
    }
    let state = State { steps: steps as u64, learning_rate, waiting: 0, slots };
    Ok(Some(SavedOptimizer { class: class.to_owned(), config, state }))
}

/// The slots of an optimiser by our names, in Keras's order: for each group all weights in turn, and for each weight the group's
/// slots.
fn slots_of(class: &str, config: &Json) -> Option<Vec<&'static [&'static str]>> {
    let is_set = |option: &str| config[option] == Json::Bool(true);
    let has_momentum = config["momentum"].as_f64().is_some_and(|momentum| momentum > 0.0);
    let mut groups: Vec<&'static [&'static str]> =
        if is_set("use_ema") { vec![&["moving_average"]] } else { Vec::new() };
    match class {
        "Adam" | "AdamW" => {
            groups.push(&["momentum", "velocity"]);
            if is_set("amsgrad") {
                groups.push(&["max_velocity"]);
            }
        }
        "Nadam" | "Lamb" => groups.push(&["momentum", "velocity"]),
        "SGD" => {
            if has_momentum {
                groups.push(&["momentum"]);
            }
        }
        "RMSprop" => {
            groups.push(&["velocity"]);
            if has_momentum {
                groups.push(&["momentum"]);
            }
            if is_set("centered") {
                groups.push(&["average"]);
            }
        }
        "Adagrad" => groups.push(&["accumulator"]),
        "Adadelta" => groups.push(&["gradients", "steps"]),
        "Adamax" => groups.push(&["momentum", "norm"]),
        "Ftrl" => groups.push(&["accumulator", "linear"]),
        "Lion" => groups.push(&["momentum"]),
        _ => return None,
    }
    Some(groups)
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
