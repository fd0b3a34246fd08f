//! The networks whose training step is timed.

use candle_core::{Result, Tensor};
use candle_nn::rnn::{GRU, GRUConfig, LSTM, LSTMConfig, RNN};
use candle_nn::{Embedding, LayerNorm, Linear, Module, VarBuilder, ops};

use crate::attention;
use crate::step::{Layers, Sequences};

/// The shape in which a network takes the ids of a batch.
pub fn input(shape: &Sequences, setting: &str) -> (usize, usize) {
    match shape.layers {
        Layers::Lstm | Layers::Gru if setting != "layer" => (shape.positions, shape.batch),
        _ => (shape.batch, shape.positions),
    }
}

pub struct Network {
    embedding: Embedding,
    body: Body,
    scores: Linear,
}

enum Body {
    Lstm(LSTM),
    Gru(GRU),
    Recurrent(Recurrent),
    Gpt(Gpt),
}

impl Network {
    /// With the setting `layer`, a recurrent network has candle's own layer.
    pub fn new(shape: &Sequences, setting: &str, weights: VarBuilder) -> Result<Self> {
        let (width, inside) = (shape.width, weights.pp("body"));
        let body = match (shape.layers, setting) {
            (Layers::Lstm, "layer") => {
                // One bias of the two, as Keras's LSTM.
                let config = LSTMConfig { b_hh_init: None, ..Default::default() };
                Body::Lstm(candle_nn::lstm(width, width, config, inside)?)
            }
            (Layers::Gru, "layer") => Body::Gru(candle_nn::gru(width, width, GRUConfig::default(), inside)?),
            (Layers::Lstm, "") => Body::Recurrent(Recurrent::new(width, 4, inside)?),
            (Layers::Gru, "") => Body::Recurrent(Recurrent::new(width, 3, inside)?),
            (Layers::Gpt { blocks, heads }, "") => Body::Gpt(Gpt::new(width, shape.positions, blocks, heads, inside)?),
            _ => panic!("--setting wants layer, for a recurrent network, not {setting}"),
        };
        Ok(Self {
            embedding: candle_nn::embedding(shape.ids, width, weights.pp("embedding"))?,
            body,
            scores: candle_nn::linear(width, shape.classes, weights.pp("scores"))?,
        })
    }

    /// From ids to the scores of a sample, or of each of its positions.
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let x = self.embedding.forward(ids)?;
        self.scores.forward(&match &self.body {
            Body::Lstm(layer) => layer.seq(&x)?.pop().unwrap().h,
            Body::Gru(layer) => layer.seq(&x)?.pop().unwrap().h,
            Body::Recurrent(layer) => layer.forward(&x)?,
            Body::Gpt(layers) => layers.forward(&x)?,
        })
    }
}

/// The last output of an LSTM (four gates) or a GRU (three): the products of all inputs at once, and one product for the gates
/// of a step.
struct Recurrent {
    input: Linear,
    inner: Linear,
}

impl Recurrent {
    fn new(width: usize, gates: usize, weights: VarBuilder) -> Result<Self> {
        let inner = if gates == 3 { candle_nn::linear } else { candle_nn::linear_no_bias };
        Ok(Self {
            input: candle_nn::linear(width, gates * width, weights.pp("input"))?,
            inner: inner(width, gates * width, weights.pp("inner"))?,
        })
    }

