//! Texts as numbers, held against Keras's; `reference/text_vectorization.py` has written the numbers.

use gradus_datasets::{OutputMode, PadSequences, Side, Split, Standardize, TextVectorization, pad_sequences};
use gradus_tensor::Tensor;
use serde::Deserialize;
use serde_json::Value;

use crate::damage::damaged;

#[derive(Deserialize)]
struct Reference {
    adapted: Vec<String>,
    texts: Vec<String>,
    cases: Vec<Case>,
    sequences: Vec<Vec<i64>>,
    padded: Vec<Padded>,
}

#[derive(Deserialize)]
struct Case {
    options: serde_json::Map<String, Value>,
    vocabulary: Vec<String>,
    output: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Padded {
    options: serde_json::Map<String, Value>,
    output: Vec<Vec<i64>>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../reference/text_vectorization.json")).unwrap()
}

/// What Keras's options are here, as an option of serde is.
fn made<T: for<'de> Deserialize<'de>>(value: &Value) -> T {
    serde_json::from_value(if value.is_null() { "none".into() } else { value.clone() }).unwrap()
}

fn vectorization(options: &serde_json::Map<String, Value>) -> TextVectorization {
    let mut made_of = TextVectorization::new();
    for (name, value) in options {
        let number = || value.as_u64().unwrap() as usize;
        made_of = match name.as_str() {
            "standardize" => made_of.standardize(made(value)),
            "split" => made_of.split(made(value)),
            "output_mode" => made_of.output_mode(made(value)),
            "max_tokens" => made_of.max_tokens(number()),
            "output_sequence_length" => made_of.output_sequence_length(number()),
            "pad_to_max_tokens" => made_of.pad_to_max_tokens(value.as_bool().unwrap()),
            "ngrams" if value.is_array() => made_of.ngram_widths(made::<Vec<usize>>(value)),
            "ngrams" => made_of.ngrams(number()),
            _ => made_of,
        };
    }
    made_of
}

#[test]
fn numbers_and_vocabularies_are_those_of_keras() {
    let Reference { adapted, texts, cases, .. } = reference();
    assert!(cases.len() > 20);
    for Case { options, vocabulary, output } in cases {
        let made_of = vectorization(&options);
        let made_of = match options.get("vocabulary") {
            Some(tokens) => made_of.with_vocabulary(made::<Vec<String>>(tokens)).unwrap(),
            None => made_of.adapt(&adapted).unwrap(),
        };
        let made_of = match options.get("idf_weights") {
            Some(weights) => made_of.with_idf_weights(made::<Vec<f32>>(weights)).unwrap(),
            None => made_of,
        };
        assert_eq!(made_of.vocabulary(), vocabulary, "{options:?}");
        let read: TextVectorization = serde_json::from_str(&serde_json::to_string(&made_of).unwrap()).unwrap();
        assert_eq!(read, made_of);
        let found: Tensor<f64> = match options.get("output_mode") {
            None => read.ids(&texts).unwrap().to(),
            Some(_) => read.vectors(&texts).unwrap().to(),
        };
        let rows: Vec<Vec<f64>> = (0..texts.len()).map(|row| found.select(0, row as isize).to_vec()).collect();
        let close = |a: &f64, b: &f64| (a - b).abs() <= 1e-6 * b.abs();
        let fits = |(a, b): (&Vec<f64>, &Vec<f64>)| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b));
        assert!(rows.len() == output.len() && rows.iter().zip(&output).all(fits), "{options:?}: {rows:?} {output:?}");
    }
}

#[test]
fn sequences_are_padded_as_by_keras() {
    let Reference { sequences, padded, .. } = reference();
    assert_eq!(pad_sequences(&sequences).unwrap(), PadSequences::default().pad(&sequences).unwrap());
    for Padded { options, output } in padded {
        let padding: PadSequences = serde_json::from_value(Value::Object(options.clone())).unwrap();
        let found = padding.pad(&sequences).unwrap();
        assert_eq!(found.shape(), &[output.len(), output[0].len()]);
        assert_eq!(found.to_vec(), output.concat(), "{options:?}");
    }
    let none: [Vec<f32>; 0] = [];
    assert_eq!(PadSequences::post().pad(&none).unwrap().shape(), &[0, 0]);
    assert_eq!(PadSequences::post().pad(&[vec![0.5_f64], vec![]]).unwrap(), Tensor::from([[0.5_f64], [0.0]]));
    assert_eq!(PadSequences::post().maxlen(0).pad(&[[1_u8], [2]]).unwrap().shape(), &[2, 0]);
    assert!(PadSequences::post().maxlen(usize::MAX).pad(&[[1_u8], [2]]).is_err());
    assert_eq!(
        PadSequences::post().value(-1.0).pad(&[[1_u8], [2]]).unwrap_err().to_string(),
        "found padding of -1, expected a whole number from 0 to 255, which u8 has; choose another value"
    );
    assert!(PadSequences::post().value(0.5).pad(&[vec![1_i64], vec![]]).is_err());
    assert!(PadSequences::post().value(f64::NAN).pad(&[vec![1_i32], vec![]]).is_err());
    assert!(PadSequences::post().value(f64::NAN).pad(&[vec![1_f32], vec![]]).unwrap().get([1, 0]).is_nan());
}

