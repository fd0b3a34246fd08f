//! What happens along the way of a run: every callback, on runs that can be followed by hand.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use gradus_datasets::Dataset;
use gradus_nn::losses::MeanSquaredError;
use gradus_nn::{Dense, Initializer, Model, Sequential};
use gradus_optim::{IntoOptimizer, Sgd};
use gradus_tensor::Tensor;
use gradus_train::callbacks::*;
use gradus_train::metrics::{MeanAbsoluteError, Metric};
use gradus_train::state::{NamedState, from_state, to_state};
use gradus_train::{Fit, Result, Trainer};

use crate::common::{LineTrainer, fit, line, trainer, values, weights};

/// A "measurement" that takes the given value in each epoch.
struct Scripted {
    name: &'static str,
    values: Vec<f64>,
    epoch: usize,
}

impl Metric for Scripted {
    fn name(&self) -> String {
        self.name.to_owned()
    }
    fn update(&mut self, _: &Tensor, _: &Tensor, _: Option<&Tensor>) -> Result<()> {
        Ok(())
    }
    fn result(&self) -> f64 {
        self.values[self.epoch - 1]
    }
    fn reset(&mut self) {
        self.epoch += 1;
    }
    fn state(&self) -> serde_json::Value {
        to_state(&self.epoch)
    }
    fn restore(&mut self, state: &NamedState) -> Result<()> {
        self.epoch = from_state(state)?;
        Ok(())
    }
}

fn scripted(name: &'static str, values: &[f64]) -> LineTrainer {
    trainer().metric(Scripted { name, values: values.to_vec(), epoch: 0 })
}

/// What a callback and the test that made it both see.
type List<E> = Arc<Mutex<Vec<E>>>;

/// A list that callbacks write into.
fn list<E>() -> (List<E>, List<E>) {
    let list = Arc::new(Mutex::new(Vec::new()));
    (Arc::clone(&list), list)
}

/// What was written into a list.
fn taken<E>(list: &Mutex<Vec<E>>) -> Vec<E> {
    std::mem::take(&mut list.lock().unwrap())
}

fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn early_stopping_waits_for_its_patience() {
    let mut trainer = scripted("score_loss", &[5.0, 4.0, 3.0, 3.5, 3.2, 2.9]);
    let history = trainer.fit(&line(), fit(6).callback(EarlyStopping::new("score_loss").patience(2))).unwrap();
    assert_eq!(history.get("score_loss"), [5.0, 4.0, 3.0, 3.5, 3.2]);
    assert_eq!(history.epochs, [0, 1, 2, 3, 4]);
    assert_eq!(history.stopped.as_deref(), Some("score_loss was best in epoch 3"));
}

#[test]
fn early_stopping_knows_by_the_name_which_way_is_better() {
    let values = [1.0, 2.0, 3.0, 2.0, 1.0];
    let epochs = |name, stopping: EarlyStopping| {
        scripted(name, &values).fit(&line(), fit(5).callback(stopping)).unwrap().epochs.len()
    };
    assert_eq!(epochs("score", EarlyStopping::new("score")), 4);
    assert_eq!(epochs("score_error", EarlyStopping::new("score_error")), 2);
    assert_eq!(epochs("score", EarlyStopping::new("score").minimize()), 2);
    assert_eq!(epochs("score_loss", EarlyStopping::new("score_loss").maximize()), 4);
}

#[test]
fn early_stopping_takes_only_a_gain_above_min_delta_for_better() {
    // 4.6 is no gain of 0.5; 4.4 is one on 5; of the rest none is one on 4.4.
    let mut trainer = scripted("score_loss", &[5.0, 4.6, 4.4, 4.3, 4.0, 3.0]);
    let stopping = EarlyStopping::new("score_loss").patience(2).min_delta(0.5);
    let history = trainer.fit(&line(), fit(6).callback(stopping)).unwrap();
    assert_eq!(history.epochs.len(), 5);
    assert_eq!(history.stopped.as_deref(), Some("score_loss was best in epoch 3"));
    // A gain of exactly that is none; its sign does not matter, as in Keras.
    let epochs = |stopping: EarlyStopping, values: [f64; 4]| {
        scripted("score_loss", &values).fit(&line(), fit(4).callback(stopping.patience(2))).unwrap().epochs.len()
    };
    assert_eq!(epochs(EarlyStopping::new("score_loss"), [2.0, 2.0, 2.0, 1.0]), 3);
    assert_eq!(epochs(EarlyStopping::new("score_loss").min_delta(0.5), [2.0, 1.5, 1.5, 1.0]), 3);
    assert_eq!(epochs(EarlyStopping::new("score_loss").min_delta(-0.5), [2.0, 1.5, 1.5, 1.0]), 3);
}

