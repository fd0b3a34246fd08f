//! Rules and schedules as JSON: what is written is read back, and what no constructor takes is refused in its words.

use std::fmt::Debug;

use gradus_optim::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, CosineDecay, CosineRestarts, ExponentialDecay, Ftrl,
    InverseTimeDecay, Lamb, Lion, Muon, Nadam, OneCycle, PiecewiseConstant, PolynomialDecay, RmsProp, Schedule, Sgd,
    StepDecay, WarmUp,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const FRACTION: &str = "a number from 0 to below 1 is needed";
const NOT_NEGATIVE: &str = "a number that is not negative is needed";
const POSITIVE: &str = "a number greater than 0 is needed";
const A_STEP: &str = "at least 1 step is needed";

/// Writes and reads `data`, then reads them with each of these options out of its range.
#[track_caller]
fn check<D: Serialize + DeserializeOwned + PartialEq + Debug>(data: D, options: &[(&str, Value, &str)]) {
    let written = serde_json::to_value(&data).unwrap();
    assert_eq!(serde_json::from_value::<D>(written.clone()).unwrap(), data);
    for (option, value, needed) in options {
        let mut wrong = written.clone();
        *wrong.get_mut(option).expect(option) = value.clone();
        let text = wrong.to_string();
        let error = serde_json::from_str::<D>(&text).expect_err(&text).to_string();
        assert!(error.contains(&format!("{option}: {needed}, not ")), "{text}: {error}");
    }
}

#[test]
fn rules_are_checked_when_they_are_read() {
    let (beta_1, beta_2) = (("beta_1", json!(1.0), FRACTION), ("beta_2", json!(2.0), FRACTION));
    let epsilon = ("epsilon", json!(-1e-7), NOT_NEGATIVE);
    let options = [beta_1, beta_2, epsilon.clone()];
    check(Adam::default().amsgrad(true), &options);
    check(AdamW(Adam::default()), &options);
    check(Adamax::default(), &options);
    check(Nadam::default(), &options);
    check(Lion::default(), &options[..2]);
    check(Sgd::default().nesterov(true), &[("momentum", json!(1), FRACTION)]);
    let rms_prop = [("rho", json!(-0.1), FRACTION), ("momentum", json!(1.5), FRACTION), epsilon.clone()];
    check(RmsProp::default().centered(true), &rms_prop);
    check(Adadelta::default(), &[("rho", json!(1.0), FRACTION), ("epsilon", json!(0.0), POSITIVE)]);
    check(Lamb::default(), &options);
    let (epsilon_1, epsilon_2) = (("epsilon_1", json!(-1), NOT_NEGATIVE), ("epsilon_2", json!(-1), NOT_NEGATIVE));
    let decay = ("beta_2_decay", json!(0.1), "a number that is not greater than 0 is needed");
    check(Adafactor::default(), &[decay, epsilon_1, epsilon_2, ("clip_threshold", json!(0), POSITIVE)]);
    let muon = Muon::default().exclude_layers(["9"]);
    check(
        muon,
        &[
            ("momentum", json!(1), FRACTION),
            ("rms_rate", json!(0), POSITIVE),
            ("adam_lr_ratio", json!(-1), NOT_NEGATIVE),
        ],
    );
    let power = ("learning_rate_power", json!(0.1), "a number that is not greater than 0 is needed");
    let strengths =
        ["initial_accumulator", "l1", "l2", "l2_shrinkage", "beta"].map(|name| (name, json!(-0.1), NOT_NEGATIVE));
    check(Ftrl::default(), &[&[power], &strengths[..]].concat());
    check(Adagrad::default(), &[("initial_accumulator", json!(-0.1), NOT_NEGATIVE), epsilon]);
}

#[test]
fn schedules_are_checked_when_they_are_read() {
    let initial = ("initial", json!(-0.1), NOT_NEGATIVE);
    let steps = ("steps", json!(0), A_STEP);
    let rate = ("rate", json!(-0.5), NOT_NEGATIVE);
    let alpha = ("alpha", json!(-0.5), NOT_NEGATIVE);
    let decay = [initial.clone(), steps.clone(), rate];
    check(ExponentialDecay::new(0.1, 10, 0.5).staircase(true), &decay);
    check(InverseTimeDecay::new(0.1, 10, 0.5), &decay);
    check(CosineDecay::new(0.1, 10), &[initial.clone(), steps.clone(), alpha.clone()]);
    let (t_mul, m_mul) = (("t_mul", json!(0.5), "at least 1 is needed"), ("m_mul", json!(0), POSITIVE));
    check(CosineRestarts::new(0.1, 10), &[initial.clone(), steps.clone(), t_mul, m_mul, alpha]);
    let (end, power) = (("end", json!(-1), NOT_NEGATIVE), ("power", json!(0), POSITIVE));
    check(PolynomialDecay::new(0.1, 10).cycle(true), &[initial.clone(), steps.clone(), end, power]);
    let (every, factor) = (("every", json!(0), A_STEP), ("factor", json!(-1), NOT_NEGATIVE));
    check(StepDecay::new(0.1, 10, 0.5), &[initial, every, factor]);
    let rise = ("rise", json!(1.0), "a number between 0 and 1 is needed");
    let factors = [("div_factor", json!(0), POSITIVE), ("final_div_factor", json!(-1), POSITIVE)];
    check(OneCycle::new(0.1, 10), &[&[("max", json!(0), POSITIVE), rise], &factors[..]].concat());
    check(PiecewiseConstant::new([3], [0.1, 0.2]), &[("values", json!([0.1, -0.2]), NOT_NEGATIVE)]);
    check(CosineDecay::new(0.1, 10).warm_up(5), &[("start", json!(-1), NOT_NEGATIVE), steps]);
}

#[test]
fn what_is_refused_is_said_in_the_constructors_words() {
    fn message<D: DeserializeOwned + Debug>(text: &str) -> String {
        serde_json::from_str::<D>(text).unwrap_err().to_string()
    }
    assert_eq!(
        message::<Sgd>(r#"{"momentum": 2.0, "nesterov": false}"#),
        "Sgd: momentum: a number from 0 to below 1 is needed, not 2"
    );
    assert_eq!(
        message::<OneCycle>(
            r#"{"max": 1, "steps": 1, "rise": 0.3, "div_factor": 25, "final_div_factor": 10, "annealing": "Cosine",
            "three_phase": false}"#
        ),
        "OneCycle: steps after the first: at least 1 step is needed, not 0"
    );
    assert_eq!(
        message::<PiecewiseConstant>(r#"{"boundaries": [3], "values": [0.1]}"#),
        "PiecewiseConstant: one value more than boundaries is needed: 1 and 1"
    );
    assert_eq!(
        message::<PiecewiseConstant>(r#"{"boundaries": [3, 3], "values": [0.1, 0.2, 0.3]}"#),
        "PiecewiseConstant: each boundary must be greater than the one before: [3, 3]"
    );
    // What is within is checked as well, and serde's own messages name the type.
    assert_eq!(
        message::<WarmUp<CosineDecay>>(r#"{"start": 0, "steps": 5, "then": {"initial": 1, "steps": 0, "alpha": 0}}"#),
        "CosineDecay: steps: at least 1 step is needed, not 0 at line 1 column 72"
    );
    assert!(message::<Sgd>("3").starts_with("invalid type: integer `3`, expected struct Sgd"));
}
