//! A program: operators in the order in which they are computed, over named values.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;

use gradus_autograd::Var;
use gradus_nn::{Error, Result};
use gradus_tensor::{AnyTensor, Float, Shape, Tensor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::call::{Call, SMALL, broadcast};
use super::control;
use super::node::{Attribute, Body, Constant, Node};
use super::plan::{Block, Plan, Step};
use super::table::{self, Rule};
use super::value::{Kind, Value, Whole, element_name};

/// The graph of an ONNX file as a list of operators over named values: floats, whole numbers and masks.
///
/// It is made by [`OnnxFile`](super::OnnxFile), and a layer of kind `"Onnx"`, by which [`load`](super::load) makes a model of it.
/// The floats among the file's constants that are no single numbers are its weights; all else is part of its data, so that a model
/// with this layer is written to a file of our own and read again:
///
/// ```
/// use gradus_interchange::onnx::Program;
/// use gradus_nn::{LayerKinds, Sequential};
/// # let relu = r#"{"name": "r", "layer": "Onnx", "config": {"opset": 14, "inputs": [{"name": "x", "element": 1, "shape": null}],
/// #   "weights": [], "constants": {}, "nodes": [{"op": "Relu", "inputs": ["x"], "outputs": ["y"]}],
/// #   "outputs": [{"name": "y", "element": 1, "shape": null}]}}"#;
/// # let json = format!("[{relu}]");
/// let kinds = LayerKinds::standard().with::<Program>();
/// let network = Sequential::from_json_with(&json, &kinds)?;
/// # assert_eq!(network.len(), 1);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
///
/// A layer has a batch axis, the first of each input and output. [`OnnxFile::run`](super::OnnxFile::run) needs none.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) data: Arc<Data>,
    plan: Arc<Plan>,
}

/// What is written of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Data {
    /// The version of the set of operators.
    pub opset: i64,
    pub inputs: Vec<Port>,
    pub weights: Vec<WeightPort>,
    /// The constants that are no weights, by name.
    pub constants: std::collections::BTreeMap<String, Constant>,
    pub nodes: Vec<Node>,
    pub outputs: Vec<Port>,
    /// Whether the file is for one sample, and several are not computed together.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_by_one: bool,
}

/// An input or an output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Port {
    pub name: String,
    /// The number of the element type, as in the file.
    pub element: i32,
    /// The lengths as the file says them: `null` for one that is free, and for all if the file says none.
    pub shape: Option<Vec<Option<usize>>>,
}

/// A weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeightPort {
    pub name: String,
    pub shape: Vec<usize>,
    /// Whether it is trained. Moving averages and constant tables are not.
    pub trained: bool,
}

impl Port {
    pub fn kind(&self) -> std::result::Result<Kind, String> {
        Kind::of_element(self.element).ok_or_else(|| {
            format!("{:?} has elements of {}, which are not read", self.name, element_name(self.element))
        })
    }
}

/// The first problems of a list.
pub(crate) fn shortened(problems: &[String]) -> String {
    const SHOWN: usize = 20;
    let more = problems.len().saturating_sub(SHOWN);
    let shown = problems[..problems.len().min(SHOWN)].join("; ");
    if more == 0 { shown } else { format!("{shown}; and {more} more") }
}

/// Inputs or outputs that a program may have.
const MOST_PORTS: usize = 10_000;

