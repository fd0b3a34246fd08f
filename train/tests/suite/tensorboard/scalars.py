"""Prints the scalars that Keras's callback TensorBoard writes in a run that `train/tests/tensorboard.rs` repeats.

    KERAS_BACKEND=tensorflow python scalars.py > scalars.txt

Needs keras 3.15.1, tensorflow 2.21.0 and tensorboard 2.21.0.
"""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf

x = np.ones((1, 1), "float32")
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
model.compile(keras.optimizers.SGD(0.25), "mse", metrics=["mean_absolute_error"])
with tempfile.TemporaryDirectory() as folder:
    log = keras.callbacks.TensorBoard(folder, update_freq="batch", write_graph=False)
    model.fit(x, x, epochs=3, validation_data=(x, x), verbose=0, callbacks=[log])
    for run in ["train", "validation"]:
        print(f"run {run}")
        points = {}
        for file in os.listdir(os.path.join(folder, run)):
            for event in tf.compat.v1.train.summary_iterator(os.path.join(folder, run, file)):
                for value in event.summary.value:
                    number = float(tf.make_ndarray(value.tensor))
                    points.setdefault(value.tag, []).append(f"{event.step}:{number!r}")
        for tag in sorted(points):
            print(f"scalar {tag}", " ".join(points[tag]))
