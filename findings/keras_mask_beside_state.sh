#!/usr/bin/env bash
# Keras 3.15.1: a recurrent layer that is given an initial state ignores the mask of its sequences, without a word.
#
# Expected: an initial state of zeros is the one that the layer has without it, so the outputs are the same.
# Seen: with `gru(masked, initial_state=zeros)` the padded steps are computed like others; with `gru(masked)` they are skipped. Keras looks
# for the mask of a call that has one tensor, and a state is a second one. So the decoder of a translator, whose states come from an
# encoder, sees its padding. Given as `mask=masked._keras_mask`, the mask is heeded.
#
# Needs Python 3.11 or newer with pip. Ends with 1 if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 numpy==2.4.6 scipy==1.17.1 jax==0.10.2
KERAS_BACKEND=jax "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(1)
steps, state = keras.Input((3, 2)), keras.Input((4,))
masked, gru = layers.Masking()(steps), layers.GRU(4)
plain = keras.Model(steps, gru(masked))
with_state = keras.Model([steps, state], gru(masked, initial_state=state))
with_mask = keras.Model([steps, state], gru(masked, initial_state=state, mask=masked._keras_mask))

x, zeros = np.ones((1, 3, 2), "float32"), np.zeros((1, 4), "float32")
x[0, 2] = 0  # The last step is padding.
expected = plain.predict(x, verbose=0)
unseen = np.abs(with_state.predict([x, zeros], verbose=0) - expected).max()
seen = np.abs(with_mask.predict([x, zeros], verbose=0) - expected).max()
print("keras", keras.__version__)
print(f"difference with a state of zeros: {unseen:.3f}, with the mask given as well: {seen:.1e}")
raise SystemExit(0 if unseen > 0.01 and seen < 1e-6 else 1)
PYTHON
