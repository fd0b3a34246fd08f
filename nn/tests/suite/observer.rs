//! What an observer sees of layers: values, gradients and masks, by path.

use gradus_autograd::Var;
use gradus_nn::losses::MeanSquaredError;
use gradus_nn::{
    Activation, Add, BatchNormalization, Concatenate, Conv2D, Dense, Dropout, Embedding, Flatten,
    GlobalAveragePooling1D, Graph, GroupNormalization, Input, LSTM, LayerHandle, MaxPooling2D, Model,
    MultiHeadAttention, Observations, Padding, Rescaling, Residual, Sequential, TimeDistributed, TransformerEncoder,
};
use gradus_tensor::{Columns, Float, Generator, Tensor};

fn normal<const N: usize>(shape: [usize; N]) -> Tensor {
    Generator::new(7).normal(shape, 0.0, 1.0)
}

fn paths<T: Float>(seen: &Observations<T>) -> Vec<&str> {
    seen.iter().map(|observed| &*observed.path).collect()
}

fn difference(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).abs().max(..).item()
}

/// A convolution that takes over all that comes behind it, unless somebody wants to see it.
fn fused() -> Sequential {
    Sequential::new()
        .add(Conv2D::new(3, 3).padding(Padding::Same))
        .add(BatchNormalization::new())
        .add(Activation::Relu)
        .add(MaxPooling2D::new(2))
        .add(Flatten)
        .add(Dense::new(2))
}

#[test]
fn values_within_an_epilogue_are_seen() {
    let mut model = Model::build(fused(), [4, 4, 1], 1).unwrap();
    model.params_mut().get_mut("1/moving_mean").unwrap().value = Tensor::new([0.5, -0.25, 0.0]);
    let x = normal([5, 4, 4, 1]);
    let before = model.predict(&x).unwrap();
    let (outputs, seen) = model.observer().predict_all(&x).unwrap();
    assert_eq!(paths(&seen), ["input", "0", "1", "2", "3", "4", "5"]);
    assert_eq!(seen["input"].value, x);
    // The normalisation by hand: gamma is 1, beta 0, the variance 1 and epsilon 0.001.
    let normed = (&seen["0"].value - Tensor::new([0.5, -0.25, 0.0])) / 1.001_f32.sqrt();
    assert!(difference(&seen["1"].value, &normed) < 1e-6);
    assert!(seen["1"].value.min(..).item() < 0.0);
    assert_eq!(seen["2"].value, seen["1"].value.maximum(0.0));
    let windows = seen["2"].value.reshape([5, 2, 2, 2, 2, 3]).max([2, 4]);
    assert_eq!(seen["3"].value, windows);
    assert_eq!(outputs[0], seen["5"].value);
    assert!(difference(&outputs[0], &before) < 1e-5);
    // Who is not observed computes as before.
    assert_eq!(model.predict(&x).unwrap(), before);
}

#[test]
fn layers_within_others_are_seen_before_them() {
    let body = Sequential::new().add(Dense::new(4).activation(Activation::Tanh)).add(Dense::new(4));
    let network = Sequential::new()
        .add(TimeDistributed::new(Sequential::new().add_named("cell", Dense::new(4))))
        .add_named("block", Residual::new(body).shortcut(Dense::new(4)))
        .add_named("encoder", TransformerEncoder::new(8, 2))
        .add(LSTM::new(3))
        .add(Dense::new(1));
    let model = Model::build(network, [5, 2], 1).unwrap();
    let (outputs, seen) = model.observer().predict_all(normal([2, 5, 2])).unwrap();
    let expected = [
        "input",
        "0/layer/cell",
        "0/layer",
        "0",
        "block/body/0",
        "block/body/1",
        "block/body",
        "block/shortcut",
        "block",
        "encoder/self_attention",
        "encoder/self_attention_layer_norm",
        "encoder/feedforward_intermediate_dense",
        "encoder/feedforward_output_dense",
        "encoder/feedforward_layer_norm",
        "encoder",
        "3",
        "4",
    ];
    assert_eq!(paths(&seen), expected);
    // All that the summary lists.
    assert!(model.summary().layers.iter().all(|layer| seen[&layer.path].kind == layer.kind));
    // Five steps of two sequences are ten samples of the layer.
    assert_eq!(seen["0/layer"].value.shape(), &[10, 4]);
    assert_eq!(seen["block"].value, &seen["block/body"].value + &seen["block/shortcut"].value);
    assert_eq!(outputs[0], seen["4"].value);
    let (_, some) = model.observer().of(["encoder", "block/body/0"]).predict_all(normal([2, 5, 2])).unwrap();
    assert_eq!(paths(&some), ["block/body/0", "encoder"]);
    assert_eq!(some["encoder"].value, seen["encoder"].value);
}

