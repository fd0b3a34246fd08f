//! Networks with branches: what they compute, keep in memory, print and read.

use std::sync::Mutex;

use gradus_nn::losses::MeanSquaredError;
use gradus_nn::{
    Activation, Add, Average, BatchNormalization, Build, Built, Concatenate, Conv2D, Conv2DTranspose, Dense,
    DepthwiseConv2D, Dropout, Flatten, Graph, GraphBuilder, GroupNormalization, Initializer, InstanceNormalization,
    Layer, LayerKinds, LayerNormalization, MaxPooling2D, Maximum, Minimum, Model, Multiply, Node, Padding,
    RMSNormalization, ReLU, Rescaling, Reshape, Residual, Result, SeparableConv2D, Sequential, Subtract,
};
use gradus_tensor::{Float, Generator, Tensor};
use serde::{Deserialize, Serialize};

/// A network of `layer` on x and 1 - 2 x.
fn of_two(layer: impl Layer) -> Graph {
    let mut graph = Graph::builder();
    let x = graph.input();
    let other = graph.add(Rescaling::new(-2.0).offset(1.0), [x]);
    let output = graph.add_named("merge", layer, [x, other]);
    graph.output(output)
}

fn predict(network: impl Into<Graph>, x: Tensor) -> Tensor {
    Model::build(network, &x.shape()[1..], 0).unwrap().predict(&x).unwrap()
}

#[test]
fn merging_layers_compute_what_their_names_say() {
    // By hand: 1 - 2 x is -1, 5 and 0 for x = 1, -2 and 0.5.
    let x = || Tensor::new([[1.0, -2.0, 0.5]]);
    assert_eq!(predict(of_two(Add), x()), Tensor::new([[0.0, 3.0, 0.5]]));
    assert_eq!(predict(of_two(Subtract), x()), Tensor::new([[2.0, -7.0, 0.5]]));
    assert_eq!(predict(of_two(Multiply), x()), Tensor::new([[-1.0, -10.0, 0.0]]));
    assert_eq!(predict(of_two(Average), x()), Tensor::new([[0.0, 1.5, 0.25]]));
    assert_eq!(predict(of_two(Maximum), x()), Tensor::new([[1.0, 5.0, 0.5]]));
    assert_eq!(predict(of_two(Minimum), x()), Tensor::new([[-1.0, -2.0, 0.0]]));
    assert_eq!(predict(of_two(Concatenate::new()), x()), Tensor::new([[1.0, -2.0, 0.5, -1.0, 5.0, 0.0]]));
    let residual = Sequential::new().add(Residual::new(Rescaling::new(-3.0)).activation(Activation::Relu));
    assert_eq!(predict(residual, x()), Tensor::new([[0.0, 4.0, 0.0]]));
}

/// The same chain made in two ways.
struct Chain {
    sequential: Sequential,
    graph: GraphBuilder,
    last: Node,
}

impl Chain {
    fn new() -> Self {
        let mut graph = Graph::builder();
        let last = graph.input();
        Chain { sequential: Sequential::new(), graph, last }
    }

    fn add(mut self, layer: impl Layer) -> Self {
        self.last = self.graph.add(layer.clone(), [self.last]);
        Chain { sequential: self.sequential.add(layer), ..self }
    }

    /// A layer or two that take samples of shape [4, 4, 2] and keep that shape.
    fn add_some(self, choice: i64) -> Self {
        match choice {
            0 => self.add(Conv2D::new(2, [3, 3]).padding(Padding::Same)),
            1 => self.add(Dense::new(2).activation(Activation::Tanh)),
            2 => self.add(BatchNormalization::new()),
            3 => self.add(Dropout::new(0.3)),
            4 => self.add(Activation::Relu),
            5 => self.add(Residual::new(Dense::new(2))),
            6 => self.add(Sequential::new().add(LayerNormalization::new()).add(Dense::new(2))),
            _ => self.add(Flatten).add(Reshape::new([4, 4, 2])),
        }
    }
}

