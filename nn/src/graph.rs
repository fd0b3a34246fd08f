//! Layers with branches and merges: the general network.

use std::mem;
use std::sync::Arc;

use gradus_autograd::Var;
use gradus_tensor::{Float, Shape};
use serde_json::Value;

use crate::epilogue::{AsEpilogue, Compute, Epilogue, WithEpilogue};
use crate::error::Result;
use crate::graph_json;
use crate::layer::{AnyLayer, Build, Built, Context, Forward, Layer};
use crate::registry::{self, LayerKinds, LayerReader};
use crate::sequential::Sequential;

/// A network of layers that feed one another: branches, merges, one output.
///
/// A [`Model`](crate::Model) is built from a graph of one input; one of several can only be a layer of another network,
/// which feeds it.
///
/// Made by a [`GraphBuilder`]. A network is data: it can be printed, cloned, nested as a layer, and written to and read
/// from JSON. Weights belong to the [`Model`](crate::Model) built from it. [`Sequential`](crate::Sequential) is the
/// case of a chain, written in one expression.
///
/// ```
/// use gradus_nn::{Activation, Add, Conv2D, Dense, Flatten, Graph, Model, Padding};
///
/// let mut graph = Graph::builder();
/// let picture = graph.input();
/// let edges = graph.add(Conv2D::new(1, [3, 3]).padding(Padding::Same), [picture]);
/// let sum = graph.add(Add, [edges, picture]);
/// let flat = graph.add(Flatten, [sum]);
/// let classes = graph.add_named("classes", Dense::new(10).activation(Activation::Softmax), [flat]);
/// let network = graph.output(classes);
///
/// let copy = Graph::from_json(&network.to_json()?)?;
/// let model = Model::build(copy, [28, 28, 1], 42)?;
/// assert_eq!(model.output_shape(), &[10]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    /// The number of inputs.
    pub(crate) inputs: usize,
    /// Each behind those that feed it.
    pub(crate) entries: Vec<Entry>,
    pub(crate) output: Source,
}

/// A layer under its name, and what feeds it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub name: String,
    pub layer: Arc<dyn AnyLayer>,
    pub inputs: Vec<Source>,
}

/// Where a value comes from: an input of the network, or a layer of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Input(usize),
    Layer(usize),
}

impl Graph {
    /// A graph to be made, without inputs and layers.
    pub fn builder() -> GraphBuilder {
        GraphBuilder { inputs: 0, entries: Vec::new(), identity: Arc::new(()) }
    }

    /// A chain without layers: the output is the one input.
    pub(crate) fn chain() -> Self {
        Graph { inputs: 1, entries: Vec::new(), output: Source::Input(0) }
    }

    /// Appends a layer to the output.
    pub(crate) fn append(&mut self, name: String, layer: Arc<dyn AnyLayer>) {
        self.entries.push(Entry { name, layer, inputs: vec![self.output] });
        self.output = Source::Layer(self.entries.len() - 1);
    }

    /// Whether there is one input, and each layer is fed with the one before alone: a [`Sequential`](crate::Sequential).
    pub(crate) fn is_chain(&self) -> bool {
        let before = |index: usize| if index == 0 { Source::Input(0) } else { Source::Layer(index - 1) };
        let count = self.entries.len();
        let mut entries = self.entries.iter().enumerate();
        self.inputs == 1
            && self.output == before(count)
            && entries.all(|(index, entry)| entry.inputs == [before(index)])
    }

    /// What a source is called: a layer's name, `"input"`, `"input_1"`, ...
    pub(crate) fn name_of(&self, source: Source) -> String {
        match source {
            Source::Input(index) => input_name(index),
            Source::Layer(index) => self.entries[index].name.clone(),
        }
    }

