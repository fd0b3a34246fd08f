//! Models in training, written for Keras.

use std::collections::HashMap;
use std::path::Path;

use gradus_nn::losses::Loss;
use gradus_nn::{Error, Model, Result};
use gradus_optim::{Optimizer, Rule, Slot, State};
use gradus_tensor::{AnyTensor, Element, Float, Tensor, keepdims};
use serde_json::{Value as Json, json};

use super::slots::{self, Kept, Trained};
use super::write::written;
use super::{losses, rules, weights_of, within, write_archive};
use crate::hdf5::Hdf5Writer;

/// By what a model is trained, as `model.compile` takes it in Keras: the optimiser, and the loss if it is given.
///
/// [`save_compiled`] writes it with the model.
///
/// ```
/// use gradus_interchange::keras::Compiled;
/// use gradus_nn::losses::Huber;
/// use gradus_optim::{IntoOptimizer, Optimizer, Sgd};
/// let optimizer: Optimizer<Sgd> = Sgd::default().momentum(0.9).learning_rate(0.1);
/// let compiled = Compiled::new(&optimizer).loss(&Huber::default().delta(0.5));
/// ```
#[derive(Clone, Debug)]
pub struct Compiled<'a, R: Rule, T: Float = f32> {
    optimizer: &'a Optimizer<R, T>,
    loss: Option<Result<Json, String>>,
}

impl<'a, R: Rule, T: Float> Compiled<'a, R, T> {
    /// Training by this optimiser, which has taken the steps that it has taken. What Keras lacks of it, [`save_compiled`] says.
    pub fn new(optimizer: &'a Optimizer<R, T>) -> Self {
        Compiled { optimizer, loss: None }
    }

    /// Sets the loss. Without it Keras needs one before training goes on: `model.compile(model.optimizer, loss)` keeps the
    /// optimiser's state.
    pub fn loss(self, loss: &impl Loss) -> Self {
        Compiled { loss: Some(losses::loss(loss)), ..self }
    }
}

/// Writes a model as [`save`](super::save) does, with its optimiser: in Keras training goes on where it is here.
///
/// `keras.models.load_model` then gives a compiled model, with the steps, the learning rate or its schedule, and the slots of the
/// optimiser. What is random in training is drawn anew. Keras 3.15 reads all optimisers, and 3.8 all but [`Muon`](gradus_optim::Muon),
/// which it lacks, and [`Nadam`](gradus_optim::Nadam), which it keeps otherwise. Of a `Trainer`, give `trainer.model()` and
/// `trainer.optimizer()`.
///
/// ```
/// use gradus_interchange::keras::{self, Compiled};
/// use gradus_nn::losses::MeanSquaredError;
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_optim::{Adam, IntoOptimizer};
/// use gradus_tensor::{Generator, Tensor};
/// # let path = std::env::temp_dir().join(format!("gradus_keras_compiled_{}.keras", std::process::id()));
/// let mut model = Model::build(Sequential::new().add(Dense::new(1)), [3], 42)?;
/// let mut optimizer = Adam::default().keras_epsilon(true).learning_rate(0.01);
/// let (x, y) = (Tensor::<f32>::ones([4, 3]), Tensor::<f32>::zeros([4, 1]));
/// let pass = model.grad(&x, &y, None, &MeanSquaredError, &mut Generator::new(1))?;
/// optimizer.step(model.params_mut(), &pass.grads);
///
/// keras::save_compiled(&model, &Compiled::new(&optimizer).loss(&MeanSquaredError), &path)?;
/// // In Python: keras.models.load_model(path).fit(x, y)
/// let saved = keras::optimizer(&path)?.unwrap();
/// assert_eq!((&*saved.class, saved.state.slots), ("Adam", optimizer.state().slots));
/// # std::fs::remove_file(&path).unwrap();
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// If the model, the optimiser, its options, its schedule or the loss are such as Keras lacks, all of it in one message; if the
/// optimiser is that of another model; and as [`save`](super::save). [`Adam`](gradus_optim::Adam) and
/// [`Adagrad`](gradus_optim::Adagrad) are refused without `keras_epsilon`, a step of which differs.
pub fn save_compiled<R: Rule, T: Float>(
    model: &Model<T>,
    compiled: &Compiled<'_, R, T>,
    path: impl AsRef<Path>,
) -> Result<()> {
    let path = path.as_ref();
    within(path, save(model, compiled, path))
}

