//! Items of an iterator, such as batches, made in advance on threads.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// The items of an iterator, made in advance by one thread or several: the same items in the same order.
///
/// [`Batches::prefetch`](crate::Batches::prefetch) makes one of batches. Around a `map` of the program's own it is made
/// directly:
///
/// ```
/// use gradus_datasets::{Dataset, Prefetch};
/// use gradus_tensor::Tensor;
/// let numbers = Dataset::new(Tensor::arange(0.0, 6.0, 1.0), Tensor::arange(0.0, 6.0, 1.0))?;
/// let doubled = Prefetch::new(numbers.batches(4).map(|batch| batch.inputs * 2.0), 2);
/// assert_eq!(doubled.last(), Some(Tensor::new([8.0, 10.0])));
/// # Ok::<(), gradus_datasets::DatasetError>(())
/// ```
///
/// Dropped early, it ends its threads. A panic on a thread goes on in the call of `next` that asks for its item.
pub struct Prefetch<T> {
    /// The first worker makes the next item. None are left once the items have ended.
    workers: VecDeque<Worker<T>>,
    /// The iterator's size hint, less the items that were taken.
    size_hint: (usize, Option<usize>),
}

struct Worker<T> {
    items: Receiver<T>,
    thread: JoinHandle<()>,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Makes up to `ahead` items in advance, at least one.
    ///
    /// # Panics
    /// If the system has no thread to give.
    pub fn new(items: impl Iterator<Item = T> + Send + 'static, ahead: usize) -> Self {
        let size_hint = items.size_hint();
        Prefetch { workers: [Worker::new(items, ahead)].into(), size_hint }
    }

    /// As [`new`](Prefetch::new), on several threads; each makes the items of its turn and goes past the others by `nth`.
    pub(crate) fn shared(
        items: impl Iterator<Item = T> + Clone + Send + 'static,
        threads: usize,
        ahead: usize,
    ) -> Self {
        let size_hint = items.size_hint();
        Self::on_threads(threads, ahead, size_hint, |turn, threads| items.clone().skip(turn).step_by(threads))
    }

    /// Items made of the items of an iterator that only one thread at a time may ask: the threads take turns to ask, and
    /// make their items side by side.
    pub(crate) fn staged<R: 'static>(
        items: impl Iterator<Item = R> + Send + 'static,
        make: impl Fn(R) -> T + Clone + Send + 'static,
        threads: usize,
        ahead: usize,
    ) -> Self {
        let size_hint = items.size_hint();
        let turns = Arc::new(Turns { state: Mutex::new((items, Some(0))), changed: Condvar::new() });
        Self::on_threads(threads, ahead, size_hint, |turn, step| {
            Turn { turns: Arc::clone(&turns), next: turn, step }.map(make.clone())
        })
    }

    /// Threads that take turns, at least one: `items(turn, threads)` gives the items of one of them.
    fn on_threads<I: Iterator<Item = T> + Send + 'static>(
        threads: usize,
        ahead: usize,
        size_hint: (usize, Option<usize>),
        items: impl Fn(usize, usize) -> I,
    ) -> Self {
        let threads = threads.max(1);
        let workers = (0..threads).map(|turn| {
            // The first `ahead % threads` workers make one more in advance than the others.
            let share = (ahead + threads - 1 - turn) / threads;
            Worker::new(items(turn, threads), share)
        });
        Prefetch { workers: workers.collect(), size_hint }
    }
}

/// An iterator whose items are asked for in turn.
struct Turns<I> {
    /// The iterator and the number of the next item; `None` once a thread has ended.
    state: Mutex<(I, Option<usize>)>,
    changed: Condvar,
}

/// The items of every `step`-th turn, from `next` on.
struct Turn<I> {
    turns: Arc<Turns<I>>,
    next: usize,
    step: usize,
}

impl<I: Iterator> Iterator for Turn<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        // A thread that panicked over an item has ended the items.
        let mut state = self.turns.state.lock().ok()?;
        while state.1? != self.next {
            state = self.turns.changed.wait(state).ok()?;
        }
        let item = state.0.next();
        state.1 = item.is_some().then_some(self.next + 1);
        self.next += self.step;
        self.turns.changed.notify_all();
        item
    }
}

impl<I> Drop for Turn<I> {
    /// Ends the items of the others: nobody waits for the turns of a thread that has ended.
    fn drop(&mut self) {
        let mut state = self.turns.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 = None;
        self.turns.changed.notify_all();
    }
}

