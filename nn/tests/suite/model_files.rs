//! Models as files: what is kept, what is refused, and files of other days and other programs.

use std::path::{Path, PathBuf};

use gradus_autograd::Role;
use gradus_nn::{
    Activation, BatchNormalization, Build, Built, Concatenate, Dense, Dropout, Embedding, Flatten, Graph, Initializer,
    Input, Layer, LayerHandle, LayerKinds, LayerReader, Matching, Model, Rescaling, Result, Sequential,
};
use gradus_tensor::safetensors::{File, Stored, Writer};
use gradus_tensor::{Columns, Float, Generator, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A path for a file that is removed in the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        Temporary(std::env::temp_dir().join(format!("gradus_{name}_{}.safetensors", std::process::id())))
    }
}

impl AsRef<Path> for Temporary {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.0);
    }
}

/// Two inputs, of which one is ids, branches, two outputs, states, a frozen layer, class names, preprocessing, and weights
/// that are not finite.
fn model<T: Float>() -> Model<T> {
    let mut graph = Graph::builder();
    let (title, price) = (graph.input_named("title"), graph.input_named("price"));
    let words = graph.add_named("words", Embedding::new(10, 3), [title]);
    let words = graph.add(Flatten, [words]);
    let both = graph.add(Concatenate::new(), [words, price]);
    let both = graph.add_named("norm", BatchNormalization::new(), [both]);
    let body = graph.add_named("body", Dense::new(4).activation(Activation::Relu), [both]);
    let body = graph.add(Dropout::new(0.5), [body]);
    let class = graph.add_named("class", Dense::new(3).activation(Activation::Softmax), [body]);
    let urgent = graph.add_named("urgent", Dense::new(1).activation(Activation::Sigmoid), [body]);
    let network = graph.outputs([class, urgent]);
    let inputs = [Input::named("title", [2]), Input::named("price", [1])];
    let mut before = Graph::builder();
    let euros = before.input_named("euros");
    let price = before.add_named("price", Rescaling::new(0.01).offset(-0.5), [euros]);
    let mut model = Model::build_as(network, inputs, 7)
        .unwrap()
        .with_preprocessing(before.output(price), [Input::named("euros", [1])])
        .unwrap()
        .with_class_names_for("class", ["bug", "wish", "thanks"])
        .unwrap();
    model.freeze("body").unwrap();
    let mut random = Generator::new(3);
    for param in model.params_mut() {
        let (low, high) = if param.role == Role::State { (0.5, 1.5) } else { (-1.0, 1.0) };
        param.value = random.uniform(param.value.shape(), T::of(low)..T::of(high));
    }
    let words = &mut model.params_mut().get_mut("words/embeddings").unwrap().value;
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0];
    let end = words.size();
    for (place, x) in words.as_mut_slice()[end - 4..].iter_mut().zip(special) {
        *place = T::of(x);
    }
    model.info_mut().metrics.push("class_accuracy".to_owned());
    model.info_mut().losses.insert("class".to_owned(), "sparse_categorical_crossentropy".to_owned());
    model
}

/// Three samples of raw data; the last word of the third has a row of numbers that are not finite.
fn raw() -> Columns {
    let titles = Tensor::from([[0_i64, 3], [7, 1], [2, 9]]);
    Columns::new().with("euros", Tensor::from([[50_u8], [0], [200]])).with("title", titles)
}

/// The bits of parameters, and what is known of them.
fn params<T: Float>(model: &Model<T>) -> Vec<(String, Vec<u64>, Role, bool)> {
    let bits = |x: &Tensor<T>| x.iter().map(|x| x.as_f64().to_bits()).collect();
    model.params().iter().map(|param| (param.name.clone(), bits(&param.value), param.role, param.frozen)).collect()
}

fn outputs<T: Float>(model: &Model<T>) -> Vec<Vec<u64>> {
    let outputs = model.predict_all(model.preprocess(raw()).unwrap()).unwrap();
    outputs.iter().map(|output| output.iter().map(|x| x.as_f64().to_bits()).collect()).collect()
}

fn check_saved_and_loaded<T: Float>(name: &str) {
    let (model, path) = (model::<T>(), Temporary::new(name));
    model.save(&path).unwrap();
    let loaded: Model<T> = Model::load_as(&path).unwrap();
    assert_eq!(params(&loaded), params(&model));
    assert_eq!(outputs(&loaded), outputs(&model));
    assert_eq!(loaded.info(), model.info());
    assert_eq!((loaded.inputs(), loaded.outputs()), (model.inputs(), model.outputs()));
    assert_eq!(loaded.raw_inputs(), model.raw_inputs());
    assert_eq!(loaded.class_names(), ["bug", "wish", "thanks"]);
    assert_eq!(loaded.summary().to_string(), model.summary().to_string());
    // The same model is the same bytes.
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(loaded.to_safetensors().unwrap().to_bytes().unwrap(), bytes);
    assert_eq!(Model::<T>::clone(&loaded).to_safetensors().unwrap().to_bytes().unwrap(), bytes);
}

#[test]
fn a_model_comes_back_as_it_was() {
    check_saved_and_loaded::<f32>("f32");
    check_saved_and_loaded::<f64>("f64");
}

