//! The losses whose sum is the loss of a batch, and how they are merged where the batch is cut into shards.

use gradus_autograd::Var;
use gradus_tensor::Float;

use super::objective::{OutputLoss, Scored, Total};
use crate::error::{Error, Result};
use crate::shard::{Shard, add};

/// A [`Total`] before it is added up: see [`Objective::terms`](super::Objective::terms).
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{MeanSquaredError, Objective, Scored};
/// use gradus_tensor::Tensor;
/// let (targets, outputs) = (Tensor::new([[1.0], [1.0]]), Var::from(Tensor::new([[3.0], [1.0]])));
/// let terms = MeanSquaredError.terms(&[Scored { name: "0", targets: &targets, outputs: &outputs, mask: None }], None)?;
/// assert_eq!((terms.list[0].loss.value().item(), terms.list[0].counted), (2.0, 2));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
pub struct Terms<T: Float> {
    /// The losses, whose weighted sum is the total.
    pub list: Vec<Term<T>>,
    /// The loss of each output.
    pub parts: Vec<OutputLoss<T>>,
}

/// One of the losses of [`Terms`].
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::Term;
/// use gradus_tensor::Tensor;
/// // The mean over 32 samples, which counts twice in the total.
/// let term = Term { loss: Var::from(Tensor::new(0.25)), counted: 32, weight: 2.0 };
/// assert_eq!(term.loss.value().item(), 0.25);
/// ```
pub struct Term<T: Float> {
    /// The mean over what counts.
    pub loss: Var<T>,
    /// How much that is: the number of samples, or of targets that are not ignored.
    pub counted: usize,
    /// The factor of this loss in the total.
    pub weight: f64,
}

impl<T: Float> Terms<T> {
    /// The losses of outputs. Each comes with what it was counted over, and with its weight.
    pub(super) fn of_outputs<'a>(
        losses: impl ExactSizeIterator<Item = Result<(&'a Scored<'a, T>, Result<(Var<T>, usize)>, f64)>>,
    ) -> Result<Self> {
        let several = losses.len() > 1;
        let (mut list, mut parts) = (Vec::new(), Vec::new());
        for loss in losses {
            let (one, loss, weight) = loss?;
            let (loss, counted) =
                loss.map_err(|error| if several { error.within(&format!("output {}", one.name)) } else { error })?;
            parts.push(OutputLoss { output: one.name.to_owned(), loss: loss.value().item(), counted, weight });
            list.push(Term { loss, counted, weight });
        }
        Ok(Terms { list, parts })
    }

    /// The sum of the losses, each times its weight.
    ///
    /// # Errors
    /// If there are none.
    pub fn total(self) -> Result<Total<T>> {
        let weighted = |Term { loss, weight, .. }| if weight == 1.0 { loss } else { loss * T::of(weight) };
        let total = self.list.into_iter().map(weighted).reduce(|total, loss| total + loss);
        let loss = total.ok_or_else(|| Error::new("losses", "there are no outputs", "give the network an output"))?;
        Ok(Total { loss, parts: self.parts })
    }

    /// The total over a batch, of which these are the losses in one shard, and the value of the batch's loss with all penalties.
    ///
    /// In the total, the parts are those of the batch. The loss is this shard's share of the batch's loss: the gradients of all shards
    /// add up to those of the batch. `penalty` is that on the weights, which the first shard alone gives.
    pub(crate) fn total_of_batch(mut self, penalty: Option<Var<T>>, shard: &dyn Shard) -> Result<(Total<T>, T)> {
        let mut numbers = vec![penalty.as_ref().map_or(0.0, |penalty| penalty.value().item().as_f64())];
        let terms = self.list.iter().map(|term| (term.loss.value().item(), term.counted));
        for (loss, counted) in terms.chain(self.parts.iter().map(|part| (part.loss, part.counted))) {
            numbers.extend([counted as f64, loss.as_f64() * counted as f64]);
        }
        let merged = shard.merge(numbers, add);
        let (mut whole, mut of_batch) = (merged[0], merged[1..].chunks_exact(2).map(|pair| (pair[0], pair[1])));
        let mean = |(counted, sum): (f64, f64)| if counted == 0.0 { 0.0 } else { sum / counted };
        for (term, of_batch) in self.list.iter_mut().zip(&mut of_batch) {
            let share = term.counted as f64 / of_batch.0.max(1.0);
            term.loss = &term.loss * T::of(share);
            whole += term.weight * mean(of_batch);
        }
        for (part, of_batch) in self.parts.iter_mut().zip(of_batch) {
            (part.loss, part.counted) = (T::of(mean(of_batch)), of_batch.0 as usize);
        }
        let Total { loss, parts } = self.total()?;
        let loss = penalty.into_iter().fold(loss, |loss, penalty| loss + penalty);
        Ok((Total { loss, parts }, T::of(whole)))
    }
}
