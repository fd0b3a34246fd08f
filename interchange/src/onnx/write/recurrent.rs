//! Layers that walk along sequences: LSTM, GRU, SimpleRNN, and both ways.
//!
//! ONNX knows padding at the end of sequences alone. With a mask, the steps that are there are moved to the front, and the outputs
//! back to their places.

use gradus_nn::{Activation, MergeMode, Result};
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value as Json;

use super::graph::{Length, Value, attribute, int, text};
use super::nested::inner;
use super::place::Place;
use crate::onnx::proto::{AttributeValue, element};

/// The options of the three layers; each has some of the last ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    units: usize,
    activation: Activation,
    use_bias: bool,
    return_sequences: bool,
    return_state: bool,
    go_backwards: bool,
    zero_output_for_mask: bool,
    #[serde(default)]
    recurrent_activation: Activation,
    #[serde(default)]
    reset_after: bool,
}

/// What ONNX calls a cell, and where its gates are among ours.
struct Cell {
    op: &'static str,
    gates: &'static [usize],
    /// The functions of the gates and of the state: the recurrent activation and the activation.
    functions: Vec<Activation>,
    states: usize,
}

impl Cell {
    fn of(kind: &str, options: &Options) -> Self {
        let (gate, state) = (options.recurrent_activation, options.activation);
        match kind {
            // Ours are i, f, c, o.
            "LSTM" => Cell { op: "LSTM", gates: &[0, 3, 1, 2], functions: vec![gate, state, state], states: 2 },
            // Both are z, r, h.
            "GRU" => Cell { op: "GRU", gates: &[0, 1, 2], functions: vec![gate, state], states: 1 },
            _ => Cell { op: "RNN", gates: &[0], functions: vec![state], states: 1 },
        }
    }

    /// Columns `[.., gates * units]` as rows `[1, gates * units, ..]`, in ONNX's order of gates.
    fn turned(&self, columns: &Tensor<f32>) -> Tensor<f32> {
        let rows = if columns.ndim() == 1 { columns.clone() } else { columns.t() };
        let units = rows.shape()[0] / self.gates.len();
        let gate = |&gate: &usize| rows.slice(0, gate * units..(gate + 1) * units);
        Tensor::concat(&self.gates.iter().map(gate).collect::<Vec<Tensor<f32>>>(), 0).unsqueeze(0)
    }
}

