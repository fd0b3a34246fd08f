"""Writes spatial.txt: outputs of layers and gradients by their input, in float64.

keras 3.15.1 on jax 0.10.2; for what Keras has not, torch 2.15.0 (whose channels come first).

    KERAS_BACKEND=jax python spatial.py > spatial.txt

A line is: name; shape of the input; shape of the output; output; gradient by the input of the sum of the output times a
fixed cotangent. Elements of input and cotangent are ((7 i + 3 seed) mod 11 - 5) / 4, with seeds 1 and 2.
"""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import torch
from keras import layers

jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")


def values(shape, seed):
    i = np.arange(np.prod(shape))
    return (((7 * i + 3 * seed) % 11 - 5) / 4).reshape(shape)


def line(name, x, y, dx):
    numbers = lambda a: " ".join(repr(float(v)) for v in np.asarray(a).ravel())
    shape = lambda a: " ".join(map(str, a.shape))
    print("; ".join([name, shape(x), shape(y), numbers(y), numbers(dx)]))


def of_keras(name, layer, shape):
    x = values(shape, 1)
    y = layer(x)
    cotangent = values(y.shape, 2)
    line(name, x, y, jax.grad(lambda x: jnp.sum(layer(x) * cotangent))(x))


def of_torch(name, layer, shape):
    x = values(shape, 1)
    first = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    y = torch.movedim(layer(first), 1, -1)
    (y * torch.tensor(values(tuple(y.shape), 2))).sum().backward()
    line(name, x, y.detach(), torch.movedim(first.grad, 1, -1))


of_keras("zeros 1", layers.ZeroPadding1D((2, 1)), (2, 3, 2))
of_keras("zeros 2", layers.ZeroPadding2D(((1, 0), (0, 2))), (1, 2, 3, 2))
of_keras("zeros 3", layers.ZeroPadding3D(((1, 0), (0, 1), (0, 2))), (1, 2, 1, 2, 1))
# torch names the last axis first.
of_torch("reflection 1", torch.nn.ReflectionPad1d((3, 1)), (2, 4, 2))
of_torch("reflection 2", torch.nn.ReflectionPad2d((2, 1, 1, 0)), (1, 2, 3, 2))
of_torch("reflection 3", torch.nn.ReflectionPad3d((1, 0, 0, 1, 1, 1)), (1, 2, 2, 2, 1))
of_torch("replication 1", torch.nn.ReplicationPad1d((3, 1)), (2, 2, 2))
of_torch("replication 2", torch.nn.ReplicationPad2d((2, 1, 1, 0)), (1, 2, 2, 2))
of_torch("replication 3", torch.nn.ReplicationPad3d((1, 0, 0, 1, 2, 1)), (1, 2, 2, 1, 1))
of_keras("cropping 1", layers.Cropping1D((1, 2)), (2, 5, 2))
of_keras("cropping 2", layers.Cropping2D(((1, 0), (0, 2))), (1, 3, 4, 2))
of_keras("cropping 3", layers.Cropping3D(((0, 1), (1, 0), (1, 1))), (1, 2, 2, 4, 2))
of_keras("nearest 1", layers.UpSampling1D(3), (2, 3, 2))
of_keras("nearest 2", layers.UpSampling2D((2, 3)), (1, 3, 2, 2))
of_keras("nearest 3", layers.UpSampling3D((2, 1, 3)), (1, 2, 2, 2, 1))
of_keras("linear 2", layers.UpSampling2D((2, 3), interpolation="bilinear"), (1, 3, 2, 2))
of_keras("resizing", layers.Resizing(5, 2), (1, 3, 4, 2))
of_keras("resizing nearest", layers.Resizing(2, 7, interpolation="nearest"), (1, 3, 4, 2))
of_keras("resizing with proportions", layers.Resizing(4, 4, crop_to_aspect_ratio=True), (1, 3, 6, 2))
of_keras("resizing with edges above", layers.Resizing(4, 4, pad_to_aspect_ratio=True, fill_value=0.25), (1, 3, 6, 2))
of_keras("resizing with edges beside", layers.Resizing(3, 5, pad_to_aspect_ratio=True, interpolation="nearest"), (1, 6, 3, 2))
of_keras("center crop", layers.CenterCrop(2, 3), (1, 5, 4, 2))
of_keras("center crop of less", layers.CenterCrop(4, 3), (1, 3, 5, 2))
of_torch("linear 1", torch.nn.Upsample(scale_factor=4, mode="linear"), (2, 3, 2))
of_torch("linear 3", torch.nn.Upsample(scale_factor=(2, 3, 1), mode="trilinear"), (1, 2, 2, 3, 1))
of_keras("global max 1", layers.GlobalMaxPooling1D(), (2, 5, 2))
# More than eleven places: some are equal, and share the gradient.
of_keras("global max 2", layers.GlobalMaxPooling2D(keepdims=True), (2, 5, 4, 2))
of_keras("global max 3", layers.GlobalMaxPooling3D(), (1, 2, 3, 2, 2))
# Keras rounds these to float32 on jax.
of_torch("global mean 1", torch.nn.AdaptiveAvgPool1d(1), (2, 5, 2))
of_torch("global mean 2", torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()), (2, 5, 4, 2))
of_torch("global mean 3", torch.nn.AdaptiveAvgPool3d(1), (1, 2, 3, 2, 2))
of_keras("adaptive max 1", layers.AdaptiveMaxPooling1D(3), (2, 5, 2))
of_keras("adaptive max 2", layers.AdaptiveMaxPooling2D((3, 5)), (1, 7, 4, 2))
of_keras("adaptive max 3", layers.AdaptiveMaxPooling3D((2, 3, 1)), (1, 3, 2, 2, 1))
of_keras("adaptive mean 1", layers.AdaptiveAveragePooling1D(3), (2, 5, 2))
of_keras("adaptive mean 2", layers.AdaptiveAveragePooling2D((3, 5)), (1, 7, 4, 2))
of_keras("adaptive mean 3", layers.AdaptiveAveragePooling3D((2, 3, 1)), (1, 3, 2, 2, 1))
