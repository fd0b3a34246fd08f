//! Every layer as a whole, and networks of them as JSON.

use std::collections::BTreeSet;

use gradus_nn::*;
use gradus_tensor::{Float, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Checks each layer in each form that computes differently, and collects them in one network.
fn check_all() -> Sequential {
    let mut network = Sequential::new();
    let mut check = |layer: &dyn Fn(Sequential) -> Result<Sequential>| network = layer(network.clone()).unwrap();
    macro_rules! row {
        ($layer:expr, $shape:expr) => {
            row!($layer, LayerCheck::new($shape) =>)
        };
        ($layer:expr, $options:expr =>) => {
            check(&|network| {
                $options.check(&$layer)?;
                Ok(network.add($layer))
            })
        };
    }
    row!(Activation::Mish, [2, 3]);
    row!(Activation::LogSoftmax, [2, 3]);
    row!(Activation::Squareplus { b: 4.0 }, [3]);
    row!(AdaptiveAveragePooling1D::new([3]), [5, 2]);
    row!(AdaptiveAveragePooling2D::new([2, 5]), [5, 3, 2]);
    row!(AdaptiveAveragePooling3D::new([1, 2, 2]), [2, 3, 2, 2]);
    row!(AdaptiveMaxPooling1D::new([2]), [5, 2]);
    row!(AdaptiveMaxPooling2D::new([3, 2]), [5, 3, 2]);
    row!(AdaptiveMaxPooling3D::new([1, 2, 2]), [2, 3, 2, 1]);
    row!(Add, LayerCheck::new([2, 3]).input([2, 3]) =>);
    row!(Add, LayerCheck::new([2, 1]).input([2, 3]).input([1, 3]) =>);
    row!(Average, LayerCheck::new([3]).input([3]).input([1]) =>);
    row!(AveragePooling1D::new([2]), [5, 2]);
    row!(AveragePooling2D::new([3, 2]).strides([2, 1]).padding(Padding::Same), [4, 3, 2]);
    row!(AveragePooling3D::new([2, 1, 2]), [3, 2, 2, 1]);
    row!(BatchNormalization::new(), [3]);
    row!(BatchNormalization::new().center(false).scale(false).momentum(0.5).epsilon(0.1), [2, 1, 3]);
    row!(BatchNormalization::new().axis(1), [3, 2, 2]);
    row!(BatchNormalization::new().axis(-2).scale(false), [2, 3]);
    row!(Bidirectional::new(LSTM::new(2)), [3, 2]);
    row!(Bidirectional::new(GRU::new(2).return_sequences(true).return_state(true)).merge_mode(MergeMode::Mul), [3, 2]);
    row!(Bidirectional::new(SimpleRNN::new(2)).backward_layer(LSTM::new(2)).merge_mode(MergeMode::None), [3, 2]);
    row!(Concatenate::new(), LayerCheck::new([2, 3]).input([2, 1]).input([2, 2]) =>);
    row!(Concatenate::new().axis(1), LayerCheck::new([1, 3]).input([2, 3]) =>);
    row!(Conv1D::new(3, [2]), [4, 2]);
    row!(Conv1D::new(2, [3]).padding(Padding::Causal).dilation_rate([2]).activation(Activation::Tanh), [5, 2]);
    row!(Conv2D::new(3, [3, 2]), [4, 3, 2]);
    row!(Conv2D::new(4, [2, 3]).strides([2, 1]).padding(Padding::Same).groups(2).use_bias(false), [3, 4, 2]);
    row!(
        Conv2D::new(2, [2, 2])
            .padding(Padding::Explicit(vec![(0, 2), (1, 0)]))
            .kernel_initializer(Initializer::HeNormal)
            .kernel_regularizer(Regularizer::L2(0.1))
            .bias_regularizer(Regularizer::L1(0.1)),
        [3, 2, 1]
    );
    row!(Conv2D::new(2, [2, 2]).activation(Activation::Relu), [3, 2, 1]);
    row!(Conv3D::new(2, [2, 1, 2]).strides([1, 2, 1]), [2, 3, 3, 2]);
    row!(Conv1DTranspose::new(2, [3]).strides([2]), [3, 2]);
    row!(Conv1DTranspose::new(2, [2]).strides([3]).use_bias(false).activation(Activation::Tanh), [2, 1]);
    row!(
        Conv2DTranspose::new(1, [3, 2]).strides([2, 3]).padding(Padding::Same).kernel_regularizer(Regularizer::L2(0.1)),
        [2, 2, 2]
    );
    row!(
        Conv2DTranspose::new(2, [3, 3])
            .strides([2, 2])
            .padding(Padding::Explicit(vec![(1, 0), (1, 1)]))
            .output_padding([1, 0]),
        [2, 3, 1]
    );
    row!(Conv3DTranspose::new(1, [2, 1, 2]).dilation_rate([1, 1, 2]), [2, 2, 1, 2]);
    row!(CenterCrop::new(2, 1), [3, 3, 2]);
    row!(CenterCrop::new(4, 2), [3, 3, 1]);
    row!(Cropping1D::new([(1, 2)]), [5, 2]);
    row!(Cropping2D::new([(1, 0), (0, 2)]), [3, 4, 2]);
    row!(Cropping3D::new([(0, 1), (0, 0), (1, 1)]), [3, 2, 3, 2]);
    row!(Dense::new(3), [2]);
    row!(Dense::new(3).use_bias(false).activation(Activation::Tanh), [4, 2]);
    row!(
        Dense::new(2)
            .kernel_initializer(Initializer::Orthogonal { gain: 0.5 })
            .bias_initializer(Initializer::Constant(0.1))
            .kernel_regularizer(Regularizer::L1L2 { l1: 0.1, l2: 0.2 })
            .bias_regularizer(Regularizer::L1(0.3)),
        [3]
    );
    row!(DepthwiseConv1D::new([2]).dilation_rate([2]).activation(Activation::Relu), [4, 3]);
    row!(DepthwiseConv2D::new([3, 2]).strides([2, 1]).padding(Padding::Same).depth_multiplier(2), [3, 3, 2]);
    row!(DepthwiseConv2D::new([2, 2]).use_bias(false).depthwise_regularizer(Regularizer::L1(0.1)), [2, 3, 1]);
    row!(Dropout::new(0.4), [2, 5]);
    row!(Dropout::new(0.0), [2]);
    row!(ELU::default(), [4]);
    row!(CategoryEncoding::new(7), LayerCheck::new([4]) =>);
    row!(CategoryEncoding::new(7).output_mode(CategoryMode::Count), LayerCheck::new([4]) =>);
    row!(CategoryEncoding::new(7).output_mode(CategoryMode::OneHot), LayerCheck::new([2, 2]) =>);
    row!(CategoryEncoding::new(7).output_mode(CategoryMode::OneHot), LayerCheck::new([3, 1]) =>);
    row!(CategoryEncoding::new(7), LayerCheck::new([]) =>);
    row!(Embedding::new(7, 3), LayerCheck::new([4]) =>);
    row!(Embedding::new(7, 3), LayerCheck::new([2, 2]) =>);
    row!(Embedding::new(7, 3).mask_zero(true), LayerCheck::new([4]) =>);
    row!(Flatten, [2, 3, 2]);
    row!(GaussianDropout::new(0.3), [4]);
    row!(GaussianNoise::new(0.1), [2, 3]);
    row!(GlobalAveragePooling1D::new(), [4, 3]);
    row!(GlobalAveragePooling2D::new().keepdims(true), [3, 2, 3]);
    row!(GlobalAveragePooling3D::new(), [2, 3, 2, 3]);
    row!(GlobalMaxPooling1D::new().keepdims(true), [4, 3]);
    row!(GlobalMaxPooling1D::new(), [4, 3]);
    row!(GlobalAveragePooling1D::new().keepdims(true), [4, 3]);
    row!(GlobalMaxPooling2D::new(), [3, 2, 3]);
    row!(GlobalMaxPooling3D::new().keepdims(true), [2, 2, 3, 2]);
    row!(Identity, [3, 2]);
    row!(branching(), [2]);
    row!(GRU::new(3), [4, 2]);
    row!(GRU::new(2).return_sequences(true).return_state(true), LayerCheck::new([3, 2]).input([2]) =>);
    row!(GRU::new(2).reset_after(false).dropout(0.3).recurrent_dropout(0.4).use_bias(false), [3, 2]);
    row!(GroupNormalization::new().groups(2), [3, 4]);
    row!(GroupNormalization::new().groups(-1).center(false), [2, 3, 2]);
    row!(GroupNormalization::new().groups(2).axis(1).scale(false).epsilon(0.1), [4, 3]);
    row!(InstanceNormalization::new(), [3, 2]);
    row!(InstanceNormalization::new().center(false).scale(false).epsilon(0.1), [2, 3, 2]);
    row!(LayerNormalization::new(), [3]);
    row!(LayerNormalization::new().center(false).scale(false).epsilon(0.1), [2, 3]);
    row!(LayerNormalization::new().axis(1), [3, 2, 2]);
    row!(LayerNormalization::new().axes([-1, 1]), [2, 3, 2]);
    row!(LeakyReLU::default(), [4]);
    row!(Masking::default(), [3, 2]);
    row!(GroupedQueryAttention::new(2, 4, 2).use_causal_mask(true).dropout(0.3), [5, 3]);
    row!(
        GroupedQueryAttention::new(2, 2, 1).rope_max_wavelength(100.0).use_bias(false),
        LayerCheck::new([3, 4]).input([4, 2]) =>
    );
    row!(MultiHeadAttention::new(2, 3), [5, 4]);
    row!(MultiHeadAttention::new(2, 2).use_causal_mask(true).dropout(0.2).rope_max_wavelength(50.0), [4, 3]);
    row!(MultiHeadAttention::new(1, 3).value_dim(2).output_shape(5), LayerCheck::new([3, 4]).input([2, 3]) =>);
    row!(MultiHeadAttention::new(2, 2), LayerCheck::new([3, 4]).input([3, 3]).input([3, 2]) =>);
    row!(PositionEmbedding::new(6), [5, 3]);
    row!(ReversibleEmbedding::new(7, 3).mask_zero(true), LayerCheck::new([4]) =>);
    let both_ways = LayerHandle::new(ReversibleEmbedding::new(7, 3));
    row!(Sequential::new().add(&both_ways).add(Dense::new(3)).add(&both_ways), LayerCheck::new([4]) =>);
    row!(Resizing::new(4, 2), [3, 3, 2]);
    row!(Resizing::new(2, 5).interpolation(Interpolation::Nearest).crop_to_aspect_ratio(true), [3, 4, 1]);
    row!(Resizing::new(3, 3).pad_to_aspect_ratio(true).fill_value(0.5), [2, 5, 2]);
    row!(UnitNormalization::new(), [3, 2]);
    row!(UnitNormalization::new().axis(1), [3, 2]);
    row!(RotaryEmbedding::new(100.0), [4, 6]);
    row!(RotaryEmbedding::default().scaling_factor(2.0), [3, 2, 4]);
    row!(SinePositionEncoding::default(), [4, 5]);
    row!(TokenAndPositionEmbedding::new(7, 6, 3), [5]);
    row!(TokenAndPositionEmbedding::new(7, 6, 3).mask_zero(true), [6]);
    row!(TransformerDecoder::new(5, 2).activation(Activation::Gelu).normalize_first(true), [4, 4]);
    row!(TransformerDecoder::new(5, 2).dropout(0.2), LayerCheck::new([4, 4]).input([4, 4]) =>);
    row!(TransformerEncoder::new(5, 2).activation(Activation::Tanh), [4, 4]);
    row!(TransformerEncoder::new(3, 1).dropout(0.3).normalize_first(true), [3, 2]);
    row!(MaxPooling1D::new([2]).padding(Padding::Same), [5, 2]);
    row!(MaxPooling2D::new([2, 2]), [5, 4, 2]);
    row!(MaxPooling2D::new([3, 3]).strides([2, 2]).padding(Padding::Explicit(vec![(1, 1), (0, 2)])), [4, 4, 1]);
    row!(MaxPooling3D::new([2, 2, 1]).strides([1, 1, 1]), [3, 2, 2, 1]);
    row!(LSTM::new(3), [4, 2]);
    row!(LSTM::new(2).return_sequences(true).return_state(true), LayerCheck::new([3, 2]).input([2]).input([2]) =>);
    row!(LSTM::new(2).return_sequences(true).go_backwards(true).recurrent_activation(Activation::HardSigmoid), [3, 2]);
    row!(LSTM::new(2).dropout(0.3).recurrent_dropout(0.4).zero_output_for_mask(true).unit_forget_bias(false), [3, 2]);
    row!(Maximum, LayerCheck::new([2, 3]).input([2, 3]).input([2, 3]) =>);
    row!(Minimum, LayerCheck::new([2, 3]).input([1, 3]) =>);
    row!(Multiply, LayerCheck::new([2, 3]).input([2, 1]).input([2, 3]) =>);
    row!(Normalization::new([0.5, -1.0, 2.0], [4.0, 0.25, 1.0]), [2, 3]);
    row!(Normalization::new([0.5], [4.0]), [2, 3]);
    row!(PReLU::new().alpha_initializer(Initializer::Constant(0.25)), [2, 3]);
    row!(PReLU::new().shared_axes([1]).alpha_regularizer(Regularizer::L2(0.1)), [2, 3]);
    row!(Permute::new([2, 3, 1]), [2, 3, 4]);
    row!(RMSNormalization::new(), [2, 3]);
    row!(RMSNormalization::new().axes([1, 2]).epsilon(0.1), [3, 2, 2]);
    row!(RMSNormalization::new().axis(1), [3, 2]);
    row!(ReLU::new(), [4]);
    row!(ReLU::new().max_value(0.8).negative_slope(0.1).threshold(0.2), [9]);
    row!(ReflectionPadding1D::new([(2, 1)]), [3, 2]);
    row!(ReflectionPadding2D::new([(1, 0), (2, 2)]), [2, 3, 2]);
    row!(ReflectionPadding3D::new([(0, 1), (1, 1), (0, 0)]), [2, 3, 2, 2]);
    row!(RepeatVector::new(3), [2]);
    row!(ReplicationPadding1D::new([(2, 4)]), [3, 2]);
    row!(ReplicationPadding2D::new([(1, 0), (2, 2)]), [2, 1, 2]);
    row!(ReplicationPadding3D::new([(0, 1), (3, 1), (0, 0)]), [2, 2, 2, 2]);
    row!(Rescaling::new(0.5), [2, 2]);
    row!(Rescaling::new(1.0 / 127.5).offset(-1.0), [2, 2]);
    row!(Reshape::new([3, -1, 2]), [4, 3]);
    row!(Residual::new(Dense::new(3).activation(Activation::Tanh)), [2, 3]);
    row!(
        Residual::new(Sequential::new().add(Dense::new(2)).add(Dropout::new(0.5)))
            .shortcut(Dense::new(2).use_bias(false))
            .activation(Activation::Silu),
        [3]
    );
    row!(SeparableConv1D::new(3, [2]).padding(Padding::Causal), [4, 2]);
    row!(
        SeparableConv2D::new(2, [2, 3])
            .strides([1, 2])
            .padding(Padding::Same)
            .depth_multiplier(2)
            .activation(Activation::Relu)
            .depthwise_regularizer(Regularizer::L2(0.1))
            .pointwise_regularizer(Regularizer::L1(0.1)),
        [3, 4, 2]
    );
    row!(SimpleRNN::new(3), [4, 2]);
    row!(
        SimpleRNN::new(2)
            .return_sequences(true)
            .activation(Activation::Softsign)
            .kernel_regularizer(Regularizer::L2(0.1))
            .recurrent_regularizer(Regularizer::L1(0.1))
            .bias_regularizer(Regularizer::L2(0.2)),
        LayerCheck::new([3, 2]).input([2]) =>
    );
    row!(Softmax::new().axis(1), [2, 3]);
    row!(SpatialDropout1D::new(0.4), [3, 5]);
    row!(SpatialDropout2D::new(0.4), [2, 3, 4]);
    row!(SpatialDropout3D::new(0.4), [2, 1, 2, 4]);
    row!(Subtract, LayerCheck::new([2, 3]).input([2, 1]) =>);
    row!(TimeDistributed::new(Dense::new(3)), [4, 2]);
    row!(TimeDistributed::new(Sequential::new().add(Conv1D::new(2, [2])).add(Flatten)), [2, 3, 2]);
    row!(UpSampling1D::new([3]), [3, 2]);
    row!(UpSampling1D::new([2]).interpolation(Interpolation::Linear), [3, 2]);
    row!(UpSampling2D::new([2, 1]), [2, 3, 2]);
    row!(UpSampling2D::new([2, 3]).interpolation(Interpolation::Linear), [2, 3, 2]);
    row!(UpSampling3D::new([2, 1, 2]), [2, 2, 1, 2]);
    row!(ZeroPadding1D::new([(2, 1)]), [3, 2]);
    row!(ZeroPadding2D::new([(1, 0), (2, 2)]), [2, 3, 2]);
    row!(ZeroPadding3D::new([(0, 1), (1, 1), (0, 0)]), [2, 1, 2, 2]);
    row!(Sequential::new().add(Dense::new(3)).add(BatchNormalization::new()).add(Dropout::new(0.5)), [2]);
    network
}

/// A network of two branches; one takes the output of the other.
fn branching() -> Graph {
    let mut graph = Graph::builder();
    let x = graph.input();
    let left = graph.add_named("left", Dense::new(3).activation(Activation::Tanh), [x]);
    let right = graph.add_named("right", Dropout::new(0.5), [x]);
    let both = graph.add(Concatenate::new(), [right, left]);
    let gate = graph.add(Dense::new(3).activation(Activation::Sigmoid), [both]);
    let output = graph.add(Multiply, [left, gate]);
    graph.output(output)
}

#[test]
fn every_layer_is_sound() {
    let network = check_all();
    let json = network.to_json().unwrap();
    let copy = Sequential::from_json(&json).unwrap();
    assert_eq!(copy.to_json().unwrap(), json);
    assert_eq!(format!("{copy:?}"), format!("{network:?}"));
    // No layer of the crate may be missing from the table above: the list that exports a layer makes it a kind, too.
    let checked: BTreeSet<&str> = json.lines().filter_map(|line| line.strip_prefix("    \"layer\": \"")).collect();
    let checked: Vec<&str> = checked.iter().map(|rest| rest.trim_end_matches("\",")).collect();
    let expected = LayerKinds::standard();
    let expected: BTreeSet<&str> = expected.names().collect();
    let missing: Vec<&str> = expected.iter().filter(|kind| !checked.contains(kind)).copied().collect();
    assert!(missing.is_empty(), "layers without a row in check_all: {missing:?}");
    assert_eq!(checked, expected.into_iter().collect::<Vec<&str>>());
}

#[test]
fn a_layer_over_several_axes_in_json_has_arrays() {
    let layer = Conv2DTranspose::new(3, [4, 5]).strides([2, 3]).output_padding([1, 0]);
    let mut config = serde_json::to_value(&layer).unwrap();
    let expected = serde_json::json!({
        "filters": 3, "kernel_size": [4, 5], "strides": [2, 3], "padding": "valid", "output_padding": [1, 0],
        "dilation_rate": [1, 1], "activation": "Linear", "use_bias": true,
        "kernel_initializer": "GlorotUniform", "bias_initializer": "Zeros",
        "kernel_regularizer": null, "bias_regularizer": null, "kernel_constraint": null, "bias_constraint": null,
    });
    assert_eq!(config, expected);
    // An entry that is missing is `None`, where the option may be.
    config.as_object_mut().unwrap().remove("output_padding");
    assert!(serde_json::from_value::<Conv2DTranspose>(config.clone()).is_ok());

    let read = |config: &Value| {
        let network = serde_json::json!([{ "name": "0", "layer": "Conv2DTranspose", "config": config }]);
        Sequential::from_json(&network.to_string()).unwrap_err().to_string()
    };
    config["strides"] = serde_json::json!([2]);
    let problem =
        "from_json: layer 0 (Conv2DTranspose): field `strides`: invalid length 1, expected an array of length 2";
    assert_eq!(read(&config), format!("{problem}; compare it with what to_json writes"));
    config["stride"] = serde_json::json!([2, 2]);
    assert!(read(&config).contains("unknown field `stride`, expected one of `filters`, `kernel_size`, `strides`, "));
}

#[test]
fn an_option_that_a_file_lacks_has_its_default() {
    let read = |kind: &str, config: Value| {
        let network = serde_json::json!([{ "name": "0", "layer": kind, "config": config }]);
        Sequential::from_json(&network.to_string()).map(|network| format!("{network:?}"))
    };
    let of = |network: Sequential| Ok(format!("{network:?}"));
    // As if all options had come later than the file.
    assert_eq!(read("Dense", serde_json::json!({ "units": 3 })), of(Sequential::new().add(Dense::new(3))));
    let relu = serde_json::json!({ "units": 3, "activation": "Relu" });
    assert_eq!(read("Dense", relu), of(Sequential::new().add(Dense::new(3).activation(Activation::Relu))));
    let pool = serde_json::json!({ "pool_size": [2, 3] });
    assert_eq!(read("MaxPooling2D", pool), of(Sequential::new().add(MaxPooling2D::new([2, 3]))));
    let problem = read("Dense", serde_json::json!({ "activation": "Relu" })).unwrap_err().to_string();
    assert_eq!(problem, "from_json: layer 0 (Dense): missing field `units`; compare it with what to_json writes");
}

#[test]
fn a_network_in_json_is_its_layers_in_order() {
    let network = Sequential::new()
        .add(Flatten)
        .add_named("hidden", Dense::new(128).activation(Activation::LeakyRelu { negative_slope: 0.2 }))
        .add(Sequential::new().add(Activation::Relu));
    let golden = r#"[
  {
    "name": "0",
    "layer": "Flatten",
    "config": null
  },
  {
    "name": "hidden",
    "layer": "Dense",
    "config": {
      "activation": {
        "LeakyRelu": {
          "negative_slope": 0.2
        }
      },
      "bias_constraint": null,
      "bias_initializer": "Zeros",
      "bias_regularizer": null,
      "kernel_constraint": null,
      "kernel_initializer": "GlorotUniform",
      "kernel_regularizer": null,
      "units": 128,
      "use_bias": true
    }
  },
  {
    "name": "2",
    "layer": "Sequential",
    "config": [
      {
        "config": "Relu",
        "layer": "Activation",
        "name": "0"
      }
    ]
  }
]"#;
    assert_eq!(network.to_json().unwrap(), golden);
}

