//! Options as JSON: [`options!`](super::options::options) writes and reads a layer's fields by these functions.
//!
//! serde's derived code for reading is compiled for each layer; for all layers together it would be a sixth of the crate's
//! code. These functions are compiled once for each type of option. The text that they write, and their errors, are those
//! of the derived code, with the field's name before an error of its value.

use gradus_autograd::Constraint;
use serde::de::{self, DeserializeOwned, Error as _};
use serde::ser::{self, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::{Error, Map, Result, Value as Json};

use super::Padding;
use crate::activation::Activation;
use crate::initializers::Initializer;
use crate::layer::LayerHandle;
use crate::layers::category_encoding::CategoryMode;
use crate::layers::up_sampling::Interpolation;
use crate::regularizers::Regularizer;

/// The type of an option.
#[diagnostic::on_unimplemented(
    message = "no option of a layer has the type `{Self}` yet",
    note = "add the type to `option_types!` in `nn/src/layers/support/record.rs`"
)]
pub(in crate::layers) trait OptionType: Sized {
    fn write(&self) -> Result<Json>;
    fn read(value: Json) -> Result<Self>;

    /// The value of an option that is missing, if it may be.
    fn missing() -> Option<Self> {
        None
    }
}

macro_rules! option_types {
    ($($Type:ty),+ $(,)?) => {
        $(impl OptionType for $Type {
            fn write(&self) -> Result<Json> {
                serde_json::to_value(self)
            }
            fn read(value: Json) -> Result<Self> {
                serde_json::from_value(value)
            }
        })+
    };
}

option_types! {
    bool, isize, usize, Vec<isize>, Vec<usize>, Activation, CategoryMode, Constraint, Initializer, Interpolation,
    LayerHandle, Padding, Regularizer,
}

impl OptionType for f64 {
    fn write(&self) -> Result<Json> {
        crate::finite::serialize(self, serde_json::value::Serializer)
    }
    fn read(value: Json) -> Result<Self> {
        serde_json::from_value(value)
    }
}

/// An entry for each of `N` axes. (serde reads arrays of each length, not of every length.)
impl<X: Serialize + DeserializeOwned, const N: usize> OptionType for [X; N] {
    fn write(&self) -> Result<Json> {
        serde_json::to_value(&self[..])
    }
    fn read(value: Json) -> Result<Self> {
        let entries: Vec<X> = serde_json::from_value(value)?;
        let length = entries.len();
        entries.try_into().map_err(|_| Error::invalid_length(length, &&*format!("an array of length {N}")))
    }
}

impl<X: OptionType> OptionType for Option<X> {
    fn write(&self) -> Result<Json> {
        self.as_ref().map_or(Ok(Json::Null), X::write)
    }
    fn read(value: Json) -> Result<Self> {
        if value.is_null() { Ok(None) } else { X::read(value).map(Some) }
    }
    fn missing() -> Option<Self> {
        Some(None)
    }
}

/// Writes fields in this order.
pub(in crate::layers) fn write<S: Serializer>(
    fields: impl IntoIterator<Item = (&'static str, Result<Json>)>,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in fields {
        map.serialize_entry(name, &value.map_err(ser::Error::custom)?)?;
    }
    map.end()
}

/// The fields of a layer, being read.
pub(in crate::layers) struct Record(Map<String, Json>);

impl Record {
    /// The fields of a JSON object, which may have these names.
    pub fn new(json: Json, names: &'static [&'static str]) -> Result<Self> {
        let fields: Map<String, Json> = serde_json::from_value(json)?;
        match fields.keys().find(|&name| !names.contains(&&**name)) {
            Some(name) => Err(Error::unknown_field(name, names)),
            None => Ok(Record(fields)),
        }
    }

    /// The field of this name.
    pub fn take<X: OptionType>(&mut self, name: &'static str) -> Result<X> {
        match self.0.remove(name) {
            Some(value) => X::read(value).map_err(|error| de::Error::custom(format!("field `{name}`: {error}"))),
            None => X::missing().ok_or_else(|| Error::missing_field(name)),
        }
    }

    /// The field of this name, or `default` if it is missing.
    pub fn take_or<X: OptionType>(&mut self, name: &'static str, default: impl FnOnce() -> X) -> Result<X> {
        if self.0.contains_key(name) { self.take(name) } else { Ok(default()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_array_has_an_entry_for_each_axis() {
        let read = |value| <[usize; 2]>::read(value).map_err(|error| error.to_string());
        assert_eq!(read(json!([3, 4])), Ok([3, 4]));
        for (value, length) in [(json!([]), 0), (json!([3]), 1), (json!([3, 4, 5]), 3)] {
            assert_eq!(read(value), Err(format!("invalid length {length}, expected an array of length 2")));
        }
        for value in [json!([3, "x"]), json!(3), json!(null), json!([3, -4])] {
            assert!(read(value).unwrap_err().starts_with("invalid "));
        }
        assert_eq!([[1, 2], [3, 4]].write().unwrap(), json!([[1, 2], [3, 4]]));
    }

    #[test]
    fn an_option_that_is_none_may_be_null_or_missing() {
        let read = |value: Json| <Option<[usize; 2]>>::read(value).ok();
        assert_eq!([json!([3, 4]), json!(null), json!([3])].map(read), [Some(Some([3, 4])), Some(None), None]);
        assert_eq!([Some([3, 4]), None].map(|array| array.write().unwrap()), [json!([3, 4]), json!(null)]);

        let mut record = Record::new(json!({}), &["size"]).unwrap();
        assert_eq!(record.take::<Option<usize>>("size").unwrap(), None);
        assert_eq!(record.take::<usize>("size").unwrap_err().to_string(), "missing field `size`");
    }

    #[test]
    fn errors_name_the_field() {
        let problem = |json| match Record::new(json, &["rate", "axis"]) {
            Ok(mut record) => record.take::<f64>("rate").unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(problem(json!({ "rate": "x" })), "field `rate`: invalid type: string \"x\", expected f64");
        assert_eq!(problem(json!({ "rate": 1.0, "share": 2 })), "unknown field `share`, expected `rate` or `axis`");
        assert_eq!(problem(json!({ "axis": 1 })), "missing field `rate`");
        assert_eq!(problem(json!(3)), "invalid type: integer `3`, expected a map");
    }
}
