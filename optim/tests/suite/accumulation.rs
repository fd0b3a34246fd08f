//! Gradients of several batches in one step, moving averages of weights, and constraints: what the driver does besides the rule.

use gradus_autograd::{Constraint, Grads, Params};
use gradus_optim::{Adam, IntoOptimizer, InverseTimeDecay, Optimizer, RmsProp, Rule, Sgd, State};
use gradus_tensor::Tensor;

const START: [f64; 3] = [1.0, -2.0, 0.5];

fn params() -> Params<f64> {
    let mut params = Params::new();
    params.add("w", Tensor::from(START));
    params
}

/// The gradient at the weights, as traces/rules.py has it: 2 p + t [0.1, -0.2, 0.3].
fn grads(params: &Params<f64>, t: usize) -> Grads<f64> {
    let slope = Tensor::from([0.1, -0.2, 0.3]) * t as f64;
    Grads::from_iter([Some(&params[0].value * 2.0 + slope)])
}

/// The rows under a title of traces/averages.txt.
fn trace(title: &str) -> Vec<[f64; 3]> {
    let text = include_str!("../traces/averages.txt");
    let (_, section) = text.split_once(&format!("## {title}\n")).unwrap_or_else(|| panic!("no trace of {title}"));
    let rows = section.lines().take_while(|line| !line.is_empty());
    let numbers = |row: &str| row.split(' ').map(|number| number.parse().unwrap()).collect::<Vec<f64>>();
    rows.map(|row| numbers(row).try_into().unwrap()).collect()
}

/// Follows a trace, whose last row is that of the weights at the end of a run.
fn follow<R: Rule>(title: &str, optimizer: Optimizer<R, f64>, constraint: Option<Constraint>) {
    let (mut params, mut optimizer) = (params(), optimizer);
    // Keras adds 1e-7 to each norm, at each step.
    let tolerance = if constraint.is_some() { 2e-5 } else { 1e-6 };
    params[0].constraint = constraint;
    let rows = trace(title);
    let (last, rows) = rows.split_last().unwrap();
    for (t, row) in rows.iter().enumerate() {
        let grads = grads(&params, t);
        optimizer.step(&mut params, &grads);
        let found = &params[0].value;
        assert!(found.allclose(&Tensor::from(*row), tolerance, tolerance), "{title}, batch {t}: {found} and {row:?}");
    }
    optimizer.finalize_weights(&mut params);
    let found = &params[0].value;
    assert!(found.allclose(&Tensor::from(*last), tolerance, tolerance), "{title}, at the end: {found} and {last:?}");
}

#[test]
fn steps_are_those_of_keras() {
    let sgd = || Sgd::default().momentum(0.9).learning_rate(0.1);
    let rmsprop = || RmsProp::default().learning_rate(0.1);
    follow("accumulated", sgd().gradient_accumulation_steps(3), None);
    follow("accumulated and clipped", rmsprop().gradient_accumulation_steps(2).clip_norm(1.5), None);
    follow("averaged", sgd().use_ema(0.75), None);
    follow("averaged and overwritten", rmsprop().use_ema(0.75).ema_overwrite_frequency(3), None);
    follow("constrained to a norm", sgd(), Some(Constraint::max_norm(1.25)));
    follow("constrained to a unit", sgd(), Some(Constraint::unit_norm()));
    follow("constrained to positive numbers", sgd(), Some(Constraint::non_neg()));
    follow("constrained to two norms", sgd(), Some(Constraint::min_max_norm(0.5, 1.5).rate(0.25)));
}

#[test]
fn several_batches_are_one_batch_of_their_mean() {
    let schedule = || InverseTimeDecay::new(0.1, 2, 0.5);
    let (mut parts, mut whole) = (params(), params());
    let mut in_parts: Optimizer<Adam, f64> =
        Adam::default().gradient_accumulation_steps(4).learning_rate(schedule()).clip_global_norm(0.5);
    let mut at_once: Optimizer<Adam, f64> = Adam::default().learning_rate(schedule()).clip_global_norm(0.5);
    for step in 0..6 {
        let before = parts[0].value.clone();
        let all: Vec<Tensor<f64>> = (0..4).map(|part| grads(&parts, 4 * step + part)[0].clone().unwrap()).collect();
        let mean = (&all[0] + &all[1] + &all[2] + &all[3]) / 4.0;
        for (part, gradient) in all.into_iter().enumerate() {
            assert_eq!((parts[0].value == before, in_parts.steps()), (true, step as u64), "part {part}");
            in_parts.step(&mut parts, &Grads::from_iter([Some(gradient)]));
        }
        at_once.step(&mut whole, &Grads::from_iter([Some(mean)]));
        assert_ne!(parts[0].value, before);
        assert!(parts[0].value.allclose(&whole[0].value, 1e-12, 0.0));
        assert_eq!(in_parts.current_learning_rate(), at_once.current_learning_rate());
    }
}

#[test]
fn a_weight_without_a_gradient_in_some_batches_has_the_mean_over_all() {
    let mut params = params();
    params.add("unused", Tensor::from([7.0]));
    params.add("frozen", Tensor::from([8.0]));
    params.freeze("frozen");
    let mut optimizer = Sgd::default().learning_rate(1.0).gradient_accumulation_steps(2);
    for gradient in [Some(Tensor::from([1.0, 2.0, 3.0])), None] {
        let of_frozen = Some(Tensor::from([1.0]));
        optimizer.step(&mut params, &Grads::from_iter([gradient, None, of_frozen]));
    }
    assert_eq!(params[0].value, Tensor::from([0.5, -3.0, -1.0]));
    assert_eq!((params[1].value.item(), params[2].value.item()), (7.0, 8.0));
}

