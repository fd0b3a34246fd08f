//! Kernels: functions over borrowed data that never allocate and never check. The ops above them do both.

pub(crate) mod math;
