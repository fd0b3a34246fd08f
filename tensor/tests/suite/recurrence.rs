//! Recurrences against Keras's formulas, number by number, and the same bits for any number of threads.
#![cfg(feature = "parallel")]

use std::sync::Arc;

use gradus_tensor::{
    CellFunction, Generator, RECURRENT_GRADIENTS, Recurrence, RecurrentCell, RecurrentInputs, RecurrentOutputs, Tensor,
    functions,
};

const CELLS: [RecurrentCell; 4] = [
    RecurrentCell::Simple,
    RecurrentCell::Lstm,
    RecurrentCell::Gru { reset_after: true },
    RecurrentCell::Gru { reset_after: false },
];

/// The inputs of a recurrence, some of them not given.
struct Inputs<T: gradus_tensor::Float> {
    x: Tensor<T>,
    kernel: Tensor<T>,
    recurrent_kernel: Tensor<T>,
    bias: Option<Tensor<T>>,
    states: [Option<Tensor<T>>; 2],
    mask: Option<Tensor<bool>>,
    dropout: Option<Tensor<T>>,
}

impl Inputs<f64> {
    /// Random numbers; `parts` says which of the optional inputs there are, bit by bit.
    fn draw(cell: RecurrentCell, [n, steps, features, units]: [usize; 4], parts: usize) -> Self {
        let mut generator = Generator::new(7);
        let mut draw = |shape: &[usize]| -> Tensor<f64> { generator.normal(shape, 0.0, 0.7) };
        let width = cell.gates() * units;
        let (x, kernel) = (draw(&[n, steps, features]), draw(&[features, width]));
        let recurrent_kernel = draw(&[units, width]);
        let bias = (parts & 1 > 0).then(|| draw(&cell.bias_shape(units)));
        let states = [draw(&[n, units]), draw(&[n, units])];
        let mut index = 0;
        let states = states.map(|state| {
            index += 1;
            (parts & 2 > 0 && index <= cell.states()).then_some(state)
        });
        let mask = (parts & 4 > 0).then(|| draw(&[n, steps]).greater(-0.3));
        let dropout = (parts & 8 > 0).then(|| draw(&[n, units]).greater(0.0).where_(2.0, 0.0));
        Inputs { x, kernel, recurrent_kernel, bias, states, mask, dropout }
    }
}

impl<T: gradus_tensor::Float> Inputs<T> {
    fn to<U: gradus_tensor::Float>(&self) -> Inputs<U> {
        let to = |x: &Option<Tensor<T>>| x.as_ref().map(|x| x.to());
        let states = [to(&self.states[0]), to(&self.states[1])];
        Inputs {
            x: self.x.to(),
            kernel: self.kernel.to(),
            recurrent_kernel: self.recurrent_kernel.to(),
            bias: to(&self.bias),
            states,
            mask: self.mask.clone(),
            dropout: to(&self.dropout),
        }
    }

