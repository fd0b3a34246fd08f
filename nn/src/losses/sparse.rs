//! Cross-entropy between class indices and class probabilities.

use gradus_autograd::{Op, Var};
use gradus_tensor::{Float, Math, Tensor};
use serde::{Deserialize, Serialize};

use super::probabilities::sum_of_classes;
use super::targets::class_index;
use super::{Expects, FURTHER_AXES, Loss, at_least, options};
use crate::error::{Error, Result};

/// -ln p_t, with class indices t and probabilities p, rescaled to a sum of 1: [`CategoricalCrossentropy`] without
/// one-hot targets.
///
/// Outputs that are no probabilities, or zeros alone, are an error, except where the target is ignored.
///
/// Outputs `[n, .., classes]`, targets `[n, ..]` (or `[n, .., 1]`) of whole numbers from 0.
///
/// [`CategoricalCrossentropy`]: super::CategoricalCrossentropy
///
/// ```
/// use gradus_autograd::Var;
/// use gradus_nn::losses::{Loss, SparseCategoricalCrossentropy};
/// use gradus_tensor::Tensor;
/// let outputs = Var::from(Tensor::new([[0.2, 0.5, 0.3], [0.25, 0.25, 0.5]]));
/// let losses = SparseCategoricalCrossentropy::default().per_sample(&Tensor::new([1.0, 0.0]), &outputs)?;
/// assert!(losses.value().allclose(&Tensor::new([2.0_f32.ln(), 4.0_f32.ln()]), 1e-6, 0.0));
/// // The second sample has no label: the mean is that of the first alone.
/// let labelled = SparseCategoricalCrossentropy::default().ignore_class(-1);
/// let loss = labelled.mean(&Tensor::new([1.0, -1.0]), &outputs, None)?;
/// assert!((loss.value().item() - 2.0_f32.ln()).abs() < 1e-6);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[doc(alias("CrossEntropyLoss", "NLLLoss"))]
pub struct SparseCategoricalCrossentropy {
    from_logits: bool,
    ignore_class: Option<i64>,
    #[serde(default, deserialize_with = "options::read_smoothing")]
    label_smoothing: f64,
}

impl SparseCategoricalCrossentropy {
    /// On logits, the numbers before a softmax, rather than on probabilities.
    pub fn from_logits(self, from_logits: bool) -> Self {
        SparseCategoricalCrossentropy { from_logits, ..self }
    }

    /// Without the targets of this index, such as -1 or 255 for "unlabelled": they have no loss, and the mean is taken
    /// over the others.
    pub fn ignore_class(self, class: i64) -> Self {
        SparseCategoricalCrossentropy { ignore_class: Some(class), ..self }
    }

    /// With targets drawn towards the even distribution: the target's class counts 1 - smoothing + smoothing / classes, each
    /// other class smoothing / classes. PyTorch's option; in Keras only one-hot targets have it.
    ///
    /// # Panics
    /// If `smoothing` is not in 0 to 1.
    #[track_caller]
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        SparseCategoricalCrossentropy { label_smoothing: options::SMOOTHING.given(smoothing), ..self }
    }

    /// The class of each row of the outputs; `None` where it is ignored.
    fn classes<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Vec<Option<usize>>> {
        let (rows, classes) = match outputs.shape().split_last() {
            Some((&classes, rows)) if !rows.is_empty() => (rows, classes),
            _ => {
                let problem = format!("outputs must have the shape [n, classes], found {}", outputs.shape());
                return Err(Error::new(self.name(), problem, "give the last layer one unit for each class"));
            }
        };
        if classes < 2 {
            let problem = format!("outputs must have an axis of two classes or more, found {}", outputs.shape());
            return Err(Error::new(self.name(), problem, "for a single yes or no use BinaryCrossentropy"));
        }
        let as_column = targets.shape().split_last().is_some_and(|(&last, first)| last == 1 && first == rows);
        if targets.shape()[..] != *rows && !as_column {
            let expected = format!("{rows:?} or {:?}", [rows, &[1]].concat());
            let (found, outputs) = (targets.shape(), outputs.shape());
            let is_one_a_sample = matches!(found[..], [samples] | [samples, 1] if samples == rows[0]);
            let hint = if found == outputs {
                "use CategoricalCrossentropy for one-hot targets"
            } else if rows.len() > 1 && is_one_a_sample {
                FURTHER_AXES
            } else {
                "give one class index for each sample"
            };
            let problem = format!("targets must have the shape {expected} for outputs {outputs}, found {found}");
            return Err(Error::new(self.name(), problem, hint));
        }
        let class_of = |(place, target): (usize, T)| {
            class_index(target, classes, self.ignore_class).map_err(|found| {
                let (last, shape) = (classes.saturating_sub(1), targets.shape());
                let problem = format!(
                    "targets must be class indices from 0 to {last}, found {found} at element {place} of {shape}"
                );
                Error::new(self.name(), problem, "number the classes from 0, or give the last layer more units")
            })
        };
        targets.iter().enumerate().map(class_of).collect()
    }
}