#[test]
fn preparations_come_back_as_they_were() {
    let letters = || vec!["a".to_owned(), "\"é\"".to_owned()];
    let model = model::<f32>().with_preparation("letters", &letters()).unwrap();
    let model = model.with_preparation("mean", &0.1_f32).unwrap();
    let path = Temporary::new("preparations");
    model.save(&path).unwrap();
    let loaded: Model = Model::load_as(&path).unwrap();
    assert_eq!(loaded.info(), model.info());
    assert_eq!(loaded.preparation::<Vec<String>>("letters").unwrap(), letters());
    assert_eq!(loaded.preparation::<f32>("mean").unwrap(), 0.1);
    assert_eq!(loaded.up_to("class").unwrap().preparation::<f32>("mean").unwrap(), 0.1);
    assert_eq!(
        loaded.preparation::<f32>("std").unwrap_err().to_string(),
        "preparation: the model has no \"std\", only letters, mean; use a name that with_preparation was given"
    );
    let error = loaded.preparation::<f32>("letters").unwrap_err().to_string();
    assert!(error.starts_with("preparation: \"letters\" is of another type: invalid type: sequence"), "{error}");
    let error =
        model.with_preparation("pairs", &std::collections::BTreeMap::from([((1, 2), 3)])).map(|_| ()).unwrap_err();
    assert!(error.to_string().starts_with("preparation: \"pairs\" cannot be written as JSON: key must be a string"));
}

/// Run by hand once for each version of the format: `cargo test -p gradus-nn --test suite model_files -- --ignored`. Then
/// fixtures/model.py prints the outputs below, and writes the file of Python.
#[test]
#[ignore = "writes the fixture"]
fn the_fixture_is_written() {
    let model = model::<f32>();
    model.save(fixture("model_v1.safetensors")).unwrap();
    model.save_as(fixture("model_v1_f16.safetensors"), Stored::F16).unwrap();
    model.save_as(fixture("model_v1_bf16.safetensors"), Stored::Bf16).unwrap();
    self::model::<f64>().save(fixture("model_v1_f64.safetensors")).unwrap();
}

/// The classes and the urgency of the first two samples. fixtures/model.py computes the network in NumPy 2.4.6 from what
/// safetensors 0.8.0 reads of the files (bfloat16 by ml_dtypes 0.6.0).
type Outputs = ([[f64; 3]; 2], [f64; 2]);
const F32: Outputs = (
    [
        [0.5976568975782587, 0.052040324357677255, 0.350302778064064],
        [0.46172555743755067, 0.1176542384529027, 0.42062020410954665],
    ],
    [0.681895797744335, 0.4820575985659553],
);
const F16: Outputs = (
    [
        [0.5975931297665057, 0.05203648103359434, 0.35037038919989993],
        [0.4616886346109491, 0.11768537663701165, 0.4206259887520392],
    ],
    [0.6819891553865832, 0.48209087164549086],
);
const BF16: Outputs = (
    [
        [0.5977015626060718, 0.052006382811058315, 0.3502920545828698],
        [0.4613792761868241, 0.11772471613372923, 0.4208960076794466],
    ],
    [0.6811094938705031, 0.48088967646411934],
);
const F64: Outputs = (
    [
        [0.5976568972669785, 0.052040323210727935, 0.3503027795222936],
        [0.4617255600200587, 0.11765423869036953, 0.42062020128957167],
    ],
    [0.6818958062437058, 0.482057598710544],
);

fn check_fixture<T: Float>(name: &str, expected: Outputs, tolerance: f64) {
    let model: Model<T> = Model::load_as(fixture(name)).unwrap();
    let outputs = model.predict_all(model.preprocess(raw()).unwrap()).unwrap();
    let (class, urgent) = (&outputs[0].to::<f64>(), &outputs[1].to::<f64>());
    assert!(class.slice(0, ..2).allclose(&Tensor::from(expected.0), tolerance, 0.1 * tolerance), "{class:?}");
    assert!(
        urgent.slice(0, ..2).squeeze(1).allclose(&Tensor::from(expected.1), tolerance, 0.1 * tolerance),
        "{urgent:?}"
    );
    assert!(class.slice(0, 2..).iter().all(f64::is_nan) && urgent.get([2, 0]).is_nan());
    let words = model.params().get("words/embeddings").unwrap().value.to::<f32>().to_vec();
    let bits = words[26..].iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits, [0x7FC0_0000, 0x7F80_0000, 0xFF80_0000, 0x8000_0000]);
    let frozen: Vec<&str> = model.params().iter().filter(|param| param.frozen).map(|param| &*param.name).collect();
    assert_eq!(frozen, ["body/kernel", "body/bias"]);
    let states: Vec<&str> =
        model.params().iter().filter(|param| param.role == Role::State).map(|param| &*param.name).collect();
    assert_eq!(states, ["norm/moving_mean", "norm/moving_variance"]);
    assert_eq!(model.class_names_of("class"), ["bug", "wish", "thanks"]);
    assert_eq!(
        (model.info().losses["class"].as_str(), &model.info().metrics[..]),
        ("sparse_categorical_crossentropy", &["class_accuracy".to_owned()][..])
    );
    assert_eq!(model.raw_inputs().iter().map(|input| &*input.name).collect::<Vec<_>>(), ["euros", "title"]);
}

#[test]
fn files_of_version_1_are_read() {
    check_fixture::<f32>("model_v1.safetensors", F32, 1e-6);
    check_fixture::<f64>("model_v1_f64.safetensors", F64, 1e-14);
    // In two bytes: they differ from the others by more than the tolerance.
    check_fixture::<f32>("model_v1_f16.safetensors", F16, 1e-6);
    check_fixture::<f32>("model_v1_bf16.safetensors", BF16, 1e-6);
    let error = Model::load(fixture("model_v1_f64.safetensors")).err().unwrap().to_string();
    assert!(error.ends_with("; load a model of f64 by Model::<f64>::load_as"), "{error}");
}