    /// The names of the inputs and layers that the output does not depend on.
    pub(crate) fn unused(&self) -> Vec<String> {
        let mut used = vec![false; self.inputs + self.entries.len()];
        used[self.place(self.output)] = true;
        for (index, entry) in self.entries.iter().enumerate().rev() {
            if used[self.inputs + index] {
                entry.inputs.iter().for_each(|&source| used[self.place(source)] = true);
            }
        }
        let inputs = (0..self.inputs).map(Source::Input);
        let sources = inputs.chain((0..self.entries.len()).map(Source::Layer));
        sources.filter(|&source| !used[self.place(source)]).map(|source| self.name_of(source)).collect()
    }

    /// The place of a source among all values: first the inputs, then the layers' outputs.
    fn place(&self, source: Source) -> usize {
        match source {
            Source::Input(index) => index,
            Source::Layer(index) => self.inputs + index,
        }
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The network as JSON, without weights: the layers' data in order, each with the names of those that feed it. A
    /// chain is written as [`Sequential`](crate::Sequential) writes it.
    ///
    /// # Errors
    /// If a custom layer's data cannot be written as JSON.
    pub fn to_json(&self) -> Result<String> {
        graph_json::to_json(self)
    }

    /// A network from what [`to_json`](Graph::to_json) wrote, of this crate's layers. A `Sequential`'s JSON is one, too.
    ///
    /// # Errors
    /// If the text is no such network, with the place.
    pub fn from_json(json: &str) -> Result<Self> {
        Self::from_json_with(json, &LayerKinds::standard())
    }

    /// As [`from_json`](Graph::from_json), with layers of one's own among `kinds`.
    ///
    /// # Errors
    /// If the text is no such network, with the place.
    pub fn from_json_with(json: &str, kinds: &LayerKinds) -> Result<Self> {
        registry::from_json(json, kinds)
    }
}

/// What an input of a network is called: `input`, further ones `input_1` and so on.
pub(crate) fn input_name(index: usize) -> String {
    if index == 0 { "input".to_owned() } else { format!("input_{index}") }
}

/// Whether a layer may be added under this name, or what is wrong.
pub(crate) fn check_name(name: &str, entries: &[Entry]) -> Result<(), String> {
    if name.is_empty() || name.contains('/') || entries.iter().any(|entry| entry.name == name) {
        return Err(format!("a layer's name must be new, not empty and without '/': {name:?}"));
    }
    // Whatever the number of inputs: one may be added later.
    let number = |rest: &str| rest.strip_prefix('_').is_some_and(|digits| digits.parse::<usize>().is_ok());
    match name.strip_prefix("input") {
        Some(rest) if rest.is_empty() || number(rest) => {
            Err(format!("this is the name of an input of the network, not of a layer: {name:?}"))
        }
        _ => Ok(()),
    }
}

/// A [`Graph`] being made, layer by layer.
///
/// A layer takes nodes that there are already, so a graph has no cycles. Each addition is a layer with weights of its
/// own.
#[derive(Debug)]
pub struct GraphBuilder {
    inputs: usize,
    entries: Vec<Entry>,
    /// Its address tells the nodes of this graph from another's.
    identity: Arc<()>,
}

/// An input or a layer of a graph being made: what [`GraphBuilder::add`] connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    graph: usize,
    source: Source,
}

impl GraphBuilder {
    /// A new input of the network, named `"input"`, further ones `"input_1"`, `"input_2"`, ... A network of several can
    /// only be nested in another: a model takes one.
    pub fn input(&mut self) -> Node {
        self.inputs += 1;
        self.node(Source::Input(self.inputs - 1))
    }

    /// Adds a layer fed with these nodes, named by its position: `"0"`, `"1"`, ...
    ///
    /// # Panics
    /// If there are no nodes, one is of another graph, or another layer has been given that name.
    #[track_caller]
    pub fn add(&mut self, layer: impl Layer, inputs: impl AsRef<[Node]>) -> Node {
        let name = self.entries.len().to_string();
        self.push("add", name, layer.into_any(), inputs.as_ref())
    }

