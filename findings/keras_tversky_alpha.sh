#!/usr/bin/env bash
# Keras 3.15.1: `Tversky(alpha, beta)` weights false negatives by alpha and false positives by beta.
#
# Expected: alpha counts false positives and beta false negatives, as its documentation says and as in the paper that it names
# (Salehi et al. 2017).
# Seen: the other way round. Truth and predictions have each other's place in the formula, which with the defaults, 0.5 and 0.5, shows
# nowhere. Who raises beta to miss less is given a loss that misses more.
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

truth, predicted = np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]])


def loss(alpha, beta):
    return float(keras.losses.Tversky(alpha=alpha, beta=beta, axis=1)(truth, predicted))


print("keras", keras.__version__)
print("one hit, one false positive, nothing missed; by the paper 1 - 1 / (1 + alpha):")
print("alpha=1, beta=0:", round(loss(1.0, 0.0), 6), "- alpha=0, beta=1:", round(loss(0.0, 1.0), 6))
raise SystemExit(0 if abs(loss(1.0, 0.0)) < 1e-6 and abs(loss(0.0, 1.0) - 0.5) < 1e-6 else 1)
PYTHON
