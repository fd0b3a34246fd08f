//! Training that Keras began and that goes on here.

use std::fmt::Debug;

use gradus_interchange::keras;
use gradus_nn::losses::MeanSquaredError;
use gradus_optim::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, ExponentialDecay, Ftrl, IntoOptimizer, Lamb, Lion, Muon, Nadam,
    Optimizer, RmsProp, Rule, Sgd,
};
use gradus_tensor::Generator;

use super::{Expected, fixture};

/// Takes two steps from where Keras was, and compares the weights with those that Keras has after as many.
fn go_on<R: Rule + Debug>(file: &str, name: &str, mut optimizer: Optimizer<R>) {
    let path = fixture(file);
    let mut model = keras::load(&path).unwrap().model;
    let saved = keras::optimizer(&path).unwrap().unwrap();
    let batches_per_step = optimizer.settings().gradient_accumulation_steps;
    assert_eq!(saved.state.steps * batches_per_step + saved.state.waiting, 2, "{name}");
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
fn training_goes_on_by_every_rule() {
    fn check<R: Rule + Debug>(name: &str, optimizer: impl Into<Optimizer<R>>) {
        go_on(&format!("trained_{name}.keras"), &format!("trained_{name}"), optimizer.into());
    }
    check("adagrad", Adagrad::default().initial_accumulator(0.2).epsilon(0.01).keras_epsilon(true));
    check("adadelta", Adadelta::default().rho(0.9).epsilon(1e-3).clip_value(0.5));
    check("adamax", Adamax::default().beta_1(0.8).epsilon(0.01).use_ema(0.75));
    check("nadam", Nadam::default().beta_1(0.8).epsilon(0.01).clip_norm(0.5));
    check("nadam_380", Nadam::default().beta_1(0.8).epsilon(0.01).clip_norm(0.5));
    let ftrl = Ftrl::default().learning_rate_power(-0.4).initial_accumulator(0.2);
    check("ftrl", ftrl.l1(0.01).l2(0.1).l2_shrinkage(0.05).beta(0.1));
    check("lion", Lion::default().beta_1(0.8).beta_2(0.9).weight_decay(0.1));
    check("lamb", Lamb::default().beta_1(0.8).epsilon(0.01).clip_global_norm(1.0));
    check("adafactor", Adafactor::default().beta_2_decay(-0.7).clip_threshold(0.9));
    let adam = Adam::default().beta_1(0.8).epsilon(0.01).keras_epsilon(true);
    check("muon", Muon::default().momentum(0.9).adam(adam).adam_lr_ratio(0.5).exclude_layers(["head"]));
    check("muon_default", Muon::default().adam(Adam::default().keras_epsilon(true)));
    // Two batches wait for the third.
    check("gathered", Adam::default().keras_epsilon(true).gradient_accumulation_steps(3));
}

/// Keras has one layer, and one pair of slots for each of its weights, where two models have it here.
#[test]
fn a_layer_in_two_models_has_its_slots_in_both() {
    let path = fixture("trained_twice.keras");
    let model = keras::load(&path).unwrap().model;
    let state = keras::optimizer(&path).unwrap().unwrap().state;
    let slot = |name: &str| &state.slots.iter().find(|slot| slot.0 == name).expect(name).1;
    assert_eq!(state.slots.len(), 2 * model.params().len());
    assert_eq!(slot("one/shared/kernel/momentum"), slot("two/shared/kernel/momentum"));
    // The first average of a gradient is a tenth of it, that of its square a thousandth.
    let (m, v) = (slot("head/kernel/momentum"), slot("head/kernel/velocity"));
    assert!((m * m * 0.1).allclose(v, 1e-5, 0.0), "{m:?} {v:?}");
    Optimizer::from(Adam::default()).restore(model.params(), state.clone()).unwrap();
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
