//! The driver: chooses by shape which operands are packed and how C is cut into tasks.
//!
//! The loops are those of BLIS (5 to 3), with the choice to read an operand in place. The limits were measured on a Zen 3.

use super::cut::{GRAIN, Origin, Parts, parts};
use super::kernel::HEIGHT;
use super::lanes::{Lanes, Shuffle};
use super::pack::pack;
use super::tile::{self, Nearest, Panels, ResultTile, Strips};
use super::{Mat, dot};
use crate::memory::with_scratch;
use crate::team;

/// The bytes between two rows of an operand beyond which it is slow to read in place: such rows share few sets of a cache, and
/// each lies on a page of its own.
const FAR: usize = 1024;
/// The most bytes of a B that stays in the first-level cache as a whole.
const NEAR: usize = 16 << 10;
/// The most rows (BLIS's MC) or columns (NC) that are packed at a time; it bounds the scratch (2 MiB of f32 each).
const MOST_PACKED: usize = 2048;
/// The elements whose packing is worth a task of its own.
const PACK_GRAIN: usize = 1 << 15;
/// The most columns of a tile of C.
const COLUMNS: usize = 256;
/// The most elements of a tile of C, and of its rows of A along a block of k: both stay in the second-level cache.
const CACHED: usize = 192 * 256;
/// The least rows of a tile of C, unless C has fewer.
const LEAST_ROWS: usize = 24;
/// The tasks beyond which a product is cut only where its tiles would be too large.
const ENOUGH_TASKS: usize = 16;

/// C = A · B.
///
/// # Safety
///
/// The instructions are available, the shapes match, and no dimension is 0.
pub(super) unsafe fn multiply<V: Lanes>(a: Mat<'_, V::Element>, b: Mat<'_, V::Element>, c: &mut [V::Element]) {
    let n = b.columns;
    // SAFETY: the caller's promise; a column of C lies in memory as its transpose, a row.
    unsafe {
        if n == 1 && a.rows > 1 {
            multiply::<V>(b.transposed(), a.transposed(), c);
        } else if a.rows <= 3 && a.column_stride == 1 && b.row_stride == 1 && b.column_stride != 1 {
            dots::<V>(a, b, c);
        } else {
            tiles::<V>(a, b, c);
        }
    }
}

/// The product of few rows by contiguous columns.
unsafe fn dots<V: Lanes>(a: Mat<'_, V::Element>, b: Mat<'_, V::Element>, c: &mut [V::Element]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let c = Origin(c.as_mut_ptr());
    // Memory limits this product, so a task has less than the usual work.
    let columns = parts(n, 8, (m * k * n / (GRAIN / 4)).clamp(1, ENOUGH_TASKS));
    team::run(columns.count, |task| {
        let j = columns.range(task);
        // SAFETY: the caller's promise; each task has columns of C of its own.
        unsafe { dot::multiply::<V::Short>(a, b.part([0, j.start], [k, j.len()]), c.at(j.start), n) };
    });
}

