//! Models that are trained here, written with their optimisers. `tests/reference/keras_compiled.py` goes on with the training in
//! Keras, by the files that the tests write to the folder `GRADUS_KERAS_FOLDER`.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

use gradus_interchange::keras::{self, Compiled, SavedOptimizer};
use gradus_nn::losses::{
    BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy,
    CategoricalHinge, CosineSimilarity, Dice, Hinge, Huber, KLDivergence, LogCosh, Loss, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy,
    SquaredHinge,
};
use gradus_nn::{Activation, Conv1D, Dense, GRU, LayerNormalization, Model, Residual, Sequential, WeightSource};
use gradus_optim::{
    Adadelta, Adafactor, Adagrad, Adam, AdamW, Adamax, CosineDecay, CosineRestarts, ExponentialDecay, Ftrl,
    IntoOptimizer, InverseTimeDecay, Lamb, Lion, Muon, Nadam, OneCycle, Optimizer, PiecewiseConstant, PolynomialDecay,
    RmsProp, Rule, Schedule, Sgd, Slot, State, StepDecay, Weight,
};
use gradus_tensor::{AnyTensor, Float, Generator, Shape, Tensor};
use serde_json::{Value as Json, json};

use super::{READ, fixture};

/// A folder that Keras is to read, or one that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let kept = std::env::var("GRADUS_KERAS_FOLDER").map(|kept| PathBuf::from(kept).join(name));
        let temporary = || std::env::temp_dir().join(format!("gradus_keras_{name}_{}", std::process::id()));
        let folder = Folder(kept.unwrap_or_else(|_| temporary()));
        std::fs::create_dir_all(&folder.0).unwrap();
        folder
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.keras"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::env::var("GRADUS_KERAS_FOLDER").is_err() {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}

fn values<T: Float>(shape: impl Into<Shape>, seed: usize) -> Tensor<T> {
    let shape = shape.into();
    let value = |i: usize| T::of(((7 * i + 3 * seed) % 11) as f64 / 8.0 - 0.625);
    (0..shape.size()).map(value).collect::<Tensor<T>>().reshape(shape)
}

fn steps<R: Rule, T: Float>(
    model: &mut Model<T>,
    optimizer: &mut Optimizer<R, T>,
    loss: &impl Loss,
    x: &Tensor<T>,
    y: &Tensor<T>,
    count: usize,
) {
    for _ in 0..count {
        let pass = model.grad(x, y, None, loss, &mut Generator::new(1)).unwrap();
        optimizer.step(model.params_mut(), &pass.grads);
    }
}

/// Trains a model, writes it, and trains it further: the weights that Keras is to come to as well.
fn train<R: Rule, T: Float>(
    folder: &Folder,
    name: &str,
    mut model: Model<T>,
    mut optimizer: Optimizer<R, T>,
    loss: &impl Loss,
    [x, y]: [Tensor<T>; 2],
) {
    let path = folder.file(name);
    steps(&mut model, &mut optimizer, loss, &x, &y, 3);
    keras::save_compiled(&model, &Compiled::new(&optimizer).loss(loss), &path).unwrap();

    let SavedOptimizer { state, .. } = keras::optimizer_as::<T>(&path).unwrap().unwrap();
    let State { steps: taken, waiting, mut slots, .. } = optimizer.state();
    assert_eq!((state.steps, state.waiting), (taken, waiting), "{name}");
    if let Some(rate) = state.learning_rate {
        assert!((rate - optimizer.current_learning_rate()).abs() < 1e-7 * rate, "{name}");
    }
    let mut found = state.slots;
    found.sort_by(|a, b| a.0.cmp(&b.0));
    slots.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, slots, "{name}");
    let again = keras::load_as::<T>(&path).unwrap().model;
    assert!(again.params().iter().zip(model.params()).all(|(a, b)| a.value == b.value), "{name}");

    steps(&mut model, &mut optimizer, loss, &x, &y, 4);
    let data = |tensor: &Tensor<T>| {
        let values: Vec<f64> = tensor.iter().map(|value| value.as_f64()).collect();
        json!({"shape": tensor.shape().to_vec(), "values": values})
    };
    let weights: Vec<Json> = model.params().iter().map(|param| data(&param.value)).collect();
    let expected = json!({"inputs": [data(&x), data(&y)], "steps": 4, "outputs": weights});
    std::fs::write(path.with_extension("json"), expected.to_string()).unwrap();
}

