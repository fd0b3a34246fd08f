//! Clipping and decay where several parameters are concerned, against arithmetic by hand.

use gradus_autograd::{Grads, Params};
use gradus_optim::{Adafactor, Adam, IntoOptimizer, Lamb, Optimizer, RmsProp, Rule, Sgd};
use gradus_tensor::{Float, Tensor};

/// Gradients of norm 5 and 12, together 13, and a frozen one that must not count.
fn small() -> (Params<f64>, Grads<f64>) {
    let mut params = Params::new();
    params.add("1/kernel", Tensor::from([10.0, 20.0]));
    params.add("1/bias", Tensor::from([30.0]));
    params.add("2/bias", Tensor::from([40.0]));
    params[2].frozen = true;
    let grads = [vec![3.0, -4.0], vec![12.0], vec![1000.0]];
    (params, grads.into_iter().map(|grad| Some(Tensor::from(grad))).collect())
}

/// The kernel and the first bias after a step at a learning rate of 1.
fn after_a_step(optimizer: Optimizer<Sgd, f64>) -> [f64; 3] {
    let (mut params, grads) = small();
    optimizer.learning_rate(1.0).step(&mut params, &grads);
    assert_eq!(params[2].value.item(), 40.0);
    [params[0].value.get([0]), params[0].value.get([1]), params[1].value.item()]
}

#[track_caller]
fn assert_close(a: [f64; 3], b: [f64; 3]) {
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?} is not {b:?}");
}

#[test]
fn clip_by_value() {
    assert_close(after_a_step(Sgd::default().clip_value(3.5)), [10.0 - 3.0, 20.0 + 3.5, 30.0 - 3.5]);
}

#[test]
fn clip_by_norm() {
    assert_close(after_a_step(Sgd::default().clip_norm(6.0)), [10.0 - 3.0, 20.0 + 4.0, 30.0 - 6.0]);
    assert_close(after_a_step(Sgd::default().clip_norm(2.5)), [10.0 - 1.5, 20.0 + 2.0, 30.0 - 2.5]);
}

#[test]
fn clip_by_global_norm() {
    assert_close(after_a_step(Sgd::default().clip_global_norm(13.0)), [10.0 - 3.0, 20.0 + 4.0, 30.0 - 12.0]);
    assert_close(after_a_step(Sgd::default().clip_global_norm(6.5)), [10.0 - 1.5, 20.0 + 2.0, 30.0 - 6.0]);
}

#[test]
fn decay_and_l2_spare_what_is_excluded() {
    let both = Sgd::default().weight_decay(0.5).l2(0.25);
    assert_close(after_a_step(both.clone()), [5.0 - 3.0 - 2.5, 10.0 + 4.0 - 5.0, 15.0 - 12.0 - 7.5]);
    let spared = both.exclude_from_weight_decay(["bias"]);
    assert_close(after_a_step(spared), [5.0 - 3.0 - 2.5, 10.0 + 4.0 - 5.0, 30.0 - 12.0]);
    let whole_parts_only = Sgd::default().weight_decay(0.5).exclude_from_weight_decay(["ias", "kern"]);
    assert_close(after_a_step(whole_parts_only), [5.0 - 3.0, 10.0 + 4.0, 15.0 - 12.0]);
}

/// More elements than are transformed at a time, and not a multiple.
#[test]
fn long_gradients_are_transformed_to_the_end() {
    let n = 10_007;
    let mut params = Params::<f64>::new();
    params.add("kernel", Tensor::arange(0.0, n as f64, 1.0));
    let mut optimizer = Sgd::default().momentum(0.5).clip_value(2.0).learning_rate(1.0);
    let grads = [Some(Tensor::arange(0.0, n as f64, 1.0))].into_iter().collect();
    optimizer.step(&mut params, &grads);
    optimizer.step(&mut params, &grads);
    for (i, p) in params[0].value.iter().enumerate() {
        let i = i as f64;
        assert_eq!(p, i - i.min(2.0) * 2.5);
    }
}

#[test]
fn nan_is_not_hidden() {
    let clipped = [Sgd::default().clip_value(1.0), Sgd::default().clip_norm(1.0), Sgd::default().clip_global_norm(1.0)];
    for optimizer in clipped {
        let (mut params, mut grads) = small();
        grads[0] = Some(Tensor::from([f64::NAN, 1.0]));
        let mut optimizer: Optimizer<Sgd, f64> = optimizer;
        optimizer.step(&mut params, &grads);
        assert!(params[0].value.get([0]).is_nan());
    }
}

