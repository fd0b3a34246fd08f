//! A right operand that is prepared once for many small products, each on the thread that asks for it.
//!
//! A recurrence multiplies a few rows by the same matrix at every step. Packed once, the matrix stays in the second-level
//! cache; a task calls the macro-kernel itself, so that nothing is handed over between two steps.

use std::slice;

#[cfg(target_arch = "x86_64")]
use super::lanes::Lanes;
#[cfg(target_arch = "x86_64")]
use super::pack::{pack, panel_size};
#[cfg(target_arch = "x86_64")]
use super::tile::{self, Nearest, Panels, ResultTile, Strips};
use super::{Mat, VectorWork};
use crate::buffer::Buffer;
use crate::element::Float;
use crate::kernels::accumulate::add_to;
use crate::memory::with_scratch;

/// The products, each of a few rows, from which on packing pays.
const WORTH_PACKING: usize = 4;

/// A matrix B that many products C += A · B share.
pub(crate) struct PreparedMatrix<'a, T: Float> {
    b: Mat<'a, T>,
    /// Where B is packed; empty if it is read in place.
    packed: Buffer<T>,
    /// The vectors in a row of a panel.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    vectors: usize,
}

impl<'a, T: Float> PreparedMatrix<'a, T> {
    /// Prepares B for `products` products with up to `rows` rows of A each.
    pub fn new(b: Mat<'a, T>, rows: usize, products: usize) -> Self {
        let mut prepared = PreparedMatrix { b, packed: Buffer::unspecified(0), vectors: 1 };
        if b.rows > 0 && b.columns > 0 {
            let in_place = b.column_stride == 1 && products < WORTH_PACKING;
            T::compute(Preparation { prepared: &mut prepared, rows, in_place });
        }
        prepared
    }

    /// C += A · B, where row i of A begins at element `i * a_row`, and row i of C at `i * c_row`.
    ///
    /// # Panics
    /// If the last row of A or of C does not lie within its slice.
    pub fn add_product(&self, rows: usize, (a, a_row): (&[T], usize), (c, c_row): (&mut [T], usize)) {
        let Mat { rows: k, columns: n, .. } = self.b;
        if rows == 0 || k == 0 || n == 0 {
            return;
        }
        let fits = |elements: &[T], row: usize, length: usize| elements.len() >= (rows - 1) * row + length;
        assert!(fits(a, a_row, k) && fits(c, c_row, n), "add_product: {rows} rows by {k} x {n}");
        T::compute(Product { b: self, rows, a: (a.as_ptr(), a_row), c: (c.as_mut_ptr(), c_row) });
    }
}

struct Preparation<'a, 'b, T: Float> {
    prepared: &'a mut PreparedMatrix<'b, T>,
    rows: usize,
    in_place: bool,
}

impl<T: Float> VectorWork<T> for Preparation<'_, '_, T> {
    #[cfg(target_arch = "x86_64")]
    unsafe fn compute_in<L: Lanes<Element = T>>(self) {
        let PreparedMatrix { b, packed, vectors } = self.prepared;
        // As the micro-kernel wants it: the fewer rows, the more vectors are needed to keep the processor busy.
        *vectors = match self.rows {
            1 => 8,
            2 | 3 => 4,
            _ => L::VECTORS,
        };
        if self.in_place {
            return;
        }
        let unit = *vectors * L::LANES;
        *packed = Buffer::unspecified(b.columns.div_ceil(unit) * panel_size::<L::Short>(b.rows, unit));
        // SAFETY: the instructions are available, and the buffer has room for the panels.
        unsafe { pack::<L::Short>(*b, unit, packed.as_mut_ptr()) };
    }

    fn compute_portably(self) {}
}

struct Product<'a, 'b, T: Float> {
    b: &'a PreparedMatrix<'b, T>,
    rows: usize,
    a: (*const T, usize),
    c: (*mut T, usize),
}