#[test]
fn gradients_by_hand() {
    // y = 3 max(2 x - 1, 0): the gradient of y is 3 before the rectifier's output, 6 before x, and 0 where it is closed.
    let network = Sequential::new().add(Dense::new(1)).add(Activation::Relu).add(Dense::new(1).use_bias(false));
    let mut model = Model::build(network, [1], 1).unwrap();
    for (name, value) in [("0/kernel", 2.0), ("0/bias", -1.0), ("2/kernel", 3.0)] {
        let param = &mut model.params_mut().get_mut(name).unwrap().value;
        *param = Tensor::full(param.shape(), value);
    }
    let x = Tensor::new([[2.0], [0.25]]);
    let (outputs, seen) = model.observer().differentiate(&x, |outputs| outputs[0].sum(..)).unwrap();
    assert_eq!(outputs[0], Tensor::new([[9.0], [0.0]]));
    let gradient = |path: &str| seen[path].gradient.clone().unwrap().reshape([2]).to_vec();
    assert_eq!(gradient("2"), [1.0, 1.0]);
    assert_eq!(gradient("1"), [3.0, 3.0]);
    assert_eq!(gradient("0"), [3.0, 0.0]);
    assert_eq!(gradient("input"), [6.0, 0.0]);
    // Of one layer alone: nothing before it is on the tape.
    let (_, seen) = model.observer().of(["1"]).differentiate(&x, |outputs| outputs[0].sum(..)).unwrap();
    assert_eq!(seen["1"].gradient, Some(Tensor::new([[3.0], [3.0]])));
}

/// A network with branches, several inputs, a mask, and layers of several kinds, in f64.
fn branches() -> (Model<f64>, Columns) {
    let mut graph = Graph::builder();
    let (words, picture) = (graph.input_named("words"), graph.input_named("picture"));
    let words = graph.add_named("table", Embedding::new(9, 3).mask_zero(true), [words]);
    let words = graph.add_named("attention", MultiHeadAttention::new(2, 2), [words]);
    let words = graph.add_named("mean", GlobalAveragePooling1D::new(), [words]);
    let picture = graph.add_named("conv", Conv2D::new(4, 2).activation(Activation::Silu), [picture]);
    let picture = graph.add_named("norm", GroupNormalization::new().groups(2), [picture]);
    let picture = graph.add_named("flat", Flatten, [picture]);
    let twice = LayerHandle::new(Dense::new(3).activation(Activation::Tanh));
    let first = graph.add_named("first", &twice, [words]);
    let second = graph.add_named("second", &twice, [first]);
    let sum = graph.add_named("sum", Add, [first, second]);
    let all = graph.add_named("all", Concatenate::new(), [sum, picture]);
    let y = graph.add_named("y", Dense::new(2), [all]);
    let inputs = [Input::named("words", [None]), Input::named("picture", [3, 3, 1])];
    let model = Model::<f64>::build_as(graph.output(y), inputs, 5).unwrap();
    let words = Tensor::from([[1_i64, 8, 2, 0], [3, 3, 0, 0]]);
    let picture: Tensor<f64> = Generator::new(3).normal([2, 3, 3, 1], 0.0, 1.0);
    (model, Columns::new().with("words", words).with("picture", picture))
}

