//! Recurrent cells step by step, for what the recurrent operators of ONNX are not used for.
//!
//! The products of all inputs are computed at once; a `Scan` walks along them with the states.

use gradus_nn::Result;

use super::elementwise::activate;
use super::graph::{Length, Value, attribute, int};
use super::place::Place;
use super::recurrent::{Options, Walked, last_output};
use crate::onnx::proto::{AttributeValue, element};

/// Walks along sequences, of which a mask may say which steps are there.
pub(super) fn walk(place: &mut Place<'_>, options: &Options, x: &Value, states: &[Value]) -> Result<Walked> {
    let units = options.units;
    let (gates, count) = match &*place.kind {
        "LSTM" => (4, 2),
        "GRU" => (3, 1),
        _ => (1, 1),
    };
    let kernel = place.written("kernel")?;
    let recurrent_kernel = place.written("recurrent_kernel")?;
    let resets_after = place.kind == "GRU" && options.reset_after;
    let [bias, recurrent_bias] = match (options.use_bias, resets_after) {
        (false, _) => [None, None],
        (true, false) => [Some(place.written("bias")?), None],
        (true, true) => [
            Some(place.turned("bias", "of inputs", |bias| Ok(bias.select(0, 0)))?),
            Some(place.turned("bias", "of states", |bias| Ok(bias.select(0, 1)))?),
        ],
    };
    let products = place.product(x, &kernel, bias.as_deref(), gates * units);
    let products = place.arranged(&products, &[1, 0, 2]).name;
    let mask = x.mask.as_ref().map(|mask| {
        let mask = place.transposed(mask, &[1, 0]);
        place.unsqueezed(&mask, 2)
    });
    let mut inputs: Vec<String> = states.iter().map(|state| state.name.clone()).collect();
    if inputs.is_empty() {
        let (batch, width) = (place.length(x, 0), place.graph.longs(&[units as i64]));
        let lengths = place.node("Concat", &[&batch, &width], vec![int("axis", 0)]);
        let zero = place.graph.number(0.0);
        inputs = vec![place.node("Expand", &[&zero, &lengths], vec![]); count];
    }
    inputs.push(products);
    inputs.extend(mask);
    let of_state = || (element::FLOAT, vec![Length::Is(units)]);
    let mut given = vec![of_state(); count];
    given.push((element::FLOAT, vec![Length::Is(gates * units)]));
    given.extend(x.mask.as_ref().map(|_| (element::BOOL, vec![Length::Is(1)])));
    let step = Step { options, recurrent_kernel: &recurrent_kernel, recurrent_bias: recurrent_bias.as_deref() };
    let body = place.body(given, |place, inner| step.outputs(place, inner.split_at(count)));
    let attributes = vec![
        attribute("body", AttributeValue::Graph(Box::new(body))),
        int("num_scan_inputs", (inputs.len() - count) as i64),
    ];
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let mut outputs = place.nodes("Scan", &inputs, attributes, count + 1);
    let sequence = outputs.pop().map(|name| (name, [1, 0, 2]));
    let output = match &x.mask {
        None => outputs[0].clone(),
        Some(mask) => last_output(place, options, &outputs[0], mask),
    };
    Ok(Walked { sequence, output, states: outputs })
}

/// One step of a cell.
struct Step<'a> {
    options: &'a Options,
    recurrent_kernel: &'a str,
    recurrent_bias: Option<&'a str>,
}

