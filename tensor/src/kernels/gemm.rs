//! C = A · B for matrices with any strides, in place.
//!
//! On x86-64 with AVX-512, or AVX2 and FMA, the product is our own (`driver`); elsewhere it is the crate `matrixmultiply`'s
//! (`portable`). Either way the shape alone decides how C is cut into tiles, and a tile is one task of the [`team`]:
//! the sum along k is never cut between threads, so the bits of a result do not depend on their number.
//!
//! [`team`]: crate::team

use std::marker::PhantomData;
use std::ops::Range;

use super::Shared;
use crate::team;

#[cfg(target_arch = "x86_64")]
mod dot;
#[cfg(target_arch = "x86_64")]
mod driver;
pub(crate) mod folded;
#[cfg(target_arch = "x86_64")]
mod kernel;
#[cfg(target_arch = "x86_64")]
pub(super) mod lanes;
#[cfg(target_arch = "x86_64")]
mod narrow_kernel;
#[cfg(target_arch = "x86_64")]
mod pack;
pub(crate) mod pooled;
mod portable;
pub(crate) mod spread;
#[cfg(target_arch = "x86_64")]
mod spread_kernel;
#[cfg(target_arch = "x86_64")]
mod tile;

/// Multiply-adds that are worth a task of their own: some 5 µs of work.
const GRAIN: usize = 1 << 19;

/// A matrix where it lies: element (i, j) at `start + i * row_stride + j * column_stride`.
///
/// Strides may be zero or negative. Invariant: every element lies within a slice that is borrowed for `'a`.
#[derive(Clone, Copy)]
pub struct Mat<'a, T> {
    start: *const T,
    rows: usize,
    columns: usize,
    row_stride: isize,
    column_stride: isize,
    data: PhantomData<&'a [T]>,
}

// SAFETY: a matrix is a shared borrow of a slice.
unsafe impl<T: Sync> Send for Mat<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Mat<'_, T> {}

impl<'a, T> Mat<'a, T> {
    /// The matrix of `shape` rows and columns whose first element is `data[offset]`, and whose rows and columns are
    /// `strides` apart.
    ///
    /// # Panics
    ///
    /// If an element would lie outside `data`.
    pub fn new(data: &'a [T], offset: usize, shape: [usize; 2], strides: [isize; 2]) -> Self {
        if shape[0] > 0 && shape[1] > 0 {
            let (mut first, mut last) = (offset as isize, offset as isize);
            for (len, stride) in shape.into_iter().zip(strides) {
                let reach = (len - 1) as isize * stride;
                if reach < 0 { first += reach } else { last += reach }
            }
            assert!(
                first >= 0 && last < data.len() as isize,
                "matrix of {shape:?}, {strides:?} apart from {offset} on, does not lie within {} elements",
                data.len()
            );
        }
        Self {
            start: data.as_ptr().wrapping_add(offset),
            rows: shape[0],
            columns: shape[1],
            row_stride: strides[0],
            column_stride: strides[1],
            data: PhantomData,
        }
    }

    /// Where element (i, j) lies.
    fn at(&self, i: usize, j: usize) -> *const T {
        self.start.wrapping_offset(i as isize * self.row_stride + j as isize * self.column_stride)
    }

    /// The part of `rows` rows and `columns` columns that begins at element (i, j).
    fn part(&self, [i, j]: [usize; 2], [rows, columns]: [usize; 2]) -> Self {
        debug_assert!(i + rows <= self.rows && j + columns <= self.columns);
        Self { start: self.at(i, j), rows, columns, ..*self }
    }

    /// The transpose, in the same place.
    #[cfg(target_arch = "x86_64")]
    fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// An element type with a matrix product.
pub trait Gemm: portable::Element + Default {
    /// C = A · B, where no dimension is 0.
    #[doc(hidden)]
    fn multiply(a: Mat<'_, Self>, b: Mat<'_, Self>, c: &mut [Self]);

    /// Calls `body` with B as the blocks of a product with a [`Spread`](spread::Spread) matrix of these columns and of `rows`
    /// rows read it.
    #[doc(hidden)]
    fn with_panels<R>(
        b: Mat<'_, Self>,
        columns: &spread::Columns,
        rows: usize,
        body: impl FnOnce(&spread::Panels<Self>) -> R,
    ) -> R;

    /// Whether products with `n` columns of B and runs of so many elements of A are computed along k, lane by lane.
    #[doc(hidden)]
    fn is_narrow(n: usize, run: usize) -> bool;

