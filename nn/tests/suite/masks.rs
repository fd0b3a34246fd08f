//! Masks: which layers keep them, what losses count, and that padding changes nothing.

use gradus_autograd::Var;
use gradus_nn::losses::{Loss, MeanSquaredError, Objective, SparseCategoricalCrossentropy};
use gradus_nn::*;
use gradus_tensor::{Columns, Float, Generator, Tensor};
use serde::{Deserialize, Serialize};

/// `((7 i + 3 seed) mod 11 - 5) / 4` for the i-th element, as in `reference/masks.py`.
fn values(shape: &[usize], seed: usize) -> Tensor<f64> {
    let value = |i: usize| ((7 * i + 3 * seed) % 11) as f64 / 4.0 - 1.25;
    (0..shape.iter().product()).map(value).collect::<Tensor<f64>>().reshape(shape)
}

/// An embedding of 6 ids, of which 0 is padding, before these layers, with the weights of `reference/masks.py`.
fn embedded(layers: impl Layer) -> Model<f64> {
    let network = Sequential::new().add(Embedding::new(6, 2).mask_zero(true)).add(layers);
    let mut model = Model::build_as(network, [None], 0).unwrap();
    for (seed, param) in model.params_mut().iter_mut().enumerate() {
        param.value = values(param.value.shape(), seed + 1);
    }
    model
}

fn ids() -> Tensor<i64> {
    Tensor::from([[3, 1, 4, 0, 0], [2, 0, 1, 5, 0], [5, 5, 1, 2, 3]])
}

/// The numbers of a line of `reference/masks.txt`.
fn keras(name: &str) -> Vec<f64> {
    let text = include_str!("../reference/masks.txt");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("; ")).unwrap();
    line.split(' ').map(|number| number.parse().unwrap()).collect()
}

fn close(found: &[f64], expected: &[f64]) {
    let far = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-6;
    assert!(found.len() == expected.len() && !found.iter().zip(expected).any(far), "{found:?}, expected {expected:?}");
}

#[test]
fn losses_count_what_keras_counts() {
    let model = embedded(Dense::new(2).use_bias(false));
    let targets = values(&[3, 5, 2], 3);
    let weights = Tensor::new([0.5, 2.0, 1.0]).to::<f64>();
    for (name, weights) in [("mean squared error", None), ("mean squared error, weighted", Some(&weights))] {
        let found = model.evaluate(ids(), &targets, weights, &MeanSquaredError).unwrap();
        close(&[found.loss], &keras(name)[..1]);
        assert_eq!(found.parts[0].counted, 11);
        let pass = model.grad(ids(), &targets, weights, &MeanSquaredError, &mut Generator::new(0)).unwrap();
        assert_eq!((pass.loss, &pass.masks), (found.loss, &found.masks));
        assert_eq!(pass.masks, [Some(ids().not_equal(0))]);
    }
    let model = embedded(Dense::new(3).use_bias(false).activation(Activation::Softmax));
    let classes = Tensor::from([[0, 1, 2, 0, 0], [1, 0, 0, 2, 0], [2, 2, 1, 0, 1]]);
    let found = model.evaluate(ids(), classes, None, &SparseCategoricalCrossentropy::default()).unwrap();
    close(&[found.loss], &keras("classes")[..1]);
}

#[test]
fn pooling_and_masking_are_those_of_keras() {
    let mean = embedded(GlobalAveragePooling1D::new()).predict(ids()).unwrap();
    close(&mean.to_vec(), &keras("mean over time"));
    // By hand, of the sums 7, 3 and 5 of two channels each.
    let largest = embedded(GlobalMaxPooling1D::new()).predict(Tensor::from([[3, 1, 0], [0, 0, 0]])).unwrap();
    let table = values(&[6, 2], 1);
    let expected = Tensor::stack(&[table.select(0, 3).maximum(table.select(0, 1)), Tensor::zeros([2])], 0);
    assert_eq!(largest, expected);

    let mut x = values(&[3, 4, 2], 4);
    x = Tensor::from([[true, true, false, false], [true; 4], [true, false, true, true]]).unsqueeze(-1).where_(&x, 0.25);
    let model = Model::<f64>::build_as(Sequential::new().add(Masking::new(0.25)), [None, Some(2)], 0).unwrap();
    let found = model.evaluate(&x, &x, None, &MeanSquaredError).unwrap();
    let mask = found.masks[0].as_ref().unwrap();
    close(&[found.output().to_vec(), mask.to::<f64>().to_vec()].concat(), &keras("masking"));
    // A position is padding where all features are the value, not where one is.
    let x = Tensor::from([[[0.25, 1.0], [0.25, 0.25], [2.0, 0.25]]]);
    let found = model.predict(&x).unwrap();
    assert_eq!(found.to_vec(), [0.25, 1.0, 0.0, 0.0, 2.0, 0.25]);
}

