//! Which format a file has, and weights in several files.

use std::fs;
use std::path::{Path, PathBuf};

use gradus_interchange::pytorch::StateDict;
use gradus_interchange::{Format, keras, tensors};
use gradus_nn::WeightSource;
use gradus_tensor::Tensor;
use gradus_tensor::safetensors::Writer;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gradus_{name}_{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    /// A file with this content.
    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_content_says_the_format() {
    let folder = Folder::new("formats");
    let cases = [
        ("keras/chain.keras", Format::Keras),
        ("keras/legacy.h5", Format::KerasH5),
        ("keras/weights.weights.h5", Format::KerasWeights),
        ("keras/sharded.weights.json", Format::KerasWeights),
        ("pytorch/linear.pt", Format::PyTorch),
        ("pytorch/linear_old.pt", Format::PyTorch),
        ("pytorch/arrays.npz", Format::Npz),
        ("onnx/norm.safetensors", Format::Safetensors),
        ("onnx/mlp_dynamo.onnx", Format::Onnx),
        ("onnx/mlp_script.onnx", Format::Onnx),
        ("onnx/keras_mlp.onnx", Format::Onnx),
        ("onnx/opset9.onnx", Format::Onnx),
    ];
    for (name, format) in cases {
        assert_eq!(Format::of(fixture(name)).unwrap(), format, "{name}");
        // Without its ending; a list finds its files by the folder.
        if format != Format::KerasWeights {
            let copy = folder.file("copy", &fs::read(fixture(name)).unwrap());
            assert_eq!(Format::of(copy).unwrap(), format, "{name}");
        }
    }
}

#[test]
fn other_files_are_refused_with_what_they_are() {
    let folder = Folder::new("refused_formats");
    let refusal = |name: &str, content: &[u8]| {
        let error = Format::of(folder.file(name, content)).unwrap_err().to_string();
        error.split_once(&format!("{name}: ")).unwrap().1.to_owned()
    };
    let cases: [(&str, &[u8], &str); 6] = [
        ("a.csv", b"id,name", "file: this is a file of no format that is known; give a safetensors, .keras, "),
        (
            "a.pt",
            b"version https://git-lfs.github.com/spec/v1",
            "file: this is a pointer of Git LFS, not the file itself; ",
        ),
        (
            "a.pkl",
            b"\x80\x04K\x01.",
            "file: this is a pickle of Python, and none that torch.save writes; save the tensors by ",
        ),
        ("a.json", b"{\"a\": 1}", "list: this is JSON without a weight_map"),
        ("b.json", b"{\"weight_map\": {}}", "list: its weight_map names no file"),
        ("c.json", b"{\"weight_map\": {\"w\": \"../w.pt\"}}", "list: \"../w.pt\" is no name of a file beside it"),
    ];
    for (name, content, begin) in cases {
        let refusal = refusal(name, content);
        assert!(refusal.starts_with(begin), "{refusal}");
    }
    assert!(refusal("d.json", b"{\"weight_map\": {\"w\": \"e.pt\"}}").starts_with("e.pt: open: "));
    assert!(refusal("f.json", b"{\"weight_map\": {\"w\": \"f.json\"}}").contains("which is a list itself"));
    assert!(Format::of(&folder.0).unwrap_err().to_string().contains("no regular file, such as a folder"));
}

/// The form of `save_pretrained` of Hugging Face's transformers: the map leads from each tensor to its file.
#[test]
fn tensors_in_several_files_are_read_by_their_list() {
    let folder = Folder::new("shards");
    let [first, second] = [Tensor::new([[1.0, 2.0]]), Tensor::new([3.0])];
    let write = |name: &str, tensor: &str, value: &Tensor| {
        Writer::new().tensor(tensor, value.clone()).write(folder.0.join(name)).unwrap();
    };
    write("model-1.safetensors", "layers.2.weight", &first);
    write("model-2.safetensors", "layers.10.weight", &second);
    let list = |of_first: &str| {
        let map = format!(
            r#"{{"metadata": {{"total_size": 12}}, "weight_map": {{"layers.10.weight": "model-2.safetensors",
            "layers.2.weight": "{of_first}"}}}}"#
        );
        folder.file("model.safetensors.index.json", map.as_bytes())
    };
    let path = list("model-1.safetensors");
    assert_eq!(Format::of(&path).unwrap(), Format::Safetensors);
    let state = StateDict::open(&path).unwrap();
    assert_eq!(state.names(), ["layers.2.weight", "layers.10.weight"]);
    assert_eq!(state.info("layers.10.weight").unwrap().shape, [1]);
    assert_eq!(state.read("layers.2.weight").unwrap(), first.into());
    assert_eq!(tensors(&path).unwrap().read("layers.10.weight").unwrap(), second.into());
    assert!(state.info("layers.3.weight").is_none());
    let error = state.read("layers.3.weight").unwrap_err().to_string();
    assert!(error.contains("there is no tensor \"layers.3.weight\", only layers.2.weight"), "{error}");
    let error = StateDict::open(list("model-2.safetensors")).unwrap_err().to_string();
    assert!(error.contains("list: it says that the tensor \"layers.2.weight\" is in"), "{error}");
    // What lies in memory has no folder.
    let error = StateDict::from_bytes(fs::read(&path).unwrap()).unwrap_err().to_string();
    assert!(error.starts_with("file: this is a file of JSON; "), "{error}");
}

#[test]
fn variables_in_several_files_are_those_of_the_whole() {
    let shards = keras::variables(fixture("keras/sharded.weights.json")).unwrap();
    let mut names = shards.names();
    names.sort();
    assert_eq!(names, ["layers/dense/vars/0", "layers/dense/vars/1", "layers/dense_1/vars/0", "layers/dense_1/vars/1"]);
    let whole = keras::variables(fixture("keras/weights.weights.h5")).unwrap();
    for name in names {
        assert_eq!(shards.read(&name).unwrap(), whole.read(&name).unwrap(), "{name}");
    }
}
