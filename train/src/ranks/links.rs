//! What the ranks say to each other in training.

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use gradus_datasets::Share;
use gradus_distributed::{Communicator, Exchange, Reduction};
use gradus_nn::losses::Objective;
use gradus_nn::{Model, Pass};
use gradus_tensor::{Columns, Float, Generator, Tensor};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Traffic;
use super::gradients::Gradients;
use super::group::{End, Ended, Group};
use super::message::Outcome;
use crate::error::{Error, Result};
use crate::prepare::Prepared;
use crate::step::Step;

/// The connections of one rank with the others.
pub(crate) struct Links {
    /// For what is small: agreements, merges of statistics, outputs for metrics.
    control: Arc<Exchange>,
    /// For gradients, which are sent on a thread of their own.
    gradients: Exchange,
    bucket_bytes: usize,
    traffic: Mutex<Traffic>,
    /// Whether the ranks have agreed on an error: then each returns it, and none leaves the others waiting.
    agreed_on_error: AtomicBool,
}

/// Rows of a batch, and where they stand in it.
pub(crate) struct Part<'b, T: Float> {
    pub batch: &'b Prepared<T>,
    /// The place of the first row in the batch.
    pub first: usize,
    /// The number of samples of the batch.
    pub samples: usize,
}

/// What a shard's pass gives: an error of its own, or a panic.
type Passed<T> = thread::Result<gradus_nn::Result<Pass<T>>>;

impl Links {
    pub fn new(
        communicator: &dyn Communicator,
        shards: usize,
        reduction: Reduction,
        bucket_bytes: usize,
    ) -> Result<Self> {
        let exchange = || Ok::<_, Error>(Exchange::new(communicator.duplicate()?, shards, reduction)?);
        let (control, gradients) = (Arc::new(exchange()?), exchange()?);
        let (traffic, agreed_on_error) = (Mutex::default(), AtomicBool::new(false));
        Ok(Links { control, gradients, bucket_bytes, traffic, agreed_on_error })
    }

    pub fn rank(&self) -> usize {
        self.communicator().rank()
    }

    pub fn size(&self) -> usize {
        self.communicator().size()
    }

    /// Whether this rank prints and writes files.
    pub fn is_main(&self) -> bool {
        self.rank() == 0
    }

    fn communicator(&self) -> &dyn Communicator {
        self.control.communicator()
    }

    /// The rows of each batch that this rank computes.
    pub fn share(&self) -> Share {
        Share::new(self.control.shards(), self.control.own())
    }

    pub fn traffic(&self) -> Traffic {
        *self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What each rank says, in the order of ranks.
    pub fn tell<S: Serialize + DeserializeOwned>(&self, own: &S) -> Result<Vec<S>> {
        let own = serde_json::to_vec(own).expect("what ranks say is plain data");
        let said = self.communicator().all_gather(&own)?;
        let read = |(rank, bytes): (usize, Vec<u8>)| {
            serde_json::from_slice(&bytes).map_err(|error| {
                let hint = "start the same program on all ranks";
                Error::new("distributed", format!("rank {rank} says something else: {error}"), hint)
            })
        };
        said.into_iter().enumerate().map(read).collect()
    }

    /// The bytes of each rank, in the order of ranks.
    pub fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        Ok(self.communicator().all_gather(own)?)
    }

    /// The bytes of the first rank.
    pub fn broadcast(&self, own: Vec<u8>) -> Result<Vec<u8>> {
        let length = self.tell(&own.len())?[0];
        let mut bytes = if self.is_main() { own } else { vec![0; length] };
        self.communicator().broadcast(0, &mut bytes)?;
        Ok(bytes)
    }

    /// The results of all ranks: those of the others, and an error at every rank if one of them has one.
    pub fn agree<S: Serialize + DeserializeOwned>(&self, own: Result<S, String>) -> Result<Vec<S>> {
        let said = self.tell(&own)?.into_iter().enumerate();
        said.map(|(rank, said)| said.map_err(|message| self.agreed(Error::of_rank(rank, message)))).collect()
    }

    /// An error that all ranks return.
    pub fn agreed(&self, error: Error) -> Error {
        self.agreed_on_error.store(true, Ordering::Relaxed);
        error
    }

    /// Tells the others that this rank goes no further, unless they know it.
    pub fn leave(&self, error: &Error) {
        if !self.agreed_on_error.swap(false, Ordering::Relaxed) {
            self.communicator().abandon(&error.to_string());
        }
    }

