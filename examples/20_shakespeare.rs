//! Lesson 20. Verse: a small GPT reads seven plays of Shakespeare letter by letter, and is tested on one that it never saw.
//!
//! At each letter it is asked for the next one. A causal transformer answers for all letters of a text at once, since no position
//! sees a later one. To write, it is asked for one letter after the other; it remembers the keys and values of those before, so
//! that none is computed twice.
//!
//!     cargo run --release --example shakespeare
//!     cargo run --release --example shakespeare -- --model verse.safetensors --prompt "JULIET."
//!
//! Every play has names of its own, and a network that knows the old ones by heart is lost in a new play. So the names are others in
//! each piece of text that it learns from: then it learns to take them from the letters before.
//!
//! To beat: 1.813 nats a letter, by counts of what comes behind each five letters (interpolated Kneser-Ney).

use std::io::Write;

use gradus::prelude::*;
use lexopt::ValueExt;

mod new_names;
mod options;

use new_names::{NewNames, names_of, renamed};
use options::Options;

/// The letters that the network sees at a time.
const CONTEXT: usize = 128;
const WIDTH: usize = 128;
const HEADS: usize = 4;
const BLOCKS: usize = 4;
const DROPOUT: f64 = 0.1;
/// How many times an epoch goes through the plays, each time with windows at other places.
const PASSES: usize = 12;
/// The letters from one window to the next in the test: all but the first window count these last letters alone, of which each has at
/// least 112 before it.
const TEST_STEP: usize = 16;