#[test]
fn early_stopping_begins_when_it_is_told_to() {
    let mut trainer = scripted("score_loss", &[1.0, 2.0, 3.0, 2.5, 2.8, 0.0]);
    let stopping = EarlyStopping::new("score_loss").patience(1).start_from_epoch(2);
    let history = trainer.fit(&line(), fit(6).callback(stopping)).unwrap();
    assert_eq!(history.epochs.len(), 5);
    assert_eq!(history.stopped.as_deref(), Some("score_loss was best in epoch 4"));
}

#[test]
fn early_stopping_restores_the_best_weights_exactly() {
    let run = |values: &[f64], others: fn(Fit) -> Fit| {
        let (seen, snapshots) = list();
        let record = on_epoch_end(move |run: &mut Run<'_>| {
            seen.lock().unwrap().push(self::values(run.model.params()));
            Ok(())
        });
        let stopping = EarlyStopping::new("score_loss").patience(2).restore_best_weights(true);
        let mut trainer = scripted("score_loss", values);
        trainer.fit(&line(), others(fit(values.len()).callback(stopping).callback(record))).unwrap();
        (weights(&trainer), taken(&snapshots))
    };
    let as_it_is = |fit| fit;
    // Stopped by itself.
    let (weights, snapshots) = run(&[3.0, 1.0, 2.0, 2.0, 0.0], as_it_is);
    assert_eq!(snapshots.len(), 4);
    assert_eq!(weights, snapshots[1]);
    assert_ne!(weights, snapshots[3]);
    // At the last epoch.
    let (weights, snapshots) = run(&[3.0, 1.0, 2.0], as_it_is);
    assert_eq!(weights, snapshots[1]);
    // By a callback that comes after it.
    let (weights, snapshots) = run(&[1.0, 2.0, 0.0], |fit| {
        fit.callback(on_epoch_end(|run: &mut Run<'_>| {
            if run.epoch == 1 {
                run.stop("enough");
            }
            Ok(())
        }))
    });
    assert_eq!(snapshots.len(), 2);
    assert_eq!(weights, snapshots[0]);
}

#[test]
fn nothing_is_better_than_nan() {
    let mut trainer = scripted("score_loss", &[f64::NAN, 2.0, f64::NAN, 3.0, 1.0]);
    let stopping = EarlyStopping::new("score_loss").patience(2);
    let history = trainer.fit(&line(), fit(5).callback(stopping)).unwrap();
    assert_eq!(history.epochs.len(), 4);
    assert_eq!(history.stopped.as_deref(), Some("score_loss was best in epoch 2"));
}

#[test]
fn watching_what_is_not_measured_is_an_error() {
    let refusal = |callback: fn(Fit) -> Fit| {
        let mut trainer = trainer().metric(MeanAbsoluteError::default());
        trainer.fit(&line(), callback(fit(2))).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(|fit| fit.callback(EarlyStopping::new("val_loss"))),
        "EarlyStopping: nothing named \"val_loss\" is measured, only loss, mean_absolute_error; fit with a \
         validation_split or a validation set, or watch \"loss\""
    );
    assert_eq!(
        refusal(|fit| fit.callback(ReduceLrOnPlateau::new("accuracy"))),
        "ReduceLrOnPlateau: nothing named \"accuracy\" is measured, only loss, mean_absolute_error; add the metric to \
         the trainer, or watch another"
    );
}

/// The learning rate with which each epoch has ended.
fn rates(trainer: &mut LineTrainer, fit: Fit) -> Vec<f64> {
    let (seen, rates) = list();
    let record = on_epoch_end(move |run: &mut Run<'_>| {
        seen.lock().unwrap().push(run.learning_rate());
        Ok(())
    });
    trainer.fit(&line(), fit.callback(record)).unwrap();
    taken(&rates)
}

