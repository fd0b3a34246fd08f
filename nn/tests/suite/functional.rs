//! Networks of several inputs and outputs, shared layers, ids, and free lengths: what they compute, learn and refuse.

use gradus_nn::losses::{CategoricalCrossentropy, Losses, MeanAbsoluteError, MeanSquaredError};
use gradus_nn::*;
use gradus_tensor::{AnyTensor, Columns, Float, Generator, Tensor};
use serde::{Deserialize, Serialize};

fn message<R>(result: Result<R>) -> String {
    result.err().expect("this is refused").to_string()
}

/// a x - b x on two inputs of one feature, by one dense layer without a bias whose kernel is 2.
fn siamese(regularizer: Option<Regularizer>) -> Model<f64> {
    let mut dense = Dense::new(1).use_bias(false).kernel_initializer(Initializer::Constant(2.0));
    if let Some(regularizer) = regularizer {
        dense = dense.kernel_regularizer(regularizer);
    }
    let tower = LayerHandle::new(dense);
    let mut graph = Graph::builder();
    let (a, b) = (graph.input_named("a"), graph.input_named("b"));
    let left = graph.add_named("tower", &tower, [a]);
    let right = graph.add(&tower, [b]);
    let difference = graph.add_named("difference", Subtract, [left, right]);
    Model::build_as(graph.output(difference), ([1], [1]), 0).unwrap()
}

#[test]
fn a_layer_added_twice_is_one_layer() {
    let (a, b) = (Tensor::from([[3.0]]), Tensor::from([[1.0]]));
    let model = siamese(None);
    assert_eq!(model.params().iter().map(|param| &*param.name).collect::<Vec<_>>(), ["tower/kernel"]);
    assert_eq!(model.predict((&a, &b)).unwrap(), Tensor::from([[4.0]]));
    // By hand: the loss is ((a - b) w)^2, its derivative 2 (a - b)^2 w.
    let target = Tensor::from([[0.0]]);
    let pass = |model: &Model<f64>| model.grad((&a, &b), &target, None, &MeanSquaredError, &mut Generator::new(0));
    let of_both = pass(&model).unwrap();
    assert_eq!((of_both.loss, of_both.grads[0].clone()), (16.0, Some(Tensor::from([[16.0]]))));
    // A penalty on the shared weight counts once: 0.5 w^2, whose derivative is w.
    let of_both = pass(&siamese(Some(Regularizer::L2(0.5)))).unwrap();
    assert_eq!((of_both.loss, of_both.grads[0].clone()), (18.0, Some(Tensor::from([[18.0]]))));
}

#[test]
fn a_shared_layer_is_written_once_and_shown_without_weights_of_its_own() {
    let model = siamese(None);
    let json = model.network().to_json().unwrap();
    let golden = r#"{
      "name": "1",
      "shares": "tower",
      "inputs": [
        "b"
      ]
    },"#;
    assert!(json.contains(golden), "{json}");
    let copy = Graph::from_json(&json).unwrap();
    assert_eq!(copy.to_json().unwrap(), json);
    let copy = Model::<f64>::build_as(copy, ([1], [1]), 0).unwrap();
    assert_eq!((copy.params().len(), copy.params()[0].value.clone()), (1, Tensor::from([[2.0]])));
    let summary = model.summary();
    let lines: Vec<(&str, usize)> = summary.layers.iter().map(|layer| (&*layer.path, layer.params)).collect();
    assert_eq!((lines, summary.total_params), (vec![("tower", 1), ("1", 0), ("difference", 0)], 1));
    let table = summary.to_string();
    assert!(table.starts_with("Model: Graph, inputs a (None, 1), b (None, 1)\n"), "{table}");
    assert!(
        table.contains("│ 1 (Dense, shares tower)         │ (None, 1)              │             0 │ b  "),
        "{table}"
    );
}

#[test]
fn layers_that_share_weights_are_frozen_together() {
    let mut model = siamese(None);
    model.freeze("1").unwrap();
    assert!(model.params()[0].frozen);
    model.unfreeze("tower").unwrap();
    assert!(!model.params()[0].frozen);
}

