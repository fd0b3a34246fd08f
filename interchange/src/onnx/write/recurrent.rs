//! Layers that walk along sequences: LSTM, GRU, SimpleRNN.
//!
//! Cells with an activation that ONNX does not know within them are written step by step ([`super::steps`]).

use gradus_nn::{Activation, Result};
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value as Json;

use super::graph::{Length, Value, attribute, int, text};
use super::place::Place;
use super::steps;
use super::there::There;
use crate::onnx::proto::AttributeValue;

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
    let Walked { sequence, output, states } = match (Operator::of(&place.kind, options), &x.mask) {
        (None, _) => steps::walk(place, options, x, states, back)?,
        (Some(operator), None) => operator.walk(place, options, x, states, back)?,
        (Some(operator), Some(mask)) => operator.walk_there(place, options, x, mask, states)?,
    };
    let units = || Length::Is(options.units);
    let output = match sequence.filter(|_| options.return_sequences) {
        // Outputs that stand in another order than the inputs still have the inputs' mask, as in the model.
        Some((name, order)) => Value { order: order.to_vec(), ..Value::new(name, vec![x.shape[0].clone(), units()]) }
            .with_mask(x.mask.clone()),
        None => Value::new(output, vec![units()]),
    };
    let states = states.into_iter().filter(|_| options.return_state);
    Ok(std::iter::once(output).chain(states.map(|name| Value::new(name, vec![units()]))).collect())
}

