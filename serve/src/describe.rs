//! What a model is: TensorFlow Serving's status and metadata, and the page to try it on.

use gradus_nn::{Model, PartialShape, ValueKind};
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
pub(crate) fn metadata(name: &str, model: &Model) -> Vec<u8> {
    let inputs = model.raw_inputs();
    let inputs = inputs.iter().map(|input| (input.name.clone(), tensor(&input.name, &input.shape, kind(input.kind).0)));
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
pub(crate) fn page(name: &str, model: &Model) -> Vec<u8> {
    let inputs = model.raw_inputs();
    let inputs = inputs.iter().map(|input| {
        let ids = if let ValueKind::Ids { count } = input.kind { Some(count) } else { None };
        json!({ "name": input.name, "shape": input.shape.to_vec(), "kind": kind(input.kind).1, "ids": ids })
    });
    let outputs = model.outputs().iter().map(|output| {
        let classes = model.class_names_of(&output.name);
        json!({ "name": output.name, "shape": output.shape.to_vec(), "classes": classes })
    });
    let description = json!({
        "name": name,
        "inputs": inputs.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
        // What is white in a picture: bytes if the model prepares them, else the usual range of prepared ones.
        "white": if model.preprocessing().is_some() { 255 } else { 1 },
    });
    // No text in it can end the script that it stands in.
    let description = description.to_string().replace('<', "\\u003c");
    PAGE.replacen(PLACE, &description, 1).into_bytes()
}

fn text(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
