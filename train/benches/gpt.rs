//! A training step of a small GPT: 4 blocks, 128 wide, 4 heads, 128 positions, 256 ids, batches of 16, AdamW.
//!
//!     cargo bench -p gradus-train --bench gpt
//!
//! `python3 benchmarks/run.py --network gpt` times the same in other frameworks. After criterion's report a line gives the times on one thread and
//! on all, and the rate of the products: 6 operations for each weight and position, and those of attention.
#![allow(missing_docs)] // `criterion_group!` makes undocumented functions.

mod support;

use std::time::Instant;

use criterion::{Criterion, criterion_group};
use gradus_nn::losses::SparseCategoricalCrossentropy;
use gradus_nn::{
    Activation, Dense, LayerNormalization, Model, Sequential, TokenAndPositionEmbedding, TransformerDecoder,
};
use gradus_optim::{AdamW, Optimizer};
use gradus_tensor::{Generator, Tensor};
use gradus_train::train_step;
use rayon_core::ThreadPoolBuilder;
use support::{median, report};

const BLOCKS: usize = 4;
const WIDTH: usize = 128;
const LENGTH: usize = 128;
const IDS: usize = 256;
const BATCH: usize = 16;

struct Training {
    model: Model,
    adam: Optimizer<AdamW>,
    batch: [Tensor<i64>; 2],
    generator: Generator,
}

impl Training {
    fn new() -> Self {
        let mut network = Sequential::new().add(TokenAndPositionEmbedding::new(IDS, LENGTH, WIDTH));
        for _ in 0..BLOCKS {
            let block = TransformerDecoder::new(4 * WIDTH, 4).activation(Activation::GeluTanh).normalize_first(true);
            network = network.add(block);
        }
        let network = network.add(LayerNormalization::new().epsilon(1e-5)).add(Dense::new(IDS));
        let mut generator = Generator::new(1);
        let batch = [(); 2].map(|()| generator.integers([BATCH, LENGTH], 0..IDS as i64));
        let adam = Optimizer::from(AdamW::default()).learning_rate(1e-3);
        Training { model: Model::build(network, [LENGTH], 1).unwrap(), adam, batch, generator }
    }

    fn step(&mut self) {
        let loss = SparseCategoricalCrossentropy::default().from_logits(true);
        let [x, y] = self.batch.clone();
        train_step(&mut self.model, &loss, &mut self.adam, x, y, None, &mut self.generator).unwrap();
    }
}

fn bench(criterion: &mut Criterion) {
    let mut training = Training::new();
    criterion.bench_function("a step of a small GPT", |bench| bench.iter(|| training.step()));
}

fn ratios() {
    let (mut training, one) = (Training::new(), ThreadPoolBuilder::new().num_threads(1).build().unwrap());
    let mut seconds = [vec![], vec![]];
    for _ in 0..15 {
        for (alone, seconds) in [true, false].into_iter().zip(&mut seconds) {
            let start = Instant::now();
            if alone {
                one.install(|| training.step())
            } else {
                training.step()
            }
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let [alone, together] = seconds.map(median);
    let weights = 12 * BLOCKS * WIDTH * WIDTH + IDS * WIDTH;
    let products = 6 * weights + BLOCKS * 14 * LENGTH * WIDTH / 2;
    let rate = (products * BATCH * LENGTH) as f64 / together / 1e9;
    println!(
        "one thread {:.1} ms, all {:.1} ms ({:.2} times as fast), {rate:.0} GFLOP/s of products",
        1e3 * alone,
        1e3 * together,
        alone / together
    );
}

criterion_group!(group, bench);

fn main() {
    report(group, ratios);
}
