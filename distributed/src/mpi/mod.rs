//! Ranks that are processes on one or many machines, joined by MPI. Feature `mpi`.
//!
//! # Building
//!
//! The crate [`mpi`](https://docs.rs/mpi) takes the MPI library whose compiler the variable `MPICC` names (`mpicc` if there is none),
//! and needs libclang. On Debian and Ubuntu:
//!
//! ```console
//! apt-get install libopenmpi-dev openmpi-bin libclang-dev
//! MPICC=mpicc.openmpi cargo build --release --features mpi
//! mpirun.openmpi -n 4 target/release/program
//! ```
//!
//! A changed `MPICC` does not build anew by itself: clean (`cargo clean -p mpi-sys -p mpi`), or keep a target folder for each MPI.
//! A program started by the launcher of another MPI is as many jobs of one rank; [`world`] finds that out and returns an error.
//!
//! # Threads of a rank
//!
//! Ranks on one machine share its cores. Open MPI binds a rank to one core as long as there is one for each, so all threads of the rank
//! share it; MPICH binds nothing, so each rank starts as many threads as the machine has cores. Say how many cores a rank has, and as
//! many threads. For 2 ranks of 4 cores:
//!
//! ```console
//! RAYON_NUM_THREADS=4 mpirun.openmpi -n 2 --map-by slot:PE=4 -x RAYON_NUM_THREADS target/release/program
//! RAYON_NUM_THREADS=4 mpirun.mpich -n 2 target/release/program
//! ```
//!
//! `mpirun.openmpi --bind-to none` binds nothing, `mpirun.mpich -bind-to core:4` binds a rank to 4 cores. Threads change no result.
//!
//! # The end of a job
//!
//! All ranks end together, or the job fails; a job of one rank is a program like any other. When the last communicator of a rank is
//! dropped, it waits for the others to drop theirs. A rank that panics while it holds a communicator, or ends its process before the others are done (an early return from `main`,
//! [`exit`](std::process::exit), also with code 0), ends the whole job by `MPI_Abort` with code 1, and says on standard error which
//! rank it was. Where a rank drops a communicator by which others still exchange, they get an error; the job ends as soon as one of
//! them ends. [`abandon`](Communicator::abandon) ends it at once, with a reason. So a program has nothing to do but to return its
//! errors, and to drop what it made: a communicator in a `static`, or one that was forgotten, is never dropped.

mod ffi;
mod launcher;

use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use mpi::Threading;
use mpi::collective::{CommunicatorCollectives, Root, SystemOperation};
use mpi::datatype::{Equivalence, Partition, PartitionMut};
use mpi::environment::Universe;
use mpi::point_to_point::{Destination, Source};
use mpi::request::{LocalScope, Request, Scope, StaticScope, scope};
use mpi::topology::{Communicator as _, SimpleCommunicator};

use crate::call::{Call, Operation};
use crate::{CommunicationError, Communicator, Numbers, NumbersMut, Result};
use ffi::{Link, Pending};

/// Starts MPI and returns the communicator of all processes of the job.
///
/// A process calls it once; whoever wants a second communicator [duplicates](Communicator::duplicate) the first one. A program that was
/// started without a launcher is a job of one rank.
///
/// ```no_run
/// use gradus_distributed::{Exchange, Reduction, mpi};
/// fn main() -> gradus_distributed::Result<()> {
///     let exchange = Exchange::new(mpi::world()?, 8, Reduction::Exact)?;
///     let parts = exchange.subtrees().iter().map(|subtree| vec![subtree.len() as f32]).collect();
///     assert_eq!(exchange.sum(parts)?, [8.0]);
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// Returns an error if the process has started MPI before, if the library cannot serve several threads at once
/// (`MPI_THREAD_MULTIPLE`), or if the launcher belongs to another MPI.
pub fn world() -> Result<Box<dyn Communicator>> {
    world_in_pieces(i32::MAX as usize)
}

