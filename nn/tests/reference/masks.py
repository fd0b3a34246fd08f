"""Writes masks.txt: what Keras computes of sequences with a mask, in float64.

keras 3.15.1, on jax 0.10.2.

    KERAS_BACKEND=jax python masks.py > masks.txt

A line is: name; numbers. The ids are below, 0 is padding. Elements of the table are ((7 i + 3) mod 11 - 5) / 4, those of the
kernel the same with 6 in place of 3, of the targets with 9.
"""

import os

os.environ["JAX_ENABLE_X64"] = "1"

import keras
import numpy as np
from keras import layers, losses, metrics

keras.config.set_floatx("float64")

IDS = np.array([[3, 1, 4, 0, 0], [2, 0, 1, 5, 0], [5, 5, 1, 2, 3]])
# Of shape [n, 1]: Keras takes weights of shape [n] for those of positions.
SAMPLE_WEIGHTS = np.array([[0.5], [2.0], [1.0]])


def values(shape, seed):
    i = np.arange(np.prod(shape))
    return (((7 * i + 3 * seed) % 11 - 5) / 4).reshape(shape)


def show(name, *numbers):
    print(name, " ".join(repr(float(v)) for number in numbers for v in np.asarray(number).ravel()), sep="; ")


def built(*after):
    model = keras.Sequential([layers.Embedding(6, 2, mask_zero=True), *after])
    model.build((None, 5))
    weights = [values(weight.shape, seed) for seed, weight in enumerate(model.get_weights(), 1)]
    model.set_weights(weights)
    return model


targets = values((3, 5, 2), 3)
for weights in (None, SAMPLE_WEIGHTS):
    model = built(layers.Dense(2, use_bias=False))
    model.compile(loss="mse", metrics=[metrics.MeanAbsoluteError(name="mae")], weighted_metrics=[])
    loss, mae = model.evaluate(IDS, targets, sample_weight=weights, verbose=0)
    show("mean squared error" + ("" if weights is None else ", weighted"), loss, mae)

classes = np.array([[0, 1, 2, 0, 0], [1, 0, 0, 2, 0], [2, 2, 1, 0, 1]])
model = built(layers.Dense(3, use_bias=False, activation="softmax"))
model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
show("classes", *model.evaluate(IDS, classes, verbose=0))

show("mean over time", built(layers.GlobalAveragePooling1D()).predict(IDS, verbose=0))
x = values((3, 4, 2), 4)
x[0, 2:] = 0.25
x[2, 1] = 0.25
masking = layers.Masking(0.25)
show("masking", masking(x), masking.compute_mask(x))

normalization = layers.BatchNormalization(momentum=0.5, epsilon=0.01)
normalization.build(x.shape)
normalization.gamma.assign([1.5, -0.5])
normalization.beta.assign([0.25, 2.0])
mask = np.asarray(masking.compute_mask(x))
y = np.where(mask[:, :, None], normalization(x, training=True, mask=mask), 0.0)
show("batch normalization", y, normalization.moving_mean, normalization.moving_variance)
