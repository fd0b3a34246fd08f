//! TensorFlow Serving's interface, asked from outside.

mod common;

use common::*;
use gradus_datasets::{Category, FeatureSpace, Impute, Number, Preparation, Table, TableColumn};
use gradus_nn::*;
use gradus_serve::{Bounds, PredictRequest, Server};
use gradus_tensor::{Columns, Tensor};

#[test]
fn rows_and_columns_are_answered_in_kind() {
    let model = digits();
    let (a, b) = (picture(1), picture(2));
    let running = spawn(Server::new(model.clone()));
    let both = Tensor::concat(&[a.clone(), b.clone()], 0);
    let expected = [bits_of(&model.predict(&a).unwrap()), bits_of(&model.predict(&b).unwrap())].concat();
    for (question, answer) in [("instances", "predictions"), ("inputs", "outputs")] {
        let found = predict(running.address(), &format!("{{\"{question}\": {}}}", json(&both)));
        assert_eq!(found.status, 200, "{}", found.body);
        assert!(found.head.to_lowercase().contains("content-type: application/json"));
        assert!(found.body.starts_with(&format!("{{\"{answer}\":[[")), "{}", found.body);
        assert_eq!(bits(&found.body), expected);
    }
    // By name, with the version, and with the signature named.
    let name = &model.inputs()[0].name;
    let body = format!(
        "{{\"signature_name\":\"serving_default\",\"instances\":[{{\"{name}\":{}}}],\"x\":[{{}}]}}",
        json(&a.squeeze(0))
    );
    let found = post(running.address(), "/v1/models/m/versions/1:predict", &body);
    assert_eq!(bits(&found.body), expected[..10]);
    running.stop().unwrap();
}

