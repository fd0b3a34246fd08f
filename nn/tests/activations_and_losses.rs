//! The activation in which a network ends, and the losses that cannot be meant with it.

use gradus_nn::losses::*;
use gradus_nn::{
    Activation, Add, Average, BatchNormalization, Build, Built, Concatenate, Conv2D, Dense, Dropout, ELU, Flatten,
    GlobalAveragePooling2D, Graph, Layer, LeakyReLU, Model, ReLU, Rescaling, Reshape, Residual, Result, Sequential,
    Softmax,
};
use gradus_tensor::{Float, Generator, Tensor};
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