/// Numbers out of numbers.
fn regression<T: Float>() -> (Model<T>, [Tensor<T>; 2]) {
    let network = Sequential::new()
        .add_named("body", Dense::new(4).activation(Activation::Tanh))
        .add(LayerNormalization::new())
        .add_named("head", Dense::new(2));
    (Model::build_as(network, [3], 7).unwrap(), [values([6, 3], 1), values([6, 2], 2)])
}

#[test]
fn training_goes_on_in_keras_by_every_rule() {
    fn check<R: Rule>(name: &str, optimizer: impl Into<Optimizer<R>>) {
        let (model, data) = regression();
        train(&Folder::new("rules"), name, model, optimizer.into(), &MeanSquaredError, data);
    }
    let adam = || Adam::default().epsilon(1e-3).keras_epsilon(true);
    check("sgd", Sgd::default().momentum(0.5).nesterov(true).weight_decay(0.1));
    check("adam", adam());
    check("amsgrad", adam().amsgrad(true).beta_2(0.9).clip_value(0.1));
    check("adamw", AdamW(adam()).weight_decay(0.1));
    check("adamw_without", AdamW(adam()).weight_decay(0.0));
    check("rmsprop", RmsProp::default().rho(0.8).momentum(0.5).centered(true).clip_norm(0.1));
    check("adagrad", Adagrad::default().initial_accumulator(0.2).epsilon(0.01).keras_epsilon(true).learning_rate(0.05));
    check("adadelta", Adadelta::default().rho(0.9).epsilon(1e-3).learning_rate(1.0));
    check("adamax", Adamax::default().beta_1(0.8).epsilon(0.01).use_ema(0.75).ema_overwrite_frequency(5));
    check("nadam", Nadam::default().beta_1(0.8).epsilon(0.01));
    let ftrl = Ftrl::default().learning_rate_power(-0.4).initial_accumulator(0.2).l1(0.01).l2(0.1);
    check("ftrl", ftrl.l2_shrinkage(0.05).beta(0.1).learning_rate(0.1));
    check("lion", Lion::default().beta_1(0.8).beta_2(0.9));
    check("lamb", Lamb::default().beta_1(0.8).epsilon(0.01).clip_global_norm(0.5));
    check("adafactor", Adafactor::default().beta_2_decay(-0.7).clip_threshold(0.9).learning_rate(0.05));
    check("muon", Muon::default().adam(adam()).adam_lr_ratio(0.5).exclude_layers(["head"]).learning_rate(0.01));
    // Keras forgets the name of the model that the excluded layer lies in.
    let block = Sequential::new().add_named("inner", Dense::new(4).activation(Activation::Tanh));
    let network = Sequential::new().add_named("block", block).add_named("head", Dense::new(2));
    let muon = Muon::default().adam(adam()).exclude_layers(["block"]).learning_rate(0.01);
    let data = [values([6, 3], 1), values([6, 2], 2)];
    let model = Model::build(network, [3], 7).unwrap();
    train(&Folder::new("rules"), "muon_block", model, muon, &MeanSquaredError, data);
    check("gathered", adam().gradient_accumulation_steps(2));
    // A rate that was set in the course of training stands before the schedule.
    let mut set: Optimizer<Sgd> = Sgd::default().learning_rate(|_| 0.5);
    set.set_learning_rate(0.125);
    check("set", set);

    let (model, data) = regression::<f64>();
    train(&Folder::new("rules"), "float64", model, Optimizer::from(adam()), &MeanSquaredError, data);
}

#[test]
fn training_goes_on_in_keras_by_every_schedule() {
    fn check(name: &str, schedule: impl Schedule) {
        let (model, data) = regression::<f32>();
        let optimizer = Sgd::default().learning_rate(schedule);
        train(&Folder::new("schedules"), name, model, optimizer, &MeanSquaredError, data);
    }
    check("exponential", ExponentialDecay::new(0.2, 2, 0.5));
    check("stairs", StepDecay::new(0.2, 2, 0.5));
    check("inverse", InverseTimeDecay::new(0.2, 2, 0.5).staircase(true));
    check("polynomial", PolynomialDecay::new(0.2, 4).end(0.05).power(2.0).cycle(true));
    check("piecewise", PiecewiseConstant::new([1, 4], [0.2, 0.1, 0.05]));
    check("cosine", CosineDecay::new(0.2, 6).alpha(0.25));
    check("warm_up", CosineDecay::new(0.2, 3).alpha(0.25).warm_up(4).start(0.05));
    check("restarts", CosineRestarts::new(0.2, 2).m_mul(0.5).alpha(0.25));
}

