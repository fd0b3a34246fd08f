//! Weights of PyTorch in models: the outputs are PyTorch's. `fixtures/pytorch/make_models.py` has made the files.

use std::path::{Path, PathBuf};

use gradus_interchange::pytorch::{self, Mapping, StateDict};
use gradus_nn::*;
use gradus_tensor::{AnyTensor, Columns, Tensor};

use crate::networks::{classifier, classifier_mapping, resnet18, resnet18_mapping};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch").join(name)
}

fn open(name: &str) -> StateDict {
    StateDict::open(path(name)).unwrap()
}

#[track_caller]
fn assert_close(found: &Tensor, expected: &AnyTensor, name: &str) {
    assert_eq!(found.shape(), expected.shape(), "{name}");
    let difference = (found - &expected.to::<f32>()).abs().max(..).item();
    assert!(difference < 1e-5, "{name}: {difference}");
}

/// A folder for files of this test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("gradus_{name}_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The path of a file that is not written, since an error comes before.
fn nowhere() -> PathBuf {
    std::env::temp_dir().join("gradus_pytorch_refused.safetensors")
}

/// Loads a case of `layers.pt` by names and by order, holds the outputs against PyTorch's, and writes the weights and reads them again.
#[track_caller]
fn check(state: &StateDict, name: &str, network: impl Into<Graph>, more: &[&str], mapping: Mapping) {
    let network = network.into();
    let read = |what: &str| state.read(&format!("{name}.{what}")).unwrap();
    let mut columns = Columns::new().and(read("x"));
    for what in more {
        columns = columns.and(read(what));
    }
    let inputs: Vec<Input> = columns.iter().map(|column| Input::from(&column.shape()[1..])).collect();
    let build = |seed| Model::build(network.clone(), inputs.clone(), seed).unwrap();
    let under = format!("{name}.state");
    let mut model = build(1);
    let report = pytorch::load_weights(&mut model, state, &mapping.clone().under(&under)).unwrap();
    assert_eq!((report.loaded.len(), report.left.len()), (model.params().len(), 0));
    let y = model.predict(columns.clone()).unwrap();
    assert_close(&y, &read("y"), name);

    let folder = folder(&format!("pytorch_{name}"));
    let file = folder.join("weights.safetensors");
    pytorch::save(&model, &file, &mapping).unwrap();
    let written = StateDict::open(&file).unwrap();
    let theirs = |name: &String| written.info(name).unwrap().shape;
    for name in written.names() {
        assert_eq!(theirs(&name), state.info(&format!("{under}.{name}")).unwrap().shape, "{name}");
    }
    let again = pytorch::build(network.clone(), inputs.clone(), &written, &mapping).unwrap();
    assert_eq!(again.predict(columns).unwrap(), y, "{name}");
    let bytes = std::fs::read(&file).unwrap();
    pytorch::save(&again, &file, &mapping).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "{name}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// One layer, by names and by order.
#[track_caller]
fn check_layer(state: &StateDict, name: &str, layer: impl Layer) {
    let network = Sequential::new().add(layer);
    check(state, name, network.clone(), &[], Mapping::new());
    let x = state.read(&format!("{name}.x")).unwrap();
    let mut model = Model::build(network, &x.shape()[1..], 3).unwrap();
    pytorch::load_weights(&mut model, state, &Mapping::by_order().under(format!("{name}.state"))).unwrap();
    assert_close(&model.predict(x).unwrap(), &state.read(&format!("{name}.y")).unwrap(), name);
}

#[test]
fn layers_give_the_outputs_of_pytorch() {
    let s = &open("layers.pt");
    check_layer(s, "linear", Dense::new(4));
    check_layer(s, "conv1d", Conv1D::new(3, 2));
    check_layer(s, "conv2d", Conv2D::new(6, [2, 3]).strides([1, 2]).groups(2));
    check_layer(s, "conv3d", Conv3D::new(3, 2).dilation_rate(2).use_bias(false));
    check_layer(s, "conv1d_transpose", Conv1DTranspose::new(3, 3).strides(2));
    check_layer(s, "conv2d_transpose", Conv2DTranspose::new(2, 3).strides(2));
    check_layer(s, "depthwise", DepthwiseConv2D::new(2).depth_multiplier(2));
    check_layer(s, "separable", SeparableConv2D::new(4, 2).depth_multiplier(2));
    check_layer(s, "batch_norm", BatchNormalization::new().epsilon(1e-5));
    check_layer(s, "layer_norm", LayerNormalization::new().epsilon(1e-5));
    check_layer(s, "group_norm", GroupNormalization::new().groups(2).epsilon(1e-5));
    check_layer(s, "instance_norm", InstanceNormalization::new().epsilon(1e-5));
    check_layer(s, "rms_norm", RMSNormalization::new());
    check_layer(s, "embedding", Embedding::new(7, 3));
    check_layer(s, "prelu", PReLU::new().shared_axes([1, 2]));
    check_layer(s, "prelu_one", PReLU::new().shared_axes([1]));
}

#[test]
fn recurrent_layers_give_the_outputs_of_pytorch() {
    let s = &open("layers.pt");
    check_layer(s, "lstm", LSTM::new(4).return_sequences(true));
    check_layer(s, "gru", GRU::new(4).return_sequences(true));
    check_layer(s, "gru_no_bias", GRU::new(4).use_bias(false).return_sequences(true));
    check_layer(s, "rnn", SimpleRNN::new(4).return_sequences(true));
    let both = Mapping::new().stack("0", ["0", "1"]);
    let lstm = || Bidirectional::new(LSTM::new(4).return_sequences(true));
    let gru = || Bidirectional::new(GRU::new(2).return_sequences(true));
    check(s, "lstm_bidirectional", Sequential::new().add(lstm()).add(lstm()), &[], both.clone());
    check(s, "gru_bidirectional", Sequential::new().add(gru()).add(gru()), &[], both);
}

#[test]
fn attention_gives_the_outputs_of_pytorch() {
    let s = &open("layers.pt");
    check_layer(s, "attention", MultiHeadAttention::new(2, 3));
    let mut graph = Graph::builder();
    let (x, key, value) = (graph.input(), graph.input_named("key"), graph.input_named("value"));
    let y = graph.add_named("0", MultiHeadAttention::new(2, 3), [x, value, key]);
    check(s, "attention_of_other_widths", graph.output(y), &["keys", "values"], Mapping::new());
    check_layer(s, "encoder", TransformerEncoder::new(8, 2));
    let mut graph = Graph::builder();
    let (x, memory) = (graph.input(), graph.input_named("memory"));
    let y = graph.add_named("0", TransformerDecoder::new(8, 2), [x, memory]);
    check(s, "decoder", graph.output(y), &["memory"], Mapping::new());
}

#[test]
fn flattened_maps_are_put_in_order() {
    let s = &open("layers.pt");
    let flattened = Sequential::new()
        .add(Conv2D::new(3, 2))
        .add(ReLU::new())
        .add(Flatten)
        .add(BatchNormalization::new().epsilon(1e-5))
        .add(PReLU::new())
        .add(Dense::new(4));
    check(s, "flattened", flattened.clone(), &[], Mapping::new());
    // The same as parts of networks within networks.
    let (body, head) = (Sequential::new().add(Conv2D::new(3, 2)).add(ReLU::new()).add(Flatten), Sequential::new());
    let head = head.add(BatchNormalization::new().epsilon(1e-5)).add(PReLU::new()).add(Dense::new(4));
    let nested = Sequential::new().add_named("body", body).add_named("head", head);
    let mapping = Mapping::new().module("", "body").module("3", "head/0").module("4", "head/1").module("5", "head/2");
    check(s, "flattened", nested, &[], mapping);
    check(
        s,
        "flattened_input",
        Sequential::new().add(Flatten).add(Dense::new(3)),
        &[],
        Mapping::new().module("1", "1"),
    );
    check(s, "flattened_sequence", Sequential::new().add(Flatten).add(Dense::new(3)), &[], Mapping::new());
    let of_sequence = Sequential::new().add(Conv1D::new(3, 2)).add(Flatten).add(Dense::new(2));
    check(s, "flattened_conv1d", of_sequence, &[], Mapping::new());
    let to_map = Sequential::new()
        .add(Dense::new(12))
        .add(BatchNormalization::new().epsilon(1e-5))
        .add(ReLU::new())
        .add(Reshape::new([2, 2, 3]))
        .add(Conv2DTranspose::new(2, 2));
    check(s, "map_of_vector", to_map, &[], Mapping::new());
    let mut graph = Graph::builder();
    let x = graph.input();
    let a = graph.add_named("a", Conv2D::new(3, 2), [x]);
    let b = graph.add_named("b", Conv2D::new(2, 1), [x]);
    let a = graph.add(Flatten, [a]);
    let b = graph.add(Flatten, [b]);
    let mean = graph.add(GlobalAveragePooling2D::new(), [x]);
    let all = graph.add(Concatenate::new(), [a, b, mean]);
    let y = graph.add_named("head", Dense::new(2), [all]);
    check(s, "two_maps", graph.output(y), &[], Mapping::new());
}

#[test]
fn tied_weights_are_taken_once() {
    let state = &open("layers.pt");
    let mut graph = Graph::builder();
    let x = graph.input();
    let layer = LayerHandle::new(Dense::new(3));
    let y = graph.add_named("one", &layer, [x]);
    let y = graph.add(Activation::Tanh, [y]);
    let y = graph.add_named("again", &layer, [y]);
    let network = graph.output(y);
    check(state, "tied", network.clone(), &[], Mapping::new().ignoring("again"));
    let mut model = Model::build(network, [3], 1).unwrap();
    let error = pytorch::load_weights(&mut model, state, &Mapping::new().under("tied.state")).unwrap_err();
    assert!(error.to_string().contains("no layer takes tied.state.again.weight, tied.state.again.bias"), "{error}");
}

#[test]
fn a_resnet_gives_the_outputs_of_pytorch() {
    let state = open("resnet.pt");
    let mapping = resnet18_mapping().under("model");
    for mapping in [mapping.clone(), Mapping::by_order().under("model")] {
        let mut model = Model::build(resnet18(4, 5), [32, 32, 3], 1).unwrap();
        pytorch::load_weights(&mut model, &state, &mapping).unwrap();
        let y = model.predict(state.read("x").unwrap()).unwrap();
        assert_close(&y, &state.read("y").unwrap(), "resnet");
    }
    let model = pytorch::build(resnet18(4, 5), [32, 32, 3], &state, &mapping).unwrap();
    assert_close(&model.predict(state.read("x").unwrap()).unwrap(), &state.read("y").unwrap(), "resnet");
    // The head alone is another one.
    let mut other = Model::build(resnet18(4, 7), [32, 32, 3], 1).unwrap();
    let error = pytorch::load_weights(&mut other, &state, &mapping).unwrap_err().to_string();
    assert!(error.contains(r#""model.fc.weight" has the shape [5, 32], layer fc (Dense) takes [7, 32]"#), "{error}");
    let report = pytorch::load_weights(&mut other, &state, &mapping.ignoring("fc").partial()).unwrap();
    assert_eq!(report.left, ["fc/kernel", "fc/bias"]);
    assert!(report.unused.iter().any(|name| name == "model.fc.weight"));
}

#[test]
fn a_text_classifier_gives_the_outputs_of_pytorch() {
    let state = open("classifier.pt");
    for mapping in [classifier_mapping().under("model"), Mapping::by_order().under("model")] {
        let mut model = Model::build(classifier(50, 6, 5, 3), [6], 1).unwrap();
        let report = pytorch::load_weights(&mut model, &state, &mapping).unwrap();
        let y = model.predict(state.read("x").unwrap()).unwrap();
        assert_close(&y, &state.read("y").unwrap(), "classifier");
        assert!(
            report.to_string().contains(
                "lstm_1/backward/bias [20] from model.lstm.bias_ih_l1_reverse, model.lstm.bias_hh_l1_reverse\n"
            ),
            "{report}"
        );
    }
}

#[test]
fn the_second_name_of_a_tied_weight_is_read() {
    // As safetensors.torch.save_model of 0.8.0 writes a model whose `head.weight` is its `a.weight`.
    let writer = gradus_tensor::safetensors::Writer::new().metadata("head.weight", "a.weight").metadata("format", "pt");
    let bytes = writer.tensor("a.weight", Tensor::new([[1.0, 2.0], [3.0, 4.0]])).to_bytes().unwrap();
    let state = StateDict::from_bytes(bytes).unwrap();
    assert_eq!(state.names(), ["a.weight", "head.weight"]);
    let dense = || Dense::new(2).use_bias(false);
    let network = Sequential::new().add_named("a", dense()).add_named("head", dense());
    for mapping in [Mapping::new(), Mapping::by_order()] {
        let mut model = Model::build(network.clone(), [2], 1).unwrap();
        pytorch::load_weights(&mut model, &state, &mapping).unwrap();
        assert!(model.params().iter().all(|param| param.value == Tensor::new([[1.0, 3.0], [2.0, 4.0]])));
    }
    // A model that has it once.
    let mut one = Model::build(Sequential::new().add_named("a", dense()), [2], 1).unwrap();
    pytorch::load_weights(&mut one, &state, &Mapping::new()).unwrap();
}

#[test]
fn all_that_does_not_fit_is_said_at_once() {
    let bytes = |names: &[(&str, &[usize])]| {
        let writer = gradus_tensor::safetensors::Writer::new();
        let tensors =
            names.iter().fold(writer, |writer, (name, shape)| writer.tensor(*name, Tensor::<f32>::ones(*shape)));
        StateDict::from_bytes(tensors.to_bytes().unwrap()).unwrap()
    };
    let network = || Sequential::new().add_named("a", Dense::new(2)).add_named("b", Dense::new(1));
    let mut model = Model::build(network(), [3], 1).unwrap();
    let before = model.params().clone();
    let mut error = |state: &StateDict, mapping: &Mapping| {
        let error = pytorch::load_weights(&mut model, state, mapping).unwrap_err().to_string();
        assert!(model.params().iter().zip(before.iter()).all(|(a, b)| a.value == b.value));
        error
    };
    let state = bytes(&[("a.weight", &[3, 2]), ("a.bias", &[2]), ("b.weight", &[1, 2]), ("c.weight", &[1])]);
    let found = error(&state, &Mapping::new());
    assert!(found.contains(r#""a.weight" has the shape [3, 2], layer a (Dense) takes [2, 3]"#), "{found}");
    assert!(found.contains("layer b (Dense) has no b.bias") && found.contains("no layer takes c.weight"), "{found}");
    let found = error(&bytes(&[("state_dict.a.weight", &[2, 3]), ("state_dict.a.bias", &[2])]), &Mapping::new());
    assert!(found.contains(r#"2 tensors are under "state_dict": say Mapping::under("state_dict")"#), "{found}");
    // Where all are is said in full, whatever it is called.
    let of = |under: &str| {
        let names = ["a.weight", "a.bias", "b.weight", "b.bias"].map(|name| format!("{under}.{name}"));
        let shapes: [&[usize]; 4] = [&[2, 3], &[2], &[1, 2], &[1]];
        let all: Vec<(&str, &[usize])> =
            names.iter().map(String::as_str).zip(shapes).chain([("count", &[] as _)]).collect();
        bytes(&all)
    };
    for under in ["_orig_mod", "state_dict.model", "ema.module"] {
        let hint = format!("4 tensors are under {under:?}: say Mapping::under({under:?})");
        let found = error(&of(under), &Mapping::new());
        assert!(found.contains(&hint), "{found}");
    }
    let found = error(&of("state_dict.model"), &Mapping::new().under("state_dict"));
    assert!(found.contains(r#"say Mapping::under("state_dict.model")"#), "{found}");
    let found = error(&of("module"), &Mapping::by_order());
    assert!(found.contains("no layer takes count") && found.contains(r#"say Mapping::under("module")"#), "{found}");
    // weight_norm of PyTorch.
    let found = error(&bytes(&[("a.weight_g", &[2, 1]), ("a.weight_v", &[2, 3]), ("a.bias", &[2])]), &Mapping::new());
    assert!(
        found.contains(r#""a.weight_g" is one of several tensors"#) && found.contains("remove_weight_norm"),
        "{found}"
    );
    let found = error(&state, &Mapping::new().module("x", "c").tensor("y", "a/gamma"));
    assert!(found.contains(r#"there is no layer with weights at "c"; there is no weight "a/gamma""#), "{found}");
    let found = error(&bytes(&[("x.weight", &[2, 3])]), &Mapping::by_order());
    assert!(found.contains("no module is left for layer a (Dense): weight [2, 3], bias [2]"), "{found}");
    // Layers that PyTorch has no module for.
    let network = Sequential::new().add(GRU::new(2).reset_after(false));
    let mut model = Model::build(network, [4, 3], 1).unwrap();
    let found = pytorch::load_weights(&mut model, &state, &Mapping::new()).unwrap_err().to_string();
    assert!(found.contains("layer 0 (GRU) has reset_after(false)"), "{found}");
    let error = pytorch::save(&model, nowhere(), &Mapping::new()).unwrap_err().to_string();
    assert!(error.contains("layer 0 (GRU) has reset_after(false)"), "{error}");
}

/// The error of taking any weights into a network.
fn refused(network: impl Into<Graph>, inputs: impl Into<Inputs>) -> String {
    let model = Model::build(network, inputs, 1).unwrap();
    pytorch::save(&model, nowhere(), &Mapping::new()).unwrap_err().to_string()
}

#[test]
fn orders_that_are_unclear_are_refused() {
    let to_map = |graph: &mut GraphBuilder, y| graph.add_named("map", Reshape::new([2, 2, 3]), [y]);
    // What becomes a map comes from no Dense, or feeds others too.
    let mut graph = Graph::builder();
    let x = graph.input();
    let y = graph.add(LSTM::new(12), [x]);
    let y = to_map(&mut graph, y);
    let error = refused(graph.output(y), [4, 3]);
    assert!(error.contains("layer map: a vector becomes a map") && error.contains("comes from no Dense"), "{error}");
    let mut graph = Graph::builder();
    let x = graph.input();
    let y = graph.add_named("fc", Dense::new(12), [x]);
    let (map, other) = (to_map(&mut graph, y), graph.add(Dense::new(2), [y]));
    let error = refused(graph.outputs([map, other]), [4]);
    assert!(error.contains(r#""fc" feeds other layers too"#), "{error}");
    // A flattened map and a vector are added up.
    let mut graph = Graph::builder();
    let x = graph.input();
    let (y, z) = (graph.add(Conv2D::new(3, 1), [x]), graph.add(GlobalAveragePooling2D::new(), [x]));
    let (y, z) = (graph.add(Flatten, [y]), graph.add(Dense::new(12), [z]));
    let y = graph.add_named("sum", Add, [y, z]);
    let error = refused(graph.output(y), [2, 2, 3]);
    assert!(error.contains("layer sum: merges vectors whose elements stand in different orders"), "{error}");
    // An attention over features in another order.
    let flat = TimeDistributed::new(Sequential::new().add(Conv2D::new(2, 1)).add(Flatten));
    let error = refused(Sequential::new().add(flat).add(MultiHeadAttention::new(2, 4)), [3, 2, 2, 1]);
    assert!(error.contains("layer 1 (MultiHeadAttention) is fed with a flattened map"), "{error}");
    // Slopes and scales of places, heads of another width, layers that PyTorch has not.
    let error = refused(Sequential::new().add(PReLU::new()), [2, 2, 3]);
    assert!(error.contains("layer 0 (PReLU) has slopes for places"), "{error}");
    let error = refused(Sequential::new().add(LayerNormalization::new().axes([1, 2])), [2, 3]);
    assert!(error.contains("layer 0 (LayerNormalization) normalises over several axes"), "{error}");
    let error = refused(Sequential::new().add(MultiHeadAttention::new(2, 5)), [2, 6]);
    assert!(error.contains("layer 0 (MultiHeadAttention) has heads that are not as wide together"), "{error}");
    let error = refused(Sequential::new().add(GroupedQueryAttention::new(2, 4, 2)), [2, 6]);
    assert!(
        error.contains("layer 0 (GroupQueryAttention) has weights of a kind that PyTorch has no module for"),
        "{error}"
    );
}

/// The kernel of the last layer, loaded from a `Linear` whose weights count up.
fn kernel_of_counted(network: Sequential, inputs: &[usize], features: usize) -> Vec<f32> {
    let counted = (0..features).map(|i| i as f32).collect::<Tensor>().reshape([1, features]);
    let writer = gradus_tensor::safetensors::Writer::new().tensor("fc.weight", counted);
    let state = StateDict::from_bytes(writer.to_bytes().unwrap()).unwrap();
    let network = network.add_named("fc", Dense::new(1).use_bias(false));
    let model = Model::build(network, inputs, 1).unwrap();
    let mut loaded = model.clone();
    pytorch::load_weights(&mut loaded, &state, &Mapping::new().partial()).unwrap();
    loaded.params().get("fc/kernel").unwrap().value.to_vec()
}

#[test]
fn only_maps_have_channels_first() {
    let counted = |count: usize| (0..count).map(|i| i as f32).collect::<Vec<f32>>();
    let turned = [0.0, 2.0, 4.0, 1.0, 3.0, 5.0];
    let of = |layer: LayerHandle| Sequential::new().add(&layer).add(Flatten);
    let plain = |layer: LayerHandle| assert_eq!(kernel_of_counted(of(layer), &[2, 3], 6), counted(6));
    plain(LayerHandle::new(SpatialDropout1D::new(0.5)));
    plain(LayerHandle::new(LSTM::new(3).return_sequences(true)));
    plain(LayerHandle::new(Dense::new(3)));
    plain(LayerHandle::new(Identity));
    let map = of(LayerHandle::new(Conv1D::new(3, 1).use_bias(false)));
    // Ours are [(0, c), (1, c)], PyTorch's [(c, 0), (c, 1)].
    assert_eq!(kernel_of_counted(map, &[2, 3], 6), turned);
    let map = Sequential::new().add(AveragePooling1D::new(1)).add(Activation::Relu).add(ZeroPadding1D::new([(0, 0)]));
    assert_eq!(kernel_of_counted(map.add(Flatten), &[2, 3], 6), turned);
    // What has been turned to PyTorch's order stays as it is, and so does a map of sequences.
    let permuted = Sequential::new().add(Conv1D::new(3, 1)).add(Permute::new([2, 1])).add(Flatten);
    assert_eq!(kernel_of_counted(permuted, &[2, 3], 6), counted(6));
    let tokens = Sequential::new().add(Conv2D::new(3, 1)).add(Reshape::new([2, 3])).add(Flatten);
    assert_eq!(kernel_of_counted(tokens, &[1, 2, 1], 6), counted(6));
    // A vector that the caller puts in order.
    let input = Sequential::new().add(Reshape::new([1, 2, 3])).add(Flatten);
    assert_eq!(kernel_of_counted(input, &[6], 6), turned);
}

#[test]
fn weights_are_given_one_by_one() {
    let state = open("linear.pt");
    let network = || Sequential::new().add_named("fc", Dense::new(1));
    let mapping = Mapping::new().module("", "fc");
    let mut model = Model::build(network(), [2], 1).unwrap();
    pytorch::load_weights(&mut model, &state, &mapping).unwrap();
    assert_eq!(model.params()[0].value, Tensor::new([[1.0], [2.0]]));
    // The bias by its name, the kernel by its module.
    let by_one = Mapping::new().module("", "fc").tensor("bias", "fc/bias");
    let mut other = Model::build(network(), [2], 2).unwrap();
    let report = pytorch::load_weights(&mut other, &state, &by_one).unwrap();
    assert_eq!(report.to_string(), "fc/kernel [2, 1] from weight\nfc/bias [1] from bias\n2 weights loaded\n");
    assert_eq!(other.params()[0].value, model.params()[0].value);
    let error = pytorch::load_weights(&mut other, &state, &mapping.clone().tensor("weight", "fc/kernel")).unwrap_err();
    assert!(error.to_string().contains(r#""weight" has the shape [1, 2], "fc/kernel" takes [2, 1]"#), "{error}");
    // By order, but for one that is named.
    let mut two = Model::build(network().add_named("last", Dense::new(1)), [2], 1).unwrap();
    let error = pytorch::load_weights(&mut two, &state, &Mapping::by_order()).unwrap_err().to_string();
    assert!(error.contains("no module is left for layer last (Dense): weight [1, 1], bias [1]"), "{error}");
    // f64 in the file is not rounded for a model of f32.
    let wide = gradus_tensor::safetensors::Writer::new()
        .tensor("weight", Tensor::from([[1.0_f64, 2.0]]))
        .tensor("bias", Tensor::from([3_i64]));
    let wide = StateDict::from_bytes(wide.to_bytes().unwrap()).unwrap();
    let error = pytorch::load_weights(&mut model, &wide, &mapping).unwrap_err().to_string();
    assert!(error.contains("elements F64") && error.contains("elements I64"), "{error}");
}
