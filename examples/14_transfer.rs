//! Lesson 14. Transfer learning: what a network has learnt of the digits 0 to 4 helps it with 5 to 9, of which it is shown
//! five pictures each.
//!
//! A network is trained on many pictures of one data set and saved. Another one with a new head takes over its body by name,
//! learns the head alone while the body is frozen, and then a little of both. The same network from scratch is the measure.
//!
//!     cargo run --release --example transfer

use gradus::prelude::*;

/// Pictures of each new digit.
const SAMPLES: usize = 5;
const SEEDS: u64 = 5;

/// A body of convolutions that see strokes, and a head that makes so many classes of them.
fn network(classes: usize) -> Sequential {
    let body = Sequential::new()
        .add(Conv2D::new(16, 3).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(32, 3).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Flatten);
    let head = Sequential::new()
        .add(Dense::new(64).activation(Activation::Relu))
        .add(Dense::new(classes).activation(Activation::Softmax));
    Sequential::new().add_named("body", body).add_named("head", head)
}

/// The pictures of five digits from `first` on, at most `each` of one digit, with classes from 0 to 4.
fn digits(data: &Dataset<u8, u8>, first: u8, each: usize) -> Result<Dataset<f32, u8>> {
    let mut counts = [0; 5];
    let mut rows = Vec::new();
    for (row, digit) in data.targets().iter().enumerate() {
        if let Some(count) = digit.checked_sub(first).and_then(|class| counts.get_mut(usize::from(class)))
            && *count < each
        {
            *count += 1;
            rows.push(row);
        }
    }
    let pictures = data.inputs().take_rows(&rows).to::<f32>() / 255.0;
    Ok(Dataset::new(pictures.unsqueeze(-1), data.targets().take_rows(&rows) - first)?)
}

/// Trains a model for so many epochs.
fn train(model: Model, data: &Dataset<f32, u8>, epochs: usize, learning_rate: f64, seed: u64) -> Result<Model> {
    let adam = Adam::default().learning_rate(learning_rate);
    let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), adam).seed(seed);
    trainer.fit(data, Fit { epochs, batch_size: 10, verbose: false, ..Fit::default() })?;
    Ok(trainer.into_model())
}

/// The share of right answers, in percent.
fn accuracy(model: Model, test: &Dataset<f32, u8>) -> Result<f64> {
    let loss = SparseCategoricalCrossentropy::default();
    let mut trainer = Trainer::new(model, loss, Adam::default()).metric(Accuracy::default());
    Ok(100.0 * trainer.evaluate(test)?["accuracy"])
}

fn main() -> Result<()> {
    let mnist = mnist::load()?;
    let path = std::env::temp_dir().join(format!("digits_0_to_4_{}.safetensors", std::process::id()));

    let (many, test) = (digits(&mnist.train, 0, 2000)?, digits(&mnist.test, 0, usize::MAX)?);
    let model = train(Model::build(network(5), [28, 28, 1], 42)?, &many, 2, 0.001, 42)?;
    model.save(&path)?;
    println!("digits 0 to 4, {} pictures: {:.1}%", many.len(), accuracy(model, &test)?);

    let test = digits(&mnist.test, 5, usize::MAX)?;
    println!("\ndigits 5 to 9, {} pictures\nseed  from scratch  head alone  then both", 5 * SAMPLES);
    let mut sums = [0.0; 3];
    for seed in 0..SEEDS {
        // Other pictures for each seed.
        let few = digits(&mnist.train.shuffle(seed), 5, SAMPLES)?;
        let scratch = train(Model::build(network(5), [28, 28, 1], seed)?, &few, 60, 0.001, seed)?;

        let mut model = Model::build(network(5), [28, 28, 1], seed)?;
        model.load_weights_with(&path, &Matching::new().under("body"))?;
        model.freeze("body")?;
        let mut head = train(model, &few, 40, 0.003, seed)?;
        let of_head = accuracy(head.clone(), &test)?;

        // The body moves in small steps, so that it does not forget. With so few pictures it has little to gain by that.
        head.unfreeze("body")?;
        let both = train(head, &few, 20, 0.0003, seed)?;

        let found = [accuracy(scratch, &test)?, of_head, accuracy(both, &test)?];
        println!("{seed:>4} {:>12.1}% {:>10.1}% {:>9.1}%", found[0], found[1], found[2]);
        sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
    }
    let [scratch, head, both] = sums.map(|sum| sum / SEEDS as f64);
    println!("mean {scratch:>12.1}% {head:>10.1}% {both:>9.1}%");
    std::fs::remove_file(&path)?;
    Ok(())
}
