//! Operators that compute graphs: If and Scan.

use gradus_autograd::Var;
use gradus_tensor::{Float, Shape, Tensor};

use super::call::{Call, Outputs, SMALL, place, sized};
use super::node::{Attribute, Body, Node};
use super::value::{Kind, Value};

/// Why the graphs of a node do not fit it, if they do not.
pub(crate) fn problem(node: &Node, opset: i64) -> Option<String> {
    let check = match node.op.as_str() {
        "If" => check_if(node),
        "Scan" if opset < 9 => Err("is read from opset 9 on, and is of an older one".to_owned()),
        "Scan" => check_scan(node),
        _ => Ok(()),
    };
    check.err().map(|problem| format!("{}: {problem}", node.title()))
}

fn body<'a>(node: &'a Node, name: &str) -> Result<&'a Body, String> {
    match node.attributes.get(name) {
        Some(Attribute::Graph(body)) => Ok(body),
        Some(other) => Err(format!("the attribute {name} should be a graph, found {}", other.kind())),
        None => Err(format!("the graph {name} is missing")),
    }
}

/// Whether a graph has so many inputs, and so many outputs or more.
fn check_body(body: &Body, inputs: usize, outputs: usize) -> Result<(), String> {
    if body.inputs.len() == inputs && body.outputs.len() >= outputs {
        return Ok(());
    }
    let found = format!("{} and {}", body.inputs.len(), body.outputs.len());
    Err(format!("its graph needs {inputs} inputs and {outputs} outputs or more, found {found}"))
}

fn check_if(node: &Node) -> Result<(), String> {
    for name in ["then_branch", "else_branch"] {
        check_body(body(node, name)?, 0, node.outputs.len())?;
    }
    Ok(())
}

fn check_scan(node: &Node) -> Result<(), String> {
    let body = body(node, "body")?;
    let (inputs, scanned) = (node.inputs.len(), scanned(node)?);
    check_body(body, inputs, (inputs - scanned).max(node.outputs.len()))
}

/// How many inputs of a Scan are walked along; the others are states.
fn scanned(node: &Node) -> Result<usize, String> {
    let count = match node.attributes.get("num_scan_inputs") {
        Some(Attribute::Int(count)) => usize::try_from(*count).ok(),
        _ => None,
    };
    let inputs = node.inputs.len();
    let count = count.filter(|count| (1..=inputs).contains(count));
    count.ok_or_else(|| format!("num_scan_inputs should be 1 to {inputs}, the number of its inputs"))
}

/// The one element of a condition.
fn is_true<T: Float>(value: &Value<T>) -> Result<bool, String> {
    match value {
        Value::Mask(mask) if mask.size() == 1 => Ok(mask.iter().next().unwrap_or(false)),
        Value::Mask(mask) => Err(format!("a condition should be one element, found the shape {}", mask.shape())),
        other => Err(format!("a condition should be a mask, found {}", other.kind().name())),
    }
}

/// The outputs of one graph or the other.
pub(crate) fn choose<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let branch = if is_true(call.value(0)?)? { "then_branch" } else { "else_branch" };
    call.graph(branch)?.run(Vec::new())
}