/// What ONNX calls an activation within a cell, with its alpha and beta if it takes them; `None` if it has none such.
fn function(activation: Activation) -> Option<(&'static str, Option<f64>, Option<f64>)> {
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

/// LSTM, GRU, SimpleRNN.
pub(super) fn recurrent(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    let options: Options = place.options(config)?;
    walk(place, &options, inputs, false)
}

/// The outputs of a layer that walks along sequences. If it walks `back`, from the last step to the first, it gives the outputs at the
/// places of their steps; that is for a layer without `go_backwards` and inputs without a mask.
fn walk(place: &mut Place<'_>, options: &Options, inputs: &[Value], back: bool) -> Result<Vec<Value>> {
    let Some((x, states)) = inputs.split_first() else { return Err(place.error("it has no inputs", "")) };
    let kind = place.kind.clone();
    let cell = Cell::of(&kind, options);
    let units = options.units;
    let weights = Weights::new(place, &cell, options)?;
    let given: Vec<String> = states.iter().map(|state| place.unsqueezed(&state.name, 0)).collect();
    let is_turned = back || options.go_backwards;
    let (sequence, mut last) = match x.mask.clone() {
        None => {
            let y = weights.run(place, &cell, x, None, &given, options, is_turned)?;
            let sequence = if options.go_backwards && options.return_sequences {
                y.sequence.map(|sequence| place.flipped(&sequence, 0))
            } else {
                y.sequence
            };
            // Steps are the first axis.
            let sequence = sequence.map(|name| (name, vec![1, 0, 2]));
            (sequence, y.states)
        }
        Some(mask) => {
            let x = place.plain(x);
            let (x, mask) = match options.go_backwards {
                true => {
                    let turned = place.flipped(&x.name, 1);
                    (Value { name: turned, ..x }, place.flipped(&mask, 1))
                }
                false => (x, mask),
            };
            let there = There::new(place, &x, &mask);
            let moved = there.to_front(place, &x);
            let y = weights.run(place, &cell, &moved, Some(&there), &given, options, false)?;
            // Where no step is there, the states stay as they were.
            let zero = place.graph.number(0.0);
            let first = |state: usize| states.get(state).map_or(&*zero, |state| &*state.name);
            let is_any = place.unsqueezed(&there.is_any, 1);
            let mut last = Vec::new();
            for (state, name) in y.states.iter().enumerate() {
                last.push(place.node("Where", &[&is_any, name, first(state)], vec![]));
            }
            let sequence = y.sequence.map(|sequence| {
                let sequence = place.transposed(&sequence, &[1, 0, 2]);
                let y = there.to_places(place, &sequence, first(0), &mask, options.zero_output_for_mask);
                (y, vec![0, 1, 2])
            });
            if options.zero_output_for_mask && !options.return_sequences {
                let is_last = place.slice(&mask, 1, [-1, i64::MAX, 1]);
                let output = place.node("Where", &[&is_last, &last[0], &zero], vec![]);
                last.insert(0, output);
            } else {
                last.insert(0, last[0].clone());
            }
            let mut outputs = finished(options, &cell, sequence, last, x.shape[0].clone(), units);
            // Outputs stand in the order in which they were computed, and so does what is said of them: as `Layer` does, it stays that
            // of the input.
            if options.return_sequences {
                outputs[0].mask = inputs[0].mask.clone();
            }
            return Ok(outputs);
        }
    };
    last.insert(0, last[0].clone());
    Ok(finished(options, &cell, sequence, last, x.shape[0].clone(), units))
}

/// The outputs of the layer: the sequence with its order of axes, or the first of `last`; then the states, which are the others.
fn finished(
    options: &Options,
    cell: &Cell,
    sequence: Option<(String, Vec<usize>)>,
    last: Vec<String>,
    steps: Length,
    units: usize,
) -> Vec<Value> {
    let mut last = last.into_iter();
    let output = last.next();
    let output = match (sequence, output) {
        (Some((name, order)), _) if options.return_sequences => {
            Value { order, ..Value::new(name, vec![steps, Length::Is(units)]) }
        }
        (_, output) => Value::new(output.unwrap_or_default(), vec![Length::Is(units)]),
    };
    let states = last.take(if options.return_state { cell.states } else { 0 });
    std::iter::once(output).chain(states.map(|name| Value::new(name, vec![Length::Is(units)]))).collect()
}

/// The weights of a cell, as ONNX has them.
struct Weights {
    kernel: String,
    recurrent_kernel: String,
    bias: String,
}

/// What the operator gives: the sequence `[steps, n, units]` if it is asked for, and the last states `[n, units]`.
struct Walked {
    sequence: Option<String>,
    states: Vec<String>,
}

impl Weights {
    fn new(place: &mut Place<'_>, cell: &Cell, options: &Options) -> Result<Self> {
        let kernel = place.turned("kernel", "", |kernel| Ok(cell.turned(&kernel)))?;
        let recurrent_kernel = place.turned("recurrent_kernel", "", |kernel| Ok(cell.turned(&kernel)))?;
        let bias = match options.use_bias {
            // Those of the inputs, then those of the states, which only a GRU that resets afterwards has.
            true => place.turned("bias", "", |bias| {
                let (of_inputs, of_states) = match bias.ndim() {
                    1 => (bias.clone(), bias.zeros_like()),
                    _ => (bias.select(0, 0), bias.select(0, 1)),
                };
                Ok(Tensor::concat(&[cell.turned(&of_inputs), cell.turned(&of_states)], 1))
            })?,
            false => String::new(),
        };
        Ok(Weights { kernel, recurrent_kernel, bias })
    }

    #[allow(clippy::too_many_arguments)] // Each is an input or an attribute of the operator.
    fn run(
        &self,
        place: &mut Place<'_>,
        cell: &Cell,
        x: &Value,
        there: Option<&There>,
        states: &[String],
        options: &Options,
        is_turned: bool,
    ) -> Result<Walked> {
        let (mut names, mut alphas, mut betas) = (Vec::new(), Vec::new(), Vec::new());
        for &activation in &cell.functions {
            let Some((name, alpha, beta)) = function(activation) else {
                let problem = format!("ONNX has no recurrent layer with the activation {activation:?}");
                return Err(place.error(problem, "take tanh, sigmoid, relu, or another that ONNX knows within cells"));
            };
            names.push(name.as_bytes().to_vec());
            alphas.extend(alpha.map(|alpha| alpha as f32));
            betas.extend(beta.map(|beta| beta as f32));
        }
        let direction = if is_turned { "reverse" } else { "forward" };
        let mut attributes = vec![
            int("hidden_size", options.units as i64),
            text("direction", direction),
            attribute("activations", AttributeValue::Texts(names)),
        ];
        for (name, values) in [("activation_alpha", alphas), ("activation_beta", betas)] {
            if !values.is_empty() {
                attributes.push(attribute(name, AttributeValue::Floats(values)));
            }
        }
        if cell.op == "GRU" {
            attributes.push(int("linear_before_reset", options.reset_after.into()));
        }
        let x = place.arranged(x, &[1, 0, 2]);
        let lengths = there.map_or("", |there| &*there.lengths);
        let mut inputs = vec![&*x.name, &*self.kernel, &*self.recurrent_kernel, &*self.bias, lengths];
        inputs.extend(states.iter().map(String::as_str));
        while inputs.last().is_some_and(|input| input.is_empty()) {
            inputs.pop();
        }
        let path = place.path.clone();
        let outputs = place.graph.nodes(&path, cell.op, &inputs, attributes, 1 + cell.states);
        let sequence = options.return_sequences.then(|| place.squeezed(&outputs[0], 1));
        let states = outputs[1..].iter().map(|state| place.squeezed(state, 0)).collect();
        Ok(Walked { sequence, states })
    }
}

/// Which steps of sequences are there, and how they are moved to the front and back.
struct There {
    /// The lengths of the sequences, 1 at least; for the operator, `[n]`.
    lengths: String,
    /// Whether there is a step at all, `[n]`.
    is_any: String,
    /// The number of steps that are there, up to each place, `[n, steps]`.
    counts: String,
    /// The steps that are there, then the others, `[n, steps, 1]`.
    order: String,
}

impl There {
    fn new(place: &mut Place<'_>, x: &Value, mask: &str) -> Self {
        let counted = place.counted(mask);
        let axis = place.graph.long(1);
        let counts = place.node("CumSum", &[&counted, &axis], vec![]);
        let count = place.reduced("ReduceSum", &counted, &[1], false);
        let (zero, one) = (place.graph.long(0), place.graph.long(1));
        let is_any = place.node("Greater", &[&count, &zero], vec![]);
        let lengths = place.node("Max", &[&count, &one], vec![]);
        let lengths = place.cast(&lengths, element::INT32);
        // Those that are there by their places, the others behind them all.
        let places = place.places(x, 1);
        let steps = place.length(x, 1);
        let behind = place.node("Add", &[&places, &steps], vec![]);
        let keys = place.node("Where", &[mask, &places, &behind], vec![]);
        let attributes = vec![int("axis", 1), int("largest", 0), int("sorted", 1)];
        let path = place.path.clone();
        let order = place.graph.nodes(&path, "TopK", &[&keys, &steps], attributes, 2).remove(1);
        let order = place.unsqueezed(&order, 2);
        There { lengths, is_any, counts, order }
    }

    /// Sequences `[n, steps, features]` with the steps that are there at the front.
    fn to_front(&self, place: &mut Place<'_>, x: &Value) -> Value {
        let name = place.node("GatherND", &[&x.name, &self.order], vec![int("batch_dims", 1)]);
        Value { name, mask: None, ..x.clone() }
    }

    /// Outputs `[n, steps, units]` at their places. A step that is not there has that of the step before, or the first state; or 0.
    fn to_places(&self, place: &mut Place<'_>, y: &str, before: &str, mask: &str, is_cleared: bool) -> String {
        let (zero, one) = (place.graph.long(0), place.graph.long(1));
        let last = place.node("Sub", &[&self.counts, &one], vec![]);
        let last = place.node("Max", &[&last, &zero], vec![]);
        let last = place.unsqueezed(&last, 2);
        let y = place.node("GatherND", &[y, &last], vec![int("batch_dims", 1)]);
        let number = place.graph.number(0.0);
        if is_cleared {
            let mask = place.unsqueezed(mask, 2);
            return place.node("Where", &[&mask, &y, &number], vec![]);
        }
        let is_later = place.node("Greater", &[&self.counts, &zero], vec![]);
        let is_later = place.unsqueezed(&is_later, 2);
        let before = if before == number { number } else { place.unsqueezed(before, 1) };
        place.node("Where", &[&is_later, &y, &before], vec![])
    }
}

/// Bidirectional.
pub(super) fn bidirectional(place: &mut Place<'_>, config: &Json, inputs: &[Value]) -> Result<Vec<Value>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapper {
        layer: Json,
        backward_layer: Option<Json>,
        merge_mode: MergeMode,
    }
    let Wrapper { layer, backward_layer, merge_mode } = place.options(config)?;
    let backward_layer = backward_layer.as_ref().unwrap_or(&layer);
    let Some((x, states)) = inputs.split_first() else { return Err(place.error("it has no inputs", "")) };
    let (of_there, of_back) = states.split_at(states.len() / 2);
    let there = inner(place, "forward", &layer, &[std::slice::from_ref(x), of_there].concat())?;
    let back = way_back(place, backward_layer, x, of_back)?;
    let mask = there[0].mask.clone();
    let (mut there, mut back) = (there.into_iter(), back.into_iter());
    let (Some(a), Some(b)) = (there.next(), back.next()) else {
        return Err(place.error("its layer has no output", ""));
    };
    let ways = [a, b].map(|way| match &mask {
        Some(mask) if way.rank() == x.rank() => place.cleared(&way, mask),
        _ => way,
    });
    let [a, b] = &ways;
    let mut outputs = match merge_mode {
        MergeMode::None => ways.to_vec(),
        MergeMode::Concat => {
            let (a, b) = (a.clone(), place.arranged(b, &a.order));
            let axis = a.place(a.rank()) as i64;
            let mut joined = a.clone();
            joined.name = place.node("Concat", &[&a.name, &b.name], vec![int("axis", axis)]);
            if let Some(last) = joined.shape.last_mut() {
                *last = last.map(format!("{}_features", place.path), |length| 2 * length);
            }
            vec![joined]
        }
        MergeMode::Mul => vec![super::elementwise::merge_two(place, "Mul", a, b)?],
        MergeMode::Sum => vec![super::elementwise::merge_two(place, "Add", a, b)?],
        MergeMode::Ave => {
            let sum = super::elementwise::merge_two(place, "Add", a, b)?;
            vec![place.with_number("Mul", &sum, 0.5)]
        }
    };
    for output in &mut outputs {
        output.mask.clone_from(&mask);
    }
    Ok(outputs.into_iter().chain(there).chain(back).collect())
}

/// The outputs of the layer that walks from the end, those of steps at the places of their steps.
fn way_back(place: &mut Place<'_>, layer: &Json, x: &Value, states: &[Value]) -> Result<Vec<Value>> {
    let kind = layer["layer"].as_str().unwrap_or_default();
    if ["LSTM", "GRU", "SimpleRNN"].contains(&kind) && x.mask.is_none() {
        let mut place = place.within("backward", None, kind);
        let options: Options = place.options(&layer["config"])?;
        if !options.go_backwards {
            return walk(&mut place, &options, &[std::slice::from_ref(x), states].concat(), true);
        }
    }
    let plain = place.plain(x);
    let turned = Value { name: place.flipped(&plain.name, 1), ..plain };
    let mask = turned.mask.clone().map(|mask| place.flipped(&mask, 1));
    let mut outputs = inner(place, "backward", layer, &[&[turned.with_mask(mask)], states].concat())?;
    // As many axes, and the first is that of the steps: outputs of steps.
    if let Some(output) = outputs.first_mut()
        && output.rank() == x.rank()
        && output.shape.first() == x.shape.first()
    {
        let plain = place.plain(output);
        *output = Value { name: place.flipped(&plain.name, 1), ..plain };
    }
    Ok(outputs)
}
