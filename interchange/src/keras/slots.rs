//! The variables of Keras's optimisers, in Keras's order.

use gradus_tensor::Shape;
use serde_json::Value as Json;

/// A variable of an optimiser, behind its step count and its learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kept {
    /// A slot of the rule, by our name.
    Slot(&'static str),
    /// A slot whose numbers have the other sign in Keras: Muon's sum is one of gradients there, and of steps here.
    Negated(&'static str),
    /// The moving average of the weight.
    Average,
    /// The sum of the gradients that wait for others.
    GradientSum,
    /// Adafactor's average of the squared gradient of a weight of two or more axes, which it computes anew from those of rows and
    /// columns.
    Velocity,
    /// A number that Adafactor never uses, where it has no average of rows or of columns.
    Nothing,
    /// Nadam's product of all momenta so far, which follows from the number of steps.
    Product,
}

/// A weight that is trained.
#[derive(Clone, Debug)]
pub(super) struct Trained {
    /// Our name.
    pub name: String,
    pub shape: Shape,
}

impl Trained {
    pub fn axes(&self) -> usize {
        self.shape.len()
    }
}

/// What a variable is, and the number of its weight if it belongs to one.
pub(super) type Variable = (Option<usize>, Kept);

/// The variables of an optimiser.
///
/// # Errors
/// If there is no such optimiser here, or what it keeps for a weight is not known.
pub(super) fn variables(class: &str, config: &Json, weights: &[Trained]) -> Result<Vec<Variable>, String> {
    use Kept::{Average, GradientSum, Product, Slot};
    let is_set = |option: &str| config[option] == Json::Bool(true);
    let has_momentum = config["momentum"].as_f64().is_some_and(|momentum| momentum > 0.0);
    let mut all = Vec::new();
    let mut group = |kept: &[Kept]| {
        let of_weight = |weight| kept.iter().map(move |&kept| (Some(weight), kept));
        all.extend((0..weights.len()).flat_map(of_weight));
    };
    if is_set("use_ema") {
        group(&[Average]);
    }
    if batches_per_step(config) > 1 {
        group(&[GradientSum]);
    }
    match class {
        "Adam" | "AdamW" => {
            group(&[Slot("momentum"), Slot("velocity")]);
            if is_set("amsgrad") {
                group(&[Slot("max_velocity")]);
            }
        }
        "Lamb" => group(&[Slot("momentum"), Slot("velocity")]),
        "Nadam" => {
            group(&[Slot("momentum"), Slot("velocity")]);
            all.push((None, Product));
        }
        "SGD" => {
            if has_momentum {
                group(&[Slot("momentum")]);
            }
        }
        "RMSprop" => {
            group(&[Slot("velocity")]);
            if has_momentum {
                group(&[Slot("momentum")]);
            }
            if is_set("centered") {
                group(&[Slot("average")]);
            }
        }
        "Adagrad" => group(&[Slot("accumulator")]),
        "Adadelta" => group(&[Slot("gradients"), Slot("steps")]),
        "Adamax" => group(&[Slot("momentum"), Slot("norm")]),
        "Ftrl" => group(&[Slot("accumulator"), Slot("linear")]),
        "Lion" => group(&[Slot("momentum")]),
        "Adafactor" => {
            let of_weight = |(index, weight): (usize, &Trained)| adafactor(weight).map(|kept| (Some(index), kept));
            all.extend(weights.iter().enumerate().flat_map(of_weight));
        }
        "Muon" => {
            for (index, weight) in weights.iter().enumerate() {
                match is_matrix_of_muon(config, weight)? {
                    true => all.push((Some(index), Kept::Negated("momentum"))),
                    false => all.extend([Slot("momentum"), Slot("velocity")].map(|kept| (Some(index), kept))),
                }
            }
        }
        _ => return Err(format!("there is no optimiser {class:?} here")),
    }
    Ok(all)
}

/// The number of batches whose gradients make a step.
pub(super) fn batches_per_step(config: &Json) -> u64 {
    config["gradient_accumulation_steps"].as_u64().unwrap_or(1)
}

fn adafactor(weight: &Trained) -> [Kept; 3] {
    match weight.axes() {
        0 | 1 => [Kept::Nothing, Kept::Nothing, Kept::Slot("velocity")],
        _ => [Kept::Slot("row_average"), Kept::Slot("column_average"), Kept::Velocity],
    }
}

/// Whether Keras's Muon takes a weight as a matrix; it leaves the others to Adam.
///
/// Keras looks for the patterns of `exclude_layers` in its path of the weight, which the file does not hold. It ends in the names of
/// the layer and of the weight.
///
/// # Errors
/// If a pattern is more than a text.
fn is_matrix_of_muon(config: &Json, weight: &Trained) -> Result<bool, String> {
    let is_table =
        config["exclude_embeddings"] != Json::Bool(false) && weight.name.to_lowercase().contains("embedding");
    let mut is_excluded = false;
    for pattern in config["exclude_layers"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        is_excluded |= is_found(pattern, &weight.name).ok_or_else(|| {
            format!("the option exclude_layers of Muon has {pattern:?}, a pattern that is more than a text")
        })?;
    }
    Ok(weight.axes() == 2 && !is_table && !is_excluded)
}

const BEGIN: &str = "(^|/)";
/// Keras may have a cell between a layer and a weight.
const BETWEEN: &str = "/(.*/)?";
const END: &str = "$";

/// The pattern that is found in the paths of a layer's weights of a name.
pub(super) fn pattern_of(layer: &str, weight: &str) -> String {
    let mut pattern = BEGIN.to_owned();
    for letter in layer.chars() {
        if !letter.is_alphanumeric() && letter != '_' {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    format!("{pattern}{BETWEEN}{weight}{END}")
}

/// Whether a pattern is found in our name of a weight: one of [`pattern_of`], or a text in which no sign has a meaning. `None` of
/// others.
fn is_found(pattern: &str, name: &str) -> Option<bool> {
    if let Some(pattern) = pattern.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)) {
        let (layer, weight) = pattern.split_once(BETWEEN)?;
        let end = format!("{}/{weight}", plain(layer)?);
        return Some(name.strip_suffix(&*end).is_some_and(|before| before.is_empty() || before.ends_with('/')));
    }
    Some(name.contains(&plain(pattern)?))
}

/// The text that a pattern stands for, if no sign in it has a meaning.
fn plain(pattern: &str) -> Option<String> {
    let mut text = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.push(letters.next().filter(|letter| !letter.is_alphanumeric())?),
            '.' | '^' | '$' | '*' | '+' | '?' | '{' | '}' | '[' | ']' | '|' | '(' | ')' => return None,
            letter => text.push(letter),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_found_as_in_python() {
        // What re.search of Python 3.11 says; nothing where a sign has a meaning.
        for (pattern, name, expected) in [
            ("head", "block/head/kernel", Some(true)),
            ("head/k", "block/head/kernel", Some(true)),
            ("tail", "block/head/kernel", Some(false)),
            (r"a\.b", "a.b/kernel", Some(true)),
            (r"a\.b", "axb/kernel", Some(false)),
            ("a.b", "a.b/kernel", None),
            (r"dense_\d", "dense_1/kernel", None),
            ("^head", "head/kernel", None),
            ("(^|/)head/(.*/)?kernel$", "block/head/kernel", Some(true)),
            ("(^|/)head/(.*/)?kernel$", "head/kernel", Some(true)),
            ("(^|/)ead/(.*/)?kernel$", "head/kernel", Some(false)),
            ("(^|/)head/(.*/)?kernel$", "head/kernel_2", Some(false)),
        ] {
            assert_eq!(is_found(pattern, name), expected, "{pattern} {name}");
        }
        assert_eq!(pattern_of("a.b", "kernel"), r"(^|/)a\.b/(.*/)?kernel$");
        assert_eq!(is_found(&pattern_of("a.b", "kernel"), "a.b/kernel"), Some(true));
    }
}
