//! Operations on tensors, as in `x * 2 + y`, which a functional model of Keras has beside its layers.

use serde_json::{Value as Json, json};

use super::fields::Wrong;
use super::read::Call;

/// Functions of one tensor without options: Keras's operation, our activation.
const FUNCTIONS: &[(&str, &str)] = &[
    ("Relu", "Relu"),
    ("Relu6", "Relu6"),
    ("Selu", "Selu"),
    ("Sigmoid", "Sigmoid"),
    ("Silu", "Silu"),
    ("Softplus", "Softplus"),
    ("Softsign", "Softsign"),
    ("Tanh", "Tanh"),
    ("HardSigmoid", "HardSigmoid"),
    ("HardSilu", "HardSilu"),
    ("LogSigmoid", "LogSigmoid"),
    ("Exp", "Exponential"),
];

/// Our kind of layer and its data for an operation.
pub(super) fn operation(class: &str, config: &Json, call: &Call) -> Result<(String, Json), Wrong> {
    let activation = |activation: Json| Ok(("Activation".to_owned(), activation));
    let scaled = |scale: f64, offset: f64| match scale.is_finite() && offset.is_finite() {
        true => Ok(("Rescaling".to_owned(), json!({"scale": scale, "offset": offset}))),
        false => Err("the operation divides by 0, or overflows".to_owned()),
    };
    let is_last_axis = config.get("axis").is_none_or(|axis| *axis == json!(-1));
    match (class, call.tensors(), &call.constants[..]) {
        ("Add" | "Subtract" | "Multiply" | "Maximum" | "Minimum", 2, []) => Ok((class.to_owned(), Json::Null)),
        ("Add", 1, &[(_, number)]) => scaled(1.0, number),
        ("Subtract", 1, &[(1, number)]) => scaled(1.0, -number),
        ("Subtract", 1, &[(0, number)]) => scaled(-1.0, number),
        ("Multiply", 1, &[(_, number)]) => scaled(number, 0.0),
        ("Divide" | "TrueDivide", 1, &[(1, number)]) => scaled(1.0 / number, 0.0),
        ("Negative", 1, []) => scaled(-1.0, 0.0),
        ("Concatenate", 2.., []) => {
            Ok((class.to_owned(), json!({"axis": config.get("axis").cloned().unwrap_or_else(|| json!(-1))})))
        }
        ("Softmax", 1, []) if is_last_axis => activation(json!("Softmax")),
        ("LogSoftmax", 1, []) if is_last_axis => activation(json!("LogSoftmax")),
        ("Gelu", 1, []) => {
            // As an operation, gelu is the approximation unless it is told otherwise.
            let exact = config.get("approximate") == Some(&Json::Bool(false));
            activation(json!(if exact { "Gelu" } else { "GeluTanh" }))
        }
        (_, 1, []) => match FUNCTIONS.iter().find(|(keras, _)| *keras == class) {
            Some((_, ours)) => activation(json!(ours)),
            None => Err("there is no such operation here".to_owned()),
        },
        _ => Err("there is no such operation here".to_owned()),
    }
}
