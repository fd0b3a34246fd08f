//! Predictions of one picture each on 1, 2 and 8 threads at once, all with the same model: a small dense network and the
//! convnet of lesson 9.
//!
//!     cargo bench -p gradus-train --bench predict_threads
//!
//! After criterion's report, a table gives predictions per second of all threads together and their ratio to one thread:
//! medians of rounds in which the numbers of threads are measured in turn. Threads that do not wait for each other reach a
//! ratio near the number of cores.

mod support;

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use gradus_nn::Model;
use gradus_tensor::Tensor;
use support::{convnet, dense, median};

const THREADS: [usize; 3] = [1, 2, 8];
const ROUNDS: usize = 15;

/// The time in which each of `threads` threads makes `predictions` predictions, from the first start to the last end.
fn time(model: &Model, picture: &Tensor, threads: usize, predictions: u64) -> Duration {
    let ready = Barrier::new(threads);
    let predict = || {
        black_box(model.predict(picture).unwrap());
        ready.wait();
        let start = Instant::now();
        (0..predictions).for_each(|_| _ = black_box(model.predict(picture).unwrap()));
        (start, Instant::now())
    };
    let times: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(predict)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let (starts, ends): (Vec<_>, Vec<_>) = times.into_iter().unzip();
    ends.into_iter().max().unwrap() - starts.into_iter().min().unwrap()
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let models = [
        ("dense 784-128-10", dense([28, 28]), Tensor::zeros([1, 28, 28])),
        ("convnet", convnet(), Tensor::zeros([1, 28, 28, 1])),
    ];
    for (name, model, picture) in &models {
        let mut group = criterion.benchmark_group(*name);
        group.sample_size(20);
        for threads in THREADS {
            group.throughput(Throughput::Elements(threads as u64));
            group.bench_function(format!("{threads} threads"), |b| {
                b.iter_custom(|predictions| time(model, picture, threads, predictions))
            });
        }
    }
    criterion.final_summary();

    println!("\n{:<18}{:>9}{:>16}{:>8}", "", "threads", "predictions/s", "ratio");
    for (name, model, picture) in &models {
        // As many for each thread as one thread makes in some 20 ms.
        let once = time(model, picture, 1, 50).as_secs_f64() / 50.0;
        let predictions = (0.02 / once) as u64 + 1;
        let rounds: Vec<[f64; 3]> = (0..ROUNDS)
            .map(|_| {
                THREADS.map(|threads| {
                    (threads as u64 * predictions) as f64 / time(model, picture, threads, predictions).as_secs_f64()
                })
            })
            .collect();
        for (i, threads) in THREADS.into_iter().enumerate() {
            let rate = median(rounds.iter().map(|rates| rates[i]).collect());
            let ratio = median(rounds.iter().map(|rates| rates[i] / rates[0]).collect());
            println!("{name:<18}{threads:>9}{rate:>16.0}{ratio:>8.2}");
        }
    }
}
