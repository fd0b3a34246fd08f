//! Long short-term memory: c' = s(f) * c + s(i) * a(g), h' = s(o) * a(c'), with [i, f, g, o] = x·W + h·U + b.

use super::functions::{add_row, apply, go_back, put_columns, take_columns};
use super::*;
use crate::buffer::Buffer;
use crate::kernels::gemm::Mat;
use crate::kernels::gemm::prepared::PreparedMatrix;
use crate::kernels::math::Math;
use crate::kernels::windows::in_blocks;

/// Takes all steps. `z` holds x·W, `[steps, rows, 4 units]`, and afterwards what [`gradient`] needs of the gates; `h` and `c` hold
/// the first states and afterwards all of them, `[steps + 1, rows, units]`; `fed` is for the states times the dropout's factors.
pub(crate) fn forward<T: Float>(
    steps: &Steps<'_, T>,
    recurrent: Mat<'_, T>,
    bias: &[T],
    [z, h, c, fed]: [&mut [T]; 4],
) {
    let units = steps.units;
    let matrix = PreparedMatrix::new(recurrent, steps.rows_of_task(), steps.products());
    let [z, h, c, fed] = [z, h, c, fed].map(Shared::new);
    steps.for_each_task(|_, rows| {
        for step in 0..steps.steps {
            let (start, len) = steps.place(step, &rows, units);
            let next = steps.place(step + 1, &rows, units).0;
            // SAFETY: the rows of each tensor belong to this task, and those of different steps are disjoint.
            let (z, [h_before, c_before], [h_after, c_after]) = unsafe {
                let after = [h, c].map(|state| state.part(next, len));
                (z.part(4 * start, 4 * len), [h, c].map(|state| state.read(start, len)), after)
            };
            // SAFETY: as above.
            let fed = unsafe { steps.fed(step, &rows, h_before, fed) };
            matrix.add_product(rows.len(), (fed, units), (z, 4 * units));
            match steps.functions {
                None => vectorize_choices(
                    #[inline(always)]
                    || {
                        for row in 0..rows.len() {
                            let (z, state) = (&mut z[4 * row * units..][..4 * units], row * units..(row + 1) * units);
                            let after = [&mut h_after[state.clone()], &mut c_after[state.clone()]];
                            gates(z, bias, &c_before[state], after);
                        }
                    },
                ),
                Some(functions) => other_gates(functions, units, z, bias, c_before, [h_after, c_after]),
            }
            steps.keep_masked(step, &rows, h_before, h_after);
            steps.keep_masked(step, &rows, c_before, c_after);
        }
    });
}

/// The gates of a row, which are kept in the place of the pre-activations.
#[inline(always)]
fn gates<T: Float>(z: &mut [T], bias: &[T], c: &[T], [h_after, c_after]: [&mut [T]; 2]) {
    let units = c.len();
    in_blocks!(units, |BLOCK, first| {
        let mut gates = [[T::ZERO; BLOCK]; 4];
        for (gate, sums) in gates.iter_mut().enumerate() {
            let (z, bias): ([T; BLOCK], [T; BLOCK]) =
                (block(z, gate * units + first), block(bias, gate * units + first));
            for l in 0..BLOCK {
                let x = z[l] + bias[l];
                sums[l] = if gate == 2 { Math::tanh(x) } else { x.sigmoid() };
            }
        }
        let [i, f, g, o] = gates;
        let before: [T; BLOCK] = block(c, first);
        let c: [T; BLOCK] = lanes(
            #[inline(always)]
            |l| f[l] * before[l] + i[l] * g[l],
        );
        let h: [T; BLOCK] = lanes(
            #[inline(always)]
            |l| o[l] * Math::tanh(c[l]),
        );
        c_after[first..][..BLOCK].copy_from_slice(&c);
        h_after[first..][..BLOCK].copy_from_slice(&h);
        for (gate, values) in gates.iter().enumerate() {
            z[gate * units + first..][..BLOCK].copy_from_slice(values);
        }
    });
}

