//! Models of every layer in each form that is written differently, and networks as people build them: for the tests, and to be run by
//! other runtimes.

use gradus_nn::*;
use gradus_tensor::{AnyTensor, Columns, Generator, Tensor};

/// A model, inputs of a batch with the outputs, and what it is called.
pub(super) struct Case {
    pub name: String,
    pub model: Model,
    pub inputs: Vec<AnyTensor>,
    pub outputs: Vec<Tensor<f32>>,
}

/// The samples of a batch.
const SAMPLES: usize = 3;

impl Case {
    fn new(name: String, network: impl Into<Graph>, inputs: Vec<Input>, fixed: &[Vec<usize>]) -> Result<Self> {
        let mut model = Model::build(network, inputs, 7)?;
        let mut generator = Generator::new(11);
        for param in model.params_mut().iter_mut() {
            let numbers = generator.uniform(param.value.shape(), -1.0_f32..1.0);
            // Fewer than there are numbers to be added: sums stay of the size of 1.
            let fan = param.value.shape().iter().rev().skip(1).product::<usize>().max(1) as f32;
            let is_variance = param.name.ends_with("moving_variance");
            param.value = if is_variance { numbers.abs() + 0.5 } else { numbers * fan.sqrt().recip() };
        }
        let mut inputs = Vec::new();
        for (input, lengths) in model.inputs().iter().zip(fixed) {
            let shape = [&[SAMPLES], &lengths[..]].concat();
            inputs.push(match input.kind {
                ValueKind::Floats => generator.uniform(shape, -1.5_f32..1.5).into(),
                ValueKind::Ids { count } => generator.integers(shape, 0..count as i64).into(),
                ValueKind::Mask => generator.bernoulli(shape, 0.6).into(),
            });
        }
        Case { name, model, inputs, outputs: Vec::new() }.computed()
    }

    /// The case with the model's outputs for its inputs.
    fn computed(mut self) -> Result<Self> {
        self.outputs = self.model.predict_all(Columns::from(self.inputs.clone()))?;
        Ok(self)
    }
}

/// A network of one layer, with all its outputs.
fn alone(layer: &LayerHandle, inputs: &[Vec<usize>]) -> Graph {
    let of = |count: usize| {
        let mut graph = Graph::builder();
        let nodes: Vec<Node> = inputs.iter().map(|_| graph.input()).collect();
        let node = graph.add(layer, nodes);
        let output = |index: usize| (format!("output_{index}"), node.output(index));
        let outputs: Vec<(String, Node)> = (0..count).map(output).collect();
        graph.outputs(outputs.iter().map(|(name, node)| (&**name, *node)))
    };
    let shapes: Vec<Input> = inputs.iter().map(|shape| shape.clone().into()).collect();
    let model = Model::build(of(1), shapes, 0).unwrap();
    of(model.summary().layers[0].outputs.len())
}

/// Each layer as it is; with free lengths, and behind a mask, if the model can be built so.
pub(super) fn layers() -> Vec<Case> {
    let mut cases = Vec::new();
    for (place, (layer, inputs)) in rows().into_iter().enumerate() {
        let name = format!("{place:03}_{}", layer.kind());
        let network = alone(&layer, &inputs);
        let fixed = inputs.iter().map(|shape| shape.clone().into()).collect();
        cases.push(Case::new(name.clone(), network.clone(), fixed, &inputs).unwrap());
        let free = |shape: &Vec<usize>| {
            let features = shape.len().saturating_sub(1);
            let lengths = shape.iter().enumerate().map(|(axis, &length)| (axis >= features).then_some(length));
            lengths.collect::<Vec<Option<usize>>>().into()
        };
        if inputs.iter().any(|shape| shape.len() > 1) {
            let free: Vec<Input> = inputs.iter().map(free).collect();
            cases.extend(Case::new(format!("{name}_free"), network, free, &inputs));
        }
        if inputs.iter().all(|shape| shape.len() > 1) {
            // Positions whose features are all 0 are padding: some within, and a sample of nothing else.
            let mut graph = Graph::builder();
            let nodes: Vec<Node> = inputs.iter().map(|_| graph.input()).collect();
            let nodes: Vec<Node> = nodes.into_iter().map(|node| graph.add(Masking::new(0.0), [node])).collect();
            let node = graph.add(&layer, nodes);
            let network = graph.output(node);
            for (variant, of) in [("masked", false), ("masked_free", true)] {
                let shapes = inputs.iter().map(|shape| if of { free(shape) } else { shape.clone().into() }).collect();
                let Ok(mut case) = Case::new(format!("{name}_{variant}"), network.clone(), shapes, &inputs) else {
                    continue;
                };
                for (seed, input) in case.inputs.iter_mut().enumerate() {
                    let numbers = input.to::<f32>();
                    let length = numbers.shape()[1];
                    let mut there = Generator::new(3 + seed as u64).bernoulli([SAMPLES, length, 1], 0.5).to::<f32>();
                    there.as_mut_slice()[..length].fill(0.0);
                    *input = (numbers * &there).into();
                }
                cases.push(case.computed().unwrap());
            }
        }
    }
    cases
}