/// States that a graph changes with each element of its inputs along an axis, and what it gives at each.
pub(crate) fn scan<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let body = call.graph("body")?;
    let scanned = scanned(call.node)?;
    let count = call.inputs.len() - scanned;
    let mut states = values(call, 0..count)?;
    let along = values(call, count..call.inputs.len())?;
    let axes = list(call, "scan_input_axes", scanned)?;
    let axes = axes.iter().zip(&along).map(|(axis, value)| place(*axis, value.shape().len()));
    let axes: Vec<usize> = axes.collect::<Result<_, _>>()?;
    let backwards = directions(call, "scan_input_directions", scanned)?;
    let lengths: Vec<usize> = along.iter().zip(&axes).map(|(value, &axis)| value.shape()[axis]).collect();
    let steps = lengths[0];
    if lengths.iter().any(|length| *length != steps) {
        return Err(format!("walks along axes of different lengths: {lengths:?}"));
    }
    let outputs = body.outputs() - count;
    let (to_axes, to_front) =
        (list(call, "scan_output_axes", outputs)?, directions(call, "scan_output_directions", outputs)?);
    let to = |output: usize, rank: usize| Ok((place(to_axes[output], rank)?, to_front[output]));
    let mut turns = Turns::new(outputs);
    for step in 0..steps {
        let parts = along.iter().zip(&axes).zip(&backwards);
        let parts = parts.map(|((value, &axis), back)| value.select(axis, if *back { steps - 1 - step } else { step }));
        let given = states.iter().cloned().chain(parts).collect();
        let mut next = body.run(given)?;
        let made = next.split_off(count);
        check_kinds(&states, &next)?;
        if let Some((before, after)) = states.iter().zip(&next).find(|(before, after)| before.shape() != after.shape())
        {
            return Err(format!("a state has the shape {} and gets the shape {}", before.shape(), after.shape()));
        }
        if let Some(outlines) = outline(call, &along, (&next, &made), steps, &to)? {
            return Ok(outlines);
        }
        states = next;
        turns.add(made)?;
    }
    if steps == 0 && turns.count() > 0 {
        let parts = along.iter().zip(&axes).map(|(value, &axis)| {
            let mut shape = value.shape().to_vec();
            shape.remove(axis);
            Value::zeros(value.kind(), &Shape::from(shape))
        });
        let made = body.run(states.iter().cloned().chain(parts).collect()).map_err(of_no_turn)?;
        turns.none = made[count..].iter().map(|value| (value.kind(), value.shape().clone())).collect();
    }
    states.extend(turns.stacked(&to)?);
    Ok(states)
}

/// Where an output is stacked, by its index and the axes that it has then: the axis, and whether from its end on.
type Stacking<'a> = &'a dyn Fn(usize, usize) -> Result<(usize, bool), String>;

/// In a trial, values in the shapes of the states and the outputs of all steps, of which the first is known; `None` if they must be
/// computed.
fn outline<T: Float>(
    call: &Call<'_, T>,
    along: &[Value<T>],
    (states, made): (&[Value<T>], &[Value<T>]),
    steps: usize,
    to: Stacking<'_>,
) -> Result<Option<Vec<Value<T>>>, String> {
    let is_large = along.iter().any(|value| value.kind() == Kind::Floats && value.shape().size() > SMALL)
        || made.iter().any(|value| value.shape().size().saturating_mul(steps) > SMALL);
    if !call.trial || !is_large || states.iter().chain(made).any(|value| value.kind() != Kind::Floats) {
        return Ok(None);
    }
    let mut outlines: Vec<Value<T>> = states.iter().map(|state| Value::zeros(Kind::Floats, state.shape())).collect();
    for (output, value) in made.iter().enumerate() {
        let (axis, _) = to(output, value.shape().len() + 1)?;
        outlines.push(Value::zeros(Kind::Floats, &with_axis(value.shape(), axis, steps)?));
    }
    Ok(Some(outlines))
}

fn of_no_turn(problem: String) -> String {
    format!("its graph is not computed, and the shapes of its outputs are not known: {problem}")
}

/// These inputs, all of which must be there.
fn values<T: Float>(call: &Call<'_, T>, range: std::ops::Range<usize>) -> Outputs<T> {
    range.map(|index| call.value(index).cloned()).collect()
}

fn check_kinds<T: Float>(before: &[Value<T>], after: &[Value<T>]) -> Result<(), String> {
    match before.iter().zip(after).find(|(before, after)| before.kind() != after.kind()) {
        None => Ok(()),
        Some((before, after)) => {
            Err(format!("a state is {} and becomes {}", before.kind().name(), after.kind().name()))
        }
    }
}