    /// Adds a layer under a name of its own, which its weights carry: `"head/kernel"`.
    ///
    /// # Panics
    /// If the name is empty, contains `/`, is taken or an input's; if there are no nodes or one is of another graph.
    #[track_caller]
    pub fn add_named(&mut self, name: &str, layer: impl Layer, inputs: impl AsRef<[Node]>) -> Node {
        self.push("add_named", name.to_owned(), layer.into_any(), inputs.as_ref())
    }

    // Not generic, so that there is one of this, not one for each layer.
    #[track_caller]
    fn push(&mut self, op: &str, name: String, layer: Arc<dyn AnyLayer>, inputs: &[Node]) -> Node {
        if let Err(problem) = check_name(&name, &self.entries) {
            panic!("{op}: {problem}");
        }
        assert!(!inputs.is_empty(), "{op}: a layer needs a node that feeds it: {name:?} ({})", layer.kind());
        let mut sources = Vec::with_capacity(inputs.len());
        for &node in inputs {
            sources.push(self.source(op, node));
        }
        self.entries.push(Entry { name, layer, inputs: sources });
        self.node(Source::Layer(self.entries.len() - 1))
    }

    /// The finished network, whose output is this node.
    ///
    /// # Panics
    /// If the node is of another graph, or the output does not depend on some input or layer.
    #[track_caller]
    pub fn output(self, node: Node) -> Graph {
        let output = self.source("output", node);
        let graph = Graph { inputs: self.inputs, entries: self.entries, output };
        let unused = graph.unused();
        assert!(unused.is_empty(), "output: the network does not use all that was added to it: {}", unused.join(", "));
        graph
    }

    fn node(&self, source: Source) -> Node {
        Node { graph: self.address(), source }
    }

    fn address(&self) -> usize {
        Arc::as_ptr(&self.identity).addr()
    }

    #[track_caller]
    fn source(&self, op: &str, node: Node) -> Source {
        // Graphs being made at the same time differ in their address. A node that outlived its graph is at least in range.
        let exists = match node.source {
            Source::Input(index) => index < self.inputs,
            Source::Layer(index) => index < self.entries.len(),
        };
        assert!(exists && node.graph == self.address(), "{op}: a node is of another graph than this");
        node.source
    }
}

impl Layer for Graph {
    const KIND: &'static str = "Graph";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (shape, steps) = self.steps(build)?;
        Ok(Built::merging(shape, move |context, inputs| steps.run(context, inputs)))
    }

    fn read(config: Value, reader: &LayerReader<'_>) -> Result<Self> {
        graph_json::read(config, reader)
    }
}

impl Graph {
    /// Builds the layers; returns the output's shape and the computation.
    fn steps<T: Float>(&self, build: &mut Build<'_, T>) -> Result<(Shape, Steps<T>)> {
        if build.inputs().len() != self.inputs {
            let inputs = if self.inputs == 1 { "input" } else { "inputs" };
            let problem = format!("takes {} {inputs}, found {}", self.inputs, build.inputs().len());
            return Err(build.error(problem, "feed it with as many as it was made with"));
        }
        build.store.branches |= !self.is_chain();
        let mut shapes = build.inputs().to_vec();
        let mut steps = Vec::with_capacity(self.entries.len());
        for Entry { name, layer, inputs } in &self.entries {
            let places: Vec<usize> = inputs.iter().map(|&source| self.place(source)).collect();
            let given: Vec<Shape> = places.iter().map(|&place| shapes[place].clone()).collect();
            let names = inputs.iter().map(|&source| self.name_of(source)).collect();
            let built = build.child_of(name, &**layer, &given, names)?;
            shapes.push(built.output.clone());
            let operands = places.into_iter().map(Operand::new).collect();
            let Built { forward, with_epilogue, as_epilogue, .. } = built;
            steps.push(Step { forward, with_epilogue, as_epilogue, operands, then: None });
        }
        let output = self.place(self.output);
        let shape = shapes.swap_remove(output);
        Ok((shape, Steps::new(steps, self.inputs, output)))
    }
}