#[test]
fn a_network_shared_whole_shares_all_its_weights() {
    let tower = LayerHandle::new(Sequential::new().add(Dense::new(3)).add(Residual::new(Dense::new(3))));
    let mut graph = Graph::builder();
    let (a, b) = (graph.input(), graph.input());
    let (left, right) = (graph.add(&tower, [a]), graph.add(&tower, [b]));
    let sum = graph.add(Subtract, [left, right]);
    let model = Model::build(graph.output(sum), ([4], [4]), 1).unwrap();
    let names: Vec<&str> = model.params().iter().map(|param| &*param.name).collect();
    assert_eq!(names, ["0/0/kernel", "0/0/bias", "0/1/body/kernel", "0/1/body/bias"]);
    let x: Tensor = Generator::new(2).normal([5, 4], 0.0, 1.0);
    assert_eq!(model.predict((&x, &x)).unwrap(), Tensor::zeros([5, 3]));
    // The layers within stand in the summary where the weights are.
    let paths: Vec<String> = model.summary().layers.iter().map(|layer| layer.path.clone()).collect();
    assert_eq!(paths, ["0", "0/0", "0/1", "0/1/body", "1", "2"]);
}

#[test]
fn a_chain_may_share_too() {
    let square = LayerHandle::new(Dense::new(2).use_bias(false).kernel_initializer(Initializer::Constant(1.0)));
    let chain = Sequential::new().add(&square).add(&square).add(&square);
    let json = chain.to_json().unwrap();
    assert!(json.starts_with('[') && json.matches("\"shares\": \"0\"").count() == 2, "{json}");
    let model = Model::build(Sequential::from_json(&json).unwrap(), [2], 0).unwrap();
    assert_eq!(model.params().len(), 1);
    // By hand: each layer doubles the sum 1 + 2 = 3: 3, 6, 12.
    assert_eq!(model.predict(Tensor::new([[1.0, 2.0]])).unwrap(), Tensor::new([[12.0, 12.0]]));
}

#[test]
fn a_shared_layer_keeps_its_weights_shapes() {
    let tower = LayerHandle::new(Dense::new(3));
    let mut graph = Graph::builder();
    let (a, b) = (graph.input(), graph.input());
    let (left, right) = (graph.add_named("tower", &tower, [a]), graph.add_named("other", &tower, [b]));
    let sum = graph.add(Add, [left, right]);
    assert_eq!(
        message(Model::build(graph.output(sum), ([4], [5]), 0)),
        "layer other (Dense): the weight \"tower/kernel\" has the shape [4, 3], on this input it would be [5, 3]; \
         share or use a layer only where its weights have the same shapes"
    );
}

#[test]
fn states_of_a_shared_layer_are_updated_by_each_use_in_turn() {
    let norm = LayerHandle::new(BatchNormalization::new().momentum(0.5));
    let mut graph = Graph::builder();
    let (a, b) = (graph.input(), graph.input());
    let (left, right) = (graph.add(&norm, [a]), graph.add(&norm, [b]));
    let sum = graph.add(Add, [left, right]);
    let mut model = Model::build(graph.output(sum), ([1], [1]), 0).unwrap();
    let (a, b) = (Tensor::new([[1.0], [3.0]]), Tensor::new([[2.0], [6.0]]));
    let targets = Tensor::<f32>::zeros([2, 1]);
    let pass = model.grad((&a, &b), &targets, None, &MeanSquaredError, &mut Generator::new(0)).unwrap();
    model.params_mut().update_states(pass.states);
    // By hand: the means are 2 and 4, so 0 becomes 1, and that 2.5. The variances are 1 and 4: 1 stays 1, then 2.5.
    assert_eq!(model.params().get("0/moving_mean").unwrap().value, Tensor::new([2.5]));
    assert_eq!(model.params().get("0/moving_variance").unwrap().value, Tensor::new([2.5]));
}

/// The sum and the difference of two inputs, each the other's second output.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SumAndDifference;

impl Layer for SumAndDifference {
    const KIND: &'static str = "SumAndDifference";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.several_inputs()?[0];
        Ok(Built::of_values(vec![Spec::floats(shape); 2], |_, inputs| {
            let [a, b] = [inputs[0].floats(), inputs[1].floats()];
            [a + b, a - b].into_iter().map(Value::Floats).collect()
        }))
    }
}