/// As [`world`], with messages of at most so many elements. For tests: MPI's own limit is 2,147,483,647.
///
/// ```no_run
/// let world = gradus_distributed::mpi::world_in_pieces(5)?;
/// # gradus_distributed::Result::Ok(())
/// ```
///
/// # Errors
///
/// As [`world`].
#[doc(hidden)]
pub fn world_in_pieces(limit: usize) -> Result<Box<dyn Communicator>> {
    let Some((universe, threading)) = mpi::initialize_with_threading(Threading::Multiple) else {
        return Err(CommunicationError::new("this process has started MPI before: `world` is called once"));
    };
    let library = mpi::environment::library_version().unwrap_or_default();
    if threading != Threading::Multiple {
        return Err(CommunicationError::new(format!(
            "this MPI serves several threads in no better way than {threading:?}; it takes one with MPI_THREAD_MULTIPLE: {library}"
        )));
    }
    let all = universe.world();
    let (rank, size) = (all.rank() as usize, all.size() as usize);
    launcher::check(size, &library, |name| std::env::var(name).ok())?;
    if !ffi::call_at_exit(end_of_process) {
        return Err(CommunicationError::new("the C library takes in no function for the end of the process (atexit)"));
    }
    RANK.store(rank, Ordering::SeqCst);
    IN_JOB.store(size > 1, Ordering::SeqCst);
    let link = Arc::new(Link(all.duplicate()));
    let process = Process { rank, size, sent: AtomicU64::new(0), ending: Mutex::default(), universe: Some(universe) };
    Ok(Box::new(MpiCommunicator { link, process: Arc::new(process), limit, turn: Mutex::default() }))
}

/// Whether the process belongs to a job whose other ranks would wait for it, and which rank it is. These are global because the end of
/// a process is; no result depends on them.
static IN_JOB: AtomicBool = AtomicBool::new(false);
static RANK: AtomicUsize = AtomicUsize::new(0);

/// Why an exchange of this rank has failed: its end is a consequence.
static FAILED: Mutex<Option<CommunicationError>> = Mutex::new(None);

/// Called by the C library when the process ends, on whichever way but by a signal.
extern "C" fn end_of_process() {
    if !IN_JOB.load(Ordering::SeqCst) {
        return;
    }
    if let Some(error) = &*lock(&FAILED) {
        // The rank that left may still be about to say why.
        thread::sleep(Duration::from_millis(300));
        end_job(&format!("it ended after an exchange had failed ({error})"));
    }
    end_job("its process ended before all ranks had dropped their communicators");
}

/// Says why, and ends all processes of the job.
fn end_job(reason: &str) -> ! {
    IN_JOB.store(false, Ordering::SeqCst);
    let error = CommunicationError::left(RANK.load(Ordering::SeqCst), reason);
    // In one piece, since others write, too. Standard error may be closed, which is no reason not to end the job.
    let _ = std::io::stderr().write_all(format!("gradus: {error}; this ends the job\n").as_bytes());
    // The launcher may drop what it has not read when the job ends.
    thread::sleep(Duration::from_millis(50));
    SimpleCommunicator::world().abort(1)
}

/// What the communicators of a process share. MPI is finalized when the last of them is gone.
struct Process {
    rank: usize,
    size: usize,
    sent: AtomicU64,
    ending: Mutex<Ending>,
    universe: Option<Universe>,
}

/// The communicators that are dropped here.
#[derive(Default)]
struct Ending {
    /// Those that others may not have dropped yet.
    farewells: Vec<Farewell>,
    /// Whether one was dropped after it had failed, or before others were done with it.
    went_wrong: bool,
}

/// A communicator that is dropped here, and the calls of all ranks in the place where this one calls nothing more.
///
/// The communicator must outlive the gathering, and is freed with it.
struct Farewell {
    calls: Pending,
    link: Arc<Link>,
}

