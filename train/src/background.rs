//! A thread that works beside the one that trains.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A thread that does jobs in turn, while the thread that hands them over goes on at once.
///
/// Of the jobs that wait, only the newest is done, and the newest of those that must be done: a slow disk makes jobs
/// fewer, not the queue longer. After a job the thread rests for 20 times as long as it took, or a second, unless the next must
/// be done: where training keeps all cores busy, it loses what this thread computes. What waits when this is dropped is done
/// before.
pub(crate) struct Background {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    /// At most one that must be done and one that need not, the older one first.
    waiting: Vec<Job>,
    is_busy: bool,
    is_resting: bool,
    is_closed: bool,
    /// Whether somebody waits for the jobs, so that there is no time to rest.
    is_awaited: bool,
    /// The first error since the last one was taken, and whether its job had to be done.
    error: Option<(Error, bool)>,
}

/// Work for a [`Background`].
pub(crate) struct Job {
    /// Whether only a newer job that must be done takes its place.
    pub must_be_done: bool,
    /// The work.
    pub work: Box<dyn FnOnce() -> Result<()> + Send>,
}

/// How many times as long as a job took the thread rests after it, and how long at most.
const REST: u32 = 20;
const LONGEST_REST: Duration = Duration::from_secs(1);

impl Background {
    /// A thread of this name, which is named in errors as well.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn new(name: &'static str) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || of_thread.work(name));
        let thread = thread.map_err(|error| {
            Error::new(name, format!("the system gives no thread: {error}"), "end other programs, or raise their limit")
        })?;
        Ok(Background { shared, thread: Some(thread) })
    }

    /// Hands a job over, in the place of one that waits.
    pub fn submit(&self, job: Job) {
        let mut queue = self.shared.queue();
        queue.waiting.retain(|waiting| waiting.must_be_done && !job.must_be_done);
        queue.waiting.push(job);
        self.shared.changed.notify_all();
    }

    /// Whether a job would be begun at once.
    pub fn is_free(&self) -> bool {
        let queue = self.shared.queue();
        !queue.is_busy && !queue.is_resting && queue.waiting.is_empty()
    }

    /// The error of a job, if one has failed since this was last asked, unless a newer one has made up for it.
    ///
    /// # Errors
    /// That of the job.
    pub fn check(&self) -> Result<()> {
        self.shared.queue().take_error()
    }

    /// Waits until all jobs are done.
    ///
    /// # Errors
    /// As [`check`](Background::check).
    pub fn finish(&self) -> Result<()> {
        let mut queue = self.shared.queue();
        queue.is_awaited = true;
        self.shared.changed.notify_all();
        while queue.is_busy || !queue.waiting.is_empty() {
            queue = self.shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.is_awaited = false;
        queue.take_error()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.shared.queue().is_closed = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // Its panics are errors of jobs, which `work` has caught.
            _ = thread.join();
        }
    }
}

impl Queue {
    fn take_error(&mut self) -> Result<()> {
        self.error.take().map_or(Ok(()), |(error, _)| Err(error))
    }
}

