//! The loop of a training run: epochs, batches, and the hooks of the callbacks.

use std::sync::Arc;

use gradus_datasets::{BatchShare, DataSource, DatasetError, Order, Pass, PassShares, Share};
use gradus_nn::Model;
use gradus_tensor::{Columns, Float};

use crate::callbacks::{Callback, Hook, Run};
use crate::divergence::{Divergence, Within};
use crate::error::{Error, Result};
use crate::examination::{Examination, Examine, are_finite};
use crate::fit::Fit;
use crate::history::{History, Logs, VALIDATION};
use crate::metrics::{LossMeans, OutputMetric, Scored};
use crate::parts::Parts;
use crate::prepare::{ClassWeights, Prepared};
use crate::ranks::{Links, Outcome, Part};
use crate::snapshot::Snapshot;
use crate::state::{DataState, EpochState, NamedState, Status, TrainingState};
use crate::step::apply;

/// A training run. Where it is, is told by the [`TrainingState`](crate::TrainingState) alone, so that it can
/// stop after any batch and go on from there.
pub(crate) struct TrainingLoop<'a, 'p, T: Float> {
    pub parts: Parts<'p, T>,
    /// The other ranks, if there are any.
    pub links: Option<Arc<Links>>,
    pub data: &'a dyn DataSource,
    pub validation: Option<&'a dyn DataSource>,
    pub class_weights: Option<ClassWeights<'a>>,
    pub fit: &'a Fit<T>,
    pub callbacks: Vec<Box<dyn Callback<T>>>,
    /// Whether a callback has asked for a snapshot in the hooks before.
    pub snapshot_requested: bool,
    /// The states of callbacks that the run had before and has not now. They stay in its state.
    pub absent: Vec<NamedState>,
    /// The batches that are left of the data, if the next epoch goes on with them.
    pub pass: Option<PassShares>,
}

impl<T: Float> TrainingLoop<'_, '_, T> {
    /// Begins a run, or goes on with a paused one, to its end or its next pause.
    pub fn run(mut self) -> Result<History> {
        let goes_on = self.parts.state.is_paused();
        if goes_on {
            self.resume()?;
        }
        self.parts.state.status = Status::Running;
        let result = if goes_on { Ok(()) } else { self.begin() }.and_then(|()| self.epochs());
        if let Err(error) = &result {
            self.parts.state.status = Status::Failed(error.to_string());
        }
        match &self.parts.state.status {
            Status::Running => self.parts.state.status = Status::Ended,
            _ => self.write_states(),
        }
        result?;
        let state = &self.parts.state;
        let mut history = state.history.clone();
        if let Status::Paused(reason) = &state.status {
            history.stopped.get_or_insert_with(|| reason.clone());
        }
        Ok(history)
    }

    /// Begins a new run.
    fn begin(&mut self) -> Result<()> {
        self.fit.check_initial_epoch()?;
        let state = &mut self.parts.state;
        (state.history, state.epoch, state.data) = (History::default(), None, None);
        state.initial_epoch = self.fit.initial_epoch;
        state.callbacks.clear();
        state.samples = self.data.sample_count();
        self.call(Place::epoch(self.fit.initial_epoch, Hook::Begin), |callback, run| callback.on_begin(run))?;
        if self.snapshot_requested {
            self.check_states()?;
        }
        self.snapshot()
    }

    /// Restores all metrics and callbacks to the states that they have, so that one which cannot be restored is found before
    /// anything is trained.
    fn check_states(&mut self) -> Result<()> {
        let of = |name: &str| format!("fit: a run could not go on from checkpoints with {name}");
        for metric in self.parts.metrics.iter_mut() {
            let state = metric.state();
            metric.restore(&state).map_err(|error| error.within(&of(&metric.name)))?;
        }
        for callback in &mut self.callbacks {
            let Some(state) = state_of(&**callback) else { continue };
            callback.restore(&state).map_err(|error| error.within(&of(&state.name)))?;
        }
        Ok(())
    }

