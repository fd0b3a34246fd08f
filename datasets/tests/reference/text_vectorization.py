"""Texts as Keras's TextVectorization and pad_sequences make numbers of them: `python text_vectorization.py > text_vectorization.json`.

Needs keras 3.15.1 and tensorflow 2.21.0. The sentences are made up.
"""

import json
import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras

ADAPTED = [
    "The cat sat on the mat.",
    "the dog; the DOG ran (far) away!",
    "A cat & a dog: friends?  They're friends",
    "",
    "É l'été\tà\x0bParis\u00a0oui \u201cquoted\u201d na\u00efve ÉTÉ",
    "[UNK] mat mat",
]
TEXTS = ["The dog sat on a mat", "", "zebra CAT cat, they're", "été É oui \u201cquoted\u201d", "[UNK] far  away\nfar"]
OPTIONS = [
    {},
    {"standardize": "lower"},
    {"standardize": "strip_punctuation"},
    {"standardize": None},
    {"split": "character"},
    {"split": None},
    {"split": "character", "standardize": None, "max_tokens": 12},
    {"ngrams": 2},
    {"ngrams": [2, 3]},
    {"ngrams": [3, 1], "max_tokens": 20},
    {"max_tokens": 6},
    {"output_sequence_length": 3},
    {"output_sequence_length": 9, "max_tokens": 9},
    {"output_mode": "multi_hot"},
    {"output_mode": "multi_hot", "max_tokens": 5},
    {"output_mode": "multi_hot", "max_tokens": 60, "pad_to_max_tokens": True},
    {"output_mode": "count"},
    {"output_mode": "count", "ngrams": 2, "max_tokens": 9},
    {"output_mode": "count", "split": None},
    {"output_mode": "tf_idf"},
    {"output_mode": "tf_idf", "max_tokens": 7},
    {"output_mode": "tf_idf", "max_tokens": 60, "pad_to_max_tokens": True},
    {"output_mode": "multi_hot", "vocabulary": ["cat", "dog", "mat"]},
    {"vocabulary": ["", "[UNK]", "cat", "dog", "mat"]},
    {"output_mode": "tf_idf", "vocabulary": ["cat", "dog", "mat"], "idf_weights": [0.25, 0.5, 2.0]},
]

cases = []
for options in OPTIONS:
    given = {name: tuple(value) if name == "ngrams" and isinstance(value, list) else value for name, value in options.items()}
    layer = keras.layers.TextVectorization(**given)
    if "vocabulary" not in options:
        layer.adapt(ADAPTED)
    # Keras takes a list of texts that are not split for one sample of many tokens, and a column of them for samples.
    texts = [[text] for text in TEXTS] if options.get("split", "") is None else TEXTS
    case = {"options": options, "vocabulary": layer.get_vocabulary(), "output": layer(texts).numpy().tolist()}
    cases.append(case)

SEQUENCES = [[1], [], [2, 3, 4, 5], [6, 7]]
padded = []
for options in [
    {},
    {"padding": "post"},
    {"maxlen": 3},
    {"maxlen": 3, "truncating": "post"},
    {"maxlen": 3, "padding": "post", "truncating": "post", "value": -1},
    {"maxlen": 6, "padding": "post"},
    {"maxlen": 1, "value": 9},
]:
    padded.append({"options": options, "output": keras.utils.pad_sequences(SEQUENCES, **options).tolist()})

print("{")
print(f'"adapted": {json.dumps(ADAPTED)},\n"texts": {json.dumps(TEXTS)},\n"sequences": {json.dumps(SEQUENCES)},')
for name, rows in [("cases", cases), ("padded", padded)]:
    print(f'"{name}": [\n' + ",\n".join(map(json.dumps, rows)) + "\n]" + ("," if rows is cases else ""))
print("}")
