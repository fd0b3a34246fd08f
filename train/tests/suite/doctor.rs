//! What the doctor finds in networks that are broken on purpose, and that it is silent where all is well.
//!
//! Data are drawn from seeds, or come from MNIST and Auto MPG. The findings follow from how each network is broken.

use gradus_datasets::{Dataset, auto_mpg, mnist};
use gradus_nn::losses::{BinaryCrossentropy, CategoricalCrossentropy, MeanSquaredError, Objective};
use gradus_nn::{
    Activation, BatchNormalization, Build, Built, Conv2D, Dense, Dropout, Embedding, Flatten, GlobalAveragePooling2D,
    Initializer, LSTM, Layer, MaxPooling2D, Model, Normalization, ReLU, Sequential,
};
use gradus_optim::{Adam, IntoOptimizer, Optimizer, Rule, Sgd};
use gradus_tensor::{Float, Generator, Tensor};
use gradus_train::callbacks::{Doctor, Run, TerminateOnNaN, on_batch_end};
use gradus_train::state::Status;
use gradus_train::{Finding, FindingKind, Fit, History, Trainer};
use serde::{Deserialize, Serialize};

use crate::common::values;

/// What is found in a run, in which every step is looked into.
fn findings<L: Objective<f32>, R: Rule>(
    model: Model,
    loss: L,
    optimizer: impl Into<Optimizer<R>>,
    data: &Dataset,
    epochs: usize,
) -> Vec<Finding> {
    let fit =
        Fit { epochs, verbose: false, ..Fit::default() }.callback(Doctor::new().every(1)).callback(TerminateOnNaN);
    Trainer::new(model, loss, optimizer).seed(1).fit(data, fit).unwrap().findings
}

/// The kinds, each with the place.
fn kinds(findings: &[Finding]) -> Vec<(FindingKind, Option<&str>)> {
    findings.iter().map(|finding| (finding.kind, finding.place.as_deref())).collect()
}

/// Two classes of points in eight dimensions, which a line separates but for noise.
fn points(samples: usize) -> Dataset {
    let mut generator = Generator::new(3);
    let x: Tensor = generator.normal([samples, 8], 0.0, 1.0);
    let y = x.sum(-1).unsqueeze(1).map(|sum| f32::from(sum > 0.0));
    Dataset::new(x, y).unwrap()
}

/// A network of two layers for these points.
fn two_layers(hidden: Dense, last: Activation) -> Model {
    let network = Sequential::new().add(hidden).add(Dense::new(1).activation(last));
    Model::build(network, [8], 1).unwrap()
}

fn hidden() -> Dense {
    Dense::new(16).activation(Activation::Relu)
}

fn digits(samples: usize) -> Dataset {
    mnist::load().unwrap().train.take(samples).map_inputs(|x| x.to::<f32>() / 255.0).to_categorical(10).unwrap()
}

/// The network of the README.
fn digits_model() -> Model {
    let network = Sequential::new()
        .add(Flatten)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax));
    Model::build(network, [28, 28], 42).unwrap()
}

#[test]
fn targets_beyond_the_last_activation_are_found() {
    let unreachable = |last: Activation, targets: fn(f32) -> f32| {
        let data = points(64);
        let data = Dataset::new(data.inputs().clone(), data.targets().map(targets)).unwrap();
        findings(two_layers(hidden(), last), MeanSquaredError, Adam::default(), &data, 1)
    };
    let of_output = [(FindingKind::UnreachableTargets, Some("1"))];
    let found = unreachable(Activation::Sigmoid, |y| 5.0 * y);
    assert_eq!(kinds(&found), of_output);
    let expected = "epoch 1, batch 1: the targets of the output 1 go from 0 to 5, where its Sigmoid gives 0 to 1; leave the \
                    activation of the last layer out, or bring the targets into its range";
    assert_eq!(found[0].to_string(), expected);
    assert_eq!(kinds(&unreachable(Activation::Relu, |y| y - 1.0)), of_output);
    assert_eq!(kinds(&unreachable(Activation::Tanh, |y| 2.0 * y)), of_output);
    assert_eq!(kinds(&unreachable(Activation::Softplus, |y| -y)), of_output);
    assert_eq!(kinds(&unreachable(Activation::Linear, |y| 5.0 * y)), []);
    assert_eq!(kinds(&unreachable(Activation::Tanh, |y| y)), []);
}

