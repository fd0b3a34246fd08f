//! Tensors in serde's formats: `{"shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}`, the elements in row-major order.
//!
//! JSON has no NaN and no infinities. In it, and in other formats for people to read, such an element is null, and a list
//! names what stands for null, in order: `{"shape": [3], "data": [1.5, null, null], "not_finite": ["NaN", "-inf"]}`.

use std::fmt;
use std::marker::PhantomData;

use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::element::Element;
use crate::tensor::Tensor;

impl<T: Element + Serialize> Serialize for Tensor<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let flat = self.contiguous();
        let data = flat.as_slice().expect("just made contiguous");
        let plain = !serializer.is_human_readable() || data.iter().all(|&x| name(x).is_none());
        let mut fields = serializer.serialize_struct("Tensor", if plain { 2 } else { 3 })?;
        fields.serialize_field("shape", self.shape())?;
        if plain {
            fields.serialize_field("data", data)?;
        } else {
            fields.serialize_field("data", &WithNull(data))?;
            fields.serialize_field("not_finite", &data.iter().filter_map(|&x| name(x)).collect::<Vec<_>>())?;
        }
        fields.end()
    }
}

/// What stands for a number that is not finite; `None` for one that is.
fn name<T: Element>(x: T) -> Option<&'static str> {
    match x.cast::<f64>() {
        _ if x.is_nan_value() => Some("NaN"),
        f64::INFINITY => Some("inf"),
        f64::NEG_INFINITY => Some("-inf"),
        _ => None,
    }
}

/// Elements, null where they are not finite.
struct WithNull<'a, T>(&'a [T]);

impl<T: Element + Serialize> Serialize for WithNull<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut elements = serializer.serialize_seq(Some(self.0.len()))?;
        for x in self.0 {
            elements.serialize_element(&name(*x).is_none().then_some(x))?;
        }
        elements.end()
    }
}

/// Shape and elements as vectors, for which serde reserves no more memory than the data that have arrived.
#[derive(Deserialize)]
#[serde(rename = "Tensor")]
struct Plain<T> {
    shape: Vec<usize>,
    data: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename = "Tensor", bound = "T: Element + Deserialize<'de>")]
struct Named<T> {
    shape: Vec<usize>,
    data: Nullable<T>,
    #[serde(default)]
    not_finite: Vec<String>,
}

impl<'de, T: Element + Deserialize<'de>> Deserialize<'de> for Tensor<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (shape, data) = if deserializer.is_human_readable() {
            let Named { shape, data, not_finite } = Named::deserialize(deserializer)?;
            (shape, data.named(&not_finite).map_err(de::Error::custom)?)
        } else {
            let Plain { shape, data } = Plain::deserialize(deserializer)?;
            (shape, data)
        };
        Tensor::from_vec(data, shape).map_err(de::Error::custom)
    }
}

/// Elements, and the places of those that are null.
struct Nullable<T> {
    elements: Vec<T>,
    nulls: Vec<usize>,
}

impl<T: Element> Nullable<T> {
    /// The elements, with the numbers of these names in the places of null.
    fn named(mut self, names: &[String]) -> Result<Vec<T>, String> {
        if names.len() != self.nulls.len() {
            let (nulls, names) = (self.nulls.len(), names.len());
            return Err(format!(
                "{nulls} elements are null, which stands for NaN and infinities, and `not_finite` names {names} of them; give \
                 it \"NaN\", \"inf\" or \"-inf\" for each, in order"
            ));
        }
        for (&place, found) in self.nulls.iter().zip(names) {
            let value = match &**found {
                "NaN" => f64::NAN,
                "inf" => f64::INFINITY,
                "-inf" => f64::NEG_INFINITY,
                _ => return Err(format!("`not_finite` names {found:?}, expected \"NaN\", \"inf\" or \"-inf\"")),
            };
            let x = T::from_f64(value);
            if name(x) != Some(found) {
                return Err(format!("element {place} is null, expected a value of {}", T::NAME));
            }
            self.elements[place] = x;
        }
        Ok(self.elements)
    }
}

impl<'de, T: Element + Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(NullableVisitor(PhantomData))
    }
}

struct NullableVisitor<T>(PhantomData<T>);

impl<'de, T: Element + Deserialize<'de>> de::Visitor<'de> for NullableVisitor<T> {
    type Value = Nullable<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let (mut elements, mut nulls) = (Vec::new(), Vec::new());
        while let Some(element) = sequence.next_element::<Option<T>>()? {
            if element.is_none() {
                nulls.push(elements.len());
            }
            elements.push(element.unwrap_or_default());
        }
        Ok(Nullable { elements, nulls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_written_by_shape_and_elements() {
        let x = Tensor::new([[1.0, 2.5], [-3.0, 0.1]]).t();
        let text = serde_json::to_string(&x).unwrap();
        assert_eq!(text, r#"{"shape":[2,2],"data":[1.0,-3.0,2.5,0.1]}"#);
        assert_eq!(serde_json::from_str::<Tensor>(&text).unwrap(), x);
        let flags = Tensor::scalar(true);
        assert_eq!(serde_json::from_str::<Tensor<bool>>(&serde_json::to_string(&flags).unwrap()).unwrap(), flags);
    }

    #[test]
    fn numbers_that_are_not_finite_are_kept() {
        let x = Tensor::new([f32::INFINITY, 1.5, f32::NAN, f32::NEG_INFINITY]);
        let text = serde_json::to_string(&x).unwrap();
        let expected = r#"{"shape":[4],"data":[null,1.5,null,null],"not_finite":["inf","NaN","-inf"]}"#;
        assert_eq!(text, expected);
        let read = serde_json::from_str::<Tensor>(&text).unwrap().to_vec();
        assert!(read[0] == f32::INFINITY && read[1] == 1.5 && read[2].is_nan() && read[3] == f32::NEG_INFINITY);
        // As a value of serde_json, and as f64.
        let value = serde_json::to_value(Tensor::<f64>::full([1], f64::NEG_INFINITY)).unwrap();
        assert_eq!(serde_json::from_value::<Tensor<f64>>(value).unwrap().item(), f64::NEG_INFINITY);
    }

    #[test]
    fn null_without_a_name_is_refused() {
        let refused = |text: &str| serde_json::from_str::<Tensor>(text).unwrap_err().to_string();
        let nameless = refused(r#"{"shape":[2],"data":[1.0,null]}"#);
        let expected = "1 elements are null, which stands for NaN and infinities, and `not_finite` names 0 of them; give it \
                        \"NaN\", \"inf\" or \"-inf\" for each, in order";
        assert!(nameless.starts_with(expected), "{nameless}");
        let misnamed = refused(r#"{"shape":[1],"data":[null],"not_finite":["none"]}"#);
        assert!(
            misnamed.starts_with("`not_finite` names \"none\", expected \"NaN\", \"inf\" or \"-inf\""),
            "{misnamed}"
        );
        let whole = serde_json::from_str::<Tensor<i64>>(r#"{"shape":[1],"data":[null],"not_finite":["inf"]}"#);
        assert!(whole.unwrap_err().to_string().starts_with("element 0 is null, expected a value of i64"));
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        let refused = |text: &str| serde_json::from_str::<Tensor>(text).unwrap_err().to_string();
        let short = refused(r#"{"shape":[2,2],"data":[1.0]}"#);
        assert!(short.starts_with("1 elements do not fill a shape of 4: [1] to [2, 2]"), "{short}");
        let huge = refused(r#"{"shape":[0,4611686018427387904,4],"data":[]}"#);
        assert!(huge.contains("more than memory can hold"), "{huge}");
    }
}
