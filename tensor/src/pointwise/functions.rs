//! The library's elementwise functions as values: each is a static of type [`Pointwise`](crate::Pointwise) whose method
//! on tensors and vars bears the same name.

pub use super::activations::*;
pub use super::angles::{COS, SIN, TAN};
pub use super::elementary::*;
pub use super::numbers::*;

use super::Pointwise;
use crate::{activation_functions, angle_functions, elementary_functions, number_functions};

/// Adds the functions of some rows to the list.
macro_rules! list {
    ($(
        $(#[$doc:meta])*
        pub static $NAME:ident = $name:ident($x:ident $(; $($parameter:ident),+)?): $value:expr,
            derivative |$g:ident $(, $output:ident)?| $derivative:expr;
    )+) => {
        const { &[$(&$NAME),+] }
    };
}

/// All of them.
///
/// ```
/// use gradus_tensor::functions;
/// let relu = functions::all().find(|function| function.name() == "relu").unwrap();
/// assert_eq!(relu.inputs(), ["x"]);
/// ```
pub fn all() -> impl Iterator<Item = &'static Pointwise> {
    let families: [&[&'static Pointwise]; 4] =
        [number_functions!(list), elementary_functions!(list), angle_functions!(list), activation_functions!(list)];
    families.into_iter().flatten().copied()
}
