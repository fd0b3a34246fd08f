//! Models of several inputs and outputs, of different element types, from columns of data.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gradus_datasets::Dataset;
use gradus_nn::losses::{Losses, MeanSquaredError, SparseCategoricalCrossentropy};
use gradus_nn::{Activation, Concatenate, Dense, Dropout, Embedding, Flatten, Graph, Initializer, Input, Model};
use gradus_optim::{Adam, Optimizer, Sgd};
use gradus_tensor::{Columns, Generator, Tensor};
use gradus_train::callbacks::{EarlyStopping, Run, on_batch_end};
use gradus_train::metrics::{Accuracy, MeanAbsoluteError};
use gradus_train::{Error, Fit, Logs, Trainer, TrainingState, train_step};

fn quiet(epochs: usize) -> Fit {
    Fit { epochs, batch_size: 4, verbose: false, ..Fit::default() }
}

fn weights(model: &Model) -> Vec<Tensor> {
    model.params().iter().map(|param| param.value.clone()).collect()
}

/// A line through 0 for each of two outputs, `up` and `down`, both of slope 0 at first.
fn two_lines() -> Model {
    let mut graph = Graph::builder();
    let x = graph.input();
    let line = || Dense::new(1).use_bias(false).kernel_initializer(Initializer::Zeros);
    let (up, down) = (graph.add_named("up", line(), [x]), graph.add_named("down", line(), [x]));
    Model::build(graph.outputs([up, down]), [1], 0).unwrap()
}

fn one_point() -> Dataset<f32, Columns> {
    let targets = Columns::new().with("up", Tensor::new([[1.0]])).with("down", Tensor::new([[2.0]]));
    Dataset::new(Tensor::new([[1.0]]), targets).unwrap()
}

fn entries(logs: &Logs) -> Vec<(&str, f64)> {
    logs.iter().collect()
}

#[test]
fn each_output_has_its_loss_and_its_metrics_in_the_logs() {
    let losses = Losses::new().add("up", MeanSquaredError).add("down", MeanSquaredError).weighted(0.5);
    let mut trainer = Trainer::new(two_lines(), losses, Optimizer::from(Sgd::default()).learning_rate(0.25))
        .metric_for("down", MeanAbsoluteError::default())
        .metric_for("up", MeanAbsoluteError::default());
    let history = trainer.fit_validated(&one_point(), &one_point(), quiet(2)).unwrap();
    // By hand, with x = 1, slopes u and d and the loss (1 - u)^2 + (2 - d)^2 / 2: both slopes become 0.5, then 0.75 and
    // 0.875.
    let first = [
        ("loss", 3.0),
        ("up_loss", 1.0),
        ("down_loss", 4.0),
        ("down_mean_absolute_error", 2.0),
        ("up_mean_absolute_error", 1.0),
        ("val_loss", 1.375),
        ("val_up_loss", 0.25),
        ("val_down_loss", 2.25),
        ("val_down_mean_absolute_error", 1.5),
        ("val_up_mean_absolute_error", 0.5),
    ];
    assert_eq!(entries(&history.logs[0]), first);
    assert_eq!(
        (history.logs[1]["up_loss"], history.logs[1]["down_loss"], history.logs[1]["loss"]),
        (0.25, 2.25, 1.375)
    );
    assert_eq!(weights(trainer.model()), [Tensor::new([[0.75]]), Tensor::new([[0.875]])]);
    let scores = trainer.evaluate(&one_point()).unwrap();
    assert_eq!(entries(&scores)[..3], [("loss", 0.6953125), ("up_loss", 0.0625), ("down_loss", 1.265625)]);
    // What is logged can be watched.
    let watching = quiet(9).callback(EarlyStopping::new("val_up_loss").min_delta(0.04));
    let history = trainer.fit_validated(&one_point(), &one_point(), watching).unwrap();
    assert_eq!(history.stopped.as_deref(), Some("val_up_loss was best in epoch 1"));
}

