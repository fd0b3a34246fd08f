//! The ranges that hyper-parameters must lie in, whether a program or a file gives them.

use std::fmt::Display;

/// What is wrong with an option, if anything is.
pub(crate) type Check = Result<(), String>;

/// Whether `value` is finite and not negative.
pub(crate) fn not_negative(option: &str, value: f64) -> Check {
    demand(value.is_finite() && value >= 0.0, option, "a number that is not negative", value)
}

/// Whether `value` is finite and greater than 0.
pub(crate) fn positive(option: &str, value: f64) -> Check {
    demand(value.is_finite() && value > 0.0, option, "a number greater than 0", value)
}

/// Whether 0 <= `value` < 1, as the factor of a moving average must be.
pub(crate) fn fraction(option: &str, value: f64) -> Check {
    demand((0.0..1.0).contains(&value), option, "a number from 0 to below 1", value)
}

/// Whether `value` is at least 1.
pub(crate) fn at_least_one_step(option: &str, value: u64) -> Check {
    demand(value >= 1, option, "at least 1 step", value)
}

/// Says what is needed unless it holds.
pub(crate) fn demand(holds: bool, option: &str, needed: &str, value: impl Display) -> Check {
    if holds { Ok(()) } else { Err(format!("{option}: {needed} is needed, not {value}")) }
}

/// Panics with what is wrong, for options that a program gives.
#[track_caller]
pub(crate) fn expect(check: Check) {
    if let Err(problem) = check {
        panic!("{problem}");
    }
}

/// Plain data with options that must lie in ranges; declared by [`checked!`].
pub(crate) trait Checked: Sized {
    /// Checks every option. Constructors and deserialisation both rest on this.
    fn check(&self) -> Check;

    /// The data themselves.
    ///
    /// # Panics
    /// If an option is out of its range.
    #[track_caller]
    fn checked(self) -> Self {
        expect(self.check());
        self
    }
}

/// Declares a struct that implements [`Checked`], so that serde reads only what passes its check.
macro_rules! checked {
    (
        $(#[$attribute:meta])*
        pub struct $Name:ident $(<$S:ident = $Default:ty>)? {
            $($field:ident: $type:ty,)*
        }
    ) => {
        $(#[$attribute])*
        pub struct $Name $(<$S = $Default>)? {
            $($field: $type,)*
        }

        impl<'de, $($S: serde::Deserialize<'de>)?> serde::Deserialize<'de> for $Name $(<$S>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                /// The same data before the check, under the same name for the messages of serde.
                #[derive(serde::Deserialize)]
                struct $Name $(<$S>)? {
                    $($field: $type,)*
                }
                let $Name { $($field),* } = $Name::deserialize(deserializer)?;
                let read = Self { $($field),* };
                crate::check::Checked::check(&read).map_err(serde::de::Error::custom)?;
                Ok(read)
            }
        }
    };
}
pub(crate) use checked;
