//! The derivatives of operators, against differences.

use gradus_autograd::{Var, gradcheck};
use gradus_tensor::{Generator, Shape, Tensor};
use serde_json::{Value as Json, json};

use super::program::Program;
use super::value::Value;

/// An operator, its attributes, the shapes of its inputs of floats, and the constants behind them.
type Row = (&'static str, Json, &'static [&'static [usize]], Json);

fn program(op: &str, attributes: &Json, floats: usize, constants: &Json, outputs: usize, opset: i64) -> Program {
    let floats = (0..floats).map(|index| format!("x{index}"));
    let inputs: Vec<Json> = floats.clone().map(|name| json!({"name": name, "element": 11, "shape": null})).collect();
    let named: serde_json::Map<String, Json> = match constants {
        Json::Array(list) => {
            list.iter().enumerate().map(|(index, constant)| (format!("c{index}"), constant.clone())).collect()
        }
        _ => serde_json::Map::new(),
    };
    let taken: Vec<String> = floats.chain(named.keys().cloned()).collect();
    let made: Vec<String> = (0..outputs).map(|index| format!("y{index}")).collect();
    let ports: Vec<Json> = made.iter().map(|name| json!({"name": name, "element": 11, "shape": null})).collect();
    let node = json!({"op": op, "inputs": taken, "outputs": made, "attributes": attributes});
    let data = json!({
        "opset": opset, "inputs": inputs, "weights": [], "constants": named, "nodes": [node], "outputs": ports,
    });
    serde_json::from_value(data).unwrap_or_else(|error| panic!("{op}: {error}"))
}

fn longs(numbers: &[i64]) -> Json {
    json!({"shape": [numbers.len()], "int64": numbers})
}

#[test]
fn derivatives_are_those_of_differences() {
    let none = || json!({});
    let lstm = json!({"hidden_size": {"int": 2}, "direction": {"text": "bidirectional"}});
    let gru = json!({"hidden_size": {"int": 2}, "linear_before_reset": {"int": 1}, "direction": {"text": "reverse"}});
    let pool = json!({"kernel_shape": {"ints": [2, 2]}, "pads": {"ints": [1, 0, 0, 1]}, "ceil_mode": {"int": 1}});
    let counted = json!({
        "kernel_shape": {"ints": [2, 3]}, "pads": {"ints": [1, 1, 0, 1]}, "strides": {"ints": [2, 1]},
        "count_include_pad": {"int": 1},
    });
    let conv = json!({"group": {"int": 2}, "pads": {"ints": [1, 0, 1, 2]}, "strides": {"ints": [2, 1]}});
    let transposed = json!({
        "group": {"int": 2}, "pads": {"ints": [1, 0]}, "strides": {"ints": [2]}, "output_padding": {"ints": [1]},
    });
    let rows: Vec<Row> = vec![
        ("Mod", json!({"fmod": {"int": 1}}), &[&[2, 3], &[3]], none()),
        ("Pow", none(), &[&[2, 3], &[3]], none()),
        ("Asin", none(), &[&[4]], none()),
        ("Acos", none(), &[&[4]], none()),
        ("Atan", none(), &[&[4]], none()),
        ("Sinh", none(), &[&[4]], none()),
        ("Cosh", none(), &[&[4]], none()),
        ("Asinh", none(), &[&[4]], none()),
        ("Atanh", none(), &[&[4]], none()),
        ("Shrink", json!({"lambd": {"float": 0.25}, "bias": {"float": 0.1}}), &[&[6]], none()),
        ("PRelu", none(), &[&[2, 3], &[3]], none()),
        ("Swish", json!({"alpha": {"float": 1.5}}), &[&[5]], none()),
        ("Max", none(), &[&[2, 3], &[3], &[2, 1]], none()),
        (
            "Gemm",
            json!({"transB": {"int": 1}, "alpha": {"float": 0.5}, "beta": {"float": 2.0}}),
            &[&[2, 3], &[4, 3], &[4]],
            none(),
        ),
        ("Einsum", json!({"equation": {"text": "bij,bjk->bik"}}), &[&[2, 3, 2], &[2, 2, 2]], none()),
        ("Conv", conv, &[&[1, 4, 4, 3], &[6, 2, 2, 2], &[6]], none()),
        ("ConvTranspose", transposed, &[&[2, 4, 3], &[4, 2, 3], &[4]], none()),
        ("MaxPool", pool.clone(), &[&[1, 2, 4, 3]], none()),
        ("AveragePool", pool, &[&[1, 2, 4, 3]], none()),
        ("AveragePool", counted, &[&[1, 2, 4, 3]], none()),
        ("LpPool", json!({"kernel_shape": {"ints": [2]}, "p": {"int": 3}}), &[&[1, 2, 4]], none()),
        ("BatchNormalization", none(), &[&[2, 3, 2], &[3], &[3], &[3], &[3]], none()),
        ("InstanceNormalization", none(), &[&[2, 3, 4], &[3], &[3]], none()),
        ("GroupNormalization", json!({"num_groups": {"int": 2}}), &[&[2, 4, 3], &[4], &[4]], none()),
        ("LayerNormalization", json!({"axis": {"int": 1}}), &[&[2, 3, 2], &[3, 2], &[3, 2]], none()),
        ("LayerNormalization", none(), &[&[2, 3, 2], &[3, 2], &[1]], none()),
        ("RMSNormalization", none(), &[&[2, 3], &[3]], none()),
        ("LpNormalization", none(), &[&[2, 3]], none()),
        ("LRN", json!({"size": {"int": 3}}), &[&[1, 4, 2]], none()),
        ("ReduceLogSumExp", none(), &[&[2, 3]], json!([longs(&[1])])),
        ("ReduceProd", none(), &[&[2, 3]], json!([longs(&[0])])),
        ("CumSum", json!({"exclusive": {"int": 1}, "reverse": {"int": 1}}), &[&[2, 3]], json!([longs(&[1])])),
        ("CumProd", json!({"exclusive": {"int": 1}}), &[&[2, 3]], json!([longs(&[1])])),
        ("TopK", none(), &[&[2, 4]], json!([longs(&[2])])),
        ("Slice", none(), &[&[4, 3]], json!([longs(&[3]), longs(&[0]), longs(&[0]), longs(&[-2])])),
        ("Gather", json!({"axis": {"int": 1}}), &[&[2, 3]], json!([longs(&[2, -3, 2])])),
        ("GatherND", none(), &[&[2, 3]], json!([{"shape": [2, 1], "int64": [1, 1]}])),
        ("Pad", json!({"mode": {"text": "reflect"}}), &[&[3, 2]], json!([longs(&[1, 0, 2, 1])])),
        ("DepthToSpace", json!({"blocksize": {"int": 2}}), &[&[1, 4, 1, 2]], none()),
        ("LSTM", lstm, &[&[3, 2, 2], &[2, 8, 2], &[2, 8, 2], &[2, 16]], none()),
        ("GRU", gru, &[&[3, 2, 2], &[1, 6, 2], &[1, 6, 2], &[1, 12]], none()),
        (
            "Attention",
            json!({"softcap": {"float": 2.0}, "is_causal": {"int": 1}}),
            &[&[1, 2, 3, 2], &[1, 1, 3, 2], &[1, 1, 3, 2]],
            none(),
        ),
        ("Attention", none(), &[&[1, 2, 3, 2], &[1, 2, 4, 2], &[1, 2, 4, 3], &[3, 4]], none()),
        ("Cast", json!({"to": {"int": 11}}), &[&[3]], none()),
    ];
    let mut generator = Generator::new(3);
    for (op, attributes, shapes, constants) in rows {
        let outputs = if op == "TopK" { 2 } else { 1 };
        let program = program(op, &attributes, shapes.len(), &constants, outputs, 24);
        // Away from 0 and 1, where functions have no derivative.
        let draw = |shape: &&[usize]| generator.uniform(Shape::from(*shape), 0.15_f64..0.85);
        let inputs: Vec<Tensor<f64>> = shapes.iter().map(draw).collect();
        let of = |vars: &[Var<f64>]| {
            let values = vars.iter().cloned().map(Value::Floats).collect();
            match program.compute(values, Vec::new(), false).unwrap_or_else(|error| panic!("{error}")).swap_remove(0) {
                Value::Floats(y) => y,
                other => panic!("{op} gives {}", other.kind().name()),
            }
        };
        gradcheck(&inputs, of).unwrap_or_else(|error| panic!("{op}: {error}"));
    }
    // Updates are scattered behind the places.
    for reduction in ["none", "add", "mul", "max"] {
        let places = json!([{"shape": [4, 1], "int64": [2, 0, 2, -1]}]);
        let attributes = json!({"reduction": {"text": reduction}});
        let mut data = serde_json::to_value(program("ScatterND", &attributes, 2, &places, 1, 24)).unwrap();
        data["nodes"][0]["inputs"] = json!(["x0", "c0", "x1"]);
        let program: Program = serde_json::from_value(data).unwrap();
        let inputs =
            [generator.uniform(Shape::from([3, 2]), 0.2..0.8), generator.uniform(Shape::from([4, 2]), 0.2..0.8)];
        let of = |vars: &[Var<f64>]| {
            let values = vars.iter().cloned().map(Value::Floats).collect();
            match program.compute(values, Vec::new(), false).unwrap().swap_remove(0) {
                Value::Floats(y) => y,
                _ => unreachable!("floats are scattered"),
            }
        };
        gradcheck(&inputs, of).unwrap_or_else(|error| panic!("ScatterND by {reduction}: {error}"));
    }
}

/// A program of one operator with a graph within: `floats` inputs of floats, of which the operator takes the first `taken`.
fn with_graph(op: &str, attributes: &Json, floats: usize, taken: &Json, constants: &Json, outputs: usize) -> Program {
    let none = program("Relu", &json!({}), 1, &json!({}), 1, 18);
    let mut data = serde_json::to_value(none).unwrap();
    let port = |name: String| json!({"name": name, "element": 11, "shape": null});
    data["inputs"] = (0..floats).map(|index| port(format!("x{index}"))).collect();
    data["outputs"] = (0..outputs).map(|index| port(format!("y{index}"))).collect();
    let made: Vec<String> = (0..outputs).map(|index| format!("y{index}")).collect();
    data["nodes"] = json!([{"op": op, "inputs": taken, "outputs": made, "attributes": attributes}]);
    data["constants"] = constants.clone();
    serde_json::from_value(data).unwrap_or_else(|error| panic!("{op}: {error}"))
}

#[test]
fn derivatives_flow_through_graphs_within_operators() {
    let node = |op: &str, inputs: &[&str], output: &str| json!({"op": op, "inputs": inputs, "outputs": [output]});
    // From the last step to the first; x2 is from around the graph.
    let step = json!({"graph": {"inputs": ["h", "t"], "outputs": ["next", "product"], "nodes": [
        node("MatMul", &["h", "x2"], "a"), node("Add", &["a", "t"], "b"), node("Tanh", &["b"], "next"),
        node("Mul", &["next", "t"], "product"),
    ]}});
    let scan = json!({
        "body": step, "num_scan_inputs": {"int": 1}, "scan_input_axes": {"ints": [1]},
        "scan_input_directions": {"ints": [1]}, "scan_output_axes": {"ints": [-1]}, "scan_output_directions": {"ints": [1]},
    });
    let turn = json!({"body": {"graph": {"inputs": ["i", "go", "h"], "outputs": ["go", "next", "product"], "nodes": [
        node("MatMul", &["h", "x1"], "a"), node("Tanh", &["a"], "next"), node("Mul", &["next", "h"], "product"),
    ]}}});
    let branch = |op: &str, name: &str| json!({"graph": {"inputs": [], "outputs": [name], "nodes": [node(op, &["x0", "x1"], name)]}});
    let choice = json!({"then_branch": branch("Mul", "a"), "else_branch": branch("Sub", "b")});
    let yes = |yes: bool| json!({"c0": {"shape": [], "bools": [yes]}});
    let three = json!({"c0": {"shape": [], "int64": [3]}});
    let programs: [(Program, &[&[usize]], usize); 4] = [
        (with_graph("Scan", &scan, 3, &json!(["x0", "x1"]), &json!({}), 2), &[&[2, 3], &[2, 4, 3], &[3, 3]], 2),
        (with_graph("Loop", &turn, 2, &json!(["c0", "", "x0"]), &three, 2), &[&[2, 3], &[3, 3]], 2),
        (with_graph("If", &choice, 2, &json!(["c0"]), &yes(true), 1), &[&[2, 3], &[2, 3]], 1),
        (with_graph("If", &choice, 2, &json!(["c0"]), &yes(false), 1), &[&[2, 3], &[2, 3]], 1),
    ];
    let mut generator = Generator::new(5);
    for (program, shapes, outputs) in programs {
        let draw = |shape: &&[usize]| generator.uniform(Shape::from(*shape), -0.9_f64..0.9);
        let inputs: Vec<Tensor<f64>> = shapes.iter().map(draw).collect();
        for output in 0..outputs {
            let of = |vars: &[Var<f64>]| {
                let values = vars.iter().cloned().map(Value::Floats).collect();
                match program.compute(values, Vec::new(), false).unwrap().swap_remove(output) {
                    Value::Floats(y) => y,
                    other => panic!("{}", other.kind().name()),
                }
            };
            gradcheck(&inputs, of)
                .unwrap_or_else(|error| panic!("{:?}, output {output}: {error}", program.operators()));
        }
    }
}
