//! Poolings and their derivatives as a fraction of memcpy's bandwidth, in the same run.
//!
//! `cargo bench -p gradus-tensor --bench pool`. The bytes of an operation are those it must read and write once. After
//! criterion's report a table gives, for one thread and for all, the bandwidth of each and its fraction of that of a
//! memcpy on one thread that moves as many bytes, measured in turn with it.

use std::hint::black_box;

use gradus_tensor::{Generator, Pooling, Shape, Tensor};

#[path = "support/in_turn.rs"]
mod in_turn;
#[path = "support/memcpy.rs"]
mod memcpy;

use memcpy::Work;

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

fn main() {
    memcpy::report(&CASES, |case| case.name, works);
}
