//! What the child process trains.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use gradus_datasets::{Augment, DataSource, Dataset, idx};
use gradus_nn::losses::{BinaryCrossentropy, CategoricalCrossentropy, Losses, Objective};
use gradus_nn::{
    Activation, BatchNormalization, Constraint, Conv2D, Dense, Dropout, Flatten, GlobalAveragePooling2D, Graph,
    MaxPooling2D, Model, Sequential,
};
use gradus_optim::*;
use gradus_tensor::{Columns, Float, Tensor};
use gradus_train::callbacks::*;
use gradus_train::metrics::{Accuracy, Auc, F1};
use gradus_train::{Fit, Result, Trainer};

use crate::events;

/// The variables by which the child learns what to train, and where its files are.
pub const TRAINING: &str = "GRADUS_TEST_TRAINING";
pub const FOLDER: &str = "GRADUS_TEST_FOLDER";

/// The files that must have the same bytes.
pub const RESULTS: [&str; 4] = ["model.safetensors", "history.json", "log.csv", "events.txt"];

/// Trains what has this name, from the newest checkpoint on. In a folder named `alone` there are none.
pub fn run(training: &str, folder: &Path) {
    match training {
        "dense" => {
            let trainer = Trainer::new(dense_model(128), loss(), Adam::default()).metric(Accuracy::default()).seed(1);
            // The best epoch by this is the first, so that a run which forgets it takes a later one.
            let checkpoint = Checkpoint::new(folder.join("checkpoints")).every_steps(5).keep_best("loss").maximize();
            train(trainer, &digits(600), fit(6), checkpoint, folder);
        }
        "convnet" => {
            let augment = Augment::new().shift(0.1).rotate(10.0).zoom(0.1).noise(0.05).mix_up(0.2);
            let data = digits(160).map_inputs(|x| x.unsqueeze(-1)).augment(augment).unwrap();
            let sgd = Sgd::default().momentum(0.9).nesterov(true).learning_rate(0.05);
            let trainer =
                Trainer::new(convnet(), loss(), sgd).metric(Accuracy::default()).metric(F1::default()).seed(2);
            let fit = Fit { prefetch: 3, workers: 2, ..fit(4) }.callback(log(folder));
            train(trainer, &data, fit, Checkpoint::new(folder.join("checkpoints")).every_steps(2).keep(2), folder);
        }
        "callbacks" => {
            let trainer = Trainer::new(dense_model(64), loss(), Adam::default().clip_global_norm(1.0))
                .metric(Accuracy::default())
                .metric(Auc::default())
                .seed(3);
            let stopping = EarlyStopping::new("val_loss").patience(3).min_delta(0.02).restore_best_weights(true);
            let fit = Fit {
                validation_split: 0.25,
                class_weights: Some(vec![2.0, 1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 3.0, 1.0, 1.0]),
                ..fit(30)
            }
            .callback(LearningRateScheduler::new(|epoch, rate| if epoch == 2 { rate / 2.0 } else { rate }))
            .callback(ReduceLrOnPlateau::new("val_loss").patience(1).min_delta(0.05).factor(0.7))
            .callback(stopping)
            .callback(Doctor::new().every(3));
            train(
                trainer,
                &digits(240),
                fit,
                Checkpoint::new(folder.join("checkpoints")).every_steps(4).every_epochs(1).keep_best("val_accuracy"),
                folder,
            );
        }
        "stream" => {
            let of = |file: &str| format!("{MNIST}/t10k-{file}-ubyte.gz");
            let rows = idx::stream::<u8, u8>(of("images-idx3"), of("labels-idx1")).unwrap();
            let floats =
                |batch: Dataset<u8>| batch.map_inputs(|x| x.to::<f32>().unsqueeze(-1) / 255.0).to_categorical(10);
            let augment = Augment::new().shift(0.1).noise(0.05).mix_up(0.2);
            let data = rows.take(330).shuffle_buffer(50).map(floats).augment(augment).unwrap();
            let trainer = Trainer::new(convnet(), loss(), Adam::default()).metric(Accuracy::default()).seed(6);
            let fit = Fit { prefetch: 3, workers: 2, ..fit(6) }.callback(log(folder));
            train(trainer, &data, fit, Checkpoint::new(folder.join("checkpoints")).every_steps(3), folder);
        }
        "outputs" => {
            let losses = Losses::new().add("class", loss()).add("odd", BinaryCrossentropy::default()).weighted(0.3);
            let trainer = Trainer::new(outputs(), losses, Nadam::default())
                .metric_for("class", Accuracy::default())
                .metric_for("odd", Auc::default())
                .seed(7);
            let checkpoint = Checkpoint::new(folder.join("checkpoints")).every(Duration::from_millis(3));
            train(trainer, &digits_and_parity(480), fit(8).callback(log(folder)), checkpoint, folder);
        }
        "double" => {
            let model = Model::<f64>::build_as(dense(48), [28, 28], 1).unwrap();
            let trainer = Trainer::new(model, loss(), Adafactor::default()).metric(Accuracy::default()).seed(8);
            let checkpoint = Checkpoint::new(folder.join("checkpoints")).every_steps(7).write_all(true);
            train(trainer, &digits(256), fit(5).callback(log(folder)), checkpoint, folder);
        }
        "schedule" => {
            let rate = WarmUp::new(10, CosineDecay::new(0.01, 120));
            let trainer = Trainer::new(dense_model(64), loss(), RmsProp::default().learning_rate(rate)).seed(4);
            train(trainer, &digits(320), fit(12), Checkpoint::new(folder.join("checkpoints")).every_steps(3), folder);
        }
        "settings" => {
            let optimizer = Adam::default().gradient_accumulation_steps(3).use_ema(0.9).ema_overwrite_frequency(5);
            let dense = dense(48).add(Dense::new(10).kernel_constraint(Constraint::max_norm(1.5)));
            let model = Model::build(dense.add(Activation::Softmax), [28, 28], 1).unwrap();
            let falls = on_batch_begin(|run: &mut Run<'_>| {
                let rate = run.learning_rate();
                run.set_learning_rate(rate * 0.99);
                Ok(())
            });
            let settings = Fit {
                initial_epoch: 1,
                steps_per_epoch: Some(7),
                validation_split: 0.25,
                validation_freq: 2,
                validation_steps: Some(2),
                prefetch: 2,
                ..fit(8)
            };
            let stopping = EarlyStopping::new("val_loss").patience(9);
            let checkpoint = Checkpoint::new(folder.join("checkpoints")).every(Duration::from_millis(3));
            let trainer = Trainer::new(model, loss(), optimizer).metric(Auc::default()).seed(9);
            train(trainer, &digits(240), settings.callback(falls).callback(stopping), checkpoint, folder);
        }
        "adadelta" => by_rule(Adadelta::default(), folder),
        "adafactor" => by_rule(Adafactor::default(), folder),
        "adagrad" => by_rule(Adagrad::default(), folder),
        "adam" => by_rule(Adam::default(), folder),
        "adamw" => by_rule(AdamW::default(), folder),
        "adamax" => by_rule(Adamax::default(), folder),
        "lamb" => by_rule(Lamb::default(), folder),
        "lion" => by_rule(Lion::default(), folder),
        "muon" => by_rule(Muon::default(), folder),
        "nadam" => by_rule(Nadam::default(), folder),
        "rmsprop" => by_rule(RmsProp::default().momentum(0.9).centered(true), folder),
        "sgd" => by_rule(Sgd::default(), folder),
        "momentum" => by_rule(Sgd::default().momentum(0.9), folder),
        other => panic!("there is no training {other:?}"),
    }
}

