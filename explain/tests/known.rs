//! Attributions where the answer is known: by arithmetic, or because the data were made so.

use gradus_autograd::Var;
use gradus_explain::{
    Attributions, IntegratedGradients, Occlusion, PermutationImportance, Rule, Target, attention_maps, grad_cam,
    gradient_times_input,
};
use gradus_nn::losses::SparseCategoricalCrossentropy;
use gradus_nn::{
    Activation, Concatenate, Conv2D, Dense, Embedding, Flatten, GlobalAveragePooling1D, Graph, Input, MaxPooling2D,
    Model, MultiHeadAttention, Sequential, TransformerDecoder, TransformerEncoder,
};
use gradus_optim::{Adam, Optimizer};
use gradus_tensor::{Columns, Generator, Tensor};

/// y = 2 a - 3 b + 0 c + 1
fn linear() -> Model {
    let mut model = Model::build(Sequential::new().add(Dense::new(1)), [3], 1).unwrap();
    model.params_mut().get_mut("0/kernel").unwrap().value = Tensor::new([[2.0], [-3.0], [0.0]]);
    model.params_mut().get_mut("0/bias").unwrap().value = Tensor::new([1.0]);
    model
}

#[test]
fn a_linear_model_is_explained_exactly() {
    let model = linear();
    let x = Tensor::new([[1.0, 2.0, 4.0], [-1.0, 0.5, 8.0]]);
    let parts = Tensor::new([[2.0, -6.0, 0.0], [-2.0, -1.5, 0.0]]);
    let found = gradient_times_input(&model, &x, &Target::predicted()).unwrap();
    assert_eq!((found.values(), &found.numbers), (&parts, &Tensor::new([-3.0, -2.5])));
    assert_eq!(found.explained, ["the output", "the output"]);
    for rule in [Rule::Midpoint, Rule::Trapezoid] {
        let found = IntegratedGradients::new().steps(1).rule(rule).explain(&model, &x, &Target::predicted()).unwrap();
        assert_eq!((found.attributions.values(), found.gaps()), (&parts, Tensor::zeros([2])));
        assert_eq!(found.baseline_numbers, Tensor::new([1.0, 1.0]));
    }
    // From the mean of each column: w (x - mean).
    let means = Tensor::new([0.0, 1.25, 6.0]);
    let found = IntegratedGradients::new().steps(2).baseline(means).explain(&model, &x, &Target::class(0)).unwrap();
    assert_eq!(found.attributions.values(), &Tensor::new([[2.0, -2.25, 0.0], [-2.0, 2.25, 0.0]]));
    // To hide a column takes away its part.
    assert_eq!(Occlusion::new(&[1]).explain(&model, &x, &Target::predicted()).unwrap().values(), &parts);
}

#[test]
fn permutation_importance_is_that_of_scikit_learn() {
    let table = Tensor::from_iter((0..60).map(|i| (0.7 * f64::from(i)).sin())).reshape([20, 3]);
    let output = |table: &Tensor<f64>| table.select(1, 0) * 2.0 - table.select(1, 2);
    let targets = output(&table) + Tensor::from_iter((0..20).map(|i| 0.1 * f64::from(i).cos()));
    let score = |table: &Tensor<f64>| Ok::<f64, ()>(-(output(table) - &targets).square().mean(..).item());
    let names = ["a", "unused", "c"];
    let found = PermutationImportance::new().repeats(2000).names(names).of(&table, score).unwrap();
    // `reference/permutation.py` prints these; the means of 2000 repeats are uncertain by std / 45.
    for (name, mean, std) in [("a", 3.847, 0.904), ("c", 1.007, 0.2295)] {
        let importance = &found[name];
        assert!((importance.mean - mean).abs() < 4.0 * std / 44.7 * 1.41, "{name}: {}", importance.mean);
        assert!((importance.std / std - 1.0).abs() < 0.1, "{name}: {}", importance.std);
    }
    let unused = &found["unused"];
    assert_eq!((unused.mean, unused.std, unused.column), (0.0, 0.0, 1));
    let lines: Vec<String> = found.to_string().lines().map(str::to_owned).collect();
    assert!(lines[1].starts_with("a ") && lines[1].ends_with(&"#".repeat(24)), "{lines:?}");
    assert!(lines[3].starts_with("unused") && lines[3].contains("0.0000 ± 0.0000"), "{lines:?}");
    // The seed says all.
    let again = |seed| PermutationImportance::new().seed(seed).of(&table, score).unwrap();
    assert_eq!(again(3), again(3));
    assert_ne!(again(3)["0"].losses, again(4)["0"].losses);
}

