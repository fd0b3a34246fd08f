//! `fit` trains on augmented pictures, anew in each epoch; nothing else sees them.

use gradus_datasets::{Augment, Dataset};
use gradus_nn::losses::CategoricalCrossentropy;
use gradus_nn::{Activation, Dense, Flatten, Model, Sequential};
use gradus_optim::{IntoOptimizer, Sgd};
use gradus_tensor::{Generator, Tensor};
use gradus_train::{Fit, Trainer, train_step};

fn pictures() -> Dataset {
    let inputs = Generator::new(1).uniform([12, 4, 4, 1], 0.0..1.0_f32);
    let labels = Tensor::from_iter((0..12).map(|i| (i % 3) as u8));
    Dataset::new(inputs, labels).unwrap().to_categorical(3).unwrap()
}

fn model() -> Model {
    let network = Sequential::new().add(Flatten).add(Dense::new(3).activation(Activation::Softmax));
    Model::build(network, [4, 4, 1], 5).unwrap()
}

fn trainer(learning_rate: f64) -> Trainer<CategoricalCrossentropy, Sgd> {
    Trainer::new(model(), CategoricalCrossentropy::default(), Sgd::default().learning_rate(learning_rate)).seed(7)
}

fn fit(epochs: usize) -> Fit {
    Fit { epochs, batch_size: 5, shuffle: false, verbose: false, ..Fit::default() }
}

fn augment() -> Augment {
    Augment::new().shift(0.25).rotate(20.0).flip_horizontal().noise(0.1).mix_up(0.3)
}

#[test]
fn each_epoch_sees_other_pictures_and_validation_those_that_there_are() {
    let data = pictures().augment(augment()).unwrap();
    // Without a step, only the pictures change the loss.
    let mut still = trainer(0.0);
    let history = still.fit(&data, Fit { validation_split: 0.25, ..fit(3) }).unwrap();
    let (losses, validation) = (history.get("loss"), history.get("val_loss"));
    assert!(losses[0] != losses[1] && losses[1] != losses[2] && losses[0] != losses[2], "{losses:?}");
    let expected = still.evaluate(&pictures().slice(9..)).unwrap()["loss"];
    assert_eq!(validation, [expected; 3]);
    assert_eq!(still.evaluate(&data).unwrap(), still.evaluate(&pictures()).unwrap());
}

#[test]
fn a_loop_by_hand_gives_the_same_bits_and_so_does_prefetching() {
    let data = pictures().augment(augment()).unwrap();
    let mut fitted = trainer(0.1);
    fitted.fit(&data, fit(2)).unwrap();
    let [mut prefetched, mut shared] = [trainer(0.1), trainer(0.1)];
    prefetched.fit(&data, Fit { prefetch: 3, ..fit(2) }).unwrap();
    shared.fit(&data, Fit { prefetch: 3, workers: 2, ..fit(2) }).unwrap();

    let (mut by_hand, loss) = (model(), CategoricalCrossentropy::default());
    let mut optimizer = Sgd::default().learning_rate(0.1);
    let mut generator = Generator::new(7);
    for _ in 0..2 {
        for batch in data.batches(5).augmented(generator.next_u64()).unwrap() {
            let (x, y) = (&batch.inputs, &batch.targets);
            train_step(&mut by_hand, &loss, &mut optimizer, x, y, None, &mut generator).unwrap();
        }
    }
    for (name, value) in by_hand.params().iter().map(|param| (&param.name, &param.value)) {
        for trainer in [&fitted, &prefetched, &shared] {
            let found = trainer.model().params().iter().find(|param| param.name == *name).unwrap();
            assert_eq!(found.value, *value, "{name}");
        }
    }
}

#[test]
fn what_cannot_be_augmented_is_an_error_of_fit() {
    let labels = pictures().augment(augment()).unwrap().map_targets(|y| y.argmax(-1));
    let error = trainer(0.1).fit(&labels, fit(1)).unwrap_err().to_string();
    assert!(error.contains("to_categorical"), "{error}");
}
