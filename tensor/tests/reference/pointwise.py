"""Writes pointwise.txt: known values of every elementwise function, by mpmath 1.4.1 in 60 digits.

    python pointwise.py > pointwise.txt

A function is a line `row(name, formula)`, with its parameters and its tolerance behind it; its points are POINTS, unless it
has others of its own. All points and parameters are exact in f32, so that one value serves f32 and f64. Where a formula of
real numbers says nothing (the sign of zero, infinities), `ends` does: the values that IEEE 754 or the limit gives.
"""

import struct

from mpmath import (ceil, cos, erf, erfc, exp, expm1, floor, inf, isnan, log, log1p, mp, mpf, nan, nint, pi, sin, sqrt, tan,
                    tanh)

mp.dps = 60

POINTS = [0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 2.0**-30, -(2.0**-30), 17.0, -17.0]


def text(number):
    if isnan(number):
        return "NaN"
    if number in (inf, -inf):
        return "inf" if number > 0 else "-inf"
    return repr(float(number)).removesuffix(".0")


def row(name, formula, points=POINTS, ends={}, ulp=None, of=None, **parameters):
    """Writes the line of a function. `ends` maps inputs to values that are written as they stand."""
    values = list(parameters.values())
    options = parameters | ({"ulp": ulp} if ulp else {}) | ({"of": of} if of else {})
    head = " ".join([name] + [f"{option}={text(value)}" for option, value in options.items()])
    known = []
    for point in points:
        inputs = point if isinstance(point, tuple) else (point,)
        for number in (*inputs, *values):
            assert struct.unpack("f", struct.pack("f", number))[0] == number, f"{number} is not exact in f32"
        value = formula(*map(mpf, inputs), *map(mpf, values))
        known.append(" ".join(map(text, inputs)) + " -> " + text(value))
    known += [f"{point} -> {value}" for point, value in ends.items()]
    print(head + ": " + "; ".join(known))


def only(condition):
    return [point for point in POINTS if condition(point)]


def same(*points):
    """Ends at which the function is its input."""
    return {point: point for point in points}


def ends(zero=None, minus_zero=None, infinity=None, minus_infinity=None):
    """The ends of a function of one number, NaN being NaN."""
    found = {"0": zero, "-0": minus_zero, "inf": infinity, "-inf": minus_infinity, "NaN": "NaN"}
    return {point: value for point, value in found.items() if value is not None}


ODD = same("0", "-0", "inf", "-inf", "NaN")
positive = only(lambda x: x > 0)


def clip(x, low, high):
    return min(max(x, mpf(low)), mpf(high))


def sigmoid(x):
    return 1 / (1 + exp(-x))


def softplus(x):
    return log1p(exp(x))


