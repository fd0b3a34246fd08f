//! Attention at its edges: computed row by row, its weights, the largest numbers.

use gradus_tensor::{Attention, Generator, Tensor};

/// Queries, keys, values and a gradient of the result, of 3 samples and 6 heads, of which 3 share keys.
fn operands(tq: usize, tk: usize) -> [Tensor<f64>; 4] {
    let mut generator = Generator::new(tq as u64);
    let mut draw = |shape: [usize; 4]| -> Tensor<f64> { generator.normal(shape, 0.0, 1.0) };
    [draw([3, tq, 6, 9]), draw([3, tk, 2, 9]), draw([3, tk, 2, 5]), draw([3, tq, 6, 5])]
}

/// All masks, dropout and a scale: key 3 is hidden, a third of the pairs, and from query 1 everything.
fn options(tq: usize, tk: usize) -> [Attention; 4] {
    let keys = Tensor::<i64>::arange(0, tk as i64, 1).not_equal(3).broadcast_to([3, tk]);
    let pairs = Tensor::<i64>::arange(0, (tq * tk) as i64, 1).map(|i| i * 7 % 11 % 3 != 0).reshape([tq, tk]);
    let pairs = pairs.logical_and(Tensor::<i64>::arange(0, tq as i64, 1).not_equal(1).reshape([tq, 1]));
    let hidden = || Attention::new().key_mask(keys.clone());
    [hidden(), hidden().causal(true).scale(0.7), hidden().mask(pairs.clone()), hidden().mask(pairs).dropout(0.3, 5)]
}

#[track_caller]
fn near(found: &Tensor<f64>, expected: &Tensor<f64>, what: &str) {
    assert!(found.allclose(expected, 1e-12, 1e-12), "{what}");
}

#[test]
fn rows_one_by_one_have_the_results_and_gradients_of_blocks() {
    // Where a key that nobody sees is NaN, blocks give way to rows. (Those of blocks are held against the definition.)
    for (tq, tk) in [(2, 7), (7, 7), (70, 9), (37, 101)] {
        let [q, k, v, g] = operands(tq, tk);
        let is_hidden = Tensor::<i64>::arange(0, tk as i64, 1).equal(3).reshape([tk, 1, 1]);
        let [bad_k, bad_v] = [&k, &v].map(|x| is_hidden.where_(f64::NAN, x));
        for how in options(tq, tk) {
            let what = format!("{tq} queries of {tk} keys, {how:?}");
            let (expected, sums) = q.attention(&k, &v, &how);
            let (y, bad_sums) = q.attention(&bad_k, &bad_v, &how);
            near(&y, &expected, &what);
            let gradients = q.attention_gradient(&g, &k, &v, &how, &expected, &sums);
            let found = q.attention_gradient(&g, &bad_k, &bad_v, &how, &y, &bad_sums);
            found.iter().zip(&gradients).for_each(|(found, expected)| near(found, expected, &what));
        }
    }
}

#[test]
fn the_weights_that_are_shown_are_those_of_the_result() {
    for (tq, tk) in [(3, 7), (37, 101)] {
        let [q, k, v, _] = operands(tq, tk);
        // The values of each head, [n, heads, tk, dv].
        let values = v.swap_axes(1, 2).unsqueeze(2).broadcast_to([3, 2, 3, tk, 5]).reshape([3, 6, tk, 5]);
        for how in options(tq, tk) {
            let shown = q.attention_weights(&k, &how).matmul(&values).swap_axes(1, 2);
            near(&shown, &q.attention(&k, &v, &how).0, &format!("{how:?}"));
        }
    }
}

#[test]
fn a_query_that_sees_nothing_has_sums_of_0() {
    let [q, k, v, _] = operands(7, 9);
    let (_, sums) = q.attention(&k, &v, &options(7, 9)[2]);
    for of_rows in [sums.largest, sums.inverse] {
        assert!(of_rows.select(2, 1).equal(0.0).all(..).item());
        assert!(of_rows.select(2, 0).not_equal(0.0).all(..).item());
    }
}

#[test]
fn the_largest_numbers_have_finite_results() {
    // By hand: a query of 1e30 sees the key of 1, and nothing of those of 0 and -1e8; only the value has a gradient.
    for t in [1, 20] {
        let q = Tensor::<f32>::full([1, t, 1, 1], 1e30);
        let k = Tensor::new([0.0, 1.0, -1e8]).reshape([1, 3, 1, 1]);
        let v = Tensor::new([-1e30, 1e30, 3e38]).reshape([1, 3, 1, 1]);
        let (y, sums) = q.attention(&k, &v, &Attention::new());
        assert_eq!(y, Tensor::full([1, t, 1, 1], 1e30));
        let [by_query, by_key, by_value] = q.attention_gradient(&y.ones_like(), &k, &v, &Attention::new(), &y, &sums);
        assert_eq!(by_value.to_vec(), [0.0, t as f32, 0.0]);
        assert!([by_query, by_key].iter().all(|gradient| gradient.equal(0.0).all(..).item()));
    }
}
