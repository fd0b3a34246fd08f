//! The parts of a trainer, whatever its loss and its rule are.
//!
//! A generic function is compiled in the program that calls it, for each of its types: a run would be for every loss, rule and float type.
//! So runs have the loss and the optimiser as trait objects, and are compiled here, once for each float type ([`Compiled`]).

use std::path::Path;
use std::sync::Arc;

use gradus_autograd::{Grads, Params};
use gradus_datasets::{Batch, DataSource, DatasetError, Pass};
use gradus_nn::losses::Objective;
use gradus_nn::{Evaluation, Model};
use gradus_optim::{Optimizer, RestoreError, Rule, State, StepError};
use gradus_tensor::{Columns, Float, Generator, PerFloat, Tensor};

use crate::callbacks::short_type_name;
use crate::error::Result;
use crate::fit::Fit;
use crate::history::{History, Logs};
use crate::measured::check_names;
use crate::metrics::{LossMeans, OutputMetric};
use crate::prepare::{ClassWeights, Prepared, check_alike, check_data};
use crate::ranks::{Evaluated, Links, Outcome, Ranks};
use crate::resume::Resumed;
use crate::state::TrainingState;
use crate::step::{self, Step};
use crate::training_loop::TrainingLoop;

/// The number of samples that are evaluated at once.
const EVALUATED_AT_ONCE: usize = 256;

/// What a [`Trainer`](crate::Trainer) has.
pub(crate) struct Parts<'a, T: Float> {
    pub model: &'a mut Model<T>,
    pub loss: &'a dyn Objective<T>,
    pub optimizer: &'a mut dyn AnyOptimizer<T>,
    pub metrics: &'a mut [OutputMetric<T>],
    pub state: &'a mut TrainingState,
    pub ranks: Option<&'a Ranks>,
}

/// An optimiser, whatever its rule.
pub(crate) trait AnyOptimizer<T: Float> {
    fn steps(&self) -> u64;
    fn waiting(&self) -> u64;
    fn current_learning_rate(&self) -> f64;
    fn set_learning_rate(&mut self, rate: f64);
    fn check(&self, params: &Params<T>) -> Result<(), StepError>;
    fn try_step(&mut self, params: &mut Params<T>, grads: &Grads<T>) -> Result<(), StepError>;
    fn finalize_weights(&self, params: &mut Params<T>);
    fn state(&self) -> State<T>;
    fn restore(&mut self, params: &Params<T>, state: State<T>) -> Result<(), RestoreError>;
    /// The name of the rule in files.
    fn rule_name(&self) -> String;
}

impl<R: Rule, T: Float> AnyOptimizer<T> for Optimizer<R, T> {
    fn steps(&self) -> u64 {
        Optimizer::steps(self)
    }
    fn waiting(&self) -> u64 {
        Optimizer::waiting(self)
    }
    fn current_learning_rate(&self) -> f64 {
        Optimizer::current_learning_rate(self)
    }
    fn set_learning_rate(&mut self, rate: f64) {
        Optimizer::set_learning_rate(self, rate);
    }
    fn check(&self, params: &Params<T>) -> Result<(), StepError> {
        Optimizer::check(self, params)
    }
    fn try_step(&mut self, params: &mut Params<T>, grads: &Grads<T>) -> Result<(), StepError> {
        Optimizer::try_step(self, params, grads)
    }
    fn finalize_weights(&self, params: &mut Params<T>) {
        Optimizer::finalize_weights(self, params);
    }
    fn state(&self) -> State<T> {
        Optimizer::state(self)
    }
    fn restore(&mut self, params: &Params<T>, state: State<T>) -> Result<(), RestoreError> {
        Optimizer::restore(self, params, state)
    }
    fn rule_name(&self) -> String {
        short_type_name::<R>()
    }
}