#[test]
fn gradients_are_those_of_differences_of_replaced_values() {
    let (model, inputs) = branches();
    let score = |outputs: &[Var<f64>]| (&outputs[0] * Var::from(Tensor::from([[1.0, -2.0], [0.5, 3.0]]))).sum(..);
    let (_, seen) = model.observer().differentiate(&inputs, score).unwrap();
    // The words are ids, of which there is no gradient.
    let expected =
        ["picture", "table", "attention", "mean", "conv", "norm", "flat", "first", "second", "sum", "all", "y"];
    assert_eq!(paths(&seen), expected);
    let at = |path: &str, value: &Tensor<f64>| {
        let (outputs, _) = model.observer().of([]).replace(path, value.clone()).predict_all(&inputs).unwrap();
        score(&[Var::from(&outputs[0])]).value().item()
    };
    let step = 1e-5;
    for observed in &seen {
        let gradient = observed.gradient.as_ref().unwrap().to_vec();
        let values = observed.value.to_vec();
        for place in 0..values.len() {
            let moved = |by: f64| {
                let mut moved = values.clone();
                moved[place] += by;
                at(&observed.path, &Tensor::from(moved).reshape(observed.value.shape()))
            };
            let expected = (moved(step) - moved(-step)) / (2.0 * step);
            let found = gradient[place];
            assert!((expected - found).abs() < 1e-7, "{} at {place}: {found}, not {expected}", observed.path);
        }
    }
    let mask = Tensor::from([[true, true, true, false], [true, true, false, false]]);
    assert_eq!((&seen["table"].mask, &seen["attention"].mask), (&Some(mask.clone()), &Some(mask)));
    assert_eq!(seen["mean"].mask, None);
}

#[test]
fn a_training_pass_is_the_same_when_it_is_observed() {
    let network = Sequential::new()
        .add(Rescaling::new(0.5))
        .add(Dense::new(8))
        .add(BatchNormalization::new())
        .add(Dropout::new(0.5))
        .add(Dense::new(2));
    let model = Model::build(network, [3], 1).unwrap();
    let (x, y, weights) = (normal([6, 3]), normal([6, 2]), Tensor::from_iter((1..7).map(|i| i as f32)));
    let alone = model.grad(&x, &y, Some(&weights), &MeanSquaredError, &mut Generator::new(3)).unwrap();
    let observer = model.observer();
    let (pass, seen) = observer.grad(&x, &y, Some(&weights), &MeanSquaredError, &mut Generator::new(3)).unwrap();
    assert_eq!((pass.loss, pass.outputs), (alone.loss, alone.outputs.clone()));
    assert_eq!(pass.grads.iter().collect::<Vec<_>>(), alone.grads.iter().collect::<Vec<_>>());
    assert_eq!(pass.states.iter().collect::<Vec<_>>(), alone.states.iter().collect::<Vec<_>>());
    // The output is seen in training: half of the units are dropped.
    let dropped = seen["3"].value.iter().filter(|unit| *unit == 0.0).count();
    assert!((12..36).contains(&dropped), "{dropped} of 48");
    // The loss is mean(w (output - y)^2), the mean over samples and numbers.
    let expected = (&alone.outputs[0] - &y) * weights.unsqueeze(1) * (2.0 / 12.0);
    assert!(difference(seen["4"].gradient.as_ref().unwrap(), &expected) < 1e-6);
    // The kernel's gradient is made of what was seen on both sides of the layer.
    let kernel = seen["3"].value.t().matmul(&expected);
    assert!(difference(alone.grads[6].as_ref().unwrap(), &kernel) < 1e-5);
    // Nothing is trained before the first dense layer.
    assert!(seen["input"].gradient.is_none() && seen["0"].gradient.is_none() && seen["1"].gradient.is_some());
}

#[test]
fn weights_of_attention_are_seen_where_they_are_named() {
    let network = |scores: bool| {
        let mut graph = Graph::builder();
        let x = graph.input();
        let y = graph.add_named("a", MultiHeadAttention::new(2, 3).return_attention_scores(scores), [x]);
        if scores { graph.outputs([("a", y), ("scores", y.output(1))]) } else { graph.output(y) }
    };
    let plain = Model::build(network(false), [5, 4], 1).unwrap();
    let shown = Model::build(network(true), [5, 4], 1).unwrap();
    let x = normal([2, 5, 4]);
    let (_, seen) = plain.observer().of(["a/attention_scores"]).predict_all(&x).unwrap();
    assert_eq!(seen["a/attention_scores"].value, shown.predict_all(&x).unwrap()[1]);
    assert_eq!(paths(&plain.observer().predict_all(&x).unwrap().1), ["input", "a"]);
}

