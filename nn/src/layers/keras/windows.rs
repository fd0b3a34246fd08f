//! Convolutions and poolings against keras 3.15.1 in float64: strided, dilated, grouped, and padded on one side more than
//! on the other. `windows.py` beside this file has printed the numbers, on TensorFlow 2.21.0 where a convolution is
//! transposed and its padding uneven, else on jax 0.10.2. Without an activation they are multiples of a power of two, but
//! for means of three and six.

use gradus_tensor::{Shape, Tensor};

use super::model;
use crate::{
    Activation, AveragePooling1D, AveragePooling2D, AveragePooling3D, Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose,
    Conv3D, Conv3DTranspose, DepthwiseConv1D, DepthwiseConv2D, Layer, MaxPooling1D, MaxPooling2D, MaxPooling3D,
    Padding, SeparableConv1D, SeparableConv2D,
};

/// `((7 i + 3 seed) mod 11 - 5) / 4` for the i-th element.
pub(super) fn values(shape: impl Into<Shape>, seed: usize) -> Tensor<f64> {
    let shape = shape.into();
    let value = |i: usize| ((7 * i + 3 * seed) % 11) as f64 / 4.0 - 1.25;
    (0..shape.size()).map(value).collect::<Tensor<f64>>().reshape(shape)
}

#[track_caller]
fn check<const N: usize>(layer: impl Layer, input: impl Into<Shape>, output: [usize; N], expected: &[f64]) {
    let x = values(input, 1);
    let mut model = model(layer, x.clone());
    for param in model.params_mut().iter_mut() {
        param.value = values(param.value.shape().clone(), 2);
    }
    let y = model.predict(&x).unwrap();
    assert_eq!(y.shape(), &output);
    assert!(y.flatten().allclose(&Tensor::from_vec(expected.to_vec(), [expected.len()]).unwrap(), 1e-14, 0.0), "{y:?}");
}

#[test]
fn convolutions() {
    check(
        Conv2D::new(2, [3, 2]).strides([2, 2]).padding(Padding::Same).use_bias(false),
        [1, 5, 4, 2],
        [1, 3, 2, 2],
        &[2.125, 2.0, 2.5, -4.125, -2.875, 2.75, -0.4375, -2.5, -3.0, 1.1875, 1.9375, 3.75],
    );
    check(
        Conv2D::new(4, [2, 2]).dilation_rate([2, 1]).groups(2).use_bias(false),
        [1, 4, 3, 4],
        [1, 2, 2, 4],
        &[
            -1.5, -1.125, -2.4375, 0.875, 0.5625, -0.0625, -1.6875, 1.3125, 0.5625, 0.0, 1.1875, -1.25, -0.125,
            -1.6875, 1.25, -1.5,
        ],
    );
    check(
        Conv1D::new(2, [3]).padding(Padding::Causal).dilation_rate([2]).use_bias(false),
        [1, 6, 1],
        [1, 6, 2],
        &[0.5, -0.375, -1.25, 0.9375, -0.75, 0.1875, 2.0, -0.5625, -0.875, 1.125, -0.4375, -0.9375],
    );
    check(
        Conv3D::new(1, [2, 2, 2]).strides([1, 2, 1]).padding(Padding::Same).use_bias(false),
        [1, 2, 3, 2, 1],
        [1, 2, 2, 2, 1],
        &[2.375, -0.875, -0.625, 0.5, -1.0625, -1.0625, 0.5, -0.125],
    );
    check(
        Conv2D::new(4, [2, 3]).strides([2, 1]).groups(2).padding(Padding::Same).use_bias(false),
        [1, 3, 3, 4],
        [1, 2, 3, 4],
        &[
            0.875, 2.0625, 2.4375, -0.3125, 2.4375, -1.0, 0.4375, -0.3125, -0.25, -1.4375, -0.125, -0.4375, -0.4375,
            0.3125, 1.25, 1.0625, 0.375, -0.25, -0.8125, 1.625, -0.375, 0.5625, 1.625, 1.625,
        ],
    );
}

