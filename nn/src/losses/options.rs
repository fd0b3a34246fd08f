//! The ranges of the options of losses, for setters and for what serde reads.

use serde::{Deserialize, Deserializer, de};

/// A value in its range, or what is wrong with it.
type Checked = Result<f64, String>;

/// A share by which targets are smoothed.
pub(super) fn smoothing(value: f64) -> Checked {
    let problem = || format!("label_smoothing: the smoothing must be in 0 to 1, found {value}");
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(problem()) }
}

/// The power of a focus.
pub(super) fn gamma(value: f64) -> Checked {
    let problem = || format!("gamma: the power of the focus must be finite and not negative, found {value}");
    if value.is_finite() && value >= 0.0 { Ok(value) } else { Err(problem()) }
}

/// The share of targets of 1.
pub(super) fn share(value: f64) -> Checked {
    let problem = || format!("alpha: the share of targets of 1 must be in 0 to 1, found {value}");
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(problem()) }
}

/// A factor on a loss.
pub(super) fn factor(value: f64) -> Checked {
    let problem = || format!("alpha: the factor on the loss must be finite and not negative, found {value}");
    if value.is_finite() && value >= 0.0 { Ok(value) } else { Err(problem()) }
}

/// The error beyond which a loss grows linearly.
pub(super) fn delta(value: f64) -> Checked {
    let problem = || format!("huber: delta must be above 0, found {value}");
    if value > 0.0 && value.is_finite() { Ok(value) } else { Err(problem()) }
}

/// The value that a program gives.
#[track_caller]
pub(super) fn given(checked: Checked) -> f64 {
    match checked {
        Ok(value) => value,
        Err(problem) => panic!("{problem}"),
    }
}

/// For serde: `#[serde(deserialize_with = "options::read_gamma")]`, and so on.
pub(super) fn read_smoothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, smoothing)
}

pub(super) fn read_gamma<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, gamma)
}

pub(super) fn read_factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, factor)
}

pub(super) fn read_delta<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, delta)
}

pub(super) fn read_share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let value = Option::<f64>::deserialize(deserializer)?;
    value.map(share).transpose().map_err(de::Error::custom)
}

fn read<'de, D: Deserializer<'de>>(deserializer: D, check: fn(f64) -> Checked) -> Result<f64, D::Error> {
    check(f64::deserialize(deserializer)?).map_err(de::Error::custom)
}
