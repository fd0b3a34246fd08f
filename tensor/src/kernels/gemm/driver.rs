//! The driver: chooses by shape which operands are packed and how C is cut into tiles.
//!
//! The loops are those of BLIS (5 to 3), with the choice to read an operand in place. All that is packed for a step along k is
//! packed by one round of tasks, and a second round multiplies it, so that threads seldom wait for each other. The limits were
//! measured on a Zen 3 and an Emerald Rapids.

use std::marker::PhantomData;

use super::cut::{GRAIN, Origin, Parts, parts, span_count};
use super::kernel::HEIGHT;
use super::lanes::{Lanes, Shuffle};
use super::pack::{pack, panel_size};
use super::tile::{self, Nearest, Panels, ResultTile, Strips};
use super::{Mat, dot};
use crate::kernels::accumulate::add_to;
use crate::memory::with_scratch;
use crate::team;

/// The bytes between two rows of an operand beyond which it is slow to read in place: such rows share few sets of a cache, and
/// each lies on a page of its own.
const FAR: usize = 1024;
/// The most bytes of a B that stays in the first-level cache as a whole.
const NEAR: usize = 16 << 10;
/// The most columns (NC) and the most elements (MC x NC) of C that are computed at a time; they bound the scratch.
const MOST_COLUMNS: usize = 2048;
const MOST_ELEMENTS: usize = 1 << 21;
/// The most elements that are packed at a time, unless a single block of k has more: they stay in the second-level cache.
const PACKED: usize = 1 << 17;
/// The elements whose packing is worth a task of its own.
const PACK_GRAIN: usize = 1 << 14;
/// As [`GRAIN`], for a few rows of A: reading B takes longer than multiplying it.
const IN_MEMORY: usize = GRAIN / 16;
/// The most columns of a tile of C.
const COLUMNS: usize = 256;
/// The most elements of a tile of C: it stays in the second-level cache beside its rows of A and columns of B.
const CACHED: usize = 192 * 256;
/// The least rows of a tile of C, unless C has fewer.
const LEAST_ROWS: usize = 24;
/// The tasks beyond which a product is cut only where its tiles would be too large.
const ENOUGH_TASKS: usize = 16;
/// The steps along k of a part of a long sum.
const DEEP: usize = 512;
/// The most elements of a C whose long sums are cut into parts, each with a C of its own.
const SMALL_RESULT: usize = 1 << 16;
/// The elements of C that are worth a task where the results of parts are added up.
const ADD_GRAIN: usize = 1 << 13;

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
            let plan = Plan::<V>::new(a, b);
            match plan.k_parts(a, b) {
                1 => tiles(&plan, a, b, c),
                parts => tiles_of_k_parts(&plan, parts, a, b, c),
            }
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

/// The product with k cut into parts, one task each, whose results are added up in order.
///
/// With few rows of A, B is then read by the task that has these rows of it, as are the rows of its gradient and of its update in a
/// training step. So a weight's rows stay in the cache of one core, from which another would fetch them slowly. A small C with
/// long sums, the gradient of a weight, is computed without waiting: a task packs what it multiplies itself.
unsafe fn tiles_of_k_parts<V: Lanes>(
    plan: &Plan<V>,
    count: usize,
    a: Mat<'_, V::Element>,
    b: Mat<'_, V::Element>,
    c: &mut [V::Element],
) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let parts = parts(k, 1, count);
    let size = m * n;
    with_scratch((parts.count - 1) * size, |scratch: *mut V::Element| {
        let (start, others) = (Origin(c.as_mut_ptr()), Origin(scratch));
        team::run(parts.count, |part| {
            let p = parts.range(part);
            let start = if part == 0 { start.at(0) } else { others.at((part - 1) * size) };
            let tile = ResultTile { start, rows: m, columns: n, row: n, add: false };
            // SAFETY: the caller's promise, for a part of the operands. C and each part of the scratch are as large as the result.
            unsafe { spans(plan, a.part([0, p.start], [m, p.len()]), b.part([p.start, 0], [p.len(), n]), tile) };
        });
        team::split(size, ADD_GRAIN, |range| {
            for part in 1..parts.count {
                let other = others.at((part - 1) * size + range.start);
                // SAFETY: the tasks have written every element of their results; these elements of C are this task's.
                unsafe {
                    let c = std::slice::from_raw_parts_mut(start.at(range.start), range.len());
                    add_to(c, std::slice::from_raw_parts(other, range.len()));
                }
            }
        });
    });
}

