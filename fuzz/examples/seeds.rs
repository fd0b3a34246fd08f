//! Writes seeds for the fuzz targets: models of all layers, and the files of the tests.

use std::fs;
use std::path::Path;

#[path = "../../nn/tests/hostile/models.rs"]
mod models;

use models::models;

fn main() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["safetensors", "model_file", "model_json"].map(|target| fuzz.join("corpus").join(target));
    folders.iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
    for (number, model) in models().iter().enumerate() {
        let bytes = model.to_safetensors().unwrap().to_bytes().unwrap();
        let file = gradus_tensor::safetensors::File::from_bytes(&bytes[..]).unwrap();
        fs::write(folders[0].join(format!("seed{number}")), &bytes).unwrap();
        fs::write(folders[1].join(format!("seed{number}")), &bytes).unwrap();
        fs::write(folders[2].join(format!("seed{number}")), &file.metadata()["gradus"]).unwrap();
    }
    for (path, folders) in [
        ("../tensor/tests/reference/numpy.safetensors", &folders[..1]),
        ("../nn/tests/fixtures/model_v1.safetensors", &folders[..2]),
        ("../nn/tests/fixtures/python.safetensors", &folders[..2]),
    ] {
        let path = fuzz.join(path);
        for folder in folders {
            fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
        }
    }
    let bodies = fuzz.join("corpus/predict_request");
    fs::create_dir_all(&bodies).unwrap();
    for (number, body) in [
        r#"{"instances": [[[1, 2.5], [3e2, -0.0], [NaN, Infinity]], [[0, 0], [0, 0], [0, 1]]]}"#,
        r#"{"signature_name": "serving_default", "inputs": [[[1, 2], [3, 4], [5, 6]]]}"#,
        r#"{"instances": [{"words": [1, 2, 3], "price": [0.5]}, {"price": [1], "words": [9, 0, 7.0]}]}"#,
        r#"{"inputs": {"words": [[1, 2]], "price": [[0.5]], "else": {"a": [true, null, "\u00e9\n"]}}}"#,
        r#"{"instances": [{"b64": "aGk="}]}"#,
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(bodies.join(format!("seed{number}")), body).unwrap();
    }
}
