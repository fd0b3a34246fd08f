//! Every rule against traces that other libraries made; `traces/rules.txt` says which.

use gradus_autograd::Params;
use gradus_optim::{Adam, AdamW, Optimizer, Rule, Sgd};
use gradus_tensor::Tensor;

/// The trace of this title: the parameter after each step.
fn trace(title: &str) -> Vec<[f64; 3]> {
    let traces = include_str!("traces/rules.txt");
    let mut lines = traces.lines().skip_while(|line| line.strip_prefix("## ") != Some(title));
    assert!(lines.next().is_some(), "there is no trace {title:?}");
    let rows = lines.take_while(|line| !line.starts_with("##")).filter(|line| line.starts_with('['));
    rows.map(|row| {
        let numbers = row.trim_matches(['[', ']', ',']).split(", ").map(|number| number.parse().unwrap());
        numbers.collect::<Vec<f64>>().try_into().unwrap()
    })
    .collect()
}

/// Follows the trace with `optimizer`: g = 2 p + t [0.1, -0.2, 0.3], t = 0, 1, .., from p = [1, -2, 0.5].
#[track_caller]
fn follow<R: Rule>(title: &str, optimizer: impl Into<Optimizer<R, f64>>) {
    let mut optimizer = optimizer.into();
    let mut params = Params::new();
    params.add("p", Tensor::from([1.0, -2.0, 0.5]));
    let slope = Tensor::from([0.1, -0.2, 0.3]);
    let trace = trace(title);
    assert_eq!(trace.len(), 8, "{title}");
    for (t, expected) in trace.iter().enumerate() {
        let gradient = &params[0].value * 2.0 + &slope * t as f64;
        optimizer.step(&mut params, &[Some(gradient)].into_iter().collect());
        for (p, e) in params[0].value.iter().zip(expected) {
            assert!((p - e).abs() < 1e-13, "{title}: step {t} gives {:?}, not {expected:?}", params[0].value);
        }
    }
}

#[test]
fn sgd() {
    follow("sgd", Sgd::default().learning_rate(0.1));
    follow("sgd momentum=0.9", Sgd::default().momentum(0.9).learning_rate(0.1));
    follow("sgd momentum=0.9 nesterov", Sgd::default().momentum(0.9).nesterov(true).learning_rate(0.1));
}

#[test]
fn transforms() {
    follow("sgd weight_decay=0.01 | decoupled", Sgd::default().learning_rate(0.1).weight_decay(0.01));
    follow("sgd weight_decay=0.01 | coupled", Sgd::default().learning_rate(0.1).l2(0.01));
    follow("sgd clipvalue=1", Sgd::default().learning_rate(0.1).clip_value(1.0));
    follow("sgd clipnorm=1", Sgd::default().learning_rate(0.1).clip_norm(1.0));
    follow("sgd global_clipnorm=1", Sgd::default().learning_rate(0.1).clip_global_norm(1.0));
    follow("adam weight_decay=0.01 (coupled L2) eps=1e-8", Adam::default().epsilon(1e-8).learning_rate(0.1).l2(0.01));
}

#[test]
fn adam() {
    let adam = Adam::default().learning_rate(0.1);
    follow("adam eps=1e-7 | Kingma-Ba", adam);
    follow("adam eps=1e-8 | Kingma-Ba", Adam::default().epsilon(1e-8).learning_rate(0.1));
    follow("adam eps=1e-2 | Kingma-Ba", Adam::default().epsilon(1e-2).learning_rate(0.1));
    let uncorrected = Adam::default().bias_correction(false).learning_rate(0.1);
    follow("adam without bias correction eps=1e-7", uncorrected);
    follow(
        "adam amsgrad eps=1e-8 | max of v, then corrected",
        Adam::default().epsilon(1e-8).amsgrad(true).learning_rate(0.1),
    );
}

#[test]
fn adamw() {
    follow("adamw weight_decay=0.01 eps=1e-7", AdamW::default().learning_rate(0.1).weight_decay(0.01));
    follow("adamw weight_decay=0.1 eps=1e-7", AdamW::default().learning_rate(0.1).weight_decay(0.1));
}
