//! Functions of a program as layers.

use gradus_autograd::Var;
use gradus_nn::losses::MeanSquaredError;
use gradus_nn::*;
use gradus_tensor::{Float, Generator, Tensor};

fn network() -> Sequential {
    Sequential::new().add(Dense::new(3)).add(Lambda::new("double", |x| x * 2.0)).add(Flatten)
}

#[test]
fn a_function_is_computed_and_differentiated() {
    let model = Model::build(network(), [4], 1).unwrap();
    let plain = Model::build(Sequential::new().add(Dense::new(3)), [4], 1).unwrap();
    let x: Tensor = Generator::new(2).normal([5, 4], 0.0, 1.0);
    assert_eq!(model.predict(&x).unwrap(), plain.predict(&x).unwrap() * 2.0);
    assert_eq!(model.output_shape(), &[3]);
    assert!(model.summary().to_string().contains("Lambda"));
    // The loss of 2 y against 2 t is 4 times that of y against t, and so is its gradient.
    let targets: Tensor = Generator::new(3).normal([5, 3], 0.0, 1.0);
    let grads = |model: &Model, targets: &Tensor| {
        model.grad(&x, targets, None, &MeanSquaredError, &mut Generator::new(0)).unwrap().grads
    };
    let (of_double, of_plain) = (grads(&model, &(&targets * 2.0)), grads(&plain, &targets));
    let expected = of_plain[0].as_ref().unwrap() * 4.0;
    assert!(of_double[0].as_ref().unwrap().allclose(&expected, 1e-5, 1e-6));
}

#[test]
fn the_output_has_the_shape_that_the_function_makes() {
    let shape = |function: fn(&Var) -> Var, input: &[usize]| {
        let network = Sequential::new().add(Lambda::new("f", function));
        let model = Model::build(network, PartialShape::from(input), 1).unwrap();
        model.output_shape().fixed().unwrap().to_vec()
    };
    assert_eq!(shape(|x| x.sum(-1), &[4, 3]), [4]);
    assert_eq!(shape(|x| x.sum(1), &[4]), [0; 0]);
    assert_eq!(shape(|x| x.reshape([x.shape()[0], 12]), &[4, 3]), [12]);
    assert_eq!(shape(|x| x.square(), &[0, 3]), [0, 3]);
    // With a free length, too.
    let network = Sequential::new().add(Lambda::new("mean", |x| x.mean(1))).add(Dense::new(2));
    let model = Model::build(network, [None, Some(3)], 1).unwrap();
    assert_eq!(model.predict(Tensor::<f32>::ones([2, 7, 3])).unwrap().shape(), &[2, 2]);
    let sum = Sequential::new().add(Lambda::new("sum", |x| x.sum(0)));
    assert_eq!(
        Model::build(sum, [3, 4], 1).err().unwrap().to_string(),
        "layer 0 (Lambda): its function \"sum\" makes [3, 4] of 2 samples, [2, 3, 4]; keep the first axis, that of the samples"
    );
}

#[test]
fn a_model_of_f64_needs_a_function_of_f64() {
    fn double<T: Float>(x: &Var<T>) -> Var<T> {
        x * T::of(2.0)
    }
    assert_eq!(
        Model::<f64>::build_as(network(), [4], 1).err().unwrap().to_string(),
        "layer 1 (Lambda): its function \"double\" is one of f32, and the model computes in f64; give the function of f64 as \
         well, by Lambda::in_f64"
    );
    let both = Sequential::new().add(Lambda::new("double", double).in_f64(double));
    let model = Model::<f64>::build_as(both.clone(), [4], 1).unwrap();
    assert_eq!(model.predict(Tensor::<f64>::ones([1, 4])).unwrap(), Tensor::full([1, 4], 2.0));
    assert_eq!(
        Model::build(both, [4], 1).unwrap().predict(Tensor::<f32>::ones([1, 4])).unwrap(),
        Tensor::full([1, 4], 2.0)
    );
}

#[test]
fn no_file_holds_a_function() {
    let refused = "a Lambda holds a function of the program (\"double\"), which no file can hold; write a layer of your own \
                   instead, as in example 6";
    let error = network().to_json().unwrap_err().to_string();
    assert!(error.contains(refused), "{error}");
    let model = Model::build(network(), [4], 1).unwrap();
    let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lambda.safetensors");
    _ = std::fs::remove_file(&path);
    let error = model.save(&path).unwrap_err().to_string();
    assert!(error.contains(refused), "{error}");
    assert!(!path.exists());
    // Its weights have a file, and it can be told.
    model.save_weights(&path).unwrap();
    assert_eq!(format!("{:?}", Lambda::new("double", |x| x * 2.0)), "Lambda(\"double\")");
    let text = r#"[{ "name": "0", "layer": "Lambda", "config": null }]"#;
    let error = Sequential::from_json(text).unwrap_err().to_string();
    assert!(error.starts_with("from_json: layer 0: there is no kind of layer \"Lambda\""), "{error}");
}

#[test]
fn a_mask_passes_a_function_of_single_positions() {
    let network = |layer: Lambda| {
        Sequential::new().add(Embedding::new(5, 2).mask_zero(true)).add(layer).add(GlobalAveragePooling1D::new())
    };
    let double = || Lambda::new("double", |x| x * 2.0);
    let refusal = Model::build(network(double()), [3], 1).err().unwrap().to_string();
    assert!(refusal.starts_with("layer 1 (Lambda): "), "{refusal}");
    let model = Model::build(network(double().supports_masking(true)), [3], 1).unwrap();
    let short = model.predict(Tensor::from([[4, 0, 0]])).unwrap();
    let whole = model.predict(Tensor::from([[4, 4, 4]])).unwrap();
    assert!(short.allclose(&whole, 1e-6, 0.0), "{short}, {whole}");
}
