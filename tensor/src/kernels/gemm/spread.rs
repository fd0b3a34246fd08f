//! Products with a spread matrix: one whose elements lie on two grids, added up.
//!
//! The patches that a convolution multiplies with its weights are such a matrix: element (position, tap) lies at the
//! position's place plus the tap's. So a convolution is a product that reads its input where it is, and the matrix of
//! patches, many times as large, is never written (Dukhan, "The indirect convolution algorithm", arXiv:1907.02129, has
//! a table of pointers; that the places are sums makes do without).

use std::ops::{AddAssign, Range};

use super::{GRAIN, Gemm, Mat, Parts, parts};
use crate::grid::Grid;
use crate::kernels::Shared;
use crate::team;

/// B as it is read: element (p, j) at `start + j / width * panel + p * row + j % width`, where the kernel knows the width.
pub struct Panels<T> {
    pub(super) start: *const T,
    pub(super) row: isize,
    pub(super) panel: isize,
}

// SAFETY: panels are a shared borrow of a slice, or of room that nobody writes to meanwhile.
unsafe impl<T: Sync> Sync for Panels<T> {}

/// Some rows of A and of C: where each begins.
pub struct Block<T> {
    a: [*const T; MOST_ROWS],
    c: [*mut T; MOST_ROWS],
    len: usize,
}

impl<T> Block<T> {
    pub(super) fn new() -> Self {
        Block { a: [std::ptr::null(); MOST_ROWS], c: [std::ptr::null_mut(); MOST_ROWS], len: 0 }
    }

    pub(super) fn push(&mut self, a: *const T, c: *mut T) {
        (self.a[self.len], self.c[self.len]) = (a, c);
        self.len += 1;
    }

