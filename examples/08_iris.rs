//! Lesson 8. A table: a network tells three species of iris apart by the sizes of their leaves.
//!
//!     cargo run --release --example iris

use gradus::prelude::*;

fn main() -> Result<()> {
    // Read from a CSV file; the species become the class indices 0, 1, 2.
    let iris = iris::load()?;
    let names: Vec<String> = iris.class_names().expect("the file names the species").to_vec();
    println!("{} flowers, {} measurements each: {}\n", iris.len(), iris.input_shape()[0], names.join(", "));

    // The samples in random order; the last third is for testing. Mean and deviation come from the training flowers.
    let (train, test) = iris.shuffle(11).validation_split(1.0 / 3.0)?;
    let statistics = train.statistics();
    println!("means in cm: {}, deviations: {}\n", statistics.mean, statistics.std);
    let (train, test) = (train.normalize_with(&statistics), test.normalize_with(&statistics));

    let network = Sequential::new()
        .add(Dense::new(16).activation(Activation::Relu).kernel_regularizer(Regularizer::L2(1e-3)))
        .add(Dropout::new(0.2))
        .add(Dense::new(3).activation(Activation::Softmax));
    let model = Model::build(network, [4], 1)?;

    // Class indices need the sparse loss. Training stops when the loss of a held-back fifth no longer falls.
    let mut trainer =
        Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default().learning_rate(0.01))
            .metric(Accuracy::default())
            .metric(F1::default());
    let stopping = EarlyStopping::new("val_loss").patience(15).restore_best_weights(true);
    let fit = Fit { epochs: 200, batch_size: 16, validation_split: 0.2, verbose: false, ..Fit::default() };
    let history = trainer.fit(&train, fit.callback(stopping))?;
    println!("{} epochs; {}", history.epochs.len(), history.stopped.as_deref().unwrap_or("ran to the end"));
    println!("on {} new flowers: {}\n", test.len(), trainer.evaluate(&test)?);

    let mut confusion = ConfusionMatrix::default();
    confusion.update(&test.targets().to::<f32>(), &trainer.predict(test.inputs())?, None)?;
    println!("{:>12} predicted {}", "true", names.join("  "));
    for (row, name) in names.iter().enumerate() {
        let counts: Vec<String> =
            (0..3).map(|column| format!("{:>9}", confusion.counts().get([row, column]))).collect();
        println!("{name:>12} {:>9} {}", "", counts.join("  "));
    }
    Ok(())
}
