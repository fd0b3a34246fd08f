//! The promise of shares: the rows of all workers together are the batch, bit for bit, of every source; and a worker reads no
//! more than its own rows where the source allows it.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use gradus_datasets::{
    Augment, Batch, BatchShare, Csv, DataSource, Dataset, DatasetError, IndexedDataset, Order, PadSequences, Pass,
    PassBatches, Place, Result, Share, StreamDataset, TimeSeries, idx,
};
use gradus_tensor::{AnyTensor, Columns, Samples, Tensor};
use proptest::prelude::*;

/// What data are made of.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Memory,
    Indexed,
    Stream,
    /// The same, of sequences that are padded to the longest of their batch, or to one length.
    IndexedSequences {
        maxlen: Option<usize>,
        bucketed: bool,
    },
    StreamSequences,
    TimeSeries,
    Csv,
    CsvByIndex,
    CsvStream,
    IdxByIndex,
    IdxStream,
    /// A source that knows of no shares.
    Own,
}

const KINDS: [Kind; 14] = [
    Kind::Memory,
    Kind::Indexed,
    Kind::Stream,
    Kind::IndexedSequences { maxlen: None, bucketed: false },
    Kind::IndexedSequences { maxlen: None, bucketed: true },
    Kind::IndexedSequences { maxlen: Some(3), bucketed: true },
    Kind::StreamSequences,
    Kind::TimeSeries,
    Kind::Csv,
    Kind::CsvByIndex,
    Kind::CsvStream,
    Kind::IdxByIndex,
    Kind::IdxStream,
    Kind::Own,
];

/// A source that has only what each must have.
struct Own(Dataset);

impl DataSource for Own {
    fn sample_count(&self) -> Option<usize> {
        self.0.sample_count()
    }

    fn preview(&self) -> Result<Batch<Columns>> {
        self.0.preview()
    }

    fn is_augmented(&self) -> bool {
        self.0.is_augmented()
    }

    fn order(&self, seed: Option<u64>) -> Order {
        self.0.order(seed)
    }

    fn batches_of(&self, pass: &Pass) -> Result<PassBatches> {
        self.0.batches_of(pass)
    }

    fn divided(&self, fraction: f64) -> Result<(Box<dyn DataSource>, Box<dyn DataSource>)> {
        self.0.divided(fraction)
    }
}

/// The picture and the class probabilities of sample i.
fn picture(i: usize) -> (Tensor, Tensor) {
    let pixels: Vec<f32> = (0..12).map(|pixel| ((i * 12 + pixel) * 37 % 101) as f32 / 7.0).collect();
    (Tensor::from(pixels).reshape([4, 3, 1]), Tensor::eye(3).select(0, (i % 3) as isize))
}

fn sequence(i: usize) -> (Tensor<i64>, Tensor<i16>) {
    (Tensor::full([i * i % 11], i as i64 + 1), Tensor::full([i * 5 % 7], -(i as i16) - 1))
}

fn weights(samples: usize) -> Tensor {
    (0..samples).map(|i| 1.0 + i as f32 / 3.0).collect()
}

fn in_memory(samples: usize) -> Dataset {
    let (pictures, targets): (Vec<_>, Vec<_>) = (0..samples).map(picture).unzip();
    let data = Dataset::new(Tensor::stack(&pictures, 0), Tensor::stack(&targets, 0)).unwrap();
    data.with_weights(weights(samples)).unwrap()
}

/// A file of this test.
fn written(name: &str, write: impl FnOnce(&PathBuf)) -> PathBuf {
    let (process, thread) = (std::process::id(), std::thread::current().id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{process}-{thread:?}-shares-{name}"));
    write(&path);
    path
}

fn csv(samples: usize) -> Csv<'static> {
    let rows: String = (0..samples).map(|i| format!("{},{},{}\n", i * 37 % 101, i, i as f32 / 3.0)).collect();
    Csv::open(written("table.csv", |path| std::fs::write(path, format!("a,b,c\n{rows}")).unwrap())).unwrap()
}

