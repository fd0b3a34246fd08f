"""Loads in Keras the models that this crate has written, and compares what they make of their inputs. Not part of the checks.

keras 3.15.1 or 3.8.0, on jax or torch:

    GRADUS_KERAS_FOLDER=/tmp/models cargo test -p gradus-interchange --test suite keras
    python keras_round_trip.py /tmp/models

Layers that an old version lacks are said, and are no failure.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras
import numpy as np

failed = 0
print("keras", keras.__version__, keras.backend.backend())
for path in sorted(Path(sys.argv[1]).glob("*.keras")):
    data = json.loads(path.with_suffix(".json").read_text())
    try:
        model = keras.models.load_model(path)
    except Exception as error:
        lacks = "Could not locate class" in str(error) or "Could not interpret activation" in str(error)
        failed += not lacks
        print(path.stem, "lacks a layer" if lacks else "FAILS", str(error)[:600].replace("\n", " ") if not lacks else "")
        continue
    array = lambda a: np.array(a["values"], "int32" if a.get("is_ids") else "bool" if a.get("is_mask") else "float32").reshape(a["shape"])
    inputs = [array(a) for a in data["inputs"]]
    weights = path.with_suffix(".weights.h5")
    if weights.exists():
        for weight in model.weights:
            weight.assign(np.zeros(weight.shape))
        model.load_weights(weights)
    by_name = dict(zip([t.name for t in model.inputs], inputs))
    outputs = keras.tree.flatten(model(inputs if len(inputs) > 1 else inputs[0], training=False))
    names = data.get("order") or range(len(outputs))
    expected = [array(a) for a in data["outputs"]]
    same = len(outputs) == len(expected)
    error = max(float(np.abs(keras.ops.convert_to_numpy(a).astype("float64") - b).max()) for a, b in zip(outputs, expected)) if same else None
    failed += not same or error > 1e-5
    print(path.stem, "ok" if same and error <= 1e-5 else "DIFFERS", error, model.count_params())
sys.exit(failed > 0)