#[test]
fn training_goes_on_from_any_batch_to_the_same_bits() {
    let optimizer = || {
        let rule: Optimizer<Adam, f64> = Adam::default().learning_rate(0.1);
        rule.gradient_accumulation_steps(3).use_ema(0.5).ema_overwrite_frequency(2)
    };
    let run = |pause: Option<usize>| {
        let (mut params, mut optimizer_now) = (params(), optimizer());
        params[0].constraint = Some(Constraint::max_norm(2.0));
        for t in 0..20 {
            if pause == Some(t) {
                let written = serde_json::to_string(&optimizer_now.state()).unwrap();
                optimizer_now = optimizer();
                optimizer_now.restore(&params, serde_json::from_str(&written).unwrap()).unwrap();
            }
            let grads = grads(&params, t);
            optimizer_now.step(&mut params, &grads);
        }
        let state = optimizer_now.state();
        optimizer_now.finalize_weights(&mut params);
        (params[0].value.clone(), state)
    };
    let expected = run(None);
    assert_eq!((expected.1.steps, expected.1.waiting), (6, 2));
    let names: Vec<&str> = expected.1.slots.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(names, ["w/momentum", "w/velocity", "w/moving_average", "w/gradient_sum"]);
    for pause in 0..20 {
        assert!(run(Some(pause)) == expected, "paused before batch {pause}");
    }
}

#[test]
fn a_state_of_other_options_is_refused() {
    let state = |optimizer: Optimizer<Sgd, f64>, batches: usize| {
        let (mut params, mut optimizer) = (params(), optimizer);
        for t in 0..batches {
            let grads = grads(&params, t);
            optimizer.step(&mut params, &grads);
        }
        optimizer.state()
    };
    let refusal = |mut optimizer: Optimizer<Sgd, f64>, state: State<f64>| {
        optimizer.restore(&params(), state).unwrap_err().to_string()
    };
    let restore = "restore with the rule, its options and the model of the training that is to go on";
    let plain = || Optimizer::from(Sgd::default());
    assert_eq!(
        refusal(plain(), state(plain().gradient_accumulation_steps(3), 2)),
        "the gradients of 2 batches wait for others, and 1 make a step: restore with the gradient_accumulation_steps of \
         the training that is to go on"
    );
    assert_eq!(
        refusal(plain(), state(plain().use_ema(0.5), 2)),
        format!("no parameter has a slot \"w/moving_average\" by this rule: {restore}")
    );
    assert_eq!(
        refusal(plain().use_ema(0.5), state(plain(), 2)),
        format!("no parameter has the slot \"moving_average\": {restore}")
    );
    let mut other = state(plain().use_ema(0.5), 2);
    other.slots[0].1 = Tensor::from([1.0]);
    let shapes = "the slot \"w/moving_average\" has shape [1], [3] is needed: restore into the model that was trained";
    assert_eq!(refusal(plain().use_ema(0.5), other), shapes);
    // Before the first step there is nothing to lose.
    plain().use_ema(0.5).restore(&params(), state(plain(), 0)).unwrap();
    // A file of before there were batches that wait.
    let read: State = serde_json::from_str(r#"{"steps":2,"slots":[]}"#).unwrap();
    assert_eq!(read.waiting, 0);
    assert_eq!(serde_json::to_string(&read).unwrap(), r#"{"steps":2,"learning_rate":null,"slots":[]}"#);
}

#[test]
fn without_averages_weights_stay_as_they_are_at_the_end() {
    let mut params = params();
    let optimizer: Optimizer<Sgd, f64> = Sgd::default().use_ema(0.9);
    optimizer.finalize_weights(&mut params);
    assert_eq!(params[0].value, Tensor::from(START));
}

#[test]
fn a_frozen_weight_has_its_average_of_before() {
    let mut params = params();
    let mut optimizer: Optimizer<Sgd, f64> = Sgd::default().learning_rate(0.1).use_ema(0.5);
    for t in 0..4 {
        if t == 2 {
            params.freeze("w");
        }
        let grads = grads(&params, t);
        optimizer.step(&mut params, &grads);
    }
    // By hand: 1 - 0.1 x 2 = 0.8, then 0.8 - 0.1 x (1.6 + 0.1) = 0.63; the average is (0.8 + 0.63) / 2.
    assert!((params[0].value.get([0]) - 0.63).abs() < 1e-12);
    optimizer.finalize_weights(&mut params);
    assert!((params[0].value.get([0]) - 0.715).abs() < 1e-12);
}

#[test]
#[should_panic(expected = "gradient_accumulation_steps: at least 1 batch is needed, not 0")]
fn a_step_takes_a_batch() {
    let _: Optimizer<Sgd> = Sgd::default().gradient_accumulation_steps(0);
}

#[test]
#[should_panic(expected = "use_ema: a momentum from 0 to 1 is needed, not 1.5")]
fn a_momentum_is_a_share() {
    let _: Optimizer<Sgd> = Sgd::default().use_ema(1.5);
}

#[test]
#[should_panic(expected = "ema_overwrite_frequency: there are no averages; call use_ema before")]
fn averages_are_asked_for_first() {
    let _: Optimizer<Sgd> = Optimizer::from(Sgd::default()).ema_overwrite_frequency(10);
}
