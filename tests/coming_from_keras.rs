//! The README's tables 'Coming from Keras', run: each piece of Gradus's code in them stands in a test below, literally.

use gradus::nn::Context;
use gradus::prelude::*;

const README: &str = include_str!("../README.md");
const THIS: &str = include_str!("coming_from_keras.rs");

/// The code between backquotes in the right columns of the tables.
fn pieces() -> Vec<&'static str> {
    let (_, section) = README.split_once("## Coming from Keras").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | "));
    rows.flat_map(|(_, right)| right.split('`').skip(1).step_by(2)).collect()
}

/// Whether a piece of code stands in this file, up to white space; `..` stands for a few other words.
fn is_here(piece: &str) -> bool {
    let dense = |text: &str| text.split_whitespace().collect::<String>();
    let (code, piece) = (dense(THIS), dense(piece).replace("..Fit", "\0Fit"));
    let parts: Vec<String> = piece.split("..").map(|part| part.replace('\0', "..")).collect();
    code.match_indices(&parts[0]).any(|(start, _)| {
        let mut rest = &code[start + parts[0].len()..];
        parts[1..].iter().all(|part| match rest.find(part.as_str()) {
            Some(place) if place < 200 => {
                rest = &rest[place + part.len()..];
                true
            }
            _ => false,
        })
    })
}

#[test]
fn every_line_of_the_tables_is_run_here() {
    let pieces = pieces();
    assert!(pieces.len() > 50, "only {} pieces of code found in the tables", pieces.len());
    let missing: Vec<&str> = pieces.into_iter().filter(|piece| !is_here(piece)).collect();
    assert!(missing.is_empty(), "write a test of these, literally: {missing:#?}");
}

fn built(network: impl Into<Graph>, shape: impl Into<gradus::nn::Inputs>) -> Result<Model> {
    Ok(Model::build(network, shape, 1)?)
}

#[test]
fn chains_of_layers() -> Result<()> {
    let seed = 42;
    let network = Sequential::new().add(Flatten).add(Dense::new(128).activation(Activation::Relu)).add(Dense::new(10));
    let json = network.to_json()?;
    let model = Model::build(network, [28, 28], seed)?;
    println!("{}", model.summary());
    assert_eq!(model.output_shape(), &[10]);
    assert_eq!(Sequential::from_json(&json)?.len(), 3);

    let network = Sequential::new().add(Dense::new(8)).add(GlobalAveragePooling1D::new());
    let model = Model::build(network, [None, Some(16)], seed)?;
    assert_eq!(model.output_shape(), &[8]);
    Ok(())
}

#[test]
fn layers_over_pictures() -> Result<()> {
    // The shapes are those that Keras's layers of the same line give.
    let shape_of = |network: Sequential, shape: [usize; 3]| -> Result<Vec<usize>> {
        Ok(built(network, shape)?.output_shape().fixed().unwrap().to_vec())
    };
    let network = Sequential::new()
        .add(Permute::new([2, 3, 1])) // [3, 32, 32] to [32, 32, 3]
        .add(Conv2D::new(32, 3).padding(Padding::Same))
        .add(MaxPooling2D::new(2))
        .add(DepthwiseConv2D::new(3).depth_multiplier(2))
        .add(SeparableConv2D::new(64, 3))
        .add(UpSampling2D::new(2).interpolation(Interpolation::Linear))
        .add(ZeroPadding2D::new([(1, 1); 2]))
        .add(Conv2DTranspose::new(3, 4).strides(2).padding(Padding::Same));
    assert_eq!(shape_of(network.clone(), [3, 32, 32])?, [52, 52, 3]);
    assert_eq!(shape_of(network.add(GlobalAveragePooling2D::new()), [3, 32, 32])?, [3]);
    Ok(())
}

/// Numbers in two classes, and a one-hot target for each.
fn data() -> Result<Dataset> {
    let x = Tensor::linspace(-1.0, 1.0, 40).reshape([40, 1]);
    let y = x.to_vec().iter().map(|&x| u8::from(x > 0.0)).collect::<Tensor<u8>>();
    Ok(Dataset::new(x, y)?.to_categorical(2)?)
}