impl<T: Send + 'static> Worker<T> {
    fn new(items: impl Iterator<Item = T> + Send + 'static, ahead: usize) -> Self {
        // The thread holds one item while it waits for room, so the channel holds one fewer than are made ahead.
        let (sender, receiver) = sync_channel(ahead.saturating_sub(1));
        let make = move || {
            for item in items {
                if sender.send(item).is_err() {
                    // Nobody wants the rest.
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("prefetch".into()).spawn(make).expect("the system starts a thread");
        Worker { items: receiver, thread }
    }
}

impl<T> Prefetch<T> {
    /// Ends all threads, and returns the panic, if there is one, of the thread that makes the next item.
    fn end(&mut self) -> Option<Box<dyn Any + Send>> {
        // First all channels, so that threads that wait for room find out.
        let threads: Vec<JoinHandle<()>> = self.workers.drain(..).map(|worker| worker.thread).collect();
        // A panic over an item that nobody asked for is dropped.
        let mut ends = threads.into_iter().map(JoinHandle::join);
        let first = ends.next()?.err();
        ends.for_each(drop);
        first
    }
}

impl<T> Iterator for Prefetch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if let Ok(item) = self.workers.front()?.items.recv() {
            let (least, most) = self.size_hint;
            self.size_hint = (least.saturating_sub(1), most.map(|most| most.saturating_sub(1)));
            self.workers.rotate_left(1);
            return Some(item);
        }
        self.size_hint = (0, Some(0));
        if let Some(panic) = self.end() {
            resume_unwind(panic);
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.size_hint
    }
}

impl<T> FusedIterator for Prefetch<T> {}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<T> fmt::Debug for Prefetch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefetch").field("size_hint", &self.size_hint).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn items_come_in_order_and_end() {
        for ahead in 0..4 {
            let mut prefetch = Prefetch::new(0..100, ahead);
            assert_eq!(prefetch.size_hint(), (100, Some(100)));
            assert!(prefetch.by_ref().eq(0..100));
            assert_eq!(prefetch.next(), None);
            assert_eq!(prefetch.size_hint(), (0, Some(0)));
        }
    }

    #[test]
    fn no_more_is_made_ahead_than_was_asked_for() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let items = (0..100).inspect(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let mut prefetch = Prefetch::new(items, 3);
        assert_eq!(prefetch.next(), Some(0));
        // Long enough for the thread to make all that it may.
        thread::sleep(Duration::from_millis(200));
        assert_eq!(made.load(Ordering::SeqCst), 4);
    }

    #[test]
    fn dropped_early_it_ends_its_thread() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let mut prefetch = Prefetch::new((0..).inspect(move |_| drop(Arc::clone(&held))), 2);
        assert_eq!(prefetch.next(), Some(0));
        drop(prefetch);
        // The thread has ended and dropped the iterator.
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    fn several_threads_take_turns() {
        for (threads, ahead) in [(0, 0), (1, 2), (2, 0), (2, 3), (3, 7), (5, 3)] {
            let mut prefetch = Prefetch::shared(0..23, threads, ahead);
            assert!(prefetch.by_ref().take(5).eq(0..5));
            assert_eq!(prefetch.size_hint(), (18, Some(18)));
            assert!(prefetch.by_ref().eq(5..23), "{threads} {ahead}");
            assert_eq!((prefetch.next(), prefetch.size_hint()), (None, (0, Some(0))));
            // Dropped early, all threads end.
            drop(Prefetch::shared(0.., threads, ahead));
        }
    }

    #[test]
    fn several_threads_make_items_of_one_iterator() {
        for (threads, ahead) in [(0, 0), (1, 2), (2, 0), (2, 3), (3, 7), (5, 3)] {
            // Uneven work, so that threads overtake each other.
            let make = |i: u64| {
                thread::sleep(Duration::from_micros(i * 37 % 11 * 20));
                i * 10
            };
            let mut prefetch = Prefetch::staged(0..53, make, threads, ahead);
            assert_eq!(prefetch.size_hint(), (53, Some(53)));
            assert!(prefetch.by_ref().eq((0..53).map(|i| i * 10)), "{threads} {ahead}");
            assert_eq!(prefetch.next(), None);
            let mut early = Prefetch::staged(0.., make, threads, ahead);
            assert_eq!(early.by_ref().take(4).last(), Some(30));
            drop(early);
            // A panic in either stage goes on where its item is asked for.
            let items = (0..9).inspect(|&i| assert!(i != 4, "item {i} is bad"));
            let mut bad = Prefetch::staged(items, make, threads, ahead);
            assert!(bad.by_ref().take(4).eq((0..4).map(|i| i * 10)));
            let panic = catch_unwind(AssertUnwindSafe(|| bad.next())).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>().unwrap(), "item 4 is bad");
            let picky = |i: u64| if i == 4 { panic!("item {i} is bad") } else { i };
            let mut bad = Prefetch::staged(0..9, picky, threads, ahead);
            assert!(bad.by_ref().take(4).eq(0..4));
            let panic = catch_unwind(AssertUnwindSafe(|| bad.next())).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>().unwrap(), "item 4 is bad");
        }
    }

    #[test]
    fn a_panic_on_any_thread_goes_on() {
        let items = (0..9).inspect(|&i| assert!(i != 4, "item {i} is bad"));
        let mut prefetch = Prefetch::shared(items.map(|i| i * 10), 3, 6);
        // Each thread goes past the items of the others, and so meets the bad one; the first is asked for item 3 next.
        let panic = catch_unwind(AssertUnwindSafe(|| prefetch.by_ref().take(9).count())).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "item 4 is bad");
        assert_eq!(prefetch.next(), None);
    }

    #[test]
    fn a_panic_on_the_thread_goes_on() {
        let mut prefetch = Prefetch::new((0..5).inspect(|&i| assert!(i < 3, "item {i} is bad")), 2);
        assert!(prefetch.by_ref().take(3).eq(0..3));
        let panic = catch_unwind(AssertUnwindSafe(|| prefetch.next())).unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().unwrap(), "item 3 is bad");
        assert_eq!(prefetch.next(), None);
    }
}
