//! Floats in files. JSON knows neither NaN nor infinity: these are written as text, `"NaN"`, `"inf"` and `"-inf"`.
//!
//! For a field of a struct: `#[serde(with = "crate::number")]`. For a list: a list of [`Number`].

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A float that is written and read without loss, whatever it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub(crate) struct Number(pub f64);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Finite(f64),
    Text(String),
}

impl From<Number> for Written {
    fn from(Number(value): Number) -> Self {
        if value.is_finite() { Written::Finite(value) } else { Written::Text(value.to_string()) }
    }
}

impl TryFrom<Written> for Number {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Finite(value) => Ok(Number(value)),
            Written::Text(text) => {
                let number = text.parse().map(Number);
                number.map_err(|_| format!("found {text:?}, expected a number, NaN, inf or -inf"))
            }
        }
    }
}

pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*value).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Number::deserialize(deserializer).map(|Number(value)| value)
}