#[test]
fn explicit_padding() {
    // In Keras zeros before the layer, what is cut off behind it, or a mean over what is there.
    check(
        Conv2D::new(1, [3, 2]).strides([2, 1]).padding(Padding::Explicit(vec![(0, 2), (1, 0)])).use_bias(false),
        [1, 4, 3, 2],
        [1, 2, 3, 1],
        &[0.4375, 2.1875, 0.3125, 1.375, -1.875, -0.75],
    );
    check(
        Conv2DTranspose::new(1, [3, 4])
            .strides([2, 1])
            .padding(Padding::Explicit(vec![(0, 1), (2, 1)]))
            .use_bias(false),
        [1, 2, 3, 2],
        [1, 4, 3, 1],
        &[1.9375, -1.25, -0.125, 2.25, -0.9375, 0.0, 3.6875, -4.25, 0.875, 1.375, -1.3125, 0.375],
    );
    let widths = || Padding::Explicit(vec![(2, 0), (0, 1)]);
    check(
        MaxPooling2D::new([3, 2]).strides([2, 2]).padding(widths()),
        [1, 4, 4, 1],
        [1, 2, 2, 1],
        &[1.25, 0.25, 1.25, 0.75],
    );
    check(
        AveragePooling2D::new([3, 2]).strides([2, 2]).padding(widths()),
        [1, 4, 4, 1],
        [1, 2, 2, 1],
        &[0.375, -0.25, 0.041666666666666664, -0.125],
    );
}

#[test]
fn biases_and_activations() {
    check(
        Conv2D::new(3, [2, 2]).activation(Activation::Relu),
        [1, 3, 3, 1],
        [1, 2, 2, 3],
        &[0.0, 0.5625, 1.3125, 0.3125, 0.0, 2.9375, 0.0, 1.0, 0.6875, 0.4375, 0.0, 2.3125],
    );
    check(
        Conv1D::new(2, [2]).activation(Activation::Silu),
        [1, 4, 2],
        [1, 3, 2],
        &[
            1.0341596942812994,
            0.5093840243815447,
            -0.2759033805179029,
            -0.0849865965028849,
            1.0341596942812994,
            -0.12634879963434192,
        ],
    );
    check(
        Conv1DTranspose::new(2, [2]).strides([2]).activation(Activation::Relu),
        [1, 2, 2],
        [1, 4, 2],
        &[0.0, 0.0, 1.6875, 0.0, 0.875, 0.0, 0.0, 0.125],
    );
    check(
        DepthwiseConv2D::new([2, 2]).activation(Activation::Sigmoid),
        [1, 3, 2, 2],
        [1, 2, 1, 2],
        &[0.40733340004593027, 0.0675466911396291, 0.40733340004593027, 0.25683199138751883],
    );
    check(
        SeparableConv2D::new(3, [2, 2]).activation(Activation::Relu),
        [1, 3, 3, 2],
        [1, 2, 2, 3],
        &[0.546875, 0.0, 3.078125, 0.546875, 0.0, 2.375, 0.0, 2.046875, 0.0, 0.546875, 0.0, 4.390625],
    );
}

#[test]
fn transposed_convolutions() {
    check(
        Conv1DTranspose::new(2, [3]).strides([2]).use_bias(false),
        [1, 3, 2],
        [1, 7, 2],
        &[-1.0625, -0.5, 1.4375, -1.4375, -0.25, -0.0625, -0.8125, 0.875, 0.75, 1.125, -1.0, -0.25, 0.5, 1.25],
    );
    check(
        Conv1DTranspose::new(1, [2]).strides([3]).use_bias(false),
        [1, 3, 1],
        [1, 9, 1],
        &[-0.125, 0.375, 0.0, 0.3125, -0.9375, 0.0, 0.0625, -0.1875, 0.0],
    );
    check(
        Conv2DTranspose::new(1, [3, 4]).strides([2, 3]).padding(Padding::Same).use_bias(false),
        [1, 2, 2, 2],
        [1, 4, 6, 1],
        &[
            -1.0625, -0.5, 1.4375, -0.8125, 0.25, -0.8125, -0.875, -0.3125, 1.625, -0.75, 0.125, -0.9375, -0.4375,
            2.25, 0.8125, -1.75, -1.6875, 0.5, 0.5, 1.25, -0.75, -0.875, -1.0625, 1.5,
        ],
    );
    check(
        Conv1DTranspose::new(1, [3]).dilation_rate([2]).use_bias(false),
        [1, 4, 1],
        [1, 8, 1],
        &[-0.125, 0.3125, 0.4375, -1.125, -0.6875, 1.8125, 0.25, -0.75],
    );
    check(
        Conv1DTranspose::new(1, [3]).strides([2]).padding(Padding::Same).output_padding([1]).use_bias(false),
        [1, 3, 1],
        [1, 6, 1],
        &[-0.125, 0.375, -0.1875, -0.9375, 1.3125, -0.1875],
    );
    check(
        Conv3DTranspose::new(1, [2, 3, 2]).strides([2, 1, 1]).padding(Padding::Same).use_bias(false),
        [1, 2, 2, 2, 2],
        [1, 4, 2, 2, 1],
        &[
            1.6875, -2.0625, -1.875, 1.5, -1.4375, 3.125, 2.5625, -4.3125, -0.5625, 1.0625, -0.5625, 0.75, -0.5625,
            1.5, -0.5625, -2.25,
        ],
    );
}

