//! Models: predicting, gradients, freezing.

use gradus_nn::losses::CategoricalCrossentropy;
use gradus_nn::{
    Activation, BatchNormalization, Build, Built, Dense, Dropout, Embedding, Flatten, Layer, Model, Regularizer,
    Result, Sequential,
};
use gradus_tensor::{Float, Generator, Tensor};
use serde::{Deserialize, Serialize};

fn classifier() -> Sequential {
    Sequential::new()
        .add(Flatten)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax))
}

#[test]
fn large_batches_are_predicted_in_parts() {
    let model = Model::build(classifier(), [28, 28], 1).unwrap();
    // Two whole parts of 2^20 / 784 samples, and a rest.
    let images: Tensor = Generator::new(2).uniform([3000, 28, 28], 0.0..1.0);
    let outputs = model.predict(&images).unwrap();
    assert_eq!(outputs.shape(), &[3000, 10]);
    for start in [0, 1337, 2990] {
        let few = model.predict(images.slice(0, start..start + 10)).unwrap();
        assert!(outputs.slice(0, start..start + 10).allclose(&few, 1e-5, 1e-7));
    }
    assert_eq!(model.predict(images.slice(0, ..0)).unwrap().shape(), &[0, 10]);
}

#[test]
fn inputs_of_another_shape_are_refused() {
    let model = Model::build(classifier(), [28, 28], 1).unwrap();
    assert_eq!(
        model.predict(Tensor::<f32>::zeros([28, 28])).unwrap_err().to_string(),
        "predict: the model takes inputs of shape [n, 28, 28], found [28, 28]; \
         give a single sample a batch axis by unsqueeze(0), and leave the batch axis out of the shape that the model is \
         built for"
    );
    assert_eq!(
        model.predict(Tensor::<f32>::zeros([5, 784])).unwrap_err().to_string(),
        "predict: the model takes inputs of shape [n, 28, 28], found [5, 784]; \
         reshape the inputs, or build the model for their shape"
    );
}

#[test]
fn cross_entropy_keeps_its_gradient_where_softmax_underflows() {
    // Two samples, the first wrong by logits 1000 apart, the second as far on the right side.
    let network = Sequential::new().add(Dense::new(2).activation(Activation::Softmax));
    let mut model = Model::build(network, [2], 0).unwrap();
    model.params_mut().get_mut("0/kernel").unwrap().value = Tensor::eye(2);
    let (inputs, targets) = (Tensor::new([[0.0, 1000.0], [1000.0, 0.0]]), Tensor::new([[1.0, 0.0], [1.0, 0.0]]));
    let loss = CategoricalCrossentropy::default();
    let pass = model.grad(&inputs, &targets, None, &loss, &mut Generator::new(0)).unwrap();
    assert!(pass.loss.is_finite() && pass.loss > 10.0);
    // d loss / d logit is (p - t) / n: -1/2 at the first sample's true class, nothing at the second sample.
    let bias = pass.grads[1].as_ref().unwrap();
    assert!(bias.allclose(&Tensor::new([-0.5, 0.5]), 1e-6, 1e-6), "{bias:?}");
}

#[test]
fn frozen_layers_get_no_gradient_and_states_their_next_value() {
    let network = Sequential::new()
        .add(Dense::new(4).kernel_regularizer(Regularizer::L2(0.5)))
        .add(BatchNormalization::new())
        .add(Dropout::new(0.5))
        .add(Dense::new(2).activation(Activation::Softmax));
    let mut model = Model::build(network, [3], 0).unwrap();
    model.freeze("0").unwrap();
    let inputs: Tensor = Generator::new(1).normal([8, 3], 0.0, 1.0);
    let targets = Tensor::new([1.0, 0.0]).broadcast_to([8, 2]);
    let loss = CategoricalCrossentropy::default();
    let pass = model.grad(&inputs, &targets, None, &loss, &mut Generator::new(0)).unwrap();
    let found: Vec<(&str, bool)> =
        model.params().iter().zip(pass.grads.iter()).map(|(param, grad)| (&*param.name, grad.is_some())).collect();
    let expected = [
        ("0/kernel", false),
        ("0/bias", false),
        ("1/gamma", true),
        ("1/beta", true),
        ("1/moving_mean", false),
        ("1/moving_variance", false),
        ("3/kernel", true),
        ("3/bias", true),
    ];
    assert_eq!(found, expected);
    let states: Vec<&str> = pass.states.iter().map(|(state, _)| &*model.params()[*state].name).collect();
    assert_eq!(states, ["1/moving_mean", "1/moving_variance"]);
    // The penalty of a frozen kernel still counts in the loss, as in Keras.
    let kernel = &model.params()[0].value;
    let penalty = 0.5 * kernel.square().sum(..).item();
    assert!(pass.loss > penalty);
}

