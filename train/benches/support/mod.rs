//! What several benchmarks share: networks, threads, medians and the order in which a benchmark reports.
#![allow(dead_code)] // Each benchmark uses a part.

use std::time::Instant;

use criterion::Criterion;
use gradus_nn::{Activation, Conv2D, Dense, Dropout, Flatten, Inputs, MaxPooling2D, Model, Sequential};
use rayon_core::{ThreadPool, ThreadPoolBuilder};

/// The dense network of lesson 1, for samples of shape `input`.
pub fn dense(input: impl Into<Inputs>) -> Model {
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    Model::build(network, input, 1).unwrap()
}

/// Keras's simple convnet.
pub fn convnet() -> Model {
    let network = Sequential::new()
        .add(Conv2D::new(32, [3, 3]).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Conv2D::new(64, [3, 3]).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Flatten)
        .add(Dropout::new(0.5))
        .add(Dense::new(10).activation(Activation::Softmax));
    Model::build(network, [28, 28, 1], 1).unwrap()
}

/// One thread, and all that the machine has.
pub fn threads() -> [usize; 2] {
    [1, std::thread::available_parallelism().map_or(1, usize::from)]
}

/// Calls `work` as a program on this number of threads does: outside a pool, all of them are used.
pub fn on<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    match threads {
        1 => ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work),
        _ => work(),
    }
}

/// The seconds of one call of `work` on the threads of `pool`: the mean of `calls` calls.
pub fn seconds_on(pool: &ThreadPool, calls: u32, work: &mut (impl FnMut() + Send)) -> f64 {
    pool.install(|| {
        // The first hands over to threads that sleep.
        work();
        let start = Instant::now();
        (0..calls).for_each(|_| work());
        start.elapsed().as_secs_f64() / f64::from(calls)
    })
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs criterion's `group`. `cargo bench`, alone or with a filter, then prints the ratios; `cargo test --benches` only checks that
/// the group runs, and a profile shows the group alone.
pub fn report(group: impl FnOnce(), ratios: impl FnOnce()) {
    group();
    let asked = |option| std::env::args().any(|argument| argument == option);
    if asked("--bench") && !asked("--profile-time") {
        ratios();
    }
    Criterion::default().configure_from_args().final_summary();
}
