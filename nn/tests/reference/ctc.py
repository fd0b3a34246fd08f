"""Writes ctc.txt: Keras's CTC loss and the gradient of its mean by the logits.

keras 3.15.1 on tensorflow 2.21.0, in float32:

    python ctc.py > ctc.txt
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
import tensorflow as tf

TARGETS = np.array([[1, 2, 2], [3, 1, 0], [2, 0, 0], [1, 3, 1]])
WEIGHTS = np.array([0.5, 2.0, 1.25, 1.0], "float32")


def line(name, numbers):
    print(f"{name}:", *np.asarray(numbers).ravel().tolist())


logits = np.random.default_rng(3).normal(0, 1.2, [4, 6, 4]).astype("float32")
print("# ctc.py beside this file has written this and says how.")
line("targets", TARGETS)
line("weights", WEIGHTS)
line("logits", logits)
line("per_sample", keras.losses.CTC(reduction=None)(TARGETS, logits))
for name, weights in [("mean", None), ("weighted", WEIGHTS)]:
    x = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(x)
        mean = keras.losses.CTC()(TARGETS, x, weights)
    line(name, mean)
    line(f"{name}_gradient", tape.gradient(mean, x))