#[test]
fn training() -> Result<()> {
    let (network, loss) =
        (Sequential::new().add(Dense::new(2).activation(Activation::Softmax)), CategoricalCrossentropy::default());
    let model = built(network, [1])?;
    let data = data()?;
    let mut trainer = Trainer::new(model, loss, Adam::default()).metric(Accuracy::default());
    let history = trainer.fit(&data, Fit { epochs: 10, validation_split: 0.1, ..Fit::default() })?;
    assert!(history.get("loss")[9] < history.get("loss")[0]);
    let accuracy = trainer.evaluate(&data)?["accuracy"];
    assert!((0.0..=1.0).contains(&accuracy));
    let x = data.inputs().clone();
    assert_eq!(trainer.predict(&x)?, trainer.model().predict(&x)?);
    let model = trainer.into_model();
    let output = model.predict(&x)?;
    assert_eq!(output.shape(), &[40, 2]);

    let fit = Fit::default().callback(EarlyStopping::new("val_loss").patience(3));
    // With a folder of another name they are run in `train/tests/suite/checkpoint.rs`.
    let _: Fit = Fit::default()
        .callback(Checkpoint::new("run").every_steps(100))
        .callback(Checkpoint::new("run").keep_best("val_loss"))
        .callback(Checkpoint::new("run").write_all(true));
    let optimizer = Adam::default().learning_rate(CosineDecay::new(1e-3, 1000));
    let mut trainer = Trainer::new(model, CategoricalCrossentropy::default(), optimizer);
    assert!(trainer.resume("run")?.is_none());
    trainer.fit(&data, Fit { validation_split: 0.1, verbose: false, ..fit })?;
    Ok(())
}

#[test]
fn data_sets() -> Result<()> {
    let data = Dataset::new(Tensor::<f32>::zeros([20, 8, 8, 1]), Tensor::from([3_u8; 20]))?;
    let train = data.to_categorical(10)?;
    assert_eq!(train.target_shape(), [10]);
    let train = train.augment(Augment::new().rotate(10.0).shift(0.1).zoom(0.1).flip_horizontal())?;
    assert!(train.augmentation().is_some());
    assert_eq!(mnist::load()?.test.len(), 10_000);
    // The files of these are in the repository for nobody: what is missing is named.
    let missing = |name: &str, error: Option<String>| {
        assert!(error.is_none_or(|error| error.contains(name)), "the error names {name}");
    };
    let load = || -> Result<()> {
        fashion_mnist::load()?;
        cifar10::load()?;
        Ok(())
    };
    missing("fashion", load().err().map(|error| error.to_string().to_lowercase()));
    #[cfg(feature = "images")]
    missing("pets", {
        let load = || -> Result<()> {
            gradus::datasets::ImageFolder::new("pets").size(128, 128).load()?;
            Ok(())
        };
        load().err().map(|error| error.to_string())
    });
    Ok(())
}

/// A layer as example 6 has it: y = 2 x, with noise in training.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Noisy;

impl Layer for Noisy {
    const KIND: &'static str = "Noisy";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> gradus::nn::Result<Built<T>> {
        let shape = build.input()?.clone();
        Ok(Built::new(shape, |context: &mut Context<'_, T>, x| {
            if let Some(generator) = context.training() {
                let noise = generator.normal(x.shape().clone(), T::ZERO, T::ONE);
                return x + Var::from(noise);
            }
            x * T::of(2.0)
        }))
    }
}

#[test]
fn layers_of_ones_own() -> Result<()> {
    let model = built(Sequential::new().add(Noisy), [2])?;
    assert_eq!(model.predict(Tensor::new([[1.0, 3.0]]))?, Tensor::new([[2.0, 6.0]]));
    let (x, loss) = (Tensor::<f32>::zeros([1, 2]), MeanSquaredError);
    // Some(generator) in training: the output is noise then.
    assert_ne!(model.grad(&x, &x, None, &loss, &mut Generator::new(1))?.output(), &x);
    Ok(())
}

#[test]
fn files() -> Result<()> {
    let path = &std::env::temp_dir().join(format!("gradus_coming_from_keras_{}.safetensors", std::process::id()));
    let network = |classes| Sequential::new().add_named("body", Noisy).add_named("head", Dense::new(classes));
    let model = built(network(3), [2])?;
    model.save(path)?;
    let x = Tensor::new([[1.0, 3.0]]);
    assert!(Model::load(path).is_err());
    assert_eq!(Model::load_with(path, &LayerKinds::standard().with::<Noisy>())?.predict(&x)?, model.predict(&x)?);

    let network = |classes| Sequential::new().add_named("body", Dense::new(4)).add_named("head", Dense::new(classes));
    let trained = built(network(3), [2])?;
    trained.save(path)?;
    assert_eq!(Model::load(path)?.predict(&x)?, trained.predict(&x)?);
    let mut model = Model::build(network(3), [2], 9)?;
    model.save_weights(path)?;
    model.load_weights(path)?;
    let other = Model::build(network(5), [2], 10)?;
    let mut model = other.clone();
    model.load_weights_with(path, &Matching::new().under("body"))?;
    assert_ne!(model.params()[0].value, other.params()[0].value);
    std::fs::remove_file(path)?;
    Ok(())
}

