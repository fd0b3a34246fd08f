//! Data that are read while they are used: by index, and as a stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gradus_datasets::{
    Augment, Batch, DataSource, Dataset, DatasetError, IndexedDataset, IndexedSource, Order, Pass, Place, Result,
    StreamDataset,
};
use gradus_tensor::{Columns, Generator, Tensor};

/// Sample i has the inputs [i, -i] and the target i, as each data set gives it.
fn sample(i: usize) -> (Tensor, Tensor<i64>) {
    (Tensor::new([i as f32, -(i as f32)]), Tensor::scalar(i as i64))
}

fn stream(samples: usize) -> StreamDataset<f32, i64> {
    StreamDataset::new(move || Ok((0..samples).map(|i| Ok(sample(i)))))
}

fn indexed(samples: usize) -> IndexedDataset<f32, i64> {
    IndexedDataset::from_fn(samples, |i| Ok(sample(i))).unwrap()
}

fn in_memory(samples: usize) -> Dataset<f32, i64> {
    let column: Tensor = (0..samples).map(|i| i as f32).collect();
    let inputs = Tensor::stack(&[column.clone(), -column], 1);
    Dataset::new(inputs, Tensor::arange(0, samples as i64, 1)).unwrap()
}

/// The targets of each batch; the inputs must be those of the same samples.
fn targets(data: &dyn DataSource, pass: &Pass) -> Vec<Vec<usize>> {
    let of = |batch: Result<Batch<Columns>>| {
        let batch = batch.unwrap();
        let (inputs, targets) = (batch.inputs[0].to::<f32>(), batch.targets[0].to::<i64>());
        for (row, target) in targets.iter().enumerate() {
            assert_eq!(inputs.select(0, row as isize).to_vec(), [target as f32, -target as f32]);
        }
        targets.iter().map(|target| target as usize).collect()
    };
    data.batches_of(pass).unwrap().map(of).collect()
}

fn order(data: &dyn DataSource, seed: Option<u64>) -> Vec<usize> {
    targets(data, &Pass::new(3, data.order(seed))).concat()
}

#[test]
fn every_sample_comes_once_in_the_order_of_the_seed() {
    for samples in [1, 2, 7, 50] {
        for buffer in [1, 2, 5, 49, 50, 51, 1000, usize::MAX] {
            let data = stream(samples).shuffle_buffer(buffer);
            let first = order(&data, Some(4));
            // The number of samples is known now, which changes nothing.
            assert_eq!(data.sample_count(), Some(samples));
            assert_eq!(order(&data, Some(4)), first);
            assert_eq!(order(&stream(samples).shuffle_buffer(buffer), Some(4)), first);
            let written = data.order(Some(4));
            assert!((0..samples).map(|place| written.sample_at(place).unwrap()).eq(first.iter().copied()));
            if samples == 50 && buffer > 1 {
                assert_ne!(order(&data, Some(5)), first);
            }
            if buffer == 1 {
                assert!(first.iter().copied().eq(0..samples));
            }
            // No sample comes earlier than the buffer can hold it.
            assert!(
                first.iter().enumerate().all(|(place, &sample)| sample < place.saturating_add(buffer)),
                "{samples} {buffer}"
            );
            let mut sorted = first.clone();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..samples), "{samples} {buffer}");
        }
        assert!(order(&stream(samples), None).into_iter().eq(0..samples));
    }
}

#[test]
fn the_order_of_a_stream_is_that_of_its_description() {
    // The draws of the documented order, from the documented generator: 8 samples through a buffer of 3.
    let mut generator = Generator::new(11);
    let (mut held, mut next, mut expected) = (Vec::new(), 0..8_usize, Vec::new());
    while expected.len() < 8 {
        while held.len() < 3 {
            let Some(sample) = next.next() else { break };
            held.push(sample);
        }
        let place = generator.next_below(held.len() as u64) as usize;
        expected.push(held[place]);
        let last = held.pop().unwrap();
        if place < held.len() {
            held[place] = last;
        }
    }
    let data = stream(8).shuffle_buffer(3);
    let written = data.order(Some(11));
    assert_eq!(order(&data, Some(11)), expected);
    // What messages say of the last samples is right once the end is known.
    assert!((0..8).map(|place| data.sample_at(&Pass::new(1, written.clone()), place).unwrap()).eq(expected));
    assert_eq!(data.sample_at(&Pass::new(1, written.clone()), 8), None);
    assert_eq!(serde_json::to_string(&written).unwrap(), STREAM_ORDER);
}

