//! Logs for TensorBoard: what its own reader finds in them, and runs that go on.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use gradus_datasets::Dataset;
use gradus_nn::losses::MeanSquaredError;
use gradus_nn::{
    Activation, Add, Bidirectional, Dense, Graph, Initializer, Input, LSTM, LayerHandle, Model, Residual, Sequential,
};
use gradus_optim::{IntoOptimizer, Sgd};
use gradus_tensor::Tensor;
use gradus_train::callbacks::*;
use gradus_train::metrics::MeanAbsoluteError;
use gradus_train::{Error, Fit, Result, SummaryWriter, Trainer};

use crate::common::{LineTrainer, fit, line, trainer, weights};
use crate::events::{records, shown};

/// A folder of this name that is not there.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    _ = fs::remove_dir_all(&folder);
    folder
}

/// The names of the event files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The path of the only file in a folder.
fn only_file(folder: &Path) -> PathBuf {
    let names = names(folder);
    assert_eq!(names.len(), 1, "{names:?}");
    folder.join(&names[0])
}

/// What was written into both sub-folders of a log.
fn both(logs: &Path) -> [String; 2] {
    ["train", "validation"].map(|run| shown(&logs.join(run)))
}

/// One sample, x = y = 1, and a line without a bias: with the rate 0.25 the weight goes 0, 0.5, 0.75, 0.875, and the
/// loss (1 - w)^2 goes 1, 0.25, 0.0625.
fn by_hand() -> (LineTrainer, Dataset) {
    let network = Sequential::new().add(Dense::new(1).use_bias(false).kernel_initializer(Initializer::Zeros));
    let model = Model::build(network, [1], 0).unwrap();
    let trainer = Trainer::new(model, MeanSquaredError, Sgd::default().learning_rate(0.25));
    (trainer.metric(MeanAbsoluteError::default()), Dataset::new(Tensor::new([[1.0]]), Tensor::new([[1.0]])).unwrap())
}

/// A network with two inputs, a layer that is added twice, one that gives several outputs, and networks within networks.
fn branched() -> Model {
    let mut body = Graph::builder();
    let (left, right) = (body.input(), body.input());
    let wide = body.add_named("wide", Dense::new(2), [right]);
    let sum = body.add_named("sum", Add, [left, wide]);
    let body = body.output(sum);
    let mut graph = Graph::builder();
    let (steps, point) = (graph.input_named("steps"), graph.input_named("a point"));
    let both_ways = Bidirectional::new(LSTM::new(1));
    let read = graph.add_named("read", both_ways, [steps]);
    let lstm = graph.add_named("states", LSTM::new(2).return_state(true), [steps]);
    let tower = LayerHandle::new(Dense::new(2));
    let (a, b) = (graph.add_named("a", &tower, [read]), graph.add_named("b", &tower, [point]));
    let merged = graph.add_named("merged", body, [a, b]);
    let again = graph.add_named("again", Add, [merged, lstm.output(2)]);
    let stack = Residual::new(Sequential::new().add(Dense::new(2)).add(Activation::Relu));
    let end = graph.add_named("stack", stack, [again]);
    Model::build(graph.output(end), [Input::named("steps", [None, Some(3)]), Input::named("a point", [2])], 1).unwrap()
}

