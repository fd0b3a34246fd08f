//! The header of a safetensors file: what is in the file, and where.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use safetensors::tensor::{Dtype, TensorInfo};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{METADATA, SafetensorsError};
use crate::shape::Shape;

/// The most axes of a tensor: NumPy's own limit.
const MOST_AXES: usize = 64;

/// What is in a file: texts and tensors by name, each tensor with its element type, shape and place in the data.
///
/// The entries are those of the crate `safetensors`. Its own reader wants the whole file in memory, lets a name occur twice,
/// and does not say which tensor is wrong.
#[derive(Default)]
pub(super) struct Header {
    pub metadata: BTreeMap<String, String>,
    pub tensors: BTreeMap<String, TensorInfo>,
}

impl Header {
    /// The header in this text, for a file with so many bytes of data.
    pub fn parse(text: &[u8], data: u64) -> Result<Self, SafetensorsError> {
        let header: Header = serde_json::from_slice(text).map_err(|error| {
            let problem = format!("the header is none of a safetensors file: {error}");
            SafetensorsError::content(problem, DAMAGED)
        })?;
        header.check(data)?;
        Ok(header)
    }

    /// Checks that each tensor has as many bytes as its shape asks for, and that they follow each other without gaps.
    fn check(&self, data: u64) -> Result<(), SafetensorsError> {
        let wrong = |name: &str, problem: String| {
            Err(SafetensorsError::content(format!("the tensor {name:?} {problem}"), DAMAGED))
        };
        let mut tensors: Vec<(&String, &TensorInfo)> = self.tensors.iter().collect();
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        let mut begin = 0;
        for (name, info) in tensors {
            let (TensorInfo { dtype, shape, data_offsets: (from, to) }, found) = (info, lengths(&info.shape));
            if shape.len() > MOST_AXES {
                return wrong(name, format!("has {} axes, there can be {MOST_AXES}", shape.len()));
            }
            let Some(bytes) = bytes_of(*dtype, shape) else {
                return wrong(name, format!("of shape {found} ({dtype}) has more elements than memory can hold"));
            };
            if *from != begin {
                let problem = format!("begins at byte {from} of the data, {begin} is the end of the one before");
                return wrong(name, problem);
            }
            if to.checked_sub(*from) != Some(bytes) {
                let problem =
                    format!("of shape {found} ({dtype}) has {bytes} bytes, found offsets from {from} to {to}");
                return wrong(name, problem);
            }
            begin = *to;
        }
        let end = begin as u64;
        if end != data {
            let problem = format!("the tensors have {end} bytes, the file has {data} behind its header");
            let hint = if end > data { "the file is cut off: fetch or write it again" } else { DAMAGED };
            return Err(SafetensorsError::content(problem, hint));
        }
        Ok(())
    }

    /// The bytes before the data: the length of the header, and the header, filled up with blanks so that the data begin at a
    /// multiple of eight bytes. Tensors stand in the order of their data.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).expect("names, numbers and texts can be written as JSON");
        text.resize(text.len().next_multiple_of(8), b' ');
        [&(text.len() as u64).to_le_bytes(), &text[..]].concat()
    }
}

const DAMAGED: &str = "the file is damaged or of another format: fetch or write it again";

/// A shape as messages show it.
pub(super) fn lengths(shape: &[usize]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = shape.iter().take(SHOWN).map(usize::to_string).collect();
    let more = if shape.len() > SHOWN { ", .." } else { "" };
    format!("[{}{more}]", shown.join(", "))
}

/// The bytes of a tensor, if memory can hold it.
pub(super) fn bytes_of(dtype: Dtype, shape: &[usize]) -> Option<usize> {
    // A length of 0 makes a tensor empty, but steps along the other axes must still be numbers.
    Shape::from(shape).checked().ok()?;
    let bits = shape.iter().try_fold(dtype.bitsize(), |bits, &length| bits.checked_mul(length))?;
    (bits % 8 == 0).then_some(bits / 8)
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tensors: Vec<(&String, &TensorInfo)> = self.tensors.iter().collect();
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry(METADATA, &self.metadata)?;
        }
        for (name, info) in tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an entry for each tensor")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let (mut metadata, mut tensors) = (None, BTreeMap::new());
        while let Some(name) = map.next_key::<String>()? {
            if name == METADATA {
                if metadata.replace(map.next_value::<Texts>()?).is_some() {
                    return Err(twice::<A>(&name));
                }
                continue;
            }
            match tensors.entry(name) {
                Entry::Occupied(entry) => return Err(twice::<A>(entry.key())),
                Entry::Vacant(entry) => {
                    let info = map.next_value();
                    let info =
                        info.map_err(|error| A::Error::custom(format!("the tensor {:?}: {error}", entry.key())))?;
                    entry.insert(info);
                }
            }
        }
        Ok(Header { metadata: metadata.unwrap_or_default().0, tensors })
    }
}

/// Texts by name, in an object in which no name occurs twice.
#[derive(Default)]
struct Texts(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
        let mut texts = BTreeMap::new();
        while let Some((name, text)) = map.next_entry::<String, String>()? {
            if texts.contains_key(&name) {
                return Err(twice::<A>(&name));
            }
            texts.insert(name, text);
        }
        Ok(Texts(texts))
    }
}

fn twice<'de, A: MapAccess<'de>>(name: &str) -> A::Error {
    A::Error::custom(format!("the name {name:?} occurs twice"))
}
