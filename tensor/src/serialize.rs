//! Tensors in serde's formats: `{"shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}`, the elements in row-major order.
//!
//! JSON has no NaN and no infinities: `serde_json` writes them as `null` and then refuses to read them as numbers.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::element::Element;
use crate::shape::Shape;
use crate::tensor::Tensor;

#[derive(Serialize)]
#[serde(rename = "Tensor")]
struct SerializedTensor<'a, T> {
    shape: &'a Shape,
    data: &'a [T],
}

/// Shape and elements as vectors, for which serde reserves no more memory than the data that have arrived.
#[derive(Deserialize)]
#[serde(rename = "Tensor")]
struct DeserializedTensor<T> {
    shape: Vec<usize>,
    data: Vec<T>,
}

impl<T: Element + Serialize> Serialize for Tensor<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let flat = self.contiguous();
        let data = flat.as_slice().expect("just made contiguous");
        SerializedTensor { shape: self.shape(), data }.serialize(serializer)
    }
}

impl<'de, T: Element + Deserialize<'de>> Deserialize<'de> for Tensor<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let DeserializedTensor { shape, data } = DeserializedTensor::deserialize(deserializer)?;
        Tensor::from_vec(data, shape).map_err(de::Error::custom)
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
    fn sizes_that_do_not_fit_are_refused() {
        let refused = |text: &str| serde_json::from_str::<Tensor>(text).unwrap_err().to_string();
        let short = refused(r#"{"shape":[2,2],"data":[1.0]}"#);
        assert!(short.starts_with("1 elements do not fill a shape of 4: [1] to [2, 2]"), "{short}");
        let huge = refused(r#"{"shape":[0,4611686018427387904,4],"data":[]}"#);
        assert!(huge.contains("more than memory can hold"), "{huge}");
    }
}
