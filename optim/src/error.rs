//! The errors of an optimiser, each a message.

use std::fmt;

/// Declares an error that is a message.
macro_rules! message_error {
    ($(#[doc = $about:expr])+ $Name:ident) => {
        $(#[doc = $about])+
        ///
        /// One pointer wide.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[allow(clippy::box_collection)] // A thin pointer: the box around the string is the point.
        pub struct $Name(Box<String>);

        impl $Name {
            pub(crate) fn refuse<R>(message: String) -> Result<R, Self> {
                Err($Name(Box::new(message)))
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::error::Error for $Name {}
    };
}

message_error! {
    /// A state does not fit the parameters or the rule.
    RestoreError
}

message_error! {
    /// Parameters, their gradients or the learning rate are none with which an optimiser can take its next step.
    StepError
}
