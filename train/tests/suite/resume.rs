//! A run that is paused and goes on, in the same program or another, gives the same bits as one without a pause.

use std::fs;
use std::sync::{Arc, Mutex};

use gradus_autograd::Params;
use gradus_datasets::Dataset;
use gradus_optim::State;
use gradus_tensor::{Generator, Tensor};
use gradus_train::callbacks::*;
use gradus_train::metrics::*;
use gradus_train::state::{EpochState, NamedState, Status, Tensors, from_state, to_state};
use gradus_train::{Error, Fit, Result, TrainingState};
use serde::{Deserialize, Serialize};

use crate::common::{LineTrainer, fit, line, trainer, weights};
use crate::pictures::*;

/// What another program needs to go on.
#[derive(Serialize, Deserialize)]
struct Written {
    params: Params,
    optimizer: State,
    training: TrainingState,
}

/// Writes a trainer down as JSON, and reads that.
fn written(trainer: &Pictures) -> Written {
    let (params, optimizer) = (trainer.model().params().clone(), trainer.optimizer().state());
    let json = serde_json::to_string(&Written { params, optimizer, training: trainer.state().clone() }).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// A trainer in another program.
fn restored(written: &Written) -> Pictures {
    let (mut model, mut optimizer) = (picture_model(), picture_optimizer());
    model.params_mut().assign(&written.params).unwrap();
    optimizer.restore(model.params(), written.optimizer.clone()).unwrap();
    let mut trainer = trainer_of(model, optimizer);
    trainer.restore(written.training.clone());
    trainer
}

/// Pauses at the batch of this number in the epoch; 0 is before the first, `BATCHES + 1` after the end of the epoch.
fn pause_at(epoch: usize, batch: usize) -> [Box<dyn Callback>; 3] {
    let pause = move |run: &mut Run<'_>, place: usize| {
        if (run.epoch, place) == (epoch, batch) {
            run.pause(format!("at {epoch}, {batch}"));
        }
        Ok(())
    };
    [
        Box::new(on_epoch_begin(move |run: &mut Run<'_>| pause(run, 0))),
        Box::new(on_batch_end(move |run: &mut Run<'_>| pause(run, run.batch))),
        Box::new(on_epoch_end(move |run: &mut Run<'_>| pause(run, BATCHES + 1))),
    ]
}

#[test]
fn the_run_that_is_paused_has_all_that_can_be_lost() {
    let (_, optimizer, history, log, _) = in_one("all.csv");
    assert!(history.epochs.len() > 3 && history.epochs.len() < EPOCHS, "{history:?}");
    assert!(history.stopped.is_some_and(|reason| reason.starts_with("val_loss was best in epoch")));
    let rates: Vec<&str> =
        log.lines().skip(1).take(history.epochs.len()).map(|line| line.split(',').nth(1).unwrap()).collect();
    let falls: Vec<usize> = (1..rates.len()).filter(|&epoch| rates[epoch] < rates[epoch - 1]).collect();
    assert_eq!(falls, [1, 2, 3, 4, 5], "{rates:?}");
    assert_eq!(optimizer.steps, (BATCHES * history.epochs.len()) as u64);
}

#[test]
fn a_run_goes_on_in_another_program_from_any_place() {
    let expected = in_one("one.csv");
    let log = temporary("paused.csv");
    for epoch in 0..expected.2.epochs.len() {
        for batch in 0..=BATCHES + 1 {
            let mut first = picture_trainer();
            let mut fit = callbacks(&log, 0);
            fit.callbacks.extend(pause_at(epoch, batch));
            let history = first.fit(&pictures(), fit).unwrap();
            let place = format!("epoch {epoch}, batch {batch}");
            // A pause in the hook that stops the run comes too late for another reason.
            if history.epochs.len() < expected.2.epochs.len() {
                assert_eq!(history.stopped, Some(format!("at {epoch}, {batch}")), "{place}");
                assert_eq!(first.state().history.stopped, None);
            }
            assert_eq!(first.state().status, Status::Paused(format!("at {epoch}, {batch}")), "{place}");
            let at = (first.state().epoch(), first.state().batch());
            assert_eq!(at, if batch > BATCHES { (epoch + 1, 0) } else { (epoch, batch) });
            let written = written(&first);
            // Nothing that is done in between matters to the run.
            let mut second = restored(&written);
            second.evaluate(&pictures()).unwrap();
            let history = second.fit(&pictures(), callbacks(&log, 2)).unwrap();
            assert!(outcome(&second, history, &log) == expected, "paused at {place}");
        }
    }
}

#[test]
fn a_run_goes_on_from_one_pause_after_another_in_the_same_program() {
    let expected = in_one("another.csv");
    let log = temporary("often.csv");
    let mut trainer = picture_trainer();
    let mut pauses = 0;
    let history = loop {
        let always = on_batch_end(|run: &mut Run<'_>| {
            run.pause("always");
            Ok(())
        });
        let history = trainer.fit(&pictures(), callbacks(&log, 0).callback(always)).unwrap();
        if trainer.state().status == Status::Ended {
            break history;
        }
        trainer.evaluate(&pictures()).unwrap();
        pauses += 1;
    };
    assert_eq!(pauses, BATCHES * history.epochs.len());
    assert!(outcome(&trainer, history, &log) == expected);
}

#[test]
fn lines_of_a_run_that_was_killed_later_than_its_state_was_written_are_replaced() {
    let expected = in_one("whole.csv");
    let log = temporary("killed.csv");
    let mut first = picture_trainer();
    let mut fit = callbacks(&log, 0);
    fit.callbacks.extend(pause_at(1, 2));
    first.fit(&pictures(), fit).unwrap();
    let written = written(&first);
    // What was done after the state was written is done again.
    first.fit(&pictures(), callbacks(&log, 0)).unwrap();
    let longer = fs::read_to_string(&log).unwrap() + "99,0.1,0.2,0.3\n";
    fs::write(&log, longer).unwrap();
    let mut second = restored(&written);
    let history = second.fit(&pictures(), callbacks(&log, 0)).unwrap();
    assert!(outcome(&second, history, &log) == expected);
}

/// A trainer of a line that was paused at a batch of its second epoch.
fn paused(batch: usize) -> LineTrainer {
    let mut trainer = trainer().metric(MeanAbsoluteError::default());
    let mut fit = fit(3).callback(EarlyStopping::new("loss").patience(9));
    fit.callbacks.extend(pause_at(1, batch));
    trainer.fit(&line(), fit).unwrap();
    trainer
}

#[test]
fn a_run_goes_on_only_with_the_data_metrics_and_callbacks_that_it_had() {
    let with = || fit(3).callback(EarlyStopping::new("loss").patience(9));
    let refusal = |trainer: &mut LineTrainer, data: &Dataset, fit: Fit| trainer.fit(data, fit).unwrap_err().to_string();
    let mut trainer = paused(1);
    let state = trainer.state().clone();
    assert_eq!(
        refusal(&mut trainer, &line().take(7), with()),
        "fit: the run that goes on has used 4 of 8 samples in 1 batches, found 7 samples in batches of 4; give the data \
         and the batch_size of the run that was paused"
    );
    assert_eq!(
        refusal(&mut trainer, &line(), Fit { batch_size: 2, ..with() }),
        "fit: the run that goes on has used 4 of 8 samples in 1 batches, found 8 samples in batches of 2; give the data \
         and the batch_size of the run that was paused"
    );
    assert_eq!(
        refusal(&mut trainer, &line(), fit(3)),
        "fit: the run that goes on had a callback EarlyStopping, which is missing now; give `fit` the same callbacks as \
         before"
    );
    let mut other = crate::common::trainer();
    other.restore(state.clone());
    assert_eq!(
        refusal(&mut other, &line(), with()),
        "fit: the run that goes on has the metrics mean_absolute_error, the trainer none; give the trainer the same \
         metrics, in the same order"
    );
    let log = temporary("missing.csv");
    let _ = fs::remove_file(&log);
    let mut logged = crate::common::trainer();
    let mut logging = fit(3).callback(CsvLogger::new(&log));
    logging.callbacks.extend(pause_at(1, BATCHES + 1));
    logged.fit(&line(), logging).unwrap();
    fs::remove_file(&log).unwrap();
    assert_eq!(
        refusal(&mut logged, &line(), fit(3).callback(CsvLogger::new(&log))),
        format!(
            "CsvLogger: {} has 0 bytes, the run had written {}; give the file of the run that is to go on; if a power \
             cut has taken its last lines, go on from an earlier checkpoint",
            log.display(),
            logged.state().callbacks[0].state
        )
    );
    // A refusal leaves the run as it was: with what it had, it goes on.
    assert_eq!(*trainer.state(), state);
    let history = trainer.fit(&line(), with()).unwrap();
    let mut in_one = crate::common::trainer().metric(MeanAbsoluteError::default());
    assert_eq!(in_one.fit(&line(), with()).unwrap(), history);
    assert_eq!(weights(&trainer), weights(&in_one));
}

/// A metric whose state is none that it can restore.
struct Forgetful;

impl Metric for Forgetful {
    fn name(&self) -> String {
        "forgetful".to_owned()
    }
    fn update(&mut self, _: &Tensor, _: &Tensor, _: Option<&Tensor>) -> Result<()> {
        Ok(())
    }
    fn result(&self) -> f64 {
        0.5
    }
    fn reset(&mut self) {}
    fn state(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
    fn restore(&mut self, state: &NamedState) -> Result<()> {
        from_state::<f64>(state).map(|_| ())
    }
}

/// A state of this name.
fn named(name: &str, state: serde_json::Value) -> NamedState {
    NamedState { name: name.to_owned(), state, tensors: Tensors::new(), only_watches: false }
}

/// The state of a metric.
fn state(metric: &dyn Metric) -> NamedState {
    NamedState { tensors: metric.tensors(), ..named(&metric.name(), metric.state()) }
}

/// A callback that has a state, and the `restore` of one that has none.
struct Halfway;

impl Callback for Halfway {
    fn state(&self) -> serde_json::Value {
        to_state(&1)
    }
}

#[test]
fn what_cannot_go_on_says_so() {
    let run = |batch, halfway: bool| {
        let mut trainer = if halfway { trainer() } else { trainer().metric(Forgetful) };
        let fits = || if halfway { fit(3).callback(Halfway) } else { fit(3) };
        let mut first = fits();
        first.callbacks.extend(pause_at(1, batch));
        trainer.fit(&line(), first).unwrap();
        trainer.fit(&line(), fits()).map(|history| history.epochs.len()).map_err(|error| error.to_string())
    };
    let refusal = "restore: the state is not one of forgetful: invalid type: null, expected f64; restore the state that was \
                   written by the same program";
    assert_eq!(run(1, false), Err(refusal.to_owned()));
    assert_eq!(run(BATCHES + 1, false), Ok(3));
    let refusal = "restore: Halfway has a state, but cannot restore one; implement Callback::restore as well as \
                   Callback::state";
    assert_eq!(run(BATCHES + 1, true), Err(refusal.to_owned()));
    let wrong = from_state::<usize>(&named("Counter", to_state(&"many"))).unwrap_err().to_string();
    assert_eq!(
        wrong,
        "restore: the state is not one of Counter: invalid type: string \"many\", expected usize; restore the state that \
         was written by the same program"
    );
}

#[test]
fn every_metric_goes_on_from_its_state() {
    fn check(name: &str, of_two: bool, metric: impl Fn() -> Box<dyn Metric>) {
        let mut random = Generator::new(3);
        let batches = [1, 2, 3].map(|_| {
            let outputs: Tensor = random.uniform([5, if of_two { 1 } else { 3 }], 0.0..1.0);
            let classes = random.integers([5], 0..if of_two { 2 } else { 3 });
            let targets: Tensor = if of_two { classes.to::<f32>().unsqueeze(-1) } else { classes.one_hot(3) };
            (targets, outputs, random.uniform([5], 0.5..2.0))
        });
        let (mut whole, mut first, mut second) = (metric(), metric(), metric());
        for (place, (targets, outputs, weights)) in batches.iter().enumerate() {
            whole.update(targets, outputs, Some(weights)).unwrap();
            if place == 2 {
                let json = serde_json::to_string(&state(&*first)).unwrap();
                // What the metric had added up before is forgotten.
                second.update(&batches[2].0, &batches[2].1, None).unwrap();
                second.restore(&serde_json::from_str(&json).unwrap()).unwrap();
                assert_eq!(second.result(), first.result(), "{name}");
                first.restore(&named("none", to_state(&"no state"))).unwrap_err();
            }
            if place < 2 { &mut first } else { &mut second }.update(targets, outputs, Some(weights)).unwrap();
        }
        assert_eq!((second.result(), state(&*second)), (whole.result(), state(&*whole)), "{name}");
    }
    for of_two in [true, false] {
        check("accuracy", of_two, || Box::new(Accuracy::default()));
        check("binary_accuracy", of_two, || Box::new(BinaryAccuracy::default()));
        check("auc", of_two, || Box::new(Auc::default()));
        check("precision", of_two, || Box::new(Precision::default()));
        check("recall", of_two, || Box::new(Recall::default()));
        check("f1", of_two, || Box::new(F1::default()));
        check("mae", of_two, || Box::new(MeanAbsoluteError::default()));
        check("mse", of_two, || Box::new(MeanSquaredError::default()));
        check("rmse", of_two, || Box::new(RootMeanSquaredError::default()));
        check("r2", of_two, || Box::new(R2::default()));
    }
    check("categorical_accuracy", false, || Box::new(CategoricalAccuracy::default()));
    check("top_2_accuracy", false, || Box::new(TopKAccuracy::new(2)));
    check("perplexity", false, || Box::new(Perplexity::default().from_logits(true)));
    let labels = LabelErrorRate::default();
    Metric::<f32>::restore(&mut labels.clone(), &state(&labels)).unwrap();
    let sparse = SparseCategoricalAccuracy::default();
    let mut other = sparse.clone();
    Metric::<f32>::restore(&mut other, &state(&sparse)).unwrap();
    let counts = ConfusionMatrix::default();
    assert_eq!(from_state::<ConfusionMatrix>(&named("confusion", to_state(&counts))).unwrap(), counts);
    let wrong = serde_json::from_str::<ConfusionMatrix>(r#"{"classes":2,"counts":[1,2,3]}"#).unwrap_err().to_string();
    assert!(wrong.starts_with("3 counts are no square of 2 by 2 classes"), "{wrong}");
}

#[test]
fn sums_that_are_not_finite_are_written_too() {
    let mut mean = MeanAbsoluteError::default();
    mean.update(&Tensor::new([f32::NAN]), &Tensor::new([1.0]), None).unwrap();
    let json = serde_json::to_string(&state(&mean)).unwrap();
    assert_eq!(json, r#"{"name":"mean_absolute_error","state":{"total":"NaN","weight":1.0}}"#);
    let mut other = MeanAbsoluteError::default();
    Metric::<f32>::restore(&mut other, &serde_json::from_str(&json).unwrap()).unwrap();
    assert!(Metric::<f32>::result(&other).is_nan());
    let mut auc = Auc::default();
    auc.update(&Tensor::new([1.0]), &Tensor::new([f32::NEG_INFINITY]), None).unwrap();
    assert_eq!(Metric::<f32>::tensors(&auc)["scores"], Tensor::from([f64::NEG_INFINITY]).into());
    // Before its first epoch a callback has no best value.
    let state = Callback::<f32>::state(&ReduceLrOnPlateau::new("loss"));
    assert_eq!(state.to_string(), r#"{"best":"NaN","cooling":0,"waited":0}"#);
}

#[test]
fn an_error_leaves_the_place_and_a_new_run_begins_unless_the_state_is_restored() {
    let fail = || {
        on_batch_end(|run: &mut Run<'_>| match (run.epoch, run.batch) {
            (1, 1) => Err(Error::new("mine", "it is full", "empty it")),
            _ => Ok(()),
        })
    };
    let mut trainer = trainer().metric(MeanAbsoluteError::default());
    trainer.fit(&line(), fit(3).callback(fail())).unwrap_err();
    let failed = trainer.state().clone();
    assert_eq!(failed.status, Status::Failed("mine: it is full; empty it".to_owned()));
    assert_eq!((failed.epoch(), failed.batch(), failed.history.epochs.len()), (1, 1, 1));
    let Some(EpochState { order, metrics, .. }) = &failed.epoch else { panic!("an epoch is in progress") };
    assert_eq!((order.position(), order.total()), (4, Some(8)));
    assert_eq!(metrics[0].name, "mean_absolute_error");
    let steps = trainer.optimizer().steps();
    // Restored, the run goes on after the batch at which the callback failed.
    trainer.restore(failed);
    let history = trainer.fit(&line(), fit(3)).unwrap();
    assert_eq!((history.epochs.len(), trainer.optimizer().steps() - steps), (3, 3));
    let mut in_one = crate::common::trainer().metric(MeanAbsoluteError::default());
    assert_eq!(in_one.fit(&line(), fit(3)).unwrap(), history);
    assert_eq!(weights(&in_one), weights(&trainer));
    // Otherwise a run begins.
    trainer.fit(&line(), fit(3).callback(fail())).unwrap_err();
    let steps = trainer.optimizer().steps();
    assert_eq!(trainer.fit(&line(), fit(2)).unwrap().epochs, [0, 1]);
    assert_eq!(trainer.optimizer().steps() - steps, 4);
    assert_eq!(trainer.state().status, Status::Ended);
    // A setting that is refused leaves the last run's state.
    let before = trainer.state().clone();
    trainer.fit(&line(), Fit { batch_size: 0, ..fit(1) }).unwrap_err();
    assert_eq!(*trainer.state(), before);
}

#[test]
fn callbacks_begin_once_a_run_and_those_without_a_state_where_it_goes_on() {
    struct Note(Arc<Mutex<Vec<&'static str>>>, Option<usize>);
    impl Callback for Note {
        fn on_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
            assert_eq!((run.batch, run.logs().iter().count()), (0, 0));
            self.0.lock().unwrap().push("begin");
            Ok(())
        }
        fn on_end(&mut self, run: &mut Run<'_>) -> Result<()> {
            assert_eq!(run.logs(), run.state().history.logs[run.epoch]);
            self.0.lock().unwrap().push("end");
            Ok(())
        }
        fn state(&self) -> serde_json::Value {
            self.1.map_or(serde_json::Value::Null, |number| to_state(&number))
        }
        fn restore(&mut self, _: &NamedState) -> Result<()> {
            self.0.lock().unwrap().push("restore");
            Ok(())
        }
    }
    for (state, expected) in [(None, ["begin", "begin", "end"]), (Some(1), ["begin", "restore", "end"])] {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let mut trainer = trainer();
        for paused in [true, false] {
            let mut fit = fit(2).callback(Note(Arc::clone(&notes), state));
            if paused {
                fit.callbacks.extend(pause_at(1, 1));
            }
            trainer.fit(&line(), fit).unwrap();
        }
        assert_eq!(*notes.lock().unwrap(), expected);
    }
}

#[test]
fn what_a_callback_without_a_state_does_at_the_begin_is_done_once() {
    struct Begins;
    impl Callback for Begins {
        fn on_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
            run.set_learning_rate(0.05);
            let bias = &mut run.model.params_mut()[1].value;
            *bias = &*bias + 1.0;
            if !run.state().history.epochs.is_empty() {
                run.stop("it has begun");
            }
            Ok(())
        }
    }
    let falls = || LearningRateScheduler::new(|_, rate| rate / 2.0);
    let fits = || fit(3).callback(Begins).callback(falls());
    let mut in_one = trainer();
    let expected = in_one.fit(&line(), fits()).unwrap();
    let mut paused = trainer();
    let mut first = fits();
    first.callbacks.extend(pause_at(1, 1));
    paused.fit(&line(), first).unwrap();
    assert_eq!(paused.fit(&line(), fits()).unwrap(), expected);
    assert_eq!(weights(&paused), weights(&in_one));
    assert_eq!(paused.optimizer().state(), in_one.optimizer().state());
    assert_eq!(paused.optimizer().current_learning_rate(), 0.05 / 8.0);
}

#[test]
fn a_run_goes_on_without_what_only_watches_it() {
    let log = temporary("absent.csv");
    let pause_after = |epoch| pause_at(epoch, BATCHES + 1);
    let mut trainer = trainer();
    let mut first = fit(4).callback(CsvLogger::new(&log));
    first.callbacks.extend(pause_after(0));
    trainer.fit(&line(), first).unwrap();
    let mut without = fit(4);
    without.callbacks.extend(pause_after(1));
    trainer.fit(&line(), without).unwrap();
    // It is back, and goes on with its file.
    let history = trainer.fit(&line(), fit(4).callback(CsvLogger::new(&log))).unwrap();
    let written = fs::read_to_string(&log).unwrap();
    let epochs: Vec<&str> = written.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(epochs, ["epoch", "1", "3", "4"]);
    let mut in_one = crate::common::trainer();
    assert_eq!(in_one.fit(&line(), fit(4)).unwrap(), history);
    assert_eq!(weights(&trainer), weights(&in_one));

    /// A log of one's own, whatever it is called; or a callback that the run depends on.
    struct Own {
        only_watches: bool,
    }
    impl Callback for Own {
        fn state(&self) -> serde_json::Value {
            to_state(&7)
        }
        fn only_watches(&self) -> bool {
            self.only_watches
        }
    }
    for only_watches in [true, false] {
        let mut trainer = crate::common::trainer();
        let mut first = fit(4).callback(Own { only_watches });
        first.callbacks.extend(pause_after(0));
        trainer.fit(&line(), first).unwrap();
        let problem = "fit: the run that goes on had a callback Own, which is missing now";
        match trainer.fit(&line(), fit(4)) {
            Ok(_) => assert!(only_watches),
            Err(error) => assert!(!only_watches && error.to_string().starts_with(problem), "{error}"),
        }
    }
}

#[test]
fn a_state_without_a_run_is_that_of_a_seed() {
    let mut seeded = trainer().seed(9);
    assert_eq!(*seeded.state(), TrainingState::new(9));
    let mut restored = trainer();
    restored.restore(TrainingState::new(9));
    seeded.fit(&line(), fit(2)).unwrap();
    restored.fit(&line(), fit(2)).unwrap();
    assert_eq!(weights(&seeded), weights(&restored));
    // A pause at the end of the last epoch leaves the end of the run to do.
    let mut last = trainer();
    let mut paused = fit(2);
    paused.callbacks.extend(pause_at(1, BATCHES + 1));
    last.fit(&line(), paused).unwrap();
    assert!(matches!(last.state().status, Status::Paused(_)));
    assert_eq!(last.fit(&line(), fit(2)).unwrap().epochs, [0, 1]);
    assert_eq!((last.state().status.clone(), last.optimizer().steps()), (Status::Ended, 4));
}
