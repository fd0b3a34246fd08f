//! A step of Adam against a copy of the same bytes: it reads p, g, m and v and writes p, m and v, 28 bytes an element
//! in f32, as does a copy of 14 bytes an element.
//!
//! ```text
//! cargo bench -p gradus-optim
//! ```

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradus_autograd::{Grads, Params};
use gradus_optim::{Adam, IntoOptimizer, Optimizer, Sgd};
use gradus_tensor::Tensor;

/// A step's memory traffic: four numbers read and three written.
const BYTES: u64 = 7 * size_of::<f32>() as u64;

fn one_parameter(size: usize) -> (Params, Grads) {
    let mut params = Params::new();
    params.add("kernel", Tensor::ones([size]));
    let grads = [Some(Tensor::full([size], 0.01))].into_iter().collect();
    (params, grads)
}

fn adam(criterion: &mut Criterion) {
    for size in [100_000, 10_000_000] {
        let mut group = criterion.benchmark_group(format!("update of {size} f32"));
        group.throughput(Throughput::Bytes(BYTES * size as u64)).sample_size(20);

        // Both halves of what is moved are of half the size: read once, written once.
        let source = vec![1_u8; size * BYTES as usize / 2];
        let mut target = source.clone();
        group.bench_function("memcpy of the same bytes", |bencher| {
            bencher.iter(|| black_box(&mut target).copy_from_slice(black_box(&source)));
        });

        let (mut params, grads) = one_parameter(size);
        let mut optimizer = Optimizer::from(Adam::default());
        group.bench_function("adam", |bencher| bencher.iter(|| optimizer.step(&mut params, &grads)));

        let (mut params, grads) = one_parameter(size);
        let mut optimizer = Adam::default().clip_value(1.0).weight_decay(0.01);
        group.bench_function("adam, clipped and decayed", |bencher| {
            bencher.iter(|| optimizer.step(&mut params, &grads));
        });

        let (mut params, grads) = one_parameter(size);
        let mut optimizer = Optimizer::from(Sgd::default());
        group.bench_function("sgd", |bencher| bencher.iter(|| optimizer.step(&mut params, &grads)));
        group.finish();
    }
}

criterion_group!(benches, adam);
criterion_main!(benches);
