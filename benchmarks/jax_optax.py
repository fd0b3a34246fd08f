"""JAX with optax's Adam. step: one compiled training step; scan: the whole epoch is one compiled program."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import common
from common import CLASSES, HIDDEN, LEARNING_RATE, PIXELS

options = common.options(["step", "scan"])
x_train, y_train, x_test, y_test = common.mnist(options.data)
batch = options.batch


def glorot_uniform(key, *shape):
    """The last two axes are what goes in and out, those before them the window."""
    window = np.prod(shape[:-2])
    limit = (6 / (window * (shape[-2] + shape[-1]))) ** 0.5
    return jax.random.uniform(key, shape, minval=-limit, maxval=limit)


def weights(key):
    """Kernel and bias of every layer."""
    shapes = {
        "dense": [(PIXELS, HIDDEN), (HIDDEN, CLASSES)],
        "convnet": [(3, 3, 1, 32), (3, 3, 32, 64), (5 * 5 * 64, CLASSES)],
    }[options.network]
    keys = jax.random.split(key, len(shapes))
    return [(glorot_uniform(key, *shape), jnp.zeros(shape[-1])) for key, shape in zip(keys, shapes)]


def dense(params, images, key):
    (kernel, bias), (kernel_2, bias_2) = params
    return jax.nn.relu(images.reshape(-1, PIXELS) @ kernel + bias) @ kernel_2 + bias_2


def convolve(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pool(x):
    """The greatest of each 2 x 2. Half the time of `reduce_window`, whose derivative is slow on this backend."""
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    rows = jnp.maximum(x[:, 0:height:2, :width], x[:, 1:height:2, :width])
    return jnp.maximum(rows[:, :, 0::2], rows[:, :, 1::2])


def convnet(params, images, key):
    *convolutions, (kernel_3, bias_3) = params
    x = images[..., None]
    for kernel, bias in convolutions:
        x = pool(jax.nn.relu(convolve(x, kernel) + bias))
    x = x.reshape(len(x), -1)
    if key is not None:
        x = jnp.where(jax.random.bernoulli(key, 0.5, x.shape), x * 2, 0)
    return x @ kernel_3 + bias_3


# The scores, before softmax; a key where something is to be dropped.
logits = {"dense": dense, "convnet": convnet}[options.network]
key, use = jax.random.split(jax.random.key(options.seed))
params = weights(use)
adam = optax.adam(LEARNING_RATE)
state = adam.init(params)


def loss_fn(params, key, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, x, key), y).mean()


def update(params, state, key, x, y):
    key, use = jax.random.split(key)
    loss, gradients = jax.value_and_grad(loss_fn)(params, use, x, y)
    changes, state = adam.update(gradients, state, params)
    return (optax.apply_updates(params, changes), state, key), loss


step = jax.jit(update, donate_argnums=(0, 1, 2))
random = np.random.default_rng(options.seed)


def epoch_of_steps(rows):
    global params, state, key
    order = random.permutation(len(x_train))[:rows]
    losses = []
    for start in range(0, rows, batch):
        part = order[start : start + batch]
        (params, state, key), loss = step(params, state, key, x_train[part], y_train[part])
        losses.append(loss)
    assert np.isfinite(jax.device_get(losses)).all()


@functools.partial(jax.jit, donate_argnums=(0, 1, 2), static_argnums=(5,))
def scanned(params, state, key, images, labels, rows):
    key, use = jax.random.split(key)
    order = jax.random.permutation(use, len(images))[:rows]
    whole = rows // batch * batch

    def body(carry, rows):
        return update(*carry, images[rows], labels[rows])

    carry, losses = jax.lax.scan(body, (params, state, key), order[:whole].reshape(-1, batch))
    if whole < rows:
        carry, last = body(carry, order[whole:])
        losses = jnp.append(losses, last)
    return carry, losses


if options.setting == "scan":
    images, labels = jnp.asarray(x_train), jnp.asarray(y_train)


def epoch_of_scan(rows):
    global params, state, key
    (params, state, key), losses = scanned(params, state, key, images, labels, rows)
    assert np.isfinite(np.asarray(losses)).all()


compiled = jax.jit(lambda params, x: jax.nn.softmax(logits(params, x, None)))


def predict(images):
    return np.asarray(compiled(params, images))


training = common.time_epochs(options, len(x_train), epoch_of_scan if options.setting == "scan" else epoch_of_steps)
accuracy = common.accuracy(predict, x_test, y_test)
predict_us = common.time_predict(predict, x_test)
common.report(jax.__version__, training, accuracy, predict_us)
