//! Messages of the layers over spatial axes for wrong shapes and numbers; and pictures whose channels come first.

use gradus_nn::{
    AdaptiveMaxPooling2D, AveragePooling1D, AveragePooling2D, Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose, Conv3D,
    Cropping1D, Cropping2D, DepthwiseConv1D, DepthwiseConv2D, GlobalAveragePooling2D, GlobalMaxPooling1D, Layer,
    MaxPooling1D, MaxPooling2D, MaxPooling3D, Model, Padding, Permute, ReflectionPadding1D, ReflectionPadding2D,
    ReplicationPadding1D, SeparableConv1D, SeparableConv2D, Sequential, UpSampling2D, ZeroPadding2D,
};
use gradus_tensor::{Generator, Tensor};

/// Checks the error of building the layer for samples of this shape.
#[track_caller]
fn refused(layer: impl Layer, input: &[usize], expected: &str) {
    let error = Model::build(Sequential::new().add(layer), input, 0).err().expect("the layer is wrong");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn convolutions() {
    let least = |layer: &str, what: &str| {
        format!("layer 0 ({layer}): {what} must be 1 or more along each axis, found [2, 0]; 1 is the least")
    };
    refused(Conv2D::new(3, [2, 0]), &[4, 4, 3], &least("Conv2D", "kernel_size"));
    refused(DepthwiseConv2D::new([2, 2]).strides([2, 0]), &[4, 4, 3], &least("DepthwiseConv2D", "strides"));
    refused(Conv2DTranspose::new(3, [2, 2]).strides([2, 0]), &[4, 4, 3], &least("Conv2DTranspose", "strides"));
    refused(
        SeparableConv2D::new(3, [2, 2]).dilation_rate([2, 0]),
        &[4, 4, 3],
        &least("SeparableConv2D", "dilation_rate"),
    );
    refused(
        Conv3D::new(3, [2, 2, 2]).padding(Padding::Explicit(vec![(1, 1), (0, 1)])),
        &[4, 4, 4, 3],
        "layer 0 (Conv3D): explicit padding needs 3 pairs (before, after), found [(1, 1), (0, 1)]; \
         give one for each axis between the batch and the channels",
    );
    let filters = |layer: &str| {
        format!("layer 0 ({layer}): needs at least one filter, found 0; give the number of output channels")
    };
    refused(Conv1D::new(0, [2]), &[4, 3], &filters("Conv1D"));
    refused(Conv1DTranspose::new(0, [2]), &[4, 3], &filters("Conv1DTranspose"));
    refused(SeparableConv1D::new(0, [2]), &[4, 3], &filters("SeparableConv1D"));
    let channels = |layer: &str| {
        format!("layer 0 ({layer}): needs at least one input channel, found 0; give it samples that hold some")
    };
    refused(DepthwiseConv1D::new([2]), &[4, 0], &channels("DepthwiseConv1D"));
    refused(SeparableConv1D::new(2, [2]), &[4, 0], &channels("SeparableConv1D"));
    let multiplier = |layer: &str| {
        format!(
            "layer 0 ({layer}): the depth_multiplier must be 1 or more, found 0; \
             it is the number of filters for each channel"
        )
    };
    refused(DepthwiseConv1D::new([2]).depth_multiplier(0), &[4, 3], &multiplier("DepthwiseConv1D"));
    refused(SeparableConv1D::new(2, [2]).depth_multiplier(0), &[4, 3], &multiplier("SeparableConv1D"));
    refused(
        Conv1DTranspose::new(2, [2]).padding(Padding::Causal),
        &[4, 3],
        "layer 0 (Conv1DTranspose): cannot be padded causally; take Padding::Valid, Same or Explicit",
    );
    refused(
        Conv1DTranspose::new(2, [2]).strides([5]).padding(Padding::Same),
        &[0, 3],
        "layer 0 (Conv1DTranspose): there is nothing in samples of shape [0, 3]; give samples without an axis of length 0",
    );
    // By hand: the whole length is (1 - 1) 2 + 2, and the padding takes 2 off.
    refused(
        Conv1DTranspose::new(2, [2]).strides([2]).padding(Padding::Same).output_padding([0]),
        &[1, 3],
        "layer 0 (Conv1DTranspose): padding Same leaves nothing of the output for an input [1]; \
         pad by less, or give a larger input",
    );
    // An input without elements has no windows, whatever the padding.
    let nothing = "layer 0 (Conv1D): there is nothing in samples of shape [0, 3]; \
                   give samples without an axis of length 0";
    for padding in [Padding::Valid, Padding::Same, Padding::Causal, Padding::Explicit(vec![(2, 2)])] {
        refused(Conv1D::new(2, [3]).padding(padding), &[0, 3], nothing);
    }
}

#[test]
fn channels_that_come_first_are_turned() {
    let convolution = || Conv2D::new(3, [2, 3]).padding(Padding::Same);
    let turned = Model::build(Sequential::new().add(Permute::new([2, 3, 1])).add(convolution()), [2, 5, 4], 1).unwrap();
    let mut plain = Model::build(Sequential::new().add(convolution()), [5, 4, 2], 2).unwrap();
    for (plain, turned) in plain.params_mut().iter_mut().zip(turned.params().iter()) {
        plain.value = turned.value.clone();
    }
    let x: Tensor = Generator::new(3).normal([6, 2, 5, 4], 0.0, 1.0);
    let y = turned.predict(&x).unwrap();
    assert_eq!(y.shape(), &[6, 5, 4, 3]);
    assert_eq!(y, plain.predict(x.permute([0, 2, 3, 1])).unwrap());
}

#[test]
fn padding() {
    refused(
        ZeroPadding2D::new([(1, 1), (1, 1)]),
        &[28, 28],
        "layer 0 (ZeroPadding2D): needs samples of shape [height, width, channels], found [28, 28]; add an axis of one \
         channel: Reshape it, or unsqueeze(-1) the data",
    );
    refused(
        ReflectionPadding2D::new([(1, 1), (0, 4)]),
        &[4, 4, 3],
        "layer 0 (ReflectionPadding2D): samples of shape [4, 4, 3] are too small to be continued by [(1, 1), (0, 4)]; \
         pad by less than the length of each axis: the edge itself is not repeated",
    );
    refused(
        ReflectionPadding1D::new([(0, 0)]),
        &[0, 3],
        "layer 0 (ReflectionPadding1D): samples of shape [0, 3] are too small to be continued by [(0, 0)]; \
         pad by less than the length of each axis: the edge itself is not repeated",
    );
    refused(
        ReplicationPadding1D::new([(1, 0)]),
        &[0, 3],
        "layer 0 (ReplicationPadding1D): samples of shape [0, 3] are too small to be continued by [(1, 0)]; \
         give samples that have an edge to repeat",
    );
    refused(
        ZeroPadding2D::new([(usize::MAX, 1), (0, 0)]),
        &[4, 4, 3],
        "layer 0 (ZeroPadding2D): no memory holds samples of shape [4, 4, 3] padded by \
         [(18446744073709551615, 1), (0, 0)]; pad by less",
    );
}

#[test]
fn cropping() {
    refused(
        Cropping2D::new([(1, 1), (2, 3)]),
        &[4, 5, 3],
        "layer 0 (Cropping2D): nothing is left of samples of shape [4, 5, 3] without [(1, 1), (2, 3)]; \
         crop less than there is along each axis",
    );
    refused(
        Cropping1D::new([(0, 0)]),
        &[4],
        "layer 0 (Cropping1D): needs samples of shape [length, channels], found [4]; add an axis of one channel: \
         Reshape it, or unsqueeze(-1) the data",
    );
}

#[test]
fn up_sampling() {
    refused(
        UpSampling2D::new([2, 0]),
        &[4, 4, 3],
        "layer 0 (UpSampling2D): the size must be 1 or more along each axis, found [2, 0]; 1 leaves an axis as it is",
    );
    refused(
        UpSampling2D::new([2, usize::MAX]),
        &[4, 4, 3],
        "layer 0 (UpSampling2D): no memory holds samples of shape [4, 4, 3] enlarged by [2, 18446744073709551615]; \
         enlarge them by less",
    );
    refused(
        UpSampling2D::new([2, 2]),
        &[4, 0, 3],
        "layer 0 (UpSampling2D): there is nothing in samples of shape [4, 0, 3]; give samples without an axis of length 0",
    );
}

#[test]
fn pooling() {
    refused(
        AdaptiveMaxPooling2D::new([0, 1]),
        &[4, 4, 3],
        "layer 0 (AdaptiveMaxPooling2D): output_size must be 1 or more along each axis, found [0, 1]; \
         1 is one window over all",
    );
    refused(
        GlobalMaxPooling1D::new(),
        &[0, 3],
        "layer 0 (GlobalMaxPooling1D): there is nothing in samples of shape [0, 3]; give samples without an axis of length 0",
    );
    refused(
        GlobalAveragePooling2D::new(),
        &[4, 4, 3, 1],
        "layer 0 (GlobalAveragePooling2D): needs samples of shape [height, width, channels], found [4, 4, 3, 1]; \
         reshape the data, or take the layer for another number of axes",
    );
    // As in PyTorch, the output may be larger than the input.
    let model = Model::build(Sequential::new().add(AdaptiveMaxPooling2D::new([5, 1])), [2, 3, 1], 0).unwrap();
    assert_eq!(model.output_shape(), &[5, 1, 1]);
    refused(
        AveragePooling1D::new([0]),
        &[4, 3],
        "layer 0 (AveragePooling1D): pool_size must be 1 or more along each axis, found [0]; 1 is the least",
    );
    refused(
        MaxPooling3D::new([2, 1, 1]).strides([1, 0, 1]),
        &[4, 4, 4, 3],
        "layer 0 (MaxPooling3D): strides must be 1 or more along each axis, found [1, 0, 1]; 1 is the least",
    );
    refused(
        AveragePooling2D::new([3, 2]).padding(Padding::Explicit(vec![(1, 2), (0, 2)])),
        &[4, 4, 3],
        "layer 0 (AveragePooling2D): windows of [3, 2] must reach into their input, found a padding of [(1, 2), (0, 2)]; \
         pad by less than the size of a window",
    );
    refused(
        MaxPooling2D::new([2, 2]).padding(Padding::Explicit(vec![(1, 1)])),
        &[4, 4, 3],
        "layer 0 (MaxPooling2D): explicit padding needs 2 pairs (before, after), found [(1, 1)]; \
         give one for each axis between the batch and the channels",
    );
    refused(
        MaxPooling2D::new([3, 5]).padding(Padding::Explicit(vec![(1, 0), (0, 0)])),
        &[4, 4, 3],
        "layer 0 (MaxPooling2D): windows of [3, 5] do not fit the input [4, 4] (padding [(1, 0), (0, 0)]); \
         make the windows smaller, or pad with Padding::Same",
    );
    for padding in [Padding::Valid, Padding::Same, Padding::Causal, Padding::Explicit(vec![(2, 2)])] {
        refused(
            MaxPooling1D::new([3]).padding(padding),
            &[0, 3],
            "layer 0 (MaxPooling1D): there is nothing in samples of shape [0, 3]; give samples without an axis of length 0",
        );
    }
}

#[test]
fn numbers_from_files() {
    let message = |kind: &str, config: &str| {
        let json = format!(r#"[{{"name": "edge", "layer": "{kind}", "config": {config}}}]"#);
        Sequential::from_json(&json).unwrap_err().to_string()
    };
    assert_eq!(
        message("ZeroPadding2D", r#"{"padding": [[-1, 0], [0, 0]]}"#),
        "from_json: layer edge (ZeroPadding2D): field `padding`: invalid value: integer `-1`, expected usize; \
         compare it with what to_json writes"
    );
    assert_eq!(
        message("Cropping1D", r#"{"cropping": [[1, 2], [3, 4]]}"#),
        "from_json: layer edge (Cropping1D): field `cropping`: invalid length 2, expected an array of length 1; \
         compare it with what to_json writes"
    );
    assert_eq!(
        message("UpSampling1D", r#"{"size": [2], "interpolation": "bicubic"}"#),
        "from_json: layer edge (UpSampling1D): field `interpolation`: unknown variant `bicubic`, expected `nearest` or `linear`; \
         compare it with what to_json writes"
    );
}
