//! The gates of cells with other functions than tanh and the sigmoid: gate by gate, through tensors.

use crate::element::Float;
use crate::kernels::math::Math;
use crate::recurrence::CellFunction;
use crate::tensor::Tensor;

/// Replaces rows of numbers by the function of them.
pub(super) fn apply<T: Float>(function: &CellFunction<T>, units: usize, x: &mut [T]) {
    match function {
        CellFunction::Tanh => x.iter_mut().for_each(|x| *x = Math::tanh(*x)),
        CellFunction::Sigmoid => x.iter_mut().for_each(|x| *x = x.sigmoid()),
        CellFunction::Other(function) => {
            let value = function.value(tensor(units, x)).contiguous();
            x.copy_from_slice(value.as_slice().expect("just made contiguous"));
        }
    }
}

/// Replaces the gradient by the function's value, `g`, by the one by its argument `x`; `y` is the value.
pub(super) fn go_back<T: Float>(function: &CellFunction<T>, units: usize, x: &[T], y: &[T], g: &mut [T]) {
    match function {
        CellFunction::Tanh => g.iter_mut().zip(y).for_each(|(g, &y)| *g *= T::ONE - y * y),
        CellFunction::Sigmoid => g.iter_mut().zip(y).for_each(|(g, &y)| *g *= y * (T::ONE - y)),
        CellFunction::Other(function) => {
            let gradient = function.gradient(tensor(units, x), tensor(units, g)).contiguous();
            g.copy_from_slice(gradient.as_slice().expect("just made contiguous"));
        }
    }
}

fn tensor<T: Float>(units: usize, x: &[T]) -> Tensor<T> {
    Tensor::written([x.len() / units, units].into(), |out| out.copy_from_slice(x))
}

/// Copies columns `first..first + units` of rows of `width` elements.
pub(super) fn take_columns<T: Float>(rows: &[T], width: usize, first: usize, units: usize, out: &mut [T]) {
    for (row, out) in rows.chunks_exact(width).zip(out.chunks_exact_mut(units)) {
        out.copy_from_slice(&row[first..][..units]);
    }
}

/// Copies to columns `first..first + units` of rows of `width` elements.
pub(super) fn put_columns<T: Float>(rows: &mut [T], width: usize, first: usize, units: usize, from: &[T]) {
    for (row, from) in rows.chunks_exact_mut(width).zip(from.chunks_exact(units)) {
        row[first..][..units].copy_from_slice(from);
    }
}

/// Adds a row to each row.
pub(super) fn add_row<T: Float>(rows: &mut [T], row: &[T]) {
    rows.chunks_exact_mut(row.len()).for_each(|sums| crate::kernels::accumulate::add_to(sums, row));
}
