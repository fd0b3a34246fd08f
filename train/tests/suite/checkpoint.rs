//! A run goes on from every checkpoint with the same bits; which checkpoints are written, and which are refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use gradus_datasets::Dataset;
use gradus_nn::losses::{MeanAbsoluteError as MeanAbsoluteLoss, MeanSquaredError};
use gradus_nn::{Activation, Constraint, Dense, Initializer, Model, Sequential};
use gradus_optim::{Adam, Sgd};
use gradus_tensor::Tensor;
use gradus_train::callbacks::*;
use gradus_train::metrics::{Auc, MeanAbsoluteError, Metric, Named};
use gradus_train::state::{NamedState, Status, from_state, to_state};
use gradus_train::{Error, Fit, Result, Snapshot, Trainer};

use crate::common::{LineTrainer, fit, line, trainer, values, weights};
use crate::pictures::*;

/// An empty folder of this name.
fn folder(name: &str) -> PathBuf {
    let folder = temporary(name);
    _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    folder
}

/// The names in a folder, sorted, without that of the lock.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != ".lock").collect();
    names.sort();
    names
}

/// Asks for a snapshot at every hook.
struct Everywhere(Arc<Mutex<Vec<Arc<Snapshot>>>>);

impl Callback for Everywhere {
    fn on_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.request_snapshot();
        Ok(())
    }
    fn on_epoch_begin(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.request_snapshot();
        Ok(())
    }
    fn on_batch_end(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.request_snapshot();
        Ok(())
    }
    fn on_epoch_end(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.request_snapshot();
        Ok(())
    }
    fn on_end(&mut self, run: &mut Run<'_>) -> Result<()> {
        run.request_snapshot();
        Ok(())
    }
    fn on_snapshot(&mut self, snapshot: &Arc<Snapshot>) -> Result<()> {
        self.0.lock().unwrap().push(Arc::clone(snapshot));
        Ok(())
    }
}

#[test]
fn a_run_goes_on_from_a_snapshot_of_every_place() {
    let expected = in_one("snapshots_in_one.csv");
    let (log, file) = (temporary("snapshots.csv"), temporary("snapshot.safetensors"));
    // Whether the one that asks has its hooks before the others or after them, is all the same.
    for is_first in [true, false] {
        let snapshots = Arc::default();
        let mut fit = callbacks(&log, 0);
        let place = if is_first { 0 } else { fit.callbacks.len() };
        fit.callbacks.insert(place, Box::new(Everywhere(Arc::clone(&snapshots))));
        let mut trainer = picture_trainer();
        let history = trainer.fit(&pictures(), fit).unwrap();
        assert!(outcome(&trainer, history, &log) == expected);
        let snapshots = std::mem::take(&mut *snapshots.lock().unwrap());
        // Begin and end of the run; begin, batches and end of each epoch.
        assert_eq!(snapshots.len(), 2 + (BATCHES + 2) * expected.2.epochs.len());
        for snapshot in snapshots {
            snapshot.write(&file).unwrap();
            let mut trainer = picture_trainer();
            let resumed = trainer.resume(&file).unwrap().unwrap();
            let place = format!("epoch {}, batch {}", resumed.epochs, resumed.batch);
            assert_eq!(resumed.step, trainer.optimizer().steps());
            let history = trainer.fit(&pictures(), callbacks(&log, 2)).unwrap();
            assert!(outcome(&trainer, history, &log) == expected, "{place}");
        }
    }
}

/// A run of the line with checkpoints in this folder.
fn checkpointed(folder: &Path, epochs: usize, checkpoint: impl FnOnce(Checkpoint) -> Checkpoint) -> LineTrainer {
    let mut trainer = trainer();
    trainer.resume(folder).unwrap();
    trainer.fit(&line(), fit(epochs).callback(checkpoint(Checkpoint::new(folder)))).unwrap();
    trainer
}

#[test]
fn the_last_checkpoints_are_kept() {
    let folder = folder("kept");
    checkpointed(&folder, 3, |it| it.keep(2).write_all(true));
    assert_eq!(names(&folder), ["step-00000004.safetensors", "step-00000006.safetensors"]);
}

