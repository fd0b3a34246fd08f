//! Transposing copies: the fastest axis of the source is another axis than that of the result.
//!
//! The axis that runs fastest in the source and the one that runs fastest in the result span matrices, each of which is
//! transposed tile by tile; the other axes count the matrices. A tile is read in whole cache lines into a scratch buffer and
//! written from there in long runs, so that no line and no page is fetched twice. Tiles follow each other along the rows of the
//! source, which the processor then prefetches.

use std::mem::MaybeUninit;

use smallvec::SmallVec;

#[cfg(target_arch = "x86_64")]
use super::gemm::lanes::{Avx2, Shuffle};
use super::nest::Nest;
use super::{CHUNK, View};
use crate::layout::Layout;
use crate::team;

/// The longest side of a tile, in bytes and in elements.
const SIDE_BYTES: usize = 256;
const SIDE: usize = 64;
/// The padding of a row of a tile in scratch, so that rows do not all fall into the same set of the cache.
const PAD_BYTES: usize = 32;
/// The size of the scratch for one tile, in words of eight bytes.
const SCRATCH: usize = SIDE * (SIDE_BYTES + PAD_BYTES) / 8;
/// A cache line.
const LINE_BYTES: usize = 64;

/// The matrices of one copy. Element (row, column) of each lies `row * source_step[0] + column * source_step[1]` after the
/// matrix's start in the source, and `row * pitch + column` after its start in the result.
pub(super) struct Transposition {
    shape: [usize; 2],
    source_step: [isize; 2],
    pitch: usize,
    /// The start of each matrix in the source and in the result.
    starts: Nest<2>,
    matrices: usize,
}

impl Transposition {
    /// The matrices of a copy of a view with this layout into row-major order, or `None` if source and result have the same
    /// fastest axis.
    pub fn of(layout: &Layout) -> Option<Transposition> {
        let mut axes = Nest::new([layout]).axes();
        let (columns, [column_step]) = axes.pop()?;
        let fastest = (0..axes.len()).rev().min_by_key(|&axis| axes[axis].1[0].unsigned_abs())?;
        let (rows, [row_step]) = axes[fastest];
        let turns = 0 < row_step.unsigned_abs() && row_step.unsigned_abs() < column_step.unsigned_abs();
        if !turns || rows * columns < 16 || layout.shape.size() == 0 {
            return None;
        }
        let pitch = axes[fastest + 1..].iter().map(|axis| axis.0).product::<usize>() * columns;
        // The steps of the outer axes in the source are given, those in the result follow from the lengths.
        let (mut shape, mut source, mut target) = (SmallVec::<[usize; 4]>::new(), SmallVec::new(), SmallVec::new());
        let mut step = columns;
        for (axis, &(length, [source_step])) in axes.iter().enumerate().rev() {
            if axis != fastest {
                shape.insert(0, length);
                source.insert(0, source_step);
                target.insert(0, step as isize);
            }
            step *= length;
        }
        let matrices = shape.iter().product();
        let source = Layout { shape: shape.into_iter().collect(), strides: source, offset: layout.offset };
        let target = Layout { shape: source.shape.clone(), strides: target, offset: 0 };
        Some(Transposition {
            shape: [rows, columns],
            source_step: [row_step, column_step],
            pitch,
            starts: Nest::new([&source, &target]),
            matrices,
        })
    }

    /// Copies the elements of `view`, whose layout this was made for, into `out`.
    pub fn copy<T: Copy + Send + Sync>(&self, view: View<'_, T>, out: &mut [T]) {
        debug_assert_eq!(out.len(), view.layout.shape.size());
        let (source, target) = (view.data.as_ptr(), out.as_mut_ptr());
        // SAFETY: the layout addresses places within its buffer only, and the result has as many elements. Elements are moved
        // as the bits of a word of their size and alignment.
        unsafe {
            match size_of::<T>() {
                1 => self.copy_words::<u8>(source.cast(), target.cast()),
                2 => self.copy_words::<u16>(source.cast(), target.cast()),
                4 => self.copy_words::<u32>(source.cast(), target.cast()),
                8 => self.copy_words::<u64>(source.cast(), target.cast()),
                size => unreachable!("there are no elements of {size} bytes"),
            }
        }
    }

