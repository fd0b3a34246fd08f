//! Tensors as the JSON of an answer.

use std::io::Write;

use gradus_nn::OutputInfo;
use gradus_tensor::Tensor;

use crate::request::Format;

/// The JSON that answers a request: all outputs of its samples, in the order of the model's outputs.
///
/// Each number is the shortest that reads back to the same bits. What is not finite is written as TensorFlow Serving writes
/// it: `NaN`, `Infinity`, `-Infinity`, which Python's `json` reads and JavaScript's does not.
///
/// ```
/// use gradus_nn::{Dense, Model, Sequential};
/// use gradus_serve::{Format, predictions};
/// use gradus_tensor::Tensor;
/// let model = Model::build(Sequential::new().add(Dense::new(2)), [2], 42)?;
/// let json = predictions(Format::Rows, model.outputs(), &[Tensor::new([[1.0, f32::NAN]])]);
/// assert_eq!(json, br#"{"predictions":[[1.0,NaN]]}"#);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub fn predictions(format: Format, infos: &[OutputInfo], outputs: &[Tensor]) -> Vec<u8> {
    let numbers: usize = outputs.iter().map(Tensor::size).sum();
    let mut json = Vec::with_capacity(32 + 12 * numbers);
    let elements: Vec<Vec<f32>> = outputs.iter().map(Tensor::to_vec).collect();
    match (format, infos) {
        (Format::Rows, [_]) => {
            json.extend_from_slice(b"{\"predictions\":");
            nested(&mut json, &elements[0], outputs[0].shape());
        }
        (Format::Columns, [_]) => {
            json.extend_from_slice(b"{\"outputs\":");
            nested(&mut json, &elements[0], outputs[0].shape());
        }
        (Format::Rows, several) => {
            json.extend_from_slice(b"{\"predictions\":");
            let samples = outputs.first().map_or(0, |output| output.shape()[0]);
            separated(&mut json, [b'[', b']'], 0..samples, |json, sample| {
                separated(json, [b'{', b'}'], several.iter().enumerate(), |json, (place, info)| {
                    key(json, &info.name);
                    let size = elements[place].len() / samples;
                    nested(json, &elements[place][sample * size..][..size], &outputs[place].shape()[1..]);
                });
            });
        }
        (Format::Columns, several) => {
            json.extend_from_slice(b"{\"outputs\":");
            separated(&mut json, [b'{', b'}'], several.iter().enumerate(), |json, (place, info)| {
                key(json, &info.name);
                nested(json, &elements[place], outputs[place].shape());
            });
        }
    }
    json.push(b'}');
    json
}

/// A tensor as nested lists of JSON, as a request holds it: `[[1.0,2.0],[0.5,NaN]]`.
///
/// ```
/// use gradus_tensor::Tensor;
/// assert_eq!(gradus_serve::nested_lists(&Tensor::new([[1.0, 2.0], [0.5, 4.0]])), "[[1.0,2.0],[0.5,4.0]]");
/// ```
pub fn nested_lists(tensor: &Tensor) -> String {
    let mut json = Vec::new();
    nested(&mut json, &tensor.to_vec(), tensor.shape());
    String::from_utf8(json).expect("numbers and brackets are ASCII")
}

/// Numbers as lists nested for each axis.
fn nested(json: &mut Vec<u8>, elements: &[f32], shape: &[usize]) {
    let Some((&length, inner)) = shape.split_first() else { return number(json, elements[0]) };
    let size = inner.iter().product::<usize>();
    separated(json, [b'[', b']'], 0..length, |json, place| nested(json, &elements[place * size..][..size], inner));
}

fn separated<X>(
    json: &mut Vec<u8>,
    [open, close]: [u8; 2],
    items: impl IntoIterator<Item = X>,
    mut write: impl FnMut(&mut Vec<u8>, X),
) {
    json.push(open);
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            json.push(b',');
        }
        write(json, item);
    }
    json.push(close);
}

fn key(json: &mut Vec<u8>, name: &str) {
    json.extend_from_slice(serde_json::Value::from(name).to_string().as_bytes());
    json.push(b':');
}

fn number(json: &mut Vec<u8>, number: f32) {
    let written = if number.is_nan() {
        json.write_all(b"NaN")
    } else if number.is_infinite() {
        json.write_all(if number > 0.0 { b"Infinity" } else { b"-Infinity" })
    } else {
        serde_json::to_writer(json, &number).map_err(Into::into)
    };
    written.expect("a vector takes all bytes");
}
