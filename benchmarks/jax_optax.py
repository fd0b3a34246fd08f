"""JAX with optax's Adam. step: one compiled training step; scan: the whole epoch is one compiled program."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import common
from common import BATCH, CLASSES, HIDDEN, LEARNING_RATE, PIXELS

options = common.options(["step", "scan"])
x_train, y_train, x_test, y_test = common.mnist(options.data)
x_train, x_test = x_train.reshape(-1, PIXELS), x_test.reshape(-1, PIXELS)
images, labels = jnp.asarray(x_train), jnp.asarray(y_train)
steps = len(x_train) // BATCH


def glorot_uniform(key, fan_in, fan_out):
    limit = (6 / (fan_in + fan_out)) ** 0.5
    return jax.random.uniform(key, (fan_in, fan_out), minval=-limit, maxval=limit)


key, first, second = jax.random.split(jax.random.key(options.seed), 3)
params = [
    (glorot_uniform(first, PIXELS, HIDDEN), jnp.zeros(HIDDEN)),
    (glorot_uniform(second, HIDDEN, CLASSES), jnp.zeros(CLASSES)),
]
adam = optax.adam(LEARNING_RATE)
state = adam.init(params)


def logits(params, x):
    (kernel, bias), (kernel_2, bias_2) = params
    return jax.nn.relu(x @ kernel + bias) @ kernel_2 + bias_2


def loss_fn(params, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(logits(params, x), y).mean()


def update(params, state, x, y):
    loss, gradients = jax.value_and_grad(loss_fn)(params, x, y)
    changes, state = adam.update(gradients, state, params)
    return optax.apply_updates(params, changes), state, loss


step = jax.jit(update, donate_argnums=(0, 1))
random = np.random.default_rng(options.seed)


def epoch_of_steps():
    global params, state
    order = random.permutation(len(x_train))
    losses = []
    for rows in order.reshape(steps, BATCH):
        params, state, loss = step(params, state, x_train[rows], y_train[rows])
        losses.append(loss)
    jax.block_until_ready(losses[-1])


@functools.partial(jax.jit, donate_argnums=(0, 1))
def scanned(params, state, key, images, labels):
    order = jax.random.permutation(key, len(images)).reshape(steps, BATCH)

    def body(carry, rows):
        params, state, loss = update(*carry, images[rows], labels[rows])
        return (params, state), loss

    (params, state), losses = jax.lax.scan(body, (params, state), order)
    return params, state, losses.mean()


def epoch_of_scan():
    global params, state, key
    key, use = jax.random.split(key)
    params, state, loss = scanned(params, state, use, images, labels)
    jax.block_until_ready(loss)


predict = jax.jit(lambda params, x: jax.nn.softmax(logits(params, x)))

epochs = common.time_epochs(options.epochs, epoch_of_scan if options.setting == "scan" else epoch_of_steps)
accuracy = np.mean(np.asarray(logits(params, x_test)).argmax(-1) == y_test)
predict_us = common.time_predict(lambda image: np.asarray(predict(params, image)), x_test)
common.report(jax.__version__, epochs, accuracy, predict_us)
