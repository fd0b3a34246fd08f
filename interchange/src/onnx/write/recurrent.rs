//! Layers that walk along sequences: LSTM, GRU, SimpleRNN.
//!
//! The operators of ONNX are used as all runtimes understand them: forwards, with tanh and the sigmoid, over whole sequences. For the
//! direction, for other activations and for lengths there are attributes and inputs, which some runtimes leave out without a word
//! (tract 0.23.9, the reference of onnx 1.22.0). So sequences are turned before and after, and other cells are written step by step
//! ([`super::steps`]).

use gradus_nn::{Activation, Result};
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value as Json;

use super::graph::{Length, Value, int};
use super::place::Place;
use super::steps;
use super::there::There;

/// The options of the three layers; each has some of the last ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    pub units: usize,
    pub activation: Activation,
    pub use_bias: bool,
    pub return_sequences: bool,
    return_state: bool,
    pub go_backwards: bool,
    pub zero_output_for_mask: bool,
    #[serde(default)]
    pub recurrent_activation: Activation,
    #[serde(default)]
    pub reset_after: bool,
}

/// LSTM, GRU, SimpleRNN.
pub(super) fn recurrent(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let options: Options = place.options(config)?;
    walk(place, &options, inputs, false)
}

/// What a layer gives that has walked along sequences.
pub(super) struct Walked {
    /// The outputs of all steps, if they are asked for, with the order of their axes.
    pub sequence: Option<(String, [usize; 3])>,
    /// The output of the last step, `[n, units]`.
    pub output: String,
    /// The states after it, `[n, units]`.
    pub states: Vec<String>,
}

/// The outputs of a layer that walks along sequences. If it walks `back`, from the last step to the first, it gives the outputs at the
/// places of their steps; that is for a layer without `go_backwards` and inputs without a mask.
pub(super) fn walk(place: &mut Place<'_>, options: &Options, inputs: &[Value], back: bool) -> Result<Vec<Value>> {
    let Some((x, states)) = inputs.split_first() else { return Err(place.error("it has no inputs", "")) };
    let turned = match back || options.go_backwards {
        true => turned(place, x),
        false => x.clone(),
    };
    let Walked { sequence, output, states } = match (Operator::of(&place.kind, options), &turned.mask) {
        (Some(operator), None) => operator.walk(place, options, &turned, states)?,
        // What the operator gives as the last cell state is that behind the padding.
        (Some(operator), Some(mask)) if !(options.return_state && operator.states > 1) => {
            operator.walk_there(place, options, &turned, mask, states)?
        }
        _ => steps::walk(place, options, &turned, states)?,
    };
    let units = || Length::Is(options.units);
    let output = match sequence.filter(|_| options.return_sequences) {
        Some((name, order)) => {
            // Outputs that stand in another order than the inputs still have the inputs' mask, as in the model.
            let sequence = Value::new(name, vec![x.shape[0].clone(), units()]).with_mask(x.mask.clone());
            let sequence = Value { order: order.to_vec(), ..sequence };
            match back {
                true => Value { name: place.flipped(&sequence.name, sequence.place(1)), ..sequence },
                false => sequence,
            }
        }
        None => Value::new(output, vec![units()]),
    };
    let states = states.into_iter().filter(|_| options.return_state);
    Ok(std::iter::once(output).chain(states.map(|name| Value::new(name, vec![units()]))).collect())
}

/// Sequences and their mask from back to front.
pub(super) fn turned(place: &mut Place<'_>, x: &Value) -> Value {
    let x = place.plain(x);
    let mask = x.mask.clone().map(|mask| place.flipped(&mask, 1));
    Value { name: place.flipped(&x.name, 1), ..x }.with_mask(mask)
}

/// The operator for a cell.
struct Operator {
    op: &'static str,
    /// Which of our gates ONNX's gates are.
    gates: &'static [usize],
    states: usize,
}

impl Operator {
    /// The operator for a layer; `None` if its activations are not the usual ones.
    fn of(kind: &str, options: &Options) -> Option<Self> {
        if options.activation != Activation::Tanh {
            return None;
        }
        let has_usual_gates = options.recurrent_activation == Activation::Sigmoid;
        match kind {
            // Ours are i, f, c, o.
            "LSTM" if has_usual_gates => Some(Operator { op: "LSTM", gates: &[0, 3, 1, 2], states: 2 }),
            // Both are z, r, h.
            "GRU" if has_usual_gates => Some(Operator { op: "GRU", gates: &[0, 1, 2], states: 1 }),
            "SimpleRNN" => Some(Operator { op: "RNN", gates: &[0], states: 1 }),
            _ => None,
        }
    }