/// Layers, and the shapes of their inputs.
fn rows() -> Vec<(LayerHandle, Vec<Vec<usize>>)> {
    let mut rows = Vec::new();
    macro_rules! row {
        ($layer:expr, $($shape:expr),+) => {
            rows.push((LayerHandle::new($layer), vec![$($shape.to_vec()),+]))
        };
    }
    const NONE: [usize; 0] = [];
    let activations = [
        Activation::Linear,
        Activation::Relu,
        Activation::Relu6,
        Activation::LeakyRelu { negative_slope: 0.2 },
        Activation::Elu { alpha: 0.7 },
        Activation::Selu,
        Activation::Celu { alpha: 0.7 },
        Activation::Celu { alpha: -0.7 },
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Mish,
        Activation::Softplus,
        Activation::Softsign,
        Activation::Squareplus { b: 4.0 },
        Activation::SparsePlus,
        Activation::Softmax,
        Activation::LogSoftmax,
        Activation::Sparsemax,
        Activation::Sigmoid,
        Activation::LogSigmoid,
        Activation::HardSigmoid,
        Activation::SparseSigmoid,
        Activation::HardSilu,
        Activation::Tanh,
        Activation::HardTanh,
        Activation::TanhShrink,
        Activation::HardShrink { threshold: 0.5 },
        Activation::SoftShrink { threshold: 0.5 },
        Activation::Threshold { threshold: 0.3, default_value: -2.0 },
        Activation::Exponential,
    ];
    for activation in activations {
        row!(activation, [4, 5]);
    }
    row!(AdaptiveAveragePooling1D::new([3]), [5, 2]);
    row!(AdaptiveAveragePooling2D::new([2, 5]), [5, 3, 2]);
    row!(AdaptiveAveragePooling2D::new([2, 3]), [4, 3, 2]);
    row!(AdaptiveAveragePooling3D::new([1, 2, 2]), [2, 3, 2, 2]);
    row!(AdaptiveMaxPooling1D::new([2]), [5, 2]);
    row!(AdaptiveMaxPooling2D::new([3, 2]), [5, 3, 2]);
    row!(AdaptiveMaxPooling3D::new([1, 2, 2]), [2, 3, 2, 1]);
    row!(Add, [2, 3], [2, 3], [2, 3]);
    row!(Add, [2, 1], [2, 3], [1, 3]);
    row!(Average, [3], [3], [1]);
    row!(AveragePooling1D::new([2]), [5, 2]);
    row!(AveragePooling2D::new([3, 2]).strides([2, 1]).padding(Padding::Same), [4, 3, 2]);
    row!(AveragePooling2D::new([3, 3]).padding(Padding::Explicit(vec![(1, 2), (0, 1)])), [5, 6, 2]);
    row!(AveragePooling3D::new([2, 1, 2]), [3, 2, 2, 1]);
    row!(BatchNormalization::new(), [3]);
    row!(BatchNormalization::new().center(false).scale(false).momentum(0.5).epsilon(0.1), [2, 1, 3]);
    row!(BatchNormalization::new().axis(1), [3, 2, 2]);
    row!(BatchNormalization::new().axis(-2).scale(false), [2, 3]);
    row!(BatchNormalization::new(), [4, 3]);
    row!(Bidirectional::new(LSTM::new(2)), [3, 2]);
    row!(Bidirectional::new(LSTM::new(2).return_sequences(true).zero_output_for_mask(true)), [5, 2]);
    row!(Bidirectional::new(LSTM::new(2).return_sequences(true).go_backwards(true)), [3, 2]);
    row!(Bidirectional::new(GRU::new(2).return_sequences(true).return_state(true)).merge_mode(MergeMode::Mul), [3, 2]);
    row!(Bidirectional::new(GRU::new(2).return_sequences(true)).merge_mode(MergeMode::Sum), [3, 2], [2], [2]);
    row!(Bidirectional::new(GRU::new(2)).merge_mode(MergeMode::Ave), [3, 2]);
    row!(Bidirectional::new(SimpleRNN::new(2)).backward_layer(LSTM::new(2)).merge_mode(MergeMode::None), [3, 2]);
    row!(Bidirectional::new(Sequential::new().add(LSTM::new(2).return_sequences(true)).add(Dense::new(2))), [3, 2]);
    row!(CategoryEncoding::new(7), [4]);
    row!(CategoryEncoding::new(7).output_mode(CategoryMode::Count), [4]);
    row!(CategoryEncoding::new(7).output_mode(CategoryMode::OneHot), [2, 2]);
    row!(CategoryEncoding::new(7).output_mode(CategoryMode::OneHot), [3, 1]);
    row!(CategoryEncoding::new(7), NONE);
    row!(CenterCrop::new(2, 1), [3, 3, 2]);
    row!(CenterCrop::new(4, 2), [3, 3, 1]);
    row!(Concatenate::new(), [2, 3], [2, 1], [2, 2]);
    row!(Concatenate::new().axis(1), [1, 3], [2, 3]);
    row!(Conv1D::new(3, [2]), [4, 2]);
    row!(Conv1D::new(2, [3]).padding(Padding::Causal).dilation_rate([2]).activation(Activation::Tanh), [5, 2]);
    row!(Conv1D::new(2, [3]).padding(Padding::Same), [5, 2]);
    row!(Conv2D::new(3, [3, 2]), [4, 3, 2]);
    row!(Conv2D::new(4, [2, 3]).strides([2, 1]).padding(Padding::Same).groups(2).use_bias(false), [3, 4, 2]);
    row!(Conv2D::new(2, [2, 2]).padding(Padding::Explicit(vec![(0, 2), (1, 0)])).strides([2, 2]), [5, 4, 1]);
    row!(Conv2D::new(2, [3, 3]).padding(Padding::Same).activation(Activation::Softmax), [3, 4, 1]);
    row!(Conv3D::new(2, [2, 1, 2]).strides([1, 2, 1]), [2, 3, 3, 2]);
    row!(Conv1DTranspose::new(2, [3]).strides([2]), [3, 2]);
    row!(Conv1DTranspose::new(2, [2]).strides([3]).use_bias(false).activation(Activation::Tanh), [2, 1]);
    row!(Conv2DTranspose::new(1, [3, 2]).strides([2, 3]).padding(Padding::Same), [2, 2, 2]);
    row!(Conv2DTranspose::new(3, [4, 4]).strides([2, 2]).padding(Padding::Same), [2, 3, 2]);
    row!(Conv2DTranspose::new(3, [4, 3]).strides([2, 3]).padding(Padding::Same).output_padding([1, 2]), [2, 3, 2]);
    row!(
        Conv2DTranspose::new(2, [3, 3])
            .strides([2, 2])
            .padding(Padding::Explicit(vec![(1, 0), (1, 1)]))
            .output_padding([1, 0]),
        [2, 3, 1]
    );
    row!(Conv3DTranspose::new(1, [2, 1, 2]).dilation_rate([1, 1, 2]), [2, 2, 1, 2]);
    row!(Cropping1D::new([(1, 2)]), [5, 2]);
    row!(Cropping2D::new([(1, 0), (0, 2)]), [3, 4, 2]);
    row!(Cropping3D::new([(0, 1), (0, 0), (1, 1)]), [3, 2, 3, 2]);
    row!(Dense::new(3), [2]);
    row!(Dense::new(3).use_bias(false), [2]);
    row!(Dense::new(3).use_bias(false).activation(Activation::Tanh), [4, 2]);
    row!(Dense::new(3).activation(Activation::Gelu), [4, 2]);
    row!(DepthwiseConv1D::new([2]).dilation_rate([2]).activation(Activation::Relu), [4, 3]);
    row!(DepthwiseConv1D::new([3]).padding(Padding::Same), [4, 3]);
    row!(DepthwiseConv2D::new([3, 2]).strides([2, 1]).padding(Padding::Same).depth_multiplier(2), [3, 3, 2]);
    row!(DepthwiseConv2D::new([2, 2]).use_bias(false), [2, 3, 1]);
    row!(Dropout::new(0.4), [2, 5]);
    row!(ELU::new(0.7), [4]);
    row!(Embedding::new(7, 3), [4]);
    row!(Embedding::new(7, 3), [2, 2]);
    row!(Embedding::new(7, 3).mask_zero(true), [4]);
    row!(Flatten, [2, 3, 2]);
    row!(Flatten, NONE);
    row!(GaussianDropout::new(0.3), [4]);
    row!(GaussianNoise::new(0.1), [2, 3]);
    row!(GlobalAveragePooling1D::new(), [4, 3]);
    row!(GlobalAveragePooling1D::new().keepdims(true), [4, 3]);
    row!(GlobalAveragePooling2D::new().keepdims(true), [3, 2, 3]);
    row!(GlobalAveragePooling3D::new(), [2, 3, 2, 3]);
    row!(GlobalMaxPooling1D::new(), [4, 3]);
    row!(GlobalMaxPooling1D::new().keepdims(true), [4, 3]);
    row!(GlobalMaxPooling2D::new(), [3, 2, 3]);
    row!(GlobalMaxPooling3D::new().keepdims(true), [2, 2, 3, 2]);
    row!(GRU::new(3), [4, 2]);
    row!(GRU::new(2).return_sequences(true).return_state(true), [3, 2], [2]);
    row!(GRU::new(2).reset_after(false).dropout(0.3).recurrent_dropout(0.4).use_bias(false), [3, 2]);
    row!(GRU::new(2).reset_after(false).return_sequences(true), [5, 2]);
    row!(GRU::new(2).return_sequences(true).go_backwards(true), [5, 2]);
    row!(GroupNormalization::new().groups(2), [3, 4]);
    row!(GroupNormalization::new().groups(2), [4]);
    row!(GroupNormalization::new().groups(2), [3, 2, 4]);
    row!(GroupNormalization::new().groups(-1).center(false), [2, 3, 2]);
    row!(GroupNormalization::new().groups(-1), [4]);
    row!(GroupNormalization::new().groups(2).axis(1).scale(false).epsilon(0.1), [4, 3]);
    row!(GroupedQueryAttention::new(2, 4, 2).use_causal_mask(true).dropout(0.3), [5, 3]);
    row!(GroupedQueryAttention::new(2, 4, 2).return_attention_scores(true), [5, 3]);
    row!(GroupedQueryAttention::new(2, 2, 1).rope_max_wavelength(100.0).use_bias(false), [3, 4], [4, 2]);
    row!(Identity, [3, 2]);
    row!(InstanceNormalization::new(), [3, 2]);
    row!(InstanceNormalization::new().center(false).scale(false).epsilon(0.1), [2, 3, 2]);
    row!(LayerNormalization::new(), [3]);
    row!(LayerNormalization::new(), [4, 3]);
    row!(LayerNormalization::new().center(false).scale(false).epsilon(0.1), [2, 3]);
    row!(LayerNormalization::new().axis(1), [3, 2, 2]);
    row!(LayerNormalization::new().axes([-1, 1]).scale(false), [2, 3, 2]);
    row!(LayerNormalization::new().axes([2, 3]), [2, 3, 2]);
    row!(LeakyReLU::default(), [4]);
    row!(LSTM::new(3), [4, 2]);
    row!(LSTM::new(2).return_sequences(true).return_state(true), [3, 2], [2], [2]);
    row!(LSTM::new(2).return_sequences(true).go_backwards(true).recurrent_activation(Activation::HardSigmoid), [3, 2]);
    row!(LSTM::new(2).dropout(0.3).recurrent_dropout(0.4).zero_output_for_mask(true).unit_forget_bias(false), [3, 2]);
    row!(LSTM::new(2).zero_output_for_mask(true).return_sequences(true).return_state(true), [5, 2]);
    row!(LSTM::new(2).activation(Activation::Relu).recurrent_activation(Activation::SparseSigmoid), [3, 2]);
    row!(LSTM::new(2).activation(Activation::Elu { alpha: 0.5 }), [3, 2]);
    row!(LSTM::new(2).activation(Activation::LeakyRelu { negative_slope: 0.1 }), [3, 2]);
    row!(LSTM::new(2).activation(Activation::Linear).recurrent_activation(Activation::Softsign), [3, 2]);
    // Activations that the recurrent operators of ONNX do not know.
    row!(LSTM::new(2).activation(Activation::Silu), [4, 2]);
    row!(LSTM::new(2).activation(Activation::Gelu).return_sequences(true).return_state(true), [4, 2], [2], [2]);
    row!(LSTM::new(2).activation(Activation::Mish).zero_output_for_mask(true).go_backwards(true), [4, 2]);
    row!(GRU::new(2).activation(Activation::Selu).return_sequences(true).go_backwards(true), [4, 2]);
    row!(GRU::new(2).recurrent_activation(Activation::HardTanh).reset_after(false).use_bias(false), [4, 2]);
    row!(SimpleRNN::new(3).activation(Activation::Softmax).return_sequences(true).zero_output_for_mask(true), [4, 2]);
    row!(Bidirectional::new(GRU::new(2).activation(Activation::Silu).return_sequences(true)), [4, 2]);
    row!(Masking::new(0.5), [3, 2]);
    row!(MaxPooling1D::new([2]).padding(Padding::Same), [5, 2]);
    row!(MaxPooling2D::new([2, 2]), [5, 4, 2]);
    row!(MaxPooling2D::new([3, 3]).strides([2, 2]).padding(Padding::Explicit(vec![(1, 1), (0, 2)])), [4, 4, 1]);
    row!(MaxPooling3D::new([2, 2, 1]).strides([1, 1, 1]), [3, 2, 2, 1]);
    row!(Maximum, [2, 3], [2, 3], [2, 3]);
    row!(Minimum, [2, 3], [1, 3]);
    row!(Multiply, [2, 3], [2, 1], [2, 3]);
    row!(MultiHeadAttention::new(2, 3), [5, 4]);
    row!(MultiHeadAttention::new(2, 3).return_attention_scores(true).use_causal_mask(true), [5, 4]);
    row!(MultiHeadAttention::new(2, 3).use_causal_mask(true), [5, 4], [3, 2]);
    row!(MultiHeadAttention::new(2, 3).use_attention_mask(true).return_attention_scores(true), [5, 4], [5, 5]);
    row!(MultiHeadAttention::new(2, 2).use_causal_mask(true).dropout(0.2).rope_max_wavelength(50.0), [4, 3]);
    row!(MultiHeadAttention::new(1, 3).value_dim(2).output_shape(5), [3, 4], [2, 3]);
    row!(MultiHeadAttention::new(2, 2), [3, 4], [3, 3], [3, 2]);
    row!(Normalization::new([0.5, -1.0, 2.0], [4.0, 0.25, 0.0]), [2, 3]);
    row!(Normalization::new([0.5], [4.0]), [2, 3]);
    row!(Permute::new([2, 3, 1]), [2, 3, 4]);
    row!(PositionEmbedding::new(6), [5, 3]);
    row!(PositionEmbedding::new(5), [5, 3]);
    row!(PositionEmbedding::new(16), [5, 3]);
    row!(PReLU::new(), [2, 3]);
    row!(PReLU::new().shared_axes([1]), [2, 3]);
    row!(ReflectionPadding1D::new([(2, 1)]), [3, 2]);
    row!(ReflectionPadding2D::new([(1, 0), (2, 2)]), [2, 3, 2]);
    row!(ReflectionPadding3D::new([(0, 1), (1, 1), (0, 0)]), [2, 3, 2, 2]);
    row!(ReLU::new(), [4]);
    row!(ReLU::new().max_value(0.8).negative_slope(0.1).threshold(0.2), [9]);
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
    row!(Resizing::new(4, 2), [3, 3, 2]);
    row!(Resizing::new(7, 5), [3, 6, 2]);
    row!(Resizing::new(7, 5).interpolation(Interpolation::Nearest), [3, 6, 2]);
    row!(Resizing::new(2, 5).interpolation(Interpolation::Nearest).crop_to_aspect_ratio(true), [3, 4, 1]);
    row!(Resizing::new(3, 3).pad_to_aspect_ratio(true).fill_value(0.5), [2, 5, 2]);
    row!(ReversibleEmbedding::new(7, 3).mask_zero(true), [4]);
    let both_ways = LayerHandle::new(ReversibleEmbedding::new(7, 3));
    row!(Sequential::new().add(&both_ways).add(Dense::new(3)).add(&both_ways), [4]);
    row!(RMSNormalization::new(), [2, 3]);
    row!(RMSNormalization::new().axes([1, 2]).epsilon(0.1), [3, 2, 2]);
    row!(RMSNormalization::new().axis(1), [3, 2]);
    row!(RotaryEmbedding::new(100.0), [4, 6]);
    row!(RotaryEmbedding::default().scaling_factor(2.0), [3, 2, 4]);
    row!(SeparableConv1D::new(3, [2]).padding(Padding::Causal), [4, 2]);
    row!(SeparableConv2D::new(2, [2, 3]).strides([1, 2]).padding(Padding::Same).depth_multiplier(2), [3, 4, 2]);
    row!(SimpleRNN::new(3), [4, 2]);
    row!(SimpleRNN::new(2).return_sequences(true).activation(Activation::Softsign), [3, 2], [2]);
    row!(SinePositionEncoding::default(), [4, 5]);
    row!(Softmax::new().axis(1), [2, 3]);
    row!(Softmax::new(), [2, 3]);
    row!(SpatialDropout1D::new(0.4), [3, 5]);
    row!(SpatialDropout2D::new(0.4), [2, 3, 4]);
    row!(SpatialDropout3D::new(0.4), [2, 1, 2, 4]);
    row!(Subtract, [2, 3], [2, 1]);
    row!(TimeDistributed::new(Dense::new(3)), [4, 2]);
    row!(TimeDistributed::new(Sequential::new().add(Conv1D::new(2, [2])).add(Flatten)), [2, 3, 2]);
    row!(TimeDistributed::new(Conv2D::new(2, [2, 2]).padding(Padding::Same)), [2, 3, 4, 1]);
    row!(TimeDistributed::new(Embedding::new(5, 2)), [2, 3]);
    row!(TokenAndPositionEmbedding::new(7, 6, 3), [5]);
    row!(TokenAndPositionEmbedding::new(7, 6, 3).mask_zero(true), [6]);
    row!(TransformerDecoder::new(5, 2).activation(Activation::Gelu).normalize_first(true), [4, 4]);
    row!(TransformerDecoder::new(5, 2).return_attention_scores(true), [4, 4], [3, 4]);
    row!(TransformerEncoder::new(5, 2).activation(Activation::Tanh), [4, 4]);
    row!(TransformerEncoder::new(3, 1).normalize_first(true).return_attention_scores(true), [3, 2]);
    row!(UnitNormalization::new(), [3, 2]);
    row!(UnitNormalization::new().axis(1), [3, 2]);
    row!(UpSampling1D::new([3]), [3, 2]);
    row!(UpSampling1D::new([2]).interpolation(Interpolation::Linear), [3, 2]);
    row!(UpSampling2D::new([2, 1]), [2, 3, 2]);
    row!(UpSampling2D::new([2, 3]).interpolation(Interpolation::Linear), [2, 3, 2]);
    row!(UpSampling3D::new([2, 1, 2]), [2, 2, 1, 2]);
    row!(UpSampling3D::new([2, 1, 3]).interpolation(Interpolation::Linear), [2, 2, 1, 2]);
    row!(ZeroPadding1D::new([(2, 1)]), [3, 2]);
    row!(ZeroPadding2D::new([(1, 0), (2, 2)]), [2, 3, 2]);
    row!(ZeroPadding3D::new([(0, 1), (1, 1), (0, 0)]), [2, 1, 2, 2]);
    row!(shared(), [4]);
    row!(crossed(), [4], [3]);
    row!(in_two_forms(), [4, 3]);
    rows
}

