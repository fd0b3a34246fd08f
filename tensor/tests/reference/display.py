"""Writes display.txt: arrays of floats and what NumPy 2.4.6 prints for them.

    python display.py > display.txt

A line is the element type, the shape (empty for a number without axes), the bits of each element in hexadecimal digits, and
the text of `str` with `|` for each line break, separated by semicolons.
"""

import numpy as np

random = np.random.default_rng(7)
KINDS = {"f32": (np.float32, np.uint32, 38, -45), "f64": (np.float64, np.uint64, 307, -320)}


def line(kind, x):
    float_type, bits, _, _ = KINDS[kind]
    x = np.asarray(x, float_type)
    shape = ",".join(map(str, x.shape))
    elements = ",".join(format(int(number), "x") for number in x.reshape(-1).view(bits))
    # `str` of an array without axes is that of its element.
    print(kind, shape, elements, str(x[()]).replace("\n", "|"), sep=";")


def some(kind, low, high, count):
    """Numbers of random sign whose size is spread evenly over 10^low .. 10^high."""
    with np.errstate(over="ignore"):
        size = 10.0 ** random.uniform(low, high, count)
        return (size * random.choice([1, 1, -1], count)).astype(KINDS[kind][0])


for kind in KINDS:
    _, _, most, least = KINDS[kind]
    line(kind, [7.9641542e8, 8.9857024e8])
    for _ in range(60):
        # Of one size, so that their digits are what matters.
        low = random.uniform(least, most - 1)
        line(kind, some(kind, low, low + 1, random.integers(1, 6)))
    for _ in range(60):
        # Around the sizes at which notation changes.
        low = random.uniform(-6, 9)
        line(kind, some(kind, low, low + random.uniform(0, 4), random.integers(1, 9)))
    for _ in range(40):
        line(kind, np.round(some(kind, -3, 5, random.integers(1, 9)), random.integers(0, 4)))
    for _ in range(40):
        # Whole numbers, and numbers of few binary digits.
        line(kind, np.round(some(kind, 0, random.uniform(1, 12), random.integers(1, 6))))
        line(kind, random.integers(-4096, 4096, 4) * 2.0 ** random.integers(-20, 20))
    for _ in range(60):
        line(kind, some(kind, -6, 18, 1)[0])
    for _ in range(20):
        line(kind, some(kind, least, most, 1)[0])
    for _ in range(10):
        x = some(kind, -2, random.uniform(-1, 8), 12)
        x[random.integers(0, 12)] = random.choice([np.nan, np.inf, -np.inf, 0.0, -0.0])
        line(kind, x.reshape(3, 4))
        line(kind, x.reshape(2, 3, 2))
        line(kind, x)
    line(kind, some(kind, 3, 8, 1200).reshape(30, 40))
