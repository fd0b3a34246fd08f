//! The command `gradus`, run as a user runs it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use gradus_datasets::{Category, FeatureSpace, Number, Preparation, Table, TableColumn};
use gradus_nn::*;
use gradus_tensor::safetensors::Writer;
use gradus_tensor::{Generator, Tensor};

/// A folder for the files of one test, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gradus_command_{name}_{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn gradus(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gradus")).args(arguments).output().unwrap()
}

/// What a run that succeeds prints.
fn printed(arguments: &[&str]) -> String {
    let output = gradus(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The message of a run that ends with this code, which is one line.
fn failed(arguments: &[&str], code: i32) -> String {
    let output = gradus(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
    assert!(message.starts_with("gradus: ") && message.trim_end().lines().count() == 1, "{message}");
    message
}

/// Which of four pixels is brightest, of bytes.
fn brightest() -> Model {
    let network = Sequential::new().add(Flatten).add(Dense::new(4).activation(Activation::Softmax));
    let mut model = Model::build(network, [2, 2], 1).unwrap();
    model.params_mut().iter_mut().next().unwrap().value =
        Tensor::from([[9.0_f32, 0.0, 0.0, 0.0], [0.0, 9.0, 0.0, 0.0], [0.0, 0.0, 9.0, 0.0], [0.0, 0.0, 0.0, 9.0]]);
    let model = model.with_class_names(["north", "east", "south", "west"]).unwrap();
    model.with_preprocessing(Sequential::new().add(Rescaling::new(1.0 / 255.0)), [2, 2]).unwrap()
}

#[test]
fn show_prints_what_a_file_says() {
    let folder = Folder::new("show");
    let file = folder.file("corners.safetensors");
    brightest().to_safetensors().unwrap().metadata("author", "someone").write(&file).unwrap();
    let text = printed(&["show", &file]);
    for part in [
        "Dense",
        "F32: 2 tensors, 20 elements, 80 bytes",
        "Classes: north, east, south, west",
        "Rescaling",
        "\"author\"",
        "[2, 2]",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    // A checkpoint is a model's file with more in it.
    let training =
        r#"{"version":1,"rule":"Adam","steps":30,"state":{"history":{"epochs":[0,1]},"epoch":{"batch":10}}}"#;
    brightest().to_safetensors().unwrap().metadata("training", training).write(&file).unwrap();
    assert!(printed(&["show", &file]).contains("Checkpoint: Adam, 30 steps; 2 epochs done, 10 batches of epoch 3"));
    // One of f64.
    let network = Sequential::new().add(Dense::new(1));
    Model::<f64>::build_as(network, [2], 1).unwrap().save(&file).unwrap();
    let text = printed(&["show", &file]);
    assert!(text.contains("F64: 2 tensors, 3 elements, 24 bytes") && text.contains("Dense"), "{text}");
    // Weights without a network are listed.
    Writer::new().tensor("x", Tensor::new([1.0])).write(&file).unwrap();
    let text = printed(&["show", &file]);
    assert!(text.contains("F32: 1 tensors, 1 elements") && text.contains("x: [1] of F32, 4 bytes"), "{text}");
    // What is no model is shown as far as it goes.
    Writer::new().tensor("x", Tensor::new([1.0])).metadata("gradus", "{}").write(&file).unwrap();
    let output = gradus(&["show", &file]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("F32: 1 tensors, 1 elements"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn predict_reads_tables_and_arrays() {
    let folder = Folder::new("predict");
    let file = folder.file("corners.safetensors");
    brightest().save(&file).unwrap();
    let (csv, npy) = (folder.file("a.csv"), folder.file("a.npy"));
    fs::write(&csv, "a,b,c,d\n0,0,255,0\n255,0,0,0\n").unwrap();
    let text = printed(&["predict", &file, "--csv", &csv, "--top", "1"]);
    assert_eq!(text, "0  south 0.9996\n1  north 0.9996\n");
    Tensor::from([[[0_u8, 0], [255, 0]]]).save_npy(&npy).unwrap();
    assert_eq!(printed(&["predict", &file, "--npy", &npy, "--top", "2"]), "0  south 0.9996, north 0.0001\n");
    let json = printed(&["predict", &file, "--npy", &npy, "--json"]);
    assert!(json.starts_with("{\"predictions\":[[") && json.ends_with("]]}\n"), "{json}");
    // An empty array, and one of no axis.
    Tensor::<u8>::zeros([0, 2, 2]).save_npy(&npy).unwrap();
    assert!(failed(&["predict", &file, "--npy", &npy], 1).contains("there are no samples"));
    Tensor::scalar(1_u8).save_npy(&npy).unwrap();
    assert!(failed(&["predict", &file, "--npy", &npy], 1).contains("there are no samples"));
    fs::write(&csv, "a,b,c\n0,0,255\n").unwrap();
    let message = failed(&["predict", &file, "--csv", &csv], 1);
    assert!(message.contains("a.csv: the table has 3 columns, the model takes 4 numbers of shape [2, 2]"), "{message}");
}

/// As the server answers: to the bit what the model gives for each sample alone, and several outputs by name.
#[test]
fn predict_gives_the_bits_of_the_server() {
    let folder = Folder::new("bits");
    let (file, npy) = (folder.file("wide.safetensors"), folder.file("a.npy"));
    let network = Sequential::new().add(Dense::new(300).activation(Activation::Tanh)).add(Dense::new(3));
    let model = Model::build(network, [700], 42).unwrap();
    model.save(&file).unwrap();
    let samples: Tensor = Generator::new(1).uniform([40, 700], -1.0..1.0);
    samples.save_npy(&npy).unwrap();
    let alone: Vec<Tensor> = (0..40).map(|i| model.predict(samples.slice(0, i..i + 1)).unwrap()).collect();
    let expected = format!("{{\"predictions\":{}}}\n", gradus_serve::nested_lists(&Tensor::concat(&alone, 0)));
    assert_eq!(printed(&["predict", &file, "--npy", &npy, "--json"]), expected);
}

#[cfg(feature = "images")]
#[test]
fn predict_reads_pictures() {
    let folder = Folder::new("pictures");
    let file = folder.file("corners.safetensors");
    brightest().save(&file).unwrap();
    // A PNG of 2x2 shades of grey, black but for the last, made by zlib and struct of Python.
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
    };
    let west = folder.file("west.png");
    fs::write(&west, hex(WEST)).unwrap();
    let text = printed(&["predict", &file, "--image", &west, &west, "--top", "1"]);
    assert_eq!(text, format!("{west}  west 0.9996\n{west}  west 0.9996\n"));
    assert_eq!(gradus(&["predict", &file, "--image", &west]).stderr, b"");
    let raw = folder.file("raw.safetensors");
    Model::build(Sequential::new().add(Flatten), [2, 2], 1).unwrap().save(&raw).unwrap();
    let note = String::from_utf8(gradus(&["predict", &raw, "--image", &west]).stderr).unwrap();
    assert!(note.starts_with("note: the model has no preprocessing, so it is given pixels from 0 to 255"), "{note}");
    let message = failed(&["predict", &file, "--image", &file], 1);
    assert!(message.contains("corners.safetensors") && message.contains("PNG or JPEG"), "{message}");
    // A file may say that its model takes pictures of any size.
    let network = Sequential::new().add(GlobalAveragePooling2D::new());
    Model::build(network, [400_000_000, 400_000_000, 3], 1).unwrap().save(&file).unwrap();
    let message = failed(&["predict", &file, "--image", &west], 1);
    assert!(message.contains("west.png: found a size of 400000000 x 400000000, expected"), "{message}");
}

#[cfg(feature = "images")]
const WEST: &str = "89504e470d0a1a0a0000000d494844520000000200000002080000000057dd52f80000000c49444154789c63600082ff0001050100816588990000000049454e44ae426082";

#[test]
fn mistakes_are_one_line_and_a_code() {
    let folder = Folder::new("mistakes");
    let file = folder.file("corners.safetensors");
    brightest().save(&file).unwrap();
    assert!(failed(&["show", &folder.file("none.safetensors")], 1).contains("none.safetensors"));
    assert!(failed(&[&folder.file("none.safetensors")], 1).contains("none.safetensors"));
    assert!(failed(&["show"], 2).contains("there is no FILE"));
    assert!(failed(&["predcit", &file], 2).contains("predcit is no file and no command; did you mean gradus predict?"));
    assert!(failed(&["shwo"], 2).contains("did you mean gradus show?"));
    assert!(failed(&["predict", &file], 2).contains("--csv, --npy or --image"));
    assert!(failed(&[&file, "--port", "70000"], 2).contains("--port 70000"));
    assert!(failed(&[&file, "--batch", "0"], 2).contains("at least 1"));
    assert!(failed(&[&file, "--name", "a b"], 2).contains("letters"));
    assert!(failed(&[&file, "--what"], 2).contains("--what"));
    for (option, value) in [("--timeout", "0"), ("--timeout", "NaN"), ("--stop-within", "-1"), ("--patience", "5,x")] {
        assert!(failed(&[&file, option, value], 2).contains(&format!("{option} ")));
    }
    assert!(failed(&[&file, "--allow-host", ""], 2).contains("--allow-host"));
    // A port that is taken.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(failed(&[&file, "--port", &port], 1).contains(&port));
    for arguments in [&["--help"][..], &["serve", "--help"], &["predict", "--help"], &["show", "-h"]] {
        assert!(printed(arguments).contains("FILE"));
    }
}

/// A server that does not outlive its test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[test]
fn a_file_alone_is_served_until_a_signal() {
    let folder = Folder::new("serve");
    let file = folder.file("corners.safetensors");
    brightest().save(&file).unwrap();
    let options = ["--port", "0", "--timeout", "20", "--patience", "5,20", "--stop-within", "5", "--memory", "64"];
    let command = || Command::new(env!("CARGO_BIN_EXE_gradus")).arg(&file).args(options).stdout(Stdio::piped()).spawn();
    let mut served = Served(command().unwrap());
    let mut line = String::new();
    BufReader::new(served.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap();
    assert!(line.contains("/v1/models/corners:predict"), "{line}");
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let body = r#"{"instances": [[[0, 255], [0, 0]]]}"#;
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "POST /v1/models/corners:predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n").unwrap();
    write!(stream, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let expected = brightest();
    let inputs = expected.preprocess(Tensor::from([[[0_u8, 255], [0, 0]]])).unwrap();
    let outputs = expected.predict_all(inputs).unwrap();
    let json = gradus_serve::predictions(gradus_serve::Format::Rows, expected.outputs(), &outputs);
    assert!(answer.ends_with(std::str::from_utf8(&json).unwrap()), "{answer}");
    let kill = Command::new("kill").args(["-TERM", &served.0.id().to_string()]).status().unwrap();
    assert!(kill.success() && served.0.wait().unwrap().success());
}

#[test]
fn a_checkpoint_is_served_as_a_model() {
    let folder = Folder::new("checkpoint");
    let file = folder.file("step.safetensors");
    let slot: Tensor = Generator::new(1).normal([4, 4], 0.0, 1.0);
    let writer = brightest().to_safetensors().unwrap().tensor("/optimizer/1/kernel/momentum", slot);
    writer.metadata("training", "{}").write(&file).unwrap();
    let npy = folder.file("a.npy");
    Tensor::from([[[255_u8, 0], [0, 0]]]).save_npy(&npy).unwrap();
    assert!(printed(&["predict", &file, "--npy", &npy]).contains("north"));
}

#[test]
fn a_table_is_prepared_as_it_was() {
    let folder = Folder::new("table");
    let columns = [("age", TableColumn::from([20.0, 40.0])), ("code", TableColumn::from(["01", "02"]))];
    let space = FeatureSpace::new().feature("age", Number::standard()).feature("code", Category::one_hot());
    let preparation = space.adapt(&Table::new(columns).unwrap()).unwrap();
    let model = Model::build(Sequential::new().add(Dense::new(1)), [3], 1).unwrap();
    let model = model.with_preparation(Preparation::NAME, &preparation).unwrap();
    let (file, rows) = (folder.file("table.safetensors"), folder.file("rows.csv"));
    model.save(&file).unwrap();
    fs::write(&rows, "more,code,age\nx,01,40\ny,03,20\n").unwrap();
    let expected = model.predict(Tensor::new([[1.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])).unwrap();
    // The order of the codes: of one frequency, the last comes first.
    assert_eq!(preparation.feature_names(), ["age", "code = 02", "code = 01"]);
    let text = printed(&["predict", &file, "--csv", &rows]);
    let found: Vec<f32> = text.lines().map(|line| line.split_whitespace().nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!(found, expected.to_vec());
    assert!(printed(&["show", &file]).contains("Made of the columns of a table: \"age\" (number), \"code\" (text)"));
    fs::write(&rows, "code,age\n01,\n").unwrap();
    let message = failed(&["predict", &file, "--csv", &rows], 1);
    assert!(message.contains("rows.csv, column \"age\", sample 0: found a number that is missing"), "{message}");
}

#[test]
fn convert_goes_from_format_to_format() {
    let folder = Folder::new("convert");
    let ours = folder.file("model.safetensors");
    brightest().save(&ours).unwrap();
    let (keras, onnx, back) = (folder.file("model.keras"), folder.file("model.onnx"), folder.file("back.safetensors"));
    for (from, to, format) in
        [(&ours, &keras, "Gradus model"), (&keras, &onnx, "Keras model"), (&onnx, &back, "ONNX model")]
    {
        let text = printed(&["convert", from, to]);
        assert!(text.trim_end().ends_with(&format!("{to}: the model of {from} ({format})")), "{text}");
    }
    assert!(printed(&["show", &keras]).contains("Keras model") && printed(&["show", &keras]).contains("Dense"));
    assert!(printed(&["show", &onnx]).contains("Onnx"));
    assert!(printed(&["show", &back]).contains("Onnx"));
    let x = Tensor::from([[[0.0_f32, 1.0], [0.0, 0.0]]]);
    let model = Model::load_with(&back, &gradus_interchange::kinds()).unwrap();
    assert!(model.predict(&x).unwrap().allclose(&brightest().predict(&x).unwrap(), 1e-6, 1e-6));
    // The command loads what it has written: the network, without the preprocessing, which is said.
    let pixels = folder.file("pixels.npy");
    x.save_npy(&pixels).unwrap();
    let found: serde_json::Value =
        serde_json::from_str(&printed(&["predict", &back, "--npy", &pixels, "--json"])).unwrap();
    let found: Vec<Vec<f32>> = serde_json::from_value(found["predictions"].clone()).unwrap();
    assert!(found.iter().flatten().copied().collect::<Tensor>().allclose(
        &brightest().predict(&x).unwrap().squeeze(0),
        1e-6,
        1e-6
    ));
    let text = printed(&["convert", &ours, &onnx]);
    assert!(text.starts_with("Left out: the preprocessing; what is written takes prepared data\n"), "{text}");
    assert!(text.contains("Left out: the names of the classes\n"), "{text}");
}

#[test]
fn convert_takes_weights_into_a_network() {
    let folder = Folder::new("convert_weights");
    let (ours, pytorch) = (folder.file("model.safetensors"), folder.file("weights.safetensors"));
    brightest().save(&ours).unwrap();
    printed(&["convert", &ours, &pytorch, "--pytorch", "--module", "head=1"]);
    assert!(printed(&["show", &pytorch]).contains("F32: 2 tensors, 20 elements"));

    let untrained = folder.file("untrained.safetensors");
    Model::build(brightest().network().clone(), [2, 2], 9).unwrap().save(&untrained).unwrap();
    let arguments = |out| ["convert", &*pytorch, out, "--network", &*untrained, "--module", "head=1"];
    let keras = folder.file("trained.keras");
    printed(&arguments(&keras));
    let model = gradus_interchange::load(&keras).unwrap().model;
    assert_eq!(model.params()[0].value, brightest().params()[0].value);

    // What is to be done is said by options.
    let text = failed(&["convert", &pytorch, &keras, "--network", &untrained], 1);
    assert!(
        text.contains("say by --module A=B which module is which layer, or try --by-order; --partial takes"),
        "{text}"
    );

    let wide = folder.file("wide.npz");
    gradus_interchange::npz::save(
        &wide,
        [("head.weight", Tensor::<f64>::ones([4, 4])), ("head.bias", Tensor::ones([4]))],
    )
    .unwrap();
    let text = failed(&["convert", &wide, &keras, "--network", &untrained, "--module", "head=1"], 1);
    assert!(text.contains("which f32 does not hold") && text.contains("convert them in Python"), "{text}");

    // A list of one file of safetensors.
    let list = folder.file("model.safetensors.index.json");
    let map = serde_json::json!({"head.weight": "weights.safetensors", "head.bias": "weights.safetensors"});
    fs::write(&list, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    assert!(printed(&["show", &list]).contains("head.weight: [4, 4] of F32"));

    // Weights of Keras in several files, by their list.
    let network = Sequential::new().add(Dense::new(4)).add(Dense::new(2));
    Model::<f32>::build(network, [3], 9).unwrap().save(&untrained).unwrap();
    let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../interchange/tests/fixtures/keras/sharded.weights.json");
    assert!(printed(&["show", list]).contains("layers/dense_1/vars/1: [2] of "));
    printed(&["convert", list, &keras, "--network", &untrained]);
    assert_eq!(gradus_interchange::load(&keras).unwrap().model.output_shape(), &[2]);

    // Without a network, tensors stay tensors.
    let arrays = folder.file("arrays.npz");
    printed(&["convert", &pytorch, &arrays]);
    assert!(printed(&["show", &arrays]).contains("head.weight: [4, 4] of f4"));
    assert!(failed(&["convert", &pytorch, &keras], 1).contains("--network"));
    assert!(failed(&["convert", &arrays], 2).contains("two files"));
    assert!(failed(&["convert", &ours, &arrays, "--store", "f16"], 2).contains(".safetensors"));
    assert!(failed(&["convert", &ours, &keras, "--network", &untrained], 2).contains("has a network"));
    assert!(failed(&["convert", &folder.file("nothing.pt"), &keras], 1).contains("nothing.pt"));
    assert!(failed(&["convert", &ours, &folder.file("model.docx")], 1).contains(".keras"));
}