/// A network within a network: a tower that is used for both inputs.
fn shared() -> Graph {
    let tower = LayerHandle::new(Sequential::new().add(Dense::new(3).activation(Activation::Tanh)).add(Dense::new(2)));
    let mut graph = Graph::builder();
    let x = graph.input();
    let turned = graph.add(Rescaling::new(-1.0), [x]);
    let (a, b) = (graph.add(&tower, [x]), graph.add(&tower, [turned]));
    let difference = graph.add(Subtract, [a, b]);
    graph.output(difference)
}

/// A network of two inputs and two outputs.
fn crossed() -> Graph {
    let mut graph = Graph::builder();
    let (x, y) = (graph.input(), graph.input());
    let (left, right) = (graph.add(Dense::new(2), [x]), graph.add(Dense::new(2), [y]));
    let sum = graph.add(Add, [left, right]);
    graph.outputs([("right", right), ("sum", sum)])
}

/// Layers whose weights are written in two forms: for sequences with a mask and without one, with channels last and first.
fn in_two_forms() -> Graph {
    let (lstm, prelu) = (LayerHandle::new(LSTM::new(2).return_state(true)), LayerHandle::new(PReLU::new()));
    let mut graph = Graph::builder();
    let x = graph.input();
    let masked = graph.add(Masking::new(0.5), [x]);
    let (whole, there) = (graph.add(&lstm, [x]), graph.add(&lstm, [masked]));
    let states = graph.add(Add, [whole.output(2), there.output(2)]);
    let turned = graph.add(Conv1D::new(3, [1]), [x]);
    let (plain, turned) = (graph.add(&prelu, [x]), graph.add(&prelu, [turned]));
    let both = graph.add(Concatenate::new(), [plain, turned]);
    graph.outputs([("states", states), ("both", both)])
}

