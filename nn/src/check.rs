//! A whole layer tested in one call.

use gradus_autograd::{Var, gradcheck};
use gradus_tensor::{Float, Generator, Shape, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::layer::{Build, Built, Layer};
use crate::model::Model;
use crate::sequential::Sequential;

/// Tests a layer on samples of this shape (without the batch axis). A custom layer's test needs no more than this.
///
/// * Its data survive being written to JSON and read back.
/// * Its output has the shape that it declares, for 0, 1 and 3 samples, when predicting and while training.
/// * Its gradients, by the input and by each weight, agree with finite differences in f64, in both modes. What is random
///   in training is drawn anew from the same generator each time.
/// * When predicting, a sample's output does not depend on the other samples.
/// * The same seed gives the same bits, and f32 and f64 agree.
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

/// A [`check_layer`] with options.
///
/// ```
/// use gradus_nn::{Add, Embedding, LayerCheck};
/// LayerCheck::new([4]).ids(7).check(&Embedding::new(7, 3)).unwrap();
/// LayerCheck::new([2, 3]).input([2, 1]).check(&Add).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct LayerCheck {
    inputs: Vec<Shape>,
    ids: Option<usize>,
}

const SEED: u64 = 42;

impl LayerCheck {
    /// On samples of this shape, without the batch axis.
    pub fn new(input: impl Into<Shape>) -> Self {
        LayerCheck { inputs: vec![input.into()], ids: None }
    }

    /// With a further input, of this shape.
    pub fn input(mut self, shape: impl Into<Shape>) -> Self {
        self.inputs.push(shape.into());
        self
    }

    /// With whole numbers in `0..count` as inputs, by which there are no gradients.
    pub fn ids(self, count: usize) -> Self {
        LayerCheck { ids: Some(count), ..self }
    }

    /// Tests the layer.
    ///
    /// # Errors
    /// The first property of a layer that does not hold, and how.
    pub fn check<L: Layer>(&self, layer: &L) -> Result<()> {
        check_serde(layer)?;
        let model = model_of::<f64, L>(layer, &self.inputs)?;
        // The inputs of a kind of batch: `stream` tells one from another.
        let inputs = |samples: usize, stream: u64| self.draw(samples, model.input_shape(), stream);
        for samples in [0, 1, 3] {
            check_shape(&model, &inputs(samples, 0), L::KIND)?;
        }
        self.check_gradients(&model, &inputs(3, 0), L::KIND)?;
        check_independence(&model, &inputs(3, 0), &inputs(3, 1), L::KIND)?;
        self.check_determinism(layer, &model, &inputs(3, 0))?;
        self.check_degenerate_shapes(layer)
    }

    fn draw(&self, samples: usize, input: &Shape, stream: u64) -> Tensor<f64> {
        let mut generator = Generator::new(stream);
        let shape = input.with_axis(0, samples);
        match self.ids {
            Some(count) => generator.integers(shape, 0..count as i64).to(),
            None => generator.normal(shape, 0.0, 1.0),
        }
    }

    fn check_gradients(&self, model: &Model<f64>, inputs: &Tensor<f64>, kind: &str) -> Result<()> {
        let mut generator = Generator::new(SEED);
        let (mut names, mut points) = (Vec::new(), Vec::new());
        if self.ids.is_none() {
            names.push("the input");
            points.push(inputs.clone());
        }
        // Weights away from where they begin: zeros and ones would hide a factor.
        for param in model.params().iter().filter(|param| param.trainable()) {
            names.push(&param.name);
            points.push(generator.normal(param.value.shape(), 0.0, 1.0));
        }
        for training in [false, true] {
            let result = gradcheck(&points, |vars| {
                let mut vars = vars.iter();
                let point = if self.ids.is_none() { vars.next().cloned() } else { None };
                let inputs = point.unwrap_or_else(|| Var::from(inputs));
                let weights = model.params().iter().map(|param| {
                    let weight = if param.trainable() { vars.next().cloned() } else { None };
                    weight.unwrap_or_else(|| Var::from(&param.value))
                });
                let weights: Vec<Var<f64>> = weights.collect();
                model.run(&weights, inputs, training.then_some(&mut Generator::new(SEED))).0
            });
            if let Err(mismatch) = result {
                let mode = if training { "in training" } else { "in prediction" };
                let problem = format!("the gradient by {} is wrong {mode}: {mismatch}", names[mismatch.input]);
                return Err(fail(kind, problem, "correct the derivative of an op that it goes through"));
            }
        }
        Ok(())
    }

