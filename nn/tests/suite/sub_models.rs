//! Models up to layers within them: which layers and inputs are left, under which names, with which weights.

use gradus_nn::{
    Activation, Add, BatchNormalization, Concatenate, Dense, Embedding, GlobalAveragePooling1D, Graph, Input,
    LayerHandle, LayerKinds, Model, Rescaling, Residual, Sequential,
};
use gradus_tensor::{Columns, Generator, Tensor};

fn normal<const N: usize>(shape: [usize; N]) -> Tensor {
    Generator::new(7).normal(shape, 0.0, 1.0)
}

fn names(model: &Model) -> Vec<String> {
    model.params().iter().map(|param| param.name.clone()).collect()
}

#[test]
fn the_first_layers_of_a_chain_compute_what_they_did() {
    let network = Sequential::new()
        .add(Dense::new(4).activation(Activation::Tanh))
        .add(BatchNormalization::new())
        .add_named("head", Dense::new(2));
    let mut model = Model::build(network, [3], 1).unwrap();
    model.params_mut().get_mut("1/moving_mean").unwrap().value = Tensor::new([0.5, -1.0, 2.0, 0.0]);
    model.freeze("0").unwrap();
    let features = model.up_to("1").unwrap();
    assert_eq!(names(&features), ["0/kernel", "0/bias", "1/gamma", "1/beta", "1/moving_mean", "1/moving_variance"]);
    assert_eq!(features.output_shape(), &[4]);
    let frozen: Vec<bool> = features.params().iter().map(|param| param.frozen).collect();
    assert_eq!(frozen, [true, true, false, false, false, false]);
    // What the head makes of the features is what the whole makes of the input: x W + b by hand.
    let x = normal([5, 3]);
    let (kernel, bias) =
        (&model.params().get("head/kernel").unwrap().value, &model.params().get("head/bias").unwrap().value);
    let expected = features.predict(&x).unwrap().matmul(kernel) + bias;
    let difference = (model.predict(&x).unwrap() - expected).abs().max(..).item();
    assert!(difference < 1e-6, "{difference}");
    // A chain stays one, and is written as one.
    assert!(features.network().to_json().unwrap().starts_with('['));
}

#[test]
fn the_weights_are_shared_until_one_of_the_two_changes_them() {
    let model = Model::build(Sequential::new().add(Dense::new(2)).add(Dense::new(1)), [3], 1).unwrap();
    let mut part = model.up_to("0").unwrap();
    let (of_whole, of_part) = (&model.params()[0].value, &part.params()[0].value);
    assert!(std::ptr::eq(of_whole.as_slice().unwrap(), of_part.as_slice().unwrap()));
    let before = of_whole.clone();
    part.params_mut()[0].value.as_mut_slice().fill(9.0);
    assert_eq!(model.params()[0].value, before);
}

/// Title (ids of any number of words), body of the same words, and a price, to two outputs. The two texts share a tower.
fn tickets() -> Model {
    let mut graph = Graph::builder();
    let (price, title, body) = (graph.input(), graph.input_named("title"), graph.input());
    let tower = Sequential::new().add(Embedding::new(9, 4)).add(GlobalAveragePooling1D::new()).add(Dense::new(3));
    let tower = LayerHandle::new(tower);
    let of_title = graph.add_named("of_title", &tower, [title]);
    let of_body = graph.add_named("of_body", &tower, [body]);
    let all = graph.add_named("all", Concatenate::new(), [of_title, of_body, price]);
    let hidden = graph.add_named("hidden", Dense::new(5), [all]);
    let class = graph.add_named("class", Dense::new(2).activation(Activation::Softmax), [hidden]);
    let score = graph.add_named("score", Dense::new(1), [hidden]);
    let network = graph.outputs([class, score]);
    let inputs = [Input::named("input", [1]), Input::named("title", [None]), Input::named("input_2", [None])];
    Model::build(network, inputs, 3).unwrap()
}

fn ids() -> Tensor<i64> {
    Tensor::from([[1, 8, 2], [3, 3, 0]])
}

#[test]
fn inputs_and_layers_that_are_not_needed_are_left_out() {
    let model = tickets();
    let part = model.up_to("of_title").unwrap();
    assert_eq!(part.inputs().iter().map(|input| &*input.name).collect::<Vec<_>>(), ["title"]);
    assert_eq!(names(&part), ["of_title/0/embeddings", "of_title/2/kernel", "of_title/2/bias"]);
    // The second use of the tower alone: its weights are still named after the first, an input without a name after
    // its place.
    let body = model.up_to("of_body").unwrap();
    assert_eq!((body.inputs()[0].name.as_str(), body.outputs()[0].name.as_str()), ("input", "of_body"));
    assert_eq!(names(&body), names(&part));
    assert_eq!(body.predict(ids()).unwrap(), part.predict(ids()).unwrap());
    // What is left is a network like any other.
    let copy = Graph::from_json(&body.network().to_json().unwrap()).unwrap();
    assert_eq!(Model::build(copy, [None], 0).unwrap().params().len(), 3);
}

