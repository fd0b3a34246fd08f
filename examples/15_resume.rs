//! Lesson 15. Checkpoints: a training that is killed at any moment, and run again, ends with the same weights to the bit.
//!
//!     cargo run --release --example resume -- --checkpoint run
//!     cargo run --release --example resume -- --checkpoint run --epochs 10
//!
//! Kill it (Ctrl-C, `kill -9`, the power switch) and run the same line again as often as you like: it goes on from its newest
//! checkpoint. The last line, a hash of all weights, is the same as that of a run that was left alone. `examples/README.md`
//! has such a session.

use std::path::PathBuf;

use gradus::prelude::*;
use lexopt::{Arg, Parser, ValueExt};

mod weights;

fn main() -> Result<()> {
    let (folder, epochs) = options()?;
    let (train, test) =
        mnist::load()?.map_inputs(|x| (x.to::<f32>() / 255.0).unsqueeze(-1)).to_categorical(10)?.split();
    // New changes to the images in each epoch, on threads of their own: their seeds are part of a checkpoint.
    let train = train.augment(Augment::new().shift(0.1).rotate(10.0))?;

    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Activation::Softmax));
    let model = Model::build(network, [28, 28, 1], 42)?;
    let mut trainer =
        Trainer::new(model, CategoricalCrossentropy::default(), Adam::default()).metric(Accuracy::default()).seed(42);

    match trainer.resume(&folder)? {
        Some(checkpoint) => println!("Goes on from {checkpoint}"),
        None => println!("Begins, with checkpoints in {}", folder.display()),
    }
    let fit = Fit { epochs, prefetch: 4, ..Fit::default() }
        .callback(Checkpoint::new(&folder).every_steps(100).every_epochs(1))
        .callback(CsvLogger::new(folder.join("log.csv")));
    trainer.fit(&train, fit)?;

    println!("Test accuracy: {:.2}%", 100.0 * trainer.evaluate(&test)?["accuracy"]);
    println!("Weights: {}", weights::hash(trainer.model()));
    Ok(())
}

/// The folder of the checkpoints and the number of epochs, from the command line.
fn options() -> Result<(PathBuf, usize)> {
    let (mut folder, mut epochs) = (None, 5);
    let mut arguments = Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("checkpoint") => folder = Some(arguments.value()?.into()),
            Arg::Long("epochs") => epochs = arguments.value()?.parse()?,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok((folder.ok_or("--checkpoint FOLDER says where the checkpoints are")?, epochs))
}
