//! Sums have the same bits on any number of ranks.

use gradus_distributed::{Communicator, Exchange, Reduction, threads};
use gradus_tensor::Float;
use proptest::prelude::*;

/// The value of shard `shard` at place `place`: of very different sizes and both signs, so that every order gives other bits; in some
/// places NaN, infinities, zeros and subnormal numbers.
fn value<T: Float>(seed: u64, shard: usize, place: usize) -> T {
    let mut z = seed ^ ((shard as u64) << 40) ^ place as u64;
    for _ in 0..2 {
        z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
    }
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e-310];
    if z.is_multiple_of(97) {
        return T::of(special[(z / 97 % 5) as usize]);
    }
    let mantissa = (z >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
    T::of(mantissa * 2_f64.powi((z % 24) as i32))
}

fn part<T: Float>(seed: u64, shard: usize, length: usize) -> Vec<T> {
    (0..length).map(|place| value(seed, shard, place)).collect()
}

fn add<T: Float>(mut left: Vec<T>, right: Vec<T>) -> Vec<T> {
    left.iter_mut().zip(right).for_each(|(left, right)| *left += right);
    left
}

/// The tree as the documentation has it, number by number.
fn by_definition<T: Float>(seed: u64, place: usize, from: usize, to: usize) -> T {
    if to - from == 1 {
        return value(seed, from, place);
    }
    let middle = from + (to - from) / 2;
    let left: T = by_definition(seed, place, from, middle);
    left + by_definition(seed, place, middle, to)
}

/// Bits, but one NaN for all: which one a sum gives is open.
fn bits<T: Float>(numbers: &[T]) -> Vec<u64> {
    numbers.iter().map(|number| if number.is_nan_value() { u64::MAX } else { number.as_f64().to_bits() }).collect()
}

fn total<T: Float>(communicator: Box<dyn Communicator>, seed: u64, shards: usize, length: usize) -> Vec<T> {
    let exchange = Exchange::new(communicator, shards, Reduction::Exact).unwrap();
    let mut partial = exchange.partial();
    // Not in order, and another order on each rank.
    let own: Vec<usize> = exchange.own().collect();
    for step in 0..own.len() {
        let shard = own[(step + exchange.own().start) % own.len()];
        partial.add(shard, part(seed, shard, length), &mut add);
    }
    exchange.sum(partial.finish()).unwrap()
}

fn same_on_all_ranks<T: Float>(seed: u64, ranks: usize, shards: usize, length: usize) {
    let expected: Vec<T> = (0..length).map(|place| by_definition(seed, place, 0, shards)).collect();
    for (rank, total) in threads::run(ranks, |it| total::<T>(it, seed, shards, length)).iter().enumerate() {
        assert!(
            bits(total) == bits(&expected),
            "rank {rank} of {ranks}, {shards} shards, {length} numbers of {}",
            T::NAME
        );
    }
}

#[test]
fn the_sum_has_the_same_bits_on_one_to_eight_ranks() {
    for length in [0, 1, 2, 3, 7, 8, 9, 100, 1000, 2000, 4097, 20_000] {
        for ranks in 1..=8 {
            same_on_all_ranks::<f32>(length as u64, ranks, 8, length);
        }
    }
}