/// A function within a cell: what ONNX calls it, and its alpha and beta if it takes them.
type Function = (&'static str, Option<f64>, Option<f64>);

/// What ONNX has within cells for an activation; `None` if nothing.
fn function(activation: Activation) -> Option<Function> {
    Some(match activation {
        Activation::Linear => ("Affine", Some(1.0), Some(0.0)),
        Activation::Relu => ("Relu", None, None),
        Activation::Tanh => ("Tanh", None, None),
        Activation::Sigmoid => ("Sigmoid", None, None),
        Activation::HardSigmoid => ("HardSigmoid", Some(1.0 / 6.0), Some(0.5)),
        Activation::SparseSigmoid => ("HardSigmoid", Some(0.5), Some(0.5)),
        Activation::LeakyRelu { negative_slope } => ("LeakyRelu", Some(negative_slope), None),
        Activation::Elu { alpha } => ("Elu", Some(alpha), None),
        Activation::Softsign => ("Softsign", None, None),
        Activation::Softplus => ("Softplus", None, None),
        _ => return None,
    })
}

/// The operator for a cell.
struct Operator {
    op: &'static str,
    /// Which of our gates ONNX's gates are.
    gates: &'static [usize],
    functions: Vec<Function>,
    states: usize,
}

impl Operator {
    /// The operator for a layer; `None` if it does not know the activations.
    fn of(kind: &str, options: &Options) -> Option<Self> {
        let (gate, state) = (function(options.recurrent_activation)?, function(options.activation)?);
        Some(match kind {
            // Ours are i, f, c, o.
            "LSTM" => Operator { op: "LSTM", gates: &[0, 3, 1, 2], functions: vec![gate, state, state], states: 2 },
            // Both are z, r, h.
            "GRU" => Operator { op: "GRU", gates: &[0, 1, 2], functions: vec![gate, state], states: 1 },
            _ => Operator { op: "RNN", gates: &[0], functions: vec![state], states: 1 },
        })
    }

    /// Columns `[.., gates * units]` as rows `[1, gates * units, ..]`, in ONNX's order of gates.
    fn turned(&self, columns: &Tensor<f32>) -> Tensor<f32> {
        let rows = if columns.ndim() == 1 { columns.clone() } else { columns.t() };
        let units = rows.shape()[0] / self.gates.len();
        let gate = |&gate: &usize| rows.slice(0, gate * units..(gate + 1) * units);
        Tensor::concat(&self.gates.iter().map(gate).collect::<Vec<Tensor<f32>>>(), 0).unsqueeze(0)
    }

    /// Along sequences all of whose steps are there.
    fn walk(
        &self,
        place: &mut Place<'_>,
        options: &Options,
        x: &Value,
        states: &[Value],
        back: bool,
    ) -> Result<Walked> {
        let mut outputs = self.run(place, options, x, "", states, back || options.go_backwards)?;
        let sequence = outputs.remove(0).map(|sequence| match options.go_backwards {
            // The operator gives outputs at the places of their steps, the layer in the order in which it computes them.
            true => place.flipped(&sequence, 0),
            false => sequence,
        });
        let states: Vec<String> = outputs.into_iter().flatten().collect();
        Ok(Walked { sequence: sequence.map(|name| (name, [1, 0, 2])), output: states[0].clone(), states })
    }

    /// Along sequences of which a mask says which steps are there.
    fn walk_there(
        &self,
        place: &mut Place<'_>,
        options: &Options,
        x: &Value,
        mask: &str,
        states: &[Value],
    ) -> Result<Walked> {
        let x = place.plain(x);
        let (x, mask) = match options.go_backwards {
            true => (Value { name: place.flipped(&x.name, 1), ..x }, place.flipped(mask, 1)),
            false => (x, mask.to_owned()),
        };
        let there = There::new(place, &x, &mask);
        let moved = there.to_front(place, &x);
        let mut outputs = self.run(place, options, &moved, &there.lengths, states, false)?;
        // Where no step is there, the states stay as they were.
        let zero = place.graph.number(0.0);
        let first = |state: usize| states.get(state).map_or(&*zero, |state| &*state.name);
        let sequence = outputs.remove(0).map(|sequence| {
            let sequence = place.transposed(&sequence, &[1, 0, 2]);
            (there.to_places(place, &sequence, first(0), &mask, options.zero_output_for_mask), [0, 1, 2])
        });
        let is_any = place.unsqueezed(&there.is_any, 1);
        let mut last = Vec::new();
        for (state, name) in outputs.into_iter().flatten().enumerate() {
            last.push(place.node("Where", &[&is_any, &name, first(state)], vec![]));
        }
        let output = last_output(place, options, &last[0], &mask);
        Ok(Walked { sequence, output, states: last })
    }

    /// The outputs of the operator: the sequence `[steps, n, units]` if it is asked for, and the last states `[n, units]`.
    fn run(
        &self,
        place: &mut Place<'_>,
        options: &Options,
        x: &Value,
        lengths: &str,
        states: &[Value],
        is_turned: bool,
    ) -> Result<Vec<Option<String>>> {
        let kernel = place.turned("kernel", "", |kernel| Ok(self.turned(&kernel)))?;
        let recurrent_kernel = place.turned("recurrent_kernel", "", |kernel| Ok(self.turned(&kernel)))?;
        let bias = match options.use_bias {
            // Those of the inputs, then those of the states, which only a GRU that resets afterwards has.
            true => place.turned("bias", "", |bias| {
                let (of_inputs, of_states) = match bias.ndim() {
                    1 => (bias.clone(), bias.zeros_like()),
                    _ => (bias.select(0, 0), bias.select(0, 1)),
                };
                Ok(Tensor::concat(&[self.turned(&of_inputs), self.turned(&of_states)], 1))
            })?,
            false => String::new(),
        };
        let names = self.functions.iter().map(|(name, ..)| name.as_bytes().to_vec()).collect();
        let alphas: Vec<f32> = self.functions.iter().filter_map(|(_, alpha, _)| Some((*alpha)? as f32)).collect();
        let betas: Vec<f32> = self.functions.iter().filter_map(|(.., beta)| Some((*beta)? as f32)).collect();
        let mut attributes = vec![
            int("hidden_size", options.units as i64),
            text("direction", if is_turned { "reverse" } else { "forward" }),
            attribute("activations", AttributeValue::Texts(names)),
        ];
        for (name, values) in [("activation_alpha", alphas), ("activation_beta", betas)] {
            if !values.is_empty() {
                attributes.push(attribute(name, AttributeValue::Floats(values)));
            }
        }
        if self.op == "GRU" {
            attributes.push(int("linear_before_reset", options.reset_after.into()));
        }
        let x = place.arranged(x, &[1, 0, 2]);
        let states: Vec<String> = states.iter().map(|state| place.unsqueezed(&state.name, 0)).collect();
        let mut inputs = vec![&*x.name, &*kernel, &*recurrent_kernel, &*bias, lengths];
        inputs.extend(states.iter().map(String::as_str));
        while inputs.last().is_some_and(|input| input.is_empty()) {
            inputs.pop();
        }
        let outputs = place.nodes(self.op, &inputs, attributes, 1 + self.states);
        let sequence = options.return_sequences.then(|| place.squeezed(&outputs[0], 1));
        let states = outputs[1..].iter().map(|state| Some(place.squeezed(state, 0)));
        Ok(std::iter::once(sequence).chain(states).collect())
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
