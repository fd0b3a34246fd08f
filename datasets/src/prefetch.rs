//! Batches made ahead of their use, on a thread.

use std::iter::FusedIterator;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use gradus_tensor::Element;

use crate::batches::{Batch, Batches};
use crate::order::Order;

/// The batches of a walk, gathered ahead by a thread: the same ones in the same order.
///
/// Dropped early, it ends its thread; a panic on the thread goes on where the next batch is asked for.
pub struct Prefetch<X: Element = f32, Y: Element = X> {
    /// Gone once the walk is over.
    worker: Option<Worker<X, Y>>,
    batch_size: usize,
    /// How far the walk has come for whoever takes the batches; the thread is ahead of that.
    order: Order,
    remaining: usize,
}

struct Worker<X: Element, Y: Element> {
    batches: Receiver<Batch<X, Y>>,
    thread: JoinHandle<()>,
}

impl<X: Element, Y: Element> Prefetch<X, Y> {
    pub(crate) fn new(batches: Batches<X, Y>, ahead: usize) -> Self {
        let (batch_size, order, remaining) = (batches.batch_size(), batches.order().clone(), batches.len());
        // The thread holds one batch while it waits for room, so the channel holds one fewer than are made ahead.
        let (sender, receiver) = sync_channel(ahead.saturating_sub(1));
        let make = move || {
            for batch in batches {
                if sender.send(batch).is_err() {
                    // Nobody wants the rest.
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("prefetch".into()).spawn(make).expect("the system starts a thread");
        Prefetch { worker: Some(Worker { batches: receiver, thread }), batch_size, order, remaining }
    }

    /// The order, and how many samples were taken out of it so far; see [`Batches::order`].
    pub fn order(&self) -> &Order {
        &self.order
    }
}

impl<X: Element, Y: Element> Iterator for Prefetch<X, Y> {
    type Item = Batch<X, Y>;

    fn next(&mut self) -> Option<Batch<X, Y>> {
        if let Ok(batch) = self.worker.as_ref()?.batches.recv() {
            self.order.advance(self.batch_size);
            self.remaining -= 1;
            return Some(batch);
        }
        let Worker { thread, .. } = self.worker.take()?;
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl<X: Element, Y: Element> ExactSizeIterator for Prefetch<X, Y> {}
impl<X: Element, Y: Element> FusedIterator for Prefetch<X, Y> {}

impl<X: Element, Y: Element> Drop for Prefetch<X, Y> {
    fn drop(&mut self) {
        if let Some(Worker { batches, thread }) = self.worker.take() {
            // First the channel, so that a thread that waits for room finds out.
            drop(batches);
            // A panic of a batch that nobody asked for is no concern of anybody's.
            let _ = thread.join();
        }
    }
}
