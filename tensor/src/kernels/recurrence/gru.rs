//! The gated recurrent unit: h' = s(z) * h + (1 - s(z)) * a(candidate), with the reset gate after or before the product.

use super::functions::{add_row, apply, go_back, put_columns, take_columns};
use super::*;
use crate::buffer::Buffer;
use crate::kernels::gemm::Mat;
use crate::kernels::math::Math;
use crate::kernels::windows::in_blocks;

/// The recurrent kernel in two parts, that of the gates z and r and that of the candidate, or the transposes of both.
#[derive(Clone, Copy)]
pub(crate) struct Recurrent<'a, T> {
    pub gates: Mat<'a, T>,
    pub candidate: Mat<'a, T>,
    /// Whether the reset gate multiplies after the product.
    pub reset_after: bool,
}

impl<'a, T: Float> Recurrent<'a, T> {
    fn prepare(&self, steps: &Steps<'_, T>) -> [PreparedMatrix<'a, T>; 2] {
        [self.gates, self.candidate].map(|matrix| PreparedMatrix::new(matrix, steps.rows_of_task(), steps.products()))
    }
}

/// Takes all steps. `z` holds x·W, `[steps, rows, 3 units]`, and afterwards what [`gradient`] needs of the gates; `h` holds the
/// first states and afterwards all of them, `[steps + 1, rows, units]`. `inner`, `[steps, rows, units]`, gets h·U + b' of the
/// candidate, or s(r) * h. `fed` is for the states times the dropout's factors. The biases are that of the input and, where the
/// reset comes after, that of the product.
pub(crate) fn forward<T: Float>(
    steps: &Steps<'_, T>,
    recurrent: Recurrent<'_, T>,
    biases: [&[T]; 2],
    [z, h, inner, fed]: [&mut [T]; 4],
) {
    let units = steps.units;
    let [gates, candidate] = recurrent.prepare(steps);
    let [z, h, inner, fed] = [z, h, inner, fed].map(Shared::new);
    steps.for_each_task(|_, rows| {
        let count = rows.len();
        for step in 0..steps.steps {
            let (start, len) = steps.place(step, &rows, units);
            let next = steps.place(step + 1, &rows, units).0;
            // SAFETY: the rows of each tensor belong to this task, and those of different steps are disjoint.
            let (z, inner, before, after) =
                unsafe { (z.part(3 * start, 3 * len), inner.part(start, len), h.read(start, len), h.part(next, len)) };
            // SAFETY: as above.
            let fed = unsafe { steps.fed(step, &rows, before, fed) };
            gates.add_product(count, (fed, units), (z, 3 * units));
            // Pre-activations stay as they are where the functions are not the usual ones, whose values go to these.
            let mut values = steps.functions.map(|_| Buffer::<T>::unspecified(3 * len));
            if recurrent.reset_after {
                inner.chunks_exact_mut(units).for_each(|row| row.copy_from_slice(&biases[1][2 * units..]));
                candidate.add_product(count, (fed, units), (inner, units));
                match (&mut values, steps.functions) {
                    (Some(values), Some(functions)) => {
                        other_gates(functions, units, z, biases, values);
                        other_candidates(functions[0], units, z, biases[0], Some(inner), values);
                    }
                    _ => vectorize_choices(
                        #[inline(always)]
                        || usual_reset_after(units, z, biases, inner, before, after),
                    ),
                }
            } else {
                match (&mut values, steps.functions) {
                    (Some(values), Some(functions)) => other_gates(functions, units, z, biases, values),
                    _ => vectorize_choices(
                        #[inline(always)]
                        || usual_gates(units, z, biases[0]),
                    ),
                }
                let reset = values.as_deref().unwrap_or(z);
                for (row, (inner, fed)) in inner.chunks_exact_mut(units).zip(fed.chunks_exact(units)).enumerate() {
                    let reset = &reset[(3 * row + 1) * units..][..units];
                    inner.iter_mut().zip(fed).zip(reset).for_each(|((inner, &h), &r)| *inner = r * h);
                }
                candidate.add_product(count, (inner, units), (&mut z[2 * units..], 3 * units));
                match (&mut values, steps.functions) {
                    (Some(values), Some(functions)) => {
                        other_candidates(functions[0], units, z, biases[0], None, values);
                    }
                    _ => vectorize_choices(
                        #[inline(always)]
                        || usual_candidates(units, z, biases[0], before, after),
                    ),
                }
            }
            if let Some(values) = values {
                for (row, (before, after)) in before.chunks_exact(units).zip(after.chunks_exact_mut(units)).enumerate()
                {
                    let (keep, candidate) = (&values[3 * row * units..], &values[(3 * row + 2) * units..]);
                    for l in 0..units {
                        after[l] = keep[l] * before[l] + (T::ONE - keep[l]) * candidate[l];
                    }
                }
            }
            steps.keep_masked(step, &rows, before, after);
        }
    });
}

