//! Models written for Keras. `tests/reference/keras_round_trip.py` loads in Keras what the first test
//! writes to the folder `GRADUS_KERAS_FOLDER`.

use gradus_interchange::keras;
use gradus_nn::{
    Dense, Embedding, GaussianNoise, GlobalAveragePooling1D, Graph, InstanceNormalization, LSTM, Masking, Model,
    Residual, Sequential,
};
use gradus_tensor::Tensor;

use super::{Expected, READ, fixture};

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("gradus_keras_{name}_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn models_come_back_as_keras_has_them() {
    let kept = std::env::var("GRADUS_KERAS_FOLDER");
    let folder = kept.as_ref().map_or_else(|_| folder("back"), Into::into);
    for name in READ.iter().filter(|name| **name != "masked") {
        let model = keras::load(fixture(&format!("{name}.keras"))).unwrap().model;
        let path = folder.join(format!("{name}.keras"));
        keras::save(&model, &path).unwrap();
        keras::save_weights(&model, folder.join(format!("{name}.weights.h5"))).unwrap();
        let again = keras::load(&path).unwrap().model;
        Expected::of(name).check(name, &again);
        std::fs::copy(fixture(&format!("{name}.json")), folder.join(format!("{name}.json"))).unwrap();
    }
    if kept.is_err() {
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn what_keras_lacks_is_refused_by_name() {
    let network = Sequential::new()
        .add(Residual::new(Dense::new(4)))
        .add_named("noise", GaussianNoise::new(0.5))
        .add_named("block", Sequential::new().add(gradus_nn::Activation::GeluTanh))
        .add(Dense::new(2));
    let model = Model::build(network, [4], 1).unwrap();
    let path = folder("refused").join("model.keras");
    let expected = "keras: layer 0 (Residual): Keras has no such layer; layer block/0 (Activation): the activation \"GeluTanh\" \
        has no name in Keras's files; take layers that Keras has, or write the model by Model::save";
    assert_eq!(keras::save(&model, &path).unwrap_err().to_string(), format!("{}: {expected}", path.display()));
    assert!(!path.exists());
    // Masks out of a layer: Keras adds operations, which may change the order of the two.
    let mut graph = Graph::builder();
    let x = graph.input();
    let y = graph.add(Dense::new(3), [x]);
    let masked = graph.add(Masking::default(), [y]);
    let (a, b) = (graph.add_named("a", LSTM::new(2), [masked]), graph.add_named("b", LSTM::new(2), [y]));
    let model = Model::build(graph.outputs([a, b]), [4, 3], 1).unwrap();
    let error = keras::save(&model, &path).unwrap_err().to_string();
    assert!(error.contains("Keras may take its weights for those of \"a\""), "{error}");
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn what_is_made_here_comes_back() {
    let network = Sequential::new()
        .add(Embedding::new(7, 4))
        .add(LSTM::new(3).return_sequences(true))
        .add(InstanceNormalization::new())
        .add(GlobalAveragePooling1D::new())
        .add_named("head", Sequential::new().add(Dense::new(3)).add(Dense::new(1)));
    let mut model = Model::build(network, [5], 1).unwrap();
    model.freeze("head/0").unwrap();
    let path = folder("made").join("model.keras");
    keras::save(&model, &path).unwrap();
    let again = keras::load(&path).unwrap().model;
    let ids = Tensor::from([[1_i64, 2, 3, 4, 5]]);
    assert_eq!(again.predict(ids.clone()).unwrap(), model.predict(ids).unwrap());
    let frozen = |model: &Model| model.params().iter().map(|param| param.frozen).collect::<Vec<_>>();
    assert_eq!(frozen(&again), frozen(&model));
    std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
