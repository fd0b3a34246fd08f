//! Convolutions and poolings against Keras: strided, dilated, grouped, and padded on one side more than on the other.

use gradus_nn::*;

use crate::{Alone, close, lines, values};

/// The layer that a line of windows.txt is named for.
fn layer(name: &str) -> Sequential {
    let network = Sequential::new();
    match name {
        "conv2d same" => network.add(Conv2D::new(2, [3, 2]).strides([2, 2]).padding(Padding::Same).use_bias(false)),
        "conv2d dilated, groups" => network.add(Conv2D::new(4, [2, 2]).dilation_rate([2, 1]).groups(2).use_bias(false)),
        "conv1d causal" => network.add(Conv1D::new(2, [3]).padding(Padding::Causal).dilation_rate([2]).use_bias(false)),
        "conv3d same" => {
            network.add(Conv3D::new(1, [2, 2, 2]).strides([1, 2, 1]).padding(Padding::Same).use_bias(false))
        }
        "max same" => network.add(MaxPooling2D::new([3, 2]).strides([2, 2]).padding(Padding::Same)),
        "average same" => network.add(AveragePooling2D::new([3, 2]).strides([2, 2]).padding(Padding::Same)),
        "average valid" => network.add(AveragePooling1D::new([2]).strides([3])),
        "transpose valid" => network.add(Conv1DTranspose::new(2, [3]).strides([2]).use_bias(false)),
        "transpose valid, kernel < stride" => network.add(Conv1DTranspose::new(1, [2]).strides([3]).use_bias(false)),
        "transpose dilated" => network.add(Conv1DTranspose::new(1, [3]).dilation_rate([2]).use_bias(false)),
        "transpose same, output_padding" => network
            .add(Conv1DTranspose::new(1, [3]).strides([2]).padding(Padding::Same).output_padding([1]).use_bias(false)),
        "depthwise" => network.add(
            DepthwiseConv2D::new([3, 2]).strides([2, 2]).padding(Padding::Same).depth_multiplier(2).use_bias(false),
        ),
        "depthwise dilated" => network.add(DepthwiseConv1D::new([2]).dilation_rate([2]).use_bias(false)),
        "separable" => network.add(SeparableConv2D::new(2, [2, 2]).depth_multiplier(2).use_bias(false)),
        "separable 1" => network.add(SeparableConv1D::new(2, [3]).strides([2]).padding(Padding::Same).use_bias(false)),
        "conv2d explicit" => network.add(
            Conv2D::new(1, [3, 2]).strides([2, 1]).padding(Padding::Explicit(vec![(0, 2), (1, 0)])).use_bias(false),
        ),
        "transpose explicit" => network.add(
            Conv2DTranspose::new(1, [3, 4])
                .strides([2, 1])
                .padding(Padding::Explicit(vec![(0, 1), (2, 1)]))
                .use_bias(false),
        ),
        "max explicit" => {
            network.add(MaxPooling2D::new([3, 2]).strides([2, 2]).padding(Padding::Explicit(vec![(2, 0), (0, 1)])))
        }
        "average explicit" => {
            network.add(AveragePooling2D::new([3, 2]).strides([2, 2]).padding(Padding::Explicit(vec![(2, 0), (0, 1)])))
        }
        "conv2d strided, groups" => {
            network.add(Conv2D::new(4, [2, 3]).strides([2, 1]).groups(2).padding(Padding::Same).use_bias(false))
        }
        "conv2d bias, relu" => network.add(Conv2D::new(3, [2, 2]).activation(Activation::Relu)),
        "conv1d bias, silu" => network.add(Conv1D::new(2, [2]).activation(Activation::Silu)),
        "transpose bias, relu" => network.add(Conv1DTranspose::new(2, [2]).strides([2]).activation(Activation::Relu)),
        "depthwise bias, sigmoid" => network.add(DepthwiseConv2D::new([2, 2]).activation(Activation::Sigmoid)),
        "separable bias, relu" => network.add(SeparableConv2D::new(3, [2, 2]).activation(Activation::Relu)),
        "max 1" => network.add(MaxPooling1D::new([3]).strides([2]).padding(Padding::Same)),
        "max 3" => network.add(MaxPooling3D::new([2, 3, 2]).strides([1, 2, 2])),
        "average 3" => network.add(AveragePooling3D::new([2, 2, 1]).strides([1, 2, 1]).padding(Padding::Same)),
        "transpose same" => {
            network.add(Conv2DTranspose::new(1, [3, 4]).strides([2, 3]).padding(Padding::Same).use_bias(false))
        }
        "transpose 3" => {
            network.add(Conv3DTranspose::new(1, [2, 3, 2]).strides([2, 1, 1]).padding(Padding::Same).use_bias(false))
        }
        name => panic!("no layer is named {name:?}"),
    }
}

#[test]
fn convolutions_and_poolings() {
    let lines = lines(include_str!("../reference/windows.txt"));
    assert_eq!(lines.len(), 30);
    for line in lines {
        let mut alone = Alone::new(layer(line.name), &values(&line.input, 1));
        for param in alone.model.params_mut().iter_mut().filter(|param| param.name.starts_with("layer")) {
            param.value = values(param.value.shape(), 2);
        }
        let found = alone.train(&values(&line.other, 2));
        assert_eq!(*found[0].shape(), line.other, "{}", line.name);
        close(line.name, &found[..1], &line.numbers);
    }
}