#[test]
fn a_file_that_python_wrote_is_read() {
    // By fixtures/model.py, from the other one: tensors in another order, further ones, and texts of others.
    check_fixture::<f32>("python.safetensors", F32, 1e-6);
    let file = File::open(fixture("python.safetensors")).unwrap();
    assert_eq!(file.metadata()["author"], "a script");
    assert_eq!(file.read("/note").unwrap(), Tensor::from([1_u8, 2, 3]).into());
}

/// The file of a small model, with something changed.
fn changed(change: impl FnOnce(&str) -> String) -> String {
    let network = Sequential::new().add(Dense::new(2)).add(BatchNormalization::new());
    let model = Model::build(network, [3], 1).unwrap();
    let file = File::from_bytes(model.to_safetensors().unwrap().to_bytes().unwrap()).unwrap();
    let text = &file.metadata()["gradus"];
    let changed = change(text);
    assert_ne!(*text, changed);
    let mut writer = Writer::new().metadata("gradus", changed);
    for name in file.names() {
        writer = writer.tensor(name, file.read(name).unwrap());
    }
    refused(&writer)
}

fn refused(writer: &Writer) -> String {
    let file = File::from_bytes(writer.to_bytes().unwrap()).unwrap();
    Model::<f32>::from_safetensors(&file, &LayerKinds::standard()).err().expect("the file is refused").to_string()
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let replaced = |from: &'static str, to: &'static str| changed(move |text| text.replacen(from, to, 1));
    let starts = |found: String, expected: &str| assert!(found.starts_with(expected), "{found}");
    assert_eq!(
        replaced("\"version\":1", "\"version\":2,\"more\":0"),
        "load: the file is of version 2, this program reads up to 1; build the program with a newer Gradus"
    );
    starts(replaced("\"version\":1", "\"version\":0"), "load: the file is of version 0, which there never was");
    let none = "load: the text \"gradus\" in the file's metadata is none of a model: ";
    starts(replaced("\"version\":1", "\"version\":-1"), none);
    starts(replaced("\"version\":1", "\"version\":1,\"more\":0"), &format!("{none}unknown field `more`"));
    starts(changed(|text| text[1..].to_owned()), none);
    starts(changed(|text| text[..text.len() - 1].to_owned()), none);
    starts(changed(|_| "[".repeat(100_000)), none);
    let unknown = replaced("\"Dense\"", "\"Denser\"");
    starts(unknown.clone(), "load: layer 0: there is no kind of layer \"Denser\", only Activation");
    assert!(unknown.ends_with("; add your own kinds by LayerKinds::with and read by load_with"), "{unknown}");
    let other = replaced("\"units\":2", "\"units\":5");
    starts(other.clone(), "load: the weights are not those of the model: ");
    assert!(
        other.ends_with("; the file is damaged, or of other layers than this program has: write it again"),
        "{other}"
    );
    starts(replaced("\"shape\":[3]", "\"shape\":[]"), "layer 0 (Dense): needs an input with a last axis of features");
    starts(
        replaced("\"kind\":\"floats\"", "\"kind\":{\"ids\":7}"),
        "inputs: the layers take the input \"input\" otherwise",
    );
    starts(
        replaced("\"name\":\"input\"", "\"name\":\"other\""),
        "build: there is no shape for the input \"input\", only for other",
    );
    starts(replaced("1/moving_mean", "1/gamma"), "load: the layers have other states than the file says");
    starts(
        replaced("\"info\":{}", "\"info\":{},\"frozen\":[\"7/kernel\"]"),
        "load: there is no weight \"7/kernel\" to be frozen",
    );
    let classes = replaced("\"info\":{}", "\"info\":{\"class_names\":{\"1\":[\"a\",\"b\",\"c\"]}}");
    starts(classes, "class names: 3 names for the output \"1\" of shape [n, 2]");
    let before = "\"info\":{},\"preprocessing\":{\"inputs\":[{\"name\":\"input\",\"shape\":[4],\"kind\":\"floats\"}],\"network\":[]}";
    starts(
        changed(|text| text.replace("\"info\":{}", before)),
        "preprocessing: its output has the shape [n, 4], the model takes [n, 3]",
    );
    // No model at all, and one of f64.
    let weights = Writer::new().tensor("0/kernel", Tensor::<f32>::ones([2]));
    starts(
        refused(&weights),
        "load: the file has weights and no network: its metadata has no \"gradus\"; build the network",
    );
    let wide = Model::<f64>::build_as(Sequential::new().add(Dense::new(2)), [3], 1).unwrap();
    let problem =
        "2 that do not fit: \"0/kernel\" has elements F64, which f32 does not hold, \"0/bias\" has elements F64";
    let found = refused(&wide.to_safetensors().unwrap());
    assert!(found.contains(problem) && found.ends_with("; load a model of f64 by Model::<f64>::load_as"), "{found}");
}

#[test]
fn errors_name_the_file() {
    let path = Temporary::new("errors");
    let begins = |found: String| assert!(found.starts_with(&format!("{}: ", path.0.display())), "{found}");
    begins(Model::load(&path).err().unwrap().to_string());
    let within = path.0.join("x");
    let error = model::<f32>().save(&within).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: the file cannot be written: ", within.display())), "{error}");
    std::fs::write(&path, "no such file").unwrap();
    begins(Model::load(&path).err().unwrap().to_string());
    Writer::new().tensor("x", Tensor::new([1.0])).write(&path).unwrap();
    begins(Model::load(&path).err().unwrap().to_string());
    begins(model::<f32>().load_weights(&path).unwrap_err().to_string());
    let whole = model::<f32>().to_safetensors().unwrap().to_bytes().unwrap();
    for end in [0, 7, 100, whole.len() - 1] {
        std::fs::write(&path, &whole[..end]).unwrap();
        begins(Model::load(&path).err().unwrap().to_string());
    }
}

