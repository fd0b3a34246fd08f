//! Products with a spread matrix: one whose elements lie on two grids, added up.
//!
//! The patches that a convolution multiplies with its weights are such a matrix: element (position, tap) lies at the
//! position's place plus the tap's. So a convolution is a product that reads its input where it is, and the matrix of
//! patches, many times as large, is never written (Dukhan, "The indirect convolution algorithm", arXiv:1907.02129, has
//! a table of pointers; that the places are sums makes do without).

use std::ops::{AddAssign, Range};

use super::{GRAIN, Gemm, Mat, Origin, Parts, parts};
use crate::grid::{Grid, Run};
use crate::kernels::Shared;
use crate::team;

/// B as it is read: element (p, j) at `start + j / width * panel + p * row + j % width`, where the kernel knows the width.
pub struct Panels<T> {
    pub(super) start: *const T,
    pub(super) row: isize,
    pub(super) panel: isize,
    /// Whether the width is 1, for sums along k in the lanes of vectors.
    pub(super) narrow: bool,
}

// SAFETY: panels are a shared borrow of a slice, or of scratch that nobody writes to meanwhile.
unsafe impl<T: Sync> Sync for Panels<T> {}

/// Some rows of A and of C, at most [`MOST_ROWS`]: where each begins.
pub struct Block<T> {
    a: [*const T; MOST_ROWS],
    c: [*mut T; MOST_ROWS],
    of_a: usize,
    of_c: usize,
}

impl<T> Block<T> {
    pub(super) fn new() -> Self {
        Block { a: [std::ptr::null(); MOST_ROWS], c: [std::ptr::null_mut(); MOST_ROWS], of_a: 0, of_c: 0 }
    }

    /// Adds rows of A, which begin at these places from `start` on.
    #[inline(always)]
    pub(super) fn add_to_a(&mut self, start: *const T, run: Run) {
        let mut place = start.wrapping_add(run.start);
        for row in &mut self.a[self.of_a..][..run.count] {
            *row = place;
            place = place.wrapping_add(run.step);
        }
        self.of_a += run.count;
    }

    /// Adds rows of C, as many as of A.
    #[inline(always)]
    pub(super) fn add_to_c(&mut self, start: *mut T, run: Run) {
        let mut place = start.wrapping_add(run.start);
        for row in &mut self.c[self.of_c..][..run.count] {
            *row = place;
            place = place.wrapping_add(run.step);
        }
        self.of_c += run.count;
    }

    pub(super) fn clear(&mut self) {
        (self.of_a, self.of_c) = (0, 0);
    }

    pub(super) fn rows(&self) -> (&[*const T], &[*mut T]) {
        debug_assert_eq!(self.of_a, self.of_c);
        (&self.a[..self.of_a], &self.c[..self.of_c])
    }
}

/// Where along a row of A its elements lie, `run` at a time side by side.
pub struct Columns {
    pub(super) places: Vec<usize>,
    pub(super) run: usize,
}

impl Columns {
    pub(super) fn new(grid: &Grid) -> Self {
        Columns { places: grid.table(), run: grid.run() }
    }
}

/// What a product is added to.
pub enum Base<'a, T> {
    /// Nothing.
    Zero,
    /// This row, for each row of C.
    Row(&'a [T]),
    /// What C holds.
    Result,
}

impl<T> Clone for Base<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Base<'_, T> {}

/// A stack of `count` matrices: element (i, p) of the s-th at `data[s * step]` and further by the i-th place of `rows`
/// and the p-th of `columns`.
///
/// Invariant: every element lies within the data.
#[derive(Clone, Copy)]
pub struct Spread<'a, T> {
    data: &'a [T],
    pub(super) count: usize,
    step: usize,
    pub(super) rows: &'a Grid,
    pub(super) columns: &'a Grid,
}

