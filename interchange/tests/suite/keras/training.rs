//! Training that Keras began and that goes on here.

use std::fmt::Debug;

use gradus_interchange::keras;
use gradus_nn::losses::MeanSquaredError;
use gradus_optim::{Adam, AdamW, ExponentialDecay, IntoOptimizer, Optimizer, RmsProp, Rule, Sgd};
use gradus_tensor::Generator;

use super::{Expected, fixture};

/// Takes two steps from where Keras was, and compares the weights with those that Keras has after as many.
fn go_on<R: Rule + Debug>(file: &str, name: &str, mut optimizer: Optimizer<R>) {
    let path = fixture(file);
    let mut model = keras::load(&path).unwrap().model;
    let saved = keras::optimizer(&path).unwrap().unwrap();
    assert_eq!(saved.state.steps, 2, "{name}");
    optimizer.restore(model.params(), saved.state).unwrap();
    let Expected { inputs, outputs } = Expected::of(name);
    let columns: Vec<_> = inputs.iter().cloned().collect();
    for _ in 0..2 {
        let (x, y) = (columns[0].clone(), columns[1].clone());
        let pass = model.grad(x, y, None, &MeanSquaredError, &mut Generator::new(1)).unwrap();
        optimizer.step(model.params_mut(), &pass.grads);
    }
    assert_eq!(outputs.len(), model.params().len());
    for (param, expected) in model.params().iter().zip(&outputs) {
        // A step is 1e-3 to 1e-2.
        assert!(param.value.allclose(expected, 1e-6, 1e-6), "{name}: {}: {:?} {expected:?}", param.name, param.value);
    }
}

#[test]
fn training_goes_on() {
    go_on("trained_adam.keras", "trained_adam", Optimizer::from(Adam::default().keras_epsilon(true)));
    // The rate is in the file, the decay in the config.
    go_on(
        "trained_amsgrad.keras",
        "trained_amsgrad",
        AdamW(Adam::default().amsgrad(true).keras_epsilon(true)).weight_decay(0.1),
    );
    let sgd = || Sgd::default().momentum(0.5).nesterov(true).learning_rate(ExponentialDecay::new(0.1, 2, 0.5));
    go_on("trained_sgd.keras", "trained_sgd", sgd());
    go_on("trained_sgd.h5", "trained_sgd", sgd());
    go_on("trained_rms.keras", "trained_rms", Optimizer::from(RmsProp::default().momentum(0.5).centered(true)));
}

#[test]
fn what_the_file_says_of_the_optimiser() {
    let saved = keras::optimizer(fixture("trained_sgd.keras")).unwrap().unwrap();
    assert_eq!((&*saved.class, &saved.config["momentum"]), ("SGD", &serde_json::json!(0.5)));
    assert_eq!(
        (saved.config["learning_rate"]["class_name"].as_str(), saved.state.learning_rate),
        (Some("ExponentialDecay"), None)
    );
    let names: Vec<&str> = saved.state.slots.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names.len(), 4);
    assert!(names[0] == "dense/kernel/momentum" && names[3].ends_with("/bias/momentum"), "{names:?}");
    assert!(keras::optimizer(fixture("chain.keras")).unwrap().is_none());
}