    pub(super) fn rows(&self) -> (&[*const T], &[*mut T]) {
        (&self.a[..self.len], &self.c[..self.len])
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

    /// Where row i of the s-th matrix begins, for these rows, in which `columns` count.
    #[inline(always)]
    pub(super) fn starts(&self, matrix: usize, rows: Range<usize>) -> impl Iterator<Item = *const T> {
        let start = self.data.as_ptr().wrapping_add(matrix * self.step);
        self.rows.iter(rows).map(move |place| start.wrapping_add(place))
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

/// C_s = base + A_s · B for every matrix of a stack, what is negative made 0 if `relu`.
///
/// # Panics
///
/// If the shapes do not match or a row of C does not lie within `c`.
pub(crate) fn products<T: Gemm>(
    a: Spread<'_, T>,
    b: Mat<'_, T>,
    c: &mut [T],
    places: Rows<'_>,
    base: Base<'_, T>,
    relu: bool,
) {
    let (m, k, n) = (a.rows.len(), a.columns.len(), b.columns);
    assert!(b.rows == k && places.rows.len() == m, "products: {m} x {k} by {} x {n}", b.rows);
    assert!(!matches!(base, Base::Row(row) if row.len() != n), "products: a row of other than {n} elements");
    let total = a.count * m;
    if total == 0 || n == 0 {
        return;
    }
    let last = (a.count - 1) * places.step + places.rows.greatest().expect("there are rows") + n;
    assert!(last <= c.len(), "products: {last} elements into {}", c.len());
    T::with_panels(b, total, |b| {
        let each = (2 * GRAIN / (k * n).max(1)).next_multiple_of(24).clamp(24, MOST_ROWS);
        let c = Shared::new(c);
        team::split(total, each, |range| {
            let (mut block, mut place) = (Block::new(), range.start);
            while place < range.end {
                let (matrix, i) = (place / m, place % m);
                let rows = i..m.min(i + range.end - place);
                place += rows.len();
                for (a, c_row) in a.starts(matrix, rows.clone()).zip(places.rows.iter(rows)) {
                    // SAFETY: the rows of C are disjoint, and each belongs to one task.
                    block.push(a, unsafe { c.part(matrix * places.step + c_row, n) }.as_mut_ptr());
                }
            }
            // SAFETY: every element of A lies within its data, and the rows have been made for products of this size.
            unsafe { T::multiply_block(&block, a.columns, n, b, base, relu) };
        });
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
    let (first, others) = (Shared::new(c), Shared::new(partial));
    team::run(stack.count * rows.count, |task| {
        let (part, rows) = (task / rows.count, rows.range(task % rows.count));
        for (turn, matrix) in stack.range(part).enumerate() {
            let b = b(matrix);
            assert!(b.rows == k && b.columns == n, "sum_of_products: {m} x {k} by {} x {}", b.rows, b.columns);
            T::with_panels(b, rows.len(), |b| {
                for start in rows.clone().step_by(MOST_ROWS) {
                    let mut block = Block::new();
                    let rows = start..rows.end.min(start + MOST_ROWS);
                    for (i, row) in rows.clone().zip(a.starts(matrix, rows)) {
                        // SAFETY: each task has rows of a part of the sums to itself.
                        let out = unsafe {
                            match part {
                                0 => first.part(i * n, n),
                                _ => others.part(((part - 1) * m + i) * n, n),
                            }
                        };
                        block.push(row, out.as_mut_ptr());
                    }
                    let base = if turn > 0 { Base::Result } else { Base::Zero };
                    // SAFETY: every element of A lies within its data; the rest has just been compared.
                    unsafe { T::multiply_block(&block, a.columns, n, b, base, false) };
                }
            });
        }
    });
    if stack.count == 1 {
        return;
    }
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
        [21, 48, 75].into_iter().for_each(as_the_definition_says);
    }

    /// Two matrices of 50 rows, more than a strip and less than a block, and 300 columns, more than a block of k.
    fn as_the_definition_says(n: usize) {
        let (m, k) = (50, 300);
        let (rows, columns) = (Grid::new(2).axis(10, 7).axis(5, 3), Grid::new(0).axis(3, 50).axis(100, 4));
        let places = |grid: &Grid| grid.iter(0..grid.len()).collect::<Vec<_>>();
        let (of_row, of_column) = (places(&rows), places(&columns));
        let integers = |len: usize| (0..len).map(|i| (i * 31 % 19) as f32 - 9.0).collect::<Vec<_>>();
        let (data, b, bias) = (integers(1100), integers(k * n), integers(n));
        let a = Spread::new(&data, 2, 500, &rows, &columns);
        let element = |s: usize, i: usize, p: usize| data[s * 500 + of_row[i] + of_column[p]];
        for transposed in [false, true] {
            let strides = if transposed { [1, k as isize] } else { [n as isize, 1] };
            let of_b = |p: usize, j: usize| b[p * strides[0] as usize + j * strides[1] as usize];
            let sum = |s: usize, i: usize, j: usize| (0..k).map(|p| element(s, i, p) * of_b(p, j)).sum::<f32>();
            let matrix = Mat::new(&b, 0, [k, n], strides);
            let expected: Vec<f32> = (0..2 * m * n).map(|at| sum(at / (m * n), at / n % m, at % n)).collect();
            let rectified: Vec<f32> = (0..2 * m * n).map(|at| (expected[at] + bias[at % n]).max(0.0)).collect();

            let places = Rows { step: m * n, rows: &Grid::new(0).axis(m, n) };
            let mut c = vec![f32::NAN; 2 * m * n];
            products(a, matrix, &mut c, places, Base::Zero, false);
            assert_eq!(c, expected);
            products(a, matrix, &mut c, places, Base::Row(&bias), true);
            assert_eq!(c, rectified);

            let both: Vec<f32> = (0..m * n).map(|at| expected[at] + expected[m * n + at]).collect();
            let (mut c, mut partial) = (vec![f32::NAN; m * n], vec![f32::NAN; partial_sums(2, [m, k, n])]);
            sum_of_products(a, |_| matrix, &mut c, &mut partial);
            assert_eq!(c, both);

            // The ways that this processor does not take, being able to do better.
            macro_rules! by {
                ($with_panels:expr, $multiply_block:expr) => {
                    let check = |b: &Panels<f32>| {
                        let mut c = vec![f32::NAN; m * n];
                        let mut multiply = |s: usize, base: Base<'_, f32>, relu: bool| {
                            let mut block = Block::new();
                            a.starts(s, 0..m)
                                .zip(c.chunks_exact_mut(n))
                                .for_each(|(a, c)| block.push(a, c.as_mut_ptr()));
                            // SAFETY: rows, columns and panels are those of the two matrices.
                            unsafe { $multiply_block(&block, &columns, n, b, base, relu) };
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
                    unsafe { spread_kernel::with_panels::<Avx2<f32>, _>(matrix, m, check) }
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
