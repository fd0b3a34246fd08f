//! A whole layer tested in one call.

use gradus_autograd::{Params, Var, gradcheck};
use gradus_tensor::{AnyTensor, Columns, Float, Generator, Shape, Tensor};

use crate::build::{Store, Weights};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::feed::Fed;
use crate::graph::{Graph, Node};
use crate::inputs::Input;
use crate::layer::Layer;
use crate::mask::Positions;
use crate::memory::LayerMemory;
use crate::model::Model;
use crate::parts::Flow;
use crate::value::{Spec, Value, ValueKind, Values};

/// Tests a layer on samples of this shape (without the batch axis). A custom layer's test needs no more than this.
///
/// * Its data survive being written to JSON and read back.
/// * Its output has the shape that it declares, for 0, 1 and 3 samples, when predicting and while training.
/// * Its gradients, by the input and by each weight, agree with finite differences in f64, in both modes. What is random
///   in training is drawn anew from the same generator each time.
/// * When predicting, a sample's output does not depend on the other samples.
/// * The same seed gives the same bits, and f32 and f64 agree.
/// * If it takes inputs with a mask: what is at positions that are padding changes nothing at the others.
/// * If it takes sequences part by part ([`PartRule`](crate::PartRule)): two parts give what the whole gives.
/// * A sample that is a single number, or has an axis of length 0, is computed or refused by a `Result`, not a panic.
///
/// ```
/// use gradus_nn::{Activation, Dense, check_layer};
/// check_layer(&Dense::new(3).activation(Activation::Tanh), [4]).unwrap();
/// ```
///
/// # Errors
/// The first of these that does not hold, and how.
pub fn check_layer<L: Layer>(layer: &L, input: impl Into<Shape>) -> Result<()> {
    LayerCheck::new(input).check(layer)
}

/// A [`check_layer`] of a layer of several inputs.
///
/// ```
/// use gradus_nn::{Add, LayerCheck};
/// LayerCheck::new([2, 3]).input([2, 1]).check(&Add).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct LayerCheck {
    inputs: Vec<Shape>,
}

const SEED: u64 = 42;

impl LayerCheck {
    /// On samples of this shape, without the batch axis.
    pub fn new(input: impl Into<Shape>) -> Self {
        LayerCheck { inputs: vec![input.into()] }
    }

    /// With a further input, of this shape.
    pub fn input(mut self, shape: impl Into<Shape>) -> Self {
        self.inputs.push(shape.into());
        self
    }

    /// Tests the layer.
    ///
    /// # Errors
    /// The first property of a layer that does not hold, and how.
    pub fn check<L: Layer>(&self, layer: &L) -> Result<()> {
        let read = read_back(layer)?;
        let model = model_of::<f64, L>(layer, &self.inputs)?;
        // The inputs of a kind of batch: `stream` tells one from another.
        let inputs = |samples: usize, stream: u64| draw(&model, samples, stream);
        for samples in [0, 1, 3] {
            check_shape(&model, &inputs(samples, 0), L::KIND)?;
        }
        check_gradients(&model, &inputs(3, 0), L::KIND)?;
        check_independence(&model, &inputs(3, 0), &inputs(3, 1), L::KIND)?;
        self.check_determinism(layer, &model, &inputs(3, 0))?;
        self.check_read_back(&read, &model, &inputs(3, 0))?;
        self.check_masks(layer)?;
        self.check_parts(layer)?;
        self.check_degenerate_shapes(layer)
    }

    /// That the layer which is read back from JSON is the same one: a field that serde skips would be lost in a file.
    fn check_read_back<L: Layer>(&self, read: &L, model: &Model<f64>, inputs: &Columns) -> Result<()> {
        let twin = model_of::<f64, L>(read, &self.inputs)?;
        let names = |model: &Model<f64>| model.params().iter().map(|param| param.name.clone()).collect::<Vec<String>>();
        if names(&twin) != names(model) || train(&twin, inputs)? != train(model, inputs)? {
            let problem = "read back from JSON it computes something else";
            return Err(fail(L::KIND, problem, "write every field that it computes by: serde must skip none of them"));
        }
        Ok(())
    }

