//! The networks whose training step is timed.

use burn::module::Param;
use burn::nn::gru::{Gru, GruConfig};
use burn::nn::{Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, Lstm, LstmConfig};
use burn::prelude::*;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;

use crate::step::{Layers, Sequences};

#[derive(Module, Debug)]
pub struct Network {
    embedding: Embedding,
    body: Body,
    scores: Linear,
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // There is one of them in a program.
enum Body {
    Lstm(Lstm),
    Gru(Gru),
    Gpt(Gpt),
}

impl Network {
    pub fn new(shape: &Sequences, device: &Device) -> Self {
        let width = shape.width;
        let body = match shape.layers {
            Layers::Lstm => Body::Lstm(lstm(width, device)),
            Layers::Gru => Body::Gru(GruConfig::new(width, width, true).init(device)),
            Layers::Gpt { blocks, heads } => Body::Gpt(Gpt::new(width, shape.positions, blocks, heads, device)),
        };
        Self {
            embedding: EmbeddingConfig::new(shape.ids, width).init(device),
            body,
            scores: LinearConfig::new(width, shape.classes).init(device),
        }
    }

    /// From ids to the scores of a sample, or of each of its positions.
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<2> {
        let x = self.embedding.forward(ids);
        self.scores.forward(match &self.body {
            Body::Lstm(layer) => layer.forward(x, None).1.hidden,
            Body::Gru(layer) => {
                let last = x.dims()[1] - 1;
                layer.forward(x, None).narrow(1, last, 1).squeeze_dim(1)
            }
            Body::Gpt(layers) => layers.forward(x),
        })
    }
}

/// burn's layer with one bias of its two, as Keras's LSTM.
fn lstm(width: usize, device: &Device) -> Lstm {
    let mut layer = LstmConfig::new(width, width, true).init(device);
    let gates = [&mut layer.input_gate, &mut layer.output_gate, &mut layer.cell_gate];
    for gate in gates.into_iter().chain(layer.forget_gate.as_mut()) {
        gate.hidden_transform.bias = None;
    }
    layer
}

#[derive(Module, Debug)]
struct Gpt {
    positions: Param<Tensor<2>>,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl Gpt {
    fn new(width: usize, positions: usize, blocks: usize, heads: usize, device: &Device) -> Self {
        Self {
            positions: EmbeddingConfig::new(positions, width).init(device).weight,
            blocks: (0..blocks).map(|_| Block::new(width, heads, device)).collect(),
            norm: LayerNormConfig::new(width).init(device),
        }
    }

    /// From [sample, position, channel] to a row for each position of each sample.
    fn forward(&self, x: Tensor<3>) -> Tensor<2> {
        let [batch, positions, _] = x.dims();
        let mut x = (x + self.positions.val().unsqueeze()).flatten(0, 1);
        for block in &self.blocks {
            x = block.forward(x, batch, positions);
        }
        self.norm.forward(x)
    }
}

/// A block of a GPT: normalisation first.
#[derive(Module, Debug)]
struct Block {
    first_norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    second_norm: LayerNorm,
    wide: Linear,
    narrow: Linear,
    heads: usize,
}

impl Block {
    fn new(width: usize, heads: usize, device: &Device) -> Self {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let norm = || LayerNormConfig::new(width).init(device);
        Self {
            first_norm: norm(),
            query: linear(width, width),
            key: linear(width, width),
            value: linear(width, width),
            out: linear(width, width),
            second_norm: norm(),
            wide: linear(width, 4 * width),
            narrow: linear(4 * width, width),
            heads,
        }
    }

    fn forward(&self, x: Tensor<2>, batch: usize, positions: usize) -> Tensor<2> {
        let normal = self.first_norm.forward(x.clone());
        let [q, k, v] = [&self.query, &self.key, &self.value].map(|linear| {
            let y = linear.forward(normal.clone());
            let length = y.dims()[1] / self.heads;
            y.reshape([batch, positions, self.heads, length]).swap_dims(1, 2)
        });
        let causal = AttentionModuleOptions { is_causal: true, ..Default::default() };
        let y = attention(q, k, v, None, None, causal).swap_dims(1, 2).reshape(x.dims());
        let x = x + self.out.forward(y);
        let y = self.wide.forward(self.second_norm.forward(x.clone()));
        x + self.narrow.forward(gelu(y))
    }
}

/// By tanh, as `gelu_approximate`, which cubes by a function for any power.
fn gelu(x: Tensor<2>) -> Tensor<2> {
    let slope = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
    let inner = x.clone() * (x.clone().square() * (0.044715 * slope) + slope);
    (inner.tanh() + 1) * (x * 0.5)
}
