//! A program as a layer of a network.

use std::collections::HashSet;

use gradus_autograd::Var;
use gradus_nn::{Activation, Build, Built, Initializer, Layer, Result, Spec, Value as Flowing, ValueKind, Values};
use gradus_tensor::{Float, Shape, Tensor};

use super::node::{Attribute, Node};
use super::program::{Program, blank};
use super::value::{Kind, Value, Whole, concat};

/// The samples of the trial by which the shapes of the outputs are found.
const SAMPLES: usize = 2;

impl Layer for Program {
    const KIND: &'static str = "Onnx";

    fn output_activations(&self, _inputs: &[Option<Activation>]) -> Vec<Option<Activation>> {
        self.data.outputs.iter().map(|output| self.activation(&output.name)).collect()
    }

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let data = &self.data;
        if build.inputs().len() != data.inputs.len() {
            let problem = format!("takes {} inputs, found {}", data.inputs.len(), build.inputs().len());
            return Err(build.error(problem, "feed each input of the file"));
        }
        let samples = if data.one_by_one { 1 } else { SAMPLES };
        let mut inputs = Vec::with_capacity(data.inputs.len());
        let mut kinds = Vec::with_capacity(data.inputs.len());
        for (index, port) in data.inputs.iter().enumerate() {
            let kind = port.kind().map_err(|problem| build.error(problem, "export the network with other inputs"))?;
            let flowing = match kind {
                Kind::Floats => ValueKind::Floats,
                Kind::Mask => ValueKind::Mask,
                Kind::Ints(_) => ValueKind::Ids { count: self.count_of_ids(&port.name) },
            };
            let shape = Shape::from(samples).join(build.input_as(index, flowing)?);
            inputs.push(Value::zeros(kind, &shape));
            kinds.push(kind);
        }
        let mut ids = Vec::with_capacity(data.weights.len());
        for weight in &data.weights {
            let shape = Shape::from(&weight.shape[..]);
            ids.push(match weight.trained {
                true => build.weight(&weight.name, shape, Initializer::Zeros)?,
                false => build.state(&weight.name, Tensor::scalar(T::ZERO).broadcast_to(shape))?,
            });
        }
        let weights = data.weights.iter().map(|weight| blank(&weight.shape)).collect();
        let made = self.compute::<T>(inputs, weights, true)?;
        let mut outputs = Vec::with_capacity(made.len());
        for (value, port) in made.iter().zip(&data.outputs) {
            let Some((&first, shape)) = value.shape().split_first().filter(|(first, _)| **first == samples) else {
                let problem = format!(
                    "the output {:?} of {samples} samples has the shape {}, without an axis of the samples in front",
                    port.name,
                    value.shape()
                );
                return Err(
                    build.error(problem, "export the network with a free batch axis, or compute it by OnnxFile::run")
                );
            };
            debug_assert_eq!(first, samples);
            outputs.push(Spec::floats(shape));
        }
        let program = self.clone();
        Ok(Built::of_values(outputs, move |context, inputs| {
            let weights: Vec<Var<T>> = ids.iter().map(|&id| context.weight(id).clone()).collect();
            let inputs: Vec<Value<T>> =
                inputs.into_iter().zip(&kinds).map(|(value, kind)| of_flowing(value, *kind)).collect();
            match program.on_samples(inputs, weights) {
                Ok(outputs) => outputs.into_iter().map(to_floats).collect::<Values<T>>(),
                // The shapes have been tried out, so what is left are values that an operator cannot take, such as a place
                // outside a table. A layer's computation has no errors.
                Err(error) => panic!("{error}"),
            }
        }))
    }
}

impl Program {
    /// The activation that an output has come out of at last, where that is sure.
    fn activation(&self, output: &str) -> Option<Activation> {
        let node = self.data.nodes.iter().find(|node| node.outputs.first().is_some_and(|name| name == output))?;
        let is_along_last = || match node.attributes.get("axis") {
            None => node.opset.unwrap_or(self.data.opset) >= 13,
            Some(Attribute::Int(axis)) => *axis == -1,
            Some(_) => false,
        };
        match node.op.as_str() {
            "Gemm" | "MatMul" | "Conv" => Some(Activation::Linear),
            "Relu" => Some(Activation::Relu),
            "Sigmoid" => Some(Activation::Sigmoid),
            "Tanh" => Some(Activation::Tanh),
            "Softmax" if is_along_last() => Some(Activation::Softmax),
            "LogSoftmax" if is_along_last() => Some(Activation::LogSoftmax),
            // A bias behind a product.
            "Add" => {
                let gives = |node: &Node, name: &String| node.outputs.first() == Some(name);
                let is_product = |node: &Node| matches!(node.op.as_str(), "Gemm" | "MatMul" | "Conv");
                let product = |name: &String| self.data.nodes.iter().any(|node| is_product(node) && gives(node, name));
                let weights = |name: &String| self.data.weights.iter().any(|weight| weight.name == *name);
                let is_biased = match &node.inputs[..] {
                    [a, b] => (product(a) && weights(b)) || (weights(a) && product(b)),
                    _ => false,
                };
                is_biased.then_some(Activation::Linear)
            }
            _ => None,
        }
    }

    /// The outputs for a batch.
    pub(crate) fn on_samples<T: Float>(&self, inputs: Vec<Value<T>>, weights: Vec<Var<T>>) -> Result<Vec<Value<T>>> {
        let samples = inputs.first().map_or(1, |input| input.shape().first().copied().unwrap_or(1));
        if !self.data.one_by_one || samples == 1 {
            return self.compute(inputs, weights, false);
        }
        let mut parts: Vec<Vec<Value<T>>> = Vec::with_capacity(samples);
        for sample in 0..samples {
            let inputs = inputs.iter().map(|input| input.slice(0, sample, sample + 1, 1)).collect();
            parts.push(self.compute(inputs, weights.clone(), false)?);
        }
        let count = self.data.outputs.len();
        let joined = (0..count).map(|output| concat(&parts.iter().map(|part| &part[output]).collect::<Vec<_>>(), 0));
        joined
            .collect::<std::result::Result<_, String>>()
            .map_err(|problem| gradus_nn::Error::new("onnx", problem, "give at least one sample"))
    }

