//! Measurements by name, and those of all epochs.

use std::fmt;
use std::ops::Index;

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::metrics::{LossMeans, OutputMetric};

/// Named numbers in the order in which they were measured: `loss`, those of the outputs if there are several
/// (`class_loss`), then the metrics (`accuracy`, or `class_accuracy`).
///
/// ```
/// use gradus_train::Logs;
/// let mut logs = Logs::default();
/// logs.insert("loss", 0.25);
/// logs.insert("accuracy", 0.5);
/// assert_eq!((logs["loss"], logs.get("mae")), (0.25, None));
/// assert_eq!(logs.to_string(), "loss: 0.2500 - accuracy: 0.5000");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Logs {
    #[serde(with = "entries")]
    entries: Vec<(String, f64)>,
}

/// What the names of measurements on the validation set begin with.
pub(crate) const VALIDATION: &str = "val_";

impl Logs {
    /// The mean loss, that of each output where there are several, and the results of the metrics.
    pub(crate) fn measured<T: Float>(losses: &LossMeans, metrics: &[OutputMetric<T>]) -> Self {
        let mut logs = Logs::default();
        logs.insert("loss", losses.total());
        if losses.outputs().len() > 1 {
            losses.outputs().for_each(|(output, loss)| logs.insert(format!("{output}_loss"), loss));
        }
        for metric in metrics {
            logs.insert(&metric.name, metric.result());
        }
        logs
    }

    /// Adds a number under this name, or replaces the number that has it.
    pub fn insert(&mut self, name: impl Into<String>, value: f64) {
        let name = name.into();
        match self.entries.iter_mut().find(|(known, _)| *known == name) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((name, value)),
        }
    }

    /// The number under this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.entries.iter().find(|(known, _)| known == name).map(|&(_, value)| value)
    }

    /// Names and numbers in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Whether some of them were measured on the validation set.
    pub(crate) fn have_validation(&self) -> bool {
        self.iter().any(|(name, _)| name.starts_with(VALIDATION))
    }

    /// The names, joined for a message.
    pub(crate) fn names(&self) -> String {
        self.iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    }
}

impl Index<&str> for Logs {
    type Output = f64;

    /// The number under this name.
    ///
    /// # Panics
    /// If nothing of this name was measured; the message lists what was.
    #[track_caller]
    fn index(&self, name: &str) -> &f64 {
        match self.entries.iter().find(|(known, _)| known == name) {
            Some((_, value)) => value,
            None => panic!("logs: nothing named {name:?} was measured, only {}", self.names()),
        }
    }
}

impl fmt::Display for Logs {
    /// `loss: 0.1234 - accuracy: 0.9876`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            let separator = if i == 0 { "" } else { " - " };
            // Small numbers, such as a learning rate, in scientific notation, as Keras does.
            if value != 0.0 && value.abs() < 1e-3 {
                write!(f, "{separator}{name}: {value:.4e}")?;
            } else {
                write!(f, "{separator}{name}: {value:.4}")?;
            }
        }
        Ok(())
    }
}

/// Named numbers in files.
mod entries {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::number::Number;

    pub fn serialize<S: Serializer>(entries: &[(String, f64)], serializer: S) -> Result<S::Ok, S::Error> {
        let entries: Vec<_> = entries.iter().map(|(name, value)| (name, Number(*value))).collect();
        entries.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, f64)>, D::Error> {
        let entries = Vec::<(String, Number)>::deserialize(deserializer)?;
        Ok(entries.into_iter().map(|(name, Number(value))| (name, value)).collect())
    }
}

/// The measurements of a training run, epoch by epoch.
///
/// ```
/// use gradus_datasets::Dataset;
/// use gradus_nn::{Dense, Initializer, Model, Sequential, losses::MeanSquaredError};
/// use gradus_optim::{IntoOptimizer, Sgd};
/// use gradus_tensor::Tensor;
/// use gradus_train::{Fit, Trainer};
/// // y = kernel x from a kernel of 1 to one of 3: each step of 0.25 x 2 (kernel - 3) halves the distance.
/// let layer = Dense::new(1).kernel_initializer(Initializer::Ones).use_bias(false);
/// let model = Model::build(Sequential::new().add(layer), [1], 42)?;
/// let data = Dataset::new(Tensor::new([[1.0]]), Tensor::new([[3.0]]))?;
/// let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default().learning_rate(0.25));
/// let history = trainer.fit(&data, Fit { epochs: 3, verbose: false, ..Fit::default() })?;
/// assert_eq!(history.get("loss"), [4.0, 1.0, 0.25]);
/// assert_eq!(history.last().unwrap()["loss"], 0.25);
/// # Ok::<(), gradus_train::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The epochs that were run, counted from 0.
    pub epochs: Vec<usize>,
    /// The measurements of each.
    pub logs: Vec<Logs>,
    /// The reason why training ended before the last epoch, if it did.
    pub stopped: Option<String>,
    /// What a [`Doctor`](crate::callbacks::Doctor) has found, in the order in which it was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl History {
    /// One measurement over the epochs: `history.get("val_loss")`. Empty if nothing of this name was measured.
    pub fn get(&self, name: &str) -> Vec<f64> {
        self.logs.iter().filter_map(|logs| logs.get(name)).collect()
    }

    /// The measurements of the last epoch.
    pub fn last(&self) -> Option<&Logs> {
        self.logs.last()
    }
}