    /// Restores metrics and callbacks of a run that goes on. What has no state begins.
    fn resume(&mut self) -> Result<()> {
        self.restore_epoch()?;
        self.check_samples()?;
        let Parts { model, optimizer, state, .. } = &self.parts;
        let (params, slots, before) = (model.params().clone(), optimizer.state(), TrainingState::clone(state));
        let mut states = before.callbacks.clone();
        let mut callbacks = std::mem::take(&mut self.callbacks);
        let result = callbacks.iter_mut().try_for_each(|callback| {
            match states.iter().position(|state| state.name == callback.name()) {
                Some(place) => callback.restore(&states.remove(place)),
                None => callback.on_begin(&mut self.run_at(Place::epoch(before.epoch(), Hook::Begin))),
            }
        });
        self.callbacks = callbacks;
        // What `on_begin` does to a run, such as setting the rate, was done when the run began, and is part of its state.
        let Parts { model, optimizer, state, .. } = &mut self.parts;
        optimizer.restore(&params, slots).expect("the state is its own");
        (*model.params_mut(), **state) = (params, before);
        result?;
        if let Some(NamedState { name, .. }) = states.iter().find(|state| !state.only_watches) {
            let problem = format!("the run that goes on had a callback {name}, which is missing now");
            return Err(Error::new("fit", problem, "give `fit` the same callbacks as before"));
        }
        self.absent = states;
        Ok(())
    }

    /// Checks that the epoch in progress is one of these data in these batches, and restores its metrics.
    fn restore_epoch(&mut self) -> Result<()> {
        self.check_order()?;
        let parts = &mut self.parts;
        let Some(epoch) = &parts.state.epoch else { return Ok(()) };
        let measured: Vec<&str> = epoch.metrics.iter().map(|metric| &*metric.name).collect();
        let metrics: Vec<&str> = parts.metrics.iter().map(|metric| &*metric.name).collect();
        if measured != metrics {
            let list = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            let problem =
                format!("the run that goes on has the metrics {}, the trainer {}", list(&measured), list(&metrics));
            return Err(Error::new("fit", problem, "give the trainer the same metrics, in the same order"));
        }
        for (metric, written) in parts.metrics.iter_mut().zip(&epoch.metrics) {
            metric.restore(written)?;
        }
        Ok(())
    }

    /// Checks that there are as many samples as before.
    fn check_samples(&self) -> Result<()> {
        let (before, found) = (self.parts.state.samples, self.data.sample_count());
        if let (Some(before), Some(found)) = (before, found)
            && before != found
        {
            let problem = format!("the run that goes on was trained on {before} samples, found {found}");
            return Err(Error::new("fit", problem, "give the data of the run that is to go on"));
        }
        Ok(())
    }

    /// Checks that the order of the epoch in progress is one of these data in these batches.
    fn check_order(&self) -> Result<()> {
        let Some((order, batches)) = self.parts.state.order() else { return Ok(()) };
        let (size, expected) = (self.fit.batch_size, self.data.order(Some(0)));
        let refuse =
            |problem| Err(Error::new("fit", problem, "give the data and the batch_size of the run that was paused"));
        let in_batches = batches.saturating_mul(size);
        let fits = match (order.total(), expected.total()) {
            (Some(samples), Some(found)) if samples != found => false,
            (Some(samples), _) => order.position() == samples.min(in_batches),
            // The last batch, before a stream's end, may be smaller than the others.
            (None, _) => (in_batches.saturating_sub(size - 1)..=in_batches).contains(&order.position()),
        };
        if !fits {
            let of = |total: Option<usize>| total.map_or("an unknown number of".to_owned(), |total| total.to_string());
            let (used, samples, found) = (order.position(), of(order.total()), of(expected.total()));
            return refuse(format!(
                "the run that goes on has used {used} of {samples} samples in {batches} batches, found {found} samples in \
                 batches of {size}"
            ));
        }
        if order.is_stream() != expected.is_stream() {
            let kind = |is_stream| if is_stream { "a stream" } else { "samples with indices" };
            let (had, has) = (kind(order.is_stream()), kind(expected.is_stream()));
            return refuse(format!("the run that goes on has data that are {had}, found {has}"));
        }
        match (order.buffer(), expected.buffer()) {
            (Some(had), Some(has)) if had != has => refuse(format!(
                "the run that goes on has shuffled its stream through a buffer of {had} samples, found one of {has}"
            )),
            _ => Ok(()),
        }
    }

    /// Writes the states of metrics and callbacks into the state of the run, which no longer goes on.
    fn write_states(&mut self) {
        let (metrics, callbacks) = self.states();
        self.parts.state.set_states(metrics, callbacks);
    }

    /// The states of metrics and of callbacks.
    fn states(&self) -> (Vec<NamedState>, Vec<NamedState>) {
        let metrics = self.parts.metrics.iter().map(OutputMetric::state).collect();
        let callbacks = self.callbacks.iter().filter_map(|callback| state_of(&**callback));
        (metrics, callbacks.chain(self.absent.iter().cloned()).collect())
    }

