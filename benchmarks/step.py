"""What the Python peers share to time a training step: the command line, the data, the clock and the report."""

import argparse
import json
import math
import time

import numpy as np

import common
from networks import NETWORKS, Conv, Embedding, has

# A window is so many passes over the batches that it takes this long, so that the clock's own grain does not count.
WINDOW_SECONDS = 0.1
WINDOWS = 3


def options(settings):
    """The options that every peer takes; `settings` are the ways of writing it that this one has."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--seconds", type=float, default=2, help="windows are timed for so long, after two passes to warm up")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--setting", choices=settings, default=settings[0])
    chosen = parser.parse_args()
    chosen.network = NETWORKS[chosen.network]
    chosen.convolutional = has(chosen.network, Conv)
    return chosen


def batches(options):
    """Inputs [steps, batch, ..] and targets of random numbers."""
    network, random = options.network, np.random.default_rng(options.seed)
    count = (network.steps, network.batch)
    embedding = next((layer for layer in network.layers if isinstance(layer, Embedding)), None)
    if embedding:
        inputs = random.integers(0, embedding.ids, (*count, *network.input), np.int32)
    else:
        inputs = random.standard_normal((*count, *network.input), np.float32)
    targets = {
        "classes": lambda: random.integers(0, network.classes, (*count, *network.target)),
        "bits": lambda: random.integers(0, 2, (*count, *network.target)).astype(np.float32),
        "numbers": lambda: random.standard_normal((*count, *network.target), np.float32),
    }[network.loss]()
    return inputs, targets


def time_steps(options, steps, one_pass):
    """Milliseconds a step, of each window. `one_pass` trains on each of the `steps` batches and returns the losses as numbers."""

    def seconds(passes):
        start = time.perf_counter()
        for _ in range(passes):
            losses = one_pass()
        taken = time.perf_counter() - start
        assert len(losses) == steps and np.isfinite(losses).all()
        return taken

    seconds(1)
    passes = math.ceil(WINDOW_SECONDS / seconds(1))
    windows, end = [], time.perf_counter() + options.seconds
    while len(windows) < WINDOWS or time.perf_counter() < end:
        windows.append(seconds(passes) * 1e3 / (passes * steps))
    return windows


def report(version, parameters, windows):
    """Prints the one line of JSON that run.py reads."""
    line = {"version": version, "parameters": parameters, "steps_ms": windows, "peak_mib": common.peak_mib()}
    print(json.dumps(line))