fn save<R: Rule, T: Float>(model: &Model<T>, compiled: &Compiled<'_, R, T>, path: &Path) -> Result<()> {
    let optimizer = compiled.optimizer;
    if let Err(error) = optimizer.check(model.params()) {
        return Err(Error::new("keras", error.to_string(), "give the optimiser by which the model is trained"));
    }
    let (mut written, mut problems) = written(model)?;
    let (mut weights, settings) = (Vec::new(), optimizer.settings());
    for place in written.places.iter().filter(|place| place.is_trained) {
        let Some(param) = model.params().get(&place.ours) else { continue };
        let name = place.ours.clone();
        if !param.trainable() {
            problems
                .push(format!("the weight {name:?} is frozen, and others of its layer are not: Keras freezes layers"));
        }
        if settings.use_ema.is_some() && param.constraint.is_some() {
            problems
                .push(format!("the weight {name:?} has a constraint, which Keras applies after it averages (use_ema)"));
        }
        weights.push(Trained { name, shape: param.value.shape().clone() });
    }
    let (class, config, lacking) = rules::optimizer(optimizer, &weights);
    problems.extend(lacking);
    let loss = match &compiled.loss {
        Some(Err(problem)) => {
            problems.push(problem.clone());
            None
        }
        Some(Ok(_)) if model.outputs().len() > 1 => {
            problems.push(format!("Keras takes a loss for each of {} outputs: give none here", model.outputs().len()));
            None
        }
        Some(Ok(loss)) => Some(loss),
        None => None,
    };
    if !problems.is_empty() {
        let hint = "take what Keras has, or write the model without its optimiser by keras::save";
        return Err(Error::new("keras", problems.join("; "), hint));
    }
    let mut file = weights_of(model, &written)?;
    variables(&mut file, model, optimizer, class, &config, &weights)?;
    let object = super::fields::object_of("keras.optimizers", class, config);
    written.config["compile_config"] = json!({"optimizer": object, "loss": loss, "loss_weights": null, "metrics": null,
        "weighted_metrics": null, "run_eagerly": false, "steps_per_execution": 1});
    write_archive(path, &written.config, &file.finish()?)
}

/// Writes the variables of an optimiser.
fn variables<R: Rule, T: Float>(
    file: &mut Hdf5Writer,
    model: &Model<T>,
    optimizer: &Optimizer<R, T>,
    class: &str,
    config: &Json,
    weights: &[Trained],
) -> Result<()> {
    let internal =
        |problem: &str| Error::new("keras", problem.to_owned(), "write the model without its optimiser by keras::save");
    let kept = slots::variables(class, config, weights).map_err(|problem| internal(&problem))?;
    let State { steps, waiting, slots, .. } = optimizer.state();
    let slots: HashMap<String, Tensor<T>> = slots.into_iter().collect();
    let batches = steps * slots::batches_per_step(config) + waiting;
    let mut all: Vec<AnyTensor> = vec![number(batches as i64)];
    // A schedule has no variable.
    all.extend(config["learning_rate"].as_f64().map(|rate| number(rate as f32)));
    for (index, kept) in kept {
        let weight = index.and_then(|index| Some((&weights[index], model.params().get(&weights[index].name)?)));
        let slot_of = |name: &str| {
            let (weight, param) = weight?;
            if let Some(slot) = slots.get(&format!("{}/{name}", weight.name)) {
                return Some(slot.clone());
            }
            // A weight that has had no gradient yet, as all before the first step. An average of what stays is what stays.
            let initial =
                optimizer.rule().slots(&weight.name, &weight.shape).into_iter().find(|slot| slot.name == name);
            Some(match (name, initial) {
                (_, Some(Slot { shape, initial, .. })) => Tensor::full(shape, T::of(initial)),
                ("moving_average", None) if steps > 0 => param.value.clone(),
                (_, None) => param.value.zeros_like(),
            })
        };
        let variable: Option<AnyTensor> = match kept {
            Kept::Slot(name) => slot_of(name).map(Into::into),
            Kept::Negated(name) => slot_of(name).map(|slot| (-slot).into()),
            Kept::Average => slot_of("moving_average").map(Into::into),
            Kept::GradientSum => slot_of("gradient_sum").map(Into::into),
            Kept::Velocity => slot_of("row_average").zip(slot_of("column_average")).map(|(rows, columns)| {
                let mean = rows.mean(keepdims(-1)).maximum(T::min_positive_value());
                ((rows / mean).unsqueeze(-1) * columns.unsqueeze(-2)).into()
            }),
            Kept::Nothing => Some(number(0_i32)),
            Kept::Product => Some(number(T::of(product(config["beta_1"].as_f64().unwrap_or(0.9), steps)))),
        };
        all.push(variable.ok_or_else(|| internal("a slot is missing"))?);
    }
    file.group("optimizer/vars", config["name"].as_str());
    for (index, variable) in all.into_iter().enumerate() {
        file.tensor(&format!("optimizer/vars/{index}"), variable);
    }
    Ok(())
}

/// A tensor without axes.
fn number(number: impl Element) -> AnyTensor {
    Tensor::scalar(number).into()
}

/// Nadam's mu_1 .. mu_t, with mu_i = beta_1 (1 - 0.96^i / 2).
fn product(beta_1: f64, steps: u64) -> f64 {
    let (mut product, mut power) = (1.0, 1.0);
    for _ in 0..steps {
        power *= 0.96;
        product *= beta_1 * (1.0 - 0.5 * power);
        if product < f64::MIN_POSITIVE {
            return 0.0;
        }
    }
    product
}