    /// C = base + A · B for the rows of a block, A's elements being found by `columns`, C having n columns; what is
    /// negative becomes 0 if `relu`.
    ///
    /// # Safety
    ///
    /// Every row of the block must have an element of A at each of `columns`, and n of C that nobody else uses; the
    /// panels are those of a B of as many rows as there are columns, and n columns; a row to begin with has n elements.
    #[doc(hidden)]
    unsafe fn multiply_block(
        block: &spread::Block<Self>,
        columns: &spread::Columns,
        n: usize,
        b: &spread::Panels<Self>,
        base: spread::Base<'_, Self>,
        relu: bool,
    );

    /// C = A · B, `[m, k]` by `[k, n]` into a row-major `[m, n]`, whatever `c` held before. Where k is 0, C is 0.
    ///
    /// # Panics
    ///
    /// If the shapes do not match.
    fn gemm(a: Mat<'_, Self>, b: Mat<'_, Self>, c: &mut [Self]) {
        assert!(
            a.columns == b.rows && c.len() == a.rows * b.columns,
            "gemm: {} x {} by {} x {} into {} elements",
            a.rows,
            a.columns,
            b.rows,
            b.columns,
            c.len()
        );
        if a.columns == 0 {
            c.fill(Self::default());
        } else if !c.is_empty() {
            Self::multiply(a, b, c);
        }
    }

    /// `count` products of one shape: `operands(i)` are multiplied into the i-th of the matrices that `c` consists of.
    ///
    /// # Panics
    ///
    /// If the shapes do not match.
    fn gemm_batched<'a>(
        count: usize,
        operands: impl Fn(usize) -> (Mat<'a, Self>, Mat<'a, Self>) + Sync,
        c: &mut [Self],
    ) {
        if c.is_empty() {
            return;
        }
        let size = c.len() / count;
        let work = size * operands(0).0.columns;
        if work >= 16 * GRAIN {
            // Each is cut into tasks of its own.
            c.chunks_exact_mut(size).enumerate().for_each(|(i, c)| {
                let (a, b) = operands(i);
                Self::gemm(a, b, c);
            });
            return;
        }
        let each = (GRAIN / work.max(1)).clamp(1, count);
        let c = Shared::new(c);
        team::split(count, each, |range| {
            for i in range {
                let (a, b) = operands(i);
                // SAFETY: the i-th of `count` matrices, which no other task touches.
                Self::gemm(a, b, unsafe { c.part(i * size, size) });
            }
        });
    }
}

/// For each type, the vectors to multiply with: the first that the processor has.
macro_rules! gemm {
    ($type:ident: $($has:ident => $Lanes:ty),+) => {
        impl Gemm for $type {
            fn multiply(a: Mat<'_, Self>, b: Mat<'_, Self>, c: &mut [Self]) {
                $(
                    #[cfg(target_arch = "x86_64")]
                    if crate::simd::$has() {
                        // SAFETY: the instructions are there, and `gemm` has compared the shapes.
                        return unsafe { driver::multiply::<$Lanes>(a, b, c) };
                    }
                )+
                portable::multiply(a, b, c);
            }

            fn with_panels<R>(
                b: Mat<'_, Self>,
                columns: &spread::Columns,
                rows: usize,
                body: impl FnOnce(&spread::Panels<Self>) -> R,
            ) -> R {
                $(
                    #[cfg(target_arch = "x86_64")]
                    if crate::simd::$has() {
                        // SAFETY: the instructions are there.
                        return unsafe { spread_kernel::with_panels::<$Lanes, R>(b, columns, rows, body) };
                    }
                )+
                let _ = (columns, rows);
                portable::with_panels(b, body)
            }

            fn is_narrow(n: usize, run: usize) -> bool {
                $(
                    #[cfg(target_arch = "x86_64")]
                    if crate::simd::$has() {
                        return narrow_kernel::is_worth_while::<$Lanes>(n, run);
                    }
                )+
                let _ = (n, run);
                false
            }

            unsafe fn multiply_block(
                block: &spread::Block<Self>,
                columns: &spread::Columns,
                n: usize,
                b: &spread::Panels<Self>,
                base: spread::Base<'_, Self>,
                relu: bool,
            ) {
                $(
                    #[cfg(target_arch = "x86_64")]
                    if crate::simd::$has() {
                        // SAFETY: the instructions are there; the rest is the caller's promise.
                        return unsafe { spread_kernel::multiply_block::<$Lanes>(block, columns, n, b, base, relu) };
                    }
                )+
                // SAFETY: the caller's promise.
                unsafe { portable::multiply_block(block, columns, n, b, base, relu) };
            }
        }
    };
}