#[test]
fn every_checkpoint_that_is_due_is_written_if_all_are_asked_for() {
    let folder = folder("all");
    checkpointed(&folder, 20, |it| it.every_steps(3).keep(99).write_all(true));
    let steps = (3..40).step_by(3).chain([40]);
    assert_eq!(names(&folder), steps.map(|step| format!("step-{step:08}.safetensors")).collect::<Vec<_>>());
}

#[test]
fn a_branch_of_a_run_does_not_lose_against_the_one_that_was_given_up() {
    let folder = folder("branch");
    checkpointed(&folder, 3, |it| it.write_all(true));
    let branch = |into: &Path| {
        let mut again = trainer();
        again.resume(folder.join("step-00000004.safetensors")).unwrap().unwrap();
        again.fit(&line(), fit(3).callback(Checkpoint::new(into).keep_best("loss")))
    };
    assert_eq!(
        branch(&folder).unwrap_err().to_string(),
        format!(
            "Checkpoint: the run goes on from step 4, and there is a later checkpoint: {}/step-00000006.safetensors; give \
             another folder, or move the later checkpoints to one",
            folder.display()
        )
    );
    assert_eq!(names(&folder).len(), 3);
    let other = self::folder("other_branch");
    branch(&other).unwrap();
    // The best so far is not in this folder, so that the first one there is the best again.
    assert_eq!(names(&other), ["best.safetensors", "step-00000006.safetensors"]);
}

#[test]
fn the_best_one_is_kept_in_another_folder_anew() {
    let (first, second) = (folder("first_best"), folder("second_best"));
    let best = |it: Checkpoint| it.keep_best("loss").maximize();
    checkpointed(&first, 2, best);
    let mut again = trainer();
    again.resume(&first).unwrap().unwrap();
    again.fit(&line(), fit(3).callback(best(Checkpoint::new(&second)))).unwrap();
    assert_eq!(names(&second), ["best.safetensors", "step-00000006.safetensors"]);
}

#[test]
fn one_run_at_a_time_writes_into_a_folder() {
    let folder = folder("locked");
    let (within, unfinished) = (folder.clone(), folder.join(".step-00000007.safetensors.1-2.tmp"));
    let left = unfinished.clone();
    let other = on_epoch_end(move |run: &mut Run<'_>| {
        if run.epoch == 0 {
            fs::write(&left, "half of it").unwrap();
            let error = trainer().fit(&line(), fit(1).callback(Checkpoint::new(&within))).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "{}: another run writes its checkpoints into this folder; wait for the end of the other program, or \
                     give another folder",
                    within.display()
                )
            );
            assert!(left.exists());
        }
        Ok(())
    });
    trainer().fit(&line(), fit(2).callback(other).callback(Checkpoint::new(&folder))).unwrap();
    // The run has ended, and nobody writes that file.
    checkpointed(&folder, 3, |it| it);
    assert!(!unfinished.exists());
}

#[test]
fn the_best_checkpoint_is_that_of_its_epoch() {
    let folder = folder("best_of");
    let least = |it: Checkpoint| it.keep_best("loss").maximize().keep(1);
    checkpointed(&folder, 3, least);
    let mut first = trainer();
    first.fit(&line(), fit(1)).unwrap();
    let mut best = trainer();
    let resumed = best.resume(folder.join("best.safetensors")).unwrap().unwrap();
    assert_eq!((resumed.step, resumed.epochs, resumed.batch), (2, 1, 0));
    assert_eq!(weights(&best), weights(&first));
    // What was best before the program ended is so after it: the run that goes on finds nothing better.
    let before = fs::read(folder.join("best.safetensors")).unwrap();
    checkpointed(&folder, 6, least);
    assert_eq!(fs::read(folder.join("best.safetensors")).unwrap(), before);
    assert_eq!(names(&folder), ["best.safetensors", "step-00000012.safetensors"]);
}