#[test]
fn batch_normalization_is_that_of_keras() {
    let x = Tensor::from([[true, true, false, false], [true; 4], [true, false, true, true]]);
    let x = x.unsqueeze(-1).where_(values(&[3, 4, 2], 4), 0.25);
    let network = Sequential::new().add(Masking::new(0.25)).add(BatchNormalization::new().momentum(0.5).epsilon(0.01));
    let mut model = Model::<f64>::build_as(network, [None, Some(2)], 0).unwrap();
    for (name, numbers) in [("1/gamma", [1.5, -0.5]), ("1/beta", [0.25, 2.0])] {
        model.params_mut().get_mut(name).unwrap().value = Tensor::from(numbers);
    }
    let pass = model.grad(&x, &x, None, &MeanSquaredError, &mut Generator::new(0)).unwrap();
    let output = pass.outputs[0].to_vec();
    model.params_mut().update_states(pass.states);
    let moving = ["1/moving_mean", "1/moving_variance"].map(|name| model.params().get(name).unwrap().value.to_vec());
    close(&[output, moving.concat()].concat(), &keras("batch normalization"));

    // A batch of padding alone says nothing of mean and variance.
    let nothing = Tensor::<f64>::full([2, 3, 2], 0.25);
    let pass = model.grad(&nothing, &nothing, None, &MeanSquaredError, &mut Generator::new(0)).unwrap();
    assert!(pass.loss == 0.0 && pass.grads.iter().flatten().all(|grad| grad.iter().all(|g| g == 0.0)));
    model.params_mut().update_states(pass.states);
    let still = ["1/moving_mean", "1/moving_variance"].map(|name| model.params().get(name).unwrap().value.to_vec());
    assert_eq!(still, moving);
    // So do features that are not the last axis, but those along the positions are refused.
    let network = |axis| {
        Sequential::new()
            .add(Masking::new(0.25))
            .add(Reshape::new([4, 2, 1]))
            .add(BatchNormalization::new().momentum(0.5).axis(axis))
    };
    let mut other = Model::<f64>::build_as(network(2), [4, 2], 0).unwrap();
    let pass = other.grad(&x, x.unsqueeze(-1), None, &MeanSquaredError, &mut Generator::new(0)).unwrap();
    other.params_mut().update_states(pass.states);
    close(&other.params().get("2/moving_mean").unwrap().value.to_vec(), &keras("batch normalization")[24..26]);
    assert!(Model::<f64>::build_as(network(1), [4, 2], 0).is_err());
}

/// The ids with `further` positions of padding at the end.
fn padded(ids: &Tensor<i64>, further: usize) -> Tensor<i64> {
    Tensor::concat(&[ids.clone(), Tensor::zeros([ids.shape()[0], further])], 1)
}

