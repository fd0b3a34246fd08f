//! Products whose results are pooled at once: of a convolution that a pooling follows, only what is largest in its window
//! goes to memory.

use super::spread::{Base, Block, Columns, MOST_ROWS, Spread};
use super::{GRAIN, Mat, Parts, parts};
use crate::element::Float;
use crate::kernels::Shared;
use crate::kernels::windows::Windows;
use crate::memory::with_scratch;
use crate::team;

/// Bytes of the results that wait to be pooled, at most: they stay in the second-level cache.
const MOST_WAITING: usize = 1 << 17;

/// Multiply-adds that take as long as to write a result and to pool it.
const POOLING: usize = 32;

/// How the windows over each matrix of results are cut: by the outermost axis, so many rows of results to a place on it,
/// and at most so many to a chunk.
pub(crate) struct Chunks {
    axis: usize,
    rows: usize,
    most: usize,
    parts: Parts,
}

/// How products with `n` columns under these windows can be pooled at once. They can where no result is in the windows of
/// two chunks, and those of a chunk are few.
pub(crate) fn chunks<T>(windows: &Windows, n: usize) -> Option<Chunks> {
    let axis = windows.outer();
    let rows: usize = windows.axes[axis + 1..].iter().map(|axis| axis.length).product();
    let (apart, count) = (windows.axes[axis].apart()?, windows.axes[axis].windows);
    let wanted = MOST_ROWS / (apart * rows).max(1);
    let parts = parts(count, 1, count.div_ceil(wanted.max(1)));
    let most = windows.axes[axis].length.min(parts.each * apart) * rows;
    (most * n * size_of::<T>() <= MOST_WAITING && most * n > 0 && count > 0).then_some(Chunks {
        axis,
        rows,
        most,
        parts,
    })
}

/// `out` = the largest of base + A_s · B in each window over its rows, and in `places` the numbers of the taps where they
/// are; what is negative is made 0 if `relu`.
///
/// # Panics
///
/// If the shapes do not match.
pub(crate) fn pooled_products<T: Float>(
    a: Spread<'_, T>,
    b: Mat<'_, T>,
    base: Base<'_, T>,
    relu: bool,
    (windows, chunks): (&Windows, &Chunks),
    (out, places): (&mut [T], &mut [u8]),
) {
    let (k, n) = (a.columns.len(), b.columns);
    let results: usize = windows.axes.iter().map(|axis| axis.windows).product::<usize>() * n;
    let Chunks { axis, rows, most, parts } = *chunks;
    assert!(b.rows == k && a.rows.len() * n == windows.sample() && windows.channels == n, "pooled_products: {k}, {n}");
    assert!(out.len() == a.count * results && places.len() == out.len(), "pooled_products: {} results", out.len());
    if out.is_empty() {
        return;
    }
    let entry = results / windows.axes[axis].windows;
    let work = windows.sample() / parts.count * (k + POOLING);
    let (out, places) = (Shared::new(out), Shared::new(places));
    let columns = Columns::new(a.columns);
    T::with_panels(b, &columns, a.count * a.rows.len(), |b| {
        team::split(a.count * parts.count, (GRAIN / work.max(1)).max(1), |range| {
            let mut block = Block::new();
            with_scratch(most * n, |scratch: *mut T| {
                for chunk in range {
                    let (sample, part) = (chunk / parts.count, parts.range(chunk % parts.count));
                    let (entries, local) = windows.part(axis, part.clone());
                    let results = entries.start * rows..entries.end * rows;
                    // SAFETY: the shapes have been compared, the scratch is as large as these results, which are then written.
                    let results = unsafe {
                        a.multiply((sample, results.clone()), (&columns, b), base, &mut block, (scratch, n));
                        std::slice::from_raw_parts(scratch, results.len() * n)
                    };
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