#[test]
fn several_layers_are_outputs_in_the_order_given() {
    let model = tickets();
    let part = model.up_to_all(["hidden", "of_body", "class"]).unwrap();
    assert_eq!(part.outputs().iter().map(|output| &*output.name).collect::<Vec<_>>(), ["hidden", "of_body", "class"]);
    let columns = Columns::new().and(Tensor::new([[0.5], [2.0]])).and(ids()).and(ids());
    let (outputs, whole) = (part.predict_all(columns.clone()).unwrap(), model.predict_all(columns).unwrap());
    assert_eq!((outputs[0].shape(), &outputs[2]), (&[2, 5].into(), &whole[0]));
    assert_eq!(outputs[1], model.up_to("of_title").unwrap().predict(ids()).unwrap());
}

#[test]
fn layers_of_networks_within_the_network_are_named_by_their_path() {
    let encoder = Sequential::new().add(Dense::new(6)).add_named("narrow", Dense::new(2)).add(Dense::new(4));
    let network = Sequential::new().add_named("encoder", encoder).add_named("decoder", Dense::new(5));
    let model = Model::build(network, [5], 1).unwrap();
    let x = normal([3, 5]);
    let narrow = model.up_to("encoder/narrow").unwrap();
    assert_eq!(names(&narrow), ["encoder/0/kernel", "encoder/0/bias", "encoder/narrow/kernel", "encoder/narrow/bias"]);
    assert_eq!(narrow.predict(&x).unwrap().shape(), &[3, 2]);
    // A part of the inner network, and the whole of it besides.
    let both = model.up_to_all(["encoder/narrow", "decoder", "encoder/0"]).unwrap();
    let outputs = both.predict_all(&x).unwrap();
    assert_eq!(outputs[0], narrow.predict(&x).unwrap());
    assert_eq!(outputs[1], model.predict(&x).unwrap());
    assert_eq!(outputs[2], model.up_to("encoder/0").unwrap().predict(&x).unwrap());
    let copy = Graph::from_json(&both.network().to_json().unwrap()).unwrap();
    assert_eq!(Model::build(copy, [5], 0).unwrap().outputs()[0].name, "encoder/narrow");
}

#[test]
fn an_inner_network_keeps_the_inputs_that_its_part_needs() {
    let mut inner = Graph::builder();
    let (a, b) = (inner.input(), inner.input());
    let of_b = inner.add_named("of_b", Dense::new(2), [b]);
    let sum = inner.add_named("sum", Add, [a, of_b]);
    let mut graph = Graph::builder();
    let (left, right) = (graph.input_named("left"), graph.input_named("right"));
    let left = graph.add_named("first", Dense::new(2), [left]);
    let joined = graph.add_named("joined", inner.output(sum), [left, right]);
    let model = Model::build(graph.output(joined), [Input::named("left", [3]), Input::named("right", [4])], 1).unwrap();
    let part = model.up_to("joined/of_b").unwrap();
    assert_eq!(part.inputs().iter().map(|input| &*input.name).collect::<Vec<_>>(), ["right"]);
    assert_eq!(names(&part), ["joined/of_b/kernel", "joined/of_b/bias"]);
    assert_eq!(part.predict(normal([1, 4])).unwrap().shape(), &[1, 2]);
}

