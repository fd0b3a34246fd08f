//! Targets as classes, for losses and for metrics.

use gradus_tensor::Float;

/// Whether a target is of the class that is left out.
pub fn is_ignored<T: Float>(target: T, ignored: Option<i64>) -> bool {
    ignored.is_some_and(|ignored| target.as_f64() == ignored as f64)
}

/// The class that a target is the index of, of so many; `None` where it is ignored.
///
/// # Errors
/// The target, if it is no such index.
pub fn class_index<T: Float>(target: T, classes: usize, ignored: Option<i64>) -> Result<Option<usize>, f64> {
    if is_ignored(target, ignored) {
        return Ok(None);
    }
    let target = target.as_f64();
    let is_index = target.fract() == 0.0 && target >= 0.0 && target < classes as f64;
    if is_index { Ok(Some(target as usize)) } else { Err(target) }
}
