//! A graph written out: the functions of the file stand where they are called, an If whose condition is a constant is the branch that it
//! takes, and each value has a name of its own.
//!
//! The names of a graph within an operator, of an If or a Scan, may be there again in another. Here they are made different, so that a
//! program knows a value by its name alone. The initializers of such graphs become those of the file.

use std::collections::{HashMap, HashSet};

use super::super::proto::{
    AttributeProto, AttributeValue, FunctionProto, GraphProto, ModelProto, NodeProto, TensorData, TensorProto,
    ValueInfoProto,
};

/// The nodes that all calls of functions may give together.
const MOST_NODES: usize = 1 << 17;
/// The bytes of names and numbers that all calls may copy.
const MOST_BYTES: usize = 1 << 26;
/// Calls within calls.
const MOST_CALLS: usize = 64;
/// Graphs within graphs.
const MOST_GRAPHS: usize = 16;
/// The longest name of a call that names values of the function.
const LONGEST_NAME: usize = 200;

/// The graph of a model without calls of functions, in which no two values have one name.
///
/// `opset` is the version of the standard operators of the model, and `truth` the one element of a tensor, if it has one and that is a
/// bool.
pub(super) fn written_out(
    model: ModelProto,
    opset: i64,
    truth: &dyn Fn(&TensorProto) -> Option<bool>,
) -> Result<GraphProto, String> {
    let ModelProto { graph, functions, .. } = model;
    let mut known = HashMap::new();
    for function in &functions {
        if known.insert(key(&function.domain, &function.name, &function.overload), function).is_some() {
            return Err(format!("two functions are called {}", title(function)));
        }
    }
    let GraphProto { nodes, mut initializers, mut value_info, mut sparse_initializers, inputs, outputs, name } = graph;
    let named = inputs.iter().map(|input| &input.name).chain(initializers.iter().map(|tensor| &tensor.name));
    let taken = named.chain(nodes.iter().flat_map(|node| &node.outputs)).cloned().collect();
    let truths = initializers.iter().filter_map(|tensor| Some((tensor.name.clone(), truth(tensor)?))).collect();
    let mut inlining = Inlining {
        functions: known,
        opset,
        truth,
        truths,
        taken,
        number: 0,
        nodes: 0,
        bytes: 0,
        initializers: Vec::new(),
        infos: Vec::new(),
        sparse_initializers: 0,
    };
    let mut made = Vec::with_capacity(nodes.len());
    let mut scope = Scope::default();
    for node in nodes {
        inlining.node(node, &mut scope, &mut made)?;
    }
    initializers.append(&mut inlining.initializers);
    value_info.append(&mut inlining.infos);
    sparse_initializers += inlining.sparse_initializers;
    Ok(GraphProto { name, nodes: made, initializers, sparse_initializers, inputs, outputs, value_info })
}

/// What a function is known by: its domain, its name, and which it is of this name.
type Key<'a> = (&'a str, &'a str, &'a str);

fn key<'a>(domain: &'a str, name: &'a str, overload: &'a str) -> Key<'a> {
    (if domain == "ai.onnx" { "" } else { domain }, name, overload)
}

fn title(function: &FunctionProto) -> String {
    let domain = if function.domain.is_empty() { String::new() } else { format!("{}.", function.domain) };
    format!("{domain}{}", function.name)
}

struct Inlining<'a> {
    functions: HashMap<Key<'a>, &'a FunctionProto>,
    opset: i64,
    truth: &'a dyn Fn(&TensorProto) -> Option<bool>,
    /// The conditions that are constants, by name.
    truths: HashMap<String, bool>,
    /// The names of all values so far.
    taken: HashSet<String>,
    /// The last number behind a name that was taken.
    number: usize,
    /// The nodes and bytes that calls have made.
    nodes: usize,
    bytes: usize,
    /// What the graphs within operators have besides nodes.
    initializers: Vec<TensorProto>,
    infos: Vec<ValueInfoProto>,
    sparse_initializers: usize,
}

/// The names that are known at a place: those of the file, and what they are called here.
///
/// In the graph of the file itself names stay as they are.
#[derive(Default)]
struct Scope<'a> {
    names: HashMap<String, String>,
    outer: Option<&'a Scope<'a>>,
    call: Option<&'a Call<'a>>,
    /// The graphs around this place.
    depth: usize,
}

