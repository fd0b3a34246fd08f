//! Recurrences: one op for all the steps of a cell over sequences.

use super::elements;
use crate::element::Float;
use crate::kernels::gemm::Mat;
use crate::kernels::recurrence::{self as kernels, OutputGradient, Steps};
use crate::recurrence::{Recurrence, RecurrentCell};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// What a recurrence is given. Shapes are `[n, steps, features]` for x, `[features, gates units]` for the kernel,
/// `[units, gates units]` for the recurrent kernel, and `[n, units]` for each state.
///
/// ```
/// use gradus_tensor::{Recurrence, RecurrentInputs, Tensor};
/// let (x, one) = (Tensor::new([[[2.0], [9.0]]]), Tensor::new([[1.0]]));
/// let mask = Tensor::from([[true, false]]);
/// let inputs = RecurrentInputs { mask: Some(&mask), ..RecurrentInputs::new(&x, &one, &one) };
/// let (outputs, _) = Recurrence::simple().of(&inputs);
/// // The second step is padding, and changes no state.
/// assert!(outputs.state(0).allclose(&Tensor::new([[2.0_f32.tanh()]]), 1e-6, 0.0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RecurrentInputs<'a, T: Float> {
    /// The sequences.
    pub x: &'a Tensor<T>,
    /// W
    pub kernel: &'a Tensor<T>,
    /// U
    pub recurrent_kernel: &'a Tensor<T>,
    /// The bias, whose shape the cell [says](RecurrentCell::bias_shape); none for 0.
    pub bias: Option<&'a Tensor<T>>,
    /// The first states, h and, for an LSTM, c; none for 0.
    pub states: [Option<&'a Tensor<T>>; 2],
    /// `[n, steps]`: whether there is something. A step that is left out changes no state.
    pub mask: Option<&'a Tensor<bool>>,
    /// `[n, units]`: what the state h is multiplied with before each product, as dropout does. The same for all steps and gates.
    pub recurrent_dropout: Option<&'a Tensor<T>>,
}

impl<'a, T: Float> RecurrentInputs<'a, T> {
    /// Sequences and kernels, without a bias, a mask and dropout, from states of 0.
    pub fn new(x: &'a Tensor<T>, kernel: &'a Tensor<T>, recurrent_kernel: &'a Tensor<T>) -> Self {
        let (bias, states) = (None, [None; 2]);
        RecurrentInputs { x, kernel, recurrent_kernel, bias, states, mask: None, recurrent_dropout: None }
    }
}

/// What a recurrence gives: all in one tensor of one axis, so that one op can have several results.
///
/// ```
/// use gradus_tensor::{Recurrence, RecurrentInputs, Tensor};
/// // A GRU of 2 units over 3 steps; all weights are 0, so all states are 0.
/// let x = Tensor::<f32>::zeros([1, 3, 4]);
/// let (kernel, recurrent_kernel) = (Tensor::zeros([4, 6]), Tensor::zeros([2, 6]));
/// let (outputs, _) = Recurrence::gru(true).of(&RecurrentInputs::new(&x, &kernel, &recurrent_kernel));
/// assert_eq!((outputs.sequence(), outputs.state(0)), (Some(Tensor::zeros([1, 3, 2])), Tensor::zeros([1, 2])));
/// ```
#[derive(Clone, Debug)]
pub struct RecurrentOutputs<T: Float> {
    /// All elements.
    pub packed: Tensor<T>,
    /// Where the parts lie.
    pub parts: RecurrentParts,
}

/// Where the parts of [`RecurrentOutputs`] lie.
///
/// ```
/// use gradus_tensor::{Recurrence, RecurrentInputs, Tensor};
/// let (x, one) = (Tensor::new([[[1.0], [2.0]]]), Tensor::new([[1.0]]));
/// let (outputs, _) = Recurrence::simple().of(&RecurrentInputs::new(&x, &one, &one));
/// let (places, shape) = outputs.parts.sequence().unwrap();
/// assert_eq!((places.len(), shape), (2, [2, 1, 1])); // Step by step.
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RecurrentParts {
    steps: usize,
    rows: usize,
    units: usize,
    /// Where the outputs of all steps begin, step by step.
    sequence: Option<usize>,
    /// Where the states begin.
    states: usize,
}