#[test]
fn a_chain_gives_the_same_bits_as_a_graph() {
    let mut random = Generator::new(3);
    for case in 0..24 {
        let choices = random.integers(1 + case % 7, 0..8).to_vec();
        let Chain { sequential, graph, last } = choices.into_iter().fold(Chain::new(), Chain::add_some);
        let graph = graph.output(last);
        assert_eq!(sequential.to_json().unwrap(), graph.to_json().unwrap());
        let one = Model::build(sequential, [4, 4, 2], 7).unwrap();
        let other = Model::build(graph, [4, 4, 2], 7).unwrap();
        assert_eq!(one.summary().to_string(), other.summary().to_string());

        let (x, y): (Tensor, Tensor) = (random.normal([3, 4, 4, 2], 0.0, 1.0), random.normal([3, 4, 4, 2], 0.0, 1.0));
        assert_eq!(one.predict(&x).unwrap(), other.predict(&x).unwrap());
        let pass =
            |model: &Model| model.grad(&x, &y, None, &MeanSquaredError, &mut Generator::new(case as u64)).unwrap();
        let (one, other) = (pass(&one), pass(&other));
        assert_eq!((one.loss, one.outputs), (other.loss, other.outputs));
        assert!(one.grads.iter().eq(other.grads.iter()));
        assert!(one.states.iter().eq(other.states.iter()));
    }
}

/// x, which notes whether anybody else holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Watch;

static ALONE: Mutex<Vec<bool>> = Mutex::new(Vec::new());

impl Layer for Watch {
    const KIND: &'static str = "Watch";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        Ok(Built::merging(build.input()?, |_, mut inputs| {
            let mut x = inputs.swap_remove(0).into_value();
            let place = x.as_slice().expect("contiguous").as_ptr();
            // A write copies what is shared.
            ALONE.lock().unwrap().push(x.as_mut_slice().as_ptr() == place);
            x.into()
        }))
    }
}

#[test]
fn a_value_is_given_away_at_its_last_use() {
    let mut graph = Graph::builder();
    let x = graph.input();
    let a = graph.add(Dense::new(2), [x]);
    let b = graph.add(Watch, [a]); // `Add` below needs it, too.
    let c = graph.add(Sequential::new().add(Watch).add(Watch), [b]);
    let d = graph.add(Add, [a, c]);
    let e = graph.add(Watch, [d]);
    let model = Model::build(graph.output(e), [2], 0).unwrap();
    model.predict(Tensor::<f32>::ones([1, 2])).unwrap();
    assert_eq!(*ALONE.lock().unwrap(), [false, true, true, true]);
}

/// x, behind which nothing can be left to the layer before.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Apart;

impl Layer for Apart {
    const KIND: &'static str = "Apart";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        Ok(Built::new(build.input()?, |_, x| x.clone()))
    }
}

/// What a network predicts, what it computes in training, and the gradients.
type Pass = (Tensor, Tensor, Vec<Tensor>);

/// Those of a network without, and with, an [`Apart`] where it is asked for one.
fn passes(network: impl Fn(&dyn Fn(&mut GraphBuilder, Node) -> Node, &mut GraphBuilder, Node) -> Node) -> [Pass; 2] {
    [false, true].map(|apart| {
        let mut graph = Graph::builder();
        let x = graph.input();
        // So that the gradient by the convolution's input shows.
        let before = graph.add(Dense::new(4), [x]);
        let between = |graph: &mut GraphBuilder, node| if apart { graph.add(Apart, [node]) } else { node };
        let output = network(&between, &mut graph, before);
        let model = Model::build(graph.output(output), [5, 4, 2], 3).unwrap();
        let mut random = Generator::new(5);
        let x: Tensor = random.normal([3, 5, 4, 2], 0.0, 1.0);
        let y: Tensor = random.normal(model.output_shape().fixed().unwrap().with_axis(0, 3), 0.0, 1.0);
        let pass = model.grad(&x, &y, None, &MeanSquaredError, &mut random).unwrap();
        let grads: Vec<Tensor> = pass.grads.iter().map(|grad| grad.clone().expect("all are trained")).collect();
        assert!(grads.iter().all(|grad| grad.iter().any(|grad| grad != 0.0)), "{grads:?}");
        (model.predict(&x).unwrap(), pass.output().clone(), grads)
    })
}

/// Fails unless the network computes the same, with the same gradients, with an [`Apart`] where it is asked for one.
#[track_caller]
fn same_as_apart(network: impl Fn(&dyn Fn(&mut GraphBuilder, Node) -> Node, &mut GraphBuilder, Node) -> Node) {
    let [together, apart] = passes(network);
    assert_eq!(together, apart);
}

