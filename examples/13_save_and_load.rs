//! Lesson 13. A model as a file: trained, saved, loaded without the code that built it, and trained on.
//!
//! The file is a safetensors file, of which Python reads the weights:
//! `safetensors.numpy.load_file("digits.safetensors")["hidden/kernel"]`.
//!
//!     cargo run --release --example save_and_load
//!     cargo run --release --example save_and_load -- --file digits.safetensors
//!
//! Without `--file` the files are in the folder for temporary files, and removed in the end.

use std::path::{Path, PathBuf};

use gradus::prelude::*;

/// The path after `--file`.
fn file() -> Result<Option<PathBuf>> {
    let mut parser = lexopt::Parser::from_env();
    let mut path = None;
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Long("file") => path = Some(parser.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(path)
}

/// Trains a network on some of MNIST and saves it.
fn train_and_save(path: &Path) -> Result<()> {
    let train = mnist::load()?.train.take(10_000);
    let network = Sequential::new()
        .add(Flatten)
        .add_named("hidden", Dense::new(64).activation(Activation::Relu))
        .add_named("digit", Dense::new(10).activation(Activation::Softmax));
    // What belongs to the model goes into its file: how pictures of bytes become its inputs, and what the classes are called.
    let model = Model::build(network, [28, 28], 42)?
        .with_preprocessing(Sequential::new().add(Rescaling::new(1.0 / 255.0)), [28, 28])?
        .with_class_names(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])?;
    // Training goes on with prepared data.
    let train = Dataset::new(model.preprocess(train.inputs())?[0].to::<f32>(), train.targets().clone())?;
    let loss = SparseCategoricalCrossentropy::default();
    let mut trainer = Trainer::new(model, loss, Adam::default()).metric(Accuracy::default());
    trainer.fit(&train, Fit { epochs: 3, ..Fit::default() })?;
    trainer.model().save(path)?;
    Ok(())
}

/// The share of right answers for raw pictures, in percent.
fn accuracy(model: &Model, test: &Dataset<u8, u8>) -> Result<f64> {
    let digits = model.predict_from_raw(test.inputs())?.argmax(-1);
    let right = digits.iter().zip(test.targets().iter()).filter(|(digit, target)| *digit == i64::from(*target)).count();
    Ok(100.0 * right as f64 / test.len() as f64)
}

fn main() -> Result<()> {
    let file = file()?;
    // The process's number keeps this from the files of others.
    let temporary = |name: &str| std::env::temp_dir().join(format!("{name}_{}.safetensors", std::process::id()));
    let path = file.clone().unwrap_or_else(|| temporary("digits"));
    train_and_save(&path)?;
    println!("\nsaved {} ({} bytes)", path.display(), std::fs::metadata(&path)?.len());

    // From here on the file alone says what the model is.
    let model = Model::load(&path)?;
    println!("{}", model.summary());
    println!("trained by {:?}, measured by {:?}", model.info().losses, model.info().metrics);
    let test = mnist::load()?.test;
    let picture = test.inputs().slice(0, ..1);
    let class = model.predict_from_raw(&picture)?.argmax(-1).item() as usize;
    println!("the first picture of the test set is a {}", model.class_names()[class]);
    println!("test accuracy: {:.2}%", accuracy(&model, &test)?);

    // In half the space: what is lost is said.
    let half = temporary("digits_f16");
    let loss = model.save_as(&half, Stored::F16)?;
    println!("\n{loss}");
    println!(
        "{} bytes, test accuracy: {:.2}%",
        std::fs::metadata(&half)?.len(),
        accuracy(&Model::load(&half)?, &test)?
    );

    // A loaded model is trained on like any other.
    let next = mnist::load()?.train.slice(10_000..20_000);
    let next = Dataset::new(model.preprocess(next.inputs())?[0].to::<f32>(), next.targets().clone())?;
    let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default());
    trainer.fit(&next, Fit { epochs: 3, verbose: false, ..Fit::default() })?;
    println!("\ntrained on with other pictures: {:.2}%", accuracy(trainer.model(), &test)?);

    // A file that is cut off is an error that says so.
    let bytes = std::fs::read(&path)?;
    std::fs::write(&half, &bytes[..bytes.len() - 1000])?;
    println!("\n{}", Model::load(&half).map(|_| ()).unwrap_err());
    std::fs::remove_file(&half)?;
    if file.is_none() {
        std::fs::remove_file(&path)?;
    }
    Ok(())
}
