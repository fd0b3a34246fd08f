//! Going on from a state that was written down.

use gradus_autograd::{Grads, Params};
use gradus_optim::{Adam, CosineDecay, IntoOptimizer, Optimizer, Schedule, Sgd, State};
use gradus_tensor::Tensor;

fn params() -> Params<f64> {
    let mut params = Params::new();
    params.add("1/kernel", Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    params.add("1/bias", Tensor::from([5.0, 6.0]));
    params.add_state("2/mean", Tensor::from([7.0]));
    params
}

/// Gradients of a bowl with its bottom at `step`.
fn grads(params: &Params<f64>, step: usize) -> Grads<f64> {
    let weights = params.iter().take(2).map(|param| Some(&param.value - step as f64));
    weights.chain([None]).collect()
}

fn optimizer() -> Optimizer<Adam, f64> {
    Adam::default().amsgrad(true).learning_rate(CosineDecay::new(0.1, 20)).clip_global_norm(1.0)
}

#[test]
fn an_interrupted_training_goes_on_to_the_same_bits() {
    let (mut whole, mut halves) = (params(), params());
    let mut one = optimizer();
    for step in 0..10 {
        let grads = grads(&whole, step);
        one.step(&mut whole, &grads);
    }
    let mut first = optimizer();
    for step in 0..5 {
        let grads = grads(&halves, step);
        first.step(&mut halves, &grads);
    }
    let mut second = optimizer();
    let written = serde_json::to_string(&first.state()).unwrap();
    drop(first);
    second.restore(&halves, serde_json::from_str(&written).unwrap()).unwrap();
    for step in 5..10 {
        let grads = grads(&halves, step);
        second.step(&mut halves, &grads);
    }
    for (a, b) in whole.iter().zip(&halves) {
        assert_eq!(a.value, b.value, "{}", a.name);
    }
    assert_eq!(one.state(), second.state());
}

#[test]
fn a_changed_learning_rate_is_part_of_the_state() {
    let mut params = params();
    let grads = grads(&params, 0);
    let mut one = optimizer();
    one.step(&mut params, &grads);
    assert_eq!(one.state().learning_rate, None);
    one.set_learning_rate(0.0625);
    let written = serde_json::to_string(&one.state()).unwrap();
    let mut other = optimizer();
    other.restore(&params, serde_json::from_str(&written).unwrap()).unwrap();
    assert_eq!((other.steps(), other.current_learning_rate()), (1, 0.0625));
    other.step(&mut params, &grads);
    assert_eq!(other.current_learning_rate(), 0.0625);
    // A state from before there was a rate in it, and a new schedule, which counts the steps so far.
    let old: State<f64> = serde_json::from_str(r#"{"steps": 3, "slots": []}"#).unwrap();
    other.restore(&params, old).unwrap();
    assert_eq!(other.current_learning_rate(), CosineDecay::new(0.1, 20).at(3));
    other.set_learning_rate(0.5);
    assert_eq!(other.learning_rate(|step| step as f64).current_learning_rate(), 3.0);
}

/// The state after a step.
fn state() -> State<f64> {
    let mut params = params();
    let grads = grads(&params, 0);
    let mut optimizer = optimizer();
    optimizer.step(&mut params, &grads);
    optimizer.state()
}

#[test]
fn slots_have_names() {
    let state = state();
    let names: Vec<_> = state.slots.iter().map(|(name, _)| name.as_str()).collect();
    let kernel = ["1/kernel/momentum", "1/kernel/velocity", "1/kernel/max_velocity"];
    let bias = ["1/bias/momentum", "1/bias/velocity", "1/bias/max_velocity"];
    assert_eq!(names, [kernel, bias].concat());
}

#[test]
fn a_state_that_does_not_fit_is_refused() {
    let error =
        |optimizer: &mut Optimizer<Adam, f64>, state| optimizer.restore(&params(), state).unwrap_err().to_string();
    let refusal = error(&mut Optimizer::from(Adam::default()), state());
    assert!(refusal.contains(r#"no parameter has a slot "1/kernel/max_velocity""#), "{refusal}");

    let mut reshaped = state();
    reshaped.slots[3].1 = Tensor::ones([3]);
    let refusal = error(&mut optimizer(), reshaped);
    assert!(refusal.contains(r#"the slot "1/bias/momentum" has shape [3], [2] is needed"#), "{refusal}");

    let mut incomplete = state();
    incomplete.slots.remove(1);
    let refusal = error(&mut optimizer(), incomplete);
    assert!(refusal.contains(r#""1/kernel" lacks the slot "velocity""#), "{refusal}");
    assert!(refusal.contains("restore with the rule"), "{refusal}");

    let refusal = error(&mut optimizer(), State { learning_rate: Some(-1.0), ..state() });
    assert_eq!(refusal, "learning_rate: a number that is not negative is needed, not -1: the state is damaged");

    let mut sgd = Optimizer::from(Sgd::default());
    assert!(sgd.restore(&params(), state()).is_err());
    assert_eq!(sgd.steps(), 0, "nothing of the state was taken over");
}
