//! A training step of gradus on made-up data: `train_step`, which `fit` calls for each batch. Or an op alone, with its
//! gradients; or the ids that a network writes.

#[path = "../../../../common.rs"]
mod common;
mod generate;
mod kernels;
mod networks;
#[path = "../../../../step.rs"]
mod step;

use gradus::prelude::*;
use networks::{Network, Task};
use step::Options;

fn main() -> Result<()> {
    let options = Options::parse();
    if generate::time(&options)? || kernels::time(&options) {
        return Ok(());
    }
    let network = Network::named(&options.network).ok_or_else(|| format!("no network is named {}", options.network))?;
    match network.task {
        Task::Classes(_) => time(network, SparseCategoricalCrossentropy::default().from_logits(true), &options),
        Task::Bits => time(network, BinaryCrossentropy::default().from_logits(true), &options),
        Task::Numbers => time(network, MeanSquaredError::default(), &options),
    }
}

fn time(network: Network, loss: impl Loss, options: &Options) -> Result<()> {
    if network.adamw {
        time_with(network, loss, Optimizer::from(AdamW::default()).weight_decay(common::WEIGHT_DECAY), options)
    } else {
        time_with(network, loss, Adam::default().into(), options)
    }
}

fn time_with<R: Rule>(network: Network, loss: impl Loss, optimizer: Optimizer<R>, options: &Options) -> Result<()> {
    let mut generator = Generator::new(options.seed);
    let batches: Vec<_> = (0..network.steps).map(|_| batch(&network, &mut generator)).collect();
    let mut model = Model::build(network.layers, &network.input[..], options.seed)?;
    let mut optimizer = optimizer.learning_rate(common::LEARNING_RATE);

    let windows = step::time_steps(options, network.steps, || {
        let mut train = |(x, y): &(AnyTensor, AnyTensor)| {
            train_step(&mut model, &loss, &mut optimizer, x.clone(), y.clone(), None, &mut generator).unwrap().loss
        };
        batches.iter().map(&mut train).collect()
    });
    step::report("this repository", model.summary().trainable_params, &windows);
    Ok(())
}

/// Inputs and targets of random numbers.
fn batch(network: &Network, generator: &mut Generator) -> (AnyTensor, AnyTensor) {
    let input = [&[network.batch], &network.input[..]].concat();
    let target = [&[network.batch], &network.target[..]].concat();
    let x = match network.ids {
        Some(ids) => generator.integers(input, 0..ids).into(),
        None => generator.normal::<f32>(input, 0.0, 1.0).into(),
    };
    let y = match network.task {
        Task::Classes(classes) => generator.integers(target, 0..classes).into(),
        Task::Bits => generator.bernoulli(target, 0.5).to::<f32>().into(),
        Task::Numbers => generator.normal::<f32>(target, 0.0, 1.0).into(),
    };
    (x, y)
}
