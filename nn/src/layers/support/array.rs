//! serde for arrays with an entry per axis, `#[serde(with = "array")]`: serde itself implements its traits for each length,
//! not for all lengths `N`. What is read and written is the same.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeTuple, Serializer};

pub(in crate::layers) fn serialize<X: Serialize, S: Serializer, const N: usize>(
    entries: &[X; N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(N)?;
    for entry in entries {
        tuple.serialize_element(entry)?;
    }
    tuple.end()
}

pub(in crate::layers) fn deserialize<'de, X: Deserialize<'de>, D: Deserializer<'de>, const N: usize>(
    deserializer: D,
) -> Result<[X; N], D::Error> {
    deserializer.deserialize_tuple(N, Entries(PhantomData))
}

struct Entries<X, const N: usize>(PhantomData<X>);

impl<'de, X: Deserialize<'de>, const N: usize> Visitor<'de> for Entries<X, N> {
    type Value = [X; N];

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an array of length {N}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<[X; N], A::Error> {
        let mut read = Vec::with_capacity(N);
        while read.len() < N {
            read.push(entries.next_element()?.ok_or_else(|| A::Error::invalid_length(read.len(), &self))?);
        }
        Ok(read.try_into().unwrap_or_else(|_| unreachable!("N entries were read")))
    }
}

/// The same for an array or none: `#[serde(default, with = "array::optional")]`.
pub(in crate::layers) mod optional {
    use super::*;

    /// An array as serde is to read and write it.
    struct Array<X, const N: usize>([X; N]);

    impl<X: Serialize, const N: usize> Serialize for Array<&X, N> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            super::serialize(&self.0, serializer)
        }
    }

    impl<'de, X: Deserialize<'de>, const N: usize> Deserialize<'de> for Array<X, N> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            super::deserialize(deserializer).map(Array)
        }
    }

    pub(in crate::layers) fn serialize<X: Serialize, S: Serializer, const N: usize>(
        entries: &Option<[X; N]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        entries.as_ref().map(|entries| Array(entries.each_ref())).serialize(serializer)
    }

    pub(in crate::layers) fn deserialize<'de, X: Deserialize<'de>, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<Option<[X; N]>, D::Error> {
        Ok(Option::deserialize(deserializer)?.map(|Array(entries)| entries))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    /// An array of two numbers as this module reads it, and as serde does.
    fn both(value: Value) -> [Result<[usize; 2], String>; 2] {
        let ours = super::deserialize(value.clone()).map_err(|error: serde_json::Error| error.to_string());
        [ours, serde_json::from_value(value).map_err(|error| error.to_string())]
    }

    #[test]
    fn arrays_and_their_errors_are_serdes() {
        for value in [json!([3, 4]), json!([3]), json!([3, 4, 5]), json!([]), json!([3, "x"]), json!(3), json!(null)] {
            let [ours, serdes] = both(value.clone());
            assert_eq!(ours, serdes, "{value}");
        }
        assert_eq!(both(json!([3, 4]))[0], Ok([3, 4]));
        let serializer = serde_json::value::Serializer;
        assert_eq!(super::serialize(&[(1, 2), (3, 4)], serializer).unwrap(), json!([[1, 2], [3, 4]]));
    }

    #[test]
    fn an_optional_array_may_be_null() {
        let read = |value: Value| super::optional::deserialize::<usize, _, 2>(value).ok();
        assert_eq!([json!([3, 4]), json!(null), json!([3])].map(read), [Some(Some([3, 4])), Some(None), None]);
        let written = |array: Option<[usize; 2]>| super::optional::serialize(&array, serde_json::value::Serializer);
        assert_eq!([Some([3, 4]), None].map(|array| written(array).unwrap()), [json!([3, 4]), json!(null)]);
    }
}