#[test]
fn preprocessing_callbacks_and_weights() -> Result<()> {
    let network =
        Sequential::new().add(Flatten).add(Dropout::new(0.5)).add(BatchNormalization::new()).add(Dense::new(10));
    let model = built(network, [28, 28])?;
    let model = model.with_preprocessing(Sequential::new().add(Rescaling::new(1.0 / 255.0)), [28, 28])?;
    let images = &Tensor::<u8>::full([2, 28, 28], 51);
    let x = images.to::<f32>() * (1.0 / 255.0);
    assert_eq!(model.predict_from_raw(images)?, model.predict(x)?);

    let (data, x) = (data()?, data()?.inputs().clone());
    let network = Sequential::new().add(Normalization::adapt(&x)?).add(Dense::new(2).activation(Activation::Softmax));
    let optimizer = Optimizer::from(Adam::default()).clip_norm(1.0).weight_decay(0.01);
    let mut trainer = Trainer::new(built(network, [1])?, CategoricalCrossentropy::default(), optimizer);
    let fit = Fit { epochs: 3, validation_split: 0.1, verbose: false, ..Fit::default() }
        .callback(EarlyStopping::new("val_loss").restore_best_weights(true))
        .callback(ReduceLrOnPlateau::new("val_loss").factor(0.5).patience(2))
        .callback(TerminateOnNaN);
    let f = |_: usize, rate: f64| rate / 2.0;
    let fit = fit.callback(LearningRateScheduler::new(f));
    let f = |run: &mut Run<'_>| {
        println!("{}", run.logs());
        Ok(())
    };
    let history = trainer.fit(&data, fit.callback(on_epoch_end(f)))?;
    // Written in `train/tests/suite/callbacks.rs` and `tensorboard.rs`, into folders for them.
    let _: Fit = Fit::default()
        .callback(CsvLogger::new("log.csv"))
        .callback(TensorBoard::new("logs").histogram_freq(1).update_freq(100));
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("coming_from_keras-logs");
    let path = folder.join("history.svg");
    let (step, loss, image) = (0, 0.5, Tensor::<f32>::zeros([28, 28]));
    let mut writer = SummaryWriter::new(folder)?;
    writer.scalar("loss", step, loss)?;
    writer.image("digit", step, &image)?;
    history.save_svg(path)?;

    let (mut a, b) = (
        built(Sequential::new().add(Dense::new(2)), [3])?,
        Model::build(Sequential::new().add(Dense::new(2)), [3], 2)?,
    );
    a.copy_weights_from(&b, &Matching::new())?;
    assert_eq!(a.params()[0].value, b.params()[0].value);
    let named = |name: &str, seed| Model::build(Sequential::new().add_named(name, Dense::new(2)), [3], seed);
    let (mut model, other) = (named("body", 1)?, named("trunk", 2)?);
    model.copy_weights_from(&other, &Matching::new().renamed("trunk", "body"))?;
    assert_eq!(model.params()[0].value, other.params()[0].value);
    assert_eq!(model.params().len(), 2);
    Ok(())
}

#[test]
fn arrays() {
    let x = Tensor::new([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]);
    assert_eq!(x.slice(1, (1, -1)), Tensor::new([[2.0, 3.0], [6.0, 7.0]]));
    assert_eq!(x.sum(keepdims(0)), Tensor::new([[6.0, 8.0, 10.0, 12.0]]));
}

#[test]
fn an_optimiser_that_makes_weights_zero() {
    let mut params = Params::new();
    params.add("w", Tensor::new([0.0, 0.0]));
    let mut optimizer = Ftrl::default().l1(0.5).learning_rate(0.1);
    optimizer.step(&mut params, &[Some(Tensor::new([0.25, 4.0]))].into_iter().collect());
    assert_eq!(params[0].value.get([0]), 0.0);
    assert!(params[0].value.get([1]) < 0.0);
}