#[test]
fn a_claim_of_size_takes_no_memory() {
    // Each layer claims more memory than any machine has; the weights are missing in the file.
    let input = |shape: &str| format!("[{{\"name\":\"input\",\"shape\":{shape},\"kind\":\"floats\"}}]");
    let file = |network: &str, shape: &str| {
        let text = format!("{{\"version\":1,\"network\":{network},\"inputs\":{}}}", input(shape));
        refused(&Writer::new().metadata("gradus", text))
    };
    let norm = serde_json::to_string(&Sequential::new().add(BatchNormalization::new())).unwrap();
    let found = file(&norm, "[1000000000000]");
    assert!(found.contains("states than the file says"), "{found}");
    let dense = serde_json::to_string(&Sequential::new().add(Dense::new(1_000_000_000))).unwrap();
    let found = file(&dense, "[1000000000]");
    assert!(found.contains("2 missing: 0/kernel, 0/bias"), "{found}");
}

/// y = x * scale
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Scale;

impl Layer for Scale {
    const KIND: &'static str = "Scale";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.input()?.clone();
        let scale = build.weight("scale", shape.clone(), Initializer::Ones)?;
        Ok(Built::new(shape, move |context, x| x * context.weight(scale)))
    }
}

#[test]
fn layers_of_ones_own_are_loaded_by_their_kind() {
    let (path, network) = (Temporary::new("own"), Sequential::new().add(Scale));
    let model = Model::build(network, [2], 1).unwrap();
    model.save(&path).unwrap();
    assert!(Model::load(&path).err().unwrap().to_string().contains("there is no kind of layer \"Scale\""));
    let loaded = Model::load_with(&path, &LayerKinds::standard().with::<Scale>()).unwrap();
    assert_eq!(params(&loaded), params(&model));
}

#[test]
fn models_with_free_lengths_come_back() {
    let network =
        Sequential::new().add(Embedding::new(50, 4)).add(gradus_nn::GlobalAveragePooling1D::new()).add(Dense::new(2));
    let (path, model) = (Temporary::new("free"), Model::build(network, [None], 5).unwrap());
    model.save(&path).unwrap();
    let loaded = Model::load(&path).unwrap();
    for ids in [Tensor::from([[1_i64, 2, 3]]), Tensor::from([[49_i64, 0, 7]])] {
        assert_eq!(loaded.predict(&ids).unwrap(), model.predict(&ids).unwrap());
    }
    assert_eq!(loaded.inputs(), model.inputs());
}

#[test]
fn weights_are_stored_in_two_bytes_by_choice() {
    let (model, path) = (model::<f32>(), Temporary::new("half"));
    let loss = model.save_as(&path, Stored::Bf16).unwrap();
    assert_eq!((loss.elements, loss.not_finite, loss.became_infinite), (model.params().size_of(|_| true), 3, 0));
    assert!(loss.largest_error > 0.0 && loss.largest_error < 1.5 / 256.0, "{loss}");
    let loaded = Model::load(&path).unwrap();
    let largest = model.params().iter().zip(loaded.params()).flat_map(|(a, b)| {
        a.value.iter().zip(b.value.iter()).map(|(a, b)| (f64::from(a) - f64::from(b)).abs()).collect::<Vec<_>>()
    });
    // The errors of NaN and of infinity less infinity are NaN, which a maximum passes over.
    assert_eq!(largest.fold(0.0, f64::max), loss.largest_error);
    let none = model.save_as(&path, Stored::AsIs).unwrap();
    assert_eq!((none.elements, none.largest_error), (loss.elements, 0.0));
    // The weights alone.
    assert_eq!(model.save_weights_as(&path, Stored::Bf16).unwrap(), loss);
    let file = File::open(&path).unwrap();
    assert!(file.metadata().is_empty() && file.names().all(|name| file.info(name).unwrap().stored == "BF16"));
    let mut other = self::model::<f32>();
    other.load_weights(&path).unwrap();
    assert_eq!(params(&other), params(&loaded));
}

#[test]
fn a_preprocessing_makes_the_inputs() {
    let model = Model::build(Sequential::new().add(Dense::new(2)), [3], 1).unwrap();
    assert_eq!(
        model.preprocess(Tensor::new([[1.0, 2.0, 3.0]])).unwrap()[0].to::<f32>(),
        Tensor::new([[1.0, 2.0, 3.0]])
    );
    let refused = |network: Sequential, raw: [usize; 1]| {
        model.clone().with_preprocessing(network, raw).err().unwrap().to_string()
    };
    let weights = refused(Sequential::new().add(Dense::new(3)), [3]);
    assert_eq!(
        weights,
        "preprocessing: it has weights, such as \"0/kernel\"; put layers with weights into the model's own network"
    );
    assert!(
        refused(Sequential::new(), [2])
            .starts_with("preprocessing: its output has the shape [n, 2], the model takes [n, 3]")
    );
    let scaled = model.clone().with_preprocessing(Sequential::new().add(Rescaling::new(2.0)), [3]).unwrap();
    let inputs = scaled.preprocess(Tensor::from([[1_u8, 2, 3]])).unwrap();
    assert_eq!(inputs[0].to::<f32>(), Tensor::new([[2.0, 4.0, 6.0]]));
    assert!(scaled.preprocess(Tensor::from([[1_u8, 2]])).unwrap_err().to_string().starts_with("preprocess: "));
    // Of the inputs of several, some are made and some given.
    let both = self::model::<f32>();
    let inputs = both.preprocess(raw()).unwrap();
    assert_eq!(inputs.named("price").unwrap().to::<f32>(), Tensor::new([[0.0], [-0.5], [1.5]]));
    assert_eq!(inputs.named("title"), raw().named("title"));
    let missing = both.preprocess(Columns::new().with("euros", Tensor::new([[1.0]]))).unwrap_err().to_string();
    assert!(missing.starts_with("preprocess: the model takes 2 inputs (euros, title), found one column"), "{missing}");
}