/// A call of a function.
struct Call<'a> {
    function: &'a FunctionProto,
    attributes: &'a [AttributeProto],
    /// What the names of its values begin with.
    name: String,
    /// The version of the standard operators in the function, if it is another than that of the model.
    version: Option<i64>,
    outer: Option<&'a Call<'a>>,
}

impl<'a> Call<'a> {
    /// This call and those around it.
    fn and_outer(first: Option<&'a Call<'a>>) -> impl Iterator<Item = &'a Call<'a>> {
        std::iter::successors(first, |call| call.outer)
    }

    /// The value of an attribute in this call; `None` if the call leaves it out.
    fn attribute(&self, name: &str) -> Option<&'a AttributeValue> {
        let mut given = self.attributes.iter().chain(&self.function.defaults);
        given.find(|given| given.name == name).map(|given| &given.value)
    }
}

impl Scope<'_> {
    fn find(&self, name: &str) -> Option<&String> {
        self.names.get(name).or_else(|| self.outer?.find(name))
    }

    /// Whether this is the graph of the file itself.
    fn is_whole(&self) -> bool {
        self.outer.is_none() && self.call.is_none()
    }
}

impl<'a> Inlining<'a> {
    /// A node with the names of this place, or what it calls.
    fn node(&mut self, mut node: NodeProto, scope: &mut Scope<'_>, made: &mut Vec<NodeProto>) -> Result<(), String> {
        for input in &mut node.inputs {
            *input = self.used(scope, input)?;
        }
        if let Some(call) = scope.call {
            node.attributes = self.attributes(call, node.attributes)?;
            node.version = call.version;
            if !node.name.is_empty() {
                node.name = format!("{}/{}", call.name, node.name);
            }
        }
        if let Some(attribute) = node.attributes.iter().find(|attribute| !attribute.ref_attr_name.is_empty()) {
            let (name, of) = (&attribute.name, &attribute.ref_attr_name);
            let op = &node.op_type;
            return Err(format!("the attribute {name} of {op} takes its value from {of:?}, and is in no function"));
        }
        let called = self.functions.get(&key(&node.domain, &node.op_type, &node.overload)).copied();
        if let Some(function) = called {
            return self.call(function, node, scope, made);
        }
        let is_standard = key(&node.domain, "", "").0.is_empty();
        let condition = node.inputs.first().and_then(|condition| self.truths.get(condition).copied());
        if let ("If", true, Some(condition)) = (&*node.op_type, is_standard, condition) {
            return self.branch(node, condition, scope, made);
        }
        for attribute in &mut node.attributes {
            if let AttributeValue::Graph(graph) = &mut attribute.value {
                **graph = self.graph(std::mem::take(&mut **graph), scope)?;
            }
        }
        for output in &mut node.outputs {
            *output = self.given(scope, output)?;
        }
        if let ("Constant", true, [output], [AttributeProto { value: AttributeValue::Tensor(tensor), .. }]) =
            (&*node.op_type, is_standard, &node.outputs[..], &node.attributes[..])
            && let Some(truth) = (self.truth)(tensor)
        {
            self.truths.insert(output.clone(), truth);
        }
        made.push(node);
        Ok(())
    }

    /// The nodes of the branch of an If that is taken whenever it is computed. The other is not looked at.
    fn branch(
        &mut self,
        node: NodeProto,
        condition: bool,
        scope: &mut Scope<'_>,
        made: &mut Vec<NodeProto>,
    ) -> Result<(), String> {
        let name = if condition { "then_branch" } else { "else_branch" };
        let of_name = node.attributes.into_iter().find(|attribute| attribute.name == name);
        let Some(AttributeProto { value: AttributeValue::Graph(graph), .. }) = of_name else {
            return Err(format!("If {:?}: the graph {name} is missing", node.name));
        };
        let outputs: Vec<String> =
            node.outputs.iter().map(|output| self.given(scope, output)).collect::<Result<_, _>>()?;
        let mut branch = self.graph(*graph, scope)?;
        if branch.outputs.len() < outputs.len() {
            let (gives, taken) = (branch.outputs.len(), outputs.len());
            return Err(format!("If {:?}: its graph {name} gives {gives} outputs, and {taken} are taken", node.name));
        }
        made.append(&mut branch.nodes);
        let both = branch.outputs.into_iter().zip(outputs).filter(|(_, output)| !output.is_empty());
        made.extend(both.map(|(given, output)| identity(given.name, output)));
        Ok(())
    }

