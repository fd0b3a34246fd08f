//! Training on sequences of different lengths: losses and metrics count the positions that are there.

use gradus_datasets::Dataset;
use gradus_nn::losses::{Loss, MeanSquaredError, SparseCategoricalCrossentropy};
use gradus_nn::{Activation, Dense, Embedding, GlobalAveragePooling1D, Model, Sequential};
use gradus_optim::{Adam, IntoOptimizer};
use gradus_tensor::Tensor;
use gradus_train::metrics::{Accuracy, MeanAbsoluteError, Metric, Named};
use gradus_train::{Fit, Trainer};

/// `((7 i + 3 seed) mod 11 - 5) / 4` for the i-th element, as in `nn/tests/reference/masks.py`.
fn values(shape: &[usize], seed: usize) -> Tensor<f64> {
    let value = |i: usize| ((7 * i + 3 * seed) % 11) as f64 / 4.0 - 1.25;
    (0..shape.iter().product()).map(value).collect::<Tensor<f64>>().reshape(shape)
}

fn ids() -> Tensor<i64> {
    Tensor::from([[3, 1, 4, 0, 0], [2, 0, 1, 5, 0], [5, 5, 1, 2, 3]])
}

/// A trainer of the network of `nn/tests/reference/masks.py` with this last layer.
fn trainer<L: Loss>(last: Dense, loss: L, metric: impl Metric<f64> + 'static) -> Trainer<L, Adam, f64> {
    let network = Sequential::new().add(Embedding::new(6, 2).mask_zero(true)).add(last.use_bias(false));
    let mut model = Model::<f64>::build_as(network, [None], 0).unwrap();
    for (seed, param) in model.params_mut().iter_mut().enumerate() {
        param.value = values(param.value.shape(), seed + 1);
    }
    Trainer::new(model, loss, Adam::default()).metric(metric)
}

#[test]
fn losses_and_metrics_are_those_of_keras() {
    // The numbers of `nn/tests/reference/masks.txt`, from Keras 3.15.1.
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
    let data = Dataset::new(ids(), values(&[3, 5, 2], 3)).unwrap();
    let scores = trainer(Dense::new(2), MeanSquaredError, Named::new("mae", MeanAbsoluteError::default()))
        .evaluate(&data)
        .unwrap();
    close(scores["loss"], 0.8295454545454545);
    close(scores["mae"], 0.7840909029334046);
    let classes = Tensor::from([[0, 1, 2, 0, 0], [1, 0, 0, 2, 0], [2, 2, 1, 0, 1]]);
    let data = Dataset::new(ids(), classes).unwrap();
    let softmax = || Dense::new(3).activation(Activation::Softmax);
    let of_classes = SparseCategoricalCrossentropy::default();
    let mut trainer = trainer(softmax(), of_classes, Accuracy::default());
    let at_once = trainer.evaluate(&data).unwrap();
    close(at_once["loss"], 1.3011082022013991);
    close(at_once["accuracy"], 3.0 / 11.0);
    // A batch for each sample has the same means, though the samples have 3, 3 and 5 positions.
    let history = trainer.fit_validated(&data, &data, Fit { epochs: 1, batch_size: 1, ..Fit::default() }).unwrap();
    let scores = trainer.evaluate(&data).unwrap();
    close(history.last().unwrap()["val_loss"], scores["loss"]);
    assert!(scores["loss"] < at_once["loss"]);
}

#[test]
fn an_error_names_the_sample() {
    let mut classes = Tensor::<i64>::zeros([3, 5]);
    // At a position that is padding any number will do, elsewhere none but a class.
    classes.as_mut_slice()[4] = 77;
    let loss = SparseCategoricalCrossentropy::default();
    let mut trainer = trainer(Dense::new(3).activation(Activation::Softmax), loss, Accuracy::default());
    trainer.evaluate(&Dataset::new(ids(), classes.clone()).unwrap()).unwrap();
    classes.as_mut_slice()[7] = 77;
    let error = trainer.evaluate(&Dataset::new(ids(), classes).unwrap()).unwrap_err().to_string();
    assert!(error.starts_with("evaluate: sample 1") && error.contains("found 77"), "{error}");
    let error = trainer.evaluate(&Dataset::new(ids(), Tensor::from([0, 1, 2])).unwrap()).unwrap_err().to_string();
    assert!(error.contains("a target for each position"), "{error}");
}

#[test]
fn a_classifier_of_sequences_learns_whatever_the_padding() {
    // Whether the id 1 occurs.
    let words = gradus_tensor::Generator::new(0).integers([64, 6], 0..5);
    let has_one: Tensor<f32> = words.equal(1).any(1).to();
    let padded = Tensor::concat(&[words.clone(), Tensor::zeros([64, 9])], 1);
    let run = |words: &Tensor<i64>| {
        let network = Sequential::new()
            .add(Embedding::new(5, 8).mask_zero(true))
            .add(Dense::new(8).activation(Activation::Relu))
            .add(GlobalAveragePooling1D::new())
            .add(Dense::new(2).activation(Activation::Softmax));
        let model = Model::build(network, [None], 1).unwrap();
        let mut trainer =
            Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default().learning_rate(0.05));
        let data = Dataset::new(words.clone(), has_one.clone()).unwrap();
        let history = trainer.fit(&data, Fit { epochs: 20, batch_size: 16, ..Fit::default() }).unwrap();
        history.last().unwrap()["loss"]
    };
    let (short, long) = (run(&words), run(&padded));
    assert!(short < 0.1 && (short - long).abs() < 1e-2, "{short}, {long}");
}
