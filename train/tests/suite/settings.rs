//! Epochs that are no passes over the data, steps of several batches, rare evaluations, and averaged weights; and runs with
//! all of these, paused anywhere.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use gradus_datasets::{DataSource, StreamDataset};
use gradus_nn::losses::{CategoricalCrossentropy, MeanSquaredError};
use gradus_nn::{Activation, BatchNormalization, Constraint, Dense, Dropout, Flatten, Model, Sequential};
use gradus_optim::{Adam, IntoOptimizer, Optimizer, Sgd};
use gradus_tensor::{Generator, Tensor};
use gradus_train::callbacks::*;
use gradus_train::metrics::{Auc, MeanAbsoluteError};
use gradus_train::state::Status;
use gradus_train::{Fit, Result, Trainer, train_step};

use crate::common::{LineTrainer, fit, line, trainer, values, weights};
use crate::pictures::{Pictures, pictures, temporary};

/// The names of what was measured in each epoch.
fn names(history: &gradus_train::History) -> Vec<Vec<&str>> {
    history.logs.iter().map(|logs| logs.iter().map(|(name, _)| name).collect()).collect()
}

#[test]
fn epochs_of_so_many_steps_go_on_in_the_data() {
    // 8 samples in batches of 3 are 3 batches, so 12 batches are 4 passes, however they are divided into epochs.
    type Open = fn() -> Box<dyn DataSource>;
    let kinds: [(&str, Open); 2] = [
        ("memory", || Box::new(line())),
        ("stream", || {
            let sample = |i: isize| Ok((line().inputs().select(0, i), line().targets().select(0, i)));
            Box::new(StreamDataset::new(move || Ok((0..8).map(sample))).shuffle_buffer(4))
        }),
    ];
    for (kind, data) in kinds {
        for (shuffle, prefetch) in [(false, 0), (true, 0), (true, 2)] {
            let mut passes = trainer();
            let settings = |epochs| Fit { batch_size: 3, shuffle, prefetch, ..fit(epochs) };
            passes.fit(&*data(), settings(4)).unwrap();
            for (epochs, steps) in [(4, 3), (6, 2), (12, 1), (3, 4), (1, 12)] {
                let mut by_steps = trainer();
                let counted = on_epoch_end(move |run: &mut Run<'_>| {
                    assert_eq!((run.batch, run.batches), (steps, Some(steps)));
                    Ok(())
                });
                let settings = Fit { steps_per_epoch: Some(steps), ..settings(epochs) }.callback(counted);
                let history = by_steps.fit(&*data(), settings).unwrap();
                assert_eq!(history.epochs.len(), epochs);
                assert_eq!(by_steps.optimizer().steps(), 12);
                assert_eq!(weights(&by_steps), weights(&passes), "{kind}, {steps} steps, {shuffle}, {prefetch}");
            }
        }
    }
}

#[test]
fn the_loss_of_an_epoch_of_steps_is_that_of_its_samples() {
    // Without a step, the first two batches of three hold samples 0 to 5, the next two 6, 7 and 0 to 2.
    let still = || LearningRateScheduler::new(|_, _| 0.0);
    let mut trainer = trainer();
    let settings = Fit { batch_size: 3, steps_per_epoch: Some(2), shuffle: false, ..fit(2) };
    let history = trainer.fit(&line(), settings.callback(still())).unwrap();
    let mut loss = |data| trainer.evaluate(&data).unwrap()["loss"];
    let second = (2.0 * loss(line().slice(6..8)) + 3.0 * loss(line().take(3))) / 5.0;
    for (found, expected) in history.get("loss").iter().zip([loss(line().take(6)), second]) {
        assert!((found - expected).abs() < 1e-6, "{found}, {expected}");
    }
}

#[test]
fn an_ended_run_of_steps_goes_on_in_the_data() {
    let settings = |epochs| Fit { batch_size: 3, steps_per_epoch: Some(2), ..fit(epochs) };
    let mut whole = trainer();
    whole.fit(&line(), settings(5)).unwrap();
    let folder = temporary("settings-more");
    _ = fs::remove_dir_all(&folder);
    let mut first = trainer();
    first.fit(&line(), settings(2).callback(Checkpoint::new(&folder))).unwrap();
    drop(first);
    let mut second = trainer();
    second.resume(&folder).unwrap().unwrap();
    let history = second.fit(&line(), settings(5)).unwrap();
    assert_eq!(history.epochs, [0, 1, 2, 3, 4]);
    assert_eq!(weights(&second), weights(&whole));
}