impl From<Sequential> for Graph {
    fn from(chain: Sequential) -> Self {
        chain.into_graph()
    }
}

/// The computation of a network: one step for each layer, in order.
///
/// The values are numbered: first the inputs, then each step's output.
struct Steps<T: Float> {
    steps: Vec<Step<T>>,
    /// The number of inputs.
    inputs: usize,
    /// The value that is the network's output.
    output: usize,
}

struct Step<T: Float> {
    forward: Forward<T>,
    with_epilogue: Option<WithEpilogue<T>>,
    as_epilogue: Option<AsEpilogue<T>>,
    operands: Vec<Operand>,
    /// The one step that takes this one's output, if there are no others.
    then: Option<usize>,
}

/// A value that a step takes.
struct Operand {
    value: usize,
    /// Whether nobody needs it afterwards: then the step gets the value itself, and may free it or compute in its memory.
    last: bool,
}

impl Operand {
    fn new(value: usize) -> Self {
        Operand { value, last: false }
    }
}

/// Where a value is kept while a network is computed.
enum Slot<T: Float> {
    /// To be computed.
    Empty,
    Value(Var<T>),
    /// Taken by its last user; or never made, as the step before and the one after were computed as one.
    Gone,
}

impl<T: Float> Steps<T> {
    fn new(mut steps: Vec<Step<T>>, inputs: usize, output: usize) -> Self {
        let mut needed = vec![output];
        for operand in steps.iter_mut().rev().flat_map(|step| step.operands.iter_mut().rev()) {
            operand.last = !needed.contains(&operand.value);
            if operand.last {
                needed.push(operand.value);
            }
        }
        let mut users = vec![Vec::new(); inputs + steps.len()];
        for (index, step) in steps.iter().enumerate() {
            step.operands.iter().for_each(|operand| users[operand.value].push(index));
        }
        for (index, step) in steps.iter_mut().enumerate() {
            step.then = match users[inputs + index][..] {
                [user] if inputs + index != output => Some(user),
                _ => None,
            };
        }
        Steps { steps, inputs, output }
    }

    fn run(&self, context: &mut Context<'_, T>, inputs: Vec<Var<T>>) -> Var<T> {
        let mut values: Vec<Slot<T>> = inputs.into_iter().map(Slot::Value).collect();
        values.resize_with(self.inputs + self.steps.len(), || Slot::Empty);
        for (index, step) in self.steps.iter().enumerate() {
            if !matches!(values[self.inputs + index], Slot::Empty) {
                continue;
            }
            let operands = step.operands.iter().map(|&Operand { value, last }| {
                let slot = if last { mem::replace(&mut values[value], Slot::Gone) } else { values[value].clone() };
                let Slot::Value(var) = slot else { unreachable!("a value is kept until its last use") };
                var
            });
            let operands: Vec<Var<T>> = operands.collect();
            let (end, var) = match self.epilogue(index, context) {
                Some((end, epilogue, compute)) => (end, compute(context, &operands[0], &epilogue)),
                None => (index, (step.forward)(context, operands)),
            };
            let mut place = index;
            while place != end {
                values[self.inputs + place] = Slot::Gone;
                place = self.steps[place].then.expect("one is behind the other");
            }
            values[self.inputs + end] = Slot::Value(var);
        }
        match values.swap_remove(self.output) {
            Slot::Value(var) => var,
            _ => unreachable!("the output has no last use"),
        }
    }