/// What a program calls for its float type.
pub(crate) struct Calls<T: Float> {
    pub run: RunCall<T>,
    pub evaluate: fn(Parts<'_, T>, &dyn DataSource) -> Result<Logs>,
    pub resume: fn(Parts<'_, T>, &Path) -> Result<Option<Resumed>>,
    pub step: StepCall<T>,
}

type RunCall<T> = fn(Parts<'_, T>, &dyn DataSource, Option<&dyn DataSource>, Fit<T>) -> Result<History>;
type StepCall<T> = fn(
    &mut Model<T>,
    &dyn Objective<T>,
    &mut dyn AnyOptimizer<T>,
    &Columns,
    &Columns,
    Option<&Tensor<T>>,
    &mut Generator,
) -> Result<Step<T>>;

impl<T: Float> Calls<T> {
    fn new() -> Self {
        Calls {
            run: |parts, data, validation, fit| parts.run(data, validation, fit),
            evaluate: |parts, data| parts.evaluate(data),
            resume: |parts, path| parts.resume(path),
            step: step::step,
        }
    }
}

/// The calls for each float type. They are not inlined, or the programs would compile what they call.
pub(crate) struct Compiled;

impl PerFloat for Compiled {
    type Of<T: Float> = Calls<T>;
    #[inline(never)]
    fn f32(self) -> Calls<f32> {
        Calls::new()
    }
    #[inline(never)]
    fn f64(self) -> Calls<f64> {
        Calls::new()
    }
}

impl<T: Float> Parts<'_, T> {
    /// Checks the settings and the data, then runs the loop.
    fn run(self, data: &dyn DataSource, validation: Option<&dyn DataSource>, fit: Fit<T>) -> Result<History> {
        self.on_ranks(|parts, links| parts.run_on(links, data, validation, fit))
    }

    /// The loss and the metrics on these data.
    fn evaluate(self, data: &dyn DataSource) -> Result<Logs> {
        self.on_ranks(|mut parts, links| parts.evaluate_on(links.as_deref(), data))
    }

    /// Does something together with the other ranks, if there are any. They hear of an error of this one.
    fn on_ranks<O>(self, work: impl FnOnce(Self, Option<Arc<Links>>) -> Result<O>) -> Result<O> {
        let links = self.ranks.map(Ranks::links).transpose()?;
        let result = work(self, links.clone());
        if let (Some(links), Err(error)) = (links, &result) {
            links.leave(error);
        }
        result
    }

    fn run_on(
        mut self,
        links: Option<Arc<Links>>,
        data: &dyn DataSource,
        validation: Option<&dyn DataSource>,
        mut fit: Fit<T>,
    ) -> Result<History> {
        let given = fit.class_weights.take();
        let checked = self.check_run(data, validation, &fit, given.as_deref());
        if let Some(links) = &links {
            self.meet(links, checked.as_ref().err(), data, &fit)?;
            if !links.is_main() {
                (fit.verbose, fit.doctor) = (false, false);
                fit.callbacks.retain(|callback| !callback.only_watches());
            }
        }
        let class_weights = checked?;
        let callbacks = fit.all_callbacks();
        let (snapshot_requested, absent, pass) = (false, Vec::new(), None);
        TrainingLoop {
            links,
            parts: self,
            data,
            validation,
            class_weights,
            fit: &fit,
            callbacks,
            snapshot_requested,
            absent,
            pass,
        }
        .run()
    }

    /// Checks the settings and the data of a run; returns the weights of the classes.
    fn check_run<'a>(
        &self,
        data: &dyn DataSource,
        validation: Option<&dyn DataSource>,
        fit: &Fit<T>,
        class_weights: Option<&'a [f64]>,
    ) -> Result<Option<ClassWeights<'a>>> {
        fit.check()?;
        self.model.check_loss("fit", self.loss)?;
        check_names("fit", self.model.outputs(), self.metrics, validation.is_some())?;
        let seen = data.preview()?;
        check_data("fit", self.model, self.metrics, self.loss, &seen)?;
        self.optimizer.check(self.model.params())?;
        let class_weights =
            class_weights.map(|given| ClassWeights::new(given, self.model, self.loss, &seen)).transpose()?;
        if let Some(validation) = validation {
            let to_validate = validation.preview()?;
            check_alike(self.model, &seen, &to_validate)?;
            check_data("fit, the validation set", self.model, self.metrics, self.loss, &to_validate)?;
        }
        Ok(class_weights)
    }

    fn evaluate_on(&mut self, links: Option<&Links>, data: &dyn DataSource) -> Result<Logs> {
        self.model.check_loss("evaluate", self.loss)?;
        check_names("evaluate", self.model.outputs(), self.metrics, false)?;
        check_data("evaluate", self.model, self.metrics, self.loss, &data.preview()?)?;
        let pass = Pass::new(EVALUATED_AT_ONCE, data.order(None));
        self.evaluate_in("evaluate", links, data, &pass, None)
    }

    /// As `evaluate`, by this pass over data that have been checked, or so many batches of it. Several ranks take the batches in turn,
    /// and each gets what the others have found: the measurements are those of a single rank.
    pub(crate) fn evaluate_in(
        &mut self,
        op: &str,
        links: Option<&Links>,
        data: &dyn DataSource,
        pass: &Pass,
        batches: Option<usize>,
    ) -> Result<Logs> {
        let Parts { model, loss, metrics, .. } = self;
        let (model, loss): (&Model<T>, &dyn Objective<T>) = (model, *loss);
        metrics.iter_mut().for_each(|metric| metric.reset());
        let with_outputs = links.is_none() || !metrics.is_empty();
        let mut losses = LossMeans::default();
        let mut add = |first: usize, metrics: &mut [OutputMetric<T>], evaluated: Evaluated<T>| {
            let Evaluated { loss, parts, samples, outcome } = evaluated;
            losses.add(loss, &parts, samples);
            let scored = outcome.scored();
            metrics.iter_mut().try_for_each(|metric| metric.update(op, &scored, |row| first + row))
        };
        let evaluate = |place: usize, batch: Result<Batch<Columns>, DatasetError>| {
            let sample_at = |row| place * pass.batch_size + row;
            let batch = Prepared::new(op, model, batch?, None, sample_at)?;
            let found = model.evaluate(&batch.inputs, batch.target_columns(), batch.weights.as_ref(), loss);
            let found = found.map_err(|error| batch.located(op, error, model, loss, sample_at))?;
            let Prepared { targets, weights, samples, .. } = batch;
            let Evaluation { loss, parts, outputs, masks } = found;
            let outcome = Outcome { targets, outputs, masks, weights };
            let outcome = if with_outputs { outcome } else { Outcome::default() };
            Ok(Evaluated { loss, parts, samples, outcome })
        };
        let (rank, size) = links.map_or((0, 1), |links| (links.rank(), links.size()));
        let all = data.batches_of(pass)?.take(batches.unwrap_or(usize::MAX));
        let mut own = all.enumerate().skip(rank).step_by(size);
        let mut first = 0;
        loop {
            let found = own.next().map(|(place, batch)| evaluate(place, batch)).transpose();
            let found = match links {
                Some(links) => links.evaluated(found)?,
                None => found?.into_iter().collect(),
            };
            let has_ended = found.len() < size;
            for evaluated in found {
                let samples = evaluated.samples;
                add(first, metrics, evaluated)?;
                first += samples;
            }
            if has_ended {
                return Ok(Logs::measured(&losses, metrics));
            }
        }
    }
}
