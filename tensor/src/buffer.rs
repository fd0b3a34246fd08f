//! The elements of tensors: a fixed number of them, aligned, always initialised, in recycled memory.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use crate::element::Element;
use crate::memory::{Block, bytes_of};

/// A fixed number of elements, aligned to a cache line.
///
/// A buffer knows element types, and element types know no buffer: its zeros and its valid bits are theirs to say.
pub(crate) struct Buffer<T: Element> {
    block: Block,
    len: usize,
    owns: PhantomData<T>,
}

impl<T: Element> Buffer<T> {
    /// A buffer whose elements hold unspecified values, for a kernel that writes every one.
    #[track_caller]
    pub fn unspecified(len: usize) -> Self {
        Self::in_block(Block::new(bytes_of::<T>(len)), len)
    }

    /// As [`unspecified`](Buffer::unspecified); `None` if there is not so much memory.
    pub fn try_unspecified(len: usize) -> Option<Self> {
        let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| bytes <= crate::memory::MOST_BYTES)?;
        Some(Self::in_block(Block::try_new(bytes)?, len))
    }

    /// The first `len` elements of a block that is new or recycled.
    fn in_block((block, recycled): (Block, bool), len: usize) -> Self {
        if recycled && !T::ANY_BITS {
            // SAFETY: the block holds at least `len` elements; zero is a valid value of every element type.
            unsafe { block.start().cast::<T>().write_bytes(0, len) };
        }
        Buffer { block, len, owns: PhantomData }
    }

    /// A copy of `elements`.
    pub fn copy_of(elements: &[T]) -> Self {
        let mut buffer = Self::unspecified(elements.len());
        buffer.copy_from_slice(elements);
        buffer
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];
    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the block is aligned and holds `len` elements, all initialised: fresh memory is zeroed, recycled memory
        // was written before, and types for which not every bit pattern is valid are zeroed again.
        unsafe { std::slice::from_raw_parts(self.block.start().as_ptr().cast(), self.len) }
    }
}

impl<T: Element> DerefMut for Buffer<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the buffer is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.block.start().as_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_memory_is_used_again() {
        // A length no other test uses, so that the block is still there.
        let mut first = Buffer::<f32>::unspecified(123_457);
        first.fill(7.0);
        let start = first.as_ptr();
        drop(first);
        let second = Buffer::<f32>::unspecified(123_457);
        assert_eq!(second.as_ptr(), start);
    }

    #[test]
    fn recycled_bools_are_valid() {
        let bytes = 234_567;
        Buffer::<u8>::unspecified(bytes).fill(255);
        let flags = Buffer::<bool>::unspecified(bytes);
        assert!(flags.iter().all(|&flag| !flag));
    }
}
