//! The loss of connectionist temporal classification.

use gradus_tensor::{Float, Tensor};

use crate::op::Op;
use crate::var::Var;

impl<T: Float> Var<T> {
    /// The loss of connectionist temporal classification, for each sample: -ln of the probability that the frames spell the
    /// sample's string. Shape: `[n]`, of logits `[n, frames, classes]`.
    ///
    /// [`Tensor::ctc_loss`] says what the arguments are and what the loss of an impossible string is. Where that is inf, the
    /// gradient is 0.
    ///
    /// ```
    /// use gradus_autograd::Tape;
    /// use gradus_tensor::Tensor;
    /// let tape = Tape::new();
    /// let logits = tape.var(Tensor::new([[[0.0, 0.0]]]));
    /// let loss = logits.ctc_loss(None, &[[1]], 0).sum(..);
    /// // One frame must have the label 1: softmax less one-hot.
    /// assert_eq!(tape.backward(&loss).of(&logits), Tensor::new([[[0.5, -0.5]]]));
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other, or a label is the blank or no class.
    #[track_caller]
    pub fn ctc_loss(&self, mask: Option<&Tensor<bool>>, targets: &[impl AsRef<[usize]>], blank: usize) -> Var<T> {
        if !self.is_recorded() {
            return Var::from(self.value().ctc_loss(mask, targets, blank));
        }
        let (losses, gradient) = self.value().ctc_loss_and_gradient(mask, targets, blank);
        let derivative = move |g: Tensor<T>| gradient * g.unsqueeze(1).unsqueeze(2);
        Op::new("ctc_loss", losses).input(self, derivative).finish()
    }
}
