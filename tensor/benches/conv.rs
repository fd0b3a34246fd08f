//! The rates of convolutions and their gradients as fractions of the matrix product's rate, in the same run.
//!
//! `cargo bench -p gradus-tensor --bench conv`. After criterion's report a table gives, for one thread and for all, the
//! rate of each as a fraction of that of a product of 1024 cubed on as many threads, measured in turn with it.

use std::hint::black_box;

use criterion::Criterion;
use gradus_tensor::{Convolution, Generator, Shape, Tensor};
use rayon_core::ThreadPoolBuilder;

#[path = "support/in_turn.rs"]
mod in_turn;

use in_turn::medians;

const BATCH: usize = 32;

/// A convolution over a square picture.
struct Case {
    name: &'static str,
    side: usize,
    channels: usize,
    kernel: usize,
    filters: usize,
    stride: usize,
    padding: usize,
    groups: usize,
}

const CASES: [Case; 6] = [
    Case {
        name: "1 -> 32, 3x3 on 28x28",
        side: 28,
        channels: 1,
        kernel: 3,
        filters: 32,
        stride: 1,
        padding: 0,
        groups: 1,
    },
    Case {
        name: "32 -> 64, 3x3 on 13x13",
        side: 13,
        channels: 32,
        kernel: 3,
        filters: 64,
        stride: 1,
        padding: 0,
        groups: 1,
    },
    Case {
        name: "64 -> 64, 3x3 on 56x56",
        side: 56,
        channels: 64,
        kernel: 3,
        filters: 64,
        stride: 1,
        padding: 1,
        groups: 1,
    },
    Case {
        name: "64 -> 128, 3x3 by 2 on 56x56",
        side: 56,
        channels: 64,
        kernel: 3,
        filters: 128,
        stride: 2,
        padding: 1,
        groups: 1,
    },
    Case {
        name: "256 -> 256, 1x1 on 14x14",
        side: 14,
        channels: 256,
        kernel: 1,
        filters: 256,
        stride: 1,
        padding: 0,
        groups: 1,
    },
    Case {
        name: "depthwise 32, 3x3 on 112x112",
        side: 112,
        channels: 32,
        kernel: 3,
        filters: 32,
        stride: 1,
        padding: 1,
        groups: 32,
    },
];

impl Case {
    fn convolution(&self) -> Convolution {
        Convolution::new(2).strides(&[self.stride; 2]).padding(&[(self.padding, self.padding); 2]).groups(self.groups)
    }

    fn input(&self) -> Shape {
        [BATCH, self.side, self.side, self.channels].into()
    }

    fn kernel(&self) -> Shape {
        [self.kernel, self.kernel, self.channels / self.groups, self.filters].into()
    }
}

/// One of the three products of a convolution: its name, and a closure that computes it.
type Work = (&'static str, Box<dyn FnMut()>);

fn works(case: &Case) -> [Work; 3] {
    let mut generator = Generator::new(1);
    let convolution = case.convolution();
    let (input, kernel) = (case.input(), case.kernel());
    let output = convolution.output_shape(&input, &kernel).unwrap();
    let x: Tensor = generator.uniform(input.clone(), -1.0..1.0);
    let w: Tensor = generator.uniform(kernel.clone(), -1.0..1.0);
    let g: Tensor = generator.uniform(output, -1.0..1.0);
    let (x2, w2, g2) = (x.clone(), w.clone(), g.clone());
    let [c1, c2, c3] = [convolution.clone(), convolution.clone(), convolution];
    [
        ("forward", Box::new(move || _ = black_box(x.convolve(&w, &c1)))),
        ("input gradient", Box::new(move || _ = black_box(g.convolve_input_gradient(&w2, &input, &c2)))),
        ("kernel gradient", Box::new(move || _ = black_box(x2.convolve_kernel_gradient(&g2, &kernel, &c3)))),
    ]
}

/// The multiply-adds of each of the three products.
fn multiply_adds(case: &Case) -> f64 {
    let output = case.convolution().output_shape(&case.input(), &case.kernel()).unwrap();
    (output.size() * case.kernel * case.kernel * case.channels / case.groups) as f64
}

fn ratios(threads: usize) {
    let mut generator = Generator::new(1);
    let (a, b): (Tensor, Tensor) =
        (generator.uniform([1024, 1024], -1.0..1.0), generator.uniform([1024, 1024], -1.0..1.0));
    let mut product = || _ = black_box(a.matmul(&b));
    println!("\n{threads} threads, as a fraction of the rate of 1024 cubed:");
    for case in CASES {
        for (name, mut work) in works(&case) {
            let repeats = (2e8 / multiply_adds(&case)).ceil() as usize;
            let [gemm, these] = medians(9, [&mut product, &mut || (0..repeats).for_each(|_| work())]);
            let this = these / repeats as f64;
            let (gemm_rate, rate) = (1024_f64.powi(3) / gemm, multiply_adds(&case) / this);
            println!(
                "{:30} {name:16} {:8.3} ms  {:6.1} GFLOP/s  {:.2} of {:.1}",
                case.name,
                this * 1e3,
                2e-9 * rate,
                rate / gemm_rate,
                2e-9 * gemm_rate
            );
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for case in CASES {
        let mut group = criterion.benchmark_group(case.name);
        group.sample_size(10);
        for (name, mut work) in works(&case) {
            group.bench_function(name, |b| b.iter(&mut work));
        }
        group.finish();
    }
    criterion.final_summary();
    ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| ratios(1));
    ratios(rayon_core::current_num_threads());
}
