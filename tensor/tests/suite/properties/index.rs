use gradus_tensor::Tensor;
use proptest::prelude::*;

use super::naive::{Naive, assert_same, indices, pair, pair_and_axis, replaced};

/// Whole numbers below `bound` in some order, from a seed.
fn below(bound: usize, count: usize, seed: u64) -> Vec<usize> {
    (0..count as u64).map(|i| ((i + 1).wrapping_mul(seed | 1) >> 7) as usize % bound.max(1)).collect()
}

fn as_index(places: &[usize], shape: &[usize]) -> Tensor<i64> {
    Tensor::from_vec(places.iter().map(|&place| place as i64).collect(), shape).unwrap()
}

proptest! {
    #[test]
    fn entries_are_selected_and_added_back(
        (x, naive, axis) in pair_and_axis(), rows in 0..4_usize, columns in 0..3_usize, seed in any::<u64>()
    ) {
        let length = naive.shape[axis];
        let (rows, columns) = if length == 0 { (0, columns) } else { (rows, columns) };
        let places = below(length, rows * columns, seed);
        let (before, after) = (&naive.shape[..axis], &naive.shape[axis + 1..]);
        // The index's two axes stand in the place of the one they index.
        let source = |index: &[usize]| {
            let place = places[index[axis] * columns + index[axis + 1]];
            [&index[..axis], &[place], &index[axis + 2..]].concat()
        };
        let expected = Naive::build(&[before, &[rows, columns], after].concat(), |index| naive.at(&source(&index)));
        let index = as_index(&places, &[rows, columns]);
        assert_same(&x.index_select(axis as isize, &index), &expected);

        let mut sums = naive.clone();
        let all = indices(&naive.shape);
        for (index, &value) in indices(&expected.shape).iter().zip(&expected.data) {
            let place = all.iter().position(|other| *other == source(index)).unwrap();
            sums.data[place] += value;
        }
        assert_same(&x.index_add(axis as isize, &index, &expected.tensor()), &sums);
        assert_same(&x, &naive);
    }

    #[test]
    fn rows_make_batches((x, naive, _) in pair_and_axis(), count in 0..6_usize, seed in any::<u64>()) {
        let count = if naive.shape[0] == 0 { 0 } else { count };
        let rows = below(naive.shape[0], count, seed);
        let expected = Naive::build(&replaced(&naive.shape, 0, count), |index| {
            naive.at(&replaced(&index, 0, rows[index[0]]))
        });
        assert_same(&x.take_rows(&rows), &expected);
        let mut batch = Tensor::<f64>::zeros([count]);
        x.take_rows_into(&rows, &mut batch);
        assert_same(&batch, &expected);
    }

    #[test]
    fn gathering_and_scattering_follow_their_definition(
        (x, naive, axis) in pair_and_axis(), count in 0..5_usize, shrink in any::<u8>(), seed in any::<u64>(),
        flipped in any::<bool>(),
    ) {
        // An index as long as it likes along the axis, and maybe shorter along the others.
        let mut shape: Vec<usize> = naive.shape.clone();
        for (other, length) in shape.iter_mut().enumerate() {
            *length -= usize::from(shrink >> other & 1 == 1 && *length > 0);
        }
        shape[axis] = if naive.shape[axis] == 0 { 0 } else { count };
        let size = shape.iter().product();
        let mut places = below(naive.shape[axis], size, seed);
        let mut index = as_index(&places, &shape);
        if flipped {
            index = index.flip(0);
            places = index.iter().map(|place| place as usize).collect();
        }
        let targets: Vec<Vec<usize>> =
            indices(&shape).iter().zip(&places).map(|(index, &place)| replaced(index, axis, place)).collect();
        let expected = Naive { shape: shape.clone(), data: targets.iter().map(|index| naive.at(index)).collect() };
        assert_same(&x.gather(axis as isize, &index), &expected);

        let source = Tensor::<f64>::arange(1.0, size as f64 + 1.0, 1.0).reshape(&shape[..]);
        let mut sums = naive.clone();
        let all = indices(&naive.shape);
        for (target, value) in targets.iter().zip(source.iter()) {
            sums.data[all.iter().position(|other| other == target).unwrap()] += value;
        }
        assert_same(&x.scatter_add(axis as isize, &index, &source), &sums);
        assert_same(&x, &naive);
    }

    #[test]
    fn classes_become_unit_vectors((x, naive) in pair()) {
        let labels = (&x + 7.0).to::<u8>();
        let shape = [&naive.shape[..], &[16]].concat();
        let expected = Naive::build(&shape, |index| {
            let (class, label) = index.split_last().unwrap();
            f64::from(naive.at(label) + 7.0 == *class as f64)
        });
        assert_same(&labels.one_hot::<f32>(16), &expected);
    }
}