#[test]
fn padding_changes_no_bit() {
    let block = || {
        Sequential::new()
            .add(LayerNormalization::new())
            .add(Dense::new(24).activation(Activation::Gelu))
            .add(Dropout::new(0.0))
            .add(Dense::new(16))
    };
    let embedding = || Sequential::new().add(Embedding::new(50, 16).mask_zero(true)).add(Residual::new(block()));
    let pooled = embedding().add(GlobalAveragePooling1D::new()).add(Dense::new(3));
    let largest = embedding().add(GlobalMaxPooling1D::new()).add(Dense::new(3));
    let each = embedding().add(Dense::new(3));
    let attended = embedding().add(TransformerEncoder::new(24, 4)).add(Dense::new(3));
    let recurrent = |sequences: bool| {
        let cells = Bidirectional::new(LSTM::new(8).return_sequences(true));
        embedding().add(cells).add(GRU::new(12).return_sequences(sequences)).add(Dense::new(3))
    };
    let convolved = |padding: Padding| {
        let convolution = Conv1D::new(12, [3]).padding(padding.clone()).activation(Activation::Relu);
        let light = SeparableConv1D::new(8, [5]).padding(padding.clone()).dilation_rate([2]).use_bias(false);
        let network = embedding().add(convolution).add(light).add(BatchNormalization::new());
        network.add(DepthwiseConv1D::new([2]).padding(padding)).add(Activation::Relu).add(Dense::new(3))
    };
    let loss = SparseCategoricalCrossentropy::default().from_logits(true);
    let networks = [
        (convolved(Padding::Same), true),
        (convolved(Padding::Causal), true),
        (pooled, false),
        (largest, false),
        (each, true),
        (attended, true),
        (recurrent(false), false),
        (recurrent(true), true),
    ];
    for (network, is_each) in networks {
        let model = Model::build(network, [None], 42).unwrap();
        for (samples, length) in [(1, 1), (1, 7), (2, 5), (3, 33), (32, 12)] {
            let mut generator = Generator::new(samples as u64);
            let words = generator.integers([samples, length], 0..50);
            let classes = |further| {
                let of = generator.clone().integers([samples, length], 0..3);
                if is_each { padded(&of, further) } else { of.select(1, 0) }
            };
            let pass = |further: usize| {
                let (words, classes) = (padded(&words, further), classes(further));
                let pass = model.grad(&words, &classes, None, &loss, &mut Generator::new(1)).unwrap();
                let evaluated = model.evaluate(&words, &classes, None, &loss).unwrap();
                // Batch normalisation predicts with other statistics.
                let has_states = model.params().iter().any(|param| param.name.ends_with("moving_mean"));
                assert!(has_states || evaluated.loss.to_bits() == pass.loss.to_bits());
                let grads: Vec<Tensor> = pass.grads.iter().flatten().cloned().collect();
                ([pass.loss.to_bits(), evaluated.loss.to_bits()], grads)
            };
            let expected = pass(0);
            for further in [1, 2, 7, 64, 301] {
                let found = pass(further);
                assert_eq!(found.0, expected.0, "{samples} samples of {length}, {further} more");
                for (found, expected) in found.1.iter().zip(&expected.1) {
                    assert!(found.allclose(expected, 1e-5, 1e-6));
                }
            }
        }
    }
}

#[test]
fn a_batch_of_padding_alone_has_a_loss_of_0() {
    let nothing = Tensor::<i64>::zeros([2, 3]);
    for network in [Sequential::new().add(Dense::new(2)), Sequential::new().add(LayerNormalization::new())] {
        let model = embedded(network);
        let pass =
            model.grad(&nothing, Tensor::<f64>::ones([2, 3, 2]), None, &MeanSquaredError, &mut Generator::new(0));
        let pass = pass.unwrap();
        assert_eq!((pass.loss, pass.parts[0].counted), (0.0, 0));
        assert!(pass.grads.iter().flatten().all(|grad| grad.iter().all(|g| g == 0.0)));
    }
    // A vector of each sequence is one of zeros, and its gradient finite.
    for network in [
        Sequential::new().add(GlobalAveragePooling1D::new()).add(Dense::new(2)),
        Sequential::new().add(GlobalMaxPooling1D::new()).add(Dense::new(2)),
    ] {
        let model = embedded(network);
        let targets = Tensor::<f64>::zeros([2, 2]);
        let pass = model.grad(&nothing, &targets, None, &MeanSquaredError, &mut Generator::new(0)).unwrap();
        assert!(pass.loss.is_finite() && pass.grads.iter().flatten().all(|grad| grad.iter().all(f64::is_finite)));
    }
}

/// What becomes of the mask of an input `[n, 6, 4]`: `"kept"`, `"ended"`, or `"refused"`.
fn fate(layer: &dyn Fn(Sequential) -> Sequential) -> &'static str {
    let network = layer(Sequential::new().add(Masking::default()));
    match Model::build(network, [6, 4], 0) {
        Ok(model) if model.outputs()[0].is_masked => "kept",
        Ok(_) => "ended",
        Err(error) => {
            assert!(error.to_string().contains("are padding, by a mask, and "), "{error}");
            "refused"
        }
    }
}

