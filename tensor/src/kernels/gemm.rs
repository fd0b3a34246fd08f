//! C = A · B for matrices with any strides, in place (general matrix product, GEMM).
//!
//! On x86-64 with AVX-512, or AVX2 and FMA, the product is this crate's own (`driver`); elsewhere it is that of the crate
//! `matrixmultiply` (`portable`). Either way the shape alone decides how C, or the sum along k, is cut into tasks of the
//! [`team`], so the bits of a result do not depend on the number of threads.
//!
//! `tensor/KERNELS.md` draws the loops and the files of this folder.
//!
//! [`team`]: crate::team

use super::Shared;
use crate::team;

#[cfg(target_arch = "x86_64")]
pub(super) mod block;
mod cut;
#[cfg(target_arch = "x86_64")]
mod dot;
#[cfg(target_arch = "x86_64")]
mod driver;
pub(crate) mod folded;
pub(crate) mod implicit;
#[cfg(target_arch = "x86_64")]
mod implicit_kernel;
pub(crate) mod implicit_products;
#[cfg(target_arch = "x86_64")]
mod kernel;
#[cfg(target_arch = "x86_64")]
pub(super) mod lanes;
mod matrix;
#[cfg(target_arch = "x86_64")]
mod narrow_kernel;
#[cfg(target_arch = "x86_64")]
mod pack;
pub(crate) mod pooled;
mod portable;
pub(crate) mod prepared;
pub(crate) mod samples;
#[cfg(target_arch = "x86_64")]
mod tile;

use cut::GRAIN;
use implicit::{Addend, ColumnOffsets, RightOperand, RowBlock};
pub use matrix::Mat;

/// Work that is compiled for each set of vector instructions: a kernel over [`Lanes`](lanes::Lanes).
pub trait VectorWork<T> {
    /// Does it with the vectors of `L`.
    ///
    /// # Safety
    ///
    /// Their instructions are available.
    #[cfg(target_arch = "x86_64")]
    unsafe fn compute_in<L: lanes::Lanes<Element = T>>(self);

    /// Does it on other processors.
    fn compute_portably(self);
}

/// An element type with a matrix product.
pub trait Gemm: portable::PortableProduct + Default + PartialOrd {
    /// C = A · B, where no dimension is 0.
    #[doc(hidden)]
    fn multiply(a: Mat<'_, Self>, b: Mat<'_, Self>, c: &mut [Self]);

    /// Calls `body` with B prepared (packed where that pays) for a product with an
    /// [`ImplicitMatrix`](implicit::ImplicitMatrix) of these columns and of `rows` rows.
    #[doc(hidden)]
    fn with_right_operand<R>(
        b: Mat<'_, Self>,
        columns: &ColumnOffsets,
        rows: usize,
        body: impl FnOnce(&RightOperand<Self>) -> R,
    ) -> R;

    /// Whether the lanes of vectors run along k in a product with `n` columns of B, where `run` elements of a row of A at a
    /// time lie side by side.
    #[doc(hidden)]
    fn is_narrow(n: usize, run: usize) -> bool;

    /// C = addend + A · B for the rows of a block, and max(C, 0) in its place if `relu`. Element p of a row of A lies
    /// `columns[p]` after the row's start; C has n columns.
    ///
    /// # Safety
    ///
    /// Every row of the block has an element of A at each of `columns`, and n elements of C that no other thread uses. `b` was
    /// made from a matrix of as many rows as there are columns, and n columns. An addend that is a row has n elements.
    #[doc(hidden)]
    unsafe fn multiply_block(
        block: &RowBlock<Self>,
        columns: &ColumnOffsets,
        n: usize,
        b: &RightOperand<Self>,
        addend: Addend<'_, Self>,
        relu: bool,
    );

    /// Does `work` with the best vectors of this processor.
    #[doc(hidden)]
    fn compute(work: impl VectorWork<Self>);

    /// C = A · B, `[m, k]` by `[k, n]` into a row-major `[m, n]`, whatever `c` held before. Where k is 0, C is 0.
    ///
    /// # Panics
    ///
    /// If the shapes do not match.
    fn gemm(a: Mat<'_, Self>, b: Mat<'_, Self>, c: &mut [Self]) {
        assert!(
            a.columns == b.rows && Some(c.len()) == a.rows.checked_mul(b.columns),
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

    /// `count` products of one shape: the two matrices `operands(i)` are multiplied into the i-th matrix of the stack `c`.
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

/// Implements [`Gemm`] for a type, with the first in the list of vector instructions that the processor has.
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

            fn with_right_operand<R>(
                b: Mat<'_, Self>,
                columns: &ColumnOffsets,
                rows: usize,
                body: impl FnOnce(&RightOperand<Self>) -> R,
            ) -> R {
                $(
                    #[cfg(target_arch = "x86_64")]
                    if crate::simd::$has() {
                        // SAFETY: the instructions are there.
                        return unsafe { implicit_kernel::with_right_operand::<$Lanes, R>(b, columns, rows, body) };
                    }
                )+
                let _ = (columns, rows);
                portable::with_right_operand(b, body)
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
                block: &RowBlock<Self>,
                columns: &ColumnOffsets,
                n: usize,
                b: &RightOperand<Self>,
                addend: Addend<'_, Self>,
                relu: bool,
            ) {
                $(
                    #[cfg(target_arch = "x86_64")]
                    if crate::simd::$has() {
                        // SAFETY: the instructions are there; the rest is the caller's promise.
                        return unsafe { implicit_kernel::multiply_block::<$Lanes>(block, columns, n, b, addend, relu) };
                    }
                )+
                // SAFETY: the caller's promise.
                unsafe { portable::multiply_block(block, columns, n, b, addend, relu) };
            }

            fn compute(work: impl VectorWork<Self>) {
                $(
                    #[cfg(target_arch = "x86_64")]
                    if crate::simd::$has() {
                        // SAFETY: the instructions are there.
                        return unsafe { work.compute_in::<$Lanes>() };
                    }
                )+
                work.compute_portably();
            }
        }
    };
}

// Gradients are checked in f64, for which the shorter vectors are fast enough.
gemm!(f32: has_avx512 => lanes::Avx512, has_avx2 => lanes::Avx2<f32>);
gemm!(f64: has_avx2 => lanes::Avx2<f64>);

#[cfg(test)]
mod tests;