#[test]
fn averages_of_nothing_end_at_zero() {
    // 0.9^1000 is 1.7e-46, less than any f32; by arithmetic alone the least of them, 1e-45, would stay.
    let plain = || Adam::default().learning_rate(0.1);
    for mut optimizer in [plain(), plain().clip_value(1e3).l2(0.0)] {
        let mut params = Params::<f32>::new();
        params.add("kernel", Tensor::from([1.0, -1.0]));
        for step in 0..1000 {
            let gradient = Tensor::new([if step == 0 { 1.0 } else { 0.0 }, 1e-3]);
            optimizer.step(&mut params, &[Some(gradient)].into_iter().collect());
        }
        let state = optimizer.state();
        let [(first, momentum), (second, velocity)] = &state.slots[..] else { panic!("two slots: {state:?}") };
        assert!(first.ends_with("momentum") && second.ends_with("velocity"), "{first}, {second}");
        assert_eq!(momentum.get([0]), 0.0);
        assert!((momentum.get([1]) - 1e-3).abs() < 1e-8);
        // 0.001 times 0.999^999
        assert!((velocity.get([0]) - 3.68e-4).abs() < 1e-6, "{velocity:?}");
    }
}

/// The change of parameters that are 0 by a step along these gradients, at a learning rate of 1.
fn step<R: Rule, T: Float, const N: usize>(optimizer: Optimizer<R, T>, gradients: [[T; N]; 2]) -> [[f64; N]; 2] {
    let mut params = Params::new();
    params.add("a", Tensor::zeros([N]));
    params.add("b", Tensor::zeros([N]));
    let grads = gradients.into_iter().map(|gradient| Some(Tensor::from_iter(gradient))).collect();
    optimizer.learning_rate(1.0).step(&mut params, &grads);
    [0, 1].map(|place| std::array::from_fn(|i| params[place].value.get([i]).as_f64()))
}

#[track_caller]
fn assert_near<const N: usize>(found: [[f64; N]; 2], expected: [[f64; N]; 2]) {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-6 * b.abs();
    let all = found.as_flattened().iter().zip(expected.as_flattened()).all(close);
    assert!(all, "{found:?} is not {expected:?}");
}

/// Gradients whose squares are no numbers of their type, by hand: of 3 and 4 the norm is 5, of two such pairs 5 sqrt(2).
#[test]
fn norms_of_very_large_and_very_small_gradients() {
    fn norm<T: Float>(limit: f64) -> Optimizer<Sgd, T> {
        Sgd::default().clip_norm(limit)
    }
    fn global<T: Float>(limit: f64) -> Optimizer<Sgd, T> {
        Sgd::default().clip_global_norm(limit)
    }
    for size in [3e20_f32, 1e38, 3e-21, 3e-30] {
        let pair = [size, size / 3.0 * 4.0];
        let limit = if size > 1.0 { 1.0 } else { f64::from(size) / 1e3 };
        let along = |length: f64| [-0.6 * length, -0.8 * length];
        assert_near(step(norm(limit), [pair, pair]), [along(limit); 2]);
        assert_near(step(global(limit), [pair, pair]), [along(limit / 2_f64.sqrt()); 2]);
        // Beside a gradient of a usual size, which is as nothing, or lets the others be as nothing.
        let [a, b] = step(global(limit), [pair, [1.0, 0.0]]);
        if size > 1.0 {
            assert_near([a, b], [along(limit), [-0.6 * limit / f64::from(size), 0.0]]);
        } else {
            assert_near([b, b], [[-limit, 0.0]; 2]);
        }
        // What is within the limit stays, to the bit.
        let wide = if size > 1.0 { 1e39 } else { 1.0 };
        let stays = [pair.map(|x| -f64::from(x)); 2];
        assert_eq!((step(norm(wide), [pair, pair]), step(global(wide), [pair, pair])), (stays, stays));
    }
    // The norm itself is no number: 2^127 sqrt(4) in f32, 2^1023 sqrt(4) in f64.
    let (largest, largest_64) = ([2_f32.powi(127); 4], [2_f64.powi(1023); 4]);
    assert_near(step(norm(1.0), [largest; 2]), [[-0.5; 4]; 2]);
    assert_near(step(norm(1.0), [largest_64; 2]), [[-0.5; 4]; 2]);
    assert_near(step(global(2_f64.sqrt()), [largest_64; 2]), [[-0.5; 4]; 2]);
    // And its quotient with the limit is none either.
    assert_near(step(norm(1e-12), [largest; 2]), [[-0.5e-12; 4]; 2]);
    // What is infinite is not hidden.
    let [a, _] = step(norm(1.0), [[f32::INFINITY, 1.0], [1.0, 1.0]]);
    assert!(a[0].is_nan());
}

