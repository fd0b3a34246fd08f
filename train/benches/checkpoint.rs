//! What checkpoints cost: epochs of the MNIST network with a checkpoint every 100 steps, and every 10, beside epochs without.
//!
//!     cargo bench -p gradus-train --bench checkpoint
//!
//! After criterion's report, a table gives the ratios of medians of epochs done in turn. The end of the run, at which
//! training waits for the last file, is part of each.
#![allow(missing_docs)] // `criterion_group!` makes undocumented functions.

use std::fs;
use std::path::Path;
use std::time::Instant;

use criterion::{BatchSize, Criterion, criterion_group};
use gradus_datasets::{Dataset, mnist};
use gradus_nn::losses::CategoricalCrossentropy;
use gradus_nn::{Activation, Dense, Flatten, Model, Sequential};
use gradus_optim::Adam;
use gradus_train::callbacks::Checkpoint;
use gradus_train::{Fit, Trainer};
use rayon_core::ThreadPoolBuilder;

const ROUNDS: usize = 15;
/// How many steps after each other a checkpoint is due.
const EVERY: [Option<u64>; 3] = [None, Some(100), Some(10)];

type MnistTrainer = Trainer<CategoricalCrossentropy, Adam>;

fn data() -> Dataset {
    mnist::load().unwrap().map_inputs(|x| x.to::<f32>() / 255.0).to_categorical(10).unwrap().train
}

/// A trainer and the settings of an epoch with a checkpoint whenever so many steps are done.
fn training(every: Option<u64>) -> (MnistTrainer, Fit) {
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    let model = Model::build(network, [28, 28], 1).unwrap();
    let trainer = Trainer::new(model, CategoricalCrossentropy::default(), Adam::default());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("checkpoints-bench");
    _ = fs::remove_dir_all(&folder);
    let fit = Fit { verbose: false, ..Fit::default() };
    let fit = match every {
        Some(steps) => fit.callback(Checkpoint::new(folder).every_steps(steps)),
        None => fit,
    };
    (trainer, fit)
}

/// Calls `work` as a program on this number of threads does: outside a pool, all of them are used.
fn on<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    match threads {
        1 => ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work),
        _ => work(),
    }
}

fn threads() -> [usize; 2] {
    [1, std::thread::available_parallelism().map_or(1, usize::from)]
}

fn name(every: Option<u64>) -> String {
    every.map_or("no checkpoints".to_owned(), |steps| format!("one every {steps} steps"))
}

fn epochs(criterion: &mut Criterion) {
    let data = data();
    for threads in threads() {
        let mut group = criterion.benchmark_group(format!("epoch, {threads} threads"));
        group.sample_size(10);
        for every in EVERY {
            group.bench_function(name(every), |bench| {
                let epoch = |(mut trainer, fit): (MnistTrainer, Fit)| {
                    on(threads, || trainer.fit(&data, fit).unwrap());
                    trainer
                };
                bench.iter_batched(|| training(every), epoch, BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

fn ratios() {
    let data = data();
    for threads in threads() {
        let mut seconds = EVERY.map(|every| (every, Vec::new()));
        for _ in 0..ROUNDS {
            for (every, seconds) in &mut seconds {
                let (mut trainer, fit) = training(*every);
                let start = Instant::now();
                on(threads, || trainer.fit(&data, fit).unwrap());
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
        let medians = seconds.map(|(every, mut seconds)| {
            seconds.sort_by(f64::total_cmp);
            (every, seconds[ROUNDS / 2])
        });
        println!("epoch, {threads} threads");
        for (every, median) in medians {
            println!("  {:20} {median:.3} s  {:.3} x", name(every), median / medians[0].1);
        }
    }
}

criterion_group!(group, epochs);

fn main() {
    // `cargo test --benches` only checks that it runs; the ratios are for `cargo bench`, alone or with a filter.
    group();
    if std::env::args().any(|argument| argument == "--bench") {
        ratios();
    }
    Criterion::default().configure_from_args().final_summary();
}
