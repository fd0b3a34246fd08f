//! The driver: whom it updates and how often, without copies, and what it refuses.

use gradus_autograd::{Grads, Params, value_and_grad};
use gradus_optim::{Adam, IntoOptimizer, Optimizer, Rule, Sgd};
use gradus_tensor::Tensor;

/// A kernel and a bias, with gradients that are all ones.
fn small() -> (Params<f64>, Grads<f64>) {
    let mut params = Params::new();
    params.add("1/kernel", Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    params.add("1/bias", Tensor::from([5.0, 6.0]));
    let grads = params.iter().map(|param| Some(param.value.ones_like())).collect();
    (params, grads)
}

#[test]
fn weights_are_updated_in_place() {
    let mut params = Params::<f32>::new();
    params.add("kernel", Tensor::ones([300, 200]));
    let place = params[0].value.as_slice().unwrap().as_ptr();
    let mut optimizer = Optimizer::from(Adam::default());
    for _ in 0..5 {
        let (_, grads) = value_and_grad(&params, |vars| (&vars[0] * &vars[0]).sum(..));
        assert!(params[0].value.owns_elements());
        optimizer.step(&mut params, &grads);
    }
    assert!(params[0].value.owns_elements());
    assert_eq!(params[0].value.as_slice().unwrap().as_ptr(), place);
    assert!((params[0].value.get([7, 7]) - 0.995).abs() < 1e-4, "five steps of 0.001 each were taken");
}

#[test]
fn only_weights_that_may_change_do() {
    let (mut params, mut grads) = small();
    params.add_state("2/mean", Tensor::from([7.0]));
    params.add_state("2/var", Tensor::from([8.0]));
    params[1].frozen = true;
    grads = grads.iter().cloned().chain([Some(Tensor::from([9.0])), None]).collect();
    let mut optimizer = Optimizer::from(Sgd::default()).learning_rate(0.5);
    optimizer.step(&mut params, &grads);
    let values: Vec<_> = params.iter().map(|param| param.value.to_vec()).collect();
    assert_eq!(values, [vec![0.5, 1.5, 2.5, 3.5], vec![5.0, 6.0], vec![7.0], vec![8.0]]);
}

#[test]
fn a_gradient_may_be_any_view() {
    let mut params = Params::<f64>::new();
    params.add("kernel", Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    let grads = [Some(Tensor::from([[1.0, 2.0], [3.0, 4.0]]).t())].into_iter().collect();
    Optimizer::from(Sgd::default()).learning_rate(1.0).step(&mut params, &grads);
    assert_eq!(params[0].value, Tensor::from([[0.0, -1.0], [1.0, 0.0]]));
}

#[test]
fn the_schedule_is_asked_for_each_step() {
    let (mut params, grads) = small();
    let mut optimizer = Sgd::default().learning_rate(|step: u64| [1.0, 0.5, 0.25][step as usize]);
    optimizer.step(&mut params, &grads);
    assert_eq!((optimizer.steps(), optimizer.current_learning_rate()), (1, 0.5));
    optimizer.step(&mut params, &grads);
    optimizer.set_learning_rate(0.125);
    optimizer.step(&mut params, &grads);
    assert_eq!(params[1].value, Tensor::from([5.0 - 1.625, 6.0 - 1.625]));
}

#[test]
fn an_optimizer_can_move_between_threads() {
    fn holds<T: Send + Sync + Clone + std::fmt::Debug>() {}
    holds::<Optimizer<Adam>>();
    holds::<Optimizer<Sgd, f64>>();
}

#[test]
fn rules_and_optimizers_are_both_accepted() {
    fn accept<R: Rule>(optimizer: impl Into<Optimizer<R>>) -> Optimizer<R> {
        optimizer.into()
    }
    assert_eq!(accept(Adam::default()).current_learning_rate(), 0.001);
    assert_eq!(accept(Adam::default().learning_rate(0.5)).current_learning_rate(), 0.5);
}

#[test]
#[should_panic(expected = "step: there must be a gradient for each parameter: 1 and 2")]
fn too_few_gradients_are_refused() {
    let (mut params, grads) = small();
    Optimizer::from(Sgd::default()).step(&mut params, &grads.iter().take(1).cloned().collect());
}

#[test]
#[should_panic(expected = r#"step: the gradient of "1/bias" is shaped otherwise: [3] and [2]"#)]
fn a_gradient_of_another_shape_is_refused() {
    let (mut params, mut grads) = small();
    grads[1] = Some(Tensor::ones([3]));
    Optimizer::from(Sgd::default()).step(&mut params, &grads);
}

/// Takes a step, lets `change` happen to the parameters, and takes another.
fn step_after(change: impl FnOnce(&mut Params<f64>)) {
    let (mut params, grads) = small();
    let mut optimizer = Optimizer::from(Sgd::default());
    optimizer.step(&mut params, &grads);
    change(&mut params);
    let grads = params.iter().map(|param| Some(param.value.ones_like())).collect();
    optimizer.step(&mut params, &grads);
}

#[test]
#[should_panic(expected = r#"step: "2/kernel" has been added since the steps before"#)]
fn an_added_parameter_is_noticed() {
    step_after(|params| _ = params.add("2/kernel", Tensor::ones([1])));
}

#[test]
#[should_panic(expected = r#"step: "1/bias" has been removed since the steps before"#)]
fn a_removed_parameter_is_noticed() {
    step_after(|params| {
        let kernel = params[0].value.clone();
        *params = Params::new();
        params.add("1/kernel", kernel);
    });
}

#[test]
#[should_panic(
    expected = r#"step: another parameter stands where "1/bias" was in the steps before: "1/beta"; make an optimiser for each model"#
)]
fn a_renamed_parameter_is_noticed() {
    step_after(|params| params[1].name = "1/beta".into());
}

