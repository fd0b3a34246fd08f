//! Losses against Keras's numbers (`reference/losses.py` writes them and names the versions), and where they go beyond Keras.

use std::collections::BTreeMap;

use gradus_autograd::{Tape, Var, gradcheck};
use gradus_nn::losses::*;
use gradus_nn::{Activation, Dense, Model, Sequential};
use gradus_tensor::{Generator, Tensor, keepdims};

/// A section of the reference file: its title, the names of its inputs, and its numbers.
struct Section {
    title: String,
    y_true: String,
    y_pred: String,
    numbers: BTreeMap<String, Tensor<f64>>,
}

/// Parses `1.0`, `[1.0, 2.0]` or `[[1.0, 2.0], [3.0, 4.0]]`.
fn numbers(text: &str) -> Tensor<f64> {
    let rows = text.matches('[').count().saturating_sub(1);
    let flat: Vec<f64> = text
        .split(|c: char| "[], ".contains(c))
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().unwrap())
        .collect();
    let count = flat.len();
    match rows {
        0 if !text.starts_with('[') => Tensor::scalar(flat[0]),
        0 => Tensor::from(flat),
        rows => Tensor::from_vec(flat, [rows, count / rows]).unwrap(),
    }
}

fn reference() -> (BTreeMap<String, Tensor<f64>>, Vec<Section>) {
    let mut inputs = BTreeMap::new();
    let mut sections: Vec<Section> = Vec::new();
    for line in include_str!("../reference/losses.txt").lines() {
        if let Some(title) = line.strip_prefix("## ") {
            let (title, names) = title.split_once("   y_true=").unwrap();
            let (y_true, y_pred) = names.split_once(" y_pred=").unwrap();
            let [title, y_true, y_pred] = [title, y_true, y_pred].map(str::to_owned);
            sections.push(Section { title, y_true, y_pred, numbers: BTreeMap::new() });
        } else if let Some((name, text)) = line.split_once(": ").filter(|_| !line.starts_with('#')) {
            // An input is named in capitals, wherever it stands.
            let target = if name.chars().all(char::is_uppercase) {
                &mut inputs
            } else {
                &mut sections.last_mut().unwrap().numbers
            };
            target.insert(name.to_owned(), numbers(text));
        }
    }
    (inputs, sections)
}