fn data(kind: Kind, samples: usize, augment: Option<Augment>) -> Box<dyn DataSource> {
    let sequences = [PadSequences::post(), PadSequences::default().value(-1.0)];
    let idx_files = || {
        let inputs: Tensor<i16> = Tensor::arange(0, samples as i16 * 2, 1).reshape([samples, 2]);
        let targets: Tensor<u8> = (0..samples).map(|i| i as u8).collect();
        (
            written("x.idx", |path| idx::write(path, &inputs).unwrap()),
            written("y.idx", |path| idx::write(path, &targets).unwrap()),
        )
    };
    match (kind, augment) {
        (Kind::Memory, None) => Box::new(in_memory(samples)),
        (Kind::Memory, Some(augment)) => Box::new(in_memory(samples).augment(augment).unwrap()),
        (Kind::Own, None) => Box::new(Own(in_memory(samples))),
        (Kind::Own, Some(augment)) => Box::new(Own(in_memory(samples).augment(augment).unwrap())),
        (Kind::Indexed, augment) => {
            // The last samples of a source, with weights of their own and of the data.
            let data = IndexedDataset::from_fn(samples + 2, |i| Ok(picture(i))).unwrap().skip(2);
            let data = data.map(|batch| {
                let weights = Tensor::full([batch.len()], 0.5);
                batch.map_inputs(|x| x * 3.0).with_weights(weights)
            });
            let data = data.with_weights(weights(samples)).unwrap();
            Box::new(match augment {
                Some(augment) => data.augment(augment).unwrap(),
                None => data,
            })
        }
        (Kind::Stream, augment) => {
            let data = StreamDataset::new(move || Ok((0..samples).map(|i| Ok(picture(i))))).shuffle_buffer(6);
            let data = data.map(|batch| Ok(batch.map_inputs(|x| x * 3.0)));
            Box::new(match augment {
                Some(augment) => data.augment(augment).unwrap(),
                None => data,
            })
        }
        (Kind::IndexedSequences { maxlen, bucketed }, _) => {
            let [inputs, targets] = sequences.map(|padding| maxlen.map_or(padding, |length| padding.maxlen(length)));
            let data = IndexedDataset::from_sequences(samples, inputs, targets, |i| Ok(sequence(i))).unwrap();
            let data = if bucketed { data.bucketed((0..samples).map(|i| i * i % 11)).unwrap() } else { data };
            Box::new(data.map(|batch| Ok(batch.map_targets(|y| y * 2))))
        }
        (Kind::StreamSequences, _) => {
            let [inputs, targets] = sequences;
            let open = move || Ok((0..samples).map(|i| Ok(sequence(i))));
            Box::new(StreamDataset::from_sequences(inputs, targets, open).shuffle_buffer(6))
        }
        (Kind::TimeSeries, _) => {
            let series: Tensor = (0..samples + 4).map(|i| (i * 37 % 101) as f32).collect();
            Box::new(TimeSeries::new(3).sampling_rate(2).dataset(&series, &series.square()).unwrap())
        }
        (Kind::Csv, _) => Box::new(csv(samples).regression().unwrap()),
        (Kind::CsvByIndex, _) => Box::new(csv(samples).regression_by_index().unwrap()),
        (Kind::CsvStream, _) => Box::new(csv(samples).regression_stream().unwrap().shuffle_buffer(6)),
        (Kind::IdxByIndex, _) => {
            let (inputs, targets) = idx_files();
            Box::new(idx::by_index::<i16, u8>(inputs, targets).unwrap())
        }
        (Kind::IdxStream, _) => {
            let (inputs, targets) = idx_files();
            Box::new(idx::stream::<i16, u8>(inputs, targets).unwrap().shuffle_buffer(6))
        }
    }
}

