//! Kernels: loops over borrowed slices and views. The ops that call them have checked the shapes and allocated the results.

pub(crate) mod accumulate;
pub(crate) mod attention;
pub(crate) mod bias;
pub(crate) mod copy;
pub(crate) mod ctc;
pub(crate) mod ctc_align;
pub(crate) mod ctc_decode;
pub(crate) mod depthwise;
pub(crate) mod dropout;
pub(crate) mod gather;
pub(crate) mod gauss;
pub(crate) mod gemm;
pub(crate) mod linalg;
pub(crate) mod map;
pub(crate) mod math;
mod nest;
pub(crate) mod order;
pub(crate) mod paste;
pub(crate) mod pool;
pub(crate) mod recurrence;
pub(crate) mod reduce;
pub(crate) mod resize;
pub(crate) mod rows;
pub(crate) mod softmax;
pub(crate) mod standardize;
mod transpose;
mod unfold;
pub(crate) mod update;
pub(crate) mod windows;
pub(crate) mod winograd;

use crate::layout::Layout;

/// The elements of `data` that a layout addresses; the layout was made for this data.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, T> {
    pub data: &'a [T],
    pub layout: &'a Layout,
}

/// A mutable slice that the tasks of a team share; each writes to parts of its own.
pub(crate) struct Shared<T> {
    start: *mut T,
    #[cfg(debug_assertions)]
    len: usize,
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Shared<T> {}

// SAFETY: the pointer is only followed through `part`, whose callers keep the parts disjoint.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub fn new(slice: &mut [T]) -> Self {
        Shared {
            start: slice.as_mut_ptr(),
            #[cfg(debug_assertions)]
            len: slice.len(),
        }
    }

    /// Elements `start..start + len`.
    ///
    /// # Safety
    /// The part lies within the slice, no other part that overlaps it is alive, and the slice outlives the part.
    #[inline(always)]
    pub unsafe fn part<'a>(self, start: usize, len: usize) -> &'a mut [T] {
        #[cfg(debug_assertions)]
        assert!(start + len <= self.len);
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }

    /// Elements `start..start + len` for reading, by several tasks if need be.
    ///
    /// # Safety
    /// The part lies within the slice, no task writes to it while it is alive, and the slice outlives the part.
    #[inline(always)]
    pub unsafe fn read<'a>(self, start: usize, len: usize) -> &'a [T]
    where
        T: Sync,
    {
        #[cfg(debug_assertions)]
        assert!(start + len <= self.len);
        // SAFETY: the caller's promise.
        unsafe { std::slice::from_raw_parts(self.start.add(start), len) }
    }
}

/// The elements that one task of an elementwise kernel handles: 64 KiB of f32, so that two operands and the result fit into a
/// core's second-level cache and handing a task over to another core takes a small part of its time.
pub(crate) const CHUNK: usize = 1 << 14;