impl Shared {
    /// The queue. Nobody panics while it is held.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does jobs until there will be no more.
    fn work(&self, name: &str) {
        let mut queue = self.queue();
        loop {
            if queue.waiting.is_empty() {
                if queue.is_closed {
                    return;
                }
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let Job { must_be_done, work } = queue.waiting.remove(0);
            queue.is_busy = true;
            drop(queue);
            let start = Instant::now();
            let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message");
                Err(Error::new(name, format!("the thread beside training panicked: {text}"), "report this"))
            });
            queue = self.queue();
            queue.is_busy = false;
            match result {
                Err(error) => _ = queue.error.get_or_insert((error, must_be_done)),
                Ok(()) => _ = queue.error.take_if(|(_, must_be_done)| !*must_be_done),
            }
            self.changed.notify_all();
            let rest = LONGEST_REST.min(start.elapsed().saturating_mul(REST));
            queue.is_resting = true;
            let may_rest = |queue: &mut Queue| {
                !queue.is_awaited && !queue.is_closed && !queue.waiting.iter().any(|job| job.must_be_done)
            };
            queue = match self.changed.wait_timeout_while(queue, rest, may_rest) {
                Ok((queue, _)) => queue,
                Err(poisoned) => poisoned.into_inner().0,
            };
            queue.is_resting = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A job that writes its number down once it may.
    fn job(number: usize, must_be_done: bool, may: Receiver<()>, done: &Arc<Mutex<Vec<usize>>>) -> Job {
        let done = Arc::clone(done);
        let work = move || {
            may.recv().unwrap();
            done.lock().unwrap().push(number);
            Ok(())
        };
        Job { must_be_done, work: Box::new(work) }
    }

    /// What is done of jobs that are handed over while the first is being done.
    fn done(jobs: &[bool]) -> Vec<usize> {
        let (done, background) = (Arc::default(), Background::new("test").unwrap());
        let (begun, first_begins) = channel();
        let (end, may_end) = channel::<()>();
        let work = move || {
            begun.send(()).unwrap();
            may_end.recv().unwrap();
            Ok(())
        };
        background.submit(Job { must_be_done: false, work: Box::new(work) });
        first_begins.recv().unwrap();
        let mut free = Vec::<Sender<()>>::new();
        for (number, &must_be_done) in jobs.iter().enumerate() {
            let (sender, may) = channel();
            sender.send(()).unwrap();
            free.push(sender);
            background.submit(job(number, must_be_done, may, &done));
        }
        end.send(()).unwrap();
        background.finish().unwrap();
        let done = done.lock().unwrap();
        done.clone()
    }

    #[test]
    fn of_the_jobs_that_wait_the_newest_is_done_and_the_newest_to_be_kept() {
        assert_eq!(done(&[false]), [0]);
        assert_eq!(done(&[false, false, false]), [2]);
        assert_eq!(done(&[false, true, false, false]), [1, 3]);
        assert_eq!(done(&[true, false, true]), [2]);
    }

    #[test]
    fn what_must_be_done_waits_for_no_rest() {
        let background = Background::new("test").unwrap();
        // After it the thread would rest for a second, the longest.
        let long = || {
            thread::sleep(Duration::from_millis(100));
            Ok(())
        };
        background.submit(Job { must_be_done: false, work: Box::new(long) });
        while !background.shared.queue().is_resting {
            thread::sleep(Duration::from_millis(1));
        }
        let (sender, done) = channel();
        let work = move || {
            sender.send(()).unwrap();
            Ok(())
        };
        background.submit(Job { must_be_done: true, work: Box::new(work) });
        done.recv_timeout(LONGEST_REST * 3 / 4).unwrap();
    }

    #[test]
    fn errors_and_panics_come_out_once() {
        let background = Background::new("Writer").unwrap();
        let fails = || Err(Error::new("a file", "it is full", "make room"));
        background.submit(Job { must_be_done: false, work: Box::new(fails) });
        assert_eq!(background.finish().unwrap_err().to_string(), "a file: it is full; make room");
        background.finish().unwrap();
        background.submit(Job { must_be_done: false, work: Box::new(|| panic!("at {}", 7)) });
        let error = background.finish().unwrap_err().to_string();
        assert_eq!(error, "Writer: the thread beside training panicked: at 7; report this");
        background.check().unwrap();
        // A newer job that is done makes up for one that might have been left out, and for no other.
        for must_be_done in [false, true] {
            let (sender, begins) = channel();
            let fails = move || {
                sender.send(()).unwrap();
                fails()
            };
            background.submit(Job { must_be_done, work: Box::new(fails) });
            begins.recv().unwrap();
            background.submit(Job { must_be_done: false, work: Box::new(|| Ok(())) });
            assert_eq!(background.finish().is_err(), must_be_done);
        }
    }

    #[test]
    fn what_waits_is_done_before_it_is_dropped() {
        let (done, background) = (Arc::default(), Background::new("test").unwrap());
        let (sender, may) = channel();
        background.submit(job(1, false, may, &done));
        let sends = thread::spawn(move || sender.send(()).unwrap());
        drop(background);
        sends.join().unwrap();
        assert_eq!(*done.lock().unwrap(), [1]);
    }
}
