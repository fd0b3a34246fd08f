//! Recurrent layers in networks: sequences part by part, padding, first weights, files, mistakes.

use gradus_nn::*;
use gradus_tensor::{Generator, Tensor};

fn sequences(n: usize, steps: usize, features: usize) -> Tensor {
    Generator::new(5).normal([n, steps, features], 0.0, 1.0)
}

fn stacked() -> Sequential {
    Sequential::new()
        .add(LSTM::new(5).return_sequences(true))
        .add(TimeDistributed::new(Dense::new(4).activation(Activation::Tanh)))
        .add(GRU::new(3).return_sequences(true))
        .add(SimpleRNN::new(4).return_sequences(true))
}

#[test]
fn sequences_part_by_part_are_as_whole_ones() {
    let model = Model::build(stacked(), [None, Some(2)], 1).unwrap();
    let x = sequences(3, 7, 2);
    let whole = model.predict(&x).unwrap();
    for cuts in [&[0, 7][..], &[0, 1, 2, 3, 4, 5, 6, 7], &[0, 3, 4, 7]] {
        let mut states = SequenceStates::new();
        let part = |ends: &[usize]| model.predict_next(x.slice(1, ends[0]..ends[1]), &mut states).unwrap();
        let parts: Vec<Tensor> = cuts.windows(2).map(part).collect();
        assert!(Tensor::concat(&parts, 1).allclose(&whole, 1e-6, 1e-6), "{cuts:?}");
    }
    // A clone of the states is a branch of its own.
    let mut states = SequenceStates::new();
    model.predict_next(x.slice(1, ..4), &mut states).unwrap();
    let mut other = states.clone();
    let next = model.predict_next(x.slice(1, 4..), &mut states).unwrap();
    assert_eq!(model.predict_next(x.slice(1, 4..), &mut other).unwrap(), next);
}

#[test]
fn ways_back_are_refused() {
    for layer in [LayerHandle::new(Bidirectional::new(GRU::new(3))), LayerHandle::new(LSTM::new(2).go_backwards(true))]
    {
        let model = Model::build(Sequential::new().add(&layer), [None, Some(2)], 1).unwrap();
        let error = model.predict_next(sequences(2, 4, 2), &mut SequenceStates::new()).unwrap_err().to_string();
        assert!(
            error.contains("computes with several positions of a sequence, and is given a part of them"),
            "{error}"
        );
    }
}

#[test]
fn states_are_those_of_some_sequences() {
    let model = Model::build(Sequential::new().add(GRU::new(3)), [None, Some(2)], 1).unwrap();
    let mut states = SequenceStates::new();
    model.predict_next(sequences(3, 2, 2), &mut states).unwrap();
    let error = model.predict_next(sequences(2, 2, 2), &mut states).unwrap_err().to_string();
    let expected = "predict_next: the states are those of 3 sequences, found 2; begin with new SequenceStates, or give the next \
                    positions of the same sequences";
    assert_eq!(error, expected);
}

#[test]
fn padding_changes_nothing() {
    let ids = |rows: &[&[i64]], length: usize| -> Tensor<i64> {
        let padded = rows.iter().flat_map(|row| (0..length).map(|i| row.get(i).copied().unwrap_or(0)));
        padded.collect::<Tensor<i64>>().reshape([rows.len(), length])
    };
    let rows: [&[i64]; 3] = [&[4, 2, 5], &[1], &[3, 3, 3, 1, 2]];
    for last in [
        LayerHandle::new(LSTM::new(4)),
        LayerHandle::new(GRU::new(4)),
        LayerHandle::new(SimpleRNN::new(4)),
        LayerHandle::new(Bidirectional::new(LSTM::new(4))),
        LayerHandle::new(Bidirectional::new(GRU::new(4).return_sequences(true)).merge_mode(MergeMode::Ave)),
    ] {
        let network = Sequential::new()
            .add(Embedding::new(6, 3).mask_zero(true))
            .add(Bidirectional::new(LSTM::new(3).return_sequences(true)))
            .add(&last)
            .add(Dense::new(2));
        let model = Model::build(network, [None], 3).unwrap();
        let together = model.predict(ids(&rows, 7)).unwrap();
        for (index, row) in rows.iter().enumerate() {
            let alone = model.predict(ids(&[row], row.len())).unwrap();
            let found = together.slice(0, index..index + 1);
            let found = if found.ndim() == 3 { found.slice(1, ..row.len()) } else { found };
            assert!(found.allclose(&alone, 1e-6, 1e-6), "{index}: {found:?}, {alone:?}");
        }
    }
}

