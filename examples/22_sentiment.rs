//! Lesson 22. Sentiment: does a sentence of a film review praise or blame?
//!
//! Each sentence has the mean of the ratings that at least 20 readers gave it, from -4 to 4. Networks learn this number, which says
//! more than its sign. Three of them are bidirectional GRUs and three are transformers; the sign of the mean of their ratings is the
//! answer. They are given each word, its first letters and its last, so that they know something of a word that they have never seen.
//! The embeddings mask the padding.
//!
//! The sentences belong to those who wrote them, and are no part of Gradus. The feature `download` fetches them; or `--data` names
//! the file, and `gradus::datasets::movie_snippets` says where it is published.
//!
//!     cargo run --release --features download --example sentiment
//!     cargo run --release --example sentiment -- --data movieReviewSnippets_GroundTruth.txt
//!     cargo run --release --example sentiment -- --data FILE --sentence "Not bad at all."
//!
//! To beat: 79.1 %, by logistic regression of words and pairs of words; one standard error is 0.9 points. The seeds 42, 7 and 100 are
//! right in 81.3, 80.7 and 81.0 %. The settings were chosen by cross-validation within the training part. `--held-out` is for trying
//! others: it leaves the test part alone.

use gradus::datasets::movie_snippets::{MovieSnippets, Snippet};
use gradus::explain::{Attribution, Target, gradient_times_input};
use gradus::prelude::*;
use lexopt::ValueExt;

mod options;

use options::Options;

