//! Error messages of layers and networks, word by word; those of layers over windows are in `spatial.rs`.

use gradus_nn::*;

/// x x
fn squared() -> Graph {
    let mut graph = Graph::builder();
    let x = graph.input();
    let square = graph.add(Multiply, [x, x]);
    graph.output(square)
}

#[test]
fn bad_shapes_and_numbers_are_refused_at_build() {
    let message = |network: Sequential, input: &[usize]| -> String {
        let error: Error = Model::build(network, input, 0).err().expect("the network is wrong");
        error.to_string()
    };
    let of = |layer: Sequential, input: &[usize], expected: &str| assert_eq!(message(layer, input), expected);
    let network = Sequential::new;
    of(
        network().add(Flatten).add(Dense::new(0)),
        &[4],
        "layer 1 (Dense): needs at least one unit, found 0; give the number of outputs",
    );
    of(
        network().add(Dense::new(3)),
        &[],
        "layer 0 (Dense): needs an input with a last axis of features, found one number per sample: []; \
         give the inputs the shape [n, 1]",
    );
    of(
        network().add(Dense::new(usize::MAX)),
        &[4],
        "layer 0 (Dense): no memory holds the weight \"kernel\" of shape [4, 18446744073709551615]; make the layer smaller",
    );
    of(
        network().add(Dense::new(3)).add(ReversibleEmbedding::new(9, 4)),
        &[2, 5],
        "layer 1 (ReversibleEmbedding): takes ids, or floats with 4 features to go back to ids, found [2, 3]; give it the \
         output_dim of what comes back, or a Dense between",
    );
    of(
        network().add_named("hidden", Dense::new(3).bias_initializer(Initializer::Orthogonal { gain: 1.0 })),
        &[4],
        "layer hidden (Dense): the weight \"bias\": Orthogonal needs a weight of two axes or more, found [3]; \
         use it for kernels, and Zeros for biases",
    );
    of(
        network().add(Dense::new(3).kernel_initializer(Initializer::RandomNormal { mean: 0.0, stddev: -1.0 })),
        &[4],
        "layer 0 (Dense): the weight \"kernel\": nothing can be drawn from RandomNormal { mean: 0.0, stddev: -1.0 }; \
         give finite numbers, minval below maxval, stddev not below 0",
    );
    of(
        network().add(Reshape::new([5, -1])),
        &[28, 28],
        "layer 0 (Reshape): samples of shape [28, 28], 784 elements, do not fill [5, -1]; \
         make the lengths' product that number, or one length -1",
    );
    of(
        network().add(Permute::new([1, 3])),
        &[2, 3],
        "layer 0 (Permute): the axes [1, 3] are no order of those of samples of shape [2, 3]; \
         name each axis once, counted from 1",
    );
    of(
        network().add(Sequential::new().add(Dropout::new(1.5))),
        &[2],
        "layer 0/0 (Dropout): the rate must be at least 0 and less than 1, found 1.5; give the share to drop: 0.5 is half",
    );
    of(
        network().add(GaussianNoise::new(-1.0)),
        &[2],
        "layer 0 (GaussianNoise): the standard deviation must be finite and not negative, found -1; \
         give it in the units of the input",
    );
    of(
        network().add(Normalization::new([0.0, 1.0], [1.0, 1.0])),
        &[3],
        "layer 0 (Normalization): was adapted to 2 features, found samples of shape [3]; \
         adapt it to data of the shape that the network is built for",
    );
    of(
        network().add(RepeatVector::new(2)),
        &[2, 3],
        "layer 0 (RepeatVector): takes vectors, samples of one axis, found samples of shape [2, 3]; put a Flatten before it",
    );
    of(
        network().add(Softmax::new().axis(0)),
        &[2],
        "layer 0 (Softmax): there is no axis 0 in samples of shape [2]; \
         count axes from 1, the first after the batch, or from -1, the last",
    );
    of(
        network().add(PReLU::new().shared_axes([3])),
        &[2],
        "layer 0 (PReLU): axis 3 cannot be shared, found samples of shape [2]; \
         count axes from 1, the first after the batch",
    );
    of(
        network().add(BatchNormalization::new().momentum(1.5)),
        &[2],
        "layer 0 (BatchNormalization): the momentum must be from 0 to 1, found 1.5; Keras's is 0.99",
    );
    of(
        network().add(BatchNormalization::new().axis(3)),
        &[4, 5],
        "layer 0 (BatchNormalization): there is no axis 3 in samples of shape [4, 5]; \
         count axes from 1, the first after the batch, or from -1, the last",
    );
    of(
        network().add(BatchNormalization::new().axis(-3)),
        &[4, 5],
        "layer 0 (BatchNormalization): there is no axis -3 in samples of shape [4, 5]; \
         count axes from 1, the first after the batch, or from -1, the last",
    );
    of(
        network().add(LayerNormalization::new().axes([1, 0])),
        &[2],
        "layer 0 (LayerNormalization): there is no axis 0 in samples of shape [2]; \
         count axes from 1, the first after the batch, or from -1, the last",
    );
    of(
        network().add(LayerNormalization::new().axes([2, -1])),
        &[4, 5],
        "layer 0 (LayerNormalization): the axes [2, -1] name one of samples of shape [4, 5] twice; name each axis once",
    );
    of(
        network().add(LayerNormalization::new().axes([])),
        &[2],
        "layer 0 (LayerNormalization): needs an axis to normalise, found none; -1 is the last",
    );
    of(
        network().add(Residual::new(Dense::new(3))),
        &[4, 5],
        "layer 0 (Residual): the body's output has shape [4, 3], the input [4, 5]; \
         keep the shape in the body by Padding::Same and as many filters as channels, or give a shortcut that changes it \
         alike",
    );
    of(
        network().add(Residual::new(Dense::new(3)).shortcut(Sequential::new().add(Dense::new(0)))),
        &[5],
        "layer 0/shortcut/0 (Dense): needs at least one unit, found 0; give the number of outputs",
    );
    of(
        network().add(Residual::new(Dense::new(3)).shortcut(Flatten)),
        &[4, 5],
        "layer 0 (Residual): the body's output has shape [4, 3], the shortcut's [20]; \
         keep the shape in the body by Padding::Same and as many filters as channels, or give a shortcut that changes it \
         alike",
    );
    of(
        network().add(LayerNormalization::new().epsilon(0.0)),
        &[2],
        "layer 0 (LayerNormalization): epsilon must be positive and finite, found 0; Keras's is 0.001",
    );
    of(
        network().add(RMSNormalization::new().epsilon(-1.0)),
        &[2],
        "layer 0 (RMSNormalization): epsilon must be positive and finite, found -1; Keras's is 0.000001",
    );
    of(
        network().add(GroupNormalization::new()),
        &[28, 28, 48],
        "layer 0 (GroupNormalization): 32 groups must divide the 48 channels; \
         choose a number of groups that does, or -1 for a group of each channel",
    );
    of(
        network().add(GroupNormalization::new().groups(-2)),
        &[4],
        "layer 0 (GroupNormalization): -2 groups must divide the 4 channels; \
         choose a number of groups that does, or -1 for a group of each channel",
    );
    of(
        network().add(InstanceNormalization::new()),
        &[4],
        "layer 0 (InstanceNormalization): needs an axis besides the channels, found samples of shape [4]; \
         take LayerNormalization for vectors",
    );
    of(
        network().add(SpatialDropout2D::new(0.5)),
        &[4, 5],
        "layer 0 (SpatialDropout2D): needs samples of shape [height, width, channels], found [4, 5]; \
         add an axis of one channel: Reshape it, or unsqueeze(-1) the data",
    );
    of(
        network().add(SpatialDropout1D::new(1.0)),
        &[4, 5],
        "layer 0 (SpatialDropout1D): the rate must be at least 0 and less than 1, found 1; \
         give the share to drop: 0.5 is half",
    );
}

