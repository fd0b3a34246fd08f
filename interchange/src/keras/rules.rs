//! Our optimisers as Keras's: class, options and schedule.

use std::any::{Any, type_name};

use gradus_optim::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, CosineDecay, CosineRestarts, ExponentialDecay, Ftrl,
    InverseTimeDecay, Lamb, Lion, Muon, Nadam, OneCycle, Optimizer, PiecewiseConstant, PolynomialDecay, RmsProp, Rule,
    Sgd, StepDecay, WarmUp,
};
use gradus_tensor::Float;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::fields::object_of;
use super::slots::{Trained, pattern_of};

/// A class of Keras's, and how the data of ours are had of a value, if it is one.
pub(super) type Known = (&'static str, fn(&dyn Any) -> Option<Json>);

/// The class of Keras's for a value, and the value's data.
pub(super) fn known(table: &[Known], value: &dyn Any) -> Option<(&'static str, Map<String, Json>)> {
    let (class, data) = table.iter().find_map(|(class, data_of)| Some((*class, data_of(value)?)))?;
    // A type without options has no data.
    Some((class, if let Json::Object(data) = data { data } else { Map::new() }))
}

pub(super) fn data_of<X: Any + Serialize>(value: &dyn Any) -> Option<Json> {
    value.downcast_ref::<X>().map(|value| serde_json::to_value(value).expect("plain data"))
}

const RULES: &[Known] = &[
    ("SGD", data_of::<Sgd>),
    ("Adam", data_of::<Adam>),
    ("AdamW", data_of::<AdamW>),
    ("RMSprop", data_of::<RmsProp>),
    ("Adagrad", data_of::<Adagrad>),
    ("Adadelta", data_of::<Adadelta>),
    ("Adamax", data_of::<Adamax>),
    ("Nadam", data_of::<Nadam>),
    ("Ftrl", data_of::<Ftrl>),
    ("Lion", data_of::<Lion>),
    ("Lamb", data_of::<Lamb>),
    ("Adafactor", data_of::<Adafactor>),
    ("Muon", data_of::<Muon>),
];

const SCHEDULES: &[Known] = &[
    ("ExponentialDecay", data_of::<ExponentialDecay>),
    ("ExponentialDecay", data_of::<StepDecay>),
    ("InverseTimeDecay", data_of::<InverseTimeDecay>),
    ("PolynomialDecay", data_of::<PolynomialDecay>),
    ("PiecewiseConstantDecay", data_of::<PiecewiseConstant>),
    ("CosineDecay", data_of::<CosineDecay>),
    ("CosineDecay", data_of::<WarmUp<CosineDecay>>),
    ("CosineDecayRestarts", data_of::<CosineRestarts>),
];

/// Options that Keras calls otherwise: the class, our name and Keras's.
const NAMES: &[(&str, &str, &str)] = &[
    ("Adagrad", "initial_accumulator", "initial_accumulator_value"),
    ("Ftrl", "initial_accumulator", "initial_accumulator_value"),
    ("Ftrl", "l1", "l1_regularization_strength"),
    ("Ftrl", "l2", "l2_regularization_strength"),
    ("Ftrl", "l2_shrinkage", "l2_shrinkage_regularization_strength"),
    ("PolynomialDecay", "end", "end_learning_rate"),
    ("CosineDecay", "steps", "decay_steps"),
    ("CosineDecayRestarts", "steps", "first_decay_steps"),
    // Of all schedules.
    ("", "initial", "initial_learning_rate"),
    ("", "steps", "decay_steps"),
    ("", "every", "decay_steps"),
    ("", "rate", "decay_rate"),
    ("", "factor", "decay_rate"),
];

/// The class and the config of an optimiser, and all that Keras lacks. `weights` are those that are trained.
pub(super) fn optimizer<R: Rule, T: Float>(
    optimizer: &Optimizer<R, T>,
    weights: &[Trained],
) -> (&'static str, Json, Vec<String>) {
    let mut problems = Vec::new();
    let Some((class, data)) = known(RULES, optimizer.rule()) else {
        let problem = format!("Keras has no such optimiser as {}", short_name::<R>());
        return ("", Json::Null, vec![problem]);
    };
    let mut config = Map::new();
    config.insert("name".to_owned(), json!(class.to_lowercase()));
    config.insert("learning_rate".to_owned(), learning_rate(optimizer, &mut problems));
    set(class, optimizer, weights, &mut config, &mut problems);
    let rule = match class {
        "Muon" => muon(data, &config, optimizer.rule(), weights, &mut problems),
        _ => renamed(class, plain(class, data, &mut problems)),
    };
    config.extend(rule);
    if class == "Lion" && config["beta_1"] == json!(0.0) {
        problems.push("Keras's Lion has a beta_1 greater than 0".to_owned());
    }
    let problems = problems.into_iter().map(|problem| format!("the optimiser {class}: {problem}"));
    (class, Json::Object(config), problems.collect())
}

/// The options besides the rule and the schedule.
fn set<R: Rule, T: Float>(
    class: &str,
    optimizer: &Optimizer<R, T>,
    weights: &[Trained],
    config: &mut Map<String, Json>,
    problems: &mut Vec<String>,
) {
    let settings = optimizer.settings();
    let decay = settings.weight_decay;
    let (gathers, has_averages) = (settings.gradient_accumulation_steps > 1, settings.use_ema.is_some());
    // Keras's AdamW insists on a number.
    let options = json!({
        "weight_decay": if decay > 0.0 || class == "AdamW" { Some(decay) } else { None },
        "clipnorm": settings.clip_norm,
        "global_clipnorm": settings.clip_global_norm,
        "clipvalue": settings.clip_value,
        "use_ema": has_averages,
        "ema_momentum": settings.use_ema.unwrap_or(0.99),
        "ema_overwrite_frequency": settings.ema_overwrite_frequency,
        "loss_scale_factor": null,
        "gradient_accumulation_steps": if gathers { Some(settings.gradient_accumulation_steps) } else { None },
    });
    config.extend(options.as_object().cloned().unwrap_or_default());
    if settings.l2 > 0.0 {
        problems.push(format!("Keras has no option l2 ({}): give the layers a regularizer", settings.l2));
    }
    let names = &settings.exclude_from_weight_decay;
    let is_spared = |weight: &Trained| weight.name.split('/').any(|part| names.iter().any(|name| name == part));
    if decay > 0.0 && weights.iter().any(is_spared) {
        let problem =
            format!("Keras's files do not hold exclude_from_weight_decay ({names:?}): decay all weights or none");
        problems.push(problem);
    }
    if gathers && has_averages {
        problems.push("with gradient_accumulation_steps, Keras averages weights (use_ema) at each batch".to_owned());
    }
    if gathers && config["learning_rate"].is_object() {
        problems
            .push("with gradient_accumulation_steps, Keras's schedules count batches: take a constant rate".to_owned());
    }
}

/// A number, or the object of a schedule.
fn learning_rate<R: Rule, T: Float>(optimizer: &Optimizer<R, T>, problems: &mut Vec<String>) -> Json {
    let schedule: &dyn Any = optimizer.schedule();
    let is_set = optimizer.state().learning_rate.is_some();
    if is_set || schedule.is::<f64>() {
        return json!(optimizer.current_learning_rate());
    }
    let Some((class, mut data)) = known(SCHEDULES, schedule) else {
        let what = match () {
            () if schedule.is::<OneCycle>() => "OneCycle",
            () if schedule.is::<WarmUp>() => "WarmUp to a constant rate",
            () => "a closure, a schedule of your own, or a WarmUp before another schedule than CosineDecay",
        };
        problems.push(format!(
            "Keras has no such schedule as its learning rate, {what}: set a number by set_learning_rate"
        ));
        return Json::Null;
    };
    // A warm-up is a part of Keras's CosineDecay.
    if let Some(Json::Object(then)) = data.remove("then") {
        let (start, steps) = (data.remove("start"), data.remove("steps"));
        data.extend(then);
        data.insert("warmup_target".to_owned(), data["initial"].clone());
        data.insert("warmup_steps".to_owned(), steps.unwrap_or_default());
        data.insert("initial".to_owned(), start.unwrap_or_default());
    }
    if schedule.is::<StepDecay>() {
        data.insert("staircase".to_owned(), json!(true));
    }
    object_of("keras.optimizers.schedules", class, Json::Object(renamed(class, data)))
}

fn renamed(class: &str, data: Map<String, Json>) -> Map<String, Json> {
    let name = |ours: String| {
        let name =
            NAMES.iter().find(|(of, name, _)| *name == ours && (*of == class || (of.is_empty() && is_schedule(class))));
        name.map_or(ours, |(_, _, keras)| (*keras).to_owned())
    };
    data.into_iter().map(|(ours, value)| (name(ours), value)).collect()
}

fn is_schedule(class: &str) -> bool {
    SCHEDULES.iter().any(|(schedule, _)| *schedule == class)
}

/// The options of a rule that Keras has. Where epsilon stands is none in Keras, and Adam corrects the bias.
fn plain(rule: &str, mut data: Map<String, Json>, problems: &mut Vec<String>) -> Map<String, Json> {
    if data.remove("bias_correction") == Some(json!(false)) {
        problems.push("Keras corrects the bias: take bias_correction(true)".to_owned());
    }
    let is_elsewhere = data.remove("keras_epsilon") == Some(json!(false));
    if is_elsewhere && data["epsilon"].as_f64().is_some_and(|epsilon| epsilon > 0.0) {
        let rule = if rule == "AdamW" { "Adam" } else { rule };
        problems.push(format!(
            "Keras adds epsilon elsewhere: take {rule}::keras_epsilon(true), by an optimiser into which Optimizer::restore takes \
             the state of this one"
        ));
    }
    data
}

fn muon(
    mut data: Map<String, Json>,
    config: &Map<String, Json>,
    rule: &impl Rule,
    weights: &[Trained],
    problems: &mut Vec<String>,
) -> Map<String, Json> {
    let adam = data.remove("adam").and_then(|adam| adam.as_object().cloned()).unwrap_or_default();
    let adam = plain("Adam", adam, problems);
    if adam.get("amsgrad") == Some(&json!(true)) {
        problems.push("Keras has no amsgrad for the weights that are no matrices".to_owned());
    }
    for (keras, ours) in [("adam_beta_1", "beta_1"), ("adam_beta_2", "beta_2"), ("epsilon", "epsilon")] {
        data.insert(keras.to_owned(), adam[ours].clone());
    }
    data.insert("adam_weight_decay".to_owned(), config["weight_decay"].clone());
    data.insert("exclude_embeddings".to_owned(), json!(true));
    for (name, factor) in [("muon_a", 3.4445), ("muon_b", -4.775), ("muon_c", 2.0315)] {
        data.insert(name.to_owned(), json!(factor));
    }
    // Keras has its own rule for what is a matrix, and patterns for exceptions.
    let mut patterns: Vec<String> = Vec::new();
    for weight in weights {
        let is_matrix = rule.slots(&weight.name, &weight.shape).len() == 1;
        let is_matrix_there = weight.axes() == 2 && !weight.name.to_lowercase().contains("embedding");
        let mut names = weight.name.rsplit('/');
        match (is_matrix, is_matrix_there, names.next(), names.next()) {
            (true, false, ..) => problems.push(format!(
                "Keras leaves {:?} to Adam, as a weight without two axes or of an embedding: take exclude_layers",
                weight.name
            )),
            // Within a Bidirectional or a TimeDistributed, Keras's layer has another name.
            (false, true, Some(name), Some(layer))
                if name != "bias" && !matches!(layer, "layer" | "forward_layer" | "backward_layer") =>
            {
                patterns.push(pattern_of(layer, name));
            }
            (false, true, ..) => {
                problems.push(format!("Keras takes {:?}, which has two axes, as a matrix", weight.name));
            }
            _ => {}
        }
    }
    data.insert("exclude_layers".to_owned(), json!(patterns));
    data
}

/// The name of a type without the path of its module.
fn short_name<X>() -> &'static str {
    let name = type_name::<X>();
    let end = name.find('<').unwrap_or(name.len());
    name[..end].rsplit("::").next().unwrap_or(name)
}
