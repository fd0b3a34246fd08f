//! Sequences part by part: attention with its keys and values remembered, positions that go on, what is refused.

use gradus_nn::*;
use gradus_tensor::{Float, Generator, Tensor};

const LENGTH: usize = 9;
/// The positions that layers know: a model with free lengths is built for 8 and 16 to see what varies.
const MOST: usize = 16;

fn ids(n: usize, length: usize, seed: u64) -> Tensor<i64> {
    Generator::new(seed).integers([n, length], 0..7)
}

/// Networks from ids to logits of 7 ids, with the layers that remember in all their forms.
fn networks() -> Vec<(&'static str, Graph)> {
    let table = || Sequential::new().add(TokenAndPositionEmbedding::new(7, MOST, 8));
    let embedding = || Sequential::new().add(Embedding::new(7, 8));
    let head = |network: Sequential| -> Graph { network.add(LayerNormalization::new()).add(Dense::new(7)).into() };
    let with_positions = |positions: LayerHandle| {
        let mut graph = Graph::builder();
        let ids = graph.input();
        let x = graph.add(Embedding::new(7, 8), [ids]);
        let places = graph.add(&positions, [x]);
        let x = graph.add(Add, [x, places]);
        let y = graph.add(TransformerDecoder::new(16, 2), [x]);
        graph.output(y)
    };
    let attention = MultiHeadAttention::new(2, 4).use_causal_mask(true);
    let mut three = Graph::builder();
    let x = three.input();
    let x = three.add(Embedding::new(7, 8), [x]);
    let [value, key] = [6, 5].map(|units| three.add(Dense::new(units), [x]));
    let y = three.add(attention.clone().value_dim(3).output_shape(10), [x, value, key]);
    let causal = Residual::new(DepthwiseConv1D::new([2]).padding(Padding::Causal).dilation_rate([3]));
    let windows = Sequential::new()
        .add(Conv1D::new(8, [3]).padding(Padding::Causal).activation(Activation::Relu))
        .add(causal)
        .add(SeparableConv1D::new(8, [4]).padding(Padding::Causal))
        .add(BatchNormalization::new());
    let masked = Sequential::new().add(TokenAndPositionEmbedding::new(7, MOST, 8).mask_zero(true));
    vec![
        ("two blocks", head(table().add(TransformerDecoder::new(16, 2)).add(TransformerDecoder::new(12, 4)))),
        ("normalised first", head(table().add(TransformerDecoder::new(16, 2).normalize_first(true).dropout(0.3)))),
        (
            "scores",
            head(table().add(MultiHeadAttention::new(2, 4).use_causal_mask(true).return_attention_scores(true))),
        ),
        ("learned positions", with_positions(LayerHandle::new(PositionEmbedding::new(MOST)))),
        ("sines", with_positions(LayerHandle::new(SinePositionEncoding::new(100.0)))),
        ("turned by a layer", head(embedding().add(RotaryEmbedding::new(50.0)).add(attention.clone()))),
        ("turned within", head(embedding().add(Residual::new(attention.clone().rope_max_wavelength(50.0))))),
        (
            "grouped",
            head(embedding().add(GroupedQueryAttention::new(4, 4, 2).use_causal_mask(true).rope_max_wavelength(9.0))),
        ),
        ("no biases", head(table().add(GroupedQueryAttention::new(3, 4, 1).use_causal_mask(true).use_bias(false)))),
        ("queries, values, keys", three.output(y)),
        ("padding", head(masked.clone().add(TransformerDecoder::new(16, 2)).add(LSTM::new(5).return_sequences(true)))),
        ("windows", head(embedding().add(windows.clone()).add(Conv1D::new(8, [1])))),
        ("windows over padding", head(masked.add(windows))),
        (
            "a network within",
            head(table().add(Sequential::new().add(TransformerDecoder::new(16, 2)).add(BatchNormalization::new()))),
        ),
        (
            "recurrent",
            head(
                table()
                    .add(TransformerDecoder::new(8, 2))
                    .add(TimeDistributed::new(Dense::new(4)))
                    .add(GRU::new(8).return_sequences(true)),
            ),
        ),
        (
            "last output",
            table()
                .add(TransformerDecoder::new(8, 2))
                .add(GRU::new(5))
                .add(Dense::new(4))
                .add(RepeatVector::new(3))
                .add(LSTM::new(2))
                .into(),
        ),
    ]
}

