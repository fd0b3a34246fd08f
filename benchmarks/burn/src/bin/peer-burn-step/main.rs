//! A training step of burn on flex, its CPU backend, on made-up data. Or an op alone, with its gradients.

#[path = "../../../../common.rs"]
mod common;
mod kernels;
mod networks;
#[path = "../../../../step.rs"]
mod step;

use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams};
use burn::prelude::*;
use networks::Network;
use step::{Options, Sequences};

const VERSION: &str = "0.22.1";

fn main() {
    let options = Options::parse();
    let plain = Device::flex();
    plain.seed(options.seed);
    let device = plain.autodiff();
    if kernels::time(&options, &device) {
        return;
    }
    let shape = Sequences::named(&options.network).unwrap_or_else(|| panic!("no network is named {}", options.network));
    let batch = |(x, y)| {
        let x = integers(x, [shape.batch, shape.positions], &device);
        (x, integers(y, [shape.batch * shape.targets], &device))
    };
    let batches: Vec<_> = shape.batches(options.seed).into_iter().map(batch).collect();

    let network = Network::new(&shape, &device);
    let parameters = network.num_params();
    let loss: CrossEntropyLoss = CrossEntropyLossConfig::new().init(&device);
    let mut adam = if shape.decay == 0.0 {
        AdamConfig::new().with_epsilon(1e-7).init()
    } else {
        AdamWConfig::new().with_epsilon(1e-7).with_weight_decay(shape.decay as f32).init()
    };
    let mut network = Some(network);
    let windows = step::time_steps(&options, shape.steps, || {
        let mut train = |(x, y): &(Tensor<2, Int>, Tensor<1, Int>)| {
            // Moved through the step, so that the weights have one owner and can change in place.
            let current = network.take().unwrap();
            let loss = loss.forward(current.forward(x.clone()), y.clone());
            let grads = GradientsParams::from_grads(loss.backward(), &current);
            network = Some(adam.step(common::LEARNING_RATE, current, grads));
            loss.into_scalar::<f32>()
        };
        batches.iter().map(&mut train).collect()
    });
    step::report(VERSION, parameters, &windows);
}

fn integers<const D: usize>(values: Vec<u32>, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    let values: Vec<i32> = values.into_iter().map(|value| value as i32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