/// The product of a part of C at a time (loop 5).
unsafe fn tiles<V: Lanes>(plan: &Plan<V>, a: Mat<'_, V::Element>, b: Mat<'_, V::Element>, c: &mut [V::Element]) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let columns = n.min(MOST_COLUMNS);
    let rows = m.min(MOST_ELEMENTS / columns);
    let c = Origin(c.as_mut_ptr());
    for j in (0..n).step_by(columns) {
        let b = b.part([0, j], [k, columns.min(n - j)]);
        for i in (0..m).step_by(rows) {
            let a = a.part([i, 0], [rows.min(m - i), k]);
            let c = ResultTile { start: c.at(i * n + j), rows: a.rows, columns: b.columns, row: n, add: false };
            // SAFETY: the caller's promise, for a part of the operands and of C.
            unsafe { spans(plan, a, b, c) };
        }
    }
}

/// The product span by span (loop 4). The products of all spans but the first are added up apart.
unsafe fn spans<V: Lanes>(plan: &Plan<V>, a: Mat<'_, V::Element>, b: Mat<'_, V::Element>, c: ResultTile<V::Element>) {
    let (m, k, n) = (a.rows, a.columns, b.columns);
    let spans = parts(k, 1, span_count(k.div_ceil(V::DEPTH)));
    let [of_a, of_b] = plan.packed([m, 1, n]);
    let steps = (spans.each * (of_a + of_b)).div_ceil(PACKED).min(spans.each.div_ceil(V::DEPTH)).max(1);
    let [of_a, of_b] = plan.packed([m, parts(spans.each, 1, steps).each, n]);
    let partial = if spans.count > 1 { m * n } else { 0 };
    with_scratch(of_a + of_b + partial, |scratch: *mut V::Element| {
        let (a_scratch, b_scratch) = (Origin(scratch), Origin(scratch.wrapping_add(of_a)));
        let partial = ResultTile { start: scratch.wrapping_add(of_a + of_b), row: n, ..c };
        for span in (0..spans.count).map(|span| spans.range(span)) {
            let steps = parts(span.len(), 1, steps);
            for step in 0..steps.count {
                let p = steps.range(step);
                let (first, depth) = (span.start + p.start, p.len());
                let (a, b) = (a.part([0, first], [m, depth]), b.part([first, 0], [depth, n]));
                let (sums, total) = if span.start == 0 { (c, None) } else { (partial, Some(c)) };
                let sums = ResultTile { add: step > 0, ..sums };
                let total = total.filter(|_| step + 1 == steps.count);
                // SAFETY: the caller's promise, for a part of the operands. The scratch is as large as what is packed and as C.
                unsafe {
                    plan.pack(a, b, [&a_scratch, &b_scratch]);
                    let (strips, panels) = (plan.strips(a, &a_scratch), plan.panels(b, &b_scratch));
                    multiply_step::<V>(plan, depth, (&strips, &panels), sums, total);
                }
            }
        }
    });
}

