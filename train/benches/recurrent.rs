//! The training step of a network with an LSTM and with a GRU, on one thread and on two: Embedding 20,000 x 128, 128 units, 80
//! steps, batch 32, Adam.
//!
//!     cargo bench -p gradus-train --bench recurrent
//!
//! After criterion's report, a table gives ratios, each the median of pairs measured in turn: how much two threads gain, and how
//! near the step is to the time that its products alone take. How other frameworks do is in `benchmarks/`.

mod support;

use std::hint::black_box;

use criterion::Criterion;
use gradus_nn::losses::SparseCategoricalCrossentropy;
use gradus_nn::{Activation, Dense, Embedding, GRU, LSTM, LayerHandle, Model, Sequential};
use gradus_optim::{Adam, Optimizer};
use gradus_tensor::{Generator, Tensor};
use gradus_train::train_step;
use rayon_core::ThreadPoolBuilder;
use support::{median, seconds_on};

const BATCH: usize = 32;
const STEPS: usize = 80;
const UNITS: usize = 128;
const IDS: usize = 20_000;

/// A step of the network around a recurrent layer, ready to be made again and again, each on the next of some batches.
fn step(layer: LayerHandle) -> impl FnMut() + Send {
    let network = Sequential::new()
        .add(Embedding::new(IDS, UNITS))
        .add(&layer)
        .add(Dense::new(10).activation(Activation::Softmax));
    let mut model = Model::build(network, [STEPS], 1).unwrap();
    let mut optimizer = Optimizer::<Adam>::from(Adam::default());
    let mut random = Generator::new(5);
    let batches: Vec<(Tensor<i64>, Tensor<i64>)> =
        (0..8).map(|_| (random.integers([BATCH, STEPS], 0..IDS as i64), random.integers([BATCH], 0..10))).collect();
    let mut number = 0;
    move || {
        let (ids, targets) = &batches[number % batches.len()];
        number += 1;
        let loss = SparseCategoricalCrossentropy::default();
        let done = train_step(&mut model, &loss, &mut optimizer, ids, targets, None, &mut random);
        black_box(done.unwrap().loss);
    }
}

/// The products of a step: of the inputs and of the gradients of all steps with matrices of `gates` columns a unit.
fn products(gates: usize) -> impl FnMut() + Send {
    let mut random = Generator::new(6);
    let mut draw = |shape: [usize; 2]| -> Tensor { random.uniform(shape, -1.0..1.0) };
    let (x, kernel, z) =
        (draw([BATCH * STEPS, UNITS]), draw([UNITS, gates * UNITS]), draw([BATCH * STEPS, gates * UNITS]));
    move || {
        for _ in 0..2 {
            black_box(x.matmul(&kernel));
            black_box(z.matmul(&kernel.t()));
            black_box(x.t().matmul(&z));
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (one, two) = (pool(1), pool(2));
    let mut table = Vec::new();
    for (name, layer, gates) in
        [("LSTM", LayerHandle::new(LSTM::new(UNITS)), 4), ("GRU", LayerHandle::new(GRU::new(UNITS)), 3)]
    {
        let (mut step, mut products) = (step(layer), products(gates));
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20).bench_function("step", |b| two.install(|| b.iter(&mut step)));
        group.finish();
        let (mut speedups, mut shares, mut times) = (Vec::new(), [Vec::new(), Vec::new()], Vec::new());
        for _ in 0..15 {
            let pairs = [&one, &two].map(|pool| (seconds_on(pool, 8, &mut step), seconds_on(pool, 8, &mut products)));
            speedups.push(pairs[0].0 / pairs[1].0);
            times.push(pairs[1].0 * 1e3);
            for (shares, (step, products)) in shares.iter_mut().zip(pairs) {
                shares.push(products / step);
            }
        }
        table.push((name, median(speedups), shares.map(median), median(times)));
    }
    criterion.final_summary();
    for (name, speedup, [one, two], time) in table {
        println!("\n{name}: a step on one thread / on two: {speedup:.2}; on two {time:.2} ms");
        println!("the step's products alone / a step: {one:.2} on one thread, {two:.2} on two");
    }
}
