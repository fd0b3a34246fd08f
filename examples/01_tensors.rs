//! Lesson 1. Tensors: n-dimensional arrays, and what can be done with them.
//!
//!     cargo run --example tensors

use gradus::prelude::*;

fn main() {
    // Numbers nested in arrays become a tensor of f32; other element types are made by `from`.
    let x = Tensor::new([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let counts = Tensor::from([3_i64, 1, 2]);
    println!("x, of shape {}:\n{x}\n", x.shape());
    println!("counts, whole numbers: {counts}\n");

    // Arithmetic is elementwise. A missing or single axis is repeated as often as it takes: broadcasting.
    println!("x * 10 + [0.1, 0.2, 0.3]:\n{}\n", &x * 10.0 + Tensor::new([0.1, 0.2, 0.3]));

    // Views look at the same elements in another way and copy nothing.
    println!("transposed:\n{}\n", x.t());
    println!("the last two columns:\n{}\n", x.slice(1, -2..));
    println!("every other element, backwards: {}\n", x.flatten().slice(0, step(.., -2)));

    // A reduction runs over the axes named; keepdims lets the result broadcast against the input.
    println!("column sums {}, row means {}, the largest {}\n", x.sum(0), x.mean(1), x.max(..));
    println!("rows divided by their sums:\n{}\n", &x / x.sum(keepdims(1)));

    // A clone shares its elements too; writing to one copies first, so the other never changes.
    let mut y = x.clone();
    y += 1.0;
    println!("y = x + 1 begins with {}, x still with {}\n", y.get([0, 0]), x.get([0, 0]));

    // Matrix products, also of whole stacks of matrices.
    println!("x times its transpose:\n{}\n", x.matmul(&x.t()));

    // Randomness comes from a generator that is seeded: the same seed, the same numbers, on every machine.
    let mut generator = Generator::new(2026);
    let heights: Tensor = generator.normal([10_000], 170.0, 10.0);
    println!("10,000 heights: mean {:.1} cm, deviation {:.1} cm", heights.mean(..).item(), heights.std(..).item());
    println!("taller than 2 m: {}", heights.greater(200.0).to::<i64>().sum(..));
}
