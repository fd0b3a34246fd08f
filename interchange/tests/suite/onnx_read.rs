//! ONNX files of PyTorch's two exporters, of Keras, and of no exporter of today, held against what ONNX Runtime makes of them.
//! tests/fixtures/onnx/make.py has made them.

use std::path::PathBuf;

use gradus_interchange::onnx::{OnnxFile, Program, load};
use gradus_nn::losses::MeanSquaredError;
use gradus_nn::{Activation, LayerKinds, Model, WeightSource};
use gradus_tensor::safetensors::File;
use gradus_tensor::{AnyTensor, Generator, Tensor};

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
    "norm",
    "external",
    "keras_mlp",
    "keras_conv",
    "keras_lstm",
    "functions",
    "scan",
    "branches",
    "loop",
];

#[test]
fn networks_compute_what_onnx_runtime_computes() {
    // The last ones have lengths of sequences for a batch of its own, or steps in front.
    for name in NETWORKS.iter().chain(&["cond_dynamo", "lengths", "scan_dynamo", "loop_script"]) {
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

#[test]
fn files_of_one_sample_are_computed_sample_by_sample() {
    // Its lengths are those of one sample, in which more would be mixed up.
    let model = load(path("fixed_dynamo.onnx")).unwrap();
    let file = OnnxFile::open(path("fixed_dynamo.onnx")).unwrap();
    let x = Tensor::<f32>::arange(0.0, 18.0, 1.0).reshape([3, 6]) * 0.1;
    let together = model.predict(&x).unwrap();
    for sample in 0..3 {
        let one = x.slice(0, sample..sample + 1);
        let alone = file.run(&[("x", one.into())]).unwrap();
        assert_close(&together.slice(0, sample..sample + 1).contiguous().into(), &alone[0], "one sample");
    }
    assert!(model.network().to_json().unwrap().contains("one_by_one"));
    // This one computes several alike.
    let model = load(path("resnet_fixed.onnx")).unwrap();
    assert!(!model.network().to_json().unwrap().contains("one_by_one"));
    assert_eq!(model.predict(Tensor::<f32>::zeros([3, 3, 20, 20])).unwrap().shape(), &[3, 5]);
}

#[test]
fn a_model_is_saved_and_read_again() {
    let folder = std::env::temp_dir().join(format!("onnx_read_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    for name in [
        "mlp_script",
        "recurrent_script",
        "transformer_script",
        "keras_conv",
        "fixed_dynamo",
        "opset9",
        "up_dynamo",
        "functions",
        "scan",
        "branches",
        "loop",
    ] {
        let model = load(path(&format!("{name}.onnx"))).unwrap();
        let file = folder.join("model.safetensors");
        model.save(&file).unwrap();
        let again = Model::load_with(&file, &LayerKinds::standard().with::<Program>()).unwrap();
        let [inputs, _] = recorded(name);
        assert_eq!(again.predict(inputs[0].1.clone()).unwrap(), model.predict(inputs[0].1.clone()).unwrap(), "{name}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn all_weights_are_trained() {
    for name in [
        "mlp_script",
        "resnet_dynamo",
        "mobile_script",
        "recurrent_script",
        "up_script",
        "keras_conv",
        "keras_lstm",
        "functions",
        "scan",
    ] {
        let mut model = load(path(&format!("{name}.onnx"))).unwrap();
        let [inputs, outputs] = recorded(name);
        let x = inputs[0].1.to::<f32>();
        let target = outputs[0].1.to::<f32>() * 0.5 + 0.1;
        let loss = |model: &Model| model.evaluate(&x, &target, None, &MeanSquaredError).unwrap().loss;
        let before = loss(&model);
        let pass = model.grad(&x, &target, None, &MeanSquaredError, &mut Generator::new(1)).unwrap();
        let mut moved = 0;
        for (param, gradient) in model.params_mut().iter_mut().zip(pass.grads.iter()) {
            let Some(gradient) = gradient else { continue };
            assert!(gradient.iter().all(f32::is_finite), "{name}: {}", param.name);
            param.value = &param.value - gradient * 1e-3;
            moved += 1;
        }
        assert!(moved > 3, "{name}");
        assert!(loss(&model) < before, "{name}: {before}");
    }
}

#[test]
fn gradients_are_those_of_differences() {
    for name in
        ["resnet_script", "recurrent_script", "up_script", "keras_lstm", "functions", "scan", "branches", "loop"]
    {
        let model = load(path(&format!("{name}.onnx"))).unwrap();
        let [inputs, outputs] = recorded(name);
        let (x, target) = (inputs[0].1.to::<f32>(), outputs[0].1.to::<f32>() * 0.5 + 0.3);
        let pass = model.grad(&x, &target, None, &MeanSquaredError, &mut Generator::new(1)).unwrap();
        for (index, gradient) in pass.grads.iter().enumerate() {
            let Some(gradient) = gradient else { continue };
            // Along the gradient itself, where the slope is its length.
            let norm = gradient.square().sum(..).item().sqrt();
            if norm < 5e-2 {
                continue;
            }
            let along = |step: f32| {
                let mut moved = model.clone();
                let param = &mut moved.params_mut()[index];
                param.value = &param.value + gradient * (step / norm);
                moved.evaluate(&x, &target, None, &MeanSquaredError).unwrap().loss
            };
            let slope = (along(1e-3) - along(-1e-3)) / 2e-3;
            let name = format!("{name}: {}", model.params()[index].name);
            assert!((slope - norm).abs() < 0.08 * norm, "{name}: {slope} is not {norm}");
        }
    }
}

#[test]
fn all_that_is_not_read_is_named_at_once() {
    let error = load(path("unread.onnx")).err().unwrap().to_string();
    let named = [
        "\"text\" has elements of string, which are not read",
        "the operator Det is not read",
        "the operator com.microsoft.FusedMatMul is not read",
        "the attribute alpha of Relu is not read",
    ];
    for part in named {
        assert!(error.contains(part), "{error}");
    }
    // No output depends on it.
    assert!(!error.contains("Unique"), "{error}");
}

#[test]
fn each_branch_is_computed_for_what_it_is_for() {
    let model = load(path("branches.onnx")).unwrap();
    let expected = ["branches", "branches_other", "branches_far"].map(recorded);
    for [inputs, outputs] in &expected {
        let predicted = model.predict(inputs[0].1.clone()).unwrap();
        assert_close(&predicted.into(), &outputs[0].1, "a branch");
    }
}

#[test]
fn weights_of_graphs_within_operators_are_weights_of_the_model() {
    let names = |name: &str| {
        let model = load(path(name)).unwrap();
        model.params().iter().map(|param| param.name.to_string()).collect::<Vec<_>>()
    };
    // Those of the graph of the step are called as there; w is from around it.
    assert_eq!(names("scan.onnx"), ["onnx/w", "onnx/v", "onnx/u", "onnx/bias"]);
    assert_eq!(names("loop.onnx"), ["onnx/w", "onnx/b"]);
    // Three graphs have a w.
    let branches = names("branches.onnx");
    assert_eq!((branches.len(), &*branches[0]), (3, "onnx/w"), "{branches:?}");
    assert!(branches[1..].iter().all(|name| name.starts_with("onnx/w_")), "{branches:?}");
}

#[test]
fn outputs_of_a_model_are_floats() {
    // By hand: the larger of two numbers, and whether each is above 0.
    let model = load(path("classes.onnx")).unwrap();
    let found = model.predict_all(Tensor::new([[1.0, 3.0], [2.0, -1.0]])).unwrap();
    let expected =
        [Tensor::new([1.0, 0.0]), Tensor::new([[1.0, 1.0], [1.0, 0.0]]), Tensor::new([[1.0, 3.0], [2.0, -1.0]])];
    assert_eq!(found, expected);
    // A run gives what the file says.
    let file = OnnxFile::open(path("classes.onnx")).unwrap();
    let found = file.run(&[("x", Tensor::new([[1.0_f32, 3.0]]).into())]).unwrap();
    assert_eq!(found[0], Tensor::from([1_i64]).into());
}

#[test]
fn moving_averages_are_states() {
    let model = load(path("norm.onnx")).unwrap();
    let trained: Vec<(&str, bool)> = model.params().iter().map(|param| (&*param.name, param.trainable())).collect();
    assert_eq!(trained, [("onnx/s", true), ("onnx/m", false), ("onnx/b", true), ("onnx/v", false)]);
}

#[test]
fn lengths_that_are_free_in_the_file_are_free_in_the_model() {
    let model = load(path("transformer_script.onnx")).unwrap();
    assert_eq!(model.input_shape().to_string(), "[None]");
    assert_eq!(model.output_shape().to_string(), "[None, 11]");
    // A causal network: what is behind a word changes nothing before it.
    let long = model.predict(Tensor::from([[1_i64, 4, 10, 0, 2, 7, 7]])).unwrap();
    let short = model.predict(Tensor::from([[1_i64, 4, 10]])).unwrap();
    assert_close(&long.slice(1, 0..3).contiguous().into(), &short.into(), "the first three words");
    // Words that the table of the embedding has not.
    assert!(model.predict(Tensor::from([[11_i64]])).is_err());
}

#[test]
fn inputs_that_do_not_fit_are_named_at_once() {
    let file = OnnxFile::open(path("mlp_script.onnx")).unwrap();
    let error = file.run(&[("z", Tensor::<f32>::zeros([2, 4]).into())]).unwrap_err().to_string();
    assert!(error.contains("there is no input \"z\", only x") && error.contains("\"x\" is missing"), "{error}");
    let error = file.run(&[("x", Tensor::<f32>::zeros([2, 5]).into())]).unwrap_err().to_string();
    assert!(error.contains("the input \"x\" has the shape [None, 4], found [2, 5]"), "{error}");
    let error = OnnxFile::open(path("lengths.onnx")).unwrap().model().err().unwrap().to_string();
    assert!(error.contains("OnnxFile::run"), "{error}");
}

#[test]
fn the_last_activation_is_known_to_losses() {
    let last = |name: &str| load(path(&format!("{name}.onnx"))).unwrap().outputs()[0].activation;
    assert_eq!(last("mlp_dynamo"), Some(Activation::LogSoftmax));
    assert_eq!(last("mobile_script"), Some(Activation::Softmax));
    assert_eq!(last("resnet_dynamo"), Some(Activation::Linear));
    assert_eq!(last("keras_mlp"), Some(Activation::Softmax));
    assert_eq!(last("norm"), None);
}
