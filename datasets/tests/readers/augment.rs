//! Augmentation of whole data sets: the same bits for any threads and batches, and what a seed may change.

use gradus_datasets::{Augment, Batch, Dataset, Fill};
use gradus_tensor::{Generator, Tensor};
use proptest::prelude::*;

/// Random pictures with the index of each as its one-hot class.
fn pictures(shape: [usize; 4]) -> Dataset<f32, f32> {
    let targets = Tensor::eye(shape[0]);
    Dataset::new(Generator::new(1).uniform(shape, 0.0..1.0), targets).unwrap()
}

/// All but mix-up.
fn everything() -> Augment {
    let geometry = Augment::new().shift(0.2).rotate(30.0).zoom(0.2).crop(1).fill(Fill::Reflect).flip_horizontal();
    geometry.flip_vertical().contrast(0.3).brightness(0.2).noise(0.1).clamp(-0.5, 1.5).cut_out(0.3)
}

/// The pictures by their class, whatever the order they came in.
fn by_class(batches: impl Iterator<Item = Batch<f32, f32>>) -> Vec<Vec<f32>> {
    let mut pictures: Vec<(i64, Vec<f32>)> = Vec::new();
    for batch in batches {
        for row in 0..batch.len() as isize {
            pictures.push((batch.targets.select(0, row).argmax(-1).item(), batch.inputs.select(0, row).to_vec()));
        }
    }
    pictures.sort_by_key(|(class, _)| *class);
    pictures.into_iter().map(|(_, picture)| picture).collect()
}

#[test]
fn a_seed_gives_the_same_bits_however_the_data_are_walked() {
    let data = pictures([23, 7, 5, 3]).augment(everything()).unwrap();
    let batches = |size, seed| data.batches(size).augmented(seed).unwrap();
    let expected = by_class(batches(23, 9));
    assert_eq!(Tensor::from(expected.concat()), everything().apply(data.inputs(), 9).unwrap().flatten());
    for size in [1, 4, 23] {
        assert_eq!(by_class(batches(size, 9)), expected);
        assert_eq!(by_class(batches(size, 9).shuffled(size as u64)), expected);
        for threads in 1..=3 {
            assert_eq!(by_class(batches(size, 9).shuffled(3).prefetch_on(threads, 2)), expected);
        }
    }
    // Another seed changes every picture; so does another index.
    let others = by_class(batches(4, 10));
    assert!(others.iter().zip(&expected).all(|(a, b)| a != b));
    let twice = Dataset::new(Tensor::concat(&[data.inputs().clone(), data.inputs().clone()], 0), Tensor::eye(46));
    let twice = by_class(twice.unwrap().augment(everything()).unwrap().batches(46).augmented(9).unwrap());
    assert_eq!(twice[..23], expected);
    assert!((0..23).all(|row| twice[23 + row] != expected[row]));
}

#[test]
fn what_is_not_drawn_stays() {
    let data = pictures([6, 4, 4, 1]);
    assert_eq!(Augment::new().apply(data.inputs(), 1).unwrap(), *data.inputs());
    let augmented = data.clone().augment(everything()).unwrap();
    // Without a seed, as when evaluating, the samples are themselves.
    assert_eq!(augmented.inputs(), data.inputs());
    assert_eq!(augmented.batches(6).next(), data.batches(6).next());
    assert_eq!(data.batches(6).augmented(1).unwrap().next(), data.batches(6).next());
    // The parts of an augmented data set are augmented.
    let (train, _) = augmented.validation_split(0.5).unwrap();
    assert_eq!(train.augmentation(), Some(&everything()));
    assert_ne!(train.batches(3).augmented(1).unwrap().next().unwrap().inputs, *train.inputs());
}

