//! A line to be fitted, in runs that can be followed by hand.

use gradus_autograd::Params;
use gradus_datasets::Dataset;
use gradus_nn::losses::MeanSquaredError;
use gradus_nn::{Dense, Initializer, Model, Sequential};
use gradus_optim::{IntoOptimizer, Rule, Sgd};
use gradus_tensor::Tensor;
use gradus_train::{Fit, Trainer};

/// What trains the line.
pub type LineTrainer = Trainer<MeanSquaredError, Sgd>;

/// Eight points of the line 3 x + 1.
pub fn line() -> Dataset {
    let x = Tensor::linspace(-1.0, 1.0, 8).reshape([8, 1]);
    Dataset::new(x.clone(), x * 3.0 + 1.0).unwrap()
}

/// A line to be fitted, of slope 0 at first, in steps of the rate 0.1.
pub fn trainer() -> LineTrainer {
    let network = Sequential::new().add(Dense::new(1).kernel_initializer(Initializer::Zeros));
    let model = Model::build(network, [1], 0).unwrap();
    Trainer::new(model, MeanSquaredError, Sgd::default().learning_rate(0.1))
}

/// A quiet run of so many epochs, in batches of four.
pub fn fit(epochs: usize) -> Fit {
    Fit { epochs, batch_size: 4, verbose: false, ..Fit::default() }
}

/// The weights of its model.
pub fn weights<R: Rule>(trainer: &Trainer<MeanSquaredError, R>) -> Vec<Tensor> {
    values(trainer.model().params())
}

/// The values of parameters.
pub fn values(params: &Params) -> Vec<Tensor> {
    params.iter().map(|param| param.value.clone()).collect()
}
