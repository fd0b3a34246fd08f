//! Matrix products against `matrixmultiply` on one thread, in the same run.
//!
//! `cargo bench -p gradus-tensor --bench gemm`. Shapes are rows of A, inner length, columns of B; `t` marks an
//! operand that is a transposed view. The first eight shapes are those of a training step of the introductory MNIST network with
//! batches of 32, and of the prediction of one image.
// matrixmultiply takes pointers.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use gradus_tensor::Tensor;
use rayon_core::{ThreadPool, ThreadPoolBuilder};

/// A product, `stack` times over.
struct Product {
    stack: usize,
    shape: [usize; 3],
    transposed: [bool; 2],
}

const fn product(m: usize, k: usize, n: usize) -> Product {
    Product { stack: 1, shape: [m, k, n], transposed: [false, false] }
}

const fn a_transposed(m: usize, k: usize, n: usize) -> Product {
    Product { transposed: [true, false], ..product(m, k, n) }
}

const fn b_transposed(m: usize, k: usize, n: usize) -> Product {
    Product { transposed: [false, true], ..product(m, k, n) }
}

const PRODUCTS: [Product; 29] = [
    product(32, 784, 128),
    a_transposed(784, 32, 128),
    b_transposed(32, 128, 784),
    product(32, 128, 10),
    a_transposed(128, 32, 10),
    b_transposed(32, 10, 128),
    product(1, 784, 128),
    product(1, 128, 10),
    b_transposed(1, 784, 128),
    product(784, 128, 1),
    product(8, 784, 128),
    Product { stack: 64, ..product(128, 32, 128) },
    product(86_528, 9, 32),
    product(15_488, 288, 64),
    product(64, 512, 512),
    product(512, 512, 64),
    product(64, 64, 64),
    product(96, 96, 96),
    product(128, 128, 128),
    product(192, 192, 192),
    product(256, 256, 256),
    product(384, 384, 384),
    product(512, 512, 512),
    a_transposed(512, 512, 512),
    b_transposed(512, 512, 512),
    product(768, 768, 768),
    product(1000, 1000, 1000),
    product(1024, 1024, 1024),
    product(2048, 2048, 2048),
];

fn main() {
    let one = ThreadPoolBuilder::new().num_threads(1).build().expect("a thread can be started");
    let all = ThreadPoolBuilder::new().build().expect("threads can be started");
    let mut criterion = Criterion::default().configure_from_args();
    let mut table = Vec::new();
    for product in &PRODUCTS {
        table.push((product.name(), product.measure(&mut criterion, &one, &all)));
    }
    criterion.final_summary();
    println!("GFLOP/s, and as a multiple of matrixmultiply's");
    println!("{:<24} {:>15} {:>16} {:>16}", "", "matrixmultiply", "one thread", "all threads");
    for (name, [reference, one, all]) in table {
        println!(
            "{name:<24} {reference:>15.1} {one:>8.1} ({:>5.2}) {all:>8.1} ({:>5.2})",
            one / reference,
            all / reference
        );
    }
}

impl Product {
    fn name(&self) -> String {
        let [m, k, n] = self.shape;
        let stack = if self.stack > 1 { format!("{} times ", self.stack) } else { String::new() };
        let [a, b] = self.transposed.map(|transposed| if transposed { "t" } else { "" });
        format!("{stack}{m} x {k}{a} x {n}{b}")
    }

    /// The rates of `matrixmultiply`, and of `matmul` on one thread and on all; NaN for those that the command line leaves out.
    fn measure(&self, criterion: &mut Criterion, one: &ThreadPool, all: &ThreadPool) -> [f64; 3] {
        let [m, k, n] = self.shape;
        let stored = |rows: usize, columns: usize, transposed: bool| {
            let shape = if transposed { [self.stack, columns, rows] } else { [self.stack, rows, columns] };
            Tensor::<f32>::linspace(-1.0, 1.0, self.stack * rows * columns).reshape(shape)
        };
        let stored = [stored(m, k, self.transposed[0]), stored(k, n, self.transposed[1])];
        let operand = |i: usize| {
            let operand = if self.transposed[i] { stored[i].t() } else { stored[i].clone() };
            if self.stack == 1 { operand.squeeze(0) } else { operand }
        };
        let (a, b) = (operand(0), operand(1));
        let mut c = vec![0.0_f32; self.stack * m * n];
        let reference = || self.multiply(black_box(&stored), &mut c);
        let ours = || drop(black_box(black_box(&a).matmul(black_box(&b))));
        [
            self.rate(criterion, "matrixmultiply", one, reference),
            self.rate(criterion, "one thread", one, ours),
            self.rate(criterion, "all threads", all, ours),
        ]
    }

    /// The best rate of `body` on the threads of `pool`, in GFLOP/s.
    fn rate(&self, criterion: &mut Criterion, name: &str, pool: &ThreadPool, mut body: impl FnMut() + Send) -> f64 {
        let flops = 2 * self.stack * self.shape.iter().product::<usize>();
        let mut best = f64::NAN;
        let mut group = criterion.benchmark_group(self.name());
        group.throughput(Throughput::Elements(flops as u64));
        group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500)).sample_size(10);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let time = pool.install(|| {
                    let start = Instant::now();
                    (0..iterations).for_each(|_| body());
                    start.elapsed()
                });
                best = best.max(flops as f64 * iterations as f64 / time.as_secs_f64() * 1e-9);
                time
            });
        });
        group.finish();
        best
    }

    /// The same by `matrixmultiply`, from where the operands lie.
    fn multiply(&self, stored: &[Tensor; 2], c: &mut [f32]) {
        let [m, k, n] = self.shape;
        let strides = |rows: usize, columns: usize, transposed: bool| {
            if transposed { [1, rows as isize] } else { [columns as isize, 1] }
        };
        let [a_row, a_column] = strides(m, k, self.transposed[0]);
        let [b_row, b_column] = strides(k, n, self.transposed[1]);
        let [a, b] = stored.each_ref().map(|operand| operand.as_slice().expect("linspace lies in one piece"));
        for ((a, b), c) in a.chunks_exact(m * k).zip(b.chunks_exact(k * n)).zip(c.chunks_exact_mut(m * n)) {
            let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
            // SAFETY: the slices hold the matrices that the shapes and strides describe.
            unsafe {
                matrixmultiply::sgemm(m, k, n, 1.0, a, a_row, a_column, b, b_row, b_column, 0.0, c, n as isize, 1);
            }
        }
    }
}