#[test]
fn the_rate_falls_on_a_plateau() {
    let plateau = || ReduceLrOnPlateau::new("score_loss").factor(0.5).patience(2);
    let still = [1.0; 8];
    // By hand: the first epoch is the best; after every two others the rate is halved.
    let halved = rates(&mut scripted("score_loss", &still), fit(8).callback(plateau()));
    assert_eq!(halved, [0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125]);
    // As in Keras the last epoch of the cooldown counts again.
    let cooled = rates(&mut scripted("score_loss", &still), fit(8).callback(plateau().cooldown(1)));
    assert_eq!(cooled, halved);
    let cooled = rates(&mut scripted("score_loss", &still), fit(8).callback(plateau().cooldown(2)));
    assert_eq!(cooled, [0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025]);
    let bounded = rates(&mut scripted("score_loss", &still), fit(8).callback(plateau().min_lr(0.04)));
    assert_eq!(bounded, [0.1, 0.1, 0.05, 0.05, 0.04, 0.04, 0.04, 0.04]);
    // A gain of 0.00005 is none by default, one of 0.5 is.
    let falling = [1.0, 0.99995, 0.99992, 0.4, 0.4];
    let some = rates(&mut scripted("score_loss", &falling), fit(5).callback(plateau()));
    assert_eq!(some, [0.1, 0.1, 0.05, 0.05, 0.05]);
    let each = rates(&mut scripted("score_loss", &falling), fit(5).callback(plateau().min_delta(0.0)));
    assert_eq!(each, [0.1; 5]);
    // What is better begins the waiting anew.
    let better = rates(&mut scripted("score_loss", &[1.0, 1.0, 0.5, 0.5, 0.5]), fit(5).callback(plateau()));
    assert_eq!(better, [0.1, 0.1, 0.1, 0.1, 0.05]);
    // Keras's defaults: a tenth, after 10 epochs.
    let by_default = ReduceLrOnPlateau::new("score_loss");
    let rates = rates(&mut scripted("score_loss", &[1.0; 11]), fit(11).callback(by_default));
    assert_eq!((rates[9], rates[10]), (0.1, 0.1 * 0.1));
}

/// A callback that the test keeps: it can be given to one run after another.
struct Kept<C>(Arc<Mutex<C>>);

impl<C: Callback> Callback for Kept<C> {
    fn on_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.0.lock().unwrap().on_begin(run)
    }
    fn on_epoch_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.0.lock().unwrap().on_epoch_begin(run)
    }
    fn on_epoch_end(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.0.lock().unwrap().on_epoch_end(run)
    }
    fn on_end(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.0.lock().unwrap().on_end(run)
    }
}

#[test]
fn a_callback_begins_anew_with_each_run() {
    let stopping = EarlyStopping::new("score_loss").patience(2).restore_best_weights(true);
    let stopping = Arc::new(Mutex::new(stopping));
    let epochs = |values: &[f64]| {
        let mut trainer = scripted("score_loss", values);
        let history = trainer.fit(&line(), fit(values.len()).callback(Kept(Arc::clone(&stopping)))).unwrap();
        (history.epochs.len(), weights(&trainer))
    };
    // The first run ends one epoch into the waiting, and with a best that the second never comes to.
    assert_eq!(epochs(&[1.0, 2.0]).0, 2);
    assert_eq!(epochs(&[f64::NAN, 5.0, 5.5, 4.0]).0, 4);
    // A run in which nothing is good keeps its last weights: it has no best ones from a run that broke off.
    let broken = on_epoch_end(|_: &mut Run<'_>| Err(gradus_train::Error::new("mine", "no", "go")));
    let mut broken_off = scripted("score_loss", &[1.0, 2.0]);
    broken_off.fit(&line(), fit(2).callback(Kept(Arc::clone(&stopping))).callback(broken)).unwrap_err();
    let mut plain = trainer();
    plain.fit(&line(), fit(2)).unwrap();
    assert_eq!(epochs(&[f64::NAN, f64::NAN]).1, weights(&plain));

    let plateau = Arc::new(Mutex::new(ReduceLrOnPlateau::new("score_loss").factor(0.5).patience(2).cooldown(3)));
    let rates_of = |values: &[f64]| {
        rates(&mut scripted("score_loss", values), fit(values.len()).callback(Kept(Arc::clone(&plateau))))
    };
    // The first run ends in a cooldown that would outlast the second.
    assert_eq!(rates_of(&[1.0, 1.0, 1.0]), [0.1, 0.1, 0.05]);
    assert_eq!(rates_of(&[9.0, 9.0, 9.0]), [0.1, 0.1, 0.05]);

    let path = temporary("twice.csv");
    let log = Arc::new(Mutex::new(CsvLogger::new(&path)));
    for epochs in [3, 1] {
        trainer().fit(&line(), fit(epochs).callback(Kept(Arc::clone(&log)))).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), epochs + 1);
    }
}

