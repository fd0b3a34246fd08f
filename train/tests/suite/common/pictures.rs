//! A training with everything that remembers, and what it comes to.

use std::fs;
use std::path::{Path, PathBuf};

use gradus_datasets::{Augment, Dataset};
use gradus_nn::losses::CategoricalCrossentropy;
use gradus_nn::{Activation, BatchNormalization, Dense, Dropout, Flatten, Model, Sequential};
use gradus_optim::{Adam, IntoOptimizer, Optimizer, State};
use gradus_tensor::{Generator, Tensor};
use gradus_train::callbacks::*;
use gradus_train::metrics::*;
use gradus_train::state::Status;
use gradus_train::{Fit, History, Trainer};

use crate::common::values;
use crate::events;

pub const EPOCHS: usize = 8;
pub const BATCHES: usize = 3;

pub fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Twelve pictures of noise in three classes, changed at random; a quarter of them is for validation.
pub fn pictures() -> Dataset {
    let inputs = Generator::new(1).uniform([12, 4, 4, 1], 0.0..1.0_f32);
    let labels = Tensor::from_iter((0..12).map(|i| (i % 3) as u8));
    let augment = Augment::new().shift(0.25).flip_horizontal().noise(0.1).mix_up(0.3);
    Dataset::new(inputs, labels).unwrap().to_categorical(3).unwrap().augment(augment).unwrap()
}

pub type Pictures = Trainer<CategoricalCrossentropy, Adam>;

/// A trainer with everything that remembers: states of layers, random layers, slots, and a metric of each kind.
pub fn picture_trainer() -> Pictures {
    trainer_of(picture_model(), picture_optimizer())
}

pub fn picture_optimizer() -> Optimizer<Adam> {
    Adam::default().learning_rate(0.05)
}

pub fn picture_model() -> Model {
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(8))
        .add(BatchNormalization::new())
        .add(Activation::Relu)
        .add(Dropout::new(0.3))
        .add(Dense::new(3).activation(Activation::Softmax));
    Model::build(network, [4, 4, 1], 5).unwrap()
}

pub fn trainer_of(model: Model, optimizer: Optimizer<Adam>) -> Pictures {
    Trainer::new(model, CategoricalCrossentropy::default(), optimizer)
        .metric(Accuracy::default())
        .metric(TopKAccuracy::new(2))
        .metric(BinaryAccuracy::default())
        .metric(F1::default())
        .metric(Auc::default())
        .metric(RootMeanSquaredError::default())
        .metric(R2::default())
        .seed(7)
}

/// Callbacks of every kind; the rate falls, and the run is stopped before its last epoch (which the test asserts).
pub fn callbacks(log: &Path, prefetch: usize) -> Fit {
    Fit { epochs: EPOCHS, batch_size: 4, validation_split: 0.2, prefetch, verbose: false, ..Fit::default() }
        .callback(LearningRateScheduler::new(|epoch, rate| if epoch == 1 { rate / 2.0 } else { rate }))
        .callback(ReduceLrOnPlateau::new("loss").patience(2).min_delta(0.5).factor(0.5))
        .callback(ReduceLrOnPlateau::new("loss").patience(1).min_delta(0.5).factor(0.9).cooldown(2))
        .callback(EarlyStopping::new("val_loss").patience(5).min_delta(0.1).restore_best_weights(true))
        .callback(CsvLogger::new(log))
        .callback(TensorBoard::new(log.with_extension("events")).update_freq(2).histogram_freq(3))
        .callback(Doctor::new().every(2))
}

/// What a run comes to: weights, optimiser, history, logs, and the generator of the next run.
pub type Outcome = (Vec<Tensor>, State, History, String, Generator);

pub fn outcome(trainer: &Pictures, history: History, log: &Path) -> Outcome {
    assert_eq!(trainer.state().status, Status::Ended);
    assert_eq!(trainer.state().history, history);
    let runs = ["train", "validation"].map(|run| events::newest(&log.with_extension("events").join(run)));
    let log = fs::read_to_string(log).unwrap() + &runs.concat();
    let weights = values(trainer.model().params());
    (weights, trainer.optimizer().state(), history, log, trainer.state().generator.clone())
}

/// The run without a pause.
pub fn in_one(log: &str) -> Outcome {
    let log = temporary(log);
    let mut trainer = picture_trainer();
    let history = trainer.fit(&pictures(), callbacks(&log, 0)).unwrap();
    outcome(&trainer, history, &log)
}
