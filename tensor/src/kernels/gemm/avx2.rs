//! The driver for AVX2 with FMA: chooses by shape what is copied first and how C is cut into tasks.

use std::ops::Range;

use super::lanes::Lanes;
use super::pack::pack;
use super::scratch::with_room;
use super::tile::{self, Block, HEIGHT, Nearest, Panels, Strips};
use super::{GRAIN, Mat, Origin, Parts, parts};
use crate::team;

/// The most tasks that a product is cut into.
const MOST_TASKS: usize = 256;
/// Where operands are packed, k is walked in blocks of at most this many: a panel of B (16 KiB) then stays in the
/// first-level cache while strips of A pass.
const DEPTH: usize = 256;
/// Rows of a packed block of A (128 KiB), which stays in the second-level cache while panels of B pass.
const ROWS: usize = 96;
/// Columns of a tile of C where operands are packed.
const COLUMNS: usize = 512;
/// The most rows, or columns, that are packed at a time, so that the room needed is bounded (some 2 MiB each).
const MOST_PACKED: usize = 2048;
/// Elements whose packing is worth a task of its own.
const PACK_GRAIN: usize = 1 << 15;

/// C = A · B.
///
/// # Safety
///
/// AVX2 and FMA must be available, the shapes match, and no dimension be 0.
pub(super) unsafe fn multiply<T: Lanes>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    // SAFETY: the caller's promise; a column lies as the row that is its transpose.
    unsafe {
        if n == 1 && m > 1 {
            multiply(b.transposed(), a.transposed(), c);
        } else if m.min(k).min(n) >= 64 && m * k * n >= 1 << 22 {
            blocked(a, b, c);
        } else {
            direct(a, b, c);
        }
    }
}

/// The product with A in place, and B too if its rows lie in one piece: for operands so small that to read them where
/// they lie costs less than a copy.
unsafe fn direct<T: Lanes>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let vectors = if m <= 3 { 4 } else { 2 };
    let width = vectors * T::LANES;
    let in_place = b.column_stride == 1 || n == 1;
    let [rows, columns] = grid(m, n, width, tasks(m * k * n, GRAIN));
    let nearest = if k * n * size_of::<T>() <= 16 << 10 { Nearest::Strip } else { Nearest::Panel };
    let c = Origin(c.as_mut_ptr());
    with_room(if in_place { 0 } else { k * n.next_multiple_of(width) }, |room| {
        let panels = if in_place {
            Panels { start: b.start, row: b.row_stride, panel: width as isize }
        } else {
            let room = Origin(room);
            let panels = parts(n, width, tasks(k * n, PACK_GRAIN));
            team::run(panels.count, |task| {
                // SAFETY: the room has a place for each panel.
                unsafe { pack_panels(b, panels.range(task), width, &room) };
            });
            Panels { start: room.at(0), row: width as isize, panel: (width * k) as isize }
        };
        team::run(rows.count * columns.count, |task| {
            let (i, j) = (rows.range(task / columns.count), columns.range(task % columns.count));
            let a = Strips { start: a.at(i.start, 0), row: a.row_stride, column: a.column_stride, strip: None };
            let c = Block { start: c.at(i.start * n + j.start), rows: i.len(), columns: j.len(), row: n, add: false };
            // SAFETY: the caller's promise; the tiles of C are disjoint.
            unsafe { tile::multiply(k, a, panels.skip(j.start / width), c, vectors, nearest) };
        });
    });
}