#[test]
fn convolutions_of_single_channels() {
    check(
        DepthwiseConv2D::new([3, 2]).strides([2, 2]).padding(Padding::Same).depth_multiplier(2).use_bias(false),
        [1, 5, 4, 2],
        [1, 3, 2, 4],
        &[
            -0.875, 1.1875, 3.0, 0.8125, 2.5625, -2.75, -0.0625, -1.375, -1.4375, 2.5, -1.4375, 0.25, 0.1875, -1.4375,
            -0.625, -1.0625, -1.625, 1.5625, -1.375, -0.375, -0.375, 0.9375, 2.3125, 2.8125,
        ],
    );
    check(
        DepthwiseConv1D::new([2]).dilation_rate([2]).use_bias(false),
        [1, 4, 3],
        [1, 2, 3],
        &[-0.125, -1.6875, 0.0625, -0.1875, -1.25, -0.375],
    );
    check(
        SeparableConv2D::new(2, [2, 2]).depth_multiplier(2).use_bias(false),
        [1, 3, 3, 2],
        [1, 2, 2, 2],
        &[-2.328125, -0.671875, 3.09375, -0.890625, -2.046875, -0.640625, 0.109375, -1.546875],
    );
    check(
        SeparableConv1D::new(2, [3]).strides([2]).padding(Padding::Same).use_bias(false),
        [1, 6, 2],
        [1, 3, 2],
        &[-1.15625, 0.65625, -1.0625, 0.375, 1.046875, -0.328125],
    );
}

#[test]
fn poolings() {
    check(
        MaxPooling2D::new([3, 2]).strides([2, 2]).padding(Padding::Same),
        [1, 5, 5, 1],
        [1, 3, 3, 1],
        &[1.25, 0.75, 1.0, 1.0, 1.25, -0.25, 1.0, 1.25, 0.25],
    );
    check(
        AveragePooling2D::new([3, 2]).strides([2, 2]).padding(Padding::Same),
        [1, 5, 5, 1],
        [1, 3, 3, 1],
        &[-0.0625, 0.0, -0.125, 0.0, 0.2916666666666667, -0.75, 0.0625, 0.125, 0.0],
    );
    check(AveragePooling1D::new([2]).strides([3]), [1, 8, 1], [1, 3, 1], &[0.375, 0.125, -0.125]);
    check(
        MaxPooling1D::new([3]).strides([2]).padding(Padding::Same),
        [1, 6, 2],
        [1, 3, 2],
        &[1.0, 1.25, 1.0, 0.75, 0.5, -0.5],
    );
    check(MaxPooling3D::new([2, 3, 2]).strides([1, 2, 2]), [1, 3, 4, 4, 1], [1, 2, 1, 2, 1], &[1.25, 1.25, 1.0, 1.25]);
    check(
        AveragePooling3D::new([2, 2, 1]).strides([1, 2, 1]).padding(Padding::Same),
        [1, 2, 3, 2, 1],
        [1, 2, 2, 2, 1],
        &[-0.375, 0.0, 0.75, -0.25, -0.625, -0.25, 0.5, -0.5],
    );
}
