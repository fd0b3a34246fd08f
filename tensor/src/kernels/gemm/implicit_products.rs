//! Matrix products whose left operand is an [`ImplicitMatrix`]: plain ones over the same samples, and sums of them.

use std::ops::Range;
use std::slice;

use super::cut::{GRAIN, Origin, Parts, parts, span_count};
use super::implicit::{Addend, BLOCK, ColumnOffsets, ImplicitMatrix, MOST_ROWS, RightOperand, RowBlock};
use super::samples::Placed;
use super::{Gemm, Mat};
use crate::grid::{Grid, OffsetRun};
use crate::kernels::Shared;
use crate::kernels::accumulate::add_to;
use crate::memory::with_scratch;
use crate::team;

impl<T: Gemm> ImplicitMatrix<'_, T> {
    /// Writes the rows `rows` of addend + A_s · B to `c`: n elements each, one row after the other. Sample s lies at `start`.
    ///
    /// # Safety
    ///
    /// These rows of the sample lie at `start`. `c` has room for the results, and no other thread uses it. `columns` are the offsets
    /// of this matrix's columns, and `b` is made from a matrix of as many rows and n columns. An addend that is a row has n
    /// elements.
    pub(super) unsafe fn multiply(
        &self,
        (start, rows): (*const T, Range<usize>),
        (columns, b): (&ColumnOffsets, &RightOperand<T>),
        addend: Addend<'_, T>,
        block: &mut RowBlock<T>,
        (c, n): (*mut T, usize),
    ) {
        for first in rows.clone().step_by(MOST_ROWS) {
            let part = first..rows.end.min(first + MOST_ROWS);
            block.clear();
            block.add_to_c(c, OffsetRun { start: (first - rows.start) * n, step: n, count: part.len() });
            self.rows.for_each_run(part, |run| block.add_to_a(start, run));
            // SAFETY: the caller has placed the sample, within which every element of A lies; the rest is the caller's promise.
            unsafe { multiply_spans(block, columns, n, b, addend, false) };
        }
    }
}

/// [`Gemm::multiply_block`] span by span. The products of all spans but the first are added up apart, so that rounding errors grow
/// with the square root of k.
///
/// # Safety
///
/// As for [`Gemm::multiply_block`].
unsafe fn multiply_spans<T: Gemm>(
    block: &RowBlock<T>,
    columns: &ColumnOffsets,
    n: usize,
    b: &RightOperand<T>,
    addend: Addend<'_, T>,
    relu: bool,
) {
    let Some((first, others)) = columns.spans.split_first() else {
        // SAFETY: the caller's promise.
        return unsafe { T::multiply_block(block, columns, n, b, addend, relu) };
    };
    // SAFETY: the caller's promise, for the first columns of A.
    unsafe { T::multiply_block(block, first, n, b, addend, false) };
    let rows = block.rows().1;
    with_scratch(rows.len() * n, |scratch: *mut T| {
        let products = block.with_results(scratch, n);
        let mut place = first.offsets.len();
        for (i, columns) in others.iter().enumerate() {
            let relu = relu && i + 1 == others.len();
            // SAFETY: the caller's promise, for some columns of A. The scratch is as large as the results, which are then written;
            // no other thread uses the rows of C.
            unsafe {
                T::multiply_block(&products, columns, n, &b.skip(place), Addend::Zero, false);
                for (i, &row) in rows.iter().enumerate() {
                    let row = slice::from_raw_parts_mut(row, n);
                    add_to(row, slice::from_raw_parts(scratch.add(i * n), n));
                    if relu {
                        row.iter_mut().filter(|c| **c < T::default()).for_each(|c| *c = T::default());
                    }
                }
            }
            place += columns.offsets.len();
        }
    });
}

/// The offsets of results: row i of matrix s begins at `s * step + rows[i]`; a row's elements are contiguous.
#[derive(Clone, Copy)]
pub struct ResultRows<'a> {
    /// The elements from a matrix to the next.
    pub step: usize,
    /// The offset of each row from its matrix.
    pub rows: &'a Grid,
}

/// The most elements of all partial sums of a [`sum_of_products`] together.
const MOST_PARTIAL: usize = 1 << 20;
/// The most partial sums.
const MOST_PARTS: usize = 16;
/// The tasks to aim for where there is work enough.
const MOST_TASKS: usize = 64;