/// The element type, the shape and the bits of every tensor of some rows of a batch.
fn bits(batch: &Batch<Columns>, rows: Range<usize>) -> Vec<(&'static str, Vec<usize>, Vec<u64>)> {
    let weights = batch.weights.clone().map(AnyTensor::from);
    let column = |column: &AnyTensor| {
        let values = column.to::<f64>().sample_range(rows.clone());
        (column.element(), values.shape().to_vec(), values.iter().map(f64::to_bits).collect())
    };
    batch.inputs.iter().chain(batch.targets.iter()).chain(&weights).map(column).collect()
}

/// The share of one of some workers in so many shards.
fn share(shards: usize, worker: usize, workers: usize) -> Share {
    Share::new(shards, worker * shards / workers..(worker + 1) * shards / workers)
}

/// Checks that the shares of all workers are the batches, of data that are made anew for each worker or were used before.
fn check(
    new: &dyn Fn() -> Box<dyn DataSource>,
    pass: &Pass,
    shards: usize,
    workers: usize,
) -> Result<(), TestCaseError> {
    let of_all = new();
    let whole: Vec<Batch<Columns>> = of_all.batches_of(pass).unwrap().map(Result::unwrap).collect();
    let mut begins = vec![0; whole.len()];
    for worker in 0..workers {
        let share = share(shards, worker, workers);
        let fresh = new();
        let data = if worker % 2 == 0 { &fresh } else { &of_all };
        let parts: Vec<BatchShare<Columns>> = data.shares_of(pass, share).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(parts.len(), whole.len());
        for ((part, batch), begin) in parts.iter().zip(&whole).zip(&mut begins) {
            let (rows, own) = (share.rows(batch.len()), part.batch.len());
            prop_assert_eq!((part.first, own, part.samples), (rows.start, rows.len(), batch.len()));
            prop_assert_eq!(bits(&part.batch, 0..own), bits(batch, rows.clone()));
            if share.cuts(batch.len()) {
                prop_assert_eq!(*begin, rows.start);
                *begin = rows.end;
            } else {
                prop_assert_eq!(rows, 0..batch.len());
                *begin = batch.len();
            }
        }
    }
    prop_assert!(begins.into_iter().eq(whole.iter().map(Batch::len)));
    Ok(())
}

