//! Products of every shape and layout against their definition, by each path that this processor has.

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
fn many_blocks_of_k_and_parts_of_c() {
    // k in spans, where the packed operands take several steps and where they take one; then C in several parts.
    for shape in [[30, 9000, 70], [67, 9001, 130], [300, 4500, 33], [131, 1700, 99], [3, 70_000, 2], [1030, 20, 2100]] {
        check::<f32>(shape, [Lie::Rows, Lie::Columns]);
        check::<f32>(shape, [Lie::Columns, Lie::Rows]);
        check::<f64>(shape, [Lie::Spaced, Lie::Backwards]);
    }
}

/// The relative error of sums of 100,000 equal products; the exact sums are those of the rounded elements in f64. NumPy 2.4.6 has
/// 9.5e-7 for 64 rows and columns.
#[test]
fn rounding_errors_do_not_grow_along_k() {
    let (x, k) = (0.1_f32, 100_000);
    let exact = k as f64 * f64::from(x) * f64::from(x);
    for [m, n] in [[64, 64], [300, 20], [1, 40], [3, 5], [40, 1], [1, 1], [2, 300]] {
        let data = vec![x; k * m.max(n)];
        for lies in [[Lie::Rows, Lie::Rows], [Lie::Columns, Lie::Columns], [Lie::Rows, Lie::Columns]] {
            let (a, b) = (lies[0].matrix(&data, [m, k]), lies[1].matrix(&data, [k, n]));
            let mut c = vec![f32::NAN; m * n];
            let small = |way: &str, c: &[f32]| {
                let error = c.iter().map(|&c| (f64::from(c) / exact - 1.0).abs()).fold(0.0, f64::max);
                assert!(error <= 5e-6, "{way}, {m} x {n}, {lies:?}: {error:e}");
            };
            f32::gemm(a, b, &mut c);
            small("gemm", &c);
            f32::others(a, b, &mut c, |way, c| small(way, c));
        }
    }
}

#[test]
fn batches() {
    // Small ones several to a task, then each cut into tasks of its own.
    for (count, [m, k, n]) in [(0, [2, 2, 2]), (3, [0, 2, 2]), (3, [2, 0, 2]), (50, [7, 9, 11]), (2, [256, 130, 256])] {
        let (a, b) = (integers::<f32>(count * m, k, 1), integers::<f32>(k, n, 2));
        let operands = |i| (Mat::new(&a, i * m * k, [m, k], [k as isize, 1]), Mat::new(&b, 0, [k, n], [n as isize, 1]));
        let mut c = vec![f32::NAN; count * m * n];
        f32::gemm_batched(count, operands, &mut c);
        let expected: Vec<f32> = (0..count).flat_map(|i| naive(operands(i).0, operands(i).1)).collect();
        assert_eq!(c, expected);
    }
}

#[cfg(feature = "parallel")]
#[test]
fn the_same_bits_for_any_number_of_threads() {
    let large = [[32, 784, 128], [784, 32, 128], [300, 500, 200], [40, 9000, 90], [131, 1700, 99]];
    let few_rows = [[1, 128, 512], [3, 512, 70], [1, 3000, 1000]];
    for [m, k, n] in large.into_iter().chain(few_rows) {
        let (a, b) = (integers::<f32>(m, k, 1), integers::<f32>(k, n, 2));
        let [a, b] = [a, b].map(|x| x.iter().map(|x| (x * 0.7).sin()).collect::<Vec<f32>>());
        for lie in [Lie::Rows, Lie::Columns] {
            let bits = |threads| {
                let pool = rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut c = vec![0.0; m * n];
                pool.install(|| f32::gemm(lie.matrix(&a, [m, k]), lie.matrix(&b, [k, n]), &mut c));
                c.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let one = bits(1);
            assert!(one == bits(2) && one == bits(3), "{m} x {k} x {n}");
        }
    }
}