/// A number for each of so many, 0 if they are not given.
fn list<T: Float>(call: &Call<'_, T>, name: &str, count: usize) -> Result<Vec<i64>, String> {
    match call.numbers(name)? {
        None => Ok(vec![0; count]),
        Some(numbers) if numbers.len() == count => Ok(numbers.to_vec()),
        Some(numbers) => Err(format!("{name} should be {count} numbers, found {numbers:?}")),
    }
}

/// Which of so many go backwards.
fn directions<T: Float>(call: &Call<'_, T>, name: &str, count: usize) -> Result<Vec<bool>, String> {
    let is_back = |number: i64| match number {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(format!("{name} should be 0 or 1, found {other}")),
    };
    list(call, name, count)?.into_iter().map(is_back).collect()
}

/// What a graph has given at each turn.
struct Turns<T: Float> {
    rows: Vec<Vec<Value<T>>>,
    /// What it would have given, if there was no turn.
    none: Vec<(Kind, Shape)>,
}

impl<T: Float> Turns<T> {
    fn new(outputs: usize) -> Self {
        Turns { rows: vec![Vec::new(); outputs], none: Vec::new() }
    }

    /// The number of outputs.
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn add(&mut self, made: Vec<Value<T>>) -> Result<(), String> {
        for (row, value) in self.rows.iter_mut().zip(made) {
            // All of them are in memory.
            with_axis(value.shape(), 0, row.len() + 1)?;
            row.push(value);
        }
        Ok(())
    }

    /// The turns side by side, each output along an axis of its own.
    fn stacked(self, to: Stacking<'_>) -> Outputs<T> {
        let mut stacked = Vec::with_capacity(self.rows.len());
        for (output, mut row) in self.rows.into_iter().enumerate() {
            let (kind, shape) = match (row.first(), self.none.get(output)) {
                (Some(first), _) => (first.kind(), first.shape().clone()),
                (None, Some(none)) => none.clone(),
                (None, None) => return Err("its graph has given nothing".to_owned()),
            };
            let (axis, is_from_end) = to(output, shape.len() + 1)?;
            let whole = with_axis(&shape, axis, row.len())?;
            if let Some(other) = row.iter().find(|value| value.shape() != &shape || value.kind() != kind) {
                return Err(format!("an output has the shape {shape} at one turn and {} at another", other.shape()));
            }
            if is_from_end {
                row.reverse();
            }
            stacked.push(if row.is_empty() { Value::zeros(kind, &whole) } else { stack(&row, axis) });
        }
        Ok(stacked)
    }
}

/// The shape with an axis of this length before `axis`.
fn with_axis(shape: &Shape, axis: usize, length: usize) -> Result<Shape, String> {
    let mut lengths = shape.to_vec();
    lengths.insert(axis, length);
    sized(&Shape::from(lengths))
}

/// Values of one kind and shape along a new axis. There must be one or more.
fn stack<T: Float>(values: &[Value<T>], axis: usize) -> Value<T> {
    let axis = axis as isize;
    match &values[0] {
        Value::Floats(_) => {
            let floats = values.iter().filter_map(|value| if let Value::Floats(x) = value { Some(x) } else { None });
            Value::Floats(Var::stack(&floats.cloned().collect::<Vec<_>>(), axis))
        }
        Value::Ints(_, whole) => {
            let ints = values.iter().filter_map(|value| if let Value::Ints(x, _) = value { Some(x) } else { None });
            Value::Ints(Tensor::stack(&ints.cloned().collect::<Vec<_>>(), axis), *whole)
        }
        Value::Mask(_) => {
            let masks = values.iter().filter_map(|value| if let Value::Mask(x) = value { Some(x) } else { None });
            Value::Mask(Tensor::stack(&masks.cloned().collect::<Vec<_>>(), axis))
        }
    }
}