    /// The epilogue that the steps behind this one make together, if this one supports it: the last of them, the
    /// epilogue, and the computation that takes it.
    fn epilogue(&self, index: usize, context: &mut Context<'_, T>) -> Option<(usize, Epilogue<T>, &Compute<T>)> {
        let WithEpilogue { supports, compute } = self.steps[index].with_epilogue.as_ref()?;
        let (mut end, mut epilogue) = (index, Epilogue::IDENTITY);
        while let Some(next) = self.steps[end].then {
            let further = self.steps[next].as_epilogue.as_ref().and_then(|as_epilogue| as_epilogue(context));
            let further = further.filter(|further| supports.contain(further));
            let Some(both) = further.and_then(|further| epilogue.clone().then(further)) else { break };
            (end, epilogue) = (next, both);
        }
        (end != index).then_some((end, epilogue, &**compute))
    }
}

impl<T: Float> Clone for Slot<T> {
    fn clone(&self) -> Self {
        match self {
            Slot::Empty => Slot::Empty,
            Slot::Value(var) => Slot::Value(var.clone()),
            Slot::Gone => Slot::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use gradus_autograd::Params;
    use gradus_tensor::Generator;

    use super::*;
    use crate::layer::Store;
    use crate::{Activation, BatchNorm, Conv2D, Dense, DepthwiseConv2D, Dropout, LayerNorm, ReLU};

    /// The layers of a chain that are computed together: the first and the last of each such run.
    fn together(network: Sequential, training: bool, frozen: &[&str]) -> Vec<[usize; 2]> {
        let (params, penalties, layers) = (Params::new(), Vec::new(), Vec::new());
        let mut store = Store { params, penalties, layers, branches: false, generator: Generator::new(0) };
        let inputs = &[Shape::from([4, 4, 2])];
        let mut build = Build { inputs, path: String::new(), kind: Graph::KIND, store: &mut store };
        let (_, steps) = network.into_graph().steps::<f32>(&mut build).unwrap();
        frozen.iter().for_each(|layer| store.params.freeze(layer));
        let vars: Vec<Var<f32>> = store.params.iter().map(|param| Var::from(&param.value)).collect();
        let mut generator = Generator::new(0);
        let mut context = Context::new(&store.params, &vars, training.then_some(&mut generator));
        let mut runs = Vec::new();
        let mut next = 0;
        while next < steps.steps.len() {
            let end = steps.epilogue(next, &mut context).map_or(next, |(end, ..)| end);
            runs.push([next, end]);
            next = end + 1;
        }
        runs
    }

    #[test]
    fn epilogues_are_computed_with_the_layer_before() {
        let network = || {
            Sequential::new()
                .add(Conv2D::new(3, [2, 2]).use_bias(false))
                .add(BatchNorm::new())
                .add(Activation::Relu)
                .add(DepthwiseConv2D::new([2, 2]))
                .add(BatchNorm::new())
                .add(ReLU::new())
                .add(Dropout::new(0.5))
                .add(BatchNorm::new())
                .add(Activation::Relu)
                .add(Dense::new(3))
                .add(BatchNorm::new())
                .add(LayerNorm::new())
                .add(Activation::Relu)
                .add(Activation::Tanh)
        };
        let [dropout, tanh] = [[6, 6], [13, 13]];
        assert_eq!(together(network(), false, &[]), [[0, 2], [3, 5], dropout, [7, 8], [9, 10], [11, 12], tanh]);
        let learning = [[0, 0], [1, 2], [3, 3], [4, 5], dropout, [7, 8], [9, 9], [10, 10], [11, 12], tanh];
        assert_eq!(together(network(), true, &[]), learning);
        // A frozen one has its moving statistics in training too.
        let frozen = [[0, 2], [3, 3], [4, 5], dropout, [7, 8], [9, 9], [10, 10], [11, 12], tanh];
        assert_eq!(together(network(), true, &["1"]), frozen);
    }

    #[test]
    fn channels_that_come_first_are_a_layers_own_business() {
        let network = Sequential::new().add(Conv2D::new(2, [1, 1])).add(BatchNorm::new().axis(1)).add(ReLU::new());
        assert_eq!(together(network, false, &[]), [[0, 0], [1, 1], [2, 2]]);
    }
}
