//! What `fit` and `evaluate` refuse before the first batch, and the cause that they name for what goes wrong later.

use gradus_datasets::Dataset;
use gradus_nn::losses::{BinaryCrossentropy, Ctc, MeanSquaredError, SparseCategoricalCrossentropy};
use gradus_nn::{Activation, Dense, Graph, Model, Sequential};
use gradus_optim::{IntoOptimizer, Optimizer, Sgd};
use gradus_tensor::{Columns, Generator, Tensor};
use gradus_train::callbacks::*;
use gradus_train::metrics::*;
use gradus_train::state::{NamedState, from_state, to_state};
use gradus_train::{Fit, Result, Trainer, train_step};

use crate::common::{fit, line, trainer, weights};

/// A model of so many probabilities of two inputs.
fn classifier(units: usize) -> Model {
    let activation = if units == 1 { Activation::Sigmoid } else { Activation::Softmax };
    Model::build(Sequential::new().add(Dense::new(units).activation(activation)), [2], 0).unwrap()
}

/// Four samples of two inputs with these targets.
fn four(targets: impl Into<Tensor>) -> Dataset {
    Dataset::new(Tensor::new([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5], [-1.0, 2.0]]), targets.into()).unwrap()
}

type Yes = Trainer<BinaryCrossentropy, Sgd>;

fn yes_or_no() -> Yes {
    Trainer::new(classifier(1), BinaryCrossentropy::default(), Sgd::default())
}

fn labels() -> Dataset {
    four(Tensor::new([[0.0], [1.0], [1.0], [0.0]]))
}

