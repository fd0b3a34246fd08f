//! Data sets of several columns: what holds for one tensor holds for each column, and samples stay whole.

use gradus_datasets::{Augment, Batch, Dataset, Order, Splits};
use gradus_tensor::{AnyTensor, Columns, Element, Tensor};
use proptest::prelude::*;

/// Samples of which every number tells the sample's index, in columns of four element types.
fn numbered(samples: usize) -> Dataset<Columns> {
    let n = samples as i64;
    let index = Tensor::arange(0, n, 1);
    let rows = |width: usize| index.reshape([samples, 1]).broadcast_to([samples, width]);
    let inputs = Columns::new()
        .with("ids", &rows(3) * 1000)
        .with("picture", rows(4).to::<u8>().reshape([samples, 2, 2]))
        .and(rows(2).to::<f32>() + 0.5)
        .with("odd", (&index % 2).to::<bool>());
    let targets = Columns::new().with("kind", index.clone()).with("price", rows(1).to::<f64>() * 0.25);
    let dataset = Dataset::new(inputs, targets).unwrap().with_class_names(["a", "b"]);
    dataset.with_weights(index.to::<f32>()).unwrap()
}

fn column<X: Element>(columns: &Columns, name: &str) -> Tensor<X> {
    columns.named(name).unwrap().get::<X>().expect("the element type stays").clone()
}

/// The indices of samples, from columns that are checked to be whole: as many, of the same types, names and order.
fn indices(inputs: &Columns, targets: &Columns, weights: Option<&Tensor>) -> Vec<i64> {
    assert_eq!(inputs.names().collect::<Vec<_>>(), [Some("ids"), Some("picture"), None, Some("odd")]);
    assert_eq!(targets.names().collect::<Vec<_>>(), [Some("kind"), Some("price")]);
    let kinds = column::<i64>(targets, "kind").to_vec();
    let all = |tensor: &AnyTensor, of: &dyn Fn(f64) -> f64| {
        let values = tensor.to::<f64>().reshape([kinds.len(), tensor.shape().size() / kinds.len()]);
        for (row, &kind) in kinds.iter().enumerate() {
            let values = values.select(0, row as isize).to_vec();
            assert!(values.iter().all(|&x| x == of(kind as f64)), "sample {kind}: {values:?}");
        }
    };
    column::<i64>(inputs, "ids");
    column::<u8>(inputs, "picture");
    column::<bool>(inputs, "odd");
    column::<f64>(targets, "price");
    assert_eq!(inputs[1].shape(), &[kinds.len(), 2, 2]);
    all(&inputs[0], &|index| index * 1000.0);
    all(&inputs[1], &|index| index);
    all(&inputs[2], &|index| index + 0.5);
    all(&inputs[3], &|index| index % 2.0);
    all(&targets[1], &|index| index * 0.25);
    all(&AnyTensor::from(weights.unwrap()), &|index| index);
    kinds
}

fn batch_indices(batch: &Batch<Columns>) -> Vec<i64> {
    assert_eq!(batch.len(), batch.targets[0].shape()[0]);
    indices(&batch.inputs, &batch.targets, batch.weights.as_ref())
}

fn part_indices(part: &Dataset<Columns>) -> Vec<i64> {
    assert_eq!(part.class_names().unwrap(), ["a", "b"]);
    assert_eq!(part.len(), part.inputs()[0].shape()[0]);
    indices(part.inputs(), part.targets(), part.weights())
}

/// The same samples as one tensor of their indices.
fn alone(samples: usize) -> Dataset<i64> {
    let index = Tensor::arange(0, samples as i64, 1);
    Dataset::new(index.clone(), index).unwrap()
}

