//! Poolings and their derivatives as a fraction of memcpy's bandwidth, in the same run.
//!
//! `cargo bench -p gradus-tensor --bench pool`. The bytes of an operation are those it must read and write once. After
//! criterion's report a table gives, for one thread and for all, the bandwidth of each and its fraction of that of a
//! memcpy on one thread that moves as many bytes, measured in turn with it.

use std::hint::black_box;

use criterion::Criterion;
use gradus_tensor::{Generator, Pooling, Shape, Tensor};
use rayon::ThreadPoolBuilder;

#[path = "support/in_turn.rs"]
mod in_turn;
#[path = "support/memcpy.rs"]
mod memcpy;

/// Windows over a batch of pictures.
struct Case {
    name: &'static str,
    input: [usize; 4],
    size: usize,
    stride: usize,
}

const CASES: [Case; 2] = [
    Case { name: "2x2 on [128, 26, 26, 32]", input: [128, 26, 26, 32], size: 2, stride: 2 },
    Case { name: "3x3 by 2 on [32, 112, 112, 64]", input: [32, 112, 112, 64], size: 3, stride: 2 },
];

/// An operation by its name, ready to be computed again and again, and the elements that it reads and writes.
type Work = (&'static str, usize, Box<dyn FnMut()>);

fn works(case: &Case) -> [Work; 4] {
    let pooling = Pooling::new(&[case.size; 2]).strides(&[case.stride; 2]);
    let x: Tensor = Generator::new(1).uniform(case.input, -1.0..1.0);
    let y = x.max_pool(&pooling);
    let g = y.clone() * 0.5;
    let input: Shape = case.input.into();
    let (large, small) = (x.size(), y.size());
    let (p1, p2, p3, p4) = (pooling.clone(), pooling.clone(), pooling.clone(), pooling);
    let (x1, x2, g2) = (x.clone(), x.clone(), g.clone());
    [
        ("max", large + small, Box::new(move || _ = black_box(x1.max_pool(&p1)))),
        ("max gradient", 2 * large + 2 * small, Box::new(move || _ = black_box(x2.max_pool_gradient(&y, &g2, &p2)))),
        ("average", large + small, Box::new(move || _ = black_box(x.average_pool(&p3)))),
        ("average gradient", large + small, Box::new(move || _ = black_box(g.average_pool_gradient(&input, &p4)))),
    ]
}

fn ratios(threads: usize) {
    println!("\n{threads} threads, as a fraction of memcpy's bandwidth:");
    for case in CASES {
        for (name, elements, mut work) in works(&case) {
            memcpy::compare(&format!("{} {name}", case.name), elements * size_of::<f32>(), &mut work);
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for case in CASES {
        let mut group = criterion.benchmark_group(case.name);
        group.sample_size(10);
        for (name, _, mut work) in works(&case) {
            group.bench_function(name, |b| b.iter(&mut work));
        }
        group.finish();
    }
    criterion.final_summary();
    ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| ratios(1));
    ratios(rayon::current_num_threads());
}
