"""Writes windows.txt: outputs of convolutions and poolings, in float64.

keras 3.15.1 on jax 0.10.2, and on TensorFlow 2.21.0 where a convolution is transposed and its padding uneven:

    python windows.py jax > windows.txt
    python windows.py tensorflow >> windows.txt

A line is: name; shape of the input; shape of the output; output. Elements of the input are ((7 i + 3) mod 11 - 5) / 4, those
of each weight ((7 i + 6) mod 11 - 5) / 4. Without an activation the numbers are multiples of a power of two, but for means of
three and six.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = sys.argv[1]
if sys.argv[1] == "jax":
    import jax

    jax.config.update("jax_enable_x64", True)
import keras
import numpy as np

keras.backend.set_floatx("float64")


def values(shape, seed):
    """((7 i + 3 seed) mod 11 - 5) / 4 for the i-th element."""
    return (((np.arange(int(np.prod(shape))) * 7 + seed * 3) % 11) - 5.0).reshape(shape) / 4


def chain(*parts):
    return keras.Sequential(parts)


def padded(widths, value):
    """Pictures with a value around them."""
    pad = lambda x: keras.ops.pad(x, ((0, 0), *widths, (0, 0)), constant_values=value)
    return layers.Lambda(pad)


layers = keras.layers
plain = {"use_bias": False}
CASES = {
    "conv2d same": (layers.Conv2D(2, (3, 2), strides=(2, 2), padding="same", **plain), (1, 5, 4, 2)),
    "conv2d dilated, groups": (layers.Conv2D(4, (2, 2), dilation_rate=(2, 1), groups=2, **plain), (1, 4, 3, 4)),
    "conv1d causal": (layers.Conv1D(2, 3, padding="causal", dilation_rate=2, **plain), (1, 6, 1)),
    "conv3d same": (layers.Conv3D(1, (2, 2, 2), strides=(1, 2, 1), padding="same", **plain), (1, 2, 3, 2, 1)),
    "max same": (layers.MaxPooling2D((3, 2), strides=(2, 2), padding="same"), (1, 5, 5, 1)),
    "average same": (layers.AveragePooling2D((3, 2), strides=(2, 2), padding="same"), (1, 5, 5, 1)),
    "average valid": (layers.AveragePooling1D(2, strides=3), (1, 8, 1)),
    "transpose valid": (layers.Conv1DTranspose(2, 3, strides=2, **plain), (1, 3, 2)),
    "transpose valid, kernel < stride": (layers.Conv1DTranspose(1, 2, strides=3, **plain), (1, 3, 1)),
    "transpose same": (layers.Conv2DTranspose(1, (3, 4), strides=(2, 3), padding="same", **plain), (1, 2, 2, 2)),
    "transpose dilated": (layers.Conv1DTranspose(1, 3, dilation_rate=2, **plain), (1, 4, 1)),
    "transpose same, output_padding": (
        layers.Conv1DTranspose(1, 3, strides=2, padding="same", output_padding=1, **plain),
        (1, 3, 1),
    ),
    "depthwise": (
        layers.DepthwiseConv2D((3, 2), strides=(2, 2), padding="same", depth_multiplier=2, **plain),
        (1, 5, 4, 2),
    ),
    "depthwise dilated": (layers.DepthwiseConv1D(2, dilation_rate=2, **plain), (1, 4, 3)),
    "separable": (layers.SeparableConv2D(2, (2, 2), depth_multiplier=2, **plain), (1, 3, 3, 2)),
    "separable 1": (layers.SeparableConv1D(2, 3, strides=2, padding="same", **plain), (1, 6, 2)),
    # Explicit padding is zeros before the layer, or a part of its output cut off.
    "conv2d explicit": (
        chain(layers.ZeroPadding2D(((0, 2), (1, 0))), layers.Conv2D(1, (3, 2), strides=(2, 1), **plain)),
        (1, 4, 3, 2),
    ),
    "transpose explicit": (
        chain(layers.Conv2DTranspose(1, (3, 4), strides=(2, 1), **plain), layers.Cropping2D(((0, 1), (2, 1)))),
        (1, 2, 3, 2),
    ),
    "max explicit": (chain(padded(((2, 0), (0, 1)), -np.inf), layers.MaxPooling2D((3, 2), strides=(2, 2))), (1, 4, 4, 1)),
    # The mean is the sum by the number of elements that there are.
    "average explicit": (
        lambda x: (mean := chain(padded(((2, 0), (0, 1)), 0.0), layers.AveragePooling2D((3, 2), strides=(2, 2))))(x)
        / mean(np.ones_like(x)),
        (1, 4, 4, 1),
    ),
    "conv2d strided, groups": (
        layers.Conv2D(4, (2, 3), strides=(2, 1), groups=2, padding="same", **plain),
        (1, 3, 3, 4),
    ),
    "conv2d bias, relu": (layers.Conv2D(3, (2, 2), activation="relu"), (1, 3, 3, 1)),
    "conv1d bias, silu": (layers.Conv1D(2, 2, activation="silu"), (1, 4, 2)),
    "transpose bias, relu": (layers.Conv1DTranspose(2, 2, strides=2, activation="relu"), (1, 2, 2)),
    "depthwise bias, sigmoid": (layers.DepthwiseConv2D((2, 2), activation="sigmoid"), (1, 3, 2, 2)),
    "separable bias, relu": (layers.SeparableConv2D(3, (2, 2), activation="relu"), (1, 3, 3, 2)),
    "transpose 3": (
        layers.Conv3DTranspose(1, (2, 3, 2), strides=(2, 1, 1), padding="same", **plain),
        (1, 2, 2, 2, 2),
    ),
    "max 1": (layers.MaxPooling1D(3, strides=2, padding="same"), (1, 6, 2)),
    "max 3": (layers.MaxPooling3D((2, 3, 2), strides=(1, 2, 2)), (1, 3, 4, 4, 1)),
    "average 3": (layers.AveragePooling3D((2, 2, 1), strides=(1, 2, 1), padding="same"), (1, 2, 3, 2, 1)),
}

OF_TENSORFLOW = ["transpose same", "transpose 3"]

for name, (layer, shape) in CASES.items():
    if (name in OF_TENSORFLOW) != (sys.argv[1] == "tensorflow"):
        continue
    if hasattr(layer, "build"):
        layer.build(shape)
    if getattr(layer, "weights", None):
        layer.set_weights([values(weight.shape, 2) for weight in layer.weights])
    y = np.asarray(layer(values(shape, 1)))
    lengths = lambda shape: " ".join(map(str, shape))
    print("; ".join([name, lengths(shape), lengths(y.shape), " ".join(repr(float(v)) for v in y.ravel())]))