#[test]
fn equal_targets_are_found() {
    let data = points(64);
    let constant = Dataset::new(data.inputs().clone(), data.targets().ones_like()).unwrap();
    let model = two_layers(hidden(), Activation::Sigmoid);
    let found = findings(model, BinaryCrossentropy::default(), Adam::default(), &constant, 2);
    assert_eq!(kinds(&found), [(FindingKind::EqualTargets, Some("1"))]);
    assert_eq!(found[0].problem, "the targets of the output 1 are all 1, as far as 64 samples say");
    // The last sample alone is another.
    let x = constant.inputs().clone();
    let y = Tensor::from_iter((0..64).map(|i| f32::from(i < 63))).reshape([64, 1]);
    let model = two_layers(hidden(), Activation::Sigmoid);
    let found = findings(model, BinaryCrossentropy::default(), Adam::default(), &Dataset::new(x, y).unwrap(), 2);
    assert_eq!(kinds(&found), []);
}

#[test]
fn inputs_that_were_not_scaled_are_found() {
    let bytes = mnist::load().unwrap().train.take(96).map_inputs(|x| x.to::<f32>()).to_categorical(10).unwrap();
    let found = findings(digits_model(), CategoricalCrossentropy::default(), Adam::default(), &bytes, 1);
    // Flatten only moves the pixels.
    assert_eq!(found[0].kind, FindingKind::UnscaledInputs);
    let expected = "layer 1 (Dense) is fed with whole numbers from 0 to 255, as bytes are";
    assert_eq!((found[0].place.as_deref(), &*found[0].problem), (Some("0"), expected));

    let cars = auto_mpg::load().unwrap();
    let network = || Sequential::new().add(hidden()).add(Dense::new(1));
    let model = Model::build(network(), [9], 1).unwrap();
    let found = findings(model, MeanSquaredError, Adam::default(), &cars, 1);
    assert_eq!(found[0].kind, FindingKind::UnscaledInputs);
    assert!(found[0].problem.contains("columns of very unlike sizes"), "{}", found[0]);
    assert!(found[0].hint.contains("Dataset::normalize"), "{}", found[0]);
    // A layer that scales them comes first.
    let scaled = Sequential::new().add(Normalization::adapt(cars.inputs()).unwrap()).add(network());
    let found = findings(Model::build(scaled, [9], 1).unwrap(), MeanSquaredError, Adam::default(), &cars, 1);
    assert_eq!(kinds(&found), []);

    let data = points(64);
    let large = Dataset::new(data.inputs() * 100.0 + 0.5, data.targets().clone()).unwrap();
    let model = two_layers(hidden(), Activation::Sigmoid);
    let found = findings(model, BinaryCrossentropy::default(), Adam::default(), &large, 1);
    assert_eq!(kinds(&found)[0], (FindingKind::UnscaledInputs, Some("input")));
    assert!(found[0].problem.starts_with("layer 0 (Dense) is fed with large numbers: from -"), "{}", found[0]);
}

#[test]
fn dead_units_are_found() {
    let dead = hidden().bias_initializer(Initializer::Constant(-100.0));
    let model = two_layers(dead, Activation::Sigmoid);
    let found = findings(model, BinaryCrossentropy::default(), Sgd::default(), &points(512), 1);
    assert_eq!(kinds(&found), [(FindingKind::DeadUnits, Some("0"))]);
    assert_eq!(found[0].problem, "16 of the 16 ReLU units of layer 0 (Dense) gave 0 for all 320 samples of 10 batches");
    assert_eq!((found[0].epoch, found[0].batch), (0, 10));
    // A ReLU that is a layer by itself, behind a convolution.
    let dying = Conv2D::new(8, 3).bias_initializer(Initializer::Constant(-100.0));
    let network =
        Sequential::new().add(dying).add(ReLU::new()).add(Flatten).add(Dense::new(10).activation(Activation::Softmax));
    let data = digits(320).map_inputs(|x| x.unsqueeze(-1));
    let model = Model::build(network, [28, 28, 1], 1).unwrap();
    let found = findings(model, CategoricalCrossentropy::default(), Adam::default(), &data, 1);
    assert_eq!(kinds(&found), [(FindingKind::DeadUnits, Some("1"))]);
}