#[test]
fn a_schedule_sets_the_rate_of_each_epoch() {
    let halving = LearningRateScheduler::new(|epoch, rate| if epoch > 0 { rate / 2.0 } else { rate });
    assert_eq!(rates(&mut trainer(), fit(3).callback(halving)), [0.1, 0.05, 0.025]);
    // No step at all: the weights stay.
    let mut still = trainer();
    let before = weights(&still);
    still.fit(&line(), fit(2).callback(LearningRateScheduler::new(|_, _| 0.0))).unwrap();
    assert_eq!(weights(&still), before);
}

/// One sample, x = y = 1, and a line without a bias: with the rate 0.25 the weight goes 0, 0.5, 0.75, 0.875, and the
/// loss (1 - w)^2 goes 1, 0.25, 0.0625.
fn by_hand() -> (LineTrainer, Dataset) {
    let network = Sequential::new().add(Dense::new(1).use_bias(false).kernel_initializer(Initializer::Zeros));
    let model = Model::build(network, [1], 0).unwrap();
    let trainer = Trainer::new(model, MeanSquaredError, Sgd::default().learning_rate(0.25));
    (trainer, Dataset::new(Tensor::new([[1.0]]), Tensor::new([[1.0]])).unwrap())
}

#[test]
fn the_csv_log_has_a_line_for_each_epoch() {
    let path = temporary("log.csv");
    fs::write(&path, "what was there before, which is longer than what comes\n".repeat(9)).unwrap();
    let (trainer, data) = by_hand();
    let mut trainer = trainer.metric(MeanAbsoluteError::default());
    let reduce = LearningRateScheduler::new(|epoch, rate| if epoch == 2 { 0.125 } else { rate });
    // Each line is on disk when its epoch has ended.
    let written = path.clone();
    let read = on_epoch_end(move |run: &mut Run<'_>| {
        assert_eq!(fs::read_to_string(&written).unwrap().lines().count(), run.epoch + 2);
        Ok(())
    });
    let fit = fit(3).callback(reduce).callback(CsvLogger::new(&path)).callback(read);
    trainer.fit_validated(&data, &data, fit).unwrap();
    // By hand; the third step is half as long.
    let expected = "\
epoch,learning_rate,loss,mean_absolute_error,val_loss,val_mean_absolute_error
1,0.25,1,1,0.25,0.5
2,0.25,0.25,0.5,0.0625,0.25
3,0.125,0.0625,0.25,0.03515625,0.1875
";
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
}

#[test]
fn a_log_that_cannot_be_written_is_found_out_before_training() {
    let file = temporary("no_folder");
    fs::write(&file, "").unwrap();
    let path = file.join("log.csv");
    let mut trainer = trainer();
    let before = weights(&trainer);
    let error = trainer.fit(&line(), fit(1).callback(CsvLogger::new(&path))).unwrap_err();
    let expected = format!(
        "{}: File exists (os error 17); there is a file where a folder is needed: give another path",
        file.display()
    );
    assert_eq!(error.to_string(), expected);
    assert_eq!(weights(&trainer), before);
    assert_eq!(trainer.optimizer().steps(), 0);
    // A folder that is missing is made.
    let folder = temporary("made");
    _ = fs::remove_dir_all(&folder);
    trainer.fit(&line(), fit(1).callback(CsvLogger::new(folder.join("in it/log.csv")))).unwrap();
    assert!(folder.join("in it/log.csv").exists());
}

#[test]
fn rates_and_changes_that_are_no_numbers_are_refused() {
    let panics = |call: fn() -> ReduceLrOnPlateau| {
        let caught = std::panic::catch_unwind(call).unwrap_err();
        *caught.downcast::<String>().unwrap()
    };
    let plateau = || ReduceLrOnPlateau::new("loss");
    let _ = plateau().maximize().minimize();
    assert_eq!(
        panics(|| ReduceLrOnPlateau::new("loss").min_lr(-1.0)),
        "ReduceLrOnPlateau: min_lr must not be negative, found -1"
    );
    assert_eq!(
        panics(|| ReduceLrOnPlateau::new("loss").min_delta(f64::NAN)),
        "min_delta: a finite number is needed, not NaN"
    );
}