    fn check_determinism<L: Layer>(&self, layer: &L, model: &Model<f64>, inputs: &Tensor<f64>) -> Result<()> {
        let twin = model_of::<f64, L>(layer, &self.inputs)?;
        let drawn_alike = model.params().iter().zip(twin.params()).all(|(a, b)| a.value == b.value);
        if !drawn_alike || train(model, inputs) != train(&twin, inputs) || train(model, inputs) != train(model, inputs)
        {
            let hint = "draw random numbers from the generators that build and the context give, and from no others";
            return Err(fail(L::KIND, "the same seed gives different numbers", hint));
        }
        let expected = model.predict(inputs)?;
        if model.predict(inputs)? != expected {
            let hint = "depend on the weights and the inputs alone when predicting";
            return Err(fail(L::KIND, "predicting twice gives different numbers", hint));
        }
        let single = model_of::<f32, L>(layer, &self.inputs)?.predict(&inputs.to())?;
        if !single.to().allclose(&expected, 1e-3, 1e-4) {
            let problem = format!("f32 gives {single:?}, f64 {expected:?}");
            return Err(fail(L::KIND, problem, "keep intermediate results of similar size"));
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
                Ok(model) => check_shape(&model, &self.draw(3, model.input_shape(), 0), L::KIND)?,
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

/// A network of the layer alone, named `"0"`, on samples of these shapes; if they are several, each a part of one row.
fn model_of<T: Float, L: Layer>(layer: &L, inputs: &[Shape]) -> Result<Model<T>> {
    if let [input] = inputs {
        return Model::build_as(Sequential::new().add(layer.clone()), input, SEED);
    }
    let mut graph = Graph::builder();
    let (row, mut start) = (graph.input(), 0);
    let mut parts = Vec::new();
    for shape in inputs {
        let part = Part { start, shape: shape.to_vec() };
        parts.push(graph.add_named(&format!("part_{}", parts.len()), part, [row]));
        start += shape.size();
    }
    let output = graph.add_named("0", layer.clone(), parts);
    Model::build_as(graph.output(output), [start], SEED)
}

/// A piece of a row in another shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Part {
    start: usize,
    shape: Vec<usize>,
}

impl Layer for Part {
    const KIND: &'static str = "Part";

    fn build<T: Float>(&self, _build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = Shape::from(&self.shape[..]);
        let (start, end) = (self.start, self.start + shape.size());
        Ok(Built::new(shape.clone(), move |_, x| x.slice(1, start..end).reshape(shape.with_axis(0, x.shape()[0]))))
    }
}

fn check_serde<L: Layer>(layer: &L) -> Result<()> {
    let same = serde_json::to_string(layer)
        .and_then(|json| Ok((serde_json::to_string(&serde_json::from_str::<L>(&json)?)?, json)));
    match same {
        Ok((again, json)) if again == json => Ok(()),
        Ok((again, json)) => {
            let problem = format!("written to JSON and read back, {json} is {again}");
            Err(fail(L::KIND, problem, "skip no fields, and make every float finite"))
        }
        Err(error) => {
            Err(fail(L::KIND, format!("JSON cannot hold its data: {error}"), "make every field one that JSON can hold"))
        }
    }
}

fn check_shape(model: &Model<f64>, inputs: &Tensor<f64>, kind: &str) -> Result<()> {
    let declared = model.output_shape().with_axis(0, inputs.shape()[0]);
    for (mode, outputs) in [("predicting", model.predict(inputs)?), ("training", train(model, inputs).0)] {
        if *outputs.shape() != declared {
            let given = inputs.shape();
            let problem = format!("{mode} on {given} gives {}, where build declares {declared}", outputs.shape());
            return Err(fail(kind, problem, "make both agree"));
        }
    }
    Ok(())
}

fn check_independence(model: &Model<f64>, x: &Tensor<f64>, others: &Tensor<f64>, kind: &str) -> Result<()> {
    let expected = model.predict(x)?;
    for sample in 0..x.shape()[0] as isize {
        let place = sample..sample + 1;
        let parts = [others.slice(0, ..sample), x.slice(0, place.clone()), others.slice(0, sample + 1..)];
        let outputs = model.predict(&Tensor::concat(&parts, 0))?;
        if outputs.select(0, sample) != expected.select(0, sample) {
            let problem = "when predicting, the output of a sample depends on the others of its batch";
            return Err(fail(kind, problem, "compute along axes other than 0, or use statistics of training"));
        }
    }
    Ok(())
}

/// The outputs and the next values of the states in training.
fn train(model: &Model<f64>, inputs: &Tensor<f64>) -> (Tensor<f64>, Vec<(usize, Tensor<f64>)>) {
    let weights: Vec<Var<f64>> = model.params().iter().map(|param| Var::from(&param.value)).collect();
    let (outputs, updates) = model.run(&weights, Var::from(inputs), Some(&mut Generator::new(SEED)));
    (outputs.into_value(), updates)
}

fn fail(kind: &str, problem: impl Into<String>, hint: &str) -> Error {
    Error::new(format!("check_layer ({kind})"), problem, hint)
}
