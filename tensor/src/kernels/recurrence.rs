//! Recurrences: the steps of a cell over a sequence, forward and back.
//!
//! Tensors lie step by step: `[steps, rows, ..]`, where a row is a sample. The products of the inputs of all steps with the kernel
//! have been computed at once. What is left depends on the step before: for each step a product of a few rows with the recurrent
//! kernel, and the gates. A task takes some rows through all the steps, so threads meet once, at the end. The recurrent kernel is
//! packed once for all tasks; it and what a task needs of a step stay in the second-level cache.
//!
//! On the way back the gates' gradients are written over what was kept of the gates, so that the gradients of the weights are one
//! product each over all steps.

mod functions;
pub(crate) mod gru;
pub(crate) mod lstm;
pub(crate) mod simple;

use std::ops::Range;

use super::Shared;
use super::gemm::prepared::PreparedMatrix;
use crate::element::Float;
use crate::recurrence::CellFunction;
use crate::simd::vectorize_choices;
use crate::team;

/// The most rows that a task takes through the steps: enough that a product reads the recurrent kernel from the second-level cache
/// as fast as it multiplies.
const MOST_ROWS: usize = 16;

/// What the steps of a pass have in common.
pub(crate) struct Steps<'a, T: Float> {
    pub steps: usize,
    /// The number of samples.
    pub rows: usize,
    pub units: usize,
    /// `[steps, rows]`: whether there is something.
    pub mask: Option<&'a [bool]>,
    /// `[rows, units]`: what the state h is multiplied with before each product.
    pub dropout: Option<&'a [T]>,
    /// The activation and the recurrent activation; `None` for tanh and the sigmoid, which are fused.
    pub functions: Option<[&'a CellFunction<T>; 2]>,
}

impl<T: Float> Steps<'_, T> {
    /// The rows of a task. An even number of tasks is nearly equal for two threads and for four.
    fn rows_of_task(&self) -> usize {
        let tasks = 2 * self.rows.div_ceil(2 * MOST_ROWS);
        self.rows.div_ceil(tasks.max(1)).max(1)
    }

    /// The number of tasks.
    pub fn tasks(&self) -> usize {
        self.rows.div_ceil(self.rows_of_task())
    }

    /// The products with a matrix in a pass.
    fn products(&self) -> usize {
        self.steps * self.tasks()
    }

    /// Calls `body` with the number and the rows of each task.
    fn for_each_task(&self, body: impl Fn(usize, Range<usize>) + Sync) {
        let each = self.rows_of_task();
        team::split(self.rows, each, |rows| body(rows.start / each, rows));
    }

    /// Where the elements of some rows begin at a step, and how many there are, in a tensor of `width` elements for each row.
    fn place(&self, step: usize, rows: &Range<usize>, width: usize) -> (usize, usize) {
        ((step * self.rows + rows.start) * width, rows.len() * width)
    }

    /// Whether the mask leaves a row out at a step.
    #[inline(always)]
    fn is_masked(&self, step: usize, row: usize) -> bool {
        self.mask.is_some_and(|mask| !mask[step * self.rows + row])
    }

    /// The states h that a step multiplies: those before it, or these times the dropout's factors, which go to `fed`.
    ///
    /// # Safety
    /// The task has the rows of `fed` for itself, if there is dropout.
    unsafe fn fed<'b>(&self, step: usize, rows: &Range<usize>, h: &'b [T], fed: Shared<T>) -> &'b [T] {
        let Some(dropout) = self.dropout else { return h };
        let (start, len) = self.place(step, rows, self.units);
        // SAFETY: the caller's promise.
        let fed = unsafe { fed.part(start, len) };
        let factors = &dropout[rows.start * self.units..][..len];
        fed.iter_mut().zip(h).zip(factors).for_each(|((fed, &h), &factor)| *fed = h * factor);
        fed
    }

    /// Gives each row that the mask leaves out its old state again.
    fn keep_masked(&self, step: usize, rows: &Range<usize>, before: &[T], after: &mut [T]) {
        if self.mask.is_none() {
            return;
        }
        let pairs = before.chunks_exact(self.units).zip(after.chunks_exact_mut(self.units));
        for (row, (before, after)) in rows.clone().zip(pairs) {
            if self.is_masked(step, row) {
                after.copy_from_slice(before);
            }
        }
    }

    /// Fills each row that the mask leaves out with zeros.
    fn clear_masked(&self, step: usize, rows: &Range<usize>, values: &mut [T]) {
        if self.mask.is_some() && !rows.is_empty() {
            let width = values.len() / rows.len();
            for (row, values) in rows.clone().zip(values.chunks_exact_mut(width)) {
                if self.is_masked(step, row) {
                    values.fill(T::ZERO);
                }
            }
        }
    }

    /// Adds A · B to the gradient of the states h that a step multiplied, where A has `width` columns. With dropout the product is
    /// multiplied by its factors; `scratch` has room for it.
    fn add_back(
        &self,
        matrix: &PreparedMatrix<'_, T>,
        rows: &Range<usize>,
        a: (&[T], usize),
        gradient: &mut [T],
        scratch: &mut [T],
    ) {
        let Some(dropout) = self.dropout else {
            return matrix.add_product(rows.len(), a, (gradient, self.units));
        };
        scratch.fill(T::ZERO);
        matrix.add_product(rows.len(), a, (scratch, self.units));
        let factors = &dropout[rows.start * self.units..];
        gradient.iter_mut().zip(scratch.iter().zip(factors)).for_each(|(g, (&p, &factor))| *g += p * factor);
    }
}