#[test]
fn linear_algebra() -> Result<()> {
    let (a, b) = (Tensor::new([[4.0, 2.0], [2.0, 10.0]]), Tensor::new([[2.0], [1.0]]));
    let close = |found: &Tensor, expected: &Tensor| assert!(found.allclose(expected, 1e-5, 1e-5), "{found} {expected}");
    assert_eq!(Tensor::einsum("ij,jk->ik", &[&a, &b]), a.matmul(&b));
    assert_eq!(Var::einsum("ij,jk->ik", &[&Var::from(&a), &Var::from(&b)]).value(), &a.matmul(&b));
    close(&a.matmul(&a.solve(&b)?), &b);
    close(&a.inverse()?.matmul(&b), &a.solve(&b)?);
    close(&a.pinv(), &a.inverse()?);
    close(&a.lstsq(&b), &a.solve(&b)?);
    close(&a.determinant(), &Tensor::new(36.0));
    close(&a.slogdet().1, &a.determinant().ln());
    close(&a.cholesky()?, &Tensor::new([[2.0, 0.0], [1.0, 3.0]]));
    close(&a.tril(0).matmul(&a.solve_triangular(&b, true)?), &b);
    close(&a.triu(0).matmul(&a.solve_triangular(&b, false)?), &b);
    let (q, r) = a.qr();
    close(&q.matmul(&r), &a);
    let (u, s, vt) = a.svd();
    close(&(u * &s).matmul(&vt), &a);
    // The matrix is positive definite, so these are the same.
    let (w, v) = a.eigh();
    close(&w.flip(0), &s);
    close(&a.matmul(&v), &(v * w));
    Ok(())
}

#[test]
fn graphs_of_layers() -> Result<()> {
    let mut graph = Graph::builder();
    let x = graph.input();
    let conv = graph.add(Conv2D::new(1, 3).padding(Padding::Same), [x]);
    let y = graph.add(Add, [x, conv]);
    let network = graph.output(y);
    assert_eq!(built(network, [8, 8, 1])?.output_shape(), &[8, 8, 1]);

    let mut graph = Graph::builder();
    let (x, y) = (graph.input(), graph.input());
    let tower = LayerHandle::new(Dense::new(8));
    let x = graph.add(&tower, [x]);
    let y = graph.add(&tower, [y]);
    let mean = graph.add(Average, [x, y]);
    let model = built(graph.output(mean), [Input::from([3]), Input::from([3])])?;
    assert_eq!(model.params().len(), 2);
    Ok(())
}

/// A network of two named inputs and two named outputs.
fn tickets() -> Result<Model> {
    let seed = 42;
    let mut graph = Graph::builder();
    let title = graph.input_named("title");
    let price = graph.input_named("price");
    let words = graph.add_named("words", Embedding::new(100, 4), [title]);
    let words = graph.add(Flatten, [words]);
    let both = graph.add_named("both", Concatenate::new(), [words, price]);
    let a = graph.add_named("a", Dense::new(1), [both]);
    let b = graph.add_named("b", Dense::new(2).activation(Activation::Softmax), [both]);
    let network = graph.outputs([a, b]);
    Ok(Model::build(network, [Input::named("title", [20]), Input::named("price", [1])], seed)?)
}

#[test]
fn several_inputs_and_outputs() -> Result<()> {
    let model = tickets()?;
    let (ids, prices) = (Generator::new(1).integers([30, 20], 0..100), Tensor::linspace(0.0, 1.0, 30).reshape([30, 1]));
    let inputs = Columns::new().with("title", ids.clone()).with("price", prices.clone());
    assert_eq!(model.predict_all(inputs)?.len(), 2);

    let targets = Columns::new().with("a", &prices).with("b", Generator::new(2).integers([30], 0..2));
    let data = Dataset::new(Columns::new().with("title", ids).with("price", prices), targets)?;
    let losses =
        Losses::new().add("a", MeanSquaredError).add("b", SparseCategoricalCrossentropy::default()).weighted(0.2);
    let mut trainer = Trainer::new(model, losses, Adam::default()).metric_for("b", Accuracy::default());
    let history = trainer.fit(&data, Fit { epochs: 2, validation_split: 0.2, verbose: false, ..Fit::default() })?;
    let accuracy = history.get("val_b_accuracy");
    assert_eq!(accuracy.len(), 2);
    let mut names: Vec<&str> = history.logs[0].iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    // The names of Keras 3.15.1's `history.history` for the same network, losses and metric.
    let expected = ["a_loss", "b_accuracy", "b_loss", "loss", "val_a_loss", "val_b_accuracy", "val_b_loss", "val_loss"];
    assert_eq!(names, expected);
    // The total is the weighted sum of the outputs' losses.
    let logs = trainer.evaluate(&data)?;
    assert!((logs["loss"] - (logs["a_loss"] + 0.2 * logs["b_loss"])).abs() < 1e-5);
    Ok(())
}

