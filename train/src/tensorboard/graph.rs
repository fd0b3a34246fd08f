//! A network as TensorBoard draws it.

use std::collections::{HashMap, HashSet};

use gradus_nn::{Model, PartialShape};
use gradus_tensor::Float;

use super::message::Message;

/// A node of a graph.
struct Node {
    /// The path of a layer. What stands before a `/` is drawn as a box around what lies within.
    name: String,
    /// What it computes: the kind of a layer.
    op: &'static str,
    /// The names of the nodes that feed it; one that gives several outputs has the number of the output: `lstm:1`.
    inputs: Vec<String>,
    /// The shapes of its outputs, without the batch axis.
    outputs: Vec<PartialShape>,
    params: usize,
    /// The layer whose weights it uses.
    shares: Option<String>,
    /// Whether it is a layer of a network, of which is known what feeds it, or a part of a layer that is no network.
    is_part: bool,
}

/// The message `GraphDef` of a model: a node for each input and each layer. A layer with others in it takes the outputs of these,
/// and they take its inputs; if it is no network, as a residual block, it takes its inputs as well.
pub(super) fn graph<T: Float>(model: &Model<T>) -> Message {
    let version = Message::new().int64(1, 22); // Of TensorFlow 1.0; a reader asks that there be one.
    let graph = nodes(model).iter().fold(Message::new(), |graph, node| graph.message(1, &node.message()));
    graph.message(4, &version)
}

fn nodes<T: Float>(model: &Model<T>) -> Vec<Node> {
    let summary = model.summary();
    let mut names = Names::default();
    let mut nodes: Vec<Node> = Vec::new();
    for input in &summary.inputs {
        nodes.push(Node {
            name: names.of(&input.name),
            op: "Input",
            inputs: Vec::new(),
            outputs: vec![input.shape.clone()],
            params: 0,
            shares: None,
            is_part: false,
        });
    }
    let paths: HashSet<&str> = summary.layers.iter().map(|layer| &*layer.path).collect();
    // What feeds each layer, by its path; a layer stands before those within it.
    let mut fed: HashMap<&str, Vec<String>> = HashMap::new();
    for layer in &summary.layers {
        let scope = layer.path.rsplit_once('/').map(|(scope, _)| scope);
        let outer = || scope.and_then(|scope| fed.get(scope)).cloned().unwrap_or_default();
        let find = |input: &String| -> Vec<String> {
            let (name, output) = match input.strip_suffix(']').and_then(|input| input.rsplit_once('[')) {
                Some((name, output)) if !paths.contains(&*within(scope, input)) => (name, Some(output)),
                _ => (&**input, None),
            };
            let path = within(scope, name);
            if scope.is_some() && !paths.contains(&*path) {
                // An input of the network that the layer is in. The summary says not which of several that have names.
                let all = outer();
                let place =
                    name.strip_prefix("input").map(|rest| rest.strip_prefix('_').unwrap_or("0").parse::<usize>());
                return match place.and_then(|place| all.get(place.ok()?)) {
                    Some(one) => vec![one.clone()],
                    None => all,
                };
            }
            let node = names.known(&path);
            vec![output.map_or_else(|| node.clone(), |output| format!("{node}:{output}"))]
        };
        // A part of a layer that is no network is fed with what the layer is.
        let inputs = if layer.inputs.is_empty() { outer() } else { layer.inputs.iter().flat_map(find).collect() };
        fed.insert(&layer.path, inputs.clone());
        nodes.push(Node {
            name: names.of(&layer.path),
            op: layer.kind,
            inputs,
            outputs: layer.outputs.clone(),
            params: layer.params,
            shares: layer.shares.clone(),
            is_part: layer.inputs.is_empty(),
        });
    }
    join_ends(&mut nodes);
    nodes
}

/// A path within a scope.
fn within(scope: Option<&str>, name: &str) -> String {
    scope.map_or_else(|| name.to_owned(), |scope| format!("{scope}/{name}"))
}

/// Feeds each layer that has others in it with those of them that feed no other.
fn join_ends(nodes: &mut [Node]) {
    let source = |input: &String| input.split(':').next().unwrap_or_default().to_owned();
    let used: HashSet<String> = nodes.iter().flat_map(|node| node.inputs.iter().map(source)).collect();
    let mut ends: HashMap<String, (Vec<String>, bool)> = HashMap::new();
    for node in nodes.iter() {
        if let Some((scope, _)) = node.name.rsplit_once('/').filter(|_| !used.contains(&node.name)) {
            let (ends, has_parts) = ends.entry(scope.to_owned()).or_default();
            ends.push(node.name.clone());
            *has_parts |= node.is_part;
        }
    }
    for node in nodes {
        if let Some((ends, has_parts)) = ends.remove(&node.name) {
            let own = std::mem::replace(&mut node.inputs, ends);
            node.inputs.extend(own.into_iter().filter(|_| has_parts));
        }
    }
}

/// The names of nodes: paths, in the characters that TensorFlow allows.
#[derive(Default)]
struct Names {
    names: HashMap<String, String>,
    taken: HashSet<String>,
}

impl Names {
    /// The name of a new node.
    fn of(&mut self, path: &str) -> String {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
        let mut name: String = path.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
        while !self.taken.insert(name.clone()) {
            name.push('_');
        }
        self.names.insert(path.to_owned(), name.clone());
        name
    }

    /// The name of a node that there is.
    fn known(&self, path: &str) -> String {
        self.names.get(path).cloned().unwrap_or_else(|| path.to_owned())
    }
}

impl Node {
    /// The message `NodeDef`.
    fn message(&self) -> Message {
        let mut message = Message::new().bytes(1, &self.name).bytes(2, self.op);
        for input in &self.inputs {
            message = message.bytes(3, input);
        }
        // `AttrValue` has a text as field 2, a number as 3 and a list as 1, whose shapes are field 7.
        let shapes = self.outputs.iter().fold(Message::new(), |list, shape| list.message(7, &shape_message(shape)));
        message = attribute(message, "_output_shapes", &Message::new().message(1, &shapes));
        if self.params > 0 {
            message = attribute(message, "params", &Message::new().int64(3, self.params as i64));
        }
        match &self.shares {
            Some(layer) => attribute(message, "shares", &Message::new().bytes(2, layer)),
            None => message,
        }
    }
}

/// A `NodeDef` with one more entry in its map of attributes.
fn attribute(node: Message, name: &str, value: &Message) -> Message {
    node.message(5, &Message::new().bytes(1, name).message(2, value))
}

/// The message `TensorShapeProto`, of a batch: -1 is a length that is free.
fn shape_message(shape: &PartialShape) -> Message {
    let axes = [None].into_iter().chain(shape.iter().copied());
    axes.fold(Message::new(), |message, axis| {
        message.message(2, &Message::new().int64(1, axis.map_or(-1, |length| length as i64)))
    })
}
