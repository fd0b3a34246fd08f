//! The plan of a program: the place of each value, and when it is no longer needed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::node::{Body, Node};
use super::program::{Data, shortened};

/// Where each value of a program is.
#[derive(Debug)]
pub(super) struct Plan {
    pub block: Block,
    /// The number of places.
    pub places: usize,
}

/// The places of a list of operators: those of the program, or of a graph within one of them.
#[derive(Debug)]
pub(super) struct Block {
    pub inputs: Vec<usize>,
    pub steps: Vec<Step>,
    pub outputs: Vec<usize>,
    /// The first place of its own. Those before it are values from around it.
    begin: usize,
}

#[derive(Debug)]
pub(super) struct Step {
    pub inputs: Vec<Option<usize>>,
    pub outputs: Vec<Option<usize>>,
    /// The graphs within the operator, in the order of its attributes.
    pub blocks: Vec<Block>,
    /// The values that nobody takes behind this step.
    pub last: Vec<usize>,
}

impl Plan {
    /// The places of the values, or all that is wrong with their names.
    pub fn new(data: &Data) -> Result<Self, String> {
        let mut naming = Naming::default();
        let named = data.inputs.iter().map(|port| &port.name).chain(data.weights.iter().map(|weight| &weight.name));
        for name in named.chain(data.constants.keys()) {
            if name.is_empty() || naming.place(name).is_none() {
                naming.wrong.push(format!("the name of a value must be new and not empty: {name:?}"));
            }
        }
        let mut block = naming.block(&data.nodes, data.outputs.iter().map(|port| &port.name));
        let mut wrong = naming.wrong;
        if block.outputs.is_empty() && wrong.is_empty() {
            wrong.push("there are no outputs".to_owned());
        }
        if !wrong.is_empty() {
            return Err(shortened(&wrong));
        }
        let places = naming.names.len();
        block.find_last(&mut vec![false; places]);
        Ok(Plan { block, places })
    }
}

/// The names of a program while it is planned.
#[derive(Default)]
struct Naming<'a> {
    /// The places of all names, and whether they can be taken here: those of a graph within an operator can in this graph only.
    places: HashMap<&'a str, (usize, bool)>,
    /// All names in the order of their places.
    names: Vec<&'a str>,
    wrong: Vec<String>,
}

impl<'a> Naming<'a> {
    /// A place for a value of this name; `None` if there is one.
    fn place(&mut self, name: &'a str) -> Option<usize> {
        let place = self.names.len();
        let Entry::Vacant(entry) = self.places.entry(name) else { return None };
        entry.insert((place, true));
        self.names.push(name);
        Some(place)
    }

    /// The place of a value that can be taken here.
    fn known(&self, name: &str) -> Option<usize> {
        self.places.get(name).filter(|(_, is_known)| *is_known).map(|(place, _)| *place)
    }

    fn block(&mut self, nodes: &'a [Node], outputs: impl Iterator<Item = &'a String>) -> Block {
        let mut steps = Vec::with_capacity(nodes.len());
        for node in nodes {
            let mut inputs = Vec::with_capacity(node.inputs.len());
            for name in &node.inputs {
                match self.known(name) {
                    _ if name.is_empty() => inputs.push(None),
                    Some(place) => inputs.push(Some(place)),
                    None => self.wrong.push(format!("{} takes {name:?}, which nothing before it gives", node.title())),
                }
            }
            let blocks = node.bodies().map(|body| self.body(node, body)).collect();
            let mut outputs = Vec::with_capacity(node.outputs.len());
            for name in &node.outputs {
                if name.is_empty() {
                    outputs.push(None);
                } else if let Some(place) = self.place(name) {
                    outputs.push(Some(place));
                } else {
                    self.wrong.push(format!("{} gives {name:?}, which there is already", node.title()));
                }
            }
            steps.push(Step { inputs, outputs, blocks, last: Vec::new() });
        }
        let mut places = Vec::new();
        for name in outputs {
            match self.known(name) {
                Some(place) => places.push(place),
                None => self.wrong.push(format!("nothing gives the output {name:?}")),
            }
        }
        Block { inputs: Vec::new(), steps, outputs: places, begin: 0 }
    }

    /// A graph within an operator. It sees what is known before the operator, and nobody else sees what it gives.
    fn body(&mut self, node: &'a Node, body: &'a Body) -> Block {
        let begin = self.names.len();
        let mut inputs = Vec::with_capacity(body.inputs.len());
        for name in &body.inputs {
            match self.place(name) {
                Some(place) if !name.is_empty() => inputs.push(place),
                _ => self
                    .wrong
                    .push(format!("the name of an input of a graph in {} must be new: {name:?}", node.title())),
            }
        }
        let block = self.block(&body.nodes, body.outputs.iter());
        for name in &self.names[begin..] {
            self.places.entry(name).and_modify(|(_, is_known)| *is_known = false);
        }
        Block { inputs, begin, ..block }
    }
}

impl Block {
    /// Its inputs, and its outputs that are values of its own.
    pub fn own_ends(&self) -> impl Iterator<Item = usize> {
        self.inputs.iter().chain(&self.outputs).copied().filter(|place| *place >= self.begin)
    }

    /// Finds the step behind which each value of its own is no longer needed.
    fn find_last(&mut self, is_taken: &mut [bool]) {
        self.outputs.iter().for_each(|&place| is_taken[place] = true);
        for step in self.steps.iter_mut().rev() {
            let mut used: Vec<usize> = step.inputs.iter().chain(&step.outputs).flatten().copied().collect();
            step.blocks.iter().for_each(|block| block.add_captured(block.begin, &mut used));
            for place in used {
                if place >= self.begin && !std::mem::replace(&mut is_taken[place], true) {
                    step.last.push(place);
                }
            }
            step.blocks.iter_mut().for_each(|block| block.find_last(is_taken));
        }
    }

    /// The values before this place that it takes.
    fn add_captured(&self, begin: usize, used: &mut Vec<usize>) {
        let inputs = self.steps.iter().flat_map(|step| step.inputs.iter().flatten());
        used.extend(inputs.chain(&self.outputs).filter(|place| **place < begin));
        self.steps.iter().flat_map(|step| &step.blocks).for_each(|block| block.add_captured(begin, used));
    }
}