#[test]
fn each_layer_says_what_it_does_about_masks() {
    macro_rules! table {
        ($($fate:literal: $($layer:expr),+;)+) => {
            $($(assert_eq!(fate(&|network| network.add($layer)), $fate, stringify!($layer));)+)+
        };
    }
    table! {
        "kept":
            Activation::Relu, Activation::Softmax, BatchNormalization::new(), Conv1D::new(3, [2]).padding(Padding::Causal),
            Conv1D::new(3, [4]).padding(Padding::Explicit(vec![(2, 1)])), Dense::new(3),
            DepthwiseConv1D::new([2]).padding(Padding::Same), Dropout::new(0.5), ELU::default(), GaussianDropout::new(0.5),
            GaussianNoise::new(0.1), Identity, LayerNormalization::new(), LeakyReLU::default(), Masking::new(1.0), Normalization::new([0.5], [2.0]),
            PReLU::new(), Permute::new([1, 2]), RMSNormalization::new(), ReLU::new(), Rescaling::new(0.5), Reshape::new([6, 2, 2]),
            Residual::new(Dense::new(4)), ReversibleEmbedding::new(9, 4), SeparableConv1D::new(3, [3]).padding(Padding::Same),
            SinePositionEncoding::new(10_000.0), Softmax::new(), SpatialDropout1D::new(0.5), Sequential::new().add(Dense::new(3)),
            UnitNormalization::new();
        "ended":
            GlobalAveragePooling1D::new(), GlobalMaxPooling1D::new().keepdims(true);
        "refused":
            AveragePooling1D::new([2]), BatchNormalization::new().axis(1), Conv1D::new(3, [2]),
            Conv1D::new(3, [2]).padding(Padding::Same).strides([2]), Conv1D::new(3, [3]).padding(Padding::Explicit(vec![(1, 0)])), Conv1DTranspose::new(3, [2]),
            Cropping1D::new([(1, 1)]), DepthwiseConv1D::new([2]), Flatten, GroupNormalization::new().groups(2), InstanceNormalization::new(),
            LayerNormalization::new().axis(1), LayerNormalization::new().axes([1, 2]), MaxPooling1D::new([2]), Permute::new([2, 1]), RMSNormalization::new().axis(1),
            Residual::new(Softmax::new().axis(1)), Reshape::new([3, 8]), SeparableConv1D::new(3, [2]), Softmax::new().axis(1),
            UnitNormalization::new().axis(1), UpSampling1D::new([2]), ZeroPadding1D::new([(1, 1)]);
    }
}

#[test]
fn merged_values_are_there_where_all_are() {
    let mut graph = Graph::builder();
    let (words, tags, x) = (graph.input(), graph.input(), graph.input());
    let words = graph.add(Embedding::new(6, 2).mask_zero(true), [words]);
    let tags = graph.add(Embedding::new(4, 2).mask_zero(true), [tags]);
    let sum = graph.add(Add, [words, tags, x]);
    let both = graph.add(Concatenate::new(), [words, x]);
    let network = graph.outputs([("sum", sum), ("both", both), ("x", x)]);
    let model = Model::build(network, [Input::from([4]), Input::from([4]), Input::from([4, 2])], 0).unwrap();
    let masked: Vec<bool> = model.outputs().iter().map(|output| output.is_masked).collect();
    assert_eq!(masked, [true, true, false]);
    let inputs: Columns = [
        Tensor::from([[1, 0, 2, 0]]).into(),
        Tensor::from([[1, 1, 0, 0]]).into(),
        Tensor::<f32>::ones([1, 4, 2]).into(),
    ]
    .into_iter()
    .collect();
    let targets: Columns =
        [[1, 4, 2], [1, 4, 4], [1, 4, 2]].map(|shape| Tensor::<f32>::zeros(shape).into()).into_iter().collect();
    let found = model.evaluate(inputs, targets, None, &MeanSquaredError).unwrap();
    let there = |mask: [bool; 4]| Some(Tensor::from([mask]));
    assert_eq!(found.masks, [there([true, false, false, false]), there([true, false, true, false]), None]);
    // A value that has no position of its own for each of the mask's cannot be merged.
    let mut graph = Graph::builder();
    let (words, x) = (graph.input(), graph.input());
    let words = graph.add(Embedding::new(6, 2).mask_zero(true), [words]);
    let sum = graph.add(Add, [words, x]);
    let error = Model::build(graph.output(sum), [Input::from([4]), Input::from([1, 2])], 0).err().unwrap();
    assert!(error.to_string().starts_with("layer 1 (Add): "), "{error}");
}

/// A sum over positions that says nothing of masks.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Sum {
    claims: bool,
}