#[test]
fn tensorboard_reads_what_is_written() {
    let logs = folder("tensorboard-fixture");
    let (mut trainer, data) = by_hand();
    let log = TensorBoard::new(&logs).histogram_freq(2).update_freq(2);
    trainer.fit_validated(&data, &data, fit(3).callback(log)).unwrap();

    let mut writer = SummaryWriter::new(logs.join("own")).unwrap();
    writer.scalar("a/number", 7, 0.5).unwrap();
    writer.scalars(1 << 40, [("a/number", -0.25), ("large", 65536.0)]).unwrap();
    writer.histogram("spread", 1, &Tensor::arange(0_i64, 61, 1)).unwrap();
    writer.histogram("spread", 2, &Tensor::new([[0.5, f32::NAN], [0.5, f32::INFINITY]])).unwrap();
    writer.histogram("spread", 3, &Tensor::<f32>::zeros([0, 3])).unwrap();
    // Cut off, rounded, black: by hand.
    let grey = Tensor::new([[0.0, 1.0, 0.5], [-1.0, 2.0, f32::NAN]]);
    writer.image("grey", 1, &grey).unwrap();
    writer.image("turned", 1, grey.t()).unwrap();
    let bytes: Tensor<u8> = Tensor::from_iter(0..24_u8).reshape([2, 2, 2, 3]);
    writer.image("colours", 2, &bytes).unwrap();
    writer.image("flipped", 2, bytes.select(0, 0).flip(1)).unwrap();
    writer.image("bools", 3, Tensor::from([[[true, false], [false, true]]])).unwrap();
    writer.image("opaque", 3, Tensor::<f64>::ones([1, 1, 4])).unwrap();
    writer.image("none", 3, Tensor::<u8>::zeros([0, 2, 2, 1])).unwrap();
    writer.graph(&branched()).unwrap();

    let runs = ["own", "train", "validation"];
    let found: String = runs.iter().map(|run| format!("run {run}\n{}", shown(&logs.join(run)))).collect();
    // What TensorBoard's EventAccumulator finds in this folder: `tensorboard/read.py` prints it.
    let expected = include_str!("tensorboard/read.txt");
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, expected);
}

#[test]
fn names_and_steps_are_those_of_keras() {
    // Keras 3.15.1 with TensorFlow 2.21.0 writes these numbers for the same run: `tensorboard/scalars.py` prints them.
    let logs = folder("tensorboard-keras");
    let (mut trainer, data) = by_hand();
    let log = TensorBoard::new(&logs).update_freq(1);
    trainer.fit_validated(&data, &data, fit(3).callback(log)).unwrap();
    let expected = include_str!("tensorboard/scalars.txt");
    let own = |line: &&str| line.starts_with("scalar batch_learning_rate") || line.starts_with("node");
    let found = both(&logs).map(|text| text.lines().filter(|line| !own(line)).collect::<Vec<_>>().join("\n"));
    assert_eq!(format!("run train\n{}\nrun validation\n{}\n", found[0], found[1]), expected);
}

#[test]
fn without_validation_there_is_no_folder_for_it_and_options_leave_out() {
    let logs = folder("tensorboard-plain");
    let (mut trainer, data) = by_hand();
    trainer.fit(&data, fit(1).callback(TensorBoard::new(&logs).write_graph(false))).unwrap();
    assert_eq!(names(&logs), ["train"]);
    let expected =
        "scalar epoch_learning_rate 0:0.25\nscalar epoch_loss 0:1.0\nscalar epoch_mean_absolute_error 0:1.0\n";
    assert_eq!(shown(&logs.join("train")), expected);
    // Another run begins another file, and leaves the first.
    let first = only_file(&logs.join("train"));
    let before = fs::read(&first).unwrap();
    trainer.fit(&data, fit(1).callback(TensorBoard::new(&logs))).unwrap();
    assert_eq!((names(&logs.join("train")).len(), fs::read(&first).unwrap()), (2, before));
}

#[test]
fn each_event_is_in_the_file_when_its_hook_has_returned() {
    let logs = folder("tensorboard-at-once");
    let train = logs.join("train");
    let read = on_batch_end(move |run: &mut Run<'_>| {
        let events = records(&fs::read(only_file(&train)).unwrap());
        // The version, the graph, and one event for each batch and each epoch before.
        assert_eq!(events.len(), 2 + run.epoch + 2 * run.epoch + run.batch);
        Ok(())
    });
    let log = TensorBoard::new(&logs).update_freq(1);
    trainer().fit(&line(), fit(2).callback(log).callback(read)).unwrap();
}

#[test]
fn models_in_f64_are_logged_too() {
    let logs = folder("tensorboard-f64");
    let model = Model::<f64>::build_as(Sequential::new().add(Dense::new(1)), [1], 0).unwrap();
    let fit = Fit { verbose: false, ..Fit::default() }.callback(TensorBoard::new(&logs).histogram_freq(1));
    Trainer::new(model, MeanSquaredError, Sgd::default()).fit(&line(), fit).unwrap();
    assert!(shown(&logs.join("train")).contains("histogram 0/kernel/histogram 0: "));
}

