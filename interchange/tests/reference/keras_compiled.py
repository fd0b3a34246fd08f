"""Goes on in Keras with the training of models that this crate has written with their optimisers. Not part of the checks.

keras 3.15.1 or 3.8.0, on jax or torch:

    GRADUS_KERAS_FOLDER=/tmp/models cargo test -p gradus-interchange --test suite compiled
    python keras_compiled.py /tmp/models

A model is trained as many steps as it was trained further here; then the weights are held against each other. In the folder `order` each
momentum is the weight that it belongs to. What an old version lacks is said, and is no failure; 3.8.0 keeps the variables of Nadam in
another order, too.
"""

import json
import os
import sys
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras
import numpy as np

# Keras only warns where it does not read the variables of an optimiser.
warnings.filterwarnings("error", message=".*[Ss]kipping variable loading.*")
failed, largest = 0, 0.0
print("keras", keras.__version__, keras.backend.backend())
array = lambda tensor: keras.ops.convert_to_numpy(tensor).astype("float64")
for path in sorted(Path(sys.argv[1]).glob("*/*.keras")):
    name = f"{path.parent.name}/{path.stem}"
    try:
        model = keras.models.load_model(path)
    except Exception as error:
        lacks = "Could not locate class" in str(error) or "Could not interpret activation" in str(error)
        lacks = lacks or (keras.__version__.startswith("3.8") and "nadam" in path.as_posix())
        failed += not lacks
        print(name, "is lacking" if lacks else "FAILS", "" if lacks else str(error)[:600].replace("\n", " "))
        continue
    if path.parent.name == "order":
        weights, optimizer = model.trainable_variables, model.optimizer
        same = len(optimizer.variables) == 2 + 2 * len(weights) and int(optimizer.iterations) == 1
        pairs = zip(weights, optimizer.variables[2::2], optimizer.variables[3::2])
        same = same and all(np.array_equal(array(w), array(m)) and np.array_equal(array(w), array(v)) for w, m, v in pairs)
        failed += not same
        print(name, "ok" if same else "DIFFERS", len(weights))
        continue
    if not path.with_suffix(".json").exists():
        continue
    data = json.loads(path.with_suffix(".json").read_text())
    tensor = lambda a: np.array(a["values"], model.inputs[0].dtype).reshape(a["shape"])
    x, y = map(tensor, data["inputs"])
    for _ in range(data["steps"]):
        model.train_on_batch(x, y)
    expected = [np.array(a["values"]).reshape(a["shape"]) for a in data["outputs"]]
    found = [array(weight) for weight in model.weights]
    error = max(np.abs(a - b).max() / max(1, np.abs(b).max()) for a, b in zip(found, expected, strict=True))
    largest = max(largest, error)
    failed += not error <= 1e-6
    print(name, "ok" if error <= 1e-6 else "DIFFERS", f"{error:.1e}")
print(f"largest difference {largest:.1e}, {failed} failed")
sys.exit(failed > 0)
