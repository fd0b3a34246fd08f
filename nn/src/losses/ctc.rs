//! Connectionist temporal classification: strings of labels from frames, without knowing where each label is.

use gradus_autograd::Var;
use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};

use super::targets::class_index;
use super::{Expects, ImpossibleSample, Loss, Scored, not_empty, times_weights};
use crate::error::{Error, Result};

/// -ln of the probability that the frames of a sample spell its string of labels, summed over all alignments: Keras's `CTC`.
/// [`Tensor::ctc_loss`] has the definition, and what reads strings from the outputs
/// ([`Tensor::ctc_greedy_decode`], [`Tensor::ctc_beam_search_decode`]).
///
/// Outputs `[n, frames, classes]` of logits: a last layer without activation, with one unit for each label and one for the blank.
/// Targets `[n, length]` of whole numbers, the labels of each string and then the blank up to the length. So with the blank 0, the
/// default, labels count from 1. The blank before a label is an error (Keras shortens the string without a word).
///
/// A string that has no alignment, for lack of frames, has the loss inf, or 0 with [`zero_infinity`](Ctc::zero_infinity). The mean
/// is over samples, as in Keras (PyTorch's divides each loss by the length of its string first).
///
/// ```
/// use gradus_nn::losses::{Ctc, Loss};
/// use gradus_autograd::Var;
/// use gradus_tensor::Tensor;
/// // Two strings, "1" and "2 1", in three frames of two labels and the blank.
/// let targets = Tensor::new([[1.0, 0.0], [2.0, 1.0]]);
/// let loss = Ctc::default().per_sample(&targets, &Var::from(Tensor::zeros([2, 3, 3])))?;
/// // Of the 27 equally probable alignments 6 spell "1", 5 spell "2 1".
/// let expected = Tensor::new([27.0 / 6.0, 27.0 / 5.0]).ln();
/// assert!((loss.value() - expected).abs().max(..).item() < 1e-6);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// Where the outputs have a mask, only the frames that are there count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[doc(alias = "CTCLoss")]
pub struct Ctc {
    #[serde(default)]
    blank: usize,
    #[serde(default)]
    zero_infinity: bool,
}

/// What to do where there are too few classes.
const UNITS: &str = "give the last layer one unit for each label and one for the blank";

impl Ctc {
    /// With this class as the blank; 0 by default.
    pub fn blank(self, blank: usize) -> Self {
        Ctc { blank, ..self }
    }

    /// The class of the blank.
    pub fn blank_class(self) -> usize {
        self.blank
    }

    /// Whether a string that has no alignment has the loss 0 rather than inf; its gradient is 0 either way.
    pub fn zero_infinity(self, zero_infinity: bool) -> Self {
        Ctc { zero_infinity, ..self }
    }

    /// The strings of labels that targets `[n, length]` hold, for outputs of so many classes.
    ///
    /// ```
    /// use gradus_nn::losses::Ctc;
    /// use gradus_tensor::Tensor;
    /// let strings = Ctc::default().strings(&Tensor::new([[3.0, 1.0, 0.0], [2.0, 0.0, 0.0]]), 4)?;
    /// assert_eq!(strings, [vec![3, 1], vec![2]]);
    /// # Ok::<(), gradus_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the targets have not two axes, a label is no class, or the blank stands before a label.
    pub fn strings<T: Float>(&self, targets: &Tensor<T>, classes: usize) -> Result<Vec<Vec<usize>>> {
        let &[samples, length] = &targets.shape()[..] else {
            let problem = format!("targets must have the shape [n, length], found {}", targets.shape());
            return Err(Error::new(self.name(), problem, "give a string of labels for each sample"));
        };
        let mut strings = vec![Vec::new(); samples];
        for (place, target) in targets.iter().enumerate() {
            let (sample, place) = (place / length, place % length);
            let label = class_index(target, classes, Some(self.blank as i64)).map_err(|found| {
                let last = classes.saturating_sub(1);
                let problem = format!(
                    "labels must be whole numbers from 0 to {last}, found {found} at {place} of string {sample}"
                );
                Error::new(self.name(), problem, UNITS)
            })?;
            let string = &mut strings[sample];
            // The blank is read as no label.
            let Some(label) = label else { continue };
            if string.len() < place {
                let (blank, found) = (self.blank, string.len());
                let problem =
                    format!("the blank {blank} stands before a label: at {found} of string {sample}, {target} follows");
                let hint = "only the end of a string is filled up with the blank; number the labels without it";
                return Err(Error::new(self.name(), problem, hint));
            }
            string.push(label);
        }
        Ok(strings)
    }

    /// The loss of each sample over the frames of a mask `[n, frames]`, or over all.
    fn losses<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>, mask: Option<&Tensor<bool>>) -> Result<Var<T>> {
        let shape = outputs.shape();
        let &[samples, _, classes] = &shape[..] else {
            let problem = format!("outputs must have the shape [n, frames, classes], found {shape}");
            return Err(Error::new(self.name(), problem, "end in a layer that keeps the axis of the frames"));
        };
        if self.blank >= classes {
            let problem = format!("the blank is class {}, the outputs {shape} have {classes} classes", self.blank);
            return Err(Error::new(self.name(), problem, UNITS));
        }
        let strings = self.strings(targets, classes)?;
        if strings.len() != samples {
            let problem = format!("targets {} and outputs {shape} must have as many samples", targets.shape());
            return Err(Error::new(self.name(), problem, "give a string of labels for each sample"));
        }
        let losses = outputs.ctc_loss(mask, &strings, self.blank);
        if !self.zero_infinity {
            return Ok(losses);
        }
        // A NaN is not infinite and stays.
        Ok(Var::where_(&losses.value().equal(T::HIGHEST), T::ZERO, &losses))
    }
}

impl Loss for Ctc {
    fn name(&self) -> &'static str {
        "ctc"
    }

    fn expects(&self) -> Expects {
        Expects::OnlyLogits
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        self.losses(targets, outputs, None)
    }

    /// Each sample counts once, however many of its frames are there.
    fn masked_mean<T: Float>(
        &self,
        targets: &Tensor<T>,
        outputs: &Var<T>,
        mask: &Tensor<bool>,
        weights: Option<&Tensor<T>>,
    ) -> Result<(Var<T>, usize)> {
        let losses = self.losses(targets, outputs, Some(mask))?;
        not_empty(self.name(), losses.value(), targets)?;
        Ok((times_weights(self.name(), losses, weights)?.mean(..), self.counted(targets)))
    }

    fn impossible_sample<T: Float>(&self, scored: &Scored<'_, T>) -> Option<ImpossibleSample> {
        let &[_, frames, classes] = &scored.outputs.shape()[..] else { return None };
        if self.zero_infinity {
            return None;
        }
        let strings = self.strings(scored.targets, classes).ok()?;
        strings.iter().enumerate().find_map(|(row, string)| {
            let frames = match scored.mask {
                Some(mask) => mask.select(0, row as isize).iter().filter(|&is_there| is_there).count(),
                None => frames,
            };
            let repeats = string.windows(2).filter(|pair| pair[0] == pair[1]).count();
            let (labels, needed) = (string.len(), string.len() + repeats);
            (needed > frames).then(|| ImpossibleSample {
                row,
                problem: format!("{labels} labels, of which {repeats} repeat the one before, need {needed} frames, found {frames}"),
                hint: "give more frames for each label, with smaller strides or less pooling, leave such samples out, or set \
                       Ctc::zero_infinity",
            })
        })
    }
}
