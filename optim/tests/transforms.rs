//! Clipping and decay where several parameters are concerned, against arithmetic by hand.

use gradus_autograd::{Grads, Params};
use gradus_optim::{Adam, IntoOptimizer, Optimizer, Sgd};
use gradus_tensor::Tensor;

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