/// A body and a head of so many classes, whose weights are all `value`.
fn with_head(classes: usize, value: f32) -> Model {
    let network = Sequential::new().add_named("body", Dense::new(2)).add_named("head", Dense::new(classes));
    let mut model = Model::build(network, [3], 1).unwrap();
    model.params_mut().iter_mut().for_each(|param| param.value = Tensor::full(param.value.shape(), value));
    model
}

fn firsts(model: &Model) -> Vec<f32> {
    model.params().iter().map(|param| param.value.iter().next().unwrap()).collect()
}

#[test]
fn weights_are_loaded_exactly_by_default() {
    let path = Temporary::new("exact");
    with_head(4, 1.0).save_weights(&path).unwrap();
    let mut same = with_head(4, 0.0);
    same.load_weights(&path).unwrap();
    assert_eq!(firsts(&same), [1.0; 4]);
    // A whole model's file has weights, too.
    with_head(4, 2.0).save(&path).unwrap();
    same.load_weights(&path).unwrap();
    assert_eq!(firsts(&same), [2.0; 4]);
    // All that does not fit is in one message, and nothing has changed.
    let network =
        Sequential::new().add_named("body", Dense::new(2)).add_named("head", Dense::new(3)).add(Dense::new(1));
    let mut other = Model::build(network, [3], 1).unwrap();
    Writer::new()
        .tensor("body/kernel", Tensor::<f32>::ones([3, 2]))
        .tensor("body/bias", Tensor::from([1_i64, 2]))
        .tensor("head/kernel", Tensor::<f32>::ones([2, 4]))
        .tensor("tail/kernel", Tensor::<f32>::ones([1]))
        .tensor("/optimizer/steps", Tensor::from([1_i64]))
        .write(&path)
        .unwrap();
    let before = params(&other);
    let expected = format!(
        "{}: load_weights: the weights are not those of the model: 3 missing: head/bias, 2/kernel, 2/bias; 1 unexpected: tail/kernel; 2 that do \
         not fit: \"body/bias\" has elements I64, which f32 does not hold, \"head/kernel\" has the shape [2, 4], [2, 3] is needed; \
         build the network that they come from, or say by load_weights_with which ones are wanted",
        path.0.display()
    );
    assert_eq!(other.load_weights(&path).unwrap_err().to_string(), expected);
    assert_eq!(params(&other), before);
}

#[test]
fn weights_are_matched_by_prefix_by_renaming_and_in_part() {
    let path = Temporary::new("matching");
    with_head(4, 1.0).save_weights(&path).unwrap();
    let load = |classes: usize, matching: Matching| {
        let mut model = with_head(classes, 0.0);
        let loaded = model.load_weights_with(&path, &matching).map_err(|error| error.to_string())?;
        Ok::<_, String>((firsts(&model), loaded.to_string()))
    };
    let text =
        "2 weights loaded, 2 left as they were (head/kernel, head/bias), 2 tensors not used (head/bias, head/kernel)";
    assert_eq!(load(7, Matching::new().under("body")), Ok((vec![1.0, 1.0, 0.0, 0.0], text.to_owned())));
    // A body alone, taken out of a file in which it is called otherwise; and a path that only begins like another.
    let only_body = |classes: usize| {
        let network = Sequential::new().add_named("trunk", Dense::new(2)).add_named("body2", Dense::new(classes));
        Model::build(network, [3], 1).unwrap()
    };
    let mut model = only_body(3);
    let loaded = model.load_weights_with(&path, &Matching::new().renamed("body", "trunk").under("trunk")).unwrap();
    assert_eq!(
        (&loaded.loaded[..], loaded.unused.len()),
        (&["trunk/kernel".to_owned(), "trunk/bias".to_owned()][..], 2)
    );
    // A path may end in a slash.
    let slashes = Matching::new().renamed("body/", "trunk/").under("trunk/");
    assert_eq!(model.load_weights_with(&path, &slashes).unwrap(), loaded);
    let nothing = model.load_weights_with(&path, &Matching::new().under("bod").partial()).unwrap_err().to_string();
    assert!(nothing.contains("no tensor is a weight of the model, there are: body/bias, body/kernel"), "{nothing}");
    // Renaming by a closure, which leaves out the head; and partly.
    let by = |name: &str| name.strip_prefix("body/").map(|rest| format!("body/{rest}"));
    assert!(load(7, Matching::new().renamed_by(by)).unwrap_err().contains("2 missing: head/kernel, head/bias"));
    assert_eq!(load(7, Matching::new().renamed_by(by).partial()).unwrap().0, [1.0, 1.0, 0.0, 0.0]);
    // Another shape is no part.
    assert!(load(7, Matching::new().partial()).unwrap_err().contains("2 that do not fit: "));
    let twice = load(4, Matching::new().renamed_by(|_| Some("body/bias".to_owned()))).unwrap_err();
    assert!(
        twice.contains("the tensors \"body/bias\" and \"body/kernel\" are both renamed to \"body/bias\""),
        "{twice}"
    );
}