#[test]
fn the_preprocessing_of_what_is_left_stays() {
    // Of one input.
    let network = Sequential::new().add(Dense::new(2).activation(Activation::Softmax)).add(Dense::new(1));
    let model =
        Model::build(network, [3], 1).unwrap().with_preprocessing(Sequential::new().add(Rescaling::new(0.5)), [3]);
    let mut model = model.unwrap();
    model.info_mut().class_names.insert("1".to_owned(), vec!["no".to_owned(), "yes".to_owned()]);
    let part = model.up_to("0").unwrap();
    assert_eq!(part.preprocess(Tensor::new([[2.0, 4.0, 6.0]])).unwrap()[0].to::<f32>(), Tensor::new([[1.0, 2.0, 3.0]]));
    assert!(part.class_names().is_empty());
    assert_eq!(model.up_to("1").unwrap().class_names(), ["no", "yes"]);
    // Of several, of which one is left, under another name.
    let mut before = Graph::builder();
    let (a, b) = (before.input_named("raw_price"), before.input_named("raw_body"));
    let a = before.add(Rescaling::new(0.1), [a]);
    let b = before.add(Rescaling::new(3.0), [b]);
    let mut graph = Graph::builder();
    let (price, title, body) = (graph.input(), graph.input_named("title"), graph.input());
    let of_body = graph.add_named("of_body", Dense::new(2), [body]);
    let all = graph.add_named("all", Concatenate::new(), [price, title, of_body]);
    let inputs = [Input::named("input", [1]), Input::named("title", [1]), Input::named("input_2", [1])];
    let raw = [Input::named("raw_price", [1]), Input::named("raw_body", [1])];
    let model = Model::build(graph.output(all), inputs, 1).unwrap();
    let model = model.with_preprocessing(before.outputs([("input", a), ("input_2", b)]), raw);
    let part = model.unwrap().up_to("of_body").unwrap();
    assert_eq!(part.raw_inputs().iter().map(|input| &*input.name).collect::<Vec<_>>(), ["raw_body"]);
    let prepared = part.preprocess(Tensor::new([[2.0]])).unwrap();
    assert_eq!(prepared[0].to::<f32>(), Tensor::new([[6.0]]));
    assert_eq!(part.predict(prepared).unwrap().shape(), &[1, 2]);
    part.to_safetensors().unwrap();
}

#[test]
fn a_part_of_a_part_can_be_saved() {
    let inner = Sequential::new().add(Dense::new(3)).add(Dense::new(2));
    let model = Model::build(Sequential::new().add_named("encoder", inner), [4], 1).unwrap();
    let once = model.up_to_all(["encoder/0", "encoder"]).unwrap();
    let twice = once.up_to_all(["encoder/0", "encoder"]).unwrap();
    let bytes = twice.to_safetensors().unwrap().to_bytes().unwrap();
    let file = gradus_tensor::safetensors::File::from_bytes(bytes).unwrap();
    let loaded: Model = Model::from_safetensors(&file, &LayerKinds::standard()).unwrap();
    let x = normal([2, 4]);
    assert_eq!(loaded.predict_all(&x).unwrap()[0], model.up_to("encoder/0").unwrap().predict(&x).unwrap());
}

#[test]
fn parts_of_f64_models_are_of_f64() {
    let network = Sequential::new().add(Dense::new(2)).add(Dense::new(1));
    let model = Model::<f64>::build_as(network, [3], 1).unwrap();
    let output: Tensor<f64> = model.up_to("0").unwrap().predict(Tensor::<f64>::ones([0, 3])).unwrap();
    assert_eq!(output.shape(), &[0, 2]);
}

#[test]
fn what_is_no_layer_is_refused() {
    let refused = |model: &Model, layers: &[&str]| model.up_to_all(layers.iter().copied()).err().unwrap().to_string();
    let model = tickets();
    assert_eq!(
        refused(&model, &["of_url"]),
        "up_to: there is no layer \"of_url\": \"of_url\" is none of of_title, of_body, all, hidden, class, score; the \
         summary lists the layers"
    );
    assert_eq!(
        refused(&model, &["of_title/3"]),
        "up_to: there is no layer \"of_title/3\": \"3\" is none of 0, 1, 2; the summary lists the layers"
    );
    assert_eq!(refused(&model, &[]), "up_to: no layer is given; name one layer or more");
    assert_eq!(
        refused(&model, &["hidden", "hidden"]),
        "up_to: the layer \"hidden\" is given twice; name each layer once"
    );
    let inner = Residual::new(Sequential::new().add(Dense::new(3)));
    let model = Model::build(Sequential::new().add(inner), [3], 1).unwrap();
    assert_eq!(
        refused(&model, &["0/main"]),
        "up_to: the layer \"0/main\" is within \"0\", a Residual, which is no network of layers; name the layer around it, \
         or a layer of a Sequential or a Graph"
    );
    // The tower once as a whole and once in part would be two layers of one name.
    let mut graph = Graph::builder();
    let x = graph.input();
    let twice = LayerHandle::new(Sequential::new().add(Dense::new(3)).add(Dense::new(3)));
    let once = graph.add_named("once", &twice, [x]);
    let again = graph.add_named("again", &twice, [once]);
    let model = Model::build(graph.output(again), [3], 1).unwrap();
    assert_eq!(
        refused(&model, &["again/0"]),
        "up_to: the layers \"once\" and \"again\" are one, of which one part and the whole are needed; name the layer \
         itself, not one within it"
    );
    assert_eq!(model.up_to("once/0").unwrap().params().len(), 2);
}
