//! The ranges that hyper-parameters must lie in.

/// Panics unless `value` is finite and not negative, and returns it.
#[track_caller]
pub(crate) fn not_negative(option: &str, value: f64) -> f64 {
    assert!(value.is_finite() && value >= 0.0, "{option}: a number that is not negative is needed, not {value}");
    value
}

/// Panics unless `value` is finite and greater than 0, and returns it.
#[track_caller]
pub(crate) fn positive(option: &str, value: f64) -> f64 {
    assert!(value.is_finite() && value > 0.0, "{option}: a number greater than 0 is needed, not {value}");
    value
}

/// Panics unless 0 <= `value` < 1, as the factor of a moving average must be, and returns it.
#[track_caller]
pub(crate) fn fraction(option: &str, value: f64) -> f64 {
    assert!((0.0..1.0).contains(&value), "{option}: a number from 0 to below 1 is needed, not {value}");
    value
}

/// Panics unless `value` is at least 1, and returns it.
#[track_caller]
pub(crate) fn at_least_one_step(option: &str, value: u64) -> u64 {
    assert!(value >= 1, "{option}: at least 1 step is needed, not {value}");
    value
}
