//! The training step and the epoch of the MNIST network, beside the same arithmetic written by hand.
//!
//!     cargo bench -p gradus-train --bench mnist
//!
//! The hand-written loop calls `matrixmultiply` directly and allocates nothing; all else in it is fused by hand and
//! vectorised. After criterion's report, a table gives the ratios, each from pairs measured in turn.
#![allow(unsafe_code, missing_docs)] // matrixmultiply takes pointers; `criterion_group!` makes undocumented functions.

mod support;

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group};
use gradus_datasets::{Dataset, mnist};
use gradus_nn::losses::CategoricalCrossentropy;
use gradus_nn::{Activation, Dense, Flatten, Model, Sequential};
use gradus_optim::{Adam, Optimizer};
use gradus_tensor::{Generator, Tensor, simd};
use gradus_train::{Fit, Trainer, train_step};
use support::{median, report};

const BATCH: usize = 32;
const PIXELS: usize = 784;
const HIDDEN: usize = 128;
const CLASSES: usize = 10;

fn model() -> Model {
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(HIDDEN).activation(Activation::Relu))
        .add(Dense::new(CLASSES).activation(Activation::Softmax));
    Model::build(network, [28, 28], 1).unwrap()
}

fn data() -> Dataset {
    let splits =
        mnist::load().unwrap().map_inputs(|x| x.to::<f32>() / 255.0).map_targets(|y| y.one_hot::<f32>(CLASSES));
    splits.split().0
}

/// The network by hand: weights and everything a step writes, allocated once.
struct ByHand {
    weights: [Vec<f32>; 4],
    first: [Vec<f32>; 4],
    second: [Vec<f32>; 4],
    gradients: [Vec<f32>; 4],
    hidden: Vec<f32>,
    outputs: Vec<f32>,
    back: Vec<f32>,
    steps: i32,
}

/// C (m x n) = alpha-free A B + beta C, with strides as given and C row-major.
#[allow(clippy::too_many_arguments)] // BLAS's.
fn gemm(m: usize, k: usize, n: usize, a: &[f32], sa: [isize; 2], b: &[f32], sb: [isize; 2], beta: f32, c: &mut [f32]) {
    assert!(a.len() >= m * k && b.len() >= k * n && c.len() >= m * n);
    // SAFETY: the strides are those of dense matrices of these sizes, which the slices hold.
    unsafe {
        let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
        matrixmultiply::sgemm(m, k, n, 1.0, a, sa[0], sa[1], b, sb[0], sb[1], beta, c, n as isize, 1);
    }
}

impl ByHand {
    fn new(model: &Model) -> Self {
        let weights: Vec<Vec<f32>> = model.params().iter().map(|param| param.value.to_vec()).collect();
        let zeros = || [PIXELS * HIDDEN, HIDDEN, HIDDEN * CLASSES, CLASSES].map(|size| vec![0.0; size]);
        ByHand {
            weights: weights.try_into().unwrap(),
            first: zeros(),
            second: zeros(),
            gradients: zeros(),
            hidden: vec![0.0; BATCH * HIDDEN],
            outputs: vec![0.0; BATCH * CLASSES],
            back: vec![0.0; BATCH * HIDDEN],
            steps: 0,
        }
    }