fn check(title: &str, loss: impl Loss) {
    let (inputs, sections) = reference();
    let sections: Vec<&Section> = sections.iter().filter(|section| section.title.starts_with(title)).collect();
    assert!(!sections.is_empty(), "the reference has no section {title}");
    for section in sections {
        let (targets, outputs) = (&inputs[&section.y_true], &inputs[&section.y_pred]);
        let expect = |name: &str, found: &Tensor<f64>| {
            let expected = &section.numbers[name];
            // Keras's epsilon of 1e-7 within logarithms shows from the eighth digit on.
            assert!(found.allclose(expected, 1e-6, 1e-9), "{}: {name}: {found} is not {expected}", section.title);
        };
        expect("per_sample", loss.per_sample(targets, &Var::from(outputs)).unwrap().value());
        for (weights, mean, grad) in [(None, "mean", "grad"), (Some(&inputs["SW"]), "weighted_mean", "weighted_grad")] {
            let tape = Tape::new();
            let outputs = tape.var(outputs.clone());
            let value = loss.mean(targets, &outputs, weights).unwrap();
            expect(mean, value.value());
            expect(grad, &tape.backward(&value).of(&outputs));
        }
        gradcheck(std::slice::from_ref(outputs), |x| loss.mean(targets, &x[0], None).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", section.title));
    }
}

#[test]
fn regression_losses_are_keras() {
    check("MeanSquaredError", MeanSquaredError);
    check("MeanAbsoluteError", MeanAbsoluteError);
    check("MeanAbsolutePercentageError", MeanAbsolutePercentageError);
    check("MeanSquaredLogarithmicError", MeanSquaredLogarithmicError);
    check("Huber(delta=1)", Huber::default());
    check("Huber(delta=0.5)", Huber::default().delta(0.5));
    check("LogCosh", LogCosh);
    check("Poisson", Poisson);
    check("CosineSimilarity", CosineSimilarity);
}

#[test]
fn crossentropies_are_keras() {
    let binary = BinaryCrossentropy::default();
    check("BinaryCrossentropy(from_logits=False, label_smoothing=0.0)", binary);
    check("BinaryCrossentropy(from_logits=True, label_smoothing=0.0)", binary.from_logits(true));
    check("BinaryCrossentropy(from_logits=False, label_smoothing=0.1)", binary.label_smoothing(0.1));
    check("BinaryCrossentropy(from_logits=True, label_smoothing=0.1)", binary.from_logits(true).label_smoothing(0.1));
    let categorical = CategoricalCrossentropy::default();
    check("CategoricalCrossentropy(from_logits=False, label_smoothing=0.0)", categorical);
    check("CategoricalCrossentropy(from_logits=True, label_smoothing=0.0)", categorical.from_logits(true));
    check("CategoricalCrossentropy(from_logits=False, label_smoothing=0.1)", categorical.label_smoothing(0.1));
    let smoothed_logits = categorical.from_logits(true).label_smoothing(0.1);
    check("CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)", smoothed_logits);
    check("CategoricalCrossentropy(from_logits=False), soft labels", categorical);
    check("CategoricalCrossentropy(from_logits=True), soft labels", categorical.from_logits(true));
    check("CategoricalCrossentropy(from_logits=True), extreme logits", categorical.from_logits(true));
    check("BinaryCrossentropy(from_logits=True), extreme logits", binary.from_logits(true));
    let sparse = SparseCategoricalCrossentropy::default();
    check("SparseCategoricalCrossentropy(from_logits=False)", sparse);
    check("SparseCategoricalCrossentropy(from_logits=True)", sparse.from_logits(true));
    let smoothed = sparse.label_smoothing(0.1);
    check("SparseCategoricalCrossentropy(from_logits=False, label_smoothing=0.1)", smoothed);
    check("SparseCategoricalCrossentropy(from_logits=True, label_smoothing=0.1)", smoothed.from_logits(true));
    check("KLDivergence", KLDivergence);
    check("Dice(axis=1)", Dice);
    check("Tversky(axis=1)", Tversky::default());
    // Keras 3.15.1 takes alpha for false negatives and beta for false positives, against its documentation.
    check("Tversky(alpha=0.3, beta=0.7, axis=1)", Tversky::default().alpha(0.7).beta(0.3));
}

#[test]
fn focal_losses_and_hinges_are_keras() {
    let binary = BinaryFocalCrossentropy::default();
    check("BinaryFocalCrossentropy(gamma=2, alpha=0.25, apply_class_balancing=False", binary);
    check("BinaryFocalCrossentropy(gamma=2, alpha=0.25, apply_class_balancing=True)", binary.alpha(0.25));
    let smoothed = binary.alpha(0.25).label_smoothing(0.1);
    check("BinaryFocalCrossentropy(gamma=2, alpha=0.25, apply_class_balancing=True, label_smoothing=0.1)", smoothed);
    let logits = binary.alpha(0.25).from_logits(true);
    check("BinaryFocalCrossentropy(gamma=2, alpha=0.25, apply_class_balancing=True, from_logits=True)", logits);
    let categorical = CategoricalFocalCrossentropy::default();
    check("CategoricalFocalCrossentropy(gamma=2, alpha=0.25)", categorical);
    check("CategoricalFocalCrossentropy(gamma=2, alpha=0.25, label_smoothing=0.1)", categorical.label_smoothing(0.1));
    check("CategoricalFocalCrossentropy(gamma=2, alpha=0.25, from_logits=True)", categorical.from_logits(true));
    check("Hinge", Hinge);
    check("SquaredHinge", SquaredHinge);
    check("CategoricalHinge", CategoricalHinge);
}

/// The true class has logit -1000 against 0: its probability underflows in f32.
#[test]
fn crossentropy_behind_a_softmax_keeps_its_gradient_when_a_probability_underflows() {
    let logits = Tensor::new([[0.0, -1000.0], [-1000.0, 0.0]]);
    let losses = |x: &Var, sparse: bool| {
        let p = x.softmax(-1);
        if sparse {
            SparseCategoricalCrossentropy::default().mean(&Tensor::new([1.0, 0.0]), &p, None).unwrap()
        } else {
            CategoricalCrossentropy::default().mean(&Tensor::new([[0.0, 1.0], [1.0, 0.0]]), &p, None).unwrap()
        }
    };
    for sparse in [false, true] {
        let tape = Tape::new();
        let x = tape.var(logits.clone());
        let loss = losses(&x, sparse);
        assert!(loss.value().item() > 80.0 && loss.value().item().is_finite());
        // By hand: (p - t) / n with p = (1, 0), t = (0, 1) and n = 2.
        let expected = Tensor::new([[0.5, -0.5], [-0.5, 0.5]]);
        let gradient = tape.backward(&loss).of(&x);
        assert!(gradient.allclose(&expected, 1e-6, 0.0), "{gradient}");
    }
}

#[test]
fn an_underflow_does_not_stop_training() {
    let network = Sequential::new().add(Dense::new(3).activation(Activation::Softmax));
    let mut model = Model::build(network, [1], 0).unwrap();
    model.params_mut()[1].value = Tensor::new([0.0, -500.0, 500.0]);
    let (x, y) = (Tensor::new([[0.0]]), Tensor::new([[0.0, 1.0, 0.0]]));
    let pass = model.grad(&x, &y, None, &CategoricalCrossentropy::default(), &mut Generator::new(0)).unwrap();
    assert_eq!(pass.grads[1].as_ref().unwrap().get([1]), -1.0);
    assert!(pass.loss.is_finite());
}

#[test]
fn losses_stay_finite_at_the_ends() {
    let ends = Var::from(Tensor::new([[0.0, 1.0], [1.0, 0.0]]));
    let targets = Tensor::new([[1.0, 0.0], [1.0, 0.0]]);
    for (name, loss) in [
        ("binary", BinaryCrossentropy::default().mean(&targets, &ends, None).unwrap()),
        ("categorical", CategoricalCrossentropy::default().mean(&targets, &ends, None).unwrap()),
        ("focal", BinaryFocalCrossentropy::default().mean(&targets, &ends, None).unwrap()),
        ("kl", KLDivergence.mean(&targets, &ends, None).unwrap()),
        ("dice", Dice.mean(&Tensor::zeros([2, 2]), &Var::from(Tensor::zeros([2, 2])), None).unwrap()),
        ("tversky", Tversky::default().beta(0.0).mean(&targets, &Var::from(Tensor::zeros([2, 2])), None).unwrap()),
        ("cosine", CosineSimilarity.mean(&targets, &Var::from(Tensor::zeros([2, 2])), None).unwrap()),
    ] {
        assert!(loss.value().item().is_finite(), "{name}: {}", loss.value());
    }
    let logits = Var::from(Tensor::new([[1e4, -1e4], [-1e4, 1e4]]));
    let loss = BinaryCrossentropy::default().from_logits(true).mean(&targets, &logits, None).unwrap();
    assert_eq!(loss.value().item(), 5000.0);
}

/// Each loss over probabilities, of one row of outputs.
fn of_row(targets: &Tensor, class: f32, outputs: &Tensor) -> Vec<(&'static str, gradus_nn::Result<f32>)> {
    let outputs = &Var::from(outputs.clone());
    let item = |loss: gradus_nn::Result<Var>| loss.map(|loss| loss.value().item());
    vec![
        ("categorical", item(CategoricalCrossentropy::default().mean(targets, outputs, None))),
        ("smoothed", item(CategoricalCrossentropy::default().label_smoothing(0.1).mean(targets, outputs, None))),
        ("sparse", item(SparseCategoricalCrossentropy::default().mean(&Tensor::new([class]), outputs, None))),
        ("focal", item(CategoricalFocalCrossentropy::default().mean(targets, outputs, None))),
        ("binary", item(BinaryCrossentropy::default().mean(targets, outputs, None))),
        ("binary focal", item(BinaryFocalCrossentropy::default().mean(targets, outputs, None))),
        ("kl", item(KLDivergence.mean(targets, outputs, None))),
    ]
}

#[test]
fn outputs_that_are_no_probabilities_are_refused() {
    for bad in [[2.0, -3.0], [2.0, 3.0], [-0.1, 1.0], [0.5, 1.1], [f32::INFINITY, 0.0]] {
        for (name, found) in of_row(&Tensor::new([[1.0, 0.0]]), 0.0, &Tensor::new([bad])) {
            assert!(found.is_err(), "{name} of {bad:?}: {found:?}");
        }
    }
    let message = |result: gradus_nn::Result<Var>| result.unwrap_err().to_string();
    let logits = Var::from(Tensor::new([[0.5, 0.5], [2.0, -3.0]]));
    assert_eq!(
        message(SparseCategoricalCrossentropy::default().mean(&Tensor::new([1.0, 0.0]), &logits, None)),
        "sparse_categorical_crossentropy: outputs must be probabilities, from 0 to 1, found 2 at element 2 of [2, 2]; end \
         the network in Activation::Softmax, or set from_logits(true)"
    );
    assert_eq!(
        message(BinaryCrossentropy::default().mean(&Tensor::zeros([2, 2]), &logits, None)),
        "binary_crossentropy: outputs must be probabilities, from 0 to 1, found 2 at element 2 of [2, 2]; end the network \
         in Activation::Sigmoid, or set from_logits(true)"
    );
    assert_eq!(
        message(Poisson.mean(&Tensor::zeros([2, 2]), &logits, None)),
        "poisson: outputs must be rates, not below 0, found -3 at element 3 of [2, 2]; end the network in \
         Activation::Exponential or Activation::Softplus"
    );
}

#[test]
fn a_row_of_zeros_is_no_distribution() {
    let (targets, zeros) = (Tensor::new([[0.0, 1.0, 0.0]]), Tensor::zeros([1, 3]));
    for (name, found) in of_row(&targets, 1.0, &zeros).into_iter().take(4) {
        let message = found.unwrap_err().to_string();
        assert!(
            message.ends_with(
                "outputs must be probabilities that sum to 1, found zeros alone in row 0 of [1, 3]; end the network in \
                 Activation::Softmax, or set from_logits(true)"
            ),
            "{name}: {message}"
        );
    }
    // A row that does not count may be anything: one without a target, one that is ignored.
    let outputs = Var::from(Tensor::new([[0.0, 0.0], [0.25, 0.75]]));
    let masked = CategoricalCrossentropy::default().mean(&Tensor::new([[0.0, 0.0], [0.0, 1.0]]), &outputs, None);
    let ignored = SparseCategoricalCrossentropy::default().ignore_class(-1);
    let ignored = ignored.mean(&Tensor::new([-1.0, 1.0]), &outputs, None);
    // By hand: -ln 0.75, halved by the mean of two rows.
    let expected = -0.75_f32.ln();
    assert!((masked.unwrap().value().item() - expected / 2.0).abs() < 1e-6);
    assert!((ignored.unwrap().value().item() - expected).abs() < 1e-6);
}

#[test]
fn a_rounding_beyond_0_and_1_is_none() {
    for outputs in [[1.0000001, -1e-9], [1.0 + 1e-5, -1e-5], [1.0, 0.0]] {
        for targets in [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]] {
            let class = if targets[0] < 0.5 { 1.0 } else { 0.0 };
            for (name, found) in of_row(&Tensor::new([targets]), class, &Tensor::new([outputs])) {
                let found = found.unwrap();
                assert!(found.is_finite() && found >= -0.7, "{name} of {outputs:?}, targets {targets:?}: {found}");
                if targets[0] == 1.0 && name != "smoothed" {
                    assert!((0.0..1e-4).contains(&found), "{name} of {outputs:?}: {found}");
                }
            }
        }
    }
    // Keras sums softmax outputs to 1 within rounding, not exactly.
    let p = Generator::new(5).normal::<f32>([1000, 8], 0.0, 3.0).softmax(-1).sum(keepdims(-1));
    assert!(p.iter().any(|p| p > 1.0), "the case is met");
    let loss = BinaryCrossentropy::default().mean(&Tensor::ones([1000, 1]), &Var::from(p), None).unwrap();
    assert!(loss.value().item() < 1e-6);
}