#[test]
fn a_layer_may_have_several_outputs() {
    LayerCheck::new([3]).input([3]).check(&SumAndDifference).unwrap();
    let mut graph = Graph::builder();
    let (a, b) = (graph.input(), graph.input());
    let both = graph.add_named("both", SumAndDifference, [a, b]);
    // (a + b) (a - b), and a - b itself, which is needed twice.
    let product = graph.add_named("product", Multiply, [both, both.output(1)]);
    let network = graph.outputs([("product", product), ("difference", both.output(1))]);
    let model = Model::build(network.clone(), ([2], [2]), 0).unwrap();
    let (a, b) = (Tensor::new([[3.0, 1.0]]), Tensor::new([[1.0, 2.0]]));
    let outputs = model.predict_all((&a, &b)).unwrap();
    assert_eq!(outputs, [Tensor::new([[8.0, -3.0]]), Tensor::new([[2.0, -1.0]])]);
    assert!(model.summary().to_string().contains("│ both, both[1] "));
    assert!(model.summary().to_string().contains("(None, 2), (None, 2)"));

    let json = network.to_json().unwrap();
    let kinds = LayerKinds::standard().with::<SumAndDifference>();
    let copy = Graph::from_json_with(&json, &kinds).unwrap();
    assert_eq!(copy.to_json().unwrap(), json);
    assert_eq!(Model::build(copy, ([2], [2]), 0).unwrap().predict_all((&a, &b)).unwrap(), outputs);
    let wrong = json.replace("[\n          \"both\",\n          1\n        ]", "[\"both\", 2]");
    assert_ne!(wrong, json);
    assert_eq!(
        message(Model::build(Graph::from_json_with(&wrong, &kinds).unwrap(), ([2], [2]), 0)),
        "network: takes output 2 of the layer both, which has 2; count the outputs of a layer from 0"
    );
}

/// x where the mask is true, else 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Keep;

impl Layer for Keep {
    const KIND: &'static str = "Keep";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.input_as(0, ValueKind::Floats)?;
        build.input_as(1, ValueKind::Mask)?;
        Ok(Built::of_values(vec![Spec::floats(shape)], |_, inputs| {
            (inputs[0].floats() * gradus_autograd::Var::from(inputs[1].mask().to::<T>())).into()
        }))
    }
}

#[test]
fn masks_flow_as_truth_values() {
    LayerCheck::new([3]).input([3]).check(&Keep).unwrap();
    let mut graph = Graph::builder();
    let (x, mask) = (graph.input(), graph.input_named("mask"));
    let kept = graph.add(Keep, [x, mask]);
    let model = Model::build(graph.output(kept), ([2], [2]), 0).unwrap();
    let x = Tensor::new([[5.0, 7.0]]);
    assert_eq!(model.predict((&x, Tensor::from([[true, false]]))).unwrap(), Tensor::new([[5.0, 0.0]]));
    assert_eq!(
        message(model.predict((&x, Tensor::from([[1, 0]])))),
        "predict: the input \"mask\" takes a mask, found i32; give true and false: a tensor of bool"
    );
}

fn embedding() -> Model {
    Model::build(Sequential::new().add(Embedding::new(1000, 2)), [3], 0).unwrap()
}

#[test]
fn ids_are_checked_where_they_enter() {
    let model = embedding();
    assert_eq!(model.inputs()[0].kind, ValueKind::Ids { count: 1000 });
    let ids = Tensor::from([[0, 5, 999]]);
    let expected = model.predict(&ids).unwrap();
    assert_eq!(expected.select(1, 2).flatten(), model.params()[0].value.select(0, 999));
    // Any element type, as long as the numbers are whole.
    assert_eq!(model.predict(ids.to::<f32>()).unwrap(), expected);
    assert_eq!(model.predict(ids.to::<i32>()).unwrap(), expected);
    let few = Tensor::from([[0_u8, 5, 200]]);
    assert_eq!(model.predict(&few).unwrap(), model.predict(few.to::<i64>()).unwrap());

    let with = |wrong: f64| {
        let mut ids = Tensor::<f64>::zeros([5, 3]);
        ids.as_mut_slice()[3 * 3 + 2] = wrong;
        ids
    };
    let refused = |found: &str| {
        format!(
            "predict: sample 3 has {found} at [2], the layer 0 (Embedding) knows 0 to 999; \
             give whole numbers in that range, or make the layer for more ids"
        )
    };
    for (wrong, found) in [(1000.0, "the id 1000"), (-1.0, "the id -1"), (0.5, "0.5, which is no id,")] {
        assert_eq!(message(model.predict(with(wrong))), refused(found));
    }
    assert_eq!(message(model.predict(with(f64::NAN))), refused("NaN, which is no id,"));
    assert_eq!(message(model.predict(with(f64::INFINITY))), refused("inf, which is no id,"));
    assert_eq!(message(model.predict(with(1200.0).to::<i64>())), refused("the id 1200"));
    // Beyond the first part of a large batch: the sample's number is that among all.
    let mut many = Tensor::<i64>::zeros([400_000, 3]);
    many.as_mut_slice()[3 * 390_000] = 1000;
    assert!(message(model.predict(&many)).starts_with("predict: sample 390000 has the id 1000 at [0],"));
    let targets = Tensor::<f32>::zeros([5, 3, 2]);
    let grad = model.grad(with(1000.0), &targets, None, &MeanSquaredError, &mut Generator::new(0));
    assert!(message(grad.map(|_| ())).starts_with("grad: sample 3 has the id 1000 at [2],"));
    let evaluated = model.evaluate(with(1000.0), &targets, None, &MeanSquaredError);
    assert!(message(evaluated.map(|_| ())).starts_with("evaluate: sample 3 has the id 1000 at [2],"));
}