    fn check_determinism<L: Layer>(&self, layer: &L, model: &Model<f64>, inputs: &Columns) -> Result<()> {
        let twin = model_of::<f64, L>(layer, &self.inputs)?;
        let drawn_alike = model.params().iter().zip(twin.params()).all(|(a, b)| a.value == b.value);
        if !drawn_alike
            || train(model, inputs)? != train(&twin, inputs)?
            || train(model, inputs)? != train(model, inputs)?
        {
            let hint = "draw random numbers from the generators that build and the context give, and from no others";
            return Err(fail(L::KIND, "the same seed gives different numbers", hint));
        }
        let expected = model.predict_all(inputs)?;
        if model.predict_all(inputs)? != expected {
            let hint = "depend on the weights and the inputs alone when predicting";
            return Err(fail(L::KIND, "predicting twice gives different numbers", hint));
        }
        let single = model_of::<f32, L>(layer, &self.inputs)?.predict_all(inputs)?;
        for (single, expected) in single.iter().zip(&expected) {
            if !single.to().allclose(expected, 1e-3, 1e-4) {
                let problem = format!("f32 gives {single:?}, f64 {expected:?}");
                return Err(fail(L::KIND, problem, "keep intermediate results of similar size"));
            }
        }
        Ok(())
    }

    /// That a layer which takes masked inputs does not read padding: on inputs that differ there alone, its outputs are the
    /// same where they are there.
    fn check_masks<L: Layer>(&self, layer: &L) -> Result<()> {
        let specs = self.inputs.iter().enumerate().map(|(place, shape)| Spec::input(shape, place).masked());
        let specs: Vec<Spec> = specs.collect();
        let Some(length) =
            self.inputs.iter().map(|shape| shape.first().copied()).reduce(|a, b| a.filter(|_| a == b)).flatten()
        else {
            return Ok(());
        };
        let mut store =
            Store::<f64>::new(Params::new(), Weights::Drawn(Generator::new(SEED)), &vec![String::new(); specs.len()]);
        let Ok(built) = store.root(Graph::KIND, &specs).child("0", layer, &specs) else { return Ok(()) };
        let model = model_of::<f64, L>(layer, &self.inputs)?;
        let weights: Vec<Var<f64>> = store.params.iter().map(|param| Var::from(&param.value)).collect();
        const SAMPLES: usize = 3;
        // One sample is padding alone.
        let mask = Generator::new(SEED).integers([SAMPLES, length], 0..2).to::<bool>();
        let mask = mask & Tensor::from([[true], [true], [false]]);
        let [given, others] =
            [draw(&model, SAMPLES, 0), draw(&model, SAMPLES, 1)].map(|columns| values(&model, &columns));
        let (given, others) = (given?, others?);
        let mixed = given.iter().zip(others.iter()).map(|(given, other)| where_there(&mask, given, other));
        let mixed: Values<f64> = mixed.collect();
        let count = given.len();
        let mut outputs = [given, mixed].map(|inputs| {
            let inputs = (0..count).fold(inputs, |inputs, place| inputs.with_mask(place, Some(mask.clone())));
            let mut context = Context::new(&store.params, &weights, None);
            built.run(&mut context, inputs)
        });
        let [expected, found] = outputs.each_mut();
        for (place, spec) in built.outputs.iter().enumerate() {
            if found.mask(place).is_some() != spec.is_masked() {
                let problem =
                    format!("output {place} has a mask when it is built or when it is computed, and not both");
                return Err(fail(L::KIND, problem, "give it one by Spec::masked and by Values::with_mask"));
            }
            let rows = |values: &Values<f64>| {
                let output = values[place].floats().value();
                values.mask(place).map_or_else(|| output.clone(), |mask| Positions::of(mask).take(output))
            };
            if rows(found) != rows(expected) {
                let problem = "the output depends on positions that are padding, by the mask of the input";
                return Err(fail(L::KIND, problem, "read Values::mask, or leave MaskRule::Unsaid"));
            }
        }
        Ok(())
    }

