//! Batch, group and layer normalisation and their derivatives as a fraction of memcpy's bandwidth, in the same run.
//!
//! `cargo bench -p gradus-tensor --bench standardize`. The bytes of an operation are those
//! that its two passes must move: forward x is read twice and y written once; backward x and g are read twice, and the gradient by x
//! is written once, in the memory of g. (Each byte of a memcpy is read or written once.) If a slot stays in the cache between the
//! passes, as in a layer normalisation or with small samples, each byte is counted once. After criterion's report a table gives, for one thread and for
//! all, the bandwidth of each and its fraction of that of a memcpy on one thread that moves as many bytes, measured in turn
//! with it.

use std::hint::black_box;

use gradus_tensor::{Generator, Standardization, Tensor};

#[path = "support/in_turn.rs"]
mod in_turn;
#[path = "support/memcpy.rs"]
mod memcpy;

use memcpy::Work;

struct Case {
    name: &'static str,
    shape: [usize; 3],
    how: Standardization,
    /// The number of times that x is read.
    reads: usize,
}

fn cases() -> [Case; 5] {
    let (large, small) = ([32, 56 * 56, 64], [128, 26 * 26, 32]);
    let case = |name, shape, how, reads| Case { name, shape, how, reads };
    [
        case("batch [32*56*56, 64]", large, Standardization::of_channels(), 2),
        case("batch, relu [32*56*56, 64]", large, Standardization::of_channels().relu(true), 2),
        case("batch [128*26*26, 32]", small, Standardization::of_channels(), 2),
        case("8 groups [128, 26*26, 32]", small, Standardization::of_groups(8), 1),
        case("layer [32*56*7, 512]", [32 * 56, 7, 512], Standardization::of_rows(), 1),
    ]
}

fn works(case: &Case) -> [Work; 2] {
    let x: Tensor = Generator::new(1).normal(case.shape, 0.5, 2.0);
    let channels = case.shape[2];
    let (gamma, beta) = (Tensor::linspace(0.5, 1.5, channels), Tensor::linspace(-0.5, 0.5, channels));
    let how = case.how;
    let (y, moments) = x.standardize(&gamma, &beta, &how);
    let mut g = Some(y * 0.5);
    let (size, x1, gamma1, beta1) = (x.size(), x.clone(), gamma.clone(), beta.clone());
    [
        ("forward", (case.reads + 1) * size, Box::new(move || _ = black_box(x1.standardize(&gamma1, &beta1, &how)))),
        (
            "backward",
            (2 * case.reads + 1) * size,
            Box::new(move || {
                let before = g.take().expect("it is put back");
                let [by_x, ..] = black_box(x.standardize_gradient(before, &gamma, &beta, &moments, &how));
                g = Some(by_x);
            }),
        ),
    ]
}

fn main() {
    memcpy::report(&cases(), |case| case.name, works);
}
