//! A batch that is cut into shards.

use std::fmt;

/// Merges the numbers of a later shard, on the right, into those of an earlier one, on the left. Both have the same length.
pub type Merge = fn(left: &mut Vec<f64>, right: &[f64]);

/// One of the shards into which a batch is cut, and its connection to the others. Each shard is computed on a tape of its own, at the
/// same time, by threads or by machines: see [`Model::grad_of_shard`](crate::Model::grad_of_shard).
///
/// Most layers look at each sample alone, and know nothing of shards. A layer that looks at the whole batch, as
/// [`BatchNormalization`](crate::BatchNormalization) does, merges what it found in its shard with what the others found
/// ([`Context::shard`](crate::Context::shard)). All shards go through the same network, so all come to the same merges in the same
/// order. A layer must not skip a merge because of its samples: the other shards would wait for it.
///
/// ```
/// use gradus_nn::losses::MeanSquaredError;
/// use gradus_nn::{Dense, Merge, Model, Sequential, Shard};
/// use gradus_tensor::{Generator, Tensor};
/// use std::sync::Arc;
///
/// /// The only shard of its batch.
/// #[derive(Debug)]
/// struct Only;
///
/// impl Shard for Only {
///     fn is_first(&self) -> bool {
///         true
///     }
///
///     fn merge(&self, numbers: Vec<f64>, _merge: Merge) -> Vec<f64> {
///         numbers
///     }
/// }
///
/// let model = Model::build(Sequential::new().add(Dense::new(1)), [2], 42)?;
/// let (x, y) = (Tensor::new([[1.0, 2.0], [3.0, 4.0]]), Tensor::new([[0.0], [1.0]]));
/// let whole = model.grad(&x, &y, None, &MeanSquaredError, &mut Generator::new(1))?;
/// let mut grads = vec![None; 2];
/// let shard: Arc<dyn Shard> = Arc::new(Only);
/// let pass = model.grad_of_shard(&x, &y, None, &MeanSquaredError, &mut Generator::new(1), &shard, |index, gradient| {
///     grads[index] = Some(gradient);
/// })?;
/// assert_eq!(pass.loss, whole.loss);
/// assert_eq!(grads, [whole.grads[0].clone(), whole.grads[1].clone()]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub trait Shard: fmt::Debug + Send + Sync {
    /// Whether it is the first shard of the batch. What counts once for a batch, as a penalty on a weight, counts in the first.
    fn is_first(&self) -> bool;

    /// The numbers of all shards, merged. It waits until each has given its own, as many as the others.
    ///
    /// The order of the merges does not depend on where the shards are computed, so neither do the bits.
    ///
    /// # Panics
    /// If a shard has ended early, in an error or in a panic, so that the numbers will never be complete.
    fn merge(&self, numbers: Vec<f64>, merge: Merge) -> Vec<f64>;
}

/// Adds numbers to as many others.
#[allow(clippy::ptr_arg)] // It is a `Merge`.
pub(crate) fn add(left: &mut Vec<f64>, right: &[f64]) {
    assert_eq!(left.len(), right.len(), "the shards of a batch have come to different merges");
    left.iter_mut().zip(right).for_each(|(left, right)| *left += right);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_added_in_their_places() {
        let mut sum = vec![1.0, 2.0];
        add(&mut sum, &[10.0, 20.0]);
        assert_eq!(sum, [11.0, 22.0]);
    }

    #[test]
    #[should_panic = "the shards of a batch have come to different merges"]
    fn lists_of_other_lengths_are_not_cut() {
        add(&mut vec![1.0, 2.0], &[10.0]);
    }
}
