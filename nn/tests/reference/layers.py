"""Writes layers.txt: outputs of layers and gradients by their input and weights, in float64.

keras 3.15.1 on jax 0.10.2:

    python layers.py > layers.txt

A line is: name; shape of the input; shape of the output; output; gradients of the sum of the output times a fixed cotangent
by the input (none for ids), and by each weight. Elements of input, cotangent and weights are
((7 i + 3 seed) mod 11 - 5) / 4, with seeds 1, 2, and 3 and on; those of the input are 1/8 more, so that none is 0. Ids are
i mod 5.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"
import jax

jax.config.update("jax_enable_x64", True)
import keras
import numpy as np

keras.backend.set_floatx("float64")


def values(shape, seed):
    i = np.arange(int(np.prod(shape)))
    return (((7 * i + 3 * seed) % 11 - 5) / 4).reshape(shape)


def line(name, layer, x, of_input=True, **how):
    if not layer.built:
        layer.build(x.shape)
    weights = [values(weight.shape, seed) for seed, weight in enumerate(layer.trainable_variables, 3)]
    fixed = layer.non_trainable_variables
    compute = lambda weights, x: layer.stateless_call(weights, fixed, x, **how)[0]
    y = compute(weights, x)
    loss = lambda weights, x: (compute(weights, x) * values(y.shape, 2)).sum()
    grads = [jax.grad(loss, 1)(weights, x)] if of_input else []
    grads += jax.grad(loss, 0)(weights, x)
    lengths = lambda shape: " ".join(map(str, shape))
    numbers = lambda a: " ".join(repr(float(v)) for v in np.asarray(a, "float64").ravel())
    print("; ".join([name, lengths(x.shape), lengths(y.shape), numbers(y), *map(numbers, grads)]))


# Keras's own tanh computes in float32.
for name, activation in [("linear", None), ("relu", "relu"), ("tanh", jax.numpy.tanh), ("softmax", "softmax")]:
    line(f"dense {name}", keras.layers.Dense(2, activation=activation), values((4, 3), 1) + 1 / 8)
line("dense without bias", keras.layers.Dense(3, use_bias=False), values((2, 2, 3), 1) + 1 / 8)
line("embedding", keras.layers.Embedding(5, 3), np.arange(6).reshape(2, 3) % 5, of_input=False)
reversible = keras.layers.ReversibleEmbedding(5, 3)
line("reversible embedding, in reverse", reversible, values((2, 2, 3), 1) + 1 / 8, reverse=True)
line("elu", keras.layers.ELU(alpha=0.5), values((2, 4), 1) + 1 / 8)
line("leaky relu", keras.layers.LeakyReLU(), values((2, 4), 1) + 1 / 8)
line("prelu", keras.layers.PReLU(), values((2, 3, 2), 1) + 1 / 8)
line("prelu, shared axes", keras.layers.PReLU(shared_axes=[1]), values((2, 3, 2), 1) + 1 / 8)
line("relu, options", keras.layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.25), values((2, 6), 1) + 1 / 8)
line("softmax, axis 1", keras.layers.Softmax(axis=1), values((2, 3, 2), 1) + 1 / 8)
line("unit normalization", keras.layers.UnitNormalization(), values((2, 3, 4), 1) + 1 / 8)
line("unit normalization, axis 1", keras.layers.UnitNormalization(axis=1), values((2, 3, 4), 1) + 1 / 8)
line("identity", keras.layers.Identity(), values((2, 4), 1) + 1 / 8)
line("rescaling", keras.layers.Rescaling(1 / 255, offset=-0.5), values((2, 4), 1) + 1 / 8)
normalization = keras.layers.Normalization()
normalization.adapt(values((4, 3), 5))
line("normalization", normalization, values((4, 3), 1) + 1 / 8)
