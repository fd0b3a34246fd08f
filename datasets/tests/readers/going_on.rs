//! The promise of a stream: the same seed gives the same order on any threads, and a pass that goes on at any position gives the
//! same batches as one that was not stopped.

use gradus_datasets::{DataSource, DatasetError, Order, Pass, StreamDataset};
use gradus_tensor::{Generator, Tensor};
use proptest::prelude::*;

/// A stream of numbered samples, of which one may be torn.
#[derive(Clone, Debug)]
struct Numbers {
    samples: usize,
    torn: Option<usize>,
    skip: usize,
    take: Option<usize>,
    is_mapped: bool,
}

impl Numbers {
    fn data(&self) -> StreamDataset<i64, i64> {
        let Numbers { samples, torn, .. } = *self;
        let data = StreamDataset::new(move || {
            let sample = move |i: usize| match torn {
                Some(torn) if torn == i => Err(DatasetError::new("a torn sample", "a whole one", "mend it")),
                _ => Ok((Tensor::scalar(i as i64), Tensor::scalar(i as i64))),
            };
            Ok((0..samples).map(sample))
        });
        let data = data.skip(self.skip);
        let data = self.take.map_or(data.clone(), |take| data.take(take));
        if self.is_mapped { data.map(|batch| Ok(batch.map_targets(|numbers| numbers + 1000))) } else { data }
    }

    /// The order as the documentation has it, up to the first sample that cannot be read: the samples, and whether all came.
    fn order(&self, shuffle: Option<(usize, u64)>) -> (Vec<i64>, bool) {
        let end = self.take.map_or(self.samples, |take| self.samples.min(self.skip.saturating_add(take)));
        let mut stream = self.skip..end;
        let mut read = || match stream.next() {
            Some(i) if self.torn == Some(i) => Err(()),
            next => Ok(next),
        };
        let (buffer, seed) = shuffle.unwrap_or((1, 0));
        let (mut generator, mut held, mut order) = (Generator::new(seed), Vec::new(), Vec::new());
        loop {
            while held.len() < buffer {
                match read() {
                    Ok(Some(i)) => held.push(i),
                    Ok(None) => break,
                    Err(()) => return (order, false),
                }
            }
            if held.is_empty() {
                return (order, true);
            }
            let place = generator.next_below(held.len() as u64) as usize;
            order.push(held.swap_remove(place) as i64 + if self.is_mapped { 1000 } else { 0 });
        }
    }
}

/// The targets of each batch, up to the first error.
fn batches(data: &StreamDataset<i64, i64>, pass: &Pass) -> Vec<Result<Vec<i64>, String>> {
    match data.batches(pass) {
        Ok(batches) => {
            // More than can come, so that a pass without an end is found.
            batches
                .take(100)
                .map(|batch| batch.map(|batch| batch.targets.to_vec()).map_err(|e| e.to_string()))
                .collect()
        }
        Err(error) => vec![Err(error.to_string())],
    }
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let torn = prop_oneof![3 => Just(None), 2 => (0..30_usize).prop_map(Some)];
    let take = prop_oneof![2 => Just(None), 2 => (1..30_usize).prop_map(Some), 1 => Just(Some(usize::MAX))];
    (1..30_usize, torn, 0..4_usize, take, any::<bool>())
        .prop_filter("a sample is left, and the one before it is whole", |(samples, torn, skip, ..)| {
            skip < samples && torn.is_none_or(|torn| torn + 1 != *skip)
        })
        .prop_map(|(samples, torn, skip, take, is_mapped)| Numbers { samples, torn, skip, take, is_mapped })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_pass_is_the_same_on_any_threads_and_from_any_place(
        numbers in numbers(),
        shuffle in prop::option::weighted(0.8, (prop_oneof![1..40_usize, Just(0), Just(usize::MAX)], 0..9_u64)),
        size in prop_oneof![1..8_usize, Just(usize::MAX)],
        at in any::<prop::sample::Index>(),
    ) {
        // Orders of a checkpoint may say 0, which is 1.
        let order = |samples| match shuffle {
            Some((buffer, seed)) => Order::buffered(samples, buffer, seed),
            None => Order::stream(samples),
        };
        let (expected, is_whole) = numbers.order(shuffle.map(|(buffer, seed)| (buffer.max(1), seed)));
        let data = numbers.data();
        let whole = batches(&data, &Pass::new(size, order(None)));
        // All batches before the error, which comes in place of its batch.
        let came: Vec<i64> = whole.iter().flatten().flatten().copied().collect();
        let count = if is_whole { expected.len() } else { expected.len() / size * size };
        prop_assert_eq!(&came, &expected[..count]);
        prop_assert_eq!(whole.iter().filter(|batch| batch.is_err()).count(), usize::from(!is_whole));
        prop_assert_eq!(data.sample_count(), is_whole.then_some(expected.len()));

        let done = at.index(whole.len());
        let position: usize = whole[..done].iter().flatten().map(Vec::len).sum();
        for (prefetch, workers) in [(0, 1), (2, 1), (3, 2)] {
            for (fresh, samples) in [(true, None), (false, None), (true, data.sample_count())] {
                let data = if fresh { numbers.data() } else { data.clone() };
                let pass = Pass { prefetch, workers, ..Pass::new(size, order(samples).starting_at(position)) };
                prop_assert_eq!(&batches(&data, &pass), &whole[done..].to_vec(), "from {}", position);
            }
        }
        // Messages name the same samples, where the order is known up to them.
        if is_whole {
            let first = i64::try_from(numbers.skip).unwrap() + if numbers.is_mapped { 1000 } else { 0 };
            let named = (0..expected.len()).map(|place| data.sample_at(&Pass::new(1, order(None)), place).unwrap() as i64 + first);
            prop_assert_eq!(named.collect::<Vec<i64>>(), expected);
        }
    }
}