#[test]
fn the_layers_that_take_an_input_settle_its_kind() {
    // Of two tables the smaller decides.
    let mut graph = Graph::builder();
    let x = graph.input();
    let (large, small) = (graph.add(Embedding::new(10, 2), [x]), graph.add_named("small", Embedding::new(7, 2), [x]));
    let sum = graph.add(Add, [large, small]);
    let model = Model::build(graph.output(sum), [1], 0).unwrap();
    assert_eq!(model.inputs()[0].kind, ValueKind::Ids { count: 7 });
    assert_eq!(
        message(model.predict(Tensor::from([[7]]))),
        "predict: sample 0 has the id 7 at [0], the layer small (Embedding) knows 0 to 6; \
         give whole numbers in that range, or make the layer for more ids"
    );
    // Pictures of bytes are floats for the layer that takes floats, within a nested network too.
    let nested = Sequential::new().add(Sequential::new().add(Rescaling::new(0.5)));
    let model = Model::build(nested, [2], 0).unwrap();
    assert_eq!(model.predict(Tensor::from([[2_u8, 255]])).unwrap(), Tensor::new([[1.0, 127.5]]));

    let mut graph = Graph::builder();
    let x = graph.input();
    let words = graph.add(Embedding::new(10, 4), [x]);
    let dense = graph.add(Dense::new(4), [x]);
    let both = graph.add(Add, [words, dense]);
    assert_eq!(
        message(Model::build(graph.output(both), [4], 0)),
        "layer 1 (Dense): takes floats from \"input\", of which layer 0 (Embedding) takes ids below 10; \
         convert by a layer, or feed the network with two inputs"
    );
    assert_eq!(
        message(Model::build(Sequential::new().add(Dense::new(4)).add(Embedding::new(10, 4)), [4], 0)),
        "layer 1 (Embedding): takes ids below 10, found floats; \
         feed it with an input of the network, or convert by a layer"
    );
    let mut graph = Graph::builder();
    let x = graph.input();
    let words = graph.add(Embedding::new(10, 4), [x]);
    assert_eq!(
        message(Model::build(graph.outputs([("ids", x), ("words", words)]), [4], 0)),
        "build: the output \"ids\" is ids below 10, a model's outputs are floats; convert it by a layer"
    );
}

/// Two inputs, one of them ids, a dense layer on both, and two outputs.
fn tickets() -> Graph {
    let mut graph = Graph::builder();
    let (title, price) = (graph.input_named("title"), graph.input_named("price"));
    let words = graph.add(Embedding::new(10, 2), [title]);
    let words = graph.add(GlobalAveragePooling1D::new(), [words]);
    let both = graph.add(Concatenate::new(), [words, price]);
    let priority = graph.add_named("priority", Dense::new(1), [both]);
    let department = graph.add_named("department", Dense::new(3).activation(Activation::Softmax), [both]);
    graph.outputs([priority, department])
}

fn ticket_model() -> Model {
    Model::build(tickets(), [Input::named("price", [1]), Input::named("title", [4])], 3).unwrap()
}

fn ticket_columns() -> Columns {
    let (title, price) = (Tensor::from([[1, 2, 3, 9], [0, 0, 4, 5]]), Tensor::new([[0.5], [-1.0]]));
    Columns::new().with("price", price).with("title", title)
}

