use gradus_tensor::{Tensor, step};
use proptest::prelude::*;

use super::naive::{Naive, assert_same, inserted, removed};

/// The product of stacks of matrices that broadcast, element by element.
fn product(a: &Naive, b: &Naive) -> Naive {
    let (first, second) = (a.shape.len() - 2, b.shape.len() - 2);
    let axes = first.max(second);
    let length = |naive: &Naive, axis: usize| {
        let own = naive.shape.len() - 2;
        (axis + own).checked_sub(axes).map_or(1, |axis| naive.shape[axis])
    };
    // An axis of length 1 is as long as the other's.
    let longer = |axis| if length(a, axis) == 1 { length(b, axis) } else { length(a, axis) };
    let mut shape: Vec<usize> = (0..axes).map(longer).collect();
    shape.extend([a.shape[first], b.shape[second + 1]]);
    Naive::build(&shape, |index| {
        let (stack, i, j) = (&index[..axes], index[axes], index[axes + 1]);
        let term = |k: usize| a.at_broadcast(&[stack, &[i, k]].concat()) * b.at_broadcast(&[stack, &[k, j]].concat());
        (0..a.shape[first + 1]).map(term).sum()
    })
}

/// Small whole numbers, whose sums are exact in any order.
fn integers(shape: &[usize], seed: u64) -> Naive {
    let mut next = seed;
    Naive::build(shape, |_| {
        next = next.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
        (next >> 60) as f64 - 7.0
    })
}

/// The same elements: as they are, from a transposed tensor, backwards, of every other element, or behind others.
fn lying(naive: &Naive, way: usize) -> Tensor<f64> {
    let (x, last) = (naive.tensor(), naive.shape.len() - 1);
    match way {
        0 => x,
        1 if last > 0 => x.t().contiguous().t(),
        2 => x.flip(-1).contiguous().flip(-1),
        3 => x.repeat(2, -1).slice(-1, step(.., 2)),
        4 => x.repeat(2, 0).slice(0, step(.., 2)),
        _ => Tensor::concat(
            &[Tensor::full(naive.shape[..last].iter().copied().chain([2]).collect::<Vec<_>>(), 9.0), x],
            -1,
        )
        .slice(-1, 2..),
    }
}

proptest! {
    #[test]
    fn stacks_of_matrices_broadcast(
        stack in prop::collection::vec(0_usize..3, 0..3),
        lengths in [0_usize..5, 0_usize..5, 0_usize..5],
        ones in [0_usize..4, 0_usize..4],
        missing in [0_usize..3, 0_usize..3],
        vectors in [prop::bool::weighted(0.2), prop::bool::weighted(0.2)],
        ways in [0_usize..6, 0_usize..6],
        seed in any::<u64>(),
    ) {
        let [m, k, n] = lengths;
        let operand = |which: usize, matrix: [usize; 2]| {
            if vectors[which] {
                return integers(&[k], seed ^ which as u64);
            }
            let start = missing[which].min(stack.len());
            let own = (start..stack.len()).map(|axis| if ones[which] >> axis & 1 == 1 { 1 } else { stack[axis] });
            integers(&own.chain(matrix).collect::<Vec<_>>(), seed ^ which as u64)
        };
        let (a, b) = (operand(0, [m, k]), operand(1, [k, n]));
        let found = lying(&a, ways[0]).matmul(&lying(&b, ways[1]));
        let single = lying(&a, ways[0]).to::<f32>().matmul(&lying(&b, ways[1]).to::<f32>());
        // A vector is a row on the left and a column on the right, and that axis goes away.
        let row = |shape: &[usize]| inserted(shape, 0, 1);
        let column = |shape: &[usize]| inserted(shape, 1, 1);
        let a = if vectors[0] { Naive { shape: row(&a.shape), ..a } } else { a };
        let b = if vectors[1] { Naive { shape: column(&b.shape), ..b } } else { b };
        let mut expected = product(&a, &b);
        let last = expected.shape.len() - 1;
        if vectors[1] {
            expected.shape = removed(&expected.shape, last);
        }
        if vectors[0] {
            expected.shape = removed(&expected.shape, last - 1);
        }
        assert_same(&found, &expected);
        assert_same(&single, &expected);
    }
}
