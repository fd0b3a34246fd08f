//! Recurrent layers against Keras: outputs, last states, and gradients by sequences, first states and weights.

use gradus_nn::losses::Loss;
use gradus_nn::*;
use gradus_tensor::{AnyTensor, Columns, Float, Generator, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Given, close, lines, values};

/// Gives its input this mask.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Masked;

impl Layer for Masked {
    const KIND: &'static str = "Masked";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let output = Spec::floats(build.input()?.clone()).masked();
        Ok(Built::of_values(vec![output], |_, inputs| {
            let shape = inputs[0].shape().clone();
            let last = (shape[0] - 1) * shape[1];
            let there = (0..shape[0] * shape[1]).map(|i| (5 * i + 2) % 7 > 2 && i < last);
            let mask = Tensor::from(there.collect::<Vec<_>>()).reshape([shape[0], shape[1]]);
            inputs.with_mask(0, Some(mask))
        }))
    }
}

/// Unchanged, without a mask: the loss would leave out what is masked.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Unmasked;

impl Layer for Unmasked {
    const KIND: &'static str = "Unmasked";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let outputs = vec![Spec::floats(build.input()?.clone())];
        Ok(Built::of_values(outputs, |_, inputs| inputs.with_mask(0, None)).mask_rule(MaskRule::Known))
    }
}

/// The layer that a line is named for.
macro_rules! with_options {
    ($layer:expr, $name:expr) => {{
        let has = |option: &str| $name.split(", ").any(|part| part == option);
        let mut layer = $layer.go_backwards(has("backwards")).use_bias(!has("without bias"));
        let states = has("whole") || has("states") || has("masked") && !has("backwards") && !has("last");
        layer = layer.return_state(states).zero_output_for_mask(has("zeros"));
        layer = layer.return_sequences(
            states || has("backwards") || ["relu", "other functions", "softmax"].into_iter().any(has),
        );
        if has("softmax") {
            layer = layer.activation(Activation::Softmax);
        }
        if has("relu") {
            layer = layer.activation(Activation::Relu);
        }
        if has("other functions") { layer.activation(Activation::Softsign) } else { layer }
    }};
}

fn layer(name: &str) -> LayerHandle {
    let others = name.ends_with("other functions");
    let gates = if others { Activation::HardSigmoid } else { Activation::Sigmoid };
    match name.split(", ").next().unwrap() {
        "simple" => LayerHandle::new(with_options!(SimpleRNN::new(3), name)),
        "lstm" => LayerHandle::new(with_options!(LSTM::new(3).recurrent_activation(gates), name)),
        "gru" => {
            let layer = GRU::new(3).reset_after(!name.contains("reset before")).recurrent_activation(gates);
            LayerHandle::new(with_options!(layer, name))
        }
        "time distributed" => LayerHandle::new(TimeDistributed::new(Dense::new(3))),
        _ => {
            let lstm = LSTM::new(3).return_sequences(true);
            let mode = |mode| Bidirectional::new(lstm.clone()).merge_mode(mode);
            LayerHandle::new(match name {
                "bidirectional, concat" => mode(MergeMode::Concat),
                "bidirectional, sum" => mode(MergeMode::Sum),
                "bidirectional, mul" => mode(MergeMode::Mul),
                "bidirectional, ave" => mode(MergeMode::Ave),
                "bidirectional, none" => mode(MergeMode::None),
                "bidirectional, last" => Bidirectional::new(GRU::new(3)),
                "bidirectional, masked" => Bidirectional::new(GRU::new(3).return_sequences(true)),
                "bidirectional, states" => Bidirectional::new(lstm.clone().return_state(true)),
                _ => panic!("no layer is named {name:?}"),
            })
        }
    }
}

/// The sum of outputs times their cotangents, of seed 2 and on.
#[derive(Clone, Debug)]
struct Cotangents;