#[test]
fn a_run_that_has_ended_is_not_trained_again_and_goes_on_to_more_epochs() {
    let folder = folder("ended");
    let whole = checkpointed(&folder, 3, |it| it);
    let mut again = trainer();
    let resumed = again.resume(&folder).unwrap().unwrap();
    assert_eq!(
        resumed.to_string(),
        format!("{}/step-00000006.safetensors: after 3 epochs and 0 batches", folder.display())
    );
    let fits = |epochs| fit(epochs).callback(Checkpoint::new(&folder));
    assert_eq!(again.fit(&line(), fits(3)).unwrap(), whole.state().history);
    assert_eq!((again.optimizer().steps(), &again.state().status), (6, &Status::Ended));
    assert_eq!(weights(&again), weights(&whole));
    let longer = checkpointed(&folder, 5, |it| it);
    let mut in_one = trainer();
    assert_eq!(in_one.fit(&line(), fit(5)).unwrap(), longer.state().history);
    assert_eq!(weights(&longer), weights(&in_one));
    // A run that a callback has stopped stays so.
    let stopped = self::folder("stopped");
    let fits = || fit(9).callback(EarlyStopping::new("loss").maximize()).callback(Checkpoint::new(&stopped));
    let history = trainer().fit(&line(), fits()).unwrap();
    assert_eq!(history.epochs, [0, 1]);
    let mut again = trainer();
    let resumed = again.resume(&stopped).unwrap().unwrap();
    assert!(resumed.to_string().ends_with(" batches, where it was stopped: loss was best in epoch 1"), "{resumed}");
    assert_eq!(again.fit(&line(), fits()).unwrap(), history);
}

#[test]
fn a_pause_leaves_a_checkpoint() {
    let folder = folder("paused");
    let pause = on_batch_end(|run: &mut Run<'_>| {
        if run.step() == 3 {
            run.pause("the computer is needed");
        }
        Ok(())
    });
    trainer().fit(&line(), fit(3).callback(pause).callback(Checkpoint::new(&folder).every_epochs(9))).unwrap();
    assert_eq!(names(&folder), ["step-00000003.safetensors"]);
    let resumed = checkpointed(&folder, 3, |it| it);
    let mut in_one = trainer();
    assert_eq!(in_one.fit(&line(), fit(3)).unwrap(), resumed.state().history);
    assert_eq!(weights(&resumed), weights(&in_one));
}

#[test]
fn damaged_files_are_skipped_and_unfinished_ones_removed() {
    let folder = folder("damaged");
    assert_eq!(trainer().resume(&folder).unwrap(), None);
    assert_eq!(trainer().resume(folder.join("missing")).unwrap(), None);
    let whole = checkpointed(&folder, 2, |it| it);
    let path = |step| folder.join(format!("step-{step:08}.safetensors"));
    let bytes = fs::read(path(4)).unwrap();
    fs::write(path(5), &bytes[..bytes.len() - 1]).unwrap();
    fs::write(path(9), "").unwrap();
    fs::write(folder.join(".step-00000007.safetensors.1-2.tmp"), &bytes[..9]).unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let mut again = trainer();
    let resumed = again.resume(&folder).unwrap().unwrap();
    assert_eq!((resumed.path.clone(), resumed.step), (path(4), 4));
    assert_eq!(resumed.skipped.len(), 2);
    assert!(resumed.skipped[0].starts_with(&format!("{}: ", path(9).display())), "{resumed}");
    assert!(resumed.to_string().contains("(skipped as damaged: "), "{resumed}");
    assert_eq!(weights(&again), weights(&whole));
    // The run goes on past the damaged files, which are then the oldest.
    again.fit(&line(), fit(5).callback(Checkpoint::new(&folder).keep(2).write_all(true))).unwrap();
    // A damaged one is not counted, and goes when it is older than those that are kept.
    let step = |step| format!("step-{step:08}.safetensors");
    assert_eq!(names(&folder), ["notes.txt".to_owned(), step(8), step(9), step(10)]);
    checkpointed(&folder, 6, |it| it.keep(1));
    assert_eq!(names(&folder), ["notes.txt".to_owned(), step(12)]);
    // Without a whole one it is an error: nothing is lost.
    fs::write(path(12), "{}").unwrap();
    let error = trainer().resume(&folder).unwrap_err().to_string();
    assert!(error.starts_with(&format!("resume: {}: no checkpoint is whole: ", folder.display())), "{error}");
    assert!(error.ends_with("; put a copy of a whole one there, or give another folder to begin a new run"), "{error}");
}