#[test]
fn saturated_units_are_found() {
    for activation in [Activation::Tanh, Activation::Sigmoid] {
        let wild = Dense::new(16)
            .activation(activation)
            .kernel_initializer(Initializer::RandomNormal { mean: 0.0, stddev: 200.0 });
        let model = two_layers(wild, Activation::Sigmoid);
        let found = findings(model, BinaryCrossentropy::default(), Sgd::default().learning_rate(1e-3), &points(320), 1);
        assert_eq!(kinds(&found), [(FindingKind::SaturatedUnits, Some("0"))], "{activation:?}");
        assert!(
            found[0]
                .problem
                .contains("are at their limits, where their slope is next to 0, for nearly all 320 samples"),
            "{}",
            found[0]
        );
    }
}

#[test]
fn vanishing_and_exploding_gradients_are_found() {
    let deep = |activation: Activation, kernel: Option<Initializer>| {
        let mut network = Sequential::new();
        for _ in 0..10 {
            let layer = Dense::new(16).activation(activation);
            network = network.add(match kernel {
                Some(kernel) => layer.kernel_initializer(kernel),
                None => layer,
            });
        }
        Model::build(network.add(Dense::new(1).activation(Activation::Sigmoid)), [8], 1).unwrap()
    };
    let of = |model| findings(model, BinaryCrossentropy::default(), Sgd::default(), &points(320), 1);
    let found = of(deep(Activation::Sigmoid, None));
    assert_eq!(kinds(&found), [(FindingKind::VanishingGradients, Some("0"))]);
    assert!(found[0].problem.ends_with(" times smaller at layer 0 (Dense) than at layer 10 (Dense)"), "{}", found[0]);
    // Each of ten layers multiplies by some 6, and the last is a linear one, so that no sigmoid cuts the gradient off.
    let wild = deep(Activation::Linear, Some(Initializer::RandomNormal { mean: 0.0, stddev: 1.5 })).up_to("9").unwrap();
    let targets = points(320).targets().broadcast_to([320, 16]);
    let data = Dataset::new(points(320).inputs().clone(), targets).unwrap();
    let found = findings(wild, MeanSquaredError, Adam::default(), &data, 1);
    assert_eq!(kinds(&found), [(FindingKind::ExplodingGradients, Some("0"))]);
    assert_eq!(kinds(&of(deep(Activation::Relu, Some(Initializer::HeNormal)))), []);
}

#[test]
fn layers_that_do_not_learn_are_found() {
    let loss = BinaryCrossentropy::default;
    // Kernels of zeros on both sides: neither has a gradient, only the last bias.
    let zeros = |units| Dense::new(units).kernel_initializer(Initializer::Zeros);
    let network =
        Sequential::new().add(zeros(16).activation(Activation::Tanh)).add(zeros(1).activation(Activation::Sigmoid));
    let found = findings(Model::build(network, [8], 1).unwrap(), loss(), Sgd::default(), &points(320), 1);
    assert_eq!(kinds(&found), [(FindingKind::UntrainedLayer, None)]);
    assert_eq!(found[0].problem, "no kernel has changed in 10 steps, as their gradients are 0");
    // A kernel of zeros behind the first.
    let network = Sequential::new()
        .add(Dense::new(16))
        .add(zeros(16).activation(Activation::Relu))
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let found = findings(Model::build(network, [8], 1).unwrap(), loss(), Sgd::default(), &points(320), 1);
    assert_eq!(kinds(&found), [(FindingKind::DeadUnits, Some("1"))]);
    let untrained = |place| (FindingKind::UntrainedLayer, Some(place));
    // Frozen before it was trained or loaded.
    let mut model = two_layers(hidden(), Activation::Sigmoid);
    model.freeze("0").unwrap();
    let found = findings(model.clone(), loss(), Adam::default(), &points(320), 1);
    assert_eq!(kinds(&found), [untrained("0")]);
    assert_eq!(found[0].problem, "layer 0 is frozen, and its bias is 0 as it was drawn: it was never trained");
    // Frozen after.
    model.unfreeze("0").unwrap();
    let mut trainer = Trainer::new(model, loss(), Adam::default());
    trainer.fit(&points(320), Fit { verbose: false, ..Fit::default() }).unwrap();
    let mut model = trainer.into_model();
    model.freeze("0").unwrap();
    assert_eq!(kinds(&findings(model.clone(), loss(), Adam::default(), &points(320), 1)), []);
    // All of them.
    model.freeze("1").unwrap();
    let found = findings(model, loss(), Adam::default(), &points(320), 1);
    assert_eq!(kinds(&found), [(FindingKind::UntrainedLayer, None)]);
}

