//! Sampling and beam search where a choice is on the edge.

use gradus_nn::{BeamSearch, Sampler};
use gradus_tensor::{Generator, Tensor};

#[test]
fn exactly_enough_probability_is_a_nucleus() {
    // By hand: the first two of four ids that are as likely are a half.
    let (logits, mut generator) = (Tensor::<f64>::zeros([4]), Generator::new(1));
    let sampler = Sampler::random().top_p(0.5);
    let drawn: Vec<usize> = (0..100).map(|_| sampler.pick(&logits, &mut generator).unwrap()).collect();
    assert!((0..2).all(|id| drawn.contains(&id)) && drawn.iter().all(|&id| id < 2), "{drawn:?}");
}

#[test]
fn a_sequence_ends_with_its_end() {
    let step = |_: &[i64]| Ok(Tensor::new([0.0, 0.0, 1.0]));
    let generate = |end| Sampler::greedy().generate(&[1], 3, end, &mut Generator::new(0), step).unwrap();
    assert_eq!(generate(Some(2)), [1, 2]);
    assert_eq!(generate(Some(0)), [1, 2, 2, 2]);
    assert_eq!(generate(None), [1, 2, 2, 2]);
}

#[test]
fn the_search_goes_on_while_a_longer_sequence_may_be_better() {
    // The end (0) and 1 are as likely; behind 1 all is sure up to a length of 4. By hand: with a penalty of 2 the scores are
    // ln 0.5 and ln 0.5 / 2.25. One beam is enough, though the first candidate ends.
    let step = |sequences: &[Vec<i64>]| {
        let row = |ids: &Vec<i64>| match ids[..] {
            [7, 8] => [0.5, 0.5],
            [7, 8, 1, 1, 1] => [1.0, 0.0],
            [7, 8, ..] => [0.0, 1.0],
            _ => panic!("the prompt is missing: {ids:?}"),
        };
        Ok(sequences.iter().flat_map(row).map(f64::ln).collect::<Tensor<f64>>().reshape([sequences.len(), 2]))
    };
    let found = |penalty: f64| BeamSearch::new(1, 0, 4).length_penalty(penalty).search(&[7, 8], step).unwrap();
    assert_eq!(found(0.0)[0].ids, [7, 8, 0]);
    assert_eq!(found(2.0)[0].ids, [7, 8, 1, 1, 1, 0]);
}
