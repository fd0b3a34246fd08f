//! The bandwidth of elementwise operations, sums and copies of 10 million elements as a fraction of memcpy's, in the same run.
//!
//! `cargo bench -p gradus-tensor --bench elementwise`. The bytes of an operation are those it must read and write once;
//! memcpy reads and writes as many. `RAYON_NUM_THREADS=1` shows one thread's; memcpy always runs on one.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use gradus_tensor::Tensor;

const ROWS: usize = 2500;
const COLUMNS: usize = 4000;
const ELEMENTS: usize = ROWS * COLUMNS;
const MEMCPY: &str = "memcpy";

fn main() {
    let x: Tensor = Tensor::linspace(-4.0, 4.0, ELEMENTS).reshape([ROWS, COLUMNS]);
    let y: Tensor = Tensor::linspace(1.0, 2.0, ELEMENTS).reshape([ROWS, COLUMNS]);
    let row: Tensor = Tensor::linspace(1.0, 2.0, COLUMNS);
    let source = x.to_vec();
    let mut target = vec![0.0_f32; ELEMENTS];

    // The passes over 10 million elements, reading or writing.
    let mut bench = Bench { criterion: Criterion::default().configure_from_args(), table: Vec::new() };
    bench.measure(MEMCPY, 2, || black_box(&mut target).copy_from_slice(black_box(&source)));
    bench.measure("add", 3, || drop(black_box(black_box(&x) + black_box(&y))));
    bench.measure("broadcast add", 2, || drop(black_box(black_box(&x) + black_box(&row))));
    bench.measure("exp", 2, || drop(black_box(black_box(&x).exp())));
    bench.measure("tanh", 2, || drop(black_box(black_box(&x).tanh())));
    bench.measure("gelu", 2, || drop(black_box(black_box(&x).gelu())));
    bench.measure("sum", 1, || drop(black_box(black_box(&x).sum(..))));
    bench.measure("softmax", 2, || drop(black_box(black_box(&x).softmax(-1))));
    bench.measure("transpose copy", 2, || drop(black_box(black_box(&x).t().contiguous())));
    bench.report();
}

struct Bench {
    criterion: Criterion,
    /// Name and GB/s.
    table: Vec<(&'static str, f64)>,
}

impl Bench {
    fn measure(&mut self, name: &'static str, passes: usize, mut body: impl FnMut()) {
        let bytes = passes * ELEMENTS * size_of::<f32>();
        let mut best = None;
        let mut group = self.criterion.benchmark_group("10 million elements");
        group.throughput(Throughput::Bytes(bytes as u64));
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(20);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let start = Instant::now();
                (0..iterations).for_each(|_| body());
                let time = start.elapsed();
                let rate = bytes as f64 * iterations as f64 / time.as_secs_f64() * 1e-9;
                best = Some(best.map_or(rate, |best: f64| best.max(rate)));
                time
            });
        });
        group.finish();
        self.table.extend(best.map(|rate| (name, rate)));
    }

    fn report(self) {
        let memcpy = self.table.iter().find(|(name, _)| *name == MEMCPY).map_or(f64::NAN, |(_, rate)| *rate);
        println!("{:<16} {:>9} {:>12}", "", "GB/s", "of memcpy");
        for (name, rate) in &self.table {
            println!("{name:<16} {rate:>9.1} {:>12.2}", rate / memcpy);
        }
        self.criterion.final_summary();
    }
}
