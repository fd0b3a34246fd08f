#!/usr/bin/env bash
# Keras 3.15.1: `loss_weights` by output names must name every output, and a name that is no output is ignored.
#
# Expected: a missing output counts with weight 1, as it does where no weights are given, or a message says what is missing;
# and a misspelt name is refused, as `loss` refuses one.
# Seen: a missing output ends in a bare `KeyError: 'a'` at the first batch, not in `compile`. The weight of an output that
# does not exist changes nothing, without a word.
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

x = keras.Input((1,))
a, b = keras.layers.Dense(1, name="a")(x), keras.layers.Dense(1, name="b")(x)
model = keras.Model(x, [a, b])
inputs, targets = np.ones((4, 1)), {"a": np.ones((4, 1)), "b": np.zeros((4, 1))}


def loss(weights):
    model.compile(loss={"a": "mse", "b": "mse"}, loss_weights=weights)
    return model.evaluate(inputs, targets, verbose=0, return_dict=True)["loss"]


try:
    some = loss({"b": 0.5})
except KeyError as error:
    some = f"KeyError {error}"
both, misspelt = loss({"a": 1.0, "b": 0.5}), loss({"a": 1.0, "b": 0.5, "c": 100.0})
print("keras", keras.__version__)
print("weights of some outputs:", some)
print("weights of both:", both, "- and of an output that does not exist:", misspelt)
raise SystemExit(0 if some == "KeyError 'a'" and both == misspelt else 1)
PYTHON
