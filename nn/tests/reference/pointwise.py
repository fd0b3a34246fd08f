"""Writes pointwise.txt: known values of the functions that losses compute element by element, by mpmath 1.4.1 in 60 digits.

    python pointwise.py > pointwise.txt

Points are pairs of a target and an output. See tensor/tests/reference/pointwise.py, whose `row` writes a line.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parents[3] / "tensor/tests/reference"))

from mpmath import cosh, exp, log, log1p, mpf
from pointwise import row, sigmoid, softplus

PAIRS = [(0.0, 0.5), (1.0, 0.5), (-2.5, 3.0), (0.25, -3.0), (1.0, 1.0), (1.0, 2.0**-20), (2.0**20, 17.0), (-1.0, -1.0)]
COUNTS = [(0.0, 0.5), (1.0, 0.5), (3.0, 4.0), (0.0, 2.0**-10), (1.0, 2.0**-10), (17.0, 1000.0), (1000.0, 17.0)]
PROBABILITIES = [(0.0, 0.5), (1.0, 0.5), (0.25, 0.75), (1.0, 0.0), (0.0, 1.0), (1.0, 2.0**-100), (0.0, 2.0**-20), (1.0, 0.875),
                 (1.0, 1.0 + 2.0**-23), (0.0, 1.0 + 2.0**-23), (0.0, -(2.0**-30)), (1.0, -(2.0**-30))]
LOGITS = [(0.0, 0.5), (1.0, -0.5), (0.25, 3.0), (1.0, -100.0), (0.0, 100.0), (1.0, 17.0), (0.0, -17.0), (1.0, 40.0), (0.0, -40.0), (0.25, 100.0)]
SIGNS = [(-1.0, 0.5), (1.0, 0.5), (1.0, 3.0), (-1.0, -3.0), (1.0, 1.0), (1.0, -(2.0**20)), (-1.0, 2.0**-20)]
LEAST = 2.0**-126
EPSILON = mpf("1e-7")

NAN = {"0 NaN": "NaN", "NaN 0": "NaN"}
ENDS = {"1 inf": "0", "0 -inf": "0", "1 -inf": "inf", "0 inf": "inf", "0.5 inf": "inf", "0.5 -inf": "inf"}
FAR = {"0 inf": "inf", "0 -inf": "inf"}


def binary(t, p, least):
    yes, no = (min(max(q, least), mpf(1)) for q in (p, 1 - p))
    return -t * log(yes) - (1 - t) * log(no)


def of_logit(t, x):
    return t * softplus(-x) + (1 - t) * softplus(x)


def categorical_focal(t, l, gamma, factor):
    return -t * factor * power(1 - exp(l), gamma) * l if t else mpf(0)


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
    row("log_cosh", lambda t, p: log(cosh(p - t)), [pair for pair in PAIRS if pair[0] < 1000] + [(0.0, 2.0**-20), (0.0, -100.0)],
        NAN | FAR, ulp=8)
    row("poisson", lambda t, p: p - t * log(max(p, mpf(0)) + EPSILON), COUNTS + [(0.0, -(2.0**-23)), (1.0, -(2.0**-23))],
        NAN | {"0 inf": "NaN"}, of=4)
    row("huber", huber, PAIRS, NAN | FAR, delta=0.75)

    # binary.rs
    row("binary_crossentropy", binary, PROBABILITIES, NAN, least=LEAST)
    row("binary_crossentropy_from_logits", of_logit, LOGITS, NAN | ENDS)

    # focal.rs
    for gamma in (2.0, 1.0, 0.5, 0.0):
        row("binary_focal_crossentropy",
            lambda t, p, gamma, slope, offset, least: binary(t, p, least) * power(wrong(t, p), gamma) * (slope * t + offset),
            PROBABILITIES[:4], NAN, ulp=8, gamma=gamma, slope=-0.5, offset=0.75, least=LEAST)
        row("binary_focal_crossentropy_from_logits",
            lambda t, x, gamma, slope, offset: of_logit(t, x) * power(wrong(t, sigmoid(x)), gamma) * (slope * t + offset),
            LOGITS, {"NaN 0": "NaN"} | ENDS, ulp=16, gamma=gamma, slope=-0.5, offset=0.75)
        row("categorical_focal_crossentropy", categorical_focal,
            [(0.0, -0.5), (1.0, -0.5), (0.25, -3.0), (1.0, -100.0), (0.5, -(2.0**-20)), (1.0, 0.0)],
            {"1 -inf": "inf", "0 -inf": "0", "1 NaN": "NaN"}, ulp=8, gamma=gamma, factor=0.25)
    row("times_logarithm", lambda t, l: -t * l, [(0.0, -0.5), (1.0, -0.5), (0.25, -3.0)],
        {"1 -inf": "inf", "0 -inf": "0", "1 NaN": "NaN"})
    row("ln_at_least", lambda p, least: log(min(max(p, least), mpf(1))), [0.0, 1.0, 0.5, 0.875, 2.0**-100, 17.0], {"NaN": "NaN"}, least=LEAST)

    # hinge.rs
    row("hinge", lambda t, p: max(1 - t * p, mpf(0)), SIGNS, NAN | {"1 inf": "0", "-1 inf": "inf"})
    row("squared_hinge", lambda t, p: max(1 - t * p, mpf(0)) ** 2, SIGNS, NAN | {"1 inf": "0", "-1 inf": "inf"})

    # vectors.rs
    row("kl_divergence", lambda t, p, least: (t * log(t) if t > 0 else mpf(0)) - t * log(min(max(p, least), mpf(1))), PROBABILITIES,
        {"1 NaN": "NaN"}, ulp=8, least=LEAST)
