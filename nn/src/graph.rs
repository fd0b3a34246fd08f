//! Layers with branches and merges: the general network, as data.

use std::collections::HashSet;
use std::sync::Arc;

use crate::activation::Activation;
use crate::layer::{AnyLayer, IntoLayer};

/// A network of layers that feed one another: branches, merges, several inputs and outputs.
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
/// let edges = graph.add(Conv2D::new(1, 3).padding(Padding::Same), [picture]);
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
///
/// With several inputs and outputs, as Keras's functional API makes them:
///
/// ```
/// use gradus_nn::{Activation, Concatenate, Dense, Embedding, Flatten, Graph, Input, Model};
/// use gradus_tensor::{Columns, Tensor};
///
/// let mut graph = Graph::builder();
/// let (title, price) = (graph.input_named("title"), graph.input_named("price"));
/// let words = graph.add(Embedding::new(1000, 8), [title]);
/// let words = graph.add(Flatten, [words]);
/// let both = graph.add(Concatenate::new(), [words, price]);
/// let priority = graph.add_named("priority", Dense::new(1).activation(Activation::Sigmoid), [both]);
/// let department = graph.add_named("department", Dense::new(4).activation(Activation::Softmax), [both]);
/// let network = graph.outputs([priority, department]);
///
/// let inputs = [Input::named("title", [10]), Input::named("price", [1])];
/// let model = Model::build(network, inputs, 42)?;
/// let columns = Columns::new().with("title", Tensor::from([[7_i64; 10]; 2])).with("price", Tensor::new([[9.5], [3.0]]));
/// let outputs = model.predict_all(columns)?;
/// assert_eq!((outputs[0].shape(), outputs[1].shape()), (&[2, 1].into(), &[2, 4].into()));
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    /// The names of the inputs.
    pub(crate) inputs: Vec<String>,
    /// Each behind those that feed it.
    pub(crate) entries: Vec<Entry>,
    pub(crate) outputs: Vec<Output>,
}

/// A layer under its name, and what feeds it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub name: String,
    pub layer: Arc<dyn AnyLayer>,
    /// The earlier entry that is the same layer, whose weights this one uses.
    pub shares: Option<usize>,
    pub inputs: Vec<Source>,
}

/// An output of a network under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub name: String,
    pub source: Source,
}

/// Where a value comes from: an input of the network, or an output of a layer of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Input(usize),
    Layer { index: usize, output: usize },
}

impl Source {
    /// The first output of a layer.
    pub fn layer(index: usize) -> Self {
        Source::Layer { index, output: 0 }
    }
}

impl Graph {
    /// A graph to be made, without inputs and layers.
    pub fn builder() -> GraphBuilder {
        GraphBuilder { inputs: Vec::new(), entries: Vec::new(), identity: Arc::new(()) }
    }

    /// A chain without layers: the output is the one input.
    pub(crate) fn chain() -> Self {
        let name = input_name(0);
        Graph {
            inputs: vec![name.clone()],
            entries: Vec::new(),
            outputs: vec![Output { name, source: Source::Input(0) }],
        }
    }

    /// What has this name.
    pub(crate) fn named(&self, name: &str) -> Option<Source> {
        named(name, &self.inputs, &self.entries)
    }

    /// Appends a layer to the output of a chain.
    pub(crate) fn append(&mut self, name: String, layer: Arc<dyn AnyLayer>, shares: Option<usize>) {
        let source = Source::layer(self.entries.len());
        let before = std::mem::replace(&mut self.outputs, vec![Output { name: name.clone(), source }]);
        self.entries.push(Entry { name, layer, shares, inputs: vec![before[0].source] });
    }

    /// Whether there is one input, and each layer is fed with the one before alone: a [`Sequential`](crate::Sequential).
    pub(crate) fn is_chain(&self) -> bool {
        let before = |index: usize| if index == 0 { Source::Input(0) } else { Source::layer(index - 1) };
        let last = before(self.entries.len());
        let mut entries = self.entries.iter().enumerate();
        self.inputs == [input_name(0)]
            && self.outputs == [Output { name: self.name_of(last), source: last }]
            && entries.all(|(index, entry)| entry.inputs == [before(index)])
    }

