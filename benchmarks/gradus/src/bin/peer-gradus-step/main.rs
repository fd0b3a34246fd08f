//! A training step of gradus on made-up data: `train_step`, which `fit` calls for each batch.

mod clock;
#[path = "../../../../common.rs"]
mod common;
mod networks;

use clock::Options;
use gradus::prelude::*;
use networks::{Network, Task};

fn main() -> Result<()> {
    let options = Options::parse();
    let network = Network::named(&options.network).ok_or_else(|| format!("no network is named {}", options.network))?;
    match network.task {
        Task::Classes => time(network, SparseCategoricalCrossentropy::default().from_logits(true), &options),
        Task::Bits => time(network, BinaryCrossentropy::default().from_logits(true), &options),
        Task::Numbers => time(network, MeanSquaredError::default(), &options),
    }
}

fn time(network: Network, loss: impl Loss, options: &Options) -> Result<()> {
    let mut generator = Generator::new(options.seed);
    let batches: Vec<_> = (0..network.steps).map(|_| batch(&network, &mut generator)).collect();
    let mut model = Model::build(network.layers, &network.input[..], options.seed)?;
    let mut adam = Optimizer::from(Adam::default()).learning_rate(common::LEARNING_RATE);

    let windows = clock::time_steps(options, network.steps, || {
        let mut train = |(x, y): &(AnyTensor, AnyTensor)| {
            train_step(&mut model, &loss, &mut adam, x.clone(), y.clone(), None, &mut generator).unwrap().loss
        };
        batches.iter().map(&mut train).collect()
    });
    clock::report("this repository", model.summary().trainable_params, &windows);
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
        Task::Classes => generator.integers(target, 0..10).into(),
        Task::Bits => generator.bernoulli(target, 0.5).to::<f32>().into(),
        Task::Numbers => generator.normal::<f32>(target, 0.0, 1.0).into(),
    };
    (x, y)
}