if __name__ == "__main__":
    print("# Made by pointwise.py with mpmath. Lines: name parameter=.. ulp=.. of=..: input -> value; ..")

    # numbers.rs
    row("abs", abs, ends=ends("0", "0", "inf", "inf"))
    row("sign", lambda x: x / abs(x), ends=ends("0", "-0", "1", "-1"))
    row("square", lambda x: x * x, ends=ends("0", "0", "inf", "inf"))
    row("clamp", lambda x, low, high: clip(x, low, high), low=-0.75, high=2.0, ends=ends("0", "-0", "2", "-0.75"))
    row("relu", lambda x: max(x, mpf(0)), ends=ends("0", "-0", "inf", "0"))

    # elementary.rs
    row("exp", exp, points=POINTS + [88.5, -87.0], ends=ends("1", "1", "inf", "0"))
    row("expm1", expm1, points=POINTS + [88.5, -87.0], ends=ends("0", "-0", "inf", "-1"))
    row("ln", log, points=positive + [2.0**100, 2.0**-100], ends=ends("-inf", "-inf", "inf", "NaN") | {"-1": "NaN"})
    row("ln1p", log1p, points=[x for x in POINTS if x > -1], ends=ends("0", "-0", "inf", "NaN") | {"-1": "-inf", "-2": "NaN"})
    row("sqrt", sqrt, points=positive + [2.0**101], ends=ends("0", "-0", "inf", "NaN") | {"-1": "NaN"})
    row("rsqrt", lambda x: 1 / sqrt(x), points=positive + [2.0**101], ends=ends("inf", "-inf", "0", "NaN") | {"-1": "NaN"})
    row("recip", lambda x: 1 / x, points=POINTS + [2.0**100], ends=ends("inf", "-inf", "0", "-0"))
    row("tanh", tanh, ends=ends("0", "-0", "1", "-1"))
    row("erf", erf, ends=ends("0", "-0", "1", "-1"))
    rounded = [0.5, -0.5, 1.5, 2.5, -2.5, 0.75, -0.75, 3.0, 8388607.5, -8388607.5, 2.0**40]
    row("floor", floor, points=[x for x in rounded if x != 0.5], ends=ODD | {"0.5": "0"})
    row("ceil", ceil, points=[x for x in rounded if x not in (-0.5, -0.75)], ends=ODD | {"-0.5": "-0", "-0.75": "-0"})
    row("round", nint, points=[x for x in rounded if x != -0.5], ends=ODD | {"-0.5": "-0"})
    row("trunc", lambda x: floor(abs(x)) * (1 if x > 0 else -1), points=[x for x in rounded if abs(x) >= 1],
        ends=ODD | {"0.75": "0", "-0.5": "-0"})

    # angles.rs
    angles = POINTS + [100.0, -(2.0**20), 2.0**40]
    row("sin", sin, points=angles, ends=ends("0", "-0", "NaN", "NaN"))
    row("cos", cos, points=angles, ends=ends("1", "1", "NaN", "NaN"))
    row("tan", tan, points=angles, ends=ends("0", "-0", "NaN", "NaN"))

    # activations.rs
    row("sigmoid", sigmoid, points=POINTS + [-80.0], ends=ends("0.5", "0.5", "1", "0"))
    row("log_sigmoid", lambda x: -softplus(-x), points=POINTS + [80.0], ends=ends(infinity="-0", minus_infinity="-inf"))
    row("softplus", softplus, points=POINTS + [-80.0], ends=ends(infinity="inf", minus_infinity="0"))
    row("gelu", lambda x: x / 2 * erfc(-x / sqrt(2)), points=POINTS[:8] + [17.0, -8.0], ulp=32, ends=ends("0", "-0", "inf", "-0"))
    row("gelu_tanh", lambda x: x / (1 + exp(-2 * sqrt(2 / pi) * (x + mpf("0.044715") * x**3))), points=POINTS[:8] + [17.0, -4.0],
        ulp=32, ends=ends("0", "-0", "inf", "-0"))
    row("silu", lambda x: x * sigmoid(x), points=POINTS + [-80.0], ends=ends("0", "-0", "inf", "-0"))
    row("mish", lambda x: x * tanh(softplus(x)), points=POINTS + [-80.0], ulp=6, ends=ends("0", "-0", "inf", "-0"))
    row("leaky_relu", lambda x, slope: x if x > 0 else slope * x, slope=0.25, ends=ODD)
    row("relu6", lambda x: clip(x, 0, 6), ends=ends("0", "-0", "6", "0"))
    row("relu_with", lambda x, m, s, t: m if x >= m else x if x >= t else s * (x - t), max_value=2.5, slope=0.25, threshold=-0.75,
        ends=ends(infinity="2.5", minus_infinity="-inf"))
    row("elu", lambda x, alpha: x if x > 0 else alpha * expm1(x), alpha=0.75, ends=ends("0", "-0", "inf", "-0.75"))
    alpha, scale = mpf("1.6732632423543772848170429916717"), mpf("1.0507009873554804934193349852946")
    row("selu", lambda x: scale * (x if x > 0 else alpha * expm1(x)), ulp=6, ends=ends("0", "-0", "inf", text(-scale * alpha)))
    row("celu", lambda x, alpha: x if x > 0 else alpha * expm1(x / alpha), alpha=1.5, ends=ends("0", "-0", "inf", "-1.5"))
    row("softsign", lambda x: x / (1 + abs(x)), points=POINTS + [2.0**100, -(2.0**100)], ends=ends("0", "-0"))
    row("squareplus", lambda x, b: (x + sqrt(x * x + b)) / 2, b=4.0, points=POINTS + [2.0**40, -(2.0**40), 2.0**100, -(2.0**100)],
        ends=ends("1", "1", "inf", "0"))
    row("sparse_plus", lambda x: mpf(0) if x <= -1 else x if x >= 1 else ((x + 1) / 2) ** 2, ends=ends("0.25", "0.25", "inf", "0"))
    row("hard_sigmoid", lambda x: clip(x / 6 + mpf(0.5), 0, 1), points=[x for x in POINTS if x != -3.0] + [-2.5], ulp=6,
        ends=ends("0.5", "0.5", "1", "0"))
    row("sparse_sigmoid", lambda x: clip((x + 1) / 2, 0, 1), ends=ends("0.5", "0.5", "1", "0"))
    row("hard_silu", lambda x: x * clip(x / 6 + mpf(0.5), 0, 1), points=[x for x in POINTS if x != -3.0] + [-2.5], ulp=6,
        ends=ends("0", "-0", "inf", "0"))
    row("hard_tanh", lambda x: clip(x, -1, 1), ends=ends("0", "-0", "1", "-1"))
    row("tanh_shrink", lambda x: x - tanh(x), ulp=2, of=1, ends=ends("0", "0", "inf", "-inf"))
    row("hard_shrink", lambda x, t: mpf(0) if abs(x) <= t else x, threshold=0.5, ends=ends("0", "0", "inf", "-inf"))
    row("soft_shrink", lambda x, t: mpf(0) if abs(x) <= t else x - t if x > 0 else x + t, threshold=0.5,
        ends=ends("0", "0", "inf", "-inf"))
    row("threshold", lambda x, t, default: x if x > t else default, threshold=1.0, default_value=-7.0,
        ends=ends("-7", "-7", "inf", "-7"))