#[test]
fn training_goes_on_in_keras_by_every_loss() {
    fn check(name: &str, loss: impl Loss, units: usize, activation: Activation, targets: Tensor) {
        let network = Sequential::new()
            .add_named("body", Dense::new(4).activation(Activation::Tanh))
            .add_named("head", Dense::new(units).activation(activation));
        let model = Model::build(network, [3], 7).unwrap();
        let optimizer = Sgd::default().learning_rate(0.1);
        train(&Folder::new("losses"), name, model, optimizer, &loss, [values([6, 3], 1), targets]);
    }
    let none = Activation::Linear;
    let numbers = || values([6, 2], 2);
    check("mae", MeanAbsoluteError, 2, none, numbers());
    check("mape", MeanAbsolutePercentageError, 2, none, numbers() + 2.0);
    check("msle", MeanSquaredLogarithmicError, 2, Activation::Sigmoid, numbers() + 1.0);
    check("log_cosh", LogCosh, 2, none, numbers());
    check("huber", Huber::default().delta(0.5), 2, none, numbers());
    check("poisson", Poisson, 2, Activation::Softplus, numbers() + 1.0);
    check("cosine", CosineSimilarity, 2, none, numbers());
    let yes_or_no = || Tensor::new([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
    check("hinge", Hinge, 2, none, yes_or_no());
    check("squared_hinge", SquaredHinge, 2, none, yes_or_no());
    check("binary", BinaryCrossentropy::default().label_smoothing(0.25), 2, Activation::Sigmoid, yes_or_no());
    check("binary_logits", BinaryCrossentropy::default().from_logits(true), 2, none, yes_or_no());
    let focal = BinaryFocalCrossentropy::default().gamma(1.5);
    check("binary_focal", focal, 2, Activation::Sigmoid, yes_or_no());
    check("binary_focal_alpha", focal.alpha(0.75), 2, Activation::Sigmoid, yes_or_no());
    let classes = || Tensor::new([0.0, 1.0, 2.0, 0.0, 1.0, 2.0]);
    let one_hot =
        || Tensor::new([0, 1, 2, 0, 1, 2].map(|class| [0, 1, 2].map(|unit| if unit == class { 1.0 } else { 0.0 })));
    check("categorical_hinge", CategoricalHinge, 3, none, one_hot());
    check("categorical", CategoricalCrossentropy::default().label_smoothing(0.25), 3, Activation::Softmax, one_hot());
    check("categorical_logits", CategoricalCrossentropy::default().from_logits(true), 3, none, one_hot());
    let focal = CategoricalFocalCrossentropy::default().alpha(0.5).gamma(1.5);
    check("categorical_focal", focal, 3, Activation::Softmax, one_hot());
    check("divergence", KLDivergence, 3, Activation::Softmax, one_hot() * 0.7 + 0.1);
    check("sparse", SparseCategoricalCrossentropy::default(), 3, Activation::Softmax, classes());
    let sparse = SparseCategoricalCrossentropy::default().from_logits(true).ignore_class(1);
    check("sparse_ignoring", sparse, 3, none, classes());
}

/// Each momentum is its weight, so that Keras can see whether each of its weights gets its own.
#[test]
fn slots_are_those_of_their_weights() {
    let folder = Folder::new("order");
    for name in READ.iter().filter(|name| !matches!(**name, "masked")) {
        let model = keras::load(fixture(&format!("{name}.keras"))).unwrap().model;
        let weights = model.params().iter().filter(|param| param.trainable());
        let slots = weights.flat_map(|param| {
            ["momentum", "velocity"].map(|slot| (format!("{}/{slot}", param.name), param.value.clone()))
        });
        let state = State { steps: 1, learning_rate: None, waiting: 0, slots: slots.collect() };
        let mut optimizer = Optimizer::from(Adam::default().keras_epsilon(true));
        optimizer.restore(model.params(), state).unwrap();
        keras::save_compiled(&model, &Compiled::new(&optimizer), folder.file(name)).unwrap();
        let again = keras::load(folder.file(name)).unwrap().model;
        for (slot, value) in keras::optimizer(folder.file(name)).unwrap().unwrap().state.slots {
            let param = again.params().get(slot.rsplit_once('/').unwrap().0).unwrap();
            assert_eq!(param.value, value, "{name} {slot}");
        }
    }
}

fn variables_of(path: &Path) -> Vec<AnyTensor> {
    let file = keras::variables(path).unwrap();
    let count = file.names().iter().filter(|name| name.starts_with("optimizer/vars/")).count();
    (0..count).map(|number| file.read(&format!("optimizer/vars/{number}")).unwrap()).collect()
}

/// What Keras has written is written again, with the same variables and the same options.
fn back<R: Rule + Debug>(name: &str, optimizer: impl Into<Optimizer<R>>) {
    let (folder, path, mut optimizer) =
        (Folder::new(name), fixture(&format!("trained_{name}.keras")), optimizer.into());
    let model = keras::load(&path).unwrap().model;
    let saved = keras::optimizer(&path).unwrap().unwrap();
    optimizer.restore(model.params(), saved.state.clone()).unwrap();
    keras::save_compiled(&model, &Compiled::new(&optimizer), folder.file("back")).unwrap();
    let again = keras::optimizer(folder.file("back")).unwrap().unwrap();
    assert_eq!((&again.class, &again.state), (&saved.class, &saved.state), "{name}");
    let (found, expected) = (variables_of(&folder.file("back")), variables_of(&path));
    assert_eq!(found.len(), expected.len(), "{name}");
    for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let is_close = found.to::<f64>().allclose(&expected.to::<f64>(), 1e-6, 1e-7);
        assert!(found.shape() == expected.shape() && is_close, "{name} {number}: {found:?} {expected:?}");
    }
    same_options(name, &again.config, &saved.config);
}

/// What is written is what Keras has; it has names besides, and an option that changes nothing.
fn same_options(name: &str, found: &Json, expected: &Json) {
    for (option, expected) in expected.as_object().unwrap() {
        match (&**option, &found[option], expected) {
            ("name" | "relative_step", ..) => {}
            ("exclude_layers", found, Json::Array(names)) => {
                assert_eq!(found.as_array().unwrap().len(), names.len(), "{name}");
            }
            (_, found @ Json::Object(_), expected) => same_options(name, found, expected),
            (_, Json::Number(found), Json::Number(expected)) => {
                assert_eq!(found.as_f64(), expected.as_f64(), "{name} {option}");
            }
            (_, found, Json::String(_)) if option == "registered_name" => assert!(found.is_null()),
            (_, found, expected) => assert_eq!(found, expected, "{name} {option}"),
        }
    }
}

#[test]
fn what_keras_has_trained_comes_back() {
    let adam = || Adam::default().keras_epsilon(true);
    back("adam", Optimizer::from(adam()));
    back("amsgrad", AdamW(adam().amsgrad(true)).weight_decay(0.1));
    back("sgd", Sgd::default().momentum(0.5).nesterov(true).learning_rate(ExponentialDecay::new(0.1, 2, 0.5)));
    back("rms", RmsProp::default().momentum(0.5).centered(true));
    back("adagrad", Adagrad::default().initial_accumulator(0.2).epsilon(0.01).keras_epsilon(true));
    back("adadelta", Adadelta::default().rho(0.9).epsilon(1e-3).clip_value(0.5));
    back("adamax", Adamax::default().beta_1(0.8).epsilon(0.01).use_ema(0.75));
    back("nadam", Nadam::default().beta_1(0.8).epsilon(0.01).clip_norm(0.5));
    let ftrl = Ftrl::default().learning_rate_power(-0.4).initial_accumulator(0.2);
    back("ftrl", ftrl.l1(0.01).l2(0.1).l2_shrinkage(0.05).beta(0.1));
    back("lion", Lion::default().beta_1(0.8).beta_2(0.9).weight_decay(0.1));
    back("lamb", Lamb::default().beta_1(0.8).epsilon(0.01).clip_global_norm(1.0));
    back("adafactor", Adafactor::default().beta_2_decay(-0.7).clip_threshold(0.9));
    let muon = Muon::default().momentum(0.9).adam(adam().beta_1(0.8).epsilon(0.01));
    back("muon", muon.adam_lr_ratio(0.5).exclude_layers(["head"]));
    back("muon_default", Muon::default().adam(adam()));
    back("gathered", adam().gradient_accumulation_steps(3));
}

/// Steps of one length.
#[derive(Clone, Debug)]
struct Normalized;

impl Rule for Normalized {
    const LEARNING_RATE: f64 = 0.01;

    fn slots(&self, _: &str, _: &Shape) -> Vec<Slot> {
        vec![]
    }

    fn apply<T: Float>(&self, _: u64, rate: f64, weight: Weight<'_, T>) {
        let (value, gradient, _) = weight.transformed();
        *value -= &gradient * (T::of(rate) / gradient.norm(..).item());
    }
}

#[test]
fn what_keras_lacks_is_refused_by_name() {
    let folder = Folder::new("lacking");
    let model = Model::build(Sequential::new().add(Residual::new(Dense::new(4))), [4], 1).unwrap();
    let refused = |error: gradus_nn::Error| error.to_string();
    let optimizer =
        Adam::default().bias_correction(false).l2(0.5).weight_decay(0.1).exclude_from_weight_decay(["bias"]);
    let optimizer: Optimizer<Adam> = optimizer.learning_rate(OneCycle::new(0.1, 10));
    let compiled = Compiled::new(&optimizer).loss(&Dice);
    let error = refused(keras::save_compiled(&model, &compiled, folder.file("model")).unwrap_err());
    let expected = [
        "layer 0 (Residual): Keras has no such layer; ",
        "the optimiser Adam: Keras has no such schedule as its learning rate, OneCycle: set a number by set_learning_rate; ",
        "the optimiser Adam: Keras has no option l2 (0.5): give the layers a regularizer; ",
        "the optimiser Adam: Keras corrects the bias: take bias_correction(true); ",
        "the optimiser Adam: Keras adds epsilon elsewhere: take Adam::keras_epsilon(true), by an optimiser into which \
         Optimizer::restore takes the state of this one; ",
        "Keras has no such loss as \"dice\"; take what Keras has, or write the model without its optimiser by keras::save",
    ];
    assert_eq!(error, format!("{}: keras: {}", folder.file("model").display(), expected.concat()));
    assert!(!folder.file("model").exists());

    let save = |model: &Model, optimizer: &Optimizer<Normalized>| {
        keras::save_compiled(model, &Compiled::new(optimizer), folder.file("model")).unwrap_err().to_string()
    };
    let (model, _) = regression();
    assert!(save(&model, &Normalized.into()).contains("Keras has no such optimiser as Normalized;"));

    fn problem<R: Rule>(folder: &Folder, model: &Model, optimizer: impl Into<Optimizer<R>>) -> String {
        let saved = keras::save_compiled(model, &Compiled::new(&optimizer.into()), folder.file("model"));
        saved.unwrap_err().to_string()
    }
    let spared = Sgd::default().weight_decay(0.1).exclude_from_weight_decay(["bias"]);
    assert!(problem(&folder, &model, spared).contains("do not hold exclude_from_weight_decay ([\"bias\"])"));
    let gathered = Sgd::default().gradient_accumulation_steps(2).learning_rate(CosineDecay::new(0.1, 10)).use_ema(0.5);
    let error = problem(&folder, &model, gathered);
    assert!(
        error.contains("schedules count batches") && error.contains("averages weights (use_ema) at each"),
        "{error}"
    );
    let muon = Muon::default().adam(Adam::default().amsgrad(true));
    let error = problem(&folder, &model, muon);
    assert!(error.contains("no amsgrad") && error.contains("take Adam::keras_epsilon(true)"), "{error}");
    // Keras leaves kernels of three axes to Adam, and a GRU has a bias of two.
    let network = Sequential::new().add_named("conv", Conv1D::new(2, 2)).add_named("gru", GRU::new(2));
    let muon = || Muon::default().adam(Adam::default().keras_epsilon(true));
    let other = Model::build(network, [4, 3], 1).unwrap();
    let error = problem(&folder, &other, muon());
    assert!(error.contains("Keras leaves \"conv/kernel\" to Adam, as a weight without two axes"), "{error}");
    assert!(error.contains("Keras takes \"gru/bias\", which has two axes, as a matrix"), "{error}");
    assert!(!error.contains("\"gru/kernel\"") && !error.contains("conv/bias"), "{error}");
    // An optimiser of another model.
    let (mut other, [x, y]) = regression();
    let mut optimizer = Optimizer::from(Sgd::default());
    steps(&mut other, &mut optimizer, &MeanSquaredError, &x, &y, 1);
    let model = Model::build(Sequential::new().add(Dense::new(2)), [3], 1).unwrap();
    assert!(problem(&folder, &model, optimizer).contains("give the optimiser by which the model is trained"));
}
