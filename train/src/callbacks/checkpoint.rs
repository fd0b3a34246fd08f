//! Checkpoints: files from which a run that was killed goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gradus_tensor::Float;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::monitor::Monitor;
use super::{Callback, Run};
use crate::background::{Background, Job};
use crate::error::{Error, Result};
use crate::snapshot::{Snapshot, sync_name};
use crate::state::{NamedState, Status, from_state, to_state};
use crate::{checkpoints, resume};

/// Writes checkpoints into a folder, from which [`Trainer::resume`](crate::Trainer::resume) goes on when the program has
/// been killed: after each epoch unless told otherwise, and in any case at the end of the run and where it is paused.
///
/// ```
/// # use gradus_datasets::Dataset;
/// # use gradus_nn::{Dense, Model, Sequential, losses::MeanSquaredError};
/// # use gradus_optim::Adam;
/// # use gradus_tensor::Tensor;
/// use gradus_train::callbacks::Checkpoint;
/// use gradus_train::{Fit, Trainer};
/// # let x = Tensor::linspace(-1.0, 1.0, 64).reshape([64, 1]);
/// # let data = Dataset::new(x.clone(), &x * 3.0 + 1.0).unwrap();
/// # let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 0).unwrap();
/// # let folder = std::env::temp_dir().join(format!("gradus_checkpoint_{}", std::process::id()));
///
/// let mut trainer = Trainer::new(model, MeanSquaredError, Adam::default());
/// match trainer.resume(&folder)? {
///     Some(checkpoint) => println!("goes on from {checkpoint}"),
///     None => println!("begins"),
/// }
/// trainer.fit(&data, Fit { epochs: 2, verbose: false, ..Fit::default() }.callback(Checkpoint::new(&folder)))?;
/// # assert!(folder.join("step-00000004.safetensors").exists());
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), gradus_train::Error>(())
/// ```
///
/// The program above, killed at any moment and run again, ends with the same bits as if it had not been killed. The file after
/// n steps is named `step-n.safetensors`, with n in 8 digits. It is a file of the model as well.
///
/// **At most about one a second is written** (some, of a small model): a thread beside training writes, and then rests for 20 times
/// as long as that took, at most a second. A checkpoint that is due before is left out, but for that of the best epoch and the last
/// one. So training does not wait for the disk, and checkpoints after few and fast steps do not take much of its time.
/// [`write_all`](Checkpoint::write_all) leaves none out.
///
/// Files are written beside their places and then renamed, so a crash leaves whole files only. An error of the thread comes out of
/// `fit` after the next batch, unless a newer checkpoint has been written meanwhile.
///
/// A run that goes on has the same bits as one that was not killed only if its callbacks go on, too: what a closure counts in
/// variables of its own is lost, what [`Callback::state`](super::Callback::state) returns is not.
///
/// One run at a time writes into a folder. It locks the file `.lock` there; the system lets go of the lock when the process ends,
/// also if it is killed.
#[doc(alias("ModelCheckpoint", "BackupAndRestore"))]
pub struct Checkpoint {
    folder: PathBuf,
    steps: Option<u64>,
    epochs: Option<usize>,
    period: Option<Duration>,
    keep: usize,
    best: Option<Monitor>,
    write_all: bool,
    /// The number of steps that the optimiser has taken.
    step: u64,
    /// When the last snapshot was asked for.
    last: Instant,
    /// What is to be written from the next snapshot.
    due: Option<Due>,
    writer: Option<Background>,
    /// The folder's lock. Fields are dropped in order: the thread has ended when it is given back.
    lock: Option<fs::File>,
}

/// What is to be written from a snapshot: the file of its step, and perhaps one more.
#[derive(Clone, Copy)]
struct Due {
    is_best: bool,
}

