//! ONNX files of PyTorch's two exporters, of Keras, and of no exporter of today, held against what ONNX Runtime makes of them.
//! tests/fixtures/onnx/make.py has made them.

use std::path::PathBuf;

use gradus_interchange::onnx::{OnnxFile, load};
use gradus_nn::WeightSource;
use gradus_tensor::safetensors::File;
use gradus_tensor::{AnyTensor, Tensor};

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/onnx")).join(name)
}

/// What goes into a network, and what comes out, by name.
fn recorded(name: &str) -> [Vec<(String, AnyTensor)>; 2] {
    let file = File::open(path(&format!("{name}.safetensors"))).unwrap();
    ["in/", "out/"].map(|side| {
        let names = file.names().filter(|name| name.starts_with(side)).map(str::to_owned).collect::<Vec<_>>();
        names.iter().map(|name| (name[side.len()..].to_owned(), file.read(name).unwrap())).collect()
    })
}

fn assert_close(found: &AnyTensor, expected: &AnyTensor, what: &str) {
    let (found, expected) = (found.to::<f32>(), expected.to::<f32>());
    assert_eq!(found.shape(), expected.shape(), "{what}");
    assert!(found.allclose(&expected, 1e-4, 1e-5), "{what}: {found:?} is not {expected:?}");
}

const NETWORKS: &[&str] = &[
    "mlp_dynamo",
    "mlp_script",
    "resnet_dynamo",
    "resnet_script",
    "resnet_fixed",
    "mobile_dynamo",
    "mobile_script",
    "recurrent_dynamo",
    "recurrent_script",
    "transformer_dynamo",
    "transformer_script",
    "up_dynamo",
    "up_script",
    "fixed_dynamo",
    "opset9",
    "external",
    "keras_mlp",
    "keras_conv",
    "keras_lstm",
];

#[test]
fn networks_compute_what_onnx_runtime_computes() {
    for name in NETWORKS {
        let file = OnnxFile::open(path(&format!("{name}.onnx"))).unwrap();
        let [inputs, outputs] = recorded(name);
        let given: Vec<(&str, AnyTensor)> =
            inputs.iter().map(|(name, tensor)| (name.as_str(), tensor.clone())).collect();
        let found = file.run(&given).unwrap();
        for (info, found) in file.outputs().iter().zip(&found) {
            let (_, expected) = outputs.iter().find(|(output, _)| *output == info.name).unwrap();
            assert_close(found, expected, name);
        }
    }
}

#[test]
fn models_predict_what_onnx_runtime_computes() {
    for name in NETWORKS {
        let model = load(path(&format!("{name}.onnx"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        let [inputs, outputs] = recorded(name);
        let predicted = model.predict(inputs[0].1.clone()).unwrap();
        assert_close(&predicted.into(), &outputs[0].1, name);
    }
}

#[test]
fn weights_have_the_names_of_the_file() {
    let file = OnnxFile::open(path("mlp_script.onnx")).unwrap();
    assert_eq!(file.names(), ["0.weight", "0.bias", "2.weight", "2.bias"]);
    assert_eq!(file.info("0.weight").unwrap().shape, [6, 4]);
    let _: Tensor = WeightSource::read(&file, "0.weight").unwrap().to();
}