impl Data {
    /// All that is wrong with the data, but for the names of values.
    fn check(&self) -> std::result::Result<(), String> {
        let mut wrong = Vec::new();
        wrong.extend(self.inputs.iter().chain(&self.outputs).filter_map(|port| port.kind().err()));
        for (name, constant) in &self.constants {
            wrong.extend(constant.check::<serde_json::Error>().err().map(|error| format!("{name:?}: {error}")));
        }
        let mut unread = Vec::new();
        Node::each(&self.nodes, &mut |node| {
            for attribute in node.attributes.values() {
                if let Attribute::Tensor(constant) = attribute {
                    wrong.extend(constant.check::<serde_json::Error>().err().map(|error| error.to_string()));
                }
            }
            let opset = node.opset.unwrap_or(self.opset);
            unread.extend(table::problem(node, opset).or_else(|| control::problem(node, opset)));
        });
        let mut said = HashSet::new();
        wrong.extend(unread.into_iter().filter(|problem| said.insert(problem.clone())));
        if self.inputs.len().max(self.outputs.len()) > MOST_PORTS {
            wrong.push(format!("there are more than {MOST_PORTS} inputs or outputs"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(shortened(&wrong)) }
    }
}

impl Program {
    /// A program of these data.
    ///
    /// # Errors
    /// If an operator or one of its attributes is not known, or the values do not fit each other.
    pub(crate) fn new(data: Data) -> std::result::Result<Self, String> {
        data.check()?;
        let plan = Plan::new(&data)?;
        Ok(Program { data: Arc::new(data), plan: Arc::new(plan) })
    }

    /// The operators that it computes, in alphabetical order, each with how often it is there. Those of graphs within operators count.
    ///
    /// ```
    /// use gradus_interchange::onnx::Program;
    /// let program: Program = serde_json::from_str(r#"{"opset": 14, "inputs": [{"name": "x", "element": 1, "shape": null}],
    ///     "weights": [], "constants": {}, "nodes": [{"op": "Relu", "inputs": ["x"], "outputs": ["y"]}],
    ///     "outputs": [{"name": "y", "element": 1, "shape": null}]}"#)?;
    /// assert_eq!(program.operators(), [("Relu".to_owned(), 1)]);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn operators(&self) -> Vec<(String, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        Node::each(&self.data.nodes, &mut |node| *counts.entry(node.op.clone()).or_default() += 1);
        counts.into_iter().collect()
    }

    /// Computes the outputs. `weights` has a value for each weight, in order.
    ///
    /// If it is a `trial`, the shapes of the outputs are what is asked for: large values are one element that stands for all.
    pub(crate) fn compute<T: Float>(
        &self,
        inputs: Vec<Value<T>>,
        weights: Vec<Var<T>>,
        trial: bool,
    ) -> Result<Vec<Value<T>>> {
        let Plan { block, places } = &*self.plan;
        let mut values: Vec<Option<Value<T>>> = Vec::with_capacity(*places);
        values.extend(inputs.into_iter().map(Some));
        values.extend(weights.into_iter().map(|weight| Some(Value::Floats(weight))));
        values.extend(self.data.constants.values().map(|constant| Some(constant.value())));
        values.resize_with(*places, || None);
        let running = Running { opset: self.data.opset, trial, values: RefCell::new(values), computed: Cell::new(0) };
        running
            .steps(&self.data.nodes, block)
            .map_err(|Failure { place, problem }| Error::new(format!("onnx: {place}"), problem, ""))?;
        Ok(running.outputs(block))
    }

    /// The inputs by name as values, in order.
    pub(crate) fn values<T: Float>(&self, inputs: &[(&str, AnyTensor)]) -> Result<Vec<Value<T>>> {
        let known = || self.data.inputs.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ");
        let mut wrong = Vec::new();
        for (name, _) in inputs {
            if !self.data.inputs.iter().any(|port| port.name == *name) {
                wrong.push(format!("there is no input {name:?}, only {}", known()));
            }
        }
        let mut values = Vec::with_capacity(self.data.inputs.len());
        for port in &self.data.inputs {
            let mut given = inputs.iter().filter(|(name, _)| *name == port.name);
            match (given.next(), given.next()) {
                (Some((_, tensor)), None) => match port.kind().map(|kind| Value::from_tensor(tensor, kind)) {
                    Ok(Some(value)) => values.push(value),
                    _ => wrong.push(format!(
                        "the input {:?} takes {}, found {} that do not fit",
                        port.name,
                        element_name(port.element),
                        tensor.element()
                    )),
                },
                (None, _) => wrong.push(format!("the input {:?} is missing", port.name)),
                (Some(_), Some(_)) => wrong.push(format!("the input {:?} is given twice", port.name)),
            }
            if let (Some(value), Some(shape)) = (values.last(), &port.shape) {
                let fits = value.shape().len() == shape.len()
                    && value.shape().iter().zip(shape).all(|(length, said)| said.is_none_or(|said| said == *length));
                if wrong.is_empty() && !fits {
                    let said: Vec<String> = shape
                        .iter()
                        .map(|length| length.map_or("None".to_owned(), |length| length.to_string()))
                        .collect();
                    let said = said.join(", ");
                    wrong.push(format!("the input {:?} has the shape [{said}], found {}", port.name, value.shape()));
                }
            }
        }
        if wrong.is_empty() {
            Ok(values)
        } else {
            Err(Error::new("onnx: run", shortened(&wrong), "give each input once, by its name"))
        }
    }
}

/// How often graphs within operators may be computed in one run of a program: a loop that never ends is stopped.
const MOST_COMPUTED: usize = 1 << 17;

/// A run of a program: its values so far.
struct Running<T: Float> {
    opset: i64,
    trial: bool,
    values: RefCell<Vec<Option<Value<T>>>>,
    /// How often graphs within operators have been computed.
    computed: Cell<usize>,
}

/// What is wrong, and at which operator.
struct Failure {
    place: String,
    problem: String,
}

impl<T: Float> Running<T> {
    /// Computes operators in order.
    fn steps(&self, nodes: &[Node], block: &Block) -> std::result::Result<(), Failure> {
        for (node, step) in nodes.iter().zip(&block.steps) {
            let given: Vec<Option<Value<T>>> = {
                let values = self.values.borrow();
                step.inputs.iter().map(|&place| values[place?].clone()).collect()
            };
            let opset = node.opset.unwrap_or(self.opset);
            let inners = Inners { running: self, step };
            let call = Call { node, opset, inputs: &given, trial: self.trial, inners };
            let made = run(&call).map_err(|problem| {
                let shapes = given
                    .iter()
                    .map(|value| value.as_ref().map_or("none".to_owned(), |value| value.shape().to_string()));
                let shapes = shapes.collect::<Vec<String>>().join(" and ");
                Failure { place: node.title(), problem: format!("{problem} (inputs: {shapes})") }
            })?;
            let mut values = self.values.borrow_mut();
            for (place, value) in step.outputs.iter().zip(made) {
                if let Some(place) = place {
                    values[*place] = Some(value);
                }
            }
            if let Some(missing) = step.outputs.iter().flatten().find(|place| values[**place].is_none()) {
                let problem = format!("it gives fewer outputs than are taken ({missing})");
                return Err(Failure { place: node.title(), problem });
            }
            step.last.iter().for_each(|&place| values[place] = None);
        }
        Ok(())
    }