// In f64 gradients are checked, for which the shorter vectors are fast enough.
gemm!(f32: has_avx512 => lanes::Avx512, has_avx2 => lanes::Avx2<f32>);
gemm!(f64: has_avx2 => lanes::Avx2<f64>);

/// Where the tasks of a product write, each to places of its own.
struct Origin<T>(*mut T);

// SAFETY: whoever writes through the pointer says why no other task does at the same place.
unsafe impl<T: Send> Sync for Origin<T> {}

impl<T> Origin<T> {
    fn at(&self, offset: usize) -> *mut T {
        self.0.wrapping_add(offset)
    }
}

/// `0..len` cut into `count` parts of length `each`, of which the last may be shorter.
#[derive(Clone, Copy)]
struct Parts {
    len: usize,
    count: usize,
    each: usize,
}

impl Parts {
    fn range(&self, part: usize) -> Range<usize> {
        part * self.each..self.len.min((part + 1) * self.each)
    }
}

/// Cuts `0..len` at multiples of `unit` into at most `wanted` parts.
fn parts(len: usize, unit: usize, wanted: usize) -> Parts {
    let each = len.div_ceil(unit).div_ceil(wanted.max(1)) * unit;
    Parts { len, count: len.div_ceil(each), each }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Float;

    /// How a matrix lies in its data.
    #[derive(Clone, Copy, Debug)]
    enum Lie {
        Rows,
        Columns,
        Backwards,
        Spaced,
        OneRow,
        OneColumn,
    }

    const LIES: [Lie; 6] = [Lie::Rows, Lie::Columns, Lie::Backwards, Lie::Spaced, Lie::OneRow, Lie::OneColumn];

    impl Lie {
        fn matrix<T>(self, data: &[T], [rows, columns]: [usize; 2]) -> Mat<'_, T> {
            let (r, c) = (rows as isize, columns as isize);
            let (offset, strides) = match self {
                Lie::Rows => (0, [c, 1]),
                Lie::Columns => (0, [1, r]),
                Lie::Backwards => ((rows * columns).saturating_sub(1), [-c, -1]),
                Lie::Spaced => (1, [2 * c + 3, 2]),
                Lie::OneRow => (0, [0, 1]),
                Lie::OneColumn => (0, [1, 0]),
            };
            Mat::new(data, offset, [rows, columns], strides)
        }
    }

    /// Small integers: their products and sums are exact in f32, in any order.
    fn integers<T: Float>(rows: usize, columns: usize, seed: usize) -> Vec<T> {
        let digit = |i: usize| ((i + seed).wrapping_mul(0x9E37_79B9) >> 7) % 17;
        (0..2 * rows * columns + 4 * rows + 4).map(|i| T::of(digit(i) as f64 - 8.0)).collect()
    }

    /// The product as its definition says.
    fn naive<T: Float>(a: Mat<'_, T>, b: Mat<'_, T>) -> Vec<T> {
        // SAFETY: elements of a matrix lie within a borrowed slice.
        let element = |m: &Mat<'_, T>, i, j| unsafe { *m.at(i, j) };
        let sum = |i, j| (0..a.columns).map(|p| element(&a, i, p) * element(&b, p, j)).sum();
        (0..a.rows * b.columns).map(|at| sum(at / b.columns, at % b.columns)).collect()
    }

    /// A type whose every way to a product can be taken.
    trait Ways: Float {
        /// The product by each but the best one on this processor, which `gemm` takes.
        fn others(a: Mat<'_, Self>, b: Mat<'_, Self>, c: &mut [Self], check: impl FnMut(&str, &mut [Self]));
    }

    impl Ways for f64 {
        fn others(a: Mat<'_, f64>, b: Mat<'_, f64>, c: &mut [f64], mut check: impl FnMut(&str, &mut [f64])) {
            portable::multiply(a, b, c);
            check("portable", c);
        }
    }

    impl Ways for f32 {
        fn others(a: Mat<'_, f32>, b: Mat<'_, f32>, c: &mut [f32], mut check: impl FnMut(&str, &mut [f32])) {
            portable::multiply(a, b, c);
            check("portable", c);
            #[cfg(target_arch = "x86_64")]
            if crate::simd::has_avx2() {
                // SAFETY: the instructions are there, and the shapes match.
                unsafe { driver::multiply::<lanes::Avx2<f32>>(a, b, c) };
                check("AVX2", c);
            }
        }
    }

    fn check<T: Ways>([m, k, n]: [usize; 3], lies: [Lie; 2]) {
        let (a, b) = (integers::<T>(m, k, 1), integers::<T>(k, n, 2));
        let (a, b) = (lies[0].matrix(&a, [m, k]), lies[1].matrix(&b, [k, n]));
        let expected = naive(a, b);
        let mut c = vec![T::nan(); m * n];
        T::gemm(a, b, &mut c);
        assert!(c == expected, "{m} x {k} x {n}, {lies:?}");
        c.fill(T::nan());
        if !c.is_empty() && k > 0 {
            T::others(a, b, &mut c, |way, c| {
                assert!(c == expected, "{way}, {m} x {k} x {n}, {lies:?}");
                c.fill(T::nan());
            });
        }
    }

    proptest! {
        #[test]
        fn any_shape_and_strides(
            shape in [0_usize..70, 0_usize..70, 0_usize..70],
            a in prop::sample::select(&LIES),
            b in prop::sample::select(&LIES),
        ) {
            check::<f32>(shape, [a, b]);
            check::<f64>(shape, [a, b]);
        }

        #[test]
        fn few_rows_or_columns(
            [few, k, many] in [1_usize..5, 1_usize..300, 1_usize..300],
            a in prop::sample::select(&LIES),
            b in prop::sample::select(&LIES),
        ) {
            check::<f32>([few, k, many], [a, b]);
            check::<f64>([many, k, few], [a, b]);
        }
    }

    #[test]
    fn small_shapes_all() {
        for m in 0..8 {
            for n in 0..20 {
                for k in [0, 1, 2, 9] {
                    for lies in [[Lie::Rows, Lie::Rows], [Lie::Columns, Lie::Columns]] {
                        check::<f32>([m, k, n], lies);
                        check::<f64>([m, k, n], lies);
                    }
                }
            }
        }
    }

    #[test]
    fn large_shapes() {
        // k in several blocks, in place and packed; then more columns, and more rows, than are packed at a time.
        let blocks = [[20, 600, 40], [131, 701, 99]];
        for shape in blocks.into_iter().chain([[65, 64, 2100], [2100, 65, 64], [33, 70, 1100], [1100, 70, 33]]) {
            check::<f32>(shape, [Lie::Rows, Lie::Rows]);
            check::<f64>(shape, [Lie::Columns, Lie::Columns]);
        }
    }

    #[test]
    fn batches() {
        // Small ones several to a task, then each cut into tasks of its own.
        for (count, [m, k, n]) in
            [(0, [2, 2, 2]), (3, [0, 2, 2]), (3, [2, 0, 2]), (50, [7, 9, 11]), (2, [256, 130, 256])]
        {
            let (a, b) = (integers::<f32>(count * m, k, 1), integers::<f32>(k, n, 2));
            let operands =
                |i| (Mat::new(&a, i * m * k, [m, k], [k as isize, 1]), Mat::new(&b, 0, [k, n], [n as isize, 1]));
            let mut c = vec![f32::NAN; count * m * n];
            f32::gemm_batched(count, operands, &mut c);
            let expected: Vec<f32> = (0..count).flat_map(|i| naive(operands(i).0, operands(i).1)).collect();
            assert_eq!(c, expected);
        }
    }

    #[cfg(feature = "parallel")]
    #[test]
    fn the_same_bits_for_any_number_of_threads() {
        for [m, k, n] in [[32, 784, 128], [784, 32, 128], [300, 500, 200], [1, 3000, 1000]] {
            let (a, b) = (integers::<f32>(m, k, 1), integers::<f32>(k, n, 2));
            let [a, b] = [a, b].map(|x| x.iter().map(|x| (x * 0.7).sin()).collect::<Vec<f32>>());
            for lie in [Lie::Rows, Lie::Columns] {
                let bits = |threads| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    let mut c = vec![0.0; m * n];
                    pool.install(|| f32::gemm(lie.matrix(&a, [m, k]), lie.matrix(&b, [k, n]), &mut c));
                    c.into_iter().map(f32::to_bits).collect::<Vec<_>>()
                };
                let one = bits(1);
                assert!(one == bits(2) && one == bits(3), "{m} x {k} x {n}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "does not lie within 6 elements")]
    fn a_matrix_lies_within_its_data() {
        Mat::new(&[0.0; 6], 1, [2, 3], [3, 1]);
    }

    #[test]
    #[should_panic(expected = "does not lie within 6 elements")]
    fn a_matrix_does_not_begin_before_its_data() {
        Mat::new(&[0.0; 6], 2, [2, 3], [-3, 1]);
    }
}
