//! The training step of Keras's simple convnet on one thread and on all, and its prediction of a single image.
//!
//!     cargo bench -p gradus-train --bench convnet
//!
//! After criterion's report, a table gives the ratios, each the median of pairs measured in turn. How other frameworks do
//! is in `benchmarks/`.

mod support;

use std::hint::black_box;

use criterion::Criterion;
use gradus_nn::losses::CategoricalCrossentropy;
use gradus_optim::{Adam, Optimizer};
use gradus_tensor::{Generator, Tensor};
use gradus_train::train_step;
use rayon_core::ThreadPoolBuilder;
use support::{convnet, median, seconds_on};

const BATCH: usize = 128;
/// Floating-point operations of a step: those of the convolutions' products, forward and back, and of the last layer.
const STEP_OPERATIONS: f64 =
    2.0 * BATCH as f64 * (2.0 * (676 * 9 * 32) as f64 + 3.0 * (121 * 288 * 64) as f64 + 3.0 * (1600 * 10) as f64);

/// A step, ready to be made again and again.
fn step() -> impl FnMut() + Send {
    let (mut model, mut optimizer) = (convnet(), Optimizer::<Adam>::from(Adam::default()));
    let mut random = Generator::new(5);
    let images: Tensor = random.uniform([BATCH, 28, 28, 1], 0.0..1.0);
    let targets = random.integers([BATCH], 0..10).one_hot::<f32>(10);
    move || {
        let loss = CategoricalCrossentropy::default();
        let done = train_step(&mut model, &loss, &mut optimizer, &images, &targets, None, &mut random);
        black_box(done.unwrap().loss);
    }
}

fn product() -> impl FnMut() + Send {
    let mut random = Generator::new(6);
    let (a, b): (Tensor, Tensor) = (random.uniform([1024, 1024], -1.0..1.0), random.uniform([1024, 1024], -1.0..1.0));
    move || _ = black_box(a.matmul(&b))
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let (mut step, mut product) = (step(), product());
    criterion.benchmark_group("convnet").sample_size(20).bench_function("step", |b| b.iter(&mut step));
    let (model, image) = (convnet(), Tensor::<f32>::zeros([1, 28, 28, 1]));
    criterion.bench_function("convnet/predict one", |b| b.iter(|| model.predict(black_box(&image)).unwrap()));
    criterion.final_summary();

    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let (one, two) = (pool(1), pool(2));
    let (mut speedups, mut rates) = (Vec::new(), [Vec::new(), Vec::new()]);
    for _ in 0..15 {
        let times = [&one, &two].map(|pool| (seconds_on(pool, 4, &mut step), seconds_on(pool, 4, &mut product)));
        speedups.push(times[0].0 / times[1].0);
        for (rates, (step, product)) in rates.iter_mut().zip(times) {
            rates.push(STEP_OPERATIONS / step / (2.0 * 1024_f64.powi(3) / product));
        }
    }
    println!("\na step on one thread / on two: {:.2}", median(speedups));
    let [one, two] = rates.map(median);
    println!("a step's rate of products as a fraction of that of 1024 cubed: {one:.2} on one thread, {two:.2} on two");
}