impl Step<'_> {
    /// The states after a step and its output, from those before; the products of the step's inputs, and perhaps whether it is there.
    fn outputs(&self, place: &mut Place<'_>, (states, inputs): (&[Value], &[Value])) -> Vec<Value> {
        let mut next = self.next(place, states, &inputs[0]);
        let Some(mask) = inputs.get(1) else {
            next.push(next[0].clone());
            return next;
        };
        for (next, before) in next.iter_mut().zip(states) {
            next.name = place.node("Where", &[&mask.name, &next.name, &before.name], vec![]);
        }
        let mut output = next[0].clone();
        if self.options.zero_output_for_mask {
            let zero = place.graph.number(0.0);
            output.name = place.node("Where", &[&mask.name, &output.name, &zero], vec![]);
        }
        next.push(output);
        next
    }

    /// The states after a step, from those before and the products of its inputs.
    fn next(&self, place: &mut Place<'_>, states: &[Value], products: &Value) -> Vec<Value> {
        let (h, gate) = (&states[0], self.options.recurrent_activation);
        if place.kind == "GRU" {
            return vec![self.next_of_gru(place, h, products)];
        }
        let sums = place.product(h, self.recurrent_kernel, None, products.length(1).unwrap_or(0));
        let sums = place.each("Add", products, &[&sums.name], vec![]);
        let Some(c) = states.get(1) else { return vec![activate(place, self.options.activation, &sums)] };
        let gates = [0, 1, 2, 3].map(|gate| self.part(place, &sums, gate, 1));
        let [i, f, o] = [0, 1, 3].map(|place_of| activate(place, gate, &gates[place_of]));
        let candidate = activate(place, self.options.activation, &gates[2]);
        let kept = place.each("Mul", c, &[&f.name], vec![]);
        let new = place.each("Mul", &candidate, &[&i.name], vec![]);
        let c = place.each("Add", &kept, &[&new.name], vec![]);
        let h = activate(place, self.options.activation, &c);
        vec![place.each("Mul", &h, &[&o.name], vec![]), c]
    }

    fn next_of_gru(&self, place: &mut Place<'_>, h: &Value, products: &Value) -> Value {
        let (units, gate) = (self.options.units, self.options.recurrent_activation);
        let of_inputs = [0, 1, 2].map(|gate| self.part(place, products, gate, 1));
        let gated = |place: &mut Place<'_>, input: &Value, of_states: &Value| {
            let sum = place.each("Add", input, &[&of_states.name], vec![]);
            activate(place, gate, &sum)
        };
        let (z, candidate) = if self.options.reset_after {
            let sums = place.product(h, self.recurrent_kernel, self.recurrent_bias, 3 * units);
            let [z, r, of_state] = [0, 1, 2].map(|gate| self.part(place, &sums, gate, 1));
            let (z, r) = (gated(place, &of_inputs[0], &z), gated(place, &of_inputs[1], &r));
            let reset = place.each("Mul", &of_state, &[&r.name], vec![]);
            (z, place.each("Add", &of_inputs[2], &[&reset.name], vec![]))
        } else {
            let kernel = Value::new(self.recurrent_kernel.to_owned(), vec![Length::Is(3 * units)]);
            let (of_gates, of_candidate) = (self.part(place, &kernel, 0, 2), self.part(place, &kernel, 2, 1));
            let sums = place.product(h, &of_gates.name, None, 2 * units);
            let [z, r] = [0, 1].map(|gate| self.part(place, &sums, gate, 1));
            let (z, r) = (gated(place, &of_inputs[0], &z), gated(place, &of_inputs[1], &r));
            let reset = place.each("Mul", h, &[&r.name], vec![]);
            let reset = place.product(&reset, &of_candidate.name, None, units);
            (z, place.each("Add", &of_inputs[2], &[&reset.name], vec![]))
        };
        let candidate = activate(place, self.options.activation, &candidate);
        // candidate + z (h - candidate)
        let change = place.each("Sub", h, &[&candidate.name], vec![]);
        let change = place.each("Mul", &change, &[&z.name], vec![]);
        place.each("Add", &candidate, &[&change.name], vec![])
    }

    /// So many gates of a value `[n, gates * units]`, from this one on.
    fn part(&self, place: &mut Place<'_>, x: &Value, gate: usize, count: usize) -> Value {
        let units = self.options.units;
        let range = [gate * units, (gate + count) * units].map(|number| number as i64);
        Value::new(place.slice(&x.name, 1, [range[0], range[1], 1]), vec![Length::Is(count * units)])
    }
}