impl<'a, T> Spread<'a, T> {
    /// The matrices that these grids find in `data`.
    ///
    /// # Panics
    ///
    /// If an element would lie outside.
    pub fn new(data: &'a [T], count: usize, step: usize, rows: &'a Grid, columns: &'a Grid) -> Self {
        if let (Some(row), Some(column), true) = (rows.greatest(), columns.greatest(), count > 0) {
            // Without wrapping around: places are offsets of pointers in the end.
            let last = (count - 1).checked_mul(step).and_then(|last| last.checked_add(row)?.checked_add(column));
            let last = last.unwrap_or(usize::MAX);
            assert!(last < data.len(), "element {last} of a spread matrix does not lie within {}", data.len());
        }
        Self { data, count, step, rows, columns }
    }

    /// Where the s-th matrix begins.
    #[inline(always)]
    fn start(&self, matrix: usize) -> *const T {
        self.data.as_ptr().wrapping_add(matrix * self.step)
    }
}

impl<T: Gemm> Spread<'_, T> {
    /// Writes some rows of base + A_s · B to `c`, n elements each, one row after the other.
    ///
    /// # Safety
    ///
    /// `c` must have room for so many, that nobody else uses; the columns and panels be those of this and of a B with n
    /// columns; a row to begin with have n elements.
    pub(super) unsafe fn multiply(
        &self,
        (matrix, rows): (usize, Range<usize>),
        (columns, b): (&Columns, &Panels<T>),
        base: Base<'_, T>,
        block: &mut Block<T>,
        (c, n): (*mut T, usize),
    ) {
        for start in rows.clone().step_by(MOST_ROWS) {
            let part = start..rows.end.min(start + MOST_ROWS);
            block.clear();
            block.add_to_c(c, Run { start: (start - rows.start) * n, step: n, count: part.len() });
            self.rows.for_each_run(part, |run| block.add_to_a(self.start(matrix), run));
            // SAFETY: every element of A lies within its data; the rest is the caller's promise.
            unsafe { T::multiply_block(block, columns, n, b, base, false) };
        }
    }
}

/// Where results go: row i of the s-th matrix at `s * step` and further by the i-th place of `rows`, its elements side by
/// side.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// From a matrix to the next.
    pub step: usize,
    /// Where each row begins.
    pub rows: &'a Grid,
}

/// Rows of a task: few enough that where they begin fits onto the stack, enough to keep a panel of B busy.
pub(super) const MOST_ROWS: usize = 96;
/// Elements of all partial sums of a [`sum_of_products`] together.
const MOST_PARTIAL: usize = 1 << 20;
/// The most partial sums.
const MOST_PARTS: usize = 16;

/// A_s · B for every matrix of a stack, and where the results go.
#[derive(Clone, Copy)]
pub struct Products<'a, T> {
    pub a: Spread<'a, T>,
    pub b: Mat<'a, T>,
    pub places: Rows<'a>,
}

impl<T: Gemm> Products<'_, T> {
    fn rows(&self) -> usize {
        self.a.count * self.a.rows.len()
    }

    /// # Panics
    ///
    /// If the shapes do not match or a row of C does not lie within `c`.
    fn check(&self, c: &[T]) {
        let (m, k, n) = (self.a.rows.len(), self.a.columns.len(), self.b.columns);
        assert!(self.b.rows == k && self.places.rows.len() == m, "products: {m} x {k} by {} x {n}", self.b.rows);
        if let Some(last) = self.places.rows.greatest().filter(|_| self.a.count > 0 && n > 0) {
            let last = (self.a.count - 1) * self.places.step + last + n;
            assert!(last <= c.len(), "products: {last} elements into {}", c.len());
        }
    }

    /// The products of some of all the rows, in which those of a matrix count after those of the one before.
    fn compute(
        &self,
        rows: Range<usize>,
        (columns, b): (&Columns, &Panels<T>),
        c: &Origin<T>,
        base: Base<'_, T>,
        relu: bool,
    ) {
        let m = self.a.rows.len();
        let mut block = Block::new();
        for start in rows.clone().step_by(MOST_ROWS) {
            let (mut place, end) = (start, rows.end.min(start + MOST_ROWS));
            block.clear();
            while place < end {
                let (matrix, i) = (place / m, place % m);
                let rows = i..m.min(i + end - place);
                place += rows.len();
                let (a, c) = (self.a.start(matrix), c.at(matrix * self.places.step));
                self.a.rows.for_each_run(rows.clone(), |run| block.add_to_a(a, run));
                self.places.rows.for_each_run(rows, |run| block.add_to_c(c, run));
            }
            // SAFETY: every element of A lies within its data, and every row of C where `check` has found room. The caller
            // gives each row to one task, and they are disjoint.
            unsafe { T::multiply_block(&block, columns, self.b.columns, b, base, relu) };
        }
    }
}