#[test]
fn columns_are_matched_by_name_or_by_place() {
    let model = ticket_model();
    let names: Vec<&str> = model.inputs().iter().map(|input| &*input.name).collect();
    assert_eq!((names, model.inputs()[0].shape.clone()), (vec!["title", "price"], [4].into()));
    let columns = ticket_columns();
    let expected = model.predict_all(&columns).unwrap();
    assert_eq!((expected[0].shape(), expected[1].shape()), (&[2, 1].into(), &[2, 3].into()));
    let in_order = [columns[1].clone(), columns[0].clone()];
    assert_eq!(model.predict_all(in_order).unwrap(), expected);
    assert_eq!(
        message(model.predict(&columns)),
        "predict: the network has 2 outputs: priority, department; call predict_all, which returns all of them"
    );
    assert_eq!(
        message(model.predict_all(columns[0].clone())),
        "predict_all: the model takes 2 inputs (title, price), found one column; give a column for each input, in order \
         or by name"
    );
    let title = columns.named("title").unwrap();
    assert_eq!(
        message(model.predict_all(Columns::new().with("title", title.clone()).with("cost", columns[0].clone()))),
        "predict_all: there is no column for the input \"price\", only title, cost; \
         name the columns as the network names its inputs"
    );
    assert_eq!(
        message(model.predict_all(Columns::new().with("title", title.clone()).and(columns[0].clone()))),
        "predict_all: 1 of 2 columns have names; name all columns or none"
    );
    assert_eq!(
        message(model.predict_all((title.rows(0..1), columns[0].clone()))),
        "predict_all: the first input has 1 samples, \"price\" has 2; give as many of each"
    );
    assert_eq!(
        message(model.predict_all((title.clone(), Tensor::new([0.5, 1.0])))),
        "predict_all: input \"price\": the model takes inputs of shape [n, 1], found [2]; \
         reshape the inputs, or build the model for their shape"
    );
    let wrong = (Tensor::from([[1, 2, 3, 10]]), Tensor::new([[0.5]]));
    assert!(
        message(model.predict_all(wrong)).starts_with("predict_all: input \"title\": sample 0 has the id 10 at [3],")
    );
}

#[test]
fn a_model_is_built_for_the_inputs_that_its_network_has() {
    let build = |inputs: Inputs| message(Model::build(tickets(), inputs, 0));
    assert_eq!(
        build([4].into()),
        "build: the network has 2 inputs (title, price), found one shape; \
         give a shape for each input, in order or by Input::named"
    );
    assert_eq!(
        build([Input::named("title", [4]), Input::named("cost", [1])].into()),
        "build: there is no shape for the input \"price\", only for title, cost; \
         name the shapes as the network names its inputs"
    );
    assert_eq!(
        build([Input::named("title", [4]), Input::from([1])].into()),
        "build: 1 of 2 shapes have names; name the shapes of all inputs or of none"
    );
}

