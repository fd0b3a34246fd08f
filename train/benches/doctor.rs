//! What a doctor costs: an epoch of the MNIST network, and of Keras's simple convnet, with a doctor beside one without.
//!
//!     cargo bench -p gradus-train --bench doctor
//!
//! After criterion's report, a table gives the ratios of medians, and of the fastest epochs, of rounds done in turn.
#![allow(missing_docs)] // `criterion_group!` makes undocumented functions.

mod support;

use std::time::Instant;

use criterion::{Criterion, criterion_group};
use gradus_datasets::{Dataset, mnist};
use gradus_nn::Model;
use gradus_nn::losses::CategoricalCrossentropy;
use gradus_optim::Adam;
use gradus_train::{Fit, Trainer};
use support::{convnet, dense, on, report, threads};

const ROUNDS: usize = 11;

/// A network, the number of samples of an epoch, and that of a batch.
type Case = (&'static str, fn() -> Model, usize, usize);

const CASES: [Case; 2] =
    [("dense, batch 32", || dense([28, 28, 1]), 12_000, 32), ("convnet, batch 128", convnet, 20_480, 128)];

/// Trains for an epoch; the seconds that it takes.
fn epoch(model: fn() -> Model, data: &Dataset, batch_size: usize, doctor: bool) -> f64 {
    let mut trainer = Trainer::new(model(), CategoricalCrossentropy::default(), Adam::default());
    let start = Instant::now();
    let history = trainer.fit(data, Fit { doctor, batch_size, verbose: false, ..Fit::default() }).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    assert!(history.findings.is_empty());
    seconds
}

fn data() -> Dataset {
    mnist::load().unwrap().map_inputs(|x| x.to::<f32>().unsqueeze(-1) / 255.0).to_categorical(10).unwrap().train
}

fn runs(criterion: &mut Criterion) {
    let data = data();
    for (name, model, samples, batch_size) in CASES {
        let data = data.take(samples);
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        for (name, doctor) in [("alone", false), ("with a doctor", true)] {
            group.bench_function(name, |bench| bench.iter(|| epoch(model, &data, batch_size, doctor)));
        }
        group.finish();
    }
}

fn ratios() {
    let data = data();
    for (name, model, samples, batch_size) in CASES {
        let data = data.take(samples);
        for threads in threads() {
            let mut seconds = [Vec::new(), Vec::new()];
            for _ in 0..ROUNDS {
                for (doctor, seconds) in [false, true].into_iter().zip(&mut seconds) {
                    seconds.push(on(threads, || epoch(model, &data, batch_size, doctor)));
                }
            }
            seconds.iter_mut().for_each(|seconds| seconds.sort_by(f64::total_cmp));
            let [alone, watched] = seconds;
            let (median, fastest) = (watched[ROUNDS / 2] / alone[ROUNDS / 2], watched[0] / alone[0]);
            println!(
                "{name}, {threads} threads: {:.3} s alone, {median:.3} x with a doctor ({fastest:.3} x)",
                alone[0]
            );
        }
    }
}

criterion_group!(group, runs);

fn main() {
    report(group, ratios);
}
