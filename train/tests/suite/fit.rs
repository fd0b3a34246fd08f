//! What `fit` and `evaluate` do with data, batches and weights.

use gradus_datasets::Dataset;
use gradus_nn::losses::{MeanSquaredError, SparseCategoricalCrossentropy};
use gradus_nn::{Activation, Dense, Model, Regularizer, Sequential};
use gradus_optim::{Optimizer, Sgd};
use gradus_tensor::{Generator, Tensor};
use gradus_train::callbacks::{EarlyStopping, LearningRateScheduler, Run, on_epoch_begin, on_epoch_end};
use gradus_train::metrics::MeanAbsoluteError;
use gradus_train::{Fit, History, Logs, Trainer, train_step};

use crate::common::{fit, line, trainer, values, weights};

#[test]
fn a_validation_split_is_a_validation_set_of_the_last_samples() {
    let data = line();
    let mut by_split = trainer().metric(MeanAbsoluteError::default());
    let split = by_split.fit(&data, Fit { validation_split: 0.25, ..fit(3) }).unwrap();
    let mut by_set = trainer().metric(MeanAbsoluteError::default());
    let set = by_set.fit_validated(&data.slice(..6), &data.slice(6..), fit(3)).unwrap();
    assert_eq!(split, set);
    assert_eq!(weights(&by_split), weights(&by_set));
    let names: Vec<&str> = split.logs[2].iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["loss", "mean_absolute_error", "val_loss", "val_mean_absolute_error"]);
    // The validation leaves no trace in the training.
    let mut alone = trainer();
    alone.fit(&data.slice(..6), fit(3)).unwrap();
    assert_eq!(weights(&alone), weights(&by_set));
    // It is what `evaluate` measures.
    let scores = by_set.evaluate(&data.slice(6..)).unwrap();
    assert_eq!(
        (scores["loss"], scores["mean_absolute_error"]),
        (set.logs[2]["val_loss"], set.logs[2]["val_mean_absolute_error"])
    );
}

#[test]
fn a_smaller_last_batch_counts_by_its_samples() {
    let data = line();
    let mut trainer = trainer().metric(MeanAbsoluteError::default());
    // Without a step, batches of 3, 3 and 2 have together the loss and the metric of all samples at once.
    let before = trainer.evaluate(&data).unwrap();
    let still = LearningRateScheduler::new(|_, _| 0.0);
    let three = on_epoch_end(|run: &mut Run<'_>| {
        assert_eq!((run.batch, run.batches), (3, Some(3)));
        Ok(())
    });
    let fit = Fit { batch_size: 3, ..fit(1) }.callback(still).callback(three);
    let history = trainer.fit_validated(&data, &data, fit).unwrap();
    for (name, expected) in before.iter() {
        for found in [history.logs[0][name], history.logs[0][&format!("val_{name}")]] {
            assert!((found - expected).abs() < 1e-6, "{name}: {found}, {expected}");
        }
    }
}

/// 512 samples of two classes, of which 255 of the first 256 have no label: by `evaluate`'s batches of 256, one sample with a
/// loss stood for as many as 256.
#[test]
fn ignored_labels_count_nowhere_whatever_the_batches() {
    let x = Tensor::linspace(-1.0, 1.0, 512).reshape([512, 1]);
    let labels: Vec<i64> = (0..512).map(|i| if i < 255 { -1 } else { i % 2 }).collect();
    let data = Dataset::new(x.clone(), Tensor::from(labels.clone())).unwrap();
    let network = || {
        let penalised = Dense::new(2).activation(Activation::Softmax).kernel_regularizer(Regularizer::L2(0.1));
        Model::build(Sequential::new().add(penalised), [1], 3).unwrap()
    };
    let loss = SparseCategoricalCrossentropy::default().ignore_class(-1);
    // By hand: the mean of -ln p over the 257 labelled samples, and the penalty.
    let p = network().predict(&x).unwrap();
    let losses = labels
        .iter()
        .enumerate()
        .filter(|(_, label)| **label >= 0)
        .map(|(i, &label)| -f64::from(p.get([i, label as usize])).ln());
    let kernel: f64 = network().params()[0].value.iter().map(|w| f64::from(w).powi(2)).sum();
    let expected = losses.sum::<f64>() / 257.0 + 0.1 * kernel;
    let mut trainer = Trainer::new(network(), loss, Sgd::default());
    let evaluated = trainer.evaluate(&data).unwrap()["loss"];
    assert!((evaluated - expected).abs() < 1e-5, "{evaluated}, {expected}");
    for batch_size in [1, 32, 100, 512] {
        let mut trainer = Trainer::new(network(), loss, Sgd::default());
        let still = LearningRateScheduler::new(|_, _| 0.0);
        let fit = Fit { batch_size, ..fit(1) }.callback(still);
        let history = trainer.fit_validated(&data, &data, fit).unwrap();
        for name in ["loss", "val_loss"] {
            let found = history.logs[0][name];
            assert!((found - expected).abs() < 1e-5, "{name} in batches of {batch_size}: {found}, {expected}");
        }
    }
}