    /// That a layer which takes parts of sequences gives for two parts what it gives for the whole. Of several inputs all come in
    /// parts, or else the first alone.
    fn check_parts<L: Layer>(&self, layer: &L) -> Result<()> {
        let model = model_of::<f64, L>(layer, &self.inputs)?;
        let given = values(&model, &draw(&model, 3, 0))?;
        let whole = model.predict_all(draw(&model, 3, 0))?;
        let weights: Vec<Var<f64>> = model.params().iter().map(|param| Var::from(&param.value)).collect();
        let names = vec![String::new(); self.inputs.len()];
        for parts in if self.inputs.len() == 1 { vec![1] } else { vec![self.inputs.len(), 1] } {
            let lengths = self.inputs[..parts].iter().map(|shape| shape.first().copied());
            let Some(length) = lengths.reduce(|a, b| a.filter(|_| a == b)).flatten().filter(|&length| length > 1)
            else {
                continue;
            };
            let mut memory = LayerMemory::new();
            let mut outputs = Vec::new();
            for (from, to) in [(0, length / 2), (length / 2, length)] {
                let specs = self.inputs.iter().enumerate().map(|(place, shape)| match place < parts {
                    true => Spec::input(shape.without_axis(0).with_axis(0, to - from), place).in_parts(),
                    false => Spec::input(shape, place),
                });
                let specs: Vec<Spec> = specs.collect();
                let mut store = Store::<f64>::new(model.params().clone(), Weights::Given, &names);
                let Ok(built) = store.root(Graph::KIND, &specs).child_of("0", layer, &specs, Vec::new(), None) else {
                    break;
                };
                let part = |(place, value): (usize, &Value<f64>)| match value {
                    value if place >= parts => value.clone(),
                    Value::Floats(x) => Value::Floats(x.slice(1, from..to)),
                    Value::Ids(ids) => Value::Ids(ids.slice(1, from..to)),
                    Value::Mask(mask) => Value::Mask(mask.slice(1, from..to)),
                };
                let inputs: Values<f64> = given.iter().enumerate().map(part).collect();
                let mut context = Context::new(&store.params, &weights, None).with_memory(&mut memory);
                outputs.push((built.run(&mut context, inputs), built.outputs));
            }
            let [(first, _), (second, specs)] = &outputs[..] else { continue };
            for (place, (spec, expected)) in specs.iter().zip(&whole).enumerate() {
                let [first, second] = [first, second].map(|outputs| outputs[place].floats().value().clone());
                let found = match spec.flow {
                    Flow::Part => Tensor::concat(&[first, second], 1),
                    Flow::Never => continue,
                    Flow::Whole | Flow::Latest => second,
                };
                if !found.allclose(expected, 1e-9, 1e-9) {
                    let problem = "two parts of sequences give something else than the whole";
                    return Err(fail(L::KIND, problem, "remember what was before, or leave PartRule::Unsaid"));
                }
            }
        }
        Ok(())
    }

    fn check_degenerate_shapes<L: Layer>(&self, layer: &L) -> Result<()> {
        let axes = self.inputs.iter().map(|shape| shape.len()).max().unwrap_or_default();
        let emptied = (0..axes).map(|axis| {
            let mut inputs = self.inputs.clone();
            inputs.iter_mut().filter_map(|shape| shape.get_mut(axis)).for_each(|length| *length = 0);
            inputs
        });
        for inputs in std::iter::once(vec![Shape::default(); self.inputs.len()]).chain(emptied) {
            match model_of::<f64, L>(layer, &inputs) {
                Ok(model) => check_shape(&model, &draw(&model, 3, 0), L::KIND)?,
                Err(error) if error.to_string().starts_with("layer 0") => {}
                Err(error) => {
                    let problem = format!("the error of inputs of shapes {inputs:?} does not name the layer: {error}");
                    return Err(fail(L::KIND, problem, "make it by Build::error"));
                }
            }
        }
        Ok(())
    }
}