    fn of(&self) -> RecurrentInputs<'_, T> {
        RecurrentInputs {
            bias: self.bias.as_ref(),
            states: [self.states[0].as_ref(), self.states[1].as_ref()],
            mask: self.mask.as_ref(),
            recurrent_dropout: self.dropout.as_ref(),
            ..RecurrentInputs::new(&self.x, &self.kernel, &self.recurrent_kernel)
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softsign(x: f64) -> f64 {
    x / (1.0 + x.abs())
}

/// Outputs `[n, steps, units]` and the last states, by the formulas of Keras 3.15.1 (`keras/src/layers/rnn`), a number at a time.
fn naive(how: &Form, inputs: &Inputs<f64>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let &[n, steps, features] = &inputs.x.shape()[..] else { unreachable!() };
    let units = inputs.recurrent_kernel.shape()[0];
    let cell = how.cell;
    let [a, s]: [fn(f64) -> f64; 2] = if how.usual { [f64::tanh, sigmoid] } else { [softsign, softsign] };
    let bias = |which: usize, column: usize| match &inputs.bias {
        None => 0.0,
        Some(bias) if bias.ndim() == 2 => bias.get([which, column]),
        Some(bias) if which == 0 => bias.get([column]),
        Some(_) => 0.0,
    };
    let (mut outputs, mut last) = (vec![0.0; n * steps * units], vec![vec![0.0; n * units]; cell.states()]);
    for row in 0..n {
        let first = |index: usize| match &inputs.states[index] {
            Some(state) => (0..units).map(|l| state.get([row, l])).collect(),
            None => vec![0.0; units],
        };
        let (mut h, mut c): (Vec<f64>, Vec<f64>) = (first(0), first(1));
        let mut output = h.clone();
        for step in 0..steps {
            let place = if how.go_backwards { steps - 1 - step } else { step };
            if inputs.mask.as_ref().is_none_or(|mask| mask.get([row, place])) {
                let factor = |l: usize| inputs.dropout.as_ref().map_or(1.0, |dropout| dropout.get([row, l]));
                let of_x = |column: usize| -> f64 {
                    (0..features).map(|f| inputs.x.get([row, place, f]) * inputs.kernel.get([f, column])).sum()
                };
                let of_h = |column: usize, gate: &dyn Fn(usize) -> f64| -> f64 {
                    (0..units).map(|k| gate(k) * h[k] * factor(k) * inputs.recurrent_kernel.get([k, column])).sum()
                };
                let plain = |gate: usize, l: usize| {
                    let column = gate * units + l;
                    of_x(column) + bias(0, column) + of_h(column, &|_| 1.0) + bias(1, column)
                };
                let of_units = |f: &dyn Fn(usize) -> f64| -> Vec<f64> { (0..units).map(f).collect() };
                let reset = of_units(&|l| if cell.gates() == 3 { s(plain(1, l)) } else { 1.0 });
                (h, c) = match cell {
                    RecurrentCell::Simple => (of_units(&|l| a(plain(0, l))), c),
                    RecurrentCell::Lstm => {
                        let next = of_units(&|l| s(plain(1, l)) * c[l] + s(plain(0, l)) * a(plain(2, l)));
                        (of_units(&|l| s(plain(3, l)) * a(next[l])), next)
                    }
                    RecurrentCell::Gru { reset_after } => {
                        let candidate = |l: usize| {
                            let column = 2 * units + l;
                            let x = of_x(column) + bias(0, column);
                            a(x + if reset_after {
                                reset[l] * (of_h(column, &|_| 1.0) + bias(1, column))
                            } else {
                                of_h(column, &|k| reset[k])
                            })
                        };
                        let keep = |l: usize| s(plain(0, l));
                        (of_units(&|l| keep(l) * h[l] + (1.0 - keep(l)) * candidate(l)), c)
                    }
                };
                output.clone_from(&h);
            } else if how.zero_output_for_mask {
                output.fill(0.0);
            }
            outputs[(row * steps + step) * units..][..units].copy_from_slice(&output);
        }
        for (last, state) in last.iter_mut().zip([h, c]) {
            last[row * units..][..units].copy_from_slice(&state);
        }
    }
    (outputs, last)
}

/// The options.
#[derive(Clone, Copy, Debug)]
struct Form {
    cell: RecurrentCell,
    usual: bool,
    go_backwards: bool,
    zero_output_for_mask: bool,
}

impl Form {
    fn all() -> impl Iterator<Item = Form> {
        CELLS.into_iter().flat_map(|cell| {
            (0..8).map(move |bits| Form {
                cell,
                usual: bits & 1 == 0,
                go_backwards: bits & 2 > 0,
                zero_output_for_mask: bits & 4 > 0,
            })
        })
    }

    fn recurrence<T: gradus_tensor::Float>(&self) -> Recurrence<T> {
        let other = || CellFunction::Other(Arc::new(&functions::SOFTSIGN));
        let how =
            Recurrence::new(self.cell).go_backwards(self.go_backwards).zero_output_for_mask(self.zero_output_for_mask);
        if self.usual { how } else { how.activation(other()).recurrent_activation(other()) }
    }
}

#[track_caller]
fn near<T: gradus_tensor::Float>(what: &str, found: &Tensor<T>, exact: &[f64], tolerance: f64) {
    let found = found.to::<f64>().to_vec();
    assert_eq!(found.len(), exact.len(), "{what}");
    let far = found.iter().zip(exact).find(|(found, exact)| (*found - *exact).abs() > tolerance);
    assert!(far.is_none(), "{what}: {far:?}");
}

/// Blocks of 32, 8 and 1 units; a row, some, more than a task has; no features, no steps, no rows.
const SIZES: [[usize; 4]; 9] = [
    [3, 4, 2, 5],
    [1, 3, 3, 41],
    [2, 1, 1, 1],
    [33, 3, 2, 9],
    [5, 6, 0, 3],
    [2, 0, 2, 3],
    [0, 3, 2, 3],
    [1, 1, 4, 150],
    [18, 2, 3, 32],
];

#[test]
fn all_forms_are_as_defined() {
    for form in Form::all() {
        for (index, size) in SIZES.into_iter().enumerate() {
            for parts in [index, 15 - index, 4, 15] {
                let inputs = Inputs::draw(form.cell, size, parts);
                let (outputs, last) = naive(&form, &inputs);
                let what = format!("{form:?} of {size:?}, parts {parts:04b}");
                let (found, _) = form.recurrence().of(&inputs.of());
                near(&what, &found.sequence().unwrap(), &outputs, 1e-11);
                let (single, _) = form.recurrence().of(&inputs.to::<f32>().of());
                near(&what, &single.sequence().unwrap(), &outputs, 2e-4);
                let (short, _) = form.recurrence().sequences(false).of(&inputs.of());
                assert!(short.sequence().is_none());
                for (state, last) in last.iter().enumerate() {
                    near(&what, &found.state(state), last, 1e-11);
                    assert_eq!(found.state(state), short.state(state), "{what}");
                }
            }
        }
    }
}

/// All that a recurrence gives, and its gradients.
fn results(form: &Form, inputs: &Inputs<f32>) -> Vec<Vec<f32>> {
    let how = form.recurrence();
    let (outputs, trace): (RecurrentOutputs<f32>, _) = how.of(&inputs.of());
    let g = outputs.packed.map(|y| y * 2.0 + 0.1);
    let wanted = [true; RECURRENT_GRADIENTS];
    let gradients = how.gradient(&inputs.kernel, &inputs.recurrent_kernel, trace, &g, wanted);
    let mut results = vec![outputs.packed.to_vec()];
    results.extend(gradients.into_iter().flatten().map(|gradient| gradient.to_vec()));
    results
}

#[test]
fn the_bits_are_the_same_for_any_number_of_threads() {
    for form in Form::all().filter(|form| !form.zero_output_for_mask) {
        for size in [[33, 5, 20, 40], [6, 3, 4, 130]] {
            let inputs = Inputs::draw(form.cell, size, if form.go_backwards { 15 } else { 3 }).to::<f32>();
            let of = |threads: usize| {
                let pool = rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| results(&form, &inputs))
            };
            let one = of(1);
            assert!([2, 3].into_iter().all(|threads| of(threads) == one), "{form:?} of {size:?}");
        }
    }
}

#[test]
fn views_are_walked_along_as_their_copies() {
    let copy = |x: &Tensor| Tensor::from_vec(x.to_vec(), x.shape().clone()).unwrap();
    for form in Form::all() {
        let mut inputs = Inputs::draw(form.cell, [4, 6, 3, 10], 7).to::<f32>();
        let wide: Tensor = Generator::new(9).normal([6, 8, 3], 0.0, 1.0);
        inputs.x = wide.permute([1, 0, 2]).flip(1).slice(0, gradus_tensor::step(.., 2));
        inputs.kernel = copy(&inputs.kernel.t()).t();
        inputs.recurrent_kernel = copy(&inputs.recurrent_kernel.t()).t();
        inputs.mask = inputs.mask.map(|mask| mask.flip(0));
        let views = results(&form, &inputs);
        inputs.x = copy(&inputs.x);
        inputs.kernel = copy(&inputs.kernel);
        inputs.recurrent_kernel = copy(&inputs.recurrent_kernel);
        assert_eq!(views, results(&form, &inputs), "{form:?}");
    }
}

#[test]
fn what_a_mask_leaves_out_may_be_anything() {
    for form in Form::all() {
        let mut inputs = Inputs::draw(form.cell, [5, 7, 3, 9], 7).to::<f32>();
        let expected = results(&form, &inputs);
        let there = inputs.mask.as_ref().unwrap().unsqueeze(-1).broadcast_to([5, 7, 3]);
        for nothing in [f32::NAN, f32::INFINITY] {
            inputs.x = there.where_(&inputs.x, nothing);
            assert_eq!(results(&form, &inputs), expected, "{form:?}");
        }
    }
}

#[test]
fn what_is_not_a_number_stays_in_its_row() {
    for form in Form::all().filter(|form| form.usual) {
        let mut inputs = Inputs::draw(form.cell, [3, 4, 2, 6], 1).to::<f32>();
        let (expected, _) = form.recurrence::<f32>().of(&inputs.of());
        let mut x = inputs.x.to_vec();
        x[8] = f32::NAN;
        inputs.x = Tensor::from_vec(x, [3, 4, 2]).unwrap();
        let (found, _) = form.recurrence::<f32>().of(&inputs.of());
        assert!(found.state(0).select(0, 1).is_nan().all(..).item(), "{form:?}");
        for row in [0, 2] {
            assert_eq!(found.state(0).select(0, row), expected.state(0).select(0, row), "{form:?}");
        }
    }
}

#[test]
fn the_largest_numbers_have_finite_results() {
    for form in Form::all() {
        for large in [1e30_f32, -1e30, 3e38] {
            let mut inputs = Inputs::draw(form.cell, [3, 4, 1, 9], 7).to::<f32>();
            inputs.x = Tensor::full([3, 4, 1], large);
            // Units of either sign, so that gates are open, and closed.
            inputs.kernel = inputs.kernel.sign();
            for (index, numbers) in results(&form, &inputs).iter().enumerate() {
                // (A sum of gradients of 1e30 may be large, but not NaN.)
                assert!(numbers.iter().all(|x| x.is_finite()), "{form:?} of {large}: result {index}: {numbers:?}");
            }
        }
    }
}
