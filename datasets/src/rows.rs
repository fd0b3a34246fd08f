//! Samples are the entries of the first axis; these functions pick them.

use std::ops::Range;

use gradus_tensor::{Element, Tensor};

/// The entries of the first axis at `rows`, in that order: one contiguous copy each.
pub(crate) fn gather<T: Element>(tensor: &Tensor<T>, rows: &[usize]) -> Tensor<T> {
    let source = tensor.contiguous();
    let source = source.as_slice().unwrap_or_default();
    let mut shape = tensor.shape().clone();
    let width = source.len() / shape[0];
    shape[0] = rows.len();
    let mut gathered = Tensor::zeros(shape);
    if width > 0 {
        for (out, &row) in gathered.as_mut_slice().chunks_exact_mut(width).zip(rows) {
            out.copy_from_slice(&source[row * width..][..width]);
        }
    }
    gathered
}

/// A range of entries of the first axis, as a view.
pub(crate) fn range<T: Element>(tensor: &Tensor<T>, rows: Range<usize>) -> Tensor<T> {
    tensor.slice(0, rows)
}
