//! Selection by index: rows for a batch, entries along an axis, classes as unit vectors.

use crate::element::{Element, Integer, Number};
use crate::kernels::{View, copy, gather};
use crate::layout::Layout;
use crate::shape::{Shape, normalize_axis};
use crate::tensor::Tensor;

impl<T: Element> Tensor<T> {
    /// The entries of an axis at the indices `index`, in their order. In the shape, that of `index` takes the place of the axis.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let table = Tensor::new([[0.0, 0.1], [1.0, 1.1], [2.0, 2.1]]);
    /// assert_eq!(table.index_select(0, &Tensor::from([2, 0])), Tensor::new([[2.0, 2.1], [0.0, 0.1]]));
    /// assert_eq!(table.index_select(0, &Tensor::from([[2, 0]])).shape(), &[1, 2, 2]);
    /// ```
    ///
    /// # Panics
    /// If the axis or an index is out of range; negative indices are out of range.
    #[track_caller]
    pub fn index_select(&self, axis: isize, index: &Tensor<impl Integer>) -> Tensor<T> {
        let axis = normalize_axis("index_select", axis, self.shape());
        self.take(axis, &places("index_select", index, axis, self.shape()), index.shape())
    }

    /// The entries `places` of an axis, all within range, with `shape` in the place of the axis.
    pub(super) fn take(&self, axis: usize, places: &[usize], shape: &Shape) -> Tensor<T> {
        let inner = self.shape()[axis + 1..].iter().product();
        let before: Shape = self.shape()[..axis].into();
        let a = self.contiguous();
        let elements = a.as_slice().expect("just made contiguous");
        Tensor::written(before.join(shape).join(&self.shape()[axis + 1..]), |out| {
            gather::take(elements, self.shape()[axis], inner, places, out);
        })
    }

    /// The rows (entries of the first axis) with these indices, in this order: a batch of a data set.
    ///
    /// Contiguous rows are copied as blocks, by several threads if there are many.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let images = Tensor::<u8>::zeros([600, 28, 28]);
    /// assert_eq!(images.take_rows(&[7, 512]).shape(), &[2, 28, 28]);
    /// ```
    ///
    /// # Panics
    /// If there are no axes, or a row is out of range.
    #[track_caller]
    pub fn take_rows(&self, rows: &[usize]) -> Tensor<T> {
        let shape = self.rows_shape(rows);
        Tensor::written(shape, |out| self.copy_rows(rows, out))
    }

    /// Replaces `out` by the result of [`take_rows`](Tensor::take_rows), in its memory if its shape fits and no other tensor shares
    /// it.
    ///
    /// # Panics
    /// If there are no axes, or a row is out of range.
    #[track_caller]
    pub fn take_rows_into(&self, rows: &[usize], out: &mut Tensor<T>) {
        let shape = self.rows_shape(rows);
        if *out.shape() != shape {
            *out = Tensor::written(shape, |_| {});
        }
        self.copy_rows(rows, out.overwrite());
    }

    /// The shape of these rows; panics if one is out of range.
    #[track_caller]
    fn rows_shape(&self, rows: &[usize]) -> Shape {
        let Some((&count, row)) = self.shape().split_first() else {
            panic!("take_rows: a scalar has no rows: {}", self.shape());
        };
        if let Some(&row) = rows.iter().find(|&&row| row >= count) {
            panic_index("take_rows", row as i64, 0, self.shape());
        }
        Shape::from(rows.len()).join(row)
    }

    fn copy_rows(&self, rows: &[usize], out: &mut [T]) {
        let length = self.shape()[1..].iter().product();
        if out.is_empty() {
            return;
        }
        let row = self.layout.select(0, 0);
        if row.is_contiguous() {
            return gather::take_rows(self.view(), rows, length, out);
        }
        for (&row, out) in rows.iter().zip(out.chunks_exact_mut(length)) {
            copy::copy(View { data: &self.buffer, layout: &self.layout.select(0, row) }, out);
        }
    }

    /// For each element of `index` the element at that index along the axis and at the same place along the other axes:
    /// `out[i, j] = self[i, index[i, j]]` for axis 1 of two. The shape is that of `index`. PyTorch's `gather`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let scores = Tensor::new([[0.1, 0.9], [0.7, 0.3]]);
    /// let labels = Tensor::from([[1], [0]]);
    /// assert_eq!(scores.gather(1, &labels), Tensor::new([[0.9], [0.7]]));
    /// ```
    ///
    /// # Panics
    /// If the axis or an index is out of range, or the index is longer than this tensor along another axis.
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Tensor<impl Integer>) -> Tensor<T> {
        let axis = normalize_axis("gather", axis, self.shape());
        check_index("gather", axis, self.shape(), index.shape());
        let places = places("gather", index, axis, self.shape());
        let indexed = Layout::contiguous(index.shape().clone());
        Tensor::written(index.shape().clone(), |out| gather::gather(self.view(), axis, &places, &indexed, out))
    }
}

