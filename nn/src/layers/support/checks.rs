//! The ranges of options: the functions that `#[check(..)]` names in [`options!`](super::options).
//!
//! A check is given the name and the value of an option.

/// The result of a check: the problem and a hint if the value is out of range.
pub(in crate::layers) type Check = Result<(), (String, &'static str)>;

/// The problem and the hint unless the condition holds.
fn demand(holds: bool, problem: impl FnOnce() -> String, hint: &'static str) -> Check {
    if holds { Ok(()) } else { Err((problem(), hint)) }
}

/// Whether a layer has at least one of the things that the noun names.
pub(in crate::layers) fn at_least_one(noun: &'static str, hint: &'static str) -> impl Fn(&str, usize) -> Check {
    move |_, count| demand(count > 0, || format!("needs at least one {noun}, found 0"), hint)
}

/// Whether a number of filters is 1 or more.
pub(in crate::layers) fn filters(name: &str, filters: usize) -> Check {
    at_least_one("filter", "give the number of output channels")(name, filters)
}

/// Whether a depth multiplier is 1 or more.
pub(in crate::layers) fn depth_multiplier(name: &str, multiplier: usize) -> Check {
    let problem = || format!("the {name} must be 1 or more, found {multiplier}");
    demand(multiplier > 0, problem, "it is the number of filters for each channel")
}

/// Whether the numbers of all axes are 1 or more.
pub(in crate::layers) fn per_axis<const N: usize>(name: &str, numbers: [usize; N]) -> Check {
    let problem = || format!("{name} must be 1 or more along each axis, found {numbers:?}");
    demand(!numbers.contains(&0), problem, "1 is the least")
}

/// Whether a rate of dropping is from 0 to below 1.
pub(in crate::layers) fn rate(name: &str, rate: f64) -> Check {
    let problem = || format!("the {name} must be at least 0 and less than 1, found {rate}");
    demand((0.0..1.0).contains(&rate), problem, "give the share to drop: 0.5 is half")
}

/// Whether a number is finite and above 0.
pub(in crate::layers) fn positive(name: &str, number: f64) -> Check {
    let problem = || format!("the {name} must be above 0 and finite, found {number}");
    demand(number > 0.0 && number.is_finite(), problem, "leave it out for the default")
}

/// Whether a number is finite and not negative.
pub(in crate::layers) fn not_negative(name: &str, number: f64) -> Check {
    let problem = || format!("the {name} must be 0 or more and finite, found {number}");
    demand(number >= 0.0 && number.is_finite(), problem, "Keras asks for the same")
}

/// Whether a number is finite.
pub(in crate::layers) fn finite(name: &str, number: f64) -> Check {
    demand(number.is_finite(), || format!("the {name} must be finite, found {number}"), "leave it out for the default")
}

/// The same for a number that may be missing.
pub(in crate::layers) fn none_or_not_negative(name: &str, number: Option<f64>) -> Check {
    number.map_or(Ok(()), |number| not_negative(name, number))
}

/// Whether the momentum of a moving average is from 0 to 1.
pub(in crate::layers) fn momentum(name: &str, momentum: f64) -> Check {
    let problem = || format!("the {name} must be from 0 to 1, found {momentum}");
    demand((0.0..=1.0).contains(&momentum), problem, "Keras's is 0.99")
}

/// Whether a number that is added to a variance, so that it is never 0, is positive and finite.
pub(in crate::layers) fn epsilon(hint: &'static str) -> impl Fn(&str, f64) -> Check {
    move |name, epsilon| {
        let problem = || format!("{name} must be positive and finite, found {epsilon}");
        demand(epsilon > 0.0 && epsilon.is_finite(), problem, hint)
    }
}