#[test]
fn what_is_not_a_number_is_seen_where_it_begins() {
    let mut model = Model::build(fused(), [4, 4, 1], 1).unwrap();
    model.params_mut().get_mut("1/gamma").unwrap().value = Tensor::new([1.0, f32::NAN, f32::INFINITY]);
    let (_, seen) = model.observer().predict_all(normal([2, 4, 4, 1])).unwrap();
    let first = seen.iter().find(|observed| observed.value.iter().any(f32::is_nan)).unwrap();
    assert_eq!(first.path, "1");
}

#[test]
fn a_number_that_does_not_depend_on_a_layer_has_no_gradient_there() {
    let mut graph = Graph::builder();
    let x = graph.input();
    let (a, b) = (graph.add_named("a", Dense::new(1), [x]), graph.add_named("b", Dense::new(1), [x]));
    let model = Model::build(graph.outputs([a, b]), [2], 1).unwrap();
    let of_a = |outputs: &[Var]| outputs[0].sum(..);
    let (_, seen) = model.observer().differentiate(Tensor::new([[1.0, 2.0]]), of_a).unwrap();
    assert!(seen["a"].gradient.is_some() && seen["b"].gradient.is_none());
    let constant = |_: &[Var]| Var::from(1.0);
    let (_, seen) = model.observer().differentiate(Tensor::new([[1.0, 2.0]]), constant).unwrap();
    assert!(seen.iter().all(|observed| observed.gradient.is_none()));
}

#[test]
fn batches_may_be_empty_and_views() {
    let model = Model::build(Sequential::new().add(Dense::new(2)), [3], 1).unwrap();
    let (_, seen) = model.observer().differentiate(Tensor::<f32>::zeros([0, 3]), |y| y[0].sum(..)).unwrap();
    assert_eq!(seen["input"].gradient, Some(Tensor::zeros([0, 3])));
    let x = normal([3, 4]);
    let (view, copy) = (x.t().flip(0), x.t().flip(0).contiguous());
    let of = |x: &Tensor| model.observer().differentiate(x, |y| y[0].square().sum(..)).unwrap().1;
    assert_eq!(of(&view)["input"].gradient, of(&copy)["input"].gradient);
}

#[test]
fn errors_say_what_there_is() {
    let model = Model::build(fused(), [4, 4, 1], 1).unwrap();
    let x = normal([2, 4, 4, 1]);
    let error =
        |result: gradus_nn::Result<_>| -> String { result.map(|_: (Vec<Tensor>, _)| ()).unwrap_err().to_string() };
    assert_eq!(
        error(model.observer().of(["conv"]).predict_all(&x)),
        "observe: there is no layer \"conv\" that gives floats, only input, 0, 1, 2, 3, 4, 5; the summary lists the layers"
    );
    assert_eq!(
        error(model.observer().replace("7", x.clone()).predict_all(&x)),
        "observe: there is no layer \"7\" that gives floats, only input, 0, 1, 2, 3, 4, 5; the summary lists the layers"
    );
    assert_eq!(
        error(model.observer().replace("4", x.clone()).predict_all(&x)),
        "observe: the layer \"4\" gives [2, 12], the replacement has [2, 4, 4, 1]; replace a value by one of its shape"
    );
    assert_eq!(
        error(model.observer().predict_all(normal([2, 4, 4]))),
        "observe: the model takes inputs of shape [n, 4, 4, 1], found [2, 4, 4]; reshape the inputs, or build the model \
         for their shape"
    );
}

#[test]
#[should_panic(expected = "backward: the loss must be a single number, take its sum or mean first: [1, 2]")]
fn only_a_single_number_is_differentiated() {
    let model = Model::build(Sequential::new().add(Dense::new(2)), [3], 1).unwrap();
    _ = model.observer().differentiate(Tensor::new([[1.0, 2.0, 3.0]]), |outputs| outputs[0].clone());
}

#[test]
#[should_panic(expected = "Observations: \"1\" was not observed, only input, 0")]
fn what_was_not_observed_panics() {
    let model = Model::build(Sequential::new().add(Dense::new(2)), [3], 1).unwrap();
    _ = &model.observer().predict_all(Tensor::new([[1.0, 2.0, 3.0]])).unwrap().1["1"];
}
