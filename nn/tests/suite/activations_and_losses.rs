//! The activation in which a network ends, and the losses that cannot be meant with it.

use gradus_autograd::Var;
use gradus_nn::losses::*;
use gradus_nn::{
    Activation, Add, Average, BatchNormalization, Build, Built, Concatenate, Conv2D, Dense, Dropout, ELU, Flatten,
    GlobalAveragePooling2D, Graph, Layer, LeakyReLU, Model, ReLU, Rescaling, Reshape, Residual, Result, Sequential,
    Softmax,
};
use gradus_tensor::{Columns, Float, Generator, Tensor};
use serde::{Deserialize, Serialize};

/// A layer of a program's own, around another.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Own;

impl Layer for Own {
    const KIND: &'static str = "Own";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let inner = build.child("inner", &Dense::new(3), build.inputs())?;
        // The specs are those of a linear layer, the values are not.
        Ok(Built::of_values(inner.outputs.clone(), move |context, inputs| {
            inner.run(context, inputs).into_floats().softmax(-1).into()
        }))
    }
}

fn ending(network: Sequential, input: &[usize]) -> Option<Activation> {
    Model::build(network, input, 0).unwrap().outputs()[0].activation
}

#[test]
fn a_model_knows_the_activation_in_which_it_ends() {
    let chain = Sequential::new;
    let dense = |activation| Dense::new(3).activation(activation);
    let softmax = || chain().add(dense(Activation::Softmax));
    let elu = Activation::Elu { alpha: 0.5 };
    for (name, network, expected) in [
        ("no layers", chain(), None),
        ("a dense layer", chain().add(Dense::new(3)), Some(Activation::Linear)),
        ("its activation", softmax(), Some(Activation::Softmax)),
        ("a layer Activation", chain().add(Dense::new(3)).add(Activation::Sigmoid), Some(Activation::Sigmoid)),
        ("a linear one", softmax().add(Activation::Linear), Some(Activation::Softmax)),
        ("a layer Softmax", chain().add(Softmax::new()), Some(Activation::Softmax)),
        (
            "through others",
            softmax().add(Dropout::new(0.5)).add(Reshape::new([3, 1])).add(Flatten),
            Some(Activation::Softmax),
        ),
        ("ReLU", chain().add(ReLU::new()), Some(Activation::Relu)),
        ("ReLU from 0 to 1", chain().add(ReLU::new().max_value(1.0)), None),
        ("ELU", chain().add(ELU::new(0.5)), Some(elu)),
        ("LeakyReLU", chain().add(LeakyReLU::new(0.1)), Some(Activation::LeakyRelu { negative_slope: 0.1 })),
        ("a normalisation", softmax().add(BatchNormalization::new()), Some(Activation::Linear)),
        ("a nested network", chain().add(softmax()), Some(Activation::Softmax)),
        ("a block", chain().add(Residual::new(Dense::new(3)).activation(Activation::Relu)), Some(Activation::Relu)),
        ("a block of unknown input", chain().add(Residual::new(Dense::new(3))), None),
        (
            "a linear block",
            chain().add(Dense::new(3)).add(Residual::new(dense(Activation::Relu))),
            Some(Activation::Linear),
        ),
        ("scaled logits", chain().add(Dense::new(3)).add(Rescaling::new(0.5)), Some(Activation::Linear)),
        ("scaled probabilities", softmax().add(Rescaling::new(0.5)), None),
        ("a layer of one's own", chain().add(Own), None),
        ("one before", chain().add(Own).add(Dropout::new(0.1)), None),
    ] {
        assert_eq!(ending(network, &[3]), expected, "{name}");
    }
    let picture =
        chain().add(Conv2D::new(4, [3, 3]).activation(Activation::Sigmoid)).add(GlobalAveragePooling2D::new());
    assert_eq!(ending(picture, &[5, 5, 1]), Some(Activation::Sigmoid));
}

