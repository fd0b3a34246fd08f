"""Writes recurrent.txt: what Keras's recurrent layers compute and their gradients, in float64.

keras 3.15.1 on jax 0.10.2:

    python recurrent.py > recurrent.txt

A line is: name; shape of the sequences; shape of the first output; all outputs one after the other; gradients of the sum of each
output times a cotangent by the sequences, by the first states, and by each weight. Elements of the sequences, the cotangents and
the weights are ((7 i + 3 seed) mod 11 - 5) / 4: sequences have seed 1 and 1/8 more, the cotangent of output k seed 2 + k, the weights
seeds 3 and on, first states k the seed 20 + k. A mask has the steps for which (5 i + 2) mod 7 > 2, row-major; of the last sample none.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"
import jax

jax.config.update("jax_enable_x64", True)
import keras
import numpy as np
from jax import numpy as jnp

keras.backend.set_floatx("float64")
SHAPE = (3, 5, 2)


def values(shape, seed):
    i = np.arange(int(np.prod(shape)))
    return (((7 * i + 3 * seed) % 11 - 5) / 4).reshape(shape)


def the_mask():
    mask = (5 * np.arange(SHAPE[0] * SHAPE[1]) + 2).reshape(SHAPE[:2]) % 7 > 2
    mask[-1] = False
    return mask


def numbers(arrays):
    return " ".join(repr(float(v)) for a in arrays for v in np.asarray(a, "float64").ravel())


def line(name, layer, states=0, mask=False, shape=SHAPE, units=3):
    x = values(shape, 1) + 1 / 8
    first = [values((shape[0], units), 20 + k) for k in range(states)]
    options = {"mask": jnp.asarray(the_mask())} if mask else {}
    if states:
        options["initial_state"] = [jnp.asarray(state) for state in first]
    layer(x, **options)
    weights = [values(weight.shape, seed) for seed, weight in enumerate(layer.trainable_variables, 3)]
    fixed = [variable.value for variable in layer.non_trainable_variables]

    def compute(weights, x, first):
        given = dict(options)
        if states:
            given["initial_state"] = list(first)
        outputs = layer.stateless_call(weights, fixed, x, **given)[0]
        return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]

    outputs = compute(weights, x, first)

    def loss(weights, x, first):
        return sum((y * values(y.shape, 2 + k)).sum() for k, y in enumerate(compute(weights, x, first)))

    by_weights, by_x, by_first = jax.grad(loss, (0, 1, 2))(weights, x, first)
    lengths = lambda shape: " ".join(map(str, shape))
    parts = [name, lengths(x.shape), lengths(outputs[0].shape), numbers(outputs), numbers([by_x])]
    parts += ([numbers(by_first)] if states else []) + [numbers([gradient]) for gradient in by_weights]
    print("; ".join(parts))


layers = keras.layers
# Keras's own tanh computes in float32.
@keras.saving.register_keras_serializable("reference")
def tanh(x):
    return jnp.tanh(x)


usual = {"activation": tanh}
kinds = {
    "simple": (layers.SimpleRNN, 1, {}),
    "lstm": (layers.LSTM, 2, {}),
    "gru": (layers.GRU, 1, {}),
    "gru, reset before": (layers.GRU, 1, {"reset_after": False}),
}
for name, (kind, states, own) in kinds.items():
    options = {**usual, **own}
    line(name, kind(3, **options))
    line(f"{name}; whole".replace(";", ","), kind(3, return_sequences=True, return_state=True, **options))
    line(f"{name}, states", kind(3, return_sequences=True, return_state=True, **options), states=states)
    line(f"{name}, backwards", kind(3, return_sequences=True, go_backwards=True, **options))
    line(f"{name}, without bias", kind(3, use_bias=False, **options))
    line(f"{name}, masked", kind(3, return_sequences=True, return_state=True, **options), states=states, mask=True)
    zeros = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    line(f"{name}, masked, zeros", kind(3, **zeros, **options), states=states, mask=True)
    line(f"{name}, masked, last", kind(3, **options), states=states, mask=True)
    line(f"{name}, masked, backwards", kind(3, return_sequences=True, go_backwards=True, **options), mask=True)
    if name == "simple":
        line("simple, relu", kind(3, activation="relu", return_sequences=True))
    else:
        other = {"activation": "softsign", "recurrent_activation": "hard_sigmoid"}
        line(f"{name}, other functions", kind(3, return_sequences=True, **other, **own))
    line(f"{name}, softmax", kind(3, return_sequences=True, activation="softmax", **own), mask=True)

for mode in ("concat", "sum", "mul", "ave", None):
    inner = layers.LSTM(3, return_sequences=True, **usual)
    line(f"bidirectional, {mode}".lower(), layers.Bidirectional(inner, merge_mode=mode))
line("bidirectional, last", layers.Bidirectional(layers.GRU(3, **usual)))
line("bidirectional, masked", layers.Bidirectional(layers.GRU(3, return_sequences=True, **usual)), mask=True)
inner = layers.LSTM(3, return_sequences=True, return_state=True, **usual)
line("bidirectional, states", layers.Bidirectional(inner), states=4)
line("time distributed", layers.TimeDistributed(layers.Dense(3)))