/// The gates of some rows by any functions; the pre-activations are kept.
fn other_gates<T: Float>(
    functions: [&CellFunction<T>; 2],
    units: usize,
    z: &mut [T],
    bias: &[T],
    c: &[T],
    [h_after, c_after]: [&mut [T]; 2],
) {
    add_row(z, bias);
    let [i, f, g, o] = values(functions, units, z, c.len());
    for l in 0..c.len() {
        c_after[l] = f[l] * c[l] + i[l] * g[l];
    }
    h_after.copy_from_slice(c_after);
    apply(functions[0], units, h_after);
    h_after.iter_mut().zip(o.iter()).for_each(|(h, &o)| *h = o * *h);
}

/// The four gates of pre-activations.
fn values<T: Float>(
    [activation, recurrent]: [&CellFunction<T>; 2],
    units: usize,
    z: &[T],
    len: usize,
) -> [Buffer<T>; 4] {
    [0, 1, 2, 3].map(|gate| {
        let mut values = Buffer::unspecified(len);
        take_columns(z, 4 * units, gate * units, units, &mut values);
        apply(if gate == 2 { activation } else { recurrent }, units, &mut values);
        values
    })
}

/// The gradient by the pre-activations of all steps, written to `z`, by the first states, written to `by_states`, and the sums
/// for the bias, one row for each task. `transposed` is the transpose of the recurrent kernel, `by_states` hold the gradients by
/// the last states h and c.
pub(crate) fn gradient<T: Float>(
    steps: &Steps<'_, T>,
    transposed: Mat<'_, T>,
    outputs: &OutputGradient<'_, T>,
    c: &[T],
    [z, by_h, by_c, by_bias]: [&mut [T]; 4],
) {
    let units = steps.units;
    let matrix = PreparedMatrix::new(transposed, steps.rows_of_task(), steps.products());
    let [z, by_h, by_c, by_bias] = [z, by_h, by_c, by_bias].map(Shared::new);
    steps.for_each_task(|task, rows| {
        let len = rows.len() * units;
        // SAFETY: the rows of each tensor, and the sums of this task, belong to it.
        let ([by_h, by_c], sums) = unsafe {
            ([by_h, by_c].map(|state| state.part(rows.start * units, len)), by_bias.part(4 * task * units, 4 * units))
        };
        sums.fill(T::ZERO);
        let (mut product, mut scratch) = (Buffer::<T>::unspecified(len), Buffer::<T>::unspecified(4 * units));
        for step in (0..steps.steps).rev() {
            outputs.add(steps, step, &rows, by_h);
            let (start, len) = steps.place(step, &rows, units);
            let next = steps.place(step + 1, &rows, units).0;
            // SAFETY: as above.
            let z = unsafe { z.part(4 * start, 4 * len) };
            let (before, after) = (&c[start..][..len], &c[next..][..len]);
            if let Some(functions) = steps.functions {
                let kept = steps.mask.map(|_| [Buffer::copy_of(by_h), Buffer::copy_of(by_c)]);
                other_gates_back(functions, units, z, [before, after], [by_h, by_c]);
                if let Some([kept_h, kept_c]) = kept {
                    steps.keep_masked(step, &rows, &kept_h, by_h);
                    steps.keep_masked(step, &rows, &kept_c, by_c);
                    steps.clear_masked(step, &rows, z);
                }
                sum_columns(z, sums, &mut scratch);
            } else {
                vectorize_choices(
                    #[inline(always)]
                    || {
                        for (row, z) in rows.clone().zip(z.chunks_exact_mut(4 * units)) {
                            let state = (row - rows.start) * units..(row - rows.start + 1) * units;
                            if steps.is_masked(step, row) {
                                // A step that is left out passes the gradients on.
                                z.fill(T::ZERO);
                            } else {
                                let states = [&before[state.clone()], &after[state.clone()]];
                                gates_back(z, states, [&mut by_h[state.clone()], &mut by_c[state]]);
                            }
                        }
                        add_columns(z, sums, &mut scratch);
                    },
                );
            }
            steps.add_back(&matrix, &rows, (z, 4 * units), by_h, &mut product);
        }
    });
}