#[test]
#[cfg(unix)]
fn a_file_that_cannot_be_read_is_not_passed_over() {
    let folder = folder("unreadable");
    checkpointed(&folder, 2, |it| it.write_all(true));
    // A link that leads nowhere is as a file that has been removed meanwhile, one to itself is an error of the system.
    let newest = folder.join("step-00000009.safetensors");
    std::os::unix::fs::symlink("gone", &newest).unwrap();
    assert_eq!(trainer().resume(&folder).unwrap().unwrap().step, 4);
    fs::remove_file(&newest).unwrap();
    std::os::unix::fs::symlink("step-00000009.safetensors", &newest).unwrap();
    let error = trainer().resume(&folder).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: the file cannot be opened: ", newest.display())), "{error}");
    assert!(!error.contains("remove"), "{error}");
    assert!(trainer().resume(&newest).is_err());
}

#[test]
fn a_file_that_is_not_there_is_an_error_and_the_best_one_is_a_checkpoint() {
    let folder = folder("only_best");
    let missing = folder.join("step-00000009.safetensors");
    assert_eq!(
        trainer().resume(&missing).unwrap_err().to_string(),
        format!(
            "{}: No such file or directory (os error 2); give a path that exists, or one in a folder that does",
            missing.display()
        )
    );
    checkpointed(&folder, 2, |it| it.keep_best("loss"));
    let best = folder.join("best.safetensors");
    assert_eq!(trainer().resume(&folder).unwrap().unwrap().path, folder.join("step-00000004.safetensors"));
    fs::remove_file(folder.join("step-00000002.safetensors")).ok();
    fs::remove_file(folder.join("step-00000004.safetensors")).unwrap();
    let error = trainer().fit(&line(), fit(1).callback(Checkpoint::new(&folder))).unwrap_err().to_string();
    assert!(error.contains(&format!("there is a checkpoint of another: {}", best.display())), "{error}");
    assert_eq!(trainer().resume(&folder).unwrap().unwrap().path, best);
}

#[test]
fn a_new_run_does_not_replace_the_checkpoints_of_another() {
    let folder = folder("another");
    checkpointed(&folder, 1, |it| it);
    let error = trainer().fit(&line(), fit(1).callback(Checkpoint::new(&folder))).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "Checkpoint: a run begins, and there is a checkpoint of another: {}/step-00000002.safetensors; call \
             Trainer::resume with this folder before fit to go on with that run, or give another folder",
            folder.display()
        )
    );
}

