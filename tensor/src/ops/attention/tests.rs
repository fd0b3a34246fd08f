//! Attention against its definition with the whole matrix of weights, in f64.

use super::*;
use crate::random::Generator;
use crate::shape::keepdims;
use crate::views::step;

/// Shapes and options of one comparison.
struct Case {
    n: usize,
    tq: usize,
    tk: usize,
    heads: [usize; 2],
    d: usize,
    dv: usize,
    how: fn(&Case) -> Attention,
}

fn plain(_: &Case) -> Attention {
    Attention::new()
}

fn causal(_: &Case) -> Attention {
    Attention::new().causal(true).scale(0.3)
}

/// Sample i lacks its last 2 i + 1 keys, and a key in the midst.
fn padded(case: &Case) -> Attention {
    let mask = Tensor::<i64>::arange(0, (case.n * case.tk) as i64, 1).reshape([case.n, case.tk]).map(|i| {
        let (sample, key) = (i as usize / case.tk, i as usize % case.tk);
        key + 2 * sample + 1 < case.tk && key != 3
    });
    Attention::new().key_mask(mask)
}

/// A third of all pairs is hidden, the same for all heads; query 1 sees nothing.
fn masked(case: &Case) -> Attention {
    let mask = Tensor::<i64>::arange(0, (case.n * case.tq * case.tk) as i64, 1).map(|i| i * 7 % 11 % 3 != 0);
    let mask = mask.reshape([case.n, 1, case.tq, case.tk]);
    let query = Tensor::<i64>::arange(0, case.tq as i64, 1).reshape([case.tq, 1]);
    Attention::new().mask(mask.logical_and(query.not_equal(1)))
}

fn all(case: &Case) -> Attention {
    let Attention { mask, .. } = masked(case);
    padded(case).mask(mask.unwrap()).causal(true).dropout(0.3, 77)
}

fn dropped(_: &Case) -> Attention {
    Attention::new().dropout(0.4, 5)
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (n, tq, tk, heads, d, dv) in [
        (2, 1, 1, [1, 1], 1, 1),
        (1, 1, 70, [2, 1], 8, 8),
        (2, 3, 9, [2, 2], 5, 7),
        (2, 5, 5, [2, 2], 16, 16),
        (1, 70, 5, [1, 1], 4, 3),
        (2, 37, 101, [4, 2], 32, 20),
        (1, 64, 64, [3, 3], 64, 64),
        (1, 129, 203, [6, 2], 9, 33),
        (1, 200, 200, [1, 1], 17, 1),
    ] {
        for how in [plain, causal, padded, masked, all, dropped] {
            cases.push(Case { n, tq, tk, heads, d, dv, how });
        }
    }
    cases
}

/// Numbers of normal distribution, seen through a view.
fn input(seed: u64, [n, t, heads, d]: [usize; 4]) -> Tensor<f64> {
    let mut generator = Generator::new(seed);
    match seed % 5 {
        0 => generator.normal([n, t, heads, d], 0.0, 1.0),
        1 => generator.normal([n, heads, t, d], 0.0, 1.0).swap_axes(1, 2),
        2 => generator.normal([n, t, heads, 2 * d], 0.0, 1.0).slice(3, d..),
        3 => generator.normal([d, t, heads, n], 0.0, 1.0).permute([3, 1, 2, 0]),
        _ => generator.normal([n, 2 * t, heads, d], 0.0, 1.0).slice(1, step(.., 2)).flip(1),
    }
}

/// `[n, t, kv_heads, d]` as matrices `[n, heads, t, d]`.
fn matrices(x: &Tensor<f64>, heads: usize) -> Tensor<f64> {
    let s = x.shape().clone();
    let group = heads / s[2];
    x.swap_axes(1, 2).unsqueeze(2).broadcast_to([s[0], s[2], group, s[1], s[3]]).reshape([s[0], heads, s[1], s[3]])
}

/// The sum over the heads that share a key, `[n, t, kv_heads, d]`.
fn of_groups(x: &Tensor<f64>, kv_heads: usize) -> Tensor<f64> {
    let s = x.shape().clone();
    x.reshape([s[0], kv_heads, s[1] / kv_heads, s[2], s[3]]).sum(2).swap_axes(1, 2)
}

/// The result and the gradients by the definition.
fn definition([q, k, v, g]: [&Tensor<f64>; 4], how: &Attention, scale: f64) -> (Tensor<f64>, [Tensor<f64>; 3]) {
    let (heads, kv_heads) = (q.shape()[2], k.shape()[2]);
    let kept = Attention { dropout: None, ..how.clone() };
    let weights = q.attention_weights(k, &kept);
    let factors = match how.dropout {
        Some((rate, seed)) => weights.ones_like().dropout(rate, seed),
        None => weights.ones_like(),
    };
    let (qs, ks, vs, gs) = (matrices(q, heads), matrices(k, heads), matrices(v, heads), g.swap_axes(1, 2));
    let thinned = &weights * &factors;
    let by_weights = gs.matmul(&vs.t()) * &factors;
    let by_scores = &weights * (&by_weights - (&by_weights * &weights).sum(keepdims(-1))) * scale;
    let by_value = of_groups(&thinned.t().matmul(&gs), kv_heads);
    let by_key = of_groups(&by_scores.t().matmul(&qs), kv_heads);
    (thinned.matmul(&vs).swap_axes(1, 2), [by_scores.matmul(&ks).swap_axes(1, 2), by_key, by_value])
}

