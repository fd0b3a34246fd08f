//! Operators that compute graphs: If, Loop and Scan.

use gradus_autograd::Var;
use gradus_tensor::{Float, Shape, Tensor};

use super::call::{Call, Outputs, SMALL, place, sized};
use super::node::{Attribute, Body, Node};
use super::value::{Kind, Value};

/// Why the graphs of a node do not fit it, if they do not.
pub(crate) fn problem(node: &Node, opset: i64) -> Option<String> {
    let check = match node.op.as_str() {
        "If" => check_if(node),
        "Loop" => check_loop(node),
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

fn check_loop(node: &Node) -> Result<(), String> {
    let body = body(node, "body")?;
    let states = node.inputs.len().saturating_sub(2);
    check_body(body, 2 + states, (1 + states).max(1 + node.outputs.len()))
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

/// The turns of a loop in a trial, if its states keep their shapes: for zeros it may be endless.
const MOST_TRIED: i64 = 1 << 10;

/// States that a graph changes until it says that it is enough, and what it gives at each turn.
pub(crate) fn repeat<T: Float>(call: &Call<'_, T>) -> Outputs<T> {
    let body = call.graph("body")?;
    let most = call.optional(0).map(|_| call.number(0)).transpose()?;
    let go = || Value::Mask(Tensor::scalar(true));
    let mut goes_on = call.optional(1).map_or_else(go, Value::clone);
    let mut states = values(call, 2..call.inputs.len())?;
    let count = states.len();
    let mut turns = Turns::new(body.outputs() - 1 - count);
    let given = |turn: i64, goes_on: Value<T>, states: &[Value<T>]| {
        [&[Value::longs(Tensor::scalar(turn)), goes_on], states].concat()
    };
    let mut turn = 0;
    while most.is_none_or(|most| turn < most) && is_true(&goes_on)? {
        let mut made = body.run(given(turn, goes_on, &states))?;
        turns.add(made.split_off(1 + count))?;
        let next = made.split_off(1);
        check_kinds(&states, &next)?;
        let keeps_shapes = states.iter().zip(&next).all(|(before, after)| before.shape() == after.shape());
        (goes_on, states) = (made.remove(0), next);
        turn += 1;
        if call.trial && keeps_shapes && turns.count() == 0 && turn == MOST_TRIED {
            break;
        }
    }
    if turn == 0 && turns.count() > 0 {
        let made = body.run(given(0, go(), &states)).map_err(of_no_turn)?;
        turns.none = made[1 + count..].iter().map(|value| (value.kind(), value.shape().clone())).collect();
    }
    states.extend(turns.stacked(&|_, _| Ok((0, false)))?);
    Ok(states)
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

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::program::Program;
    use super::*;

    fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> Json {
        json!({"op": op, "inputs": inputs, "outputs": outputs})
    }

    /// A program of x, floats, with some constants.
    fn program(nodes: &Json, output: &str) -> Result<Program, String> {
        let data = json!({
            "opset": 18, "inputs": [{"name": "x", "element": 1, "shape": null}], "weights": [], "nodes": nodes,
            "constants": {
                "yes": {"shape": [], "bools": [true]}, "no": {"shape": [1], "bools": [false]},
                "none": {"shape": [], "int64": [0]}, "two": {"shape": [], "int64": [2]}, "three": {"shape": [], "int64": [3]},
                "ten": {"shape": [], "floats": [10.0]},
            },
            "outputs": [{"name": output, "element": 1, "shape": null}],
        });
        serde_json::from_value(data).map_err(|error| error.to_string())
    }

    fn run(program: &Program, x: Tensor<f32>) -> Result<Vec<f32>, String> {
        let made = program.compute(vec![Value::Floats(Var::from(x))], Vec::new(), false);
        let value = made.map_err(|error| error.to_string())?.swap_remove(0);
        Ok(value.into_tensor().to::<f32>().to_vec())
    }

    fn repeated(inputs: &[&str], outputs: &[&str], body: &Json) -> Json {
        let mut node = node("Loop", inputs, outputs);
        node["attributes"] = json!({"body": {"graph": body}});
        node
    }

    fn scanned(inputs: &[&str], body: &Json) -> Json {
        let mut node = node("Scan", inputs, &["y", "all"]);
        node["attributes"] = json!({"body": {"graph": body}, "num_scan_inputs": {"int": 1}});
        node
    }

    #[test]
    fn an_endless_loop_is_stopped() {
        let body = json!({"inputs": ["i", "go", "h"], "outputs": ["go", "h"], "nodes": []});
        let endless = program(&json!([repeated(&["", "yes", "x"], &["y"], &body)]), "y").unwrap();
        let error = run(&endless, Tensor::from([1.0])).unwrap_err();
        let expected = "onnx: Loop \"y\": graphs within operators are computed more than 131072 times";
        assert!(error.starts_with(expected), "{error}");
        // In a trial, the shape of the state is what is asked for.
        let x = Value::Floats(Var::from(Tensor::<f32>::zeros([3])));
        assert_eq!(endless.compute(vec![x], Vec::new(), true).unwrap()[0].shape(), &[3]);
        // Loops within loops count together.
        let within = |inner: &Json, depth: usize| {
            let [i, go, h] = ["i", "go", "h"].map(|name| format!("{name}{depth}"));
            json!({"inputs": [i, go, h], "outputs": [go, format!("y{depth}")], "nodes": [inner]})
        };
        let lasting = |name: &str, from: &str, depth: usize, body: &Json| {
            let mut node = repeated(&["most", "", from], &[name], body);
            node["name"] = json!(format!("loop {depth}"));
            node
        };
        let innermost =
            lasting("y1", "h1", 2, &json!({"inputs": ["i2", "go2", "h2"], "outputs": ["go2", "h2"], "nodes": []}));
        let outer = lasting("y", "x", 1, &within(&innermost, 1));
        let mut data = serde_json::to_value(program(&json!([node("Relu", &["x"], &["y"])]), "y").unwrap()).unwrap();
        data["nodes"] = json!([outer]);
        data["constants"]["most"] = json!({"shape": [], "int64": [1000]});
        let nested: Program = serde_json::from_value(data).unwrap();
        let error = run(&nested, Tensor::from([1.0])).unwrap_err();
        let expected = "onnx: Loop \"loop 1\": in its graph, Loop \"loop 2\": graphs within operators are computed";
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn a_loop_needs_no_count_and_changes_all_states_at_once() {
        // The numbers are those of ONNX Runtime 1.32.0.
        let size = json!({
            "op": "ReduceMax", "inputs": ["next"], "outputs": ["most"], "attributes": {"keepdims": {"int": 0}},
        });
        let cast = json!({
            "op": "Cast", "inputs": ["square"], "outputs": ["floats"], "attributes": {"to": {"int": 1}},
        });
        let body = json!({
            "inputs": ["i", "go", "h"], "outputs": ["more", "next", "floats"],
            "nodes": [
                node("Add", &["h", "x"], &["next"]), size, node("Less", &["most", "ten"], &["more"]),
                node("Mul", &["i", "i"], &["square"]), cast,
            ],
        });
        for (condition, output, expected) in [
            ("yes", "y", [5.0, 10.0].as_slice()),
            ("yes", "all", &[0.0, 1.0, 4.0, 9.0]),
            ("", "y", &[5.0, 10.0]),
            ("no", "y", &[1.0, 2.0]),
        ] {
            let nodes = json!([repeated(&["", condition, "x"], &["y", "all"], &body)]);
            assert_eq!(
                run(&program(&nodes, output).unwrap(), Tensor::from([1.0, 2.0])).unwrap(),
                expected,
                "{condition}"
            );
        }
        let swap = json!({"inputs": ["i", "go", "a", "b"], "outputs": ["go", "b", "a"], "nodes": []});
        let nodes = json!([node("Neg", &["x"], &["n"]), repeated(&["three", "", "x", "n"], &["y", "z"], &swap)]);
        assert_eq!(run(&program(&nodes, "y").unwrap(), Tensor::from([1.0, 2.0])).unwrap(), [-1.0, -2.0]);
    }

    #[test]
    fn without_a_turn_outputs_are_empty() {
        let mut concat = node("Concat", &["h", "h"], &["next"]);
        concat["attributes"] = json!({"axis": {"int": 0}});
        let body = json!({"inputs": ["i", "go", "h"], "outputs": ["go", "next", "next"], "nodes": [concat]});
        let of = |count: &str, output: &str| {
            let x = Value::Floats(Var::from(Tensor::<f32>::zeros([3])));
            let nodes = json!([repeated(&[count, "", "x"], &["y", "all"], &body)]);
            program(&nodes, output).unwrap().compute(vec![x], Vec::new(), false)
        };
        assert_eq!(of("none", "y").unwrap()[0].shape(), &[3]);
        assert_eq!(of("none", "all").unwrap()[0].shape(), &[0, 6]);
        // The state grows.
        let error = of("two", "all").unwrap_err().to_string();
        assert!(error.contains("has the shape [6] at one turn and [12] at another"), "{error}");
        let add = json!({
            "inputs": ["h", "t"], "outputs": ["next", "next"], "nodes": [node("Add", &["h", "t"], &["next"])],
        });
        let nodes = json!([node("Size", &["x"], &["n"]), scanned(&["x", "empty"], &add)]);
        let mut data = serde_json::to_value(program(&json!([node("Relu", &["x"], &["y"])]), "y").unwrap()).unwrap();
        data["nodes"] = nodes;
        data["constants"]["empty"] = json!({"shape": [0, 3], "floats": []});
        data["outputs"] = json!([{"name": "all", "element": 1, "shape": null}]);
        let empty: Program = serde_json::from_value(data).unwrap();
        let x = Value::Floats(Var::from(Tensor::<f32>::zeros([3])));
        assert_eq!(empty.compute(vec![x], Vec::new(), false).unwrap()[0].shape(), &[0, 3]);
    }

    #[test]
    fn graphs_that_do_not_fit_are_refused() {
        let refused = |nodes: Json| program(&nodes, "y").unwrap_err();
        let branch = |inputs: &[&str], outputs: &[&str], nodes: Json| json!({"graph": {"inputs": inputs, "outputs": outputs, "nodes": nodes}});
        let choice = |then: Json, other: Json| {
            let mut node = node("If", &["yes"], &["y"]);
            node["attributes"] = json!({"then_branch": then, "else_branch": other});
            json!([node])
        };
        let relu = |output: &str| branch(&[], &[output], json!([node("Relu", &["x"], &[output])]));
        assert!(program(&choice(relu("a"), relu("b")), "y").is_ok());
        let error = refused(choice(json!({"int": 1}), relu("b")));
        assert!(
            error.contains("If \"y\": the attribute then_branch should be a graph, found a whole number"),
            "{error}"
        );
        let error = refused(json!([node("If", &["yes"], &["y"])]));
        assert!(error.contains("If \"y\": the graph then_branch is missing"), "{error}");
        let error = refused(choice(branch(&["i"], &["i"], json!([])), relu("b")));
        assert!(error.contains("its graph needs 0 inputs and 1 outputs or more, found 1 and 1"), "{error}");
        // What a graph gives is not seen by others, nor twice.
        let error = refused(choice(relu("a"), branch(&[], &["b"], json!([node("Neg", &["a"], &["b"])]))));
        assert!(error.contains("Neg \"b\" takes \"a\", which nothing before it gives"), "{error}");
        let error = refused(choice(relu("a"), relu("a")));
        assert!(error.contains("Relu \"a\" gives \"a\", which there is already"), "{error}");
        let error = refused(choice(relu("a"), branch(&[], &["a"], json!([]))));
        assert!(error.contains("nothing gives the output \"a\""), "{error}");
        // What is not read is named, in a graph, too.
        let error = refused(choice(relu("a"), branch(&[], &["b"], json!([node("Det", &["x"], &["b"])]))));
        assert!(error.contains("the operator Det is not read"), "{error}");

        let body = json!({"inputs": ["h"], "outputs": ["h"], "nodes": []});
        let error = refused(json!([repeated(&["two", "", "x"], &["y"], &body)]));
        assert!(error.contains("its graph needs 3 inputs and 2 outputs or more, found 1 and 1"), "{error}");
        let error = refused(json!([scanned(&["x", "x", "x"], &body)]));
        assert!(error.contains("its graph needs 3 inputs and 2 outputs or more, found 1 and 1"), "{error}");
        let mut none = scanned(&["x"], &body);
        none["attributes"]["num_scan_inputs"] = json!({"int": 2});
        let error = refused(json!([none]));
        assert!(error.contains("num_scan_inputs should be 1 to 1, the number of its inputs"), "{error}");
        let mut old = scanned(&["x"], &body);
        old["opset"] = json!(8);
        assert!(refused(json!([old])).contains("Scan \"y\": is read from opset 9 on"));
    }

    #[test]
    fn what_does_not_fit_at_a_turn_is_refused() {
        let failing = |nodes: &Json| run(&program(nodes, "y").unwrap(), Tensor::zeros([2, 2])).unwrap_err();
        let growing = json!({
            "inputs": ["h", "t"], "outputs": ["next", "t"], "nodes": [node("MatMul", &["h", "t"], &["next"])],
        });
        let error = failing(&json!([scanned(&["x", "x"], &growing)]));
        assert!(error.contains("a state has the shape [2, 2] and gets the shape [2]"), "{error}");
        let casting = json!({
            "inputs": ["i", "go", "h"], "outputs": ["go", "next"], "nodes": [node("IsNaN", &["h"], &["next"])],
        });
        let error = failing(&json!([repeated(&["two", "", "x"], &["y"], &casting)]));
        assert!(error.contains("a state is floats and becomes a mask"), "{error}");
        let error = failing(&json!([repeated(
            &["two", "two", "x"],
            &["y"],
            &json!({
                "inputs": ["i", "go", "h"], "outputs": ["go", "h"], "nodes": [],
            })
        )]));
        assert!(error.contains("a condition should be a mask, found whole numbers"), "{error}");
    }
}
