//! Options of layers: [`options!`] declares a layer's struct with all that belongs to its fields.

/// Declares a layer's struct, its `new`, and a setter for each option, and serde's traits. ([`record`](super::record) has
/// what reads and writes a field.)
///
/// ```text
/// options! {
///     /// The documentation of the struct, and perhaps another name to find it by.
///     #[doc(alias = "Linear")]
///     pub struct Dense {
///         /// The documentation of `new`, whose arguments are fields without a setter.
///         pub fn new(#[check(at_least_one("unit", "give the number of outputs"))] units: usize);
///         /// The documentation of the setter.
///         activation: Activation = Activation::Linear,
///         /// An `Option<X>` is set by an `X`, a `Vec<X>` by anything that is a slice, a `[usize; N]` by a number as well.
///         kernel_regularizer: Option<Regularizer> = None,
///     }
/// }
/// ```
///
/// * The struct may be generic over a number of axes: `pub struct Conv<const N: usize>`.
/// * An argument of `new` may have a default (`alpha: f64 = 1.0`); where all have one, or there are none, `Default` is
///   implemented. An option's default may name the arguments of `new`.
/// * An option that a network's file lacks has its default: so files are read that were written before there was the option.
///   An argument of `new` may not be missing.
/// * An option without documentation has no setter.
/// * `#[check(function)]` gives the range of a field: the function takes its name and value ([`checks`](super::checks)).
///   `self.check(build)?` runs all checks, in the order of the fields.
macro_rules! options {
    (
        $(#[$about:meta])+
        pub struct $Name:ident $(<const $N:ident: usize>)? {
            $(#[doc = $about_new:expr])+
            pub fn new($(
                $(#[check($argument_check:expr)])?
                $argument:ident: $Argument:tt $(<$ArgumentOf:ty>)? $(= $argument_default:expr)?
            ),* $(,)?);
            $(
                $(#[doc = $about_option:expr])*
                $(#[check($option_check:expr)])?
                $option:ident: $Option:tt $(<$OptionOf:ty>)? = $option_default:expr,
            )*
        }
    ) => {
        $(#[$about])+
        #[derive(Clone, Debug)]
        pub struct $Name $(<const $N: usize>)? {
            $($argument: $Argument $(<$ArgumentOf>)?,)*
            $($option: $Option $(<$OptionOf>)?,)*
        }

        impl $(<const $N: usize>)? serde::Serialize for $Name $(<$N>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use crate::layers::support::record::{OptionType, write};
                write(
                    [
                        $((stringify!($argument), OptionType::write(&self.$argument)),)*
                        $((stringify!($option), OptionType::write(&self.$option)),)*
                    ],
                    serializer,
                )
            }
        }

        impl<'de $(, const $N: usize)?> serde::Deserialize<'de> for $Name $(<$N>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let json = serde::Deserialize::deserialize(deserializer)?;
                Self::from_json(json).map_err(serde::de::Error::custom)
            }
        }

        impl $(<const $N: usize>)? $Name $(<$N>)? {
            $(#[doc = $about_new])+
            pub fn new($($argument: options!(@given $Argument $(<$ArgumentOf>)?)),*) -> Self {
                $(let $argument = options!(@stored $argument: $Argument $(<$ArgumentOf>)?);)*
                $Name { $($option: $option_default,)* $($argument,)* }
            }

            $(options! { @setter [$($about_option)*] $option: $Option $(<$OptionOf>)? })*

            fn from_json(json: serde_json::Value) -> serde_json::Result<Self> {
                let names = &[$(stringify!($argument),)* $(stringify!($option)),*];
                let mut record = crate::layers::support::record::Record::new(json, names)?;
                $(let $argument: $Argument $(<$ArgumentOf>)? = record.take(stringify!($argument))?;)*
                $(
                    let $option: $Option $(<$OptionOf>)? =
                        record.take_or(stringify!($option), || $option_default)?;
                )*
                Ok($Name { $($argument,)* $($option,)* })
            }

            options! {
                @check [$($([$argument $argument_check])?)* $($([$option $option_check])?)*]
            }
        }

        options! { @default $Name $(<$N>)?: $($argument $([$argument_default])?)* }
    };

    // `Default`, where no argument is without one.
    (@default $Name:ident $(<$N:ident>)?: $($argument:ident [$default:expr])*) => {
        impl $(<const $N: usize>)? Default for $Name $(<$N>)? {
            fn default() -> Self {
                $Name::new($($default),*)
            }
        }
    };
    (@default $($no:tt)*) => {};

    (@setter [] $($undocumented:tt)*) => {};
    (@setter [$($about:expr)+] $option:ident: $($Type:tt)+) => {
        $(#[doc = $about])+
        pub fn $option(mut self, $option: options!(@given $($Type)+)) -> Self {
            self.$option = options!(@stored $option: $($Type)+);
            self
        }
    };

    (@check []) => {};
    (@check [$([$field:ident $check:expr])+]) => {
        /// Checks the options with a range.
        fn check<T: gradus_tensor::Float>(
            &self,
            build: &crate::layer::Build<'_, T>,
        ) -> crate::error::Result<()> {
            let checks = || -> crate::layers::support::checks::Check {
                $(($check)(stringify!($field), self.$field)?;)+
                Ok(())
            };
            checks().map_err(|(problem, hint)| build.error(problem, hint))
        }
    };

    // The type by which a program gives a value, and the value to store.
    (@given [usize; $N:tt]) => { impl crate::layers::PerAxis<$N> };
    (@given Option<$T:ty>) => { $T };
    (@given Vec<$T:ty>) => { impl AsRef<[$T]> };
    (@given $T:ty) => { $T };
    (@stored $value:ident: [usize; $N:tt]) => { $value.per_axis() };
    (@stored $value:ident: Option<$T:ty>) => { Some($value) };
    (@stored $value:ident: Vec<$T:ty>) => { $value.as_ref().to_vec() };
    (@stored $value:ident: $T:ty) => { $value };
}
pub(in crate::layers) use options;