/// The gates, the candidates and the new states of some rows, with the reset gate after the product; the gates are kept.
#[inline(always)]
fn usual_reset_after<T: Float>(
    units: usize,
    z: &mut [T],
    [bias, inner_bias]: [&[T]; 2],
    inner: &[T],
    before: &[T],
    after: &mut [T],
) {
    for (row, z) in z.chunks_exact_mut(3 * units).enumerate() {
        let state = row * units..(row + 1) * units;
        let (inner, before, after) = (&inner[state.clone()], &before[state.clone()], &mut after[state]);
        in_blocks!(units, |BLOCK, first| {
            let mut gates = [[T::ZERO; BLOCK]; 2];
            for (gate, values) in gates.iter_mut().enumerate() {
                let place = gate * units + first;
                let sums: [T; BLOCK] = block(z, place);
                let (one, other): ([T; BLOCK], [T; BLOCK]) = (block(bias, place), block(inner_bias, place));
                for l in 0..BLOCK {
                    values[l] = (sums[l] + one[l] + other[l]).sigmoid();
                }
            }
            let [keep, reset] = gates;
            let (x, bias): ([T; BLOCK], [T; BLOCK]) = (block(z, 2 * units + first), block(bias, 2 * units + first));
            let (inner, h): ([T; BLOCK], [T; BLOCK]) = (block(inner, first), block(before, first));
            let candidate: [T; BLOCK] = lanes(
                #[inline(always)]
                |l| Math::tanh(x[l] + bias[l] + reset[l] * inner[l]),
            );
            let h: [T; BLOCK] = lanes(
                #[inline(always)]
                |l| keep[l] * h[l] + (T::ONE - keep[l]) * candidate[l],
            );
            after[first..][..BLOCK].copy_from_slice(&h);
            z[first..][..BLOCK].copy_from_slice(&keep);
            z[units + first..][..BLOCK].copy_from_slice(&reset);
            z[2 * units + first..][..BLOCK].copy_from_slice(&candidate);
        });
    }
}

/// The gates z and r of some rows.
#[inline(always)]
fn usual_gates<T: Float>(units: usize, z: &mut [T], bias: &[T]) {
    for z in z.chunks_exact_mut(3 * units) {
        for (z, &bias) in z[..2 * units].iter_mut().zip(bias) {
            *z = (*z + bias).sigmoid();
        }
    }
}

/// The candidates and the new states of some rows.
#[inline(always)]
fn usual_candidates<T: Float>(units: usize, z: &mut [T], bias: &[T], before: &[T], after: &mut [T]) {
    let bias = &bias[2 * units..];
    let states = before.chunks_exact(units).zip(after.chunks_exact_mut(units));
    for (z, (before, after)) in z.chunks_exact_mut(3 * units).zip(states) {
        let (gates, candidate) = z.split_at_mut(2 * units);
        for (x, &bias) in candidate.iter_mut().zip(bias) {
            *x = Math::tanh(*x + bias);
        }
        let terms = before.iter().zip(&gates[..units]).zip(candidate.iter());
        for (after, ((&h, &keep), &candidate)) in after.iter_mut().zip(terms) {
            *after = keep * h + (T::ONE - keep) * candidate;
        }
    }
}

/// Adds the biases of the gates z and r to their pre-activations, and writes their values by any functions.
fn other_gates<T: Float>(
    [_, recurrent]: [&CellFunction<T>; 2],
    units: usize,
    z: &mut [T],
    biases: [&[T]; 2],
    values: &mut [T],
) {
    for z in z.chunks_exact_mut(3 * units) {
        for bias in biases.iter().filter(|bias| !bias.is_empty()) {
            super::super::accumulate::add_to(&mut z[..2 * units], &bias[..2 * units]);
        }
    }
    let mut gate = Buffer::<T>::unspecified(z.len() / 3);
    for first in [0, units] {
        take_columns(z, 3 * units, first, units, &mut gate);
        apply(recurrent, units, &mut gate);
        put_columns(values, 3 * units, first, units, &gate);
    }
}