/// The product tile by tile, with each operand packed first if that pays.
unsafe fn tiles<V: Lanes>(a: Mat<'_, V::Element>, b: Mat<'_, V::Element>, c: &mut [V::Element]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let far = |stride: isize| stride.unsigned_abs() * size_of::<V::Element>() > FAR;
    let bytes = k * n * size_of::<V::Element>();
    let in_rows = b.column_stride == 1 || n == 1;
    let pack_b = !in_rows || bytes > NEAR && m >= if far(b.row_stride) { LEAST_ROWS } else { 128 };
    let pack_a = a.column_stride != 1 && far(a.column_stride) && m >= LEAST_ROWS && k >= 64 && n >= 256;

    // The steps of the loops below: columns of C (NC), a block of k (KC) and rows (MC).
    let most = |len: usize, packed: bool| if packed { len.min(MOST_PACKED) } else { len };
    let (rows, columns) = (most(m, pack_a), most(n, pack_b));
    let depths = parts(k, 1, if pack_a || pack_b { k.div_ceil(V::DEPTH) } else { 1 });
    let vectors = match m {
        _ if pack_b => V::VECTORS,
        1 => 8,
        2 | 3 => 4,
        _ => V::VECTORS,
    };
    let width = vectors * V::LANES;
    let height = HEIGHT.next_multiple_of(V::Short::LANES);
    let a_scratch = if pack_a { rows.div_ceil(HEIGHT) * height * depths.each } else { 0 };
    let b_scratch = if pack_b { columns.next_multiple_of(width) * depths.each } else { 0 };
    let nearest = if bytes <= NEAR || m <= 3 { Nearest::Strip } else { Nearest::Panel };
    let c = Origin(c.as_mut_ptr());
    with_scratch(a_scratch + b_scratch, |scratch: *mut V::Element| {
        let (a_scratch, b_scratch) = (Origin(scratch), Origin(scratch.wrapping_add(a_scratch)));
        for j in (0..n).step_by(columns) {
            let columns = columns.min(n - j);
            for p in (0..depths.count).map(|block| depths.range(block)) {
                let b = b.part([p.start, j], [p.len(), columns]);
                let panels: Panels<V> = if pack_b {
                    // SAFETY: the scratch is as large as that, and no other thread uses it.
                    unsafe { pack_all::<V::Short>(b, width, &b_scratch) };
                    Panels { start: b_scratch.at(0), row: width as isize, panel: (width * p.len()) as isize, vectors }
                } else {
                    Panels { start: b.start, row: b.row_stride, panel: width as isize, vectors }
                };
                for i in (0..m).step_by(rows) {
                    let a = a.part([i, p.start], [rows.min(m - i), p.len()]);
                    let strips = if pack_a {
                        // SAFETY: as above.
                        unsafe { pack_all::<V::Short>(a.transposed(), HEIGHT, &a_scratch) };
                        let strip = Some((height * p.len()) as isize);
                        Strips { start: a_scratch.at(0), row: 1, column: height as isize, strip }
                    } else {
                        Strips { start: a.start, row: a.row_stride, column: a.column_stride, strip: None }
                    };
                    let tile = ResultTile { start: c.at(i * n + j), rows: a.rows, columns, row: n, add: p.start > 0 };
                    // SAFETY: the caller's promise, for a part of the operands and of C.
                    unsafe { multiply_tiles::<V>(p.len(), &strips, &panels, tile, nearest) };
                }
            }
        }
    });
}

/// C = A · B or C += A · B for operands in the order in which they are read.
unsafe fn multiply_tiles<V: Lanes>(
    k: usize,
    a: &Strips<V::Element>,
    b: &Panels<V>,
    c: ResultTile<V::Element>,
    nearest: Nearest,
) {
    let [rows, columns] = tile_sizes::<V>([c.rows, k, c.columns], b.width());
    let start = Origin(c.start);
    let (row, add) = (c.row, c.add);
    team::run(rows.count * columns.count, |task| {
        let (i, j) = (rows.range(task / columns.count), columns.range(task % columns.count));
        let c = ResultTile { start: start.at(i.start * row + j.start), rows: i.len(), columns: j.len(), row, add };
        // SAFETY: the caller's promise; the tiles of C are disjoint.
        unsafe { tile::multiply::<V>(k, a.skip(i.start), b.skip(j.start), c, nearest) };
    });
}

/// The rows and columns of the tiles that C is cut into: small enough for the second-level cache, and as many tiles as are
/// worth a task. The longer side is cut first.
fn tile_sizes<V: Lanes>([m, k, n]: [usize; 3], width: usize) -> [Parts; 2] {
    let wanted = (m * k * n / GRAIN).min(ENOUGH_TASKS);
    let most_rows = CACHED / k.min(V::DEPTH).max(n.min(COLUMNS));
    let (mut rows, mut columns) = (m.div_ceil(most_rows), n.div_ceil(COLUMNS));
    let rows_first = m / rows > n / columns;
    if rows_first {
        rows = rows.max((wanted / columns).min(m / LEAST_ROWS));
    }
    columns = columns.max((wanted / rows).min(n / (2 * width)));
    if !rows_first {
        rows = rows.max((wanted / columns).min(m / LEAST_ROWS));
    }
    [parts(m, HEIGHT, rows), parts(n, width, columns)]
}

/// Packs a matrix in panels of `unit` columns, several at a time.
///
/// # Safety
///
/// AVX2 is available; the scratch is large enough (see [`pack`]), and no other thread uses it.
unsafe fn pack_all<V: Shuffle>(source: Mat<'_, V::Element>, unit: usize, scratch: &Origin<V::Element>) {
    let panel = unit.next_multiple_of(V::LANES) * source.rows;
    let wanted = (source.rows * source.columns / PACK_GRAIN).clamp(1, ENOUGH_TASKS);
    let columns = parts(source.columns, unit, wanted);
    team::run(columns.count, |task| {
        let columns = columns.range(task);
        let part = source.part([0, columns.start], [source.rows, columns.len()]);
        // SAFETY: the caller's promise; each task has panels of its own.
        unsafe { pack::<V>(part, unit, scratch.at(columns.start / unit * panel)) };
    });
}