fn near<T: Float>(what: &str, found: &Tensor<T>, expected: &Tensor<f64>, tolerance: f64) {
    let found = found.to::<f64>();
    assert_eq!(found.shape(), expected.shape(), "{what}");
    if !found.is_empty() {
        let error = (&found - expected).abs().max(..).item();
        assert!(error <= tolerance, "{what}: {error:e}");
    }
}

fn compare<T: Float>(case: &Case, tolerance: f64) {
    let [heads, kv_heads] = case.heads;
    let q = input(1, [case.n, case.tq, heads, case.d]);
    let k = input(2, [case.n, case.tk, kv_heads, case.d]);
    let v = input(4, [case.n, case.tk, kv_heads, case.dv]);
    let g = input(3, [case.n, case.tq, heads, case.dv]);
    let how = (case.how)(case);
    let scale = how.scale.unwrap_or(1.0 / (case.d as f64).sqrt());
    let (expected, gradients) = definition([&q, &k, &v, &g], &how, scale);
    let [q, k, v, g] = [q, k, v, g].map(|x| {
        // The view stays a view.
        let order = [2, 0, 3, 1];
        x.permute(order).to::<T>().permute([1, 3, 0, 2])
    });
    let (y, sums) = q.attention(&k, &v, &how);
    let what = format!("{:?} {} {} of {} {how:?}", [case.n, case.tq, case.tk], case.d, case.dv, size_of::<T>());
    near(&what, &y, &expected, tolerance);
    let found = q.attention_gradient(&g, &k, &v, &how, &y, &sums);
    for (name, (found, expected)) in ["query", "key", "value"].iter().zip(found.iter().zip(&gradients)) {
        near(&format!("by {name} of {what}"), found, expected, 10.0 * tolerance);
    }
}

#[test]
fn results_and_gradients_are_those_of_the_definition() {
    for case in cases() {
        compare::<f64>(&case, 1e-13);
        compare::<f32>(&case, 4e-6);
    }
}

#[test]
fn rows_and_blocks_agree() {
    // With up to four queries, rows are computed one by one; the gradient is always computed in blocks.
    let (q, k) = (input(1, [1, 40, 2, 16]), input(2, [1, 40, 2, 16]));
    let (whole, _) = q.attention(&k, &k, &Attention::new().causal(true));
    for t in 0..40 {
        let seen = k.slice(1, ..t as isize + 1);
        let (one, _) = q.slice(1, t..t + 1).attention(&seen, &seen, &Attention::new().causal(true));
        assert!(one.allclose(&whole.slice(1, t..t + 1), 1e-14, 1e-14));
    }
}

#[test]
fn shapes_with_zeros() {
    for (n, tq, tk, d, dv) in
        [(0, 2, 2, 2, 2), (1, 0, 2, 2, 2), (1, 2, 0, 2, 2), (1, 2, 2, 0, 2), (1, 7, 6, 2, 0), (1, 9, 9, 0, 1)]
    {
        let (q, k) = (Tensor::<f32>::ones([n, tq, 2, d]), Tensor::ones([n, tk, 1, d]));
        let v = Tensor::ones([n, tk, 1, dv]);
        let (y, sums) = q.attention(&k, &v, &Attention::new());
        assert_eq!(y.shape(), &[n, tq, 2, dv]);
        // Without a key, zeros; without numbers to compare, the mean.
        assert_eq!(y, if tk == 0 { y.zeros_like() } else { y.ones_like() });
        let [a, b, c] = q.attention_gradient(&y, &k, &v, &Attention::new(), &y, &sums);
        assert_eq!((a.shape(), b.shape(), c.shape()), (q.shape(), k.shape(), v.shape()));
    }
}

#[test]
fn a_query_that_sees_nothing_gets_zeros() {
    let x = input(1, [2, 9, 2, 8]);
    let nothing = Tensor::full([2, 9], false);
    let (y, sums) = x.attention(&x, &x, &Attention::new().key_mask(nothing.clone()));
    assert_eq!(y, x.zeros_like());
    for gradient in x.attention_gradient(&x, &x, &x, &Attention::new().key_mask(nothing.clone()), &y, &sums) {
        assert_eq!(gradient, x.zeros_like());
    }
    assert_eq!(x.attention_weights(&x, &Attention::new().key_mask(nothing)).abs().max(..).item(), 0.0);
    // More queries than keys: the first ones stand before all keys.
    let (y, _) = x.attention(&x.slice(1, ..4), &x.slice(1, ..4), &Attention::new().causal(true));
    assert_eq!(y.slice(1, ..5), x.slice(1, ..5).zeros_like());
    assert!(y.slice(1, 5..).not_equal(0.0).all(..).item());
}

