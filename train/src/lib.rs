//! Fit and evaluate: the trainer, metrics, callbacks and history.
#![forbid(unsafe_code)]
