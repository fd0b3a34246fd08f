//! Lesson 5. MNIST: the network of the Keras introduction reads handwritten digits.
//!
//!     cargo run --release --example mnist
//!     cargo run --release --example mnist -- --epochs 3 --batch-size 128 --learning-rate 0.003 --seed 7
//!
//! On several processes, which may run on several machines, to the same weights for any number of them:
//!
//!     cargo build --release --example mnist --features mpi
//!     mpirun -n 4 target/release/examples/mnist

use gradus::prelude::*;

mod options;
#[cfg(feature = "mpi")]
mod weights;

use options::Options;

fn main() -> Result<()> {
    let options = Options::new(10, 32, 0.001).parse("Trains a network to read handwritten digits, and tests it.")?;
    let ranks = ranks()?;
    // One of the processes speaks for all.
    let speaks = ranks.as_ref().is_none_or(|ranks| ranks.rank() == 0);
    // Pixels of 0 to 255 become 0 to 1, labels of 0 to 9 become one-hot rows.
    let mnist = match &options.data {
        Some(folder) => mnist::load_from(folder)?,
        None => mnist::load()?,
    };
    let (train, test) = mnist.map_inputs(|x| x.to::<f32>() / 255.0).to_categorical(10)?.split();

    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    let model = Model::build(network, [28, 28], options.seed)?;
    if speaks {
        println!("{}", model.summary());
    }

    let optimizer = Adam::default().learning_rate(options.learning_rate);
    let mut trainer = Trainer::new(model, CategoricalCrossentropy::default(), optimizer)
        .metric(Accuracy::default())
        .seed(options.seed)
        .distributed(ranks);
    trainer.fit(&train, Fit { epochs: options.epochs, batch_size: options.batch_size, ..Fit::default() })?;

    let scores = trainer.evaluate(&test)?;
    if speaks {
        println!("Test loss: {:.4}", scores["loss"]);
        println!("Test accuracy: {:.2}%", 100.0 * scores["accuracy"]);
        show_predictions(&trainer, &test.take(6))?;
        #[cfg(feature = "mpi")]
        println!("Weights: {}", weights::hash(trainer.model()));
    }
    Ok(())
}

/// The processes that train together, if the launcher of an MPI has started several.
fn ranks() -> Result<Option<Ranks>> {
    #[cfg(feature = "mpi")]
    return Ok(Some(Ranks::new(gradus::distributed::mpi::world()?)));
    #[cfg(not(feature = "mpi"))]
    Ok(None)
}

/// Draws digits side by side, each above the network's prediction.
fn show_predictions(trainer: &Trainer<CategoricalCrossentropy, Adam>, digits: &Dataset) -> Result<()> {
    let probabilities = trainer.predict(digits.inputs())?;
    let (predicted, labels) = (probabilities.argmax(-1), digits.targets().argmax(-1));
    println!();
    // Two rows of pixels make one line of text, whose characters are twice as high as wide.
    for row in (2..26).step_by(2) {
        let lines: Vec<String> = (0..digits.len()).map(|digit| pixels(digits.inputs(), digit, row)).collect();
        println!("{}", lines.join(" ").trim_end());
    }
    let captions: Vec<String> = (0..digits.len())
        .map(|digit| {
            let guess = predicted.get([digit]);
            let certainty = 100.0 * probabilities.get([digit, guess as usize]);
            let text = format!("{guess} ({certainty:.0}%), is {}", labels.get([digit]));
            format!("{text:^20}")
        })
        .collect();
    println!("{}", captions.join(" ").trim_end());
    Ok(())
}

/// Two rows of a digit's pixels, without the empty margins.
fn pixels(images: &Tensor, digit: usize, row: usize) -> String {
    (4..24)
        .map(|column| {
            let ink = |row| images.get([digit, row, column]) > 0.4;
            match (ink(row), ink(row + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            }
        })
        .collect()
}
