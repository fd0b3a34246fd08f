//! Ranks that are threads of one process: for tests, and to see on one machine what a program does on several.
//!
//! [`run`] starts the threads, [`communicators`] is for those that a program starts by itself. A rank that waits sleeps. In this
//! engine every failure is an error: when a rank panics or drops its communicator, the exchanges of the others say so.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;

use crate::call::Call;
use crate::{CommunicationError, Communicator, Numbers, NumbersMut, Result};

/// Runs `work` on `size` threads at once, each with the communicator of its rank, and returns what they return, in the order of ranks.
///
/// ```
/// use gradus_distributed::{NumbersMut, threads};
/// let sums = threads::run(4, |communicator| {
///     let mut sum = [communicator.rank() as f32];
///     communicator.all_reduce(NumbersMut::of(&mut sum)).map(|()| sum)
/// });
/// assert_eq!(sums, [Ok([6.0]), Ok([6.0]), Ok([6.0]), Ok([6.0])]);
/// ```
///
/// # Panics
///
/// Panics if `size` is 0. A panic of a rank goes on here, when all have ended; of several, that of the rank that left first.
pub fn run<R: Send>(size: usize, work: impl Fn(Box<dyn Communicator>) -> R + Sync) -> Vec<R> {
    let world = World::new(size);
    let communicators = world.communicators();
    let work = &work;
    let mut outcomes: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..)
            .zip(communicators)
            .map(|(rank, communicator): (usize, _)| {
                let thread = thread::Builder::new().name(format!("rank {rank}"));
                thread.spawn_scoped(scope, move || work(communicator)).expect("the system starts a thread")
            })
            .collect();
        workers.into_iter().map(|worker| worker.join()).collect()
    });
    let first = lock(&world.members).first_gone.filter(|&rank| outcomes[rank].is_err());
    if let Some(rank) = first.or_else(|| outcomes.iter().position(|outcome| outcome.is_err()))
        && let Err(panic) = outcomes.swap_remove(rank)
    {
        resume_unwind(panic);
    }
    outcomes.into_iter().flatten().collect()
}

/// The communicators of `size` ranks, in their order, each for a thread of its own.
///
/// One of a single rank is what a program takes that runs alone: its exchanges move nothing and never wait.
///
/// ```
/// use gradus_distributed::threads;
/// let workers: Vec<_> = threads::communicators(2)
///     .into_iter()
///     .map(|communicator| std::thread::spawn(move || communicator.all_gather(&[communicator.rank() as u8])))
///     .collect();
/// for worker in workers {
///     assert_eq!(worker.join().unwrap().unwrap(), [[0], [1]]);
/// }
/// ```
///
/// # Panics
///
/// Panics if `size` is 0.
pub fn communicators(size: usize) -> Vec<Box<dyn Communicator>> {
    World::new(size).communicators()
}

/// All ranks together.
struct World {
    size: usize,
    /// Bytes sent, by rank.
    sent: Vec<AtomicU64>,
    /// Locked before the state of a group, never after.
    members: Mutex<Members>,
}

struct Members {
    groups: Vec<Weak<Group>>,
    /// Why a rank takes no further part in any group.
    gone: Vec<Option<String>>,
    first_gone: Option<usize>,
}

/// A communicator as all its ranks see it: where they meet.
struct Group {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// What the ranks that have arrived bring to the meeting that is under way.
    posts: Vec<Option<Post>>,
    /// How many meetings have come about, and the last of them. The next one needs every rank, so nobody misses one.
    round: u64,
    last: Arc<Meeting>,
    /// Why a rank takes no further part.
    gone: Vec<Option<String>>,
    /// Why there are no further meetings.
    failed: Option<CommunicationError>,
}

#[derive(Default)]
struct Meeting {
    posts: Vec<Post>,
    /// What a meeting for `duplicate` is about: made by the rank that leaves it first.
    duplicate: OnceLock<Arc<Group>>,
}

struct Post {
    call: Call,
    payload: Payload,
    /// The lengths of the parts for each rank, where there are such.
    counts: Vec<usize>,
}