    /// The ids that an input may hold: the rows of the table from which they take, if they do so at once.
    fn count_of_ids(&self, name: &str) -> usize {
        let mut names = HashSet::from([name]);
        let mut count = usize::MAX;
        Node::each(&self.data.nodes, &mut |node| match node.op.as_str() {
            "Cast" | "Identity" if node.inputs.first().is_some_and(|input| names.contains(input.as_str())) => {
                names.extend(node.outputs.iter().map(String::as_str));
            }
            "Gather" if node.inputs.get(1).is_some_and(|input| names.contains(input.as_str())) => {
                let axis = match node.attributes.get("axis") {
                    Some(Attribute::Int(axis)) => *axis,
                    _ => 0,
                };
                let table = self.data.weights.iter().find(|weight| Some(&weight.name) == node.inputs.first());
                let rows = table.and_then(|table| (axis == 0).then(|| table.shape.first().copied()).flatten());
                count = count.min(rows.unwrap_or(usize::MAX));
            }
            _ => {}
        });
        count
    }
}

fn of_flowing<T: Float>(value: Flowing<T>, kind: Kind) -> Value<T> {
    match (value, kind) {
        (Flowing::Floats(x), _) => Value::Floats(x),
        (Flowing::Mask(x), _) => Value::Mask(x),
        (Flowing::Ids(x), Kind::Ints(whole)) => whole.of(&x),
        (Flowing::Ids(x), _) => Value::Ints(x, Whole::I64),
    }
}

/// The outputs of a model are floats: numbers of classes and truths become 0.0, 1.0 and so on.
fn to_floats<T: Float>(value: Value<T>) -> Flowing<T> {
    Flowing::Floats(match value {
        Value::Floats(x) => x,
        Value::Ints(x, _) => Var::from(x.to::<T>()),
        Value::Mask(x) => Var::from(x.to::<T>()),
    })
}

#[cfg(test)]
mod tests {
    use gradus_nn::{LayerKinds, PartialShape};

    use super::super::OnnxFile;
    use super::*;

    fn open(name: &str) -> OnnxFile {
        OnnxFile::open(format!("{}/tests/fixtures/onnx/{name}.onnx", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn a_trial_tells_the_shapes_that_a_run_has() {
        let networks =
            ["mlp_script", "resnet_script", "mobile_dynamo", "recurrent_script", "transformer_dynamo", "up_script"];
        for name in networks.into_iter().chain(["up_dynamo", "keras_conv", "keras_lstm", "transformer_script"]) {
            let program = open(name).program().clone();
            // So many samples that most values are large.
            let inputs: Vec<Value<f32>> = program
                .data
                .inputs
                .iter()
                .map(|port| {
                    let lengths =
                        port.shape.as_deref().unwrap_or_default()[1..].iter().map(|length| length.unwrap_or(5));
                    let shape = Shape::from(700).join(&lengths.collect::<Vec<_>>());
                    Value::zeros(port.kind().unwrap(), &shape)
                })
                .collect();
            let weights: Vec<Var<f32>> = program.data.weights.iter().map(|weight| blank(&weight.shape)).collect();
            let [trial, run] = [true, false].map(|trial| {
                let outputs = program.compute(inputs.clone(), weights.clone(), trial).unwrap();
                outputs.iter().map(|output| (output.shape().clone(), output.kind())).collect::<Vec<_>>()
            });
            assert_eq!(trial, run, "{name}");
        }
    }

    #[test]
    fn pictures_of_any_size_take_no_memory_while_a_model_is_built() {
        // Free lengths are tried out with thousands of pixels.
        let file = open("up_script");
        let model = file.model_for(&[PartialShape::from([Some(1), None, None])]).unwrap();
        assert_eq!(model.output_shape().to_string(), "[1, None, None]");
        let y = model.predict(Tensor::<f32>::zeros([1, 1, 12, 16])).unwrap();
        assert_eq!(y.shape(), &[1, 1, 12, 16]);
    }

    #[test]
    fn data_that_do_not_fit_are_refused() {
        let program = open("mlp_script").program().clone();
        let json = serde_json::to_value(&program).unwrap();
        let problem = |place: &str, value: serde_json::Value| {
            let mut json = json.clone();
            *json.pointer_mut(place).unwrap() = value;
            serde_json::from_value::<Program>(json).unwrap_err().to_string()
        };
        assert!(problem("/nodes/0/op", "Nothing".into()).contains("the operator Nothing is not read"));
        assert!(problem("/opset", 5.into()).contains("opset 5 is not read, only 6 to 28"));
        assert!(problem("/nodes/0/inputs/0", "z".into()).contains("takes \"z\", which nothing before it gives"));
        assert!(problem("/nodes/1/outputs/0", "x".into()).contains("gives \"x\", which there is already"));
        assert!(problem("/outputs/0/name", "z".into()).contains("nothing gives the output \"z\""));
        assert!(problem("/inputs/0/element", 8.into()).contains("has elements of string, which are not read"));
        let wrong = serde_json::json!({"c": {"shape": [3], "int64": [1, 2]}});
        assert!(problem("/constants", wrong).contains("a constant of shape [3] has 2 elements"));
        assert!(LayerKinds::standard().with::<Program>().names().any(|name| name == "Onnx"));
    }
}
