//! The layers against Keras, and against PyTorch where Keras has no such layer or computes in f32: outputs and gradients
//! in f64. The scripts beside the numbers in `reference/` have written them, and name the versions.

mod attention;
mod layers;
mod noise;
mod normalize;
mod recurrent;
mod spatial;
mod windows;

use std::str::FromStr;

use gradus_autograd::{Param, Var};
use gradus_nn::losses::Loss;
use gradus_nn::{Build, Built, Initializer, Layer, Model, Result, Sequential};
use gradus_tensor::{Float, Generator, Shape, Tensor};
use serde::{Deserialize, Serialize};

/// `((7 i + 3 seed) mod 11 - 5) / 4` for the i-th element.
fn values(shape: impl Into<Shape>, seed: usize) -> Tensor<f64> {
    let shape = shape.into();
    let value = |i: usize| ((7 * i + 3 * seed) % 11) as f64 / 4.0 - 1.25;
    (0..shape.size()).map(value).collect::<Tensor<f64>>().reshape(shape)
}

/// A line of a reference file: a name, two shapes, and numbers.
struct Line<'a> {
    name: &'a str,
    input: Shape,
    /// The shape of the output or of the weights.
    other: Shape,
    numbers: Vec<Tensor<f64>>,
}

/// The lines of a reference file.
fn lines(text: &str) -> Vec<Line<'_>> {
    fn parsed<X: FromStr<Err: std::fmt::Debug>, C: FromIterator<X>>(part: &str) -> C {
        part.split(' ').map(|number| number.parse().unwrap()).collect()
    }
    let line = |line| match str::split(line, "; ").collect::<Vec<_>>()[..] {
        [name, input, other, ref numbers @ ..] => {
            let numbers = numbers.iter().map(|numbers| parsed(numbers)).collect();
            Line { name, input: parsed(input), other: parsed(other), numbers }
        }
        _ => panic!("a line has a name and two shapes: {line}"),
    };
    text.lines().map(line).collect()
}

/// A model of one layer, named "layer", and its input.
struct Alone {
    model: Model<f64>,
    input: Tensor<f64>,
}

/// The layer before the one in question: it gives a whole batch, its weight. So the gradient by the input of the layer
/// behind it is found as that by a weight.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Given {
    batch: Vec<usize>,
}

impl Layer for Given {
    const KIND: &'static str = "Given";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let x = build.weight("x", &self.batch[..], Initializer::Zeros)?;
        Ok(Built::new(&self.batch[1..], move |context, _| context.weight(x).clone()))
    }
}

/// The sum of outputs times a cotangent, which is given as the targets.
#[derive(Clone, Debug)]
struct Cotangent;

impl Loss for Cotangent {
    fn name(&self) -> &'static str {
        "cotangent"
    }

    fn per_sample<T: Float>(&self, cotangent: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        assert_eq!(cotangent.shape(), outputs.shape());
        Ok(outputs * cotangent)
    }

    fn mean<T: Float>(&self, cotangent: &Tensor<T>, outputs: &Var<T>, _: Option<&Tensor<T>>) -> Result<Var<T>> {
        Ok(self.per_sample(cotangent, outputs)?.sum(..))
    }
}

impl Alone {
    /// The layer with this input, a weight.
    fn new(layer: impl Layer, x: &Tensor<f64>) -> Self {
        let network = Sequential::new().add(Given { batch: x.shape().to_vec() }).add_named("layer", layer);
        let mut model = Model::build_as(network, [1], 0).unwrap();
        model.params_mut().get_mut("0/x").unwrap().value = x.clone();
        Alone { model, input: Tensor::zeros([x.shape()[0], 1]) }
    }

    /// The layer with these ids, by which there is no gradient.
    fn of_ids(layer: impl Layer, ids: Tensor<f64>) -> Self {
        let network = Sequential::new().add_named("layer", layer);
        Alone { model: Model::build_as(network, &ids.shape()[1..], 0).unwrap(), input: ids }
    }

    /// The same with the values of seed 3 and on as the layer's weights, in order.
    fn with_values(mut self) -> Self {
        let is_weight = |param: &&mut Param<f64>| param.trainable() && param.name.starts_with("layer");
        for (weight, seed) in self.model.params_mut().iter_mut().filter(is_weight).zip(3..) {
            weight.value = values(weight.value.shape(), seed);
        }
        self
    }

    fn set(&mut self, name: &str, value: Tensor<f64>) {
        let param = self.model.params_mut().get_mut(name).unwrap();
        assert_eq!(param.value.shape(), value.shape());
        param.value = value;
    }

    /// In training: the output, the gradients by input and weights, the next states, in this order. A frozen state has
    /// none.
    fn train(&self, cotangent: &Tensor<f64>) -> Vec<Tensor<f64>> {
        let pass = self.model.grad(&self.input, cotangent, None, &Cotangent, &mut Generator::new(0)).unwrap();
        let grads = pass.grads.iter().flatten().cloned();
        let states = pass.states.into_iter().map(|(_, state)| state);
        pass.outputs.into_iter().chain(grads).chain(states).collect()
    }
}

#[track_caller]
fn close(name: &str, found: &[Tensor<f64>], expected: &[Tensor<f64>]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.flatten().allclose(&expected.flatten(), 1e-12, 1e-13), "{name}: {found:?}, not {expected:?}");
    }
}
