//! The CTC loss against Keras's numbers (`reference/ctc.py` writes them and names the versions), its targets and its options.

use gradus_autograd::{Tape, Var, gradcheck};
use gradus_nn::losses::{Ctc, Loss};
use gradus_nn::{Activation, Dense, Model, Sequential};
use gradus_tensor::{Generator, Tensor};

/// A line of the reference.
fn reference(name: &str, shape: &[usize]) -> Tensor {
    let text = include_str!("../reference/ctc.txt");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    let numbers = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
    Tensor::from_vec(numbers, shape).unwrap()
}

fn close(found: &Tensor, expected: &Tensor) {
    assert_eq!(found.shape(), expected.shape());
    let error = (found - expected).abs().max(..).item();
    assert!(error < 1e-5, "{found} for {expected}");
}

fn message<T: std::fmt::Debug>(result: gradus_nn::Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn the_loss_is_that_of_keras() {
    let (targets, logits) = (reference("targets", &[4, 3]), reference("logits", &[4, 6, 4]));
    let losses = Ctc::default().per_sample(&targets, &Var::from(logits.clone())).unwrap();
    close(losses.value(), &reference("per_sample", &[4]));
    let weights = reference("weights", &[4]);
    for (name, weights) in [("mean", None), ("weighted", Some(&weights))] {
        let tape = Tape::new();
        let x = tape.var(logits.clone());
        let mean = Ctc::default().mean(&targets, &x, weights).unwrap();
        close(mean.value(), &reference(name, &[]));
        close(&tape.backward(&mean).of(&x), &reference(&format!("{name}_gradient"), &[4, 6, 4]));
    }
}

#[test]
fn gradients_agree_with_differences() {
    let logits: Tensor<f64> = Generator::new(1).normal([3, 5, 4], 0.0, 1.0);
    let targets = Tensor::from([[1.0, 1.0, 0.0], [2.0, 3.0, 1.0], [0.0, 0.0, 0.0]]);
    gradcheck(std::slice::from_ref(&logits), |x| Ctc::default().mean(&targets, &x[0], None).unwrap()).unwrap();
    let targets = Tensor::from([[1.0, 1.0, 3.0], [2.0, 0.0, 1.0], [3.0, 3.0, 3.0]]);
    gradcheck(&[logits], |x| Ctc::default().blank(3).mean(&targets, &x[0], None).unwrap()).unwrap();
}

#[test]
fn a_string_without_an_alignment_is_infinite_or_0() {
    let targets = Tensor::new([[1.0, 1.0], [1.0, 2.0]]);
    let loss = |ctc: Ctc| {
        let tape = Tape::new();
        let x = tape.var(Tensor::zeros([2, 2, 3]));
        let mean = ctc.mean(&targets, &x, None).unwrap();
        (mean.value().item(), tape.backward(&mean).of(&x))
    };
    let (infinite, gradient) = loss(Ctc::default());
    assert_eq!(infinite, f32::INFINITY);
    // By hand: of 9 alignments one spells "1 2".
    let (finite, same) = loss(Ctc::default().zero_infinity(true));
    assert!((finite - 9_f32.ln() / 2.0).abs() < 1e-6);
    assert_eq!(gradient, same);
    assert!(gradient.select(0, 0).iter().all(|g| g == 0.0));
    close(&gradient.select(0, 1), &(Tensor::new([[1.0, -2.0, 1.0], [1.0, 1.0, -2.0]]) / 6.0));
    // A NaN is no infinite loss.
    let nan = Var::from(Tensor::full([2, 2, 3], f32::NAN));
    assert!(Ctc::default().zero_infinity(true).mean(&targets, &nan, None).unwrap().value().item().is_nan());
}

#[test]
fn frames_that_are_padding_do_not_count() {
    let logits: Tensor = Generator::new(2).normal([2, 6, 3], 0.0, 1.0);
    let targets = Tensor::new([[1.0, 2.0], [2.0, 0.0]]);
    let mask = Tensor::from([[true; 6], [true, true, true, true, false, false]]);
    let weights = Tensor::new([1.0, 3.0]);
    let (mean, counted) =
        Ctc::default().masked_mean(&targets, &Var::from(logits.clone()), &mask, Some(&weights)).unwrap();
    let of = |sample: isize, frames: isize| {
        let part = logits.slice(0, sample..sample + 1).slice(1, ..frames);
        let target = targets.slice(0, sample..sample + 1);
        Ctc::default().per_sample(&target, &Var::from(part)).unwrap().value().item()
    };
    assert_eq!(counted, 2);
    assert_eq!(mean.value().item(), (of(0, 6) + 3.0 * of(1, 4)) / 2.0);
    // A longer padding changes no bit.
    let longer = |x: &Tensor| x.pad(&[(0, 0), (0, 3), (0, 0)], f32::NAN);
    let mask = Tensor::concat(&[mask, Tensor::full([2, 3], false)], 1);
    let again = Ctc::default().masked_mean(&targets, &Var::from(longer(&logits)), &mask, Some(&weights)).unwrap().0;
    assert_eq!(again.value(), mean.value());
}

#[test]
fn targets_that_are_no_strings_are_refused() {
    let outputs = Var::from(Tensor::zeros([2, 4, 3]));
    let error = |targets: Tensor| message(Ctc::default().mean(&targets, &outputs, None));
    assert_eq!(
        error(Tensor::new([[1.0, 2.0, 0.0], [0.0, 1.0, 0.0]])),
        "ctc: the blank 0 stands before a label: at 0 of string 1, 1 follows; only the end of a string is filled up with the \
         blank; number the labels without it"
    );
    let classes = "give the last layer one unit for each label and one for the blank";
    for (label, found) in [(3.0, "3"), (-1.0, "-1"), (1.5, "1.5"), (f32::NAN, "NaN")] {
        assert_eq!(
            error(Tensor::new([[1.0, 2.0], [1.0, label]])),
            format!("ctc: labels must be whole numbers from 0 to 2, found {found} at 1 of string 1; {classes}")
        );
    }
    let each = "give a string of labels for each sample";
    assert_eq!(error(Tensor::zeros([2])), format!("ctc: targets must have the shape [n, length], found [2]; {each}"));
    assert_eq!(
        error(Tensor::zeros([3, 2])),
        format!("ctc: targets [3, 2] and outputs [2, 4, 3] must have as many samples; {each}")
    );
    assert_eq!(
        message(Ctc::default().blank(3).mean(&Tensor::zeros([2, 2]), &outputs, None)),
        format!("ctc: the blank is class 3, the outputs [2, 4, 3] have 3 classes; {classes}")
    );
    assert_eq!(
        message(Ctc::default().mean(&Tensor::<f32>::zeros([2, 2]), &Var::from(Tensor::zeros([2, 3])), None)),
        "ctc: outputs must have the shape [n, frames, classes], found [2, 3]; end in a layer that keeps the axis of the frames"
    );
    // No labels at all, in rows without elements.
    let empty = Ctc::default().mean(&Tensor::zeros([2, 0]), &outputs, None).unwrap();
    assert!((empty.value().item() - 4.0 * 3_f32.ln()).abs() < 1e-6);
}

#[test]
fn probabilities_are_no_logits() {
    let network = Sequential::new().add(Dense::new(3).activation(Activation::Softmax));
    let model: Model = Model::build(network, [5, 2], 1).unwrap();
    let (x, targets) = (Tensor::<f32>::zeros([1, 5, 2]), Tensor::new([[1.0, 2.0]]));
    let error = model.grad(&x, &targets, None, &Ctc::default(), &mut Generator::new(0)).err().unwrap().to_string();
    assert!(error.starts_with("grad: ctc: takes logits, the numbers before a softmax, the network ends in"), "{error}");
    assert!(error.ends_with("leave the activation out"), "{error}");
}

#[test]
fn the_loss_is_data() {
    let loss = Ctc::default().blank(4).zero_infinity(true);
    assert_eq!(serde_json::from_str::<Ctc>(&serde_json::to_string(&loss).unwrap()).unwrap(), loss);
    assert_eq!(serde_json::from_str::<Ctc>("{}").unwrap(), Ctc::default());
}
