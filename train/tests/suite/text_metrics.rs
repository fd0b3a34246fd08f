//! Scores of texts, held against sacreBLEU's and jiwer's; `reference/text_metrics.py` has written them.

use gradus_tensor::Tensor;
use gradus_train::metrics::{
    Bleu, Chrf, ErrorRate, Metric, Perplexity, bleu, character_error_rate, chrf, edit_distance, word_error_rate,
};
use gradus_train::state::NamedState;
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    pairs: Vec<(String, Vec<String>)>,
    bleu: Vec<Scores>,
    chrf: Vec<Scores>,
    rates: Vec<Rates>,
    all: AllRates,
}

#[derive(Deserialize)]
struct Scores {
    lowercase: bool,
    each: Vec<f64>,
    all: f64,
}

#[derive(Deserialize)]
struct Rates {
    reference: String,
    recognised: String,
    wer: f64,
    cer: f64,
}

#[derive(Deserialize)]
struct AllRates {
    wer: f64,
    cer: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../reference/text_metrics.json")).unwrap()
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-10 * expected.abs()
}

#[test]
fn bleu_is_that_of_sacrebleu() {
    let Reference { pairs, bleu: expected, .. } = reference();
    for Scores { lowercase, each, all } in expected {
        let mut corpus = Bleu::new().lowercase(lowercase);
        for ((text, references), expected) in pairs.iter().zip(each) {
            let mut one = Bleu::new().lowercase(lowercase);
            one.add(text, references);
            assert!(close(one.result(), expected), "{text:?}: {} {expected}", one.result());
            corpus.add(text, references);
        }
        assert!(close(corpus.result(), all), "{} {all}", corpus.result());
        let read: Bleu = serde_json::from_str(&serde_json::to_string(&corpus).unwrap()).unwrap();
        assert_eq!(read, corpus);
        corpus.reset();
        assert_eq!(corpus, Bleu::new().lowercase(lowercase));
    }
}

#[test]
fn chrf_is_that_of_sacrebleu() {
    let Reference { pairs, chrf: expected, .. } = reference();
    for Scores { lowercase, each, all } in expected {
        let mut corpus = Chrf::new().lowercase(lowercase);
        for ((text, references), expected) in pairs.iter().zip(each) {
            let mut one = Chrf::new().lowercase(lowercase);
            one.add(text, references);
            assert!(close(one.result(), expected), "{text:?}: {} {expected}", one.result());
            corpus.add(text, references);
        }
        assert!(close(corpus.result(), all), "{} {all}", corpus.result());
        corpus.reset();
        assert_eq!(corpus, Chrf::new().lowercase(lowercase));
    }
}

#[test]
fn error_rates_are_those_of_jiwer() {
    let Reference { rates, all, .. } = reference();
    for Rates { reference, recognised, wer, cer } in &rates {
        assert!(close(word_error_rate(&[reference], &[recognised]), *wer), "{reference:?} {recognised:?}");
        assert!(close(character_error_rate(&[reference], &[recognised]), *cer), "{reference:?} {recognised:?}");
    }
    let references: Vec<&str> = rates.iter().map(|rates| &*rates.reference).collect();
    let recognised: Vec<&str> = rates.iter().map(|rates| &*rates.recognised).collect();
    assert!(close(word_error_rate(&references, &recognised), all.wer));
    assert!(close(character_error_rate(&references, &recognised), all.cer));
    // All white space divides words, where jiwer takes only spaces for it.
    assert_eq!(word_error_rate(&["a\tb  c\u{a0}d"], &["a b\nc d"]), 0.0);
}

#[test]
fn the_edit_distance_is_the_least_of_all() {
    // Against the definition by recursion.
    fn by_definition(a: &[u8], b: &[u8]) -> usize {
        match (a, b) {
            ([], rest) | (rest, []) => rest.len(),
            ([x, a @ ..], [y, b @ ..]) => {
                let substituted = by_definition(a, b) + usize::from(x != y);
                substituted
                    .min(by_definition(a, &[&[*y], b].concat()) + 1)
                    .min(by_definition(&[&[*x], a].concat(), b) + 1)
            }
        }
    }
    let words =
        |number: usize| (0..number % 6).map(|place| b'a' + (number >> (2 * place) & 3) as u8).collect::<Vec<u8>>();
    for number in 0..400 {
        let (a, b) = (words(number * 7919), words(number * 104_729 + 3));
        assert_eq!(edit_distance(&a, &b), by_definition(&a, &b), "{a:?} {b:?}");
        assert_eq!(edit_distance(&b, &a), edit_distance(&a, &b));
    }
    let mut rate = ErrorRate::new();
    rate.add(&[1, 2], &[2]);
    rate.add::<i32>(&[], &[]);
    assert_eq!((rate.errors(), rate.length(), rate.result()), (1, 2, 0.5));
}

