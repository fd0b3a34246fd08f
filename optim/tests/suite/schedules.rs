//! Every schedule against the values of Keras or PyTorch; `traces/schedules.txt` says which.

use gradus_optim::{
    Annealing, CosineDecay, CosineRestarts, ExponentialDecay, InverseTimeDecay, OneCycle, PiecewiseConstant,
    PolynomialDecay, Schedule, StepDecay, WarmUp,
};

/// The learning rates of this title, from step 0 on.
fn values(title: &str) -> Vec<f64> {
    let mut lines = include_str!("../traces/schedules.txt").lines();
    lines.find(|line| line.strip_prefix("## ") == Some(title)).unwrap_or_else(|| panic!("there is no {title:?}"));
    let numbers = lines.next().unwrap().trim_matches(['[', ']']).split(", ");
    numbers.map(|number| number.parse().unwrap()).collect()
}

#[track_caller]
fn follow(title: &str, schedule: impl Schedule) {
    let values = values(title);
    assert!(values.len() > 10);
    for (step, expected) in values.into_iter().enumerate() {
        let rate = schedule.at(step as u64);
        assert!((rate - expected).abs() < 1e-14, "{title}: step {step} gives {rate}, not {expected}");
    }
}

#[test]
fn stairs() {
    follow("torch StepLR(lr=0.1, step_size=3, gamma=0.5)", StepDecay::new(0.1, 3, 0.5));
    follow(
        "Keras PiecewiseConstantDecay(boundaries=[3, 8], values=[0.1, 0.05, 0.01])",
        PiecewiseConstant::new([3, 8], [0.1, 0.05, 0.01]),
    );
}

#[test]
fn exponential() {
    let schedule = ExponentialDecay::new(0.1, 4, 0.5);
    follow("Keras ExponentialDecay(0.1, decay_steps=4, decay_rate=0.5)", schedule.clone());
    follow("Keras ExponentialDecay(0.1, decay_steps=4, decay_rate=0.5, staircase)", schedule.staircase(true));
}

#[test]
fn inverse_time() {
    let schedule = InverseTimeDecay::new(0.1, 4, 0.5);
    follow("Keras InverseTimeDecay(0.1, decay_steps=4, decay_rate=0.5)", schedule.clone());
    follow("Keras InverseTimeDecay(0.1, decay_steps=4, decay_rate=0.5, staircase)", schedule.staircase(true));
}

#[test]
fn polynomial() {
    for power in [1.0, 2.0] {
        let schedule = PolynomialDecay::new(0.1, 5).end(0.01).power(power);
        let title = format!("Keras PolynomialDecay(0.1, decay_steps=5, end=0.01, power={power:.1}");
        follow(&format!("{title})"), schedule.clone());
        follow(&format!("{title}, cycle)"), schedule.cycle(true));
    }
}

#[test]
fn cosine() {
    follow("Keras CosineDecay(0.1, decay_steps=10)", CosineDecay::new(0.1, 10));
    follow("Keras CosineDecay(0.1, decay_steps=10, alpha=0.1)", CosineDecay::new(0.1, 10).alpha(0.1));
}

#[test]
fn warm_up() {
    follow(
        "Keras CosineDecay(0.0, decay_steps=8, alpha=0.1, warmup_target=0.1, warmup_steps=4)",
        CosineDecay::new(0.1, 8).alpha(0.1).warm_up(4),
    );
    follow(
        "Keras CosineDecay(0.02, decay_steps=8, alpha=0, warmup_target=0.1, warmup_steps=4)",
        WarmUp::new(4, CosineDecay::new(0.1, 8)).start(0.02),
    );
}

#[test]
fn cosine_restarts() {
    follow("Keras CosineDecayRestarts(0.1, first_decay_steps=3)", CosineRestarts::new(0.1, 3));
    follow(
        "Keras CosineDecayRestarts(0.1, first_decay_steps=3, t_mul=2, m_mul=0.8, alpha=0.1)",
        CosineRestarts::new(0.1, 3).m_mul(0.8).alpha(0.1),
    );
    follow(
        "Keras CosineDecayRestarts(0.1, first_decay_steps=4, t_mul=1, m_mul=0.5)",
        CosineRestarts::new(0.1, 4).t_mul(1.0).m_mul(0.5),
    );
    follow(
        "Keras CosineDecayRestarts(0.1, first_decay_steps=4, t_mul=1.5, m_mul=0.9)",
        CosineRestarts::new(0.1, 4).t_mul(1.5).m_mul(0.9),
    );
}

/// A restart must come at its very step, where logarithms may be off by a rounding.
#[test]
fn restarts_come_on_time() {
    for (first, factor) in [(1, 2), (3, 2), (7, 3), (10, 5), (1000, 10)] {
        let schedule = CosineRestarts::new(1.0, first).t_mul(factor as f64);
        let (mut begin, mut length) = (0, first);
        for _ in 0..12 {
            assert!(schedule.at(begin) > 0.999, "first {first}, factor {factor}: no restart at {begin}");
            let before = schedule.at(begin + length - 1);
            assert!(length < 8 || before < 0.05, "first {first}, factor {factor}: {before} before {}", begin + length);
            begin += length;
            length *= factor;
        }
    }
}

#[test]
fn one_cycle() {
    let tail = "div_factor=25, final_div_factor=1e4): lr";
    let title = "torch OneCycleLR(max_lr=1.0, total_steps=13, pct_start=0.3, anneal_strategy=";
    follow(&format!("{title}'cos', {tail}"), OneCycle::new(1.0, 13));
    follow(&format!("{title}'linear', {tail}"), OneCycle::new(1.0, 13).annealing(Annealing::Linear));
    follow(
        "torch OneCycleLR(max_lr=0.1, total_steps=11, pct_start=0.5, cos, div_factor=10, final_div_factor=100)",
        OneCycle::new(0.1, 11).rise(0.5).div_factor(10.0).final_div_factor(100.0),
    );
    follow(
        "torch OneCycleLR(max_lr=0.1, total_steps=12, pct_start=0.3, three_phase=True, linear)",
        OneCycle::new(0.1, 12).three_phase(true).annealing(Annealing::Linear),
    );
    let shortest = OneCycle::new(1.0, 2);
    assert_eq!([0, 1, 2].map(|step| shortest.at(step)), [1.0, 4e-6, 4e-6]);
}

#[test]
fn schedules_are_plain_data() {
    let schedule = CosineRestarts::new(0.1, 3).alpha(0.01).warm_up(7).start(0.02);
    let text = serde_json::to_string(&schedule).unwrap();
    assert_eq!(serde_json::from_str::<WarmUp<CosineRestarts>>(&text).unwrap(), schedule);
}

#[test]
#[should_panic(expected = "CosineDecay: steps: at least 1 step is needed, not 0")]
fn a_decay_of_no_steps_is_refused() {
    CosineDecay::new(0.1, 0);
}

#[test]
#[should_panic(expected = "PiecewiseConstant: one value more than boundaries is needed: 2 and 2")]
fn missing_values_are_refused() {
    PiecewiseConstant::new([3, 8], [0.1, 0.05]);
}

#[test]
#[should_panic(expected = "PiecewiseConstant: each boundary must be greater than the one before: [8, 3]")]
fn boundaries_out_of_order_are_refused() {
    PiecewiseConstant::new([8, 3], [0.1, 0.05, 0.01]);
}
