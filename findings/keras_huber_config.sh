#!/usr/bin/env bash
# Keras 3.15.1: a saved model forgets the delta of its Huber loss.
#
# Expected: the loss of a model that was saved and loaded is the one that it was compiled with, as a focal loss keeps its gamma.
# Seen: the config of Huber has its name and its reduction alone, so the loaded loss has a delta of 1, and training goes on by
# another loss without a word. For an error of 3 and a delta of 0.25 the loss is 0.71875, and 2.5 after loading.
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
import numpy as np
from keras import layers, losses

x, y = np.full((1, 1), 3.0, "float32"), np.zeros((1, 1), "float32")
model = keras.Sequential([keras.Input((1,)), layers.Identity()])
model.compile("sgd", losses.Huber(delta=0.25))
before = model.evaluate(x, y, verbose=0)
model.save(sys.argv[1])
after = keras.models.load_model(sys.argv[1]).evaluate(x, y, verbose=0)
gamma = losses.deserialize(losses.serialize(losses.BinaryFocalCrossentropy(gamma=3.0))).get_config().get("gamma")
print("keras", keras.__version__)
print(f"Huber of a delta of 0.25: {before}, after loading: {after}; a focal loss keeps its gamma: {gamma}")
raise SystemExit(0 if (before, after, gamma) == (0.71875, 2.5, 3.0) else 1)
PYTHON