#[test]
fn learning_rates_that_are_far_off_are_found() {
    let of = |rate: f64| {
        let adam = Adam::default().learning_rate(rate);
        findings(digits_model(), CategoricalCrossentropy::default(), adam, &digits(3200), 1)
    };
    assert_eq!(kinds(&of(1e-9)), [(FindingKind::LowLearningRate, None)]);
    let high = of(10.0);
    let is_told = |finding: &Finding| matches!(finding.kind, FindingKind::HighLearningRate | FindingKind::DeadUnits);
    assert!(
        high.iter().any(is_told) && high.iter().all(|finding| finding.hint.contains("lower the learning rate")),
        "{high:?}"
    );
}

#[test]
fn labels_that_were_shuffled_are_found() {
    let data = digits(3200);
    let order = Generator::new(5).permutation(3200);
    let shuffled = Dataset::new(data.inputs().clone(), data.targets().index_select(0, &order)).unwrap();
    let found = findings(digits_model(), CategoricalCrossentropy::default(), Adam::default(), &shuffled, 2);
    assert_eq!(kinds(&found), [(FindingKind::UnrelatedLabels, None)]);
    assert_eq!((found[0].epoch, found[0].batch), (1, 100));
    assert_eq!(kinds(&findings(digits_model(), CategoricalCrossentropy::default(), Adam::default(), &data, 2)), []);
}

/// Takes the logarithm, as a layer of a user's own may.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Logarithm;

impl Layer for Logarithm {
    const KIND: &'static str = "Logarithm";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> gradus_nn::Result<Built<T>> {
        Ok(Built::new(build.input()?, |_, x| (x * T::of(2.0)).ln() + T::ONE))
    }
}

/// The root, whose value is finite at 0, and whose slope is not.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Root;

impl Layer for Root {
    const KIND: &'static str = "Root";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> gradus_nn::Result<Built<T>> {
        Ok(Built::new(build.input()?, |_, x| x.sqrt() * T::of(0.5)))
    }
}

#[test]
fn the_first_that_is_not_finite_is_named() {
    let x = Tensor::linspace(-1.0, 1.0, 8).reshape([8, 1]);
    let data = Dataset::new(x.clone(), x).unwrap();
    let ones = || Dense::new(3).kernel_initializer(Initializer::Ones);
    let of = |network: Sequential, data: &Dataset| {
        let found = findings(Model::build(network, [1], 1).unwrap(), MeanSquaredError, Sgd::default(), data, 2);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].kind, FindingKind::NotFinite);
        found[0].to_string()
    };
    // ReLU gives 0 for half of the samples, and the logarithm of that is -inf.
    let network =
        Sequential::new().add(ones().activation(Activation::Relu)).add_named("log", Logarithm).add(Dense::new(1));
    let found = of(network, &data);
    assert!(found.starts_with("epoch 1, batch 1: the loss became "), "{found}");
    assert!(found.contains(": the op ln in layer log (Logarithm) was the first to give -inf"), "{found}");
    // The way there is finite, the way back is not.
    let network = Sequential::new().add(ones().kernel_initializer(Initializer::Zeros)).add(Root).add(Dense::new(1));
    let found = of(network, &data);
    let expected = "epoch 1, batch 1: a gradient is not finite: on the way back, the derivative of the op sqrt in layer 1 \
                    (Root) was the first that is not finite; check what it is given";
    assert!(found.starts_with(expected), "{found}");
    // A sample is the cause.
    let mut spoilt = data.inputs().clone();
    spoilt.as_mut_slice()[5] = f32::NAN;
    let spoilt = Dataset::new(spoilt, data.targets().clone()).unwrap();
    let found = of(Sequential::new().add(Dense::new(1)), &spoilt);
    let expected =
        "epoch 1, batch 1: the loss became NaN: sample 5 has NaN among its inputs; mend the sample or leave it out";
    assert_eq!(found, expected);
    // A weight is.
    let mut model = Model::build(Sequential::new().add(Dense::new(1)), [1], 1).unwrap();
    model.params_mut()[1].value = Tensor::new([f32::INFINITY]);
    let found = findings(model, MeanSquaredError, Sgd::default(), &data, 1);
    assert!(found[0].problem.contains("the weight \"0/bias\" was inf before this step"), "{}", found[0]);
}

