//! Every rule against traces that other libraries made; `traces/rules.txt` says which.

use gradus_autograd::Params;
use gradus_optim::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, Ftrl, IntoOptimizer, Lion, Nadam, Optimizer, PolynomialDecay, RmsProp,
    Rule, Sgd,
};
use gradus_tensor::Tensor;

/// The trace of this title: the parameter after each step.
fn trace(title: &str) -> Vec<[f64; 3]> {
    let traces = include_str!("../traces/rules.txt");
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
    follow("adam eps=1e-2 | Keras", Adam::default().epsilon(1e-2).keras_epsilon(true).learning_rate(0.1));
    let uncorrected = Adam::default().bias_correction(false).learning_rate(0.1);
    follow("adam without bias correction eps=1e-7", uncorrected);
    follow(
        "adam amsgrad eps=1e-8 | max of v, then corrected",
        Adam::default().epsilon(1e-8).amsgrad(true).learning_rate(0.1),
    );
}

#[test]
fn amsgrad() {
    let title = "adam amsgrad eps=1e-8 | max of v, then corrected";
    follow(title, Adam::default().epsilon(1e-8).amsgrad(true).learning_rate(0.1));
    let forgetful = Adam::default().beta_1(0.5).beta_2(0.5).epsilon(1e-8);
    follow("adam amsgrad beta=(0.5,0.5) eps=1e-8", forgetful.amsgrad(true).learning_rate(0.1));
}

#[test]
fn adamw() {
    follow("adamw weight_decay=0.01 eps=1e-7", AdamW::default().learning_rate(0.1).weight_decay(0.01));
    follow("adamw weight_decay=0.1 eps=1e-7", AdamW::default().learning_rate(0.1).weight_decay(0.1));
}

#[test]
fn adamax() {
    follow("adamax eps=1e-7 | eps in the denominator", Adamax::default().learning_rate(0.1));
}

#[test]
fn nadam() {
    follow("nadam eps=1e-7 | Keras schedule", Nadam::default().learning_rate(0.1));
}

#[test]
fn rmsprop() {
    let rule = RmsProp::default();
    follow("rmsprop rho=0.9 eps=1e-7 | eps inside the root", rule.clone().learning_rate(0.1));
    follow("rmsprop rho=0.9 centered | eps inside the root", rule.clone().centered(true).learning_rate(0.1));
    follow("rmsprop rho=0.9 momentum=0.9 | eps inside the root", rule.clone().momentum(0.9).learning_rate(0.1));
    follow(
        "rmsprop rho=0.9 momentum=0.9 centered | eps inside the root",
        rule.momentum(0.9).centered(true).learning_rate(0.1),
    );
}

#[test]
fn adagrad() {
    follow("adagrad init=0.1 eps=1e-7 | eps outside", Adagrad::default().learning_rate(0.1));
    follow("adagrad init=0 eps=1e-7 | eps outside", Adagrad::default().initial_accumulator(0.0).learning_rate(0.1));
    follow(
        "adagrad init=0.1 eps=1e-2 | Keras",
        Adagrad::default().epsilon(1e-2).keras_epsilon(true).learning_rate(0.1),
    );
}

#[test]
fn adadelta() {
    follow("adadelta rho=0.95 eps=1e-7 lr=1", Adadelta::default().learning_rate(1.0));
}

#[test]
fn lion() {
    follow("lion beta=(0.9,0.99)", Lion::default().learning_rate(0.1));
    follow("lion beta=(0.9,0.99) lr=0.5", Lion::default().learning_rate(0.5));
    follow("lion beta=(0.9,0.99) weight_decay=0.01", Lion::default().learning_rate(0.1).weight_decay(0.01));
}