#[test]
fn a_loss_that_is_nan_is_an_error_or_ends_the_run() {
    let x = Tensor::new([[1.0], [2.0], [f32::NAN], [4.0]]);
    let data = Dataset::new(x.clone(), x).unwrap();
    let in_order = || Fit { batch_size: 2, shuffle: false, ..fit(5) };
    assert_eq!(
        trainer().fit(&data, in_order()).unwrap_err().to_string(),
        "fit: the loss became NaN in epoch 1, batch 2: sample 2 has NaN among its inputs; mend the sample or leave it out; \
         the callback TerminateOnNaN ends the run without an error"
    );
    let history = trainer().fit(&data, in_order().callback(TerminateOnNaN)).unwrap();
    assert_eq!(history.epochs, [0]);
    assert!(history.get("loss")[0].is_nan());
    assert_eq!(history.stopped.as_deref(), Some("the loss became NaN in epoch 1, batch 2"));
    // Infinity ends the run too, if the callback watches.
    let x = Tensor::new([[1e30], [1e30]]);
    let data = Dataset::new(x.clone(), x).unwrap();
    let history = trainer().fit(&data, in_order().callback(TerminateOnNaN)).unwrap();
    assert_eq!(history.stopped.as_deref(), Some("the loss became inf in epoch 1, batch 1"));
}

#[test]
fn closures_are_called_at_their_hooks() {
    let (seen, calls) = list();
    let note = |hook: &'static str| {
        let seen = Arc::clone(&seen);
        move |run: &mut Run<'_>| {
            seen.lock().unwrap().push((hook, run.epoch, run.batch, run.loss.is_nan(), run.is_last_epoch()));
            assert_eq!((run.epochs, run.batches), (2, Some(2)));
            Result::Ok(())
        }
    };
    let fit = fit(2)
        .callback(on_epoch_begin(note("begin")))
        .callback(on_batch_end(note("batch")))
        .callback(on_epoch_end(note("end")));
    trainer().fit(&line(), fit).unwrap();
    let epoch = |epoch, last| {
        [
            ("begin", epoch, 0, true, last),
            ("batch", epoch, 1, false, last),
            ("batch", epoch, 2, false, last),
            ("end", epoch, 2, false, last),
        ]
    };
    assert_eq!(taken(&calls), [epoch(0, false), epoch(1, true)].concat());
}

#[test]
fn logs_grow_along_an_epoch_and_have_the_validation_at_its_end() {
    let (trainer, data) = by_hand();
    let two = Dataset::new(Tensor::new([[1.0], [1.0]]), Tensor::new([[1.0], [1.0]])).unwrap();
    let (seen, logs) = list();
    let at_end = Arc::clone(&seen);
    let mut trainer = trainer;
    let callbacks = Fit { batch_size: 1, ..fit(1) }
        .callback(on_batch_end(move |run: &mut Run<'_>| {
            seen.lock().unwrap().push(run.logs().to_string());
            Ok(())
        }))
        .callback(on_epoch_end(move |run: &mut Run<'_>| {
            at_end.lock().unwrap().push(run.logs().to_string());
            Ok(())
        }));
    trainer.fit_validated(&two, &data, callbacks).unwrap();
    // By hand: losses 1 and 0.25, then (1 - 0.75)^2 on the validation set.
    assert_eq!(taken(&logs), ["loss: 1.0000", "loss: 0.6250", "loss: 0.6250 - val_loss: 0.0625"]);
}

#[test]
fn a_callback_ends_the_run_within_an_epoch() {
    let mut trainer = trainer();
    let stop = on_batch_end(|run: &mut Run<'_>| {
        if (run.epoch, run.batch) == (1, 1) {
            run.stop("seen enough");
            run.stop("too late");
        }
        Ok(())
    });
    let (seen, last) = list();
    let note = on_epoch_end(move |run: &mut Run<'_>| {
        seen.lock().unwrap().push((run.is_last_epoch(), run.stopped().map(str::to_owned)));
        Ok(())
    });
    let (begun, begins) = list();
    let count = on_epoch_begin(move |run: &mut Run<'_>| {
        begun.lock().unwrap().push(run.epoch);
        Ok(())
    });
    let history = trainer.fit(&line(), fit(5).callback(stop).callback(note).callback(count)).unwrap();
    assert_eq!(taken(&last), [(false, None), (true, Some("seen enough".to_owned()))]);
    assert_eq!(taken(&begins), [0, 1]);
    assert_eq!(history.epochs, [0, 1]);
    assert_eq!(history.stopped.as_deref(), Some("seen enough"));
    assert_eq!(trainer.optimizer().steps(), 3);
}

