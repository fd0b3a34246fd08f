//! The ranges that options must lie in, whether a program or a file gives them.

use std::fmt::Display;

/// The problem with an option, if there is one.
pub(crate) type Check = Result<(), String>;

/// Whether `value` is finite and not negative.
pub(crate) fn not_negative(option: &str, value: f64) -> Check {
    demand(value.is_finite() && value >= 0.0, option, "a number that is not negative", value)
}

/// Whether `value` is finite and greater than 0.
pub(crate) fn positive(option: &str, value: f64) -> Check {
    demand(value.is_finite() && value > 0.0, option, "a number greater than 0", value)
}

/// Whether `value` is finite and not greater than 0.
pub(crate) fn not_positive(option: &str, value: f64) -> Check {
    demand(value.is_finite() && value <= 0.0, option, "a number that is not greater than 0", value)
}

/// Whether 0 <= `value` < 1, as the factor of a moving average must be.
pub(crate) fn fraction(option: &str, value: f64) -> Check {
    demand((0.0..1.0).contains(&value), option, "a number from 0 to below 1", value)
}

/// Whether 0 < `value` < 1.
pub(crate) fn between_0_and_1(option: &str, value: f64) -> Check {
    demand(value > 0.0 && value < 1.0, option, "a number between 0 and 1", value)
}

/// Whether `value` is finite and at least 1.
pub(crate) fn at_least_1(option: &str, value: f64) -> Check {
    demand(value.is_finite() && value >= 1.0, option, "at least 1", value)
}

/// Whether there is a step.
pub(crate) fn at_least_one_step(option: &str, value: u64) -> Check {
    demand(value >= 1, option, "at least 1 step", value)
}

/// Says what is needed unless it holds.
pub(crate) fn demand(holds: bool, option: &str, needed: &str, value: impl Display) -> Check {
    if holds { Ok(()) } else { Err(format!("{option}: {needed} is needed, not {value}")) }
}

/// Panics with the problem of an option that a program gives.
#[track_caller]
pub(crate) fn expect(check: Check) {
    if let Err(problem) = check {
        panic!("{problem}");
    }
}
