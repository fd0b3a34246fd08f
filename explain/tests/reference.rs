//! The methods against JAX's numbers of the same network; `reference/methods.py` has written them.

use std::collections::HashMap;

use gradus_explain::{IntegratedGradients, Occlusion, Rule, Target, grad_cam, gradient_times_input, gradients};
use gradus_nn::{Activation, Conv2D, Dense, Flatten, MaxPooling2D, Model, Sequential};
use gradus_tensor::Tensor;

fn numbers() -> HashMap<&'static str, Tensor<f64>> {
    let line = |line: &'static str| {
        let [name, shape, numbers] = line.split("; ").collect::<Vec<_>>()[..] else { panic!("{line}") };
        let shape: Vec<usize> = shape.split(' ').map(|length| length.parse().unwrap()).collect();
        let numbers: Vec<f64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
        (name, Tensor::from(numbers).reshape(shape))
    };
    include_str!("reference/methods.txt").lines().map(line).collect()
}

fn sines(shape: &[usize], scale: f64, phase: f64) -> Tensor<f64> {
    let count = shape.iter().product::<usize>();
    Tensor::from_iter((0..count).map(|i| scale * (0.7 * i as f64 + phase).sin())).reshape(shape)
}

/// The network of the script, with its weights.
fn model() -> Model<f64> {
    let network = Sequential::new()
        .add(Conv2D::new(3, 3).activation(Activation::Tanh))
        .add_named("second", Conv2D::new(4, 2).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Flatten)
        .add(Dense::new(3).activation(Activation::Softmax));
    let mut model = Model::<f64>::build_as(network, [8, 8, 1], 0).unwrap();
    let ways = [(0.8, 0.0), (0.3, 1.0), (0.5, 2.0), (0.2, 3.0), (0.9, 4.0), (0.1, 5.0)];
    for (param, (scale, phase)) in model.params_mut().iter_mut().zip(ways) {
        param.value = sines(param.value.shape(), scale, phase);
    }
    model
}

fn assert_close(found: &Tensor<f64>, expected: &Tensor<f64>) {
    assert_eq!(found.shape(), expected.shape());
    let difference = (found - expected).abs().max(..).item();
    assert!(difference < 1e-12, "{difference}: {found}, not {expected}");
}

#[test]
fn gradients_are_those_of_jax() {
    let (model, expected, pictures) = (model(), numbers(), sines(&[2, 8, 8, 1], 1.0, 6.0));
    assert_close(&model.predict(&pictures).unwrap(), &expected["probabilities"]);
    let plain = gradients(&model, &pictures, &Target::predicted()).unwrap();
    assert_close(plain.values(), &expected["gradients"]);
    assert_close(&plain.numbers, &expected["numbers"]);
    let times_input = gradient_times_input(&model, &pictures, &Target::predicted()).unwrap();
    assert_close(times_input.values(), &expected["gradient_times_input"]);
    assert_eq!(times_input.explained, ["the logit of class 2", "the logit of class 2"]);
    // By views that are no row after row: the picture and its columns in turn.
    let turned = pictures.swap_axes(1, 2).contiguous().swap_axes(1, 2);
    assert_close(gradients(&model, &turned, &Target::predicted()).unwrap().values(), &expected["gradients"]);
}

#[test]
fn integrated_gradients_are_those_of_jax() {
    let (model, expected, pictures) = (model(), numbers(), sines(&[2, 8, 8, 1], 1.0, 6.0));
    for (rule, name) in [(Rule::Midpoint, "integrated_midpoint"), (Rule::Trapezoid, "integrated_trapezoid")] {
        let how = IntegratedGradients::new().steps(20).rule(rule).baseline(sines(&[8, 8, 1], 0.25, 7.0));
        let found = how.explain(&model, &pictures, &Target::classes([2, 2])).unwrap();
        assert_close(found.attributions.values(), &expected[name]);
    }
}

#[test]
fn grad_cam_is_that_of_jax() {
    let (model, expected, pictures) = (model(), numbers(), sines(&[2, 8, 8, 1], 1.0, 6.0));
    let found = grad_cam(&model, "second", &pictures, &Target::class(2)).unwrap();
    assert_close(&found.coarse, &expected["grad_cam_coarse"]);
    assert_close(&found.maps, &expected["grad_cam"]);
    assert_close(&found.numbers, &expected["numbers"]);
}

#[test]
fn occlusion_is_that_of_jax() {
    let (model, expected, pictures) = (model(), numbers(), sines(&[2, 8, 8, 1], 1.0, 6.0));
    let found =
        Occlusion::new(&[3, 3]).stride(&[2, 2]).fill(0.5).explain(&model, &pictures, &Target::class(2)).unwrap();
    assert_close(found.values(), &expected["occlusion"]);
}
