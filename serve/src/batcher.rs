//! Requests that wait, gathered into batches and predicted.
//!
//! Kernels differ by the size of a batch, and so do the last bits of what they compute. For an answer that does not depend on
//! who else asks, samples are predicted in groups of one size, which the server fixes. A group of one sample, the
//! default, gives each sample the bits that `model.predict` gives it alone. Groups of a batch are shared among threads.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use gradus_nn::Model;
use gradus_tensor::{AnyTensor, Columns, Element, Shape, Tensor, team};
use hyper::StatusCode;
use tokio::sync::oneshot;

use crate::figures::Figures;
use crate::memory::Share;
use crate::refusal::Refusal;

/// The outputs of a request's samples, or why there are none.
type Outcome = Result<Vec<Tensor>, Refusal>;

/// How waiting requests are gathered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gathering {
    /// The most samples of a batch; a request of more is several.
    pub(crate) batch: usize,
    /// How long a request waits for others.
    pub(crate) delay: Duration,
    /// The samples that are predicted at once.
    pub(crate) group: usize,
    /// The most requests that wait.
    pub(crate) queue: usize,
}

struct Job {
    inputs: Columns,
    samples: usize,
    /// How many samples have been predicted.
    done: usize,
    /// Their outputs, batch by batch.
    parts: Vec<Vec<Tensor>>,
    since: Instant,
    answer: oneshot::Sender<Outcome>,
    /// The memory of the request is taken as long as its inputs are here.
    _share: Arc<Share>,
}

/// The next samples of a job.
struct Piece {
    job: Job,
    inputs: Columns,
    samples: usize,
}

/// The requests that wait for a worker.
pub(crate) struct Batcher {
    model: Model,
    gathering: Gathering,
    figures: Arc<Figures>,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// No more jobs come.
    is_closed: bool,
}

impl Batcher {
    pub(crate) fn new(model: Model, gathering: Gathering, figures: Arc<Figures>) -> Self {
        Batcher { model, gathering, figures, waiting: Mutex::default(), changed: Condvar::new() }
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    /// The requests that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().jobs.len()
    }