/// Fails after the batch of this number, as if the program were killed there.
fn killed_after(batch: usize) -> impl Callback {
    let mut batches = 0;
    on_batch_end(move |_: &mut Run<'_>| {
        batches += 1;
        if batches == batch { Err(Error::new("the test", "killed", "resume")) } else { Ok(()) }
    })
}

/// A run of 4 epochs of two batches, with a quarter of the data for validation, logged in this folder.
fn logged(logs: &Path) -> Fit {
    Fit { validation_split: 0.25, batch_size: 3, ..fit(4) }
        .callback(TensorBoard::new(logs).update_freq(1).histogram_freq(1))
}

#[test]
fn a_run_that_was_killed_goes_on_with_the_log_of_its_checkpoint() {
    let whole = folder("tensorboard-whole");
    let mut in_one = trainer();
    in_one.fit(&line(), logged(&whole)).unwrap();
    for killed in 1..=8 {
        // Checkpoints after steps 3 and 6, and none at the end.
        let (logs, checkpoints) = (folder("tensorboard-killed"), folder("tensorboard-checkpoints"));
        let checkpoint = || Checkpoint::new(&checkpoints).every_steps(3).write_all(true);
        let run = |fit: Fit| -> Result<LineTrainer> {
            let mut trainer = trainer();
            trainer.resume(&checkpoints)?;
            trainer.fit(&line(), fit.callback(checkpoint()))?;
            Ok(trainer)
        };
        assert!(run(logged(&logs).callback(killed_after(killed))).is_err());
        // A record that was not written to its end.
        let train = only_file(&logs.join("train"));
        OpenOptions::new().append(true).open(&train).unwrap().write_all(&[1, 0, 0, 0, 0]).unwrap();
        let is_resumed = killed >= 4;
        if !is_resumed {
            // Without a checkpoint it begins again, in a file of its own.
            fs::remove_dir_all(&logs).unwrap();
        }
        assert_eq!(weights(&run(logged(&logs)).unwrap()), weights(&in_one));
        assert_eq!(both(&logs), both(&whole), "killed after batch {killed}");
        assert_eq!(only_file(&logs.join("train")) == train, is_resumed);
        assert_eq!(names(&logs.join("validation")).len(), 1);
    }
}

#[test]
fn a_paused_run_goes_on_in_its_file() {
    let (whole, logs) = (folder("tensorboard-in-one"), folder("tensorboard-paused"));
    trainer().fit(&line(), logged(&whole)).unwrap();
    let mut trainer = trainer();
    for step in [1, 2, 5, 8] {
        let pause = on_batch_end(move |run: &mut Run<'_>| {
            if run.step() == step {
                run.pause("for the test");
            }
            Ok(())
        });
        trainer.fit(&line(), logged(&logs).callback(pause)).unwrap();
    }
    trainer.fit(&line(), logged(&logs)).unwrap();
    assert_eq!(both(&logs), both(&whole));
}

#[test]
fn a_log_of_ones_own_goes_on_from_a_position() {
    let logs = folder("tensorboard-own");
    let mut writer = SummaryWriter::new(&logs).unwrap();
    writer.scalar("loss", 1, 1.0).unwrap();
    let written = serde_json::to_string(writer.position()).unwrap();
    writer.scalar("loss", 2, 2.0).unwrap();
    let position = serde_json::from_str(&written).unwrap();
    for value in [3.0, 4.0] {
        let mut writer = SummaryWriter::resume(&logs, &position).unwrap();
        writer.scalar("loss", 2, value).unwrap();
        assert_eq!(shown(&logs), format!("scalar loss 1:1.0 2:{value:?}\n"));
        assert_eq!(only_file(&logs), writer.path());
    }
    // Another log is left alone.
    let other = SummaryWriter::new(&logs).unwrap();
    let before = fs::read(other.path()).unwrap();
    SummaryWriter::resume(&logs, &position).unwrap();
    assert_eq!(fs::read(other.path()).unwrap(), before);
}

