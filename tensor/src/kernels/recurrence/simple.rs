//! The simple cell: h' = a(x·W + h·U + b).

use super::functions;
use super::*;
use crate::buffer::Buffer;
use crate::kernels::gemm::Mat;
use crate::kernels::gemm::prepared::PreparedMatrix;
use crate::kernels::math::Math;
use crate::kernels::windows::in_blocks;

/// Takes all steps. `z` holds x·W, `[steps, rows, units]`, and afterwards what [`gradient`] needs of it; `h` holds the first
/// states and afterwards all of them, `[steps + 1, rows, units]`; `fed` is for the states times the dropout's factors.
pub(crate) fn forward<T: Float>(steps: &Steps<'_, T>, recurrent: Mat<'_, T>, bias: &[T], [z, h, fed]: [&mut [T]; 3]) {
    let units = steps.units;
    let matrix = PreparedMatrix::new(recurrent, steps.rows_of_task(), steps.products());
    let [z, h, fed] = [z, h, fed].map(Shared::new);
    steps.for_each_task(|_, rows| {
        for step in 0..steps.steps {
            let (start, len) = steps.place(step, &rows, units);
            let next = steps.place(step + 1, &rows, units).0;
            // SAFETY: the rows of each tensor belong to this task.
            let (z, before, after) = unsafe { (z.part(start, len), h.read(start, len), h.part(next, len)) };
            // SAFETY: as above.
            let fed = unsafe { steps.fed(step, &rows, before, fed) };
            matrix.add_product(rows.len(), (fed, units), (z, units));
            match steps.functions {
                None => vectorize_choices(
                    #[inline(always)]
                    || {
                        for (z, after) in z.chunks_exact(units).zip(after.chunks_exact_mut(units)) {
                            in_blocks!(units, |BLOCK, first| {
                                let (z, bias): ([T; BLOCK], [T; BLOCK]) = (block(z, first), block(bias, first));
                                let h: [T; BLOCK] = lanes(
                                    #[inline(always)]
                                    |l| Math::tanh(z[l] + bias[l]),
                                );
                                after[first..][..BLOCK].copy_from_slice(&h);
                            });
                        }
                    },
                ),
                Some([activation, _]) => {
                    functions::add_row(z, bias);
                    after.copy_from_slice(z);
                    functions::apply(activation, units, after);
                }
            }
            steps.keep_masked(step, &rows, before, after);
        }
    });
}

/// The gradient by the pre-activations of all steps, written to `z`, by the first states, written to `by_state`, and the sums for
/// the bias, one row for each task. `transposed` is the transpose of the recurrent kernel, `by_state` holds the gradient by the
/// last states.
pub(crate) fn gradient<T: Float>(
    steps: &Steps<'_, T>,
    transposed: Mat<'_, T>,
    outputs: &OutputGradient<'_, T>,
    h: &[T],
    [z, by_state, by_bias]: [&mut [T]; 3],
) {
    let units = steps.units;
    let matrix = PreparedMatrix::new(transposed, steps.rows_of_task(), steps.products());
    let [z, by_state, by_bias] = [z, by_state, by_bias].map(Shared::new);
    steps.for_each_task(|task, rows| {
        let len = rows.len() * units;
        // SAFETY: the rows of each tensor, and the sums of this task, belong to it.
        let (by_h, sums) = unsafe { (by_state.part(rows.start * units, len), by_bias.part(task * units, units)) };
        sums.fill(T::ZERO);
        let (mut product, mut scratch) = (Buffer::<T>::unspecified(len), Buffer::<T>::unspecified(units));
        for step in (0..steps.steps).rev() {
            outputs.add(steps, step, &rows, by_h);
            let (start, len) = steps.place(step, &rows, units);
            let next = steps.place(step + 1, &rows, units).0;
            // SAFETY: as above.
            let z = unsafe { z.part(start, len) };
            let after = &h[next..][..len];
            match steps.functions {
                None => vectorize_choices(
                    #[inline(always)]
                    || {
                        for ((z, &g), &y) in z.iter_mut().zip(by_h.iter()).zip(after) {
                            *z = g * (T::ONE - y * y);
                        }
                    },
                ),
                Some([activation, _]) => {
                    let mut value = Buffer::<T>::copy_of(z);
                    functions::apply(activation, units, &mut value);
                    let mut g = Buffer::<T>::copy_of(by_h);
                    functions::go_back(activation, units, z, &value, &mut g);
                    z.copy_from_slice(&g);
                }
            }
            for (row, (z, by_h)) in rows.clone().zip(z.chunks_exact_mut(units).zip(by_h.chunks_exact_mut(units))) {
                // A step that is left out passes the gradient on.
                (if steps.is_masked(step, row) { z } else { by_h }).fill(T::ZERO);
            }
            sum_columns(z, sums, &mut scratch);
            steps.add_back(&matrix, &rows, (z, units), by_h, &mut product);
        }
    });
}