    /// The nodes of a function in the place of a node that calls it.
    fn call(
        &mut self,
        function: &'a FunctionProto,
        node: NodeProto,
        scope: &mut Scope<'_>,
        made: &mut Vec<NodeProto>,
    ) -> Result<(), String> {
        let title = title(function);
        if Call::and_outer(scope.call).any(|call| std::ptr::eq(call.function, function)) {
            return Err(format!("the function {title} calls itself"));
        }
        if Call::and_outer(scope.call).count() >= MOST_CALLS {
            return Err(format!("calls of functions are nested more than {MOST_CALLS} deep, at {title}"));
        }
        let (takes, gives) = (function.inputs.len(), function.outputs.len());
        if node.inputs.len() > takes || node.outputs.len() > gives {
            let found = format!("{} and {}", node.inputs.len(), node.outputs.len());
            return Err(format!("the function {title} has {takes} inputs and {gives} outputs, a call has {found}"));
        }
        if let Some(attribute) =
            node.attributes.iter().find(|attribute| matches!(attribute.value, AttributeValue::Graph(_)))
        {
            return Err(format!(
                "the attribute {} of the function {title} is a graph, which is not read",
                attribute.name
            ));
        }
        let outputs: Vec<String> =
            node.outputs.iter().map(|output| self.given(scope, output)).collect::<Result<_, _>>()?;
        let first_output = || outputs.iter().find(|output| !output.is_empty()).cloned().unwrap_or_default();
        let name = if node.name.is_empty() { first_output() } else { node.name };
        let name = if name.len() > LONGEST_NAME { self.unique("call".to_owned())? } else { name };
        let standard = |(domain, _): &&(String, i64)| domain.is_empty() || domain == "ai.onnx";
        let version = function.opset_import.iter().find(standard).map(|(_, version)| *version);
        let version = version.filter(|version| *version != self.opset);
        let call = Call { function, attributes: &node.attributes, name, version, outer: scope.call };
        let mut inner = Scope { call: Some(&call), depth: scope.depth, ..Scope::default() };
        let given = node.inputs.into_iter().chain(std::iter::repeat(String::new()));
        inner.names.extend(function.inputs.iter().cloned().zip(given));
        // An output that is an input, or is there twice, has a name already.
        let mut same = Vec::new();
        for (formal, output) in function.outputs.iter().zip(outputs).filter(|(_, output)| !output.is_empty()) {
            if inner.names.contains_key(formal) {
                same.push((formal, output));
            } else {
                inner.names.insert(formal.clone(), output);
            }
        }
        for node in &function.nodes {
            self.count(size(node))?;
            self.node(node.clone(), &mut inner, made)?;
        }
        for (formal, output) in same {
            made.push(identity(self.used(&inner, formal)?, output));
        }
        Ok(())
    }

    /// A graph within a node, with names of its own.
    fn graph(&mut self, graph: GraphProto, scope: &Scope<'_>) -> Result<GraphProto, String> {
        let GraphProto { name, nodes, initializers, sparse_initializers, mut inputs, mut outputs, value_info } = graph;
        if scope.depth >= MOST_GRAPHS {
            return Err(format!("graphs are nested more than {MOST_GRAPHS} deep, at the graph {name:?}"));
        }
        let mut inner = Scope { names: HashMap::new(), outer: Some(scope), call: scope.call, depth: scope.depth + 1 };
        let stored: HashSet<&str> = initializers.iter().map(|tensor| tensor.name.as_str()).collect();
        inputs.retain(|input| !stored.contains(input.name.as_str()));
        for mut tensor in initializers {
            tensor.name = self.given(&mut inner, &tensor.name)?;
            if let Some(truth) = (self.truth)(&tensor) {
                self.truths.insert(tensor.name.clone(), truth);
            }
            self.initializers.push(tensor);
        }
        for input in &mut inputs {
            input.name = self.given(&mut inner, &input.name)?;
        }
        let mut made = Vec::with_capacity(nodes.len());
        for node in nodes {
            self.node(node, &mut inner, &mut made)?;
        }
        for output in &mut outputs {
            output.name = self.used(&inner, &output.name)?;
        }
        for mut info in value_info {
            if let Some(name) = inner.names.get(&info.name) {
                info.name.clone_from(name);
                self.infos.push(info);
            }
        }
        self.sparse_initializers += sparse_initializers;
        Ok(GraphProto { name, nodes: made, inputs, outputs, ..GraphProto::default() })
    }