#[test]
fn attention_that_cannot_be_is_refused_at_build() {
    let message = |network: Sequential, input: &[usize]| -> String {
        Model::build(network, input, 0).err().expect("the network is wrong").to_string()
    };
    let of = |layer: Sequential, input: &[usize], expected: &str| assert_eq!(message(layer, input), expected);
    let network = Sequential::new;
    let attention = || MultiHeadAttention::new(2, 4);
    of(
        network().add(attention()),
        &[4],
        "layer 0 (MultiHeadAttention): takes sequences of shape [length, features], found [4]; join other axes by a Reshape",
    );
    of(
        network().add(MultiHeadAttention::new(0, 4)),
        &[4, 4],
        "layer 0 (MultiHeadAttention): needs at least one head, found 0; give the number of heads",
    );
    of(
        network().add(attention().rope_max_wavelength(0.0)),
        &[4, 4],
        "layer 0 (MultiHeadAttention): the rope_max_wavelength must be above 0 and finite, found 0; leave it out for the default",
    );
    of(
        network().add(MultiHeadAttention::new(2, 3).rope_max_wavelength(10_000.0)),
        &[4, 4],
        "layer 0 (MultiHeadAttention): rotary positions turn pairs of numbers, found a key_dim of 3; give an even key_dim",
    );
    of(
        network().add(attention().value_dim(0)),
        &[4, 4],
        "layer 0 (MultiHeadAttention): values and outputs need at least one number, found 0 and 4; give a value_dim and an \
         output_shape of 1 or more, or leave them out",
    );
    of(
        network().add(attention().use_attention_mask(true)),
        &[4, 4],
        "layer 0 (MultiHeadAttention): takes a query, a value and a key, found 0 sequences; feed it with [query], [query, value] \
         or [query, value, key]",
    );
    of(
        network().add(GroupedQueryAttention::new(4, 6, 4)),
        &[4, 4],
        "layer 0 (GroupQueryAttention): 4 heads of keys do not divide 6 heads of queries; give a number of query heads that is a \
         multiple",
    );
    of(
        network().add(TransformerEncoder::new(8, 3)),
        &[5, 4],
        "layer 0 (TransformerEncoder): 3 heads cannot share 4 features; give a number of heads that divides the features",
    );
    of(
        network().add(PositionEmbedding::new(3)),
        &[5, 4],
        "layer 0 (PositionEmbedding): the sequence has 5 positions, the layer knows 3; give a larger sequence_length, or shorter \
         sequences",
    );
    let mut graph = Graph::builder();
    let x = graph.input();
    let y = graph.add_named("block", TransformerEncoder::new(8, 2), [x, x]);
    assert_eq!(
        Model::build(graph.output(y), [5, 4], 0).err().unwrap().to_string(),
        "layer block (TransformerEncoder): takes a sequence, found 2 inputs; feed it with one sequence; a TransformerDecoder takes \
         two"
    );
}