#[test]
fn a_frozen_batch_normalisation_computes_as_when_predicting() {
    let network = Sequential::new().add(BatchNormalization::new()).add(Dense::new(2).activation(Activation::Softmax));
    let mut model = Model::build(network, [3], 0).unwrap();
    let inputs: Tensor = Generator::new(1).normal([8, 3], 5.0, 2.0);
    let targets = Tensor::new([1.0, 0.0]).broadcast_to([8, 2]);
    let pass = |model: &Model| {
        model.grad(&inputs, &targets, None, &CategoricalCrossentropy::default(), &mut Generator::new(0)).unwrap()
    };
    let predicted = model.predict(&inputs).unwrap();
    assert_ne!(pass(&model).output(), &predicted);
    model.freeze("0").unwrap();
    let frozen = pass(&model);
    assert_eq!(frozen.output(), &predicted);
    // Neither gradients of gamma and beta nor next values of the moving statistics; the layer behind trains on.
    assert!(frozen.grads.iter().map(Option::is_some).eq([false, false, false, false, true, true]));
    assert!(frozen.states.is_empty());
    model.unfreeze("0").unwrap();
    let pass = pass(&model);
    assert!(pass.grads.iter().map(Option::is_some).eq([true, true, false, false, true, true]));
    assert_eq!(pass.states.len(), 2);
}

/// A layer of one's own that counts its batches, and asks nobody whether it may.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Counter;

impl Layer for Counter {
    const KIND: &'static str = "Counter";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let batches = build.state("batches", Tensor::zeros(1))?;
        Ok(Built::new(build.input()?, move |context, x| {
            context.update(batches, context.weight(batches).value() + T::ONE);
            x.clone()
        }))
    }
}

#[test]
fn a_frozen_state_keeps_its_value() {
    let network = Sequential::new().add(Counter).add(Dense::new(2).activation(Activation::Softmax));
    let mut model = Model::build(network, [3], 0).unwrap();
    let next = |model: &Model| {
        let loss = CategoricalCrossentropy::default();
        let (inputs, targets) = (Tensor::<f32>::zeros([1, 3]), Tensor::new([[1.0, 0.0]]));
        model.grad(&inputs, &targets, None, &loss, &mut Generator::new(0)).unwrap().states
    };
    let states = next(&model);
    assert!(states.iter().eq(&[(0, Tensor::new([1.0]))]));
    model.params_mut().update_states(states);
    assert_eq!(model.params()[0].value, Tensor::new([1.0]));
    model.freeze("0").unwrap();
    assert!(next(&model).is_empty());
}

#[test]
fn what_is_random_in_training_comes_from_the_generator() {
    let network = Sequential::new().add(Dropout::new(0.25)).add(Dense::new(2).activation(Activation::Softmax));
    let model = Model::build(network, [1000], 0).unwrap();
    let (inputs, targets) = (Tensor::<f32>::ones([4, 1000]), Tensor::new([1.0, 0.0]).broadcast_to([4, 2]));
    let loss = CategoricalCrossentropy::default();
    let outputs = |seed| model.grad(&inputs, &targets, None, &loss, &mut Generator::new(seed)).unwrap().outputs;
    assert_eq!(outputs(1), outputs(1));
    assert_ne!(outputs(1), outputs(2));
}

#[test]
fn models_vars_and_tapes_are_sync() {
    fn is_sync<T: Send + Sync>() {}
    is_sync::<Model>();
    is_sync::<gradus_autograd::Var>();
    is_sync::<gradus_autograd::Tape>();
}

#[test]
fn predictions_hold_the_weights_until_they_may_change() {
    let mut model = Model::build(classifier(), [28, 28], 1).unwrap();
    let image: Tensor = Generator::new(2).uniform([1, 28, 28], 0.0..1.0);
    let before = model.predict(&image).unwrap();
    assert!(!model.params()[0].value.owns_elements());
    // Nobody else holds them when they are written, so they are written in place.
    let weights = &mut model.params_mut()[0].value;
    assert!(weights.owns_elements());
    weights.as_mut_slice().fill(0.0);
    let after = model.predict(&image).unwrap();
    assert_ne!(after, before);
    // The kernel is 0, and so are the biases: all classes are alike.
    assert_eq!(after, Tensor::full([1, 10], 0.1));
}

#[test]
fn ids_are_checked_in_all_samples_before_anything_is_computed() {
    let model = Model::build(Sequential::new().add(Embedding::new(4, 1)), [1], 0).unwrap();
    // In the second part: a million ids are checked at a time.
    let samples = (1 << 20) + 3;
    let ids =
        |bad: usize| Tensor::from_iter((0..samples).map(|i| if i == bad { 4 } else { 3_u8 })).reshape([samples, 1]);
    assert!(model.check_inputs("fit", ids(samples)).is_ok());
    let problem = "fit: sample 1048577 has the id 4 at [0], the layer 0 (Embedding) knows 0 to 3; give whole numbers in that \
                   range, or make the layer for more ids";
    assert_eq!(model.check_inputs("fit", ids(1048577)).unwrap_err().to_string(), problem);
    assert_eq!(
        model.check_inputs("fit", Tensor::<f32>::ones([2, 3])).unwrap_err().to_string(),
        "fit: the model takes inputs of shape [n, 1], found [2, 3]; reshape the inputs, or build the model for their shape"
    );
}