    /// The attributes of a node of a function, with their values in a call. Those that the call leaves out are left out.
    fn attributes(&mut self, call: &Call<'_>, attributes: Vec<AttributeProto>) -> Result<Vec<AttributeProto>, String> {
        let mut values = Vec::with_capacity(attributes.len());
        for AttributeProto { name, ref_attr_name, value } in attributes {
            if ref_attr_name.is_empty() {
                values.push(AttributeProto { name, ref_attr_name, value });
            } else if let Some(given) = call.attribute(&ref_attr_name) {
                self.count(size_of_value(given))?;
                values.push(AttributeProto { name, ref_attr_name: String::new(), value: given.clone() });
            }
        }
        Ok(values)
    }

    /// What a value is called that a node takes.
    fn used(&mut self, scope: &Scope<'_>, name: &str) -> Result<String, String> {
        let known = match (scope.find(name), scope.call) {
            _ if name.is_empty() => String::new(),
            (Some(known), None) => known.clone(),
            (Some(known), Some(_)) => {
                self.count((0, known.len()))?;
                known.clone()
            }
            // One of the graph of the file, or of nobody.
            (None, None) => name.to_owned(),
            // A function does not see the values around its call: nothing gives this one.
            (None, Some(call)) => self.unique(format!("{}/{name}", call.name))?,
        };
        Ok(known)
    }

    /// What a value is called that a node gives.
    fn given(&mut self, scope: &mut Scope<'_>, name: &str) -> Result<String, String> {
        if name.is_empty() || scope.is_whole() {
            return Ok(name.to_owned());
        }
        if let Some(known) = scope.names.get(name) {
            self.count((0, known.len()))?;
            return Ok(known.clone());
        }
        let new = self.unique(match scope.call {
            Some(call) => format!("{}/{name}", call.name),
            None => name.to_owned(),
        })?;
        scope.names.insert(name.to_owned(), new.clone());
        Ok(new)
    }

    /// The name, with a number behind it if it is taken.
    fn unique(&mut self, name: String) -> Result<String, String> {
        self.count((0, name.len()))?;
        let mut new = name.clone();
        while !self.taken.insert(new.clone()) {
            self.number += 1;
            new = format!("{name}_{}", self.number);
        }
        Ok(new)
    }

    /// Counts nodes and bytes that are about to be made.
    fn count(&mut self, (nodes, bytes): (usize, usize)) -> Result<(), String> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.nodes > MOST_NODES {
            return Err(format!("the calls of functions give more than {MOST_NODES} nodes"));
        }
        if self.bytes > MOST_BYTES {
            return Err(format!(
                "the calls of functions and graphs within operators need more than {MOST_BYTES} bytes"
            ));
        }
        Ok(())
    }
}

/// A node that gives its input.
fn identity(input: String, output: String) -> NodeProto {
    NodeProto { op_type: "Identity".to_owned(), inputs: vec![input], outputs: vec![output], ..NodeProto::default() }
}

/// The nodes of a node, those within it too, and about how many bytes of names and numbers they have.
fn size(node: &NodeProto) -> (usize, usize) {
    let names = node.inputs.iter().chain(&node.outputs).map(|name| name.len() + size_of::<String>());
    let own = (1, names.sum::<usize>() + node.name.len() + node.op_type.len());
    node.attributes.iter().fold(own, |(nodes, bytes), attribute| {
        let (inner_nodes, inner_bytes) = size_of_value(&attribute.value);
        (nodes + inner_nodes, bytes.saturating_add(attribute.name.len()).saturating_add(inner_bytes))
    })
}