/// sums = A · B or sums += A · B, tile by tile (loop 3), with the operands in the order in which they are read; then
/// total += sums, if there is a total.
unsafe fn multiply_step<V: Lanes>(
    plan: &Plan<V>,
    k: usize,
    (a, b): (&Strips<V::Element>, &Panels<V>),
    sums: ResultTile<V::Element>,
    total: Option<ResultTile<V::Element>>,
) {
    let [rows, columns] = plan.tiles([sums.rows, k, sums.columns]);
    let blocks = parts(k, 1, k.div_ceil(V::DEPTH));
    // A thread takes neighbouring tasks, when packing as well as here. So most of what it reads of
    // the larger packed operand is in the cache of its own core.
    let by_columns = plan.pack_b && (!plan.pack_a || sums.columns > sums.rows);
    team::run(rows.count * columns.count, |task| {
        let (i, j) = if by_columns {
            (task % rows.count, task / rows.count)
        } else {
            (task / columns.count, task % columns.count)
        };
        let (i, j) = (rows.range(i), columns.range(j));
        let tile = sums.part(&i, &j);
        // SAFETY: the caller's promise; the tiles are disjoint.
        unsafe {
            for (block, p) in (0..blocks.count).map(|block| (block, blocks.range(block))) {
                let (a, b) = (a.part(i.start, p.start), b.part(j.start, p.start));
                let tile = ResultTile { add: tile.add || block > 0, ..tile };
                tile::multiply::<V>(p.len(), &a, &b, tile, plan.nearest);
            }
            if let Some(total) = &total {
                total.part(&i, &j).add_tile(tile);
            }
        }
    });
}

/// What is packed, and the operand that stays in the first-level cache.
struct Plan<V: Lanes> {
    pack_a: bool,
    pack_b: bool,
    /// The vectors in a row of a panel of B.
    vectors: usize,
    nearest: Nearest,
    lanes: PhantomData<fn(V)>,
}

impl<V: Lanes> Plan<V> {
    fn new(a: Mat<'_, V::Element>, b: Mat<'_, V::Element>) -> Self {
        let (m, k, n) = (a.rows, a.columns, b.columns);
        let far = |stride: isize| stride.unsigned_abs() * size_of::<V::Element>() > FAR;
        let bytes = k * n * size_of::<V::Element>();
        let in_rows = b.column_stride == 1 || n == 1;
        let pack_b = !in_rows || bytes > NEAR && m >= if far(b.row_stride) { LEAST_ROWS } else { 128 };
        // (The columns of a micro-tile's strip share sets of the first-level cache from a quarter of that on.)
        let pack_a =
            a.column_stride.unsigned_abs() * size_of::<V::Element>() > FAR / 4 && m >= LEAST_ROWS && k >= 64 && n >= 64;
        let vectors = match m {
            _ if pack_b => V::VECTORS,
            1 => 8,
            2 | 3 => 4,
            _ => V::VECTORS,
        };
        let nearest = if bytes <= NEAR || m <= 3 { Nearest::Strip } else { Nearest::Panel };
        Plan { pack_a, pack_b, vectors, nearest, lanes: PhantomData }
    }

    /// The parts that k is cut into: several where adding up their results takes little time, because B is read in place and has many
    /// rows, or because C is small beside the sums.
    fn k_parts(&self, a: Mat<'_, V::Element>, b: Mat<'_, V::Element>) -> usize {
        let (m, k, n) = (a.rows, a.columns, b.columns);
        if self.pack_b && m * n <= SMALL_RESULT && k >= 4 * m.min(n) && k >= 2 * DEEP {
            return (k / DEEP).min(ENOUGH_TASKS);
        }
        let grain = if m <= 3 { IN_MEMORY } else { GRAIN };
        let wanted = (m * k * n / grain).min(ENOUGH_TASKS).min(k / (4 * m));
        if self.pack_a || self.pack_b || k * n * size_of::<V::Element>() <= NEAR { 1 } else { wanted.max(1) }
    }

    /// The columns of a panel of B.
    fn width(&self) -> usize {
        self.vectors * V::LANES
    }

    /// The elements that are packed of an A of m x k and of a B of k x n.
    fn packed(&self, [m, k, n]: [usize; 3]) -> [usize; 2] {
        let a = if self.pack_a { m.div_ceil(HEIGHT) * panel_size::<V::Short>(k, HEIGHT) } else { 0 };
        let b = if self.pack_b { n.div_ceil(self.width()) * panel_size::<V::Short>(k, self.width()) } else { 0 };
        [a, b]
    }

