"""Writes normalize.txt: outputs of normalising layers and gradients by their input and weights, in float64.

torch 2.15.0, whose channels come first; where keras 3.15.1 (on jax 0.10.2) has the layer, its output must be the same up to
the float32 in which it computes there.

    KERAS_BACKEND=jax python normalize.py > normalize.txt

A line is: name; shape of the input; shape of the weights; output; gradients of the sum of the output times a fixed
cotangent by the input, by gamma, by beta. Elements of input, cotangent, gamma and beta are ((7 i + 3 seed) mod 11 - 5) / 4,
with seeds 1 to 4. A line of a batch normalisation in training ends with the next moving mean and variance: Keras's, of the
population's variance. One in prediction has moving means of seed 5, and variances of the squares of seed 6, plus 1.
"""

import numpy as np
import torch
from keras import layers
from torch import nn


def values(shape, seed):
    i = np.arange(np.prod(shape))
    return (((7 * i + 3 * seed) % 11 - 5) / 4).reshape(shape)


def numbers(a):
    return " ".join(repr(float(v)) for v in np.asarray(a).ravel())


def show(name, x, weights, y, of_keras=None, more=()):
    """Differentiates, holds the output against Keras's layer, and prints a line."""
    (y * torch.tensor(values(tuple(y.shape), 2))).sum().backward()
    if of_keras:
        of_keras.build(tuple(x.shape))
        kept = [np.asarray(weight) for weight in of_keras.non_trainable_variables]
        trained = [weight.detach().numpy() for weight in weights][: len(of_keras.trainable_variables)]
        for variable, value in zip(of_keras.trainable_variables, trained):
            variable.assign(value)
        if name.endswith("predicting"):
            channels = weights[0].shape
            for variable, value in zip(of_keras.non_trainable_variables, moving(channels)):
                variable.assign(value)
        if kept:
            found = of_keras(x.detach().numpy(), training=not name.endswith("predicting"))
            for variable, value in zip(of_keras.non_trainable_variables, more):
                assert np.allclose(variable, value, 1e-4, 1e-5), name
        else:
            found = of_keras(x.detach().numpy())
        assert np.allclose(found, y.detach().numpy(), 1e-4, 1e-5), name
    lengths = lambda shape: " ".join(map(str, shape))
    results = [y.detach(), x.grad, *(weight.grad for weight in weights), *more]
    print("; ".join([name, lengths(x.shape), lengths(weights[0].shape), *map(numbers, results)]))


def line(name, shape, layer, of_keras=None, axis=(-1, 1)):
    """The axis counts in two ways: where it is, and where torch wants it."""
    x = torch.tensor(values(shape, 1), requires_grad=True)
    layer = layer.double()
    parameters = list(layer.parameters())
    for seed, parameter in enumerate(parameters, 3):
        parameter.data = torch.tensor(values(tuple(parameter.shape), seed))
    y = torch.movedim(layer(torch.movedim(x, *axis)), *reversed(axis))
    show(name, x, parameters, y, of_keras)


def moving(channels):
    return [values(channels, 5), values(channels, 6) ** 2 + 1]


def batch(name, shape, axis, momentum, epsilon=1e-3):
    of_keras = lambda: layers.BatchNormalization(axis=axis, momentum=momentum, epsilon=epsilon)
    channels = (shape[axis],)
    for training in [True, False]:
        x = torch.tensor(values(shape, 1), requires_grad=True)
        weights = [torch.tensor(values(channels, seed), requires_grad=True) for seed in [3, 4]]
        turned = torch.movedim(x, axis, 1)
        mean, variance = (None, None) if training else map(torch.tensor, moving(channels))
        y = nn.functional.batch_norm(turned, mean, variance, *weights, training, eps=epsilon)
        y = torch.movedim(y, 1, axis)
        if training:
            others = tuple(i for i in range(len(shape)) if i != axis % len(shape))
            found = values(shape, 1)
            take = 1 - momentum
            more = [take * found.mean(others), momentum + take * found.var(others)]
            show(name, x, weights, y, of_keras(), more)
        else:
            show(f"{name}, predicting", x, weights, y, of_keras())


def over(name, shape, axes, epsilon=1e-3):
    """Layer normalisation over these axes, which torch wants last."""
    x = torch.tensor(values(shape, 1), requires_grad=True)
    last = tuple(range(-len(axes), 0))
    lengths = tuple(shape[axis] for axis in axes)
    weights = [torch.tensor(values(lengths, seed), requires_grad=True) for seed in [3, 4]]
    y = nn.functional.layer_norm(torch.movedim(x, axes, last), lengths, *weights, eps=epsilon)
    show(name, x, weights, torch.movedim(y, last, axes), layers.LayerNormalization(axis=list(axes), epsilon=epsilon))


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
over("layer", (4, 3), (1,))
over("layer of three axes", (2, 2, 3), (2,), 0.1)
over("layer, axis 1", (2, 2, 3), (1,))
over("layer, axes 1 and 2", (2, 2, 3), (1, 2))
over("layer, axes 1 and 3", (2, 3, 2, 2), (1, 3))
batch("batch", (4, 3), -1, 0.99)
batch("batch of three axes", (2, 2, 3), -1, 0.9)
batch("batch, axis 1", (2, 3, 2, 2), 1, 0.9, 0.1)