#[test]
fn each_output_has_a_loss_and_a_weight() {
    let model = ticket_model();
    let columns = ticket_columns();
    let targets = Columns::new()
        .with("department", Tensor::new([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
        .with("priority", Tensor::new([[1.0], [2.0]]));
    let losses = Losses::new()
        .add("priority", MeanSquaredError)
        .add("department", CategoricalCrossentropy::default())
        .weighted(0.25);
    let pass = model.grad(&columns, &targets, None, &losses, &mut Generator::new(0)).unwrap();
    let names: Vec<&str> = pass.parts.iter().map(|part| &*part.output).collect();
    assert_eq!(names, ["priority", "department"]);
    // By the definitions, of the outputs that are returned.
    let outputs = model.predict_all(&columns).unwrap();
    assert_eq!(pass.outputs, outputs);
    let squares = (&outputs[0] - targets.named("priority").unwrap().to::<f32>()).square().mean(..).item();
    let entropy = -(outputs[1].ln() * targets.named("department").unwrap().to::<f32>()).sum(-1).mean(..).item();
    assert!(
        (pass.parts[0].loss - squares).abs() < 1e-6 && (pass.parts[1].loss - entropy).abs() < 1e-6,
        "{:?}",
        pass.parts
    );
    assert!((pass.loss - (squares + 0.25 * entropy)).abs() < 1e-6);
    let evaluation = model.evaluate(&columns, &targets, None, &losses).unwrap();
    assert_eq!((evaluation.loss, evaluation.parts, evaluation.outputs), (pass.loss, pass.parts, pass.outputs));
    // Gradients of a weight that both outputs use are those of both, the second times its weight.
    let alone = |weights: [f64; 2]| {
        let losses = Losses::new()
            .add("priority", MeanSquaredError)
            .weighted(weights[0])
            .add("department", CategoricalCrossentropy::default())
            .weighted(weights[1]);
        model.grad(&columns, &targets, None, &losses, &mut Generator::new(0)).unwrap().grads[0].clone().unwrap()
    };
    let both = alone([1.0, 0.0]) + alone([0.0, 1.0]) * 0.25;
    assert!(pass.grads[0].as_ref().unwrap().allclose(&both, 1e-5, 1e-7));

    // One loss for a model of several outputs is that of each, added up.
    let pass = model.grad(&columns, &targets, None, &MeanAbsoluteError, &mut Generator::new(0)).unwrap();
    assert_eq!(pass.loss, pass.parts[0].loss + pass.parts[1].loss);

    let grad =
        |losses: &Losses| message(model.grad(&columns, &targets, None, losses, &mut Generator::new(0)).map(|_| ()));
    assert_eq!(
        grad(&Losses::new().add("priority", MeanSquaredError)),
        "losses: the output \"department\" has no loss; add one for each output of the network"
    );
    assert_eq!(
        grad(&Losses::new().add("priority", MeanSquaredError).add("class", MeanSquaredError)),
        "losses: there is no output \"class\", only priority, department; name an output of the network"
    );
    let wrong = (targets[1].clone(), targets[1].clone());
    let refused = model.grad(&columns, wrong, None, &losses, &mut Generator::new(0)).map(|_| ());
    assert!(
        message(refused).starts_with("output department: categorical_crossentropy: targets [2, 1] and outputs [2, 3]")
    );
    let refused = model.grad(&columns, targets[0].clone(), None, &losses, &mut Generator::new(0)).map(|_| ());
    assert_eq!(
        message(refused),
        "grad: the model takes 2 targets (priority, department), found one column; \
         give a column for each target, in order or by name"
    );
}

/// Reads texts: any number of words, each of ten.
fn reader() -> Sequential {
    let words = Sequential::new().add(Embedding::new(10, 4)).add(Conv1D::new(3, [3]).activation(Activation::Relu));
    words.add(GlobalMaxPooling1D::new()).add(Dense::new(2))
}

#[test]
fn free_lengths_are_computed_over_the_same_weights() {
    let model = Model::build(reader(), [None], 5).unwrap();
    assert_eq!((model.input_shape().to_string(), model.output_shape().to_string()), ("[None]".into(), "[2]".into()));
    let mut random = Generator::new(1);
    // More lengths than are kept, and each again.
    for length in (3..50).chain(3..50) {
        let x = random.integers([2, length], 0..10);
        let fixed = Model::build(reader(), [length], 5).unwrap();
        assert_eq!(model.predict(&x).unwrap(), fixed.predict(&x).unwrap());
        let y = Tensor::<f32>::ones([2, 2]);
        let pass = |model: &Model| model.grad(&x, &y, None, &MeanSquaredError, &mut Generator::new(0)).unwrap();
        assert!(pass(&model).grads.iter().eq(pass(&fixed).grads.iter()));
    }
    let table = model.summary().to_string();
    assert!(table.starts_with("Model: Sequential, input (None, None) ids below 10\n"), "{table}");
    assert!(table.contains("│ 1 (Conv1D)                      │ (None, None, 3)        │            39 │"), "{table}");
    assert!(table.contains("│ 3 (Dense)                       │ (None, 2)              │             8 │"), "{table}");
}

#[test]
fn a_computation_is_built_for_each_length() {
    // The shape that Reshape gives is settled when it is built.
    let model = Model::build(Sequential::new().add(Rescaling::new(2.0)).add(Reshape::new([-1, 2])), [None], 0).unwrap();
    assert_eq!(model.output_shape(), &[None, Some(2)]);
    for _ in 0..2 {
        assert_eq!(model.predict(Tensor::new([[1.0, 2.0]])).unwrap(), Tensor::new([[[2.0, 4.0]]]));
        assert_eq!(
            model.predict(Tensor::new([[1.0, 2.0, 3.0, 4.0]])).unwrap(),
            Tensor::new([[[2.0, 4.0], [6.0, 8.0]]])
        );
    }
    assert_eq!(
        message(model.predict(Tensor::new([[1.0, 2.0, 3.0]]))),
        "predict: samples of shape input [3]: layer 1 (Reshape): samples of shape [3], 3 elements, do not fill [-1, 2]; \
         make the lengths' product that number, or one length -1"
    );
}

#[test]
fn weights_that_change_are_those_of_all_lengths() {
    let mut model = Model::build(reader(), [None], 5).unwrap();
    let x = |length: usize| Tensor::<i64>::zeros([1, length]);
    let (short, long) = (model.predict(x(3)).unwrap(), model.predict(x(7)).unwrap());
    let copy = model.clone();
    model.params_mut().get_mut("3/bias").unwrap().value = Tensor::new([10.0, 20.0]);
    assert_eq!(model.predict(x(3)).unwrap(), &short + Tensor::new([10.0, 20.0]));
    assert_eq!(model.predict(x(7)).unwrap(), &long + Tensor::new([10.0, 20.0]));
    // A clone shares computations, not weights.
    assert_eq!((copy.predict(x(3)).unwrap(), copy.predict(x(7)).unwrap()), (short, long));
}

#[test]
fn threads_may_predict_different_lengths_at_once() {
    let model = Model::build(reader(), [None], 5).unwrap();
    let expected: Vec<Tensor> =
        (3..43).map(|length| model.clone().predict(Tensor::<i64>::ones([1, length])).unwrap()).collect();
    let model = Model::build(reader(), [None], 5).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_usize {
            let (model, expected) = (&model, &expected);
            scope.spawn(move || {
                for step in 0..80 {
                    let place = (thread * 11 + step * 7) % 40;
                    let found = model.predict(Tensor::<i64>::ones([1, 3 + place])).unwrap();
                    assert_eq!(found, expected[place]);
                }
            });
        }
    });
}

#[test]
fn lengths_that_do_not_work_are_named() {
    let model = Model::build(reader(), [None], 5).unwrap();
    assert_eq!(
        message(model.predict(Tensor::from([[1, 2]]))),
        "predict: samples of shape input [2]: layer 1 (Conv1D): a kernel of [3] (dilation [1]) does not fit the input [2] \
         (padding [(0, 0)]); make the kernel or the dilation smaller, or pad with Padding::Same"
    );
    assert_eq!(
        message(model.predict(Tensor::from([1, 2]))),
        "predict: the model takes inputs of shape [n, None], found [2]; \
         give a single sample a batch axis by unsqueeze(0), and leave the batch axis out of the shape that the model is \
         built for"
    );
    let flat = Sequential::new().add(Embedding::new(10, 4)).add(Flatten).add(Dense::new(2));
    assert_eq!(
        message(Model::build(flat, [None], 0)),
        "build: the weight \"2/kernel\" varies with a free length: it is [26880, 2] for 6720, and [53760, 2] for 13440; \
         fix that length, or make it one by a layer such as GlobalAveragePooling before the weight"
    );
    let pictures = Sequential::new().add(Dense::new(2)).add(Conv2D::new(3, [3, 3]));
    assert_eq!(
        message(Model::build(pictures, [None, Some(8)], 0)),
        "build: with 6720 or 13440 for free lengths: layer 1 (Conv2D): needs samples of shape [height, width, channels], \
         found [6720, 2]; add an axis of one channel: Reshape it, or unsqueeze(-1) the data"
    );
}

#[test]
fn the_builder_panics_at_names_that_are_taken() {
    let panic = |mistake: fn(GraphBuilder)| {
        let caught = std::panic::catch_unwind(|| mistake(Graph::builder())).unwrap_err();
        let text = caught.downcast_ref::<String>().cloned();
        text.unwrap_or_else(|| (*caught.downcast_ref::<&str>().expect("panics have messages")).to_owned())
    };
    assert_eq!(
        panic(|mut graph| {
            graph.input_named("title");
            graph.input_named("title");
        }),
        "input_named: an input's name must be new, not empty, without '/' and none that an input without a name gets: \
         \"title\""
    );
    assert!(
        panic(|mut graph| {
            graph.input_named("input_1");
        })
        .ends_with("none that an input without a name gets: \"input_1\"")
    );
    assert_eq!(
        panic(|mut graph| {
            let x = graph.input_named("x");
            graph.add_named("x", Flatten, [x]);
        }),
        "add_named: this is the name of an input of the network, not of a layer: \"x\""
    );
    assert_eq!(
        panic(|mut graph| {
            let x = graph.input();
            let y = graph.add_named("y", Flatten, [x]);
            graph.outputs([y, y]);
        }),
        "outputs: two outputs are called \"y\", name each by a pair: (\"name\", node)"
    );
    assert_eq!(panic(|graph| drop(graph.outputs([] as [Node; 0]))), "outputs: a network needs an output, found none");
    assert_eq!(
        panic(|mut graph| {
            let (x, other) = (graph.input(), graph.input_named("other"));
            let y = graph.add(Flatten, [x]);
            let _unused = graph.add_named("unused", Flatten, [other]);
            graph.outputs([y]);
        }),
        "outputs: the network does not use all that was added to it: other, unused"
    );
    assert_eq!(
        panic(|mut graph| {
            let x = graph.input();
            let _other = x.output(1);
        }),
        "output: an input of a network has no outputs, take the node itself"
    );
}

#[test]
fn several_inputs_and_outputs_in_json() {
    let network = tickets();
    let json = network.to_json().unwrap();
    assert!(json.starts_with("{\n  \"inputs\": [\n    \"title\",\n    \"price\"\n  ],"), "{json}");
    assert!(json.ends_with("\"outputs\": [\n    \"priority\",\n    \"department\"\n  ]\n}"), "{json}");
    let copy = Model::build(Graph::from_json(&json).unwrap(), ([4], [1]), 3).unwrap();
    let columns = ticket_columns();
    assert_eq!(copy.predict_all(&columns).unwrap(), ticket_model().predict_all(&columns).unwrap());

    let refused = |from: &str, to: &str| {
        assert!(json.contains(from), "{json}");
        message(Graph::from_json(&json.replace(from, to)))
    };
    let outputs = "\"priority\",\n    \"department\"\n  ]";
    assert_eq!(
        refused(outputs, "\"priority\", \"priority\"]"),
        "from_json: two outputs are called \"priority\"; name the outputs differently"
    );
    assert_eq!(
        refused(outputs, "\"priority\"]"),
        "from_json: the output \"priority\" does not depend on department; use them or leave them out"
    );
    assert_eq!(
        refused(&format!("[\n    {outputs}"), "[]"),
        "from_json: the network has no outputs; name one layer or more in outputs"
    );
    assert_eq!(
        refused(outputs, "\"priority\", 7]"),
        "from_json: this is no network: the name of a layer, or an object of name and source; \
         give a text that to_json has written"
    );
    assert_eq!(
        refused("\"title\",\n    \"price\"\n  ]", "\"title\", \"title\"]"),
        "from_json: an input's name must be new, not empty, without '/' and none that an input without a name gets: \
         \"title\"; name the inputs of a network differently"
    );

    let json = siamese(None).network().to_json().unwrap();
    let refused = |from: &str, to: &str| {
        assert!(json.contains(from), "{json}");
        message(Graph::from_json(&json.replace(from, to)))
    };
    assert_eq!(
        refused("\"shares\": \"tower\"", "\"shares\": \"difference\""),
        "from_json: layer 1 (no kind): shares the layer \"difference\", which no layer before it is; \
         name the first layer of those that are the same"
    );
    assert_eq!(
        refused("\"shares\": \"tower\"", "\"shares\": \"tower\", \"layer\": \"Dense\""),
        "from_json: layer 1 (Dense): a layer is written by its kind and its data, or by the layer that it shares; \
         write {layer, config} or {shares}"
    );
}

#[test]
fn any_tensor_may_be_an_input() {
    let model = Model::build(Sequential::new().add(Rescaling::new(2.0)), [1], 0).unwrap();
    let expected = Tensor::new([[2.0]]);
    for one in
        [AnyTensor::from(Tensor::from([[1_i8]])), Tensor::from([[true]]).into(), Tensor::from([[1.0_f64]]).into()]
    {
        assert_eq!(model.predict(one).unwrap(), expected);
    }
    // One column is the one input, whatever its name.
    assert_eq!(model.predict(Columns::new().with("x", Tensor::new([[1.0]]))).unwrap(), expected);
}