/// Like `where_` with NaN at one position of `[n, t, heads, d]`.
fn poisoned<T: Float>(x: &Tensor<T>, position: usize, poison: T) -> Tensor<T> {
    let t = x.shape()[1] as i64;
    let there = Tensor::<i64>::arange(0, t, 1).reshape([1, t as usize, 1, 1]).equal(position as i64);
    there.where_(poison, x)
}

#[test]
fn what_is_hidden_does_not_matter_even_if_it_is_nan() {
    let x = input(1, [1, 100, 2, 8]).to::<f32>();
    let keys = Tensor::<i64>::arange(0, 100, 1).less(90).reshape([1, 100]);
    let pairs = Tensor::<i64>::arange(0, 100, 1).not_equal(95).reshape([1, 1, 1, 100]);
    for (how, rows) in [
        (Attention::new().key_mask(keys), 0..100),
        (Attention::new().mask(pairs), 0..100),
        (Attention::new().causal(true), 0..95),
    ] {
        for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let bad = poisoned(&x, 95, poison);
            let (expected, sums) = x.attention(&x, &x, &how);
            let (y, bad_sums) = x.attention(&bad, &bad, &how);
            let rows = rows.start..rows.end;
            near("result", &y.slice(1, rows.clone()), &expected.slice(1, rows.clone()).to(), 1e-6);
            if rows.end < 100 {
                // The last queries see the position, and their own gradients are NaN.
                continue;
            }
            let clean = x.attention_gradient(&x, &x, &x, &how, &expected, &sums);
            let found = x.attention_gradient(&x, &bad, &bad, &how, &y, &bad_sums);
            for (found, clean) in found.iter().zip(&clean) {
                near("gradient", found, &clean.to(), 1e-5);
            }
        }
    }
}

#[test]
fn nan_and_infinities_that_are_seen() {
    let x = input(1, [1, 20, 1, 8]).to::<f32>();
    let (y, _) = poisoned(&x, 3, f32::NAN).attention(&x, &x, &Attention::new());
    let is_nan = y.is_nan().any(-1).flatten();
    assert_eq!(is_nan, Tensor::<i64>::arange(0, 20, 1).equal(3));
    let (y, _) = x.attention(&poisoned(&x, 3, f32::NAN), &x, &Attention::new());
    assert!(y.is_nan().all(..).item());
    // A score of minus infinity is a weight of 0, for any number of queries.
    for t in [1, 20] {
        let (q, k) = (Tensor::<f32>::ones([1, t, 1, 1]), Tensor::from([f32::NEG_INFINITY, 0.0]).reshape([1, 2, 1, 1]));
        let v = Tensor::from([5.0, 7.0]).reshape([1, 2, 1, 1]);
        assert_eq!(q.attention(&k, &v, &Attention::new()).0, Tensor::full([1, t, 1, 1], 7.0));
        let alone = q.attention(&k.slice(1, ..1), &v.slice(1, ..1), &Attention::new()).0;
        assert_eq!(alone, q.zeros_like());
        // Scores far from 0 neither overflow nor lose their digits.
        let k = Tensor::from([1e30_f32, 1e30]).reshape([1, 2, 1, 1]);
        assert_eq!(q.attention(&k, &v, &Attention::new()).0, Tensor::full([1, t, 1, 1], 6.0));
    }
}

#[cfg(feature = "parallel")]
#[test]
fn the_number_of_threads_changes_no_bit() {
    let how = Attention::new().causal(true).dropout(0.1, 3);
    for heads in [1, 4] {
        let (q, k) = (input(0, [2, 300, 4, 16]).to::<f32>(), input(5, [2, 700, heads, 16]).to::<f32>());
        let compute = || {
            let (y, sums) = q.attention(&k, &k, &how);
            let gradients = q.attention_gradient(&q, &k, &k, &how, &y, &sums);
            (y, gradients)
        };
        let on = |threads| rayon_core::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(compute);
        let one = on(1);
        assert!(on(2) == one && on(3) == one);
    }
}

#[test]
fn a_broadcast_gradient_and_repeated_keys() {
    let (q, k) = (input(0, [1, 70, 2, 8]), input(0, [1, 1, 2, 8]).broadcast_to([1, 33, 2, 8]));
    let g = Tensor::<f64>::scalar(1.0).broadcast_to([1, 70, 2, 8]);
    let (y, sums) = q.attention(&k, &k, &Attention::new());
    assert!(y.allclose(&k.slice(1, ..1).broadcast_to([1, 70, 2, 8]), 1e-12, 1e-12));
    let found = q.attention_gradient(&g, &k, &k, &Attention::new(), &y, &sums);
    let (_, expected) = definition([&q, &k, &k, &g], &Attention::new(), 8_f64.sqrt().recip());
    found.iter().zip(&expected).for_each(|(found, expected)| near("gradient", found, expected, 1e-11));
}