#[test]
fn each_output_of_a_graph_has_its_own() {
    let mut graph = Graph::builder();
    let x = graph.input();
    let [a, b] = [0, 1].map(|_| graph.add(Dense::new(3).activation(Activation::Softmax), [x]));
    let linear = graph.add(Dense::new(3), [x]);
    let ensemble = graph.add_named("ensemble", Average, [a, b]);
    let sum = graph.add_named("sum", Add, [a, linear]);
    let mixed = graph.add_named("mixed", Concatenate::new(), [a, linear]);
    let network = graph.outputs([ensemble, sum, mixed]);
    // Nested, with outputs behind the first.
    let mut outer = Graph::builder();
    let x = outer.input();
    let inner = outer.add(network, [x]);
    let network = outer.outputs([("ensemble", inner), ("sum", inner.output(1)), ("mixed", inner.output(2))]);
    let model = Model::build(network, [2], 0).unwrap();
    let found: Vec<Option<Activation>> = model.outputs().iter().map(|output| output.activation).collect();
    assert_eq!(found, [Some(Activation::Softmax), Some(Activation::Linear), None]);
    let losses: Losses = Losses::new()
        .add("ensemble", CategoricalCrossentropy::default())
        .add("mixed", CategoricalCrossentropy::default())
        .add("sum", CategoricalCrossentropy::default());
    assert_eq!(
        model.check_loss("fit", &losses).unwrap_err().to_string(),
        "fit: output sum: categorical_crossentropy: takes probabilities of classes, the network ends in a layer without an \
         activation; end the network in Activation::Softmax, or set from_logits(true)"
    );
}

fn check(activation: Option<Activation>, loss: &impl Objective<f32>) -> std::result::Result<(), String> {
    let network = match activation {
        Some(activation) => Sequential::new().add(Dense::new(3).activation(activation)),
        None => Sequential::new().add(Own),
    };
    let model: Model = Model::build(network, [3], 0).unwrap();
    model.check_loss("fit", loss).map_err(|error| error.to_string())
}

#[test]
fn losses_say_which_activations_cannot_be_meant() {
    let categorical = CategoricalCrossentropy::default();
    let sparse = SparseCategoricalCrossentropy::default();
    let binary = BinaryCrossentropy::default();
    let (focal, binary_focal) = (CategoricalFocalCrossentropy::default(), BinaryFocalCrossentropy::default());
    let all = [
        Activation::Softmax,
        Activation::Sparsemax,
        Activation::Sigmoid,
        Activation::HardSigmoid,
        Activation::Linear,
        Activation::Relu,
        Activation::Tanh,
        Activation::LogSoftmax,
    ];
    // Which of these may be meant.
    let probabilities = [true, true, true, true, false, false, false, false];
    let logits = [false, false, false, false, true, true, true, true];
    let found = |loss: &dyn Fn(Option<Activation>) -> bool| {
        assert!(loss(None), "what is not known is not refused");
        all.map(|activation| loss(Some(activation)))
    };
    assert_eq!(found(&|a| check(a, &categorical).is_ok()), probabilities);
    assert_eq!(found(&|a| check(a, &sparse).is_ok()), probabilities);
    assert_eq!(found(&|a| check(a, &focal).is_ok()), probabilities);
    assert_eq!(found(&|a| check(a, &binary).is_ok()), probabilities);
    assert_eq!(found(&|a| check(a, &binary_focal).is_ok()), probabilities);
    assert_eq!(found(&|a| check(a, &KLDivergence).is_ok()), probabilities);
    assert_eq!(found(&|a| check(a, &Dice).is_ok()), probabilities);
    assert_eq!(found(&|a| check(a, &Tversky::default()).is_ok()), probabilities);
    assert_eq!(found(&|a| check(a, &categorical.from_logits(true)).is_ok()), logits);
    assert_eq!(found(&|a| check(a, &sparse.from_logits(true)).is_ok()), logits);
    assert_eq!(found(&|a| check(a, &focal.from_logits(true)).is_ok()), logits);
    assert_eq!(found(&|a| check(a, &binary.from_logits(true)).is_ok()), logits);
    assert_eq!(found(&|a| check(a, &binary_focal.from_logits(true)).is_ok()), logits);
    assert_eq!(found(&|a| check(a, &MeanSquaredError).is_ok()), [true; 8]);
    assert_eq!(found(&|a| check(a, &Hinge).is_ok()), [true; 8]);
}

#[test]
fn the_error_says_what_to_change() {
    assert_eq!(
        check(Some(Activation::Softmax), &SparseCategoricalCrossentropy::default().from_logits(true)).unwrap_err(),
        "fit: sparse_categorical_crossentropy: takes logits, the numbers before a softmax, as it is set to \
         from_logits(true), the network ends in the activation Softmax; leave the activation out, or set from_logits(false)"
    );
    assert_eq!(
        check(Some(Activation::Linear), &BinaryCrossentropy::default()).unwrap_err(),
        "fit: binary_crossentropy: takes probabilities, the network ends in a layer without an activation; end the network \
         in Activation::Sigmoid, or set from_logits(true)"
    );
}