#[test]
fn a_convolution_pools_as_the_next_layer_would() {
    let noise = Initializer::RandomNormal { mean: 0.0, stddev: 0.5 };
    for (bias, activation) in [(true, Activation::Linear), (false, Activation::Relu), (true, Activation::Relu)] {
        let [together, apart] = passes(|between, graph, x| {
            let convolution = Conv2D::new(3, [2, 2]).use_bias(bias).bias_initializer(noise).activation(activation);
            let y = graph.add(convolution, [x]);
            let y = between(graph, y);
            let y = graph.add(MaxPooling2D::new([2, 3]).strides([2, 1]), [y]);
            let y = between(graph, y);
            graph.add(Activation::Relu, [y])
        });
        // Values are the same bits; gradients are summed in another order.
        assert_eq!((&together.0, &together.1), (&apart.0, &apart.1));
        for (together, apart) in together.2.iter().zip(&apart.2) {
            assert!(together.allclose(apart, 1e-5, 1e-6), "{together:?}, {apart:?}");
        }
    }
}

#[test]
fn what_a_convolution_does_of_the_next_layer_is_what_that_would_do() {
    type Between<'a> = &'a dyn Fn(&mut GraphBuilder, Node) -> Node;
    let noise = Initializer::RandomNormal { mean: 0.0, stddev: 0.5 };
    let convolution = |use_bias: bool| Conv2D::new(3, [2, 3]).use_bias(use_bias).bias_initializer(noise);
    for bias in [false, true] {
        // The three kinds of convolution, under the two names that the function has.
        same_as_apart(|between: Between<'_>, graph, x| {
            let y = graph.add(convolution(bias).strides([2, 1]).padding(Padding::Same), [x]);
            let y = between(graph, y);
            graph.add(Activation::Relu, [y])
        });
        same_as_apart(|between: Between<'_>, graph, x| {
            let layer = DepthwiseConv2D::new([3, 2]).depth_multiplier(2).use_bias(bias).bias_initializer(noise);
            let y = graph.add(layer, [x]);
            let y = between(graph, y);
            graph.add(ReLU::new(), [y])
        });
        same_as_apart(|between: Between<'_>, graph, x| {
            let y = graph.add(SeparableConv2D::new(3, [2, 2]).use_bias(bias).bias_initializer(noise), [x]);
            let y = between(graph, y);
            graph.add(ReLU::new(), [y])
        });
        // Twice the same, and once more by a layer that does something else.
        same_as_apart(|between: Between<'_>, graph, x| {
            let y = graph.add(convolution(bias), [x]);
            let y = between(graph, y);
            let y = graph.add(Activation::Relu, [y]);
            let y = between(graph, y);
            let y = graph.add(ReLU::new(), [y]);
            let y = between(graph, y);
            graph.add(Activation::Tanh, [y])
        });
        // What others need as well must be there.
        same_as_apart(|between: Between<'_>, graph, x| {
            let y = graph.add(convolution(bias), [x]);
            let y = between(graph, y);
            let rectified = graph.add(Activation::Relu, [y]);
            graph.add(Subtract, [rectified, y])
        });
        same_as_apart(|between: Between<'_>, graph, x| {
            let y = graph.add(convolution(bias), [x]);
            let y = between(graph, y);
            let rectified = graph.add(Activation::Relu, [y]);
            let square = graph.add(Multiply, [rectified, rectified]);
            graph.add(Add, [square, rectified])
        });
        // A layer takes its one input twice.
        same_as_apart(|between: Between<'_>, graph, x| {
            let y = graph.add(convolution(bias), [x]);
            let y = between(graph, y);
            graph.add(Multiply, [y, y])
        });
        // The convolution is the output, of the network or of one within it.
        same_as_apart(|between: Between<'_>, graph, x| {
            let rectified = graph.add(Activation::Relu, [x]);
            let y = graph.add(convolution(bias), [rectified]);
            between(graph, y)
        });
        same_as_apart(|between: Between<'_>, graph, x| {
            let y = graph.add(Sequential::new().add(Activation::Tanh).add(convolution(bias)), [x]);
            let y = between(graph, y);
            graph.add(Activation::Relu, [y])
        });
        // What looks like it and is something else: another function of the convolution's own, a rectifier with options.
        same_as_apart(|between: Between<'_>, graph, x| {
            let y = graph.add(convolution(bias).activation(Activation::Tanh), [x]);
            let y = between(graph, y);
            graph.add(Activation::Relu, [y])
        });
        same_as_apart(|between: Between<'_>, graph, x| {
            let y = graph.add(convolution(bias), [x]);
            let y = between(graph, y);
            graph.add(ReLU::new().max_value(0.5), [y])
        });
    }
}