#[test]
fn a_callback_ends_the_run_before_an_epoch() {
    let mut trainer = trainer();
    let stop = on_epoch_begin(|run: &mut Run<'_>| {
        if run.epoch == 1 {
            run.stop("no more");
        }
        Ok(())
    });
    let history = trainer.fit(&line(), fit(5).callback(stop)).unwrap();
    assert_eq!(history.epochs, [0]);
    assert_eq!(history.stopped.as_deref(), Some("no more"));
    assert_eq!(trainer.optimizer().steps(), 2);
}

#[test]
fn an_error_of_a_callback_is_that_of_the_run() {
    let fail = on_batch_end(|_: &mut Run<'_>| Err(gradus_train::Error::new("mine", "it is full", "empty it")));
    let error = trainer().fit(&line(), fit(1).callback(fail)).unwrap_err();
    assert_eq!(format!("{error:?}"), "mine: it is full; empty it");
}

/// Writes down each hook, with the epoch, the batches that are done, and whether a loss is known.
fn hooks(fit: Fit) -> (List<String>, Fit) {
    let (seen, hooks) = list();
    let note = move |name: &'static str| {
        let seen = Arc::clone(&seen);
        move |run: &mut Run<'_>| {
            let measured = run.logs().get("loss").is_some();
            seen.lock().unwrap().push(format!("{name} {} {} {measured}", run.epoch, run.batch));
            Ok(())
        }
    };
    let fit = fit
        .callback(on_begin(note("begin")))
        .callback(on_epoch_begin(note("epoch begin")))
        .callback(on_batch_begin(note("batch begin")))
        .callback(on_batch_end(note("batch end")))
        .callback(on_epoch_end(note("epoch end")))
        .callback(on_end(note("end")));
    (hooks, fit)
}

#[test]
fn hooks_stand_around_the_run_the_epochs_and_the_batches() {
    let (seen, fit) = hooks(fit(2));
    trainer().fit(&line(), fit).unwrap();
    let expected = [
        "begin 0 0 false",
        "epoch begin 0 0 false",
        "batch begin 0 0 false",
        "batch end 0 1 true",
        "batch begin 0 1 true",
        "batch end 0 2 true",
        "epoch end 0 2 true",
        "epoch begin 1 0 false",
        "batch begin 1 0 false",
        "batch end 1 1 true",
        "batch begin 1 1 true",
        "batch end 1 2 true",
        "epoch end 1 2 true",
        "end 1 0 true",
    ];
    assert_eq!(taken(&seen), expected);
}

#[test]
fn what_is_set_before_a_batch_is_of_that_batch() {
    let rates = |run: &mut Run<'_>| {
        run.set_learning_rate(if run.batch == 0 { 0.0 } else { 0.1 });
        Ok(())
    };
    let (seen, at_end) = list();
    let record = on_batch_end(move |run: &mut Run<'_>| {
        seen.lock().unwrap().push(values(run.model.params()));
        Ok(())
    });
    let mut trainer = trainer();
    let before = weights(&trainer);
    trainer.fit(&line(), fit(1).callback(on_batch_begin(rates)).callback(record)).unwrap();
    let at_end = taken(&at_end);
    assert_eq!(at_end[0], before);
    assert_ne!(at_end[1], before);
}

#[test]
fn a_run_that_is_stopped_before_a_batch_leaves_it_out() {
    let stopped_at = |epoch: usize, batch: usize| {
        let stop = on_batch_begin(move |run: &mut Run<'_>| {
            if (run.epoch, run.batch) == (epoch, batch) {
                run.stop("enough");
            }
            Ok(())
        });
        let (seen, fit) = hooks(Fit { validation_split: 0.25, batch_size: 3, ..fit(3) }.callback(stop));
        let mut trainer = trainer();
        let history = trainer.fit(&line(), fit).unwrap();
        assert_eq!(history.stopped.as_deref(), Some("enough"));
        assert_eq!(trainer.state().epoch, None);
        let last = taken(&seen).split_off(2).into_iter().rev().take(2).rev().collect::<Vec<_>>();
        (history.epochs.len(), trainer.optimizer().steps(), last)
    };
    // 6 samples to train on are 2 batches. A batch that is left out ends its epoch, as a stop after the batch before.
    let ends = |first: &str, second: &str| vec![first.to_owned(), second.to_owned()];
    assert_eq!(stopped_at(1, 1), (2, 3, ends("epoch end 1 1 true", "end 1 0 true")));
    // Before its first batch there is nothing of the epoch to measure.
    assert_eq!(stopped_at(1, 0), (1, 2, ends("batch begin 1 0 false", "end 0 0 true")));
    assert_eq!(stopped_at(0, 0), (0, 0, ends("batch begin 0 0 false", "end 0 0 false")));
}