#[test]
fn one_loss_is_that_of_each_output() {
    let mut trainer = Trainer::new(two_lines(), MeanSquaredError, Optimizer::from(Sgd::default()).learning_rate(0.25));
    let logs = trainer.fit(&one_point(), quiet(1)).unwrap().logs.remove(0);
    assert_eq!(entries(&logs), [("loss", 5.0), ("up_loss", 1.0), ("down_loss", 4.0)]);
    assert_eq!(trainer.predict_all(Tensor::new([[2.0]])).unwrap(), [Tensor::new([[1.0]]), Tensor::new([[2.0]])]);
    assert_eq!(
        trainer.predict(Tensor::new([[2.0]])).unwrap_err().to_string(),
        "predict: the network has 2 outputs: up, down; call predict_all, which returns all of them"
    );
}

/// Tickets: words of a title as ids below 9, a price; a department of three, and hours.
fn desk() -> Model {
    let mut graph = Graph::builder();
    let (title, price) = (graph.input_named("title"), graph.input_named("price"));
    let words = graph.add(Embedding::new(9, 4), [title]);
    let words = graph.add(Flatten, [words]);
    let both = graph.add(Concatenate::new(), [words, price]);
    let both = graph.add(Dropout::new(0.2), [both]);
    let department = graph.add_named("department", Dense::new(3).activation(Activation::Softmax), [both]);
    let hours = graph.add_named("hours", Dense::new(1), [both]);
    let inputs = [Input::named("title", [5]), Input::named("price", [1])];
    Model::build(graph.outputs([department, hours]), inputs, 1).unwrap()
}

fn losses() -> Losses {
    let department = SparseCategoricalCrossentropy::default();
    Losses::new().add("department", department).add("hours", MeanSquaredError).weighted(0.3)
}

fn desk_trainer() -> Trainer<Losses, Adam> {
    Trainer::new(desk(), losses(), Adam::default())
        .metric_for("department", Accuracy::default())
        .metric_for("hours", MeanAbsoluteError::default())
        .seed(4)
}

/// Titles, prices, departments and hours of ten tickets.
fn tickets() -> (Tensor<i64>, Tensor, Tensor<u8>, Tensor<f64>) {
    let mut random = Generator::new(2);
    let titles = random.integers([10, 5], 0..9);
    let departments = random.integers([10], 0..3).to::<u8>();
    (titles, random.uniform([10, 1], 0.0..1.0), departments, random.uniform([10, 1], 0.0..2.0))
}

fn named() -> Dataset<Columns> {
    let (title, price, department, hours) = tickets();
    let inputs = Columns::new().with("title", title).with("price", price);
    Dataset::new(inputs, Columns::new().with("department", department).with("hours", hours)).unwrap()
}

#[test]
fn columns_are_matched_by_name_or_else_by_order() {
    let trained = |data: &Dataset<Columns>| {
        let mut trainer = desk_trainer();
        let history = trainer.fit(data, Fit { validation_split: 0.2, batch_size: 3, ..quiet(3) }).unwrap();
        (weights(trainer.model()), history)
    };
    let expected = trained(&named());
    let (title, price, department, hours) = tickets();
    let by_order =
        Dataset::<Columns>::new(Columns::from((&title, &price)), Columns::from((&department, &hours))).unwrap();
    assert!(trained(&by_order) == expected);
    let inputs = Columns::new().with("price", price).with("title", title);
    let otherwise = Dataset::new(inputs, Columns::new().with("hours", hours).with("department", department)).unwrap();
    assert!(trained(&otherwise) == expected);
    assert!(expected.0 != weights(&desk()), "training must change the weights");

    // A loop by hand comes to the same bits.
    let (mut model, mut optimizer, mut generator) = (desk(), Optimizer::from(Adam::default()), Generator::new(4));
    let (train, _) = named().validation_split(0.2).unwrap();
    let mut last = [0.0; 2];
    for _ in 0..3 {
        let mut total = [0.0; 2];
        for batch in train.batches(3).shuffled(generator.next_u64()) {
            let (inputs, targets) = (&batch.inputs, &batch.targets);
            let step =
                train_step(&mut model, &losses(), &mut optimizer, inputs, targets, None, &mut generator).unwrap();
            assert_eq!((step.parts.len(), step.outputs.len(), step.output().shape()), (2, 2, &[batch.len(), 3].into()));
            assert_eq!((&*step.parts[0].output, &*step.parts[1].output), ("department", "hours"));
            // The last batch is smaller, and counts less.
            for (total, loss) in total.iter_mut().zip([step.loss, step.parts[1].loss]) {
                *total += f64::from(loss) * batch.len() as f64;
            }
        }
        last = total.map(|total| total / train.len() as f64);
    }
    let logs = &expected.1.logs[2];
    assert_eq!((weights(&model), last), (expected.0, [logs["loss"], logs["hours_loss"]]));
}