#[test]
fn a_checkpoint_of_before_there_was_an_option_is_one_of_the_same_model() {
    let folder = folder("older");
    trainer().fit(&line(), fit(1).callback(Checkpoint::new(&folder))).unwrap();
    let file = folder.join("step-00000002.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    // The file as if layers had had no constraints, with as many bytes.
    for option in [r#"\"kernel_constraint\":null,"#, r#"\"bias_constraint\":null,"#] {
        let place = bytes.windows(option.len()).position(|part| part == option.as_bytes()).unwrap();
        bytes[place..place + option.len()].fill(b' ');
    }
    fs::write(&file, bytes).unwrap();
    let constrained = Dense::new(1).kernel_initializer(Initializer::Zeros).bias_constraint(Constraint::non_neg());
    let model = Model::build(Sequential::new().add(constrained), [1], 0).unwrap();
    let error = Trainer::new(model, MeanSquaredError, Sgd::default()).resume(&folder).unwrap_err().to_string();
    let difference = "the model is another: network/0/config/bias_constraint was null, now \"NonNeg\"";
    assert!(error.contains(difference), "{error}");
    let mut trainer = trainer();
    trainer.resume(&folder).unwrap().unwrap();
    trainer.fit(&line(), fit(3)).unwrap();
    let mut whole = crate::common::trainer();
    whole.fit(&line(), fit(3)).unwrap();
    assert_eq!(weights(&trainer), weights(&whole));
}

#[test]
fn what_cannot_go_on_from_a_checkpoint_says_so() {
    let folder = folder("refused");
    let mut first = trainer().metric(MeanAbsoluteError::default());
    let fits = || fit(2).callback(EarlyStopping::new("loss").patience(9)).callback(Checkpoint::new(&folder));
    first.fit(&line(), fits()).unwrap();
    let file = folder.join("step-00000004.safetensors");
    let of = |rest: &str| format!("resume: {}: {rest}", file.display());
    let network = |units| Sequential::new().add(Dense::new(units).kernel_initializer(Initializer::Zeros));
    let model = |units: usize| Model::build(network(units), [1], 0).unwrap();
    let refusal = |result: Result<Option<gradus_train::Resumed>>| result.unwrap_err().to_string();
    assert_eq!(
        refusal(trainer().resume(&folder)),
        of(
            "the metrics were mean_absolute_error, the trainer has none; give the trainer the same metrics, in the same \
            order"
        )
    );
    let mut other = Trainer::new(model(1), MeanSquaredError, Adam::default()).metric(MeanAbsoluteError::default());
    assert_eq!(
        refusal(other.resume(&folder)),
        of("the optimiser was Sgd, the trainer has Adam; give the trainer the rule with which the run began")
    );
    let mut other = Trainer::new(model(2), MeanSquaredError, Sgd::default()).metric(MeanAbsoluteError::default());
    let before = values(other.model().params());
    assert_eq!(
        refusal(other.resume(&folder)),
        of("the model is another: network/0/config/units was 1, now 2; build the model with which the run began")
    );
    assert_eq!((values(other.model().params()), other.optimizer().steps()), (before, 0));
    let other = Trainer::new(model(1), MeanAbsoluteLoss, Sgd::default());
    assert_eq!(
        refusal(other.metric(MeanAbsoluteError::default()).resume(&folder)),
        of(
            "the loss was mean_squared_error of 0, the trainer has mean_absolute_error of 0; give the trainer the loss with \
            which the run began"
        )
    );
    let wide = Model::<f64>::build_as(network(1), [1], 0).unwrap();
    let mut other = Trainer::new(wide, MeanSquaredError, Sgd::default()).metric(MeanAbsoluteError::default());
    let error = other.resume(&folder).unwrap_err().to_string();
    assert_eq!(
        error,
        of("\"0/bias\" has elements f32, the model f64; train with the element type with which the run began")
    );
    // Callbacks and data are seen by `fit`.
    let again = || {
        let mut again = trainer().metric(MeanAbsoluteError::default());
        again.resume(&folder).unwrap().unwrap();
        again
    };
    let refusal = |trainer: &mut LineTrainer, data: &Dataset, fit: Fit| trainer.fit(data, fit).unwrap_err().to_string();
    assert!(
        refusal(&mut again(), &line(), fit(2).callback(Checkpoint::new(&folder)))
            .contains("had a callback EarlyStopping, which is missing now")
    );
    // A newer version is no damage. (The first version in the file is that of the model.)
    let mut bytes = fs::read(&file).unwrap();
    let version = br#"\"version\":1,"#;
    let place = bytes.windows(version.len()).rposition(|part| part == version).unwrap();
    bytes[place + version.len() - 2] = b'9';
    fs::write(&file, &bytes).unwrap();
    let error = trainer().resume(&folder).unwrap_err().to_string();
    assert!(error.contains("the checkpoint has version 9, this program reads up to 1"), "{error}");
}

#[test]
fn what_no_run_could_go_on_from_is_found_before_anything_is_trained() {
    /// A metric and a callback that cannot restore what they return as their state.
    struct Halfway;
    impl Metric for Halfway {
        fn name(&self) -> String {
            "halfway".to_owned()
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
            from_state::<f64>(state).map(|_| ())
        }
    }
    impl Callback for Halfway {
        fn state(&self) -> serde_json::Value {
            to_state(&1)
        }
    }
    let refused = |mut trainer: LineTrainer, fit: Fit, name: &str| {
        let folder = folder(name);
        let error = trainer.fit(&line(), fit.callback(Checkpoint::new(folder))).unwrap_err().to_string();
        assert_eq!(trainer.optimizer().steps(), 0, "{error}");
        error
    };
    assert_eq!(
        refused(trainer().metric(Halfway), fit(1), "halfway_metric"),
        "fit: a run could not go on from checkpoints with halfway: restore: the state is not one of halfway: invalid type: \
         null, expected f64; restore the state that was written by the same program"
    );
    assert_eq!(
        refused(trainer(), fit(1).callback(Halfway), "halfway_callback"),
        "fit: a run could not go on from checkpoints with Halfway: restore: Halfway has a state, but cannot restore one; \
         implement Callback::restore as well as Callback::state"
    );
    let mut unwritable = trainer();
    unwritable.model_mut().info_mut().class_names.insert("mine".to_owned(), vec!["yes".to_owned()]);
    let error = refused(unwritable, fit(1), "unwritable");
    assert!(error.contains("there is no output \"mine\""), "{error}");
    // Without checkpoints there is nothing to go on from.
    assert!(trainer().metric(Halfway).fit(&line(), fit(1).callback(Halfway)).is_ok());
}

#[test]
fn the_scores_of_an_epoch_are_tensors_of_the_file() {
    let folder = folder("scores");
    let scored = || {
        let network = Sequential::new().add(Dense::new(1).activation(Activation::Sigmoid));
        let model = Model::build(network, [1], 3).unwrap();
        let named = |name: &str| Named::new(name, Auc::default());
        Trainer::new(model, MeanSquaredError, Sgd::default()).metric(MeanAbsoluteError::default()).metric(named("mine"))
    };
    let signs = || {
        Dataset::new(line().inputs().clone(), Tensor::from_iter((0..8).map(|i| (i % 2) as f32)).unsqueeze(-1)).unwrap()
    };
    let pause = on_batch_end(|run: &mut Run<'_>| {
        run.pause("to look at the file");
        Ok(())
    });
    scored().fit(&signs(), fit(2).callback(Checkpoint::new(&folder)).callback(pause)).unwrap();
    let file = gradus_tensor::safetensors::File::open(folder.join("step-00000001.safetensors")).unwrap();
    let names: Vec<&str> = file.names().filter(|name| name.starts_with('/')).collect();
    assert_eq!(names, ["/metrics/1/positive", "/metrics/1/scores", "/metrics/1/weights"]);
    let mut again = scored();
    again.resume(&folder).unwrap().unwrap();
    let history = again.fit(&signs(), fit(2).callback(Checkpoint::new(&folder))).unwrap();
    let mut in_one = scored();
    assert_eq!(in_one.fit(&signs(), fit(2)).unwrap(), history);
    assert_eq!(weights(&again), weights(&in_one));
}