    /// The pass of a whole batch, of which this rank has a part: gradients, loss and states are those of the batch, outputs and
    /// masks those of the part.
    pub fn grad<T: Float>(
        &self,
        model: &Model<T>,
        part: &Part<'_, T>,
        loss: &dyn Objective<T>,
        generator: &mut Generator,
        located: impl FnOnce(gradus_nn::Error) -> Error,
    ) -> Result<Pass<T>> {
        let Part { batch, first, samples } = *part;
        let (own, share) = (self.control.own(), self.share());
        // Every shard has a generator of its own, and all are drawn at every rank.
        let generators: Vec<Generator> = (0..self.control.shards()).map(|_| generator.fork()).collect();
        let group = Group::new(&self.control);
        let (gradients, completed) = Gradients::new(&self.gradients, model.params(), self.bucket_bytes);
        let pass_of = |shard: usize| -> Passed<T> {
            let rows = share.rows_of_shard(shard, samples);
            let rows = rows.start - first..rows.end - first;
            let weights = batch.weights.as_ref().map(|weights| weights.slice(0, rows.clone()));
            let (inputs, targets) = (batch.inputs.rows(rows.clone()), batch.target_columns().rows(rows));
            let (of_group, mut generator) = (group.shard(shard), generators[shard].clone());
            let mut given = vec![false; model.params().len()];
            let pass = group.compute(|| {
                let done = |index: usize, gradient| {
                    given[index] = true;
                    gradients.add(shard, index, Some(gradient));
                };
                let targets: Columns = targets;
                model.grad_of_shard(inputs, targets, weights.as_ref(), loss, &mut generator, &of_group, done)
            });
            match pass {
                Ok(Ok(_)) => gradients.end(shard, &given),
                _ => group.end(End::Here),
            }
            pass
        };
        let alone = self.size() == 1;
        let (passes, exchanged, waited) = thread::scope(|scope| {
            let exchange = (!alone).then(|| {
                scope.spawn(|| {
                    let exchanged = gradients.exchange(completed);
                    if let Err(error) = &exchanged {
                        group.end(End::Elsewhere(error.clone()));
                    }
                    exchanged
                })
            });
            let others: Vec<_> = (own.start + 1..own.end).map(|shard| scope.spawn(move || pass_of(shard))).collect();
            let mut passes = vec![pass_of(own.start)];
            passes.extend(others.into_iter().map(|shard| shard.join().unwrap_or_else(Err)));
            if passes.iter().any(|pass| !matches!(pass, Ok(Ok(_)))) {
                gradients.give_up();
            }
            let swept = Instant::now();
            let exchanged = exchange.map(|exchange| exchange.join().unwrap_or_else(|panic| resume_unwind(panic)));
            (passes, exchanged.transpose(), swept.elapsed())
        });
        let mut done = Vec::new();
        for pass in passes {
            match pass {
                Ok(Ok(pass)) => done.push(pass),
                Ok(Err(error)) => return Err(located(error)),
                Err(panic) if !is_echo(&*panic) => resume_unwind(panic),
                Err(_) => {}
            }
        }
        if let Some(End::Elsewhere(error)) = group.ended() {
            return Err(error.into());
        }
        if let Some(busy) = exchanged? {
            let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
            traffic.seconds += busy.as_secs_f64();
            traffic.waited += waited.as_secs_f64();
        }
        Ok(joined(done, gradients))
    }

    /// The outcome of the whole batch, of which this rank's part has these targets, this step and these weights.
    pub fn whole<T: Float>(
        &self,
        targets: &[Tensor<T>],
        step: &Step<T>,
        weights: Option<&Tensor<T>>,
    ) -> Result<Outcome<T>> {
        let Step { outputs, masks, .. } = step;
        let (targets, outputs, masks) = (targets.to_vec(), outputs.clone(), masks.clone());
        let part = Outcome { targets, outputs, masks, weights: weights.cloned() };
        let parts = self.gather(&part.to_bytes(String::new())?)?;
        let read = |bytes| Ok(Outcome::from_bytes(bytes)?.0);
        Ok(Outcome::joined(parts.into_iter().map(read).collect::<Result<_>>()?))
    }
}

/// Whether a panic says only that another shard has ended.
fn is_echo(panic: &(dyn Any + Send)) -> bool {
    panic.is::<Ended>()
}

/// The passes of the shards of a rank as one.
fn joined<T: Float>(mut passes: Vec<Pass<T>>, gradients: Gradients<'_, T>) -> Pass<T> {
    let outcome = |pass: &mut Pass<T>| Outcome {
        outputs: std::mem::take(&mut pass.outputs),
        masks: std::mem::take(&mut pass.masks),
        ..Outcome::default()
    };
    let Outcome { outputs, masks, .. } = Outcome::joined(passes.iter_mut().map(outcome).collect());
    // Loss and states are those of the batch in each.
    Pass { outputs, masks, grads: gradients.finish(), ..passes.swap_remove(0) }
}