#[test]
fn a_path_is_put_before_or_taken_away_by_renaming() {
    let path = Temporary::new("renaming");
    with_head(4, 1.0).save_weights(&path).unwrap();
    let inner = Sequential::new().add_named("body", Dense::new(2)).add_named("head", Dense::new(4));
    let mut outer = Model::build(Sequential::new().add_named("inner", inner), [3], 1).unwrap();
    assert_eq!(outer.load_weights_with(&path, &Matching::new().renamed("", "inner")).unwrap().loaded.len(), 4);
    assert_eq!(firsts(&outer), [1.0; 4]);
    outer.save_weights(&path).unwrap();
    let mut plain = with_head(4, 0.0);
    plain.load_weights_with(&path, &Matching::new().renamed("inner", "")).unwrap();
    assert_eq!(firsts(&plain), [1.0; 4]);
}

#[test]
fn f32_becomes_f64_without_loss() {
    let path = Temporary::new("wide");
    let narrow = model::<f32>();
    narrow.save(&path).unwrap();
    let wide: Model<f64> = Model::load_as(&path).unwrap();
    assert_eq!(params(&wide), params(&narrow));
}

/// The error of a file whose network is this JSON.
fn of_network(network: &str) -> String {
    let inputs = "[{\"name\":\"input\",\"shape\":[3],\"kind\":\"floats\"}]";
    refused(&Writer::new().metadata("gradus", format!("{{\"version\":1,\"network\":{network},\"inputs\":{inputs}}}")))
}

#[test]
fn a_small_file_that_asks_for_endless_work_is_refused() {
    // Two copies of a network in a network, and so on: 2^40 layers.
    let twice = |inner: String| {
        format!("[{{\"name\":\"a\",\"layer\":\"Sequential\",\"config\":{inner}}},{{\"name\":\"b\",\"shares\":\"a\"}}]")
    };
    let nested =
        (0..20).fold("[{\"name\":\"a\",\"layer\":\"Flatten\",\"config\":null}]".to_owned(), |inner, _| twice(inner));
    let found = of_network(&nested);
    assert!(found.contains("the network computes more than 20000 layers; share and nest fewer networks"), "{found}");
    // More layers than are built.
    let layers: Vec<String> =
        (0..20_001).map(|name| format!("{{\"name\":\"{name}\",\"layer\":\"Flatten\",\"config\":null}}")).collect();
    let found = of_network(&format!("[{}]", layers.join(",")));
    assert!(found.contains("the network computes more than 20000 layers"), "{found}");
    // Names that are asked for millions of times, among ten thousand of the same length.
    let inputs: Vec<String> = (0..9000).map(|index| format!("\"i{index:04}\"")).collect();
    let layers: Vec<String> = (0..9000)
        .map(|index| {
            format!("{{\"name\":\"l{index:04}\",\"layer\":\"Flatten\",\"config\":null,\"inputs\":[\"i{index:04}\"]}}")
        })
        .collect();
    let sources = vec!["\"l8999\""; 1_500_000].join(",");
    let network = format!(
        "{{\"inputs\":[{}],\"layers\":[{},{{\"name\":\"sum\",\"layer\":\"Add\",\"config\":null,\"inputs\":[{sources}]}}],\"outputs\":[\"sum\"]}}",
        inputs.join(","),
        layers.join(",")
    );
    let begin = std::time::Instant::now();
    let found = of_network(&network);
    assert!(found.starts_with("load: the output \"sum\" does not depend on i0000, i0001, "), "{found}");
    // Comparing each with all took minutes.
    assert!(begin.elapsed().as_secs() < 20, "{:?}", begin.elapsed());
    // A path that is written for each of many layers, and axes that are.
    let long = format!("[{{\"name\":\"{}\",\"layer\":\"Flatten\",\"config\":null}}]", "a".repeat(1001));
    let found = of_network(&long);
    assert!(found.contains("the layer's path has 1001 bytes, it can have 1000; give layers shorter names"), "{found}");
    let found = of_network(&format!(
        "[{{\"name\":\"a\",\"layer\":\"Reshape\",\"config\":{{\"target_shape\":[{}3]}}}}]",
        "1,".repeat(64)
    ));
    assert!(found.contains("its output has 65 axes, there can be 64; join axes by a Reshape"), "{found}");
    let found = of_network(&format!("[{}]", " ".repeat(17 << 20)));
    assert!(found.starts_with("model file: the text that describes the network has 17825"), "{found}");
    // A sample that doubles with each layer.
    let layer = |index: usize| {
        let before = if index == 0 { "input".to_owned() } else { format!("l{}", index - 1) };
        let config = "{\"axis\":-1}";
        format!(
            "{{\"name\":\"l{index}\",\"layer\":\"Concatenate\",\"config\":{config},\"inputs\":[\"{before}\",\"{before}\"]}}"
        )
    };
    let layers: Vec<String> = (0..70).map(layer).collect();
    let found =
        of_network(&format!("{{\"inputs\":[\"input\"],\"layers\":[{}],\"outputs\":[\"l69\"]}}", layers.join(",")));
    assert!(found.contains("no memory holds its output of shape [1729382256910270464]; make it smaller"), "{found}");
}

#[test]
fn the_layers_of_a_network_have_inputs_up_to_a_bound() {
    // A layer of many inputs in a network that many layers share: small, and too much to be built.
    let sources = vec!["\"input\""; 5000].join(",");
    let inner = format!(
        "{{\"inputs\":[\"input\"],\"layers\":[{{\"name\":\"sum\",\"layer\":\"Add\",\"config\":null,\"inputs\":[{sources}]}}],\"outputs\":[\"sum\"]}}"
    );
    let shared: String = (0..9000).map(|index| format!(",{{\"name\":\"{index}\",\"shares\":\"a\"}}")).collect();
    let found = of_network(&format!("[{{\"name\":\"a\",\"layer\":\"Graph\",\"config\":{inner}}}{shared}]"));
    assert!(found.contains("have more than 1000000 inputs; feed layers with fewer others"), "{found}");
}