impl Loss for SparseCategoricalCrossentropy {
    fn name(&self) -> &'static str {
        "sparse_categorical_crossentropy"
    }

    fn ignored_class(&self) -> Option<i64> {
        self.ignore_class
    }

    fn expects(&self) -> Expects {
        if self.from_logits { Expects::ClassLogits } else { Expects::ClassProbabilities }
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        let classes = self.classes(targets, outputs)?;
        let width = outputs.shape()[outputs.ndim() - 1];
        let shape = &outputs.shape()[..outputs.ndim() - 1];
        // Row by row, -ln of the target's share: of e^x for logits x, of p for probabilities p. With smoothing the other
        // shares count, too.
        let from_logits = self.from_logits;
        let smallest = T::min_positive_value();
        let (on_target, on_each) =
            (T::of(1.0 - self.label_smoothing), T::of(self.label_smoothing / width.max(1) as f64));
        let is_smoothed = self.label_smoothing != 0.0;
        let values =
            if from_logits { outputs.value().log_softmax(-1) } else { outputs.value().contiguous() }.contiguous();
        let name = self.name();
        let losses: Vec<T> = {
            let elements = values.as_slice().expect("just made contiguous");
            let loss = |(i, class): (usize, &Option<usize>)| {
                let Some(class) = *class else { return Ok(T::ZERO) };
                let row = &elements[i * width..][..width];
                let ln_sum =
                    if from_logits { T::ZERO } else { Math::ln(sum_of_classes(name, row, i, outputs.shape())?) };
                let loss_of = |x: T| ln_sum - if from_logits { x } else { Math::ln(at_least(x, smallest)) };
                if !is_smoothed {
                    return Ok(loss_of(row[class]));
                }
                Ok(on_target * loss_of(row[class]) + on_each * row.iter().map(|&x| loss_of(x)).sum::<T>())
            };
            classes.iter().enumerate().map(loss).collect::<Result<_>>()?
        };
        let losses = Tensor::from(losses).reshape(shape);
        let derivative = move |g: Tensor<T>| {
            let mut gradient = if from_logits { values.exp() } else { values };
            let rows = gradient.as_mut_slice().chunks_exact_mut(width);
            for ((row, class), g) in rows.zip(classes).zip(g.iter()) {
                let Some(class) = class else {
                    row.fill(T::ZERO);
                    continue;
                };
                if from_logits {
                    row[class] -= on_target;
                    row.iter_mut().for_each(|x| *x = (*x - on_each) * g);
                } else {
                    let share = g / row.iter().map(|&p| at_least(p, T::ZERO)).sum::<T>();
                    let own = on_target * g / at_least(row[class], smallest);
                    if is_smoothed {
                        row.iter_mut().for_each(|p| *p = share - on_each * g / at_least(*p, smallest));
                    } else {
                        row.fill(share);
                    }
                    row[class] -= own;
                }
            }
            gradient
        };
        Ok(Op::new(name, losses).input(outputs, derivative).finish())
    }
}
