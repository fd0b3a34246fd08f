//! What a model is: TensorFlow Serving's status and metadata, and the page to try it on.

use gradus_datasets::Preparation;
use gradus_nn::{InputInfo, Model, PartialShape, ValueKind};
use gradus_tensor::{Columns, Tensor};
use serde_json::{Map, Value, json};

use crate::request::SIGNATURE;

/// The page, with a place for the description of the model.
const PAGE: &str = include_str!("page.html");
const PLACE: &str = "/*MODEL*/null";

/// `GET /v1/models/NAME`: the one version there is.
pub(crate) fn status() -> Vec<u8> {
    let status = json!({ "error_code": "OK", "error_message": "" });
    let version = json!({ "version": "1", "state": "AVAILABLE", "status": status });
    text(&json!({ "model_version_status": [version] }))
}

/// `GET /v1/models/NAME/metadata`: the inputs and outputs as a signature.
pub(crate) fn metadata(name: &str, model: &Model, preparation: Option<&Preparation>) -> Vec<u8> {
    let inputs: Vec<(String, Value)> = match preparation {
        // A column of a table has an entry for each sample.
        Some(preparation) => preparation
            .columns()
            .into_iter()
            .map(|(name, is_number)| {
                let dtype = if is_number { "DT_DOUBLE" } else { "DT_STRING" };
                (name.to_owned(), tensor(name, &PartialShape::default(), dtype))
            })
            .collect(),
        None => {
            let inputs = model.raw_inputs();
            let described =
                |input: &InputInfo| (input.name.clone(), tensor(&input.name, &input.shape, kind(input.kind).0));
            inputs.iter().map(described).collect()
        }
    };
    let outputs = model.outputs().iter();
    let outputs = outputs.map(|output| (output.name.clone(), tensor(&output.name, &output.shape, "DT_FLOAT")));
    let signature = json!({
        "inputs": Map::from_iter(inputs),
        "outputs": Map::from_iter(outputs),
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    });
    let spec = json!({ "name": name, "signature_name": "", "version": "1" });
    text(&json!({
        "model_spec": spec,
        "metadata": { "signature_def": { "signature_def": { SIGNATURE: signature } } },
    }))
}

/// A tensor in a signature. The first axis counts the samples; free lengths are -1.
fn tensor(name: &str, shape: &PartialShape, dtype: &str) -> Value {
    let size = |length: &Option<usize>| length.map_or("-1".to_owned(), |length| length.to_string());
    let sizes = std::iter::once("-1".to_owned()).chain(shape.iter().map(size));
    let axes: Vec<Value> = sizes.map(|size| json!({ "size": size, "name": "" })).collect();
    json!({ "dtype": dtype, "tensor_shape": { "dim": axes, "unknown_rank": false }, "name": format!("{name}:0") })
}

/// TensorFlow's name of an element type, and the page's.
fn kind(kind: ValueKind) -> (&'static str, &'static str) {
    match kind {
        ValueKind::Floats => ("DT_FLOAT", "numbers"),
        ValueKind::Ids { .. } => ("DT_INT64", "ids"),
        ValueKind::Mask => ("DT_BOOL", "true or false"),
    }
}

/// `GET /`: the page, with the model's description in it.
pub(crate) fn page(name: &str, model: &Model, preparation: Option<&Preparation>) -> Vec<u8> {
    let inputs: Vec<Value> = match preparation {
        Some(preparation) => preparation
            .columns()
            .into_iter()
            .map(|(name, is_number)| {
                let kind = if is_number { "a number" } else { "a text" };
                json!({ "name": name, "shape": Vec::<usize>::new(), "kind": kind, "ids": null })
            })
            .collect(),
        None => model.raw_inputs().iter().map(input).collect(),
    };
    let outputs = model.outputs().iter().map(|output| {
        let classes = model.class_names_of(&output.name);
        json!({ "name": output.name, "shape": output.shape.to_vec(), "classes": classes })
    });
    let description = json!({
        "name": name,
        "inputs": inputs,
        "isTable": preparation.is_some(),
        "outputs": outputs.collect::<Vec<_>>(),
        "white": if preparation.is_some() { None } else { white(model) },
    });
    // No text in it can end the script that it stands in.
    let description = description.to_string().replace('<', "\\u003c");
    PAGE.replacen(PLACE, &description, 1).into_bytes()
}

/// An input as the page needs it.
fn input(input: &InputInfo) -> Value {
    let ids = if let ValueKind::Ids { count } = input.kind { Some(count) } else { None };
    json!({ "name": input.name, "shape": input.shape.to_vec(), "kind": kind(input.kind).1, "ids": ids })
}

/// What is white in the picture that the model takes: 255 if its preprocessing makes bytes small, else 1. `None` if nothing
/// says that its input is a picture of shades of grey: a series of numbers may have two axes, too.
fn white(model: &Model) -> Option<u32> {
    let inputs = model.raw_inputs();
    let ([input], [output]) = (&inputs[..], model.outputs()) else { return None };
    let shape = input.shape.fixed()?;
    let (height, width, has_channel) = match shape[..] {
        [height, width] => (height, width, false),
        [height, width, 1] => (height, width, true),
        _ => return None,
    };
    let sides = 8..=256;
    let classes = output.shape.fixed().filter(|shape| shape.len() == 1 && (1..=1000).contains(&shape[0]));
    if input.kind != ValueKind::Floats || !sides.contains(&height) || !sides.contains(&width) || classes.is_none() {
        return None;
    }
    let takes_bytes = model.preprocessing().is_some() && {
        let white = Tensor::full([&[1], &shape[..]].concat(), 255.0_f32);
        let small = |columns: Columns| columns[0].to::<f32>().iter().all(|number| number.abs() <= 16.0);
        model.preprocess(white).is_ok_and(small)
    };
    let has_names = height == width && !model.class_names_of(&output.name).is_empty();
    (has_channel || takes_bytes || has_names).then_some(if takes_bytes { 255 } else { 1 })
}

fn text(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
