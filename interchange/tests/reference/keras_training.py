"""Networks of Keras in Gradus and back. Needs keras 3.15.1 on jax 0.10.2, numpy 2.4.6.

    cargo build --release -p gradus-interchange --example round_trip
    python keras_training.py ../../../target/release/examples/round_trip

A ResNet-18 of full width and a text classifier are trained some steps in Keras and saved as `.keras`. Gradus reads them, and its outputs are
held against Keras's; it trains them further and writes them, Keras reads that, and the outputs are held against each other again.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras
import numpy as np
from keras import layers

program = Path(sys.argv[1]).resolve()
keras.utils.set_random_seed(3)
random = np.random.default_rng(3)


def block(x, filters, strides):
    y = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
    if strides != 1 or x.shape[-1] != filters:
        x = layers.BatchNormalization()(layers.Conv2D(filters, 1, strides=strides, use_bias=False)(x))
    return layers.ReLU()(layers.Add()([x, y]))


def resnet18():
    image = keras.Input((64, 64, 3))
    x = layers.Conv2D(64, 7, strides=2, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for filters, strides in [(64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)]:
        x = block(x, filters, strides)
    return keras.Model(image, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def classifier():
    return keras.Sequential([
        keras.Input((20,), dtype="int32"),
        layers.Embedding(5000, 64, mask_zero=True),
        layers.Bidirectional(layers.LSTM(48, return_sequences=True)),
        layers.Bidirectional(layers.LSTM(48)),
        layers.Dense(4, activation="softmax"),
    ])


def check(name, model, make, classes, folder):
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(make(), np.arange(16) % classes, epochs=3, verbose=0)
    # Inputs that it was not trained by.
    x = make()
    source, inputs, target = folder / f"{name}.keras", folder / f"{name}.npz", folder / f"{name}.back.keras"
    model.save(source)
    np.savez(inputs, x=x)
    y = model.predict(x, verbose=0)
    subprocess.run([program, "keras", source, inputs, target], check=True)
    before = np.load(target.with_suffix(".before.npz"))["y"]
    after = np.load(target.with_suffix(".after.npz"))["y"]
    print(f"{name}: read here, largest difference {np.abs(before - y).max():.2e} of {y.max():.2f}")
    assert np.allclose(before, y, rtol=1e-4, atol=1e-4)
    y = keras.models.load_model(target).predict(x, verbose=0)
    moved = np.abs(after - before).max()
    print(f"{name}: trained, written and read in Keras, largest difference {np.abs(after - y).max():.2e} (moved by {moved:.1e})")
    assert np.allclose(after, y, rtol=1e-4, atol=1e-4)
    assert moved > 1e-4


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    check("resnet", resnet18(), lambda: random.normal(size=(16, 64, 64, 3)).astype("float32"), 10, folder)

    def texts():
        ids = random.integers(1, 5000, (16, 20)).astype("int32")
        ids[::3, 12:] = 0  # Some texts are shorter, and padded.
        return ids

    check("classifier", classifier(), texts, 4, folder)