/// A "measurement" of this name.
struct Constant(&'static str);

impl Metric for Constant {
    fn name(&self) -> String {
        self.0.to_owned()
    }
    fn update(&mut self, _: &Tensor, _: &Tensor, _: Option<&Tensor>) -> Result<()> {
        Ok(())
    }
    fn result(&self) -> f64 {
        0.0
    }
    fn reset(&mut self) {}
    fn state(&self) -> serde_json::Value {
        to_state(&())
    }
    fn restore(&mut self, state: &NamedState) -> Result<()> {
        from_state(state)
    }
}

/// The message with which a run is refused, once it is found that nothing was trained.
#[track_caller]
fn refused_before_the_first_batch(mut trainer: Yes, data: &Dataset, fit: Fit) -> String {
    let refused = trainer.fit(data, fit).unwrap_err();
    assert_eq!(trainer.optimizer().steps(), 0, "{refused}");
    refused.to_string()
}

#[test]
fn each_measurement_has_a_name_of_its_own() {
    let hint = "; give it another name, by metrics::Named::new";
    let refused = |trainer: Yes| refused_before_the_first_batch(trainer, &labels(), fit(1));
    let two = || yes_or_no().metric(Precision::default()).metric(Precision::default().threshold(0.9));
    let both = "both metric 1 (Precision) and metric 2 (Precision) are named \"precision\"";
    assert_eq!(refused(two()), format!("fit: {both}{hint}"));
    assert_eq!(two().evaluate(&labels()).unwrap_err().to_string(), format!("evaluate: {both}{hint}"));
    for (name, problem) in [
        ("loss", "both the loss and metric 1 (Constant) are named \"loss\""),
        ("val_accuracy", "metric 1 (Constant) is named \"val_accuracy\", as a measurement of the validation"),
        ("learning_rate", "both the learning rate and metric 1 (Constant) are named \"learning_rate\""),
        ("epoch", "both the number of the epoch and metric 1 (Constant) are named \"epoch\""),
    ] {
        assert_eq!(refused(yes_or_no().metric(Constant(name))), format!("fit: {problem}{hint}"));
    }
    // With names of their own both are measured, by hand: a sigmoid of 0.5 for all, of 0.9 for none.
    let named = Named::new("precision_at_0.9", Precision::default().threshold(0.9));
    let mut trainer = yes_or_no().metric(Precision::default().threshold(0.0)).metric(named);
    let scores = trainer.evaluate(&labels()).unwrap();
    assert_eq!((scores["precision"], scores["precision_at_0.9"]), (0.5, 0.0));
}

#[test]
fn names_of_outputs_are_not_those_of_other_measurements() {
    let model = |names: [&str; 2]| {
        let mut graph = Graph::builder();
        let x = graph.input();
        let outputs = names.map(|name| graph.add_named(name, Dense::new(1), [x]));
        Model::build(graph.outputs(outputs), [2], 0).unwrap()
    };
    let targets = || Columns::from_iter([Tensor::<f32>::zeros([4, 1]), Tensor::zeros([4, 1])].map(|t| (&t).into()));
    let data = Dataset::new(Tensor::<f32>::zeros([4, 2]), targets()).unwrap();
    let mut trainer = Trainer::new(model(["val", "hours"]), MeanSquaredError, Sgd::default());
    let refused = trainer.fit_validated(&data, &data, fit(1)).unwrap_err().to_string();
    let expected = "fit: both the loss of output val and the loss on the validation set are named \"val_loss\"; give the \
                    output of the model another name";
    assert_eq!(refused, expected);
    // Without a validation nothing else has the name.
    assert!(trainer.fit(&data, fit(1)).is_ok());
    let mut trainer = Trainer::new(model(["a", "a_b"]), MeanSquaredError, Sgd::default())
        .metric_for("a", Named::new("b_error", MeanAbsoluteError::default()))
        .metric_for("a_b", Named::new("error", MeanAbsoluteError::default()));
    let refused = trainer.fit(&data, fit(1)).unwrap_err().to_string();
    assert!(
        refused.starts_with("fit: both metric 1 (Named) and metric 2 (Named) are named \"a_b_error\""),
        "{refused}"
    );
}

#[test]
fn a_metric_that_does_not_suit_the_model_is_refused_before_the_first_batch() {
    let refused = |trainer: Yes| refused_before_the_first_batch(trainer, &labels(), fit(1));
    let single = "outputs must have the shape [n, classes] of two classes or more, found [4, 1]; for a single yes or no use \
                  BinaryAccuracy";
    let categorical = refused(yes_or_no().metric(CategoricalAccuracy::default()));
    assert_eq!(categorical, format!("categorical_accuracy: {single}"));
    let named = yes_or_no().metric(Named::new("mine", TopKAccuracy::new(2)));
    assert_eq!(refused(named), format!("top_2_accuracy: {single}"));
    // Of a trainer whose model was replaced.
    let mut graph = Graph::builder();
    let x = graph.input();
    let outputs = ["a", "b"].map(|name| graph.add_named(name, Dense::new(1), [x]));
    let two = Model::build(graph.outputs(outputs), [2], 0).unwrap();
    let mut trainer = Trainer::new(two, MeanSquaredError, Sgd::default()).metric_for("b", R2::default());
    *trainer.model_mut() = classifier(1);
    let expected = "evaluate: \"b_r2\" is a metric of output 1, the model has 1; make a new trainer for another model";
    assert_eq!(trainer.evaluate(&labels()).unwrap_err().to_string(), expected);
}

#[test]
fn a_metric_of_probabilities_does_not_suit_logits() {
    let trainer = || {
        let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 0).unwrap();
        Trainer::new(model, BinaryCrossentropy::default().from_logits(true), Sgd::default())
    };
    let metrics: [fn(Yes) -> Yes; 4] = [
        |yes| yes.metric(Accuracy::default()),
        |yes| yes.metric(BinaryAccuracy::default()),
        |yes| yes.metric(Recall::default()),
        |yes| yes.metric(Named::new("mine", F1::default())),
    ];
    for (add, name) in metrics.iter().zip(["accuracy", "binary_accuracy", "recall", "mine"]) {
        let refused = refused_before_the_first_batch(add(trainer()), &labels(), fit(1));
        let expected = format!(
            "fit: {name}: compares outputs with 0.5, as probabilities, and the loss takes them for logits; set \
             threshold(0.0), the logit of 0.5, on BinaryAccuracy, Precision, Recall or F1"
        );
        assert_eq!(refused, expected);
        // Of probabilities they suit.
        assert!(add(yes_or_no()).evaluate(&labels()).is_ok());
    }
    let mut logits = trainer().metric(BinaryAccuracy::default().threshold(0.0)).metric(Auc::default());
    let logits = logits.evaluate(&labels()).unwrap();
    // The same weights behind a sigmoid.
    let mut probabilities = yes_or_no().metric(BinaryAccuracy::default()).metric(Auc::default());
    assert_eq!(logits["binary_accuracy"], probabilities.evaluate(&labels()).unwrap()["binary_accuracy"]);
    // Classes are compared with each other, and numbers towards 0 and 1 are no logits.
    let model = Model::build(Sequential::new().add(Dense::new(3)), [2], 0).unwrap();
    let loss = SparseCategoricalCrossentropy::default().from_logits(true);
    let classes = four(Tensor::new([0.0, 1.0, 2.0, 1.0]));
    assert!(Trainer::new(model, loss, Sgd::default()).metric(Accuracy::default()).evaluate(&classes).is_ok());
    let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 0).unwrap();
    let mut towards = Trainer::new(model, MeanSquaredError, Sgd::default()).metric(Accuracy::default());
    assert!(towards.evaluate(&labels()).is_ok());
}