#[test]
fn functions_take_part_and_are_asked_for_again_after_reading() {
    let split = Split::function("at_dashes", |text| text.split('-').map(str::to_owned).collect());
    let lower = Standardize::function("lower", str::to_lowercase);
    let parts = TextVectorization::new().standardize(lower.clone()).split(split.clone()).adapt(["Él-é-él"]).unwrap();
    assert_eq!(parts.vocabulary(), ["", "[UNK]", "él", "é"]);
    let written = serde_json::to_string(&parts).unwrap();
    assert!(written.contains(r#""split":{"function":"at_dashes"}"#), "{written}");
    let read: TextVectorization = serde_json::from_str(&written).unwrap();
    assert_eq!(
        read.ids_of("é").unwrap_err().to_string(),
        "found the name \"lower\" of a function, read from a file, expected a function to standardize the text; give the \
         function again, by `standardize`"
    );
    assert_eq!(read.standardize(lower).split(split).ids_of("É-x").unwrap(), [3, 1]);
}

#[test]
fn what_was_encoded_comes_back() {
    let letters =
        TextVectorization::new().standardize(Standardize::None).split(Split::Character).adapt(["añb\n"]).unwrap();
    assert_eq!(letters.decode(&letters.ids_of("b\nña?").unwrap()).unwrap(), "b\nña[UNK]");
    let words = TextVectorization::new().adapt(["one two"]).unwrap();
    assert_eq!(words.decode(&[3, 0, 2, 0]).unwrap(), "one two");
    assert_eq!(
        words.decode(&[2, 4]).unwrap_err().to_string(),
        "sample 1: found the id 4, expected an id from 0 to 3; decode by the vocabulary that the ids were made by"
    );
    assert!(words.decode(&[-1]).is_err());
    let empty: [&str; 0] = [];
    assert_eq!(words.ids(empty).unwrap().shape(), &[0, 0]);
    assert_eq!(words.ids([""]).unwrap().shape(), &[1, 0]);
}

#[test]
fn what_does_not_fit_is_said() {
    let message = |result: gradus_datasets::Result<TextVectorization>| result.unwrap_err().to_string();
    let new = TextVectorization::new;
    assert!(message(new().adapt([""])).starts_with("found no token in the texts, expected at least one token"));
    assert_eq!(
        message(new().with_vocabulary(["a", "b", "a"])),
        "sample 2: found the token \"a\" of place 0 again, expected a vocabulary of different tokens; give each token once"
    );
    assert!(message(new().with_vocabulary(["a", "[UNK]"])).contains("in the midst of the vocabulary"));
    assert!(message(new().max_tokens(3).with_vocabulary(["a", "b"])).contains("raise max_tokens"));
    assert!(
        message(new().with_vocabulary(["a"]).unwrap().with_idf_weights([1.0, 2.0])).contains("expected 1, as many")
    );
    let error = |result: gradus_datasets::Result<Tensor<f32>>| result.unwrap_err().to_string();
    let words = new().with_vocabulary(["a"]).unwrap();
    assert!(error(words.vectors(["a"])).ends_with("call `ids`"));
    assert!(error(new().output_mode(OutputMode::Count).vectors(["a"])).starts_with("found no vocabulary"));
    assert!(
        error(words.clone().output_mode(OutputMode::TfIdf).vectors(["a"])).starts_with("found no inverse document")
    );
    let padded = words.output_mode(OutputMode::Count).pad_to_max_tokens(true);
    assert!(error(padded.vectors(["a"])).starts_with("found pad_to_max_tokens without max_tokens"));
    // What a file says is checked too.
    let twice = r#"{"vocabulary": ["a", "a"]}"#;
    assert!(serde_json::from_str::<TextVectorization>(twice).is_err());
    assert_eq!(serde_json::from_str::<Side>("\"post\"").unwrap(), Side::Post);
}

#[test]
fn no_damage_of_what_was_written_does_more_than_fail() {
    for (mode, ngrams) in [(OutputMode::Int, 2), (OutputMode::TfIdf, 1)] {
        let words = TextVectorization::new().ngrams(ngrams).output_mode(mode).max_tokens(20).output_sequence_length(5);
        let words = words.pad_to_max_tokens(true).adapt(["to be", "or not to be"]).unwrap();
        for bytes in damaged(&serde_json::to_vec(&words).unwrap()) {
            let Ok(read) = serde_json::from_slice::<TextVectorization>(&bytes) else { continue };
            // What is larger would only take time.
            let written: Value = serde_json::to_value(&read).unwrap();
            if ["max_tokens", "output_sequence_length"]
                .iter()
                .any(|of| written[of].as_u64().is_some_and(|n| n > 10_000))
            {
                continue;
            }
            let texts = ["to be or not", "", "é be"];
            if let Ok(ids) = read.ids(texts) {
                let size = read.vocabulary_size() as i64;
                assert!(ids.iter().all(|id| (0..size).contains(&id)), "{}", String::from_utf8_lossy(&bytes));
            }
            let _ = read.vectors(texts);
        }
    }
    // A width that no memory holds.
    let wide = r#"{"vocabulary": ["a"], "output_mode": "count", "pad_to_max_tokens": true, "max_tokens": 9223372036854775807}"#;
    let wide: TextVectorization = serde_json::from_str(wide).unwrap();
    assert!(wide.vectors(["a", "b", "c"]).unwrap_err().to_string().contains("more bytes than memory holds"));
    let long = TextVectorization::new().output_sequence_length(1 << 60).with_vocabulary(["a"]).unwrap();
    assert!(long.ids(["a"]).unwrap_err().to_string().contains("more bytes than memory holds"));
}