impl<T: Float> VectorWork<T> for Product<'_, '_, T> {
    #[cfg(target_arch = "x86_64")]
    unsafe fn compute_in<L: Lanes<Element = T>>(self) {
        let PreparedMatrix { b, packed, vectors } = self.b;
        let unit = vectors * L::LANES;
        let panels: Panels<L> = if packed.is_empty() {
            Panels { start: b.start, row: b.row_stride, panel: unit as isize, vectors: *vectors }
        } else {
            let panel = panel_size::<L::Short>(b.rows, unit) as isize;
            Panels { start: packed.as_ptr(), row: unit as isize, panel, vectors: *vectors }
        };
        let ((a, a_row), (c, c_row)) = (self.a, self.c);
        let strips = Strips { start: a, row: a_row as isize, column: 1, strip: None };
        let tile = ResultTile { start: c, rows: self.rows, columns: b.columns, row: c_row, add: true };
        for first in (0..b.rows).step_by(L::DEPTH) {
            let depth = L::DEPTH.min(b.rows - first);
            let (strips, panels) = (strips.part(0, first), panels.part(0, first));
            // SAFETY: the instructions are available; `add_product` has compared the sizes and has C to itself.
            unsafe { tile::multiply::<L>(depth, &strips, &panels, tile, Nearest::Panel) };
        }
    }

    fn compute_portably(self) {
        let (b, rows, ((a, a_row), (c, c_row))) = (self.b.b, self.rows, (self.a, self.c));
        // SAFETY: `add_product` has compared the sizes and has C to itself.
        unsafe {
            let a = slice::from_raw_parts(a, (rows - 1) * a_row + b.rows);
            with_scratch(rows * b.columns, |scratch: *mut T| {
                T::tile(Mat::new(a, 0, [rows, b.rows], [a_row as isize, 1]), b, scratch, b.columns);
                for i in 0..rows {
                    let sums = slice::from_raw_parts_mut(c.add(i * c_row), b.columns);
                    add_to(sums, slice::from_raw_parts(scratch.add(i * b.columns), b.columns));
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Generator, Tensor};

    #[test]
    fn rows_are_added_to_what_was_there_whatever_the_layout() {
        let mut generator = Generator::new(1);
        for [m, k, n] in
            [[1, 7, 5], [1, 300, 530], [2, 3, 64], [3, 128, 130], [5, 129, 17], [16, 260, 96], [0, 2, 2], [4, 0, 3]]
        {
            let mut draw = |shape: [usize; 2]| -> Tensor { generator.normal(shape, 0.0, 1.0) };
            let (a, b, c) = (draw([m, k + 3]), draw([k, n]), draw([m, n + 2]));
            let exact = a.slice(1, ..k).to::<f64>().matmul(&b.to()) + c.slice(1, ..n).to::<f64>();
            let turned = b.t().contiguous();
            let views = [(&b, [n as isize, 1]), (&turned, [1, k as isize])];
            for ((b, strides), products) in views.into_iter().flat_map(|view| [(view, 1), (view, 10)]) {
                let elements = b.as_slice().unwrap();
                let prepared = PreparedMatrix::new(Mat::new(elements, 0, [k, n], strides), m, products);
                let mut sums = c.to_vec();
                prepared.add_product(m, (&a.to_vec(), k + 3), (&mut sums, n + 2));
                let sums = Tensor::from_vec(sums, [m, n + 2]).unwrap();
                assert!(sums.slice(1, ..n).to::<f64>().allclose(&exact, 1e-4, 1e-4), "{m} x {k} x {n}");
                assert_eq!(sums.slice(1, n..), c.slice(1, n..), "{m} x {k} x {n}: beyond the row");
            }
        }
    }

    #[test]
    #[should_panic(expected = "add_product: 2 rows by 1 x 2")]
    fn rows_beyond_the_slice_are_refused() {
        PreparedMatrix::new(Mat::new(&[1.0, 2.0], 0, [1, 2], [2, 1]), 2, 1).add_product(
            2,
            (&[1.0, 2.0], 1),
            (&mut [0.0; 3], 2),
        );
    }
}