/// C_s = base + A_s · B for every matrix of a stack, what is negative made 0 if `relu`.
///
/// # Panics
///
/// If the shapes do not match or a row of C does not lie within `c`.
pub(crate) fn products<T: Gemm>(products: Products<'_, T>, c: &mut [T], base: Base<'_, T>, relu: bool) {
    let (total, k, n) = (products.rows(), products.a.columns.len(), products.b.columns);
    assert!(!matches!(base, Base::Row(row) if row.len() != n), "products: a row of other than {n} elements");
    products.check(c);
    if total == 0 || n == 0 {
        return;
    }
    let columns = Columns::new(products.a.columns);
    T::with_panels(products.b, &columns, total, |b| {
        let each = (2 * GRAIN / (k * n).max(1)).next_multiple_of(24).max(24);
        let c = Origin(c.as_mut_ptr());
        team::split(total, each, |rows| products.compute(rows, (&columns, b), &c, base, relu));
    });
}

/// Several products of stacks as high as each other, which read the same data: each task computes all of some matrices,
/// so that the data come from memory once, or like parts of all for one matrix.
///
/// # Panics
///
/// If the shapes do not match or a row of C does not lie within `c`.
pub(crate) fn products_together<T: Gemm>(all: &[Products<'_, T>], c: &mut [T]) {
    let Some(count) = all.first().map(|products| products.a.count).filter(|&count| count > 0) else { return };
    assert!(all.iter().all(|products| products.a.count == count), "products_together: stacks of other heights");
    all.iter().for_each(|products| products.check(c));
    let work = |products: &Products<'_, T>| products.a.rows.len() * products.a.columns.len() * products.b.columns;
    let work = all.iter().map(work).sum::<usize>().max(1);
    let stack = parts(count, 1, (work * count / GRAIN).clamp(1, count.max(1)));
    let cut = if stack.each == 1 { (work / GRAIN).clamp(1, MOST_PARTS.div_ceil(count)) } else { 1 };
    let columns: Vec<_> = all.iter().map(|products| Columns::new(products.a.columns)).collect();
    let c = Origin(c.as_mut_ptr());
    team::run(stack.count * cut, |task| {
        let (matrices, part) = (stack.range(task / cut), task % cut);
        for (products, columns) in all.iter().zip(&columns) {
            let m = products.a.rows.len();
            let end = |part| matrices.start * m + matrices.len() * m * part / cut;
            let rows = end(part)..end(part + 1);
            T::with_panels(products.b, columns, rows.len(), |b| {
                products.compute(rows, (columns, b), &c, Base::Zero, false);
            });
        }
    });
}

/// How [`sum_of_products`] is cut: parts of the stack, each summed by itself, and of the rows.
fn cut(count: usize, [m, k, n]: [usize; 3]) -> [Parts; 2] {
    let wanted = (m * n * k * count / GRAIN).clamp(1, MOST_PARTS);
    let stack = parts(count, 1, wanted.min((MOST_PARTIAL / (m * n)).max(1)));
    [stack, parts(m, 24, wanted.div_ceil(stack.count))]
}

/// The elements that [`sum_of_products`] needs for partial sums, `count` products of m x k by k x n being added up.
pub(crate) fn partial_sums(count: usize, [m, k, n]: [usize; 3]) -> usize {
    if count * m * k * n == 0 { 0 } else { (cut(count, [m, k, n])[0].count - 1) * m * n }
}

/// C = the sum over s of A_s · B_s, where `b(s)` are the matrices B_s.
///
/// Sums along the stack are cut by the shapes alone, so that the bits do not depend on the number of threads.
///
/// # Panics
///
/// If the shapes do not match.
pub(crate) fn sum_of_products<'b, T: Gemm + AddAssign>(
    a: Spread<'_, T>,
    b: impl Fn(usize) -> Mat<'b, T> + Sync,
    c: &mut [T],
    partial: &mut [T],
) {
    let (m, k) = (a.rows.len(), a.columns.len());
    if c.is_empty() || a.count == 0 || k == 0 {
        return c.fill(T::default());
    }
    let n = c.len() / m;
    let [stack, rows] = cut(a.count, [m, k, n]);
    assert!(c.len() == m * n && partial.len() == (stack.count - 1) * m * n, "sum_of_products: {m} x {n}");
    let (first, others) = (Origin(c.as_mut_ptr()), Origin(partial.as_mut_ptr()));
    let columns = Columns::new(a.columns);
    team::run(stack.count * rows.count, |task| {
        let mut block = Block::new();
        let (part, rows) = (task / rows.count, rows.range(task % rows.count));
        let sums = match part {
            0 => first.at(rows.start * n),
            _ => others.at(((part - 1) * m + rows.start) * n),
        };
        for (turn, matrix) in stack.range(part).enumerate() {
            let b = b(matrix);
            assert!(b.rows == k && b.columns == n, "sum_of_products: {m} x {k} by {} x {}", b.rows, b.columns);
            T::with_panels(b, &columns, rows.len(), |b| {
                let base = if turn > 0 { Base::Result } else { Base::Zero };
                // SAFETY: the shapes have been compared, and each task has rows of a part of the sums to itself.
                unsafe { a.multiply((matrix, rows.clone()), (&columns, b), base, &mut block, (sums, n)) };
            });
        }
    });
    if stack.count == 1 {
        return;
    }
    let (first, others) = (Shared::new(c), Shared::new(partial));
    team::split(m * n, 1 << 14, |range| {
        // SAFETY: the ranges are disjoint, and nobody else writes any more.
        let sums = unsafe { first.part(range.start, range.len()) };
        for part in 1..stack.count {
            // SAFETY: as above.
            let others = unsafe { others.part((part - 1) * m * n + range.start, range.len()) };
            sums.iter_mut().zip(others).for_each(|(sum, &mut other)| *sum += other);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::portable;
    use super::*;

    #[test]
    fn as_the_definition_says_with_and_without_vectors() {
        // Columns apart; then in runs, for as few of B as are multiplied along k, and for more.
        let (apart, runs) = (Grid::new(0).axis(3, 50).axis(100, 4), Grid::new(1).axis(3, 150).axis(100, 1));
        [1, 21, 48, 75].into_iter().for_each(|n| as_the_definition_says(&apart, n));
        [1, 2, 3, 4, 5, 7, 8, 9].into_iter().for_each(|n| as_the_definition_says(&runs, n));
    }

    /// Two matrices of 50 rows, more than a strip and less than a block, and 300 columns, more than a block of k.
    fn as_the_definition_says(columns: &Grid, n: usize) {
        let (m, k) = (50, 300);
        let rows = Grid::new(2).axis(10, 7).axis(5, 3);
        let (of_row, of_column) = (rows.table(), columns.table());
        let integers = |len: usize| (0..len).map(|i| (i * 31 % 19) as f32 - 9.0).collect::<Vec<_>>();
        let (data, b, bias) = (integers(1100), integers(k * n), integers(n));
        let a = Spread::new(&data, 2, 500, &rows, columns);
        let element = |s: usize, i: usize, p: usize| data[s * 500 + of_row[i] + of_column[p]];
        for transposed in [false, true] {
            let strides = if transposed { [1, k as isize] } else { [n as isize, 1] };
            let of_b = |p: usize, j: usize| b[p * strides[0] as usize + j * strides[1] as usize];
            let sum = |s: usize, i: usize, j: usize| (0..k).map(|p| element(s, i, p) * of_b(p, j)).sum::<f32>();
            let matrix = Mat::new(&b, 0, [k, n], strides);
            let expected: Vec<f32> = (0..2 * m * n).map(|at| sum(at / (m * n), at / n % m, at % n)).collect();
            let rectified: Vec<f32> = (0..2 * m * n).map(|at| (expected[at] + bias[at % n]).max(0.0)).collect();

            let places = Rows { step: m * n, rows: &Grid::new(0).axis(m, n) };
            let product = Products { a, b: matrix, places };
            let mut c = vec![f32::NAN; 2 * m * n];
            products(product, &mut c, Base::Zero, false);
            assert_eq!(c, expected);
            products(product, &mut c, Base::Row(&bias), true);
            assert_eq!(c, rectified);

            let both: Vec<f32> = (0..m * n).map(|at| expected[at] + expected[m * n + at]).collect();
            let (mut c, mut partial) = (vec![f32::NAN; m * n], vec![f32::NAN; partial_sums(2, [m, k, n])]);
            sum_of_products(a, |_| matrix, &mut c, &mut partial);
            assert_eq!(c, both);

            // The ways that this processor does not take, being able to do better.
            let listed = Columns::new(columns);
            macro_rules! by {
                ($with_panels:expr, $multiply_block:expr) => {
                    let check = |b: &Panels<f32>| {
                        let mut c = vec![f32::NAN; m * n];
                        let mut multiply = |s: usize, base: Base<'_, f32>, relu: bool| {
                            let mut block = Block::new();
                            rows.for_each_run(0..m, |run| block.add_to_a(a.start(s), run));
                            block.add_to_c(c.as_mut_ptr(), Run { start: 0, step: n, count: m });
                            // SAFETY: rows, columns and panels are those of the two matrices.
                            unsafe { $multiply_block(&block, &listed, n, b, base, relu) };
                            c.clone()
                        };
                        multiply(0, Base::Zero, false);
                        assert_eq!(multiply(1, Base::Result, false), both);
                        assert_eq!(multiply(1, Base::Row(&bias), true), rectified[m * n..]);
                    };
                    ($with_panels)(&check);
                };
            }
            by!(|check: &dyn Fn(&Panels<f32>)| portable::with_panels(matrix, check), portable::multiply_block);
            #[cfg(target_arch = "x86_64")]
            if crate::simd::has_avx2() {
                use super::super::{lanes::Avx2, spread_kernel};
                let with_panels = |check: &dyn Fn(&Panels<f32>)| {
                    // SAFETY: the instructions are there.
                    unsafe { spread_kernel::with_panels::<Avx2<f32>, _>(matrix, &listed, m, check) }
                };
                by!(with_panels, spread_kernel::multiply_block::<Avx2<f32>>);
            }
        }
    }

    #[test]
    #[should_panic(expected = "element 12 of a spread matrix does not lie within 12")]
    fn a_spread_matrix_lies_within_its_data() {
        Spread::new(&[0.0; 12], 2, 6, &Grid::new(0).axis(2, 3), &Grid::new(1).axis(2, 2));
    }

    #[test]
    #[should_panic(expected = "of a spread matrix does not lie within 12")]
    fn places_do_not_wrap_around() {
        Spread::new(&[0.0; 12], 2, 6, &Grid::new(0).axis(2, 3), &Grid::new(0).axis(2, usize::MAX));
    }
}