/// A log for TensorBoard. Checkpoints say what its file is called, so their bytes are compared in trainings without it.
fn log(folder: &Path) -> TensorBoard {
    TensorBoard::new(folder.join("events")).update_freq(2).histogram_freq(2)
}

/// A short training by a rule.
fn by_rule<R: Rule>(rule: R, folder: &Path) {
    let trainer = Trainer::new(dense_model(48), loss(), rule).metric(Accuracy::default()).seed(5);
    train(trainer, &digits(256), fit(6), Checkpoint::new(folder.join("checkpoints")).every_steps(3), folder);
}

/// Trains, and writes the results.
fn train<L: Objective<T>, R: Rule, T: Float>(
    mut trainer: Trainer<L, R, T>,
    data: &dyn DataSource,
    mut fit: Fit<T>,
    checkpoint: Checkpoint,
    folder: &Path,
) {
    if !folder.ends_with("alone") {
        if let Some(checkpoint) = trainer.resume(folder.join("checkpoints")).unwrap() {
            println!("goes on from {checkpoint}");
        }
        fit = fit.callback(checkpoint);
    }
    let place = File::create(folder.join("place")).unwrap();
    let fit = fit.callback(CsvLogger::new(folder.join("log.csv"))).callback(Place(place.try_clone().unwrap()));
    let history = trainer.fit(data, fit).unwrap();
    place.write_at(b"f", 0).unwrap();
    trainer.model().save(folder.join("model.safetensors")).unwrap();
    let runs = fs::read_dir(folder.join("events")).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut runs: Vec<String> = runs.map(|run| events::newest(&run)).collect();
    runs.sort();
    fs::write(folder.join("events.txt"), runs.concat()).unwrap();
    fs::write(folder.join("history.json"), serde_json::to_string(&history).unwrap()).unwrap();
}

