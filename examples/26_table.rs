//! Lesson 26. A table as people have them, from the file to the server: texts, numbers, gaps, a date, and a rare class.
//!
//! The table is of 344 penguins. Of which species is each? A `FeatureSpace` says what becomes of each column. What it finds in
//! the rows to train on (medians, means, categories) goes into the model's file, and new rows are prepared by it: here, and on
//! the server, which takes rows as they stand in the table.
//!
//!     cargo run --release -p gradus-serve --example table
//!     cargo run --release -p gradus-serve --example table -- --stay

use gradus::prelude::*;
use gradus_serve::Server;

mod asking;

fn main() -> Result<()> {
    let table = Csv::open("datasets/data/penguins/penguins.csv")?.table()?;
    println!("{table}\n");
    let (train, test) = table.stratified_split("Species", 0.2, 42)?;
    let sizes = ["Culmen Length (mm)", "Culmen Depth (mm)", "Flipper Length (mm)", "Body Mass (g)"];
    let isotopes = ["Delta 15 N (o/oo)", "Delta 13 C (o/oo)"];
    let preparation = FeatureSpace::new()
        .features(sizes, Number::standard().impute(Impute::Median))
        .features(isotopes, Number::standard().impute(Impute::Mean).indicator(true))
        .features(["Island", "Sex", "Clutch Completion"], Category::one_hot())
        .feature("Date Egg", Date::new())
        .target("Species", Target::classes())
        .adapt(&train)?;
    println!("A row becomes {} numbers: {}.\n", preparation.width(), preparation.feature_names().join(", "));

    let data = preparation.dataset(&train)?;
    let network = Sequential::new()
        .add(Dense::new(16).activation(Activation::Relu))
        .add(Dense::new(3).activation(Activation::Softmax));
    let model = Model::build(network, [preparation.width()], 42)?
        .with_class_names(preparation.class_names())?
        .with_preparation(Preparation::NAME, &preparation)?;
    let loss = SparseCategoricalCrossentropy::default();
    let mut trainer = Trainer::new(model, loss, Adam::default().learning_rate(0.01)).metric(Accuracy::default());
    // Each species counts as much as the others, however few its penguins are.
    let class_weights = Some(balanced_class_weights(&data, 3)?);
    trainer.fit(&data, Fit { epochs: 30, class_weights, verbose: false, ..Fit::default() })?;
    let scores = trainer.evaluate(&preparation.dataset(&test)?)?;
    println!("Test accuracy: {:.1}%\n", 100.0 * scores["accuracy"]);

    let file = std::env::temp_dir().join("penguins.safetensors");
    trainer.model().save(&file)?;
    let server = Server::new(Model::load(&file)?).name("penguins").bind("127.0.0.1:0")?;
    println!("{} is served at http://{}/", file.display(), server.address());
    if std::env::args().any(|argument| argument == "--stay") {
        return Ok(server.run()?); // Until Ctrl-C or SIGTERM.
    }
    let running = server.spawn();
    let row = r#"{"instances": [{"Culmen Length (mm)": 49.5, "Body Mass (g)": 3800, "Island": "Dream", "Date Egg": "2008-11-14"}]}"#;
    println!("{row}\n{}", asking::ask(running.address(), "penguins", row)?);
    Ok(running.stop()?)
}