    /// The outputs of these samples. A request that takes longer than it may is given up, and so is one whose future is dropped.
    pub(crate) async fn predict(
        &self,
        inputs: Columns,
        samples: usize,
        within: Duration,
        share: Arc<Share>,
    ) -> Outcome {
        let mut left = Left { batcher: self, is_answered: false };
        let receiver = self.submit(inputs, samples, share)?;
        let outcome = tokio::time::timeout(within, receiver).await;
        left.is_answered = outcome.is_ok();
        match outcome {
            Ok(outcome) => {
                outcome.unwrap_or_else(|_| Err(Refusal::internal("the model did not answer; see the server's log")))
            }
            Err(_) => {
                let seconds = within.as_secs_f64();
                let text =
                    format!("the answer was not there within {seconds} s; ask for fewer samples, or ask again later");
                Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, text))
            }
        }
    }

    /// Puts a request into the queue. The outcome comes through the receiver.
    fn submit(
        &self,
        inputs: Columns,
        samples: usize,
        share: Arc<Share>,
    ) -> Result<oneshot::Receiver<Outcome>, Refusal> {
        let mut waiting = self.lock();
        let length = waiting.jobs.len();
        if waiting.is_closed {
            return Err(Refusal::busy("the server is stopping; ask again when it is back"));
        }
        if length >= self.gathering.queue {
            return Err(Refusal::busy(format!("{length} requests wait already, the most that may; ask again later")));
        }
        let (answer, receiver) = oneshot::channel();
        let (done, parts, since) = (0, Vec::new(), Instant::now());
        waiting.jobs.push_back(Job { inputs, samples, done, parts, since, answer, _share: share });
        drop(waiting);
        self.changed.notify_one();
        Ok(receiver)
    }

    /// Lets workers end when nothing waits any more.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// Predicts batch after batch until the queue is closed and empty.
    pub(crate) fn work(&self) {
        while let Some(pieces) = self.next() {
            self.answer(pieces);
        }
    }

    /// The next batch; waits for requests.
    fn next(&self) -> Option<Vec<Piece>> {
        let mut waiting = self.lock();
        loop {
            let Some(first) = waiting.jobs.front() else {
                if waiting.is_closed {
                    return None;
                }
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = self.gathering.delay.saturating_sub(first.since.elapsed());
            let samples: usize = waiting.jobs.iter().map(|job| job.samples - job.done).sum();
            if left.is_zero() || samples >= self.gathering.batch || waiting.is_closed {
                return Some(gathered(&mut waiting.jobs, self.gathering.batch));
            }
            waiting = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Predicts a batch, and answers the requests that are done with it.
    fn answer(&self, mut pieces: Vec<Piece>) {
        pieces.retain(|piece| piece.job.is_wanted());
        let samples = pieces.iter().map(|piece| piece.samples).sum();
        if samples == 0 {
            return;
        }
        let columns: Vec<&Columns> = pieces.iter().map(|piece| &piece.inputs).collect();
        match self.outcome(&joined(&columns), samples) {
            Ok(outputs) => {
                let mut first = 0;
                for Piece { job, samples, .. } in pieces {
                    let rows = first..first + samples;
                    first = rows.end;
                    let part = outputs.iter().map(|output| output.slice(0, rows.clone())).collect();
                    self.go_on(job, Ok(part), samples);
                }
            }
            // What is wrong with one request must not fail the others: each is predicted by itself.
            Err(_) if pieces.len() > 1 => pieces.into_iter().for_each(|piece| self.answer(vec![piece])),
            Err(refusal) => pieces.into_iter().for_each(|Piece { job, .. }| self.go_on(job, Err(refusal.clone()), 0)),
        }
    }

    /// Answers a request that is done; what is left of another waits behind those of others.
    fn go_on(&self, mut job: Job, outcome: Outcome, samples: usize) {
        let part = match outcome {
            Ok(part) => part,
            Err(refusal) => return drop(job.answer.send(Err(refusal))),
        };
        job.parts.push(part);
        job.done += samples;
        if job.done < job.samples {
            if job.is_wanted() {
                self.lock().jobs.push_back(job);
            }
            return;
        }
        let outputs = 0..self.model.outputs().len();
        let whole =
            |place: usize| Tensor::concat(&job.parts.iter().map(|part| part[place].clone()).collect::<Vec<_>>(), 0);
        let _ = job.answer.send(Ok(outputs.map(whole).collect()));
    }

    /// The outputs of these samples; a panic of the model is a refusal.
    fn outcome(&self, inputs: &Columns, samples: usize) -> Outcome {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.predicted(inputs, samples))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            eprintln!("gradus-serve: the model panicked on a batch of {samples} samples: {text}");
            Err(Refusal::internal("the model panicked on this request; the server's log says why"))
        });
        if outcome.is_ok() {
            self.figures.batch(samples);
        }
        outcome
    }

    /// All outputs for these samples, predicted group by group.
    fn predicted(&self, inputs: &Columns, samples: usize) -> Outcome {
        let group = self.gathering.group;
        let groups: Vec<OnceLock<Outcome>> = (0..samples.div_ceil(group)).map(|_| OnceLock::new()).collect();
        team::run(groups.len(), |place| {
            let first = place * group;
            let rows: Vec<usize> = (first..first + group).map(|row| row.min(samples - 1)).collect();
            let inputs =
                if first + group <= samples { inputs.rows(first..first + group) } else { inputs.take_rows(&rows) };
            let predicted = self.model.preprocess(inputs).and_then(|inputs| self.model.predict_all(inputs));
            let _ = groups[place].set(predicted.map_err(|error| Refusal::bad(error.to_string())));
        });
        let mut of_outputs = vec![Vec::with_capacity(groups.len()); self.model.outputs().len()];
        for group in groups {
            let outputs = group.into_inner().expect("each task of a team runs")?;
            of_outputs.iter_mut().zip(outputs).for_each(|(parts, part)| parts.push(part));
        }
        let whole = |parts: &Vec<Tensor>| Tensor::concat(parts, 0).slice(0, 0..samples);
        Ok(of_outputs.iter().map(whole).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // No code that holds the lock can leave the queue half changed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// Whether somebody still waits for it.
    fn is_wanted(&self) -> bool {
        !self.answer.is_closed()
    }

    /// Its next samples, at most so many.
    fn piece(self, most: usize) -> Piece {
        let samples = most.min(self.samples - self.done);
        let inputs = self.inputs.rows(self.done..self.done + samples);
        Piece { job: self, inputs, samples }
    }
}

/// Takes out of the queue who waits no longer.
struct Left<'a> {
    batcher: &'a Batcher,
    is_answered: bool,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.batcher.lock().jobs.retain(Job::is_wanted);
        }
    }
}

/// Takes the first request, and further ones of the same shapes while there is room in the batch for all their samples.
fn gathered(waiting: &mut VecDeque<Job>, most: usize) -> Vec<Piece> {
    let Some(first) = waiting.pop_front() else { return Vec::new() };
    let shapes = shapes(&first.inputs);
    let first = first.piece(most);
    let (mut samples, mut pieces) = (first.samples, vec![first]);
    let mut place = 0;
    while samples < most && place < waiting.len() {
        let job = &waiting[place];
        if samples + (job.samples - job.done) <= most && self::shapes(&job.inputs) == shapes {
            let piece = waiting.remove(place).map(|job| job.piece(most));
            samples += piece.as_ref().map_or(0, |piece| piece.samples);
            pieces.extend(piece);
        } else {
            place += 1;
        }
    }
    pieces
}

/// The shapes of a sample.
fn shapes(inputs: &Columns) -> Vec<Shape> {
    inputs.iter().map(|column| column.shape()[1..].into()).collect()
}

/// The samples of several requests one after the other.
fn joined(requests: &[&Columns]) -> Columns {
    let [first, others @ ..] = requests else { return Columns::new() };
    if others.is_empty() {
        return Columns::clone(first);
    }
    let mut joined = Columns::new();
    for (place, name) in first.names().enumerate() {
        let column = match &first[place] {
            AnyTensor::I64(_) => concat::<i64>(requests, place),
            AnyTensor::Bool(_) => concat::<bool>(requests, place),
            _ => concat::<f32>(requests, place),
        };
        joined = joined.with(name.unwrap_or_default(), column);
    }
    joined
}

fn concat<X: Element>(requests: &[&Columns], place: usize) -> AnyTensor {
    let columns: Vec<Tensor<X>> = requests.iter().map(|request| request[place].to()).collect();
    Tensor::concat(&columns, 0).into()
}
