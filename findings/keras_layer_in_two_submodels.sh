#!/usr/bin/env bash
# Keras 3.15.1: a model in which two submodels share a layer is saved without a word, and cannot be loaded again.
#
# Expected: the file comes back, as one does in which a layer is used twice within one model.
# Seen: `save` stores the layer's weights under the first submodel alone and writes two layers into the config. `load_model` then
# makes two layers, finds no weights for the second, and raises: "Layer 'shared' expected 2 variables, but received 0 variables".
# A reader of such files must take the weights of both from the one place.
#
# Needs Python 3.11 or newer with pip. Ends with 1 if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 numpy==2.4.6 scipy==1.17.1 jax==0.10.2
KERAS_BACKEND=jax "$folder/venv/bin/python" - "$folder/model.keras" <<'PYTHON'
import sys

import keras
from keras import layers

path = sys.argv[1]


def saved_and_loaded(model):
    model.save(path)
    try:
        keras.models.load_model(path)
        return "comes back"
    except ValueError as error:
        return " ".join(str(error).split())[:170]


shared = layers.Dense(3, name="shared")


def submodel(name):
    x = keras.Input((3,))
    return keras.Model(x, shared(x), name=name)


x = keras.Input((3,))
within_one = saved_and_loaded(keras.Model(x, shared(shared(x))))
x = keras.Input((3,))
in_two = saved_and_loaded(keras.Model(x, submodel("second")(submodel("first")(x))))
print("keras", keras.__version__)
print("a layer used twice in one model:", within_one)
print("a layer of two submodels:", in_two)
raise SystemExit(0 if within_one == "comes back" and "could not be loaded" in in_two else 1)
PYTHON
