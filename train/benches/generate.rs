//! Writing with a key-value cache: each id of a small GPT from the one before, the likeliest, one sequence. 4 blocks, 128 wide, 4 heads,
//! 256 ids, from the first to the 128th position.
//!
//!     cargo bench -p gradus-train --bench generate
//!
//! `benchmarks/run.py --network generate` times it beside other frameworks. The bench with `predict` computes all positions again for
//! each id.
#![allow(missing_docs)] // `criterion_group!` makes undocumented functions.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gradus_nn::{
    Activation, Dense, LayerNormalization, Model, Sampler, SequenceStates, Sequential, TokenAndPositionEmbedding,
    TransformerDecoder,
};
use gradus_tensor::{Generator, Tensor};

const BLOCKS: usize = 4;
const WIDTH: usize = 128;
const LENGTH: usize = 128;
const IDS: usize = 256;

fn model() -> Model {
    let mut network = Sequential::new().add(TokenAndPositionEmbedding::new(IDS, LENGTH, WIDTH));
    for _ in 0..BLOCKS {
        let block = TransformerDecoder::new(4 * WIDTH, 4).activation(Activation::GeluTanh).normalize_first(true);
        network = network.add(block);
    }
    Model::build(network.add(LayerNormalization::new().epsilon(1e-5)).add(Dense::new(IDS)), [None], 1).unwrap()
}

/// All positions of a sequence, one after the other.
fn write(model: &Model) -> i64 {
    let mut states = SequenceStates::new();
    let mut id = 1;
    for _ in 0..LENGTH {
        let logits = model.predict_next(Tensor::from([[id]]), &mut states).unwrap();
        id = logits.flatten().argmax(0).item();
    }
    id
}

fn bench(criterion: &mut Criterion) {
    let model = model();
    let mut group = criterion.benchmark_group("128 ids of a small GPT, one after the other");
    group.throughput(Throughput::Elements(LENGTH as u64));
    group.bench_function("predict_next", |bench| bench.iter(|| black_box(write(&model))));
    group.bench_function("generate", |bench| {
        bench.iter(|| {
            let ids = model.generate(&[1], Sampler::greedy(), Generator::new(1));
            black_box(ids.take(LENGTH).last())
        });
    });
    group.sample_size(10).bench_function("predict", |bench| {
        bench.iter(|| {
            let mut ids = vec![1];
            for _ in 0..LENGTH {
                let logits = model.predict(Tensor::from(ids.clone()).unsqueeze(0)).unwrap();
                ids.push(logits.select(1, -1).flatten().argmax(0).item());
            }
            black_box(ids)
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
