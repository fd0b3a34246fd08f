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
use tokio::sync::oneshot;

use crate::figures::Figures;
use crate::refusal::Refusal;

/// The outputs of a request's samples, or why there are none.
pub(crate) type Outcome = Result<Vec<Tensor>, Refusal>;

/// How waiting requests are gathered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gathering {
    /// The most samples of a batch; a request of more is a batch by itself.
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
    since: Instant,
    answer: oneshot::Sender<Outcome>,
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

    /// Puts a request into the queue. The outcome comes through the receiver.
    pub(crate) fn submit(&self, inputs: Columns, samples: usize) -> Result<oneshot::Receiver<Outcome>, Refusal> {
        let mut waiting = self.lock();
        let length = waiting.jobs.len();
        if waiting.is_closed {
            return Err(Refusal::busy("the server is stopping; ask again when it is back"));
        }
        if length >= self.gathering.queue {
            return Err(Refusal::busy(format!("{length} requests wait already, the most that may; ask again later")));
        }
        let (answer, receiver) = oneshot::channel();
        waiting.jobs.push_back(Job { inputs, samples, since: Instant::now(), answer });
        self.figures.waiting(waiting.jobs.len());
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
        while let Some(jobs) = self.next() {
            self.answer(jobs);
        }
    }

    /// The requests of the next batch; waits for them.
    fn next(&self) -> Option<Vec<Job>> {
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
            let samples: usize = waiting.jobs.iter().map(|job| job.samples).sum();
            if left.is_zero() || samples >= self.gathering.batch || waiting.is_closed {
                break;
            }
            waiting = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let jobs = gathered(&mut waiting.jobs, self.gathering.batch);
        self.figures.waiting(waiting.jobs.len());
        Some(jobs)
    }

    /// Predicts the samples of these requests and answers each.
    fn answer(&self, mut jobs: Vec<Job>) {
        // Who has hung up needs no answer.
        jobs.retain(|job| !job.answer.is_closed());
        let samples = jobs.iter().map(|job| job.samples).sum();
        if samples == 0 {
            return;
        }
        self.figures.batch(samples);
        let columns: Vec<&Columns> = jobs.iter().map(|job| &job.inputs).collect();
        match self.outcome(&joined(&columns), samples) {
            Ok(outputs) => {
                let mut first = 0;
                for job in jobs {
                    let rows = first..first + job.samples;
                    first = rows.end;
                    let part = outputs.iter().map(|output| output.slice(0, rows.clone())).collect();
                    // The client may have hung up meanwhile.
                    let _ = job.answer.send(Ok(part));
                }
            }
            Err(_) if jobs.len() > 1 => {
                // What is wrong with one request must not fail the others: each is predicted by itself.
                for job in jobs {
                    let _ = job.answer.send(self.outcome(&job.inputs, job.samples));
                }
            }
            Err(refusal) => jobs.into_iter().for_each(|job| _ = job.answer.send(Err(refusal.clone()))),
        }
    }

    /// The outputs of these samples; a panic of the model is a refusal.
    fn outcome(&self, inputs: &Columns, samples: usize) -> Outcome {
        catch_unwind(AssertUnwindSafe(|| self.predict(inputs, samples))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            eprintln!("gradus-serve: the model panicked on a batch of {samples} samples: {text}");
            Err(Refusal::internal("the model panicked on this request; the server's log says why"))
        })
    }

    /// All outputs for these samples, predicted group by group.
    fn predict(&self, inputs: &Columns, samples: usize) -> Outcome {
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

/// Takes the first request, and further ones of the same shapes while there is room in the batch.
fn gathered(waiting: &mut VecDeque<Job>, most: usize) -> Vec<Job> {
    let Some(first) = waiting.pop_front() else { return Vec::new() };
    let (shapes, mut samples, mut jobs) = (shapes(&first.inputs), first.samples, vec![first]);
    let mut place = 0;
    while samples < most && place < waiting.len() {
        let job = &waiting[place];
        if samples + job.samples <= most && self::shapes(&job.inputs) == shapes {
            samples += job.samples;
            jobs.extend(waiting.remove(place));
        } else {
            place += 1;
        }
    }
    jobs
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
