//! Gradus: the program of its own README, with a clock around `fit` and `predict`.

#[path = "../../common.rs"]
mod common;

use common::{BATCH, CLASSES, HIDDEN, LEARNING_RATE, Options, PIXELS};
use gradus::prelude::*;

fn main() -> Result<()> {
    let options = Options::parse();
    let mnist = mnist::load_from(&options.data)?.map_inputs(|x| x.to::<f32>() / 255.0);
    let labels = mnist.test.targets().to_vec();
    let (train, test) = mnist.map_targets(|y| y.one_hot::<f32>(CLASSES)).split();

    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(HIDDEN).activation(Activation::Relu))
        .add(Dense::new(CLASSES).activation(Activation::Softmax));
    let model = Model::build(network, [28, 28], options.seed)?;
    let adam = Optimizer::from(Adam::default()).learning_rate(LEARNING_RATE);
    let mut trainer = Trainer::new(model, CategoricalCrossentropy::default(), adam).seed(options.seed);

    let epochs = common::time_epochs(options.epochs, || {
        let fit = Fit { batch_size: BATCH, verbose: false, ..Fit::default() };
        let history = trainer.fit(&train, fit).unwrap();
        assert!(history.get("loss")[0].is_finite());
    });

    let scores = trainer.predict(test.inputs())?.to_vec();
    let images = test.inputs().to_vec();
    let predict_us = common::time_predict(|i| {
        let image = images[i * PIXELS..][..PIXELS].to_vec();
        let image = Tensor::from_vec(image, [1, 28, 28]).unwrap();
        std::hint::black_box(trainer.predict(&image).unwrap().to_vec());
    });
    common::report("this repository", &epochs, common::accuracy(&scores, &labels), predict_us);
    Ok(())
}