#[test]
fn scores_of_permuted_tables_may_fail_and_be_no_numbers() {
    let table = Tensor::from([[1_i64, 2], [3, 4]]);
    assert_eq!(PermutationImportance::new().of(&table, |_| Err("no file")), Err("no file"));
    let found = PermutationImportance::new().of(&table, |_| Ok::<f64, ()>(f64::NAN)).unwrap();
    assert!(found["1"].mean.is_nan() && found.to_string().contains("NaN"));
    let empty = Tensor::<f32>::zeros([0, 2]);
    assert_eq!(PermutationImportance::new().of(&empty, |_| Ok::<f64, ()>(1.0)).unwrap()["0"].mean, 0.0);
}

#[test]
fn attributions_of_a_curved_model_sum_up_to_what_it_says() {
    let network = Sequential::new()
        .add(Conv2D::new(4, 3).activation(Activation::Tanh))
        .add(MaxPooling2D::new(2))
        .add(Flatten)
        .add(Dense::new(6).activation(Activation::Silu))
        .add(Dense::new(3).activation(Activation::Softmax));
    let model = Model::<f64>::build_as(network, [6, 6, 2], 3).unwrap();
    let pictures: Tensor<f64> = Generator::new(1).normal([4, 6, 6, 2], 0.0, 1.0);
    let dark: Tensor<f64> = Generator::new(2).normal([6, 6, 2], 0.0, 0.1);
    let mut gaps = Vec::new();
    for target in [Target::class(1), Target::class(1).probability()] {
        for steps in [8, 128] {
            let how = IntegratedGradients::new().steps(steps).baseline(dark.clone());
            let found = how.explain(&model, &pictures, &target).unwrap();
            let change = &found.attributions.numbers - &found.baseline_numbers;
            assert!(change.abs().max(..).item() > 0.01);
            let missing = (change - found.attributions.values().sum([1, 2, 3])).abs().max(..).item();
            assert!((missing - found.gaps().abs().max(..).item()).abs() < 1e-12);
            gaps.push(missing);
        }
    }
    assert!(gaps[1] < 2e-3 && gaps[1] < gaps[0] / 4.0 && gaps[3] < 1e-3, "{gaps:?}");
}

/// Pictures of noise, of which the class says whether the upper left corner of 3 x 3 is light.
fn corners(samples: usize, seed: u64) -> (Tensor, Tensor) {
    let mut generator = Generator::new(seed);
    let noise = generator.uniform([samples, 10, 10, 1], 0.0_f32..1.0);
    let classes = Tensor::from_iter((0..samples).map(|i| (i % 2) as f32));
    let corner = Tensor::<f32>::zeros([3, 3]).pad(&[(0, 7), (0, 7)], 1.0).map(|outside| 1.0 - outside);
    let light = corner.unsqueeze(-1) * classes.reshape([samples, 1, 1, 1]) * 1.5;
    (noise + light, classes)
}

