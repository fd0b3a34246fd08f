"""What scikit-learn and Keras make of the columns of a small table.

    pip install scikit-learn==1.9.1 keras==3.15.1 tensorflow-cpu==2.21.0
    python tables.py > tables.json
"""

import json
import os

os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

numbers = [3.5, None, -1.25, 100.0, 3.5, 0.0, None, 7.75, 2.0, 2.0]
new = [None, -5.0, 50.0]
column = np.array([[np.nan if number is None else number] for number in numbers])
later = np.array([[np.nan if number is None else number] for number in new])
scalers = {"standard": StandardScaler, "min_max": MinMaxScaler, "robust": RobustScaler}
strategies = {"mean": {}, "median": {}, "most_frequent": {}, "constant": {"fill_value": -7.5}}

scaled = {}
for scale, scaler in scalers.items():
    for strategy, options in strategies.items():
        imputer, scaler_of_it = SimpleImputer(strategy=strategy, **options), scaler()
        first = scaler_of_it.fit_transform(imputer.fit_transform(column))
        second = scaler_of_it.transform(imputer.transform(later))
        scaled[f"{scale} {strategy}"] = [first[:, 0].tolist(), second[:, 0].tolist()]

lookups = []
for tokens, asked, options in [
    (["b", "a", "c", "a", "d"], ["a", "b", "z"], {}),
    (["b", "a", "c", "a", "d"], ["a", "d", "c", "z"], {"max_tokens": 3}),
    (["b", "a", "c", "a", "d", ""], ["a", "", "z", "d"], {"mask_token": "", "max_tokens": 4}),
    (["b", "a", "b"], ["a", "b"], {"num_oov_indices": 0}),
]:
    lookup = keras.layers.StringLookup(**options)
    lookup.adapt(tokens)
    lookups.append({"tokens": tokens, "asked": asked, **options, "ids": lookup(asked).numpy().tolist()})

integers = keras.layers.IntegerLookup()
integers.adapt([5, 5, 3, 3, 3, 1, 2])
bins = keras.layers.Discretization([0.0, 1.0, 2.0])
categories = OneHotEncoder(handle_unknown="ignore").fit([["x"], ["y"], ["x"]])
windows = keras.utils.timeseries_dataset_from_array(
    np.arange(12), np.arange(12) * 10, sequence_length=3, sequence_stride=2, sampling_rate=2, batch_size=100
)
windows = [[part.numpy().tolist() for part in batch] for batch in windows]
json.dump(
    {
        "numbers": numbers,
        "new": new,
        "scaled": scaled,
        "lookups": lookups,
        "integers": [[3, 5, 1, 2, 9], integers([3, 5, 1, 2, 9]).numpy().tolist()],
        "bins": [[-1.0, 0.0, 0.5, 1.0, 2.0, 5.0], bins([-1.0, 0.0, 0.5, 1.0, 2.0, 5.0]).numpy().tolist()],
        "one_hot": categories.transform([["y"], ["z"], ["x"]]).toarray().tolist(),
        "windows": windows[0],
    },
    __import__("sys").stdout,
    indent=1,
)
