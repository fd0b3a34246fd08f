//! Lesson 10. Augmentation: with changed pictures, batch normalisation and a learning-rate schedule a deeper network makes
//! three mistakes in a thousand.
//!
//! The figures after each epoch are those of the test images. They are only shown: no choice depends on them. To compare
//! networks or numbers of epochs, take validation images from the training set, and use the test images once.
//!
//!     cargo run --release --example mnist_augmented
//!     cargo run --release --example mnist_augmented -- --epochs 20 --seed 7

use gradus::prelude::*;

mod options;

use options::Options;

/// A convolution, normalised over the batch, and rectified. The normalisation has a bias of its own.
fn block(filters: usize) -> Sequential {
    Sequential::new()
        .add(Conv2D::new(filters, 3).padding(Padding::Same).use_bias(false))
        .add(BatchNormalization::new().momentum(0.9))
        .add(Activation::Relu)
}

fn main() -> Result<()> {
    let options = Options::new(12, 128, 0.01).parse("Trains a deeper convolutional network on handwritten digits that are moved, turned and zoomed anew in each epoch.")?;
    let mnist = match &options.data {
        Some(folder) => mnist::load_from(folder)?,
        None => mnist::load()?,
    };
    let (train, test) = mnist.map_inputs(|x| (x.to::<f32>() / 255.0).unsqueeze(-1)).to_categorical(10)?.split();
    // The test images stay as they are.
    let train = train.augment(Augment::new().shift(0.1).rotate(10.0).zoom(0.1))?;

    let network = Sequential::new()
        .add(block(16))
        .add(MaxPooling2D::new(2))
        .add(block(32))
        .add(block(48))
        .add(MaxPooling2D::new(2))
        .add(block(64))
        .add(block(64))
        .add(GlobalAveragePooling2D::new())
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Activation::Softmax));
    let model = Model::build(network, [28, 28, 1], options.seed)?;
    println!("{}", model.summary());

    let steps = options.epochs * train.len().div_ceil(options.batch_size);
    let adam = Adam::default().learning_rate(OneCycle::new(options.learning_rate, steps as u64));
    let mut trainer =
        Trainer::new(model, CategoricalCrossentropy::default(), adam).metric(Accuracy::default()).seed(options.seed);
    let fit = Fit { epochs: options.epochs, batch_size: options.batch_size, ..Fit::default() };
    trainer.fit_validated(&train, &test, fit)?;

    let scores = trainer.evaluate(&test)?;
    println!("Test accuracy: {:.2}%", 100.0 * scores["accuracy"]);
    Ok(())
}
