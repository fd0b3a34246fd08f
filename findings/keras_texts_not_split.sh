#!/usr/bin/env bash
# Keras 3.15.1: `TextVectorization` with `split=None` takes a list of texts for several texts in `adapt`, and for one in a call.
#
# Expected: each string is a text, as with any other `split`, whether vocabulary and document frequencies are counted or texts
# are turned into vectors.
# Seen: `adapt` counts each string as a document. A call with the same list, in the output modes "count", "multi_hot" and
# "tf_idf", returns one vector of all strings together instead of one for each. So a TF-IDF has the frequencies of three documents and the
# counts of a single one. With `split="whitespace"` there are three vectors; without a split the texts must be a column `[n, 1]`.
#
# Needs Python 3.11 to 3.13 with pip, and 1.5 GB in the temporary folder. Ends with 1 if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 tensorflow-cpu==2.21.0 numpy==2.4.6
TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=-1 "$folder/venv/bin/python" - <<'PYTHON'
import keras
import numpy as np

texts = np.array(["red", "green", "red"])


def vectors(split, texts_called):
    layer = keras.layers.TextVectorization(split=split, output_mode="tf_idf")
    layer.adapt(texts)
    return np.asarray(layer(texts_called), float).round(3).tolist()


split, unsplit, column = vectors("whitespace", texts), vectors(None, texts), vectors(None, texts[:, None])
print("keras", keras.__version__)
print("red, green, red; vectors of [unknown, red, green]")
print("split at white space:", split)
print("not split:", unsplit)
print("not split, as a column:", column)
# ln(1 + 3 / (1 + 2)) for red and ln(1 + 3 / (1 + 1)) for green: those of three documents, two of them with red.
red, green = 0.693, 0.916
each = [[0.0, red, 0.0], [0.0, 0.0, green], [0.0, red, 0.0]]
raise SystemExit(0 if split == column == each and unsplit == [0.0, round(2 * 0.6931472, 3), green] else 1)
PYTHON