#[test]
fn so_it_has_with_other_numbers_of_shards() {
    for shards in [5, 7, 12, 16, 17] {
        for ranks in 1..=shards.min(8) {
            same_on_all_ranks::<f32>(1, ranks, shards, 1000);
            same_on_all_ranks::<f64>(2, ranks, shards, 33);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn so_it_has_with_any_numbers(seed: u64, ranks in 1_usize..=8, more in 0_usize..=12, length in 0_usize..3000) {
        same_on_all_ranks::<f32>(seed, ranks, ranks + more, length);
        same_on_all_ranks::<f64>(seed, ranks, ranks + more, length / 8);
    }
}

/// Else the tests above would pass with any order.
#[test]
fn the_order_of_the_test_numbers_matters() {
    for shards in [5, 8, 12] {
        let numbers = 0..1000;
        let tree: Vec<f32> = numbers.clone().map(|place| by_definition(1, place, 0, shards)).collect();
        let in_a_row: Vec<f32> =
            numbers.map(|place| (0..shards).map(|shard| value::<f32>(1, shard, place)).sum()).collect();
        let pairs = bits(&tree).into_iter().zip(bits(&in_a_row));
        assert!(pairs.filter(|(tree, in_a_row)| tree != in_a_row).count() > 100);
    }
}

/// 2 (p - 1) / p n, where each rank has one subtree.
#[test]
fn an_exact_sum_sends_as_much_as_a_fast_one() {
    for ranks in [1, 2, 4, 8] {
        for shards in [8, 16, 24] {
            for reduction in [Reduction::Exact, Reduction::Fast] {
                let sent = threads::run(ranks, |communicator| {
                    let exchange = Exchange::new(communicator, shards, reduction).unwrap();
                    let before = exchange.communicator().bytes_sent();
                    exchange.sum(vec![vec![1_f32; 4000]]).unwrap();
                    exchange.communicator().bytes_sent() - before
                });
                assert_eq!(sent, vec![(2 * (ranks - 1) * 4000 * 4 / ranks) as u64; ranks]);
            }
        }
    }
}

#[test]
fn a_fast_sum_is_a_sum() {
    for ranks in 1..=5 {
        for length in [0, 1, 3, 100] {
            let totals = threads::run(ranks, |communicator| {
                let rank = communicator.rank();
                let exchange = Exchange::new(communicator, 8, Reduction::Fast).unwrap();
                assert_eq!((exchange.shards(), exchange.own()), (ranks, rank..rank + 1));
                exchange.sum(vec![vec![rank as f64; length]]).unwrap()
            });
            // Whole numbers: exact in any order. 0 + 1 + .. + (p - 1).
            assert_eq!(totals, vec![vec![(ranks * (ranks - 1) / 2) as f64; length]; ranks]);
        }
    }
}

/// A merge that is neither commutative nor associative shows the tree: each list is its depth-first text.
#[test]
fn a_merge_goes_along_the_tree() {
    let merge = |left: &mut Vec<f64>, right: &[f64]| {
        left.insert(0, -1.0);
        left.extend(right);
        left.push(-2.0);
    };
    for shards in [5, 8, 12] {
        let alone = threads::run(1, |communicator| merged(communicator, shards, merge)).remove(0);
        for ranks in 2..=shards.min(8) {
            let all = threads::run(ranks, |communicator| merged(communicator, shards, merge));
            assert_eq!(all, vec![alone.clone(); ranks]);
        }
    }
}

fn merged(communicator: Box<dyn Communicator>, shards: usize, merge: fn(&mut Vec<f64>, &[f64])) -> Vec<f64> {
    let exchange = Exchange::new(communicator, shards, Reduction::Exact).unwrap();
    let mut partial = exchange.partial();
    for shard in exchange.own() {
        // Shard 0 has an empty list.
        partial.add(shard, vec![shard as f64; shard.min(2)], &mut |mut left, right| {
            merge(&mut left, &right);
            left
        });
    }
    exchange.merge(partial.finish(), merge).unwrap()
}

#[test]
fn each_rank_needs_a_shard() {
    for answer in threads::run(3, |communicator| Exchange::new(communicator, 2, Reduction::Exact).map(drop)) {
        assert_eq!(answer.unwrap_err().to_string(), "each of 3 ranks needs a shard: there are 2");
    }
}

#[test]
fn ranks_sum_the_same() {
    let answers = threads::run(2, |communicator| {
        let shards = 8 + communicator.rank();
        Exchange::new(communicator, shards, Reduction::Exact).map(drop)
    });
    let expected = "the ranks do not sum the same: rank 0 has 8 shards, Exact, rank 1 has 9 shards, Exact";
    assert_eq!(answers[0].as_ref().unwrap_err().to_string(), expected);
    assert!(answers[1].is_err());
}

#[test]
fn other_lengths_on_another_rank_are_an_error() {
    let answers = threads::run(2, |communicator| {
        let length = 10 + communicator.rank();
        let exchange = Exchange::new(communicator, 8, Reduction::Exact).unwrap();
        exchange.sum(vec![vec![0_f32; length]])
    });
    for answer in answers {
        let expected = "all_to_all_numbers of f32: a rank sends a part of another length than its receiver expects";
        assert_eq!(answer.unwrap_err().to_string(), expected);
    }
}

#[test]
#[should_panic = "sum: there is a part for each subtree of this rank, [0..8]"]
fn a_sum_takes_a_part_for_each_subtree() {
    let alone = threads::communicators(1).remove(0);
    let _ = Exchange::new(alone, 8, Reduction::Exact).unwrap().sum(vec![vec![0_f32]; 2]);
}

#[test]
#[should_panic = "sum: parts have the same length: 1, 2"]
fn parts_have_one_length() {
    let _ = threads::run(3, |communicator| {
        let exchange = Exchange::new(communicator, 8, Reduction::Exact).unwrap();
        let parts = (0..exchange.subtrees().len()).map(|part| vec![0_f32; part + 1]).collect();
        exchange.sum(parts)
    });
}
