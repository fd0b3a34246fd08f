//! The ranges of the options of losses, for setters and for what serde reads.

use serde::{Deserialize, Deserializer, de};

/// What an option must be.
pub(super) struct Range {
    /// The option, what it is, and the range in words.
    needed: &'static str,
    holds: fn(f64) -> bool,
}

/// A share by which targets are smoothed.
pub(super) const SMOOTHING: Range =
    Range { needed: "label_smoothing: the smoothing must be in 0 to 1", holds: is_share };
/// The power of a focus.
pub(super) const GAMMA: Range =
    Range { needed: "gamma: the power of the focus must be finite and not negative", holds: is_not_negative };
/// The share of targets of 1.
pub(super) const SHARE: Range = Range { needed: "alpha: the share of targets of 1 must be in 0 to 1", holds: is_share };
/// A factor on a loss.
pub(super) const FACTOR: Range =
    Range { needed: "alpha: the factor on the loss must be finite and not negative", holds: is_not_negative };
/// The error beyond which a loss grows linearly.
pub(super) const DELTA: Range =
    Range { needed: "huber: delta must be above 0", holds: |value| is_not_negative(value) && value > 0.0 };

/// A margin between distances.
pub(super) const MARGIN: Range =
    Range { needed: "margin: the margin must be finite and not negative", holds: is_not_negative };

/// How much a kind of error counts.
pub(super) const ALPHA: Range = Range { needed: "alpha: must be finite and not negative", holds: is_not_negative };
pub(super) const BETA: Range = Range { needed: "beta: must be finite and not negative", holds: is_not_negative };

fn is_share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

fn is_not_negative(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

impl Range {
    /// The value that a program gives.
    #[track_caller]
    pub fn given(&self, value: f64) -> f64 {
        match self.checked(value) {
            Ok(value) => value,
            Err(problem) => panic!("{problem}"),
        }
    }

    fn checked(&self, value: f64) -> Result<f64, String> {
        if (self.holds)(value) { Ok(value) } else { Err(format!("{}, found {value}", self.needed)) }
    }

    fn read<'de, D: Deserializer<'de>>(&self, deserializer: D) -> Result<f64, D::Error> {
        self.checked(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// For serde: `#[serde(deserialize_with = "options::read_gamma")]`, and so on.
pub(super) fn read_smoothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    SMOOTHING.read(deserializer)
}

pub(super) fn read_gamma<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    GAMMA.read(deserializer)
}

pub(super) fn read_alpha<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    ALPHA.read(deserializer)
}

pub(super) fn read_beta<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    BETA.read(deserializer)
}

pub(super) fn read_margin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    MARGIN.read(deserializer)
}

pub(super) fn read_factor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    FACTOR.read(deserializer)
}

pub(super) fn read_delta<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    DELTA.read(deserializer)
}

pub(super) fn read_share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let value = Option::<f64>::deserialize(deserializer)?;
    value.map(|value| SHARE.checked(value)).transpose().map_err(de::Error::custom)
}
