//! A training of some milliseconds, from whose checkpoints runs go on.

use gradus_datasets::Dataset;
use gradus_nn::losses::MeanSquaredError;
use gradus_nn::{BatchNormalization, Dense, Model, Sequential};
use gradus_optim::Adam;
use gradus_tensor::Tensor;
use gradus_train::callbacks::{EarlyStopping, ReduceLrOnPlateau};
use gradus_train::metrics::{Auc, MeanAbsoluteError};
use gradus_train::{Fit, Trainer};

/// Eight points of a line.
pub fn data() -> Dataset {
    let x = Tensor::linspace(0.0, 1.0, 8).reshape([8, 1]);
    Dataset::new(x.clone(), x).unwrap()
}

/// A small trainer with slots, states, and metrics of both kinds.
pub fn trainer() -> Trainer<MeanSquaredError, Adam> {
    let network = Sequential::new().add(Dense::new(2)).add(BatchNormalization::new()).add(Dense::new(1));
    let model = Model::build(network, [1], 0).unwrap();
    Trainer::new(model, MeanSquaredError, Adam::default()).metric(MeanAbsoluteError::default()).metric(Auc::default())
}

/// Two epochs of two batches with callbacks that have states.
pub fn fit() -> Fit {
    Fit { epochs: 2, batch_size: 4, verbose: false, ..Fit::default() }
        .callback(EarlyStopping::new("loss").restore_best_weights(true).patience(5))
        .callback(ReduceLrOnPlateau::new("loss").patience(1))
}