#[test]
fn models_within_models_and_parts_of_them() -> Result<()> {
    let encoder = Sequential::new().add(Dense::new(4)).add_named("code", Dense::new(2));
    let decoder = Sequential::new().add(Dense::new(4)).add(Dense::new(6));
    let of_codes = Sequential::new().add_named("decoder", decoder.clone());
    let mut graph = Graph::builder();
    let x = graph.input();
    let code = graph.add_named("encoder", encoder.clone(), [x]);
    let y = graph.add_named("decoder", decoder, [code]);
    let mut model = built(graph.output(y), [6])?;

    let x = Tensor::<f32>::ones([3, 6]);
    let codes = model.up_to("encoder/code")?.predict(&x)?;
    assert_eq!(codes.shape(), &[3, 2]);
    let features = model.up_to_all(["encoder/0", "encoder"])?;
    assert_eq!(features.predict_all(&x)?[1], codes);

    // y = decoder(encoder(x)) with weights trained apart: each part takes over its own, and the decoder alone too.
    let autoencoder = model.clone();
    let mut generator = built(of_codes, [2])?;
    generator.params_mut().iter_mut().for_each(|param| param.value = Tensor::zeros(param.value.shape()));
    generator.copy_weights_from(&autoencoder, &Matching::new().under("decoder"))?;
    assert_eq!(generator.predict(&codes)?, autoencoder.predict(&x)?);
    let mut together = Model::build(autoencoder.network().clone(), [6], 9)?;
    let encoder = Model::build(encoder, [6], 7)?;
    together.copy_weights_from(&encoder, &Matching::new().renamed("", "encoder").under("encoder"))?;
    together.copy_weights_from(&generator, &Matching::new().under("decoder"))?;
    assert_eq!(together.predict(&x)?, generator.predict(encoder.predict(&x)?)?);

    model.freeze("encoder")?;
    assert!(model.params().get("encoder/0/kernel").is_some_and(|kernel| kernel.frozen));
    Ok(())
}

#[test]
fn texts_and_sequences() -> Result<()> {
    let texts = ["to be or not to be", "that is the question"];
    let words = TextVectorization::new().max_tokens(20_000).adapt(texts)?;
    let ids = texts.iter().map(|text| words.ids_of(text)).collect::<Result<Vec<_>, _>>()?;
    let padded = pad_sequences(&ids)?;
    assert_eq!((padded.shape(), padded.get([1, 0])), (&Shape::from([2, 6]), 0));
    let (n, lengths) = (ids.len(), [6, 4]);
    let sample = move |i: usize| Ok((Tensor::from(&ids[i][..]), Tensor::scalar(i as i64)));
    let data = IndexedDataset::from_sequences(n, PadSequences::post(), None, sample)?.bucketed(lengths)?;
    assert_eq!(data.read(&[1])?.inputs.shape(), &[1, 4]);
    Ok(())
}

#[test]
fn recurrences_and_masks() -> Result<()> {
    let network = Sequential::new()
        .add(Embedding::new(100, 8).mask_zero(true))
        .add(Bidirectional::new(LSTM::new(64).return_sequences(true)))
        .add(GRU::new(32));
    let model = built(network, [None])?;
    let ids = Tensor::from([[3, 7, 0, 0], [1, 2, 3, 4]]);
    let outputs = model.predict(&ids)?;
    // Padding changes nothing.
    assert!(outputs.slice(0, ..1).allclose(&model.predict(ids.slice(0, ..1).slice(1, ..2))?, 1e-5, 1e-6));

    let model = built(Sequential::new().add(Masking::new(0.0)).add(GlobalAveragePooling1D::new()), [None, Some(2)])?;
    assert_eq!(model.predict(Tensor::new([[[1.0, 2.0], [0.0, 0.0]]]))?, Tensor::new([[1.0, 2.0]]));

    let model = built(Sequential::new().add(LSTM::new(3).return_sequences(true)), [None, Some(2)])?;
    let steps = Generator::new(0).normal([1, 4, 2], 0.0, 1.0);
    let mut states = SequenceStates::new();
    let mut parts = Vec::new();
    for x in [steps.slice(1, ..1), steps.slice(1, 1..)] {
        parts.push(model.predict_next(x, &mut states)?);
    }
    assert!(Tensor::concat(&parts, 1).allclose(&model.predict(&steps)?, 1e-5, 1e-6));
    Ok(())
}

