"""Writes normalize.txt: outputs of normalising layers and gradients by their input and weights, in float64.

torch 2.15.0, whose channels come first; where keras 3.15.1 (on jax 0.10.2) has the layer, its output must be the same up to
the float32 in which it computes there.

    KERAS_BACKEND=jax python normalize.py > normalize.txt

A line is: name; shape of the input; shape of the weights; output; gradients of the sum of the output times a fixed
cotangent by the input, by gamma, by beta. Elements of input, cotangent, gamma and beta are ((7 i + 3 seed) mod 11 - 5) / 4,
with seeds 1 to 4.
"""

import numpy as np
import torch
from keras import layers
from torch import nn


def values(shape, seed):
    i = np.arange(np.prod(shape))
    return (((7 * i + 3 * seed) % 11 - 5) / 4).reshape(shape)


def line(name, shape, layer, of_keras=None, axis=(-1, 1)):
    """The axis counts in two ways: where it is, and where torch wants it."""
    x = torch.tensor(values(shape, 1), requires_grad=True)
    layer = layer.double()
    parameters = list(layer.parameters())
    for seed, parameter in enumerate(parameters, 3):
        parameter.data = torch.tensor(values(tuple(parameter.shape), seed))
    y = torch.movedim(layer(torch.movedim(x, *axis)), *reversed(axis))
    (y * torch.tensor(values(shape, 2))).sum().backward()
    if of_keras:
        of_keras.build(shape)
        of_keras.set_weights([parameter.detach().numpy() for parameter in parameters][: len(of_keras.weights)])
        assert np.allclose(of_keras(values(shape, 1)), y.detach().numpy(), 1e-4, 1e-5), name
    numbers = lambda a: " ".join(repr(float(v)) for v in a.detach().numpy().ravel())
    lengths = lambda shape: " ".join(map(str, shape))
    results = [y, x.grad, *(parameter.grad for parameter in parameters)]
    print("; ".join([name, lengths(shape), lengths(parameters[0].shape), *map(numbers, results)]))


line("groups 2", (2, 3, 2, 4), nn.GroupNorm(2, 4, eps=1e-3), layers.GroupNormalization(groups=2))
by_axis = layers.GroupNormalization(groups=3, axis=1, epsilon=0.1)
line("groups 3, axis 1", (2, 6, 3), nn.GroupNorm(3, 6, eps=0.1), by_axis, axis=(1, 1))
line("groups -1", (2, 4, 3), nn.GroupNorm(3, 3, eps=1e-3), layers.GroupNormalization(groups=-1))
line("groups of vectors", (3, 6), nn.GroupNorm(2, 6, eps=1e-3), layers.GroupNormalization(groups=2))
line("instance", (2, 3, 2, 3), nn.InstanceNorm2d(3, eps=1e-3, affine=True))
line("instance 1", (2, 5, 2), nn.InstanceNorm1d(2, eps=0.1, affine=True))
line("rms", (2, 3, 4), nn.RMSNorm(4, eps=1e-6), layers.RMSNormalization(), axis=(-1, -1))
# Keras scales the last axis, whichever it normalises.
line("rms, axis 1", (2, 3, 4), nn.RMSNorm(3, eps=0.1), axis=(1, -1))
line("rms, axes 1 and 2", (2, 3, 4), nn.RMSNorm([3, 4], eps=1e-6), layers.RMSNormalization(axis=[1, 2]), axis=(1, 1))