#[test]
fn inputs_that_cannot_be_merged_are_refused_at_build() {
    // Of x, and x once more with its axes exchanged.
    fn message(layer: impl Layer, twice: bool, input: &[usize]) -> String {
        let mut graph = Graph::builder();
        let x = graph.input();
        let turned = graph.add(Permute::new([2, 1]), [x]);
        let inputs = if twice { vec![x, turned] } else { vec![turned] };
        let output = graph.add_named("merge", layer, inputs);
        Model::build(graph.output(output), input, 0).err().expect("the network is wrong").to_string()
    }
    assert_eq!(
        message(Add, true, &[2, 3]),
        "layer merge (Add): merges inputs of one shape, found [2, 3], [3, 2]; \
         make the shapes agree, or the lengths that differ 1"
    );
    assert_eq!(
        message(Maximum, false, &[2, 3]),
        "layer merge (Maximum): merges two inputs or more, found 1; feed it with several layers of a Graph"
    );
    assert_eq!(
        message(Subtract, false, &[2, 3]),
        "layer merge (Subtract): takes two inputs, found 1; feed it with what to subtract from, and what to subtract"
    );
    assert_eq!(
        message(Dense::new(2), true, &[2, 3]),
        "layer merge (Dense): takes one input, found 2; merge them by a layer before it"
    );
    assert_eq!(
        message(Concatenate::new(), true, &[2, 3]),
        "layer merge (Concatenate): joins along axis 2 inputs that agree along the others, found [2, 3], [3, 2]; \
         make the shapes agree, or join along another axis"
    );
    assert_eq!(
        message(Concatenate::new().axis(0), true, &[2, 2]),
        "layer merge (Concatenate): there is no axis 0 in samples of shape [2, 2]; \
         count axes from 1, the first after the batch, or from -1, the last"
    );
    assert_eq!(
        message(squared(), true, &[2, 3]),
        "layer merge (Graph): takes 1 input, found 2; feed it with as many as it was made with"
    );
}