proptest! {
    #[test]
    fn batches_hold_the_same_samples_as_those_of_one_tensor(
        samples in 1_usize..60,
        size in 1_usize..20,
        seed in prop::option::of(0_u64..100),
        drop_last: bool,
        threads in 0_usize..4,
    ) {
        let (columns, alone) = (numbered(samples), alone(samples));
        let mut expected = alone.batches(size).drop_last(drop_last);
        let mut batches = columns.batches(size).drop_last(drop_last);
        if let Some(seed) = seed {
            (expected, batches) = (expected.shuffled(seed), batches.shuffled(seed));
        }
        let expected: Vec<Vec<i64>> = expected.map(|batch| batch.inputs.to_vec()).collect();
        let found: Vec<Vec<i64>> = match threads {
            0 => batches.map(|batch| batch_indices(&batch)).collect(),
            threads => batches.prefetch_on(threads, 3).map(|batch| batch_indices(&batch)).collect(),
        };
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn parts_hold_the_same_samples_as_those_of_one_tensor(samples in 2_usize..60, at in 1_usize..59, seed in 0_u64..100) {
        prop_assume!(at < samples);
        let (columns, alone) = (numbered(samples), alone(samples));
        let same = |columns: &Dataset<Columns>, alone: &Dataset<i64>| part_indices(columns) == alone.inputs().to_vec();
        prop_assert!(same(&columns.shuffle(seed), &alone.shuffle(seed)));
        prop_assert!(same(&columns.slice(at..), &alone.slice(at..)));
        prop_assert!(same(&columns.take(at), &alone.take(at)));
        let (first, rest) = columns.split_at(at);
        prop_assert!(same(&first, &alone.take(at)) && same(&rest, &alone.slice(at..)));
        let (train, validation) = columns.validation_split(0.5).unwrap();
        let expected = alone.validation_split(0.5).unwrap();
        prop_assert!(same(&train, &expected.0) && same(&validation, &expected.1));
    }
}

#[test]
fn a_walk_over_columns_goes_on_where_it_was_left() {
    let mut walk = numbered(23).batches(4).shuffled(9);
    walk.nth(2);
    let order: Order = serde_json::from_str(&serde_json::to_string(walk.order()).unwrap()).unwrap();
    let later = numbered(23).batches(4).in_order(order).unwrap();
    assert!(walk.map(|batch| batch_indices(&batch)).eq(later.map(|batch| batch_indices(&batch))));
    let listed = numbered(3).batches(2).in_order(Order::listed([2, 2, 0])).unwrap();
    assert_eq!(listed.map(|batch| batch_indices(&batch)).collect::<Vec<_>>(), [vec![2, 2], vec![0]]);
}

#[test]
fn tensors_are_shared_by_columns_parts_and_batches_in_order() {
    let (inputs, targets) = (Tensor::arange(0.0, 12.0, 1.0).reshape([6, 2]), Tensor::from([0_u8, 1, 2, 3, 4, 5]));
    let place = inputs.as_slice().unwrap().as_ptr();
    let dataset = Dataset::new(inputs, targets).unwrap().with_class_names(["a"]);
    let columns = dataset.to_columns();
    assert_eq!(columns.class_names(), dataset.class_names());
    let address = |columns: &Columns| columns[0].get::<f32>().unwrap().as_slice().unwrap().as_ptr();
    assert_eq!(address(columns.inputs()), place);
    assert_eq!(address(columns.slice(2..).inputs()), place.wrapping_add(4));
    assert_eq!(address(&columns.batches(3).nth(1).unwrap().inputs), place.wrapping_add(6));
    let batch = dataset.batches(3).nth(1).unwrap();
    assert_eq!(address(&batch.inputs.into()), place.wrapping_add(6));
    assert_eq!(Columns::from(batch.targets)[0].element(), "u8");
}

#[test]
fn one_side_may_be_a_tensor_and_the_other_columns() {
    let inputs = Columns::from((Tensor::from([[1_i64, 2], [3, 4]]), Tensor::new([0.5, 0.25])));
    let dataset: Dataset<Columns, u8> = Dataset::new(inputs, Tensor::from([1_u8, 0])).unwrap();
    let one_hot = dataset.to_categorical(2).unwrap();
    assert_eq!(*one_hot.targets(), Tensor::new([[0.0, 1.0], [1.0, 0.0]]));
    assert_eq!(one_hot.target_shape(), [2]);
    assert_eq!(one_hot.inputs(), dataset.inputs());
    // Tensors become columns, and columns tensors.
    let split = one_hot.map_targets(|rows| Columns::from((rows.select(1, 0), rows.select(1, 1))));
    let split: Dataset<Columns> = split.map_inputs(|columns: Columns| columns);
    assert_eq!(split.targets()[1].to::<f32>(), Tensor::new([1.0, 0.0]));
    let prices = split.map_inputs(|columns| columns[1].to::<f32>());
    assert_eq!((prices.input_shape(), prices.inputs()), ([].into(), &Tensor::new([0.5, 0.25])));
}

#[test]
fn both_parts_of_splits_are_mapped() {
    let splits = Splits { train: numbered(5), test: numbered(2) };
    let splits =
        splits.map_inputs(|columns| columns.select(&["picture", "ids"]).map_column("picture", |x| x.to::<f32>()));
    let splits = splits.map_targets(|columns| columns.select(&["price"]));
    for part in [&splits.train, &splits.test] {
        assert_eq!(part.inputs().names().collect::<Vec<_>>(), [Some("picture"), Some("ids")]);
        assert_eq!((part.inputs()[0].element(), part.inputs()[1].element()), ("f32", "i64"));
        assert_eq!((part.targets().len(), part.class_names().unwrap().len()), (1, 2));
    }
}

#[test]
fn columns_of_different_lengths_are_named() {
    let error = |inputs: Columns, targets: Columns| Dataset::new(inputs, targets).unwrap_err().to_string();
    let zeros = |shape: &[usize]| Tensor::<f32>::zeros(shape);
    let two = || Columns::new().with("title", Tensor::<i64>::zeros([4, 9])).with("price", zeros(&[3]));
    let end = "expected first axes of the same length, an entry for each sample; check how the two were read or sliced";
    assert_eq!(
        error(two(), zeros(&[4]).into()),
        format!(r#"found input "title" of shape [4, 9] with input "price" of shape [3], {end}"#)
    );
    assert_eq!(
        error(zeros(&[4]).into(), (zeros(&[4]), zeros(&[3, 1])).into()),
        format!("found inputs of shape [4] with target 1 of shape [3, 1], {end}")
    );
    assert_eq!(
        error(Columns::from((zeros(&[]), zeros(&[2]))), zeros(&[2]).into()),
        format!("found input 0 of shape [] with input 1 of shape [2], {end}")
    );
    assert_eq!(
        error(Columns::new().with("title", zeros(&[0, 3])), zeros(&[0]).into()),
        "found no sample, input \"title\" of shape [0, 3], expected at least one sample; check how the data were read or \
         filtered"
    );
    assert_eq!(
        error(Columns::new(), zeros(&[2]).into()),
        "found no input column, expected at least one; add one by `Columns::with`"
    );
    assert!(error(zeros(&[2]).into(), Columns::new()).starts_with("found no target column"));
}

#[test]
#[should_panic(
    expected = r#"map_inputs: the first axis must still count the samples: "ids" [4, 3], "picture" [4, 2, 2], [4, 2], "odd" [4] became "ids" [4, 3], [2]"#
)]
fn a_map_that_loses_samples_is_refused() {
    numbered(4).map_inputs(|columns| columns.select(&["ids"]).and(Tensor::new([1.0, 2.0])));
}