fn main() -> Result<()> {
    let (mut model_file, mut prompt, mut held_out) = (None, "\n\nPROSPERO.\n".to_owned(), false);
    let about = "Trains a small GPT on seven plays of Shakespeare, and writes verse.";
    let further = "
  --model FILE       Read the network from this file if it is there, or else write it there
  --prompt TEXT      How the verse begins, instead of with Prospero
  --held-out         Train on six plays, and test on A Midsummer Night's Dream instead of The Tempest";
    let options = Options::new(1, 16, 0.006).parse_with(about, further, |option, arguments| {
        match option {
            "model" => model_file = Some(std::path::PathBuf::from(arguments.value()?)),
            "prompt" => prompt = format!("\n\n{}\n", arguments.value()?.string()?),
            "held-out" => held_out = true,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let plays = match &options.data {
        Some(folder) => shakespeare::load_from(folder)?,
        None => shakespeare::load()?,
    };
    let texts: Vec<&str> = plays.plays().map(|(_, text)| text).collect();
    let (train, test) = if held_out { (&texts[..6], texts[6]) } else { (&texts[..7], texts[7]) };
    let letters = TextVectorization::new().standardize(Standardize::None).split(Split::Character);
    let letters = letters.adapt([plays.train()])?;
    println!("{} letters to learn from, {} to test on", train.iter().map(|play| play.len()).sum::<usize>(), test.len());

    let read = model_file.as_ref().filter(|file| file.exists());
    let model = match read {
        Some(file) => Model::load(file)?,
        None => {
            let model = Model::build(network(letters.vocabulary_size()), [None], options.seed)?;
            println!("{}", model.summary());
            let data = samples(train, &letters, options.seed)?;
            let Options { epochs, batch_size, .. } = options;
            let steps = (epochs * data.len().div_ceil(batch_size)) as u64;
            let rate = OneCycle::new(options.learning_rate, steps).rise(0.1);
            // Adam learns tables better than Muon does, and the last layer is one: it has a column for each letter.
            let muon = Muon::default().exclude_layers(["logits"]).adam(Adam::default().beta_2(0.99));
            let muon = muon.learning_rate(rate).weight_decay(0.1).clip_global_norm(1.0);
            let loss = SparseCategoricalCrossentropy::default().from_logits(true);
            let mut trainer = Trainer::new(model, loss, muon).seed(options.seed);
            trainer.fit(&data, Fit { epochs, batch_size, ..Fit::default() })?;
            trainer.into_model()
        }
    };
    if let (Some(file), None) = (&model_file, read) {
        model.save(file)?;
    }

    println!("\nA verse that nobody wrote:");
    print!("{}", prompt.trim_start());
    let sampler = Sampler::random().temperature(0.8);
    let written = model.generate(&letters.ids_of(&prompt)?, sampler, Generator::new(options.seed)).context(CONTEXT);
    for id in written.take(600) {
        print!("{}", letters.decode(&[id?])?);
        std::io::stdout().flush()?;
    }
    println!("\n");
    println!("Test loss: {:.2} nats a letter", nats_a_letter(&model, &letters.ids_of(test)?)?);
    Ok(())
}

/// Blocks of attention and of a network for each position, between a table of letters and the logits of the next letter. Rotary
/// positions tell the attention how far apart two letters are.
fn network(letters: usize) -> Sequential {
    let mut network = Sequential::new().add(Embedding::new(letters, WIDTH));
    for _ in 0..BLOCKS {
        let attention =
            MultiHeadAttention::new(HEADS, WIDTH / HEADS).use_causal_mask(true).rope_max_wavelength(10_000.0);
        let attend = Sequential::new().add(LayerNormalization::new()).add(attention).add(Dropout::new(DROPOUT));
        let think = Sequential::new()
            .add(LayerNormalization::new())
            .add(Dense::new(4 * WIDTH).activation(Activation::GeluTanh))
            .add(Dense::new(WIDTH))
            .add(Dropout::new(DROPOUT));
        network = network.add(Residual::new(attend)).add(Residual::new(think));
    }
    network.add(LayerNormalization::new()).add_named("logits", Dense::new(letters))
}

/// Windows of the plays, side by side, each with the letters one further. Each has new names.
fn samples(plays: &[&str], letters: &TextVectorization, seed: u64) -> Result<IndexedDataset<i64, i64>> {
    let names: Vec<_> = plays.iter().map(|play| names_of(play)).collect();
    let new_names = NewNames::new(plays, &names);
    // What a window is made of: new names may be shorter.
    const PIECE: usize = 2 * CONTEXT;
    let mut places = Vec::new();
    for pass in 0..PASSES {
        for (play, text) in plays.iter().enumerate() {
            let starts = (pass * CONTEXT / PASSES..text.len() - PIECE).step_by(CONTEXT);
            places.extend(starts.map(|start| (play, start)));
        }
    }
    let (letters, plays) = (letters.clone(), plays.iter().map(|&play| play.to_owned()).collect::<Vec<_>>());
    Ok(IndexedDataset::from_fn(places.len(), move |i| {
        let (play, start) = places[i];
        let mut generator = Generator::new(seed + i as u64);
        let text = renamed(&plays[play][start..start + PIECE], &names[play], &new_names, &mut generator);
        let ids = letters.ids_of(&text)?;
        let window = |first: usize| Tensor::from(ids[first..first + CONTEXT].to_vec());
        Ok((window(0), window(1)))
    })?)
}

/// The mean of -ln p over all letters of a text but the first.
fn nats_a_letter(model: &Model, ids: &[i64]) -> Result<f64> {
    let mut sum = 0.0;
    let last = ids.len() - 1;
    let mut counted = 0;
    let mut windows = Vec::new();
    while counted < last {
        let end = if counted == 0 { CONTEXT.min(last) } else { (counted + TEST_STEP).min(last) };
        windows.push((end.saturating_sub(CONTEXT), counted, end));
        counted = end;
    }
    for windows in windows.chunk_by(|a, b| a.2 - a.0 == b.2 - b.0).flat_map(|alike| alike.chunks(32)) {
        let inputs: Vec<_> = windows.iter().map(|&(first, _, end)| Tensor::from(ids[first..end].to_vec())).collect();
        let logits = model.predict(Tensor::stack(&inputs, 0))?.log_softmax(-1);
        for (row, &(first, from, end)) in windows.iter().enumerate() {
            let logits = logits.select(0, row as isize);
            sum -= (from..end).map(|at| f64::from(logits.get([at - first, ids[at + 1] as usize]))).sum::<f64>();
        }
    }
    Ok(sum / last as f64)
}
