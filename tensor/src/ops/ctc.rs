//! The loss of connectionist temporal classification (CTC), and the best alignment of a string.

use super::elements;
use crate::element::Float;
use crate::kernels::ctc::Ctc;
use crate::kernels::ctc_align;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The checked and contiguous arguments of an op.
struct Arguments<'a, T: Float> {
    logits: Tensor<T>,
    mask: Option<Tensor<bool>>,
    targets: Vec<&'a [usize]>,
    blank: usize,
}

impl<'a, T: Float> Arguments<'a, T> {
    #[track_caller]
    fn checked(
        op: &str,
        logits: &Tensor<T>,
        mask: Option<&Tensor<bool>>,
        targets: &'a [impl AsRef<[usize]>],
        blank: usize,
    ) -> Self {
        let targets: Vec<&[usize]> = targets.iter().map(AsRef::as_ref).collect();
        let [samples, _, classes] = form(op, logits, mask, blank);
        assert!(targets.len() == samples, "{op}: {} strings for {samples} samples: {}", targets.len(), logits.shape());
        for (sample, target) in targets.iter().enumerate() {
            if let Some(place) = target.iter().position(|&label| label >= classes || label == blank) {
                panic_label(op, sample, place, target[place], classes, blank);
            }
        }
        Arguments { logits: logits.contiguous(), mask: mask.map(Tensor::contiguous), targets, blank }
    }

    fn kernel(&self) -> Ctc<'_, T> {
        Ctc {
            logits: elements(&self.logits),
            frames: self.logits.shape()[1],
            classes: self.logits.shape()[2],
            mask: self.mask.as_ref().map(elements),
            targets: &self.targets,
            blank: self.blank,
        }
    }
}

/// The lengths of the axes of logits `[n, frames, classes]`, with which mask and blank agree.
#[track_caller]
pub(super) fn form<T: Float>(op: &str, logits: &Tensor<T>, mask: Option<&Tensor<bool>>, blank: usize) -> [usize; 3] {
    let shape = logits.shape();
    let &[samples, frames, classes] = &shape[..] else {
        panic!("{op}: logits must have the shape [n, frames, classes], found {shape}")
    };
    assert!(blank < classes, "{op}: the blank must be one of the {classes} classes of {shape}, found {blank}");
    if let Some(mask) = mask {
        let found = mask.shape();
        assert!(*found == [samples, frames], "{op}: the mask must have the shape [{samples}, {frames}], found {found}");
    }
    [samples, frames, classes]
}

#[cold]
#[track_caller]
fn panic_label(op: &str, sample: usize, place: usize, label: usize, classes: usize, blank: usize) -> ! {
    let problem = if label == blank { "is the blank" } else { "is no class" };
    panic!("{op}: label {place} of string {sample} {problem}: {label} of {classes} classes with the blank {blank}")
}

impl<T: Float> Tensor<T> {
    /// The loss of connectionist temporal classification, for each sample: -ln of the probability that the frames spell the
    /// sample's string. Shape: `[n]`, of logits `[n, frames, classes]`.
    ///
    /// An alignment gives each frame one class. It spells a string: repeated classes count once, then blanks are left out. A
    /// frame has the class k with the probability softmax(logits)_k, and the loss sums over all alignments that spell the
    /// string. Graves, Fernández, Gomez and Schmidhuber, ICML 2006.
    ///
    /// `mask` `[n, frames]` is true where a frame is there; the other frames are as if they were not. The strings hold classes
    /// other than the blank.
    ///
    /// * A string that no alignment spells has the loss inf: there are fewer frames than labels and repetitions, or a class that it
    ///   needs has the logit -inf. (So PyTorch. JAX gives 1e5.)
    /// * An empty string needs a blank at each frame. Without frames it has the loss 0, and any other string inf.
    /// * A NaN or inf among the logits of a frame makes the sample's loss NaN.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// // Two frames, the blank 0 and the label 1, each with the probability 1/2. Of the four alignments three spell "1".
    /// let loss = Tensor::<f32>::zeros([1, 2, 2]).ctc_loss(None, &[vec![1]], 0);
    /// assert!((loss.item() - (4.0_f32 / 3.0).ln()).abs() < 1e-6);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit each other, or a label is the blank or no class.
    #[track_caller]
    pub fn ctc_loss(&self, mask: Option<&Tensor<bool>>, targets: &[impl AsRef<[usize]>], blank: usize) -> Tensor<T> {
        let arguments = Arguments::checked("ctc_loss", self, mask, targets, blank);
        Tensor::written(Shape::from(targets.len()), |losses| arguments.kernel().compute(losses, None))
    }

    /// [`ctc_loss`](Tensor::ctc_loss), and the gradient of each loss with respect to the logits, computed together: softmax less
    /// the share of each class in the alignments. Shapes: `[n]` and that of the logits.
    ///
    /// The gradient is 0 at frames that are not there, and in samples whose loss is inf.
    ///
    /// # Panics
    /// As [`ctc_loss`](Tensor::ctc_loss).
    #[track_caller]
    pub fn ctc_loss_and_gradient(
        &self,
        mask: Option<&Tensor<bool>>,
        targets: &[impl AsRef<[usize]>],
        blank: usize,
    ) -> (Tensor<T>, Tensor<T>) {
        let arguments = Arguments::checked("ctc_loss", self, mask, targets, blank);
        let mut losses = Tensor::zeros([targets.len()]);
        let gradient = Tensor::written(self.shape().clone(), |gradient| {
            arguments.kernel().compute(losses.as_mut_slice(), Some(gradient));
        });
        (losses, gradient)
    }

    /// The most probable alignment that spells the sample's string: a class for each frame that is there, in order. `None` where
    /// no alignment does.
    ///
    /// Arguments as for [`ctc_loss`](Tensor::ctc_loss). The logits of a frame may be shifted by any number, so that logarithms
    /// of probabilities serve as well. A NaN at a class that it needs leaves a
    /// string without an alignment.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let logits = Tensor::new([[[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]]]);
    /// assert_eq!(logits.ctc_align(None, &[[1, 2]], 0), [Some(vec![0, 1, 1, 2])]);
    /// ```
    ///
    /// # Panics
    /// As [`ctc_loss`](Tensor::ctc_loss).
    #[track_caller]
    pub fn ctc_align(
        &self,
        mask: Option<&Tensor<bool>>,
        targets: &[impl AsRef<[usize]>],
        blank: usize,
    ) -> Vec<Option<Vec<usize>>> {
        let arguments = Arguments::checked("ctc_align", self, mask, targets, blank);
        (0..targets.len()).map(|sample| ctc_align::best_alignment(&arguments.kernel(), sample)).collect()
    }
}

#[cfg(test)]
mod tests;
