//! Options as JSON, which has no NaN and no infinities: one that is not finite is refused when it is written, not when it is
//! read again.

use serde::ser::Error;
use serde::{Serialize, Serializer};

/// For a field: `#[serde(serialize_with = "crate::finite::serialize")]`.
pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { value.serialize(serializer) } else { Err(refused(*value)) }
}

/// For a field that is a list.
pub(crate) fn serialize_all<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    match values.iter().find(|value| !value.is_finite()) {
        None => values.serialize(serializer),
        Some(value) => Err(refused(*value)),
    }
}

fn refused<E: Error>(value: f64) -> E {
    E::custom(format!("an option is {value}, which cannot be written; give a finite number"))
}