/// y = factor x, within a network of its own kind or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Times {
    factor: f64,
}

impl Layer for Times {
    const KIND: &'static str = "Times";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let factor = T::of(self.factor);
        Ok(Built::new(build.input()?.clone(), move |_, x| x * factor))
    }
}

/// y = inner(x)
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Around {
    inner: LayerHandle,
}

impl Layer for Around {
    const KIND: &'static str = "Around";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        build.child("inner", &*self.inner, build.inputs())
    }

    fn read(mut config: serde_json::Value, reader: &LayerReader<'_>) -> Result<Self> {
        Ok(Around { inner: reader.nested("inner", config["inner"].take())? })
    }
}

/// A network of so many random layers, some of them of one's own, some networks within which are others, or the same again.
fn random(random: &mut Generator, depth: usize) -> Sequential {
    let count = random.integers([1], 1..4).item();
    (0..count).fold(Sequential::new(), |network, index| {
        let of = |random: &mut Generator| self::random(random, depth - 1);
        match random.integers([1], 0..if depth > 0 { 7 } else { 3 }).item() {
            0 => network.add(Dense::new(2)),
            1 => network.add(Times { factor: [0.1, -0.0, 1e300, f64::NAN, f64::NEG_INFINITY][index as usize] }),
            2 => network.add(Scale),
            3 => network.add(Around { inner: LayerHandle::new(of(random)) }),
            4 => network.add(gradus_nn::Residual::new(Sequential::new().add(of(random)).add(Dense::new(2)))),
            5 => {
                let shared = LayerHandle::new(of(random));
                network.add(&shared).add(&shared)
            }
            _ => network.add(of(random)),
        }
    })
}

#[test]
fn what_is_saved_is_loaded() {
    let kinds = LayerKinds::standard().with::<Times>().with::<Around>().with::<Scale>();
    let (mut generator, mut saved, mut refused) = (Generator::new(5), 0, 0);
    let nested =
        |depth: usize| (0..depth).fold(Sequential::new().add(Dense::new(2)), |inner, _| Sequential::new().add(inner));
    let many = |count: usize| (0..count).fold(Sequential::new(), |network, _| network.add(Flatten));
    let fixed = [nested(50), nested(58), nested(60), nested(61), nested(62), nested(63), nested(70), many(12_000)];
    let random = (0..300).map(|_| random(&mut generator, 4));
    for (index, network) in random.chain(fixed).enumerate() {
        // Networks of shapes that do not fit are refused before there is a model.
        let Ok(mut model) = Model::build(network.clone(), [2], 1) else { continue };
        let output = model.outputs()[0].name.clone();
        if index % 3 > 0 {
            let names = (0..2 + index % 3 / 2).map(|name| name.to_string()).collect();
            model.info_mut().class_names.insert(if index % 5 == 0 { "none".to_owned() } else { output }, names);
        }
        let Ok(writer) = model.to_safetensors() else {
            refused += 1;
            continue;
        };
        saved += 1;
        let bytes = writer.to_bytes().unwrap();
        let loaded = Model::<f32>::from_safetensors(&File::from_bytes(&bytes[..]).unwrap(), &kinds);
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}: {network:?}"));
        assert_eq!(loaded.to_safetensors().unwrap().to_bytes().unwrap(), bytes);
    }
    assert!(saved > 60 && refused > 60, "{saved} saved, {refused} refused");
}

#[test]
fn what_could_not_be_loaded_is_not_saved() {
    let path = Temporary::new("not_saved");
    let refused = |network: Sequential| {
        let model = Model::build(network, [2], 1).unwrap();
        std::fs::write(&path, "old").unwrap();
        let error = model.save(&path).unwrap_err().to_string();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        // The weights are not lost.
        model.save_weights(&path).unwrap();
        error
    };
    let nested = (0..70).fold(Sequential::new().add(Dense::new(2)), |inner, _| Sequential::new().add(inner));
    let found = refused(nested);
    assert!(found.starts_with("save: the file could not be loaded: recursion limit exceeded"), "{found}");
    assert!(
        found.ends_with("; nest fewer networks within networks; save_weights writes the weights of any"),
        "{found}"
    );
    let found = refused(Sequential::new().add(Dense::new(2)).add(Times { factor: f64::NAN }));
    assert!(found.starts_with("save: the file could not be loaded: layer 1 (Times): invalid type: null"), "{found}");
}

/// Whether all that stands in `old` stands in `new`, which may have further entries: options that layers have got since.
fn is_within(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(name, old)| new.get(name).is_some_and(|new| is_within(old, new)))
        }
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| is_within(old, new))
        }
        (old, new) => old == new,
    }
}

