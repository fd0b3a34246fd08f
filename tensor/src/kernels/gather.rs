//! Copies and sums of elements at given indices. The ops that call them have checked every index.

use super::nest::Nest;
use super::{CHUNK, Shared, View};
use crate::element::{Element, Number};
use crate::layout::Layout;
use crate::shape::Shape;
use crate::simd::vectorize;
use crate::team;

/// The bytes that one task copies. Rows of a data set in random order come from main memory, so two cores fetch even a few of them
/// faster than one.
const TASK_BYTES: usize = 1 << 14;

/// Copies rows of a view, each contiguous, one after the other into `out`.
pub(crate) fn take_rows<T: Element>(a: View<'_, T>, rows: &[usize], length: usize, out: &mut [T]) {
    let rows_per_task = (TASK_BYTES / (length * size_of::<T>()).max(1)).max(1);
    let row = |place: usize| {
        let start = a.layout.offset.wrapping_add_signed(rows[place] as isize * a.layout.strides[0]);
        &a.data[start..][..length]
    };
    let out = Shared::new(out);
    team::split(rows.len(), rows_per_task, |range| {
        // Rows in random order lie on pages whose addresses the processor has yet to look up, which takes as long as a row
        // itself. It looks up several at once if it is told early.
        for row in range.clone().map(row) {
            prefetch(&row[..row.len().min(1)]);
            prefetch(&row[row.len().saturating_sub(1)..]);
        }
        for place in range.clone() {
            if place + 1 < range.end {
                prefetch(row(place + 1));
            }
            // SAFETY: each row of the result is written by one task.
            unsafe { out.part(place * length, length) }.copy_from_slice(row(place));
        }
    });
}

/// Prefetches elements into the cache.
#[inline(always)]
fn prefetch<T>(elements: &[T]) {
    #[cfg(target_arch = "x86_64")]
    for offset in (0..size_of_val(elements).min(TASK_BYTES)).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address is within the slice, and a prefetch is only a hint.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(elements.as_ptr().byte_add(offset).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = elements;
}

/// `out[o, i, :] = a[o, indices[i], :]`, where `a` is `[outer, length, inner]`.
pub(crate) fn take<T: Element>(a: &[T], length: usize, inner: usize, indices: &[usize], out: &mut [T]) {
    let count = indices.len();
    let slots_per_task = (TASK_BYTES / (inner * size_of::<T>()).max(1)).max(1);
    let slots = out.len().checked_div(inner).unwrap_or(0);
    let out = Shared::new(out);
    team::split(slots, slots_per_task, |range| {
        for slot in range {
            let (outer, i) = (slot / count, slot % count);
            let source = &a[(outer * length + indices[i]) * inner..][..inner];
            // SAFETY: each slot of the result is written by one task.
            let out = unsafe { out.part(slot * inner, inner) };
            match (source, out) {
                // A call of memcpy costs more than the copy of one element.
                ([source], [out]) => *out = *source,
                (source, out) => out.copy_from_slice(source),
            }
        }
    });
}

/// The most parts into which [`add_at`] cuts a slab: every part looks at all indices.
const MOST_PARTS: usize = 8;

/// `out[o, indices[i], :] += source[o, i, :]`, in the order of `i`. Row `[o, i, :]` of the source lies in `source` from
/// `starts[o * count + i]` on, where `count` is the number of indices.
///
/// A task owns some rows of the result and adds up what is meant for them. So nothing depends on the number of threads.
pub(crate) fn add_at<T: Number>(
    out: &mut [T],
    [length, inner]: [usize; 2],
    indices: &[usize],
    source: &[T],
    starts: &[usize],
) {
    let count = indices.len();
    let outer = starts.len().checked_div(count).unwrap_or(0);
    let parts = (count * inner / (4 * CHUNK)).clamp(1, MOST_PARTS);
    let rows_per_part = length.div_ceil(parts);
    let shared = Shared::new(out);
    team::run(outer * parts, |task| {
        let (slab, part) = (task / parts, task % parts);
        let first = length.min(part * rows_per_part);
        let rows = rows_per_part.min(length - first);
        // SAFETY: each row of the result belongs to one task.
        let out = unsafe { shared.part((slab * length + first) * inner, rows * inner) };
        vectorize(
            #[inline(always)]
            || {
                for (i, &index) in indices.iter().enumerate() {
                    let row = index.wrapping_sub(first);
                    if row >= rows {
                        continue;
                    }
                    let source = &source[starts[slab * count + i]..][..inner];
                    for (out, &x) in out[row * inner..][..inner].iter_mut().zip(source) {
                        *out = out.plus(x);
                    }
                }
            },
        );
    });
}

/// The layout of `a` for an index tensor of `shape`, with stride 0 along `axis`, and the stride of `a` along that axis.
fn without_index(a: &Layout, axis: usize, shape: &Shape) -> (Layout, isize) {
    let mut layout = Layout { shape: shape.clone(), ..a.clone() };
    layout.strides[axis] = 0;
    (layout, a.strides[axis])
}

/// `out[i, j, k] = a[i, index[i, j, k], k]` for axis 1 of three, and likewise for any axis.
pub(crate) fn gather<T: Element>(a: View<'_, T>, axis: usize, index: &[usize], indexed: &Layout, out: &mut [T]) {
    let (places, stride) = without_index(a.layout, axis, &indexed.shape);
    let nest = Nest::new([&places]);
    let len = out.len();
    let out = Shared::new(out);
    team::split(len, TASK_BYTES / size_of::<usize>(), |range| {
        nest.for_each_run(range, |place, len, [start]| {
            // SAFETY: the runs of all tasks are disjoint parts of the result.
            let out = unsafe { out.part(place, len) };
            for (i, (out, &index)) in out.iter_mut().zip(&index[place..place + len]).enumerate() {
                let offset = i as isize * nest.steps[0] + index as isize * stride;
                *out = a.data[start.wrapping_add_signed(offset)];
            }
        });
    });
}

/// `out[i, index[i, j, k], k] += source[i, j, k]` for axis 1 of three, and likewise for any axis, in row-major order of the index.
/// `out` has the layout `target`.
pub(crate) fn scatter_add<T: Number>(
    out: &mut [T],
    target: &Layout,
    axis: usize,
    index: &[usize],
    indexed: &Layout,
    source: View<'_, T>,
) {
    if index.is_empty() {
        return;
    }
    let (places, stride) = without_index(target, axis, &indexed.shape);
    let sources = Layout { shape: indexed.shape.clone(), ..source.layout.clone() };
    let nest = Nest::new([&places, &sources]);
    let [step, step_from] = nest.steps;
    nest.for_each_run(0..index.len(), |place, len, [start, from]| {
        for (i, &index) in index[place..place + len].iter().enumerate() {
            let target = start.wrapping_add_signed(i as isize * step + index as isize * stride);
            let x = source.data[from.wrapping_add_signed(i as isize * step_from)];
            out[target] = out[target].plus(x);
        }
    });
}