#[test]
#[should_panic(expected = r#"step: "1/kernel" has another shape than in the steps before: [2, 2] and [4]"#)]
fn a_reshaped_parameter_is_noticed() {
    step_after(|params| params[0].value = Tensor::ones([4]));
}

#[test]
#[should_panic(expected = "learning_rate: a number that is not negative is needed, not -0.1")]
fn a_negative_learning_rate_is_refused() {
    let _: Optimizer<Adam> = Adam::default().learning_rate(-0.1);
}

#[test]
#[should_panic(expected = "beta_1: a number from 0 to below 1 is needed, not 1")]
fn a_beta_of_one_is_refused() {
    let _ = Adam::default().beta_1(1.0);
}

#[test]
#[should_panic(expected = "clip: gradients are clipped in one way, not two: Value(1.0) and Norm(2.0)")]
fn two_ways_to_clip_are_refused() {
    let _: Optimizer<Sgd> = Sgd::default().clip_value(1.0).clip_norm(2.0);
}

#[test]
fn what_comes_from_elsewhere_is_an_error() {
    let (mut params, grads) = small();
    let mut optimizer = Sgd::default().learning_rate(|step: u64| [0.5, f64::NAN, -1.0][step as usize]);
    optimizer.try_step(&mut params, &grads).unwrap();
    // The rate of the second step, of the third, and another model.
    let before = params[0].value.clone();
    let refused = optimizer.try_step(&mut params, &grads).unwrap_err().to_string();
    let expected =
        "learning_rate: a number that is not negative is needed, not NaN, as the schedule gives it for step 2";
    assert_eq!((refused.as_str(), optimizer.steps(), &params[0].value), (expected, 1, &before));
    optimizer.set_learning_rate(0.5);
    assert_eq!(optimizer.check(&params), Ok(()));
    let mut other = Params::<f64>::new();
    other.add("1/kernel", Tensor::ones([3]));
    other.add("1/bias", Tensor::ones([3]));
    let grads = other.iter().map(|param| Some(param.value.clone())).collect();
    let expected =
        r#""1/kernel" has another shape than in the steps before: [2, 2] and [3]; make an optimiser for each model"#;
    assert_eq!(optimizer.check(&other).unwrap_err().to_string(), expected);
    assert_eq!(optimizer.try_step(&mut other, &grads).unwrap_err().to_string(), expected);
    // An optimiser that has been refused can still take its first step of another model.
    let mut fresh = Optimizer::from(Sgd::default());
    fresh.try_step(&mut other, &[None].into_iter().collect()).unwrap_err();
    let grads = params.iter().map(|param| Some(param.value.clone())).collect();
    fresh.try_step(&mut params, &grads).unwrap();
}

#[test]
fn settings_are_those_that_were_set() {
    let plain = Optimizer::<_, f32>::from(Sgd::default()).settings();
    assert_eq!((plain.clip_value, plain.clip_norm, plain.clip_global_norm), (None, None, None));
    assert_eq!((plain.l2, plain.weight_decay, plain.gradient_accumulation_steps), (0.0, 0.0, 1));
    assert_eq!((plain.use_ema, plain.ema_overwrite_frequency), (None, None));
    let optimizer: Optimizer<Sgd> = Sgd::default().clip_value(1.0).l2(0.25).weight_decay(0.5);
    let optimizer = optimizer.gradient_accumulation_steps(2).use_ema(0.75).ema_overwrite_frequency(3);
    let set = optimizer.exclude_from_weight_decay(["bias"]).settings();
    assert_eq!((set.clip_value, set.l2, set.weight_decay), (Some(1.0), 0.25, 0.5));
    assert_eq!((set.gradient_accumulation_steps, set.use_ema, set.ema_overwrite_frequency), (2, Some(0.75), Some(3)));
    assert_eq!(set.exclude_from_weight_decay, ["bias"]);
    assert_eq!(Sgd::default().clip_norm::<f32>(2.0).settings().clip_norm, Some(2.0));
    assert_eq!(Sgd::default().clip_global_norm::<f32>(3.0).settings().clip_global_norm, Some(3.0));
}