fn size_of_value(value: &AttributeValue) -> (usize, usize) {
    let bytes = match value {
        AttributeValue::Text(text) => text.len(),
        AttributeValue::Tensor(tensor) => size_of_tensor(tensor),
        AttributeValue::Floats(numbers) => 8 * numbers.len(),
        AttributeValue::Ints(numbers) => 8 * numbers.len(),
        AttributeValue::Texts(texts) => texts.iter().map(|text| text.len() + size_of::<Vec<u8>>()).sum(),
        AttributeValue::Graph(graph) => {
            let infos = graph.inputs.len() + graph.outputs.len() + graph.value_info.len();
            let tensors = graph.initializers.iter().map(size_of_tensor);
            let own = tensors.fold(infos * size_of::<ValueInfoProto>(), usize::saturating_add);
            return graph
                .nodes
                .iter()
                .map(size)
                .fold((0, own), |sum, size| (sum.0 + size.0, sum.1.saturating_add(size.1)));
        }
        AttributeValue::Missing | AttributeValue::Float(_) | AttributeValue::Int(_) | AttributeValue::Other(_) => 0,
    };
    (0, bytes)
}

fn size_of_tensor(tensor: &TensorProto) -> usize {
    size_of::<TensorProto>()
        + match &tensor.data {
            TensorData::InFile(run) => run.end - run.begin,
            TensorData::Raw(bytes) => bytes.len(),
            TensorData::External(_) => {
                tensor.dims.iter().fold(8, |size: usize, length| size.saturating_mul(*length as usize))
            }
            TensorData::Floats(numbers) => 8 * numbers.len(),
            TensorData::Ints(numbers) => 8 * numbers.len(),
            TensorData::Longs(numbers) => 8 * numbers.len(),
            TensorData::Doubles(numbers) => 8 * numbers.len(),
            TensorData::Unsigned(numbers) => 8 * numbers.len(),
            TensorData::Texts(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn node(op: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
        let domain = if op.starts_with('F') { "local" } else { "" }.to_owned();
        let (inputs, outputs) = (names(inputs), names(outputs));
        NodeProto { op_type: op.to_owned(), domain, inputs, outputs, ..NodeProto::default() }
    }

    fn function(name: &str, inputs: &[&str], outputs: &[&str], nodes: Vec<NodeProto>) -> FunctionProto {
        let (inputs, outputs) = (names(inputs), names(outputs));
        FunctionProto {
            name: name.to_owned(),
            domain: "local".to_owned(),
            inputs,
            outputs,
            nodes,
            ..Default::default()
        }
    }

    fn attribute(name: &str, from: &str, value: AttributeValue) -> AttributeProto {
        AttributeProto { name: name.to_owned(), ref_attr_name: from.to_owned(), value }
    }

    /// The element of a tensor that is one bool, which stands in its data here.
    fn truth(tensor: &TensorProto) -> Option<bool> {
        match &tensor.data {
            TensorData::Ints(numbers) => Some(numbers[..] == [1]),
            _ => None,
        }
    }

    fn written(nodes: Vec<NodeProto>, functions: Vec<FunctionProto>) -> Result<Vec<NodeProto>, String> {
        let graph = GraphProto { nodes, ..GraphProto::default() };
        written_out(ModelProto { graph, functions, ..ModelProto::default() }, 18, &truth).map(|graph| graph.nodes)
    }

    /// Nodes as text: `y = Add(a, b)`.
    fn text(nodes: &[NodeProto]) -> Vec<String> {
        let text =
            |node: &NodeProto| format!("{} = {}({})", node.outputs.join(", "), node.op_type, node.inputs.join(", "));
        nodes.iter().map(text).collect()
    }

    #[test]
    fn values_of_two_calls_have_names_of_their_own() {
        let inner = function("FSquare", &["a"], &["b"], vec![node("Mul", &["a", "a"], &["b"])]);
        let nodes = vec![node("FSquare", &["x"], &["t"]), node("Add", &["t", "y"], &["out"])];
        // The second input may be left out; the first output is an input.
        let outer = function("FBoth", &["x", "y"], &["x", "out"], nodes);
        let mut second = node("FBoth", &["q"], &["", "r"]);
        second.name = "again".to_owned();
        let made = written(vec![node("FBoth", &["x", "t"], &["p", "q"]), second], vec![outer, inner]).unwrap();
        let expected =
            ["p/t = Mul(x, x)", "q = Add(p/t, t)", "p = Identity(x)", "again/t = Mul(q, q)", "r = Add(again/t, )"];
        assert_eq!(text(&made), expected);
    }

    #[test]
    fn a_function_does_not_see_what_is_around_its_call() {
        let reaches = function("FOut", &["a"], &["b"], vec![node("Add", &["a", "w"], &["b"])]);
        let made = written(vec![node("Relu", &["x"], &["w"]), node("FOut", &["w"], &["y"])], vec![reaches]).unwrap();
        assert_eq!(text(&made), ["w = Relu(x)", "y = Add(w, y/w)"]);
    }

    #[test]
    fn attributes_are_those_of_the_call() {
        let mut relu = node("LeakyRelu", &["a"], &["b"]);
        let of = |name: &str, from: &str| attribute(name, from, AttributeValue::Missing);
        relu.attributes = vec![of("alpha", "slope"), of("beta", "other"), of("gamma", "none")];
        let mut f = function("F", &["a"], &["b"], vec![relu]);
        f.defaults =
            vec![attribute("slope", "", AttributeValue::Float(0.5)), attribute("other", "", AttributeValue::Int(3))];
        f.opset_import = vec![(String::new(), 16)];
        let mut call = node("F", &["x"], &["y"]);
        call.attributes = vec![attribute("slope", "", AttributeValue::Float(0.25))];
        let made = written(vec![call], vec![f]).unwrap();
        let expected =
            [attribute("alpha", "", AttributeValue::Float(0.25)), attribute("beta", "", AttributeValue::Int(3))];
        assert_eq!(made[0].attributes, expected);
        // It is written for another version than the model.
        assert_eq!(made[0].version, Some(16));
    }

    #[test]
    fn graphs_within_operators_have_names_of_their_own() {
        let tensor = TensorProto { name: "w".to_owned(), ..TensorProto::default() };
        let info = |name: &str| ValueInfoProto { name: name.to_owned(), ..ValueInfoProto::default() };
        let branch = || GraphProto {
            nodes: vec![node("Add", &["x", "w"], &["z"]), node("Mul", &["z", "c"], &["out"])],
            initializers: vec![tensor.clone()],
            outputs: vec![info("out")],
            ..GraphProto::default()
        };
        let mut choice = node("If", &["c"], &["z"]);
        choice.attributes = ["then_branch", "else_branch"]
            .map(|name| attribute(name, "", AttributeValue::Graph(Box::new(branch()))))
            .to_vec();
        let graph = GraphProto { nodes: vec![choice], ..GraphProto::default() };
        let graph = written_out(ModelProto { graph, ..ModelProto::default() }, 18, &truth).unwrap();
        let weights: Vec<&str> = graph.initializers.iter().map(|tensor| &*tensor.name).collect();
        assert_eq!(weights, ["w", "w_2"]);
        let bodies: Vec<Vec<String>> = graph.nodes[0]
            .attributes
            .iter()
            .map(|attribute| match &attribute.value {
                AttributeValue::Graph(graph) => [text(&graph.nodes), vec![graph.outputs[0].name.clone()]].concat(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(bodies[0], ["z_1 = Add(x, w)", "out = Mul(z_1, c)", "out"]);
        assert_eq!(bodies[1], ["z_3 = Add(x, w_2)", "out_4 = Mul(z_3, c)", "out_4"]);
    }

    #[test]
    fn a_condition_that_is_known_decides() {
        let info = |name: &str| ValueInfoProto { name: name.to_owned(), ..ValueInfoProto::default() };
        let branch = |op: &str| {
            let nodes = vec![node(op, &["x"], &["z"])];
            let graph = GraphProto { nodes, outputs: vec![info("z")], ..GraphProto::default() };
            AttributeValue::Graph(Box::new(graph))
        };
        for (number, op) in [(1, "Exp"), (0, "Det")] {
            let tensor = TensorProto { data: TensorData::Ints(vec![number]), ..TensorProto::default() };
            let mut constant = node("Constant", &[], &["c"]);
            constant.attributes = vec![attribute("value", "", AttributeValue::Tensor(tensor))];
            let mut choice = node("If", &["c"], &["y"]);
            choice.attributes =
                vec![attribute("then_branch", "", branch("Exp")), attribute("else_branch", "", branch("Det"))];
            let made = written(vec![constant, choice.clone(), node("Neg", &["y"], &["z"])], vec![]).unwrap();
            assert_eq!(text(&made[1..]), [&format!("z_1 = {op}(x)"), "y = Identity(z_1)", "z = Neg(y)"]);
            // One that is computed does not.
            assert_eq!(written(vec![choice], vec![]).unwrap()[0].op_type, "If");
        }
    }

    #[test]
    fn what_would_not_end_is_refused() {
        let problem = |nodes, functions| written(nodes, functions).unwrap_err();
        let call = |index: usize| node(&format!("F{index}"), &["a"], &["b"]);
        let f = |index: usize, nodes| function(&format!("F{index}"), &["a"], &["b"], nodes);
        let itself = vec![f(0, vec![call(1)]), f(1, vec![call(0)])];
        assert_eq!(problem(vec![call(0)], itself), "the function local.F0 calls itself");
        let chain = (0..100).map(|index| f(index, vec![call(index + 1)])).collect();
        assert_eq!(problem(vec![call(0)], chain), "calls of functions are nested more than 64 deep, at local.F64");
        // Ten calls of ten calls, and so on: 10^20 nodes.
        let wide = (0..20).map(|index| f(index, vec![call(index + 1); 10])).collect();
        assert_eq!(problem(vec![call(0)], wide), "the calls of functions give more than 131072 nodes");
        // Few nodes of a megabyte each, of their own and by an attribute.
        let mut large = node("Relu", &["a"], &["b"]);
        large.attributes = vec![attribute("t", "", AttributeValue::Text(vec![0; 1 << 20]))];
        let bytes = "the calls of functions and graphs within operators need more than 67108864 bytes";
        let mut of_call = node("Relu", &["a"], &["b"]);
        of_call.attributes = vec![attribute("t", "t", AttributeValue::Missing); 100];
        let mut caller = call(0);
        caller.attributes.clone_from(&large.attributes);
        assert_eq!(problem(vec![call(0); 100], vec![f(0, vec![large])]), bytes);
        assert_eq!(problem(vec![caller], vec![f(0, vec![of_call])]), bytes);
        // A long name that is taken often.
        let long = "x".repeat(1 << 20);
        let takes = vec![node("Sum", &["a"; 100], &["b"])];
        assert_eq!(problem(vec![node("F0", &[&long], &["y"])], vec![f(0, takes)]), bytes);

        let two = vec![f(0, vec![]), f(0, vec![])];
        assert_eq!(problem(vec![call(0)], two), "two functions are called local.F0");
        let many = vec![node("F0", &["a", "b"], &["c"])];
        let expected = "the function local.F0 has 1 inputs and 1 outputs, a call has 2 and 1";
        assert_eq!(problem(many, vec![f(0, vec![])]), expected);
        let mut outside = node("Relu", &["a"], &["b"]);
        outside.attributes = vec![attribute("t", "u", AttributeValue::Missing)];
        let expected = "the attribute t of Relu takes its value from \"u\", and is in no function";
        assert_eq!(problem(vec![outside], vec![]), expected);

        let deep = (0..17).fold(GraphProto { name: "g".to_owned(), ..GraphProto::default() }, |graph, _| {
            let mut choice = node("If", &["c"], &["y"]);
            choice.attributes = vec![attribute("then_branch", "", AttributeValue::Graph(Box::new(graph)))];
            GraphProto { name: "g".to_owned(), nodes: vec![choice], ..GraphProto::default() }
        });
        assert_eq!(problem(deep.nodes, vec![]), "graphs are nested more than 16 deep, at the graph \"g\"");
    }
}