#[test]
fn cosine_similarity_knows_no_length() {
    // By hand: the vectors (3, 4) and (4, 3) have the cosine 24/25; its derivative by (3, 4) is (28, -21) / 625, divided by
    // the length of the vector's multiple.
    for scale in [1.0, 1e20, 1e30] {
        let tape = Tape::new();
        let x = tape.var(Tensor::new([[3.0, 4.0]]) * scale);
        let loss = CosineSimilarity.mean(&Tensor::new([[4e25, 3e25]]), &x, None).unwrap();
        assert!((loss.value().item() + 0.96).abs() < 1e-6, "{}", loss.value());
        let gradient = tape.backward(&loss).of(&x) * scale;
        assert!(gradient.allclose(&Tensor::new([[-0.0448, 0.0336]]), 1e-5, 0.0), "{gradient}");
    }
}

#[test]
fn nan_is_not_taken_for_a_wrong_activation() {
    for (name, found) in of_row(&Tensor::new([[0.5, 0.5]]), 0.0, &Tensor::new([[f32::NAN, 0.5]])) {
        assert!(found.unwrap().is_nan(), "{name}");
    }
}

#[test]
fn zero_times_the_logarithm_of_zero_is_zero() {
    let logits = Tensor::new([[0.0, f32::NEG_INFINITY]]);
    let with_gradient = |loss: &dyn Fn(&Var) -> gradus_nn::Result<Var>| {
        let tape = Tape::new();
        let x = tape.var(logits.clone());
        let value = loss(&x).unwrap();
        let item = value.value().item();
        (item, tape.backward(&value).of(&x).to_vec())
    };
    let (right, wrong) = (Tensor::new([[1.0, 0.0]]), Tensor::new([[0.0, 1.0]]));
    let categorical = CategoricalCrossentropy::default().from_logits(true);
    let focal = CategoricalFocalCrossentropy::default().from_logits(true);
    let sparse = SparseCategoricalCrossentropy::default().from_logits(true);
    let (binary, binary_focal) =
        (BinaryCrossentropy::default().from_logits(true), BinaryFocalCrossentropy::default().from_logits(true));
    let zero = (0.0, vec![0.0, 0.0]);
    assert_eq!(with_gradient(&|x| categorical.mean(&right, x, None)), zero);
    assert_eq!(with_gradient(&|x| focal.mean(&right, x, None)), zero);
    assert_eq!(with_gradient(&|x| sparse.mean(&Tensor::new([0.0]), x, None)), zero);
    assert_eq!(with_gradient(&|x| categorical.mean(&wrong, x, None)).0, f32::INFINITY);
    assert_eq!(with_gradient(&|x| focal.mean(&wrong, x, None)).0, f32::INFINITY);
    // A logit of 0 costs ln 2, halved by the mean; its derivative is (1/2 - 1) / 2.
    let (loss, gradient) = with_gradient(&|x| binary.mean(&right, x, None));
    assert!((loss - 0.5 * 2.0_f32.ln()).abs() < 1e-7, "{loss}");
    assert_eq!(gradient, [-0.25, 0.0]);
    let (loss, gradient) = with_gradient(&|x| binary_focal.mean(&right, x, None));
    assert!(
        (loss - 0.125 * 2.0_f32.ln()).abs() < 1e-7 && gradient.iter().all(|g| g.is_finite()),
        "{loss} {gradient:?}"
    );
    let (loss, gradient) = with_gradient(&|x| binary_focal.mean(&wrong, x, None));
    assert!(loss == f32::INFINITY && gradient.iter().all(|g| g.is_finite()), "{loss} {gradient:?}");
}

