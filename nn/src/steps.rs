//! The computation of a network: one step for each layer, in order.

use std::mem;

use gradus_tensor::{Float, Tensor};
use serde_json::Value as Json;

use crate::activation::Activation;
use crate::built::Forward;
use crate::epilogue::{AsEpilogue, Compute, Epilogue, WithEpilogue};
use crate::error::Result;
use crate::graph::{Entry, Graph, Source};
use crate::graph_json;
use crate::layer::{Build, Built, Context, Layer, LayerReader};
use crate::mask::MaskRule;
use crate::parts::{Flow, PartRule};
use crate::value::{Spec, Value, Values};

impl Layer for Graph {
    const KIND: &'static str = "Graph";
    crate::layer::compiled_here!();

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let (outputs, steps) = Steps::build(self, build)?;
        let built = Built::of_values(outputs, move |context, inputs| steps.run(context, inputs));
        Ok(built.mask_rule(MaskRule::Known).part_rule(PartRule::Known))
    }

    fn output_activations(&self, inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        self.activations(inputs)
    }

    fn read(config: Json, reader: &LayerReader<'_>) -> Result<Self> {
        graph_json::read(config, reader)
    }
}

/// Inputs or outputs that a network has at most. They are matched by name, each among all.
const MOST_INPUTS: usize = 10_000;

/// The computation of a network.
///
/// The values are numbered: first the inputs, then the outputs of each step.
struct Steps<T: Float> {
    steps: Vec<Step<T>>,
    /// The number of values.
    values: usize,
    /// The values that are the network's outputs.
    outputs: Vec<Operand>,
    /// What is the same at each call, if sequences come part by part and there is anything.
    fixed: Option<Fixed>,
}

/// The values of a network that are computed from whole inputs alone. They are computed once and remembered.
struct Fixed {
    /// The number of the network among all layers.
    network: usize,
    /// For each step whether its outputs are such values.
    steps: Vec<bool>,
    /// Those of these values that others need.
    kept: Vec<usize>,
}

struct Step<T: Float> {
    forward: Forward<T>,
    with_epilogue: Option<WithEpilogue<T>>,
    as_epilogue: Option<AsEpilogue<T>>,
    operands: Vec<Operand>,
    /// The value that is its first output; the others are behind it.
    first: usize,
    /// For each output whether a step or the network takes it.
    used: Vec<bool>,
    /// The one step that takes this one's only output, if there are no others.
    then: Option<usize>,
}

/// A value that a step, or the network as an output, takes.
#[derive(Clone, Copy)]
struct Operand {
    value: usize,
    /// Whether nobody needs it afterwards: then the step gets the value itself, and may free it or compute in its memory.
    last: bool,
}

/// Where a value is kept while a network is computed.
// Nearly all slots come to hold a value, so boxing it would only cost.
#[expect(clippy::large_enum_variant)]
enum Slot<T: Float> {
    /// To be computed.
    Empty,
    /// The value and its mask.
    Value(Value<T>, Option<Tensor<bool>>),
    /// Taken by its last user; or never made, as the step before and the one after were computed as one.
    Gone,
}

impl<T: Float> Steps<T> {
    /// Builds the layers of a network; returns what its outputs are, and the computation.
    fn build(graph: &Graph, build: &mut Build<'_, T>) -> Result<(Vec<Spec>, Steps<T>)> {
        let (expected, found) = (graph.inputs.len(), build.inputs().len());
        if found != expected {
            let inputs = if expected == 1 { "input" } else { "inputs" };
            let problem = format!("takes {expected} {inputs}, found {found}");
            return Err(build.error(problem, "feed it with as many as it was made with"));
        }
        let most = expected.max(graph.outputs.len());
        if most > MOST_INPUTS {
            let problem = format!("a network has {MOST_INPUTS} inputs and outputs at most, found {most}");
            return Err(build.error(problem, "join some of them"));
        }
        build.store.branches |= !graph.is_chain();
        let (network, in_parts) = (build.number(), build.store.in_parts);
        let mut specs = build.inputs().to_vec();
        let mut steps: Vec<Step<T>> = Vec::with_capacity(graph.entries.len());
        for Entry { name, layer, shares, inputs } in &graph.entries {
            let mut operands = Vec::with_capacity(inputs.len());
            for &source in inputs {
                operands.push(Operand { value: place(graph, &steps, source, build)?, last: false });
            }
            let given: Vec<Spec> = operands.iter().map(|operand| specs[operand.value].clone()).collect();
            let names = inputs.iter().map(|&source| graph.name_of(source)).collect();
            let shares = shares.map(|shares| &*graph.entries[shares].name);
            let built = build.child_of(name, &**layer, &given, names, shares)?;
            let Built { outputs, forward, with_epilogue, as_epilogue, .. } = built;
            let (first, used) = (specs.len(), vec![false; outputs.len()]);
            specs.extend(outputs);
            steps.push(Step { forward, with_epilogue, as_epilogue, operands, first, used, then: None });
        }
        let mut outputs = Vec::with_capacity(graph.outputs.len());
        for output in &graph.outputs {
            outputs.push(Operand { value: place(graph, &steps, output.source, build)?, last: false });
        }
        let of_outputs = outputs.iter().map(|output| specs[output.value].clone()).collect();
        let mut steps = Steps::new(steps, specs.len(), outputs);
        if in_parts {
            let is_whole: Vec<bool> = specs.iter().map(|spec| spec.flow == Flow::Whole).collect();
            steps.fixed = steps.fixed(network, &is_whole);
        }
        Ok((of_outputs, steps))
    }