enum Payload {
    Bytes(Vec<u8>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

struct ThreadCommunicator {
    rank: usize,
    world: Arc<World>,
    group: Arc<Group>,
    /// Held during an exchange, so that two threads which share the communicator take turns.
    turn: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn new(size: usize) -> Arc<World> {
        assert!(size > 0, "there is at least one rank: 0");
        let members = Members { groups: Vec::new(), gone: vec![None; size], first_gone: None };
        Arc::new(World { size, sent: (0..size).map(|_| AtomicU64::new(0)).collect(), members: Mutex::new(members) })
    }

    fn communicators(self: &Arc<World>) -> Vec<Box<dyn Communicator>> {
        let group = self.new_group();
        (0..self.size)
            .map(|rank| Box::new(ThreadCommunicator::new(rank, self.clone(), group.clone())) as Box<dyn Communicator>)
            .collect()
    }

    fn new_group(&self) -> Arc<Group> {
        let mut members = lock(&self.members);
        let group = Arc::new(Group {
            state: Mutex::new(State {
                posts: (0..self.size).map(|_| None).collect(),
                round: 0,
                last: Arc::default(),
                gone: members.gone.clone(),
                failed: None,
            }),
            changed: Condvar::new(),
        });
        members.groups.retain(|group| group.strong_count() > 0);
        members.groups.push(Arc::downgrade(&group));
        group
    }

    /// The rank takes no further part in anything.
    fn leave(&self, rank: usize, reason: &str) {
        let mut members = lock(&self.members);
        members.first_gone.get_or_insert(rank);
        members.gone[rank].get_or_insert_with(|| reason.to_owned());
        for group in members.groups.iter().filter_map(Weak::upgrade) {
            group.leave(rank, reason);
        }
    }
}

impl Group {
    fn leave(&self, rank: usize, reason: &str) {
        lock(&self.state).gone[rank].get_or_insert_with(|| reason.to_owned());
        self.changed.notify_all();
    }
}

impl State {
    /// Opens the meeting when all are here.
    fn open_when_complete(&mut self) {
        if self.posts.iter().any(Option::is_none) {
            return;
        }
        let posts: Vec<Post> = self.posts.iter_mut().filter_map(Option::take).collect();
        match Call::check(&posts.iter().map(|post| post.call).collect::<Vec<_>>()) {
            Ok(()) => {
                self.round += 1;
                self.last = Arc::new(Meeting { posts, duplicate: OnceLock::new() });
            }
            Err(error) => self.failed = Some(error),
        }
    }

    /// Nobody waits for a rank that is gone.
    fn fail_if_one_is_missing_for_ever(&mut self) -> Result<()> {
        if self.failed.is_none() {
            let missing = (0..).zip(&self.posts).zip(&self.gone).filter(|((_, post), _)| post.is_none());
            let gone = missing.filter_map(|((rank, _), gone)| gone.as_ref().map(|reason| (rank, reason))).next();
            self.failed = gone.map(|(rank, reason)| CommunicationError::left(rank, reason));
        }
        self.failed.clone().map_or(Ok(()), Err)
    }
}

impl ThreadCommunicator {
    fn new(rank: usize, world: Arc<World>, group: Arc<Group>) -> Self {
        ThreadCommunicator { rank, world, group, turn: Mutex::new(()) }
    }

    /// Brings something to the next meeting, and waits until it is complete.
    fn meet(&self, call: Call, payload: Payload, counts: &[usize]) -> Result<Arc<Meeting>> {
        let mut state = lock(&self.group.state);
        state.fail_if_one_is_missing_for_ever()?;
        let round = state.round;
        state.posts[self.rank] = Some(Post { call, payload, counts: counts.to_vec() });
        state.open_when_complete();
        if state.round == round && state.failed.is_none() {
            while state.round == round && state.fail_if_one_is_missing_for_ever().is_ok() {
                state = self.group.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        // The last one to come wakes all, and so does the first one to see a failure.
        self.group.changed.notify_all();
        if state.round == round {
            return Err(state.failed.clone().expect("a meeting comes about or fails"));
        }
        Ok(state.last.clone())
    }

    fn count(&self, bytes: usize) {
        self.world.sent[self.rank].fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn others(&self) -> usize {
        self.world.size - 1
    }

    fn gather_into<T: Carried>(&self, call: Call, own: &[T], all: &mut [T]) -> Result<()> {
        let meeting = self.meet(call, T::payload(own.to_vec()), &[])?;
        let mut rest = all;
        for post in &meeting.posts {
            let part = T::of(&post.payload);
            let (place, behind) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = behind;
        }
        self.count(size_of_val(own) * self.others());
        Ok(())
    }

    fn scatter_into<T: Carried>(&self, call: Call, own: &[T], counts: &[usize], received: &mut [T]) -> Result<()> {
        let meeting = self.meet(call, T::payload(own.to_vec()), counts)?;
        let mut rest = received;
        for post in &meeting.posts {
            let start = post.counts[..self.rank].iter().sum::<usize>();
            let part = &T::of(&post.payload)[start..][..post.counts[self.rank]];
            let (place, behind) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = behind;
        }
        self.count((own.len() - counts[self.rank]) * size_of::<T>());
        Ok(())
    }

    /// Each rank sums a slice, in the order of ranks; then all gather the slices.
    fn reduce<T: Carried>(&self, call: Call, numbers: &mut [T]) -> Result<()> {
        let meeting = self.meet(call, T::payload(numbers.to_vec()), &[])?;
        let size = self.world.size;
        let slice = numbers.len() * self.rank / size..numbers.len() * (self.rank + 1) / size;
        let mut sum = T::of(&meeting.posts[0].payload)[slice.clone()].to_vec();
        for post in &meeting.posts[1..] {
            for (sum, &number) in sum.iter_mut().zip(&T::of(&post.payload)[slice.clone()]) {
                *sum += number;
            }
        }
        let slices = self.meet(call, T::payload(sum), &[])?;
        let mut rest = &mut *numbers;
        for post in &slices.posts {
            let (place, behind) = rest.split_at_mut(T::of(&post.payload).len());
            place.copy_from_slice(T::of(&post.payload));
            rest = behind;
        }
        self.count(2 * self.others() * size_of_val(numbers) / size);
        Ok(())
    }
}

impl Communicator for ThreadCommunicator {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.world.size
    }

    fn duplicate(&self) -> Result<Box<dyn Communicator>> {
        let _turn = lock(&self.turn);
        let meeting = self.meet(Call::duplicate(), Payload::Bytes(Vec::new()), &[])?;
        let group = meeting.duplicate.get_or_init(|| self.world.new_group());
        Ok(Box::new(ThreadCommunicator::new(self.rank, self.world.clone(), group.clone())))
    }

    fn barrier(&self) -> Result<()> {
        let _turn = lock(&self.turn);
        self.meet(Call::barrier(), Payload::Bytes(Vec::new()), &[]).map(drop)
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()> {
        let call = Call::broadcast(self.size(), root, bytes);
        let _turn = lock(&self.turn);
        let is_root = self.rank == root;
        let meeting = self.meet(call, Payload::Bytes(if is_root { bytes.to_vec() } else { Vec::new() }), &[])?;
        if is_root {
            self.count(bytes.len() * self.others());
        } else {
            bytes.copy_from_slice(u8::of(&meeting.posts[root].payload));
        }
        Ok(())
    }

    fn all_gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let _turn = lock(&self.turn);
        let meeting = self.meet(Call::all_gather(own), Payload::Bytes(own.to_vec()), &[])?;
        self.count(own.len() * self.others());
        Ok(meeting.posts.iter().map(|post| u8::of(&post.payload).to_vec()).collect())
    }

    fn all_gather_numbers(&self, own: Numbers<'_>, counts: &[usize], all: NumbersMut<'_>) -> Result<()> {
        let call = Call::all_gather_numbers(self.rank, self.size(), &own, counts, &all);
        let _turn = lock(&self.turn);
        match (own, all) {
            (Numbers::F32(own), NumbersMut::F32(all)) => self.gather_into(call, own, all),
            (Numbers::F64(own), NumbersMut::F64(all)) => self.gather_into(call, own, all),
            _ => unreachable!("the call has one type"),
        }
    }

    fn all_to_all_numbers(
        &self,
        own: Numbers<'_>,
        send_counts: &[usize],
        received: NumbersMut<'_>,
        receive_counts: &[usize],
    ) -> Result<()> {
        let sides = ((&own, send_counts), (&received, receive_counts));
        let call = Call::all_to_all_numbers(self.rank, self.size(), sides.0, sides.1);
        let _turn = lock(&self.turn);
        match (own, received) {
            (Numbers::F32(own), NumbersMut::F32(received)) => self.scatter_into(call, own, send_counts, received),
            (Numbers::F64(own), NumbersMut::F64(received)) => self.scatter_into(call, own, send_counts, received),
            _ => unreachable!("the call has one type"),
        }
    }

    fn all_reduce(&self, numbers: NumbersMut<'_>) -> Result<()> {
        let call = Call::all_reduce(&numbers);
        let _turn = lock(&self.turn);
        match numbers {
            NumbersMut::F32(numbers) => self.reduce(call, numbers),
            NumbersMut::F64(numbers) => self.reduce(call, numbers),
        }
    }

    fn abandon(&self, reason: &str) {
        self.world.leave(self.rank, reason);
    }

    fn bytes_sent(&self) -> u64 {
        self.world.sent[self.rank].load(Ordering::Relaxed)
    }
}

impl Drop for ThreadCommunicator {
    fn drop(&mut self) {
        if thread::panicking() {
            self.world.leave(self.rank, "it panicked");
        } else {
            self.group.leave(self.rank, "its communicator was dropped");
        }
    }
}

/// What a [`Payload`] can be of.
trait Carried: Copy + std::ops::AddAssign {
    fn payload(values: Vec<Self>) -> Payload;
    fn of(payload: &Payload) -> &[Self];
}

macro_rules! carried {
    ($($type:ident: $Variant:ident),*) => {$(
        impl Carried for $type {
            fn payload(values: Vec<Self>) -> Payload {
                Payload::$Variant(values)
            }

            fn of(payload: &Payload) -> &[Self] {
                match payload {
                    Payload::$Variant(values) => values,
                    _ => unreachable!("the ranks of a meeting call the same"),
                }
            }
        }
    )*};
}

carried!(u8: Bytes, f32: F32, f64: F64);