#[test]
fn rules_with_norms_of_very_large_and_very_small_numbers() {
    // A step of LAMB is as long as the weight, times the rate: here of one element, in the gradient's direction.
    for size in [3e20_f32, 2e38, 3e-25] {
        let mut params = Params::new();
        params.add("p", Tensor::new([size; 4]));
        let grads = [Some(Tensor::new([1.0; 4]))].into_iter().collect();
        Lamb::default().learning_rate(0.25).step(&mut params, &grads);
        assert!((params[0].value.get([3]) / size - 0.75).abs() < 1e-6, "{size}: {:?}", params[0].value);
    }
    // The first direction of Adafactor is the gradient over its size, at most 1; for equal elements the signs. The step is
    // the least size of a weight, 0.001. By hand; so is the vector's second step, which knows the first one's size.
    for size in [3e20_f32, 1e38] {
        for shape in [vec![4], vec![2, 2], vec![1, 4]] {
            let mut params = Params::new();
            params.add("p", Tensor::zeros(&shape[..]));
            let mut optimizer = Adafactor::default().learning_rate(1.0);
            let gradient = Tensor::new([size, size, -size, -size]).reshape(&shape[..]);
            optimizer.step(&mut params, &[Some(gradient)].into_iter().collect());
            let expected = Tensor::new([-1e-3, -1e-3, 1e-3, 1e-3]).reshape(&shape[..]);
            assert!(params[0].value.allclose(&expected, 1e-6, 0.0), "{shape:?}: {:?}", params[0].value);
        }
    }
    // Its steps are as long as the weight's root mean square.
    for size in [3e20_f32, 2e38] {
        let mut params = Params::new();
        params.add("p", Tensor::new([size; 4]));
        let grads = [Some(Tensor::new([1.0; 4]))].into_iter().collect();
        Adafactor::default().learning_rate(0.25).step(&mut params, &grads);
        assert!((params[0].value.get([3]) / size - 0.75).abs() < 1e-6, "{size}: {:?}", params[0].value);
    }
}

/// A constant gradient has the variance 0 in the end, of which rounding makes less: the root of that is no number. By the
/// definition the variance after t steps is g² 0.9^t (1 - 0.9^t).
#[test]
fn a_deviation_is_never_the_root_of_a_negative_number() {
    // Of these the first four had none after 134 to 141 steps, as the same arithmetic in NumPy's float32 says.
    for gradient in [26.797_f32, 637.067, -7467.083, 38187.484, 1e3, -3e10] {
        let mut params = Params::new();
        params.add("p", Tensor::new([0.0]));
        let mut optimizer: Optimizer<RmsProp> = RmsProp::default().centered(true).learning_rate(1.0);
        for step in 1..=400 {
            let before = params[0].value.get([0]);
            optimizer.step(&mut params, &[Some(Tensor::new([gradient]))].into_iter().collect());
            let after = params[0].value.get([0]);
            assert!(after.is_finite(), "step {step} of {gradient}: {after}");
            if step == 20 {
                let kept = 0.9_f64.powi(20);
                let variance = f64::from(gradient).powi(2) * kept * (1.0 - kept) + 1e-7;
                let expected = -f64::from(gradient) / variance.sqrt();
                assert!((f64::from(after - before) / expected - 1.0).abs() < 1e-3, "{}, {expected}", after - before);
            }
        }
    }
    // A square that is infinite gives a step of 0, as in the form that is not centred.
    assert_near(step(RmsProp::default().centered(true).into(), [[3e20_f32], [1.0]]), [[0.0], [-1.0 / 0.3]]);
}
