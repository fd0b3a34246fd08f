//! Attention in networks: rotary positions, dropout, and masks, by hand.

use gradus_nn::losses::MeanSquaredError;
use gradus_nn::*;
use gradus_tensor::{Generator, Tensor};

/// Sets all weights to 0, but those of these names.
fn with_weights(model: &mut Model<f64>, weights: &[(&str, Tensor<f64>)]) {
    for param in model.params_mut().iter_mut() {
        let given = weights.iter().find(|(name, _)| *name == param.name);
        let value = given.map_or_else(|| param.value.zeros_like(), |(_, value)| value.reshape(param.value.shape()));
        param.value = value;
    }
}

#[test]
fn rotary_positions_turn_queries_and_keys_by_their_distance() {
    let x = Tensor::from([[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5], [1.0, 1.0]]);
    let mut graph = Graph::builder();
    let input = graph.input();
    let y = graph.add_named("a", MultiHeadAttention::new(1, 2).use_bias(false).rope_max_wavelength(10_000.0), [input]);
    let mut model = Model::<f64>::build_as(graph.output(y), [4, 2], 0).unwrap();
    let identity = Tensor::from([[1.0, 0.0], [0.0, 1.0]]);
    let kernels = ["a/query/kernel", "a/key/kernel", "a/value/kernel", "a/attention_output/kernel"];
    with_weights(&mut model, &kernels.map(|name| (name, identity.clone())));
    // By hand: the score of i and j is x_i . R(j - i) x_j / sqrt 2, where R turns by an angle in radians.
    let score = |i: usize, j: usize| {
        let (sin, cos) = (j as f64 - i as f64).sin_cos();
        let [a, b, c, d] = [x.get([i, 0]), x.get([i, 1]), x.get([j, 0]), x.get([j, 1])];
        (a * (c * cos - d * sin) + b * (c * sin + d * cos)) / 2_f64.sqrt()
    };
    let scores: Tensor<f64> = (0..16).map(|place| score(place / 4, place % 4)).collect();
    let expected = scores.reshape([4, 4]).softmax(-1).matmul(&x);
    let found = model.predict(x.unsqueeze(0)).unwrap().squeeze(0);
    assert!(found.allclose(&expected, 1e-12, 1e-12), "{found:?}, not {expected:?}");
}

#[test]
fn a_scaling_factor_divides_positions() {
    let rotated = |layer: RotaryEmbedding, length: usize| {
        let model = Model::<f64>::build_as(Sequential::new().add(layer), [length, 4], 0).unwrap();
        model.predict(Tensor::from([1.0, 0.5, -2.0, 3.0]).broadcast_to([1, length, 4])).unwrap()
    };
    let plain = rotated(RotaryEmbedding::new(100.0), 3);
    let scaled = rotated(RotaryEmbedding::new(100.0).scaling_factor(2.0), 5);
    for p in 0..3 {
        assert!(scaled.select(1, 2 * p).allclose(&plain.select(1, p), 1e-14, 1e-14), "{p}");
    }
}

/// What a block adds to each feature of 4 positions of zeros in training, with dropout of a half and these weights.
fn added(weights: &[(&str, Tensor<f64>)]) -> Vec<f64> {
    let network = Sequential::new().add_named("b", TransformerEncoder::new(3, 2).dropout(0.5).normalize_first(true));
    let mut model = Model::<f64>::build_as(network, [4, 8], 0).unwrap();
    with_weights(&mut model, weights);
    let x = Tensor::<f64>::zeros([16, 4, 8]);
    let pass = model.grad(&x, &x, None, &MeanSquaredError, &mut Generator::new(3)).unwrap();
    pass.outputs[0].to_vec()
}

/// Asserts that numbers are these, near the shares of all.
#[track_caller]
fn shares(found: &[f64], expected: &[(f64, f64)]) {
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert!(found.iter().all(|&x| expected.iter().any(|&(value, _)| near(x, value))), "{found:?}");
    for &(value, share) in expected {
        let count = found.iter().filter(|&&x| near(x, value)).count() as f64;
        assert!((count / found.len() as f64 - share).abs() < 0.1, "{value}: {count} of {}", found.len());
    }
}

#[test]
fn blocks_drop_weights_of_attention_and_what_is_added() {
    let ones = Tensor::ones([8]);
    // Of a 1 that is added by either part, a half is dropped, and the others are doubled.
    for name in ["b/self_attention/attention_output/bias", "b/feedforward_output_dense/bias"] {
        shares(&added(&[(name, ones.clone())]), &[(0.0, 0.5), (2.0, 0.5)]);
    }
    // All values are 1 and all weights 1/4: of k that are kept, each is 1/2, and the sum is k again where it is kept in turn.
    let identity = Tensor::from((0..64).map(|i| f64::from(i % 9 == 0)).collect::<Vec<_>>());
    let found = added(&[("b/self_attention/value/bias", ones), ("b/self_attention/attention_output/kernel", identity)]);
    let binomial = |k: f64, ways: f64| (k, ways / 32.0);
    let expected =
        [(0.0, 0.5 + 1.0 / 32.0), binomial(1.0, 4.0), binomial(2.0, 6.0), binomial(3.0, 4.0), binomial(4.0, 1.0)];
    shares(&found, &expected);
}

#[test]
fn keys_are_there_where_keys_and_values_are() {
    // Queries, and values and keys of which either may have a mask.
    let output = |masked: [bool; 2], length: usize| {
        let mut graph = Graph::builder();
        let (query, value, key) = (graph.input(), graph.input(), graph.input());
        let mut mask = |node, is_masked: bool| if is_masked { graph.add(Masking::new(9.0), [node]) } else { node };
        let (value, key) = (mask(value, masked[0]), mask(key, masked[1]));
        let y = graph.add_named("a", MultiHeadAttention::new(2, 3), [query, value, key]);
        let inputs = [[3, 4], [length, 4], [length, 4]].map(Input::from);
        let model = Model::<f64>::build_as(graph.output(y), inputs, 1).unwrap();
        let mut generator = Generator::new(2);
        let mut draw = |shape: [usize; 3]| -> Tensor<f64> { generator.normal(shape, 0.0, 1.0) };
        let [query, value, key] = [draw([2, 3, 4]), draw([2, 4, 4]), draw([2, 4, 4])];
        let padded = |x: Tensor<f64>| Tensor::concat(&[x, Tensor::full([2, length - 4, 4], 9.0)], 1);
        model.predict((query, padded(value), padded(key))).unwrap()
    };
    let expected = output([false, false], 4);
    for masked in [[true, false], [false, true], [true, true]] {
        assert!(output(masked, 7).allclose(&expected, 1e-12, 1e-12), "{masked:?}");
    }
    assert!(!output([false, false], 7).allclose(&expected, 1e-3, 1e-3));
}
