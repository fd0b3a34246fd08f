"""What the Python peers share to time an op alone, with its gradients: the command line, the numbers and the report.

`step.rs` draws the same numbers for the Rust peers, so that all peers come to the same result.
"""

import argparse
import json
import numpy as np

import common
import step
from networks import KERNELS


def options(kind, settings):
    """The options of a peer; `kind` is the kind of op that it times, `settings` are the ways of writing it that this one has."""
    names = [name for name, kernel in KERNELS.items() if type(kernel) is kind]
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=names, default=names[0], help="which op")
    parser.add_argument("--seconds", type=float, default=2, help="windows are timed for so long, after two passes to warm up")
    parser.add_argument("--seed", type=int, default=0, help="has no effect: the numbers are the same in every round")
    parser.add_argument("--setting", choices=settings, default=settings[0])
    chosen = parser.parse_args()
    chosen.kernel = KERNELS[chosen.network]
    return chosen


def random_bits(seed, count):
    """The generator SplitMix64, as in `common.rs`."""
    z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def numbers(seed, shape):
    """Numbers from -2 to 2, evenly drawn."""
    bits = random_bits(seed, int(np.prod(shape))) >> np.uint64(40)
    return (bits.astype(np.float32) / np.float32(1 << 22) - 2).reshape(shape)


def labels(seed, kernel):
    """A row of classes for each sample, without the blank."""
    bits = random_bits(seed, kernel.samples * kernel.labels) % np.uint64(kernel.classes - 1)
    return (bits + np.uint64(1)).astype(np.int32).reshape(kernel.samples, kernel.labels)


def time(options, version, call):
    """Times `call`, which returns the gradients, and prints the one line of JSON that run.py reads."""

    def one_pass():
        call()
        return [0.0]

    windows, peak_mib = step.time_steps(options, 1, one_pass), common.peak_mib()
    result = float(np.mean([np.abs(np.asarray(gradient)).mean() for gradient in call()]))
    print(json.dumps({"version": version, "result": result, "steps_ms": windows, "peak_mib": peak_mib}))
