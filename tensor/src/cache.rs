//! Room between values that several threads write to.

/// A value with a pair of cache lines to itself. Values of other threads on the same line would slow each other down, and
/// processors fetch lines in pairs.
#[repr(align(128))]
pub(crate) struct CachePadded<T>(pub T);