fn corner_reader() -> Model {
    let network = Sequential::new()
        .add_named("conv", Conv2D::new(6, 3).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Flatten)
        .add(Dense::new(2).activation(Activation::Softmax));
    let mut model = Model::build(network, [10, 10, 1], 5).unwrap();
    let (pictures, classes) = corners(128, 1);
    let mut adam = Optimizer::from(Adam::default()).learning_rate(0.01);
    let mut generator = Generator::new(0);
    for _ in 0..60 {
        let loss = SparseCategoricalCrossentropy::default();
        let pass = model.grad(&pictures, &classes, None, &loss, &mut generator).unwrap();
        adam.step(model.params_mut(), &pass.grads);
    }
    model
}

#[test]
fn methods_point_to_the_corner_that_tells_the_class() {
    let model = corner_reader();
    let (pictures, classes) = corners(20, 2);
    let right = model.predict(&pictures).unwrap().argmax(-1).iter().zip(classes.iter());
    assert!(right.filter(|(found, class)| *found as f32 == *class).count() >= 19);
    let light = pictures.slice(0, 1..2);
    let target = Target::class(1);
    // The share of what speaks for the class that lies in the corner of 4 x 4, 16 of 100 points: by chance 0.16.
    let share = |map: Tensor| {
        let positive = map.reshape([10, 10]).maximum(0.0);
        (positive.slice(0, ..4).slice(1, ..4).sum(..) / positive.sum(..)).item()
    };
    let cam = grad_cam(&model, "conv", &light, &target).unwrap();
    let occluded = Occlusion::new(&[3, 3]).stride(&[1, 1]).fill(0.5).explain(&model, &light, &target).unwrap();
    let times_input = gradient_times_input(&model, &light, &target).unwrap();
    let integrated = IntegratedGradients::new().baseline(Tensor::scalar(0.5)).explain(&model, &light, &target).unwrap();
    let shares = [
        share(cam.maps),
        share(occluded.values().clone()),
        share(times_input.values().clone()),
        share(integrated.attributions.values().clone()),
    ];
    assert!(shares[0] > 0.4 && shares[1] > 0.6 && shares[2] > 0.4 && shares[3] > 0.6, "{shares:?}");
    let place = occluded.values().flatten().argmax(0).item();
    assert!(place / 10 < 3 && place % 10 < 3, "{place}");
}

/// The rating of a text: the mean of the vectors of its words, times a kernel.
fn rater(mask_zero: bool) -> Model {
    let network = Sequential::new()
        .add_named("words", Embedding::new(10, 4).mask_zero(mask_zero))
        .add(GlobalAveragePooling1D::new())
        .add_named("rating", Dense::new(1));
    Model::build(network, [None], 2).unwrap()
}

#[test]
fn words_are_explained_by_their_vectors() {
    let model = rater(true);
    // The word 3 comes twice, and each time counts by itself; 0 is padding.
    let ids = Tensor::from([[3_i64, 7, 3, 0]]);
    let table = &model.params().get("words/embeddings").unwrap().value;
    let kernel = &model.params().get("rating/kernel").unwrap().value;
    let of_word = |id: isize| table.select(0, id).dot(&kernel.flatten()).item() / 3.0;
    let expected = Tensor::new([of_word(3), of_word(7), of_word(3), 0.0]);
    let close = |found: &Attributions| {
        let found = found.per_position().flatten();
        assert!(found.allclose(&expected, 1e-5, 1e-6), "{found}, not {expected}");
    };
    let found = gradient_times_input(&model, &ids, &Target::predicted()).unwrap();
    close(&found);
    assert_eq!(found["words"].mask, Some(Tensor::from([[true, true, true, false]])));
    let integrated = IntegratedGradients::new().steps(3).explain(&model, &ids, &Target::predicted()).unwrap();
    close(&integrated.attributions);
    assert!(integrated.gaps().abs().item() < 1e-6);
    // To hide a word's vector takes away its part.
    let hidden = Occlusion::new(&[1]).explain(&model, &ids, &Target::predicted()).unwrap();
    assert!(hidden.values().flatten().allclose(&expected, 1e-4, 1e-6), "{}", hidden.values());
}

