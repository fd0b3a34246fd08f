//! A training step of candle on made-up data. Or an attention alone, with its gradients.

mod attention;
#[path = "../../../../common.rs"]
mod common;
mod networks;
#[path = "../../../../step.rs"]
mod step;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder, VarMap, loss};
use networks::Network;
use step::{Options, Sequences};

const VERSION: &str = "0.11.1";

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some((shape, causal)) = step::attention_named(&options.network) {
        return attention::time(&options, shape, causal);
    }
    let device = Device::Cpu;
    let shape = Sequences::named(&options.network).unwrap_or_else(|| panic!("no network is named {}", options.network));
    let batch = |(x, y)| {
        let x = Tensor::from_vec(x, networks::input(&shape, &options.setting), &device)?;
        Ok((x, Tensor::from_vec(y, shape.batch * shape.targets, &device)?))
    };
    let batches = shape.batches(options.seed).into_iter().map(batch).collect::<Result<Vec<_>>>()?;

    let weights = VarMap::new();
    let builder = VarBuilder::from_varmap(&weights, DType::F32, &device);
    let network = Network::new(&shape, &options.setting, builder)?;
    let parameters = weights.all_vars().iter().map(|weight| weight.elem_count()).sum();
    // AdamW without its decay is Adam.
    let config = ParamsAdamW { lr: common::LEARNING_RATE, weight_decay: shape.decay, ..ParamsAdamW::default() };
    let mut adam = AdamW::new(weights.all_vars(), config)?;

    let mut train = |(x, y): &(Tensor, Tensor)| -> Result<f32> {
        let loss = loss::cross_entropy(&network.forward(x)?, y)?;
        adam.backward_step(&loss)?;
        loss.to_scalar()
    };
    let windows =
        step::time_steps(&options, shape.steps, || batches.iter().map(|batch| train(batch).unwrap()).collect());
    step::report(VERSION, parameters, &windows);
    Ok(())
}
