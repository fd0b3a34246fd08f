//! Saving and loading a model of 100 million weights, beside copying its file.
//!
//! `cargo bench -p gradus-nn --bench files`: `load` beside `copy`, and `save`, which brings the file to the disk, beside
//! `copy_and_sync`. `TMPDIR` is where the files are written (400 MB each).

use std::fs::{self, File};
use std::path::PathBuf;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gradus_nn::{Dense, Model, Sequential};

fn files(criterion: &mut Criterion) {
    const WIDTH: usize = 5000;
    let network = (0..4).fold(Sequential::new(), |network, _| network.add(Dense::new(WIDTH)));
    let model = Model::build(network, [WIDTH], 1).unwrap();
    let path = |name: &str| -> PathBuf {
        std::env::temp_dir().join(format!("gradus_bench_{name}_{}.safetensors", std::process::id()))
    };
    let (saved, copied) = (path("saved"), path("copied"));
    model.save(&saved).unwrap();
    let copy = || fs::copy(&saved, &copied).unwrap();
    let mut group = criterion.benchmark_group("100M weights");
    group.sample_size(10).throughput(Throughput::Bytes(fs::metadata(&saved).unwrap().len()));
    group.bench_function("copy", |bencher| bencher.iter(copy));
    // Into fresh memory each time, as in a program that has just begun.
    group.bench_function("load", |bencher| {
        let load = |()| Model::load(&saved).unwrap();
        bencher.iter_batched(gradus_tensor::release_memory, load, BatchSize::PerIteration);
    });
    group.bench_function("copy_and_sync", |bencher| {
        bencher.iter(|| {
            copy();
            File::open(&copied).unwrap().sync_all().unwrap();
        })
    });
    group.bench_function("save", |bencher| bencher.iter(|| model.save(&copied).unwrap()));
    group.finish();
    fs::remove_file(&saved).unwrap();
    fs::remove_file(&copied).unwrap();
}

criterion_group!(benches, files);
criterion_main!(benches);