/// y = x scale, a layer of one's own.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Scale {
    start: f64,
}

impl Layer for Scale {
    const KIND: &'static str = "Scale";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.input()?.clone();
        let scale = build.weight("scale", shape.clone(), Initializer::Constant(self.start))?;
        Ok(Built::new(shape, move |context, x| x * context.weight(scale)))
    }
}

#[test]
fn layers_of_ones_own_are_read_back() {
    check_layer(&Scale { start: 2.0 }, [3]).unwrap();
    // However deep: in a chain, in a graph with branches, in a layer of this crate, in a layer of one's own.
    let network = Sequential::new().add(Wrapped { inner: LayerHandle::new(branching_around(Scale { start: 2.0 })) });
    let json = network.to_json().unwrap();
    assert!(Sequential::from_json(&json).is_err());
    let kinds = LayerKinds::standard().with::<Scale>().with::<Wrapped>();
    let copy = Sequential::from_json_with(&json, &kinds).unwrap();
    assert_eq!(copy.to_json().unwrap(), json);
    let model = Model::build(copy, [2], 0).unwrap();
    // x + 2 x, and that times x.
    assert_eq!(model.predict(Tensor::new([[1.0, 3.0]])).unwrap(), Tensor::new([[3.0, 27.0]]));
    let wrong = json.replace("\"start\": 2.0", "\"start\": true");
    let error = Sequential::from_json_with(&wrong, &kinds).unwrap_err().to_string();
    assert_eq!(
        error,
        "from_json: layer 0/inner/block/body/0 (Scale): invalid type: boolean `true`, expected f64; \
         compare it with what to_json writes"
    );
}

