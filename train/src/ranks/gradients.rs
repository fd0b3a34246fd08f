//! The gradients of a step: added over the shards of this rank, and exchanged in buckets while the sweeps go on.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gradus_autograd::{Grads, Params};
use gradus_distributed::{CommunicationError, Exchange, Partial};
use gradus_tensor::{Float, Shape, Tensor};

/// The gradients of one step at one rank.
pub(crate) struct Gradients<'a, T: Float> {
    exchange: &'a Exchange,
    /// Parallel to the parameters; `None` for those that are not trained.
    gathered: Vec<Option<Mutex<Gathered<T>>>>,
    buckets: Vec<Bucket>,
    /// The bucket of each parameter.
    bucket_of: Vec<usize>,
    complete: Sender<usize>,
}

/// The gradients of one parameter.
struct Gathered<T: Float> {
    partial: Option<Partial<Option<Tensor<T>>>>,
    /// The shards of this rank that are not there yet.
    missing: usize,
    /// Of each subtree of this rank, once all shards are there. `None` where the loss does not depend on the parameter.
    sums: Vec<Option<Tensor<T>>>,
    shape: Shape,
}

/// Parameters whose gradients go out together.
struct Bucket {
    params: Vec<usize>,
    /// The parameters that are not complete yet.
    missing: AtomicUsize,
}

fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sum of two gradients; one that is missing is 0.
fn sum<T: Float>(left: Option<Tensor<T>>, right: Option<Tensor<T>>) -> Option<Tensor<T>> {
    match (left, right) {
        (Some(left), Some(right)) => Some(left + right),
        (left, right) => left.or(right),
    }
}

impl<'a, T: Float> Gradients<'a, T> {
    /// Of these parameters, in buckets of about so many bytes; and where the complete buckets are told of.
    pub fn new(exchange: &'a Exchange, params: &Params<T>, bucket_bytes: usize) -> (Self, Receiver<usize>) {
        let new = |shape: Shape| Gathered {
            partial: Some(exchange.partial()),
            missing: exchange.own().len(),
            sums: Vec::new(),
            shape,
        };
        let gathered: Vec<_> = params
            .iter()
            .map(|param| param.trainable().then(|| Mutex::new(new(param.value.shape().clone()))))
            .collect();
        // The sweep comes to the last parameters first.
        let (mut lists, mut bytes) = (Vec::<Vec<usize>>::new(), usize::MAX);
        for (index, param) in params.iter().enumerate().rev().filter(|(_, param)| param.trainable()) {
            let size = param.value.size() * size_of::<T>();
            if bytes.saturating_add(size) > bucket_bytes {
                lists.push(Vec::new());
                bytes = 0;
            }
            bytes += size;
            lists.last_mut().expect("a bucket was begun").push(index);
        }
        let mut bucket_of = vec![0; params.len()];
        for (bucket, params) in lists.iter().enumerate() {
            params.iter().for_each(|&index| bucket_of[index] = bucket);
        }
        let buckets = lists.into_iter().map(|params| Bucket { missing: AtomicUsize::new(params.len()), params });
        let (complete, completed) = channel();
        (Gradients { exchange, gathered, buckets: buckets.collect(), bucket_of, complete }, completed)
    }

    /// Takes the gradient of a parameter in a shard, `None` if the loss does not depend on it.
    pub fn add(&self, shard: usize, index: usize, gradient: Option<Tensor<T>>) {
        let Some(gathered) = &self.gathered[index] else { return };
        let mut gathered = lock(gathered);
        let Some(partial) = &mut gathered.partial else { return };
        partial.add(shard, gradient, &mut sum);
        gathered.missing -= 1;
        if gathered.missing > 0 {
            return;
        }
        gathered.sums = gathered.partial.take().map(Partial::finish).unwrap_or_default();
        drop(gathered);
        let bucket = self.bucket_of[index];
        if self.buckets[bucket].missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Nobody listens if there are no other ranks.
            _ = self.complete.send(bucket);
        }
    }

    /// Ends a shard: parameters that have no gradient in it, among those that were not `given`, get none.
    pub fn end(&self, shard: usize, given: &[bool]) {
        (0..self.gathered.len()).filter(|&index| !given[index]).for_each(|index| self.add(shard, index, None));
    }

    /// Says that no further gradient comes.
    pub fn give_up(&self) {
        _ = self.complete.send(usize::MAX);
    }

    /// Exchanges bucket after bucket in their order, as they are complete, until all are done or no further gradient comes. Returns
    /// how long it exchanged.
    pub fn exchange(&self, completed: Receiver<usize>) -> Result<Duration, CommunicationError> {
        let (mut early, mut busy) = (BTreeSet::new(), Duration::ZERO);
        for (place, bucket) in self.buckets.iter().enumerate() {
            while !early.remove(&place) {
                match completed.recv() {
                    Ok(usize::MAX) | Err(_) => return Ok(busy),
                    Ok(bucket) => _ = early.insert(bucket),
                }
            }
            let start = Instant::now();
            self.exchange_bucket(bucket)?;
            busy += start.elapsed();
        }
        Ok(busy)
    }

    fn exchange_bucket(&self, bucket: &Bucket) -> Result<(), CommunicationError> {
        let gathered = || bucket.params.iter().filter_map(|&index| self.gathered[index].as_ref()).map(lock);
        let length: usize = gathered().map(|gathered| gathered.shape.size()).sum();
        // Behind the gradients, for each parameter whether it has one.
        let mut parts = Vec::new();
        for subtree in 0..self.exchange.subtrees().len() {
            let gradients = gathered().map(|mut gathered| {
                let gradient = gathered.sums[subtree].take();
                (gradient.is_some(), gradient.map_or_else(|| Tensor::zeros([gathered.shape.size()]), |g| g.flatten()))
            });
            let (given, mut numbers): (Vec<bool>, Vec<Tensor<T>>) = gradients.unzip();
            numbers.push(given.into_iter().map(|given| if given { T::ONE } else { T::ZERO }).collect());
            parts.push(Tensor::concat(&numbers, 0));
        }
        let mut places: Vec<&mut [T]> = parts.iter_mut().map(Tensor::as_mut_slice).collect();
        self.exchange.sum_in_place(&mut places)?;
        let total = parts.swap_remove(0);
        let (mut from, flags) = (0, total.slice(0, length..).to_vec());
        for (mut gathered, given) in gathered().zip(flags) {
            let size = gathered.shape.size();
            let gradient = total.slice(0, from..from + size).reshape(&gathered.shape);
            gathered.sums = vec![(given > T::ZERO).then_some(gradient)];
            from += size;
        }
        Ok(())
    }

    /// The sums over all shards.
    pub fn finish(self) -> Grads<T> {
        let of_param = |gathered: Option<Mutex<Gathered<T>>>| {
            let gathered = gathered?.into_inner().unwrap_or_else(PoisonError::into_inner);
            gathered.sums.into_iter().next().flatten()
        };
        self.gathered.into_iter().map(of_param).collect()
    }
}
