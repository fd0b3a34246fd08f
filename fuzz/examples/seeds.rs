//! Writes seeds for the fuzz targets: models of all layers, the files of the tests, a checkpoint of every place in a run, bodies
//! of requests, and small data.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradus_datasets::idx;
use gradus_tensor::Tensor;
use gradus_train::{Callback, Result, Run, Snapshot};

#[path = "../../nn/tests/hostile/models.rs"]
mod models;

use models::models;

/// Writes a checkpoint at every hook.
struct Everywhere(PathBuf, usize);
impl Callback for Everywhere {
    fn on_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.request_snapshot();
        Ok(())
    }
    fn on_batch_end(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.request_snapshot();
        Ok(())
    }
    fn on_epoch_end(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.request_snapshot();
        Ok(())
    }
    fn on_snapshot(&mut self, snapshot: &Arc<Snapshot>) -> Result<()> {
        self.1 += 1;
        snapshot.write(self.0.join(format!("seed{}", self.1)))
    }
}

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
    let checkpoints = fuzz.join("corpus/checkpoint");
    fs::create_dir_all(&checkpoints).unwrap();
    gradus_fuzz::trainer().fit(&gradus_fuzz::data(), gradus_fuzz::fit().callback(Everywhere(checkpoints, 0))).unwrap();
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
    let tables = fuzz.join("corpus/csv");
    fs::create_dir_all(&tables).unwrap();
    for (number, text) in [
        "a,b,kind\n1,2,cat\n3,4,dog\n5,6,cat\n",
        "a,b,kind\r\n1,2,cat\r\n\r\n3,4,dog",
        "\u{feff}a,b,kind\n1, 2 , \"cat, big\" \n3,4,\"a \"\"dog\"\"\"\n3,4,\"two\nlines\"\n",
        "1,2,0\n3,4,1\n-1e5,6.25,1.0\n",
    ]
    .into_iter()
    .enumerate()
    {
        // How it is read, the delimiter, and where a pass goes on.
        for how in 0..16 {
            let bytes = [&[how, 0, 1][..], text.as_bytes()].concat();
            fs::write(tables.join(format!("seed{number}_{how}")), bytes).unwrap();
        }
    }
    let pairs = fuzz.join("corpus/idx");
    fs::create_dir_all(&pairs).unwrap();
    let mut inputs = Vec::new();
    idx::write_to(&mut inputs, &Tensor::from([[1_i16, -2], [3, 4], [5, 6]])).unwrap();
    let mut both = inputs.clone();
    idx::write_to(&mut both, &Tensor::from([1_u8, 0, 2])).unwrap();
    fs::write(pairs.join("seed"), [&[1, inputs.len() as u8][..], &both].concat()).unwrap();
}