#[test]
fn the_same_value_may_be_taken_twice() {
    let mut graph = Graph::builder();
    let x = graph.input();
    let twice = graph.add(Add, [x, x, x]);
    let square = graph.add(Multiply, [twice, twice]);
    assert_eq!(predict(graph.output(square), Tensor::new([[1.0, -2.0]])), Tensor::new([[9.0, 36.0]]));
}

#[test]
fn graphs_of_several_inputs_can_be_nested() {
    let mut inner = Graph::builder();
    let (a, b) = (inner.input(), inner.input());
    let difference = inner.add(Subtract, [b, a]);
    let inner = inner.output(difference);
    let error = Model::build(inner.clone(), [2], 0).err().unwrap().to_string();
    assert_eq!(
        error,
        "build: the network has 2 inputs (input, input_1), found one shape; \
         give a shape for each input, in order or by Input::named"
    );
    let network = of_two(inner);
    // By hand: (1 - 2 x) - x.
    assert_eq!(predict(network.clone(), Tensor::new([[1.0, -2.0]])), Tensor::new([[-2.0, 7.0]]));
    let copy = Graph::from_json(&network.to_json().unwrap()).unwrap();
    assert_eq!(format!("{copy:?}"), format!("{network:?}"));
}

#[test]
fn layers_within_blocks_are_frozen_by_their_path() {
    let network = of_two(Add);
    let mut graph = Graph::builder();
    let x = graph.input();
    let block =
        graph.add_named("block", Residual::new(Sequential::new().add(Dense::new(2))).shortcut(Dense::new(2)), [x]);
    let both = graph.add(network, [block]);
    let mut model = Model::build(graph.output(both), [2], 0).unwrap();
    let names: Vec<&str> = model.params().iter().map(|param| &*param.name).collect();
    let expected = ["block/body/0/kernel", "block/body/0/bias", "block/shortcut/kernel", "block/shortcut/bias"];
    assert_eq!(names, expected);
    model.freeze("block/body").unwrap();
    let frozen: Vec<bool> = model.params().iter().map(|param| param.frozen).collect();
    assert_eq!(frozen, [true, true, false, false]);
}

#[test]
fn the_summary_shows_what_feeds_each_layer() {
    let mut graph = Graph::builder();
    let x = graph.input();
    let edges = graph.add_named("edges", Conv2D::new(1, [3, 3]).padding(Padding::Same), [x]);
    let sum = graph.add(Add, [edges, x]);
    let model = Model::build(graph.output(sum), [28, 28, 1], 0).unwrap();
    // In the form of Keras's summary of a functional model.
    let expected = "\
Model: Graph, input (None, 28, 28, 1)
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━┓
┃ Layer (type)                    ┃ Output Shape           ┃       Param # ┃ Connected to       ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━┩
│ edges (Conv2D)                  │ (None, 28, 28, 1)      │            10 │ input              │
├─────────────────────────────────┼────────────────────────┼───────────────┼────────────────────┤
│ 1 (Add)                         │ (None, 28, 28, 1)      │             0 │ edges, input       │
└─────────────────────────────────┴────────────────────────┴───────────────┴────────────────────┘
 Total params: 10 (40.00 B)
 Trainable params: 10 (40.00 B)
 Non-trainable params: 0 (0.00 B)";
    assert_eq!(model.summary().to_string(), expected);
}