#[test]
fn a_loss_that_cannot_be_meant_is_refused_before_the_first_batch() {
    let data = Dataset::new(Tensor::<f32>::zeros([4, 2]), Tensor::from([0_i64, 1, 2, 0])).unwrap();
    let model = || Model::build(Sequential::new().add(Dense::new(3)), [2], 0).unwrap();
    let begins = || on_epoch_begin(|_: &mut Run<'_>| panic!("no epoch begins"));
    let mut trainer = Trainer::new(model(), SparseCategoricalCrossentropy::default(), Sgd::default());
    let problem = "sparse_categorical_crossentropy: takes probabilities of classes, the network ends in a layer without an \
                   activation; end the network in Activation::Softmax, or set from_logits(true)";
    assert_eq!(trainer.fit(&data, fit(1).callback(begins())).unwrap_err().to_string(), format!("fit: {problem}"));
    assert_eq!(trainer.evaluate(&data).unwrap_err().to_string(), format!("evaluate: {problem}"));
    let logits = SparseCategoricalCrossentropy::default().from_logits(true);
    assert!(Trainer::new(model(), logits, Sgd::default()).fit(&data, fit(1)).is_ok());
}

#[test]
fn a_history_is_the_same_after_json() {
    let history = trainer().fit(&line(), Fit { validation_split: 0.25, ..fit(4) }).unwrap();
    let json = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&json).unwrap(), history);

    let mut logs = Logs::default();
    for (name, value) in [("a", 0.5), ("b", f64::INFINITY), ("c", f64::NEG_INFINITY), ("d", f64::NAN)] {
        logs.insert(name, value);
    }
    // A name stands once, with its last number.
    logs.insert("a", 0.25);
    assert_eq!(logs.get("a"), Some(0.25));
    logs.insert("a", 0.5);
    assert_eq!(logs.iter().count(), 4);
    let history = History {
        epochs: vec![3],
        logs: vec![logs],
        stopped: Some("the loss became NaN".to_owned()),
        ..History::default()
    };
    let json = serde_json::to_string(&history).unwrap();
    assert_eq!(
        json,
        r#"{"epochs":[3],"logs":[{"entries":[["a",0.5],["b","inf"],["c","-inf"],["d","NaN"]]}],"stopped":"the loss became NaN"}"#
    );
    let back: History = serde_json::from_str(&json).unwrap();
    assert_eq!(format!("{back:?}"), format!("{history:?}"));
    let wrong = serde_json::from_str::<Logs>(r#"{"entries":[["a","much"]]}"#).unwrap_err();
    assert!(wrong.to_string().starts_with("found \"much\", expected a number, NaN, inf or -inf"), "{wrong}");
}

