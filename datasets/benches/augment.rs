//! Pictures augmented in a second, by one thread.
//!
//!     cargo bench -p gradus-datasets --bench augment
#![allow(missing_docs)] // `criterion_group!` makes undocumented functions.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradus_datasets::{Augment, Dataset};
use gradus_tensor::{Generator, Tensor};

const PICTURES: usize = 2048;

fn rates(criterion: &mut Criterion) {
    let geometry = || Augment::new().shift(0.1).rotate(10.0).zoom(0.1);
    let pipelines = [
        ("gathered only", None),
        ("shift", Some(Augment::new().shift(0.1))),
        ("shift, rotate, zoom", Some(geometry())),
        ("flip, crop", Some(Augment::new().flip_horizontal().crop(2))),
        ("contrast, brightness", Some(Augment::new().contrast(0.2).brightness(0.2))),
        ("noise", Some(Augment::new().noise(0.1))),
        ("cut-out", Some(Augment::new().cut_out(0.3))),
        ("mix-up", Some(Augment::new().mix_up(0.2))),
        ("all", Some(geometry().flip_horizontal().contrast(0.2).brightness(0.2).noise(0.1).cut_out(0.3).mix_up(0.2))),
    ];
    for [side, channels] in [[28, 1], [32, 3], [224, 3]] {
        let pictures = PICTURES * 28 * 28 / (side * side);
        let inputs = Generator::new(1).uniform([pictures, side, side, channels], 0.0..1.0_f32);
        let labels = Tensor::from_iter((0..pictures).map(|i| (i % 10) as u8));
        let data = Dataset::new(inputs, labels).unwrap().to_categorical(10).unwrap();
        let mut group = criterion.benchmark_group(format!("{side} x {side} x {channels}"));
        group.throughput(Throughput::Elements(pictures as u64)).sample_size(20);
        for (name, augment) in &pipelines {
            let data = augment.iter().fold(data.clone(), |data, augment| data.augment(augment.clone()).unwrap());
            let walk = || data.batches(128).shuffled(1).augmented(1).unwrap();
            group.bench_function(*name, |bench| bench.iter(|| walk().for_each(|batch| drop(black_box(batch)))));
        }
        group.finish();
    }
}

criterion_group!(benches, rates);
criterion_main!(benches);