#[test]
fn a_label_that_is_none_names_its_sample() {
    // The sigmoid's loss is a distance, which takes any number.
    let mut trainer = Trainer::new(classifier(1), MeanSquaredError, Sgd::default()).metric(Auc::default());
    let data = four(Tensor::new([[0.0], [1.0], [2.0], [1.0]]));
    let expected =
        "sample 2: auc: targets must be in 0 to 1, found 2 at element 0 of [1, 1]; give 0 for no and 1 for yes";
    assert_eq!(trainer.evaluate(&data).unwrap_err().to_string(), format!("evaluate: {expected}"));
    for batch_size in [2, 4] {
        let refused = trainer.fit(&data, Fit { batch_size, ..fit(1) }).unwrap_err().to_string();
        assert_eq!(refused, format!("fit: {expected}"));
    }
}

#[test]
fn a_class_without_a_label_is_trained_and_measured_around() {
    let mut trainer =
        Trainer::new(classifier(3), SparseCategoricalCrossentropy::default().ignore_class(-1), Sgd::default())
            .metric(Accuracy::default().ignore_class(-1))
            .metric(F1::default().ignore_class(-1));
    let data = four(Tensor::new([0.0, -1.0, 2.0, -1.0]));
    let logs = trainer.evaluate(&data).unwrap();
    let kept = trainer
        .evaluate(&Dataset::new(data.inputs().index_select(0, &Tensor::from([0, 2])), Tensor::new([0.0, 2.0])).unwrap())
        .unwrap();
    for (name, value) in logs.iter() {
        assert!((value - kept[name]).abs() < 1e-6, "{name}: {value}, {}", kept[name]);
    }
    assert!(trainer.fit(&data, fit(2)).is_ok());
}