#[test]
fn class_weights_are_sample_weights() {
    let inputs = Tensor::linspace(-1.0, 1.0, 8).reshape([8, 1]);
    let classes = Tensor::new([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    let data = Dataset::new(inputs, classes.unsqueeze(-1)).unwrap();
    let mut by_class = trainer();
    let class = by_class.fit(&data, Fit { class_weights: Some(vec![0.5, 4.0]), ..fit(2) }).unwrap();
    let mut by_sample = trainer();
    let weighted = data.clone().with_weights(classes * 3.5 + 0.5).unwrap();
    assert_eq!(by_sample.fit(&weighted, fit(2)).unwrap(), class);
    assert_eq!(weights(&by_class), weights(&by_sample));
    // Both at once are multiplied.
    let mut by_both = trainer();
    let halves = data.clone().with_weights(Tensor::full([8], 0.5)).unwrap();
    by_both.fit(&halves, Fit { class_weights: Some(vec![1.0, 8.0]), ..fit(2) }).unwrap();
    assert_eq!(weights(&by_both), weights(&by_class));
    // And they matter.
    let mut plain = trainer();
    plain.fit(&data, fit(2)).unwrap();
    assert_ne!(weights(&plain), weights(&by_class));
}

#[test]
fn a_sample_of_weight_0_teaches_nothing() {
    let data = line();
    let zeroed = data.clone().with_weights(Tensor::new([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])).unwrap();
    let mut some = trainer();
    some.fit(&zeroed, Fit { shuffle: false, ..fit(1) }).unwrap();
    let mut first_half = trainer();
    first_half.fit(&data.slice(..4), Fit { shuffle: false, ..fit(1) }).unwrap();
    assert_eq!(weights(&some), weights(&first_half));
}

#[test]
fn losses_and_metrics_are_weighted_in_training_and_in_evaluation() {
    let data = line().with_weights(Tensor::new([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])).unwrap();
    let mut trainer = trainer().metric(MeanAbsoluteError::default());
    let half = trainer.evaluate(&line().slice(..4)).unwrap();
    let whole = trainer.evaluate(&data).unwrap();
    // As in Keras, the loss is divided by the number of samples, a metric by the sum of their weights.
    assert!((whole["loss"] - half["loss"] / 2.0).abs() < 1e-6);
    assert!((whole["mean_absolute_error"] - half["mean_absolute_error"]).abs() < 1e-6);
    let still = LearningRateScheduler::new(|_, _| 0.0);
    let history = trainer.fit_validated(&data, &data, Fit { batch_size: 8, ..fit(1) }.callback(still)).unwrap();
    for (name, expected) in whole.iter() {
        assert!((history.logs[0][name] - expected).abs() < 1e-6, "{name}");
        assert!((history.logs[0][&format!("val_{name}")] - expected).abs() < 1e-6, "val_{name}");
    }
}

#[test]
fn prefetched_batches_teach_the_same() {
    let run = |prefetch| {
        let mut trainer = trainer();
        let history = trainer.fit(&line(), Fit { prefetch, batch_size: 3, ..fit(4) }).unwrap();
        (weights(&trainer), history)
    };
    assert_eq!(run(0), run(1));
    assert_eq!(run(0), run(3));
}

#[test]
fn unshuffled_batches_come_in_the_order_of_the_data() {
    let data = line();
    let mut trained = trainer();
    trained.fit(&data, Fit { shuffle: false, batch_size: 3, ..fit(2) }).unwrap();

    let mut model = trainer().into_model();
    let mut optimizer = Optimizer::from(Sgd::default()).learning_rate(0.1);
    let mut generator = Generator::new(0);
    for range in [0..3, 3..6, 6..8, 0..3, 3..6, 6..8] {
        let (x, y) = (data.inputs().slice(0, range.clone()), data.targets().slice(0, range));
        train_step(&mut model, &MeanSquaredError, &mut optimizer, &x, &y, None, &mut generator).unwrap();
    }
    assert_eq!(values(model.params()), weights(&trained));
    // While the order is another one in every epoch otherwise.
    let mut shuffled = trainer();
    shuffled.fit(&data, Fit { batch_size: 3, ..fit(2) }).unwrap();
    assert_ne!(weights(&shuffled), weights(&trained));
}

#[test]
fn no_epochs_change_nothing() {
    let mut trainer = trainer();
    let before = weights(&trainer);
    let stopping = EarlyStopping::new("val_loss").restore_best_weights(true);
    let history = trainer.fit(&line(), fit(0).callback(stopping)).unwrap();
    assert_eq!(history, History::default());
    assert_eq!(weights(&trainer), before);
}

#[test]
fn a_second_fit_goes_on_from_the_first() {
    let mut twice = trainer();
    twice.fit(&line(), fit(2)).unwrap();
    twice.fit(&line(), fit(1)).unwrap();
    let mut once = trainer();
    once.fit(&line(), fit(3)).unwrap();
    assert_eq!(weights(&twice), weights(&once));
}

#[test]
fn the_defaults_are_those_of_keras() {
    // Model.fit(epochs=1, batch_size=32, validation_split=0.0, shuffle=True, class_weight=None), Keras 3.
    let Fit { epochs, batch_size, validation_split, shuffle, class_weights, .. } = Fit::<f32>::default();
    assert_eq!((epochs, batch_size, validation_split, shuffle, class_weights), (1, 32, 0.0, true, None));
}
