//! Lesson 24. Names: a network reads the names of the Bible letter by letter, and makes up new ones.
//!
//! It learns which letter comes next, or that the name ends. To make a name, it is asked for the first letter: one is drawn by the
//! probabilities that it gives. Then it is asked what comes behind that one, and so on, until the end is drawn.
//!
//!     cargo run --release --example generate_names
//!
//! To beat: 2.24 nats a letter, by counts of what comes behind each two letters.

use std::collections::BTreeSet;

use gradus::datasets::verses::Verse;
use gradus::prelude::*;

fn main() -> Result<()> {
    let verses = verses::load()?;
    let known = names(&verses.train);
    let unseen: BTreeSet<String> = names(&[verses.valid, verses.test].concat()).difference(&known).cloned().collect();
    println!("{} names to learn from, {} others to test on", known.len(), unseen.len());

    let letters = TextVectorization::new().standardize(Standardize::None).split(Split::Character);
    let letters = letters.adapt(known.iter().map(|name| format!("{name}.")))?;
    let stop = letters.ids_of(".")?[0];
    // A dot is the beginning and the end. Behind each letter of ".Adam" comes the one of "Adam." at the same place.
    let data = |names: &BTreeSet<String>| -> Result<Dataset<i64, i64>> {
        let inputs = letters.ids(names.iter().map(|name| format!(".{name}")))?;
        let targets = letters.ids(names.iter().map(|name| format!("{name}.")))?;
        Ok(Dataset::new(inputs, targets)?)
    };
    let (train, test) = (data(&known)?, data(&unseen)?);

    let network = Sequential::new()
        .add(Embedding::new(letters.vocabulary_size(), 32).mask_zero(true))
        .add(GRU::new(128).return_sequences(true))
        .add(Dropout::new(0.3))
        .add(Dense::new(letters.vocabulary_size()));
    let model = Model::build(network, [None], 42)?;
    println!("{}", model.summary());
    let loss = SparseCategoricalCrossentropy::default().from_logits(true);
    let mut trainer = Trainer::new(model, loss, Adam::default().learning_rate(0.003)).seed(42);
    trainer.fit_validated(&train, &test, Fit { epochs: 15, batch_size: 32, ..Fit::default() })?;

    let mut made = Vec::new();
    for seed in 0..200 {
        let sampler = Sampler::random().temperature(0.8);
        let ids = trainer.model().generate(&[stop], sampler, Generator::new(seed)).take(20);
        let ids: Result<Vec<i64>, _> = ids.take_while(|id| !matches!(id, Ok(id) if *id == stop)).collect();
        made.push(letters.decode(&ids?)?);
    }
    for line in made[..48].chunks(6) {
        println!("{}", line.iter().map(|name| format!("{name:16}")).collect::<String>().trim_end());
    }
    let new = made.iter().filter(|name| !known.contains(*name) && !unseen.contains(*name)).count();
    println!("{new} of {} names are new", made.len());
    println!("Test loss: {:.2} nats a letter", trainer.evaluate(&test)?["loss"]);
    Ok(())
}

/// The names in verses: words that begin with a capital in the middle of a sentence, and stand nowhere in lower case.
fn names(verses: &[Verse]) -> BTreeSet<String> {
    let words: Vec<&str> = verses.iter().flat_map(|verse| verse.english.split_whitespace()).collect();
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphabetic()).to_owned();
    let all: BTreeSet<String> = words.iter().map(|word| bare(word)).collect();
    let within = words.windows(2).filter(|pair| pair[0].ends_with(|c: char| c.is_lowercase() || c == ','));
    let is_name = |word: &String| {
        let mut letters = word.chars();
        let spelt = letters.next().is_some_and(char::is_uppercase) && letters.all(char::is_lowercase);
        spelt && word.chars().count() > 2 && !all.contains(&word.to_lowercase())
    };
    within.map(|pair| bare(pair[1])).filter(is_name).collect()
}