#[test]
fn an_epoch_of_steps_that_goes_on_without_their_number_ends_with_the_data() {
    let mut trainer = trainer();
    let pause = on_batch_end(|run: &mut Run<'_>| {
        if (run.epoch, run.batch) == (1, 1) {
            run.pause("a test");
        }
        Ok(())
    });
    let settings = |epochs| Fit { batch_size: 3, ..fit(epochs) };
    trainer.fit(&line(), Fit { steps_per_epoch: Some(4), ..settings(3) }.callback(pause)).unwrap();
    // 5 batches are done: the second pass has one left, and the third epoch is a pass.
    let history = trainer.fit(&line(), settings(3)).unwrap();
    assert_eq!((history.epochs.len(), trainer.optimizer().steps()), (3, 9));
}

#[test]
fn a_run_begins_with_the_epoch_that_it_is_told() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let by_epoch = LearningRateScheduler::new(move |epoch, rate| {
        note.lock().unwrap().push(epoch);
        rate
    });
    let mut trainer = trainer();
    let is_last = on_epoch_end(|run: &mut Run<'_>| {
        assert_eq!((run.epochs, run.is_last_epoch()), (5, run.epoch == 4));
        Ok(())
    });
    let settings = Fit { initial_epoch: 2, ..fit(5) }.callback(by_epoch).callback(is_last);
    let history = trainer.fit(&line(), settings).unwrap();
    assert_eq!((history.epochs, trainer.optimizer().steps()), (vec![2, 3, 4], 6));
    assert_eq!(*seen.lock().unwrap(), [2, 3, 4]);
    assert_eq!((trainer.state().epoch(), trainer.state().initial_epoch), (5, 2));
    // The same steps as in epochs that are counted from 0.
    let mut counted = crate::common::trainer();
    counted.fit(&line(), fit(3)).unwrap();
    assert_eq!(weights(&counted), weights(&trainer));
    // All of them have been trained: none is left.
    assert!(trainer.fit(&line(), Fit { initial_epoch: 5, ..fit(5) }).unwrap().epochs.is_empty());
    assert_eq!(
        trainer.fit(&line(), Fit { initial_epoch: 6, ..fit(5) }).unwrap_err().to_string(),
        "fit: the initial_epoch is 6, and there are 5 epochs; epochs counts those before the first as well: give the number of \
         the last one"
    );
}

#[test]
fn a_run_that_goes_on_does_so_where_it_was() {
    let mut whole = trainer();
    let expected = whole.fit(&line(), fit(5)).unwrap();
    let folder = temporary("settings-initial");
    _ = fs::remove_dir_all(&folder);
    trainer().fit(&line(), fit(3).callback(Checkpoint::new(&folder))).unwrap();
    // With an `initial_epoch` or without: as in Keras, where it is needed for this.
    for initial_epoch in [0, 3] {
        let mut trainer = trainer();
        trainer.resume(&folder).unwrap().unwrap();
        let history = trainer.fit(&line(), Fit { initial_epoch, ..fit(5) }).unwrap();
        assert_eq!(history, expected);
        assert_eq!(weights(&trainer), weights(&whole));
    }
}