    /// What a source is called: an input's name, a layer's, or `"lstm[1]"`, the second output of a layer.
    pub(crate) fn name_of(&self, source: Source) -> String {
        match source {
            Source::Input(index) => self.inputs[index].clone(),
            Source::Layer { index, output: 0 } => self.entries[index].name.clone(),
            Source::Layer { index, output } => format!("{}[{output}]", self.entries[index].name),
        }
    }

    /// The activation that each output has come out of last, where that is known; `inputs` are those of the inputs.
    pub(crate) fn activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        let mut of_layers: Vec<Vec<Option<Activation>>> = Vec::with_capacity(self.entries.len());
        let of = |of_layers: &[Vec<Option<Activation>>], source: Source| match source {
            Source::Input(index) => inputs.get(index).copied().flatten(),
            Source::Layer { index, output } => of_layers[index].get(output).copied().flatten(),
        };
        for entry in &self.entries {
            let given: Vec<Option<Activation>> = entry.inputs.iter().map(|&source| of(&of_layers, source)).collect();
            of_layers.push(entry.layer.activations(&given));
        }
        self.outputs.iter().map(|output| of(&of_layers, output.source)).collect()
    }

    /// The names of the inputs and layers that no output depends on.
    pub(crate) fn unused(&self) -> Vec<String> {
        let (mut inputs, mut layers) = (vec![false; self.inputs.len()], vec![false; self.entries.len()]);
        let mut mark = |layers: &mut Vec<bool>, source: Source| match source {
            Source::Input(index) => inputs[index] = true,
            Source::Layer { index, .. } => layers[index] = true,
        };
        self.outputs.iter().for_each(|output| mark(&mut layers, output.source));
        for (index, entry) in self.entries.iter().enumerate().rev() {
            if layers[index] {
                entry.inputs.iter().for_each(|&source| mark(&mut layers, source));
            }
        }
        let inputs = self.inputs.iter().zip(inputs);
        let names = inputs.chain(self.entries.iter().map(|entry| &entry.name).zip(layers));
        names.filter(|(_, used)| !used).map(|(name, _)| name.clone()).collect()
    }

    /// The number of layers; one that is added twice counts twice.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// The name of an input that has been given none: `input`, further ones `input_1` and so on, by their place.
pub(crate) fn input_name(index: usize) -> String {
    if index == 0 { "input".to_owned() } else { format!("input_{index}") }
}

/// Whether [`input_name`] may give this name, whatever the number of inputs: one may be added later.
pub(crate) fn is_input_name(name: &str) -> bool {
    let number = |rest: &str| rest.strip_prefix('_').is_some_and(|digits| digits.parse::<usize>().is_ok());
    name.strip_prefix("input").is_some_and(|rest| rest.is_empty() || number(rest))
}

/// What has this name in a network of these inputs and layers.
fn named(name: &str, inputs: &[String], entries: &[Entry]) -> Option<Source> {
    let input = inputs.iter().position(|input| input == name).map(Source::Input);
    input.or_else(|| entries.iter().position(|entry| entry.name == name).map(Source::layer))
}

/// Whether a layer may be added under this name, or what is wrong; `taken` is what has the name already.
pub(crate) fn check_name(name: &str, taken: Option<Source>) -> Result<(), String> {
    if is_input_name(name) || matches!(taken, Some(Source::Input(_))) {
        return Err(format!("this is the name of an input of the network, not of a layer: {name:?}"));
    }
    if name.is_empty() || name.contains('/') || taken.is_some() {
        return Err(format!("a layer's name must be new, not empty and without '/': {name:?}"));
    }
    Ok(())
}

/// Whether the input behind so many may have this name, or what is wrong; `taken` is what has the name already.
pub(crate) fn check_input_name(name: &str, before: usize, taken: Option<Source>) -> Result<(), String> {
    let of_another = is_input_name(name) && name != input_name(before);
    if name.is_empty() || name.contains('/') || taken.is_some() || of_another {
        let problem = "an input's name must be new, not empty, without '/' and none that an input without a name gets";
        return Err(format!("{problem}: {name:?}"));
    }
    Ok(())
}

