"""Writes pointwise.txt: known values of the functions that losses compute element by element, by mpmath 1.4.1 in 60 digits.

    python pointwise.py > pointwise.txt

Points are pairs of a target and an output. See tensor/tests/reference/pointwise.py, whose `row` writes a line.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parents[3] / "tensor/tests/reference"))

from mpmath import cosh, log, log1p, mpf
from pointwise import row, sigmoid, softplus

PAIRS = [(0.0, 0.5), (1.0, 0.5), (-2.5, 3.0), (0.25, -3.0), (1.0, 1.0), (1.0, 2.0**-20), (2.0**20, 17.0), (-1.0, -1.0)]
COUNTS = [(0.0, 0.5), (1.0, 0.5), (3.0, 4.0), (0.0, 2.0**-10), (1.0, 2.0**-10), (17.0, 1000.0), (1000.0, 17.0)]
PROBABILITIES = [(0.0, 0.5), (1.0, 0.5), (0.25, 0.75), (1.0, 0.0), (0.0, 1.0), (1.0, 2.0**-100), (0.0, 2.0**-20), (1.0, 0.875)]
LOGITS = [(0.0, 0.5), (1.0, -0.5), (0.25, 3.0), (1.0, -100.0), (0.0, 100.0), (1.0, 17.0), (0.0, -17.0)]
SIGNS = [(-1.0, 0.5), (1.0, 0.5), (1.0, 3.0), (-1.0, -3.0), (1.0, 1.0), (1.0, -(2.0**20)), (-1.0, 2.0**-20)]
LEAST = 2.0**-126
EPSILON = mpf("1e-7")

NAN = {"0 NaN": "NaN", "NaN 0": "NaN"}
FAR = {"0 inf": "inf", "0 -inf": "inf"}


def binary(t, p, least):
    return -t * log(max(p, least)) - (1 - t) * log(max(1 - p, least))


def power(x, gamma):
    return x**gamma if x > 0 else mpf(0)


def wrong(t, p):
    return t + (1 - 2 * t) * p


def huber(t, p, delta):
    e = abs(p - t)
    return e * e / 2 if e <= delta else delta * e - delta * delta / 2


if __name__ == "__main__":
    print("# Made by pointwise.py with mpmath. Lines: name parameter=.. ulp=.. of=..: target output -> value; ..")

    # elementwise.rs
    row("mean_squared_error", lambda t, p: (p - t) ** 2, PAIRS, NAN | FAR)
    row("mean_absolute_error", lambda t, p: abs(p - t), PAIRS, NAN | FAR)
    row("mean_absolute_percentage_error", lambda t, p: 100 * abs(p - t) / max(abs(t), EPSILON), PAIRS, NAN | FAR)
    row("mean_squared_logarithmic_error", lambda t, p: (log1p(max(p, EPSILON)) - log1p(max(t, EPSILON))) ** 2, PAIRS,
        NAN | {"0 inf": "inf"}, ulp=16)
    row("log_cosh", lambda t, p: log(cosh(p - t)), [pair for pair in PAIRS if pair[0] < 1000], NAN | {"0 inf": "inf"},
        ulp=4, of=1)
    row("poisson", lambda t, p: p - t * log(p + EPSILON), COUNTS, NAN | {"0 inf": "NaN"}, of=4)
    row("huber", huber, PAIRS, NAN | FAR, delta=0.75)

    # binary.rs
    row("binary_crossentropy", binary, PROBABILITIES, NAN, least=LEAST)
    row("binary_crossentropy_from_logits", lambda t, x: softplus(x) - t * x, LOGITS, NAN, ulp=2, of=16)

    # focal.rs
    for gamma in (2.0, 1.0, 0.5, 0.0):
        row("binary_focal_crossentropy",
            lambda t, p, gamma, slope, offset, least: binary(t, p, least) * power(wrong(t, p), gamma) * (slope * t + offset),
            PROBABILITIES[:4], NAN, ulp=8, gamma=gamma, slope=-0.5, offset=0.75, least=LEAST)
        row("binary_focal_crossentropy_from_logits",
            lambda t, x, gamma, slope, offset: (softplus(x) - t * x) * power(wrong(t, sigmoid(x)), gamma) * (slope * t + offset),
            LOGITS[:4], {"NaN 0": "NaN"}, ulp=16, gamma=gamma, slope=-0.5, offset=0.75)
    row("focus", lambda p, gamma: power(1 - p, gamma), [0.0, 1.0, 0.5, 0.875, 2.0**-20, 1.0 + 2.0**-20], {"NaN": "NaN"}, gamma=1.5)
    row("ln_at_least", lambda p, least: log(max(p, least)), [0.0, 1.0, 0.5, 0.875, 2.0**-100, 17.0], {"NaN": "NaN"}, least=LEAST)

    # hinge.rs
    row("hinge", lambda t, p: max(1 - t * p, mpf(0)), SIGNS, NAN | {"1 inf": "0", "-1 inf": "inf"})
    row("squared_hinge", lambda t, p: max(1 - t * p, mpf(0)) ** 2, SIGNS, NAN | {"1 inf": "0", "-1 inf": "inf"})

    # vectors.rs
    row("kl_divergence", lambda t, p, least: (t * log(t) if t > 0 else mpf(0)) - t * log(max(p, least)), PROBABILITIES,
        {"1 NaN": "NaN"}, ulp=8, least=LEAST)
