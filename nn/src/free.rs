//! The building of a model: one computation if all lengths are known, else one for each set of lengths that it meets.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use gradus_autograd::Params;
use gradus_tensor::{Float, Shape};

use crate::build::{LayerInfo, MOST_AXES, Store, Weights, fits_memory};
use crate::built::{Built, Forward};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::inputs::{InputInfo, OutputInfo, PartialShape};
use crate::layer::Layer;
use crate::parts::{Flow, PositionLimit};
use crate::value::{Spec, SpecKind, ValueKind};

/// The computation of a network for inputs of certain shapes, without weights.
pub(crate) struct Computation<T: Float> {
    /// The shapes of the inputs, without the batch axis.
    pub inputs: Vec<Shape>,
    /// For each input how it comes, if sequences come part by part.
    pub flows: Vec<Flow>,
    /// Whether each layer shows its outputs to an observer.
    pub is_observed: bool,
    pub forward: Forward<T>,
    /// The layers that know a largest number of positions, if sequences come part by part.
    pub limits: Vec<PositionLimit>,
    /// The largest number of elements that an input or a layer's output has, for a sample.
    pub widest: usize,
}

/// A network built for inputs of certain shapes, with all that it was built to.
pub(crate) struct Whole<T: Float> {
    pub computation: Computation<T>,
    pub store: Store<T>,
    pub outputs: Vec<Spec>,
}

impl<T: Float> Whole<T> {
    /// Builds a network for inputs of these specs.
    pub fn new(
        network: &Graph,
        inputs: &[Spec],
        params: Params<T>,
        weights: Weights<T>,
        is_observed: bool,
    ) -> Result<Self> {
        if let Some((input, name)) = inputs.iter().zip(&network.inputs).find(|(input, _)| !fits_memory(&input.shape)) {
            let problem = format!("no memory holds the input {name:?} of shape {}", input.shape);
            return Err(Error::new("build", problem, "make it smaller"));
        }
        if let Some((input, name)) = inputs.iter().zip(&network.inputs).find(|(input, _)| input.shape.len() > MOST_AXES)
        {
            let problem = format!("the input {name:?} has {} axes, there can be {MOST_AXES}", input.shape.len());
            return Err(Error::new("build", problem, "join axes of the data"));
        }
        let mut store = Store::new(params, weights, &network.inputs);
        store.is_observed = is_observed;
        let Built { outputs, forward, .. } = network.build(&mut store.root(Graph::KIND, inputs))?;
        for &(weight, regularizer) in &store.penalties {
            if let Err((problem, hint)) = regularizer.check() {
                return Err(Error::new("build", format!("{}: {problem}", store.params[weight.0].name), hint));
            }
        }
        let flows = inputs.iter().map(|input| input.flow).collect();
        let inputs: Vec<Shape> = inputs.iter().map(|input| input.shape.clone()).collect();
        let widest = inputs.iter().map(|input| input.size()).fold(store.widest, usize::max);
        let limits = std::mem::take(&mut store.limits);
        Ok(Whole { computation: Computation { inputs, flows, is_observed, forward, limits, widest }, store, outputs })
    }
}

/// The lengths that stand for free ones while a model is built: each with its double, to see what varies. They have many
/// divisors, and the smaller ones are for layers that know a largest length.
const LENGTHS: [usize; 3] = [6720, 64, 8];

