//! A table: read from a CSV file; or prepared, learnt from and scored, all from the file on.
//!
//!     cargo run --release --bin peer-gradus-table -- read FILE
//!     cargo run --release --bin peer-gradus-table -- train FILE mlp
//!
//! `tables.py` writes the file, and does the same by pandas, polars and scikit-learn.

use std::time::Instant;

use gradus::prelude::*;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["read", file] => read(file),
        ["train", file, network] => train(file, network == "mlp"),
        _ => panic!("give `read FILE`, `train FILE mlp` or `train FILE linear`"),
    }
}

fn read(file: &str) -> Result<()> {
    let start = Instant::now();
    let table = Csv::open(file)?.table()?;
    let seconds = start.elapsed().as_secs_f64();
    let sum: f64 = table.numbers("x0")?.iter().filter(|number| !number.is_nan()).sum();
    let letters: usize = table.texts("city")?.iter().map(str::len).sum();
    println!("{{\"seconds\": {seconds}, \"rows\": {}, \"sum\": {sum:.3}, \"letters\": {letters}}}", table.len());
    Ok(())
}

fn train(file: &str, is_deep: bool) -> Result<()> {
    let start = Instant::now();
    let mut times = Vec::new();
    let mut lap = |name: &str| times.push(format!("\"{name}\": {:.3}", start.elapsed().as_secs_f64()));
    let table = Csv::open(file)?.table()?;
    lap("read");
    let (train, test) = table.stratified_split("bought", 0.2, 42)?;
    lap("split");
    let numbers = (0..14).map(|column| format!("x{column}"));
    let preparation = FeatureSpace::new()
        .features(numbers, Number::standard().impute(Impute::Median))
        .features(["city", "product", "channel", "year"], Category::one_hot())
        .feature("joined", Date::new())
        .target("bought", Target::binary())
        .adapt(&train)?;
    lap("adapt");
    let (train, test) = (preparation.dataset(&train)?, preparation.dataset(&test)?);
    lap("prepare");
    let network = Sequential::new();
    let network = if is_deep { network.add(Dense::new(32).activation(Activation::Relu)) } else { network };
    let network = network.add(Dense::new(1).activation(Activation::Sigmoid));
    let model = Model::build(network, [preparation.width()], 42)?;
    let mut trainer = Trainer::new(model, BinaryCrossentropy::default(), Adam::default())
        .metric(Auc::default())
        .metric(BinaryAccuracy::default());
    let (epochs, batch_size) = if is_deep { (3, 256) } else { (2, 256) };
    trainer.fit(&train, Fit { epochs, batch_size, verbose: false, ..Fit::default() })?;
    lap("fit");
    let scores = trainer.evaluate(&test)?;
    lap("evaluate");
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{{\"seconds\": {seconds}, \"auc\": {:.5}, \"accuracy\": {:.5}, \"width\": {}, {}}}",
        scores["auc"],
        scores["binary_accuracy"],
        preparation.width(),
        times.join(", ")
    );
    Ok(())
}