/// x (x + layer(x))
fn branching_around(layer: impl Layer) -> Graph {
    let mut graph = Graph::builder();
    let x = graph.input();
    let block = graph.add_named("block", Residual::new(Sequential::new().add(layer)), [x]);
    let product = graph.add(Multiply, [x, block]);
    graph.output(product)
}

/// A layer of one's own that holds another.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Wrapped {
    inner: LayerHandle,
}

impl Layer for Wrapped {
    const KIND: &'static str = "Wrapped";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        build.child("inner", &*self.inner, build.inputs())
    }

    fn read(mut config: Value, reader: &LayerReader<'_>) -> Result<Self> {
        Ok(Wrapped { inner: reader.nested("inner", config["inner"].take())? })
    }
}

/// A layer that is wrong in a way that `check_layer` must find.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Wrong {
    Shape,
    Mixing,
    Precision,
    NamesTwice,
    Skipped(#[serde(skip)] f64),
}

impl Layer for Wrong {
    const KIND: &'static str = "Wrong";

    fn build<T: Float>(&self, build: &mut Build<'_, T>) -> Result<Built<T>> {
        let shape = build.input()?.clone();
        Ok(match self {
            Wrong::Shape => Built::new(shape, |_, x| x.unsqueeze(1)),
            Wrong::Mixing => Built::new(shape, |_, x| x - x.mean(0)),
            Wrong::Precision => Built::new(shape, |_, x| (x + T::of(3e4)) - T::of(3e4)),
            Wrong::Skipped(factor) => {
                let factor = T::of(*factor);
                Built::new(shape, move |_, x| x * factor)
            }
            Wrong::NamesTwice => {
                build.weight("w", 1, Initializer::Ones)?;
                build.weight("w", 1, Initializer::Ones)?;
                Built::new(shape, |_, x| x.clone())
            }
        })
    }
}

#[test]
fn check_layer_finds_what_is_wrong() {
    let problem = |layer: Wrong| check_layer(&layer, [2]).unwrap_err().to_string();
    assert_eq!(
        problem(Wrong::Shape),
        "check_layer (Wrong): predicting on [0, 2] gives [0, 1, 2], where build declares [0, 2]; make both agree"
    );
    assert!(problem(Wrong::Mixing).contains("the output of a sample depends on the others of its batch"));
    assert!(problem(Wrong::Precision).starts_with("check_layer (Wrong): f32 gives"));
    assert_eq!(
        problem(Wrong::Skipped(2.0)),
        "check_layer (Wrong): read back from JSON it computes something else; write every field that it computes by: serde must \
         skip none of them"
    );
    assert_eq!(
        problem(Wrong::NamesTwice),
        "layer 0 (Wrong): the name of a weight must be new and not empty, found \"w\"; \
         name each weight of the layer differently"
    );
}