/// Networks as people build them.
pub(super) fn networks() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, network: Graph, inputs: &[&[Option<usize>]], fixed: &[&[usize]]| {
        let inputs = inputs.iter().map(|&shape| shape.into()).collect();
        let fixed: Vec<Vec<usize>> = fixed.iter().map(|shape| shape.to_vec()).collect();
        cases.push(Case::new(format!("net_{name}"), network, inputs, &fixed).unwrap());
    };
    let picture = [Some(12), Some(12), Some(3)];
    add("convnet", convnet().into(), &[&picture], &[&[12, 12, 3]]);
    add("convnet_flat", convnet_flat().into(), &[&picture], &[&[12, 12, 3]]);
    add("resnet", resnet().into(), &[&picture], &[&[12, 12, 3]]);
    add("mobilenet", mobilenet().into(), &[&picture], &[&[12, 12, 3]]);
    add("unet", unet(), &[&picture], &[&[12, 12, 3]]);
    add("unet_free", unet(), &[&[None, None, Some(3)]], &[&[8, 12, 3]]);
    let words = [None];
    add("lstm", text(LSTM::new(6)), &[&words], &[&[9]]);
    add("gru", text(GRU::new(6)), &[&words], &[&[9]]);
    let stacked = Sequential::new().add(LSTM::new(5).return_sequences(true)).add(GRU::new(4).return_sequences(true));
    add("stacked", stacked.add(Dense::new(2)).into(), &[&[None, Some(3)]], &[&[7, 3]]);
    let both = Bidirectional::new(LSTM::new(4).return_sequences(true));
    let both = Sequential::new().add(both).add(Bidirectional::new(GRU::new(3))).add(Dense::new(2));
    add("bidirectional", both.into(), &[&[None, Some(3)]], &[&[7, 3]]);
    add("transformer", transformer().into(), &[&words], &[&[8]]);
    add("transformer_fixed", transformer().into(), &[&[Some(8)]], &[&[8]]);
    add("translator", translator(), &[&words, &words], &[&[5], &[7]]);
    add("inputs", several_inputs(), &[&[Some(10)], &[Some(4)]], &[&[10], &[4]]);
    cases
}