impl RecurrentParts {
    /// The range of the outputs of all steps, if they are given: of `[steps, n, units]`.
    pub fn sequence(&self) -> Option<(std::ops::Range<usize>, [usize; 3])> {
        let range = |start| start..start + self.steps * self.state_size();
        self.sequence.map(|start| (range(start), [self.steps, self.rows, self.units]))
    }

    /// The range of a last state, counted from 0: of `[n, units]`.
    pub fn state(&self, index: usize) -> (std::ops::Range<usize>, [usize; 2]) {
        let start = self.states + index * self.state_size();
        (start..start + self.state_size(), [self.rows, self.units])
    }

    fn state_size(&self) -> usize {
        self.rows * self.units
    }

    /// Whether the last state h is the last output, too.
    fn overlaps(&self) -> bool {
        self.steps > 0 && self.sequence.is_some_and(|start| start > 0)
    }
}

impl<T: Float> RecurrentOutputs<T> {
    /// The outputs of all steps `[n, steps, units]`, if they were asked for.
    pub fn sequence(&self) -> Option<Tensor<T>> {
        let (range, shape) = self.parts.sequence()?;
        Some(self.packed.slice(0, range).reshape(shape).permute([1, 0, 2]))
    }

    /// A last state `[n, units]`, counted from 0.
    ///
    /// # Panics
    /// If there are fewer.
    #[track_caller]
    pub fn state(&self, index: usize) -> Tensor<T> {
        let (range, shape) = self.parts.state(index);
        self.packed.slice(0, range).reshape(shape)
    }
}

/// What [`Recurrence::gradient`] needs of the way forward.
///
/// ```
/// use gradus_tensor::{Recurrence, RecurrentInputs, Tensor};
/// let (x, one) = (Tensor::new([[[0.0]]]), Tensor::new([[1.0]]));
/// let recurrence = Recurrence::simple();
/// let (outputs, trace) = recurrence.of(&RecurrentInputs::new(&x, &one, &one));
/// // The derivative of tanh is 1 at 0, here for the inputs alone.
/// let wanted = [true, false, false, false, false, false];
/// let gradients = recurrence.gradient(&one, &one, trace, &outputs.packed.ones_like(), wanted);
/// assert_eq!(gradients[0], Some(Tensor::new([[[1.0]]])));
/// ```
#[derive(Clone, Debug)]
pub struct RecurrentTrace<T: Float> {
    parts: RecurrentParts,
    /// `[steps, n, features]`, in the order of the steps.
    x: Tensor<T>,
    /// `[steps, n, gates units]`: the gates.
    gates: Tensor<T>,
    /// `[steps + 1, n, units]`: the states h, one axis.
    h: Tensor<T>,
    /// The states c of an LSTM, likewise.
    c: Tensor<T>,
    /// `[steps, n, units]`: what a GRU keeps of the reset.
    inner: Tensor<T>,
    /// `[steps, n, units]`: the states that were multiplied, if dropout made others of them.
    fed: Tensor<T>,
    dropout: Option<Tensor<T>>,
    /// `[steps, n]`
    mask: Option<Tensor<bool>>,
    /// `[steps, n]`: which outputs came from the state, if not all.
    counts: Option<Tensor<bool>>,
}

/// The inputs of a recurrence that have gradients, in the order of [`Recurrence::gradient`].
pub const RECURRENT_GRADIENTS: usize = 6;