#[test]
fn what_is_wrong_is_said() {
    let logs = folder("tensorboard-refused");
    let position = SummaryWriter::new(&logs).unwrap().position().clone();
    let file = only_file(&logs);
    OpenOptions::new().write(true).open(&file).unwrap().set_len(10).unwrap();
    let message = |result: Result<SummaryWriter>| result.map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        message(SummaryWriter::resume(&logs, &position)),
        format!(
            "TensorBoard: {} has 10 bytes, the run had written 40; give the folder of the run that is to go on; if a power \
             cut has taken its last events, go on from an earlier checkpoint",
            file.display()
        )
    );
    for name in ["events.out.tfevents./../../x", "other", ""] {
        let position = serde_json::from_value(serde_json::json!({"name": name, "length": 0})).unwrap();
        let expected = format!(
            "TensorBoard: the position is of a log named {name:?}, which is none; give one that \
                     SummaryWriter::position has returned"
        );
        assert_eq!(message(SummaryWriter::resume(&logs, &position)), expected);
    }
    let blocked = file.join("train");
    let expected = format!(
        "{}: Not a directory (os error 20); there is a file where a folder is needed: give another path",
        blocked.display()
    );
    assert_eq!(message(SummaryWriter::new(&blocked)), expected);

    let panic = |call: &dyn Fn(&mut SummaryWriter)| {
        let mut writer = SummaryWriter::new(folder("tensorboard-panics")).unwrap();
        let call = std::panic::AssertUnwindSafe(|| call(&mut writer));
        *std::panic::catch_unwind(call).unwrap_err().downcast::<String>().unwrap()
    };
    let of = |image: &dyn Fn() -> gradus_tensor::AnyTensor| panic(&|writer| writer.image("x", 0, image()).unwrap());
    assert_eq!(
        of(&|| Tensor::<f32>::zeros([5, 28, 28]).into()),
        "image: \"x\": a picture has 1 to 4 channels, which are the last axis, found [5, 28, 28]; pictures [n, height, \
         width] need a last axis: unsqueeze(-1)"
    );
    assert_eq!(
        of(&|| Tensor::<f32>::zeros([5]).into()),
        "image: \"x\": the shape must be [height, width], [height, width, channels] or [n, height, width, channels], found \
         [5]"
    );
    assert_eq!(
        of(&|| Tensor::<f32>::zeros([0, 5]).into()),
        "image: \"x\": a picture needs a height and a width of at least 1, found [0, 5]"
    );
    assert_eq!(
        of(&|| Tensor::<i64>::zeros([5, 5]).into()),
        "image: \"x\": the elements must be floats from 0 to 1, u8 or bool, found i64"
    );
    let caught = std::panic::catch_unwind(|| TensorBoard::new("logs").update_freq(0)).map(|_| ()).unwrap_err();
    assert_eq!(
        *caught.downcast::<&str>().unwrap(),
        "update_freq: a number of at least 1 is needed, not 0; without it epochs alone are written"
    );
}

#[test]
fn batches_whose_gradients_wait_are_no_steps() {
    let logs = folder("waiting");
    let (x, y) = (Tensor::<f32>::ones([6, 1]), Tensor::<f32>::ones([6, 1]));
    let model = Model::build(Sequential::new().add(Dense::new(1)), [1], 0).unwrap();
    let optimizer = Sgd::default().gradient_accumulation_steps(3);
    let fit = Fit { batch_size: 1, verbose: false, ..Fit::default() };
    let fit = fit.callback(TensorBoard::new(&logs).update_freq(1).write_graph(false));
    Trainer::new(model, MeanSquaredError, optimizer).fit(&Dataset::new(x, y).unwrap(), fit).unwrap();
    let text = shown(&logs.join("train"));
    // Six batches are two steps.
    let line = text.lines().find(|line| line.starts_with("scalar batch_loss")).unwrap();
    let steps: Vec<&str> = line.split(' ').skip(2).map(|value| value.split(':').next().unwrap()).collect();
    assert_eq!(steps, ["1", "2"], "{text}");
}