/// A network of the layer alone, named `"0"`, on samples of these shapes.
fn model_of<T: Float, L: Layer>(layer: &L, inputs: &[Shape]) -> Result<Model<T>> {
    let mut graph = Graph::builder();
    let nodes: Vec<Node> = inputs.iter().map(|_| graph.input()).collect();
    let node = graph.add(layer.clone(), nodes);
    // How many outputs there are is known once the layer is built.
    let specs = inputs.iter().enumerate();
    let specs = specs.map(|(place, shape)| Spec::input(shape, place));
    let specs: Vec<Spec> = specs.collect();
    let mut store = Store::<T>::new(Params::new(), Weights::Shapes, &vec![String::new(); inputs.len()]);
    let built = store.root(Graph::KIND, &specs).child("0", layer, &specs);
    let count = built.map_or(1, |built| built.outputs.len());
    let outputs: Vec<(String, Node)> = (0..count).map(|output| (output.to_string(), node.output(output))).collect();
    let network = graph.outputs(outputs.iter().map(|(name, node)| (&**name, *node)));
    let inputs: Vec<Input> = inputs.iter().map(Input::from).collect();
    Model::build_as(network, inputs, SEED)
}

/// Inputs of a model, of the kinds that its layers take: normal numbers, or ids of which there are so many.
fn draw(model: &Model<f64>, samples: usize, stream: u64) -> Columns {
    let mut generator = Generator::new(stream);
    let columns = model.inputs().iter().map(|input| {
        let shape = input.shape.with(0).with_axis(0, samples);
        match input.kind {
            ValueKind::Floats => AnyTensor::from(generator.normal::<f64>(shape, 0.0, 1.0)),
            ValueKind::Ids { count } => generator.integers(shape, 0..count as i64).into(),
            ValueKind::Mask => generator.integers(shape, 0..2).to::<bool>().into(),
        }
    });
    columns.collect()
}

/// A value where a mask is true, and another elsewhere.
fn where_there(mask: &Tensor<bool>, value: &Value<f64>, other: &Value<f64>) -> Value<f64> {
    let ones = vec![1; value.shape().len() - mask.ndim()];
    let mask = mask.reshape([&mask.shape()[..], &ones].concat());
    match (value, other) {
        (Value::Floats(value), Value::Floats(other)) => Var::where_(&mask, value, other).into(),
        (Value::Ids(value), Value::Ids(other)) => mask.where_(value, other).into(),
        (Value::Mask(value), Value::Mask(other)) => mask.where_(value, other).into(),
        _ => unreachable!("both are of the kind of the input"),
    }
}

/// The values that a model makes of columns.
fn values(model: &Model<f64>, inputs: &Columns) -> Result<Values<f64>> {
    let fed = Fed::new("check_layer", model.inputs(), inputs)?;
    fed.values("check_layer", model.inputs(), 0, fed.samples)
}

fn check_gradients(model: &Model<f64>, inputs: &Columns, kind: &str) -> Result<()> {
    let mut generator = Generator::new(SEED);
    let (mut names, mut points) = (Vec::new(), Vec::new());
    let inputs = values(model, inputs)?;
    for (place, input) in inputs.iter().enumerate() {
        if let Value::Floats(floats) = input {
            names.push(if inputs.len() == 1 { "the input".to_owned() } else { format!("input {place}") });
            points.push(floats.value().clone());
        }
    }
    // Weights away from where they begin: zeros and ones would hide a factor.
    for param in model.params().iter().filter(|param| param.trainable()) {
        names.push(param.name.clone());
        points.push(generator.normal(param.value.shape(), 0.0, 1.0));
    }
    for training in [false, true] {
        let result = gradcheck(&points, |vars| {
            let mut vars = vars.iter();
            let mut next = || vars.next().cloned().expect("there is a point for each");
            let given = inputs.iter().map(|input| match input {
                Value::Floats(_) => Value::Floats(next()),
                other => other.clone(),
            });
            let given: Values<f64> = given.collect();
            let weights = model.params().iter();
            let weights = weights.map(|param| if param.trainable() { next() } else { Var::from(&param.value) });
            let weights: Vec<Var<f64>> = weights.collect();
            let (outputs, _) = model.compute(&weights, given, training.then_some(&mut Generator::new(SEED)));
            // Several outputs side by side: each element has its own part in the sum that is differentiated.
            let outputs: Vec<Var<f64>> = outputs.into_iter().map(|output| output.into_floats().flatten()).collect();
            if let [output] = &outputs[..] { output.clone() } else { Var::concat(&outputs, -1) }
        });
        if let Err(mismatch) = result {
            let mode = if training { "in training" } else { "in prediction" };
            let problem = format!("the gradient by {} is wrong {mode}: {mismatch}", names[mismatch.input]);
            return Err(fail(kind, problem, "correct the derivative of an op that it goes through"));
        }
    }
    Ok(())
}

