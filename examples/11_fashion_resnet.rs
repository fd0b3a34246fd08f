//! Lesson 11. Residual connections: a network tells articles of clothing apart, and its confusions are drawn.
//!
//! As in lesson 10, the validation figures are those of the test images, and no choice depends on them.
//!
//! Fashion-MNIST is not part of this repository. `apt install dataset-fashion-mnist` puts it where the program looks;
//! elsewhere, name the folder that holds its four files.
//!
//!     cargo run --release --example fashion_resnet
//!     cargo run --release --example fashion_resnet -- --data ~/Downloads/fashion-mnist

use gradus::prelude::*;

mod legend;
mod options;
mod pictures;

use options::Options;

/// A residual block of two convolutions with this many filters, which divides height and width by the stride.
fn residual(filters: usize, stride: usize) -> Residual {
    let convolution = |size, stride| {
        Conv2D::new(filters, [size; 2])
            .strides([stride; 2])
            .padding(Padding::Same)
            .use_bias(false)
            .kernel_initializer(Initializer::HeNormal)
    };
    let body = Sequential::new()
        .add(convolution(3, stride))
        .add(BatchNormalization::new().momentum(0.9))
        .add(Activation::Relu)
        .add(convolution(3, 1))
        .add(BatchNormalization::new().momentum(0.9));
    let shortcut = Sequential::new().add(convolution(1, stride)).add(BatchNormalization::new().momentum(0.9));
    Residual::new(body).shortcut(shortcut).activation(Activation::Relu)
}

fn main() -> Result<()> {
    let about = "Trains a small residual network on Fashion-MNIST, and draws its filters and its confusions.";
    let options = Options::new(14, 128, 0.01).parse(about)?;
    let fashion = match &options.data {
        Some(folder) => fashion_mnist::load_from(folder)?,
        None => fashion_mnist::load()?,
    };
    let labels = fashion.test.targets().to::<f32>();
    let (train, test) = fashion.map_inputs(|x| (x.to::<f32>() / 255.0).unsqueeze(-1)).to_categorical(10)?.split();
    // A shoe seen from the other side is still a shoe.
    let train = train.augment(Augment::new().flip_horizontal().crop(1))?;

    let network = Sequential::new()
        .add_named("first", Conv2D::new(32, 5).padding(Padding::Same).use_bias(false))
        .add(BatchNormalization::new().momentum(0.9))
        .add(Activation::Relu)
        .add(MaxPooling2D::new(2))
        .add(residual(64, 1))
        .add(residual(128, 2))
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

    let mut confusion = ConfusionMatrix::default();
    confusion.update(&labels, &trainer.predict(test.inputs())?, None)?;
    let file = options.pictures.join("fashion-confusion.svg");
    pictures::confusion(&file, &confusion.counts(), &fashion_mnist::CLASS_NAMES)?;
    println!("{} shows what is taken for what", file.display());
    let filters = &trainer.model().params().get("first/kernel").expect("the first layer has a kernel").value;
    let file = options.pictures.join("fashion-filters.svg");
    pictures::filters(&file, filters)?;
    println!("{} shows what the first layer looks for", file.display());
    Ok(())
}