/// The gradient of a loss by what a recurrence gave: by the outputs of all steps, `[steps, rows, units]`.
pub(crate) struct OutputGradient<'a, T: Float> {
    pub sequence: Option<&'a [T]>,
    /// `[steps, rows]`: whether an output came from the state; `None` if all did.
    pub counts: Option<&'a [bool]>,
}

impl<T: Float> OutputGradient<'_, T> {
    /// Adds the gradient by the outputs of a step to that by the state after it.
    fn add(&self, steps: &Steps<'_, T>, step: usize, rows: &Range<usize>, gradient: &mut [T]) {
        let Some(sequence) = self.sequence else { return };
        let (start, len) = steps.place(step, rows, steps.units);
        let outputs = &sequence[start..][..len];
        match self.counts {
            None => super::accumulate::add_to(gradient, outputs),
            Some(counts) => {
                let units = steps.units;
                let pairs = gradient.chunks_exact_mut(units).zip(outputs.chunks_exact(units));
                for (row, (gradient, outputs)) in rows.clone().zip(pairs) {
                    if counts[step * steps.rows + row] {
                        super::accumulate::add_to(gradient, outputs);
                    }
                }
            }
        }
    }
}

/// Adds the sums of the columns of `matrix` to `sums`. The sums of some rows are added up first, so that rounding errors stay
/// small; `scratch` is as long as `sums`.
#[inline(always)]
fn add_columns<T: Float>(matrix: &[T], sums: &mut [T], scratch: &mut [T]) {
    let mut rows = matrix.chunks_exact(sums.len());
    let Some(first) = rows.next() else { return };
    scratch.copy_from_slice(first);
    rows.for_each(|row| super::accumulate::add_to(scratch, row));
    super::accumulate::add_to(sums, scratch);
}

/// As [`add_columns`], compiled for the vector instructions of this machine.
fn sum_columns<T: Float>(matrix: &[T], sums: &mut [T], scratch: &mut [T]) {
    vectorize_choices(
        #[inline(always)]
        || add_columns(matrix, sums, scratch),
    );
}

/// `BLOCK` elements of a slice from `first` on.
#[inline(always)]
fn block<T: Float, const BLOCK: usize>(x: &[T], first: usize) -> [T; BLOCK] {
    let mut block = [T::ZERO; BLOCK];
    block.copy_from_slice(&x[first..][..BLOCK]);
    block
}

/// `f(lane)` for each of `BLOCK` lanes.
#[inline(always)]
fn lanes<T: Float, const BLOCK: usize>(f: impl Fn(usize) -> T) -> [T; BLOCK] {
    let mut lanes = [T::ZERO; BLOCK];
    for (lane, value) in lanes.iter_mut().enumerate() {
        *value = f(lane);
    }
    lanes
}
