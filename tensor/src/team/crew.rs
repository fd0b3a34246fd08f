//! The threads of the team: the gate through which helpers enter a region, and the count of callers.

use std::any::Any;
use std::cell::Cell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::thread::yield_now;
use std::time::{Duration, Instant};

use crate::cache::CachePadded;

/// The time that a helper waits for the next region before its thread returns to rayon.
const PATIENCE: Duration = Duration::from_micros(200);
/// The time after which a waiting helper offers its core to other threads between looks at the gate.
const POLITENESS: Duration = Duration::from_micros(20);
/// The looks at the gate between two readings of the clock, or between two offers of the core.
const LOOKS: usize = 64;

/// Fields of [`Crew::gate`]: helpers inside the region, helpers that may still enter, whether it is open, and the
/// number of the region, which keeps a helper from entering the same one twice.
const INSIDE: u64 = 1;
const INSIDE_MASK: u64 = 0xFFFF;
const TICKET: u64 = 1 << 16;
const TICKET_MASK: u64 = 0x7FFF * TICKET;
const OPEN: u64 = 1 << 31;
const NUMBER: u64 = 1 << 32;

/// The most tasks of a region for the team; a larger one is left to its caller, because the fields of [`Region::claimed`] would
/// overflow.
const MOST_TASKS: usize = 1 << 30;
/// Added to [`Region::claimed`] for a task taken from the front, or from the back.
const FRONT: u64 = 1;
const BACK: u64 = 1 << 32;
/// Set in [`Region::claimed`] to make every further claim fail: the front is then past any number of tasks.
const ABANDONED: u64 = 1 << 31;

/// The unit of [`Crew::crowd`]: one caller.
const CALLER: usize = 256;
/// A quarter of a caller more on average counts as another caller.
const ROUND_UP: usize = CALLER / 4 * 3;
/// The regions over which the number of callers is averaged.
const MEMORY: usize = 16;

thread_local! {
    /// Whether this thread is at work on a region. It then runs the tasks of a region within itself.
    static AT_WORK: Cell<bool> = const { Cell::new(false) };
}

static CREW: Crew = Crew {
    taken: CachePadded(AtomicBool::new(false)),
    helpers: AtomicUsize::new(0),
    gate: CachePadded(AtomicU64::new(0)),
    region: AtomicPtr::new(ptr::null_mut()),
    callers: CachePadded(AtomicUsize::new(0)),
    crowd: AtomicUsize::new(CALLER),
};

/// The one team of the process.
///
/// Invariants:
/// 1. Only the thread that has set `taken` changes `region`, opens or closes the gate, or spawns helpers.
/// 2. While the gate is open, or counts a helper inside, `region` points to a live [`Region`].
/// 3. A helper touches the region only between entering the gate and leaving it.
struct Crew {
    taken: CachePadded<AtomicBool>,
    /// Helpers spawned onto rayon that have not ended, begun or not.
    helpers: AtomicUsize,
    gate: CachePadded<AtomicU64>,
    region: AtomicPtr<Region<'static>>,
    /// Threads that are in a call of `run`, with helpers or alone.
    callers: CachePadded<AtomicUsize>,
    /// The recent average of `callers` at the beginning of a region. Updates may be lost.
    crowd: AtomicUsize,
}

/// The result of [`run`].
pub(super) enum Outcome {
    /// All tasks are done.
    Done,
    /// The caller is to run the tasks by itself, and counts as a caller meanwhile unless it is at work on another region.
    Alone(Option<Caller>),
}

/// A thread in a call of `run`.
pub(super) struct Caller(());

impl Caller {
    /// Counts this thread as a caller; returns the recent number of callers too.
    fn enter() -> (Caller, usize) {
        AT_WORK.set(true);
        let callers = CREW.callers.0.fetch_add(1, Ordering::Relaxed) + 1;
        let before = CREW.crowd.load(Ordering::Relaxed);
        let crowd = before - before / MEMORY + callers * (CALLER / MEMORY);
        CREW.crowd.store(crowd, Ordering::Relaxed);
        (Caller(()), (crowd + ROUND_UP) / CALLER)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        CREW.callers.0.fetch_sub(1, Ordering::Relaxed);
        AT_WORK.set(false);
    }
}

