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
    ///
    /// ```
    /// use gradus_autograd::Params;
    /// use gradus_optim::{Adam, Optimizer, State};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("0/kernel", Tensor::new([1.0]));
    /// let slots = vec![("7/kernel/momentum".to_owned(), Tensor::new([0.0]))];
    /// let state = State { steps: 1, learning_rate: None, waiting: 0, slots };
    /// let error = Optimizer::from(Adam::default()).restore(&params, state).unwrap_err();
    /// assert!(error.to_string().contains("7/kernel/momentum"));
    /// ```
    RestoreError
}

message_error! {
    /// Parameters, their gradients or the learning rate are none with which an optimiser can take its next step.
    ///
    /// ```
    /// use gradus_autograd::{Grads, Params};
    /// use gradus_optim::{Optimizer, Sgd};
    /// use gradus_tensor::Tensor;
    /// let mut params = Params::new();
    /// params.add("0/kernel", Tensor::new([1.0]));
    /// let grads = Grads::from_iter([Some(Tensor::new([1.0, 2.0]))]);
    /// let error = Optimizer::from(Sgd::default()).try_step(&mut params, &grads).unwrap_err();
    /// assert!(error.to_string().contains("0/kernel"));
    /// ```
    StepError
}