/// The name of two of these outputs.
pub(crate) fn name_of_two(outputs: &[Output]) -> Option<&str> {
    let mut names = HashSet::new();
    outputs.iter().map(|output| &*output.name).find(|name| !names.insert(*name))
}

/// A [`Graph`] being made, layer by layer.
///
/// A layer takes nodes that there are already, so a graph has no cycles. Each addition is a layer with weights of its
/// own; a [`LayerHandle`](crate::LayerHandle) that is added several times is one layer.
///
/// ```
/// use gradus_nn::{Concatenate, Dense, Graph, Model};
/// let mut graph = Graph::builder();
/// let (length, weight) = (graph.input_named("length"), graph.input_named("weight"));
/// let both = graph.add(Concatenate::new(), [length, weight]);
/// let hidden = graph.add(Dense::new(8), both);
/// let age = graph.add_named("age", Dense::new(1), hidden);
/// let network = graph.output(age);
/// assert_eq!(network.len(), 3);
/// assert_eq!(Model::build(network, ([1], [1]), 42)?.inputs()[1].name, "weight");
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Debug)]
pub struct GraphBuilder {
    inputs: Vec<String>,
    entries: Vec<Entry>,
    /// Its address tells the nodes of this graph from another's.
    identity: Arc<()>,
}

/// An input, or an output of a layer, of a graph being made: what [`GraphBuilder::add`] connects.
///
/// ```
/// use gradus_nn::{Graph, LSTM, Model};
/// // An LSTM that also gives its last states: the output, h and c.
/// let mut graph = Graph::builder();
/// let x = graph.input();
/// let output = graph.add(LSTM::new(4).return_state(true), [x]);
/// let c = output.output(2);
/// let model = Model::build(graph.outputs([("last", output), ("c", c)]), [5, 3], 42)?;
/// assert_eq!(model.outputs()[1].shape, [4]);
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    graph: usize,
    source: Source,
}

/// One node where a layer takes several: `graph.add(Dense::new(1), x)`.
impl AsRef<[Node]> for Node {
    fn as_ref(&self) -> &[Node] {
        std::slice::from_ref(self)
    }
}

impl Node {
    /// Another output of the same layer: 0 is the first. A node that [`GraphBuilder::add`] returns is the first output.
    ///
    /// # Panics
    /// If the node is an input of the network.
    #[track_caller]
    pub fn output(self, output: usize) -> Node {
        match self.source {
            Source::Layer { index, .. } => Node { source: Source::Layer { index, output }, ..self },
            Source::Input(_) => panic!("output: an input of a network has no outputs, take the node itself"),
        }
    }
}

/// A node as an output of a network, under the name of its layer or another: `("boxes", node)`.
///
/// ```
/// use gradus_nn::{Dense, Graph, Model, OutputNode};
/// let mut graph = Graph::builder();
/// let x = graph.input();
/// let boxes = graph.add(Dense::new(4), [x]);
/// let network = graph.output(OutputNode::from(("boxes", boxes)));
/// assert_eq!(Model::build(network, [8], 42)?.outputs()[0].name, "boxes");
/// # Ok::<(), gradus_nn::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct OutputNode {
    name: Option<String>,
    node: Node,
}

impl From<Node> for OutputNode {
    fn from(node: Node) -> Self {
        OutputNode { name: None, node }
    }
}

impl From<(&str, Node)> for OutputNode {
    fn from((name, node): (&str, Node)) -> Self {
        OutputNode { name: Some(name.to_owned()), node }
    }
}

impl GraphBuilder {
    /// A new input of the network, named `"input"`, further ones `"input_1"`, `"input_2"`, ...
    pub fn input(&mut self) -> Node {
        self.inputs.push(input_name(self.inputs.len()));
        self.node(Source::Input(self.inputs.len() - 1))
    }

    /// A new input under a name of its own, by which columns of data are matched to it.
    ///
    /// # Panics
    /// If the name is empty, contains `/`, or is taken.
    #[track_caller]
    pub fn input_named(&mut self, name: &str) -> Node {
        if let Err(problem) = check_input_name(name, self.inputs.len(), named(name, &self.inputs, &self.entries)) {
            panic!("input_named: {problem}");
        }
        self.inputs.push(name.to_owned());
        self.node(Source::Input(self.inputs.len() - 1))
    }

