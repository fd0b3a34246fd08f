//! A batch that is cut into shards.

use std::fmt;

/// Merges the numbers of a shard that comes later into those of one that comes before: `left` becomes the result.
pub type Merge = fn(left: &mut Vec<f64>, right: &[f64]);

/// One of the shards of a batch that are computed at the same time, each with a tape of its own, on the threads of a process or on
/// several machines; see [`Model::grad_of_shard`](crate::Model::grad_of_shard).
///
/// Most layers look at each sample alone, and know nothing of shards. A layer that looks at the whole batch, as
/// [`BatchNormalization`](crate::BatchNormalization) does, merges what it found in its shard with what the others found
/// ([`Context::shard`](crate::Context::shard)). Every shard goes through the same network, so all come to the same merges in the same order.
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
    /// Whether it is the first shard of the batch: what counts once for a batch, as penalties on weights, is counted there.
    fn is_first(&self) -> bool;

    /// The numbers of all shards, merged in an order that does not depend on where the shards are computed. It waits for the
    /// others, and does not return if one of them has ended early: it unwinds.
    fn merge(&self, numbers: Vec<f64>, merge: Merge) -> Vec<f64>;
}

/// Adds numbers to as many others.
pub(crate) fn add(left: &mut Vec<f64>, right: &[f64]) {
    left.iter_mut().zip(right).for_each(|(left, right)| *left += right);
}