fn convnet() -> Sequential {
    Sequential::new()
        .add(Rescaling::new(0.5))
        .add(Conv2D::new(8, 3).padding(Padding::Same))
        .add(BatchNormalization::new())
        .add(Activation::Relu)
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(6, 3).activation(Activation::Silu))
        .add(Dropout::new(0.3))
        .add(GlobalAveragePooling2D::new())
        .add(Dense::new(4).activation(Activation::Softmax))
}

fn convnet_flat() -> Sequential {
    Sequential::new()
        .add(Conv2D::new(5, 3).strides(2).padding(Padding::Same).activation(Activation::Relu))
        .add(AveragePooling2D::new(2))
        .add(Flatten)
        .add(Dense::new(7).activation(Activation::Gelu))
        .add(Dense::new(4))
}

fn resnet() -> Sequential {
    let block = |filters: usize, strides: usize| {
        let body = Sequential::new()
            .add(Conv2D::new(filters, 3).strides(strides).padding(Padding::Same).use_bias(false))
            .add(BatchNormalization::new())
            .add(Activation::Relu)
            .add(Conv2D::new(filters, 3).padding(Padding::Same).use_bias(false))
            .add(BatchNormalization::new());
        let shortcut = Sequential::new().add(Conv2D::new(filters, 1).strides(strides)).add(BatchNormalization::new());
        Residual::new(body).shortcut(shortcut).activation(Activation::Relu)
    };
    Sequential::new()
        .add(Conv2D::new(4, 3).padding(Padding::Same))
        .add(block(4, 1))
        .add(block(8, 2))
        .add(GlobalAveragePooling2D::new())
        .add(Dense::new(3))
}