    fn step(&mut self, x: &[f32], t: &[f32]) -> f32 {
        let n = t.len() / CLASSES;
        let [w1, b1, w2, b2] = &self.weights;
        let (hidden, outputs) = (&mut self.hidden[..n * HIDDEN], &mut self.outputs[..n * CLASSES]);
        // Forward.
        hidden.chunks_exact_mut(HIDDEN).for_each(|row| row.copy_from_slice(b1));
        gemm(n, PIXELS, HIDDEN, x, [PIXELS as isize, 1], w1, [HIDDEN as isize, 1], 1.0, hidden);
        simd::vectorize(
            #[inline(always)]
            || hidden.iter_mut().for_each(|h| *h = h.max(0.0)),
        );
        outputs.chunks_exact_mut(CLASSES).for_each(|row| row.copy_from_slice(b2));
        gemm(n, HIDDEN, CLASSES, hidden, [HIDDEN as isize, 1], w2, [CLASSES as isize, 1], 1.0, outputs);
        // Softmax and the loss; the outputs become their own gradient.
        let mut loss = 0.0;
        for (p, t) in outputs.chunks_exact_mut(CLASSES).zip(t.chunks_exact(CLASSES)) {
            let max = p.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            p.iter_mut().for_each(|p| *p = (*p - max).exp());
            let scale = 1.0 / p.iter().sum::<f32>();
            for (p, &t) in p.iter_mut().zip(t) {
                *p *= scale;
                if t > 0.0 {
                    loss -= t * p.ln();
                }
                *p = (*p - t) / n as f32;
            }
        }
        // Back.
        let back = &mut self.back[..n * HIDDEN];
        let [g1, c1, g2, c2] = &mut self.gradients;
        gemm(HIDDEN, n, CLASSES, hidden, [1, HIDDEN as isize], outputs, [CLASSES as isize, 1], 0.0, g2);
        gemm(n, CLASSES, HIDDEN, outputs, [CLASSES as isize, 1], w2, [1, CLASSES as isize], 0.0, back);
        simd::vectorize(
            #[inline(always)]
            || back.iter_mut().zip(hidden.iter()).for_each(|(g, &h)| *g = if h > 0.0 { *g } else { 0.0 }),
        );
        gemm(PIXELS, n, HIDDEN, x, [1, PIXELS as isize], back, [HIDDEN as isize, 1], 0.0, g1);
        for (sums, rows) in [(c1, &*back), (c2, &*outputs)] {
            sums.fill(0.0);
            for row in rows.chunks_exact(sums.len()) {
                sums.iter_mut().zip(row).for_each(|(sum, &g)| *sum += g);
            }
        }
        // Adam. Moments that have become subnormal are 0, as in the framework: see `optim`'s `settle`.
        self.steps += 1;
        let (beta1, beta2) = (0.9_f32, 0.999_f32);
        let correct2 = 1.0 / (1.0 - beta2.powi(self.steps)).sqrt();
        let rate = 1e-3 / (1.0 - beta1.powi(self.steps));
        for i in 0..4 {
            let (w, g) = (&mut self.weights[i][..], &self.gradients[i][..]);
            let (m, v) = (&mut self.first[i][..w.len()], &mut self.second[i][..w.len()]);
            simd::vectorize(
                #[inline(always)]
                || {
                    for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
                        let (mean, square) = (*m + (1.0 - beta1) * (g - *m), *v + (1.0 - beta2) * (g * g - *v));
                        *w -= rate * mean / (square.sqrt() * correct2 + 1e-8);
                        *m = if mean.abs() < f32::MIN_POSITIVE { 0.0 } else { mean };
                        *v = if square < f32::MIN_POSITIVE { 0.0 } else { square };
                    }
                },
            );
        }
        loss / n as f32
    }

    /// An epoch in a new random order, gathering included.
    fn epoch(&mut self, x: &[f32], t: &[f32], generator: &mut Generator, room: &mut (Vec<f32>, Vec<f32>)) -> f32 {
        let samples = t.len() / CLASSES;
        let mut order: Vec<usize> = (0..samples).collect();
        generator.shuffle(&mut order);
        let mut total = 0.0;
        for rows in order.chunks(BATCH) {
            let (inputs, targets) = (&mut room.0[..rows.len() * PIXELS], &mut room.1[..rows.len() * CLASSES]);
            for (i, &row) in rows.iter().enumerate() {
                inputs[i * PIXELS..][..PIXELS].copy_from_slice(&x[row * PIXELS..][..PIXELS]);
                targets[i * CLASSES..][..CLASSES].copy_from_slice(&t[row * CLASSES..][..CLASSES]);
            }
            let loss = {
                let (inputs, targets) = (std::mem::take(&mut room.0), std::mem::take(&mut room.1));
                let loss = self.step(&inputs[..rows.len() * PIXELS], &targets[..rows.len() * CLASSES]);
                *room = (inputs, targets);
                loss
            };
            total += loss * rows.len() as f32;
        }
        total / samples as f32
    }
}

/// The framework's step on one batch.
struct Framework {
    model: Model,
    optimizer: Optimizer<Adam>,
    generator: Generator,
}

impl Framework {
    fn new() -> Self {
        Framework { model: model(), optimizer: Adam::default().into(), generator: Generator::new(3) }
    }

    fn step(&mut self, x: &Tensor, t: &Tensor) -> f32 {
        let loss = CategoricalCrossentropy::default();
        train_step(&mut self.model, &loss, &mut self.optimizer, x, t, None, &mut self.generator).unwrap().loss
    }
}

