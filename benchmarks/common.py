"""What the Python peers share: the command line, the data, the clock and the report."""

import argparse
import gzip
import json
import os
import statistics
import time
from dataclasses import dataclass

import numpy as np

PIXELS, CLASSES, HIDDEN, LEARNING_RATE, WEIGHT_DECAY = 28 * 28, 10, 128, 1e-3, 0.01
BATCHES = {"dense": 32, "convnet": 128}

# run.py sets it; a peer that sizes its own thread pools reads it.
THREADS = int(os.environ.get("THREADS", "1"))


def options(settings):
    """The options that every peer takes; `settings` are the ways of writing it that this one has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=BATCHES, default="dense", help="what is trained; README.md lists the layers")
    parser.add_argument("--data", default="datasets/data/mnist", help="folder of the four .gz files")
    parser.add_argument("--epochs", type=int, default=2, help="timed epochs, after one that is not")
    parser.add_argument("--fraction", type=float, default=1.0, help="the part of an epoch that is run; the time is scaled")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--setting", choices=settings, default=settings[0])
    chosen = parser.parse_args()
    chosen.batch = BATCHES[chosen.network]
    return chosen


def mnist(folder):
    """Images as [n, 28, 28] float32 in 0..1, labels as [n] int64: those of training, then of the test."""

    def unzip(name, header):
        with gzip.open(os.path.join(folder, name)) as file:
            return np.frombuffer(file.read(), np.uint8, offset=header)

    def split(prefix):
        images = unzip(f"{prefix}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        labels = unzip(f"{prefix}-labels-idx1-ubyte.gz", 8)
        return np.divide(images, 255, dtype=np.float32), labels.astype(np.int64)

    return *split("train"), *split("t10k")


@dataclass
class Training:
    """What training was measured to take."""

    # Seconds of each timed epoch.
    epochs: list
    # The most memory that the process has had resident since its start, in MiB; 0 where the system does not say.
    peak_mib: float


def rows_of(options, total):
    """How many of the shuffled rows an epoch goes through: all, or whole batches of the first of them."""
    steps = -(-total // options.batch)
    return min(max(1, round(steps * options.fraction)) * options.batch, total)


def time_epochs(options, total, epoch):
    """Runs one epoch to warm up, then times those asked for. `epoch` is given how many rows of a fresh order to go through."""
    rows = rows_of(options, total)
    epoch(rows)
    seconds = []
    for _ in range(options.epochs):
        start = time.perf_counter()
        epoch(rows)
        seconds.append((time.perf_counter() - start) * total / rows)
    return Training(seconds, peak_mib())


def peak_mib():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0.0


def accuracy(predict, images, labels):
    """The share of images whose greatest of ten scores is at the label; `predict` is given a thousand at once."""
    best = [np.asarray(predict(images[i : i + 1_000])).argmax(-1) for i in range(0, len(images), 1_000)]
    return np.mean(np.concatenate(best) == np.asarray(labels))


def time_predict(predict, images, calls=2_000):
    """The median time of predicting one image, in microseconds."""
    microseconds = []
    for i in range(calls):
        image = images[i : i + 1]
        start = time.perf_counter()
        predict(image)
        microseconds.append((time.perf_counter() - start) * 1e6)
    return statistics.median(microseconds[calls // 10 :])


def report(version, training, accuracy, predict_us):
    """Prints the one line of JSON that run.py reads."""
    line = {"version": version, **vars(training), "accuracy": round(float(accuracy), 4), "predict_us": predict_us}
    print(json.dumps(line))