impl Loss for Cotangents {
    fn name(&self) -> &'static str {
        "cotangents"
    }

    fn per_sample<T: Float>(
        &self,
        cotangent: &Tensor<T>,
        outputs: &gradus_autograd::Var<T>,
    ) -> Result<gradus_autograd::Var<T>> {
        Ok(outputs * cotangent)
    }

    fn mean<T: Float>(
        &self,
        cotangent: &Tensor<T>,
        outputs: &gradus_autograd::Var<T>,
        _: Option<&Tensor<T>>,
    ) -> Result<gradus_autograd::Var<T>> {
        Ok(self.per_sample(cotangent, outputs)?.sum(..))
    }
}

#[test]
fn outputs_states_and_gradients() {
    let lines = lines(include_str!("../reference/recurrent.txt"));
    assert_eq!(lines.len(), 53);
    for line in lines {
        let name = line.name;
        let is_masked = name.contains("masked") || name.contains("softmax");
        let gives_states = !name.contains("bidirectional") || name.contains("states");
        let first_states =
            match name {
                "bidirectional, states" => 4,
                _ if name.contains("states")
                    || name.contains("masked") && !name.contains("backwards") && gives_states =>
                {
                    if name.starts_with("lstm") { 2 } else { 1 }
                }
                _ => 0,
            };
        let (x, state) = (values(&line.input, 1) + 0.125, vec![line.input[0], 3]);
        let mut graph = Graph::builder();
        let input = graph.input();
        let mut sequences = graph.add_named("x", Given { batch: x.shape().to_vec() }, [input]);
        if is_masked {
            sequences = graph.add(Masked, [sequences]);
        }
        let mut fed = vec![sequences];
        for index in 0..first_states {
            fed.push(graph.add_named(&format!("state {index}"), Given { batch: state.clone() }, [input]));
        }
        let node = graph.add_named("layer", &layer(name), fed);
        let count = match name {
            "bidirectional, none" => 2,
            "bidirectional, states" => 5,
            _ if name.contains("bidirectional") || name.contains("time") => 1,
            _ if name.contains("whole") || name.contains("states") => 1 + if name.starts_with("lstm") { 2 } else { 1 },
            _ if name.contains("masked") && !name.contains("last") && !name.contains("backwards") => {
                1 + if name.starts_with("lstm") { 2 } else { 1 }
            }
            _ => 1,
        };
        let outputs = (0..count).map(|index| {
            let output = node.output(index);
            let output = if index == 0 || name.ends_with("none") { graph.add(Unmasked, [output]) } else { output };
            (index.to_string(), output)
        });
        let outputs: Vec<(String, Node)> = outputs.collect();
        let network = graph.outputs(outputs.iter().map(|(name, node)| (name.as_str(), *node)));
        let mut model = Model::<f64>::build_as(network, [1], 0).unwrap();
        let mut seed = 3;
        for param in model.params_mut().iter_mut() {
            param.value = match param.name.as_str() {
                "x/x" => x.clone(),
                name if name.starts_with("state") => {
                    values(&state[..], 20 + name.as_bytes()[6] as usize - b'0' as usize)
                }
                _ => {
                    seed += 1;
                    values(param.value.shape(), seed - 1)
                }
            };
        }
        let shapes: Vec<_> = model.outputs().iter().map(|output| output.shape.clone()).collect();
        let cotangents = shapes.iter().enumerate().map(|(k, shape)| {
            let shape = shape.fixed().unwrap();
            AnyTensor::from(values([&[line.input[0]], &shape[..]].concat(), 2 + k))
        });
        let cotangents: Columns = cotangents.collect();
        let mut losses = Losses::new();
        for k in 0..count {
            losses = losses.add(&k.to_string(), Cotangents);
        }
        let nothing = Tensor::<f64>::zeros([line.input[0], 1]);
        let pass = model.grad(&nothing, cotangents, None, &losses, &mut Generator::new(0)).unwrap();
        let outputs: Vec<_> = pass.outputs.iter().map(Tensor::flatten).collect();
        let mut found = vec![Tensor::concat(&outputs, 0)];
        let mut grads: Vec<_> = pass.grads.iter().flatten().map(Tensor::flatten).collect();
        let weights = grads.split_off(1 + first_states);
        let of_states = grads.split_off(1);
        found.extend(grads);
        if first_states > 0 {
            found.push(Tensor::concat(&of_states, 0));
        }
        found.extend(weights);
        close(name, &found, &line.numbers);
    }
}