#[test]
fn a_file_of_version_1_loses_nothing_when_it_is_saved_again() {
    fn check<T: Float>(name: &str, stored: Stored) {
        let bytes = |model: &Model<T>| model.to_safetensors().unwrap().stored_as(stored).to_bytes().unwrap();
        let model: Model<T> = Model::load_as(fixture(name)).unwrap();
        let (old, new) = (File::open(fixture(name)).unwrap(), File::from_bytes(bytes(&model)).unwrap());
        assert!(old.names().eq(new.names()));
        for tensor in old.names() {
            assert_eq!(old.info(tensor).unwrap().stored, new.info(tensor).unwrap().stored);
            // By bits: some are NaN.
            let bits =
                |file: &File| file.read(tensor).unwrap().to::<f64>().iter().map(f64::to_bits).collect::<Vec<u64>>();
            assert_eq!(bits(&old), bits(&new), "{name}: {tensor}");
        }
        let text = |file: &File| serde_json::from_str::<Value>(&file.metadata()["gradus"]).unwrap();
        assert!(is_within(&text(&old), &text(&new)), "{name}");
        // What is written today comes back to the byte.
        let again = Model::<T>::from_safetensors(&new, &LayerKinds::standard()).unwrap();
        assert!(bytes(&again) == bytes(&model), "{name}");
    }
    check::<f32>("model_v1.safetensors", Stored::AsIs);
    check::<f64>("model_v1_f64.safetensors", Stored::AsIs);
    check::<f32>("model_v1_f16.safetensors", Stored::F16);
    check::<f32>("model_v1_bf16.safetensors", Stored::Bf16);
}

#[test]
fn weights_are_copied_from_another_model() {
    let (one, mut other) = (with_head(4, 1.0), with_head(7, 0.0));
    let copied = other.copy_weights_from(&one, &Matching::new().under("body")).unwrap();
    assert_eq!((copied.loaded.len(), copied.left.len(), copied.unused.len()), (2, 2, 2));
    assert_eq!(firsts(&other), [1.0, 1.0, 0.0, 0.0]);
    // The memory is shared until one of the two changes.
    let starts = [&one, &other].map(|model| model.params()[0].value.as_slice().unwrap().as_ptr());
    assert_eq!(starts[0], starts[1]);
    other.params_mut()[0].value.as_mut_slice().fill(5.0);
    assert_eq!(firsts(&one), [1.0; 4]);
    // Predictions before do not keep the old weights.
    let mut third = with_head(4, 0.0);
    let x = Tensor::<f32>::ones([2, 3]);
    assert_eq!(third.predict(&x).unwrap(), Tensor::zeros([2, 4]));
    third.copy_weights_from(&one, &Matching::new()).unwrap();
    assert_eq!(third.predict(&x).unwrap(), one.predict(&x).unwrap());
    let before = params(&other);
    let error = other.copy_weights_from(&one, &Matching::new()).unwrap_err().to_string();
    assert_eq!(
        error,
        "copy_weights_from: the weights are not those of the model: 2 that do not fit: \"head/kernel\" has the shape [2, 4], [2, 7] is \
         needed, \"head/bias\" has the shape [4], [7] is needed; say by its Matching which weights are wanted, or under which names"
    );
    assert_eq!(params(&other), before);
}

#[test]
fn raw_data_are_predicted_in_one_call() {
    let model = Model::build(Sequential::new().add(Dense::new(2)), [3], 1).unwrap();
    let x = Tensor::new([[2.0, 4.0, 6.0]]);
    assert_eq!(model.predict_from_raw(&x).unwrap(), model.predict(&x).unwrap());
    let prepared = model.clone().with_preprocessing(Sequential::new().add(Rescaling::new(0.5)), [3]).unwrap();
    let bytes = Tensor::from([[4_u8, 8, 12]]);
    assert_eq!(prepared.predict_from_raw(&bytes).unwrap(), model.predict(&x).unwrap());
    // Without a preprocessing the shapes are checked as well.
    let error = model.preprocess(Tensor::new([[2.0, 4.0]])).unwrap_err().to_string();
    assert!(error.starts_with("preprocess: the model takes inputs of shape [n, 3], found [1, 2]"), "{error}");
    // The widest value on the way: 3 inputs; with a preprocessing of 4 numbers.
    assert_eq!((model.widest(), prepared.widest()), (3, 3));
    let cropped = model.with_preprocessing(
        Sequential::new().add(gradus_nn::Reshape::new([4, 1])).add(gradus_nn::Cropping1D::new([(1, 0)])).add(Flatten),
        [4],
    );
    assert_eq!(cropped.unwrap().widest(), 4);
}

#[test]
fn a_preprocessing_makes_floats_or_ids_and_no_masks() {
    // Ids that count from 1 in the raw data.
    let network = Sequential::new().add(Embedding::new(5, 2)).add(Flatten);
    let model = Model::build(network, [3], 1).unwrap();
    let from_one = Sequential::new().add(Rescaling::new(1.0).offset(-1.0));
    let prepared = model.clone().with_preprocessing(from_one, [3]).unwrap();
    let (raw, ids) = (Tensor::from([[1_i64, 5, 2]]), Tensor::from([[0_i64, 4, 1]]));
    assert_eq!(prepared.predict_from_raw(&raw).unwrap(), model.predict(&ids).unwrap());
    // A mask is no number.
    let masked = Model::build(Sequential::new().add(Masked), [3], 1).unwrap();
    let error = masked.with_preprocessing(Sequential::new().add(Rescaling::new(1.0)), [3]).err().unwrap().to_string();
    assert_eq!(
        error,
        "preprocessing: its output \"0\" is floats, the model's input \"input\" is a mask; give the mask with the raw data"
    );
}

/// 1 where the mask is true, else 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Masked;

impl Layer for Masked {
    const KIND: &'static str = "Masked";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.input_as(0, gradus_nn::ValueKind::Mask)?.clone();
        Ok(Built::of_values(vec![gradus_nn::Spec::floats(shape)], |_, inputs| {
            let ones: Tensor<T> = inputs[0].mask().to();
            gradus_autograd::Var::from(ones).into()
        }))
    }
}