#[test]
fn class_weights_are_checked_as_weights_of_samples_are() {
    let refused = |weights: &[f64]| {
        let fit = Fit { class_weights: Some(weights.to_vec()), ..fit(1) };
        refused_before_the_first_batch(yes_or_no(), &labels(), fit)
    };
    let negative = |weight: &str| {
        format!(
            "class_weights: found weight {weight} of class 1, expected a finite weight that is not negative; check how the \
             weights were made"
        )
    };
    assert_eq!(refused(&[1.0, -1.0]), negative("-1"));
    assert_eq!(refused(&[1.0, f64::NAN]), negative("NaN"));
    assert_eq!(refused(&[1.0, f64::INFINITY]), negative("inf"));
    let expected = "class_weights: the weights [0.0, 0.0] are all 0, so that nothing would be learnt; give a class a weight \
                    greater than 0, or leave them out";
    assert_eq!(refused(&[0.0, 0.0]), expected);
    let expected = "fit: there are 3 class_weights, the output of shape [1] has 2 classes; give one weight for each class, \
                    or leave class_weights out where targets are no classes";
    assert_eq!(refused(&[1.0, 1.0, 1.0]), expected);
    // One may be 0.
    let fit_with = |weights: [f64; 2]| Fit { class_weights: Some(weights.to_vec()), ..fit(1) };
    assert!(yes_or_no().fit(&labels(), fit_with([0.0, 1.0])).is_ok());
    // In a regression.
    let mut regression = trainer();
    let expected = "class_weights: targets must be classes from 0 to 1, found -2 at sample 0; number the classes from 0 and \
                    give one weight for each, or leave class_weights out where targets are no classes";
    assert_eq!(regression.fit(&line(), fit_with([1.0, 2.0])).unwrap_err().to_string(), expected);
    assert_eq!(regression.optimizer().steps(), 0);
    // Targets without a class have no weight of one.
    let loss = SparseCategoricalCrossentropy::default().ignore_class(-1);
    let mut trainer = Trainer::new(classifier(3), loss, Sgd::default()).metric(Accuracy::default().ignore_class(-1));
    let fit = Fit { class_weights: Some(vec![1.0, 2.0, 3.0]), ..fit(1) };
    assert!(trainer.fit(&four(Tensor::new([0.0, -1.0, 2.0, -1.0])), fit).is_ok());
}

#[test]
fn an_optimizer_of_another_model_is_an_error() {
    let mut optimizer = Optimizer::from(Sgd::default());
    let (x, y) = (Tensor::new([[1.0], [2.0]]), Tensor::new([[3.0], [6.0]]));
    let build = |units: usize| Model::build(Sequential::new().add(Dense::new(units)), [1], 0).unwrap();
    let (mut first, mut second, mut generator) = (build(1), build(2), Generator::new(1));
    train_step(&mut first, &MeanSquaredError, &mut optimizer, &x, &y, None, &mut generator).unwrap();
    let y = Tensor::concat(&[y.clone(), y], 1);
    let before = second.params()[0].value.clone();
    let refused = train_step(&mut second, &MeanSquaredError, &mut optimizer, &x, &y, None, &mut generator);
    let expected = "the optimiser: \"0/kernel\" has another shape than in the steps before: [1, 1] and [1, 2]; make an \
                    optimiser for each model";
    assert_eq!(refused.err().unwrap().to_string(), expected);
    assert_eq!(second.params()[0].value, before);
    let data = Dataset::new(x, y).unwrap();
    let mut trainer = Trainer::new(second, MeanSquaredError, optimizer);
    assert_eq!(trainer.fit(&data, fit(1)).unwrap_err().to_string(), expected);
    // A schedule that gives no rate.
    let data = line();
    let broken = Sgd::default().learning_rate(|step: u64| if step < 3 { 0.1 } else { f64::NAN });
    let mut trainer = Trainer::new(build(1), MeanSquaredError, broken);
    let expected = "the optimiser: learning_rate: a number that is not negative is needed, not NaN, as the schedule gives it \
                    for step 4";
    assert_eq!(trainer.fit(&data, fit(9)).unwrap_err().to_string(), expected);
    let schedule = LearningRateScheduler::new(|epoch, rate| if epoch == 0 { rate } else { -rate });
    let expected =
        "LearningRateScheduler: the schedule gives the rate -0.1 for epoch 1; give a number that is not negative";
    assert_eq!(crate::common::trainer().fit(&data, fit(9).callback(schedule)).unwrap_err().to_string(), expected);
}