impl<T: Number> Tensor<T> {
    /// This tensor plus each element of `source` at the place from which [`gather`](Tensor::gather) with the same index takes an
    /// element: `out[i, index[i, j]] += source[i, j]` for axis 1 of two. Elements for the same place add up in the order of the
    /// index. PyTorch's `scatter_add`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let counts = Tensor::new([0.0, 0.0, 0.0]);
    /// let counts = counts.scatter_add(0, &Tensor::from([2, 0, 2]), &Tensor::new([1.0, 1.0, 1.0]));
    /// assert_eq!(counts, Tensor::new([1.0, 0.0, 2.0]));
    /// ```
    ///
    /// # Panics
    /// If the axis or an index is out of range, or the index is longer than the source along an axis, or than this
    /// tensor along another axis than `axis`.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, index: &Tensor<impl Integer>, source: &Tensor<T>) -> Tensor<T> {
        let mut out = self.clone();
        out.scatter_add_assign(axis, index, source);
        out
    }

    /// As [`scatter_add`](Tensor::scatter_add), in place if no other tensor shares the elements.
    ///
    /// # Panics
    /// As `scatter_add`.
    #[track_caller]
    pub fn scatter_add_assign(&mut self, axis: isize, index: &Tensor<impl Integer>, source: &Tensor<T>) {
        let axis = normalize_axis("scatter_add", axis, self.shape());
        check_index("scatter_add", axis, self.shape(), index.shape());
        let covered = source.ndim() == index.ndim() && index.shape().iter().zip(&**source.shape()).all(|(i, s)| i <= s);
        if !covered {
            panic!("scatter_add: the index is longer than the source: {} and {}", index.shape(), source.shape());
        }
        let places = places("scatter_add", index, axis, self.shape());
        let indexed = Layout::contiguous(index.shape().clone());
        let target = Layout::contiguous(self.shape().clone());
        gather::scatter_add(self.as_mut_slice(), &target, axis, &places, &indexed, source.view());
    }

    /// This tensor plus the entries of `source` at the indices `index` of an axis: the reverse of
    /// [`index_select`](Tensor::index_select), whose result has the shape of `source`. Entries with equal indices add up in their
    /// order.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let table = Tensor::new([[0.0, 0.0], [1.0, 1.0]]);
    /// let rows = Tensor::new([[2.0, 3.0], [4.0, 5.0]]);
    /// assert_eq!(table.index_add(0, &Tensor::from([1, 1]), &rows), Tensor::new([[0.0, 0.0], [7.0, 9.0]]));
    /// ```
    ///
    /// # Panics
    /// If the axis or an index is out of range, or `source` has another shape.
    #[track_caller]
    pub fn index_add(&self, axis: isize, index: &Tensor<impl Integer>, source: &Tensor<T>) -> Tensor<T> {
        let mut out = self.clone();
        out.index_add_assign(axis, index, source);
        out
    }

    /// As [`index_add`](Tensor::index_add), in place if no other tensor shares the elements.
    ///
    /// # Panics
    /// As `index_add`.
    #[track_caller]
    pub fn index_add_assign(&mut self, axis: isize, index: &Tensor<impl Integer>, source: &Tensor<T>) {
        let axis = normalize_axis("index_add", axis, self.shape());
        let (length, after) = (self.shape()[axis], Shape::from(&self.shape()[axis + 1..]));
        let expected = Shape::from(&self.shape()[..axis]).join(index.shape()).join(&after);
        if *source.shape() != expected {
            panic!("index_add: a source of {expected} is needed: {} for {}", source.shape(), self.shape());
        }
        let places = places("index_add", index, axis, self.shape());
        // Rows are read where they lie: a gradient that was broadcast along the index is never written out.
        let leading = axis + index.ndim();
        let source = if rows_are_runs(source.view().layout, leading) { source.clone() } else { source.contiguous() };
        let starts = starts_of_rows(source.view().layout, leading);
        gather::add_at(self.as_mut_slice(), [length, after.size()], &places, &source.buffer, &starts);
    }
}