#[test]
fn binary_crossentropy_of_logits_does_not_cancel() {
    // e^-20 to the first order: ln(1 + e^-20), and its derivative -1 / (1 + e^20). By hand.
    let small = (-20.0_f64).exp();
    for (target, logit, sign) in [(1.0, 20.0, -1.0), (0.0, -20.0, 1.0)] {
        let tape = Tape::new();
        let x = tape.var(Tensor::new([[logit]]));
        let loss = BinaryCrossentropy::default().from_logits(true).mean(&Tensor::new([[target]]), &x, None).unwrap();
        let value = f64::from(loss.value().item());
        assert!((value / small - 1.0).abs() < 1e-6, "{value}");
        let gradient = f64::from(tape.backward(&loss).of(&x).item());
        assert!((gradient / (sign * small) - 1.0).abs() < 1e-6, "{gradient}");
    }
}

#[test]
fn directions_of_vectors_of_any_length_are_compared() {
    // By hand: the cosine of (3, 4) and (4, 3) is 24/25; the loss changes by (0.168, -0.224) over the length 5.
    for (of_targets, of_outputs) in [(1.0, 1.0), (1e20, 1e20), (1e-22, 1e-22), (1e37, 1e-30), (1e-44, 1.0)] {
        let (targets, outputs) = (Tensor::new([[3.0, 4.0]]) * of_targets, Tensor::new([[4.0, 3.0]]) * of_outputs);
        let tape = Tape::new();
        let x = tape.var(outputs);
        let loss = CosineSimilarity.mean(&targets, &x, None).unwrap();
        let near = 1e-6 + if of_targets < 1e-40 { 0.1 } else { 0.0 };
        assert!((loss.value().item() + 0.96).abs() < near, "{of_targets:e}, {of_outputs:e}: {}", loss.value());
        let gradient = tape.backward(&loss).of(&x) * of_outputs;
        assert!(gradient.allclose(&Tensor::new([[0.0336, -0.0448]]), 1e-5, near as f64), "{gradient}");
    }
    let outputs = [Tensor::from([[0.3, -0.2, 0.5], [1.0, 2.0, -1.0]])];
    let targets = Tensor::from([[1.0, 0.5, -0.25], [0.0, 0.0, 0.0]]);
    gradcheck(&outputs, |x| CosineSimilarity.mean(&targets, &x[0], None).unwrap()).unwrap();
}