#[test]
fn an_error_of_the_thread_ends_the_run_and_names_the_file() {
    let parent = folder("lost");
    let folder = parent.join("run");
    let lost = folder.clone();
    let remove = on_batch_end(move |run: &mut Run<'_>| {
        if run.step() == 1 {
            fs::remove_dir_all(&lost).map_err(|source| Error::file(&lost, source))?;
        }
        Ok(())
    });
    let run = fit(50).callback(remove).callback(Checkpoint::new(&folder).every_steps(1).write_all(true));
    let mut trainer = trainer();
    let error = trainer.fit(&line(), run).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}/step-", folder.display())), "{error}");
    assert!(error.contains("the file cannot be written"), "{error}");
    assert!(trainer.optimizer().steps() < 100);
}

#[test]
fn a_run_goes_on_with_as_many_samples_as_before_also_between_epochs() {
    let folder = folder("samples");
    checkpointed(&folder, 1, |it| it);
    let mut again = trainer();
    again.resume(&folder).unwrap().unwrap();
    let error = again.fit(&line().take(4), fit(2).callback(Checkpoint::new(&folder))).unwrap_err().to_string();
    assert_eq!(
        error,
        "fit: the run that goes on was trained on 8 samples, found 4; give the data of the run that is to go on"
    );
}

#[test]
fn the_best_weights_so_far_are_tensors_of_the_file() {
    let folder = folder("best_weights");
    let fits = |epochs| {
        let stopping = EarlyStopping::new("loss").maximize().patience(9).restore_best_weights(true);
        fit(epochs).callback(stopping).callback(Checkpoint::new(&folder))
    };
    let mut first = trainer();
    first.fit(&line(), fits(2)).unwrap();
    let file = gradus_tensor::safetensors::File::open(folder.join("step-00000004.safetensors")).unwrap();
    let names: Vec<&str> = file.names().collect();
    assert_eq!(names, ["/callbacks/0/0/bias", "/callbacks/0/0/kernel", "0/bias", "0/kernel"]);
    // Nothing better comes in the epochs that follow: the weights are those of the first epoch in the end.
    let mut again = trainer();
    again.resume(&folder).unwrap().unwrap();
    again.fit(&line(), fits(4)).unwrap();
    assert_eq!((weights(&again), again.optimizer().steps()), (weights(&first), 8));
}