/// One call of `run`, on the stack of its caller.
struct Region<'a> {
    body: &'a (dyn Fn(usize) + Sync),
    tasks: usize,
    /// Tasks taken from the front in the lower half, from the back in the upper half. The caller takes the front
    /// and helpers the back, so that in a loop of like regions each core meets the data that its cache holds.
    claimed: CachePadded<AtomicU64>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Region<'_> {
    /// Works on tasks from one end until none is left. A panic is kept for the caller.
    fn work(&self, end: u64) {
        let work = || {
            loop {
                let claimed = self.claimed.0.fetch_add(end, Ordering::Relaxed);
                let (front, back) = ((claimed % BACK) as usize, (claimed / BACK) as usize);
                if front + back >= self.tasks {
                    return;
                }
                (self.body)(if end == FRONT { front } else { self.tasks - 1 - back });
            }
        };
        // The panic resumes in the caller, which owns or has lent all values that the tasks may have left half written.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            self.claimed.0.fetch_or(ABANDONED, Ordering::Relaxed);
            let mut first = self.panic.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match *first {
                None => *first = Some(panic),
                // Dropping a panic's payload runs foreign code, which might panic where a helper must not.
                Some(_) => std::mem::forget(panic),
            }
        }
    }
}

/// Runs the tasks on the team, if it is free and there are more cores than callers.
pub(super) fn run(tasks: usize, body: &(dyn Fn(usize) + Sync)) -> Outcome {
    let threads = rayon_core::current_num_threads();
    if threads == 1 || tasks > MOST_TASKS || AT_WORK.get() {
        return Outcome::Alone(None);
    }
    let (caller, callers) = Caller::enter();
    let helpers = threads.saturating_sub(callers).min(tasks - 1).min(0x7FFF);
    // Callers that find the team taken only read the flag, so its line stays in all their caches.
    if helpers == 0 || CREW.taken.0.load(Ordering::Relaxed) || CREW.taken.0.swap(true, Ordering::Acquire) {
        return Outcome::Alone(Some(caller));
    }
    let region = Region { body, tasks, claimed: CachePadded(AtomicU64::new(0)), panic: Mutex::new(None) };
    CREW.open(&region, helpers);
    region.work(FRONT);
    CREW.close();
    CREW.taken.0.store(false, Ordering::Release);
    if let Some(panic) = region.panic.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        resume_unwind(panic);
    }
    Outcome::Done
}

impl Crew {
    /// Opens the gate to the region for up to `helpers` helpers, and spawns those that are missing.
    fn open(&self, region: &Region<'_>, helpers: usize) {
        // The pointer outlives the region, but is followed only while the region lives (invariants 2 and 3).
        self.region.store(ptr::from_ref(region).cast_mut().cast(), Ordering::Relaxed);
        for _ in self.helpers.load(Ordering::Relaxed)..helpers {
            self.helpers.fetch_add(1, Ordering::Relaxed);
            rayon_core::spawn(|| CREW.help());
        }
        let number = (self.gate.0.load(Ordering::Relaxed) & !(NUMBER - 1)).wrapping_add(NUMBER);
        self.gate.0.store(number | OPEN | (helpers as u64 * TICKET), Ordering::Release);
    }

    /// Closes the gate and waits until no helper is inside.
    fn close(&self) {
        let mut gate = self.gate.0.fetch_and(!OPEN, Ordering::Acquire);
        let mut looks = 0;
        while gate & INSIDE_MASK != 0 {
            looks += 1;
            if looks % LOOKS == 0 {
                yield_now()
            } else {
                spin_loop()
            }
            gate = self.gate.0.load(Ordering::Acquire);
        }
    }

    /// Works on one region after another until none has opened for a while.
    fn help(&self) {
        let mut served = 0;
        let mut since = Instant::now();
        let mut looks = 0;
        loop {
            let gate = self.gate.0.load(Ordering::Relaxed);
            if gate & OPEN != 0 && gate & TICKET_MASK != 0 && gate / NUMBER != served {
                if self.enter(gate) {
                    served = gate / NUMBER;
                    since = Instant::now();
                }
                continue;
            }
            spin_loop();
            looks += 1;
            if looks % LOOKS == 0 {
                let waited = since.elapsed();
                if waited > PATIENCE {
                    break;
                }
                if waited > POLITENESS {
                    yield_now();
                }
            }
        }
        self.helpers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Enters the region if the gate has not changed since it was read as `gate`, works there and leaves. Returns whether it
    /// entered.
    fn enter(&self, gate: u64) -> bool {
        let inside = gate - TICKET + INSIDE;
        if self.gate.0.compare_exchange(gate, inside, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        // SAFETY: the gate was open and now counts this helper inside. The caller closes the gate and waits until
        // no helper is inside before its region ends, so the pointer, written before the gate was opened (release,
        // and acquired above), points to a live region until the decrement below.
        let region = unsafe { &*self.region.load(Ordering::Relaxed) };
        AT_WORK.set(true);
        region.work(BACK);
        AT_WORK.set(false);
        self.gate.0.fetch_sub(INSIDE, Ordering::Release);
        true
    }
}