fn augmentations() -> impl Strategy<Value = Option<Augment>> {
    let moved = Augment::new().shift(0.3).flip_horizontal().noise(0.1);
    prop_oneof![
        Just(None),
        Just(Some(moved.clone())),
        Just(Some(moved.mix_up(0.4))),
        Just(Some(Augment::new().mix_up(2.0)))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_shares_of_all_workers_are_the_batch(
        kind in prop::sample::select(&KINDS[..]),
        samples in 1..40_usize,
        size in prop_oneof![1..20_usize, Just(usize::MAX)],
        shards in prop::sample::select(&[1, 3, 8][..]),
        workers in 1..=8_usize,
        seed in prop::option::of(0..9_u64),
        augment in augmentations(),
        augmentation_seed in prop::option::weighted(0.8, 0..9_u64),
        (prefetch, threads) in prop::sample::select(&[(0, 1), (3, 1), (3, 2), (0, 2)][..]),
        done in prop_oneof![Just(0), 0..30_usize],
    ) {
        let new = || data(kind, samples, augment.clone());
        let order = new().order(seed).starting_at(done.min(samples - 1));
        let pass = Pass { augmentation_seed, prefetch, workers: threads, ..Pass::new(size, order) };
        check(&new, &pass, shards, workers.min(shards))?;
    }
}

#[test]
fn every_source_has_shares() {
    let mix = Augment::new().shift(0.3).mix_up(0.4);
    for kind in KINDS {
        for augment in [None, Some(mix.clone())] {
            let new = || data(kind, 29, augment.clone());
            let order = new().order(Some(5));
            let pass = Pass { augmentation_seed: Some(3), prefetch: 3, workers: 2, ..Pass::new(11, order) };
            for (shards, workers) in [(1, 1), (3, 1), (3, 3), (8, 1), (8, 2), (8, 3), (8, 5), (8, 8)] {
                check(&new, &pass, shards, workers).unwrap();
            }
        }
    }
}

/// The samples that were read, in order.
#[derive(Clone, Default)]
struct Reads(Arc<Mutex<Vec<usize>>>);

impl Reads {
    fn note(&self, sample: usize) {
        self.0.lock().unwrap().push(sample);
    }

    fn taken(&self) -> Vec<usize> {
        let mut reads = std::mem::take(&mut *self.0.lock().unwrap());
        reads.sort_unstable();
        reads
    }
}

/// The samples of a worker in a pass, by the place in the data that the order gives each.
fn own_samples(data: &dyn DataSource, pass: &Pass, share: Share) -> Vec<usize> {
    let total = data.sample_count().unwrap();
    let mut samples = Vec::new();
    for begin in (pass.order.position()..total).step_by(pass.batch_size) {
        let rows = share.rows(pass.batch_size.min(total - begin));
        samples.extend(rows.map(|row| data.sample_at(pass, begin + row).unwrap()));
    }
    samples.sort_unstable();
    samples
}

#[test]
fn a_worker_reads_its_own_samples_alone() {
    let reads = Reads::default();
    let noted = |sample: fn(usize) -> (Tensor, Tensor)| {
        let reads = reads.clone();
        move |i: usize| {
            reads.note(i);
            Ok(sample(i))
        }
    };
    let frames = |i: usize| (Tensor::ones([i % 5, 2]), Tensor::scalar(1.0));
    let pictures = IndexedDataset::from_fn(53, noted(picture)).unwrap();
    let cut = PadSequences::post().maxlen(4);
    let cut = IndexedDataset::from_sequences(53, cut, None, noted(frames)).unwrap();
    let padded = IndexedDataset::from_sequences(53, PadSequences::post(), None, noted(frames)).unwrap();
    let mixed = pictures.clone().augment(Augment::new().mix_up(0.4)).unwrap();
    let pictures = pictures.augment(Augment::new().shift(0.2)).unwrap().map(|batch| Ok(batch.map_targets(|y| y * 2.0)));
    let cut = cut.bucketed((0..53).map(|i| i % 5)).unwrap();
    reads.taken();
    for (prefetch, threads) in [(0, 1), (3, 1), (3, 2)] {
        for seed in [None, Some(4)] {
            let pass = |data: &dyn DataSource| {
                let order = data.order(seed).starting_at(13);
                Pass { augmentation_seed: Some(1), prefetch, workers: threads, ..Pass::new(13, order) }
            };
            for worker in 0..4 {
                let share = share(8, worker, 4);
                let read = |data: &dyn DataSource| {
                    // The last batch has a sample, which each worker reads.
                    assert_eq!(data.shares_of(&pass(data), share).unwrap().map(Result::unwrap).count(), 4);
                    reads.taken()
                };
                for data in [&pictures as &dyn DataSource, &cut] {
                    assert_eq!(read(data), own_samples(data, &pass(data), share));
                }
                // Besides, the one that each is mixed with.
                let (own, all) = (own_samples(&mixed, &pass(&mixed), share), read(&mixed));
                assert!(own.iter().all(|sample| all.contains(sample)) && all.len() <= 2 * own.len());
                assert!(all.len() < 40 && all.windows(2).all(|pair| pair[0] != pair[1]), "{all:?}");
                // The longest sample may be another worker's.
                assert_eq!(read(&padded).len(), 40);
            }
        }
    }
}

#[test]
fn a_worker_changes_its_own_samples_of_a_stream_alone() {
    let (walked, changed) = (Reads::default(), Reads::default());
    let data = {
        let (walked, changed) = (walked.clone(), changed.clone());
        let open = move || {
            let walked = walked.clone();
            Ok((0..53).map(move |i| {
                walked.note(i);
                Ok((Tensor::scalar(i as i64), Tensor::scalar(0_i64)))
            }))
        };
        let noted = move |batch: Dataset<i64, i64>| {
            batch.inputs().iter().for_each(|i| changed.note(i as usize));
            Ok(batch)
        };
        StreamDataset::new(open).shuffle_buffer(9).map(noted)
    };
    for (prefetch, workers) in [(0, 1), (3, 1), (3, 2)] {
        for seed in [None, Some(4)] {
            for worker in 0..4 {
                let share = share(8, worker, 4);
                let pass = Pass { prefetch, workers, ..Pass::new(13, data.order(seed)) };
                assert_eq!(data.shares_of(&pass, share).unwrap().map(Result::unwrap).count(), 5);
                assert!(walked.taken().into_iter().eq(0..53));
                assert_eq!(changed.taken(), own_samples(&data, &pass, share));
            }
        }
    }
}

/// The number of samples of each batch, or the error.
fn outcomes(data: &dyn DataSource, pass: &Pass, share: Share) -> Vec<Result<usize, String>> {
    let parts = data.shares_of(pass, share).unwrap();
    parts.map(|part| part.map(|part| part.batch.len()).map_err(|error| error.to_string())).collect()
}

#[test]
fn an_error_comes_to_the_worker_that_reads_the_sample() {
    let torn = |i: usize| match i {
        9 => Err(DatasetError::new("a torn sample", "a whole one", "mend it").at(Place::Sample(9))),
        _ => Ok(picture(i)),
    };
    let error = || Err("sample 9: found a torn sample, expected a whole one; mend it".to_owned());
    let (indexed, stream) =
        (IndexedDataset::from_fn(16, torn).unwrap(), StreamDataset::new(move || Ok((0..16).map(torn))));
    for (prefetch, workers) in [(0, 1), (2, 1), (3, 2)] {
        let pass = |data: &dyn DataSource| Pass { prefetch, workers, ..Pass::new(6, data.order(None)) };
        let of = |data: &dyn DataSource, shard: usize| outcomes(data, &pass(data), Share::new(3, shard..shard + 1));
        // Sample 9 is in row 3 of the second batch. The last batch has 4 rows.
        assert_eq!(of(&indexed, 0), [Ok(2), Ok(2), Ok(1)]);
        assert_eq!(of(&indexed, 1), [Ok(2), error(), Ok(1)]);
        assert_eq!(of(&indexed, 2), [Ok(2), Ok(2), Ok(2)]);
        // A stream ends with its first error, which each worker meets.
        (0..3).for_each(|shard| assert_eq!(of(&stream, shard), [Ok(2), error()]));
    }
}

#[test]
fn targets_that_cannot_be_mixed_are_named() {
    let data = IndexedDataset::from_fn(9, |i| {
        let (inputs, targets) = picture(i);
        Ok((inputs, if i == 7 { targets * 2.0 } else { targets }))
    });
    let data = data.unwrap().augment(Augment::new().mix_up(0.4)).unwrap();
    let pass = Pass { augmentation_seed: Some(1), ..Pass::new(9, data.order(Some(2))) };
    for worker in 0..3 {
        for outcome in outcomes(&data, &pass, share(3, worker, 3)) {
            let named = outcome.map_or_else(|error| error.starts_with("sample 7: found the targets"), |rows| rows == 3);
            assert!(named);
        }
    }
    assert!(outcomes(&data, &pass, Share::all())[0].as_ref().unwrap_err().starts_with("sample 7: "));
}

#[test]
fn an_order_of_other_data_is_refused() {
    let pass = Pass::new(2, Order::sequential(9));
    for kind in [Kind::Memory, Kind::Indexed, Kind::Stream, Kind::Own] {
        assert!(data(kind, 8, None).shares_of(&pass, Share::new(2, 0..1)).is_err());
    }
}