    fn outputs(&self, block: &Block) -> Vec<Value<T>> {
        let values = self.values.borrow();
        block.outputs.iter().map(|&place| values[place].clone().expect("outputs are kept")).collect()
    }
}

/// The graphs within an operator in a run of a program.
pub(crate) struct Inners<'a, T: Float> {
    running: &'a Running<T>,
    step: &'a Step,
}

impl<'a, T: Float> Inners<'a, T> {
    /// One of them, by its place among the graphs of the operator.
    pub fn inner(&self, index: usize, body: &'a Body) -> Inner<'a, T> {
        Inner { running: self.running, body, block: &self.step.blocks[index] }
    }
}

/// A graph within an operator, which sees the values around it.
pub(crate) struct Inner<'a, T: Float> {
    running: &'a Running<T>,
    body: &'a Body,
    block: &'a Block,
}

impl<T: Float> Inner<'_, T> {
    /// The number of its outputs.
    pub fn outputs(&self) -> usize {
        self.block.outputs.len()
    }

    /// Its outputs for these inputs.
    pub fn run(&self, inputs: Vec<Value<T>>) -> std::result::Result<Vec<Value<T>>, String> {
        let Inner { running, body, block } = self;
        let computed = running.computed.get() + 1;
        running.computed.set(computed);
        if computed > MOST_COMPUTED {
            return Err(format!("graphs within operators are computed more than {MOST_COMPUTED} times"));
        }
        for (&place, value) in block.inputs.iter().zip(inputs) {
            running.values.borrow_mut()[place] = Some(value);
        }
        running
            .steps(&body.nodes, block)
            .map_err(|Failure { place, problem }| format!("in its graph, {place}: {problem}"))?;
        let made = running.outputs(block);
        // The others are no longer there, and those from around it stay.
        let mut values = running.values.borrow_mut();
        block.own_ends().for_each(|place| values[place] = None);
        Ok(made)
    }
}

/// Runs an operator.
fn run<T: Float>(call: &Call<'_, T>) -> std::result::Result<Vec<Value<T>>, String> {
    let row = table::row::<T>(&call.node.op).ok_or("there is no such operator")?;
    if call.trial
        && let Some(values) = outline(call, row.rule)?
    {
        return Ok(values);
    }
    let made = (row.run)(call)?;
    let is_beyond = |value: &Value<T>| match value {
        Value::Ints(numbers, Whole::U64) => numbers.iter().any(|number| number < 0),
        _ => false,
    };
    if made.iter().any(is_beyond) {
        return Err("gives numbers of uint64 below 0, or of 2^63 and more, which are not computed with".to_owned());
    }
    Ok(made)
}

/// The values of an operator on large floats, as one element that stands for all; `None` if it must be computed.
fn outline<T: Float>(call: &Call<'_, T>, rule: Rule) -> std::result::Result<Option<Vec<Value<T>>>, String> {
    let given = || call.inputs.iter().flatten();
    let has_floats = given().any(|value| value.kind() == Kind::Floats);
    let shape = match rule {
        Rule::Run => return Ok(None),
        _ if !has_floats => return Ok(None),
        Rule::Same => call.value(0)?.shape().clone(),
        // The second input broadcasts to the first, along an axis that may be said.
        Rule::Broadcast | Rule::Compare if call.opset < 7 => call.value(0)?.shape().clone(),
        Rule::Broadcast | Rule::Compare => {
            let mut shapes = given().map(Value::shape);
            let first = shapes.next().cloned().unwrap_or_else(|| Shape::from([]));
            shapes.try_fold(first, |shape, other| broadcast(&shape, other))?
        }
        Rule::Product => super::matrix::product_shape(call.value(0)?.shape(), call.value(1)?.shape())?,
    };
    if shape.size() <= SMALL {
        return Ok(None);
    }
    let kind = if rule == Rule::Compare { Kind::Mask } else { Kind::Floats };
    Ok(Some(vec![Value::zeros(kind, &shape)]))
}

impl PartialEq for Program {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl Serialize for Program {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.data.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Program {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let data = Data::deserialize(deserializer)?;
        Program::new(data).map_err(serde::de::Error::custom)
    }
}

/// Zeros in the shape of a weight, one element that stands for all.
pub(crate) fn blank<T: Float>(shape: &[usize]) -> Var<T> {
    Var::from(Tensor::scalar(T::ZERO).broadcast_to(Shape::from(shape)))
}