#[test]
fn validation_comes_every_so_many_epochs() {
    let log = temporary("settings-validation.csv");
    let settings = Fit { validation_split: 0.25, validation_freq: 3, ..fit(7) };
    let history = trainer().fit(&line(), settings.callback(CsvLogger::new(&log))).unwrap();
    let with: Vec<usize> = (0..7).filter(|&epoch| history.logs[epoch].get("val_loss").is_some()).collect();
    assert_eq!(with, [2, 5]);
    assert_eq!(history.get("val_loss").len(), 2);
    assert_eq!(names(&history)[..3], [vec!["loss"], vec!["loss"], vec!["loss", "val_loss"]]);
    let each = trainer().fit(&line(), Fit { validation_split: 0.25, ..fit(7) }).unwrap();
    assert_eq!(history.logs[5], each.logs[5]);
    // Keras, too, writes the columns of the validation from the first line on, and NA where there is none.
    let log = fs::read_to_string(log).unwrap();
    let fields: Vec<Vec<&str>> = log.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(fields[0], ["epoch", "learning_rate", "loss", "val_loss"]);
    assert!(fields.iter().all(|line| line.len() == 4));
    let missing: Vec<usize> = (1..8).filter(|&line| fields[line][3] == "NA").collect();
    assert_eq!(missing, [1, 2, 4, 5, 7]);
}

#[test]
fn callbacks_wait_for_the_validation_that_they_watch() {
    let folder = temporary("settings-best");
    _ = fs::remove_dir_all(&folder);
    let settings = || Fit { validation_split: 0.25, validation_freq: 2, ..fit(12) };
    // No gain is large enough: the first evaluation is the best, the second and the third are none.
    let stopping = EarlyStopping::new("val_loss").patience(2).min_delta(1e9);
    let plateau = ReduceLrOnPlateau::new("val_loss").patience(2).min_delta(1e9).factor(0.5);
    let checkpoint = Checkpoint::new(&folder).keep_best("val_loss");
    let mut trainer = trainer();
    let history = trainer.fit(&line(), settings().callback(stopping).callback(plateau).callback(checkpoint)).unwrap();
    assert_eq!(history.epochs.len(), 6);
    assert_eq!(history.stopped.as_deref(), Some("val_loss was best in epoch 2"));
    assert_eq!(trainer.optimizer().current_learning_rate(), 0.05);
    assert!(folder.join("best.safetensors").exists());
    // What is measured in training is there after each epoch, and what is measured nowhere is still an error.
    let stopping = EarlyStopping::new("loss").patience(2).min_delta(1e9);
    assert_eq!(crate::common::trainer().fit(&line(), settings().callback(stopping)).unwrap().epochs.len(), 3);
    let wrong = EarlyStopping::new("val_accuracy");
    let error = crate::common::trainer().fit(&line(), settings().callback(wrong)).unwrap_err().to_string();
    assert!(error.contains("nothing named \"val_accuracy\" is measured, only loss, val_loss"), "{error}");
}

#[test]
fn validation_may_be_so_many_batches() {
    let settings = |steps| Fit { validation_steps: steps, batch_size: 2, ..fit(2) };
    let mut trainer = trainer();
    let history = trainer.fit_validated(&line(), &line(), settings(Some(3))).unwrap();
    let expected = trainer.evaluate(&line().take(6)).unwrap()["loss"];
    assert!((history.logs[1]["val_loss"] - expected).abs() < 1e-6);
    let all = crate::common::trainer().fit_validated(&line(), &line(), settings(None)).unwrap();
    assert_eq!(crate::common::trainer().fit_validated(&line(), &line(), settings(Some(99))).unwrap(), all);
    assert_ne!(all, history);
}

#[test]
fn settings_of_nothing_are_refused() {
    let refusal = |settings: Fit| trainer().fit(&line(), settings).unwrap_err().to_string();
    assert_eq!(
        refusal(Fit { steps_per_epoch: Some(0), ..fit(1) }),
        "fit: the steps_per_epoch is 0, it must be at least 1; give the number of batches in an epoch, or None for all of the \
         data"
    );
    assert_eq!(
        refusal(Fit { validation_freq: 0, ..fit(1) }),
        "fit: the validation_freq is 0, it must be at least 1; 1 evaluates after each epoch"
    );
    assert_eq!(
        refusal(Fit { validation_steps: Some(0), ..fit(1) }),
        "fit: the validation_steps is 0, it must be at least 1; give the number of batches to evaluate, or None for all"
    );
}

fn line_by(optimizer: Optimizer<Sgd>) -> LineTrainer {
    let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 3).unwrap();
    Trainer::new(model, MeanSquaredError, optimizer).metric(MeanAbsoluteError::default())
}