#[test]
fn a_run_of_several_outputs_goes_on_after_a_pause() {
    let data = named();
    let mut in_one = desk_trainer();
    let expected = in_one.fit(&data, quiet(2)).unwrap();
    let mut first = desk_trainer();
    let pause = on_batch_end(|run: &mut Run<'_>| {
        if (run.epoch, run.batch) == (1, 2) {
            run.pause("in between");
        }
        Ok(())
    });
    first.fit(&data, quiet(2).callback(pause)).unwrap();
    let json = serde_json::to_string(first.state()).unwrap();
    first.evaluate(&data).unwrap();
    let state: TrainingState = serde_json::from_str(&json).unwrap();
    let names: Vec<&str> = state.epoch.as_ref().unwrap().metrics.iter().map(|metric| &*metric.name).collect();
    assert_eq!(names, ["department_accuracy", "hours_mean_absolute_error"]);
    first.restore(state);
    assert_eq!(first.fit(&data, quiet(2)).unwrap(), expected);
    assert_eq!(weights(first.model()), weights(in_one.model()));
}

/// The message of a fit that is refused before its first batch.
fn refusal(data: &Dataset<Columns>, fit: Fit) -> String {
    let mut trainer = desk_trainer();
    let before = weights(trainer.model());
    let error: Error = trainer.fit(data, fit).unwrap_err();
    assert_eq!((weights(trainer.model()), trainer.optimizer().steps()), (before, 0));
    error.to_string()
}

#[test]
fn columns_that_do_not_fit_are_refused_before_the_first_batch() {
    let (title, price, department, hours) = tickets();
    let data = |inputs: Columns, targets: Columns| Dataset::<Columns>::new(inputs, targets).unwrap();
    let targets = || Columns::new().with("department", &department).with("hours", &hours);
    let inputs = || Columns::new().with("title", &title).with("price", &price);
    assert_eq!(
        refusal(&data(Columns::from(&title), targets()), quiet(1)),
        "fit: the model takes 2 inputs (title, price), found one column; give a column for each input, in order or by name"
    );
    assert_eq!(
        refusal(&data(Columns::new().with("title", &title).with("cost", &price), targets()), quiet(1)),
        "fit: there is no column for the input \"price\", only title, cost; name the columns as the network names its \
         inputs"
    );
    assert_eq!(
        refusal(&data(Columns::new().with("title", &price).with("price", &title), targets()), quiet(1)),
        "fit: input \"title\": the model takes inputs of shape [n, 5], found [10, 1]; reshape the inputs, or build the \
         model for their shape"
    );
    assert_eq!(
        refusal(&data(inputs(), Columns::from(&hours)), quiet(1)),
        "fit: the model takes 2 targets (department, hours), found one column; give a column for each target, in order or \
         by name"
    );
    assert_eq!(
        refusal(&data(inputs(), Columns::new().with("class", &department).with("hours", &hours)), quiet(1)),
        "fit: there is no column for the target \"department\", only class, hours; name the columns as the network names \
         its targets"
    );
    let error = desk_trainer().evaluate(&data(inputs(), Columns::from(&hours))).unwrap_err().to_string();
    assert_eq!(
        error,
        "evaluate: the model takes 2 targets (department, hours), found one column; give a column for each target, in \
         order or by name"
    );
    assert_eq!(
        refusal(&named(), Fit { class_weights: Some(vec![1.0, 2.0, 3.0]), ..quiet(1) }),
        "fit: class_weights are those of one output, the model has 2; give the data set weights by with_weights; the \
         outputs are department, hours"
    );
}