    fn new(mut steps: Vec<Step<T>>, values: usize, mut outputs: Vec<Operand>) -> Self {
        let mut users = vec![Vec::new(); values];
        for (index, step) in steps.iter().enumerate() {
            step.operands.iter().for_each(|operand| users[operand.value].push(index));
        }
        let mut needed = vec![false; values];
        let operands = steps.iter_mut().flat_map(|step| step.operands.iter_mut()).chain(&mut outputs);
        let mut operands: Vec<&mut Operand> = operands.collect();
        for operand in operands.iter_mut().rev() {
            operand.last = !mem::replace(&mut needed[operand.value], true);
        }
        for step in &mut steps {
            step.used.iter_mut().zip(&needed[step.first..]).for_each(|(used, &needed)| *used = needed);
            let is_output = outputs.iter().any(|output| output.value == step.first);
            step.then = match (&step.used[..], &users[step.first][..]) {
                (&[_], &[user]) if !is_output => Some(user),
                _ => None,
            };
        }
        Steps { steps, values, outputs, fixed: None }
    }

    /// What is the same at each call, given which values come whole; nothing if no step has only such.
    fn fixed(&self, network: usize, is_whole: &[bool]) -> Option<Fixed> {
        let all_whole = |mut values: std::ops::Range<usize>| values.all(|value| is_whole[value]);
        let of_step = |step: &Step<T>| {
            step.operands.iter().all(|operand| is_whole[operand.value])
                && all_whole(step.first..step.first + step.used.len())
        };
        let steps: Vec<bool> = self.steps.iter().map(of_step).collect();
        let of_steps = |wanted: bool| self.steps.iter().zip(&steps).filter(move |(_, fixed)| **fixed == wanted);
        let taken = of_steps(false).flat_map(|(step, _)| &step.operands).chain(&self.outputs);
        let taken: Vec<usize> = taken.map(|operand| operand.value).collect();
        let made = of_steps(true).flat_map(|(step, _)| step.first..step.first + step.used.len());
        let kept: Vec<usize> = made.filter(|value| taken.contains(value)).collect();
        steps.contains(&true).then_some(Fixed { network, steps, kept })
    }