#[test]
fn a_network_with_branches_in_json_says_what_feeds_each_layer() {
    let golden = r#"{
  "inputs": [
    "input"
  ],
  "layers": [
    {
      "name": "0",
      "layer": "Rescaling",
      "inputs": [
        "input"
      ],
      "config": {
        "offset": 1.0,
        "scale": -2.0
      }
    },
    {
      "name": "merge",
      "layer": "Concatenate",
      "inputs": [
        "input",
        "0"
      ],
      "config": {
        "axis": -1
      }
    }
  ],
  "outputs": [
    "merge"
  ]
}"#;
    let network = of_two(Concatenate::new());
    assert_eq!(network.to_json().unwrap(), golden);
    assert_eq!(Graph::from_json(golden).unwrap().to_json().unwrap(), golden);
    // A chain is a list, whichever way it is made and read.
    let chain = Sequential::new().add(Flatten).add(Dense::new(2));
    let json = chain.to_json().unwrap();
    assert!(json.starts_with('['));
    assert_eq!(Graph::from_json(&json).unwrap().to_json().unwrap(), json);
    assert_eq!(Graph::from(chain).to_json().unwrap(), json);
    let empty = Graph::from(Sequential::new());
    assert_eq!(
        predict(Graph::from_json(&empty.to_json().unwrap()).unwrap(), Tensor::ones([1, 2])),
        Tensor::ones([1, 2])
    );
}