#[test]
#[should_panic(
    expected = "map_targets: the first axis must still count the samples: \"kind\" [4], \"price\" [4, 1] became no column"
)]
fn a_map_to_no_column_is_refused() {
    numbered(4).map_targets(|_| Columns::new());
}

/// Pictures, with a column of ids beside them, and targets of two columns.
fn pictures(samples: usize) -> (Dataset, Dataset<Columns>) {
    let alone = Dataset::new(
        Tensor::arange(0.0, samples as f32 * 20.0, 1.0).reshape([samples, 5, 4, 1]),
        Tensor::<f32>::eye(samples),
    );
    let alone = alone.unwrap();
    let inputs = Columns::new().with("ids", Tensor::arange(0, samples as i64, 1)).with("picture", alone.inputs());
    let columns = Dataset::new(inputs, Columns::new().with("kind", alone.targets())).unwrap();
    (alone, columns)
}

#[test]
fn the_pictures_of_a_column_are_changed_as_those_of_a_tensor_and_the_others_stay() {
    let augment = Augment::new().shift(0.2).rotate(20.0).noise(0.3);
    let (alone, columns) = pictures(11);
    let alone = alone.augment(augment.clone()).unwrap();
    let columns = columns.augment_column("picture", augment.clone()).unwrap();
    assert_eq!(columns.augmentation(), Some(&augment));
    for threads in [1, 3] {
        let walk = |seed| columns.batches(4).shuffled(2).augmented(seed).unwrap().prefetch_on(threads, 2);
        let expected = alone.batches(4).shuffled(2).augmented(7).unwrap();
        for (found, expected) in walk(7).zip(expected) {
            assert_eq!(found.inputs.named("picture").unwrap().to::<f32>(), expected.inputs);
            assert_eq!(found.inputs[0].to::<i64>(), found.targets[0].to::<f32>().argmax(-1));
        }
        assert!(walk(8).zip(walk(7)).all(|(a, b)| a.inputs[0] == b.inputs[0] && a.inputs[1] != b.inputs[1]));
    }
    // Pictures of f64 are computed in f32 and stay f64.
    let doubles = columns.clone().map_inputs(|columns| columns.map_column("picture", |x| x.to::<f64>()));
    let (double, single) =
        (doubles.batches(11).augmented(7).unwrap().next(), alone.batches(11).augmented(7).unwrap().next());
    let picture = column::<f64>(&double.unwrap().inputs, "picture");
    assert_eq!(picture, single.unwrap().inputs.to::<f64>());
    // Without a seed, as when evaluating, the samples are themselves.
    assert_eq!(columns.batches(11).next().unwrap().inputs, *columns.inputs());
    // One tensor as a column keeps its augmentation.
    let column = alone.to_columns().batches(4).augmented(7).unwrap().next().unwrap();
    assert_eq!(column.inputs[0].to::<f32>(), alone.batches(4).augmented(7).unwrap().next().unwrap().inputs);
}