impl<T: Float> Recurrence<T> {
    /// The outputs and last states of sequences, and what the [gradient](Recurrence::gradient) needs.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn of(&self, inputs: &RecurrentInputs<'_, T>) -> (RecurrentOutputs<T>, RecurrentTrace<T>) {
        let [rows, steps, features, units] = self.check(inputs);
        let gates = self.cell.gates();
        let mut x = self.by_step(inputs.x).contiguous();
        let mask = inputs.mask.map(|mask| self.by_step(mask).contiguous());
        if let Some(mask) = &mask {
            // Whatever stands there, it is multiplied by 0 in the gradient of the kernel.
            let rows = x.as_mut_slice().chunks_exact_mut(features.max(1)).zip(elements(mask));
            rows.filter(|(_, is_there)| !**is_there).for_each(|(row, _)| row.fill(T::ZERO));
        }
        let dropout = inputs.recurrent_dropout.map(Tensor::contiguous);
        let (kernel, recurrent) = (inputs.kernel.contiguous(), inputs.recurrent_kernel.contiguous());
        let bias = match inputs.bias {
            Some(bias) => bias.contiguous(),
            None => Tensor::zeros(self.cell.bias_shape(units)),
        };
        let mut z = Tensor::written([steps, rows, gates * units].into(), |z| {
            T::gemm(whole(&x, [steps * rows, features]), whole(&kernel, [features, gates * units]), z);
        });
        let [mut h, mut c] = [0, 1].map(|index| match index < self.cell.states() {
            true => states_from(inputs.states[index], steps, rows * units),
            false => Tensor::zeros([0]),
        });
        let empty = || Tensor::<T>::zeros([0]);
        let kept = || Tensor::written([steps, rows, units].into(), |_| ());
        let mut fed = dropout.as_ref().map_or_else(empty, |_| kept());
        let mut inner = if matches!(self.cell, RecurrentCell::Gru { .. }) { kept() } else { empty() };
        let pass = self.steps([steps, rows, units], &mask, &dropout);
        let (bias, recurrent) = (elements(&bias), elements(&recurrent));
        let columns = |first, count| {
            let width = gates * units;
            Mat::new(recurrent, first, [units, count], [width as isize, 1])
        };
        let [z_out, h_out, fed_out] = [&mut z, &mut h, &mut fed].map(Tensor::as_mut_slice);
        match self.cell {
            RecurrentCell::Simple => kernels::simple::forward(&pass, columns(0, units), bias, [z_out, h_out, fed_out]),
            RecurrentCell::Lstm => {
                let buffers = [z_out, h_out, c.as_mut_slice(), fed_out];
                kernels::lstm::forward(&pass, columns(0, 4 * units), bias, buffers);
            }
            RecurrentCell::Gru { reset_after } => {
                let matrices = kernels::gru::Recurrent {
                    gates: columns(0, 2 * units),
                    candidate: columns(2 * units, units),
                    reset_after,
                };
                let biases = bias.split_at(3 * units).into();
                kernels::gru::forward(&pass, matrices, biases, [z_out, h_out, inner.as_mut_slice(), fed_out]);
            }
        }
        let (outputs, counts) = self.pack([steps, rows, units], &mask, &h, &c);
        let parts = outputs.parts;
        (outputs, RecurrentTrace { parts, x, gates: z, h, c, inner, fed, dropout, mask, counts })
    }

    /// The gradients by x, kernel, recurrent kernel, bias and the two states, as far as they are wanted, from the gradient of
    /// [`packed`](RecurrentOutputs::packed). A gradient by what was not given, or by a state that the cell does not have, is
    /// `None` or of no use.
    ///
    /// # Panics
    /// If the shapes do not fit each other.
    #[track_caller]
    pub fn gradient(
        &self,
        kernel: &Tensor<T>,
        recurrent_kernel: &Tensor<T>,
        trace: RecurrentTrace<T>,
        g: &Tensor<T>,
        wanted: [bool; RECURRENT_GRADIENTS],
    ) -> [Option<Tensor<T>>; RECURRENT_GRADIENTS] {
        let RecurrentTrace { parts, x, gates: mut z, h, c, mut inner, fed, dropout, mask, counts } = trace;
        let RecurrentParts { steps, rows, units, .. } = parts;
        let (gates, features) = (self.cell.gates(), x.shape()[2]);
        let pass = self.steps([steps, rows, units], &mask, &dropout);
        let (recurrent, g) = (recurrent_kernel.contiguous(), g.contiguous());
        let transposed = |first: usize, count: usize| {
            Mat::new(elements(&recurrent), first, [count, units], [1, (gates * units) as isize])
        };
        let of_outputs = OutputGradient {
            sequence: parts.sequence().map(|(range, _)| &elements(&g)[range]),
            counts: counts.as_ref().map(elements),
        };
        // Where the last state h is the last output, its gradient is among those of the outputs.
        let mut by_h = match parts.overlaps() {
            true => Tensor::zeros([rows, units]),
            false => part(&g, parts.state(0)),
        };
        let mut by_c = if self.cell.states() > 1 { part(&g, parts.state(1)) } else { Tensor::zeros([0]) };
        let width = if let RecurrentCell::Gru { .. } = self.cell { 4 } else { gates } * units;
        let tasks = pass.tasks();
        let mut sums = Tensor::<T>::written([tasks, width].into(), |_| ());
        let [z_out, h_out, sums_out] = [&mut z, &mut by_h, &mut sums].map(Tensor::as_mut_slice);
        match self.cell {
            RecurrentCell::Simple => {
                let buffers = [z_out, h_out, sums_out];
                kernels::simple::gradient(&pass, transposed(0, units), &of_outputs, elements(&h), buffers);
            }
            RecurrentCell::Lstm => {
                let buffers = [z_out, h_out, by_c.as_mut_slice(), sums_out];
                kernels::lstm::gradient(&pass, transposed(0, 4 * units), &of_outputs, elements(&c), buffers);
            }
            RecurrentCell::Gru { reset_after } => {
                let matrices = kernels::gru::Recurrent {
                    gates: transposed(0, 2 * units),
                    candidate: transposed(2 * units, units),
                    reset_after,
                };
                let buffers = [z_out, inner.as_mut_slice(), h_out, sums_out];
                kernels::gru::gradient(&pass, matrices, &of_outputs, elements(&h), buffers);
            }
        }
        let [wants_x, wants_kernel, wants_recurrent, wants_bias, ..] = wanted;
        let flat = z.reshape([steps * rows, gates * units]);
        let by_x = wants_x.then(|| {
            let by_x = flat.matmul(&kernel.t()).reshape([steps, rows, features]);
            self.by_step(&by_x.permute([1, 0, 2])).permute([1, 0, 2])
        });
        let by_kernel = wants_kernel.then(|| x.reshape([steps * rows, features]).t().matmul(&flat));
        let by_recurrent = wants_recurrent.then(|| {
            let before = if fed.is_empty() { h.slice(0, ..steps * rows * units) } else { fed };
            let before = before.reshape([steps * rows, units]).t();
            match self.cell {
                RecurrentCell::Gru { reset_after } => {
                    let inner = inner.reshape([steps * rows, units]);
                    let by_gates = before.matmul(&flat.slice(1, ..2 * units));
                    let by_candidate =
                        if reset_after { before.matmul(&inner) } else { inner.t().matmul(&flat.slice(1, 2 * units..)) };
                    Tensor::concat(&[by_gates, by_candidate], 1)
                }
                _ => before.matmul(&flat),
            }
        });
        let by_bias = wants_bias.then(|| {
            let sums = if tasks == 0 { Tensor::zeros([width]) } else { sums.sum(0) };
            match self.cell {
                RecurrentCell::Gru { reset_after: true } => {
                    let of_input = sums.slice(0, ..3 * units);
                    let of_product = [sums.slice(0, ..2 * units), sums.slice(0, 3 * units..)];
                    Tensor::stack(&[of_input, Tensor::concat(&of_product, 0)], 0)
                }
                _ => sums.slice(0, ..gates * units),
            }
        });
        [by_x, by_kernel, by_recurrent, by_bias, Some(by_h), Some(by_c)]
    }

    /// A tensor `[n, steps, ..]` as `[steps, n, ..]` in the order in which steps are taken.
    fn by_step<E: crate::Element>(&self, x: &Tensor<E>) -> Tensor<E> {
        let x = x.swap_axes(0, 1);
        if self.go_backwards { x.flip(0) } else { x }
    }

    fn steps<'a>(
        &'a self,
        [steps, rows, units]: [usize; 3],
        mask: &'a Option<Tensor<bool>>,
        dropout: &'a Option<Tensor<T>>,
    ) -> Steps<'a, T> {
        Steps {
            steps,
            rows,
            units,
            mask: mask.as_ref().map(elements),
            dropout: dropout.as_ref().map(elements),
            functions: (!self.is_usual()).then_some([&self.activation, &self.recurrent_activation]),
        }
    }

    /// What the recurrence gives, and which outputs came from the state.
    fn pack(
        &self,
        [steps, rows, units]: [usize; 3],
        mask: &Option<Tensor<bool>>,
        h: &Tensor<T>,
        c: &Tensor<T>,
    ) -> (RecurrentOutputs<T>, Option<Tensor<bool>>) {
        let size = rows * units;
        let last = [h, c].into_iter().take(self.cell.states()).map(|states| states.slice(0, steps * size..));
        let last = last.collect::<Vec<_>>();
        let parts = RecurrentParts { steps, rows, units, sequence: None, states: 0 };
        if !self.sequences {
            return (RecurrentOutputs { packed: Tensor::concat(&last, 0), parts }, None);
        }
        let Some(counts) = mask.clone().filter(|_| self.zero_output_for_mask) else {
            // The states are the outputs, those before the first step apart.
            let packed = match &last[1..] {
                [] => h.clone(),
                others => Tensor::concat(&[std::slice::from_ref(h), others].concat(), 0),
            };
            let parts = RecurrentParts { sequence: Some(size), states: steps * size, ..parts };
            return (RecurrentOutputs { packed, parts }, None);
        };
        let states = elements(h);
        let outputs: Tensor<T> = Tensor::written([steps * size].into(), |out| {
            for (place, out) in out.chunks_exact_mut(units).enumerate() {
                match elements(&counts)[place] {
                    true => out.copy_from_slice(&states[size + place * units..][..units]),
                    false => out.fill(T::ZERO),
                }
            }
        });
        let packed = Tensor::concat(&[&[outputs], &last[..]].concat(), 0);
        let parts = RecurrentParts { sequence: Some(0), states: steps * size, ..parts };
        (RecurrentOutputs { packed, parts }, Some(counts))
    }

    /// The numbers of rows, steps, features and units.
    #[track_caller]
    fn check(&self, inputs: &RecurrentInputs<'_, T>) -> [usize; 4] {
        let RecurrentInputs { x, kernel, recurrent_kernel, bias, states, mask, recurrent_dropout } = *inputs;
        let gates = self.cell.gates();
        let &[rows, steps, features] = &x.shape()[..] else { panic_x(x.shape()) };
        let units = recurrent_kernel.shape().first().copied().unwrap_or(0);
        if units == 0 {
            panic_units(recurrent_kernel.shape());
        }
        let mut shapes: Vec<(&str, &Shape, Shape)> = vec![
            ("recurrent kernel", recurrent_kernel.shape(), [units, gates * units].into()),
            ("kernel", kernel.shape(), [features, gates * units].into()),
        ];
        shapes.extend(bias.map(|bias| ("bias", bias.shape(), self.cell.bias_shape(units))));
        shapes.extend(states.iter().flatten().map(|state| ("state", state.shape(), [rows, units].into())));
        shapes.extend(mask.map(|mask| ("mask", mask.shape(), [rows, steps].into())));
        shapes.extend(recurrent_dropout.map(|dropout| ("dropout", dropout.shape(), [rows, units].into())));
        for (what, found, expected) in shapes {
            if *found != expected {
                panic_shape(what, found, &expected, x.shape());
            }
        }
        [rows, steps, features, units]
    }
}