    /// Columns `[.., gates * units]` as rows `[1, gates * units, ..]`, in ONNX's order of gates.
    fn turned(&self, columns: &Tensor<f32>) -> Tensor<f32> {
        let rows = if columns.ndim() == 1 { columns.clone() } else { columns.t() };
        let units = rows.shape()[0] / self.gates.len();
        let gate = |&gate: &usize| rows.slice(0, gate * units..(gate + 1) * units);
        Tensor::concat(&self.gates.iter().map(gate).collect::<Vec<Tensor<f32>>>(), 0).unsqueeze(0)
    }

    /// Along sequences all of whose steps are there.
    fn walk(&self, place: &mut Place<'_>, options: &Options, x: &Value, states: &[Value]) -> Result<Walked> {
        let outputs = self.run(place, options, x, states)?;
        let sequence = options.return_sequences.then(|| (place.squeezed(&outputs[0], 1), [1, 0, 2]));
        let states: Vec<String> = outputs[1..].iter().map(|state| place.squeezed(state, 0)).collect();
        Ok(Walked { sequence, output: states[0].clone(), states })
    }

    /// Along sequences of which a mask says which steps are there. Of the states it gives the first.
    fn walk_there(
        &self,
        place: &mut Place<'_>,
        options: &Options,
        x: &Value,
        mask: &str,
        states: &[Value],
    ) -> Result<Walked> {
        let x = place.plain(x);
        let there = There::new(place, &x, mask);
        let moved = there.to_front(place, &x);
        let sequence = self.run(place, options, &moved, states)?.remove(0);
        let sequence = place.squeezed(&sequence, 1);
        let sequence = place.transposed(&sequence, &[1, 0, 2]);
        let zero = place.graph.number(0.0);
        let first = states.first().map_or(&*zero, |state| &*state.name);
        let state = there.last(place, &sequence, first);
        let output = last_output(place, options, &state, mask);
        let sequence = options
            .return_sequences
            .then(|| (there.to_places(place, &sequence, first, mask, options.zero_output_for_mask), [0, 1, 2]));
        Ok(Walked { sequence, output, states: vec![state] })
    }

    /// The outputs of the operator: the sequence `[steps, 1, n, units]`, and the last states `[1, n, units]`.
    fn run(&self, place: &mut Place<'_>, options: &Options, x: &Value, states: &[Value]) -> Result<Vec<String>> {
        let kernel = place.turned("kernel", "rows", |kernel| Ok(self.turned(&kernel)))?;
        let recurrent_kernel = place.turned("recurrent_kernel", "rows", |kernel| Ok(self.turned(&kernel)))?;
        let bias = match options.use_bias {
            // Those of the inputs, then those of the states, which only a GRU that resets afterwards has.
            true => place.turned("bias", "rows", |bias| {
                let (of_inputs, of_states) = match bias.ndim() {
                    1 => (bias.clone(), bias.zeros_like()),
                    _ => (bias.select(0, 0), bias.select(0, 1)),
                };
                Ok(Tensor::concat(&[self.turned(&of_inputs), self.turned(&of_states)], 1))
            })?,
            false => String::new(),
        };
        let mut attributes = vec![int("hidden_size", options.units as i64)];
        if self.op == "GRU" {
            attributes.push(int("linear_before_reset", options.reset_after.into()));
        }
        let x = place.arranged(x, &[1, 0, 2]);
        let states: Vec<String> = states.iter().map(|state| place.unsqueezed(&state.name, 0)).collect();
        let mut inputs = vec![&*x.name, &*kernel, &*recurrent_kernel, &*bias, ""];
        inputs.extend(states.iter().map(String::as_str));
        while inputs.last().is_some_and(|input| input.is_empty()) {
            inputs.pop();
        }
        Ok(place.nodes(self.op, &inputs, attributes, 1 + self.states))
    }
}

/// The output of a layer that gives that of the last step it computes: the state, or 0 if that step is not there and the layer is to
/// clear it.
pub(super) fn last_output(place: &mut Place<'_>, options: &Options, state: &str, mask: &str) -> String {
    if !options.zero_output_for_mask {
        return state.to_owned();
    }
    let (is_there, zero) = (place.slice(mask, 1, [-1, i64::MAX, 1]), place.graph.number(0.0));
    place.node("Where", &[&is_there, state, &zero], vec![])
}