/// Each option alone, over many draws.
#[test]
fn draws_reach_their_bounds_and_no_further() {
    let column = |value: f32| Tensor::full([400, 1, 1, 1], value);
    let bounds = |augment: Augment, picture: f32| {
        let values = augment.apply(&column(picture), 3).unwrap();
        (values.min(..).item(), values.max(..).item())
    };
    let (low, high) = bounds(Augment::new().brightness(0.5), 1.0);
    assert!((0.5..0.52).contains(&low) && (1.48..=1.5).contains(&high), "{low} {high}");
    let (low, high) = bounds(Augment::new().noise(1.0).clamp(-0.25, 0.5), 0.0);
    assert_eq!((low, high), (-0.25, 0.5));
    // A ramp that is shifted by up to a quarter of eight pixels shows by how much.
    let ramp = Tensor::arange(0.0_f32, 8.0, 1.0).reshape([1, 1, 8, 1]).broadcast_to([400, 1, 8, 1]).contiguous();
    let shifts = (Augment::new().shift(0.25).apply(&ramp, 5).unwrap() - &ramp).slice(2, 4..5).flatten();
    let (low, high) = (shifts.min(..).item(), shifts.max(..).item());
    assert!((-2.0..-1.9).contains(&low) && (1.9..=2.0).contains(&high), "{low} {high}");
    // Crops shift by whole pixels, all of them equally often.
    let crops = (Augment::new().crop(0).crop(0).apply(&ramp, 5).unwrap() - &ramp).abs().max(..).item();
    assert_eq!(crops, 0.0);
    let square = Tensor::arange(0.0_f32, 8.0, 1.0).reshape([1, 1, 8, 1]).broadcast_to([700, 8, 8, 1]).contiguous();
    let crops = (Augment::new().crop(3).apply(&square, 5).unwrap() - &square).slice(2, 4..5).slice(1, ..1).to_vec();
    for shift in -3..=3 {
        let count = crops.iter().filter(|&&by| by == shift as f32).count();
        // 100 each; five standard deviations are 46.
        assert!((54..146).contains(&count), "{count} by {shift}");
    }
    let flipped = Augment::new().flip_horizontal().apply(&ramp, 5).unwrap();
    let count = flipped.slice(2, ..1).to_vec().iter().filter(|&&first| first == 7.0).count();
    // 200; five standard deviations are 50.
    assert!((150..250).contains(&count), "{count}");
}

#[test]
fn mixing_takes_pairs_of_a_batch() {
    let data = pictures([8, 2, 2, 1]).augment(Augment::new().mix_up(0.4)).unwrap();
    for batch in data.batches(5).shuffled(1).augmented(7).unwrap() {
        for row in 0..batch.len() as isize {
            // The classes say of which two pictures, and how much of each.
            let shares = batch.targets.select(0, row);
            assert!((shares.sum(..).item() - 1.0).abs() <= f32::EPSILON);
            let mixture = shares.reshape([1, 8]).matmul(&data.inputs().reshape([8, 4]));
            assert!(batch.inputs.select(0, row).reshape([1, 4]).allclose(&mixture, 1e-6, 1e-6));
        }
    }
    let first = |seed, size| data.batches(size).augmented(seed).unwrap().next().unwrap();
    assert_eq!(first(1, 5), first(1, 5));
    assert_ne!(first(1, 5), first(2, 5));
    let prefetched = data.batches(3).augmented(1).unwrap().prefetch_on(2, 4);
    assert!(prefetched.eq(data.batches(3).augmented(1).unwrap()));
    assert!(Augment::new().mix_up(0.4).apply(data.inputs(), 1).unwrap_err().hint().starts_with("leave mix_up out"));
}