#[test]
fn ignored_classes_count_nowhere() {
    let loss = SparseCategoricalCrossentropy::default().ignore_class(-1);
    let outputs = Tensor::from([[0.5, 0.5], [0.9, 0.1], [0.25, 0.75]]);
    let targets = Tensor::from([0.0, -1.0, 0.0]);
    let value: f64 = loss.mean(&targets, &Var::from(&outputs), None).unwrap().value().item();
    // By hand: the mean of ln 2 and ln 4.
    assert!((value - 1.5 * 2.0_f64.ln()).abs() < 1e-12);
    gradcheck(&[outputs], |x| loss.mean(&targets, &x[0], None).unwrap()).unwrap();
}

#[test]
fn wrong_shapes_and_targets_are_named() {
    let outputs = Var::from(Tensor::full([2, 3], 1.0 / 3.0));
    let message = |result: gradus_nn::Result<Var>| result.unwrap_err().to_string();
    assert_eq!(
        message(CategoricalCrossentropy::default().mean(&Tensor::new([1.0, 2.0]), &outputs, None)),
        "categorical_crossentropy: targets [2] and outputs [2, 3] must have the same shape; make the targets one-hot by \
         to_categorical, or use SparseCategoricalCrossentropy for class indices"
    );
    assert_eq!(
        message(SparseCategoricalCrossentropy::default().mean(&Tensor::new([1.0, 3.0]), &outputs, None)),
        "sparse_categorical_crossentropy: targets must be class indices from 0 to 2, found 3 at element 1 of [2]; number \
         the classes from 0, or give the last layer more units"
    );
    assert_eq!(
        message(SparseCategoricalCrossentropy::default().mean(&Tensor::zeros([2, 3]), &outputs, None)),
        "sparse_categorical_crossentropy: targets must have the shape [2] or [2, 1] for outputs [2, 3], found [2, 3]; \
         use CategoricalCrossentropy for one-hot targets"
    );
    assert_eq!(
        message(MeanSquaredError.mean(&Tensor::zeros([2]), &Var::from(Tensor::zeros([2, 1])), None)),
        "mean_squared_error: targets [2] and outputs [2, 1] must have the same shape; give the targets the shape \
         [2, 1] by unsqueeze(-1); losses do not broadcast"
    );
    assert_eq!(
        message(BinaryCrossentropy::default().mean(&Tensor::new([[2.0]]), &Var::from(Tensor::new([[0.5]])), None)),
        "binary_crossentropy: targets must be in 0 to 1, found 2 at element 0 of [1, 1]; give 0 for no and 1 for yes; for \
         several classes use SparseCategoricalCrossentropy and a unit with softmax for each"
    );
    assert_eq!(
        message(BinaryCrossentropy::default().mean(&Tensor::new([[-1.0]]), &Var::from(Tensor::new([[0.5]])), None)),
        "binary_crossentropy: targets must be in 0 to 1, found -1 at element 0 of [1, 1]; give 0 for no and 1 for yes"
    );
    assert_eq!(
        message(MeanSquaredError.mean(&Tensor::zeros([0, 3]), &Var::from(Tensor::zeros([0, 3])), None)),
        "mean_squared_error: there are no samples: targets [0, 3]; give at least one"
    );
    let weights = Tensor::new([1.0]);
    assert_eq!(
        message(MeanSquaredError.mean(&Tensor::zeros([2, 3]), &outputs, Some(&weights))),
        "mean_squared_error: sample weights must have the shape [2], found [1]; give one weight for each sample"
    );
}

