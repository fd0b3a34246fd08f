//! Options of layers both ways: what Keras's config says, as the data of our layers, and back.

use serde_json::{Map, Value as Json, json};

/// An option of a layer: its name in Keras's config and in our data, and how one becomes the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub keras: &'static str,
    pub ours: &'static str,
    pub how: How,
}

/// How the value of an option is translated.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// The same on both sides.
    Same,
    /// The same, with this JSON where Keras's config lacks it, for options that our layer must be given.
    Or(&'static str),
    /// A word, the same on both sides: a padding, a mode.
    Word,
    /// A number for all axes, or a list: our list.
    PerAxis,
    /// Widths before and after each axis, of which Keras writes a single axis without the outer list.
    Pairs,
    /// An axis, or a list of axes: our list of axes.
    Axes,
    /// An axis, or a list of one: our axis.
    Axis,
    /// Lengths, of which Keras leaves one open by null, and we by -1.
    Lengths,
    Activation,
    Initializer,
    Regularizer,
    Constraint,
    Interpolation,
    /// Keras's option may have this value alone, or a list of it, or be null, because our layer is always so.
    Always(&'static str),
    /// The same, for options that not all versions of Keras's layer have: it is not written.
    Accepted(&'static str),
    /// Only Keras has it, and it changes nothing for us: left out when reading, and not written.
    Ignored,
    /// Only ours has it, and it must have this value, because Keras's layer is always so.
    OursAlone(&'static str),
    /// An argument of the call in Keras, an option of ours.
    CallFlag,
}

/// The same option under the same name.
pub(super) const fn same(name: &'static str) -> Field {
    field(name, How::Same)
}

/// An option of the same name on both sides.
pub(super) const fn field(name: &'static str, how: How) -> Field {
    Field { keras: name, ours: name, how }
}

/// What is wrong with the value of an option.
pub(super) type Wrong = String;

fn parsed(literal: &str) -> Json {
    serde_json::from_str(literal).expect("a literal of the table")
}

impl Field {
    /// Moves the option from Keras's config into our data.
    pub fn read(&self, keras: &mut Map<String, Json>, ours: &mut Map<String, Json>) -> Result<(), Wrong> {
        let value = match (self.how, keras.remove(self.keras)) {
            (How::OursAlone(_) | How::Ignored, _) | (_, None) if !matches!(self.how, How::Or(_)) => return Ok(()),
            (How::Or(default), None | Some(Json::Null)) => parsed(default),
            // An option that is null has our default, unless it may be null here or means something.
            (how, Some(Json::Null)) if !matches!(how, How::Same | How::Activation) => return Ok(()),
            (_, Some(value)) => value,
            (_, None) => return Ok(()),
        };
        let wrong = |wanted: &str| Err(format!("{} is {value}, not {wanted}", self.keras));
        let value = match self.how {
            How::Always(literal) | How::Accepted(literal) => {
                let one = value.as_array().filter(|values| values.len() == 1).map_or(&value, |values| &values[0]);
                let is_so = value.is_null() || is_same(one, &parsed(literal));
                return if is_so { Ok(()) } else { wrong(literal) };
            }
            How::Same | How::Or(_) | How::CallFlag => value,
            How::Word => match value {
                Json::String(_) => value,
                value => return Err(format!("{} is {value}, not a word", self.keras)),
            },
            How::PerAxis => match value {
                Json::Number(_) => json!([value]),
                value => value,
            },
            How::Pairs => match &value {
                Json::Array(widths) if widths.iter().all(Json::is_number) => json!([widths]),
                Json::Number(_) => json!([[value, value]]),
                _ => value,
            },
            How::Axes => match value {
                Json::Number(_) => json!([value]),
                value => value,
            },
            How::Axis => match &value {
                Json::Array(axes) if axes.len() == 1 => axes[0].clone(),
                Json::Number(_) => value,
                _ => return wrong("one axis"),
            },
            How::Lengths => match value {
                Json::Array(lengths) => {
                    lengths.into_iter().map(|length| if length.is_null() { json!(-1) } else { length }).collect()
                }
                value => value,
            },
            How::Activation => activation(&value)?,
            How::Initializer => initializer(&value),
            How::Regularizer => regularizer(&value).map_err(|wrong| format!("{}: {wrong}", self.keras))?,
            How::Constraint => constraint(&value).map_err(|wrong| format!("{}: {wrong}", self.keras))?,
            How::Interpolation => match INTERPOLATIONS.iter().find(|(keras, _)| value == *keras) {
                Some((_, ours)) => json!(ours),
                None => return wrong("nearest or bilinear"),
            },
            How::Ignored | How::OursAlone(_) => return Ok(()),
        };
        if !value.is_null() || matches!(self.how, How::Same) {
            ours.insert(self.ours.to_owned(), value);
        }
        Ok(())
    }

    /// Moves the option from our data into Keras's config.
    pub fn write(&self, ours: &mut Map<String, Json>, keras: &mut Map<String, Json>) -> Result<(), Wrong> {
        let value = match self.how {
            How::Always(literal) => parsed(literal),
            How::Ignored | How::Accepted(_) => return Ok(()),
            _ => match ours.remove(self.ours) {
                None | Some(Json::Null) => return Ok(()),
                Some(value) => value,
            },
        };
        let wrong = |wanted: &str| Err(format!("{} is {value}, not {wanted} as Keras has it", self.ours));
        let value = match self.how {
            How::OursAlone(literal) => {
                return if is_same(&value, &parsed(literal)) { Ok(()) } else { wrong(literal) };
            }
            How::Word if !value.is_string() => return wrong("a word"),
            How::Pairs => match value.as_array() {
                Some(pairs) if pairs.len() == 1 => pairs[0].clone(),
                _ => value,
            },
            How::Axes => match value.as_array() {
                Some(axes) if axes.len() == 1 => axes[0].clone(),
                _ => value,
            },
            How::Activation => activation_of(&value)?,
            How::Initializer => initializer_of(&value),
            How::Regularizer => regularizer_of(&value),
            How::Constraint => constraint_of(&value),
            How::Interpolation => match INTERPOLATIONS.iter().find(|(_, ours)| value == *ours) {
                Some((keras, _)) => json!(keras),
                None => return wrong("nearest or linear"),
            },
            _ => value,
        };
        keras.insert(self.keras.to_owned(), value);
        Ok(())
    }
}

/// Interpolations: Keras's names, ours.
const INTERPOLATIONS: &[(&str, &str)] = &[("nearest", "nearest"), ("bilinear", "linear")];

/// Whether two values are the same, 1 and 1.0 among them.
fn is_same(a: &Json, b: &Json) -> bool {
    a == b || (a.is_number() && a.as_f64() == b.as_f64())
}

/// The class and the config of a serialized object: `{class_name, config}`, or a word, which has no config.
pub(super) fn object(value: &Json) -> Option<(&str, &Json)> {
    match value {
        Json::String(class) => Some((class, &Json::Null)),
        Json::Object(object) => {
            Some((object.get("class_name")?.as_str()?, object.get("config").unwrap_or(&Json::Null)))
        }
        _ => None,
    }
}

fn number(config: &Json, name: &str, default: f64) -> Json {
    match config.get(name).and_then(Json::as_f64) {
        Some(value) => json!(value),
        None => json!(default),
    }
}

/// Activations without options: Keras's names, ours.
const ACTIVATIONS: &[(&str, &str)] = &[
    ("linear", "Linear"),
    ("relu", "Relu"),
    ("relu6", "Relu6"),
    ("selu", "Selu"),
    ("gelu", "Gelu"),
    ("silu", "Silu"),
    ("swish", "Silu"),
    ("mish", "Mish"),
    ("softplus", "Softplus"),
    ("softsign", "Softsign"),
    ("sparse_plus", "SparsePlus"),
    ("softmax", "Softmax"),
    ("log_softmax", "LogSoftmax"),
    ("sparsemax", "Sparsemax"),
    ("sigmoid", "Sigmoid"),
    ("log_sigmoid", "LogSigmoid"),
    ("hard_sigmoid", "HardSigmoid"),
    ("sparse_sigmoid", "SparseSigmoid"),
    ("hard_silu", "HardSilu"),
    ("hard_swish", "HardSilu"),
    ("tanh", "Tanh"),
    ("hard_tanh", "HardTanh"),
    ("tanh_shrink", "TanhShrink"),
    ("exponential", "Exponential"),
];

/// Activations with options, at the defaults of Keras's functions, which a file names without options.
const ACTIVATIONS_WITH_DEFAULTS: &[(&str, &str, &str, f64)] = &[
    ("leaky_relu", "LeakyRelu", "negative_slope", 0.2),
    ("elu", "Elu", "alpha", 1.0),
    ("celu", "Celu", "alpha", 1.0),
    ("squareplus", "Squareplus", "b", 4.0),
    ("hard_shrink", "HardShrink", "threshold", 0.5),
    ("soft_shrink", "SoftShrink", "threshold", 0.5),
];

/// Our activation of Keras's: a word, a function's object, or the object of a layer such as LeakyReLU.
pub(super) fn activation(value: &Json) -> Result<Json, Wrong> {
    let unknown = || format!("there is no activation {value}");
    let by_name = |name: &str| {
        let plain = ACTIVATIONS.iter().find(|(keras, _)| *keras == name).map(|(_, ours)| json!(ours));
        plain.or_else(|| {
            let (_, ours, option, default) = ACTIVATIONS_WITH_DEFAULTS.iter().find(|(keras, ..)| *keras == name)?;
            Some(json!({ *ours: { *option: default } }))
        })
    };
    if value.is_null() {
        return Ok(json!("Linear"));
    }
    let (class, config) = object(value).ok_or_else(unknown)?;
    // A function is an object too: its name is the config.
    let class = if class == "function" { config.as_str().ok_or_else(unknown)? } else { class };
    if config.is_object() {
        let zero = |name: &str| config.get(name).is_none_or(|value| value.is_null() || value.as_f64() == Some(0.0));
        match class {
            "LeakyReLU" => {
                let slope = if config.get("alpha").is_some() { "alpha" } else { "negative_slope" };
                return Ok(json!({"LeakyRelu": {"negative_slope": number(config, slope, 0.3)}}));
            }
            "ELU" => return Ok(json!({"Elu": {"alpha": number(config, "alpha", 1.0)}})),
            "Softmax" if config.get("axis").is_none_or(|axis| *axis == json!(-1)) => return Ok(json!("Softmax")),
            "Activation" => return activation(config.get("activation").unwrap_or(&Json::Null)),
            "ReLU" if zero("threshold") && zero("negative_slope") => match config.get("max_value").map(Json::as_f64) {
                None | Some(None) => return Ok(json!("Relu")),
                Some(Some(6.0)) => return Ok(json!("Relu6")),
                _ => {}
            },
            _ => {}
        }
    }
    by_name(class).ok_or_else(unknown)
}

/// Keras's activation of ours.
pub(super) fn activation_of(value: &Json) -> Result<Json, Wrong> {
    if let Some(name) = value.as_str()
        && let Some((keras, _)) = ACTIVATIONS.iter().find(|(_, ours)| *ours == name)
    {
        return Ok(json!(keras));
    }
    let of_options = value.as_object().and_then(|object| object.iter().next());
    if let Some((name, options)) = of_options {
        let with_default = ACTIVATIONS_WITH_DEFAULTS.iter().find(|(_, ours, ..)| ours == name);
        if let Some((keras, _, option, default)) = with_default {
            let found = options[*option].as_f64().unwrap_or(f64::NAN);
            if found == *default {
                return Ok(json!(keras));
            }
            // Only these have a layer that holds the option.
            let class = match *keras {
                "leaky_relu" => Some("LeakyReLU"),
                "elu" => Some("ELU"),
                _ => None,
            };
            if let Some(class) = class {
                return Ok(object_of("keras.layers", class, json!({ *option: found })));
            }
        }
    }
    Err(format!("the activation {value} has no name in Keras's files"))
}

/// An object as Keras serializes it.
pub(super) fn object_of(module: &str, class: &str, config: Json) -> Json {
    json!({"module": module, "class_name": class, "config": config, "registered_name": null})
}

/// Initialisers without options.
const INITIALIZERS: &[&str] =
    &["Zeros", "Ones", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal"];

/// Our initialiser of Keras's, or null, by which our layer has its own default: the weights are in the file.
fn initializer(value: &Json) -> Json {
    let Some((class, config)) = object(value) else { return Json::Null };
    let camel: String = class.split('_').map(capitalized).collect();
    match &*camel {
        "Constant" => json!({"Constant": number(config, "value", 0.0)}),
        "RandomUniform" => json!({"RandomUniform": {
            "minval": number(config, "minval", -0.05), "maxval": number(config, "maxval", 0.05),
        }}),
        name @ ("RandomNormal" | "TruncatedNormal") => json!({ name: {
            "mean": number(config, "mean", 0.0), "stddev": number(config, "stddev", 0.05),
        }}),
        "Orthogonal" | "OrthogonalInitializer" => json!({"Orthogonal": {"gain": number(config, "gain", 1.0)}}),
        name if INITIALIZERS.contains(&name) => json!(name),
        _ => Json::Null,
    }
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn initializer_of(value: &Json) -> Json {
    let (class, config) = match value {
        Json::Object(object) => {
            let (class, options) =
                object.iter().next().map_or(("Zeros", &Json::Null), |(class, options)| (&**class, options));
            (class, if class == "Constant" { json!({ "value": options }) } else { options.clone() })
        }
        value => (value.as_str().unwrap_or("Zeros"), json!({})),
    };
    object_of("keras.initializers", class, config)
}

fn regularizer(value: &Json) -> Result<Json, Wrong> {
    if value.is_null() {
        return Ok(Json::Null);
    }
    let unknown = || format!("there is no regularizer {value}");
    let (class, config) = object(value).ok_or_else(unknown)?;
    match class {
        "L1" | "l1" => Ok(json!({"L1": number(config, "l1", 0.01)})),
        "L2" | "l2" => Ok(json!({"L2": number(config, "l2", 0.01)})),
        "L1L2" | "l1_l2" => {
            let default = if config.is_null() { 0.01 } else { 0.0 };
            Ok(json!({"L1L2": {"l1": number(config, "l1", default), "l2": number(config, "l2", default)}}))
        }
        _ => Err(unknown()),
    }
}

fn regularizer_of(value: &Json) -> Json {
    let (class, options) = match value.as_object().and_then(|object| object.iter().next()) {
        Some(pair) => pair,
        None => return Json::Null,
    };
    let config = match &**class {
        "L1" => json!({ "l1": options }),
        "L2" => json!({ "l2": options }),
        _ => options.clone(),
    };
    object_of("keras.regularizers", class, config)
}

fn constraint(value: &Json) -> Result<Json, Wrong> {
    if value.is_null() {
        return Ok(Json::Null);
    }
    let unknown = || format!("there is no constraint {value}");
    let (class, config) = object(value).ok_or_else(unknown)?;
    let axis = match config.get("axis") {
        None | Some(Json::Null) => json!([0]),
        Some(Json::Array(axes)) => json!(axes),
        Some(axis) => json!([axis]),
    };
    match class {
        "NonNeg" | "non_neg" => Ok(json!("NonNeg")),
        "MaxNorm" | "max_norm" => Ok(json!({"MaxNorm": {"max_value": number(config, "max_value", 2.0), "axis": axis}})),
        "UnitNorm" | "unit_norm" => Ok(json!({"UnitNorm": {"axis": axis}})),
        "MinMaxNorm" | "min_max_norm" => Ok(json!({"MinMaxNorm": {
            "min_value": number(config, "min_value", 0.0), "max_value": number(config, "max_value", 1.0),
            "rate": number(config, "rate", 1.0), "axis": axis,
        }})),
        _ => Err(unknown()),
    }
}

fn constraint_of(value: &Json) -> Json {
    match value {
        Json::Object(object) => {
            let (class, options) =
                object.iter().next().map_or(("NonNeg", &Json::Null), |(class, options)| (&**class, options));
            object_of("keras.constraints", class, options.clone())
        }
        value => object_of("keras.constraints", value.as_str().unwrap_or("NonNeg"), json!({})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_have_keras_meaning() {
        // keras 3.15.1: activations.get("gelu") is gelu(approximate=False), leaky_relu has the slope 0.2 as a function and 0.3
        // as a layer.
        assert_eq!(activation(&json!("gelu")).unwrap(), json!("Gelu"));
        assert_eq!(activation(&json!("leaky_relu")).unwrap(), json!({"LeakyRelu": {"negative_slope": 0.2}}));
        let layer = json!({"module": "keras.layers", "class_name": "LeakyReLU", "config": {"name": "x"}});
        assert_eq!(activation(&layer).unwrap(), json!({"LeakyRelu": {"negative_slope": 0.3}}));
        let function = json!({"module": "keras.activations", "class_name": "function", "config": "silu"});
        assert_eq!(activation(&function).unwrap(), json!("Silu"));
        let relu6 = json!({"class_name": "ReLU", "config": {"max_value": 6.0, "threshold": 0.0}});
        assert_eq!(activation(&relu6).unwrap(), json!("Relu6"));
        for unknown in [json!("glu"), json!("my>function"), json!(3), json!({"class_name": "PReLU", "config": {}})] {
            assert!(activation(&unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn activations_go_both_ways() {
        let all = ACTIVATIONS.iter().map(|(_, ours)| json!(ours));
        let options = ACTIVATIONS_WITH_DEFAULTS.iter();
        let with_options = options.map(|(_, ours, option, default)| json!({ *ours: { *option: default } }));
        let other = [json!({"LeakyRelu": {"negative_slope": 0.1}}), json!({"Elu": {"alpha": 0.5}})];
        for ours in all.chain(with_options).chain(other) {
            assert_eq!(activation(&activation_of(&ours).unwrap()).unwrap(), ours);
            serde_json::from_value::<gradus_nn::Activation>(ours).unwrap();
        }
        for refused in [json!("GeluTanh"), json!({"Celu": {"alpha": 0.5}})] {
            assert!(activation_of(&refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn distributions_and_penalties_go_both_ways() {
        for name in INITIALIZERS {
            assert_eq!(initializer(&initializer_of(&json!(name))), json!(name));
        }
        assert_eq!(initializer(&json!("glorot_uniform")), json!("GlorotUniform"));
        let ours = [
            json!({"Constant": 0.5}),
            json!({"RandomUniform": {"minval": -1.0, "maxval": 1.0}}),
            json!({"TruncatedNormal": {"mean": 0.0, "stddev": 0.2}}),
            json!({"Orthogonal": {"gain": 2.0}}),
        ];
        for ours in ours {
            assert_eq!(initializer(&initializer_of(&ours)), ours);
            serde_json::from_value::<gradus_nn::Initializer>(ours).unwrap();
        }
        for ours in [json!({"L1": 0.5}), json!({"L2": 0.1}), json!({"L1L2": {"l1": 0.5, "l2": 0.25}})] {
            assert_eq!(regularizer(&regularizer_of(&ours)).unwrap(), ours);
            serde_json::from_value::<gradus_nn::Regularizer>(ours).unwrap();
        }
        assert!(regularizer(&json!({"class_name": "OrthogonalRegularizer", "config": {}})).is_err());
        let constraints = [
            json!("NonNeg"),
            json!({"MaxNorm": {"max_value": 2.5, "axis": [0, 1]}}),
            json!({"UnitNorm": {"axis": [0]}}),
            json!({"MinMaxNorm": {"min_value": 0.5, "max_value": 2.0, "rate": 0.5, "axis": [0]}}),
        ];
        for ours in constraints {
            assert_eq!(constraint(&constraint_of(&ours)).unwrap(), ours);
            serde_json::from_value::<gradus_autograd::Constraint>(ours).unwrap();
        }
    }

    #[test]
    fn options_are_translated() {
        let read = |how, value: Json| {
            let (mut keras, mut ours) = (Map::from_iter([("x".to_owned(), value)]), Map::new());
            field("x", how).read(&mut keras, &mut ours).map(|()| ours.remove("x").unwrap_or(Json::Null))
        };
        assert_eq!(read(How::PerAxis, json!(3)), Ok(json!([3])));
        assert_eq!(read(How::Pairs, json!([1, 2])), Ok(json!([[1, 2]])));
        assert_eq!(read(How::Pairs, json!([[1, 2], [0, 0]])), Ok(json!([[1, 2], [0, 0]])));
        assert_eq!(read(How::Axis, json!([3])), Ok(json!(3)));
        assert_eq!(read(How::Lengths, json!([2, null])), Ok(json!([2, -1])));
        assert_eq!(read(How::Or("0.3"), Json::Null), Ok(json!(0.3)));
        assert!(read(How::Axis, json!([1, 2])).is_err());
        let refused = read(How::Always("\"channels_last\""), json!("channels_first")).unwrap_err();
        assert_eq!(refused, "x is \"channels_first\", not \"channels_last\"");
    }
}