/// Whether the elements along all axes but the `leading` ones are contiguous.
fn rows_are_runs(layout: &Layout, leading: usize) -> bool {
    let mut step = 1;
    (leading..layout.shape.len()).rev().all(|axis| {
        let fits = layout.shape[axis] == 1 || layout.strides[axis] == step;
        step *= layout.shape[axis] as isize;
        fits
    })
}

/// Where the elements begin that have the same index along the `leading` axes, in row-major order; nowhere if there are none.
fn starts_of_rows(layout: &Layout, leading: usize) -> Vec<usize> {
    let mut starts = vec![layout.offset];
    if layout.shape.contains(&0) {
        starts.clear();
    }
    for (&length, &stride) in layout.shape[..leading].iter().zip(&layout.strides) {
        let places = |start: usize| (0..length as isize).map(move |i| start.wrapping_add_signed(i * stride));
        starts = starts.into_iter().flat_map(places).collect();
    }
    starts
}

impl<I: Integer> Tensor<I> {
    /// Every class label as a unit vector: 1 at the label, 0 elsewhere, along a new last axis of length `classes`.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let labels = Tensor::from([2_u8, 0]);
    /// assert_eq!(labels.one_hot::<f32>(3), Tensor::new([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]));
    /// ```
    ///
    /// # Panics
    /// If a label is not in `0..classes`.
    #[track_caller]
    pub fn one_hot<T: Number>(&self, classes: usize) -> Tensor<T> {
        let mut out = Tensor::<T>::zeros(self.shape().join(&[classes]));
        let elements = out.as_mut_slice();
        for (place, label) in self.iter().enumerate() {
            let label = label.cast::<i64>();
            if label < 0 || label >= classes as i64 {
                panic_label(label, classes, self.shape());
            }
            elements[place * classes + label as usize] = T::ONE;
        }
        out
    }
}

/// The indices along an axis as `usize`; panics if one is out of range.
#[track_caller]
fn places(op: &str, index: &Tensor<impl Integer>, axis: usize, shape: &Shape) -> Vec<usize> {
    let length = shape[axis];
    let mut places = Vec::with_capacity(index.size());
    for place in index.iter() {
        let place = place.cast::<i64>();
        if place < 0 || place >= length as i64 {
            panic_index(op, place, axis, shape);
        }
        places.push(place as usize);
    }
    places
}

/// Checks that the index is within the tensor along all axes but `axis`.
#[track_caller]
fn check_index(op: &str, axis: usize, shape: &Shape, index: &Shape) {
    let within =
        index.len() == shape.len() && (0..shape.len()).all(|other| other == axis || index[other] <= shape[other]);
    if !within {
        panic!("{op}: the index is longer than the tensor along another axis than {axis}: {index} and {shape}");
    }
}

#[cold]
#[track_caller]
fn panic_index(op: &str, index: i64, axis: usize, shape: &Shape) -> ! {
    panic!("{op}: index {index} is out of range along axis {axis}: {shape}")
}

