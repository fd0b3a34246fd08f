//! Scaled dot-product attention, in a network and alone.

use candle_core::{D, Device, Result, Tensor, Var};

use crate::VERSION;
use crate::step::{self, Options};

/// 0 where a position may look and minus infinity at those after it.
pub fn causal_mask(positions: usize) -> Result<Tensor> {
    let row = |i| (0..positions).map(move |j| if j > i { f32::NEG_INFINITY } else { 0.0 });
    Tensor::from_iter((0..positions).flat_map(row), &Device::Cpu)?.reshape((positions, positions))
}

/// Of queries, keys and values [sample, head, position, number].
pub fn attend(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let scale = 1.0 / (q.dim(D::Minus1)? as f64).sqrt();
    let mut scores = (q * scale)?.matmul(&k.t()?)?;
    if let Some(mask) = mask {
        scores = scores.broadcast_add(mask)?;
    }
    // `softmax` with a maximum that has no gradient: it would be zero.
    let powers = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
    powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)?.matmul(v)
}

pub fn time(options: &Options, shape: [usize; 4], causal: bool) -> Result<()> {
    let count = shape.iter().product();
    // Heads before positions.
    let operand = |seed| {
        let x = Tensor::from_vec(step::numbers(seed, count), shape.as_slice(), &Device::Cpu)?;
        x.transpose(1, 2)?.contiguous()
    };
    let inputs = [Var::from_tensor(&operand(0)?)?, Var::from_tensor(&operand(1)?)?, Var::from_tensor(&operand(2)?)?];
    let g = operand(3)?;
    let mask = if causal { Some(causal_mask(shape[1])?) } else { None };
    let call = || -> Result<Vec<Tensor>> {
        let [q, k, v] = &inputs;
        let mut gradients = (attend(q, k, v, mask.as_ref())? * &g)?.sum_all()?.backward()?;
        Ok(inputs.iter().map(|x| gradients.remove(x).unwrap()).collect())
    };
    let numbers = |gradient: Tensor| gradient.flatten_all().unwrap().to_vec1().unwrap();
    step::time_calls(options, VERSION, || call().unwrap(), numbers);
    Ok(())
}