#[test]
fn a_loss_that_is_no_number_names_its_cause() {
    let stop = "; the callback TerminateOnNaN ends the run without an error";
    let in_order = |epochs| Fit { batch_size: 2, shuffle: false, ..fit(epochs) };
    let refused = |x: [f32; 4], y: [f32; 4], weights: Option<[f32; 4]>| {
        let column = |x: [f32; 4]| Tensor::new(x).reshape([4, 1]);
        let mut data = Dataset::new(column(x), column(y)).unwrap();
        if let Some(weights) = weights {
            data = data.with_weights(Tensor::new(weights)).unwrap();
        }
        trainer().fit(&data, in_order(5)).unwrap_err().to_string()
    };
    let (fine, nan, infinite) = ([1.0, 2.0, 3.0, 4.0], f32::NAN, f32::INFINITY);
    let mend = "mend the sample or leave it out";
    assert_eq!(
        refused([1.0, 2.0, 3.0, nan], fine, None),
        format!("fit: the loss became NaN in epoch 1, batch 2: sample 3 has NaN among its inputs; {mend}{stop}")
    );
    assert_eq!(
        refused(fine, [1.0, infinite, 3.0, nan], None),
        format!("fit: the loss became inf in epoch 1, batch 1: sample 1 has inf among its targets; {mend}{stop}")
    );
    let scale = "scale inputs and targets, as Dataset::normalize does";
    assert_eq!(
        refused(fine, [1e30, 1.0, 1.0, 1.0], None),
        format!(
            "fit: the loss became inf in epoch 1, batch 1, for outputs up to 0.0 and targets up to 1e30; {scale}{stop}"
        )
    );
    // The rate is the cause: the weight grows from step to step.
    let network = Sequential::new().add(Dense::new(1));
    let model = || Model::build(network.clone(), [1], 0).unwrap();
    let mut diverging = Trainer::new(model(), MeanSquaredError, Sgd::default().learning_rate(1e3));
    let refused = diverging.fit(&line(), fit(99)).unwrap_err().to_string();
    let end = format!(", at learning rate 1000; lower the learning rate, clip the gradients, or scale the data{stop}");
    assert!(refused.starts_with("fit: the loss became inf in epoch ") && refused.ends_with(&end), "{refused}");
    // And a callback may end the run without an error.
    let mut diverging = Trainer::new(model(), MeanSquaredError, Sgd::default().learning_rate(1e3));
    let history = diverging.fit(&line(), fit(99).callback(TerminateOnNaN)).unwrap();
    assert!(history.stopped.unwrap().starts_with("the loss became inf in epoch "));
}

#[test]
fn a_string_too_long_for_its_frames_is_the_cause() {
    // "1 1 2" has a blank between the two 1: four frames at least.
    let data = Dataset::new(Tensor::<f32>::zeros([2, 3, 1]), Tensor::new([[1.0, 2.0, 1.0], [1.0, 1.0, 2.0]])).unwrap();
    let trainer = |loss: Ctc| {
        let model = Model::build(Sequential::new().add(Dense::new(3)), [3, 1], 0).unwrap();
        Trainer::new(model, loss, Sgd::default())
    };
    let in_order = || Fit { shuffle: false, ..fit(1) };
    let refused = trainer(Ctc::default()).fit(&data, in_order()).unwrap_err().to_string();
    let expected = "fit: the loss became inf in epoch 1, batch 1: sample 1: 3 labels, of which 1 repeat the one before, need 4 frames, \
                    found 3; give more frames for each label, with smaller strides or less pooling, leave such samples out, or \
                    set Ctc::zero_infinity; the callback TerminateOnNaN ends the run without an error";
    assert_eq!(refused, expected);
    trainer(Ctc::default().zero_infinity(true)).fit(&data, in_order()).unwrap();
}

