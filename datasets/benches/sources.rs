//! Samples in a second of data in memory, by index, and as a stream, by one thread.
//!
//!     cargo bench -p gradus-datasets --bench sources
#![allow(missing_docs)] // `criterion_group!` makes undocumented functions.

use std::hint::black_box;
use std::io::Write;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradus_datasets::{Csv, DataSource, Dataset, IndexedDataset, Pass, StreamDataset};
use gradus_tensor::{Generator, Tensor};

const ROWS: usize = 20_000;
const BATCH: usize = 128;

/// One epoch in a random order.
fn epoch(data: &dyn DataSource) {
    let pass = Pass::new(BATCH, data.order(Some(1)));
    data.batches_of(&pass).unwrap().for_each(|batch| drop(black_box(batch.unwrap())));
}

fn sources(criterion: &mut Criterion) {
    for width in [20, 784] {
        let inputs: Tensor = Generator::new(1).uniform([ROWS, width], 0.0..1.0);
        let data = Dataset::new(inputs, Tensor::from_iter((0..ROWS).map(|i| (i % 10) as i64))).unwrap();
        let one = |data: &Dataset<f32, i64>, i: usize| {
            (data.inputs().select(0, i as isize), data.targets().select(0, i as isize))
        };
        let (a, b) = (data.clone(), data.clone());
        let by_function = IndexedDataset::from_fn(ROWS, move |i| Ok(one(&a, i))).unwrap();
        let stream = StreamDataset::new(move || {
            let data = b.clone();
            Ok((0..ROWS).map(move |i| Ok(one(&data, i))))
        });
        let mut group = criterion.benchmark_group(format!("{ROWS} x {width}"));
        group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
        let kinds: [(&str, &dyn DataSource); 4] = [
            ("in memory", &data),
            ("by index, a batch at once", &IndexedDataset::new(data.clone()).unwrap()),
            ("by index, sample by sample", &by_function),
            ("stream through 1024", &stream),
        ];
        for (name, data) in kinds {
            group.bench_function(name, |bench| bench.iter(|| epoch(data)));
        }
        group.finish();
    }
}

fn tables(criterion: &mut Criterion) {
    const COLUMNS: usize = 20;
    let path = std::env::temp_dir().join(format!("gradus-{}-bench.csv", std::process::id()));
    let mut text = Vec::new();
    writeln!(text, "{},label", (0..COLUMNS).map(|i| format!("x{i}")).collect::<Vec<_>>().join(",")).unwrap();
    let mut random = Generator::new(1);
    for row in 0..ROWS {
        (0..COLUMNS).for_each(|_| write!(text, "0.{:03},", random.next_below(1000)).unwrap());
        writeln!(text, "{}", row % 3).unwrap();
    }
    std::fs::write(&path, &text).unwrap();
    let csv = || Csv::open(&path).unwrap().class_names(["0", "1", "2"]);
    let mut group = criterion.benchmark_group(format!("CSV, {ROWS} x {COLUMNS}"));
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(10);
    group.bench_function("read at once", |bench| bench.iter(|| drop(black_box(csv().classification().unwrap()))));
    let stream = csv().classification_stream().unwrap();
    group.bench_function("an epoch of the stream", |bench| bench.iter(|| epoch(&stream)));
    let by_index = csv().classification_by_index().unwrap();
    group.bench_function("an epoch by index", |bench| bench.iter(|| epoch(&by_index)));
    group.finish();
    std::fs::remove_file(path).unwrap();
}

criterion_group!(benches, sources, tables);
criterion_main!(benches);
