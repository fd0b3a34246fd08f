//! Class weights.

use gradus_tensor::{Float, Tensor};

use super::targets::class_index;
use crate::error::{Error, Result};

/// The weight of each sample, `[n]`, from one weight per class: for data in which some classes are rare.
///
/// Targets are class indices `[n]` or `[n, 1]`, or one-hot `[n, classes]`.
///
/// ```
/// use gradus_nn::losses::class_weights;
/// use gradus_tensor::Tensor;
/// let targets = Tensor::new([0.0, 1.0, 1.0]);
/// assert_eq!(class_weights(&targets, &[3.0, 1.0]).unwrap(), Tensor::new([3.0, 1.0, 1.0]));
/// ```
///
/// # Errors
/// If a weight is negative or not finite, or all are 0; if the targets have another shape, or one of them is no class that
/// has a weight.
pub fn class_weights<T: Float>(targets: &Tensor<T>, weights: &[f64]) -> Result<Tensor<T>> {
    class_weights_ignoring(targets, weights, None)
}

/// As [`class_weights`], with targets of the class `ignored`, such as -1 for "unlabelled": they have the weight 0. Give it the
/// class that the loss ignores ([`Loss::ignored_class`](super::Loss::ignored_class)).
///
/// ```
/// use gradus_nn::losses::class_weights_ignoring;
/// use gradus_tensor::Tensor;
/// let targets = Tensor::new([0.0, -1.0, 1.0]);
/// assert_eq!(class_weights_ignoring(&targets, &[3.0, 1.0], Some(-1))?, Tensor::new([3.0, 0.0, 1.0]));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// # Errors
/// As [`class_weights`].
pub fn class_weights_ignoring<T: Float>(
    targets: &Tensor<T>,
    weights: &[f64],
    ignored: Option<i64>,
) -> Result<Tensor<T>> {
    check(weights)?;
    let classes: Tensor<T> = match targets.shape()[..] {
        [_] => targets.clone(),
        [samples, 1] => targets.reshape([samples]),
        [_, classes] if classes == weights.len() => {
            check_one_hot(targets)?;
            targets.argmax(-1).to()
        }
        _ => {
            let (count, found) = (weights.len(), targets.shape());
            let problem = format!("{count} class weights need targets of shape [n] or [n, {count}], found {found}");
            let hint =
                "give one weight for each class; other targets take weights of samples, by Dataset::with_weights";
            return Err(Error::new("class_weights", problem, hint));
        }
    };
    let weight_of = |(sample, class): (usize, T)| match class_index(class, weights.len(), ignored) {
        Ok(class) => Ok(class.map_or(T::ZERO, |class| T::of(weights[class]))),
        Err(found) => {
            let last = weights.len() - 1;
            let problem = format!("targets must be classes from 0 to {last}, found {found} at sample {sample}");
            let hint = "number the classes from 0 and give one weight for each, or leave class_weights out where targets are \
                        no classes";
            Err(Error::new("class_weights", problem, hint))
        }
    };
    classes.iter().enumerate().map(weight_of).collect()
}

/// Checks that there are weights, and that each is one.
fn check(weights: &[f64]) -> Result<()> {
    let wrong = weights.iter().enumerate().find(|(_, weight)| !(weight.is_finite() && **weight >= 0.0));
    let (problem, hint) = match wrong {
        Some((class, weight)) => (
            format!("found weight {weight} of class {class}, expected a finite weight that is not negative"),
            "check how the weights were made",
        ),
        None if weights.iter().all(|&weight| weight == 0.0) => (
            format!("the weights {weights:?} are all 0, so that nothing would be learnt"),
            "give a class a weight greater than 0, or leave them out",
        ),
        None => return Ok(()),
    };
    Err(Error::new("class_weights", problem, hint))
}

/// Checks that each row has one class; those of smoothed and mixed targets have a sum of 1, too.
fn check_one_hot<T: Float>(targets: &Tensor<T>) -> Result<()> {
    let several = |sum: &T| !(0.99..=1.01).contains(&sum.as_f64());
    let Some((sample, sum)) = targets.sum(-1).iter().enumerate().find(|(_, sum)| several(sum)) else { return Ok(()) };
    let problem = format!("targets must be one-hot, found a sum of {sum} at sample {sample}");
    let hint = "several labels at once take weights of samples, by Dataset::with_weights";
    Err(Error::new("class_weights", problem, hint))
}