#[test]
fn attention_and_generation() -> Result<()> {
    let mut graph = Graph::builder();
    let (x, target) = (graph.input_named("x"), graph.input_named("target"));
    let attended = graph.add(MultiHeadAttention::new(4, 8).use_causal_mask(true), [x]);
    let encoded = graph.add(TransformerEncoder::new(64, 4), [attended]);
    let decoded = graph.add(TransformerDecoder::new(64, 4), [target, encoded]);
    let model = built(graph.output(decoded), [Input::named("x", [None, Some(16)]), Input::named("target", [5, 16])])?;
    let [x, target] = [7, 5].map(|length| Generator::new(length).normal([2, length as usize, 16], 0.0, 1.0));
    let columns = Columns::new().with("x", x).with("target", target);
    assert_eq!(model.predict(columns)?.shape(), &[2, 5, 16]);

    let table = LayerHandle::new(ReversibleEmbedding::new(100, 8));
    let tied = built(Sequential::new().add(&table).add(Dense::new(8)).add(&table), [5])?;
    assert_eq!(tied.predict(Tensor::<i64>::zeros([2, 5]))?.shape(), &[2, 5, 100]);
    assert_eq!(tied.params().iter().map(|param| param.value.size()).sum::<usize>(), 800 + 72);

    // The logits of what follows 0, 1, 2 or 3: the next number, and 3 is the end.
    let follows = Tensor::new([[0.0, 9.0, 0.0, 0.0], [0.0, 0.0, 9.0, 0.0], [0.0, 0.0, 0.0, 9.0], [0.0, 0.0, 0.0, 9.0]]);
    let last = |ids: &[i64]| ids[ids.len() - 1] as isize;
    let sampler = Sampler::random().top_p(0.9).temperature(0.7);
    let ids = sampler.generate(&[0], 20, Some(3), &mut Generator::new(0), |ids| Ok(follows.select(0, last(ids))))?;
    assert_eq!(ids, [0, 1, 2, 3]);
    let end = 3;
    let rows = |beams: &[Vec<i64>]| beams.iter().map(|ids| follows.select(0, last(ids))).collect::<Vec<Tensor>>();
    let found = BeamSearch::new(4, end, 20).search(&[0], |beams| Ok(Tensor::stack(&rows(beams), 0)))?;
    assert_eq!(found[0].ids, [0, 1, 2, 3]);
    Ok(())
}

#[test]
fn what_layers_compute() -> Result<()> {
    use gradus::explain::{Target, attention_maps, grad_cam};
    let network = Sequential::new()
        .add_named("conv", Conv2D::new(4, 3))
        .add(Flatten)
        .add(Dense::new(3).activation(Activation::Softmax));
    let model = built(network, [6, 6, 1])?;
    let x = Tensor::<f32>::ones([2, 6, 6, 1]);
    let score = |outputs: &[Var]| outputs[0].select(1, 2).sum(..);
    let (outputs, seen) = model.observer().of(["conv"]).differentiate(&x, score)?;
    assert_eq!((outputs[0].shape(), seen["conv"].value.shape()), (&[2, 3].into(), &[2, 4, 4, 4].into()));
    assert!(seen["conv"].gradient.is_some());
    let seen = grad_cam(&model, "conv", &x, &Target::predicted())?;
    assert_eq!(seen.maps.shape(), &[2, 6, 6]);

    let model = built(Sequential::new().add(TransformerEncoder::new(16, 2)), [5, 8])?;
    let x = Tensor::<f32>::ones([1, 5, 8]);
    let maps = attention_maps(&model, &x)?;
    assert_eq!(maps[0].weights.shape(), &[1, 2, 5, 5]);
    Ok(())
}