#[cold]
#[track_caller]
fn panic_label(label: i64, classes: usize, shape: &Shape) -> ! {
    panic!("one_hot: label {label} is not in 0..{classes}: {shape}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_follow_numpy() {
        // NumPy 2.4.6: np.take and np.take_along_axis of np.arange(6).reshape(2, 3).
        let b = Tensor::arange(0, 6, 1).reshape([2, 3]);
        assert_eq!(b.index_select(1, &Tensor::from([2, 0, 2])), Tensor::from([[2, 0, 2], [5, 3, 5]]));
        assert_eq!(b.t().index_select(0, &Tensor::from([2, 0, 2])), Tensor::from([[2, 5], [0, 3], [2, 5]]));
        assert_eq!(b.gather(1, &Tensor::from([[2, 0], [1, 1]])), Tensor::from([[2, 0], [4, 4]]));
        assert_eq!(b.flip(0).gather(0, &Tensor::from([[1_u8, 0]])), Tensor::from([[0, 4]]));
        // np.add.at(zeros((2, 3)), ([0, 0, 1], [2, 2, 0]), [1, 2, 3])
        let sums = Tensor::zeros([2, 3]).scatter_add(
            1,
            &Tensor::from([[2, 2], [0, 1]]),
            &Tensor::new([[1.0, 2.0], [3.0, 0.0]]),
        );
        assert_eq!(sums, Tensor::new([[0.0, 0.0, 3.0], [3.0, 0.0, 0.0]]));
    }

    #[test]
    fn rows_come_from_any_view() {
        let x = Tensor::<i32>::arange(0, 400 * 6 * 5, 1).reshape([400, 6, 5]);
        let rows: Vec<usize> = (0..300).map(|i| i * 7 % 200).collect();
        let index: Tensor<i64> = rows.iter().map(|&row| row as i64).collect();
        for view in [x.clone(), x.flip(0), x.slice(0, crate::step(.., 2)), x.slice(2, 1..3), x.permute([0, 2, 1])] {
            let expected: Vec<_> = rows.iter().map(|&row| view.select(0, row as isize)).collect();
            let expected = Tensor::stack(&expected, 0);
            assert_eq!(view.take_rows(&rows), expected);
            assert_eq!(view.index_select(0, &index), expected);
        }
        assert_eq!(x.take_rows(&[]).shape(), &[0, 6, 5]);
    }

    #[test]
    fn sums_of_many_rows_are_those_of_one_after_the_other() {
        // One part of the rows, and several; a last part that is shorter, and parts beyond the last row.
        for [outer, length, count, inner] in [[1, 7, 40, 3], [2, 1000, 9000, 33], [1, 9, 70_000, 8], [1, 3, 600_000, 1]]
        {
            let index: Tensor<i64> = (0..count).map(|i| (i * i % 10_007 % length) as i64).collect();
            let source: Tensor<i64> = (0..(outer * count * inner) as i64).map(|i| i % 1000).collect();
            let source = source.reshape([outer, count, inner]);
            let mut expected = vec![1; outer * length * inner];
            for (place, x) in source.iter().enumerate() {
                let (slab, row) = (place / (count * inner), index.get([place / inner % count]) as usize);
                expected[(slab * length + row) * inner + place % inner] += x;
            }
            let sums = Tensor::ones([outer, length, inner]).index_add(1, &index, &source);
            assert_eq!(sums.to_vec(), expected);
        }
    }

    #[test]
    fn rows_that_are_added_come_from_any_view() {
        let source = Tensor::<i64>::arange(0, 240, 1).reshape([2, 3, 4, 10]);
        let index = Tensor::from([[0, 3, 3], [1, 0, 4]]);
        for view in [
            source.slice(3, ..5),
            source.slice(3, ..5).flip(1),
            source.slice(3, crate::step(.., 2)),
            source.select(3, 0).unsqueeze(-1).broadcast_to([2, 3, 4, 5]),
            source.select(1, 0).slice(2, ..5).unsqueeze(1).broadcast_to([2, 3, 4, 5]),
            source.slice(3, 0..0),
        ] {
            let copy = Tensor::from_vec(view.to_vec(), view.shape().clone()).unwrap();
            let zeros = Tensor::<i64>::zeros([6, 4, view.shape()[3]]);
            assert_eq!(zeros.index_add(0, &index, &view), zeros.index_add(0, &index, &copy));
        }
    }

    #[test]
    fn a_batch_reuses_its_memory() {
        let x = Tensor::<f32>::arange(0.0, 20.0, 1.0).reshape([10, 2]);
        let mut batch = x.take_rows(&[0, 1]);
        let place = batch.as_slice().unwrap().as_ptr();
        x.take_rows_into(&[9, 3], &mut batch);
        assert_eq!(batch, Tensor::new([[18.0, 19.0], [6.0, 7.0]]));
        assert_eq!(batch.as_slice().unwrap().as_ptr(), place);
        let kept = batch.clone();
        x.take_rows_into(&[0], &mut batch);
        assert_eq!(batch, Tensor::new([[0.0, 1.0]]));
        assert_eq!(kept.shape(), &[2, 2]);
    }

    #[test]
    #[should_panic(expected = "index_select: index 3 is out of range along axis 1: [2, 3]")]
    fn an_index_out_of_range_is_named() {
        Tensor::<f32>::zeros([2, 3]).index_select(-1, &Tensor::from([0, 3]));
    }

    #[test]
    #[should_panic(expected = "take_rows: index 2 is out of range along axis 0: [2, 3]")]
    fn a_row_out_of_range_is_named() {
        Tensor::<f32>::zeros([2, 3]).take_rows(&[0, 2]);
    }

    #[test]
    #[should_panic(expected = "one_hot: label -1 is not in 0..3: [2]")]
    fn a_label_out_of_range_is_named() {
        Tensor::from([0, -1]).one_hot::<f32>(3);
    }
}
