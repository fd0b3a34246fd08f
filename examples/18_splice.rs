//! Lesson 18. DNA: convolutions find the boundaries of exons and introns in windows of 60 bases.
//!
//!     cargo run --release --example splice
//!     cargo run --release --example splice -- --epochs 20 --seed 7
//!
//! To beat: logistic regression, which is wrong in 4.5 % of the test windows.

use gradus::prelude::*;

mod options;

use options::Options;

const NETWORKS: u64 = 5;

fn main() -> Result<()> {
    let options =
        Options::new(10, 32, 0.003).parse("Trains networks to find splice junctions in DNA, and tests them.")?;
    // A row of four numbers for each base: [n, 60, 4].
    let windows = match &options.data {
        Some(folder) => splice::load_from(folder)?,
        None => splice::load()?,
    };
    let (train, test) = windows.split();

    // Five networks that begin with other weights, whose probabilities are averaged: alone they are wrong in 2.8 to 4.3 % of the
    // test windows, by chance.
    let mut committee = Vec::new();
    for seed in options.seed..options.seed + NETWORKS {
        let network = Sequential::new()
            .add(Conv1D::new(32, 9).padding(Padding::Same).activation(Activation::Relu))
            .add(Dropout::new(0.5))
            .add(Flatten)
            .add(Dense::new(splice::CLASSES).activation(Activation::Softmax));
        let model = Model::build(network, train.input_shape(), seed)?.with_class_names(splice::CLASS_NAMES)?;
        if committee.is_empty() {
            println!("{}", model.summary());
        }
        let steps = options.epochs * train.len().div_ceil(options.batch_size);
        let adam = Adam::default().learning_rate(OneCycle::new(options.learning_rate, steps as u64));
        let loss = SparseCategoricalCrossentropy::default();
        let mut trainer = Trainer::new(model, loss, adam).metric(Accuracy::default()).seed(seed);
        let (epochs, batch_size) = (options.epochs, options.batch_size);
        trainer.fit(&train, Fit { epochs, batch_size, verbose: false, ..Fit::default() })?;
        let (on_train, on_test) = (trainer.evaluate(&train)?, trainer.evaluate(&test)?);
        println!("network of seed {seed}: on training windows {on_train}; on test windows {on_test}");
        committee.push(trainer.into_model());
    }

    let outputs = probabilities(&committee, test.inputs())?;
    print_confusion(&test.targets().to(), &outputs)?;
    for (class, name) in splice::CLASS_NAMES.iter().enumerate().take(2) {
        print_importance(&committee, &test, class as i64, name)?;
    }
    let mut accuracy = Accuracy::default();
    accuracy.update(&test.targets().to(), &outputs, None)?;
    println!("Test error: {:.1}%", 100.0 * (1.0 - Metric::<f32>::result(&accuracy)));
    Ok(())
}

/// The mean of what the networks say.
fn probabilities(committee: &[Model], inputs: &Tensor) -> Result<Tensor> {
    let outputs = committee.iter().map(|model| model.predict(inputs)).collect::<Result<Vec<Tensor>, _>>()?;
    Ok(Tensor::stack(&outputs, 0).mean(0))
}

fn print_confusion(targets: &Tensor, outputs: &Tensor) -> Result<()> {
    let mut confusion = ConfusionMatrix::default();
    confusion.update(targets, outputs, None)?;
    let line = |cells: [String; 3]| cells.map(|cell| format!("{cell:>5}")).join("");
    println!("\n{:>14}{}", "true|predicted", line(splice::CLASS_NAMES.map(str::to_owned)));
    for (row, name) in splice::CLASS_NAMES.iter().enumerate() {
        println!("{name:>14}{}", line([0, 1, 2].map(|column| confusion.counts().get([row, column]).to_string())));
    }
    println!();
    Ok(())
}

/// Where the networks look: each base of the windows of a class is hidden in turn, and the bar says how much less probable the
/// class then is. The base that most of these windows have stands beside it, as a capital where nine of ten have it.
fn print_importance(committee: &[Model], test: &Dataset<f32, i64>, class: i64, name: &str) -> Result<()> {
    let of_class: Vec<usize> = (0..test.len()).filter(|&row| test.targets().get([row]) == class).collect();
    let inputs = test.inputs().take_rows(&of_class);
    let probability = |inputs: &Tensor| -> Result<f32> {
        Ok(probabilities(committee, inputs)?.select(1, class as isize).mean(..).item())
    };
    let whole = probability(&inputs)?;
    println!("{name}: how much less probable without each base near the boundary, which is between 29 and 30");
    for place in 22..40 {
        let mut shown = Tensor::ones([splice::LENGTH, 1]);
        shown.as_mut_slice()[place] = 0.0;
        let drop = whole - probability(&(&inputs * &shown))?;
        let shares = inputs.select(1, place as isize).mean(0);
        let most = shares.argmax(0).item() as usize;
        let base = "ACGT".as_bytes()[most] as char;
        let base = if shares.get([most]) >= 0.9 { base } else { base.to_ascii_lowercase() };
        println!("{place:>4} {base} {:5.1}% {}", 100.0 * drop, "#".repeat((200.0 * drop.max(0.0)).round() as usize));
    }
    println!();
    Ok(())
}
