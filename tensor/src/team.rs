//! The worker team: numbered tasks shared among threads, with a hand-over fast enough for regions of some 100 µs.
//!
//! rayon owns the threads and decides how many there are, so `RAYON_NUM_THREADS` and `ThreadPool::install` have their usual
//! meaning. But waking a sleeping thread takes some 25 µs, about as long as the tasks of a small training step. So a thread that
//! has helped with a region (one call of [`run`]) spins for a while, ready for the next region, before it returns to rayon.
//!
//! Threads that call [`run`] side by side, as several that predict, are counted, and each region gets that many helpers fewer:
//! with as many callers as cores each caller works alone. A helper beyond the number of cores would be interrupted in the
//! middle of a task, and its caller would wait for it.
//!
//! The caller cuts the work into tasks. If it cuts by size alone, results are the same bits for any number of threads.

#[cfg(feature = "parallel")]
mod crew;

use std::ops::Range;

use crate::kernels::Shared;

/// Calls `body` once for each index in `0..tasks`, in any order and possibly on several threads, and returns when all
/// are done.
///
/// There is one team in the process, and it works on one region at a time. A caller that finds it busy, be it another thread or
/// a task that itself calls `run`, runs its tasks in order on its own thread.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let sum = AtomicUsize::new(0);
/// gradus_tensor::team::run(10, |task| {
///     sum.fetch_add(task, Ordering::Relaxed);
/// });
/// assert_eq!(sum.into_inner(), 45);
/// ```
///
/// # Panics
///
/// If a task panics, with that task's panic, after every thread has left; tasks that had not begun are skipped.
pub fn run(tasks: usize, body: impl Fn(usize) + Sync) {
    run_each(tasks, &body);
}

// Apart from the above, so that it is compiled once and not for each body.
fn run_each(tasks: usize, body: &(dyn Fn(usize) + Sync)) {
    #[cfg(feature = "parallel")]
    let _caller = match tasks {
        0 | 1 => None,
        _ => match crew::run(tasks, body) {
            crew::Outcome::Done => return,
            crew::Outcome::Alone(caller) => caller,
        },
    };
    (0..tasks).for_each(body);
}

/// Cuts `0..len` into ranges of length `chunk` (the last may be shorter) and calls `body` once for each, as [`run`] does.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// let sum = AtomicUsize::new(0);
/// // Ranges of 4, 4 and 2 numbers, on as many threads as there are.
/// gradus_tensor::team::split(10, 4, |range| {
///     sum.fetch_add(range.sum(), Ordering::Relaxed);
/// });
/// assert_eq!(sum.into_inner(), 45);
/// ```
///
/// # Panics
///
/// If `chunk` is 0, and where [`run`] panics.
pub fn split(len: usize, chunk: usize, body: impl Fn(Range<usize>) + Sync) {
    run(len.div_ceil(chunk), |task| {
        let start = task * chunk;
        body(start..len.min(start + chunk));
    });
}

/// Calls `body` once with each item, as [`run`] does.
///
/// ```
/// let mut numbers = [1, 2, 3];
/// gradus_tensor::team::for_each(&mut numbers, |number| *number *= 10);
/// assert_eq!(numbers, [10, 20, 30]);
/// ```
///
/// # Panics
///
/// Where [`run`] panics.
pub fn for_each<T: Send>(items: &mut [T], body: impl Fn(&mut T) + Sync) {
    let (count, items) = (items.len(), Shared::new(items));
    // SAFETY: each item belongs to one task, and the slice is borrowed until all have ended.
    run(count, |task| body(&mut unsafe { items.part(task, 1) }[0]));
}

/// The number of threads that may work on the tasks of one [`run`], the caller's included.
///
/// ```
/// assert!(gradus_tensor::team::threads() >= 1);
/// ```
pub fn threads() -> usize {
    #[cfg(feature = "parallel")]
    let threads = rayon_core::current_num_threads();
    #[cfg(not(feature = "parallel"))]
    let threads = 1;
    threads
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Runs `test` in pools of several sizes, more threads than cores among them.
    fn in_pools(test: impl Fn() + Sync) {
        #[cfg(feature = "parallel")]
        for threads in [1, 2, 3, 8] {
            let pool = rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(&test);
        }
        test();
    }

    /// How often each task ran, which must be once.
    fn assert_each_once(tasks: usize) {
        let counts: Vec<_> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
        run(tasks, |task| {
            counts[task].fetch_add(1, Ordering::Relaxed);
        });
        for (task, count) in counts.into_iter().enumerate() {
            assert_eq!(count.into_inner(), 1, "task {task} of {tasks}");
        }
    }

    #[test]
    fn each_task_runs_once() {
        in_pools(|| [0, 1, 2, 3, 7, 64, 1000].into_iter().for_each(assert_each_once));
    }

    #[test]
    fn each_item_is_changed_once() {
        in_pools(|| {
            let mut names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
            for_each(&mut names, |name| name.push('!'));
            assert!(names.iter().enumerate().all(|(number, name)| *name == format!("{number}!")));
            for_each(&mut names[..0], |_| unreachable!());
        });
    }

    #[test]
    fn many_small_regions() {
        in_pools(|| {
            let sum = AtomicUsize::new(0);
            for _ in 0..25_000 {
                run(3, |task| {
                    sum.fetch_add(task + 1, Ordering::Relaxed);
                });
            }
            assert_eq!(sum.into_inner(), 25_000 * 6);
        });
    }

    #[test]
    fn a_task_may_run_tasks() {
        in_pools(|| {
            let sum = AtomicUsize::new(0);
            run(20, |outer| {
                run(10, |inner| {
                    sum.fetch_add(outer * inner, Ordering::Relaxed);
                });
            });
            assert_eq!(sum.into_inner(), 190 * 45);
        });
    }

    #[test]
    fn callers_from_several_threads() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for tasks in 0..300 {
                        assert_each_once(tasks);
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_team_whole() {
        in_pools(|| {
            for bad in [0, 5, 19] {
                let panic = catch_unwind(AssertUnwindSafe(|| {
                    run(20, |task| {
                        assert!(task != bad, "task {task} is bad");
                    });
                }))
                .unwrap_err();
                assert_eq!(*panic.downcast::<String>().unwrap(), format!("task {bad} is bad"));
                assert_each_once(20);
            }
        });
    }

    #[test]
    fn every_task_may_panic() {
        in_pools(|| {
            for _ in 0..20 {
                catch_unwind(AssertUnwindSafe(|| run(8, |_| std::panic::resume_unwind(Box::new(()))))).unwrap_err();
            }
            assert_each_once(8);
        });
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn one_thread_means_this_thread() {
        let pool = rayon_core::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        pool.install(|| {
            let here = std::thread::current().id();
            run(100, |_| assert_eq!(std::thread::current().id(), here));
        });
    }

    #[test]
    fn split_covers_the_range_in_fixed_chunks() {
        let ends: Vec<_> = (0..4).map(|_| AtomicUsize::new(0)).collect();
        split(10, 3, |range| ends[range.start / 3].store(range.end, Ordering::Relaxed));
        let ends: Vec<_> = ends.into_iter().map(AtomicUsize::into_inner).collect();
        assert_eq!(ends, [3, 6, 9, 10]);
        split(0, 3, |_| unreachable!());
    }
}