/// The product with both operands packed, a block of k after the other (BLIS's five loops, of which the innermost two
/// and the micro-kernel are [`tile::multiply`]).
unsafe fn blocked<T: Lanes>(a: Mat<'_, T>, b: Mat<'_, T>, c: &mut [T]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let (height, width) = (HEIGHT.next_multiple_of(T::LANES), 2 * T::LANES);
    let depths = parts(k, 1, k.div_ceil(DEPTH));
    let (most_rows, most_columns) = (m.min(MOST_PACKED), n.min(MOST_PACKED).next_multiple_of(width));
    let b_room = most_columns * depths.each;
    let a_room = most_rows.div_ceil(HEIGHT) * height * depths.each;
    let c = Origin(c.as_mut_ptr());
    with_room(b_room + a_room, |room: *mut T| {
        let (b_room, a_room) = (Origin(room), Origin(room.wrapping_add(b_room)));
        for j0 in (0..n).step_by(MOST_PACKED) {
            for p in (0..depths.count).map(|block| depths.range(block)) {
                let columns = MOST_PACKED.min(n - j0);
                let depth = p.len();
                let b = b.part([p.start, j0], [depth, columns]);
                let panels = parts(columns, width, tasks(depth * columns, PACK_GRAIN));
                team::run(panels.count, |task| {
                    // SAFETY: the room has a place for each panel.
                    unsafe { pack_panels(b, panels.range(task), width, &b_room) };
                });
                let b = Panels { start: b_room.at(0), row: width as isize, panel: (width * depth) as isize };
                for i0 in (0..m).step_by(MOST_PACKED) {
                    let rows = MOST_PACKED.min(m - i0);
                    let a = a.part([i0, p.start], [rows, depth]);
                    let wanted = tasks(rows * depth * columns, GRAIN);
                    let strips = parts(rows, HEIGHT, rows.div_ceil(ROWS));
                    let panels = parts(columns, width, columns.div_ceil(COLUMNS).max(wanted.min(8) / strips.count));
                    team::run(strips.count, |task| {
                        // SAFETY: the room has a place for each strip.
                        unsafe { pack_strips(a, strips.range(task), height, &a_room) };
                    });
                    team::run(strips.count * panels.count, |task| {
                        let (i, j) = (strips.range(task / panels.count), panels.range(task % panels.count));
                        let strip = height * depth;
                        let a = Strips {
                            start: a_room.at(i.start / HEIGHT * strip),
                            row: 1,
                            column: height as isize,
                            strip: Some(strip as isize),
                        };
                        let c = Block {
                            start: c.at((i0 + i.start) * n + j0 + j.start),
                            rows: i.len(),
                            columns: j.len(),
                            row: n,
                            add: p.start > 0,
                        };
                        // SAFETY: the caller's promise; the tiles of C are disjoint.
                        unsafe { tile::multiply(depth, a, b.skip(j.start / width), c, 2, Nearest::Panel) };
                    });
                }
            }
        }
    });
}

/// How many tasks are worth while for so much `work`.
fn tasks(work: usize, grain: usize) -> usize {
    (work / grain).clamp(1, MOST_TASKS)
}

/// The rows and columns of the tiles that C is cut into, the longer side first.
fn grid(m: usize, n: usize, width: usize, wanted: usize) -> [Parts; 2] {
    if m > n {
        let rows = parts(m, HEIGHT, wanted);
        let columns = parts(n, width, wanted / rows.count);
        [rows, columns]
    } else {
        let columns = parts(n, width, wanted);
        [parts(m, HEIGHT, wanted / columns.count), columns]
    }
}

/// Packs those columns of B into panels, each `width * b.rows` elements after the one before.
///
/// # Safety
///
/// AVX2 must be available, the room be large enough, and nobody else use the panels' places.
unsafe fn pack_panels<T: Lanes>(b: Mat<'_, T>, columns: Range<usize>, width: usize, room: &Origin<T>) {
    for j in columns.clone().step_by(width) {
        let panel = b.part([0, j], [b.rows, width.min(columns.end - j)]);
        // SAFETY: the caller's promise; panels are whole vectors wide.
        unsafe { pack(panel, room.at(j * b.rows), width) };
    }
}

/// Packs those rows of A into strips, each `height * a.columns` elements after the one before. The rows begin at a
/// multiple of [`HEIGHT`].
///
/// # Safety
///
/// As for [`pack_panels`].
unsafe fn pack_strips<T: Lanes>(a: Mat<'_, T>, rows: Range<usize>, height: usize, room: &Origin<T>) {
    for (s, strip) in tile::strips(rows.len()).enumerate() {
        let target = (rows.start / HEIGHT + s) * height * a.columns;
        let strip = a.part([rows.start + strip.start, 0], [strip.len(), a.columns]);
        // SAFETY: the caller's promise; `height` is a number of whole vectors.
        unsafe { pack(strip.transposed(), room.at(target), height) };
    }
}