#[test]
fn an_id_that_is_none_is_named_with_its_sample() {
    let with_id = |sample: usize, id: i64| {
        let (title, price, department, hours) = tickets();
        let mut ids = title.to_vec();
        ids[5 * sample + 3] = id;
        let title = Tensor::from(&ids[..]).reshape([10, 5]);
        let inputs = Columns::new().with("title", title).with("price", price);
        Dataset::<Columns>::new(inputs, Columns::from((department, hours))).unwrap()
    };
    let knows = "at [3], the layer 0 (Embedding) knows 0 to 8; give whole numbers in that range, or make the layer for more \
                 ids";
    assert_eq!(refusal(&with_id(6, 9), quiet(1)), format!("fit: input \"title\": sample 6 has the id 9 {knows}"));
    // The last two samples are for validation, of which this is the second.
    let split = Fit { validation_split: 0.2, ..quiet(1) };
    assert_eq!(
        refusal(&with_id(9, -1), split),
        format!("fit, the validation set: input \"title\": sample 1 has the id -1 {knows}")
    );
    let error = desk_trainer().evaluate(&with_id(2, 100)).unwrap_err().to_string();
    assert_eq!(error, format!("evaluate: input \"title\": sample 2 has the id 100 {knows}"));
}

#[test]
fn a_target_that_is_none_is_named_with_its_sample() {
    let (title, price, department, hours) = tickets();
    let mut departments = department.to_vec();
    departments[7] = 3;
    let targets = Columns::from((Tensor::from(&departments[..]), hours));
    let data = Dataset::<Columns>::new(Columns::from((title, price)), targets).unwrap();
    let problem = "output department: sparse_categorical_crossentropy: targets must be class indices from 0 to 2, found 3 \
                   at element 0 of [1]; number the classes from 0, or give the last layer more units";
    // In whatever batch it comes first.
    for seed in 0..4 {
        let error = desk_trainer().seed(seed).fit(&data, quiet(1)).unwrap_err().to_string();
        assert_eq!(error, format!("fit: sample 7: {problem}"));
    }
    let error = desk_trainer().evaluate(&data).unwrap_err().to_string();
    assert_eq!(error, format!("evaluate: sample 7: {problem}"));
    // The last three samples are for validation, of which this is the first.
    let error = desk_trainer().fit(&data, Fit { validation_split: 0.3, ..quiet(1) }).unwrap_err().to_string();
    assert_eq!(error, format!("fit, the validation set: sample 0: {problem}"));
}

#[test]
fn a_metric_is_one_of_an_output_of_the_model() {
    fn message(make: impl FnOnce()) -> String {
        *catch_unwind(AssertUnwindSafe(make)).unwrap_err().downcast::<String>().unwrap()
    }
    let loss = || MeanSquaredError;
    assert_eq!(
        message(|| drop(Trainer::new(desk(), loss(), Sgd::default()).metric(Accuracy::default()))),
        "metric: \"accuracy\" of which output? the model has 2: department, hours; say it by metric_for"
    );
    assert_eq!(
        message(|| drop(Trainer::new(desk(), loss(), Sgd::default()).metric_for("title", Accuracy::default()))),
        "metric_for: the model has no output \"title\", only department, hours"
    );
}
