//! Lesson 21. Speech: strings of spoken digits are read without being told where each digit is.
//!
//! The clips of 2,400 recordings are joined to strings of 3 to 7 digits, those of 600 others to strings to test on. (The joins are
//! artificial, and the speakers the same six on both sides.) A network of two bidirectional LSTMs gives each frame a probability
//! of each digit and of "nothing new", the blank; the CTC loss adds up all alignments that spell the string. The figure counts wrong,
//! missing and superfluous digits in a hundred.
//!
//!     cargo run --release --example spoken_digits
//!     cargo run --release --example spoken_digits -- --epochs 16 --seed 7 --pictures /tmp
//!
//! `alignment.svg` shows one string of the test: how sure the network is of each digit at each frame, where the clips were joined,
//! and the best alignment.

use gradus::prelude::*;

mod alignment;
mod legend;
mod options;

use options::Options;

/// Digits count from 1, since 0 is the blank.
const CLASSES: usize = 11;
const SHORTEST: u64 = 3;
const LONGEST: u64 = 7;

/// A string of digits.
struct Utterance {
    frames: Tensor,
    labels: Vec<usize>,
    /// The first frame of each clip.
    starts: Vec<usize>,
}

/// Strings of clips in random order; each clip is in so many of them.
fn utterances(clips: &[spoken_digits::Clip], times: usize, seed: u64) -> Vec<Utterance> {
    let mut generator = Generator::new(seed);
    let mut strings = Vec::new();
    for _ in 0..times {
        let mut order: Vec<usize> = (0..clips.len()).collect();
        generator.shuffle(&mut order);
        let mut rest = &order[..];
        while rest.len() >= LONGEST as usize {
            let count = SHORTEST + generator.next_below(LONGEST - SHORTEST + 1);
            let (taken, others) = rest.split_at(count as usize);
            rest = others;
            let mut starts = Vec::new();
            let mut length = 0;
            for &clip in taken {
                starts.push(length);
                length += clips[clip].frames.shape()[0];
            }
            let frames: Vec<Tensor> = taken.iter().map(|&clip| clips[clip].frames.clone()).collect();
            let labels = taken.iter().map(|&clip| usize::from(clips[clip].digit) + 1).collect();
            strings.push(Utterance { frames: Tensor::concat(&frames, 0), labels, starts });
        }
    }
    strings
}

/// Batches of strings of like length, each padded with zeros.
fn data(utterances: &[Utterance]) -> Result<IndexedDataset<f32, f32>> {
    let samples: Vec<(Tensor, Tensor)> = utterances
        .iter()
        .map(|string| {
            let labels: Vec<f32> = string.labels.iter().map(|&label| label as f32).collect();
            (string.frames.clone(), Tensor::from(labels))
        })
        .collect();
    let lengths: Vec<usize> = samples.iter().map(|(frames, _)| frames.shape()[0]).collect();
    let padding = PadSequences::post();
    let data = IndexedDataset::from_sequences(samples.len(), padding, padding, move |i| Ok(samples[i].clone()))?;
    Ok(data.bucketed(lengths)?)
}

fn main() -> Result<()> {
    let options = Options::new(8, 32, 0.005)
        .parse("Trains a network of two bidirectional LSTMs to read strings of spoken digits.")?;
    let spoken_digits::SpokenDigits { mut train, mut test } = match &options.data {
        Some(folder) => spoken_digits::load_from(folder)?,
        None => spoken_digits::load()?,
    };
    // Each coefficient has the mean 0 and the deviation 1, by the frames to learn from.
    let frames = Tensor::concat(&train.iter().map(|clip| clip.frames.clone()).collect::<Vec<_>>(), 0);
    let (mean, std) = (frames.mean(0), frames.std(0));
    for clip in train.iter_mut().chain(&mut test) {
        clip.frames = (&clip.frames - &mean) / &std;
    }
    let strings = utterances(&test, 3, 1);
    let (train, test) = (data(&utterances(&train, 8, options.seed))?, data(&strings)?);
    println!("{} strings to learn from, {} to test on", train.len(), test.len());

    let network = Sequential::new()
        .add(Masking::new(0.0))
        .add(GaussianNoise::new(0.2))
        .add(Bidirectional::new(LSTM::new(64).return_sequences(true)))
        .add(Dropout::new(0.3))
        .add(Bidirectional::new(LSTM::new(64).return_sequences(true)))
        .add(Dropout::new(0.3))
        .add(Dense::new(CLASSES));
    let model = Model::build(network, [None, Some(spoken_digits::COEFFICIENTS)], options.seed)?;
    println!("{}", model.summary());

    let steps = options.epochs * train.len().div_ceil(options.batch_size);
    let adam = Adam::default().learning_rate(OneCycle::new(options.learning_rate, steps as u64)).clip_global_norm(5.0);
    let mut trainer = Trainer::new(model, Ctc::default(), adam).metric(LabelErrorRate::default()).seed(options.seed);
    let fit = Fit { epochs: options.epochs, batch_size: options.batch_size, ..Fit::default() };
    trainer.fit_validated(&train, &test, fit)?;

    // One string, read and aligned.
    let shown = strings.iter().max_by_key(|string| string.labels.len()).ok_or("there are no strings")?;
    let logits = trainer.model().predict(shown.frames.unsqueeze(0))?;
    let read = &logits.ctc_beam_search_decode(None, 0, 20, 3)[0];
    let digits = |labels: &[usize]| labels.iter().map(|label| (label - 1).to_string()).collect::<Vec<_>>().join(" ");
    println!("Spoken: {}", digits(&shown.labels));
    for string in read {
        println!("Read:   {}   with probability {:.3}", digits(&string.labels), string.log_probability.exp());
    }
    if let Some(path) = &logits.ctc_align(None, &[&shown.labels], 0)[0] {
        // The blank as a dot; | where a clip begins.
        let letter = |class: usize| if class == 0 { "·".to_owned() } else { (class - 1).to_string() };
        let line = path.iter().enumerate().map(|(frame, &class)| {
            let begins = if frame > 0 && shown.starts.contains(&frame) { "|" } else { "" };
            format!("{begins}{}", letter(class))
        });
        println!("{}", line.collect::<String>());
        let file = options.pictures.join("alignment.svg");
        let names = ["blank", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        alignment::draw(&file, &logits.select(0, 0).softmax(-1), path, &shown.starts, &names)?;
        println!("Wrote {}", file.display());
    }

    let scores = trainer.evaluate(&test)?;
    println!("Digit error rate: {:.1}%", 100.0 * scores["label_error_rate"]);
    Ok(())
}