/// What to do about data that JSON does not hold.
/// The layer that is read back from the JSON of this one: it must be written alike.
fn read_back<L: Layer>(layer: &L) -> Result<L> {
    let written = || {
        let json = serde_json::to_string(layer)?;
        let read: L = serde_json::from_str(&json)?;
        Ok((serde_json::to_string(&read)?, json, read))
    };
    match written() {
        Ok((again, json, read)) if again == json => Ok(read),
        Ok((again, json, _)) => {
            let problem = format!("written to JSON and read back, {json} is {again}");
            Err(fail(L::KIND, problem, "skip no fields, and make every float finite"))
        }
        Err::<_, serde_json::Error>(error) => {
            Err(fail(L::KIND, format!("JSON cannot hold its data: {error}"), "make every field one that JSON can hold"))
        }
    }
}

fn check_shape(model: &Model<f64>, inputs: &Columns, kind: &str) -> Result<()> {
    for (mode, outputs) in [("predicting", model.predict_all(inputs)?), ("training", train(model, inputs)?.0)] {
        for (output, info) in outputs.iter().zip(model.outputs()) {
            let given = inputs[0].shape();
            let declared = info.shape.with(0).with_axis(0, given[0]);
            if *output.shape() != declared {
                let problem = format!("{mode} on {given} gives {}, where build declares {declared}", output.shape());
                return Err(fail(kind, problem, "make both agree"));
            }
        }
    }
    Ok(())
}

fn check_independence(model: &Model<f64>, x: &Columns, others: &Columns, kind: &str) -> Result<()> {
    let expected = model.predict_all(x)?;
    let samples = x[0].shape()[0];
    for sample in 0..samples {
        // The sample at its place, between others.
        let mixed = x.iter().zip(others.iter()).map(|(x, others)| {
            let both = [others.to::<f64>().slice(0, ..sample as isize), x.to().slice(0, sample..sample + 1)];
            let all = [&both[..], &[others.to().slice(0, sample + 1..)]].concat();
            let mixed = Tensor::concat(&all, 0);
            if x.get::<bool>().is_some() { mixed.to::<bool>().into() } else { AnyTensor::from(mixed) }
        });
        let outputs = model.predict_all(mixed.collect::<Columns>())?;
        let place = sample as isize;
        if outputs.iter().zip(&expected).any(|(found, expected)| found.select(0, place) != expected.select(0, place)) {
            let problem = "when predicting, the output of a sample depends on the others of its batch";
            return Err(fail(kind, problem, "compute along axes other than 0, or use statistics of training"));
        }
    }
    Ok(())
}

/// Outputs, and the next values of states by their index.
type Trained = (Vec<Tensor<f64>>, Vec<(usize, Tensor<f64>)>);

/// The outputs and the next values of the states in training.
fn train(model: &Model<f64>, inputs: &Columns) -> Result<Trained> {
    let weights: Vec<Var<f64>> = model.params().iter().map(|param| Var::from(&param.value)).collect();
    let (outputs, updates) = model.compute(&weights, values(model, inputs)?, Some(&mut Generator::new(SEED)));
    Ok((outputs.into_iter().map(|output| output.into_floats().into_value()).collect(), updates))
}

fn fail(kind: &str, problem: impl Into<String>, hint: &str) -> Error {
    Error::new(format!("check_layer ({kind})"), problem, hint)
}