/// The products A_s · B for every matrix of a stack, and the offsets of their results.
#[derive(Clone, Copy)]
pub struct Products<'a, T> {
    pub a: ImplicitMatrix<'a, T>,
    pub b: Mat<'a, T>,
    pub results: ResultRows<'a>,
}

impl<T: Gemm> Products<'_, T> {
    /// # Panics
    ///
    /// If the shapes do not match or a row of C does not lie within `c`.
    fn check(&self, c: &[T]) {
        let (m, k, n) = (self.a.rows.len(), self.a.columns.len(), self.b.columns);
        assert!(self.b.rows == k && self.results.rows.len() == m, "products: {m} x {k} by {} x {n}", self.b.rows);
        if let Some(last) = self.results.rows.greatest().filter(|_| self.a.count > 0 && n > 0) {
            let last = (self.a.count - 1).saturating_mul(self.results.step).saturating_add(last).saturating_add(n);
            assert!(last <= c.len(), "products: {last} elements into {}", c.len());
        }
    }

    /// Computes `rows` of all matrices' rows, counted through the stack. Their samples have been placed.
    fn compute(
        &self,
        rows: Range<usize>,
        placed: &Placed<T>,
        (columns, b): (&ColumnOffsets, &RightOperand<T>),
        c: &Origin<T>,
        addend: Addend<'_, T>,
        relu: bool,
    ) {
        let m = self.a.rows.len();
        let mut block = RowBlock::new();
        for start in rows.clone().step_by(MOST_ROWS) {
            let (mut place, end) = (start, rows.end.min(start + MOST_ROWS));
            block.clear();
            while place < end {
                let (matrix, i) = (place / m, place % m);
                let rows = i..m.min(i + end - place);
                place += rows.len();
                let (a, c) = (placed.start(matrix), c.at(matrix * self.results.step));
                self.a.rows.for_each_run(rows.clone(), |run| block.add_to_a(a, run));
                self.results.rows.for_each_run(rows, |run| block.add_to_c(c, run));
            }
            // SAFETY: every element of A lies within the placed samples and, as `check` has found, every row of C within C. The caller
            // gives each row to one task, and rows are disjoint.
            unsafe { multiply_spans(&block, columns, self.b.columns, b, addend, relu) };
        }
    }
}

