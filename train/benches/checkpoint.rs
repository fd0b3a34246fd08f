//! What checkpoints cost: runs of the MNIST network with a checkpoint every 100 steps, and every 10, beside runs without.
//!
//!     cargo bench -p gradus-train --bench checkpoint
//!
//! After criterion's report, a table gives the ratios of medians of runs of three epochs done in turn, and how many checkpoints one
//! more run has written of those that were due: the thread that writes rests in between. The last rows are without that rest. The
//! end of the run, at which training waits for the last file, is part of each.
#![allow(missing_docs)] // `criterion_group!` makes undocumented functions.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use criterion::{BatchSize, Criterion, criterion_group};
use gradus_datasets::{Dataset, mnist};
use gradus_nn::losses::CategoricalCrossentropy;
use gradus_optim::Adam;
use gradus_train::callbacks::Checkpoint;
use gradus_train::{Fit, Trainer};
use support::{dense, median, on, report, threads};

const ROUNDS: usize = 11;
const EPOCHS: usize = 3;

/// How many checkpoints are kept: the callback's default.
const KEEP: usize = 3;

/// When a checkpoint is due, and whether all of them are written.
#[derive(Clone, Copy)]
struct Due {
    every: u64,
    write_all: bool,
}

const DUE: [Option<Due>; 4] = [
    None,
    Some(Due { every: 100, write_all: false }),
    Some(Due { every: 10, write_all: false }),
    Some(Due { every: 100, write_all: true }),
];

type MnistTrainer = Trainer<CategoricalCrossentropy, Adam>;

fn data() -> Dataset {
    mnist::load().unwrap().map_inputs(|x| x.to::<f32>() / 255.0).to_categorical(10).unwrap().train
}

/// The folder of the checkpoints.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("checkpoints-bench")
}

/// A trainer and the settings of a run that keeps so many checkpoints.
fn training(due: Option<Due>, keep: usize) -> (MnistTrainer, Fit) {
    let trainer = Trainer::new(dense([28, 28]), CategoricalCrossentropy::default(), Adam::default());
    _ = fs::remove_dir_all(folder());
    let fit = Fit { epochs: EPOCHS, verbose: false, ..Fit::default() };
    let fit = match due {
        Some(Due { every, write_all }) => {
            fit.callback(Checkpoint::new(folder()).every_steps(every).keep(keep).write_all(write_all))
        }
        None => fit,
    };
    (trainer, fit)
}

fn name(due: Option<Due>) -> String {
    due.map_or("no checkpoints".to_owned(), |Due { every, write_all }| {
        format!("every {every} steps{}", if write_all { ", all" } else { "" })
    })
}

/// How many checkpoints are in the folder.
fn count() -> usize {
    let names = fs::read_dir(folder()).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter(|name| name.to_string_lossy().starts_with("step-")).count()
}

fn runs(criterion: &mut Criterion) {
    let data = data();
    for threads in threads() {
        let mut group = criterion.benchmark_group(format!("{EPOCHS} epochs, {threads} threads"));
        group.sample_size(10);
        for due in DUE {
            group.bench_function(name(due), |bench| {
                let run = |(mut trainer, fit): (MnistTrainer, Fit)| {
                    on(threads, || trainer.fit(&data, fit).unwrap());
                    trainer
                };
                bench.iter_batched(|| training(due, KEEP), run, BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

fn ratios() {
    let data = data();
    for threads in threads() {
        let mut steps = 0;
        let mut run = |due: Option<Due>, keep: usize| {
            let (mut trainer, fit) = training(due, keep);
            let start = Instant::now();
            on(threads, || trainer.fit(&data, fit).unwrap());
            steps = trainer.optimizer().steps();
            start.elapsed().as_secs_f64()
        };
        let mut measured = DUE.map(|due| (due, Vec::new()));
        for _ in 0..ROUNDS {
            for (due, seconds) in &mut measured {
                seconds.push(run(*due, KEEP));
            }
        }
        let medians = measured.map(|(due, seconds)| {
            // All stay, so that they can be counted.
            run(due, usize::MAX);
            (due, median(seconds), count())
        });
        println!("{EPOCHS} epochs, {steps} steps, {threads} threads");
        for (due, median, written) in medians {
            // And the one at the end of the run.
            let of = due.map_or(0, |Due { every, .. }| steps / every + u64::from(!steps.is_multiple_of(every)));
            let (name, ratio) = (name(due), median / medians[0].1);
            println!("  {name:20} {median:.3} s  {ratio:.3} x  {written} of {of} checkpoints written");
        }
    }
}

criterion_group!(group, runs);

fn main() {
    report(group, ratios);
}