fn mobilenet() -> Sequential {
    let block = |filters: usize| {
        Sequential::new()
            .add(Conv2D::new(2 * filters, 1).use_bias(false))
            .add(BatchNormalization::new())
            .add(Activation::Relu6)
            .add(DepthwiseConv2D::new(3).padding(Padding::Same).use_bias(false))
            .add(BatchNormalization::new())
            .add(Activation::HardSilu)
            .add(Conv2D::new(filters, 1).use_bias(false))
            .add(BatchNormalization::new())
    };
    Sequential::new()
        .add(Conv2D::new(6, 3).strides(2).padding(Padding::Same))
        .add(Residual::new(block(6)))
        .add(SeparableConv2D::new(8, 3).strides(2).padding(Padding::Same))
        .add(GlobalMaxPooling2D::new())
        .add(Dense::new(3))
}

fn unet() -> Graph {
    let mut graph = Graph::builder();
    let x = graph.input();
    let conv = |filters: usize| Conv2D::new(filters, 3).padding(Padding::Same).activation(Activation::Relu);
    let top = graph.add(conv(4), [x]);
    let below = graph.add(MaxPooling2D::new(2), [top]);
    let below = graph.add(conv(6), [below]);
    let below = graph.add(GroupNormalization::new().groups(2), [below]);
    let up = graph.add(Conv2DTranspose::new(4, 2).strides(2), [below]);
    let both = graph.add(Concatenate::new(), [top, up]);
    let other = graph.add(UpSampling2D::new(2), [below]);
    let all = graph.add(Concatenate::new(), [both, other]);
    let classes = graph.add_named("classes", Conv2D::new(2, 1).activation(Activation::Sigmoid), [all]);
    graph.output(classes)
}