#[test]
fn several_inputs_and_outputs_are_objects() {
    let model = several();
    let running = spawn(Server::new(model.clone()));
    let inputs = Columns::new().with("words", Tensor::from([[1_i64, 9, 3]])).with("price", Tensor::new([[2.5]]));
    let expected = model.predict_all(&inputs).unwrap();
    let rows = predict(running.address(), r#"{"instances": [{"price": [2.5], "words": [1, 9, 3]}]}"#);
    let columns = predict(running.address(), r#"{"inputs": {"words": [[1, 9, 3.0]], "price": [[2.5]], "else": {}}}"#);
    for (answer, place) in [(&rows, "/predictions/0"), (&columns, "/outputs")] {
        let found: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let found = found.pointer(place).unwrap();
        for (output, expected) in model.outputs().iter().zip(&expected) {
            assert_eq!(bits(&found[&output.name].to_string()), bits_of(expected), "{}", answer.body);
        }
    }
    running.stop().unwrap();
}

/// A model of a table's columns: a number, a category, and another one as ids.
fn of_a_table() -> (Model, Preparation) {
    let table = Table::new([
        ("age", TableColumn::from([20.0, 40.0])),
        ("city", TableColumn::from(["Rome", "Paris"])),
        ("street", TableColumn::from(["a", "b"])),
    ]);
    let preparation = FeatureSpace::new()
        .feature("age", Number::standard().impute(Impute::Mean))
        .feature("city", Category::one_hot())
        .feature("street", Category::ids())
        .adapt(&table.unwrap())
        .unwrap();
    let mut graph = Graph::builder();
    let (features, street) = (graph.input_named("features"), graph.input_named("street"));
    let street = graph.add(Embedding::new(3, 2), [street]);
    let both = graph.add(Concatenate::new(), [features, street]);
    let y = graph.add(Dense::new(2), [both]);
    let inputs = [Input::named("features", [3]), Input::named("street", [0; 0])];
    let model = Model::build(graph.output(y), inputs, 7).unwrap();
    (model.with_preparation(Preparation::NAME, &preparation).unwrap(), preparation)
}

#[test]
fn rows_of_a_table_are_prepared_by_the_server() {
    let (model, preparation) = of_a_table();
    let running = spawn(Server::new(model.clone()));
    let rows =
        r#"{"instances": [{"age": 30, "city": "Rome", "street": "b"}, {"city": "Oslo", "street": "c", "age": null}]}"#;
    let found = predict(running.address(), rows);
    assert_eq!(found.status, 200, "{}", found.body);
    let table = |age: f64, city: &str, street: &str| {
        let columns = [("age", [age].into()), ("city", [city].into()), ("street", TableColumn::from([street]))];
        bits_of(&model.predict(preparation.prepare(&Table::new(columns).unwrap()).unwrap()).unwrap())
    };
    assert_eq!(bits(&found.body), [table(30.0, "Rome", "b"), table(f64::NAN, "Oslo", "c")].concat());
    let refused = predict(running.address(), r#"{"instances": [{"aeg": 30}]}"#);
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("the table has no column"), "{}", refused.body);
    let metadata = get(running.address(), "/v1/models/m/metadata");
    assert!(metadata.body.contains("DT_STRING") && metadata.body.contains("\"street\""), "{}", metadata.body);
    let page = get(running.address(), "/");
    assert!(page.body.contains("\"isTable\":true") && page.body.contains("\"a text\""));
    running.stop().unwrap();
}

#[test]
fn a_preparation_of_other_inputs_is_refused() {
    let (_, preparation) = of_a_table();
    let other = Model::build(Sequential::new().add(Dense::new(1)), [4], 1).unwrap();
    let other = other.with_preparation(Preparation::NAME, &preparation).unwrap();
    let error = Server::new(other.clone()).bind("127.0.0.1:0").err().unwrap().to_string();
    assert!(error.starts_with("the preparation of tables makes 2 inputs, with 3 numbers of a row"), "{error}");
    let wrong = other.with_preparation(Preparation::NAME, &[1]).unwrap();
    let error = Server::new(wrong).bind("127.0.0.1:0").err().unwrap().to_string();
    assert!(error.contains("\"table\" is of another type"), "{error}");
}

#[test]
fn what_is_not_finite_comes_back_as_tensorflow_serving_writes_it() {
    let running = spawn(Server::new(identity(&[4])));
    let answer = predict(running.address(), r#"{"instances": [[NaN, Infinity, -Infinity, -0.0]]}"#);
    assert_eq!(answer.body, r#"{"predictions":[[NaN,Infinity,-Infinity,-0.0]]}"#);
    running.stop().unwrap();
}

#[test]
fn numbers_come_back_to_the_bit() {
    let running = spawn(Server::new(identity(&[1000])));
    let mut random = gradus_tensor::Generator::new(5);
    let numbers: Vec<f32> = (0..1000)
        .map(|_| {
            f32::from_bits(
                random.uniform([2], 0.0_f64..65536.0).to_vec().iter().fold(0, |bits, &part| (bits << 16) | part as u32),
            )
        })
        .map(|number| if number.is_finite() { number } else { 1.0 })
        .collect();
    let tensor = Tensor::from(numbers).reshape([1, 1000]);
    let answer = predict(running.address(), &format!("{{\"instances\": {}}}", json(&tensor)));
    assert_eq!(bits(&answer.body), bits_of(&tensor));
    running.stop().unwrap();
}

#[test]
fn scalars_are_values() {
    let running = spawn(Server::new(identity(&[])));
    assert_eq!(predict(running.address(), r#"{"instances": [1.0, 2, 5e0]}"#).body, r#"{"predictions":[1.0,2.0,5.0]}"#);
    running.stop().unwrap();
}

#[test]
fn raw_data_are_prepared() {
    let model = identity(&[2]).with_preprocessing(Sequential::new().add(Rescaling::new(0.5)), [2]).unwrap();
    let running = spawn(Server::new(model));
    assert_eq!(predict(running.address(), r#"{"instances": [[1, 3]]}"#).body, r#"{"predictions":[[0.5,1.5]]}"#);
    running.stop().unwrap();
}

#[test]
fn the_model_says_what_it_is() {
    let running = spawn(Server::new(several()));
    let address = running.address();
    let json = |path: &str| serde_json::from_str::<serde_json::Value>(&get(address, path).body).unwrap();
    for path in ["/v1/models/m", "/v1/models/m/versions/1"] {
        let status = &json(path)["model_version_status"][0];
        assert_eq!((&status["version"], &status["state"]), (&"1".into(), &"AVAILABLE".into()));
        assert_eq!(status["status"]["error_code"], "OK");
    }
    for path in ["/v1/models/m/metadata", "/v1/models/m/versions/1/metadata"] {
        let metadata = json(path);
        assert_eq!(metadata["model_spec"]["name"], "m");
        let signature = &metadata["metadata"]["signature_def"]["signature_def"]["serving_default"];
        assert_eq!(signature["method_name"], "tensorflow/serving/predict");
        assert_eq!(signature["inputs"]["words"]["dtype"], "DT_INT64");
        assert_eq!(signature["inputs"]["words"]["tensor_shape"]["dim"][1]["size"], "-1");
        assert_eq!(signature["inputs"]["price"]["dtype"], "DT_FLOAT");
        assert_eq!(signature["outputs"]["class"]["tensor_shape"]["dim"][1]["size"], "3");
    }
    assert_eq!(get(address, "/healthz").body, "ok\n");
    assert!(get(address, "/").body.contains("\"price\""));
    running.stop().unwrap();
}

/// The page draws where the input is a picture, by its channel, its preprocessing or its classes.
#[test]
fn the_page_knows_pictures() {
    let white = |model: Model| {
        let running = spawn(Server::new(model));
        let page = get(running.address(), "/").body;
        running.stop().unwrap();
        page.split("\"white\":").nth(1).unwrap().split('}').next().unwrap().to_owned()
    };
    let of = |shape: &[usize]| {
        let network = Sequential::new().add(Flatten).add(Dense::new(10).activation(Activation::Softmax));
        Model::build(network, shape, 42).unwrap()
    };
    let scaled = |scale: f64| Sequential::new().add(Rescaling::new(scale));
    let names = || (0..10).map(|digit| digit.to_string());
    assert_eq!(white(of(&[28, 28, 1])), "1");
    assert_eq!(white(of(&[28, 28]).with_class_names(names()).unwrap()), "1");
    assert_eq!(white(of(&[28, 28]).with_preprocessing(scaled(1.0 / 255.0), [28, 28]).unwrap()), "255");
    assert_eq!(white(of(&[28, 28, 1]).with_preprocessing(scaled(2.0), [28, 28, 1]).unwrap()), "1");
    // A series of 24 steps, with classes and without; colours; lengths that are free; several inputs.
    assert_eq!(white(of(&[24, 12])), "null");
    assert_eq!(white(of(&[24, 12]).with_class_names(names()).unwrap()), "null");
    assert_eq!(white(of(&[28, 28, 3])), "null");
    assert_eq!(white(several()), "null");
}

#[test]
fn figures_count_what_was_asked() {
    let running = spawn(Server::new(identity(&[1])));
    let address = running.address();
    predict(address, r#"{"instances": [[1], [2], [3]]}"#);
    predict(address, "{");
    let text = get(address, "/metrics").body;
    for line in [
        "# TYPE gradus_requests_total counter",
        "gradus_requests_total{model=\"m\",code=\"200\"} 1",
        "gradus_requests_total{model=\"m\",code=\"400\"} 1",
        "gradus_samples_total{model=\"m\"} 3",
        "gradus_queue_length{model=\"m\"} 0",
        "gradus_batch_samples_bucket{model=\"m\",le=\"2\"} 0",
        "gradus_batch_samples_bucket{model=\"m\",le=\"4\"} 1",
        "gradus_batch_samples_count{model=\"m\"} 1",
        "gradus_request_seconds_count{model=\"m\"} 2",
        "gradus_request_seconds_bucket{model=\"m\",le=\"+Inf\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    running.stop().unwrap();
}

#[test]
fn what_is_not_there_says_so() {
    let running = spawn(Server::new(identity(&[1])));
    let address = running.address();
    let body = r#"{"instances": [[1]]}"#;
    let text = refused(&post(address, "/v1/models/half:predict", body), 404);
    assert_eq!(text, "Servable not found for request: Latest(half); the model here is m");
    assert!(refused(&post(address, "/v1/models/m/versions/7:predict", body), 404).contains("version 1 alone"));
    assert!(refused(&post(address, "/v1/models/m/labels/stable:predict", body), 404).contains("no labels"));
    assert!(refused(&post(address, "/v1/models/m:classify", body), 400).contains("use :predict"));
    assert!(refused(&post(address, "/v1/models/m:regress", body), 400).contains("use :predict"));
    assert!(refused(&get(address, "/v1"), 404).contains("/v1/models/m:predict"));
    let wrong = get(address, "/v1/models/m:predict");
    assert!(wrong.head.to_lowercase().contains("allow: post"));
    refused(&wrong, 405);
    refused(&post(address, "/healthz", ""), 405);
    // They are counted.
    figures_with(address, "gradus_requests_total{model=\"m\",code=\"404\"} 4");
    figures_with(address, "gradus_requests_total{model=\"m\",code=\"405\"} 2");
    running.stop().unwrap();
}

/// What TensorFlow Serving's clients may write: escapes in the address, a signature of null.
#[test]
fn addresses_are_decoded_and_no_signature_is_any() {
    let running = spawn(Server::new(identity(&[1])));
    let address = running.address();
    for path in ["/v1/models/m%3Apredict", "/v1/models/%6D:predict", "/v1/models/m%2fversions%2F1:predict"] {
        let answer = post(address, path, r#"{"signature_name": null, "instances": [[2]]}"#);
        assert_eq!(answer.body, r#"{"predictions":[[2.0]]}"#, "{path}");
    }
    for path in ["/v1/models/m%3", "/v1/models/m%+3", "/v1/models/m%zz", "/v1/models/%", "/%ff"] {
        refused(&get(address, path), 404);
    }
    running.stop().unwrap();
}

/// Escapes in strings, as RFC 8259 has them; half a pair alone is no character and takes nothing with it.
#[test]
fn names_are_read_with_their_escapes() {
    let model = identity(&[1]);
    let read = |body: &str| PredictRequest::read(body.as_bytes(), model.inputs(), Bounds::default());
    for (key, name) in [
        ("x\\ud83d\\ude00", "x\u{1f600}"),
        ("x\\ud800\\u0041", "x\u{fffd}A"),
        ("x\\ud800\\ud800", "x\u{fffd}\u{fffd}"),
        ("x\\udc00", "x\u{fffd}"),
    ] {
        let error = read(&format!("{{\"instances\": [{{\"{key}\": [1]}}]}}")).unwrap_err();
        assert!(error.contains(&format!("the model has no input \"{name}\"")), "{error}");
    }
    // A key is short; what is passed over need not be.
    let long = "x".repeat(70_000);
    assert!(read(&format!("{{\"{long}\": 1}}")).unwrap_err().contains("a string of at most 65536 bytes"));
    assert!(read(&format!("{{\"more\": \"{long}\", \"instances\": [[1]]}}")).is_ok());
}

/// Each is a 400 that names the place, what was found, and what to give.
#[test]
fn bad_bodies_say_what_is_wrong() {
    let running = spawn(Server::new(several()).bounds(Bounds { samples: 4, length: 8 }));
    let refused = |body: &str| refused(&predict(running.address(), body), 400);
    let row = |row: &str| refused(&format!("{{\"instances\": [{{\"words\": [1], \"price\": [2]}}, {row}]}}"));
    let cases = [
        (refused(""), "byte 0: found the end of the body, expected an object with \"instances\" or \"inputs\""),
        (refused("[1]"), "byte 0: found a list, expected an object"),
        (refused("{}"), "neither \"instances\" nor \"inputs\""),
        (refused("{\"instances\": []}"), "the request has no samples; give at least one"),
        (refused("{\"inputs\": {\"words\": [], \"price\": []}}"), "the request has no samples"),
        (
            refused("{\"instances\": [[1]]}"),
            "instances[0], byte 15: found a list, expected an object with the inputs \"words\", \"price\"",
        ),
        (refused("{\"inputs\": [[1]]}"), "inputs, byte 11: found a list, expected an object with the inputs"),
        (refused("{\"instances\": 5}"), "instances, byte 14: found 5, expected a list of samples"),
        (refused("{\"signature_name\": \"other\"}"), "there is no signature \"other\""),
        (
            refused("{\"inputs\": {\"words\": [[1]], \"price\": [[1], [2]]}}"),
            "\"words\" has 1 samples, \"price\" has 2; give as many",
        ),
        (row("{\"words\": [1]}"), "instances[1]: the input \"price\" is missing; give all of \"words\", \"price\""),
        (row("{\"words\": [1], \"cost\": [1]}"), "instances[1]: the model has no input \"cost\""),
        (row("{\"words\": [1], \"words\": [1]}"), "instances[1].words: the input is given twice"),
        (row("{\"words\": [1], \"price\": 2}"), "instances[1].price, byte 69: found 2, expected a sample of shape [1]"),
        (row("{\"words\": [1], \"price\": [[2]]}"), "instances[1].price[0], byte 70: found a list, expected a number"),
        (
            row("{\"words\": [1], \"price\": [2, 3]}"),
            "instances[1].price: found a list of more than 1, expected 1: samples have the shape [1]",
        ),
        (row("{\"words\": [1], \"price\": []}"), "instances[1].price: found a list of 0, expected 1"),
        (
            row("{\"words\": [1], \"price\": [1e999]}"),
            "instances[1].price[0], byte 70: found 1e999, expected a number of at most 3.4e38",
        ),
        (row("{\"words\": [1], \"price\": [-1e39]}"), "found -1e39, expected a number of at most 3.4e38"),
        (
            row("{\"words\": [1], \"price\": [\"2\"]}"),
            "instances[1].price[0], byte 70: found a string, expected a number",
        ),
        (row("{\"words\": [1], \"price\": [null]}"), "found null, expected a number"),
        (row("{\"words\": [1], \"price\": [true]}"), "found true, expected a number"),
        (row("{\"words\": [1], \"price\": [01]}"), "found 01, expected a number"),
        (row("{\"words\": [1], \"price\": [1.]}"), "found 1., expected a number"),
        (row("{\"words\": [1], \"price\": [.5]}"), "found .5, expected a number"),
        (row("{\"words\": [1], \"price\": [+1]}"), "found +1, expected a number"),
        (row("{\"words\": [1], \"price\": [1e]}"), "found 1e, expected a number"),
        (
            row("{\"words\": [10], \"price\": [1]}"),
            "instances[1].words[0]: found the id 10; the model knows the ids 0 to 9",
        ),
        (row("{\"words\": [-1], \"price\": [1]}"), "found the id -1"),
        (row("{\"words\": [1.5], \"price\": [1]}"), "found 1.5, expected a whole number"),
        (row("{\"words\": [1e99], \"price\": [1]}"), "found 1e99, expected a whole number"),
        (
            row("{\"words\": [99999999999999999999], \"price\": [1]}"),
            "found 99999999999999999999, expected a whole number",
        ),
        (
            row("{\"words\": [1, 2], \"price\": [1]}"),
            "instances[1].words: found a list of more than 1, expected 1, as the first has",
        ),
        (
            refused("{\"inputs\": {\"words\": [[]], \"price\": [[1]]}}"),
            "inputs.words[0]: found a list of 0, expected at least one",
        ),
        (
            refused("{\"inputs\": {\"words\": [[1,2,3,4,5,6,7,8,9]]}}"),
            "a list of more than 8, the longest that this server takes",
        ),
        (refused("{\"inputs\": {\"price\": [[1],[1],[1],[1],[1]]}}"), "more than 4 samples"),
        (row("{\"b64\": \"aGk=\"}"), "instances[1]: found bytes ({\"b64\": ..}), which the model does not decode"),
        (
            refused("{\"instances\": [{\"words\": [1], \"price\": [2]}], \"inputs\": 3}"),
            "\"inputs\" besides another list of samples",
        ),
        (refused("{\"instances\": [{\"words\": [1], \"price\": [2]}]} x"), "found x, expected the end of the body"),
        (
            refused("{\"instances\": [{\"words\": [1], \"price\": [2]}"),
            "instances, byte 43: found the end of the body, expected a comma or the closing bracket",
        ),
        (refused("{\"a\": \"\\q\"}"), "one of the escapes"),
        (refused("{\"a\": \"\\u12x4\"}"), "four hexadecimal digits"),
        (refused("{\"a\": \"open"), "the closing quote"),
        (refused(&format!("{{\"a\": {}", "[".repeat(100_000))), "lists and objects at most 64 deep"),
        (
            refused(&format!("{{\"instances\": {}", "[".repeat(100_000))),
            "instances[0], byte 15: found a list, expected an object",
        ),
    ];
    for (place, (found, expected)) in cases.into_iter().enumerate() {
        assert!(found.contains(expected), "case {place}: {found:?} does not have {expected:?}");
        assert!(found.len() < 300, "case {place}: {found}");
    }
    running.stop().unwrap();
}

/// Whatever is done to a body, it is read or refused with a short text.
#[test]
fn damaged_bodies_are_read_or_refused() {
    let model = several();
    let seeds = [
        r#"{"instances": [{"words": [1, 2], "price": [0.5e1]}, {"price": [-1], "words": [9, 7.0]}], "x": [null, {"y": "\u00e9"}]}"#,
        r#"{"signature_name": "", "inputs": {"words": [[1, 2]], "price": [[NaN]], "else": {"a": [true, "\\\n"]}}}"#,
    ];
    let check = |bytes: &[u8]| match PredictRequest::read(bytes, model.inputs(), Bounds::default()) {
        Ok(request) => assert!(request.inputs.iter().all(|column| column.shape()[0] == request.samples)),
        Err(text) => assert!(text.len() < 1000, "{text}"),
    };
    let mut random = gradus_tensor::Generator::new(3);
    let mut below = |most: usize| (random.uniform([1], 0.0_f64..1.0).item() * most as f64) as usize;
    for seed in seeds {
        (0..seed.len()).for_each(|end| check(&seed.as_bytes()[..end]));
        for _ in 0..5000 {
            let mut bytes = seed.as_bytes().to_vec();
            for _ in 0..1 + below(3) {
                let (place, other) = (below(bytes.len()), below(bytes.len()));
                match below(4) {
                    0 => bytes[place] = b"[]{},:\"\\0-9.eNI\xff\0"[below(17)],
                    1 => drop(bytes.remove(place)),
                    2 => bytes.insert(place, bytes[other]),
                    _ => bytes.swap(place, other),
                }
            }
            check(&bytes);
        }
    }
}