#[test]
fn a_text_that_is_no_network_with_branches_is_refused() {
    let layer = |name: &str, inputs: &str| {
        format!("{{\"name\": \"{name}\", \"layer\": \"Add\", \"inputs\": {inputs}, \"config\": null}}")
    };
    let message = |layers: &[String], output: &str| {
        let json = format!(
            "{{\"inputs\": [\"input\", \"input_1\"], \"layers\": [{}], \"outputs\": [\"{output}\"]}}",
            layers.join(", ")
        );
        Graph::from_json(&json).unwrap_err().to_string()
    };
    let both = r#"["input", "input_1"]"#;
    assert_eq!(
        message(&[layer("a", r#"["input", "inputs"]"#)], "a"),
        "from_json: layer a (Add): there is no layer \"inputs\", only input, input_1; correct the name in its inputs"
    );
    assert_eq!(
        message(&[layer("a", r#"["input", "b"]"#), layer("b", r#"["input", "a"]"#)], "b"),
        "from_json: layer a (Add): \"b\", which feeds it, does not come before it; \
         write each layer behind those that feed it; there are no cycles"
    );
    assert_eq!(
        message(&[layer("a", r#"["a", "a"]"#)], "a"),
        "from_json: layer a (Add): \"a\", which feeds it, does not come before it; \
         write each layer behind those that feed it; there are no cycles"
    );
    assert_eq!(
        message(&[layer("a", both), layer("a", both)], "a"),
        "from_json: layer a (Add): a layer's name must be new, not empty and without '/': \"a\"; \
         name the layers of a network differently"
    );
    assert_eq!(
        message(&[layer("input_1", both)], "a"),
        "from_json: layer input_1 (Add): this is the name of an input of the network, not of a layer: \"input_1\"; \
         name the layers of a network differently"
    );
    assert_eq!(
        message(&[layer("a", "[]")], "a"),
        "from_json: layer a (Add): nothing feeds it; name one layer or more in its inputs"
    );
    assert_eq!(
        message(&[layer("a", both)], "b"),
        "from_json: there is no layer \"b\", only input, input_1, a; name one of the layers as the output"
    );
    assert_eq!(
        message(&[layer("a", both), layer("b", r#"["input", "input"]"#), layer("c", r#"["b", "b"]"#)], "b"),
        "from_json: the output \"b\" does not depend on input_1, a, c; use them or leave them out"
    );
    let inner = layer("a", "[\"z\"]");
    let nested = format!(
        "[{{\"name\": \"block\", \"layer\": \"Graph\", \"config\": {{\"inputs\": [\"input\"], \"layers\": [{inner}], \"outputs\": [\"a\"]}}}}]"
    );
    assert_eq!(
        Sequential::from_json(&nested).unwrap_err().to_string(),
        "from_json: layer block/a (Add): there is no layer \"z\", only input; correct the name in its inputs"
    );
    assert_eq!(
        Sequential::from_json(&of_two(Add).to_json().unwrap()).unwrap_err().to_string(),
        "from_json: this is a network with branches, not a chain; read it as a Graph"
    );
    assert_eq!(
        Graph::from_json(&format!("[{}]", layer("a", "[\"input\"]"))).unwrap_err().to_string(),
        "from_json: layer a (Add): the layers of a list are a chain, and say nothing of their inputs; \
         write a network with branches as {inputs, layers, outputs}"
    );
    assert!(Graph::from_json("3").unwrap_err().to_string().starts_with("from_json: this is no network: invalid type"));
    assert!(
        Graph::from_json("{}").unwrap_err().to_string().starts_with("from_json: this is no network: missing field")
    );
    assert!(LayerKinds::standard().names().any(|kind| kind == "Graph"));
}

/// The layer and what follows it, with nothing between them or a layer that does nothing, which keeps them apart.
fn followed(layer: impl Layer, norms: usize, relu: bool, apart: bool) -> Model<f64> {
    let between = |network: Sequential| if apart { network.add(Activation::Linear) } else { network };
    let mut network = between(Sequential::new().add(layer));
    for _ in 0..norms {
        network = between(network.add(BatchNormalization::new()));
    }
    if relu {
        network = network.add(ReLU::new());
    }
    let mut model = Model::build_as(network, [5, 4, 3], 7).unwrap();
    let mut generator = Generator::new(8);
    for param in model.params_mut().iter_mut() {
        let value = generator.normal(param.value.shape(), 0.0, 1.0);
        param.value = if param.name.ends_with("moving_variance") { value.abs() + 0.5 } else { value };
    }
    model
}

#[track_caller]
fn same_together_and_apart(layer: impl Layer) {
    let mut generator = Generator::new(9);
    for (norms, relu) in [(0, true), (1, false), (1, true), (2, true)] {
        for frozen in [false, true] {
            let mut models = [true, false].map(|apart| followed(layer.clone(), norms, relu, apart));
            // The second norm where there are two: the one behind the layer still learns.
            for (model, apart) in models.iter_mut().zip([true, false]).filter(|_| frozen && norms > 0) {
                model.freeze(&(norms * if apart { 2 } else { 1 }).to_string()).unwrap();
            }
            // One sample has fewer elements than the larger kernels.
            for samples in [1, 6] {
                let x = generator.normal([samples, 5, 4, 3], 0.0, 1.0);
                let [apart, together] = models.each_ref().map(|model| model.predict(&x).unwrap());
                let what = format!("{layer:?}, {norms} norms, {relu}, {samples} samples");
                assert!(together.allclose(&apart, 1e-12, 1e-12), "{what}: {together:?}, {apart:?}");
                let targets = apart * 0.5 + 1.0;
                let [apart, together] = models
                    .each_ref()
                    .map(|model| model.grad(&x, &targets, None, &MeanSquaredError, &mut Generator::new(1)).unwrap());
                assert!(together.output().allclose(apart.output(), 1e-12, 1e-12), "{what}");
                for index in 0..models[0].params().len() {
                    let name = &models[1].params()[index].name;
                    match (&together.grads[index], &apart.grads[index]) {
                        (Some(found), Some(expected)) => {
                            assert!(found.allclose(expected, 1e-9, 1e-9), "{what}, {name}: {found:?}, {expected:?}");
                        }
                        (found, expected) => assert_eq!(found.is_some(), expected.is_some(), "{what}, {name}"),
                    }
                }
                assert_eq!(together.states.len(), apart.states.len(), "{what}");
                for ((index, found), (same, expected)) in together.states.iter().zip(apart.states.iter()) {
                    assert!(index == same && found.allclose(expected, 1e-9, 1e-9), "{what}: {found:?}, {expected:?}");
                }
            }
        }
    }
}

#[test]
fn layers_computed_together_compute_what_they_do_apart() {
    same_together_and_apart(Conv2D::new(4, [2, 3]));
    same_together_and_apart(Conv2D::new(40, [5, 4]));
    same_together_and_apart(Conv2D::new(40, [5, 4]).use_bias(false));
    same_together_and_apart(Conv2D::new(2, [3, 3]).use_bias(false));
    same_together_and_apart(DepthwiseConv2D::new([2, 2]).depth_multiplier(2));
    same_together_and_apart(SeparableConv2D::new(4, [2, 2]));
    same_together_and_apart(Conv2DTranspose::new(2, [3, 3]).strides([2, 2]));
    same_together_and_apart(Conv2DTranspose::new(2, [2, 2]).use_bias(false));
    same_together_and_apart(Dense::new(4));
    same_together_and_apart(Dense::new(4).use_bias(false));
    same_together_and_apart(BatchNormalization::new().center(false));
    same_together_and_apart(LayerNormalization::new().scale(false));
    same_together_and_apart(GroupNormalization::new().groups(3));
    same_together_and_apart(InstanceNormalization::new());
    same_together_and_apart(RMSNormalization::new());
}