    /// `x` is [position, sample, channel].
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (_, batch, width) = x.dims3()?;
        let mut h = Tensor::zeros((batch, width), x.dtype(), x.device())?;
        let mut c = h.clone();
        // Once for all steps, and so is its gradient.
        let inner_weight = self.inner.weight().t()?;
        let mut products = Vec::new();
        split(self.input.forward(x)?, &mut products)?;
        for product in products {
            let inner = h.matmul(&inner_weight)?;
            if let Some(bias) = self.inner.bias() {
                let inner = inner.broadcast_add(bias)?;
                let both = (product.narrow(1, 0, 2 * width)? + inner.narrow(1, 0, 2 * width)?)?;
                let gates = ops::sigmoid(&both)?.chunk(2, 1)?;
                let [z, r] = [&gates[0], &gates[1]];
                let candidate =
                    (product.narrow(1, 2 * width, width)? + (r * inner.narrow(1, 2 * width, width)?)?)?.tanh()?;
                h = (&candidate + (z * (h - &candidate)?)?)?;
            } else {
                let gates = (product + inner)?.chunk(4, 1)?;
                let [i, f, o] = [0, 1, 3].map(|gate: usize| ops::sigmoid(&gates[gate]));
                c = ((f? * c)? + (i? * gates[2].tanh()?)?)?;
                h = (o? * c.tanh()?)?;
            }
        }
        Ok(h)
    }
}

/// The matrices of `x` one after the other. It is halved again and again, since the gradient of a slice is as large as what it
/// was cut from.
fn split(x: Tensor, matrices: &mut Vec<Tensor>) -> Result<()> {
    match x.dim(0)? {
        1 => matrices.push(x.squeeze(0)?),
        count => {
            let half = count / 2;
            split(x.narrow(0, 0, half)?, matrices)?;
            split(x.narrow(0, half, count - half)?, matrices)?;
        }
    }
    Ok(())
}

struct Gpt {
    positions: Tensor,
    mask: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl Gpt {
    fn new(width: usize, positions: usize, blocks: usize, heads: usize, weights: VarBuilder) -> Result<Self> {
        let block = |i| Block::new(width, heads, weights.pp(format!("block{i}")));
        Ok(Self {
            positions: candle_nn::embedding(positions, width, weights.pp("positions"))?.embeddings().clone(),
            mask: attention::causal_mask(positions)?,
            blocks: (0..blocks).map(block).collect::<Result<_>>()?,
            norm: candle_nn::layer_norm(width, 1e-5, weights.pp("norm"))?,
        })
    }

    /// From [sample, position, channel] to a row for each position of each sample.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, positions, _) = x.dims3()?;
        let mut x = x.broadcast_add(&self.positions)?.flatten(0, 1)?;
        for block in &self.blocks {
            x = block.forward(&x, batch, positions, &self.mask)?;
        }
        normalize(&self.norm, &x)
    }
}

/// A block of a GPT: normalisation first.
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
    fn new(width: usize, heads: usize, weights: VarBuilder) -> Result<Self> {
        let linear = |name, from, to| candle_nn::linear(from, to, weights.pp(name));
        let norm = |name| candle_nn::layer_norm(width, 1e-5, weights.pp(name));
        Ok(Self {
            first_norm: norm("first_norm")?,
            query: linear("query", width, width)?,
            key: linear("key", width, width)?,
            value: linear("value", width, width)?,
            out: linear("out", width, width)?,
            second_norm: norm("second_norm")?,
            wide: linear("wide", width, 4 * width)?,
            narrow: linear("narrow", 4 * width, width)?,
            heads,
        })
    }

    fn forward(&self, x: &Tensor, batch: usize, positions: usize, mask: &Tensor) -> Result<Tensor> {
        let normal = normalize(&self.first_norm, x)?;
        let heads = |linear: &Linear| {
            let y = linear.forward(&normal)?.reshape((batch, positions, self.heads, ()))?;
            y.transpose(1, 2)?.contiguous()
        };
        let y = attention::attend(&heads(&self.query)?, &heads(&self.key)?, &heads(&self.value)?, Some(mask))?;
        let x = (x + self.out.forward(&y.transpose(1, 2)?.reshape(x.dims())?)?)?;
        let y = self.wide.forward(&normalize(&self.second_norm, &x)?)?;
        &x + self.narrow.forward(&y.gelu()?)?
    }
}

/// `LayerNorm::forward` is for predictions only: it passes no gradient on.
fn normalize(norm: &LayerNorm, x: &Tensor) -> Result<Tensor> {
    ops::layer_norm_slow(x, norm.weight(), norm.bias().unwrap(), norm.eps() as f32)
}
