//! Gradus: the programs of its own README and of its lesson on convolutions, with a clock around `fit` and `predict`.

#[path = "../../common.rs"]
mod common;

use common::{CLASSES, HIDDEN, LEARNING_RATE, Network, Options, PIXELS};
use gradus::prelude::*;

fn main() -> Result<()> {
    let options = Options::parse();
    // The convolutions want pictures with an axis of channels.
    let shape: &[usize] = match options.network {
        Network::Dense => &[28, 28],
        Network::Convnet => &[28, 28, 1],
    };
    let pictures = |x: Tensor<u8>| {
        let rows = x.shape()[0];
        (x.to::<f32>() / 255.0).reshape([&[rows], shape].concat())
    };
    let mnist = mnist::load_from(&options.data)?.map_inputs(pictures);
    let labels = mnist.test.targets().to_vec();
    let (train, test) = mnist.map_targets(|y| y.one_hot::<f32>(CLASSES)).split();

    let network = match options.network {
        Network::Dense => dense(),
        Network::Convnet => convnet(),
    };
    let model = Model::build(network, shape, options.seed)?;
    let adam = Optimizer::from(Adam::default()).learning_rate(LEARNING_RATE);
    let mut trainer = Trainer::new(model, CategoricalCrossentropy::default(), adam).seed(options.seed);

    let training = common::time_epochs(&options, train.len(), |rows| {
        let fit = Fit { batch_size: options.network.batch(), verbose: false, ..Fit::default() };
        let history = trainer.fit(&train.take(rows), fit).unwrap();
        assert!(history.get("loss")[0].is_finite());
    });

    let images = test.inputs().to_vec();
    let predict = |images: &[f32]| {
        let shape = [&[images.len() / PIXELS], shape].concat();
        trainer.predict(&Tensor::from_vec(images.to_vec(), shape).unwrap()).unwrap().to_vec()
    };
    let accuracy = common::accuracy(&images, &labels, predict);
    let predict_us = common::time_predict(|i| {
        std::hint::black_box(predict(&images[i * PIXELS..][..PIXELS]));
    });
    common::report("this repository", &training, accuracy, predict_us);
    Ok(())
}

fn dense() -> Sequential {
    Sequential::new()
        .add(Flatten)
        .add(Dense::new(HIDDEN).activation(Activation::Relu))
        .add(Dense::new(CLASSES).activation(Activation::Softmax))
}

fn convnet() -> Sequential {
    Sequential::new()
        .add(Conv2D::new(32, [3, 3]).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Conv2D::new(64, [3, 3]).activation(Activation::Relu))
        .add(MaxPooling2D::new([2, 2]))
        .add(Flatten)
        .add(Dropout::new(0.5))
        .add(Dense::new(CLASSES).activation(Activation::Softmax))
}
