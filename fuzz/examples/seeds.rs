//! Writes seeds for the fuzz targets: models of all layers, the files of the tests, a checkpoint of every place in a run, bodies
//! of requests, and small data.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradus_datasets::audio::{Wav, WavEncoding};
use gradus_datasets::{BytePair, OutputMode, TextVectorization, idx};
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
    texts(fuzz);
    foreign(fuzz);
    let pairs = fuzz.join("corpus/idx");
    fs::create_dir_all(&pairs).unwrap();
    let mut inputs = Vec::new();
    idx::write_to(&mut inputs, &Tensor::from([[1_i16, -2], [3, 4], [5, 6]])).unwrap();
    let mut both = inputs.clone();
    idx::write_to(&mut both, &Tensor::from([1_u8, 0, 2])).unwrap();
    fs::write(pairs.join("seed"), [&[1, inputs.len() as u8][..], &both].concat()).unwrap();
}

/// Copies the small files of other programs that the tests read.
fn foreign(fuzz: &Path) {
    const MOST_BYTES: u64 = 1 << 16;
    for (target, folder) in [("keras_file", "keras"), ("pytorch_file", "pytorch"), ("onnx_file", "onnx")] {
        let corpus = fuzz.join("corpus").join(target);
        fs::create_dir_all(&corpus).unwrap();
        for entry in fs::read_dir(fuzz.join("../interchange/tests/fixtures").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let is_code = path.extension().is_some_and(|ending| ending == "py" || ending == "json");
            if path.is_file() && !is_code && path.metadata().unwrap().len() <= MOST_BYTES {
                fs::copy(&path, corpus.join(path.file_name().unwrap())).unwrap();
            }
        }
    }
}

/// Writes seeds whose first byte says how they are read.
fn texts(fuzz: &Path) {
    let write = |target: &str, name: &str, how: u8, bytes: &[u8]| {
        let folder = fuzz.join("corpus").join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), [&[how], bytes].concat()).unwrap();
    };
    let wav = Wav { sample_rate: 8000, samples: Tensor::new([[0.0, 0.5], [-0.5, 1.0], [0.25, -1.0]]) };
    for encoding in [WavEncoding::U8, WavEncoding::I16, WavEncoding::I24, WavEncoding::F32, WavEncoding::F64] {
        let mut bytes = Vec::new();
        wav.write_to(&mut bytes, encoding).unwrap();
        write("wav", &format!("{encoding:?}"), 1, &bytes);
    }
    let pdb = "HELIX    1   1 ALA A    1  GLY A    2  1                                   3\n\
               SHEET    1   A 2 GLY A   1  SER A   2  0\n\
               ATOM      1  CA  ALA A   1       0.000   0.000   0.000  1.00  0.00\n\
               HETATM    2  CA  MSE A   2A      0.000   0.000   0.000  1.00  0.00\nTER\nENDMDL\n";
    let cif = "data_x\nloop_\n_atom_site.label_atom_id\n_atom_site.auth_asym_id\n_atom_site.auth_seq_id\n\
               _atom_site.label_comp_id\nCA 'A' 1 ALA\n\"CA\" A 2\n;GLY\n;\n_struct_conf.conf_type_id HELX_P # x\n\
               _struct_conf.beg_auth_asym_id A\n_struct_conf.beg_auth_seq_id 1\n_struct_conf.end_auth_seq_id 2\n";
    for (how, text) in
        [">a b\nACGT\n\n>c\tx\nT-*\n", "@a b\nACGT\n+a b\nII~!\n@c\nT\n+\nI\n", pdb, cif].into_iter().enumerate()
    {
        write("biology", &format!("seed{how}"), how as u8, text.as_bytes());
    }
    let words = TextVectorization::new().ngrams(2).adapt(["to be or not to be"]).unwrap();
    let weighed = TextVectorization::new().output_mode(OutputMode::TfIdf).adapt(["to be", "not"]).unwrap();
    for (number, words) in [words, weighed].iter().enumerate() {
        write("vocabulary", &format!("words{number}"), 0, serde_json::to_string(words).unwrap().as_bytes());
    }
    let pairs = BytePair::new().special_tokens(["[PAD]"]).train(["to be or not to be"], 262).unwrap();
    write("vocabulary", "pairs", 1, serde_json::to_string(&pairs).unwrap().as_bytes());
    let file = fuzz.join("corpus/vocabulary/file");
    pairs.save(&file).unwrap();
    write("vocabulary", "file", 2, &fs::read(&file).unwrap());
}