#[test]
fn an_error_says_what_the_doctor_has_found() {
    let network = Sequential::new().add(Logarithm).add(Dense::new(1));
    let x = Tensor::linspace(0.0, 1.0, 8).reshape([8, 1]);
    let model = Model::build(network, [1], 1).unwrap();
    let mut trainer = Trainer::new(model, MeanSquaredError, Sgd::default());
    let fit = Fit { doctor: true, verbose: false, ..Fit::default() };
    let error = trainer.fit(&Dataset::new(x.clone(), x).unwrap(), fit).unwrap_err().to_string();
    // What a constant is computed by is on no tape.
    assert!(error.contains("in epoch 1, batch 1: layer 0 (Logarithm) was the first to give -inf"), "{error}");
    let findings = &trainer.state().history.findings;
    assert_eq!(kinds(findings), [(FindingKind::NotFinite, None)]);
}

/// Asserts that there is nothing to find in a run, whether every step is looked into or some are.
fn is_silent<L: Objective<f32> + Clone>(model: &Model, loss: &L, rate: f64, data: &Dataset, epochs: usize) {
    for every in [1, 8] {
        let adam = Adam::default().learning_rate(rate);
        let mut trainer = Trainer::new(model.clone(), loss.clone(), adam).seed(2);
        let doctor = Doctor::new().every(every);
        let history = trainer.fit(data, Fit { epochs, verbose: false, ..Fit::default() }.callback(doctor)).unwrap();
        assert_eq!(history.findings, [], "every {every}");
        let losses = history.get("loss");
        assert!(losses[epochs - 1] < losses[0], "{losses:?}");
    }
}

#[test]
fn it_is_silent_about_the_network_of_the_readme() {
    is_silent(&digits_model(), &CategoricalCrossentropy::default(), 1e-3, &digits(3200), 2);
}

#[test]
fn it_is_silent_about_a_convolutional_network_with_batch_normalization() {
    let network = Sequential::new()
        .add(Conv2D::new(8, 3))
        .add(BatchNormalization::new())
        .add(ReLU::new())
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(16, 3).activation(Activation::Relu))
        .add(BatchNormalization::new())
        .add(GlobalAveragePooling2D::new())
        .add(Dense::new(10).activation(Activation::Softmax));
    let data = digits(640).map_inputs(|x| x.unsqueeze(-1));
    let model = Model::build(network, [28, 28, 1], 3).unwrap();
    is_silent(&model, &CategoricalCrossentropy::default(), 1e-3, &data, 3);
}

#[test]
fn it_is_silent_about_a_recurrent_network() {
    // Whether a sequence has more of the upper ids than of the lower ones.
    let ids = Generator::new(4).integers([800, 12], 0..20);
    let y = ids.to::<f32>().mean(1).map(|mean| f32::from(mean > 9.5)).unsqueeze(1);
    let data = Dataset::new(ids.to::<f32>(), y).unwrap();
    let network = Sequential::new()
        .add(Embedding::new(20, 8))
        .add(LSTM::new(16))
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let model = Model::build(network, [12], 1).unwrap();
    is_silent(&model, &BinaryCrossentropy::default(), 0.005, &data, 4);
}

#[test]
fn it_is_silent_about_a_regression() {
    let network = Sequential::new().add(Dense::new(64).activation(Activation::Relu)).add(hidden()).add(Dense::new(1));
    let cars = auto_mpg::load().unwrap().normalize();
    is_silent(&Model::build(network, [9], 1).unwrap(), &MeanSquaredError, 1e-3, &cars, 20);
}