    /// The rows and columns of the tiles that C is cut into: small enough for the second-level cache, and as many tiles as are
    /// worth a task. The longer side is cut first.
    fn tiles(&self, [m, k, n]: [usize; 3]) -> [Parts; 2] {
        let wanted = (m * k * n / GRAIN).min(ENOUGH_TASKS);
        let most_rows = CACHED / k.min(V::DEPTH).max(n.min(COLUMNS));
        let (mut rows, mut columns) = (m.div_ceil(most_rows), n.div_ceil(COLUMNS));
        let rows_first = m / rows > n / columns;
        if rows_first {
            rows = rows.max((wanted / columns).min(m / LEAST_ROWS));
        }
        columns = columns.max((wanted / rows).min(n / self.width()));
        if !rows_first {
            rows = rows.max((wanted / columns).min(m / LEAST_ROWS));
        }
        [parts(m, HEIGHT, rows), parts(n, self.width(), columns)]
    }

    /// Packs the operands that are to be packed.
    ///
    /// # Safety
    ///
    /// AVX2 is available. The scratch is large enough, and no other thread uses it.
    unsafe fn pack(
        &self,
        a: Mat<'_, V::Element>,
        b: Mat<'_, V::Element>,
        [a_scratch, b_scratch]: [&Origin<V::Element>; 2],
    ) {
        let a = self.pack_a.then(|| Packing::new::<V::Short>(a.transposed(), HEIGHT, a_scratch));
        let b = self.pack_b.then(|| Packing::new::<V::Short>(b, self.width(), b_scratch));
        let of_a = a.as_ref().map_or(0, |a| a.parts.count);
        team::run(of_a + b.as_ref().map_or(0, |b| b.parts.count), |task| {
            let (packing, part) = if task < of_a { (&a, task) } else { (&b, task - of_a) };
            // SAFETY: the caller's promise.
            packing.iter().for_each(|packing| unsafe { packing.pack::<V::Short>(part) });
        });
    }

    /// The strips of A, in place or where they have been packed.
    fn strips(&self, a: Mat<'_, V::Element>, packed: &Origin<V::Element>) -> Strips<V::Element> {
        if !self.pack_a {
            return Strips { start: a.start, row: a.row_stride, column: a.column_stride, strip: None };
        }
        let column = HEIGHT.next_multiple_of(V::Short::LANES) as isize;
        Strips { start: packed.at(0), row: 1, column, strip: Some(panel_size::<V::Short>(a.columns, HEIGHT) as isize) }
    }

    /// The panels of B, in place or where they have been packed.
    fn panels(&self, b: Mat<'_, V::Element>, packed: &Origin<V::Element>) -> Panels<V> {
        let (vectors, width) = (self.vectors, self.width());
        if !self.pack_b {
            return Panels { start: b.start, row: b.row_stride, panel: width as isize, vectors };
        }
        let panel = panel_size::<V::Short>(b.rows, width) as isize;
        Panels { start: packed.at(0), row: width as isize, panel, vectors }
    }
}

/// A matrix that is packed in panels of `unit` columns, several at a time.
struct Packing<'a, T> {
    source: Mat<'a, T>,
    unit: usize,
    scratch: &'a Origin<T>,
    /// The elements of a panel.
    panel: usize,
    /// The columns of the tasks.
    parts: Parts,
}

impl<'a, T: Copy> Packing<'a, T> {
    fn new<V: Shuffle<Element = T>>(source: Mat<'a, T>, unit: usize, scratch: &'a Origin<T>) -> Self {
        let wanted = (source.rows * source.columns / PACK_GRAIN).clamp(1, ENOUGH_TASKS);
        let panel = panel_size::<V>(source.rows, unit);
        Packing { source, unit, scratch, panel, parts: parts(source.columns, unit, wanted) }
    }

    /// Packs the columns of a task.
    ///
    /// # Safety
    ///
    /// AVX2 is available; the scratch is large enough (see [`pack`]), and no other thread uses these columns' place in it.
    unsafe fn pack<V: Shuffle<Element = T>>(&self, part: usize) {
        let columns = self.parts.range(part);
        let source = self.source.part([0, columns.start], [self.source.rows, columns.len()]);
        // SAFETY: the caller's promise; each part has panels of its own.
        unsafe { pack::<V>(source, self.unit, self.scratch.at(columns.start / self.unit * self.panel)) };
    }
}