/// A pool of one thread, for the figures on one; those on all are taken as any program runs, outside a pool.
fn single_thread() -> rayon_core::ThreadPool {
    rayon_core::ThreadPoolBuilder::new().num_threads(1).build().unwrap()
}

fn epoch_of(trainer: &mut Trainer<CategoricalCrossentropy, Adam>, data: &Dataset) -> f64 {
    trainer.fit(data, Fit { verbose: false, batch_size: BATCH, ..Fit::default() }).unwrap().get("loss")[0]
}

fn trainer() -> Trainer<CategoricalCrossentropy, Adam> {
    Trainer::new(model(), CategoricalCrossentropy::default(), Adam::default())
}

fn benches(criterion: &mut Criterion) {
    let data = data();
    let batch = data.take(BATCH);
    let (x, t) = (batch.inputs().contiguous(), batch.targets().contiguous());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);

    let mut group = criterion.benchmark_group("step");
    let mut by_hand = ByHand::new(&model());
    group.bench_function("by hand, 1 thread", |b| {
        b.iter(|| by_hand.step(x.as_slice().unwrap(), t.as_slice().unwrap()));
    });
    for threads in [1, threads] {
        let mut framework = Framework::new();
        group.bench_function(format!("framework, {threads} threads"), |b| {
            if threads == 1 {
                single_thread().install(|| b.iter(|| framework.step(&x, &t)));
            } else {
                b.iter(|| framework.step(&x, &t));
            }
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("epoch");
    group.sample_size(10);
    let (all_x, all_t) = (data.inputs().as_slice().unwrap(), data.targets().as_slice().unwrap());
    let mut room = (vec![0.0; BATCH * PIXELS], vec![0.0; BATCH * CLASSES]);
    let mut generator = Generator::new(5);
    let mut by_hand = ByHand::new(&model());
    group.bench_function("by hand, 1 thread", |b| {
        b.iter(|| by_hand.epoch(all_x, all_t, &mut generator, &mut room));
    });
    for threads in [1, threads] {
        let mut trainer = trainer();
        group.bench_function(format!("framework, {threads} threads"), |b| {
            if threads == 1 {
                single_thread().install(|| b.iter(|| epoch_of(&mut trainer, &data)));
            } else {
                b.iter(|| epoch_of(&mut trainer, &data));
            }
        });
    }
    group.finish();

    let model = model();
    let one = x.slice(0, 0..1).contiguous();
    let mut group = criterion.benchmark_group("predict one image");
    group.bench_function("framework", |b| b.iter(|| model.predict(black_box(&one)).unwrap()));
    group.finish();
}

/// The median seconds of each of `work`, called in turn.
fn medians<const N: usize>(rounds: usize, mut work: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut seconds: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..rounds {
        for (work, seconds) in work.iter_mut().zip(&mut seconds) {
            let start = Instant::now();
            work();
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    seconds.map(median)
}

/// Ratios from work done in turn, so that a slow spell of the machine meets all alike.
fn ratios() {
    let data = data();
    let batch = data.take(BATCH);
    let (x, t) = (batch.inputs().contiguous(), batch.targets().contiguous());
    let (xs, ts) = (x.as_slice().unwrap(), t.as_slice().unwrap());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let one = single_thread();

    const STEPS: usize = 200;
    let (mut by_hand, mut single, mut team) = (ByHand::new(&model()), Framework::new(), Framework::new());
    let step = medians(
        31,
        [
            &mut || (0..STEPS).for_each(|_| _ = black_box(by_hand.step(xs, ts))),
            &mut || one.install(|| (0..STEPS).for_each(|_| _ = black_box(single.step(&x, &t)))),
            &mut || (0..STEPS).for_each(|_| _ = black_box(team.step(&x, &t))),
        ],
    );
    println!("\nstep, batch {BATCH}: by hand {:.1} us on 1 thread", step[0] / STEPS as f64 * 1e6);
    println!("  framework, 1 thread   {:6.1} us  {:.2} x by hand", step[1] / STEPS as f64 * 1e6, step[1] / step[0]);
    println!(
        "  framework, {threads} threads  {:6.1} us  {:.2} x 1 thread",
        step[2] / STEPS as f64 * 1e6,
        step[2] / step[1]
    );

    let (all_x, all_t) = (data.inputs().as_slice().unwrap(), data.targets().as_slice().unwrap());
    let mut room = (vec![0.0; BATCH * PIXELS], vec![0.0; BATCH * CLASSES]);
    let mut generator = Generator::new(5);
    let (mut by_hand, mut single, mut team) = (ByHand::new(&model()), trainer(), trainer());
    let epoch = medians(
        7,
        [
            &mut || _ = black_box(by_hand.epoch(all_x, all_t, &mut generator, &mut room)),
            &mut || _ = one.install(|| black_box(epoch_of(&mut single, &data))),
            &mut || _ = black_box(epoch_of(&mut team, &data)),
        ],
    );
    println!("epoch, shuffling and gathering included: by hand {:.3} s on 1 thread", epoch[0]);
    println!("  framework, 1 thread   {:6.3} s   {:.2} x by hand", epoch[1], epoch[1] / epoch[0]);
    println!("  framework, {threads} threads  {:6.3} s   {:.2} x 1 thread", epoch[2], epoch[2] / epoch[1]);

    // A network so small that there is nothing to share.
    let tiny = Sequential::new().add(Dense::new(8).activation(Activation::Tanh)).add(Dense::new(1));
    let tiny_x = Tensor::<f32>::ones([BATCH, 2]);
    let tiny_t = Tensor::<f32>::ones([BATCH, 1]);
    let step_of_tiny = |model: &mut Model, optimizer: &mut Optimizer<Adam>| {
        let loss = gradus_nn::losses::MeanSquaredError;
        (0..STEPS).for_each(|_| {
            let mut generator = Generator::new(0);
            _ = train_step(model, &loss, optimizer, &tiny_x, &tiny_t, None, &mut generator).unwrap();
        });
    };
    let build = || (Model::build(tiny.clone(), [2], 0).unwrap(), Optimizer::from(Adam::default()));
    let ((mut model1, mut adam1), (mut model2, mut adam2)) = (build(), build());
    let small = medians(
        31,
        [&mut || one.install(|| step_of_tiny(&mut model1, &mut adam1)), &mut || step_of_tiny(&mut model2, &mut adam2)],
    );
    println!("step of a 2-8-1 network: {:.2} us on 1 thread", small[0] / STEPS as f64 * 1e6);
    println!("  {threads} threads  {:.2} x 1 thread", small[1] / small[0]);

    let network = model();
    let image = x.slice(0, 0..1).contiguous();
    let pixels = image.to_vec();
    let weights: Vec<Tensor> = network.params().iter().map(|param| param.value.clone()).collect();
    let mut hidden = vec![0.0_f32; HIDDEN];
    let mut outputs = vec![0.0_f32; CLASSES];
    let mut bare = || {
        // Rows of the weights times the pixels, added up: the order in which memory is read once.
        let [w1, b1, w2, b2] = [0, 1, 2, 3].map(|i| weights[i].as_slice().unwrap());
        simd::vectorize(
            #[inline(always)]
            || {
                hidden.copy_from_slice(b1);
                for (row, &x) in w1.chunks_exact(HIDDEN).zip(&pixels) {
                    hidden.iter_mut().zip(row).for_each(|(h, &w)| *h += x * w);
                }
                hidden.iter_mut().for_each(|h| *h = h.max(0.0));
                outputs.copy_from_slice(b2);
                for (row, &h) in w2.chunks_exact(CLASSES).zip(&hidden) {
                    outputs.iter_mut().zip(row).for_each(|(o, &w)| *o += h * w);
                }
                let max = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                outputs.iter_mut().for_each(|o| *o = (*o - max).exp());
                let scale = 1.0 / outputs.iter().sum::<f32>();
                outputs.iter_mut().for_each(|o| *o *= scale);
            },
        );
        black_box(&outputs);
    };
    let predict = medians(
        31,
        [&mut || (0..STEPS).for_each(|_| bare()), &mut || {
            (0..STEPS).for_each(|_| _ = black_box(network.predict(black_box(&image)).unwrap()))
        }],
    );
    println!("predict one image: bare arithmetic {:.2} us", predict[0] / STEPS as f64 * 1e6);
    println!("  framework  {:.2} us  {:.2} x", predict[1] / STEPS as f64 * 1e6, predict[1] / predict[0]);
}

criterion_group!(group, benches);

fn main() {
    report(group, ratios);
}
