"""What the Python peers share: the command line, the data, the clock and the report."""

import argparse
import gzip
import json
import os
import statistics
import time

import numpy as np

PIXELS, CLASSES, HIDDEN, BATCH, LEARNING_RATE = 28 * 28, 10, 128, 32, 1e-3

# run.py sets it; a peer that sizes its own thread pools reads it.
THREADS = int(os.environ.get("THREADS", "1"))


def options(settings):
    """The options that every peer takes; `settings` are the ways of writing it that this one has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="datasets/data/mnist", help="folder of the four .gz files")
    parser.add_argument("--epochs", type=int, default=2, help="timed epochs, after one that is not")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--setting", choices=settings, default=settings[0])
    return parser.parse_args()


def mnist(folder):
    """Images as [n, 28, 28] float32 in 0..1, labels as [n] int64: those of training, then of the test."""

    def unzip(name, header):
        with gzip.open(os.path.join(folder, name)) as file:
            return np.frombuffer(file.read(), np.uint8, offset=header)

    def split(prefix):
        images = unzip(f"{prefix}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        labels = unzip(f"{prefix}-labels-idx1-ubyte.gz", 8)
        return images.astype(np.float32) / np.float32(255), labels.astype(np.int64)

    return *split("train"), *split("t10k")


def time_epochs(epochs, epoch):
    """Runs one epoch to warm up, then times `epochs` of them: seconds each."""
    epoch()
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        epoch()
        seconds.append(time.perf_counter() - start)
    return seconds


def time_predict(predict, images, calls=2_000):
    """The median time of predicting one image, in microseconds."""
    microseconds = []
    for i in range(calls):
        image = images[i : i + 1]
        start = time.perf_counter()
        predict(image)
        microseconds.append((time.perf_counter() - start) * 1e6)
    return statistics.median(microseconds[calls // 10 :])


def report(version, epochs, accuracy, predict_us):
    """Prints the one line of JSON that run.py reads."""
    line = {"version": version, "epochs": epochs, "accuracy": round(float(accuracy), 4), "predict_us": predict_us}
    print(json.dumps(line))
