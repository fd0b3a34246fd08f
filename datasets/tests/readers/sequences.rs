//! Samples of different lengths in batches.

use gradus_datasets::{Batch, DataSource, IndexedDataset, Order, PadSequences, Pass, Result, StreamDataset};
use gradus_tensor::{Columns, Tensor};

const SAMPLES: usize = 205;

/// Sample i has this many ids, each i + 1.
fn length(i: usize) -> usize {
    i * i % 31
}

fn ids(i: usize) -> Tensor<i64> {
    Tensor::full([length(i)], i as i64 + 1)
}

fn sequences() -> IndexedDataset<i64, i64> {
    let sample = |i| Ok((ids(i), Tensor::scalar(i as i64)));
    let data = IndexedDataset::from_sequences(SAMPLES, PadSequences::post(), None, sample).unwrap();
    data.bucketed((0..SAMPLES).map(length)).unwrap()
}

fn samples(batch: &Batch<i64, i64>) -> Vec<usize> {
    batch.targets.iter().map(|i| i as usize).collect()
}

#[test]
fn each_batch_is_as_long_as_its_longest_sample() {
    let data = sequences();
    let pass = Pass::new(8, data.order(Some(3)));
    let mut seen = Vec::new();
    let mut numbers = 0;
    for batch in data.batches(&pass).unwrap().map(Result::unwrap) {
        let of_batch = samples(&batch);
        let longest = of_batch.iter().map(|&i| length(i)).max().unwrap();
        assert_eq!(batch.inputs.shape(), &[of_batch.len(), longest]);
        for (row, &i) in of_batch.iter().enumerate() {
            let ids: Vec<i64> = batch.inputs.select(0, row as isize).to_vec();
            let expected = (0..longest).map(|step| if step < length(i) { i as i64 + 1 } else { 0 });
            assert!(ids.into_iter().eq(expected));
        }
        numbers += of_batch.len() * longest;
        seen.extend(of_batch);
    }
    let all: usize = (0..SAMPLES).map(length).sum();
    assert!(numbers < all * 11 / 10, "{numbers} {all}");
    assert!(seen.iter().copied().eq((0..SAMPLES).map(|place| data.sample_at(&pass, place).unwrap())));
    assert_eq!(data.sample_at(&pass, SAMPLES), None);
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..SAMPLES));
}

#[test]
fn a_pass_goes_on_from_every_position_on_any_number_of_threads() {
    let data = sequences();
    let batches = |pass: &Pass| data.batches(pass).unwrap().map(Result::unwrap).collect::<Vec<_>>();
    let order = data.order(Some(5));
    let whole = batches(&Pass::new(7, order.clone()));
    assert_ne!(samples(&batches(&Pass::new(7, data.order(Some(6))))[0]), samples(&whole[0]));
    // What a checkpoint holds is the seed alone.
    let written = serde_json::to_string(&order).unwrap();
    assert!(written.len() < 80, "{written}");
    for (prefetch, workers) in [(0, 1), (2, 1), (3, 2), (4, 3)] {
        for done in 0..whole.len() {
            let order: Order = serde_json::from_str(&written).unwrap();
            let pass = Pass { prefetch, workers, ..Pass::new(7, order.starting_at(done * 7)) };
            assert_eq!(batches(&pass), whole[done..]);
        }
    }
}

#[test]
fn without_a_seed_the_order_is_that_of_the_data() {
    let data = sequences();
    for order in [data.order(None), Order::listed((0..SAMPLES).collect::<Vec<_>>())] {
        let batches = data.batches(&Pass::new(10, order)).unwrap();
        assert!(batches.flat_map(|batch| samples(&batch.unwrap())).eq(0..SAMPLES));
    }
}

#[test]
fn parts_keep_the_lengths_of_their_samples() {
    let (_, rest) = sequences().split_at(100);
    let rest = rest.map(|batch| Ok(batch.map_targets(|targets| targets + 1000)));
    let batches: Vec<_> = rest.batches(&Pass::new(5, rest.order(Some(1)))).unwrap().map(Result::unwrap).collect();
    for batch in &batches {
        let lengths: Vec<usize> = samples(batch).iter().map(|i| length(i - 1000)).collect();
        let most = lengths.iter().max().unwrap();
        assert!(batch.inputs.shape()[1] == *most && lengths.iter().all(|length| most - length <= 6), "{lengths:?}");
    }
    assert_eq!(batches.iter().map(Batch::len).sum::<usize>(), 105);
    assert_eq!(
        sequences().take(3).bucketed([1, 2]).unwrap_err().to_string(),
        "found 2 lengths, expected 3, one a sample; give the length of each sample"
    );
}

#[test]
fn a_stream_pads_its_batches_too() {
    let open = || {
        Ok((0..5).map(|i| {
            let inputs = Columns::new().with("source", ids(i)).with("length", Tensor::scalar(length(i) as i64));
            Ok((inputs, ids(i)))
        }))
    };
    let data = StreamDataset::from_sequences(PadSequences::post(), PadSequences::post().value(-1.0), open);
    let pass = Pass { prefetch: 2, workers: 2, ..Pass::new(3, data.order(None)) };
    let batches: Vec<_> = data.batches(&pass).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches[0].inputs.named("source").unwrap().shape(), &[3, 4]);
    assert_eq!(batches[0].targets.slice(0, 1..).to_vec(), [2, -1, -1, -1, 3, 3, 3, 3]);
    assert_eq!(
        (batches[1].inputs.named("source").unwrap().shape(), batches[1].targets.shape()),
        (&[2, 16].into(), &[2, 16].into())
    );
    assert_eq!(data.preview().unwrap().inputs[0].shape(), &[1, 0]);
}