/// Builds a model's network for inputs of these shapes, with weights from there. Lengths that are free in them are free in
/// the shapes of `outputs` and of the layers that vary with them.
pub(crate) fn build<T: Float>(
    network: &Graph,
    inputs: &mut [InputInfo],
    weights: Weights<T>,
) -> Result<(Whole<T>, Vec<OutputInfo>)> {
    let of = |length: usize, weights: Weights<T>| {
        let specs = inputs.iter().enumerate().map(|(place, input)| Spec::input(input.shape.with(length), place));
        Whole::<T>::new(network, &specs.collect::<Vec<Spec>>(), Params::new(), weights, false)
    };
    let is_fixed = inputs.iter().all(|input| input.shape.is_fixed());
    let (mut whole, twice) = if is_fixed {
        (of(0, weights)?, None)
    } else {
        let mut tries = LENGTHS.iter().map(|&length| {
            let pair = of(length, Weights::Shapes).and_then(|once| Ok((once, of(2 * length, Weights::Shapes)?)));
            pair.map(|(once, twice)| (length, once, twice))
                .map_err(|error| error.within(&format!("build: with {length} or {} for free lengths", 2 * length)))
        });
        let first = tries.next().expect("there are lengths to try");
        let (length, once, twice) = match first {
            Ok(found) => found,
            // The error of the first try is that of a layer which no length suits.
            Err(error) => tries.find_map(Result::ok).ok_or(error)?,
        };
        check_weights(length, &once, &twice)?;
        (of(length, weights)?, Some(twice))
    };
    for (input, asked) in inputs.iter_mut().zip(whole.store.inputs.borrow_mut().drain(..)) {
        if let Some((kind, layer)) = asked.asked {
            (input.kind, input.layer) = (kind, layer);
        }
    }
    let mut outputs = Vec::with_capacity(whole.outputs.len());
    let activations = network.activations(&vec![None; inputs.len()]);
    for ((output, spec), activation) in network.outputs.iter().zip(&whole.outputs).zip(activations) {
        let kind = match spec.kind {
            SpecKind::Known(kind) => kind,
            SpecKind::Input(place) => inputs[place].kind,
        };
        if kind != ValueKind::Floats {
            let problem = format!("the output {:?} is {kind}, a model's outputs are floats", output.name);
            return Err(Error::new("build", problem, "convert it by a layer"));
        }
        let (name, shape, is_masked) = (output.name.clone(), spec.shape.clone().into(), spec.is_masked());
        outputs.push(OutputInfo { name, shape, activation, is_masked });
    }
    if let Some(twice) = twice {
        for (output, other) in outputs.iter_mut().zip(&twice.outputs) {
            output.shape = output.shape.merged(&other.shape.clone().into());
        }
        for (layer, other) in whole.store.layers.iter_mut().zip(&twice.store.layers) {
            layer.outputs = merged(layer, other);
        }
    }
    Ok((whole, outputs))
}

fn merged(layer: &LayerInfo, other: &LayerInfo) -> Vec<PartialShape> {
    layer.outputs.iter().zip(&other.outputs).map(|(a, b)| a.merged(b)).collect()
}

/// Refuses weights whose shapes vary with a free length.
fn check_weights<T: Float>(length: usize, once: &Whole<T>, twice: &Whole<T>) -> Result<()> {
    let (once, twice) = (&once.store.params, &twice.store.params);
    let varies = once.iter().zip(twice).find(|(a, b)| a.name != b.name || a.value.shape() != b.value.shape());
    let Some((a, b)) = varies else { return Ok(()) };
    let problem = format!(
        "the weight {:?} varies with a free length: it is {} for {length}, and {} for {}",
        a.name,
        a.value.shape(),
        b.value.shape(),
        2 * length
    );
    let hint = "fix that length, or make it one by a layer such as GlobalAveragePooling before the weight";
    Err(Error::new("build", problem, hint))
}

/// The computations for lengths met lately, the oldest first. They hold no weights, so clones of a model share them.
pub(crate) type Recent<T> = Arc<RwLock<VecDeque<Arc<Computation<T>>>>>;

/// How many computations are kept: as many as there are lengths in batches sorted by length, roughly.
const KEPT: usize = 32;

/// The computation for inputs of these shapes, observed or not: one met before, or built now over the same weights.
pub(crate) fn computation<T: Float>(
    recent: &Recent<T>,
    network: &Graph,
    inputs: &[InputInfo],
    shapes: Vec<Shape>,
    flows: &[Flow],
    is_observed: bool,
    params: &Params<T>,
) -> Result<Arc<Computation<T>>> {
    let of = |kept: &VecDeque<Arc<Computation<T>>>| {
        kept.iter()
            .find(|kept| kept.is_observed == is_observed && kept.flows == flows && kept.inputs == shapes)
            .cloned()
    };
    if let Some(found) = of(&recent.read().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(found);
    }
    let specs = inputs.iter().zip(&shapes).zip(flows);
    let specs = specs.map(|((input, shape), &flow)| Spec::new(shape, input.kind).flowing(flow));
    let built = Whole::new(network, &specs.collect::<Vec<Spec>>(), params.clone(), Weights::Given, is_observed)?;
    if let Some(place) = built.outputs.iter().position(|output| output.flow == Flow::Never) {
        let problem = format!("the output {:?} is not there part by part", network.outputs[place].name);
        return Err(Error::new("network", problem, "call predict with whole sequences"));
    }
    let built = built.computation;
    let mut kept = recent.write().unwrap_or_else(PoisonError::into_inner);
    // Another thread may have been faster.
    if let Some(found) = of(&kept) {
        return Ok(found);
    }
    if kept.len() == KEPT {
        kept.pop_front();
    }
    let built = Arc::new(built);
    kept.push_back(Arc::clone(&built));
    Ok(built)
}
