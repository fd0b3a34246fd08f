#!/usr/bin/env bash
# Keras 3.15.1: sample weights `[n]` beside losses of sequences `[n, length]` are those of positions, not of samples.
#
# Expected: a weight for each sample, as for losses `[n]`, whatever the length of the sequences; or one clear refusal.
# Seen: they are broadcast along the last axis. Where the batch has as many samples as a sequence has positions, each position
# gets a weight, without a word: a sample of weight 0 counts. Elsewhere an error about shapes comes at the first batch. Weights
# `[n, 1]` are those of samples.
#
# Needs Python 3.11 or newer with pip. Ends with 1 if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 numpy==2.4.6 scipy==1.17.1 jax==0.10.2
KERAS_BACKEND=numpy "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np

loss = keras.losses.MeanSquaredError()


def weighted(samples, length, weights):
    # The first sample is far off, the others are right.
    targets, outputs = np.zeros((samples, length, 1)), np.zeros((samples, length, 1))
    outputs[0] = 3.0
    try:
        return float(loss(targets, outputs, sample_weight=weights))
    except ValueError:
        return "ValueError"


without_first = np.array([0.0, 1.0])
square, other = weighted(2, 2, without_first), weighted(2, 5, without_first)
column = weighted(2, 2, without_first[:, None])
print("keras", keras.__version__)
print("two samples of two positions, the first with weight 0: loss", square, "- of five positions:", other)
print("the same weights as a column: loss", column)
raise SystemExit(0 if square == 2.25 and other == "ValueError" and column == 0.0 else 1)
PYTHON
