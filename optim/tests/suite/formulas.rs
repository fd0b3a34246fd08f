//! The expression of every elementwise rule against its compiled formula, bit by bit.

use gradus_autograd::Params;
use gradus_optim::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, ElementwiseRule, Ftrl, IntoOptimizer, Lion, Nadam, Optimizer, RmsProp,
    Scalars, Sgd,
};
use gradus_tensor::{Float, Generator, Tensor};

/// Takes steps with numbers of every size, and asks the expression for each element. Returns the name of the rule.
#[track_caller]
fn check<R: ElementwiseRule>(rule: R) -> String {
    check_as::<R, f32>(&rule);
    check_as::<R, f64>(&rule);
    let name = std::any::type_name::<R>();
    name.rsplit("::").next().unwrap_or(name).to_owned()
}

#[track_caller]
fn check_as<R: ElementwiseRule, T: Float>(rule: &R) {
    const LENGTH: usize = 203;
    let expression = rule.expression();
    assert_eq!(expression.inputs().len(), 2 + rule.slot_names().len());
    assert_eq!(expression.results().len(), 1 + rule.slot_names().len());
    let mut random = Generator::new(9);
    let mut numbers = |step: i32| -> Tensor<T> {
        let exponents: Tensor<f64> = random.uniform([LENGTH], -12.0..6.0);
        let signs: Tensor<f64> = random.normal([LENGTH], 0.0, 1.0);
        let sized = exponents.map(|e| 10_f64.powf(e)) * signs;
        let awkward = [0.0, -0.0, 1e-30, -1e-38, f64::from(step), 1e18];
        Tensor::from_iter(sized.iter().take(LENGTH - 6).chain(awkward).map(T::of))
    };
    let mut optimizer: Optimizer<R, T> = rule.clone().learning_rate(0.1).weight_decay(0.0);
    let mut params = Params::new();
    params.add("p", numbers(0));
    for step in 1..=5 {
        let (before, gradient) = (params[0].value.to_vec(), numbers(step));
        let mut slots: Vec<Vec<T>> = optimizer.state().slots.iter().map(|(_, slot)| slot.to_vec()).collect();
        if slots.is_empty() {
            let initial = |name: &&str| vec![T::of(rule.initial_slot(name)); LENGTH];
            slots = rule.slot_names().iter().map(initial).collect();
        }
        optimizer.step(&mut params, &[Some(gradient.clone())].into_iter().collect());
        let scalars = rule.scalars(step as u64, 0.1);
        let scalars: Vec<T> = (0..R::Scalars::COUNT).map(|i| T::of(scalars.get(i))).collect();
        let after: Vec<Vec<T>> = optimizer.state().slots.iter().map(|(_, slot)| slot.to_vec()).collect();
        for i in 0..LENGTH {
            let elements = slots.iter().map(|slot| slot[i]);
            let inputs: Vec<T> = [before[i], gradient.get([i])].into_iter().chain(elements).collect();
            let mut expected = expression.evaluate(&inputs, &scalars);
            // The driver does not keep subnormal numbers in slots.
            expected[1..].iter_mut().filter(|x| x.abs() < T::min_positive_value()).for_each(|x| *x = T::ZERO);
            let found = std::iter::once(params[0].value.get([i])).chain(after.iter().map(|slot| slot[i]));
            for (found, expected) in found.zip(expected) {
                let same = found == expected && found.is_sign_positive() == expected.is_sign_positive();
                assert!(same || found.is_nan() && expected.is_nan(), "{rule:?}, {inputs:?}: {found}, not {expected}");
            }
        }
    }
}

#[test]
fn every_expression_computes_what_its_rule_does() {
    let rms_prop = RmsProp::default;
    let checked = [
        check(Sgd::default()),
        check(Sgd::default().momentum(0.9)),
        check(Sgd::default().momentum(0.9).nesterov(true)),
        check(Adam::default()),
        check(Adam::default().amsgrad(true).bias_correction(false)),
        check(Adam::default().keras_epsilon(true)),
        check(AdamW::default()),
        check(Adamax::default()),
        check(Nadam::default()),
        check(rms_prop()),
        check(rms_prop().centered(true)),
        check(rms_prop().momentum(0.5)),
        check(rms_prop().momentum(0.5).centered(true)),
        check(Adagrad::default()),
        check(Adagrad::default().keras_epsilon(true)),
        check(Adadelta::default()),
        check(Lion::default()),
        check(Ftrl::default()),
        check(Ftrl::default().learning_rate_power(-0.4).l1(0.1).l2(0.2).l2_shrinkage(0.3).beta(0.5)),
    ];
    let mut found = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/rules")).unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for rest in source.split("impl ElementwiseRule for ").skip(1) {
            let name = rest.split(' ').next().unwrap();
            assert!(checked.iter().any(|checked| checked == name), "{name} is not checked here");
            found += 1;
        }
    }
    assert!(found >= 9, "only {found} rules were found among the sources");
}

#[test]
fn an_expression_reads_as_the_formula() {
    let expected = "t1 = 0.9 * momentum + 0.09999999999999998 * gradient\n\
                    t2 = 0.999 * velocity + 0.0010000000000000009 * gradient * gradient\n\
                    parameter - s0 * (t1 / (s1 * sqrt(t2) + 0.0000001))\nt1\nt2";
    assert_eq!(
        Adam::default().expression().to_string().replace("(gradient * gradient)", "gradient * gradient"),
        expected
    );
}
