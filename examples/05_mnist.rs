//! Handwritten digits.
use gradus::prelude::*;
fn main() -> Result<()> {
    let mnist = mnist::load()?;
    let (train, test) = mnist.map_inputs(|x| x.to::<f32>() / 255.0).map_targets(|y| y.one_hot::<f32>(10)).split();
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    let model = Model::build(network, [28, 28], 1)?;
    let mut trainer =
        Trainer::new(model, CategoricalCrossentropy::default(), Adam::default()).metric(Accuracy::default());
    let t = std::time::Instant::now();
    trainer.fit(&train, Fit { epochs: 10, batch_size: 32, ..Fit::default() })?;
    eprintln!("{:.3} s an epoch", t.elapsed().as_secs_f64() / 10.0);
    let scores = trainer.evaluate(&test)?;
    println!("Test accuracy: {:.2}%", 100.0 * scores["accuracy"]);
    Ok(())
}