#[test]
fn mix_up_mixes_all_columns_by_the_same_shares() {
    let (alone, columns) = pictures(6);
    // Of sample i all inputs are i + 1 and the target is its one-hot row, so a mixture's inputs follow from its target.
    let value = Tensor::arange(1.0, 7.0, 1.0);
    let inputs = Columns::new()
        .with("picture", value.reshape([6, 1, 1, 1]).broadcast_to([6, 2, 2, 1]))
        .with("size", value.to::<f64>());
    let mixed = columns.map_inputs(|_| inputs).augment_column("picture", Augment::new().mix_up(1.0)).unwrap();
    for batch in mixed.batches(3).augmented(4).unwrap() {
        let expected = batch.targets[0].to::<f32>().matmul(&value.reshape([6, 1])).reshape([3]);
        let size = batch.inputs.named("size").unwrap().get::<f64>().expect("f64 stays").to::<f32>();
        assert!(size.allclose(&expected, 1e-6, 0.0), "{size} {expected}");
        let picture = batch.inputs.named("picture").unwrap().to::<f32>().reshape([3, 4]).select(1, 3);
        assert!(picture.allclose(&expected, 1e-6, 0.0), "{picture} {expected}");
    }
    assert!(alone.augment(Augment::new().mix_up(1.0)).is_ok());
}

#[test]
fn columns_that_cannot_be_augmented_are_named() {
    let error = |name: &str, augment: Augment| pictures(3).1.augment_column(name, augment).unwrap_err().to_string();
    assert_eq!(
        error("image", Augment::new()),
        r#"found no input "image" among ["ids", "picture"], expected a column of pictures to augment; name the column of the pictures"#
    );
    assert!(error("ids", Augment::new()).starts_with(r#"found augmented pictures of type i64, input "ids", expected"#));
    assert!(error("picture", Augment::new().mix_up(0.2)).starts_with(r#"found input "ids" of type i64, expected"#));
    // A data set that was mapped after it was augmented.
    let augmented = pictures(3).0.augment(Augment::new().shift(0.1)).unwrap();
    let two = augmented.map_inputs(|x| Columns::from((x.clone(), x)));
    assert_eq!(
        two.batches(2).augmented(1).unwrap_err().to_string(),
        "found 2 inputs, [], instead of pictures alone, expected a column of pictures to augment; name the column of the \
         pictures: `augment_column`"
    );
}