#[test]
fn perplexity_is_that_of_the_true_classes() {
    let update = |perplexity: &mut Perplexity, targets: Tensor, outputs: Tensor, weights: Option<Tensor>| {
        perplexity.update(&targets, &outputs, weights.as_ref()).unwrap();
    };
    let result = |perplexity: &Perplexity| Metric::<f32>::result(perplexity);
    // By hand: the probabilities 1/2, 1/8 and 1/4 have the geometric mean 1/4.
    let outputs = Tensor::new([[[0.5, 0.25, 0.25], [0.125, 0.375, 0.5]], [[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]);
    let targets = Tensor::new([[0.0, 0.0], [2.0, 1.0]]);
    let mut perplexity = Perplexity::default().ignore_class(1);
    update(&mut perplexity, targets.clone(), outputs.clone(), None);
    assert!(close(result(&perplexity), 4.0), "{}", result(&perplexity));
    // Only what is there, each position with the weight of its sequence.
    let mut masked = Perplexity::default();
    let mask = Tensor::from([[true, false], [true, false]]);
    masked.update_masked(&targets, &outputs, &mask, Some(&Tensor::new([1.0, 0.0]))).unwrap();
    assert!(close(result(&masked), 2.0), "{}", result(&masked));
    // Logits that differ from the logarithms by a constant; one-hot targets; two batches; weights by sample.
    let mut logits = Perplexity::default().from_logits(true);
    let [first, second] = [0, 1].map(|row| outputs.slice(0, row..row + 1).ln() + 30.0);
    update(&mut logits, targets.slice(0, ..1), first, Some(Tensor::new([2.0])));
    let one_hot = Tensor::new([[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]]);
    update(&mut logits, one_hot, second, Some(Tensor::new([1.0])));
    let expected = -(2.0 * (0.5_f64.ln() + 0.125_f64.ln()) + 0.25_f64.ln() + 0.8_f64.ln()) / 6.0;
    assert!((result(&logits) - expected.exp()).abs() < 1e-5);
    // Goes on from its state.
    let state = NamedState {
        name: "perplexity".to_owned(),
        state: Metric::<f32>::state(&logits),
        tensors: Metric::<f32>::tensors(&logits),
        only_watches: false,
    };
    let mut read = Perplexity::default().from_logits(true);
    Metric::<f32>::restore(&mut read, &state).unwrap();
    assert_eq!(result(&read), result(&logits));
    Metric::<f32>::reset(&mut read);
    assert_eq!(result(&read), 1.0);
    // Far logits neither overflow nor vanish; the impossible is infinite; NaN stays; a weight of 0 leaves out.
    let far = |row: [f32; 2], from_logits: bool, weight: f32| {
        let mut perplexity = Perplexity::default().from_logits(from_logits);
        update(&mut perplexity, Tensor::new([0.0]), Tensor::new([row]), Some(Tensor::new([weight])));
        result(&perplexity)
    };
    assert_eq!(far([1e30, -1e30], true, 1.0), 1.0);
    assert!(close(far([-3.0, -1003.0], true, 1.0), 1.0));
    assert_eq!(far([0.0, 1.0], false, 1.0), f64::INFINITY);
    assert_eq!(far([0.0, 1.0], false, 0.0), 1.0);
    assert!(far([0.5, f32::NAN], false, 1.0).is_nan());
    let error = Perplexity::default().update(&Tensor::new([0.0]), &Tensor::new([[3.0, -1.0]]), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "perplexity: outputs must be probabilities, found a least of -1 and a sum of 2 at row 0; end the network with a softmax, \
         or call `from_logits(true)` for logits"
    );
}

#[test]
#[should_panic(expected = "bleu: one reference for each text is needed: 2 texts, 1 references")]
fn texts_and_references_pair_up() {
    assert_eq!(chrf(&[""; 0], &[""; 0]), 0.0);
    bleu(&["a", "b"], &["a"]);
}

#[test]
fn of_references_as_near_in_length_the_shorter_one_counts() {
    // By hand: 4 tokens between references of 3 and of 5, as in sacreBLEU. All n-grams are right, and 4 is not too short.
    for references in [["a b c", "a b c d e"], ["a b c d e", "a b c"]] {
        let mut bleu = Bleu::new();
        bleu.add("a b c d", &references);
        assert!((bleu.result() - 100.0).abs() < 1e-9, "{}", bleu.result());
    }
}