#[test]
fn plain_data_that_serde_reads_and_writes() {
    let written = serde_json::to_string(&everything().mix_up(0.2)).unwrap();
    assert_eq!(serde_json::from_str::<Augment>(&written).unwrap(), everything().mix_up(0.2));
    let read: Augment = serde_json::from_str(r#"{"shift": 0.1, "fill": {"Constant": 0.5}}"#).unwrap();
    assert_eq!(read, Augment::new().shift(0.1).fill(Fill::Constant(0.5)));
    assert!(serde_json::from_str::<Augment>(r#"{"shfit": 0.1}"#).is_err());
}

#[test]
fn what_cannot_be_done_is_refused() {
    let message = |augment: Augment| pictures([2, 4, 4, 1]).augment(augment).unwrap_err().to_string();
    assert_eq!(
        message(Augment::new().shift(1.5)),
        "found shift(1.5), expected a fraction of the size from 0 to 1; choose another amount"
    );
    for augment in [
        Augment::new().shift(-0.1),
        Augment::new().rotate(f64::NAN),
        Augment::new().rotate(200.0),
        Augment::new().zoom(1.0),
        Augment::new().contrast(2.0),
        Augment::new().brightness(-1.0),
        Augment::new().noise(f64::INFINITY),
        Augment::new().cut_out(1.1),
        Augment::new().mix_up(-0.2),
    ] {
        assert!(message(augment).ends_with("; choose another amount"));
    }
    assert_eq!(
        message(Augment::new().crop(4)),
        "found crop(4) of pictures of 4 x 4, expected a padding smaller than the pictures; pad by fewer pixels"
    );
    assert!(message(Augment::new().clamp(1.0, 0.0)).starts_with("found clamp(1, 0), expected a lower and a higher"));
    assert!(message(Augment::new().clamp(f32::NAN, 0.0)).starts_with("found clamp(NaN, 0)"));
    assert!(message(Augment::new().fill(Fill::Constant(f32::INFINITY))).starts_with("found a fill of inf"));

    let flat = Dataset::new(Tensor::<f32>::zeros([2, 4, 4]), Tensor::<f32>::zeros([2])).unwrap();
    let error = flat.augment(Augment::new()).unwrap_err();
    assert!(error.hint().contains("x.unsqueeze(-1)"), "{error}");
    let labels = Dataset::new(Tensor::<f32>::zeros([2, 4, 4, 1]), Tensor::from([0_u8, 1])).unwrap();
    let error = labels.clone().augment(Augment::new().mix_up(0.2)).unwrap_err();
    assert!(error.to_string().contains("to_categorical"), "{error}");
    // What was mapped to something else since.
    let bytes = labels.augment(Augment::new()).unwrap().map_inputs(|x| x.to::<u8>());
    let error = bytes.batches(1).augmented(1).unwrap_err();
    assert!(error.to_string().starts_with("found augmented pictures of type u8, expected"), "{error}");
}

proptest! {
    #[test]
    fn any_size_is_augmented(shape in prop::array::uniform4(0_usize..6), seed: u64) {
        let pictures = Generator::new(seed).uniform(shape, 0.0..1.0);
        let crop = usize::from(shape[1].min(shape[2]) > 1);
        let out = everything().crop(crop).apply(&pictures, seed).unwrap();
        prop_assert_eq!(out.shape(), &shape);
        prop_assert!(out.iter().all(|x| (-0.5..=1.5).contains(&x)));
        // Each picture is on its own.
        for row in 0..shape[0].min(1) {
            let alone = everything().crop(crop).apply(&pictures.slice(0, row..row + 1), seed).unwrap();
            prop_assert_eq!(alone, out.slice(0, row..row + 1));
        }
    }

    /// An interpolated value lies between the pixels that it comes from.
    #[test]
    fn nothing_is_extrapolated(shape in prop::array::uniform4(1_usize..6), seed: u64, amount in 0.0..0.9) {
        let pictures = Generator::new(seed).uniform(shape, 0.0..1.0);
        for fill in [Fill::Nearest, Fill::Reflect, Fill::Constant(0.5)] {
            let augment = Augment::new().shift(amount).rotate(180.0 * amount).zoom(amount).fill(fill);
            let out = augment.apply(&pictures, seed).unwrap();
            let (low, high) = (pictures.min(..).item().min(0.5), pictures.max(..).item().max(0.5));
            prop_assert!(out.iter().all(|x| (low - 1e-6..=high + 1e-6).contains(&x)));
        }
    }
}