/// Replaces the gates of a row by the gradients by their pre-activations, the gradient by c after the step by that by c before it,
/// and that by h by 0.
#[inline(always)]
fn gates_back<T: Float>(z: &mut [T], [before, after]: [&[T]; 2], [by_h, by_c]: [&mut [T]; 2]) {
    let units = before.len();
    in_blocks!(units, |BLOCK, first| {
        let i: [T; BLOCK] = block(z, first);
        let f: [T; BLOCK] = block(z, units + first);
        let g: [T; BLOCK] = block(z, 2 * units + first);
        let o: [T; BLOCK] = block(z, 3 * units + first);
        let (before, after): ([T; BLOCK], [T; BLOCK]) = (block(before, first), block(after, first));
        let (dh, dc): ([T; BLOCK], [T; BLOCK]) = (block(by_h, first), block(by_c, first));
        let mut out = [[T::ZERO; BLOCK]; 5];
        for l in 0..BLOCK {
            let t = Math::tanh(after[l]);
            let dc = dc[l] + dh[l] * o[l] * (T::ONE - t * t);
            out[0][l] = dc * g[l] * (i[l] * (T::ONE - i[l]));
            out[1][l] = dc * before[l] * (f[l] * (T::ONE - f[l]));
            out[2][l] = dc * i[l] * (T::ONE - g[l] * g[l]);
            out[3][l] = dh[l] * t * (o[l] * (T::ONE - o[l]));
            out[4][l] = dc * f[l];
        }
        for gate in 0..4 {
            z[gate * units + first..][..BLOCK].copy_from_slice(&out[gate]);
        }
        by_c[first..][..BLOCK].copy_from_slice(&out[4]);
        by_h[first..][..BLOCK].fill(T::ZERO);
    });
}

/// As [`gates_back`], of some rows, from pre-activations and for any functions.
fn other_gates_back<T: Float>(
    functions: [&CellFunction<T>; 2],
    units: usize,
    z: &mut [T],
    [before, after]: [&[T]; 2],
    [by_h, by_c]: [&mut [T]; 2],
) {
    let len = before.len();
    let [activation, recurrent] = functions;
    let [i, f, g, o] = values(functions, units, z, len);
    let mut t = Buffer::<T>::copy_of(after);
    apply(activation, units, &mut t);
    let mut through = Buffer::<T>::unspecified(len);
    for l in 0..len {
        through[l] = by_h[l] * o[l];
    }
    go_back(activation, units, after, &t, &mut through);
    let mut gradients = [i, f, g, o];
    let mut x = Buffer::<T>::unspecified(len);
    for l in 0..len {
        let dc = by_c[l] + through[l];
        by_c[l] = dc;
        through[l] = dc * gradients[1][l];
    }
    let input = Buffer::<T>::copy_of(&gradients[0]);
    let candidate = Buffer::<T>::copy_of(&gradients[2]);
    for (gate, value) in gradients.iter_mut().enumerate() {
        let mut gradient = Buffer::<T>::unspecified(len);
        for l in 0..len {
            gradient[l] = match gate {
                0 => by_c[l] * candidate[l],
                1 => by_c[l] * before[l],
                2 => by_c[l] * input[l],
                _ => by_h[l] * t[l],
            };
        }
        take_columns(z, 4 * units, gate * units, units, &mut x);
        go_back(if gate == 2 { activation } else { recurrent }, units, &x, value, &mut gradient);
        *value = gradient;
    }
    for (gate, gradient) in gradients.iter().enumerate() {
        put_columns(z, 4 * units, gate * units, units, gradient);
    }
    by_c.copy_from_slice(&through);
    by_h.fill(T::ZERO);
}
