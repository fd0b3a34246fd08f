//! Training on texts of different lengths, in batches that are padded to their longest text.

use gradus_datasets::{DataSource, IndexedDataset, PadSequences, TextVectorization};
use gradus_nn::losses::SparseCategoricalCrossentropy;
use gradus_nn::{Activation, Dense, Embedding, GlobalAveragePooling1D, Model, Sequential};
use gradus_optim::{Adam, IntoOptimizer};
use gradus_tensor::Tensor;
use gradus_train::metrics::{Accuracy, Perplexity};
use gradus_train::{Fit, Trainer};

/// Text i is of the class 1 where it has the word "good"; it has 1 to 19 words besides.
fn text(i: usize) -> (String, i64) {
    let others = (0..1 + i * 7 % 19).map(|place| ["film", "plot", "the", "of", "star"][(i + place * place) % 5]);
    let word = if i.is_multiple_of(3) { "good" } else { "bad" };
    let words: Vec<&str> = others.chain([word]).collect();
    (words.join(" "), i64::from(i.is_multiple_of(3)))
}

fn words() -> TextVectorization {
    TextVectorization::new().adapt((0..300).map(|i| text(i).0)).unwrap()
}

#[test]
fn texts_are_told_apart_whatever_their_batches() {
    let words = words();
    let ids: Vec<Tensor<i64>> = (0..300).map(|i| words.ids_of(&text(i).0).unwrap().into()).collect();
    let lengths: Vec<usize> = ids.iter().map(Tensor::size).collect();
    let sample = move |i: usize| Ok((ids[i].clone(), Tensor::scalar(text(i).1)));
    let data = IndexedDataset::from_sequences(300, PadSequences::post(), None, sample).unwrap();
    let data = data.bucketed(lengths).unwrap();
    let network = Sequential::new()
        .add(Embedding::new(words.vocabulary_size(), 4).mask_zero(true))
        .add(GlobalAveragePooling1D::new())
        .add(Dense::new(2).activation(Activation::Softmax));
    let model = Model::build(network, [None], 1).unwrap().with_preparation("words", &words).unwrap();
    let adam = Adam::default().learning_rate(0.05);
    let mut trainer = Trainer::new(model, SparseCategoricalCrossentropy::default(), adam).metric(Accuracy::default());
    let fit = || Fit { epochs: 5, batch_size: 16, verbose: false, ..Fit::default() };
    trainer.fit(&data, fit()).unwrap();
    let scores = trainer.evaluate(&data).unwrap();
    assert!(scores["accuracy"] > 0.97, "{scores}");
    // Padding changes nothing: each text alone has the same output.
    let (_, rest) = data.split_at(280);
    let together = trainer.predict(&rest.read(&(0..20).collect::<Vec<_>>()).unwrap().inputs).unwrap();
    for row in 0..20 {
        let alone = trainer.predict(&rest.read(&[row]).unwrap().inputs).unwrap();
        assert_eq!(alone.select(0, 0), together.select(0, row as isize));
    }
    assert_eq!(trainer.model().preparation::<TextVectorization>("words").unwrap(), words);
    assert_eq!(data.order(Some(1)).total(), Some(300));
}

#[test]
fn padded_targets_count_for_nothing() {
    // The next word of each: inputs and targets are padded, the mask comes from the inputs.
    let words = words();
    let sample = move |i: usize| {
        let ids = words.ids_of(&text(i).0)?;
        Ok((Tensor::from(&ids[..ids.len() - 1]), Tensor::from(&ids[1..])))
    };
    let padding = PadSequences::post();
    let data = |value: f64| IndexedDataset::from_sequences(60, padding, padding.value(value), sample.clone()).unwrap();
    let network =
        Sequential::new().add(Embedding::new(9, 4).mask_zero(true)).add(Dense::new(9).activation(Activation::Softmax));
    let model = Model::build(network, [None], 1).unwrap();
    let mut trainer =
        Trainer::new(model, SparseCategoricalCrossentropy::default(), Adam::default()).metric(Perplexity::default());
    let scores = trainer.evaluate(&data(0.0)).unwrap();
    // Whatever stands where nothing is, and e to the loss is the perplexity.
    assert_eq!(trainer.evaluate(&data(5.0)).unwrap(), scores);
    assert!((scores["loss"].exp() - scores["perplexity"]).abs() < 1e-4, "{scores}");
    trainer.fit(&data(0.0), Fit { epochs: 3, verbose: false, ..Fit::default() }).unwrap();
    assert!(trainer.evaluate(&data(0.0)).unwrap()["perplexity"] < scores["perplexity"]);
}