/// A price and a text, which are read by a network within the network.
fn two_inputs() -> (Model, Columns) {
    let mut graph = Graph::builder();
    let (text, price) = (graph.input_named("text"), graph.input_named("price"));
    let reader = Sequential::new().add(Embedding::new(9, 3)).add(GlobalAveragePooling1D::new());
    let text = graph.add_named("reader", reader, [text]);
    let all = graph.add(Concatenate::new(), [text, price]);
    let class = graph.add_named("class", Dense::new(3).activation(Activation::Softmax), [all]);
    let risk = graph.add_named("risk", Dense::new(1).activation(Activation::Sigmoid), [all]);
    let inputs = [Input::named("text", [4]), Input::named("price", [1])];
    let model = Model::build(graph.outputs([class, risk]), inputs, 4).unwrap();
    let model = model.with_class_names_for("class", ["low", "middle", "high"]).unwrap();
    let text = Tensor::from([[1_i64, 2, 3, 4], [8, 0, 8, 0]]);
    (model, Columns::new().with("text", text).with("price", Tensor::new([[2.5], [-1.0]])))
}

#[test]
fn each_input_has_its_attributions() {
    let (model, inputs) = two_inputs();
    let found = gradient_times_input(&model, &inputs, &Target::classes([2, 0])).unwrap();
    let places: Vec<&str> = found.iter().map(|attribution| &*attribution.path).collect();
    assert_eq!(places, ["price", "reader/0"]);
    assert_eq!(found.explained, ["the logit of class 2 (high)", "the logit of class 0 (low)"]);
    // The logits are linear in price and vectors, but for the bias, which is 0 at first: the parts sum up to them.
    assert!(found.sums().allclose(&found.numbers, 1e-4, 1e-6), "{} {}", found.sums(), found.numbers);
    let kernel = &model.params().get("class/kernel").unwrap().value;
    let of_price = |class: isize| {
        let row = kernel.select(0, 3);
        row.select(0, class).item() - row.mean(..).item()
    };
    let expected = Tensor::new([[2.5 * of_price(2)], [-of_price(0)]]);
    assert!(found["price"].values.allclose(&expected, 1e-4, 1e-6));
    let text = IntegratedGradients::new().steps(4).baseline_of("price", Tensor::scalar(1.0));
    let found = text.explain(&model, &inputs, &Target::class(1)).unwrap();
    assert!(found.gaps().abs().max(..).item() < 1e-5);
    // Hiding is for one place at a time.
    let hidden = Occlusion::new(&[1]).at("reader/0").explain(&model, &inputs, &Target::class(1)).unwrap();
    assert_eq!(hidden.values().shape(), &[2, 4]);
    let error = Occlusion::new(&[1]).explain(&model, &inputs, &Target::class(1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Occlusion: the model has several inputs of numbers: price, reader/0; name one by at(..)"
    );
}

#[test]
fn targets_are_numbers_of_outputs() {
    let (model, inputs) = two_inputs();
    let outputs = model.predict_all(&inputs).unwrap();
    let numbers = |target: Target| gradient_times_input(&model, &inputs, &target).unwrap();
    // z - mean(z) = ln p - mean(ln p).
    let logs = outputs[0].ln();
    let logits = &logs - logs.mean(gradus_tensor::keepdims(-1));
    let close = |a: &Tensor, b: Tensor| assert!(a.allclose(&b, 1e-4, 1e-5), "{a}, not {b}");
    close(&numbers(Target::class(1)).numbers, logits.select(1, 1));
    close(&numbers(Target::class(1).probability()).numbers, outputs[0].select(1, 1));
    close(&numbers(Target::predicted()).numbers, logits.max(-1));
    let risk = outputs[1].select(1, 0);
    let of_risk = |target: Target| numbers(target.of_output("risk"));
    close(&of_risk(Target::class(1)).numbers, (&risk / (1.0 - &risk)).ln());
    close(&of_risk(Target::class(0)).numbers, -(&risk / (1.0 - &risk)).ln());
    close(&of_risk(Target::class(0).probability()).numbers, 1.0 - &risk);
    close(&of_risk(Target::predicted().probability()).numbers, risk.maximum(&(1.0 - &risk)));
    let margin = |outputs: &[Var]| outputs[0].select(1, 0) - outputs[1].select(1, 0);
    let found = numbers(Target::function("class 0 before risk", margin));
    close(&found.numbers, outputs[0].select(1, 0) - &risk);
    assert_eq!(found.explained[1], "class 0 before risk");
}

#[test]
fn sure_predictions_have_gradients() {
    // A softmax that says 1 and 0, where the probability's own gradient is 0.
    let mut model = Model::build(Sequential::new().add(Dense::new(2).activation(Activation::Softmax)), [1], 1).unwrap();
    model.params_mut().get_mut("0/kernel").unwrap().value = Tensor::new([[25.0, -25.0]]);
    let x = Tensor::new([[1.0]]);
    assert_eq!(model.predict(&x).unwrap().get([0, 0]), 1.0);
    let of = |target: Target| gradient_times_input(&model, &x, &target).unwrap().values().item();
    assert!((of(Target::class(0)) - 25.0).abs() < 1e-3 && of(Target::class(0).probability()).abs() < 1e-6);
    // A sigmoid that says 1.
    let mut model = Model::build(Sequential::new().add(Dense::new(1).activation(Activation::Sigmoid)), [1], 1).unwrap();
    model.params_mut().get_mut("0/kernel").unwrap().value = Tensor::new([[10.0]]);
    let of = |target: Target| gradient_times_input(&model, &x, &target).unwrap().values().item();
    assert!((of(Target::class(1)) - 10.0).abs() < 0.05, "{}", of(Target::class(1)));
}

#[test]
fn attention_is_seen_without_being_an_output() {
    let mut graph = Graph::builder();
    let (source, target) = (graph.input_named("source"), graph.input_named("target"));
    let encoded = graph.add_named("encoder", TransformerEncoder::new(8, 2), [source]);
    let decoded = graph.add_named("decoder", TransformerDecoder::new(8, 2), [target, encoded]);
    let last = graph.add_named("last", MultiHeadAttention::new(3, 2), [decoded]);
    let inputs = [Input::named("source", [5, 4]), Input::named("target", [3, 4])];
    let model = Model::build(graph.output(last), inputs, 1).unwrap();
    let mut generator = Generator::new(2);
    let source: Tensor = generator.normal([2, 5, 4], 0.0, 1.0);
    let target: Tensor = generator.normal([2, 3, 4], 0.0, 1.0);
    let maps = attention_maps(&model, Columns::new().with("source", source).with("target", target)).unwrap();
    let shapes: Vec<String> = maps.iter().map(|map| format!("{} {}", map.path, map.weights.shape())).collect();
    let expected = [
        "encoder/self_attention [2, 2, 5, 5]",
        "decoder/self_attention [2, 2, 3, 3]",
        "decoder/cross_attention [2, 2, 3, 5]",
        "last [2, 3, 3, 3]",
    ];
    assert_eq!(shapes, expected);
    for map in &maps {
        assert!(map.weights.sum(-1).allclose(&map.weights.select(-1, 0).ones_like(), 1e-5, 1e-6));
    }
    // The decoder sees no later position.
    assert_eq!(maps[1].head(1, 0).get([0, 2]), 0.0);
    assert_eq!(maps[1].mean_of_heads(1), (maps[1].head(1, 0) + maps[1].head(1, 1)) / 2.0);
    assert!(attention_maps(&linear(), Tensor::new([[1.0, 2.0, 3.0]])).unwrap().is_empty());
}

#[test]
fn batches_may_be_empty() {
    let (model, none) = (linear(), Tensor::<f32>::zeros([0, 3]));
    assert_eq!(gradient_times_input(&model, &none, &Target::predicted()).unwrap().values().shape(), &[0, 3]);
    let found = IntegratedGradients::new().explain(&model, &none, &Target::class(0)).unwrap();
    assert_eq!((found.attributions.values().shape(), found.gaps().shape()), (&[0, 3].into(), &[0].into()));
    assert_eq!(Occlusion::new(&[2]).explain(&model, &none, &Target::class(0)).unwrap().values().shape(), &[0, 3]);
    let reader = Sequential::new().add_named("conv", Conv2D::new(1, 2)).add(Flatten).add(Dense::new(1));
    let reader = Model::build(reader, [3, 3, 1], 1).unwrap();
    let cam = grad_cam(&reader, "conv", Tensor::<f32>::zeros([0, 3, 3, 1]), &Target::predicted()).unwrap();
    assert_eq!((cam.maps.shape()[0], cam.coarse.shape()), (0, &[0, 2, 2].into()));
}

#[test]
fn what_is_not_a_number_stays_so() {
    let found =
        gradient_times_input(&linear(), Tensor::new([[f32::NAN, 1.0, f32::INFINITY]]), &Target::class(0)).unwrap();
    assert!(found.numbers.item().is_nan() && found.values().get([0, 0]).is_nan());
    assert_eq!(found.values().get([0, 1]), -3.0);
    // Infinity times a weight of 0.
    assert!(found.values().get([0, 2]).is_nan());
}

#[test]
fn errors_say_what_to_do() {
    let model = linear();
    let x = Tensor::new([[1.0, 2.0, 3.0]]);
    let explained = |target: Target| gradient_times_input(&model, &x, &target).map(|_| ()).unwrap_err().to_string();
    assert_eq!(
        explained(Target::class(1)),
        "gradient_times_input: there is no class 1, the output has 1; count classes from 0"
    );
    assert_eq!(
        explained(Target::classes([0, 0])),
        "gradient_times_input: 2 classes are given for 1 samples; give a class for each sample"
    );
    assert_eq!(
        explained(Target::class(0).of_output("price")),
        "gradient_times_input: there is no output \"price\", only 0; name an output of the network"
    );
    assert_eq!(
        explained(Target::function("all", |outputs| outputs[0].sum(..))),
        "gradient_times_input: the function gives [], a number for each of 1 samples is needed; sum over all axes but the \
         first"
    );
    let how = IntegratedGradients::new().baseline(Tensor::new([1.0, 2.0]));
    assert_eq!(
        how.explain(&model, &x, &Target::class(0)).map(|_| ()).unwrap_err().to_string(),
        "IntegratedGradients: the baseline of \"input\" has the shape [2], its value [1, 3]; give a baseline of this shape, \
         or one that is broadcast to it"
    );
    let how = IntegratedGradients::new().baseline_of("words", Tensor::scalar(0.0));
    assert_eq!(
        how.explain(&model, &x, &Target::class(0)).map(|_| ()).unwrap_err().to_string(),
        "IntegratedGradients: there is a baseline of \"words\", attributions are at input; name one of these"
    );
    assert_eq!(
        Occlusion::new(&[4]).explain(&model, &x, &Target::class(0)).map(|_| ()).unwrap_err().to_string(),
        "Occlusion: a patch [4] does not fit into samples of shape [3]; give a length for each axis of positions, or fewer"
    );
    assert_eq!(
        grad_cam(&model, "0", &x, &Target::class(0)).map(|_| ()).unwrap_err().to_string(),
        "grad_cam: the output of the layer \"0\" has the shape [1, 1], pictures of channels are needed; name a convolution, \
         or a layer right behind one"
    );
}

#[test]
#[should_panic(expected = "Attributions: 2 places, choose one by its path: price, reader/0")]
fn several_places_are_chosen_by_path() {
    let (model, inputs) = two_inputs();
    _ = gradient_times_input(&model, &inputs, &Target::class(0)).unwrap().values();
}