struct MpiCommunicator {
    /// Freed before `process`, with which MPI ends.
    link: Arc<Link>,
    process: Arc<Process>,
    /// The largest number of elements in one message.
    limit: usize,
    /// Held during an exchange, so that two threads which share the communicator take turns; has the error of the exchange that failed.
    turn: Mutex<Option<CommunicationError>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ending {
    /// Frees what all ranks have dropped.
    fn settle(&mut self) {
        for Farewell { calls, link } in std::mem::take(&mut self.farewells) {
            match calls.0.test_with_data() {
                Ok((_, calls)) => {
                    let all_left = decode(calls).iter().all(|call| call.operation == Operation::Leave);
                    self.went_wrong |= !all_left;
                    drop(link);
                }
                Err(calls) => self.farewells.push(Farewell { calls: Pending(calls), link }),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let ending = self.ending.get_mut().unwrap_or_else(PoisonError::into_inner);
        wait_until(|| {
            ending.settle();
            ending.farewells.is_empty()
        });
        if ending.went_wrong {
            // MPI would wait for ranks that are out of step. The job ends with the process.
            std::mem::forget(self.universe.take());
        } else {
            IN_JOB.store(false, Ordering::SeqCst);
            drop(self.universe.take());
        }
    }
}

/// Waits for other ranks, which may take long: at first asks at once, later with pauses.
///
/// Between two questions the core is left to others. MPI's own waiting does not do that: with twice as many ranks as cores, each
/// exchange took MPICH some 5 ms.
fn wait_until(mut done: impl FnMut() -> bool) {
    let mut asked = 0_u32;
    while !done() {
        asked += 1;
        if asked < 2000 {
            thread::yield_now();
        } else {
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// Whether the request is complete; if not, it is there again.
fn is_complete<'a, D: ?Sized, S: Scope<'a>>(request: &mut Option<Request<'a, D, S>>) -> bool {
    *request = request.take().and_then(|request| request.test().err());
    request.is_none()
}

/// Waits for what all ranks take part in already: without pauses, because it is this thread that moves the data.
fn complete<'a, D: ?Sized, S: Scope<'a>>(request: Request<'a, D, S>) {
    let mut request = Some(request);
    while !is_complete(&mut request) {
        thread::yield_now();
    }
}

fn decode(words: &[u64]) -> Vec<Call> {
    words.chunks_exact(Call::WORDS).map(Call::from_words).collect()
}

impl MpiCommunicator {
    fn comm(&self) -> &SimpleCommunicator {
        &self.link.0
    }

    /// What all ranks call: each exchange begins with it, so that no rank takes part in an exchange of which another one knows nothing.
    fn agree(&self, failed: &mut Option<CommunicationError>, call: Call) -> Result<Vec<Call>> {
        if let Some(error) = failed {
            return Err(error.clone());
        }
        let own = call.to_words();
        let mut all = vec![0; Call::WORDS * self.process.size];
        scope(|scope| {
            let mut request = Some(self.comm().immediate_all_gather_into(scope, &own[..], &mut all[..]));
            wait_until(|| is_complete(&mut request));
        });
        let calls = decode(&all);
        let left = calls.iter().position(|call| call.operation == Operation::Leave);
        let checked = match left {
            Some(rank) => Err(CommunicationError::left(rank, "its communicator was dropped")),
            None => Call::check(&calls),
        };
        if let Err(error) = checked {
            lock(&FAILED).get_or_insert_with(|| error.clone());
            *failed = Some(error.clone());
            return Err(error);
        }
        Ok(calls)
    }

    fn count(&self, bytes: usize) {
        self.process.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn others(&self) -> usize {
        self.process.size - 1
    }

    /// The own elements to all; `counts` are those of all ranks.
    ///
    /// An empty slice of Rust may lie at any address. That of bytes lies at 1, which Open MPI takes for MPI_IN_PLACE, and two of numbers at
    /// the same address, which it takes for that, too. So here and below an empty slice gets an address of its own: with Open MPI
    /// 4.1.4, a rank that takes part in an all-to-all with nothing is out of step otherwise, and the next exchange never ends.
    fn gather_into<T: Equivalence + Copy + Default>(&self, own: &[T], counts: &[usize], all: &mut [T]) {
        if all.is_empty() {
            return;
        }
        let nowhere = [T::default()];
        let own = if own.is_empty() { &nowhere[..0] } else { own };
        if all.len() <= self.limit {
            let (counts, places) = for_mpi(counts);
            let mut all = PartitionMut::new(all, counts, places);
            scope(|scope| complete(self.comm().immediate_all_gather_varcount_into(scope, own, &mut all)));
        } else {
            self.in_pieces(own, &|_| 0..own.len(), all, counts);
        }
        self.count(size_of_val(own) * self.others());
    }

    fn scatter_into<T: Equivalence + Copy + Default>(
        &self,
        calls: &[Call],
        (own, send_counts): (&[T], &[usize]),
        (received, receive_counts): (&mut [T], &[usize]),
    ) {
        // All ranks must go the same way, so the largest of them decides.
        if calls.iter().all(|call| call.length <= self.limit as u64) {
            let (nowhere, mut nowhere_else) = ([T::default()], [T::default()]);
            let own = if own.is_empty() { &nowhere[..0] } else { own };
            let received = if received.is_empty() { &mut nowhere_else[..0] } else { received };
            let (counts, places) = for_mpi(send_counts);
            let own = Partition::new(own, counts, places);
            let (counts, places) = for_mpi(receive_counts);
            let mut received = PartitionMut::new(received, counts, places);
            scope(|scope| complete(self.comm().immediate_all_to_all_varcount_into(scope, &own, &mut received)));
        } else {
            let places = places(send_counts);
            self.in_pieces(own, &|to| places[to].clone(), received, receive_counts);
        }
        self.count((own.len() - send_counts[self.process.rank]) * size_of::<T>());
    }

    /// All to all by messages of at most `limit` elements from rank to rank, which arrive in the order in which they are sent.
    fn in_pieces<T: Equivalence + Copy + Default>(
        &self,
        own: &[T],
        part_for: &dyn Fn(usize) -> Range<usize>,
        received: &mut [T],
        receive_counts: &[usize],
    ) {
        let (rank, size) = (self.process.rank, self.process.size);
        scope(|scope: &LocalScope<'_>| {
            let mut under_way = Vec::new();
            // Each rank begins with the next one, so that not all send to the same.
            for to in (rank + 1..size).chain(0..rank) {
                for piece in own[part_for(to)].chunks(self.limit) {
                    under_way.push(self.comm().process_at_rank(to as i32).immediate_send(scope, piece));
                }
            }
            let places = places(receive_counts);
            received[places[rank].clone()].copy_from_slice(&own[part_for(rank)]);
            for from in (0..rank).rev().chain((rank + 1..size).rev()) {
                for piece in received[places[from].clone()].chunks_mut(self.limit) {
                    let from = self.comm().process_at_rank(from as i32);
                    mpi::request::scope(|scope| complete(from.immediate_receive_into(scope, piece)));
                }
            }
            under_way.into_iter().for_each(complete);
        });
    }

    fn reduce<T: Equivalence + Copy + Default>(&self, numbers: &mut [T]) {
        let own = numbers.to_vec();
        for (own, sum) in own.chunks(self.limit).zip(numbers.chunks_mut(self.limit)) {
            let sum_all = SystemOperation::sum();
            scope(|scope| complete(self.comm().immediate_all_reduce_into(scope, own, sum, sum_all)));
        }
        self.count(2 * self.others() * size_of_val(numbers) / self.process.size);
    }
}

impl Communicator for MpiCommunicator {
    fn rank(&self) -> usize {
        self.process.rank
    }

    fn size(&self) -> usize {
        self.process.size
    }

    fn duplicate(&self) -> Result<Box<dyn Communicator>> {
        let mut turn = lock(&self.turn);
        self.agree(&mut turn, Call::duplicate())?;
        let link = Arc::new(Link(self.comm().duplicate()));
        // A library has a few thousand communicators: those that are gone make room.
        lock(&self.process.ending).settle();
        Ok(Box::new(MpiCommunicator { link, process: self.process.clone(), limit: self.limit, turn: Mutex::default() }))
    }

    fn barrier(&self) -> Result<()> {
        let mut turn = lock(&self.turn);
        self.agree(&mut turn, Call::barrier()).map(drop)
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()> {
        let call = Call::broadcast(self.size(), root, bytes);
        let mut turn = lock(&self.turn);
        self.agree(&mut turn, call)?;
        for piece in bytes.chunks_mut(self.limit) {
            let root = self.comm().process_at_rank(root as i32);
            scope(|scope| complete(root.immediate_broadcast_into(scope, piece)));
        }
        if self.rank() == root {
            self.count(bytes.len() * self.others());
        }
        Ok(())
    }

    fn all_gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut turn = lock(&self.turn);
        let calls = self.agree(&mut turn, Call::all_gather(own))?;
        let counts: Vec<usize> = calls.iter().map(|call| call.length as usize).collect();
        let mut all = vec![0; counts.iter().sum()];
        self.gather_into(own, &counts, &mut all);
        Ok(places(&counts).into_iter().map(|place| all[place].to_vec()).collect())
    }

    fn all_gather_numbers(&self, own: Numbers<'_>, counts: &[usize], all: NumbersMut<'_>) -> Result<()> {
        let call = Call::all_gather_numbers(self.rank(), self.size(), &own, counts, &all);
        let mut turn = lock(&self.turn);
        self.agree(&mut turn, call)?;
        match (own, all) {
            (Numbers::F32(own), NumbersMut::F32(all)) => self.gather_into(own, counts, all),
            (Numbers::F64(own), NumbersMut::F64(all)) => self.gather_into(own, counts, all),
            _ => unreachable!("the call has one type"),
        }
        Ok(())
    }

    fn all_to_all_numbers(
        &self,
        own: Numbers<'_>,
        send_counts: &[usize],
        received: NumbersMut<'_>,
        receive_counts: &[usize],
    ) -> Result<()> {
        let sides = ((&own, send_counts), (&received, receive_counts));
        let call = Call::all_to_all_numbers(self.rank(), self.size(), sides.0, sides.1);
        let mut turn = lock(&self.turn);
        let calls = self.agree(&mut turn, call)?;
        match (own, received) {
            (Numbers::F32(own), NumbersMut::F32(received)) => {
                self.scatter_into(&calls, (own, send_counts), (received, receive_counts));
            }
            (Numbers::F64(own), NumbersMut::F64(received)) => {
                self.scatter_into(&calls, (own, send_counts), (received, receive_counts));
            }
            _ => unreachable!("the call has one type"),
        }
        Ok(())
    }

    fn all_reduce(&self, numbers: NumbersMut<'_>) -> Result<()> {
        let call = Call::all_reduce(&numbers);
        let mut turn = lock(&self.turn);
        self.agree(&mut turn, call)?;
        match numbers {
            NumbersMut::F32(numbers) => self.reduce(numbers),
            NumbersMut::F64(numbers) => self.reduce(numbers),
        }
        Ok(())
    }

    fn abandon(&self, reason: &str) {
        end_job(reason);
    }

    fn bytes_sent(&self) -> u64 {
        self.process.sent.load(Ordering::Relaxed)
    }
}

impl Drop for MpiCommunicator {
    /// Tells the others and does not wait for them: they may be about to exchange by another communicator first. The last one of a
    /// process waits ([`Process`]).
    fn drop(&mut self) {
        if thread::panicking() && self.process.size > 1 {
            end_job("it panicked");
        }
        let failed = lock(&self.turn).is_some();
        let mut ending = lock(&self.process.ending);
        if failed {
            ending.went_wrong = true;
        } else {
            let own = Vec::leak(Call::leave().to_words().to_vec());
            let all = Vec::leak(vec![0; Call::WORDS * self.process.size]);
            let calls = Pending(self.comm().immediate_all_gather_into(StaticScope, &own[..], all));
            ending.farewells.push(Farewell { calls, link: self.link.clone() });
        }
    }
}

/// Where the parts of these lengths are, one behind the other.
fn places(counts: &[usize]) -> Vec<Range<usize>> {
    let mut end = 0;
    counts
        .iter()
        .map(|count| {
            end += count;
            end - count..end
        })
        .collect()
}

/// Lengths and places of parts, as MPI counts.
fn for_mpi(counts: &[usize]) -> (Vec<i32>, Vec<i32>) {
    let number = |number: usize| i32::try_from(number).expect("what is too long goes in pieces");
    let places = places(counts).into_iter().map(|place| number(place.start)).collect();
    (counts.iter().map(|&count| number(count)).collect(), places)
}