/// Adds the bias, and the reset gate times `inner`, to the pre-activations of the candidates, and writes their values.
fn other_candidates<T: Float>(
    activation: &CellFunction<T>,
    units: usize,
    z: &mut [T],
    bias: &[T],
    inner: Option<&[T]>,
    values: &mut [T],
) {
    let mut candidates = Buffer::<T>::unspecified(z.len() / 3);
    take_columns(z, 3 * units, 2 * units, units, &mut candidates);
    add_row(&mut candidates, &bias[2 * units..]);
    if let Some(inner) = inner {
        let mut reset = Buffer::<T>::unspecified(inner.len());
        take_columns(values, 3 * units, units, units, &mut reset);
        candidates.iter_mut().zip(reset.iter().zip(inner)).for_each(|(x, (&r, &inner))| *x += r * inner);
    }
    put_columns(z, 3 * units, 2 * units, units, &candidates);
    apply(activation, units, &mut candidates);
    put_columns(values, 3 * units, 2 * units, units, &candidates);
}

/// The gradient by the pre-activations of all steps, written to `z`, by the first states, written to `by_h`, by `inner` where the
/// reset comes after the product, written to `inner`, and the sums for the biases, one row of 4 units for each task: those of the
/// pre-activations, then those of `inner`. `transposed` holds the transposes, `by_h` the gradient by the last states.
pub(crate) fn gradient<T: Float>(
    steps: &Steps<'_, T>,
    transposed: Recurrent<'_, T>,
    outputs: &OutputGradient<'_, T>,
    h: &[T],
    [z, inner, by_h, by_bias]: [&mut [T]; 4],
) {
    let units = steps.units;
    let [gates, candidate] = transposed.prepare(steps);
    let [z, inner, by_h, by_bias] = [z, inner, by_h, by_bias].map(Shared::new);
    steps.for_each_task(|task, rows| {
        let (count, len) = (rows.len(), rows.len() * units);
        // SAFETY: the rows of each tensor, and the sums of this task, belong to it.
        let (by_h, sums) = unsafe { (by_h.part(rows.start * units, len), by_bias.part(4 * task * units, 4 * units)) };
        sums.fill(T::ZERO);
        let (sums, inner_sums) = sums.split_at_mut(3 * units);
        let [mut product, mut kept, mut reset, mut by_reset] = [(); 4].map(|()| Buffer::<T>::unspecified(len));
        let mut scratch = Buffer::<T>::unspecified(3 * units);
        for step in (0..steps.steps).rev() {
            outputs.add(steps, step, &rows, by_h);
            let (start, len) = steps.place(step, &rows, units);
            // SAFETY: as above.
            let (z, inner) = unsafe { (z.part(3 * start, 3 * len), inner.part(start, len)) };
            let before = &h[start..][..len];
            if steps.mask.is_some() {
                kept.copy_from_slice(by_h);
            }
            if steps.functions.is_none() && transposed.reset_after {
                vectorize_choices(
                    #[inline(always)]
                    || usual_reset_after_back(units, z, inner, before, by_h),
                );
            } else {
                let values = steps.functions.map(|functions| values(functions, units, z));
                take_columns(values.as_deref().unwrap_or(z), 3 * units, units, units, &mut reset);
                match (steps.functions, &values) {
                    (Some(functions), Some(values)) => other_back(functions, units, z, values, before, by_h),
                    _ => usual_back(units, z, before, by_h),
                }
                let mut candidates = Buffer::<T>::unspecified(len);
                take_columns(z, 3 * units, 2 * units, units, &mut candidates);
                if transposed.reset_after {
                    for l in 0..len {
                        by_reset[l] = candidates[l] * inner[l];
                        inner[l] = candidates[l] * reset[l];
                    }
                } else {
                    steps.clear_masked(step, &rows, &mut candidates);
                    product.fill(T::ZERO);
                    candidate.add_product(count, (&candidates, units), (&mut product, units));
                    let factors = steps.dropout.map(|dropout| &dropout[rows.start * units..][..len]);
                    for l in 0..len {
                        let factor = factors.map_or(T::ONE, |factors| factors[l]);
                        by_h[l] += product[l] * reset[l] * factor;
                        by_reset[l] = product[l] * before[l] * factor;
                    }
                }
                match steps.functions {
                    Some([_, recurrent]) => {
                        take_columns(z, 3 * units, units, units, &mut candidates);
                        go_back(recurrent, units, &candidates, &reset, &mut by_reset);
                    }
                    None => go_back(&CellFunction::Sigmoid, units, &[], &reset, &mut by_reset),
                }
                put_columns(z, 3 * units, units, units, &by_reset);
            }
            // A step that is left out passes the gradient on.
            steps.keep_masked(step, &rows, &kept, by_h);
            steps.clear_masked(step, &rows, z);
            sum_columns(z, sums, &mut scratch);
            steps.add_back(&gates, &rows, (z, 3 * units), by_h, &mut product);
            if transposed.reset_after {
                steps.clear_masked(step, &rows, inner);
                sum_columns(inner, inner_sums, &mut scratch[..units]);
                steps.add_back(&candidate, &rows, (inner, units), by_h, &mut product);
            }
        }
    });
}

