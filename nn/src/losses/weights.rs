//! Class weights.

use gradus_tensor::{Float, Tensor};

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
/// If the targets have another shape or a class has no weight.
pub fn class_weights<T: Float>(targets: &Tensor<T>, weights: &[f64]) -> Result<Tensor<T>> {
    let classes: Tensor<T> = match targets.shape()[..] {
        [_] => targets.clone(),
        [samples, 1] => targets.reshape([samples]),
        [_, classes] if classes == weights.len() => targets.argmax(-1).to(),
        _ => {
            let count = weights.len();
            let problem =
                format!("{count} class weights need targets of shape [n] or [n, {count}], found {}", targets.shape());
            return Err(Error::new("class_weights", problem, "give one weight for each class"));
        }
    };
    let weight_of = |class: T| {
        let index = class.as_f64();
        let known = index.fract() == 0.0 && index >= 0.0 && index < weights.len() as f64;
        known.then(|| T::of(weights[index as usize])).ok_or_else(|| {
            let problem =
                format!("there is no weight for class {index}, only for 0 to {}", weights.len().wrapping_sub(1));
            Error::new("class_weights", problem, "give one weight for each class")
        })
    };
    classes.iter().map(weight_of).collect()
}
