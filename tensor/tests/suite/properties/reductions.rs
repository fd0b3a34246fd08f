use gradus_tensor::{Axes, keepdims};
use proptest::prelude::*;

use super::naive::{Naive, assert_close, assert_same, indices, inserted, pair, pair_and_axis, removed, replaced};

/// `fold` of the elements that agree with each index along the axes that stay.
fn reduced(x: &Naive, mask: &[bool], keep: bool, fold: fn(&[f64]) -> f64) -> Naive {
    let lengths = |keep: bool| -> Vec<usize> {
        let axes = (0..x.shape.len()).filter(|&axis| keep || !mask[axis]);
        axes.map(|axis| if mask[axis] { 1 } else { x.shape[axis] }).collect()
    };
    let all = indices(&x.shape);
    let kept = Naive::build(&lengths(true), |index| {
        let same = |other: &[usize]| (0..index.len()).all(|axis| mask[axis] || other[axis] == index[axis]);
        let elements: Vec<f64> = all.iter().zip(&x.data).filter(|(other, _)| same(other)).map(|(_, &x)| x).collect();
        fold(&elements)
    });
    Naive { shape: lengths(keep), ..kept }
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn var(x: &[f64]) -> f64 {
    x.iter().map(|y| (y - mean(x)).powi(2)).sum::<f64>() / x.len() as f64
}

proptest! {
    #[test]
    fn reductions_run_over_any_axes((x, naive) in pair(), choice in any::<u8>(), keep in any::<bool>()) {
        let mask: Vec<bool> = (0..naive.shape.len()).map(|axis| choice >> axis & 1 == 1).collect();
        let axes: Axes = (0..mask.len() as isize).filter(|&axis| mask[axis as usize]).collect();
        let axes = || if keep { keepdims(axes.clone()) } else { axes.clone() };
        let expect = |fold| reduced(&naive, &mask, keep, fold);
        assert_same(&x.sum(axes()), &expect(|x| x.iter().sum()));
        assert_close(&x.prod(axes()), &expect(|x| x.iter().product()), 1e-13);
        assert_same(&x.max(axes()), &expect(|x| x.iter().copied().fold(f64::NEG_INFINITY, f64::max)));
        assert_same(&x.min(axes()), &expect(|x| x.iter().copied().fold(f64::INFINITY, f64::min)));
        assert_close(&x.mean(axes()), &expect(mean), 1e-14);
        assert_close(&x.var(axes()), &expect(var), 1e-13);
        assert_close(&x.std(axes()), &expect(|x| var(x).sqrt()), 1e-13);
        assert_close(&x.norm(axes()), &expect(|x| x.iter().map(|x| x * x).sum::<f64>().sqrt()), 1e-14);
        assert_close(&x.logsumexp(axes()), &expect(|x| x.iter().map(|x| x.exp()).sum::<f64>().ln()), 1e-13);
        assert_same(&x.greater(3.0).any(axes()), &expect(|x| f64::from(x.iter().any(|&x| x > 3.0))));
        assert_same(&x.greater(3.0).all(axes()), &expect(|x| f64::from(x.iter().all(|&x| x > 3.0))));
    }

    #[test]
    fn sums_undo_broadcasts((x, naive) in pair(), choice in any::<u8>(), drop in any::<usize>()) {
        let ndim = naive.shape.len();
        let drop = drop % (ndim + 1);
        let mask: Vec<bool> = (0..ndim).map(|axis| axis < drop || choice >> axis & 1 == 1).collect();
        let expected = reduced(&naive, &mask, true, |x| x.iter().sum());
        let shape = expected.shape[drop..].to_vec();
        assert_same(&x.sum_to(&shape[..].into()), &Naive { shape, data: expected.data });
    }

    #[test]
    fn ops_along_an_axis_follow_their_formulas((x, naive, axis) in pair_and_axis()) {
        let along = axis as isize;
        let expect = |f: fn(&[f64], usize) -> f64| {
            Naive::build(&naive.shape, |index| f(&naive.line(axis, &index), index[axis]))
        };
        let total = |x: &[f64]| x.iter().map(|x| x.exp()).sum::<f64>();
        assert_same(&x.cumsum(along), &expect(|x, i| x[..=i].iter().sum()));
        assert_close(&x.softmax(along), &expect(|x, i| x[i].exp() / x.iter().map(|x| x.exp()).sum::<f64>()), 1e-14);
        let logs = Naive::build(&naive.shape, |index| naive.at(&index) - total(&naive.line(axis, &index)).ln());
        assert_close(&x.log_softmax(along), &logs, 1e-13);
    }

    #[test]
    fn the_first_of_the_largest_is_found((x, naive, axis) in pair_and_axis()) {
        prop_assume!(naive.shape[axis] > 0);
        let first = |best: fn(f64, f64) -> f64, x: &[f64]| {
            let best = x.iter().copied().reduce(best).unwrap();
            x.iter().position(|&x| x == best).unwrap() as f64
        };
        let expect = |best| {
            Naive::build(&removed(&naive.shape, axis), |index| first(best, &naive.line(axis, &inserted(&index, axis, 0))))
        };
        assert_same(&x.argmax(axis as isize), &expect(f64::max));
        assert_same(&x.argmin(axis as isize), &expect(f64::min));
    }

    #[test]
    fn sorting_is_stable_and_complete((x, naive, axis) in pair_and_axis(), k in any::<usize>()) {
        let along = axis as isize;
        // Python's way: sorted(range(n), key=..).
        let order = |x: &[f64], descending: bool| {
            let mut places: Vec<usize> = (0..x.len()).collect();
            let sign = if descending { -1.0 } else { 1.0 };
            places.sort_by(|&i, &j| (sign * x[i]).total_cmp(&(sign * x[j])));
            places
        };
        let expect = |shape: &[usize], descending| Naive::build(shape, |index| {
            order(&naive.line(axis, &replaced(&index, axis, 0)), descending)[index[axis]] as f64
        });
        let ascending = expect(&naive.shape, false);
        let values = |places: &Naive| Naive::build(&places.shape, |index| {
            naive.at(&replaced(&index, axis, places.at(&index) as usize))
        });
        assert_same(&x.argsort(along), &ascending);
        assert_same(&x.sort(along), &values(&ascending));
        let k = k % (naive.shape[axis] + 1);
        let largest = expect(&replaced(&naive.shape, axis, k), true);
        let (found, places) = x.topk(along, k);
        assert_same(&places, &largest);
        assert_same(&found, &values(&largest));
    }
}
