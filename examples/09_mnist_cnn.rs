//! Lesson 9. Convolutions: Keras's simple convnet reads handwritten digits better than any fully connected network.
//!
//!     cargo run --release --example mnist_cnn
//!     cargo run --release --example mnist_cnn -- --epochs 10 --seed 7

use gradus::prelude::*;

mod options;

use options::Options;

fn main() -> Result<()> {
    let options = Options::new(5, 128, 0.004)
        .parse("Trains a convolutional network to read handwritten digits, and tests it.")?;
    // Pictures have an axis of channels, here one: [n, 28, 28, 1].
    let mnist = match &options.data {
        Some(folder) => mnist::load_from(folder)?,
        None => mnist::load()?,
    };
    let (train, test) = mnist.map_inputs(|x| (x.to::<f32>() / 255.0).unsqueeze(-1)).to_categorical(10)?.split();

    let network = Sequential::new()
        .add(Conv2D::new(32, 3).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(64, 3).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Flatten)
        .add(Dropout::new(0.5))
        .add(Dense::new(10).activation(Activation::Softmax));
    let model = Model::build(network, [28, 28, 1], options.seed)?;
    println!("{}", model.summary());

    // A learning rate that rises fast and falls slowly reaches more in five epochs than a constant one.
    let steps = options.epochs * train.len().div_ceil(options.batch_size);
    let adam = Adam::default().learning_rate(OneCycle::new(options.learning_rate, steps as u64));
    let mut trainer =
        Trainer::new(model, CategoricalCrossentropy::default(), adam).metric(Accuracy::default()).seed(options.seed);
    trainer.fit(&train, Fit { epochs: options.epochs, batch_size: options.batch_size, ..Fit::default() })?;

    let scores = trainer.evaluate(&test)?;
    println!("Test loss: {:.4}", scores["loss"]);
    println!("Test accuracy: {:.2}%", 100.0 * scores["accuracy"]);
    Ok(())
}
