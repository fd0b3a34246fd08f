//! Attention, forward and with its gradients, on one thread and on all, and as a part of the rate of a product of 1024 cubed in
//! the same run.
//!
//! `cargo bench -p gradus-tensor --bench attention`. `benchmarks/run.py --network attention` times it in other
//! frameworks. The operations of a pass are those of its products without masks: two forward, five backward. A causal attention
//! has half of them, but needs more than half of the time.

use std::hint::black_box;

use criterion::Criterion;
use gradus_tensor::{Attention, Generator, Tensor};
use rayon_core::ThreadPoolBuilder;

#[path = "support/in_turn.rs"]
mod in_turn;

/// Samples, positions, heads and the length of a query.
const SHAPES: [[usize; 4]; 3] = [[1, 2048, 8, 64], [16, 128, 4, 32], [32, 80, 4, 32]];

struct Operands {
    inputs: [Tensor; 4],
    how: Attention,
}

impl Operands {
    fn new(shape: [usize; 4], causal: bool) -> Self {
        let inputs = [1, 2, 3, 4].map(|seed| Generator::new(seed).normal(shape, 0.0, 1.0));
        Operands { inputs, how: Attention::new().causal(causal) }
    }

    fn forward(&self) {
        let [q, k, v, _] = &self.inputs;
        black_box(q.attention(k, v, &self.how));
    }

    fn both(&self) {
        let [q, k, v, g] = &self.inputs;
        let (y, sums) = q.attention(k, v, &self.how);
        black_box(q.attention_gradient(g, k, v, &self.how, &y, &sums));
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    for causal in [false, true] {
        for shape in SHAPES {
            let operands = Operands::new(shape, causal);
            let name = format!("attention {shape:?}{}", if causal { ", causal" } else { "" });
            criterion.bench_function(&format!("{name}, forward"), |bench| bench.iter(|| operands.forward()));
            criterion.bench_function(&format!("{name}, both"), |bench| bench.iter(|| operands.both()));
        }
    }
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    println!("{:<40} {:>9} {:>9} {:>9} {:>9}", "", "1 thr. ms", "ms", "speed-up", "of gemm");
    let one = ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let square: Tensor = Generator::new(1).normal([1024, 1024], 0.0, 1.0);
    for causal in [false, true] {
        for shape in SHAPES {
            let operands = Operands::new(shape, causal);
            for (pass, products) in [("forward", 2.0), ("both", 7.0)] {
                let run = || if products == 2.0 { operands.forward() } else { operands.both() };
                let [alone, together, gemm] = in_turn::medians(
                    9,
                    [&mut || one.install(run), &mut || run(), &mut || {
                        black_box(square.matmul(&square));
                    }],
                );
                let [n, t, heads, d] = shape.map(|length| length as f64);
                let part = products * n * heads * t * t * d / together / (1024_f64.powi(3) / gemm);
                let name = format!("{shape:?}{}, {pass}", if causal { ", causal" } else { "" });
                let (ms, speed_up) = (1e3 * together, alone / together);
                println!("{name:<40} {:>9.2} {ms:>9.2} {speed_up:>9.2} {part:>9.2}", 1e3 * alone);
            }
        }
    }
}
