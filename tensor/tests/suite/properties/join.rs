use gradus_tensor::{PadMode, Tensor};
use proptest::prelude::*;

use super::naive::{Naive, assert_same, inserted, pair, pair_and_axis, removed, replaced};

proptest! {
    #[test]
    fn tensors_join((x, naive, axis) in pair_and_axis()) {
        let (along, length) = (axis as isize, naive.shape[axis]);
        let parts = [x.clone(), x.flip(along), x.slice(along, ..length / 2)];
        let expected = Naive::build(&replaced(&naive.shape, axis, 2 * length + length / 2), |index| {
            let i = index[axis];
            let place = if i < length { i } else if i < 2 * length { 2 * length - 1 - i } else { i - 2 * length };
            naive.at(&replaced(&index, axis, place))
        });
        assert_same(&Tensor::concat(&parts, along), &expected);
    }

    #[test]
    fn tensors_stack((x, naive) in pair(), axis in any::<usize>()) {
        let axis = axis % (naive.shape.len() + 1);
        let expected = Naive::build(&inserted(&naive.shape, axis, 2), |index| {
            naive.at(&removed(&index, axis)) + index[axis] as f64
        });
        assert_same(&Tensor::stack(&[x.clone(), &x + 1.0], axis as isize), &expected);
    }

    #[test]
    fn padding_continues_the_tensor((x, naive) in pair(), before in 0..4_usize, after in 0..4_usize, seed in any::<u8>()) {
        let widths: Vec<(usize, usize)> = (0..naive.shape.len())
            .map(|axis| if seed >> axis & 1 == 1 { (before, after) } else { (after, 0) })
            .collect();
        let shape: Vec<usize> = naive.shape.iter().zip(&widths).map(|(&length, &(a, b))| a + length + b).collect();
        let place = |index: &[usize], axis: usize| index[axis] as isize - widths[axis].0 as isize;
        let constant = Naive::build(&shape, |index| {
            let own: Option<Vec<usize>> = (0..index.len())
                .map(|axis| usize::try_from(place(&index, axis)).ok().filter(|&i| i < naive.shape[axis]))
                .collect();
            own.map_or(-3.0, |own| naive.at(&own))
        });
        assert_same(&x.pad(&widths, -3.0), &constant);
        if naive.shape.iter().all(|&length| length > 0) {
            let replicated = Naive::build(&shape, |index| {
                let clamped = |axis: usize| place(&index, axis).clamp(0, naive.shape[axis] as isize - 1) as usize;
                naive.at(&(0..index.len()).map(clamped).collect::<Vec<_>>())
            });
            assert_same(&x.pad(&widths, PadMode::Replicate), &replicated);
        }
        if naive.shape.iter().zip(&widths).all(|(&length, &(a, b))| length > a.max(b)) {
            let reflected = Naive::build(&shape, |index| {
                let mirrored = |axis: usize| {
                    let (i, last) = (place(&index, axis).unsigned_abs(), naive.shape[axis] - 1);
                    if i > last { 2 * last - i } else { i }
                };
                naive.at(&(0..index.len()).map(mirrored).collect::<Vec<_>>())
            });
            assert_same(&x.pad(&widths, PadMode::Reflect), &reflected);
        }
    }

    #[test]
    fn repetition_counts((x, naive, axis) in pair_and_axis(), count in 0..4_usize) {
        let shape = replaced(&naive.shape, axis, naive.shape[axis] * count);
        let repeated = Naive::build(&shape, |index| naive.at(&replaced(&index, axis, index[axis] / count)));
        assert_same(&x.repeat(count, axis as isize), &repeated);
        let mut counts = vec![1; naive.shape.len()];
        counts[axis] = count;
        let tiled = Naive::build(&shape, |index| naive.at(&replaced(&index, axis, index[axis] % naive.shape[axis])));
        assert_same(&x.tile(&counts), &tiled);
    }
}
