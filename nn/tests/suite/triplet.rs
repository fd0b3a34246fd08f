//! The triplet margin loss against PyTorch, and its mistakes.

use gradus_autograd::{Tape, Var};
use gradus_nn::losses::{Loss, TripletMargin};
use gradus_tensor::Tensor;

#[test]
fn losses_and_gradients_are_pytorchs() {
    let x: Tensor<f64> = (0..36).map(|i| f64::from((7 * i + 3) % 11 - 5) / 4.0 + f64::from(i) / 100.0).collect();
    let (x, targets) = (x.reshape([4, 3, 3]), Tensor::zeros([4]));
    let lines: Vec<&str> = include_str!("../reference/triplet.txt").lines().collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let [margin, swap, losses, gradient] = line.split("; ").collect::<Vec<_>>()[..] else { panic!("{line}") };
        let numbers = |text: &str| text.split(' ').map(|number| number.parse().unwrap()).collect::<Tensor<f64>>();
        let loss = TripletMargin::default().margin(margin.parse().unwrap()).swap(swap == "true");
        let tape = Tape::new();
        let outputs = tape.var(x.clone());
        let found = loss.per_sample(&targets, &outputs).unwrap();
        assert!(found.value().allclose(&numbers(losses), 1e-12, 1e-12), "{line}");
        let found = tape.backward(&found.mean(..)).of(&outputs);
        assert!(found.flatten().allclose(&numbers(gradient), 1e-12, 1e-12), "{line}");
    }
}

#[test]
fn equal_vectors_have_a_loss_and_finite_gradients() {
    let tape = Tape::new();
    let x = tape.var(Tensor::<f32>::ones([2, 3, 4]));
    let loss = TripletMargin::default().mean(&Tensor::zeros([2]), &x, None).unwrap();
    assert_eq!(loss.value().item(), 1.0);
    assert!(tape.backward(&loss).of(&x).iter().all(f32::is_finite));
}

#[test]
fn mistakes_are_named() {
    let problem = |shape: &[usize], targets: &[usize]| {
        let outputs = Var::from(Tensor::<f32>::zeros(shape));
        TripletMargin::default().mean(&Tensor::zeros(targets), &outputs, None).unwrap_err().to_string()
    };
    let expected = "triplet_margin: outputs of shape [n, 3, features] are needed, found [2, 4]; stack the vectors of anchor, \
                    positive and negative";
    assert_eq!(problem(&[2, 4], &[2]), expected);
    let expected = "triplet_margin: a target for each triplet is needed, [2], found [3]; give zeros; they are not read";
    assert_eq!(problem(&[2, 3, 4], &[3]), expected);
    let error = serde_json::from_str::<TripletMargin>(r#"{"margin": -1.0}"#).unwrap_err().to_string();
    assert!(error.contains("margin: the margin must be finite and not negative, found -1"), "{error}");
    let loss = TripletMargin::default().margin(0.25).swap(true);
    let copy: TripletMargin = serde_json::from_str(&serde_json::to_string(&loss).unwrap()).unwrap();
    assert_eq!(copy, loss);
}
