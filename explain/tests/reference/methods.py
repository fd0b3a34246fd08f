"""Writes methods.txt: attributions of a small convnet by JAX 0.10.2 in f64, by the formulas of the papers.

    python methods.py > methods.txt

The weights and pictures are sines, so that they need no file. A line is a name, a shape and numbers.
"""

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def sines(shape, scale, phase):
    return jnp.asarray(scale * np.sin(0.7 * np.arange(np.prod(shape)) + phase).reshape(shape))


KERNEL, BIAS = sines((3, 3, 1, 3), 0.8, 0.0), sines((3,), 0.3, 1.0)
SECOND, SECOND_BIAS = sines((2, 2, 3, 4), 0.5, 2.0), sines((4,), 0.2, 3.0)
HEAD, HEAD_BIAS = sines((16, 3), 0.9, 4.0), sines((3,), 0.1, 5.0)
PICTURES = sines((2, 8, 8, 1), 1.0, 6.0)


def convolve(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def to_second(x):
    """The output of the second convolution: [n, 5, 5, 4]."""
    hidden = jnp.tanh(convolve(x, KERNEL) + BIAS)
    return jnp.maximum(convolve(hidden, SECOND) + SECOND_BIAS, 0)


def to_logits(second):
    pooled = second[:, :4, :4].reshape(-1, 2, 2, 2, 2, 4).max((2, 4))
    return pooled.reshape(-1, 16) @ HEAD + HEAD_BIAS


def score(logits, classes):
    """The logit of a class, relative to the mean."""
    logits = logits - logits.mean(-1, keepdims=True)
    return jnp.take_along_axis(logits, classes[:, None], 1)[:, 0]


def line(name, values):
    values = np.asarray(values)
    print(f"{name};", *values.shape, end="; ")
    print(*(repr(float(value)) for value in values.ravel()))


logits = to_logits(to_second(PICTURES))
probabilities = jax.nn.softmax(logits)
classes = probabilities.argmax(-1)
number = lambda x: score(to_logits(to_second(x)), classes)
gradient = jax.grad(lambda x: number(x).sum())

line("probabilities", probabilities)
line("numbers", number(PICTURES))
line("gradients", gradient(PICTURES))
line("gradient_times_input", PICTURES * gradient(PICTURES))

# No constant: equal numbers share a maximum's gradient here, and there the first of them has it.
baseline = sines((8, 8, 1), 0.25, 7.0)
for name, places in [("midpoint", (np.arange(20) + 0.5) / 20), ("trapezoid", np.arange(21) / 20)]:
    weights = np.full(len(places), 1 / 20)
    if name == "trapezoid":
        weights[[0, -1]] /= 2
    mean = sum(weight * gradient(baseline + t * (PICTURES - baseline)) for t, weight in zip(places, weights))
    line(f"integrated_{name}", (PICTURES - baseline) * mean)

second = to_second(PICTURES)
slopes = jax.grad(lambda a: score(to_logits(a), classes).sum())(second).mean((1, 2), keepdims=True)
coarse = jnp.maximum((slopes * second).sum(-1), 0)
line("grad_cam_coarse", coarse)
line("grad_cam", jax.image.resize(coarse, (2, 8, 8), "linear"))

# Occlusion by squares of 3, two apart; the last ends with the axis.
sums, counts = np.zeros((2, 8, 8)), np.zeros((8, 8))
for i in [0, 2, 4, 5]:
    for j in [0, 2, 4, 5]:
        hidden = PICTURES.at[:, i : i + 3, j : j + 3].set(0.5)
        sums[:, i : i + 3, j : j + 3] += np.asarray(number(PICTURES) - number(hidden))[:, None, None]
        counts[i : i + 3, j : j + 3] += 1
line("occlusion", sums / counts)