    /// Adds a layer fed with these nodes, named by its position: `"0"`, `"1"`, ... A `&LayerHandle` that was added before
    /// is the same layer, with the same weights.
    ///
    /// # Panics
    /// If there are no nodes, one is of another graph, or another layer has been given that name.
    #[track_caller]
    pub fn add(&mut self, layer: impl IntoLayer, inputs: impl AsRef<[Node]>) -> Node {
        let name = self.entries.len().to_string();
        self.push("add", name, layer.into_layer(), inputs.as_ref())
    }

    /// Adds a layer under a name of its own, which its weights carry: `"head/kernel"`.
    ///
    /// # Panics
    /// If the name is empty, contains `/`, is taken or an input's; if there are no nodes or one is of another graph.
    #[track_caller]
    pub fn add_named(&mut self, name: &str, layer: impl IntoLayer, inputs: impl AsRef<[Node]>) -> Node {
        self.push("add_named", name.to_owned(), layer.into_layer(), inputs.as_ref())
    }

    // Not generic, so that there is one of this, not one for each layer.
    #[track_caller]
    fn push(&mut self, op: &str, name: String, layer: Arc<dyn AnyLayer>, inputs: &[Node]) -> Node {
        if let Err(problem) = check_name(&name, named(&name, &self.inputs, &self.entries)) {
            panic!("{op}: {problem}");
        }
        assert!(!inputs.is_empty(), "{op}: a layer needs a node that feeds it: {name:?} ({})", layer.kind());
        let mut sources = Vec::with_capacity(inputs.len());
        for &node in inputs {
            sources.push(self.source(op, node));
        }
        let shares = same_layer(&self.entries, &layer);
        self.entries.push(Entry { name, layer, shares, inputs: sources });
        self.node(Source::layer(self.entries.len() - 1))
    }

    /// The finished network, whose output is this node.
    ///
    /// # Panics
    /// If the node is of another graph, or the output does not depend on some input or layer.
    #[track_caller]
    pub fn output(self, node: impl Into<OutputNode>) -> Graph {
        self.finish("output", vec![node.into()])
    }

    /// The finished network, with these outputs in this order. An output is called as its layer is, or as the pair says:
    /// `graph.outputs([("class", class), ("boxes", boxes)])`.
    ///
    /// # Panics
    /// If there are none, two have the same name, one is of another graph, or no output depends on some input or layer.
    #[track_caller]
    pub fn outputs(self, nodes: impl IntoIterator<Item = impl Into<OutputNode>>) -> Graph {
        self.finish("outputs", nodes.into_iter().map(Into::into).collect())
    }

    #[track_caller]
    fn finish(self, op: &str, nodes: Vec<OutputNode>) -> Graph {
        let mut sources = Vec::with_capacity(nodes.len());
        for OutputNode { name, node } in nodes {
            sources.push((name, self.source(op, node)));
        }
        assert!(!sources.is_empty(), "{op}: a network needs an output, found none");
        let mut graph = Graph { inputs: self.inputs, entries: self.entries, outputs: Vec::new() };
        for (name, source) in sources {
            let name = name.unwrap_or_else(|| graph.name_of(source));
            graph.outputs.push(Output { name, source });
        }
        if let Some(name) = name_of_two(&graph.outputs) {
            panic!("{op}: two outputs are called {name:?}, name each by a pair: (\"name\", node)");
        }
        let unused = graph.unused();
        assert!(unused.is_empty(), "{op}: the network does not use all that was added to it: {}", unused.join(", "));
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
            Source::Input(index) => index < self.inputs.len(),
            Source::Layer { index, .. } => index < self.entries.len(),
        };
        assert!(exists && node.graph == self.address(), "{op}: a node is of another graph than this");
        node.source
    }
}

/// The first entry that is this very layer, added by its handle.
pub(crate) fn same_layer(entries: &[Entry], layer: &Arc<dyn AnyLayer>) -> Option<usize> {
    entries.iter().position(|entry| Arc::ptr_eq(&entry.layer, layer))
}