#[cold]
#[track_caller]
fn panic_x(x: &Shape) -> ! {
    panic!("recurrence: sequences [n, steps, features] are needed: {x}")
}

#[cold]
#[track_caller]
fn panic_units(recurrent_kernel: &Shape) -> ! {
    panic!("recurrence: a recurrent kernel [units, gates units] of one unit or more is needed: {recurrent_kernel}")
}

#[cold]
#[track_caller]
fn panic_shape(what: &str, found: &Shape, expected: &Shape, x: &Shape) -> ! {
    panic!("recurrence: a {what} of {expected} is needed, found {found}, for sequences {x}")
}

/// A contiguous tensor as a matrix.
fn whole<T: Float>(x: &Tensor<T>, shape: [usize; 2]) -> Mat<'_, T> {
    Mat::new(elements(x), 0, shape, [shape[1] as isize, 1])
}

/// Room for the states before and after all steps, with the first ones in it.
fn states_from<T: Float>(first: Option<&Tensor<T>>, steps: usize, size: usize) -> Tensor<T> {
    let first = first.map(Tensor::contiguous);
    Tensor::written([(steps + 1) * size].into(), |states| match &first {
        Some(first) => states[..size].copy_from_slice(elements(first)),
        None => states[..size].fill(T::ZERO),
    })
}

/// A copy of a part of a packed gradient.
fn part<T: Float>(g: &Tensor<T>, (range, shape): (std::ops::Range<usize>, [usize; 2])) -> Tensor<T> {
    Tensor::written(shape.into(), |out| out.copy_from_slice(&elements(g)[range]))
}
