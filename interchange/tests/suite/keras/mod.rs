//! Keras's files, against what Keras makes of them.

mod compiled;
mod reading;
mod training;
mod writing;

use std::path::PathBuf;

use gradus_nn::Model;
use gradus_tensor::{AnyTensor, Columns, Tensor};
use serde_json::Value as Json;

/// A file beside `make.py`, which wrote it.
pub(crate) fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keras").join(name)
}

/// The models in `.keras` files that are read.
pub(crate) const READ: &[&str] = &[
    "spatial_1d",
    "spatial_2d",
    "spatial_3d",
    "normalize",
    "activations",
    "objects",
    "chain",
    "ids",
    "adapted",
    "recurrent",
    "masked",
    "unmasked",
    "training_alone",
    "whole",
    "attention",
    "graph",
    "named",
    "twice",
    "bfloat16",
    "normalize_380",
    "graph_380",
    "named_380",
    "twice_380",
];

/// The inputs that a model was given, and what Keras made of them.
pub(crate) struct Expected {
    pub inputs: Columns,
    pub outputs: Vec<Tensor>,
}

impl Expected {
    pub fn of(name: &str) -> Self {
        let json = std::fs::read_to_string(fixture(&format!("{name}.json"))).unwrap();
        let json: Json = serde_json::from_str(&json).unwrap();
        let tensor = |json: &Json| -> Tensor {
            let lengths = json["shape"].as_array().unwrap().iter().map(|length| length.as_u64().unwrap() as usize);
            let values = json["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32);
            values.collect::<Tensor>().reshape(lengths.collect::<Vec<_>>())
        };
        let input = |json: &Json| -> AnyTensor {
            let floats = tensor(json);
            match (&json["is_ids"], &json["is_mask"]) {
                (Json::Bool(true), _) => AnyTensor::from(floats).to::<i64>().into(),
                (_, Json::Bool(true)) => AnyTensor::from(floats).to::<bool>().into(),
                _ => floats.into(),
            }
        };
        let inputs = json["inputs"].as_array().unwrap().iter().map(input);
        let inputs = inputs.fold(Columns::new(), |columns, input| columns.and(input));
        Expected { inputs, outputs: json["outputs"].as_array().unwrap().iter().map(tensor).collect() }
    }

    /// Checks that a model makes the same of the inputs.
    pub fn check(&self, name: &str, model: &Model) {
        let outputs = model.predict_all(self.inputs.clone()).unwrap();
        assert_eq!(outputs.len(), self.outputs.len(), "{name}");
        for (number, (output, expected)) in outputs.iter().zip(&self.outputs).enumerate() {
            assert_eq!(output.shape(), expected.shape(), "{name}: output {number}");
            let is_close = output.allclose(expected, 1e-5, 1e-5);
            assert!(is_close, "{name}: output {number} {}: {output:?}\n{expected:?}", model.outputs()[number].name);
        }
    }
}