    fn run(&self, context: &mut Context<'_, T>, inputs: Values<T>) -> Values<T> {
        let mut values: Vec<Slot<T>> = Vec::with_capacity(self.values);
        values.extend(inputs.with_masks().map(|(value, mask)| Slot::Value(value, mask)));
        values.resize_with(self.values, || Slot::Empty);
        let remembered = self.fixed.as_ref().and_then(|fixed| context.memory().values.get(&fixed.network).cloned());
        let is_remembered = remembered.is_some();
        if let (Some(fixed), Some(remembered)) = (&self.fixed, remembered) {
            let slots = remembered.with_masks().map(|(value, mask)| Slot::Value(value, mask));
            fixed.kept.iter().zip(slots).for_each(|(&value, slot)| values[value] = slot);
        }
        let mut computed = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            if is_remembered && self.fixed.as_ref().is_some_and(|fixed| fixed.steps[index]) {
                continue;
            }
            // A layer may have no outputs; one that is part of an epilogue has been computed.
            if !matches!(values.get(step.first), None | Some(Slot::Empty)) {
                continue;
            }
            let operands = taken(&step.operands, &mut values);
            let (end, outputs) = match self.epilogue(index, context) {
                Some((end, epilogue, compute)) => {
                    // Only layers that keep masks are given any.
                    let outputs = Values::from(compute(context, operands[0].floats(), &epilogue));
                    (end, outputs.with_mask(0, operands.mask(0).cloned()))
                }
                None => (index, (step.forward)(context, operands)),
            };
            let mut place = index;
            while place != end {
                values[self.steps[place].first] = Slot::Gone;
                place = self.steps[place].then.expect("one is behind the other");
            }
            let end = &self.steps[end];
            let (found, declared) = (outputs.len(), end.used.len());
            assert!(found == declared, "a layer declares {declared} outputs when it is built, and computes {found}");
            for (output, (value, mask)) in outputs.with_masks().enumerate() {
                let place = end.first + output;
                if !is_remembered && self.fixed.as_ref().is_some_and(|fixed| fixed.kept.contains(&place)) {
                    computed.push((place, value.clone(), mask.clone()));
                }
                values[place] = if end.used[output] { Slot::Value(value, mask) } else { Slot::Gone };
            }
        }
        if let (Some(fixed), false) = (&self.fixed, is_remembered) {
            // In the order of the values, as they are read again.
            computed.sort_by_key(|(place, ..)| *place);
            let mut kept = Values::default();
            computed.into_iter().for_each(|(_, value, mask)| kept.push((value, mask)));
            context.memory().values.insert(fixed.network, kept);
        }
        taken(&self.outputs, &mut values)
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

impl Operand {
    /// The value with its mask: itself at its last use, else another handle of it.
    fn take<T: Float>(self, values: &mut [Slot<T>]) -> (Value<T>, Option<Tensor<bool>>) {
        let slot = &mut values[self.value];
        let taken = match slot {
            Slot::Value(..) if self.last => mem::replace(slot, Slot::Gone),
            Slot::Value(value, mask) => Slot::Value(value.clone(), mask.clone()),
            _ => Slot::Gone,
        };
        let Slot::Value(value, mask) = taken else { unreachable!("a value is kept until its last use") };
        (value, mask)
    }
}

/// The values that these operands are.
fn taken<T: Float>(operands: &[Operand], values: &mut [Slot<T>]) -> Values<T> {
    let mut taken = Values::default();
    operands.iter().for_each(|operand| taken.push(operand.take(values)));
    taken
}

/// The number of the value that is this source.
fn place<T: Float>(graph: &Graph, steps: &[Step<T>], source: Source, build: &Build<'_, T>) -> Result<usize> {
    match source {
        Source::Input(index) => Ok(index),
        Source::Layer { index, output } if output < steps[index].used.len() => Ok(steps[index].first + output),
        Source::Layer { index, output } => {
            let (name, count) = (&graph.entries[index].name, steps[index].used.len());
            let problem = format!("takes output {output} of the layer {name}, which has {count}");
            Err(build.error(problem, "count the outputs of a layer from 0"))
        }
    }
}

#[cfg(test)]
mod tests {
    use gradus_autograd::{Params, Var};
    use gradus_tensor::Generator;

    use super::*;
    use crate::build::{Store, Weights};
    use crate::{
        Activation, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, Dropout, LayerNormalization, ReLU, Sequential,
    };

    /// The layers of a chain that are computed together: the first and the last of each such run.
    fn together(network: Sequential, training: bool, frozen: &[&str]) -> Vec<[usize; 2]> {
        let mut store = Store::new(Params::new(), Weights::Drawn(Generator::new(0)), &[]);
        let inputs = [Spec::floats([4, 4, 2])];
        let (_, steps) = Steps::<f32>::build(&network.into(), &mut store.root(Graph::KIND, &inputs)).unwrap();
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
                .add(Conv2D::new(3, 2).use_bias(false))
                .add(BatchNormalization::new())
                .add(Activation::Relu)
                .add(DepthwiseConv2D::new(2))
                .add(BatchNormalization::new())
                .add(ReLU::new())
                .add(Dropout::new(0.5))
                .add(BatchNormalization::new())
                .add(Activation::Relu)
                .add(Dense::new(3))
                .add(BatchNormalization::new())
                .add(LayerNormalization::new())
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
        let network = Sequential::new().add(Conv2D::new(2, 1)).add(BatchNormalization::new().axis(1)).add(ReLU::new());
        assert_eq!(together(network, false, &[]), [[0, 0], [1, 1], [2, 2]]);
    }
}