#[test]
fn a_program_with_a_loop_of_its_own_is_told_too() {
    let model: Model = Model::build(Sequential::new().add(Dense::new(3)), [2], 0).unwrap();
    let (x, y) = (Tensor::<f32>::zeros([1, 2]), Tensor::new([[1.0, 0.0, 0.0]]));
    let loss = CategoricalCrossentropy::default();
    let grad = model.grad(&x, &y, None, &loss, &mut Generator::new(0)).err().unwrap().to_string();
    assert!(grad.starts_with("grad: categorical_crossentropy: takes probabilities of classes, "), "{grad}");
    let evaluated = model.evaluate(&x, &y, None, &loss).err().unwrap().to_string();
    assert!(
        evaluated.starts_with("evaluate: categorical_crossentropy: takes probabilities of classes, "),
        "{evaluated}"
    );
}

#[test]
fn several_labels_at_once_are_refused_where_outputs_sum_to_1() {
    let model = |last: Sequential| Model::build(last, [2], 0).unwrap();
    let dense = |activation| Sequential::new().add(Dense::new(3).activation(activation));
    let message = |model: &Model, loss: &dyn Fn(&Model, &Tensor) -> Option<String>, targets| loss(model, &targets);
    let binary = |model: &Model, targets: &Tensor| {
        let inputs = Tensor::<f32>::ones([targets.shape()[0], 2]);
        let loss = BinaryCrossentropy::default();
        let of_gradient = model.grad(&inputs, targets, None, &loss, &mut Generator::new(0)).err();
        let found = model.evaluate(&inputs, targets, None, &loss).err().map(|error| error.to_string());
        assert_eq!(of_gradient.map(|error| error.to_string()), found);
        found
    };
    let two = Tensor::new([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]);
    for (activation, name) in [(Activation::Softmax, "Softmax"), (Activation::Sparsemax, "Sparsemax")] {
        let expected = format!(
            "binary_crossentropy: outputs of {name} sum to 1, the targets have several labels at once: a sum of 2 in row 1 of \
             [2, 3]; end the network in Activation::Sigmoid"
        );
        assert_eq!(message(&model(dense(activation)), &binary, two.clone()), Some(expected));
    }
    let softmax = model(dense(Activation::Softmax));
    // One label, none, mixed ones, NaN; and several for sigmoids.
    for targets in [[0.0, 1.0, 0.0], [0.0; 3], [0.3, 0.7, 0.0], [0.34, 0.33, 0.33]] {
        assert_eq!(message(&softmax, &binary, Tensor::new([targets])), None);
    }
    let nan = message(&softmax, &binary, Tensor::new([[f32::NAN, 1.0, 1.0]])).unwrap();
    assert!(nan.contains("targets must be in 0 to 1, found NaN at element 0 of [1, 3]"), "{nan}");
    assert_eq!(message(&model(dense(Activation::Sigmoid)), &binary, two.clone()), None);
    // Without a shape that fits, the shape is what is wrong.
    let wide = message(&softmax, &binary, Tensor::new([[1.0, 1.0]])).unwrap();
    assert!(wide.contains("must have the same shape"), "{wide}");
    // A view, turned.
    let turned = Tensor::new([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]).permute([1, 0]);
    assert!(message(&softmax, &binary, turned).unwrap().contains("a sum of 2 in row 1"));
}

#[test]
fn the_output_with_several_labels_is_named() {
    let mut graph = Graph::builder();
    let x = graph.input();
    let [a, b] = ["a", "b"].map(|name| graph.add_named(name, Dense::new(2).activation(Activation::Softmax), [x]));
    let model: Model = Model::build(graph.outputs([a, b]), [2], 0).unwrap();
    let losses: Losses =
        Losses::new().add("a", SparseCategoricalCrossentropy::default()).add("b", BinaryFocalCrossentropy::default());
    let targets = Columns::new().with("a", Tensor::from([1_i64])).with("b", Tensor::new([[1.0, 1.0]]));
    assert_eq!(
        model.evaluate(Tensor::<f32>::ones([1, 2]), targets, None, &losses).err().unwrap().to_string(),
        "output b: binary_focal_crossentropy: outputs of Softmax sum to 1, the targets have several labels at once: a sum of 2 in \
         row 0 of [1, 2]; end the network in Activation::Sigmoid"
    );
}