#[test]
fn a_text_that_is_no_network_is_refused() {
    let message = |json: &str| Sequential::from_json(json).unwrap_err().to_string();
    let record = |name: &str, kind: &str, config: &str| {
        format!("{{\"name\": \"{name}\", \"layer\": \"{kind}\", \"config\": {config}}}")
    };
    assert_eq!(
        message("[{"),
        "from_json: this is no network: EOF while parsing an object at line 1 column 2; give a text that to_json has written"
    );
    let unknown = message(&format!("[{}]", record("0", "Conv9D", "null")));
    assert!(unknown.starts_with("from_json: layer 0: there is no kind of layer \"Conv9D\", only Activation, Adaptive"));
    assert!(unknown.ends_with("; add your own kinds by LayerKinds::with and read by from_json_with"));
    assert_eq!(
        message(&format!("[{}]", record("0", "Dropout", r#"{"rate": 0.5, "seed": 1}"#))),
        "from_json: layer 0 (Dropout): unknown field `seed`, expected `rate`; compare it with what to_json writes"
    );
    let nested = record("1", "Sequential", &format!("[{}]", record("0", "Dropout", "{}")));
    assert_eq!(
        message(&format!("[{nested}]")),
        "from_json: layer 1/0 (Dropout): missing field `rate`; compare it with what to_json writes"
    );
    let twice = record("0", "Flatten", "null");
    assert_eq!(
        message(&format!("[{twice}, {twice}]")),
        "from_json: layer 0 (Flatten): a layer's name must be new, not empty and without '/': \"0\"; \
         name the layers of a network differently"
    );
}

#[test]
fn options_that_train_to_be_wrong_are_refused_at_build() {
    let message = |network: Sequential| -> String {
        let error: Error = Model::build(network, [4], 0).err().expect("the option is out of range");
        error.to_string()
    };
    let network = Sequential::new;
    for (penalty, found) in [
        (Regularizer::L2(-1.0), "L2(-1.0)"),
        (Regularizer::L1(f64::NAN), "L1(NaN)"),
        (Regularizer::L2(f64::INFINITY), "L2(inf)"),
        (Regularizer::L1L2 { l1: 0.1, l2: -0.1 }, "L1L2 { l1: 0.1, l2: -0.1 }"),
    ] {
        let expected = format!("{found} is no penalty; give finite factors of 0 or more");
        let on_kernel = network().add(Dense::new(3).kernel_regularizer(penalty));
        assert_eq!(message(on_kernel), format!("build: 0/kernel: {expected}"));
        let nested = network().add(Residual::new(network().add(Dense::new(4).bias_regularizer(penalty))));
        assert_eq!(message(nested), format!("build: 0/body/0/bias: {expected}"));
    }
    assert!(Model::build(network().add(Dense::new(3).kernel_regularizer(Regularizer::L2(0.0))), [4], 0).is_ok());

    let celu = Activation::Celu { alpha: 0.0 };
    let expected = "Celu { alpha: 0.0 } is no activation; give a finite alpha other than 0";
    assert_eq!(message(network().add(celu)), format!("layer 0 (Activation): {expected}"));
    assert_eq!(message(network().add(Dense::new(3).activation(celu))), format!("layer 0 (Dense): {expected}"));
    let block = network().add(Residual::new(Dense::new(4)).activation(celu));
    assert_eq!(message(block), format!("layer 0 (Residual): {expected}"));
    for bad in [
        Activation::LeakyRelu { negative_slope: f64::NAN },
        Activation::Elu { alpha: f64::INFINITY },
        Activation::Squareplus { b: -1.0 },
        Activation::HardShrink { threshold: -0.5 },
        Activation::SoftShrink { threshold: f64::NAN },
        Activation::Threshold { threshold: 0.0, default_value: f64::NAN },
    ] {
        assert!(message(network().add(bad)).contains("is no activation"), "{bad:?}");
    }
    assert_eq!(
        message(network().add(ReLU::new().negative_slope(-0.1))),
        "layer 0 (ReLU): the negative_slope must be 0 or more and finite, found -0.1; Keras asks for the same"
    );
    assert!(message(network().add(ReLU::new().max_value(f64::NAN))).contains("the max_value must be 0 or more"));
    assert_eq!(
        message(network().add(Rescaling::new(f64::INFINITY))),
        "layer 0 (Rescaling): the scale and the offset must be finite, found inf and 0; check how they were computed"
    );
    assert_eq!(
        message(network().add(Normalization::new([0.0], [-1.0]))),
        "layer 0 (Normalization): needs finite means and variances of at least 0, found 0 and -1; adapt it to the \
         training data"
    );
}

#[test]
fn options_that_are_not_finite_are_refused_when_they_are_written() {
    let refused = "an option is NaN, which cannot be written; give a finite number";
    let nan = f64::NAN;
    for network in [
        Sequential::new().add(Dropout::new(nan)),
        Sequential::new().add(ReLU::new().max_value(nan)),
        Sequential::new().add(Activation::LeakyRelu { negative_slope: nan }),
        Sequential::new().add(Dense::new(2).activation(Activation::Elu { alpha: nan })),
        Sequential::new().add(Dense::new(2).kernel_initializer(Initializer::Constant(nan))),
        Sequential::new().add(Dense::new(2).kernel_regularizer(Regularizer::L1L2 { l1: 0.0, l2: nan })),
        Sequential::new().add(Normalization::new([nan], [1.0])),
        Sequential::new().add(Residual::new(Dense::new(2).bias_regularizer(Regularizer::L2(nan)))),
    ] {
        let message = network.to_json().unwrap_err().to_string();
        assert!(message.contains(refused), "{network:?}: {message}");
    }
}
