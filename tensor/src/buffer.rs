//! Tensor memory: aligned, always initialised, recycled.
//!
//! A training step asks for the same sizes again and again, and fresh memory is slow: the system hands out pages that
//! fault on first touch. So a dropped buffer's memory waits in a bounded pool, sorted by size class, for the next
//! buffer of that class. The pool is this crate's only global state besides the worker team.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::element::Element;

/// One cache line, and more than any vector register needs.
const ALIGNMENT: usize = 64;
/// Smaller buffers go straight to the system allocator, which keeps such sizes per thread.
const SMALLEST_POOLED: usize = 1024;
/// The pool holds at most this many bytes; what would go beyond is given back to the system.
const POOL_BYTES: usize = 1 << 30;

/// A fixed-length run of elements, aligned to a cache line.
pub(crate) struct Buffer<T: Element> {
    start: NonNull<T>,
    len: usize,
    owns: PhantomData<T>,
}

// SAFETY: a buffer owns its elements, which are plain data (`Element: Send + Sync`).
unsafe impl<T: Element> Send for Buffer<T> {}
// SAFETY: as above; shared access only reads.
unsafe impl<T: Element> Sync for Buffer<T> {}

impl<T: Element> Buffer<T> {
    /// A buffer whose elements hold unspecified values, for a kernel that writes every one.
    pub fn unspecified(len: usize) -> Self {
        if len == 0 {
            return Buffer { start: NonNull::dangling(), len, owns: PhantomData };
        }
        let (start, recycled) = take(size_class(len.checked_mul(size_of::<T>()).expect("tensor size overflows")));
        let start = start.cast::<T>();
        if recycled && !T::ANY_BITS {
            // SAFETY: the block holds at least `len` elements; zero is a valid value of every element type.
            unsafe { start.write_bytes(0, len) };
        }
        Buffer { start, len, owns: PhantomData }
    }

    /// A buffer of zeros (`false` for bool).
    pub fn zeroed(len: usize) -> Self {
        let mut buffer = Self::unspecified(len);
        buffer.fill(T::ZERO);
        buffer
    }

    /// A copy of `elements`.
    pub fn copy_of(elements: &[T]) -> Self {
        let mut buffer = Self::unspecified(elements.len());
        buffer.copy_from_slice(elements);
        buffer
    }
}

impl<T: Element> Drop for Buffer<T> {
    fn drop(&mut self) {
        if self.len > 0 {
            give(self.start.cast(), size_class(self.len * size_of::<T>()));
        }
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: `start` is aligned and valid for `len` elements, all initialised: fresh memory is zeroed, recycled
        // memory was written before, and types for which not every bit pattern is valid are zeroed again.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Element> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the buffer is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

/// The bytes that a request is rounded up to: quarter steps between powers of two, so at most a fifth is wasted.
fn size_class(bytes: usize) -> usize {
    if bytes <= SMALLEST_POOLED {
        return bytes.next_multiple_of(ALIGNMENT);
    }
    let quarter = (bytes.next_power_of_two() / 8).max(ALIGNMENT);
    bytes.next_multiple_of(quarter)
}

/// Idle blocks: one stack for each size class that was ever given back.
struct Pool {
    stacks: Vec<(usize, Vec<Block>)>,
    bytes: usize,
}

/// An idle block's first byte.
struct Block(NonNull<u8>);

// SAFETY: an idle block belongs to the pool alone.
unsafe impl Send for Block {}

static POOL: Mutex<Pool> = Mutex::new(Pool { stacks: Vec::new(), bytes: 0 });

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

fn block_layout(class: usize) -> Layout {
    Layout::from_size_align(class, ALIGNMENT).expect("tensor size overflows")
}

/// A block of `class` bytes, and whether it is recycled (else it is zeroed).
fn take(class: usize) -> (NonNull<u8>, bool) {
    if class > SMALLEST_POOLED {
        let mut pool = pool();
        if let Ok(place) = pool.stacks.binary_search_by_key(&class, |stack| stack.0)
            && let Some(block) = pool.stacks[place].1.pop()
        {
            pool.bytes -= class;
            return (block.0, true);
        }
    }
    let layout = block_layout(class);
    // SAFETY: the size is not zero, `Buffer::unspecified` handles empty buffers itself.
    let start = unsafe { alloc_zeroed(layout) };
    (NonNull::new(start).unwrap_or_else(|| handle_alloc_error(layout)), false)
}

/// Puts a block into the pool, or back to the system when it is small or the pool is full.
fn give(start: NonNull<u8>, class: usize) {
    if class > SMALLEST_POOLED {
        let mut pool = pool();
        if pool.bytes + class <= POOL_BYTES {
            pool.bytes += class;
            let place = match pool.stacks.binary_search_by_key(&class, |stack| stack.0) {
                Ok(place) => place,
                Err(place) => {
                    pool.stacks.insert(place, (class, Vec::new()));
                    place
                }
            };
            pool.stacks[place].1.push(Block(start));
            return;
        }
    }
    // SAFETY: the block came from `take` with the same class, and its one owner is giving it up.
    unsafe { dealloc(start.as_ptr(), block_layout(class)) };
}

/// Gives all idle tensor memory back to the system.
///
/// Dropped tensors leave their memory to later ones of the same size, up to 1 GiB in all. A program that is done with
/// tensors for a while can hand that back.
pub fn release_memory() {
    let stacks = {
        let mut pool = pool();
        pool.bytes = 0;
        std::mem::take(&mut pool.stacks)
    };
    for (class, stack) in stacks {
        for block in stack {
            // SAFETY: idle blocks came from `take` with this class and have no other owner.
            unsafe { dealloc(block.0.as_ptr(), block_layout(class)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_hold_their_request_and_waste_little() {
        for bytes in (1..5000).chain([1 << 20, (1 << 20) + 1, 100_000_007]) {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(ALIGNMENT));
            assert!(bytes < SMALLEST_POOLED || class - bytes <= bytes / 4, "{bytes} takes {class}");
            assert_eq!(size_class(class), class);
        }
    }

    #[test]
    fn dropped_memory_is_used_again() {
        // A length no other test uses, so that the block is still there.
        let mut first = Buffer::<f32>::unspecified(123_457);
        first.fill(7.0);
        let start = first.start;
        drop(first);
        let second = Buffer::<f32>::unspecified(123_457);
        assert_eq!(second.start, start);
        drop(second);
        assert!(Buffer::<f32>::zeroed(123_457).iter().all(|&x| x == 0.0));
    }

    #[test]
    fn recycled_bools_are_valid() {
        let bytes = 234_567;
        Buffer::<u8>::unspecified(bytes).fill(255);
        let flags = Buffer::<bool>::unspecified(bytes);
        assert!(flags.iter().all(|&flag| !flag));
    }
}