    /// # Safety
    /// All elements of the matrices lie within the source and the result.
    unsafe fn copy_words<W: Copy>(&self, source: *const W, target: *mut W) {
        let [rows, columns] = self.shape;
        let side = SIDE.min(SIDE_BYTES / size_of::<W>());
        // A matrix that is narrower than a tile one way is cut into longer tiles the other way.
        let tile_rows = rows.min(if columns < side { side * side / columns } else { side });
        let tile_columns = columns.min(side * side / tile_rows);
        let (down, across) = (rows.div_ceil(tile_rows), columns.div_ceil(tile_columns));
        let ends = Ends(source, target);
        team::split(self.matrices * across * down, (CHUNK / (tile_rows * tile_columns)).max(1), |tiles| {
            let Ends(source, target) = ends.get();
            let mut scratch = [MaybeUninit::<u64>::uninit(); SCRATCH];
            for tile in tiles {
                let (matrix, tile) = (tile / (down * across), tile % (down * across));
                let (row, column) = (tile % down * tile_rows, tile / down * tile_columns);
                let shape = [tile_rows.min(rows - row), tile_columns.min(columns - column)];
                let place = row as isize * self.source_step[0] + column as isize * self.source_step[1];
                let mut starts = [0; 2];
                self.starts.for_each_run(matrix..matrix + 1, |_, _, found| starts = found);
                // SAFETY: the tile lies within its matrix, and tiles are disjoint.
                unsafe {
                    let source = source.add(starts[0]).offset(place);
                    let target = target.add(starts[1] + row * self.pitch + column);
                    // Scratch has room for a tile of at most `side` rows.
                    if shape[0] > side || shape[1] * size_of::<W>() < LINE_BYTES {
                        transpose(shape, source, self.source_step, target, self.pitch);
                    } else {
                        let scratch = scratch.as_mut_ptr().cast();
                        let pitch = shape[1] + PAD_BYTES / size_of::<W>();
                        transpose(shape, source, self.source_step, scratch, pitch);
                        for row in 0..shape[0] {
                            let target = target.add(row * self.pitch);
                            target.copy_from_nonoverlapping(scratch.add(row * pitch), shape[1]);
                        }
                    }
                }
            }
        });
    }
}

/// The starts of the source and of the result, for all threads.
struct Ends<W>(*const W, *mut W);

// SAFETY: the threads write disjoint tiles, and no thread writes to the source.
unsafe impl<W> Sync for Ends<W> {}

impl<W> Ends<W> {
    fn get(&self) -> Ends<W> {
        Ends(self.0, self.1)
    }
}

/// `target[row * pitch + column] = source[row * step[0] + column * step[1]]`.
///
/// # Safety
/// These places may be read and written, and do not overlap.
pub(super) unsafe fn transpose<W: Copy>(
    shape: [usize; 2],
    source: *const W,
    step: [isize; 2],
    target: *mut W,
    pitch: usize,
) {
    let [rows, columns] = shape;
    // SAFETY: the caller's promise; the processor has the instructions that the squares are compiled for.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if step[0] == 1 && crate::simd::has_avx2() {
            let lanes = 32 / size_of::<W>();
            match size_of::<W>() {
                4 if rows.min(columns) >= lanes => {
                    return squares::<Avx2<f32>>(shape, source.cast(), step[1], target.cast(), pitch);
                }
                8 if rows.min(columns) >= lanes => {
                    return squares::<Avx2<f64>>(shape, source.cast(), step[1], target.cast(), pitch);
                }
                _ => {}
            }
        }
        let element = |row: usize, column: usize| {
            let place = row as isize * step[0] + column as isize * step[1];
            *target.add(row * pitch + column) = *source.offset(place);
        };
        if rows < columns {
            (0..rows).for_each(|row| (0..columns).for_each(|column| element(row, column)));
        } else {
            (0..columns).for_each(|column| (0..rows).for_each(|row| element(row, column)));
        }
    }
}