/// Replaces the gates of some rows by the gradients by their pre-activations, `inner` by the gradient by it, and the gradient by
/// the states after the step by the part of that by those before it that goes through no product.
#[inline(always)]
fn usual_reset_after_back<T: Float>(units: usize, z: &mut [T], inner: &mut [T], before: &[T], by_h: &mut [T]) {
    for (row, z) in z.chunks_exact_mut(3 * units).enumerate() {
        let state = row * units..(row + 1) * units;
        let (inner, before, by_h) = (&mut inner[state.clone()], &before[state.clone()], &mut by_h[state]);
        in_blocks!(units, |BLOCK, first| {
            let keep: [T; BLOCK] = block(z, first);
            let reset: [T; BLOCK] = block(z, units + first);
            let candidate: [T; BLOCK] = block(z, 2 * units + first);
            let (value, h, g): ([T; BLOCK], [T; BLOCK], [T; BLOCK]) =
                (block(inner, first), block(before, first), block(by_h, first));
            let mut out = [[T::ZERO; BLOCK]; 5];
            for l in 0..BLOCK {
                let through = g[l] * (T::ONE - keep[l]) * (T::ONE - candidate[l] * candidate[l]);
                out[0][l] = g[l] * (h[l] - candidate[l]) * (keep[l] * (T::ONE - keep[l]));
                out[1][l] = through * value[l] * (reset[l] * (T::ONE - reset[l]));
                out[2][l] = through;
                out[3][l] = through * reset[l];
                out[4][l] = g[l] * keep[l];
            }
            for gate in 0..3 {
                z[gate * units + first..][..BLOCK].copy_from_slice(&out[gate]);
            }
            inner[first..][..BLOCK].copy_from_slice(&out[3]);
            by_h[first..][..BLOCK].copy_from_slice(&out[4]);
        });
    }
}

/// Replaces the gate z and the candidate of some rows by the gradients by their pre-activations, and the gradient by the states
/// after the step by the part of that by those before it that goes through no product.
fn usual_back<T: Float>(units: usize, z: &mut [T], before: &[T], by_h: &mut [T]) {
    for (z, (before, by_h)) in
        z.chunks_exact_mut(3 * units).zip(before.chunks_exact(units).zip(by_h.chunks_exact_mut(units)))
    {
        for l in 0..units {
            let (keep, candidate, g) = (z[l], z[2 * units + l], by_h[l]);
            z[l] = g * (before[l] - candidate) * (keep * (T::ONE - keep));
            z[2 * units + l] = g * (T::ONE - keep) * (T::ONE - candidate * candidate);
            by_h[l] = g * keep;
        }
    }
}

/// As [`usual_back`], from pre-activations and their values, for any functions.
fn other_back<T: Float>(
    [activation, recurrent]: [&CellFunction<T>; 2],
    units: usize,
    z: &mut [T],
    values: &[T],
    before: &[T],
    by_h: &mut [T],
) {
    let [mut keep, mut candidate, mut gradient, mut x] = [(); 4].map(|()| Buffer::<T>::unspecified(before.len()));
    take_columns(values, 3 * units, 0, units, &mut keep);
    take_columns(values, 3 * units, 2 * units, units, &mut candidate);
    for l in 0..before.len() {
        gradient[l] = by_h[l] * (before[l] - candidate[l]);
    }
    take_columns(z, 3 * units, 0, units, &mut x);
    go_back(recurrent, units, &x, &keep, &mut gradient);
    put_columns(z, 3 * units, 0, units, &gradient);
    for l in 0..before.len() {
        gradient[l] = by_h[l] * (T::ONE - keep[l]);
        by_h[l] *= keep[l];
    }
    take_columns(z, 3 * units, 2 * units, units, &mut x);
    go_back(activation, units, &x, &candidate, &mut gradient);
    put_columns(z, 3 * units, 2 * units, units, &gradient);
}

/// The values of pre-activations by any functions.
fn values<T: Float>([activation, recurrent]: [&CellFunction<T>; 2], units: usize, z: &[T]) -> Buffer<T> {
    let (mut values, mut gate) = (Buffer::unspecified(z.len()), Buffer::<T>::unspecified(z.len() / 3));
    for (index, function) in [recurrent, recurrent, activation].into_iter().enumerate() {
        take_columns(z, 3 * units, index * units, units, &mut gate);
        apply(function, units, &mut gate);
        put_columns(&mut values, 3 * units, index * units, units, &gate);
    }
    values
}