/// Notes in a file where the run is.
struct Place(File);

impl Place {
    fn note(&self, place: u8) -> Result<()> {
        self.0.write_at(&[place], 0).unwrap();
        Ok(())
    }
}

impl<T: Float> Callback<T> for Place {
    fn on_epoch_begin(&mut self, _: &mut Run<'_, T>) -> Result<()> {
        self.note(b'b')
    }
    fn on_batch_end(&mut self, run: &mut Run<'_, T>) -> Result<()> {
        self.note(if Some(run.batch) == run.batches { b'v' } else { b'b' })
    }
    fn on_epoch_end(&mut self, _: &mut Run<'_, T>) -> Result<()> {
        self.note(b'e')
    }
    fn on_end(&mut self, _: &mut Run<'_, T>) -> Result<()> {
        self.note(b'f')
    }
}

/// The folder of MNIST.
const MNIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/data/mnist");

/// The first of MNIST's test images.
fn digits(count: usize) -> Dataset {
    let file = |name: &str| format!("{MNIST}/t10k-{name}-ubyte.gz");
    let images: Tensor<u8> = idx::read(file("images-idx3")).unwrap();
    let labels: Tensor<u8> = idx::read(file("labels-idx1")).unwrap();
    let (images, labels) = (images.slice(0, ..count), labels.slice(0, ..count));
    Dataset::new(images.to::<f32>() / 255.0, labels).unwrap().to_categorical(10).unwrap()
}

/// As [`digits`], with targets for both of [`outputs`].
fn digits_and_parity(count: usize) -> Dataset<f32, Columns> {
    let data = digits(count);
    let odd = data.targets().argmax(-1).to::<f32>().map(|class| class % 2.0).unsqueeze(-1);
    let targets = Columns::new().with("class", data.targets().clone()).with("odd", odd);
    Dataset::new(data.inputs().clone(), targets).unwrap()
}

fn loss() -> CategoricalCrossentropy {
    CategoricalCrossentropy::default()
}

fn fit<T: Float>(epochs: usize) -> Fit<T> {
    Fit { epochs, batch_size: 16, verbose: false, ..Fit::default() }
}

fn dense(hidden: usize) -> Sequential {
    Sequential::new()
        .add(Flatten)
        .add(Dense::new(hidden).activation(Activation::Relu))
        .add(Dropout::new(0.3))
        .add(Dense::new(10).activation(Activation::Softmax))
}

fn dense_model(hidden: usize) -> Model {
    Model::build(dense(hidden), [28, 28], 1).unwrap()
}

/// The digit, and whether it is odd.
fn outputs() -> Model {
    let mut graph = Graph::builder();
    let x = graph.input();
    let flat = graph.add(Flatten, [x]);
    let hidden = graph.add(Dense::new(48).activation(Activation::Relu), [flat]);
    let hidden = graph.add(Dropout::new(0.3), [hidden]);
    let class = graph.add_named("class", Dense::new(10).activation(Activation::Softmax), [hidden]);
    let odd = graph.add_named("odd", Dense::new(1).activation(Activation::Sigmoid), [hidden]);
    Model::build(graph.outputs([class, odd]), [28, 28], 3).unwrap()
}

fn convnet() -> Model {
    let network = Sequential::new()
        .add(Conv2D::new(8, [3, 3]).use_bias(false))
        .add(BatchNormalization::new())
        .add(Activation::Relu)
        .add(MaxPooling2D::new([2, 2]))
        .add(Conv2D::new(16, [3, 3]))
        .add(BatchNormalization::new())
        .add(Activation::Relu)
        .add(GlobalAveragePooling2D::new())
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Activation::Softmax));
    Model::build(network, [28, 28, 1], 2).unwrap()
}
