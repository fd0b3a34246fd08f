//! Products whose results are pooled as they are computed: of a convolution before a maximum pooling, only the largest element
//! of each window is written to memory.

use super::Mat;
use super::cut::{GRAIN, Parts, parts};
use super::implicit::{Addend, ColumnOffsets, ImplicitMatrix, MOST_ROWS, RowBlock};
use crate::element::Float;
use crate::kernels::Shared;
use crate::memory::with_scratch;
use crate::team;
use crate::windows::Windows;

/// The most bytes of results that wait to be pooled: they stay in the second-level cache.
const MOST_WAITING: usize = 1 << 17;

/// The multiply-adds that take as long as writing and pooling one result.
const POOLING: usize = 32;

/// The chunks of windows over each matrix of results, cut along the outermost axis.
pub(crate) struct Chunks {
    /// The outermost axis.
    axis: usize,
    /// The rows of results for each place along it.
    rows: usize,
    /// The most rows of results of a chunk.
    most: usize,
    parts: Parts,
}

/// The chunks in which products with `n` columns can be pooled as they are computed; `None` where windows overlap, so that two
/// chunks would need the same results, or where the results of a chunk would be too many for the cache.
pub(crate) fn chunks<T>(windows: &Windows, n: usize) -> Option<Chunks> {
    let axis = windows.outermost_axis();
    let rows: usize = windows.axes[axis + 1..].iter().map(|axis| axis.length).product();
    let (stride, count) = (windows.axes[axis].disjoint_stride()?, windows.axes[axis].windows);
    let wanted = MOST_ROWS / (stride * rows).max(1);
    let parts = parts(count, 1, count.div_ceil(wanted.max(1)));
    let most = windows.axes[axis].length.min(parts.each * stride) * rows;
    (most * n * size_of::<T>() <= MOST_WAITING && most * n > 0 && count > 0).then_some(Chunks {
        axis,
        rows,
        most,
        parts,
    })
}

/// `out` = the largest element of addend + A_s · B in each window over its rows, or 0 if that is negative and `relu`; `places` =
/// the number of its kernel position.
///
/// # Panics
///
/// If the shapes do not match.
pub(crate) fn pooled_products<T: Float>(
    a: ImplicitMatrix<'_, T>,
    b: Mat<'_, T>,
    addend: Addend<'_, T>,
    relu: bool,
    (windows, chunks): (&Windows, &Chunks),
    (out, places): (&mut [T], &mut [u8]),
) {
    let (k, n) = (a.columns.len(), b.columns);
    let results: usize = windows.axes.iter().map(|axis| axis.windows).product::<usize>() * n;
    let Chunks { axis, rows, most, parts } = *chunks;
    assert!(
        b.rows == k && a.rows.len() * n == windows.sample_size() && windows.channels == n,
        "pooled_products: {k}, {n}"
    );
    assert!(out.len() == a.count * results && places.len() == out.len(), "pooled_products: {} results", out.len());
    if out.is_empty() {
        return;
    }
    let entry = results / windows.axes[axis].windows;
    let work = windows.sample_size() / parts.count * (k + POOLING);
    let (out, places) = (Shared::new(out), Shared::new(places));
    let columns = ColumnOffsets::new(a.columns);
    T::with_right_operand(b, &columns, a.count * a.rows.len(), |b| {
        team::split(a.count * parts.count, (GRAIN / work.max(1)).max(1), |range| {
            let mut block = RowBlock::new();
            with_scratch(most * n, |scratch: *mut T| {
                for chunk in range {
                    let (sample, part) = (chunk / parts.count, parts.range(chunk % parts.count));
                    let (entries, local) = windows.part(axis, part.clone());
                    let results = entries.start * rows..entries.end * rows;
                    let (one, span) = (sample..sample + 1, a.span(results.clone()));
                    // SAFETY: the shapes have been compared, the scratches are as large as the padded part of the sample and as
                    // these results, which are then written.
                    let results = with_scratch(a.samples.scratch(&one, &span), |padded| unsafe {
                        let start = a.samples.place(one, span, padded).start(sample);
                        a.multiply((start, results.clone()), (&columns, b), addend, &mut block, (scratch, n));
                        std::slice::from_raw_parts(scratch, results.len() * n)
                    });
                    let first = (sample * windows.axes[axis].windows + part.start) * entry;
                    let len = part.len() * entry;
                    // SAFETY: each window's results belong to the one task that has its chunk.
                    let (out, places) = unsafe { (out.part(first, len), places.part(first, len)) };
                    local.largest(results, relu, out, places);
                }
            });
        });
    });
}
