"""Writes constraints.txt: weights after a constraint of Keras, in float64.

keras 3.15.1 on jax 0.10.2.

    KERAS_BACKEND=jax python constraints.py > constraints.txt

A line is: name; shape; the weight after the constraint. Elements before it are ((7 i + 3) mod 11 - 5) / 4.
"""

import jax
import keras
import numpy as np
from keras import constraints

jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")


def line(name, shape, constraint):
    i = np.arange(np.prod(shape))
    w = (((7 * i + 3) % 11 - 5) / 4).reshape(shape)
    numbers = " ".join(repr(float(v)) for v in np.asarray(constraint(w)).ravel())
    print("; ".join([name, " ".join(map(str, shape)), numbers]))


line("non_neg", (4, 3), constraints.NonNeg())
line("max_norm", (4, 3), constraints.MaxNorm(1.5))
line("max_norm of rows", (4, 3), constraints.MaxNorm(1.5, axis=1))
line("max_norm of filters", (2, 3, 2, 4), constraints.MaxNorm(2.5, axis=[0, 1, 2]))
line("unit_norm", (4, 3), constraints.UnitNorm())
line("unit_norm of filters", (2, 3, 2, 4), constraints.UnitNorm(axis=[0, 1, 2]))
line("unit_norm of a bias", (5,), constraints.UnitNorm())
line("min_max_norm", (4, 3), constraints.MinMaxNorm(1.6, 1.9))
line("min_max_norm at a rate", (4, 3), constraints.MinMaxNorm(1.6, 1.9, rate=0.25, axis=1))
