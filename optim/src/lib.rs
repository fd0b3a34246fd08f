//! Optimisers, schedules and gradient transforms.
#![forbid(unsafe_code)]
