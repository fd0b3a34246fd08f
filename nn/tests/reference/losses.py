"""Writes losses.txt: losses and their gradients by the outputs, in float64.

keras 3.15.1 on tensorflow 2.21.0:

    python losses.py > losses.txt

per_sample: reduction None. mean: reduction sum_over_batch_size. grad: of the mean with respect to y_pred. weighted_*: the same
with sample_weight SW; the sum is divided by the batch size, not by the sum of weights.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
import tensorflow as tf
from keras import losses

keras.backend.set_floatx("float64")

INPUTS = {
    "SW": [0.5, 2.0, 1.25],
    "YT": [[0.3, -1.2, 2.5, 0.7], [1.1, 0.4, -0.6, -2.0], [-0.9, 1.7, 0.2, 3.1]],
    "YP": [[0.55, -0.8, 1.1, 0.95], [-0.7, 0.65, -0.35, -1.55], [0.2, 3.3, 0.45, 2.4]],
    "PT": [[0.3, 1.2, 2.5, 0.7], [1.1, 0.4, 0.6, 2.0], [0.9, 1.7, 0.2, 3.1]],
    "PP": [[0.55, 0.8, 1.1, 0.95], [0.7, 0.65, 0.35, 1.55], [0.2, 3.3, 0.45, 2.4]],
    "B": [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]],
    "BP": [[0.8, 0.15, 0.35, 0.6], [0.25, 0.9, 0.55, 0.45], [0.05, 0.7, 0.3, 0.12]],
    "BL": [[1.3, -0.7, 0.2, 2.4], [-1.9, 0.6, -0.45, 0.85], [-2.2, 1.05, 0.35, -3.1]],
    "C": [[0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]],
    "CI": [2, 0, 3],
    "CP": [[0.1, 0.2, 0.6, 0.1], [0.3, 0.25, 0.05, 0.4], [0.15, 0.35, 0.22, 0.28]],
    "SOFT": [[0.1, 0.2, 0.3, 0.4], [0.55, 0.15, 0.25, 0.05], [0.22, 0.38, 0.3, 0.1]],
    "S": [[1.0, -1.0, -1.0, 1.0], [-1.0, 1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]],
    "EL": [[1000.0, 0.0, -1000.0, 3.0], [-800.0, 0.0, 800.0, 1.0], [50.0, -50.0, 0.0, 10.0]],
}


class LogCosh(losses.Loss):
    """Keras's own differs by 1e-8, its ln 2 is float32."""

    def call(self, y_true, y_pred):
        error = y_pred - y_true
        return tf.reduce_mean(error + tf.nn.softplus(-2 * error) - np.log(2), axis=-1)


class Smoothed(losses.CategoricalCrossentropy):
    """Keras smooths one-hot targets alone."""

    def call(self, y_true, y_pred):
        return super().call(tf.one_hot(tf.cast(y_true, "int64"), 4, dtype="float64"), y_pred)


def case(title, y_true, y_pred, make, **options):
    print(f"\n## {title}   y_true={y_true} y_pred={y_pred}")
    y_true, y_pred, weights = (tf.constant(INPUTS[name], "float64") for name in (y_true, y_pred, "SW"))
    print("per_sample:", make(**options, reduction=None)(y_true, y_pred).numpy().tolist())
    loss = make(**options, reduction="sum_over_batch_size")
    for prefix, weights in [("", None), ("weighted_", weights)]:
        with tf.GradientTape() as tape:
            tape.watch(y_pred)
            mean = loss(y_true, y_pred, weights)
        print(f"{prefix}mean:", float(mean))
        print(f"{prefix}grad:", tape.gradient(mean, y_pred).numpy().tolist())


print("# Losses as Keras computes them, in float64; losses.py beside this file has written it and says how.\n")
for name, numbers in INPUTS.items():
    print(f"{name}: {numbers}")

for name in ["MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError"]:
    case(name, "YT", "YP", getattr(losses, name))
