//! An encoder and a decoder, trained end to end: sequences of different lengths are said backwards, found by beam search.

use gradus_datasets::{IndexedDataset, PadSequences};
use gradus_nn::losses::SparseCategoricalCrossentropy;
use gradus_nn::{
    Add, BeamSearch, Graph, GraphBuilder, Initializer, Input, LayerHandle, Matching, Model, Node, ReversibleEmbedding,
    SinePositionEncoding, TransformerDecoder, TransformerEncoder,
};
use gradus_optim::{Adam, IntoOptimizer, OneCycle};
use gradus_tensor::{Columns, Generator, Tensor};
use gradus_train::{Fit, Trainer};

const IDS: usize = 9;
const START: i64 = 1;
const END: i64 = 2;
const WIDTH: usize = 32;
const EPOCHS: usize = 10;
const BATCH: usize = 16;

/// Sequences of 2 to 5 ids from 3 on.
fn sequences(count: usize, seed: u64) -> Vec<Vec<i64>> {
    let mut generator = Generator::new(seed);
    let mut id = move |_| 3 + generator.next_below(IDS as u64 - 3) as i64;
    (0..count).map(|i| (0..2 + i % 4).map(&mut id).collect()).collect()
}

/// Ids and what is written of their reverse so far, to the logits of what comes next; and with the weights of attention.
fn network(shows_attention: bool) -> Graph {
    let table = LayerHandle::new(
        ReversibleEmbedding::new(IDS, WIDTH)
            .embeddings_initializer(Initializer::RandomNormal { mean: 0.0, stddev: 0.5 })
            .mask_zero(true),
    );
    let mut graph = Graph::builder();
    let embedded = |graph: &mut GraphBuilder, ids: Node| {
        let x = graph.add(&table, [ids]);
        let positions = graph.add(SinePositionEncoding::new(100.0), [x]);
        graph.add(Add, [x, positions])
    };
    let (source, target) = (graph.input_named("source"), graph.input_named("target"));
    let x = embedded(&mut graph, source);
    let y = embedded(&mut graph, target);
    let x = graph.add(TransformerEncoder::new(64, 4), [x]);
    let decoder = TransformerDecoder::new(64, 4).return_attention_scores(shows_attention);
    let y = graph.add(decoder, [y, x]);
    let logits = graph.add_named("logits", &table, [y]);
    if shows_attention { graph.outputs([logits, y.output(1)]) } else { graph.output(logits) }
}

fn built(network: Graph) -> Model {
    Model::build(network, [Input::named("source", [None]), Input::named("target", [None])], 1).unwrap()
}

fn columns(sources: &[&[i64]], targets: &[&[i64]]) -> Columns {
    let padded = |rows: &[&[i64]]| PadSequences::post().pad(rows).unwrap();
    Columns::new().with("source", padded(sources)).with("target", padded(targets))
}

#[test]
fn sequences_are_said_backwards() {
    let pairs: Vec<(Vec<i64>, Vec<i64>)> =
        sequences(1500, 1).into_iter().map(|ids| (ids.clone(), ids.into_iter().rev().collect())).collect();
    let lengths: Vec<usize> = pairs.iter().map(|(ids, _)| ids.len()).collect();
    let sample = move |i: usize| {
        let (source, target) = &pairs[i];
        let read = Tensor::from([&[START], &target[..]].concat());
        let inputs = Columns::new().with("source", Tensor::from(&source[..])).with("target", read);
        Ok((inputs, Tensor::from([&target[..], &[END]].concat())))
    };
    let padding = PadSequences::post();
    let data = IndexedDataset::from_sequences(1500, padding, padding, sample).unwrap().bucketed(lengths).unwrap();
    let steps = (EPOCHS * data.len().div_ceil(BATCH)) as u64;
    let adam = Adam::default().learning_rate(OneCycle::new(0.005, steps));
    let loss = SparseCategoricalCrossentropy::default().from_logits(true).label_smoothing(0.1);
    let mut trainer = Trainer::new(built(network(false)), loss, adam);
    trainer.fit(&data, Fit { epochs: EPOCHS, batch_size: BATCH, verbose: false, ..Fit::default() }).unwrap();
    let model = trainer.model();

    // Further sequences, of all lengths in one search; the long ones are new.
    let sources: Vec<Vec<i64>> = sequences(40, 2);
    let step = |beams: &[gradus_nn::Beam]| {
        let of_beams: Vec<&[i64]> = beams.iter().map(|beam| &sources[beam.prompt][..]).collect();
        let written: Vec<&[i64]> = beams.iter().map(|beam| &beam.ids[..]).collect();
        Ok(model.predict(columns(&of_beams, &written))?.select(1, -1))
    };
    let found = BeamSearch::new(3, END, 8).length_penalty(1.0).search_all(&[[START]; 40], step).unwrap();
    let is_reversed = |(source, found): (&Vec<i64>, &Vec<gradus_nn::Hypothesis>)| {
        let expected: Vec<i64> = [START].into_iter().chain(source.iter().rev().copied()).chain([END]).collect();
        found[0].ids == expected
    };
    let right = sources.iter().zip(&found).filter(|&pair| is_reversed(pair)).count();
    assert!(right >= 38, "{right} of 40");

    // Padding of the source changes nothing, and is not looked at.
    let (long, short): (&[i64], &[i64]) = (&[3, 4, 5, 6, 7], &[8, 5]);
    let written: &[i64] = &[START, 5, 8];
    let alone = model.predict(columns(&[short], &[written])).unwrap();
    let together = model.predict(columns(&[long, short], &[written, written])).unwrap();
    assert!(alone.select(0, 0).allclose(&together.select(0, 1), 1e-4, 1e-4));
    let mut shown = built(network(true));
    shown.copy_weights_from(model, &Matching::new()).unwrap();
    let outputs = shown.predict_all(columns(&[long, short], &[written, written])).unwrap();
    assert!(outputs[0].allclose(&together, 1e-4, 1e-4));
    let weights = outputs[1].select(0, 1);
    assert_eq!(weights.shape(), &[4, 3, 5]);
    assert_eq!(weights.slice(2, 2..).abs().max(..).item(), 0.0);
    assert!(weights.sum(-1).allclose(&Tensor::ones([4, 3]), 1e-5, 1e-5));
}