/// A name, and what is left of a word.
type View = (&'static str, fn(&str) -> String);

/// What the networks are given of each word.
const VIEWS: [View; 5] = [
    ("word", str::to_owned),
    ("first 3", |word| word.chars().take(3).collect()),
    ("first 4", |word| word.chars().take(4).collect()),
    ("first 5", |word| word.chars().take(5).collect()),
    ("last 3", |word| word.chars().skip(word.chars().count().saturating_sub(3)).collect()),
];

/// Of each kind.
const NETWORKS: u64 = 3;

/// Made up.
const SENTENCES: [&str; 3] = [
    "A warm and funny film, beautifully played, that never bores.",
    "The jokes are stale, the plot is a mess, and nobody seems to care.",
    "It begins as a tedious thriller and ends as a surprisingly moving family drama.",
];

fn main() -> Result<()> {
    let (mut held_out, mut sentences) = (false, Vec::new());
    let about =
        "Trains networks to tell praise from blame in sentences of film reviews. --data may name the file itself.";
    let further = "
  --sentence TEXT    A sentence to rate and to explain, instead of made-up ones; can be given several times
  --held-out         Train on nine tenths of the training part, and test on the others instead of the test part";
    let options = Options::new(8, 32, 0.003).parse_with(about, further, |option, arguments| {
        match option {
            "sentence" => {
                let sentence = arguments.value()?.string()?;
                if !sentence.contains(char::is_alphanumeric) {
                    return Err(format!("--sentence must have a word, found {sentence:?}").into());
                }
                sentences.push(sentence);
            }
            "held-out" => held_out = true,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if sentences.is_empty() {
        sentences.extend(SENTENCES.map(str::to_owned));
    }
    let MovieSnippets { mut train, mut test } = match &options.data {
        Some(path) => movie_snippets::load_from(path)?,
        None => movie_snippets::load()?,
    };
    if held_out {
        test = train.split_off(train.len() / 10 * 9);
    }
    // 0 is neither praise nor blame.
    train.retain(|snippet| snippet.rating != 0.0);
    test.retain(|snippet| snippet.rating != 0.0);
    println!("{} sentences to learn from, {} to test on", train.len(), test.len());

    let vocabulary = |(name, view): View| -> Result<TextVectorization> {
        let split = Split::function(name, move |text| text.split_whitespace().map(view).collect());
        let texts = train.iter().map(|snippet| &snippet.text);
        Ok(TextVectorization::new().split(split).max_tokens(8000).adapt(texts)?)
    };
    let vocabularies = VIEWS.map(vocabulary).into_iter().collect::<Result<Vec<_>>>()?;
    let rows: Vec<usize> = vocabularies.iter().map(TextVectorization::vocabulary_size).collect();
    let (batches, tested) = (data(&vocabularies, &train)?, data(&vocabularies, &test)?);
    let percent_right = |ratings: &[f32]| {
        let right = ratings.iter().zip(&test).filter(|(rating, snippet)| (**rating > 0.0) == (snippet.rating > 0.0));
        100.0 * right.count() as f64 / test.len() as f64
    };

    let (epochs, batch_size) = (options.epochs, options.batch_size);
    let steps = (epochs * train.len().div_ceil(batch_size)) as u64;
    let mut models = Vec::new();
    let mut all = vec![0.0; test.len()];
    for kind in [Kind::Gru, Kind::Transformer] {
        let mut of_kind = vec![0.0; test.len()];
        for seed in options.seed..options.seed + NETWORKS {
            let model = Model::build(network(&rows, kind), inputs(), seed)?;
            if seed == options.seed {
                println!("{}", model.summary());
            }
            let rate = OneCycle::new(options.learning_rate, steps);
            let adam = Adam::default().learning_rate(rate).clip_global_norm(5.0);
            let mut trainer = Trainer::new(model, MeanSquaredError, adam).seed(seed);
            trainer.fit(&batches, Fit { epochs, batch_size, verbose: false, ..Fit::default() })?;
            let mut ratings = Vec::new();
            for outputs in trainer.predict_batches(&tested, 256)? {
                ratings.extend(outputs?.to_vec());
            }
            println!("{} of seed {seed}: {:.1}% right", kind.name(), percent_right(&ratings));
            add(&mut of_kind, &ratings);
            models.push(trainer.into_model());
        }
        println!("{NETWORKS} {}s together: {:.1}% right\n", kind.name(), percent_right(&of_kind));
        add(&mut all, &of_kind);
    }

    for sentence in &sentences {
        let (ids, words) = (ids(&vocabularies, sentence)?, vocabularies[0].tokens(sentence)?);
        let (mut rating, mut raised) = (0.0, vec![0.0; words.len()]);
        for model in &models {
            let (its_rating, its_raised) = explain(model, &ids)?;
            rating += its_rating / models.len() as f32;
            add(&mut raised, &its_raised);
        }
        raised.iter_mut().for_each(|raised| *raised /= models.len() as f32);
        println!("{rating:+.1}  {sentence}");
        let mut words: Vec<(f32, String)> = raised.into_iter().zip(words).collect();
        words.sort_by(|(a, _), (b, _)| b.abs().total_cmp(&a.abs()));
        for (title, sign) in [("for", 1.0), ("against", -1.0)] {
            let chosen = words.iter().filter(|(raised, _)| raised * sign >= 0.1).take(5);
            let chosen: Vec<String> = chosen.map(|(raised, word)| format!("{word} {raised:+.1}")).collect();
            if !chosen.is_empty() {
                println!("      {title:8} {}", chosen.join(", "));
            }
        }
        println!();
    }
    println!("{} accuracy: {:.1}%", if held_out { "Held-out" } else { "Test" }, percent_right(&all));
    Ok(())
}

fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

/// What reads the words in their order.
#[derive(Clone, Copy)]
enum Kind {
    Gru,
    Transformer,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Gru => "GRU",
            Kind::Transformer => "transformer",
        }
    }
}

/// A network that rates sentences, with a table of so many rows for each view.
fn network(rows: &[usize], kind: Kind) -> Graph {
    let mut graph = Graph::builder();
    let spread = Initializer::RandomUniform { minval: -0.3, maxval: 0.3 };
    let mut views = Vec::new();
    for ((name, _), &rows) in VIEWS.iter().zip(rows) {
        let ids = graph.input_named(name);
        views.push(graph.add(Embedding::new(rows, 64).embeddings_initializer(spread).mask_zero(true), [ids]));
    }
    let words = graph.add(Concatenate::new(), views);
    let words = graph.add(Dropout::new(0.8), [words]);
    let read = match kind {
        Kind::Gru => graph.add(Bidirectional::new(GRU::new(64).return_sequences(true)), [words]),
        Kind::Transformer => {
            let words = graph.add(Dense::new(64), [words]);
            let places = graph.add(SinePositionEncoding::default(), [words]);
            let words = graph.add(Add, [words, places]);
            graph.add(TransformerEncoder::new(128, 4).dropout(0.1), [words])
        }
    };
    let (mean, max) = (graph.add(GlobalAveragePooling1D::new(), [read]), graph.add(GlobalMaxPooling1D::new(), [read]));
    let sentence = graph.add(Concatenate::new(), [mean, max]);
    let sentence = graph.add(Dropout::new(0.5), [sentence]);
    let rating = graph.add(Dense::new(1), [sentence]);
    graph.output(rating)
}

fn inputs() -> Vec<Input> {
    VIEWS.iter().map(|(name, _)| Input::named(name, [None])).collect()
}

/// The ids of a sentence, by a vocabulary for each view.
fn ids(vocabularies: &[TextVectorization], sentence: &str) -> Result<Vec<Tensor<i64>>> {
    vocabularies.iter().map(|vocabulary| Ok(Tensor::from(vocabulary.ids_of(sentence)?))).collect()
}

fn columns(ids: impl IntoIterator<Item = Tensor<i64>>) -> Columns {
    VIEWS.iter().zip(ids).fold(Columns::new(), |columns, ((name, _), ids)| columns.with(name, ids))
}

/// Batches of sentences of like length, padded with 0.
fn data(vocabularies: &[TextVectorization], snippets: &[Snippet]) -> Result<IndexedDataset<Columns, f32>> {
    let mut samples = Vec::new();
    for snippet in snippets {
        samples.push((ids(vocabularies, &snippet.text)?, snippet.rating));
    }
    let lengths: Vec<usize> = samples.iter().map(|(ids, _)| ids[0].size()).collect();
    let data = IndexedDataset::from_sequences(samples.len(), PadSequences::post(), None, move |i| {
        let (ids, rating) = &samples[i];
        Ok((columns(ids.iter().cloned()), Tensor::new([*rating])))
    })?;
    Ok(data.bucketed(lengths)?)
}

/// The rating that a network gives to a sentence, and how far each word raises it: gradient times input, summed over the views.
fn explain(model: &Model, ids: &[Tensor<i64>]) -> Result<(f32, Vec<f32>)> {
    let one = columns(ids.iter().map(|ids| ids.unsqueeze(0)));
    let explained = gradient_times_input(model, one, &Target::predicted())?;
    let of_view = |view: &Attribution| view.per_position().select(0, 0);
    let raised = explained.iter().map(of_view).reduce(|all, view| all + view).ok_or("a network without words")?;
    Ok((explained.numbers.item(), raised.to_vec()))
}