impl Layer for Sum {
    const KIND: &'static str = "Sum";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let features = build.features()?;
        let rule = if self.claims { MaskRule::Known } else { MaskRule::Unsaid };
        Ok(Built::new([features], |_, x| x.sum(1)).mask_rule(rule))
    }
}

#[test]
fn errors_say_what_to_do() {
    let network = Sequential::new().add(Embedding::new(6, 2).mask_zero(true)).add(Sum { claims: false });
    let error = Model::build(network, [5], 0).err().unwrap().to_string();
    assert_eq!(
        error,
        "layer 1 (Sum): some positions of its input are padding, by a mask, and the layer does not know masks; end the mask \
         before it by a layer that knows masks, such as GlobalAveragePooling1D, or make none; a layer of your own says by \
         Built::mask_rule what it does about masks"
    );
    let network = Sequential::new().add(Embedding::new(6, 2).mask_zero(true)).add(Conv1D::new(3, [3]));
    assert_eq!(
        Model::build(network, [5], 0).err().unwrap().to_string(),
        "layer 1 (Conv1D): some positions of its input are padding, by a mask, and its 3 outputs have other places than the 5 \
         inputs; take Padding::Same or Padding::Causal and a stride of 1, or end the mask before it by a layer that knows masks, \
         such as GlobalAveragePooling1D"
    );
    // One that claims to know them and does not is found by its test.
    check_layer(&Sum { claims: false }, [3, 2]).unwrap();
    let error = check_layer(&Sum { claims: true }, [3, 2]).unwrap_err().to_string();
    assert!(error.contains("the output depends on positions that are padding"), "{error}");

    let model = embedded(Dense::new(2));
    let error = model.evaluate(ids(), Tensor::<f64>::zeros([3, 2]), None, &MeanSquaredError).err().unwrap().to_string();
    assert!(error.contains("need a target for each position, [3, 5, ..], found [3, 2]"), "{error}");
    let weights = Some(Tensor::<f64>::ones([5]));
    let error = model.evaluate(ids(), Tensor::<f64>::zeros([3, 5, 2]), weights.as_ref(), &MeanSquaredError);
    assert!(error.err().unwrap().to_string().contains("sample weights must have the shape [3], found [5]"));

    let error = Model::build(Sequential::new().add(Masking::default()), [4], 0).err().unwrap().to_string();
    assert!(error.starts_with("layer 0 (Masking): takes sequences of vectors, [n, length, features]"), "{error}");
    let pictures = Sequential::new().add(Embedding::new(6, 2).mask_zero(true));
    let error = Model::build(pictures, [4, 4], 0).err().unwrap().to_string();
    assert!(error.starts_with("layer 0 (Embedding): mask_zero takes ids of shape [n, length]"), "{error}");

    let model = Model::build(Sequential::new().add(Dense::new(2)), [5, 2], 0).unwrap();
    let error = model.with_preprocessing(Sequential::new().add(Masking::default()), [5, 2]).err().unwrap().to_string();
    assert!(error.contains("has a mask, which the model would not see"), "{error}");
}

/// A loss of whole sequences: the distance of the mean of what is there from one target.
#[derive(Clone, Debug)]
struct OfMean;

impl Loss for OfMean {
    fn name(&self) -> &'static str {
        "of_mean"
    }

    fn per_sample<T: Float>(&self, targets: &Tensor<T>, outputs: &Var<T>) -> Result<Var<T>> {
        Ok((outputs.mean(1) - targets).square().sum(-1))
    }

    fn masked_mean<T: Float>(
        &self,
        targets: &Tensor<T>,
        outputs: &Var<T>,
        mask: &Tensor<bool>,
        _weights: Option<&Tensor<T>>,
    ) -> Result<(Var<T>, usize)> {
        let mask = mask.to::<T>().unsqueeze(-1);
        let means = (outputs * &mask).sum(1) / &mask.sum(1);
        Ok(((means - targets).square().sum(-1).mean(..), targets.shape()[0]))
    }
}

#[test]
fn a_loss_of_whole_sequences_reads_the_mask() {
    let model = embedded(Rescaling::new(1.0));
    let targets = embedded(GlobalAveragePooling1D::new()).predict(ids()).unwrap();
    let found = model.evaluate(ids(), &targets, None, &OfMean).unwrap();
    assert!(found.loss < 1e-30 && found.parts[0].counted == 3);
    assert_eq!(Objective::<f64>::name_of(&OfMean, "0").unwrap(), "of_mean");
}
