//! The declaration of rules and schedules: plain data with options that must lie in ranges.

/// Declares a struct of options in one place: its fields, their defaults, setters, checks and serde.
///
/// ```text
/// options! {
///     /// Documentation of the struct.
///     pub struct Name {
///         /// Documentation of the constructor, which takes the fields that have no default.
///         pub fn new(#[check(positive)] rate: f64, boundaries: Vec<u64>);
///         /// Documentation of the setter.
///         #[check(fraction)]
///         beta: f64 = 0.9,
///         /// Documentation of the setter.
///         nesterov: bool = false,
///     }
/// }
/// ```
///
/// * Without a `new` line, `Default` makes the struct.
/// * `#[check(function)]` is called as `function("Name: beta", value)` and returns a [`Check`](crate::check::Check).
///   Constructor and setters panic with its error at the caller's line; serde reads only what passes all checks. A check
///   that needs several fields is a line `check(function);` at the top, called with `&self`.
/// * A `Vec<X>` is given to the constructor as `impl Into<Vec<X>>`, and to a setter as an iterator of `impl Into<X>`.
/// * The struct is `Clone`, `Debug`, `PartialEq`, `Serialize` and `Deserialize`.
macro_rules! options {
    (
        $(#[$meta:meta])*
        pub struct $Name:ident $(<$S:ident = $Of:ty>)? {
            $(check($whole:expr);)?
            $(#[doc = $new:expr])*
            pub fn new(
                $($(#[check($given_check:expr)])? $given:ident: $Given:tt $(<$GivenOf:ty>)?),* $(,)?
            );
            $($(#[doc = $doc:expr])* $(#[check($check:expr)])? $option:ident: $Option:tt $(<$OptionOf:ty>)? = $default:expr,)*
        }
    ) => {
        options! {
            @data $(#[$meta])* $Name $(<$S = $Of>)? { $($given: $Given $(<$GivenOf>)?,)* $($option: $Option $(<$OptionOf>)?,)* }
            $($whole)?; $($([$given $given_check])?)* $($([$option $check])?)*
        }

        impl $(<$S>)? $Name $(<$S>)? {
            $(#[doc = $new])*
            #[track_caller]
            pub fn new($($given: options!(@given $Given $(<$GivenOf>)?)),*) -> Self {
                let new = $Name {
                    $($given: options!(@stored $given $Given $(<$GivenOf>)?),)*
                    $($option: $default,)*
                };
                crate::check::expect(new.check());
                new
            }

            $(options! { @setter [$($doc)*] $([$check])? $option: $Option $(<$OptionOf>)? })*
        }
    };
    (
        $(#[$meta:meta])*
        pub struct $Name:ident {
            $($(#[doc = $doc:expr])* $(#[check($check:expr)])? $option:ident: $Option:tt $(<$OptionOf:ty>)? = $default:expr,)*
        }
    ) => {
        options! { @data $(#[$meta])* $Name { $($option: $Option $(<$OptionOf>)?,)* }; $($([$option $check])?)* }

        impl Default for $Name {
            fn default() -> Self {
                $Name { $($option: $default),* }
            }
        }

        impl $Name {
            $(options! { @setter [$($doc)*] $([$check])? $option: $Option $(<$OptionOf>)? })*
        }
    };

    // The struct, its check, and what serde reads.
    (
        @data $(#[$meta:meta])* $Name:ident $(<$S:ident = $Of:ty>)? { $($field:ident: $Type:ty,)* }
        $($whole:expr)?; $([$option:ident $check:expr])*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        pub struct $Name $(<$S = $Of>)? {
            $($field: $Type,)*
        }

        impl $(<$S>)? $Name $(<$S>)? {
            /// Checks every option. The constructor and deserialisation both rest on this.
            #[allow(dead_code)] // Of a struct without constructor only serde calls it.
            fn check(&self) -> crate::check::Check {
                $(($check)(concat!(stringify!($Name), ": ", stringify!($option)), self.$option)?;)*
                $(($whole)(self)?;)?
                Ok(())
            }
        }

        impl<'de, $($S: serde::Deserialize<'de>)?> serde::Deserialize<'de> for $Name $(<$S>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                /// The same fields before the check, under the same name for the messages of serde.
                #[derive(serde::Deserialize)]
                struct $Name $(<$S>)? {
                    $($field: $Type,)*
                }
                let $Name { $($field),* } = $Name::deserialize(deserializer)?;
                let read = Self { $($field),* };
                read.check().map_err(serde::de::Error::custom)?;
                Ok(read)
            }
        }
    };

    (@setter [$($doc:expr)*] $option:ident: Vec<$T:ty>) => {
        $(#[doc = $doc])*
        pub fn $option(self, $option: impl IntoIterator<Item = impl Into<$T>>) -> Self {
            Self { $option: $option.into_iter().map(Into::into).collect(), ..self }
        }
    };
    (@setter [$($doc:expr)*] $option:ident: $Option:ty) => {
        $(#[doc = $doc])*
        pub fn $option(self, $option: $Option) -> Self {
            Self { $option, ..self }
        }
    };
    (@setter [$($doc:expr)*] [$check:expr] $option:ident: $Option:ty) => {
        $(#[doc = $doc])*
        #[track_caller]
        pub fn $option(self, $option: $Option) -> Self {
            let set = Self { $option, ..self };
            crate::check::expect(set.check());
            set
        }
    };

    (@given Vec<$T:ty>) => { impl Into<Vec<$T>> };
    (@given $T:ty) => { $T };
    (@stored $value:ident Vec<$T:ty>) => { $value.into() };
    (@stored $value:ident $T:ty) => { $value };
}
pub(crate) use options;