#[test]
fn it_is_silent_about_xor() {
    let x = Tensor::new([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
    let xor = Dataset::new(x, Tensor::new([[0.0], [1.0], [1.0], [0.0]])).unwrap();
    for (seed, activation) in (0..4).flat_map(|seed| [(seed, Activation::Tanh), (seed, Activation::Relu)]) {
        let network = Sequential::new()
            .add(Dense::new(8).activation(activation))
            .add(Dense::new(1).activation(Activation::Sigmoid));
        let model = Model::build(network, [2], seed).unwrap();
        is_silent(&model, &BinaryCrossentropy::default(), 0.05, &xor, 300);
    }
}

#[test]
fn the_training_has_the_same_bits_with_a_doctor() {
    let run = |doctor: Option<Doctor>| {
        let network = Sequential::new()
            .add(Conv2D::new(4, 3))
            .add(BatchNormalization::new())
            .add(ReLU::new())
            .add(MaxPooling2D::new(2))
            .add(Flatten)
            .add(Dropout::new(0.5))
            .add(Dense::new(10).activation(Activation::Softmax));
        let model = Model::build(network, [28, 28, 1], 3).unwrap();
        let mut trainer = Trainer::new(model, CategoricalCrossentropy::default(), Adam::default());
        let fit = Fit { epochs: 2, verbose: false, ..Fit::default() };
        let fit = match doctor {
            Some(doctor) => fit.callback(doctor),
            None => fit,
        };
        let history = trainer.fit(&digits(320).map_inputs(|x| x.unsqueeze(-1)), fit).unwrap();
        (history.logs, values(trainer.model().params()))
    };
    assert_eq!(run(None), run(Some(Doctor::new().every(3))));
}

#[test]
fn findings_go_through_serde() {
    let history = History {
        findings: vec![Finding {
            kind: FindingKind::DeadUnits,
            epoch: 1,
            batch: 5,
            place: Some("0".to_owned()),
            problem: "p".to_owned(),
            hint: "h".to_owned(),
        }],
        ..History::default()
    };
    let text = serde_json::to_string(&history).unwrap();
    assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
    // One without findings is written as before there were doctors.
    assert!(!serde_json::to_string(&History::default()).unwrap().contains("findings"));
}

#[test]
fn a_run_that_is_paused_finds_the_same() {
    let run = |pauses: usize| {
        let dead = hidden().bias_initializer(Initializer::Constant(-100.0));
        let model = two_layers(dead, Activation::Sigmoid);
        let mut trainer = Trainer::new(model, BinaryCrossentropy::default(), Sgd::default());
        let mut count = 0;
        loop {
            let pause = on_batch_end(move |run: &mut Run<'_>| {
                if pauses > 0 && run.batch.is_multiple_of(pauses) {
                    run.pause("the computer is needed for something else");
                }
                Ok(())
            });
            let fit = Fit { doctor: true, verbose: false, ..Fit::default() }.callback(pause);
            let history = trainer.fit(&points(4096), fit).unwrap();
            count += 1;
            if trainer.state().status == Status::Ended {
                return (count, history.findings);
            }
            // As a program does that goes on from a file.
            let written = serde_json::to_string(trainer.state()).unwrap();
            trainer.restore(serde_json::from_str(&written).unwrap());
        }
    };
    let (_, findings) = run(0);
    assert_eq!(kinds(&findings), [(FindingKind::DeadUnits, Some("0"))]);
    // Before it, 0 to 3 and 8, 16, .. 48 steps were taken in the ten that are looked into.
    assert_eq!(findings[0].batch, 49);
    let (count, paused) = run(5);
    assert_eq!((count, paused), (26, findings));
}

#[test]
fn gradients_that_wait_for_others_are_no_weights_that_stand_still() {
    let optimizer = || Adam::default().learning_rate(0.01).gradient_accumulation_steps(4);
    let model = || two_layers(hidden(), Activation::Sigmoid);
    assert_eq!(findings(model(), BinaryCrossentropy::default(), optimizer(), &points(2048), 3), []);
}