/// As [`transpose`], by squares of vectors, where columns are contiguous in the source. The last square of a row or column may
/// overlap the one before.
///
/// # Safety
/// As for `transpose`; there are at least as many rows and columns as a vector has elements.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn squares<V: Shuffle>(
    shape: [usize; 2],
    source: *const V::Element,
    step: isize,
    target: *mut V::Element,
    pitch: usize,
) {
    let [rows, columns] = shape;
    for column in (0..columns).step_by(V::LANES) {
        let column = column.min(columns - V::LANES);
        for row in (0..rows).step_by(V::LANES) {
            let row = row.min(rows - V::LANES);
            // SAFETY: the square lies within the matrix.
            unsafe {
                let first = source.add(row).offset(column as isize * step);
                let vector = |i: usize| V::load(first.offset(i as isize * step));
                V::store_transposed(vector, target.add(row * pitch + column), pitch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::element::Element;
    use crate::shape::Shape;
    use crate::tensor::Tensor;
    use crate::{Generator, step};

    /// Compares the copy of a view with its elements, fetched one by one.
    fn assert_copied<T: Element>(view: &Tensor<T>) {
        let copy = view.contiguous().to_vec();
        let mut index = vec![0; view.ndim()];
        for (place, &found) in copy.iter().enumerate() {
            assert!(found == view.get(&index), "{} at {index:?}, {place}", view.shape());
            for axis in (0..view.ndim()).rev() {
                index[axis] = (index[axis] + 1) % view.shape()[axis];
                if index[axis] > 0 {
                    break;
                }
            }
        }
    }

    fn assert_copied_every_way(shape: &[usize]) {
        let shape = Shape::from(shape);
        let numbers = Generator::new(1).integers(shape.clone(), 0..1 << 40);
        for order in 0..24 {
            // The orders of four axes, counted in the factorial system.
            let mut left: Vec<isize> = (0..shape.len() as isize).collect();
            let order: Vec<isize> = [order / 6, order / 2 % 3, order % 2, 0]
                .into_iter()
                .skip(4 - shape.len())
                .map(|place| left.remove(place % left.len()))
                .collect();
            let view = numbers.permute(&order);
            assert_copied(&view);
            assert_copied(&view.to::<f32>());
            assert_copied(&numbers.to::<u8>().permute(&order));
            assert_copied(&numbers.to::<i16>().permute(&order));
            assert_copied(&numbers.to::<f32>().permute(&order));
            assert_copied(&numbers.to::<f32>().permute(&order).flip(0).slice(-1, step(.., 2)));
        }
    }

    #[test]
    fn transposed_axes_of_any_order_and_size() {
        assert_copied_every_way(&[2, 5, 70, 9]);
        assert_copied_every_way(&[3, 17, 33, 8]);
        assert_copied_every_way(&[70, 4, 1, 65]);
        assert_copied_every_way(&[30, 150, 3]);
        assert_copied_every_way(&[131, 67]);
        assert_copied_every_way(&[3, 5000]);
        assert_copied_every_way(&[7, 2]);
    }

    #[test]
    fn rows_and_columns_of_a_larger_matrix_and_repeated_ones() {
        let x: Tensor = Generator::new(2).uniform([90, 100], 0.0..1.0);
        assert_copied(&x.t().slice(0, 3..91).slice(1, 5..80));
        assert_copied(&x.flip(0).flip(1).t());
        assert_copied(&x.slice(0, step(.., 3)).t());
        assert_copied(&x.select(1, 4).broadcast_to([80, 90]));
        assert_copied(&x.select(1, 4).unsqueeze(1).broadcast_to([90, 80]).t());
        assert_copied(&x.t().slice(0, 4..4));
    }
}
