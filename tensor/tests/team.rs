//! The worker team by itself in a process, where no other test calls it.
#![cfg(feature = "parallel")]

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gradus_tensor::team::run;

/// Whether two tasks run at once: each waits for the other to begin.
fn another_thread_helps() -> bool {
    let (begun, alone) = (AtomicUsize::new(0), AtomicUsize::new(0));
    run(2, |_| {
        begun.fetch_add(1, Ordering::SeqCst);
        let since = Instant::now();
        while begun.load(Ordering::SeqCst) < 2 {
            if since.elapsed() > Duration::from_millis(100) {
                alone.fetch_add(1, Ordering::SeqCst);
                break;
            }
            thread::yield_now();
        }
    });
    alone.into_inner() == 0
}

/// The share of tasks that ran on another thread than their caller's, when `callers` threads call at once.
fn helped(callers: usize) -> f64 {
    const REGIONS: usize = 400;
    const TASKS: usize = 4;
    let (ready, done, helped) = (Barrier::new(callers), AtomicUsize::new(0), AtomicUsize::new(0));
    let region = |counts: bool| {
        let here = thread::current().id();
        run(TASKS, |_| {
            // Asleep, so that helpers get tasks even if there are fewer cores than threads.
            thread::sleep(Duration::from_micros(50));
            helped.fetch_add(usize::from(counts && thread::current().id() != here), Ordering::Relaxed);
        });
    };
    thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                ready.wait();
                // The first regions tell how many callers there are.
                (0..REGIONS).for_each(|number| region(number >= REGIONS / 2));
                done.fetch_add(1, Ordering::Relaxed);
                // All call until the last is done.
                while done.load(Ordering::Relaxed) < callers {
                    region(false);
                }
            });
        }
    });
    helped.into_inner() as f64 / (callers * REGIONS / 2 * TASKS) as f64
}

#[test]
fn helpers_come_where_there_are_more_threads_than_callers() {
    rayon_core::ThreadPoolBuilder::new().num_threads(3).build_global().unwrap();
    assert!((0..10).any(|_| another_thread_helps()));
    // Three callers on three threads work alone.
    let share = helped(3);
    assert!(share < 0.1, "{share}");
    // A caller that is alone again is helped again, after the few regions in which the average falls.
    (0..100).for_each(|_| run(2, |_| ()));
    assert!((0..10).any(|_| another_thread_helps()));
}