case("MeanSquaredLogarithmicError", "PT", "PP", losses.MeanSquaredLogarithmicError)
case("Huber(delta=1)", "YT", "YP", losses.Huber, delta=1)
case("Huber(delta=0.5)", "YT", "YP", losses.Huber, delta=0.5)
case("LogCosh (Keras's own differs by 1e-8, its ln 2 is float32)", "YT", "YP", LogCosh)
for smoothing in [0.0, 0.1]:
    for logits in [False, True]:
        options = {"from_logits": logits, "label_smoothing": smoothing}
        title = f"BinaryCrossentropy(from_logits={logits}, label_smoothing={smoothing})"
        case(title, "B", "BL" if logits else "BP", losses.BinaryCrossentropy, **options)
for smoothing in [0.0, 0.1]:
    for logits, y_pred in [(False, "CP"), (False, "BP"), (True, "BL")]:
        options = {"from_logits": logits, "label_smoothing": smoothing}
        title = f"CategoricalCrossentropy(from_logits={logits}, label_smoothing={smoothing})"
        title += ", rows of y_pred not normalised" if y_pred == "BP" else ""
        case(title, "C", y_pred, losses.CategoricalCrossentropy, **options)
for logits, y_pred in [(False, "CP"), (True, "BL")]:
    title = f"CategoricalCrossentropy(from_logits={logits}), soft labels"
    case(title, "SOFT", y_pred, losses.CategoricalCrossentropy, from_logits=logits)
for logits, y_pred in [(False, "CP"), (True, "BL")]:
    title = f"SparseCategoricalCrossentropy(from_logits={logits})"
    case(title, "CI", y_pred, losses.SparseCategoricalCrossentropy, from_logits=logits)
    title = f"SparseCategoricalCrossentropy(from_logits={logits}, label_smoothing=0.1), as of one-hot targets"
    case(title, "CI", y_pred, Smoothed, from_logits=logits, label_smoothing=0.1)
focal = {"gamma": 2, "alpha": 0.25}
title = "BinaryFocalCrossentropy(gamma=2, alpha=0.25, apply_class_balancing="
binary = losses.BinaryFocalCrossentropy
case(title + "False: Keras's default, alpha unused)", "B", "BP", binary, **focal)
case(title + "True)", "B", "BP", binary, apply_class_balancing=True, **focal)
case(title + "True, label_smoothing=0.1)", "B", "BP", binary, apply_class_balancing=True, label_smoothing=0.1, **focal)
case(title + "True, from_logits=True)", "B", "BL", binary, apply_class_balancing=True, from_logits=True, **focal)
title, categorical = "CategoricalFocalCrossentropy(gamma=2, alpha=0.25", losses.CategoricalFocalCrossentropy
case(title + ")", "C", "CP", categorical, **focal)
case(title + ", label_smoothing=0.1)", "C", "CP", categorical, label_smoothing=0.1, **focal)
case(title + ", from_logits=True)", "C", "BL", categorical, from_logits=True, **focal)
case("KLDivergence", "SOFT", "CP", losses.KLDivergence)
case("Dice(axis=1)", "B", "BP", losses.Dice, axis=1)
case("Tversky(axis=1)", "B", "BP", losses.Tversky, axis=1)
case("Tversky(alpha=0.3, beta=0.7, axis=1)", "B", "BP", losses.Tversky, alpha=0.3, beta=0.7, axis=1)
case("Poisson", "PT", "PP", losses.Poisson)
case("Hinge, labels +-1", "S", "BL", losses.Hinge)
case("Hinge, labels 0/1 (mapped to -1/1)", "B", "BL", losses.Hinge)
case("SquaredHinge, labels +-1", "S", "BL", losses.SquaredHinge)
case("CategoricalHinge", "C", "BL", losses.CategoricalHinge)
case("CosineSimilarity(axis=-1)", "YT", "YP", losses.CosineSimilarity)
case("CategoricalCrossentropy(from_logits=True), extreme logits", "C", "EL", losses.CategoricalCrossentropy, from_logits=True)
case("BinaryCrossentropy(from_logits=True), extreme logits", "B", "EL", losses.BinaryCrossentropy, from_logits=True)