/// Words of which 0 is padding.
fn text(layer: impl Layer) -> Graph {
    let network = Sequential::new().add(Embedding::new(20, 5).mask_zero(true)).add(layer);
    network.add(Dense::new(3).activation(Activation::Softmax)).into()
}

fn transformer() -> Sequential {
    Sequential::new()
        .add(TokenAndPositionEmbedding::new(20, 16, 8).mask_zero(true))
        .add(TransformerEncoder::new(16, 2).activation(Activation::Gelu).dropout(0.1))
        .add(TransformerEncoder::new(16, 4).normalize_first(true))
        .add(GlobalAveragePooling1D::new())
        .add(Dense::new(2))
}

fn translator() -> Graph {
    let mut graph = Graph::builder();
    let (source, target) = (graph.input_named("source"), graph.input_named("target"));
    let words = LayerHandle::new(ReversibleEmbedding::new(11, 8).mask_zero(true));
    let encode = |graph: &mut GraphBuilder, ids: Node| {
        let x = graph.add(&words, [ids]);
        let places = graph.add(SinePositionEncoding::default(), [x]);
        graph.add(Add, [x, places])
    };
    let (source, target) = (encode(&mut graph, source), encode(&mut graph, target));
    let encoded = graph.add(TransformerEncoder::new(10, 2), [source]);
    let decoded = graph.add(TransformerDecoder::new(10, 2), [target, encoded]);
    let logits = graph.add_named("logits", &words, [decoded]);
    graph.output(logits)
}

fn several_inputs() -> Graph {
    let mut graph = Graph::builder();
    let (title, price) = (graph.input_named("title"), graph.input_named("price"));
    let words = graph.add(Embedding::new(30, 8), [title]);
    let words = graph.add(Flatten, [words]);
    let both = graph.add(Concatenate::new(), [words, price]);
    let hidden = graph.add(Dense::new(6).activation(Activation::Relu), [both]);
    let priority = graph.add_named("priority", Dense::new(1).activation(Activation::Sigmoid), [hidden]);
    let department = graph.add_named("department", Dense::new(4).activation(Activation::Softmax), [hidden]);
    graph.outputs([("priority", priority), ("department", department), ("same", department), ("raw", price)])
}
