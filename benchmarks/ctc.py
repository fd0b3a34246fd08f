#!/usr/bin/env python3
"""Times the CTC loss with its gradient by the logits: 32 samples of 200 frames, 30 classes, 40 labels, in 32-bit floats.

    benchmarks/.venv/bin/python benchmarks/ctc.py --gradus target/release/deps/ctc-...

`cargo bench -p gradus-tensor --bench ctc --no-run` names gradus's program. Each round runs every peer once for each number of threads,
in a process of its own; the table has the medians of their medians, in ms, and their ratios to gradus.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

SAMPLES, FRAMES, CLASSES, LABELS = 32, 200, 30, 40
PEERS = ["pytorch", "optax", "keras"]


def numbers():
    import numpy as np

    random = np.random.default_rng(0)
    logits = random.normal(size=(SAMPLES, FRAMES, CLASSES)).astype("float32")
    return logits, random.integers(1, CLASSES, (SAMPLES, LABELS)).astype("int32")


def pytorch(threads):
    import torch

    torch.set_num_threads(threads)
    logits, labels = (torch.tensor(array) for array in numbers())
    # PyTorch's own layout: frames first.
    logits = logits.transpose(0, 1).contiguous().requires_grad_()
    lengths = torch.full((SAMPLES,), FRAMES), torch.full((SAMPLES,), LABELS)

    def step():
        logits.grad = None
        torch.nn.functional.ctc_loss(logits.log_softmax(-1), labels, *lengths).backward()
        return logits.grad

    return step


def optax(threads):
    import jax
    import jax.numpy as jnp
    import optax

    logits, labels = numbers()
    padding = jnp.zeros((SAMPLES, FRAMES)), jnp.zeros((SAMPLES, LABELS))
    step = jax.jit(jax.value_and_grad(lambda x: optax.ctc_loss(x, padding[0], labels, padding[1]).mean()))
    logits = jnp.asarray(logits)
    return lambda: step(logits)[1].block_until_ready()


def keras(threads):
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    import keras

    logits, labels = (tf.constant(array) for array in numbers())
    loss = keras.losses.CTC()

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(labels, logits)
        return tape.gradient(value, logits)

    return lambda: step().numpy()


def time_peer(name, threads):
    step = globals()[name](threads)
    for _ in range(5):
        step()
    times, end = [], time.perf_counter() + 2
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    print(json.dumps(statistics.median(times)))


def run(command, threads):
    """The last line that a process prints, held to so many cores."""
    names = ["THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    environment = {**os.environ, **{name: str(threads) for name in names}}
    cores = sorted(os.sched_getaffinity(0))[:threads]
    hold = lambda: os.sched_setaffinity(0, cores)
    done = subprocess.run(command, env=environment, preexec_fn=hold, capture_output=True, text=True, check=True)
    return done.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gradus", type=pathlib.Path, help="the program of the bench ctc")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--peer", choices=PEERS, help="time this peer in this process")
    options = parser.parse_args()
    if options.peer:
        return time_peer(options.peer, int(os.environ["THREADS"]))
    times = {}
    for _ in range(options.rounds):
        for threads in options.threads:
            if options.gradus:
                text = run([str(options.gradus), "--bench"], threads)
                found = re.findall(r"loss and gradient +([\d.]+) ms", text)[-1]
                times.setdefault(("gradus", threads), []).append(float(found))
            for peer in PEERS:
                text = run([sys.executable, __file__, "--peer", peer], threads)
                times.setdefault((peer, threads), []).append(json.loads(text.splitlines()[-1]))
    for (peer, threads), found in sorted(times.items(), key=lambda item: item[0][1]):
        median = statistics.median(found)
        own = times.get(("gradus", threads))
        ratio = f"{median / statistics.median(own):6.2f} x gradus" if own else ""
        print(f"{threads} thread(s) {peer:10} {median:8.2f} ms {ratio}")


if __name__ == "__main__":
    main()