#[test]
fn a_missing_flatten_is_named() {
    let message = |result: gradus_nn::Result<Var>| result.unwrap_err().to_string();
    // Dense(10) on pictures of 28 x 28, without a Flatten.
    let outputs = Var::from(Tensor::full([2, 28, 10], 0.1));
    let hint = "put a Flatten or a GlobalAveragePooling before the last dense layer, so that a sample has one vector of \
                outputs";
    for (targets, expected) in [
        (Tensor::zeros([2]), "targets must have the shape [2, 28] or [2, 28, 1] for outputs [2, 28, 10], found [2]"),
        (
            Tensor::zeros([2, 1]),
            "targets must have the shape [2, 28] or [2, 28, 1] for outputs [2, 28, 10], found [2, 1]",
        ),
    ] {
        assert_eq!(
            message(SparseCategoricalCrossentropy::default().mean(&targets, &outputs, None)),
            format!("sparse_categorical_crossentropy: {expected}; {hint}")
        );
    }
    let one_hot = Tensor::zeros([2, 10]);
    let expected = format!("targets [2, 10] and outputs [2, 28, 10] must have the same shape; {hint}");
    assert_eq!(
        message(CategoricalCrossentropy::default().mean(&one_hot, &outputs, None)),
        format!("categorical_crossentropy: {expected}")
    );
    assert_eq!(message(MeanSquaredError.mean(&one_hot, &outputs, None)), format!("mean_squared_error: {expected}"));
    assert_eq!(
        message(BinaryCrossentropy::default().mean(&one_hot, &outputs, None)),
        format!("binary_crossentropy: {expected}")
    );
}