/// Computes products over the same samples: C_s = addend + A_s · B for every sample s, and max(C_s, 0) in its place if `relu`. A
/// task computes all products of some samples, or, where one sample is work enough, of a part of one. So the samples come from
/// memory once, and their padded copy stays in the cache.
///
/// # Panics
///
/// If the shapes do not match or a row of C does not lie within `c`.
pub(crate) fn products<T: Gemm>(all: &[Products<'_, T>], c: &mut [T], addend: Addend<'_, T>, relu: bool) {
    let Some((samples, count)) = all.first().map(|products| (products.a.samples, products.a.count)) else { return };
    for products in all {
        assert!(products.a.count == count, "products: the stacks must have one number of samples");
        let n = products.b.columns;
        assert!(!matches!(addend, Addend::Row(row) if row.len() != n), "products: a row of other than {n} elements");
        products.check(c);
    }
    let work = |products: &Products<'_, T>| products.a.rows.len() * products.a.columns.len() * products.b.columns;
    let work = all.iter().map(work).sum::<usize>().max(1);
    if count == 0 || all.iter().all(|products| products.a.rows.len() * products.b.columns == 0) {
        return;
    }
    let (least_parts, most_samples) = samples.least_parts_and_most_samples();
    let wanted = (work.saturating_mul(count) / GRAIN).clamp(1, MOST_TASKS);
    let stack = parts(count, 1, wanted.max(count.div_ceil(most_samples)));
    let cut = if stack.each > 1 { 1 } else { wanted.div_ceil(count).max(least_parts) };
    let columns: Vec<_> = all.iter().map(|products| ColumnOffsets::new(products.a.columns)).collect();
    let c = Origin(c.as_mut_ptr());
    with_right_operands(all, &columns, &mut Vec::new(), &mut |b| {
        team::run(stack.count * cut, |task| {
            let (matrices, part) = (stack.range(task / cut), task % cut);
            let rows_of = |products: &Products<'_, T>, part| products.a.rows.len() * part / cut;
            let span =
                |products: &Products<'_, T>| products.a.span(rows_of(products, part)..rows_of(products, part + 1));
            let all_spans = all.iter().map(span).filter(|span| !span.is_empty());
            let span = all_spans.reduce(|a, b| a.start.min(b.start)..a.end.max(b.end)).unwrap_or(0..0);
            with_scratch(samples.scratch(&matrices, &span), |scratch| {
                // SAFETY: the scratch is as large as that.
                let placed = unsafe { samples.place(matrices.clone(), span, scratch) };
                for (products, (columns, b)) in all.iter().zip(columns.iter().zip(b)) {
                    let whole = matrices.start * products.a.rows.len();
                    let end = |part| whole + matrices.len() * rows_of(products, part);
                    let rows = if cut > 1 { end(part)..end(part + 1) } else { whole..end(1) };
                    products.compute(rows, &placed, (columns, b), &c, addend, relu);
                }
            });
        });
    });
}

/// Calls `body` with the right operands of all products, those that pay packed.
fn with_right_operands<T: Gemm>(
    all: &[Products<'_, T>],
    columns: &[ColumnOffsets],
    ready: &mut Vec<RightOperand<T>>,
    body: &mut dyn FnMut(&[RightOperand<T>]),
) {
    match all.get(ready.len()) {
        None => body(ready),
        Some(products) => {
            let rows = products.a.count * products.a.rows.len();
            T::with_right_operand(products.b, &columns[ready.len()], rows, |b| {
                ready.push(*b);
                with_right_operands(all, columns, ready, body);
            });
        }
    }
}

/// The parts of a [`sum_of_products`]: those of the stack, each of which has a partial sum, and those of the rows.
fn sum_parts(count: usize, [m, k, n]: [usize; 3]) -> [Parts; 2] {
    let wanted = (m * n * k * count / GRAIN).clamp(1, MOST_PARTS);
    let stack = parts(count, 1, wanted.min((MOST_PARTIAL / (m * n)).max(1)));
    [stack, parts(m, 24, wanted.div_ceil(stack.count))]
}

/// The elements of partial sums that [`sum_of_products`] needs for `count` products of m x k by k x n.
pub(crate) fn partial_sums(count: usize, [m, k, n]: [usize; 3]) -> usize {
    if [count, m, k, n].contains(&0) { 0 } else { (sum_parts(count, [m, k, n])[0].count - 1) * m * n }
}

/// C = the sum over s of A_s · B_s, with B_s = `b(s)`.
///
/// The sum over the stack is cut by the shapes alone, so its bits do not depend on the number of threads.
///
/// # Panics
///
/// If the shapes do not match.
pub(crate) fn sum_of_products<'b, T: Gemm>(
    a: ImplicitMatrix<'_, T>,
    b: impl Fn(usize) -> Mat<'b, T> + Sync,
    c: &mut [T],
    partial: &mut [T],
) {
    let (m, k) = (a.rows.len(), a.columns.len());
    if c.is_empty() || a.count == 0 || k == 0 {
        return c.fill(T::default());
    }
    let n = c.len() / m;
    let [stack, rows] = sum_parts(a.count, [m, k, n]);
    assert!(c.len() == m * n && partial.len() == (stack.count - 1) * m * n, "sum_of_products: {m} x {n}");
    let (first, others) = (Origin(c.as_mut_ptr()), Origin(partial.as_mut_ptr()));
    let columns = ColumnOffsets::new(a.columns);
    team::run(stack.count * rows.count, |task| {
        let (part, rows) = (task / rows.count, rows.range(task % rows.count));
        let sums = match part {
            0 => first.at(rows.start * n),
            _ => others.at(((part - 1) * m + rows.start) * n),
        };
        // The sum over a group of matrices, into C or into the scratch.
        let sum = |group: Range<usize>, sums: *mut T| {
            let mut block = RowBlock::new();
            for matrix in group.clone() {
                let (b, whole) = (b(matrix), 0..a.samples.size());
                assert!(b.rows == k && b.columns == n, "sum_of_products: {m} x {k} by {} x {}", b.rows, b.columns);
                T::with_right_operand(b, &columns, rows.len(), |b| {
                    let addend = if matrix > group.start { Addend::Result } else { Addend::Zero };
                    with_scratch(a.samples.scratch(&(matrix..matrix + 1), &whole), |scratch| {
                        // SAFETY: the scratch is as large as that. The shapes have been compared, and each task has rows of a
                        // part of the sums to itself.
                        unsafe {
                            let start = a.samples.place(matrix..matrix + 1, whole, scratch).start(matrix);
                            a.multiply((start, rows.clone()), (&columns, b), addend, &mut block, (sums, n));
                        }
                    });
                });
            }
        };
        let matrices = stack.range(part);
        let size = rows.len() * n;
        let groups = parts(matrices.len(), 1, span_count(matrices.len() * k.div_ceil(BLOCK)));
        sum(matrices.start..matrices.start + groups.range(0).len(), sums);
        for group in (1..groups.count).map(|group| groups.range(group)) {
            with_scratch(size, |scratch: *mut T| {
                sum(matrices.start + group.start..matrices.start + group.end, scratch);
                // SAFETY: both have been written, and no other task uses them.
                unsafe { add_to(slice::from_raw_parts_mut(sums, size), slice::from_raw_parts(scratch, size)) };
            });
        }
    });
    if stack.count == 1 {
        return;
    }
    let (first, others) = (Shared::new(c), Shared::new(partial));
    team::split(m * n, 1 << 14, |range| {
        // SAFETY: the ranges are disjoint, and the tasks that wrote to them have ended.
        let sums = unsafe { first.part(range.start, range.len()) };
        for part in 1..stack.count {
            // SAFETY: as above.
            let others = unsafe { others.part((part - 1) * m * n + range.start, range.len()) };
            add_to(sums, others);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::portable;
    use super::super::samples::Samples;
    use super::*;

    #[test]
    fn as_the_definition_says_with_and_without_vectors() {
        // Columns that are not contiguous; then in runs, with few columns of B (lanes along k) and with more.
        let (apart, runs) = (Grid::new(0).axis(3, 50).axis(100, 4), Grid::new(1).axis(3, 150).axis(100, 1));
        [1, 21, 48, 75].into_iter().for_each(|n| as_the_definition_says(&apart, n));
        [1, 2, 3, 4, 5, 7, 8, 9].into_iter().for_each(|n| as_the_definition_says(&runs, n));
    }

    /// Relative errors of sums of many equal products: of the columns of a product, whole runs or parts of them to a span, with few
    /// columns of B and with more; and of many matrices, of a few columns each and of many.
    #[test]
    fn rounding_errors_do_not_grow_along_k() {
        let (x, m) = (0.1_f32, 5);
        let small = |c: &[f32], k: usize| {
            let exact = k as f64 * f64::from(x) * f64::from(x);
            let error = c.iter().map(|&c| (f64::from(c) / exact - 1.0).abs()).fold(0.0, f64::max);
            assert!(error <= 5e-6, "{k}: {error:e}");
        };
        let data = vec![x; 2_000_000];
        for (columns, n) in [
            (Grid::new(0).axis(100_000, 1), 3),
            (Grid::new(0).axis(100_000, 1), 20),
            (Grid::new(0).axis(1000, 200).axis(100, 1), 2),
            (Grid::new(0).axis(100_000, 2), 20),
        ] {
            let (k, rows) = (columns.len(), Grid::new(0).axis(m, 7));
            let a = ImplicitMatrix::new(Samples::plain(&data, 0), 1, &rows, &columns);
            let (b, results) =
                (Mat::new(&data, 0, [k, n], [n as isize, 1]), ResultRows { step: 0, rows: &Grid::new(0).axis(m, n) });
            for relu in [false, true] {
                let mut c = vec![f32::NAN; m * n];
                products(&[Products { a, b, results }], &mut c, Addend::Zero, relu);
                small(&c, k);
            }
            // The same with all results below 0.
            let (negative, mut c) = (data.iter().map(|x| -x).collect::<Vec<_>>(), vec![f32::NAN; m * n]);
            let a = ImplicitMatrix::new(Samples::plain(&negative, 0), 1, &rows, &columns);
            products(&[Products { a, b, results }], &mut c, Addend::Zero, true);
            assert_eq!(c, vec![0.0; m * n]);
        }
        for (count, k) in [(100_000, 1), (3000, 70), (20, 9000)] {
            let (rows, columns) = (Grid::new(0).axis(m, 3), Grid::new(0).axis(k, 1));
            let a = ImplicitMatrix::new(Samples::plain(&data, 1), count, &rows, &columns);
            let (mut c, mut partial) = (vec![f32::NAN; m * 20], vec![f32::NAN; partial_sums(count, [m, k, 20])]);
            sum_of_products(a, |_| Mat::new(&data, 0, [k, 20], [20, 1]), &mut c, &mut partial);
            small(&c, count * k);
        }
    }

    /// Two matrices of 50 rows, more than a strip and fewer than a block, and 300 columns, more than a block of k.
    fn as_the_definition_says(columns: &Grid, n: usize) {
        let (m, k) = (50, 300);
        let rows = Grid::new(2).axis(10, 7).axis(5, 3);
        let (of_row, of_column) = (rows.table(), columns.table());
        let integers = |len: usize| (0..len).map(|i| (i * 31 % 19) as f32 - 9.0).collect::<Vec<_>>();
        let (data, b, bias) = (integers(1100), integers(k * n), integers(n));
        let a = ImplicitMatrix::new(Samples::plain(&data, 500), 2, &rows, columns);
        let element = |s: usize, i: usize, p: usize| data[s * 500 + of_row[i] + of_column[p]];
        for transposed in [false, true] {
            let strides = if transposed { [1, k as isize] } else { [n as isize, 1] };
            let of_b = |p: usize, j: usize| b[p * strides[0] as usize + j * strides[1] as usize];
            let sum = |s: usize, i: usize, j: usize| (0..k).map(|p| element(s, i, p) * of_b(p, j)).sum::<f32>();
            let matrix = Mat::new(&b, 0, [k, n], strides);
            let expected: Vec<f32> = (0..2 * m * n).map(|at| sum(at / (m * n), at / n % m, at % n)).collect();
            let rectified: Vec<f32> = (0..2 * m * n).map(|at| (expected[at] + bias[at % n]).max(0.0)).collect();

            let results = ResultRows { step: m * n, rows: &Grid::new(0).axis(m, n) };
            let product = Products { a, b: matrix, results };
            let mut c = vec![f32::NAN; 2 * m * n];
            products(&[product], &mut c, Addend::Zero, false);
            assert_eq!(c, expected);
            products(&[product], &mut c, Addend::Row(&bias), true);
            assert_eq!(c, rectified);

            let both: Vec<f32> = (0..m * n).map(|at| expected[at] + expected[m * n + at]).collect();
            let (mut c, mut partial) = (vec![f32::NAN; m * n], vec![f32::NAN; partial_sums(2, [m, k, n])]);
            sum_of_products(a, |_| matrix, &mut c, &mut partial);
            assert_eq!(c, both);

            // The paths that this processor does not take because it has a faster one.
            let listed = ColumnOffsets::new(columns);
            macro_rules! by {
                ($with_right_operand:expr, $multiply_block:expr) => {
                    let check = |b: &RightOperand<f32>| {
                        let mut c = vec![f32::NAN; m * n];
                        let mut multiply = |s: usize, addend: Addend<'_, f32>, relu: bool| {
                            let mut block = RowBlock::new();
                            rows.for_each_run(0..m, |run| block.add_to_a(data[s * 500..].as_ptr(), run));
                            block.add_to_c(c.as_mut_ptr(), OffsetRun { start: 0, step: n, count: m });
                            // SAFETY: rows, columns and panels are those of the two matrices.
                            unsafe { $multiply_block(&block, &listed, n, b, addend, relu) };
                            c.clone()
                        };
                        multiply(0, Addend::Zero, false);
                        assert_eq!(multiply(1, Addend::Result, false), both);
                        assert_eq!(multiply(1, Addend::Row(&bias), true), rectified[m * n..]);
                    };
                    ($with_right_operand)(&check);
                };
            }
            by!(
                |check: &dyn Fn(&RightOperand<f32>)| portable::with_right_operand(matrix, check),
                portable::multiply_block
            );
            #[cfg(target_arch = "x86_64")]
            if crate::simd::has_avx2() {
                use super::super::{implicit_kernel, lanes::Avx2};
                let with_right_operand = |check: &dyn Fn(&RightOperand<f32>)| {
                    // SAFETY: the instructions are there.
                    unsafe { implicit_kernel::with_right_operand::<Avx2<f32>, _>(matrix, &listed, m, check) }
                };
                by!(with_right_operand, implicit_kernel::multiply_block::<Avx2<f32>>);
            }
        }
    }
}
