//! Layers of attention against Keras, and the blocks of transformers against PyTorch.

use gradus_autograd::Param;
use gradus_nn::*;
use gradus_tensor::{Float, Generator, Shape, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Cotangent, close, values};

/// Gives a whole batch, its weight; with a mask, if asked, of the positions at which (2 sample + position) mod 3 is not 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct GivenSequence {
    batch: Vec<usize>,
    masked: bool,
}

impl Layer for GivenSequence {
    const KIND: &'static str = "GivenSequence";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let x = build.weight("x", &self.batch[..], Initializer::Zeros)?;
        let spec = Spec::floats(&self.batch[1..]);
        let [n, t] = [self.batch[0], self.batch[1]];
        let mask = pattern([n, t], |i| (2 * (i / t) + i % t) % 3 != 1);
        let mask = self.masked.then_some(mask);
        let outputs = vec![if self.masked { spec.masked() } else { spec }];
        let built = Built::of_values(outputs, move |context, _| {
            Values::from(context.weight(x).clone()).with_mask(0, mask.clone())
        });
        Ok(built.mask_rule(MaskRule::Known))
    }
}

/// Gives a mask of pairs, true where (i mod 7) mod 3 is not 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct GivenPairs {
    batch: Vec<usize>,
}

impl Layer for GivenPairs {
    const KIND: &'static str = "GivenPairs";

    fn build<T: Float>(&self, _: &mut Build<'_, T>) -> Result<Built<T>> {
        let mask = pattern(&self.batch[..], |i| i % 7 % 3 != 1);
        Ok(Built::of_values(vec![Spec::mask(&self.batch[1..])], move |_, _| mask.clone().into()))
    }
}

fn pattern(shape: impl Into<Shape>, is_there: impl Fn(usize) -> bool) -> Tensor<bool> {
    let shape = shape.into();
    (0..shape.size()).map(is_there).collect::<Tensor<bool>>().reshape(shape)
}

/// The layer "layer" in a network whose inputs are weights, and what feeds it besides sequences.
fn network(name: &str, inputs: &[Shape]) -> Graph {
    let mha = || MultiHeadAttention::new(2, 3);
    let (scores, name) = name.strip_prefix("scores ").map_or((false, name), |name| (true, name));
    let mut graph = Graph::builder();
    let start = graph.input();
    let mut nodes = Vec::new();
    for (index, shape) in inputs.iter().enumerate() {
        let masked = name == "value mask" && index == 1;
        nodes.push(graph.add_named(&format!("x{index}"), GivenSequence { batch: shape.to_vec(), masked }, [start]));
    }
    if name.contains("attention mask") || name == "mask and causal" {
        let batch = vec![inputs[0][0], inputs[0][1], inputs[inputs.len() - 1][1]];
        nodes.push(graph.add(GivenPairs { batch }, [start]));
    }
    let encoder = || TransformerEncoder::new(5, 2);
    let decoder = || TransformerDecoder::new(5, 2);
    macro_rules! layer {
        ($layer:expr) => {
            graph.add_named("layer", $layer, nodes)
        };
    }
    let layer = match name {
        "itself" | "query and value" | "value mask" => layer!(mha().return_attention_scores(scores)),
        "one head, causal" => layer!(MultiHeadAttention::new(1, 5).use_causal_mask(true)),
        "value_dim, no bias, output_shape" => layer!(mha().value_dim(2).use_bias(false).output_shape(5)),
        "query, value and key" => layer!(mha().value_dim(4)),
        "attention mask" => layer!(mha().use_attention_mask(true).return_attention_scores(scores)),
        "mask and causal" => layer!(mha().use_attention_mask(true).use_causal_mask(true)),
        "groups" => layer!(GroupedQueryAttention::new(3, 4, 2)),
        "one group, causal, no bias" => {
            layer!(GroupedQueryAttention::new(3, 4, 1).use_bias(false).use_causal_mask(true))
        }
        "groups, query and value" => layer!(GroupedQueryAttention::new(2, 6, 3)),
        "encoder" => layer!(encoder().return_attention_scores(scores)),
        "encoder, gelu, first" => {
            layer!(encoder().activation(Activation::Gelu).normalize_first(true).layer_norm_epsilon(1e-2))
        }
        "decoder alone, first" => {
            layer!(TransformerDecoder::new(5, 4).normalize_first(true).return_attention_scores(scores))
        }
        "decoder" => layer!(decoder().return_attention_scores(scores)),
        "decoder, first" => layer!(decoder().normalize_first(true)),
        name => panic!("no layer is named {name:?}"),
    };
    if scores { graph.output(layer.output(1)) } else { graph.output(layer) }
}

#[test]
fn layers_and_their_gradients() {
    let text = include_str!("../reference/attention.txt");
    assert_eq!(text.lines().count(), 21);
    for line in text.lines() {
        let parts: Vec<&str> = line.split("; ").collect();
        let shape = |text: &str| -> Shape { text.split(' ').map(|length| length.parse::<usize>().unwrap()).collect() };
        let inputs: Vec<Shape> = parts[1].split(',').map(shape).collect();
        let expected: Vec<Tensor<f64>> =
            parts[3..].iter().map(|part| part.split(' ').map(|x| x.parse::<f64>().unwrap()).collect()).collect();
        let mut model = Model::<f64>::build_as(network(parts[0], &inputs), [1], 0).unwrap();
        let is_input = |param: &Param<f64>| param.name.ends_with("/x");
        let mut place = [0, 0];
        for param in model.params_mut().iter_mut() {
            let which = usize::from(!is_input(param));
            let index = place[which];
            let shape = param.value.shape().clone();
            param.value = if which == 0 { values(shape, 1 + 20 * index) + 0.125 } else { values(shape, 3 + index) };
            place[which] += 1;
        }
        let batch = Tensor::<f64>::zeros([inputs[0][0], 1]);
        if parts[0].starts_with("scores") {
            close(parts[0], &model.predict_all(&batch).unwrap(), &expected);
            continue;
        }
        let cotangent = values(shape(parts[2]), 2);
        let pass = model.grad(&batch, &cotangent, None, &Cotangent, &mut Generator::new(0)).unwrap();
        let found: Vec<_> = pass.outputs.into_iter().chain(pass.grads.iter().flatten().cloned()).collect();
        close(parts[0], &found, &expected);
    }
}