#[test]
fn steps_of_several_batches_are_those_of_one_large_batch() {
    let sgd = || Sgd::default().momentum(0.9).learning_rate(0.05);
    let (mut parts, mut whole) = (line_by(sgd().gradient_accumulation_steps(4)), line_by(sgd()));
    let settings = |batch_size| Fit { batch_size, shuffle: false, ..fit(6) };
    let in_parts = parts.fit(&line(), settings(1)).unwrap();
    let at_once = whole.fit(&line(), settings(4)).unwrap();
    assert_eq!((parts.optimizer().steps(), whole.optimizer().steps()), (12, 12));
    for (found, expected) in weights(&parts).iter().zip(weights(&whole)) {
        assert!(found.allclose(&expected, 1e-5, 1e-6), "{found}, {expected}");
    }
    for (found, expected) in in_parts.get("loss").iter().zip(at_once.get("loss")) {
        assert!((found - expected).abs() < 1e-5, "{found}, {expected}");
    }
}

#[test]
fn batches_that_are_left_wait_for_the_next_epoch_and_the_next_run() {
    let trainer = || line_by(Sgd::default().learning_rate(0.05).gradient_accumulation_steps(3));
    // 4 batches an epoch: steps after batches 3, 6, 9 and 12.
    let mut in_one = trainer();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let steps = on_batch_end(move |run: &mut Run<'_>| {
        note.lock().unwrap().push(run.step());
        Ok(())
    });
    let settings = |epochs| Fit { batch_size: 2, shuffle: false, ..fit(epochs) };
    in_one.fit(&line(), settings(3).callback(steps)).unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4]);
    let mut in_two = trainer();
    in_two.fit(&line(), settings(1)).unwrap();
    assert_eq!(in_two.optimizer().state().waiting, 1);
    in_two.fit(&line(), settings(2)).unwrap();
    assert_eq!(weights(&in_two), weights(&in_one));
}

#[test]
fn the_weights_at_the_end_are_the_averages() {
    let sgd = || Sgd::default().learning_rate(0.05).use_ema(0.8);
    let mut trainer = line_by(sgd());
    let settings = || Fit { shuffle: false, ..fit(3) };
    // The weights of each step, and their average by hand.
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let record = on_batch_end(move |run: &mut Run<'_>| {
        note.lock().unwrap().push(values(run.model.params()));
        Ok(())
    });
    let at_end = Arc::new(Mutex::new(Vec::new()));
    let end = Arc::clone(&at_end);
    let last = on_end(move |run: &mut Run<'_>| {
        *end.lock().unwrap() = values(run.model.params());
        Ok(())
    });
    let history = trainer.fit_validated(&line(), &line(), settings().callback(record).callback(last)).unwrap();
    let mut steps = seen.lock().unwrap().clone().into_iter();
    let first = steps.next().unwrap();
    let average = steps.clone().fold(first, |average, weights| {
        average.iter().zip(&weights).map(|(average, weight)| average * 0.8 + weight * 0.2).collect()
    });
    for (found, expected) in weights(&trainer).iter().zip(&average) {
        assert!(found.allclose(expected, 1e-6, 1e-7), "{found}, {expected}");
    }
    assert_eq!(*at_end.lock().unwrap(), weights(&trainer));
    // Epochs are evaluated with the weights that are trained.
    let mut plain = line_by(Sgd::default().learning_rate(0.05));
    assert_eq!(plain.fit_validated(&line(), &line(), settings()).unwrap(), history);
    assert_ne!(weights(&plain), weights(&trainer));
    assert_eq!(weights(&plain), steps.next_back().unwrap());
}

#[test]
fn a_training_step_by_hand_averages_and_constrains() {
    let network = Sequential::new().add(Dense::new(2).kernel_constraint(Constraint::max_norm(0.5)));
    let mut model = Model::build(network, [3], 1).unwrap();
    let mut optimizer: Optimizer<Sgd> = Sgd::default().learning_rate(0.3).use_ema(0.5);
    let x: Tensor = Generator::new(1).normal([6, 3], 0.0, 1.0);
    // Targets that draw the kernel to the norm 5.
    let y = x.slice(1, 0..2) * 5.0;
    let mut generator = Generator::new(0);
    for _ in 0..5 {
        train_step(&mut model, &MeanSquaredError, &mut optimizer, &x, &y, None, &mut generator).unwrap();
        let kernel = &model.params().get("0/kernel").unwrap().value;
        assert!(kernel.norm(0).iter().all(|norm| (norm - 0.5).abs() < 1e-6), "{kernel}");
    }
    optimizer.finalize_weights(model.params_mut());
    assert!(model.params()[0].value.norm(0).iter().all(|norm| norm < 0.5 + 1e-6));
}

