"""Makes averages.txt: 12 batches of accumulated gradients, averaged weights and constraints in float64, by Keras.

    pip install keras==3.15.1 jax==0.10.2 numpy==2.4.6
    KERAS_BACKEND=jax JAX_ENABLE_X64=1 python averages.py > averages.txt
"""

import keras
import numpy as np
from keras import constraints, optimizers

keras.config.set_floatx("float64")

START = np.array([1.0, -2.0, 0.5])
SLOPE = np.array([0.1, -0.2, 0.3])
BATCHES = 12

print("# Made by averages.py in float64, by Keras 3.15.1 on JAX: the weights p after each of 12 batches, from [1.0, -2.0, 0.5]")
print("# with g(p, t) = 2 p + t [0.1, -0.2, 0.3], t = 0, 1, ..; the last row is p after finalize_variable_values.")


def trace(title, optimizer, constraint=None):
    p = keras.Variable(START, dtype="float64")
    p.constraint = constraint
    optimizer.build([p])
    print(f"\n## {title}")
    for t in range(BATCHES):
        g = 2.0 * np.array(p) + t * SLOPE
        optimizer.apply([keras.ops.convert_to_tensor(g, dtype="float64")], [p])
        print(*(repr(float(x)) for x in np.array(p)))
    optimizer.finalize_variable_values([p])
    print(*(repr(float(x)) for x in np.array(p)))


def sgd(**options):
    return optimizers.SGD(0.1, momentum=0.9, **options)


def rmsprop(**options):
    return optimizers.RMSprop(0.1, **options)


trace("accumulated", sgd(gradient_accumulation_steps=3))
trace("accumulated and clipped", rmsprop(gradient_accumulation_steps=2, clipnorm=1.5))
trace("averaged", sgd(use_ema=True, ema_momentum=0.75))
trace("averaged and overwritten", rmsprop(use_ema=True, ema_momentum=0.75, ema_overwrite_frequency=3))
trace("constrained to a norm", sgd(), constraints.MaxNorm(1.25))
trace("constrained to a unit", sgd(), constraints.UnitNorm())
trace("constrained to positive numbers", sgd(), constraints.NonNeg())
trace("constrained to two norms", sgd(), constraints.MinMaxNorm(0.5, 1.5, rate=0.25))