/// A model whose weights are no numbers after the second epoch, watched by what says otherwise.
#[test]
fn weights_that_are_no_numbers_are_never_the_best() {
    struct Better(f64);
    impl Metric for Better {
        fn name(&self) -> String {
            "score".to_owned()
        }
        fn update(&mut self, _: &Tensor, _: &Tensor, _: Option<&Tensor>) -> Result<()> {
            Ok(())
        }
        fn result(&self) -> f64 {
            self.0
        }
        fn reset(&mut self) {
            self.0 += 1.0;
        }
        fn state(&self) -> serde_json::Value {
            to_state(&self.0)
        }
        fn restore(&mut self, state: &NamedState) -> Result<()> {
            self.0 = from_state(state)?;
            Ok(())
        }
    }
    let diverge = || {
        on_epoch_end(|run: &mut Run<'_>| {
            if run.epoch == 1 {
                let kernel = &mut run.model.params_mut()[0].value;
                *kernel = &*kernel * f32::NAN;
            }
            Ok(())
        })
    };
    let run = |trainer: crate::common::LineTrainer, monitor: &str, patience| {
        let stopping = EarlyStopping::new(monitor).restore_best_weights(true).patience(patience);
        let mut trainer = trainer;
        let fit = fit(2).callback(diverge()).callback(stopping);
        let history = trainer.fit_validated(&line(), &line(), fit).unwrap();
        (weights(&trainer), history)
    };
    let mut one_epoch = trainer();
    one_epoch.fit(&line(), fit(1)).unwrap();
    let (found, history) = run(trainer().metric(Better(0.0)), "score", 5);
    assert_eq!(found, weights(&one_epoch));
    assert!(history.get("score")[1] > history.get("score")[0]);
}

#[test]
fn a_diverged_model_is_not_the_best_by_its_area_under_the_curve() {
    // From the second epoch on the outputs are NaN. By any order of the samples the first epoch is the best.
    for flipped in [false, true] {
        let data = labels();
        let data = if flipped { Dataset::new(data.inputs().flip(0), data.targets().flip(0)).unwrap() } else { data };
        for monitor in ["val_auc", "val_accuracy", "val_f1"] {
            let network = Sequential::new().add(Dense::new(1).activation(Activation::Sigmoid));
            let model = Model::build(network, [2], 0).unwrap();
            let mut trainer = Trainer::new(model, BinaryCrossentropy::default(), Sgd::default())
                .metric(Auc::default())
                .metric(Accuracy::default())
                .metric(F1::default());
            let diverge = on_batch_end(|run: &mut Run<'_>| {
                if run.epoch == 1 {
                    let kernel = &mut run.model.params_mut()[0].value;
                    *kernel = &*kernel * f32::NAN;
                }
                Ok(())
            });
            let stopping = EarlyStopping::new(monitor).restore_best_weights(true);
            let history = trainer.fit_validated(&data, &data, fit(5).callback(diverge).callback(stopping)).unwrap();
            assert!(history.get(monitor)[1].is_nan(), "{monitor}: {history:?}");
            assert_eq!(history.stopped.as_deref(), Some(&*format!("{monitor} was best in epoch 1")));
            assert!(trainer.model().params()[0].value.iter().all(f32::is_finite));
        }
    }
}

#[test]
fn the_hint_for_a_measurement_that_is_missing_names_the_nearest() {
    let refused = |monitor: &str| {
        let mut trainer = yes_or_no().metric(Accuracy::default());
        let fit = fit(2).callback(EarlyStopping::new(monitor));
        trainer.fit_validated(&labels(), &labels(), fit).unwrap_err().to_string()
    };
    let measured = "is measured, only loss, accuracy, val_loss, val_accuracy";
    assert_eq!(
        refused("val_acc"),
        format!(
            "EarlyStopping: nothing named \"val_acc\" {measured}; watch \"val_accuracy\", or add the metric to the trainer"
        )
    );
}