#[test]
fn ftrl() {
    follow("ftrl", Ftrl::default().learning_rate(0.1));
    let all = Ftrl::default().learning_rate_power(-0.4).initial_accumulator(0.3).l1(0.2).l2(0.3);
    let all = all.l2_shrinkage(0.05).beta(0.5).learning_rate(0.1);
    follow("ftrl power=-0.4 init=0.3 l1=0.2 l2=0.3 shrinkage=0.05 beta=0.5", all);
    // By hand: |z| = 0.2 is not above l1, so the weight is 0.
    let mut params = Params::new();
    params.add("p", Tensor::from([0.0]));
    let mut optimizer = Ftrl::default().l1(0.25).learning_rate(0.1);
    optimizer.step(&mut params, &[Some(Tensor::from([0.2]))].into_iter().collect());
    assert_eq!(params[0].value.item(), 0.0);
    // A rate of 0, by which the formula divides, changes nothing.
    let mut params = Params::new();
    params.add("p", Tensor::from([0.5]));
    let mut optimizer = Ftrl::default().learning_rate(0.0);
    optimizer.step(&mut params, &[Some(Tensor::from([0.2]))].into_iter().collect());
    assert_eq!(params[0].value.item(), 0.5);
    assert_eq!(optimizer.state().slots.iter().map(|(_, slot)| slot.item()).collect::<Vec<_>>(), [0.1, 0.0]);
}

/// Algorithm 1 of Kingma and Ba by hand, exact in binary: beta_1 = 1/2, beta_2 = 3/4, epsilon = 0, alpha = 1 and
/// g = 4, then -4. m = 2, v = 4, corrected 4 and 16, p = 8 - 1; m = -1, v = 7, corrected -4/3 and 16, p = 7 + 1/3.
#[test]
fn adam_by_hand() {
    let mut params = Params::new();
    params.add("p", Tensor::from([8.0]));
    let mut optimizer = Adam::default().beta_1(0.5).beta_2(0.75).epsilon(0.0).learning_rate(1.0);
    let mut step = |gradient: f64| {
        optimizer.step(&mut params, &[Some(Tensor::from([gradient]))].into_iter().collect());
        params[0].value.item()
    };
    assert_eq!(step(4.0), 7.0);
    assert!((step(-4.0) - (7.0 + 1.0 / 3.0)).abs() < 1e-15);
}

/// Steps of `optimizer` down (x^2 + 10 y^2) / 2 from (1, 1), in f32; returns where they lead.
fn descend<R: Rule>(optimizer: impl Into<Optimizer<R>>, steps: usize) -> f32 {
    let mut optimizer = optimizer.into();
    let mut params = Params::new();
    params.add("xy", Tensor::new([1.0, 1.0]));
    for _ in 0..steps {
        let gradient = &params[0].value * Tensor::new([1.0, 10.0]);
        optimizer.step(&mut params, &[Some(gradient)].into_iter().collect());
    }
    params[0].value.norm(..).item()
}

#[test]
fn every_rule_finds_the_minimum() {
    let falling = || PolynomialDecay::new(0.05, 1000).end(0.0);
    let distances = [
        ("sgd", descend(Sgd::default().learning_rate(0.1), 1000)),
        ("sgd momentum", descend(Sgd::default().momentum(0.9).learning_rate(0.02), 1000)),
        ("sgd nesterov", descend(Sgd::default().momentum(0.9).nesterov(true).learning_rate(0.02), 1000)),
        ("adam", descend(Adam::default().learning_rate(falling()), 1000)),
        ("adamw", descend(AdamW::default().learning_rate(falling()), 1000)),
        ("adamax", descend(Adamax::default().learning_rate(falling()), 1000)),
        ("nadam", descend(Nadam::default().learning_rate(falling()), 1000)),
        ("rmsprop", descend(RmsProp::default().learning_rate(falling()), 1000)),
        ("adagrad", descend(Adagrad::default().learning_rate(0.5), 1000)),
        ("adadelta", descend(Adadelta::default().learning_rate(PolynomialDecay::new(1.0, 4000).end(0.0)), 4000)),
        ("lion", descend(Lion::default().learning_rate(falling()), 1000)),
        ("ftrl", descend(Ftrl::default().learning_rate(0.5), 1000)),
    ];
    for (rule, distance) in distances {
        assert!(distance < 1e-3, "{rule} ends {distance} from the minimum");
    }
}