#[test]
fn strings_of_labels() -> Result<()> {
    let model = built(Sequential::new().add(Dense::new(4)), [None, Some(4)])?;
    let mut trainer = Trainer::new(model, Ctc::default(), Adam::default().learning_rate(0.1));
    // Of each frame the class of the number that is 1, the string "1 2".
    let frames = Tensor::<f32>::eye(4).take_rows(&[0, 1, 1, 0, 2, 2]).unsqueeze(0);
    let data = Dataset::new(frames.clone(), Tensor::from([[1, 2]]))?;
    trainer.fit(&data, Fit { epochs: 30, verbose: false, ..Fit::default() })?;
    let logits = trainer.predict(&frames)?;
    let found = logits.ctc_beam_search_decode(None, 0, 100, 1);
    assert_eq!(found[0][0].labels, [1, 2]);
    Ok(())
}

#[test]
#[cfg(feature = "audio")]
fn spectra() -> Result<()> {
    use gradus::datasets::audio;
    let sound = Generator::new(0).normal::<f32>([16_000], 0.0, 0.1);
    let mfcc = audio::Mfcc::new(audio::MelSpectrogram::librosa(16_000, 512, 160, 40)?, 13)?;
    assert_eq!(mfcc.transform(&sound)?.shape(), &[101, 13]);
    let mel = audio::MelSpectrogram::torchaudio(16_000, 512, 160, 40)?;
    assert_eq!(mel.transform(&sound)?.shape(), &[101, 40]);
    Ok(())
}

#[test]
fn data_larger_than_memory() -> Result<()> {
    type Read<T> = Result<T, gradus::datasets::DatasetError>;
    fn sample(i: usize) -> Read<(Tensor, Tensor)> {
        Ok((Tensor::new([i as f32 / 1000.0]), Tensor::new([f32::from(i >= 500)])))
    }
    let f = |batch: Dataset| Ok(batch.map_inputs(|x| x * 2.0 - 1.0));
    let data = IndexedDataset::from_fn(1000, sample)?;
    let data = data.map(f);
    let fit = |data: &dyn DataSource| -> Result<Fit> {
        let quiet = Fit { epochs: 2, verbose: false, ..Fit::default() };
        Ok(Fit { class_weights: Some(balanced_class_weights(data, 2)?), ..quiet })
    };
    let balanced: Fit = Fit { class_weights: Some(balanced_class_weights(&data, 2)?), ..Fit::default() };
    assert_eq!(balanced.class_weights, Some(vec![1.0; 2]));
    let model = built(Sequential::new().add(Dense::new(1).activation(Activation::Sigmoid)), [1])?;
    let mut trainer = Trainer::new(model, BinaryCrossentropy::default(), Adam::default().learning_rate(0.1));
    let history = trainer.fit(&data, fit(&data)?)?;
    assert!(history.get("loss")[1] < history.get("loss")[0]);
    let outputs = trainer.predict_batches(&data, 256)?.collect::<Result<Vec<Tensor>, _>>()?;
    assert_eq!(outputs.iter().map(Tensor::size).sum::<usize>(), 1000);

    let rows = || Ok((0..1000).map(sample));
    let (data, n) = (StreamDataset::new(rows).shuffle_buffer(10_000), 100);
    let (validation, data) = (data.take(n), data.skip(n));
    trainer.fit_validated(&data, &validation, fit(&data)?)?;
    assert_eq!((data.sample_count(), validation.sample_count()), (Some(900), Some(100)));
    // Of a file that only the reader has.
    let _table = || -> Result<StreamDataset<f32, i64>> { Ok(Csv::open("rows.csv")?.classification_stream()?) };
    Ok(())
}