#[test]
fn sample_weights_that_train_to_be_wrong_are_refused() {
    let outputs = Var::from(Tensor::new([[0.5], [0.5]]));
    for weight in [-1.0, f32::NAN, f32::INFINITY] {
        let weights = Tensor::new([1.0, weight]);
        let error = MeanSquaredError.mean(&Tensor::zeros([2, 1]), &outputs, Some(&weights)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "mean_squared_error: the weight of sample 1 is {weight}; give finite weights that are not negative"
            )
        );
    }
}

#[test]
fn options_out_of_range_are_refused_from_programs_and_files() {
    fn panics<R: std::fmt::Debug>(make: impl FnOnce() -> R + std::panic::UnwindSafe) -> String {
        let problem = std::panic::catch_unwind(make).unwrap_err();
        problem.downcast_ref::<String>().unwrap().clone()
    }
    let gamma = "gamma: the power of the focus must be finite and not negative, found -1";
    assert_eq!(panics(|| BinaryFocalCrossentropy::default().gamma(-1.0)), gamma);
    assert_eq!(panics(|| CategoricalFocalCrossentropy::default().gamma(-1.0)), gamma);
    let share = "alpha: the share of targets of 1 must be in 0 to 1, found 1.5";
    assert_eq!(panics(|| BinaryFocalCrossentropy::default().alpha(1.5)), share);
    let factor = "alpha: the factor on the loss must be finite and not negative, found -0.25";
    assert_eq!(panics(|| CategoricalFocalCrossentropy::default().alpha(-0.25)), factor);
    let delta = "huber: delta must be above 0, found -1";
    assert_eq!(panics(|| Huber::default().delta(-1.0)), delta);
    let weight = "weighted: a weight must be finite and not negative, found -1";
    assert_eq!(panics(|| Losses::<f32>::new().add("y", MeanSquaredError).weighted(-1.0)), weight);
    let read = serde_json::from_str::<Huber>(r#"{"delta": -1}"#).unwrap_err().to_string();
    assert!(read.starts_with(delta), "{read}");
    let read = r#"{"from_logits": false, "label_smoothing": 7}"#;
    let smoothing = "label_smoothing: the smoothing must be in 0 to 1, found 7";
    assert!(serde_json::from_str::<BinaryCrossentropy>(read).unwrap_err().to_string().starts_with(smoothing));
    assert!(serde_json::from_str::<CategoricalCrossentropy>(read).unwrap_err().to_string().starts_with(smoothing));
    let read = r#"{"gamma": 2, "alpha": 1.5, "from_logits": false, "label_smoothing": 0}"#;
    assert!(serde_json::from_str::<BinaryFocalCrossentropy>(read).unwrap_err().to_string().starts_with(share));
    let written = serde_json::to_string(&BinaryFocalCrossentropy::default()).unwrap();
    assert_eq!(serde_json::from_str::<BinaryFocalCrossentropy>(&written).unwrap(), BinaryFocalCrossentropy::default());
}

#[test]
fn class_weights_take_indices_and_one_hot_targets() {
    let weights = [2.0, 1.0, 0.5];
    let expected = Tensor::new([0.5, 2.0]);
    assert_eq!(class_weights(&Tensor::new([2.0, 0.0]), &weights).unwrap(), expected);
    assert_eq!(class_weights(&Tensor::new([[2.0], [0.0]]), &weights).unwrap(), expected);
    assert_eq!(class_weights(&Tensor::new([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]), &weights).unwrap(), expected);
    // Without a label there is no class.
    let ignoring = class_weights_ignoring(&Tensor::new([2.0, -1.0]), &weights, Some(-1));
    assert_eq!(ignoring.unwrap(), Tensor::new([0.5, 0.0]));
    let refusal = |targets: Tensor, weights: &[f64]| class_weights(&targets, weights).unwrap_err().to_string();
    let hint = "number the classes from 0 and give one weight for each, or leave class_weights out where targets are no classes";
    for class in [3.0, -1.0, 0.5] {
        let problem = format!("class_weights: targets must be classes from 0 to 2, found {class} at sample 1; {hint}");
        assert_eq!(refusal(Tensor::new([0.0, class]), &weights), problem);
    }
    assert_eq!(
        refusal(Tensor::new([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0]]), &weights),
        "class_weights: targets must be one-hot, found a sum of 2 at sample 1; several labels at once take weights of samples, \
         by Dataset::with_weights"
    );
    assert_eq!(
        refusal(Tensor::zeros([2, 4]), &weights),
        "class_weights: 3 class weights need targets of shape [n] or [n, 3], found [2, 4]; give one weight for each class; \
         other targets take weights of samples, by Dataset::with_weights"
    );
    for (weight, text) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let problem =
            format!("class_weights: found weight {text} of class 1, expected a finite weight that is not negative");
        let refused = refusal(Tensor::new([0.0]), &[1.0, weight]);
        assert_eq!(refused, format!("{problem}; check how the weights were made"));
    }
    for none in [&[0.0, 0.0][..], &[]] {
        assert!(refusal(Tensor::new([0.0]), none).contains("are all 0, so that nothing would be learnt"));
    }
}

#[test]
fn losses_are_data() {
    let loss = Huber::default().delta(0.25);
    let json = serde_json::to_string(&loss).unwrap();
    assert_eq!(serde_json::from_str::<Huber>(&json).unwrap(), loss);
}