#[test]
fn a_single_unit_that_is_always_1_is_refused() {
    let build = |network: Sequential, shape: &[usize]| Model::<f32>::build_as(network, shape, 0);
    let message = |network, shape: &[usize]| build(network, shape).err().unwrap().to_string();
    let hint = "use Activation::Sigmoid for a yes or no, or one unit for each class";
    assert_eq!(
        message(Sequential::new().add(Conv2D::new(1, 1).activation(Activation::Softmax)), &[4, 4, 3]),
        format!("layer 0 (Conv2D): softmax of a single unit is always 1; {hint}")
    );
    assert_eq!(
        message(Sequential::new().add(Dense::new(1).activation(Activation::Sparsemax)), &[3]),
        format!("layer 0 (Dense): sparsemax of a single unit is always 1; {hint}")
    );
    // A softmax over steps, of which there may be one.
    assert!(build(Sequential::new().add(Flatten).add(Softmax::new()), &[1, 1]).is_ok());
}

#[test]
fn rows_of_targets_are_one_class_or_a_distribution() {
    let outputs = Var::from(Tensor::full([2, 4], 0.25));
    let mean = |loss: &dyn Fn(&Tensor) -> Result<Var>, row: [f32; 4]| {
        loss(&Tensor::new([[0.0, 1.0, 0.0, 0.0], row]))
            .map(|loss| loss.value().item())
            .map_err(|error| error.to_string())
    };
    let categorical = |targets: &Tensor| CategoricalCrossentropy::default().mean(targets, &outputs, None);
    let logits = |targets: &Tensor| CategoricalCrossentropy::default().from_logits(true).mean(targets, &outputs, None);
    let smoothed =
        |targets: &Tensor| CategoricalCrossentropy::default().label_smoothing(0.1).mean(targets, &outputs, None);
    let focal = |targets: &Tensor| CategoricalFocalCrossentropy::default().mean(targets, &outputs, None);
    let problem = "targets must have one class in each row, found a sum of 2 in row 1 of [2, 4]; for several labels at once use \
                   BinaryCrossentropy behind Activation::Sigmoid; divide counts and weights by the sum of their row";
    for (name, loss) in [
        ("categorical_crossentropy", &categorical as &dyn Fn(&Tensor) -> Result<Var>),
        ("categorical_crossentropy", &logits),
        ("categorical_crossentropy", &smoothed),
        ("categorical_focal_crossentropy", &focal),
    ] {
        assert_eq!(mean(loss, [1.0, 1.0, 0.0, 0.0]), Err(format!("{name}: {problem}")));
    }
    // By hand: ln 4 for each row that sums to 1, whatever the distribution; a row of zeros has no loss.
    let ln_4 = 4.0_f32.ln();
    for (row, expected) in [([0.5, 0.5, 0.0, 0.0], ln_4), ([0.25; 4], ln_4), ([0.0; 4], ln_4 / 2.0)] {
        let found = mean(&categorical, row).unwrap();
        assert!((found - expected).abs() < 1e-6, "{row:?}: {found}");
    }
}

#[test]
fn masks_of_255_are_refused() {
    let outputs = Var::from(Tensor::full([1, 2, 2, 1], 0.5));
    let mask = Tensor::new([[[[0.0], [255.0]], [[255.0], [0.0]]]]);
    let problem = "targets must be in 0 to 1, found 255 at element 1 of [1, 2, 2, 1]; divide masks of 0 and 255 by 255, and make \
                   classes one-hot";
    let message = |loss: Result<Var>| loss.unwrap_err().to_string();
    assert_eq!(message(Dice.mean(&mask, &outputs, None)), format!("dice: {problem}"));
    assert_eq!(message(Tversky::default().mean(&mask, &outputs, None)), format!("tversky: {problem}"));
    assert!(Dice.mean(&(mask / 255.0), &outputs, None).is_ok());
}

#[test]
fn a_single_unit_is_no_choice_between_classes() {
    let outputs = Var::from(Tensor::full([2, 1], 0.5));
    assert_eq!(
        SparseCategoricalCrossentropy::default().mean(&Tensor::zeros([2]), &outputs, None).unwrap_err().to_string(),
        "sparse_categorical_crossentropy: outputs must have an axis of two classes or more, found [2, 1]; for a single yes or no \
         use BinaryCrossentropy"
    );
}