    /// Gives the callbacks a snapshot of this place if one of them has asked for it, or if the run is paused here.
    fn snapshot(&mut self) -> Result<()> {
        self.snapshot_as(self.parts.state.status.clone())
    }

    fn snapshot_as(&mut self, status: Status) -> Result<()> {
        let is_requested = std::mem::take(&mut self.snapshot_requested);
        if !is_requested && !matches!(status, Status::Paused(_)) {
            return Ok(());
        }
        let (metrics, callbacks) = self.states();
        let mut training = self.parts.state.clone();
        training.status = status;
        training.set_states(metrics, callbacks);
        let files = self.callbacks.iter().flat_map(|callback| callback.files()).collect();
        let snapshot = Arc::new(Snapshot::new(&self.parts, training, files));
        self.callbacks.iter_mut().try_for_each(|callback| callback.on_snapshot(&snapshot))
    }

    /// Trains to the end of the run or its next pause.
    fn epochs(&mut self) -> Result<()> {
        while self.parts.state.epoch.is_some() || self.another_epoch() {
            if self.parts.state.epoch.is_none() && !self.begin_epoch()? {
                break;
            }
            self.batches()?;
            if self.parts.state.is_paused() && !self.is_stopped() {
                return Ok(());
            }
            self.end_epoch()?;
            if self.parts.state.is_paused() {
                return Ok(());
            }
        }
        let Parts { model, optimizer, state, .. } = &mut self.parts;
        optimizer.finalize_weights(model.params_mut());
        let last = state.epoch().saturating_sub(1);
        self.call(Place::epoch(last, Hook::End), |callback, run| callback.on_end(run))?;
        self.snapshot_as(Status::Ended)
    }

    fn another_epoch(&self) -> bool {
        !self.is_stopped() && self.parts.state.epoch() < self.fit.epochs
    }

    fn is_stopped(&self) -> bool {
        self.parts.state.history.stopped.is_some()
    }

    /// Begins the next epoch: its hooks, its order and its seeds. False if a callback has stopped the run.
    fn begin_epoch(&mut self) -> Result<bool> {
        self.parts.metrics.iter_mut().for_each(|metric| metric.reset());
        let epoch = self.parts.state.epoch();
        self.call(Place::epoch(epoch, Hook::EpochBegin), |callback, run| callback.on_epoch_begin(run))?;
        if self.is_stopped() {
            return Ok(false);
        }
        let goes_on = self.parts.state.data.take().filter(|_| self.fit.steps_per_epoch.is_some());
        let DataState { order, augmentation_seed, batches } = goes_on.unwrap_or_else(|| self.begin_data());
        self.parts.state.epoch = Some(EpochState {
            batch: 0,
            order,
            augmentation_seed,
            batches: self.fit.steps_per_epoch.map(|_| batches),
            batch_begun: false,
            losses: LossMeans::default(),
            last_loss: f64::NAN,
            metrics: Vec::new(),
        });
        self.snapshot()?;
        Ok(true)
    }

    /// The beginning of the data, in a new order and with new seeds.
    fn begin_data(&mut self) -> DataState {
        self.pass = None;
        let generator = &mut self.parts.state.generator;
        let order = self.data.order(self.fit.shuffle.then(|| generator.next_u64()));
        let augmentation_seed = self.data.is_augmented().then(|| generator.next_u64());
        DataState { order, augmentation_seed, batches: 0 }
    }

    /// Trains on the batches of the epoch in progress that are not done, until the run is stopped or paused.
    fn batches(&mut self) -> Result<()> {
        while let Some(epoch) = self.parts.state.epoch.as_ref().filter(|epoch| !self.is_done(epoch)) {
            let pass = Pass { augmentation_seed: epoch.augmentation_seed, ..self.pass(epoch.order.clone()) };
            let share = self.links.as_ref().map_or(Share::all(), |links| links.share());
            let batches = self.pass.take().map_or_else(|| self.data.shares_of(&pass, share), Ok)?;
            if self.batches_of(batches)? {
                return Ok(());
            }
            // The data have ended. An epoch of so many steps goes on from their beginning, if there are any.
            let is_of_steps = self.fit.steps_per_epoch.is_some();
            if !self.parts.state.epoch.as_ref().is_some_and(|epoch| is_of_steps && epoch.batches > Some(0)) {
                return Ok(());
            }
            let DataState { order, augmentation_seed, batches } = self.begin_data();
            if let Some(epoch) = &mut self.parts.state.epoch {
                (epoch.order, epoch.augmentation_seed, epoch.batches) = (order, augmentation_seed, Some(batches));
            }
        }
        Ok(())
    }