fn step_by_step<T: Float>(tolerance: f64) {
    for (name, network) in networks() {
        let model = Model::<T>::build_as(network, [None], 3).unwrap();
        let ids = ids(3, LENGTH, 5);
        for cuts in [&[0, 9][..], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &[0, 4, 5, 9], &[0, 0, 3, 3, 9]] {
            let mut states = SequenceStates::<T>::new();
            for ends in cuts.windows(2) {
                // Recurrent outputs and windows of nothing are errors.
                if ends[0] == ends[1] && (name == "last output" || name.starts_with("windows")) {
                    continue;
                }
                let part = model.predict_next(ids.slice(1, ends[0]..ends[1]), &mut states).unwrap();
                let whole = model.predict(ids.slice(1, ..ends[1])).unwrap();
                let expected = if name == "last output" { whole } else { whole.slice(1, ends[0] as isize..) };
                assert!(part.allclose(&expected, tolerance, tolerance), "{name}, {cuts:?}: {part:?}, not {expected:?}");
            }
        }
    }
}

#[test]
fn parts_are_as_the_whole() {
    step_by_step::<f32>(1e-5);
    step_by_step::<f64>(1e-12);
}

/// A translator from ids to logits; 0 is padding in the source.
fn translator<T: Float>() -> Model<T> {
    let mut graph = Graph::builder();
    let (source, target) = (graph.input_named("source"), graph.input_named("target"));
    let x = graph.add(TokenAndPositionEmbedding::new(7, MOST, 8).mask_zero(true), [source]);
    let encoded =
        graph.add(Sequential::new().add(TransformerEncoder::new(16, 2)).add(TransformerEncoder::new(16, 2)), [x]);
    let x = graph.add(TokenAndPositionEmbedding::new(7, MOST, 8), [target]);
    let x = graph.add(TransformerDecoder::new(16, 2), [x, encoded]);
    let x = graph.add(TransformerDecoder::new(16, 2), [x, encoded]);
    let y = graph.add(Dense::new(7), [x]);
    let inputs = [Input::named("source", [None]), Input::named("target", [None])];
    Model::build_as(graph.output(y), inputs, 1).unwrap()
}

#[test]
fn inputs_that_are_whole_are_given_once() {
    let model = translator::<f64>();
    let (source, target) = (ids(4, 6, 1), ids(4, LENGTH, 2));
    let whole = model.predict((&source, &target)).unwrap();
    let mut states = SequenceStates::new().whole("source", &source);
    let first = model.predict_next(target.slice(1, ..3), &mut states).unwrap();
    assert!(first.allclose(&whole.slice(1, ..3), 1e-12, 1e-12));
    // From here on some sequences twice and one not at all, with their sources.
    let chosen = [2, 0, 2, 3, 3];
    states.select(&chosen);
    for step in 3..LENGTH {
        let next = model.predict_next(target.take_rows(&chosen).slice(1, step..step + 1), &mut states).unwrap();
        assert!(next.allclose(&whole.take_rows(&chosen).slice(1, step..step + 1), 1e-12, 1e-12), "{step}");
    }
}

#[test]
fn a_beam_search_selects_states() {
    let model = translator::<f64>();
    let source = Tensor::from([[3, 1, 4, 0], [5, 2, 6, 1]]);
    let search = BeamSearch::new(3, 0, 7);
    let prompts = [[1_i64], [1]];
    let expected = search.search_all(&prompts, |beams| {
        let prompts: Vec<usize> = beams.iter().map(|beam| beam.prompt).collect();
        let ids: Tensor<i64> = beams.iter().flat_map(|beam| beam.ids.clone()).collect();
        let ids = ids.reshape([beams.len(), beams[0].ids.len()]);
        Ok(model.predict((source.take_rows(&prompts), ids))?.select(1, -1))
    });
    let mut states = SequenceStates::new().whole("source", &source);
    let found = search.search_all(&prompts, |beams| {
        states.select(&beams.iter().map(|beam| beam.parent).collect::<Vec<_>>());
        let last: Tensor<i64> = beams.iter().map(|beam| beam.ids[beam.ids.len() - 1]).collect();
        Ok(model.predict_next(last.unsqueeze(1), &mut states)?.select(1, -1))
    });
    for (found, expected) in found.unwrap().iter().flatten().zip(expected.unwrap().iter().flatten()) {
        assert_eq!(found.ids, expected.ids);
        assert!((found.score - expected.score).abs() < 1e-9);
    }
}

#[test]
fn errors_leave_the_states_as_they_were() {
    let network = Sequential::new().add(TokenAndPositionEmbedding::new(7, MOST, 8)).add(TransformerDecoder::new(16, 2));
    let model = Model::build(network, [None], 3).unwrap();
    let mut states = SequenceStates::new();
    let ids = ids(2, MOST, 3);
    model.predict_next(ids.slice(1, ..15), &mut states).unwrap();
    let mut error = |ids: Tensor<i64>| model.predict_next(ids, &mut states).unwrap_err().to_string();
    assert_eq!(
        error(ids.slice(1, ..2)),
        "predict_next: layer 0 (TokenAndPositionEmbedding): 2 positions after 15 are more than the 16 it knows; begin anew with the \
         last ones, or give a larger sequence_length"
    );
    assert!(error(Tensor::from([[7], [1]])).contains("the id 7"));
    assert!(error(Tensor::from([[1], [1], [2]])).contains("the states are those of 2 sequences, found 3"));
    let last = model.predict_next(ids.slice(1, 15..), &mut states).unwrap();
    assert!(last.allclose(&model.predict(&ids).unwrap().slice(1, 15..), 1e-5, 1e-5));
}