#[test]
fn an_order_that_claims_a_large_buffer_takes_no_memory_for_it() {
    // Of a stream whose end is not known, as far as the buffer's first draws: numbers below 2^64.
    for samples in [None, Some(usize::MAX)] {
        let claimed = Order::buffered(samples, usize::MAX, 7);
        assert_eq!(claimed.sample_at(0).unwrap() as u64, Generator::new(7).next_below(u64::MAX));
        assert!(claimed.sample_at(1000).is_some());
    }
    assert_eq!(Order::buffered(Some(3), usize::MAX, 7).sample_at(usize::MAX), None);
    assert_eq!(Order::buffered(Some(0), 0, 7).sample_at(0), None);
    assert_eq!(Order::stream(None).sample_at(9), Some(9));
}

const STREAM_ORDER: &str = r#"{"rows":{"Stream":{"samples":null,"shuffled":{"buffer":3,"seed":11}}},"next":0}"#;

#[test]
fn a_buffer_that_holds_all_shuffles_evenly() {
    // Each of 6 orders of 3 samples in 1200 is expected 200 times; the standard deviation is 13.
    let mut counts = std::collections::HashMap::new();
    let data = stream(3).shuffle_buffer(3);
    for seed in 0..1200 {
        *counts.entry(order(&data, Some(seed))).or_insert(0_i32) += 1;
    }
    assert!(counts.len() == 6 && counts.values().all(|count| (count - 200).abs() < 60), "{counts:?}");
}

