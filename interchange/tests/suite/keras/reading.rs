//! Models that Keras has written.

use gradus_interchange::keras;
use gradus_nn::{Dense, Model, Sequential};
use gradus_tensor::Tensor;

use super::{Expected, READ, fixture};

#[test]
fn models_predict_what_keras_does() {
    let mut failed = Vec::new();
    for name in READ {
        match keras::load(fixture(&format!("{name}.keras"))) {
            Ok(loaded) => Expected::of(name).check(name, &loaded.model),
            Err(error) => failed.push(error.to_string()),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn older_files_predict_what_keras_does() {
    for name in ["legacy", "legacy_chain"] {
        let loaded = keras::load(fixture(&format!("{name}.h5"))).unwrap();
        Expected::of(name).check(name, &loaded.model);
    }
}

/// The message of a file that is refused.
fn refusal(name: &str) -> String {
    let error = keras::load(fixture(name)).err().unwrap().to_string();
    error.split_once(&format!("{name}: ")).unwrap().1.to_owned()
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let hint = "change these in Keras and save the model again, export it for onnx::load by \
        model.export(\"name.onnx\", format=\"onnx\"), or build the network here and use load_weights";
    let all = "keras: layer code (Lambda): it holds code, which is not run; layer a (EinsumDense): there is no such layer here; \
        layer c (Conv1D): data_format is \"channels_first\", not \"channels_last\"";
    assert_eq!(refusal("lacking.keras"), format!("{all}; {hint}"));
    let begins = [
        ("quantized.keras", "keras: layer dense_"),
        ("two_masks.keras", "keras: layer lstm"),
        (
            "weights.weights.h5",
            "keras: the file holds weights without a model; build the network here and use load_weights",
        ),
        ("sharded.weights.json", "keras: the file says where weights are, and holds no model"),
        ("make.py", "file: this is a file of no format that is known; give a file that Keras has saved: .keras"),
    ];
    for (name, begin) in begins {
        let refusal = refusal(name);
        assert!(refusal.starts_with(begin), "{refusal}");
    }
    assert!(refusal("quantized.keras").contains("the dtype policy is {\"class_name\":\"QuantizedDTypePolicy\""));
    assert!(refusal("two_masks.keras").contains("its mask is merged of different ones"));
    let refusal = refusal("unread_masks.keras");
    assert!(refusal.starts_with("keras: layer with (GRU): Keras gives it a mask, and another layer none"), "{refusal}");
}

#[test]
fn what_only_training_needs_is_left_out_by_name() {
    let left_out = |name: &str| keras::load(fixture(name)).unwrap().left_out;
    let found = left_out("training_alone.keras");
    let begins = [
        "layer augmentation/random_flip (RandomFlip), which only training needs; it is an Identity here",
        "layer augmentation/random_rotation (RandomRotation), ",
        "layer contrast (RandomContrast), ",
        "layer spectral (SpectralNormalization): its division of the kernel, which only training needs",
        "layer alpha_dropout (AlphaDropout), ",
        "layer orthogonal (Dense): kernel_regularizer: there is no regularizer {\"class_name\":\"OrthogonalRegularizer\"",
        "layer activity_regularization (ActivityRegularization), ",
        "layer spectral_normalization (SpectralNormalization): ",
    ];
    // Keras writes training=False of every Dropout, which means nothing.
    assert_eq!(found.len(), begins.len(), "{found:#?}");
    for (found, begin) in found.iter().zip(begins) {
        assert!(found.starts_with(begin), "{found}");
    }
    let notes = [
        "layer unseen (Embedding): its mask, which Keras does not give to decoder",
        "layer doubled (Embedding): its mask, which Keras does not give to multi_head_attention",
        "layer masking (Masking): its mask, which Keras does not give to gru",
    ];
    assert_eq!(left_out("unmasked.keras"), notes);
}

fn dense_chain() -> Model {
    Model::build(Sequential::new().add(Dense::new(4)).add(Dense::new(2)), [3], 1).unwrap()
}

#[test]
fn weights_are_read_into_a_model_that_there_is() {
    for file in ["weights.weights.h5", "sharded.weights.json"] {
        let mut model = dense_chain();
        keras::load_weights(&mut model, fixture(file)).unwrap();
        Expected::of("weights").check(file, &model);
    }
    // Of a whole model, and of an older file.
    for (of_model, file) in [("graph", "graph_380.keras"), ("legacy", "legacy.h5"), ("attention", "attention.keras")] {
        let path =
            fixture(if of_model == "legacy" { "legacy.h5".into() } else { format!("{of_model}.keras") }.as_str());
        let mut model = keras::load(path).unwrap().model;
        for param in model.params_mut().iter_mut() {
            param.value = Tensor::zeros(param.value.shape());
        }
        keras::load_weights(&mut model, fixture(file)).unwrap();
        Expected::of(of_model).check(file, &model);
    }
    let mut model = dense_chain();
    let error = keras::load_weights(&mut model, fixture("chain.keras")).unwrap_err().to_string();
    assert!(
        error.contains("2 missing: \"1/kernel (layers/dense_1/vars/0)\"") || error.contains("unexpected"),
        "{error}"
    );
    let network = Sequential::new().add(Dense::new(4)).add(Dense::new(5));
    let mut model = Model::build(network, [3], 1).unwrap();
    let error = keras::load_weights(&mut model, fixture("weights.weights.h5")).unwrap_err().to_string();
    assert!(error.contains("\"1/kernel\" has the shape [4, 2], [4, 5] is needed"), "{error}");
}

#[test]
fn layers_that_are_not_trained_are_frozen() {
    let model = keras::load(fixture("legacy.h5")).unwrap().model;
    let frozen: Vec<&str> = model.params().iter().filter(|param| param.frozen).map(|param| &*param.name).collect();
    let names = ["gamma", "beta", "moving_mean", "moving_variance"].map(|name| format!("inner/frozen/{name}"));
    assert_eq!(frozen, names);
}

#[test]
fn names_are_kept() {
    let model = keras::load(fixture("graph.keras")).unwrap().model;
    let inputs: Vec<&str> = model.inputs().iter().map(|input| &*input.name).collect();
    // `input_7` is a name that the framework gives itself.
    assert_eq!(inputs, ["input", "second"]);
    let outputs: Vec<&str> = model.outputs().iter().map(|output| &*output.name).collect();
    assert_eq!(outputs, ["last", "m", "n", "q", "z"]);
    assert!(model.params().get("shared/kernel").is_some() && model.params().get("block/shared/kernel").is_some());
}