#[test]
fn what_needs_the_whole_is_refused() {
    let refusal = |layer: LayerHandle| {
        let model = Model::build(Sequential::new().add(&layer), [None, Some(8)], 0).unwrap();
        model.predict_next(Tensor::<f32>::ones([1, 4, 8]), &mut SequenceStates::new()).unwrap_err().to_string()
    };
    let several = "computes with several positions of a sequence, and is given a part of them";
    for layer in [
        LayerHandle::new(Conv1D::new(2, [3]).padding(Padding::Same)),
        LayerHandle::new(MaxPooling1D::new([2])),
        LayerHandle::new(GlobalAveragePooling1D::new()),
        LayerHandle::new(GlobalMaxPooling1D::new()),
        LayerHandle::new(Sequential::new().add(Conv1D::new(8, [3]))),
        LayerHandle::new(Conv1D::new(8, [3]).padding(Padding::Causal).strides([2])),
        LayerHandle::new(Residual::new(Conv1D::new(8, [3]).padding(Padding::Same))),
        LayerHandle::new(GroupNormalization::new().groups(2)),
    ] {
        let error = refusal(layer);
        assert!(error.starts_with("predict_next: ") && error.contains(several), "{error}");
    }
    for layer in [
        LayerHandle::new(MultiHeadAttention::new(2, 4)),
        LayerHandle::new(GroupedQueryAttention::new(4, 2, 1)),
        LayerHandle::new(TransformerEncoder::new(8, 2)),
        LayerHandle::new(TransformerDecoder::new(8, 2).use_causal_mask(false)),
    ] {
        let error = refusal(layer);
        assert!(error.contains("each position sees later ones"), "{error}");
    }
    // A model for one length, and an input that is no sequence.
    let fixed = Model::build(Sequential::new().add(GRU::new(2)), [4, 8], 0).unwrap();
    let error = fixed.predict_next(Tensor::<f32>::ones([1, 4, 8]), &mut SequenceStates::new()).unwrap_err().to_string();
    assert!(error.contains("does not come part by part") && error.contains("with None"), "{error}");
    let error = translator::<f32>().predict_next((ids(1, 2, 0), ids(1, 2, 0)), &mut SequenceStates::new()).unwrap_err();
    assert!(error.to_string().contains("each position sees later ones"), "{error}");
    let mut states = SequenceStates::<f32>::new().whole("sauce", ids(1, 2, 0));
    let error = translator::<f32>().predict_next(ids(1, 2, 0), &mut states).unwrap_err().to_string();
    assert!(error.contains("sauce"), "{error}");
}

#[test]
fn generation_is_that_of_whole_sequences() {
    let network =
        || Sequential::new().add(TokenAndPositionEmbedding::new(7, MOST, 8)).add(TransformerDecoder::new(16, 2));
    let model = Model::build(network().add(Dense::new(7)), [None], 3).unwrap();
    let sampler = Sampler::random().temperature(1.5);
    let logits = |ids: &[i64]| Ok(model.predict(Tensor::from(ids.to_vec()).unsqueeze(0))?.select(1, -1).select(0, 0));
    let expected = sampler.generate(&[3, 1], 14, None, &mut Generator::new(8), logits).unwrap();
    let mut generation = model.generate(&[3, 1], sampler, Generator::new(8));
    let found: Vec<i64> = generation.by_ref().take(14).map(Result::unwrap).collect();
    assert_eq!(found, expected[2..]);
    // The last position has the 14th id that was drawn; another is one too many.
    assert!(generation.next().unwrap().is_ok());
    assert!(generation.next().unwrap().unwrap_err().to_string().contains("1 positions after 16"));
    assert!(generation.next().is_none());
    // With a context of 6 the last 3 ids begin anew.
    let windowed = |ids: &[i64]| {
        let begun = if ids.len() <= 6 { 0 } else { 4 + (ids.len() - 7) / 4 * 4 };
        logits(&ids[begun..])
    };
    let expected = sampler.generate(&[3, 1], 20, None, &mut Generator::new(8), windowed).unwrap();
    let found: Vec<i64> =
        model.generate(&[3, 1], sampler, Generator::new(8)).context(6).take(20).map(Result::unwrap).collect();
    assert_eq!(found, expected[2..]);
    assert!(model.generate(&[], sampler, Generator::new(8)).next().unwrap().is_err());
}
