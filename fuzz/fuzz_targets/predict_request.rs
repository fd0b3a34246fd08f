//! The body of a request to predict: it is refused with a text, or gives a column for each input that the model takes.
#![no_main]

use std::sync::OnceLock;

use gradus_nn::{Concatenate, Dense, Embedding, Flatten, GlobalAveragePooling1D, Graph, Input, InputInfo, Model, Sequential};
use gradus_serve::{Bounds, PredictRequest};

/// Models of one input and of several, of numbers and of ids, with fixed lengths and free ones.
fn inputs() -> &'static [Vec<InputInfo>] {
    static INPUTS: OnceLock<Vec<Vec<InputInfo>>> = OnceLock::new();
    INPUTS.get_or_init(|| {
        let picture = Sequential::new().add(Flatten).add(Dense::new(1));
        let mut graph = Graph::builder();
        let (words, price) = (graph.input_named("words"), graph.input_named("price"));
        let embedded = graph.add(Embedding::new(10, 2), [words]);
        let mean = graph.add(GlobalAveragePooling1D::new(), [embedded]);
        let both = graph.add(Concatenate::new(), [mean, price]);
        let several = graph.output(both);
        let shapes = [Input::named("words", [None]), Input::named("price", [1])];
        let models = [Model::build(picture, [3, 2], 1).unwrap(), Model::build(several, shapes, 1).unwrap()];
        models.iter().map(|model| model.inputs().to_vec()).collect()
    })
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let bounds = Bounds { samples: 64, length: 16 };
    for inputs in inputs() {
        match PredictRequest::read(bytes, inputs, bounds) {
            Ok(request) => {
                assert!((1..=64).contains(&request.samples) && request.inputs.len() == inputs.len());
                for (input, column) in inputs.iter().zip(request.inputs.iter()) {
                    assert_eq!(column.shape()[0], request.samples);
                    assert!(input.shape.admits(&column.shape()[1..]));
                }
            }
            Err(text) => assert!(text.len() < 1000, "{text}"),
        }
    }
    // What JSON's own reader takes, in the form of rows of one input, is taken or refused for its shape alone: never as no JSON.
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(bytes)
        && let Some(rows) = json.get("instances").filter(|_| json.as_object().is_some_and(|object| object.len() == 1))
    {
        let row = |row: &serde_json::Value| row.as_array().is_some_and(|row| row.len() == 2 && row.iter().all(is_f32));
        let sample = |sample: &serde_json::Value| sample.as_array().is_some_and(|rows| rows.len() == 3 && rows.iter().all(row));
        if rows.as_array().is_some_and(|rows| (1..=64).contains(&rows.len()) && rows.iter().all(sample)) {
            // A key that is given twice is one for serde_json.
            if bytes.windows(9).filter(|window| window == b"instances").count() == 1 {
                PredictRequest::read(bytes, &inputs()[0], bounds).expect("serde_json reads it, and its shape is right");
            }
        }
    }
});

fn is_f32(number: &serde_json::Value) -> bool {
    number.as_f64().is_some_and(|number| (number as f32).is_finite())
}