impl Checkpoint {
    /// Checkpoints in this folder, which is made if it does not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Checkpoint {
            folder: folder.into(),
            steps: None,
            epochs: None,
            period: None,
            keep: 3,
            best: None,
            write_all: false,
            step: 0,
            last: Instant::now(),
            due: None,
            writer: None,
            lock: None,
        }
    }

    /// One whenever the number of steps is a multiple of `steps`.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn every_steps(self, steps: u64) -> Self {
        assert!(steps > 0, "every_steps: a number of at least 1 is needed, not 0");
        Checkpoint { steps: Some(steps), ..self }
    }

    /// One after every `epochs` epochs; 1 by default, if neither steps nor a time are set.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn every_epochs(self, epochs: usize) -> Self {
        assert!(epochs > 0, "every_epochs: a number of at least 1 is needed, not 0");
        Checkpoint { epochs: Some(epochs), ..self }
    }

    /// One after the first batch for which this much time has gone by since the last: `Duration::from_secs(600)`.
    pub fn every(self, period: Duration) -> Self {
        Checkpoint { period: Some(period), ..self }
    }

    /// Whether every checkpoint that is due is written: then none is left out, and training waits where the one before is not
    /// yet written. By default it does not wait.
    pub fn write_all(self, write_all: bool) -> Self {
        Checkpoint { write_all, ..self }
    }

    /// Keeps the last `keep` whole checkpoints, 3 by default, and removes older ones. If the newest is damaged, the run goes on
    /// from the one before.
    ///
    /// # Panics
    /// If it is 0.
    #[track_caller]
    pub fn keep(self, keep: usize) -> Self {
        assert!(keep > 0, "keep: a number of at least 1 is needed, not 0");
        Checkpoint { keep, ..self }
    }

    /// Writes one, and keeps it as `best.safetensors` as well, at the end of the epoch in which the measurement of this name, such as
    /// `"val_loss"`, was best. Less is better if the name ends in `loss`, `error`, `mae` or `mse`, else more is better.
    pub fn keep_best(self, monitor: impl Into<String>) -> Self {
        Checkpoint { best: Some(Monitor::new(monitor)), ..self }
    }

    /// Lets less be better, whatever the name given to [`keep_best`](Checkpoint::keep_best).
    ///
    /// # Panics
    /// If none is given.
    #[track_caller]
    pub fn minimize(self) -> Self {
        self.directed("minimize", Monitor::minimize)
    }

    /// Lets more be better, whatever the name given to [`keep_best`](Checkpoint::keep_best).
    ///
    /// # Panics
    /// If none is given.
    #[track_caller]
    pub fn maximize(self) -> Self {
        self.directed("maximize", Monitor::maximize)
    }

    #[track_caller]
    fn directed(mut self, option: &str, direct: impl FnOnce(Monitor) -> Monitor) -> Self {
        let Some(monitor) = self.best.take() else { panic!("{option}: of what? call keep_best before") };
        Checkpoint { best: Some(direct(monitor)), ..self }
    }

    /// Makes the folder, locks it, and begins the thread.
    fn open(&mut self) -> Result<()> {
        // A power cut would take with the folder what has been written into it.
        let made = fs::create_dir_all(&self.folder).and_then(|()| sync_name(&self.folder));
        made.map_err(|source| Error::file(&self.folder, source))?;
        if self.lock.is_none() {
            self.lock = Some(checkpoints::lock(&self.folder)?);
            checkpoints::remove_unfinished(&self.folder)?;
            self.writer = Some(Background::new(NAME)?);
        }
        (self.last, self.due) = (Instant::now(), None);
        Ok(())
    }

    /// Checks that there is no later checkpoint: the next `resume` would take it for the newest of this run.
    fn check_later(&self) -> Result<()> {
        for (step, path) in checkpoints::list(&self.folder)?.into_iter().rev() {
            if step > self.step && resume::open(&path)?.is_ok() {
                let (from, later) = (self.step, path.display());
                let problem = format!("the run goes on from step {from}, and there is a later checkpoint: {later}");
                let hint = "give another folder, or move the later checkpoints to one";
                return Err(Error::new(NAME, problem, hint));
            }
        }
        Ok(())
    }

    /// The error of the thread, if it has one.
    fn check(&self) -> Result<()> {
        self.writer.as_ref().map_or(Ok(()), Background::check)
    }

    /// Whether one is due after a batch that has made this step, or has made none after it.
    fn is_due_after_batch(&self, step: u64, is_step: bool) -> bool {
        is_step && self.steps.is_some_and(|steps| step.is_multiple_of(steps))
            || self.period.is_some_and(|period| self.last.elapsed() >= period)
    }

    /// Whether one is due after this number of epochs.
    fn is_due_after_epoch(&self, epochs: usize) -> bool {
        let is_alone = self.steps.is_none() && self.period.is_none();
        self.epochs.or(is_alone.then_some(1)).is_some_and(|every| epochs.is_multiple_of(every))
    }

    /// Whether what is due now is written. While the thread is busy or rests, snapshots would have training copy its weights for
    /// nothing.
    fn is_free(&self) -> bool {
        self.write_all || self.writer.as_ref().is_some_and(Background::is_free)
    }

    /// Asks for a snapshot that is to be written.
    fn request<T: Float>(&mut self, run: &mut Run<'_, T>, due: Due) {
        (self.last, self.due) = (Instant::now(), Some(due));
        run.request_snapshot();
    }
}