#[test]
fn tables() -> Result<()> {
    let path = std::env::temp_dir().join(format!("gradus_keras_table_{}.csv", std::process::id()));
    std::fs::write(
        &path,
        "age,city,joined,churned\n31,Rome,2024-01-05,no\n,Paris,2024-02-01,yes\n45,,2023-06-30,no\n",
    )?;
    let table = Csv::open(&path)?.table()?;
    std::fs::remove_file(&path)?;
    let (train, test) = (table.slice(..2), table.slice(2..));
    let space = FeatureSpace::new()
        .feature("age", Number::standard().impute(Impute::Median))
        .feature("city", Category::one_hot())
        .feature("joined", Date::new())
        .target("churned", Target::binary());
    let preparation = space.adapt(&train)?;
    assert_eq!(preparation.dataset(&test)?.inputs()[0].shape(), &[1, 8]);

    let cities = StringLookup::new().adapt(["Rome", "Paris", "Rome"])?;
    assert_eq!(cities.ids(["Paris"])?.to_vec(), [2]);
    let codes = IntegerLookup::new().adapt([404, 200, 200])?;
    assert_eq!(codes.ids([200])?.to_vec(), [1]);
    assert!(Hashing::new(100).ids(["Paris"]).iter().all(|id| id < 100));
    assert_eq!(Discretization::at([18.0, 65.0])?.ids([40.0])?.to_vec(), [1]);
    let model = built(Sequential::new().add(CategoryEncoding::new(4).output_mode(CategoryMode::Count)), [3])?;
    assert_eq!(model.predict(Tensor::from([[0_i64, 2, 2]]))?.to_vec(), [1.0, 0.0, 2.0, 0.0]);
    let series = Tensor::arange(0.0, 100.0, 1.0);
    assert_eq!(TimeSeries::new(24).forecast(&series, 1)?.len(), 76);
    let data = iris::load()?;
    let (train, test) = data.stratified_split(0.2, 42)?;
    assert_eq!((train.len(), test.len(), data.k_folds(5, 42)?.len()), (120, 30, 5));
    let model = Model::build(Sequential::new().add(Dense::new(1)), [preparation.width()], 42)?;
    let model = model.with_preparation(Preparation::NAME, &preparation)?;
    assert_eq!(model.preparation::<Preparation>(Preparation::NAME)?, preparation);
    Ok(())
}

#[test]
fn epochs_steps_and_constraints() -> Result<()> {
    let data = data()?;
    let trained = |optimizer: Optimizer<Adam>, fit: Fit| -> Result<(Trainer<_, _>, History)> {
        let model = built(Sequential::new().add(Dense::new(2).activation(Activation::Softmax)), [1])?;
        let mut trainer = Trainer::new(model, CategoricalCrossentropy::default(), optimizer);
        let history = trainer.fit_validated(&data, &data, Fit { verbose: false, ..fit })?;
        Ok((trainer, history))
    };
    // 40 samples are 2 batches of 32 and fewer.
    let fit = Fit { initial_epoch: 5, epochs: 9, steps_per_epoch: Some(100), ..Fit::default() };
    let (trainer, history) = trained(Adam::default().gradient_accumulation_steps(4), fit)?;
    assert_eq!((history.epochs, trainer.optimizer().steps()), (vec![5, 6, 7, 8], 100));
    let fit = Fit { validation_freq: 2, validation_steps: Some(10), ..Fit::default() };
    let (_, history) = trained(Adam::default().use_ema(0.99).ema_overwrite_frequency(100), Fit { epochs: 5, ..fit })?;
    assert_eq!((history.get("loss").len(), history.get("val_loss").len()), (5, 2));

    let f = |run: &mut Run<'_>| {
        assert_eq!((run.epochs, run.batches), (1, Some(2)));
        Ok(())
    };
    trained(
        Adam::default().into(),
        Fit::default().callback(on_begin(f)).callback(on_batch_begin(f)).callback(on_end(f)),
    )?;

    let network = Sequential::new()
        .add(Resizing::new(32, 32).pad_to_aspect_ratio(true).fill_value(1.0))
        .add(Conv2D::new(8, 3).kernel_constraint(Constraint::unit_norm().axes([0, 1, 2])))
        .add(GlobalAveragePooling2D::new())
        .add(Dense::new(64).kernel_constraint(Constraint::max_norm(2.0)).bias_constraint(Constraint::non_neg()));
    let model = built(network, [20, 30, 3])?;
    assert_eq!(model.params().iter().filter(|param| param.constraint.is_some()).count(), 3);
    let mut column = Tensor::new([[3.0], [4.0]]);
    Constraint::min_max_norm(0.5, 1.5).rate(0.9).apply(&mut column);
    assert!(column.allclose(&Tensor::new([[1.11], [1.48]]), 1e-6, 0.0)); // The norm 5 becomes 0.9 x 1.5 + 0.1 x 5.

    fn double(x: &Var) -> Var {
        x * 2.0
    }
    let model = built(Sequential::new().add(Lambda::new("double", double)), [3])?;
    assert_eq!(model.predict(Tensor::<f32>::ones([1, 3]))?, Tensor::full([1, 3], 2.0));
    Ok(())
}