/// Every kind of data, of so many samples, unread.
fn kinds(samples: usize) -> [(&'static str, Box<dyn DataSource>); 8] {
    [
        ("in memory", Box::new(in_memory(samples))),
        ("by index", Box::new(indexed(samples))),
        ("a stream", Box::new(stream(samples).shuffle_buffer(1))),
        ("a stream through 4", Box::new(stream(samples).shuffle_buffer(4))),
        ("a stream through all", Box::new(stream(samples).shuffle_buffer(100))),
        ("a stream through any", Box::new(stream(samples).shuffle_buffer(usize::MAX))),
        ("the end of a stream", Box::new(stream(samples + 5).skip(5).shuffle_buffer(usize::MAX))),
        ("the midst of a stream", Box::new(stream(samples + 9).take(samples).shuffle_buffer(4))),
    ]
}

#[test]
fn a_pass_goes_on_at_any_position_on_any_threads() {
    for samples in [1, 10, 11] {
        for (name, whole) in kinds(samples) {
            for seed in [None, Some(3)] {
                let all = targets(&*whole, &Pass::new(2, whole.order(seed)));
                for position in 0..=samples {
                    let rest = all.concat()[position..].to_vec();
                    for (prefetch, workers) in [(0, 1), (1, 1), (3, 2), (2, 5)] {
                        // With and without the knowledge of how many there are.
                        for known in [true, false] {
                            let fresh = kinds(samples).into_iter().find(|kind| kind.0 == name).unwrap().1;
                            let data = if known { &whole } else { &fresh };
                            let order = data.order(seed).starting_at(position);
                            let written: Order = serde_json::from_str(&serde_json::to_string(&order).unwrap()).unwrap();
                            let pass = Pass { prefetch, workers, ..Pass::new(2, written) };
                            assert_eq!(targets(&**data, &pass).concat(), rest, "{name} {samples} {seed:?} {position}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn data_by_index_have_the_order_of_data_in_memory() {
    let (a, b) = (in_memory(50), indexed(50));
    let of_memory = IndexedDataset::new(a.clone()).unwrap();
    for seed in [None, Some(9)] {
        assert_eq!(order(&a, seed), order(&b, seed));
        assert_eq!(order(&a, seed), order(&of_memory, seed));
    }
    for data in [&a as &dyn DataSource, &b] {
        let (train, validation) = data.divided(0.3).unwrap();
        assert_eq!((train.sample_count(), order(&*validation, None)), (Some(35), (35..50).collect()));
    }
    let (train, rest) = b.split_at(40);
    assert_eq!((train.len(), order(&rest, None)), (40, (40..50).collect()));
    assert_eq!(order(&b.slice(7..).slice(1..=3).take(2), None), [8, 9]);
    assert_eq!(order(&b.validation_split(0.1).unwrap().1, None), [45, 46, 47, 48, 49]);
    assert!(b.validation_split(1.0).is_err());
}

#[test]
fn streams_are_divided_by_take_and_skip() {
    let data = stream(10);
    assert_eq!(order(&data.take(3), None), [0, 1, 2]);
    assert_eq!(order(&data.skip(8), None), [8, 9]);
    assert_eq!(order(&data.skip(2).take(5).skip(1).take(3), None), [3, 4, 5]);
    assert_eq!(order(&data.take(5).skip(2), None), [2, 3, 4]);
    assert_eq!(order(&data.take(30), None).len(), 10);
    assert_eq!(
        data.divided(0.1).err().unwrap().to_string(),
        "found a validation split of 0.1 of a stream, expected data whose length is known before their end; divide the stream \
         by `take` and `skip`, and call `fit_validated`"
    );
    let empty = |data: StreamDataset<f32, i64>| {
        let error = data.preview().unwrap_err().to_string();
        let pass = Pass::new(2, data.order(Some(1)));
        let again = data.batches(&pass).and_then(|mut batches| batches.next().unwrap().map(drop)).unwrap_err();
        assert_eq!(again.to_string(), error);
        error
    };
    let hint = "expected at least one sample; check where the stream comes from, and how it is filtered";
    assert_eq!(empty(stream(0)), format!("found a stream without samples, {hint}"));
    assert_eq!(empty(data.skip(11)), format!("found a stream without samples behind the first 11, {hint}"));
    assert_eq!(empty(data.skip(10)), format!("found a stream without samples behind the first 10, {hint}"));
}

fn bad() -> DatasetError {
    DatasetError::new("a torn sample", "a whole one", "mend it").in_file("samples.bin")
}

#[test]
fn an_error_comes_in_place_of_its_batch() {
    let torn = StreamDataset::new(|| Ok((0..9).map(|i| if i == 5 { Err(bad()) } else { Ok(sample(i)) })));
    let torn_too = IndexedDataset::from_fn(9, |i| if i == 5 { Err(bad()) } else { Ok(sample(i)) }).unwrap();
    let data: [Box<dyn DataSource>; 2] = [Box::new(torn.clone()), Box::new(torn_too)];
    for data in data {
        for (prefetch, workers) in [(0, 1), (4, 1), (4, 3)] {
            let pass = Pass { prefetch, workers, ..Pass::new(2, data.order(None)) };
            let mut batches = data.batches_of(&pass).unwrap();
            assert!(batches.by_ref().take(2).all(|batch| batch.is_ok()));
            assert_eq!(batches.next().unwrap().unwrap_err().to_string(), bad().to_string());
        }
    }
    // A stream ends at its error, and does not go on behind it; so does one whose length is not that of an earlier pass.
    assert!(torn.batches(&Pass::new(2, torn.order(None))).unwrap().nth(3).is_none());
    for buffered in [Order::stream(Some(4)), Order::buffered(Some(4), 2, 1)] {
        let mut batches = stream(9).take(3).batches(&Pass::new(2, buffered)).unwrap();
        let errors = batches.by_ref().take(9).filter(|batch| batch.is_err()).count();
        assert!(errors == 1 && batches.next().is_none());
    }
    // A stream that cannot be opened.
    let closed = StreamDataset::new(|| Err::<std::iter::Once<Result<(Tensor, Tensor)>>, _>(bad()));
    assert_eq!(closed.preview().unwrap_err().to_string(), bad().to_string());
}

#[test]
fn a_stream_that_ends_elsewhere_than_before_is_an_error() {
    let passes = Arc::new(AtomicUsize::new(0));
    let shrinking =
        StreamDataset::new(move || Ok((0..10 - passes.fetch_add(1, Ordering::SeqCst)).map(|i| Ok(sample(i)))));
    let pass = Pass::new(4, shrinking.order(None));
    assert!(shrinking.batches(&pass).unwrap().all(|batch| batch.is_ok()));
    let error = shrinking.batches(&pass).unwrap().find_map(|batch| batch.err()).unwrap();
    assert_eq!(
        error.to_string(),
        "found the end of the stream after 9 samples, expected the 10 samples of an earlier pass; a stream must give the same \
         samples in each pass: check whether the file was changed or cut off"
    );
    // What the state of a paused run says of the length counts as an earlier pass.
    for shuffle in [Order::stream(Some(12)), Order::buffered(Some(12), 3, 1)] {
        let batches = stream(10).batches(&Pass::new(4, shuffle.starting_at(4))).unwrap();
        let error = batches.filter_map(|batch| batch.err()).next().unwrap();
        assert!(
            error.to_string().starts_with("found the end of the stream after 10 samples, expected the 12"),
            "{error}"
        );
    }
    for order in [Order::stream(None), Order::buffered(None, 3, 1)] {
        let error = stream(10).batches(&Pass::new(4, order.starting_at(usize::MAX))).err().unwrap();
        assert!(
            error.to_string().starts_with("found the end of the stream after 10 samples, expected the 18"),
            "{error}"
        );
    }
}

#[test]
fn samples_of_one_batch_have_one_form() {
    let form = |i: usize| Ok((Tensor::<f32>::zeros([if i == 4 { 3 } else { 2 }]), Tensor::scalar(0_i64)));
    let expected = "sample 4: found inputs of type f32 and shape [3], expected inputs of type f32 and shape [2], as of sample 3; \
                    bring all samples to one form, as by padding or resizing them";
    let streamed = StreamDataset::new(move || Ok((0..6).map(form)));
    let by_index = IndexedDataset::from_fn(6, form).unwrap();
    let data: [Box<dyn DataSource>; 2] = [Box::new(streamed), Box::new(by_index)];
    for data in data {
        let error = data.batches_of(&Pass::new(3, data.order(None))).unwrap().find_map(|batch| batch.err()).unwrap();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_source_must_return_what_it_was_asked_for() {
    struct Short;
    impl IndexedSource for Short {
        type X = f32;
        type Y = i64;
        fn len(&self) -> usize {
            9
        }
        fn read(&self, indices: &[usize]) -> Result<Batch<f32, i64>> {
            Ok(in_memory(9).batches(indices.len() - 1).next().unwrap())
        }
    }
    assert_eq!(
        IndexedDataset::new(Short).unwrap().read(&[4, 5, 6]).unwrap_err().to_string(),
        "found 2 samples with 3 weights, expected 3, as many as indices; return the samples that were asked for"
    );
    let error = IndexedDataset::from_fn(0, |i| Ok(sample(i))).unwrap_err().to_string();
    assert!(error.starts_with("found no sample, expected at least one"), "{error}");
}

#[test]
fn a_map_sees_each_sample_once_and_names_the_bad_one() {
    let wrong = |batch: Dataset<f32, i64>| batch.to_categorical(5);
    let hint = "found label 5, expected a whole number below 5, the number of classes; count classes from 0, or ask for more of \
                them";
    assert_eq!(indexed(9).map(wrong).read(&[3, 5]).unwrap_err().to_string(), format!("sample 5: {hint}"));
    let streamed = stream(9).map(wrong);
    let error = streamed.batches(&Pass::new(4, streamed.order(None))).unwrap().find_map(|batch| batch.err()).unwrap();
    assert_eq!(error.place(), Some(Place::Sample(5)));
    let shorter = indexed(9).map(|batch| Ok(batch.take(1)));
    let error = shorter.read(&[0, 1]).unwrap_err().to_string();
    assert!(error.starts_with("found 1 samples after `map`, expected 2, as before"), "{error}");
    let named = || indexed(9).with_class_names(["a", "b"]);
    let seen = named().map(|batch| {
        assert_eq!(batch.class_names().unwrap(), ["a", "b"]);
        Ok(batch)
    });
    assert_eq!(seen.read(&[1]).unwrap(), named().read(&[1]).unwrap());
    let other = |batch: Dataset<f32, i64>| Ok(batch.with_class_names(["x", "y"]));
    let expected = "expected what can differ from sample to sample: inputs, targets and weights; call";
    for error in [
        indexed(9).map(other).read(&[1]).unwrap_err(),
        named().map(other).read(&[1]).unwrap_err(),
        stream(9).with_class_names(["a", "b"]).map(other).preview().unwrap_err(),
    ] {
        let text =
            format!("found other class names in `map`, {expected} `with_class_names` of the data set, behind `map`");
        assert_eq!(error.to_string(), text);
    }
    let pictures = indexed(9)
        .map(|batch| batch.map_inputs(|x| x.unsqueeze(-1).unsqueeze(-1)).augment(Augment::new().flip_horizontal()));
    assert_eq!(
        pictures.read(&[1]).unwrap_err().to_string(),
        format!("found an augmentation in `map`, {expected} `augment` of the data set, behind `map`")
    );
    let weighted = indexed(4).with_weights(Tensor::new([1.0, 2.0, 3.0, 4.0])).unwrap();
    let weighted = weighted.map(|batch| batch.with_class_weights(&[1.0, 10.0, 1.0, 100.0]));
    let (_, rest) = weighted.split_at(1);
    assert_eq!(rest.read(&[2, 0]).unwrap().weights.unwrap().to_vec(), [400.0, 20.0]);
    assert!(indexed(4).with_weights(Tensor::ones([3])).is_err());
}

#[test]
fn the_changes_of_a_picture_do_not_depend_on_what_holds_it() {
    let pictures = Generator::new(2).uniform([11, 4, 4, 1], 0.0..1.0_f32);
    let labels = Tensor::arange(0, 11, 1);
    let augment = || Augment::new().shift(0.2).noise(0.1).flip_horizontal().mix_up(0.3);
    let one_hot = |batch: Dataset<f32, i64>| batch.to_categorical(11);
    let memory = Dataset::new(pictures.clone(), labels).unwrap();
    let (of_index, of_stream) = (pictures.clone(), pictures.clone());
    let one = |pictures: &Tensor, i: usize| Ok((pictures.select(0, i as isize), Tensor::scalar(i as i64)));
    let by_index = IndexedDataset::from_fn(11, move |i| one(&of_index, i)).unwrap();
    let stream = StreamDataset::new(move || {
        let pictures = of_stream.clone();
        Ok((0..11).map(move |i| one(&pictures, i)))
    });
    let memory = one_hot(memory).unwrap().augment(augment()).unwrap();
    let by_index = by_index.map(one_hot).augment(augment()).unwrap();
    let stream = stream.map(one_hot).augment(augment()).unwrap();
    let all = |data: &dyn DataSource, seed, prefetch, workers| -> Vec<Batch<Columns>> {
        let order = data.order(seed);
        let pass = Pass { augmentation_seed: Some(8), prefetch, workers, ..Pass::new(4, order) };
        data.batches_of(&pass).unwrap().map(Result::unwrap).collect()
    };
    let expected = all(&memory, None, 0, 1);
    for (prefetch, workers) in [(0, 1), (2, 1), (3, 2)] {
        assert_eq!(all(&by_index, None, prefetch, workers), expected);
        assert_eq!(all(&stream, None, prefetch, workers), expected);
        assert_eq!(all(&by_index, Some(1), prefetch, workers), all(&memory, Some(1), 0, 1));
    }
    assert!(by_index.augmentation().is_some() && stream.is_augmented());
    let error = indexed(3).map(|batch| Ok(batch.map_inputs(|x| x * 2.0))).augment(augment()).unwrap_err().to_string();
    assert!(error.contains("[1, 2]"), "{error}");
}

#[test]
fn skipping_uses_the_stream_s_own_way() {
    struct Counted(std::ops::Range<usize>, Arc<AtomicUsize>);
    impl Iterator for Counted {
        type Item = Result<(Tensor, Tensor<i64>)>;
        fn next(&mut self) -> Option<Self::Item> {
            self.nth(0)
        }
        fn nth(&mut self, count: usize) -> Option<Self::Item> {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.nth(count).map(|i| Ok(sample(i)))
        }
    }
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    let data = StreamDataset::new(move || Ok(Counted(0..10_000, Arc::clone(&counter)))).shuffle_buffer(10);
    let pass = |order: Order| data.batches(&Pass::new(5, order.starting_at(9000))).unwrap().next().unwrap().unwrap();
    pass(data.order(Some(1)));
    let shuffled = made.swap(0, Ordering::SeqCst);
    pass(data.order(None));
    assert!(shuffled < 60 && made.load(Ordering::SeqCst) < 10, "{shuffled} {made:?}");
}

#[test]
fn orders_are_those_of_their_kind() {
    let error = indexed(5).batches(&Pass::new(2, Order::stream(None))).err().unwrap().to_string();
    assert!(
        error.starts_with("found an order of a stream, expected one of samples that are read by their indices"),
        "{error}"
    );
    let error = stream(5).batches(&Pass::new(2, Order::sequential(5))).err().unwrap().to_string();
    assert!(error.starts_with("found an order of samples with indices, expected one of a stream"), "{error}");
    let error = indexed(5).batches(&Pass::new(2, Order::shuffled(6, 1))).err().unwrap().to_string();
    assert!(error.starts_with("found an order with sample 5, expected samples 0 to 4"), "{error}");
}

#[test]
#[should_panic(expected = "batches: a batch has at least one sample: a batch_size of 0")]
fn a_size_of_zero_is_refused() {
    let _ = indexed(3).batches(&Pass::new(0, Order::sequential(3)));
}

#[test]
#[should_panic(expected = "read: sample 3 of 3")]
fn a_sample_that_is_not_there_cannot_be_read() {
    let _ = indexed(3).read(&[3]);
}

#[test]
#[should_panic(expected = "with_class_names: found the class name \"a\" twice")]
fn each_class_has_a_name_of_its_own() {
    stream(3).with_class_names(["a", "a"]);
}