/// The name of the callback in errors.
const NAME: &str = "Checkpoint";

impl<T: Float> Callback<T> for Checkpoint {
    fn on_begin(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        // What cannot be written or restored is found now: the model here, the states by the snapshot.
        run.model.to_safetensors()?;
        run.request_snapshot();
        self.open()?;
        if let Some(newest) = checkpoints::newest_first(&self.folder)?.first() {
            let problem = format!("a run begins, and there is a checkpoint of another: {}", newest.display());
            let hint =
                "call Trainer::resume with this folder before fit to go on with that run, or give another folder";
            return Err(Error::new(NAME, problem, hint));
        }
        if let Some(best) = &mut self.best {
            best.reset();
        }
        self.step = run.step();
        Ok(())
    }

    fn on_batch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.check()?;
        self.step = run.step();
        if self.is_due_after_batch(run.step(), run.has_stepped()) && self.is_free() {
            self.request(run, Due { is_best: false });
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.check()?;
        let is_best = match &mut self.best {
            Some(best) if best.waits(run) => false,
            Some(best) => best.improves(NAME, &run.logs())?,
            None => false,
        };
        if is_best || self.is_due_after_epoch(run.epoch + 1) && self.is_free() {
            self.request(run, Due { is_best });
        }
        Ok(())
    }

    fn on_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.request(run, Due { is_best: false });
        Ok(())
    }

    fn on_snapshot(&mut self, snapshot: &Arc<Snapshot<T>>) -> Result<()> {
        let is_last = snapshot.training.status != Status::Running;
        let due = self.due.take().or(is_last.then_some(Due { is_best: false }));
        let (Some(Due { is_best }), Some(writer)) = (due, &self.writer) else { return Ok(()) };
        if self.write_all {
            writer.finish()?;
        }
        let (snapshot, folder, keep) = (Arc::clone(snapshot), self.folder.clone(), self.keep);
        let work = Box::new(move || write(&snapshot, is_best, &folder, keep));
        writer.submit(Job { must_be_done: is_best || self.write_all, work });
        if is_last { writer.finish() } else { Ok(()) }
    }

    fn only_watches(&self) -> bool {
        true
    }

    fn state(&self) -> Value {
        to_state(&State { best: self.best.as_ref().map_or(f64::NAN, Monitor::best), step: self.step })
    }

    fn restore(&mut self, state: &NamedState) -> Result<()> {
        let State { best, step } = from_state(state)?;
        self.step = step;
        self.open()?;
        self.check_later()?;
        // In another folder than before there is no best one yet.
        let is_kept = self.folder.join(checkpoints::BEST).exists();
        if let Some(monitor) = &mut self.best {
            monitor.restore(if is_kept { best } else { f64::NAN });
        }
        Ok(())
    }
}

/// The state between two batches.
#[derive(Serialize, Deserialize)]
struct State {
    /// The best value so far, if one is kept.
    #[serde(with = "crate::number")]
    best: f64,
    step: u64,
}

/// Writes the best file if a snapshot is that, and the file of its step. Removes the files that are too old.
fn write<T: Float>(snapshot: &Snapshot<T>, is_best: bool, folder: &Path, keep: usize) -> Result<()> {
    let step = snapshot.optimizer.steps;
    // The best file comes first: the other one says that the best value has been reached, and a run that goes on from it
    // would not write the best file again.
    if is_best {
        snapshot.write(folder.join(checkpoints::BEST))?;
    }
    snapshot.write(folder.join(checkpoints::name(step)))?;
    checkpoints::remove_old(folder, step, keep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_due_as_the_options_say() {
        let due = |checkpoint: Checkpoint| {
            let steps: Vec<u64> = (1..=10).filter(|&step| checkpoint.is_due_after_batch(step, true)).collect();
            let epochs: Vec<usize> = (1..=5).filter(|&epochs| checkpoint.is_due_after_epoch(epochs)).collect();
            (steps, epochs)
        };
        let of = || Checkpoint::new("nowhere");
        assert_eq!(due(of()), (vec![], vec![1, 2, 3, 4, 5]));
        assert_eq!(due(of().every_epochs(2)), (vec![], vec![2, 4]));
        assert_eq!(due(of().every_steps(3)), (vec![3, 6, 9], vec![]));
        assert_eq!(due(of().every_steps(4).every_epochs(4)), (vec![4, 8], vec![4]));
        assert_eq!(due(of().every(Duration::from_secs(3600))), (vec![], vec![]));
        assert_eq!(due(of().every(Duration::ZERO).every_epochs(3)), ((1..=10).collect(), vec![3]));
    }
}