// Runs with all of these settings, paused at every hook.

fn long_trainer() -> Pictures {
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(8).kernel_constraint(Constraint::max_norm(0.9)).bias_constraint(Constraint::non_neg()))
        .add(BatchNormalization::new())
        .add(Activation::Relu)
        .add(Dropout::new(0.3))
        .add(Dense::new(3).activation(Activation::Softmax));
    let optimizer: Optimizer<Adam> =
        Adam::default().gradient_accumulation_steps(3).use_ema(0.7).ema_overwrite_frequency(2).learning_rate(0.05);
    let model = Model::build(network, [4, 4, 1], 5).unwrap();
    Trainer::new(model, CategoricalCrossentropy::default(), optimizer).metric(Auc::default()).seed(7)
}

/// Epochs of two batches, of three in the data, and a rate that falls before each batch.
fn long_fit(log: &Path, prefetch: usize) -> Fit {
    let falls = on_batch_begin(|run: &mut Run<'_>| {
        let rate = run.learning_rate();
        run.set_learning_rate(rate * 0.97);
        Ok(())
    });
    let settings = Fit {
        epochs: 7,
        initial_epoch: 2,
        steps_per_epoch: Some(2),
        batch_size: 4,
        validation_split: 0.2,
        validation_freq: 2,
        validation_steps: Some(1),
        prefetch,
        verbose: false,
        ..Fit::default()
    };
    settings
        .callback(falls)
        .callback(EarlyStopping::new("val_loss").patience(9))
        .callback(ReduceLrOnPlateau::new("loss").patience(1).min_delta(0.5).factor(0.9))
        .callback(CsvLogger::new(log))
        .callback(TensorBoard::new(log.with_extension("events")).update_freq(2))
        .callback(Doctor::new().every(2))
}

/// Pauses at the hook of this number.
struct PauseAt {
    left: usize,
}

impl PauseAt {
    fn count(&mut self, run: &mut Run<'_>) -> Result<()> {
        if self.left == 0 {
            run.pause("a test");
        }
        self.left = self.left.wrapping_sub(1);
        Ok(())
    }
}

impl Callback for PauseAt {
    fn on_epoch_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.count(run)
    }
    fn on_batch_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.count(run)
    }
    fn on_batch_end(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.count(run)
    }
    fn on_epoch_end(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.count(run)
    }
}

#[test]
fn a_run_with_all_settings_goes_on_from_any_place() {
    let (log, folder) = (temporary("settings.csv"), temporary("settings-paused"));
    let outcome = |trainer: &Pictures, history| crate::pictures::outcome(trainer, history, &log);
    let mut whole = long_trainer();
    let history = whole.fit(&pictures(), long_fit(&log, 0)).unwrap();
    let expected = outcome(&whole, history);
    // 10 batches, and a step for every three.
    assert_eq!((expected.1.steps, expected.1.waiting), (3, 1));
    assert_eq!(expected.2.epochs, [2, 3, 4, 5, 6]);
    let mut pauses = 0;
    loop {
        _ = fs::remove_dir_all(&folder);
        let mut first = long_trainer();
        let pause = long_fit(&log, 0).callback(Checkpoint::new(&folder)).callback(PauseAt { left: pauses });
        first.fit(&pictures(), pause).unwrap();
        if first.state().status == Status::Ended {
            break;
        }
        drop(first);
        let mut second = long_trainer();
        second.resume(&folder).unwrap().unwrap();
        let history = second.fit(&pictures(), long_fit(&log, 2)).unwrap();
        assert!(outcome(&second, history) == expected, "paused at hook {pauses}");
        pauses += 1;
    }
    assert_eq!(pauses, 5 * (1 + 2 + 2 + 1));
}