#[test]
fn the_forget_gate_begins_open_and_files_keep_it() {
    let network = || Sequential::new().add(LSTM::new(2)).add(Dense::new(1));
    let mut model = Model::build(network(), [3, 2], 1).unwrap();
    let bias = |model: &Model| model.params().get("0/bias").unwrap().value.clone();
    assert_eq!(bias(&model), Tensor::new([0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]));
    let other =
        Sequential::new().add(LSTM::new(2).unit_forget_bias(false).bias_initializer(Initializer::Constant(0.5)));
    assert_eq!(bias(&Model::build(other, [3, 2], 1).unwrap()), Tensor::full([8], 0.5));
    // Weights that are read are not drawn again, nor those of another length of sequences.
    model.params_mut().get_mut("0/bias").unwrap().value = Tensor::full([8], 0.25);
    let folder = std::env::temp_dir().join(format!("gradus-recurrent-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("model.safetensors");
    model.save(&path).unwrap();
    let copy = Model::load(&path).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(bias(&copy), Tensor::full([8], 0.25));
    let x = sequences(2, 3, 2);
    assert_eq!(copy.predict(&x).unwrap(), model.predict(&x).unwrap());
}

#[test]
fn dropout_is_the_same_at_all_steps_and_scales_what_is_kept() {
    // By hand: a cell without recurrence copies its input, h' = x, of which a half of the features is dropped.
    let network = Sequential::new().add(
        SimpleRNN::new(40)
            .activation(Activation::Linear)
            .recurrent_initializer(Initializer::Zeros)
            .return_sequences(true)
            .dropout(0.5),
    );
    let mut model = Model::build(network, [6, 40], 1).unwrap();
    let identity = (0..1600).map(|i| if i % 41 == 0 { 1.0 } else { 0.0 }).collect::<Tensor>().reshape([40, 40]);
    model.params_mut().get_mut("0/kernel").unwrap().value = identity.clone();
    let x = Tensor::ones([3, 6, 40]);
    assert_eq!(model.predict(&x).unwrap(), x);
    let pass = model.grad(&x, &x, None, &losses::MeanSquaredError, &mut Generator::new(2)).unwrap();
    let y = &pass.outputs[0];
    assert!(y.iter().all(|y| y == 0.0 || y == 2.0));
    assert_eq!(*y, y.slice(1, ..1).broadcast_to([3, 6, 40]));
    assert_ne!(y.select(0, 0), y.select(0, 1));
    // And of the states: h' = h, from ones, loses a half at each step, the same half.
    let mut graph = Graph::builder();
    let (x, first) = (graph.input(), graph.input());
    let cell = SimpleRNN::new(40).activation(Activation::Linear).return_sequences(true).recurrent_dropout(0.5);
    let node = graph.add_named("cell", cell, [x, first]);
    let mut model = Model::build(graph.output(node), [Input::from([3, 1]), Input::from([40])], 1).unwrap();
    model.params_mut().get_mut("cell/recurrent_kernel").unwrap().value = identity;
    let inputs = (Tensor::<f32>::zeros([2, 3, 1]), Tensor::<f32>::ones([2, 40]));
    let target = Tensor::<f32>::zeros([2, 3, 40]);
    let pass = model.grad(inputs, &target, None, &losses::MeanSquaredError, &mut Generator::new(2)).unwrap();
    let y = &pass.outputs[0];
    let kept = y.select(1, 0).greater(0.0);
    for (step, value) in [2.0, 4.0, 8.0].into_iter().enumerate() {
        assert_eq!(y.select(1, step as isize), kept.where_(value, 0.0));
    }
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let error = |network: Sequential, shape: &[usize]| Model::build(network, shape, 1).err().unwrap().to_string();
    let lstm = || Sequential::new().add(LSTM::new(2));
    let expected = "layer 0 (LSTM): takes sequences, samples of shape [steps, features], found [4]; put an Embedding or a Reshape \
                    before it, or return_sequences in the layer before";
    assert_eq!(error(lstm(), &[4]), expected);
    assert!(error(lstm().add(GRU::new(2)), &[4, 2]).starts_with("layer 1 (GRU): takes sequences"));
    let none = Sequential::new().add(SimpleRNN::new(0));
    assert!(error(none, &[4, 2]).starts_with("layer 0 (SimpleRNN): "));
    let dropped = Sequential::new().add(GRU::new(2).recurrent_dropout(1.0));
    let message = error(dropped, &[4, 2]);
    assert!(message.contains("the recurrent_dropout must be at least 0 and less than 1, found 1"), "{message}");
    let two = |second: LSTM| Sequential::new().add(Bidirectional::new(LSTM::new(2)).backward_layer(second));
    assert!(error(two(LSTM::new(3)), &[4, 2]).contains("outputs of different shapes"));
    let mut graph = Graph::builder();
    let (x, state) = (graph.input(), graph.input());
    let node = graph.add(LSTM::new(2), [x, state]);
    let message =
        Model::build(graph.output(node), [Input::from([3, 1]), Input::from([2])], 1).err().unwrap().to_string();
    assert!(message.contains("takes sequences, or sequences and 2 first states, found 2 inputs"), "{message}");
}