    /// Whether the epoch has all its batches, where their number is given, or the run is to go no further.
    fn is_done(&self, epoch: &EpochState) -> bool {
        let is_full = self.fit.steps_per_epoch.is_some_and(|steps| epoch.batch >= steps);
        is_full || self.is_stopped() || self.parts.state.is_paused()
    }

    /// Trains on these batches of the epoch in progress, to their end or to where it is done. Says whether it is done; what is
    /// left of the batches is kept then.
    fn batches_of(&mut self, mut batches: PassShares) -> Result<bool> {
        while let Some(batch) = self.begin_batch(batches.next().transpose())? {
            if self.is_stopped() || self.parts.state.is_paused() {
                return Ok(true);
            }
            let Done { place, diverged, examination } = self.batch(batch)?;
            // One rank alone may look into its steps; the others hear of what it decides after the next hook.
            let examined = examination.map_or(Ok(()), |examination| {
                self.call_here(place, |callback, run| callback.on_examination(run, &examination))
            });
            let ended = examined.and_then(|()| self.call_here(place, |callback, run| callback.on_batch_end(run)));
            self.agree(ended)?;
            if let Some(error) = diverged.filter(|_| !self.is_stopped()) {
                return Err(self.agreed_cause(error)?);
            }
            self.snapshot()?;
            if self.parts.state.epoch.as_ref().is_none_or(|epoch| self.is_done(epoch)) {
                self.pass = Some(batches);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Calls the hooks before a batch, if there is one and they have not been called; they may stop or pause the run.
    fn begin_batch(
        &mut self,
        next: Result<Option<BatchShare<Columns>>, DatasetError>,
    ) -> Result<Option<BatchShare<Columns>>> {
        let number = self.parts.state.epoch();
        let has_begun = self.parts.state.epoch.as_ref().is_none_or(|epoch| epoch.batch_begun);
        let mut begun = next.map_err(Error::from);
        if let (Ok(Some(_)), Some(epoch), false) = (&begun, &mut self.parts.state.epoch, has_begun) {
            epoch.batch_begun = true;
            let place = Place { hook: Hook::BatchBegin, epoch: number, batch: epoch.batch, loss: epoch.last_loss };
            if let Err(error) = self.call_here(place, |callback, run| callback.on_batch_begin(run)) {
                begun = Err(error);
            }
        }
        let next = self.agree(begun)?;
        if next.is_some() && !has_begun {
            self.snapshot()?;
        }
        Ok(next)
    }

    /// What a rank has found or done, once the ranks have agreed on what the callbacks have decided: a callback may stop or pause
    /// the run at one of them. An error of one is an error of all.
    fn agree<O>(&mut self, own: Result<O>) -> Result<O> {
        let Some(links) = self.links.clone() else { return own };
        let Parts { state, optimizer, .. } = &mut self.parts;
        let paused = if let Status::Paused(reason) = &state.status { Some(reason.clone()) } else { None };
        let rate = optimizer.current_learning_rate();
        let decided = match &own {
            Ok(_) => Ok((state.history.stopped.clone(), paused, rate.to_bits())),
            Err(error) => Err(error.to_string()),
        };
        let all = links.agree(decided)?;
        if let Some(reason) = all.iter().find_map(|(stopped, ..)| stopped.clone()) {
            state.history.stopped = Some(reason);
        }
        if let Some(reason) = all.iter().find_map(|(_, paused, _)| paused.clone()) {
            state.status = Status::Paused(reason);
        }
        let first = f64::from_bits(all[0].2);
        if first != rate {
            optimizer.set_learning_rate(first);
        }
        own
    }

    /// Why the loss is not finite: what the first rank has found whose samples say it.
    fn agreed_cause(&self, own: Error) -> Result<Error> {
        let Some(links) = &self.links else { return Ok(own) };
        let found = links.tell(&own.to_string())?;
        let rank = found.iter().position(|message| message.contains(": sample ")).unwrap_or(0);
        Ok(links.agreed(Error::of_rank(rank, found[rank].clone())))
    }

    /// Trains on a batch, and adds what was measured.
    fn batch(&mut self, share: BatchShare<Columns>) -> Result<Done<T>> {
        let BatchShare { batch, first: offset, samples: of_batch } = share;
        let steps = self.parts.optimizer.steps();
        let examine = self.callbacks.iter().map(|callback| callback.examines(steps)).max().unwrap_or(Examine::Never);
        let Parts { model, loss, optimizer, metrics, state, .. } = &mut self.parts;
        let loss = *loss;
        let number = state.epoch();
        let epoch = state.epoch.as_mut().expect("a batch is one of an epoch");
        let first = epoch.order.position();
        let pass = Pass::new(self.fit.batch_size, epoch.order.clone());
        let in_batch = |row| self.data.sample_at(&pass, first + row).unwrap_or(row);
        let sample_at = |row| in_batch(offset + row);
        let batch = Prepared::new("fit", model, batch, self.class_weights, sample_at)?;
        let Prepared { inputs, targets, weights, .. } = &batch;
        let links = self.links.as_deref().filter(|links| links.share().cuts(of_batch));
        let (targets_in, generator) = (batch.target_columns(), &mut state.generator);
        let (rate, is_first) = (optimizer.current_learning_rate(), steps == 0);
        let drawn = (examine != Examine::Never).then(|| generator.clone());
        let locate = |error, model: &Model<T>| batch.located("fit", error, model, loss, sample_at);
        let pass = match links {
            None => {
                let pass = model.grad(inputs, targets_in, weights.as_ref(), loss, generator);
                pass.map_err(|error| locate(error, model))?
            }
            Some(links) => {
                let part = Part { batch: &batch, first: offset, samples: of_batch };
                links.grad(model, &part, loss, generator, |error| locate(error, model))?
            }
        };
        let is_finite = pass.loss.is_finite() && (examine == Examine::Never || are_finite(&pass.grads));
        // Before the step, which changes the weights.
        let within = match drawn {
            Some(mut drawn) if examine == Examine::Always || !is_finite => {
                let (targets_in, observer) = (batch.target_columns(), model.observer());
                let observer = if is_finite { observer } else { observer.checked() };
                let seen = observer.grad(inputs, targets_in, weights.as_ref(), loss, &mut drawn);
                Some((model.params().clone(), seen.map_err(|error| locate(error, model))?.1))
            }
            _ => None,
        };
        let (step, grads) = apply(model, &mut **optimizer, pass)?;
        let has_stepped = optimizer.waiting() == 0;
        let whole = match links {
            Some(links) if !metrics.is_empty() => Some(links.whole(targets, &step, weights.as_ref())?),
            _ => None,
        };
        let part = Scored { targets, outputs: &step.outputs, masks: &step.masks, weights: weights.as_ref() };
        let scored = whole.as_ref().map_or(part, Outcome::scored);
        metrics.iter_mut().try_for_each(|metric| metric.update("fit", &scored, in_batch))?;
        let seen = within.as_ref().map(|(params, layers)| Within { params, layers });
        let divergence = Divergence { batch: &batch, loss, step: &step, rate, is_first, sample_at, within: seen };
        let diverged = (!step.loss.is_finite()).then(|| {
            divergence.error(&format!("{} in epoch {}, batch {}", divergence.what(), number + 1, epoch.batch + 1))
        });
        let not_finite = (within.is_some() && !is_finite).then(|| divergence.cause(&divergence.what()));
        epoch.last_loss = step.loss.as_f64();
        epoch.losses.add(step.loss, &step.parts, of_batch);
        epoch.batch += 1;
        epoch.batches = epoch.batches.map(|batches| batches + 1);
        epoch.batch_begun = false;
        epoch.order = epoch.order.clone().starting_at(first + of_batch);
        let place = Place { hook: Hook::BatchEnd, epoch: number, batch: epoch.batch, loss: epoch.last_loss };
        let Prepared { targets, weights, .. } = batch;
        let examination = within.map(|(params, layers)| Examination {
            step,
            targets,
            weights,
            layers,
            grads,
            params,
            has_stepped,
            learning_rate: rate,
            not_finite,
        });
        Ok(Done { place, diverged, examination })
    }

    /// Ends the epoch in progress: its measurements, its validation and its hooks.
    fn end_epoch(&mut self) -> Result<()> {
        let (number, Some(epoch)) = (self.parts.state.epoch(), self.parts.state.epoch.take()) else {
            return Ok(());
        };
        if !self.is_stopped() {
            // Known of a stream now, and from here on, also by a run that goes on.
            self.parts.state.samples = self.data.sample_count().or(self.parts.state.samples);
        }
        if epoch.batch == 0 && self.is_stopped() {
            // Stopped before its first batch: as before the epoch.
            return Ok(());
        }
        let logs = Logs::measured(&epoch.losses, self.parts.metrics);
        let history = &mut self.parts.state.history;
        history.epochs.push(number);
        history.logs.push(logs);
        if let Some(validation) = self.validation.filter(|_| (number + 1).is_multiple_of(self.fit.validation_freq)) {
            let (pass, batches) = (self.pass(validation.order(None)), self.fit.validation_steps);
            let (op, links) = ("fit, the validation set", self.links.as_deref());
            let scores = self.parts.evaluate_in(op, links, validation, &pass, batches)?;
            if let Some(logs) = self.parts.state.history.logs.last_mut() {
                scores.iter().for_each(|(name, value)| logs.insert(format!("{VALIDATION}{name}"), value));
            }
        }
        // Data that have ended begin anew; the end of a stream is found at the next batch.
        let EpochState { order, augmentation_seed, batches, .. } = epoch;
        let data = batches.map(|batches| DataState { order, augmentation_seed, batches });
        self.parts.state.data = data.filter(|data| data.order.remaining() != Some(0));
        let place = Place { hook: Hook::EpochEnd, epoch: number, batch: epoch.batch, loss: epoch.last_loss };
        self.call(place, |callback, run| callback.on_epoch_end(run))?;
        self.snapshot()
    }

    /// A pass over data in this order, by the settings of the run.
    fn pass(&self, order: Order) -> Pass {
        let Fit { batch_size, prefetch, workers, .. } = *self.fit;
        Pass { prefetch, workers, ..Pass::new(batch_size, order) }
    }

    /// Calls a hook of all callbacks in order, at all ranks.
    fn call(&mut self, place: Place, hook: impl Fn(&mut dyn Callback<T>, &mut Run<'_, T>) -> Result<()>) -> Result<()> {
        let called = self.call_here(place, hook);
        self.agree(called)
    }

    /// Calls a hook of all callbacks of this rank in order.
    fn call_here(
        &mut self,
        place: Place,
        hook: impl Fn(&mut dyn Callback<T>, &mut Run<'_, T>) -> Result<()>,
    ) -> Result<()> {
        let mut callbacks = std::mem::take(&mut self.callbacks);
        let mut run = self.run_at(place);
        let result = callbacks.iter_mut().try_for_each(|callback| hook(&mut **callback, &mut run));
        self.snapshot_requested |= run.snapshot_requested;
        self.callbacks = callbacks;
        result
    }

    /// The run as callbacks see it.
    fn run_at(&mut self, Place { hook, epoch, batch, loss }: Place) -> Run<'_, T> {
        let of_data = self.parts.state.samples.map(|samples| samples.div_ceil(self.fit.batch_size));
        let (batches, validates) = (self.fit.steps_per_epoch.or(of_data), self.validation.is_some());
        let Parts { model, optimizer, metrics, state, .. } = &mut self.parts;
        Run {
            epoch,
            epochs: self.fit.epochs,
            batch,
            batches,
            loss,
            validates,
            model,
            hook,
            state,
            metrics,
            optimizer: &mut **optimizer,
            snapshot_requested: false,
        }
    }
}

/// The state of a callback, if it has one.
fn state_of<T: Float>(callback: &dyn Callback<T>) -> Option<NamedState> {
    let (name, state, tensors) = (callback.name(), callback.state(), callback.tensors());
    let only_watches = callback.only_watches();
    (!state.is_null() || !tensors.is_empty()).then_some(NamedState { name, state, tensors, only_watches })
}

/// A batch that was trained on.
struct Done<T: Float> {
    place: Place,
    /// If the loss is not finite, the error that says so: a callback may still stop the run without one.
    diverged: Option<Error>,
    /// The step from within, if a callback looks into it.
    examination: Option<Examination<T>>,
}

/// A place in a run at which a hook is called.
#[derive(Clone, Copy)]
struct Place {
    hook: Hook,
    epoch: usize,
    batch: usize,
    loss: f64,
}

impl Place {
    /// A place in no batch.
    fn epoch(epoch: usize, hook: Hook) -> Self {
        Place { hook, epoch, batch: 0, loss: f64::NAN }
    }
}
