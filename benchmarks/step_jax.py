"""A training step of JAX with optax's Adam or AdamW. step: one compiled step; scan: the steps of all batches are one program."""

import functools
import math

import jax
import jax.numpy as jnp
import optax

import common
import networks as net
import step

options = step.options(["step", "scan"])
network = options.network


class Forward:
    """The weights, states and random keys of one forward pass, in the order in which layers ask for them.

    Without `weights`, the pass makes them.
    """

    def __init__(self, key, weights=None, states=None):
        self.key, self.weights, self.states = key, [], []
        self.given = weights is not None and (iter(weights), iter(states))

    def fresh_key(self):
        self.key, use = jax.random.split(self.key)
        return use

    def weight(self, shape, initial=None):
        """Glorot uniform, unless the layer says otherwise: the last two axes are what goes in and out."""
        limit = (6 / (math.prod(shape[:-2]) * sum(shape[-2:]))) ** 0.5
        make = initial or (lambda shape: jax.random.uniform(self.fresh_key(), shape, minval=-limit, maxval=limit))
        self.weights.append(next(self.given[0]) if self.given else make(shape))
        return self.weights[-1]

    def normal(self, shape):
        return 0.05 * jax.random.normal(self.fresh_key(), shape)

    def bias(self, size):
        return self.weight((size,), jnp.zeros)

    def follow(self, value, initial):
        """Keeps a moving average of `value`."""
        before = next(self.given[1]) if self.given else initial(value.shape)
        self.states.append(0.99 * before + 0.01 * value)

    def chain(self, layers, x):
        for layer in layers:
            x = self.apply(layer, x)
        return x

    def convolve(self, x, kernel, stride, convolution=jax.lax.conv_general_dilated, **more):
        axes = "DHW"[5 - x.ndim :]
        numbers = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
        return convolution(x, kernel, [stride] * len(axes), "SAME", dimension_numbers=numbers, **more)

    def recur(self, cell, units, x):
        """The products of all inputs at once, then a scan over the steps."""
        gates = {"lstm": 4, "gru": 3}[cell]
        products = x @ self.weight((x.shape[-1], gates * units)) + self.bias(gates * units)
        recurrent = self.weight((units, gates * units))
        inner_bias = self.bias(gates * units) if cell == "gru" else 0

        def lstm(states, product):
            h, c = states
            i, f, g, o = jnp.split(product + h @ recurrent, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

        def gru(states, product):
            (h,) = states
            inner = h @ recurrent + inner_bias
            z, r = jnp.split(jax.nn.sigmoid(product[:, : 2 * units] + inner[:, : 2 * units]), 2, -1)
            candidate = jnp.tanh(product[:, 2 * units :] + r * inner[:, 2 * units :])
            return (z * h + (1 - z) * candidate,), None

        first = jnp.zeros((x.shape[0], units), x.dtype)
        step, states = (lstm, (first, first)) if cell == "lstm" else (gru, (first,))
        return jax.lax.scan(step, states, jnp.swapaxes(products, 0, 1))[0][0]

    def attend(self, heads, x):
        """One product for queries, keys and values."""
        n, t, width = x.shape
        q, k, v = jnp.moveaxis(self.dense(3 * width, x).reshape(n, t, 3, heads, -1), 2, 0)
        return self.dense(width, jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(x.shape))

    def dense(self, units, x):
        # A product of matrices is faster than one of arrays with more axes.
        rows = x.reshape(-1, x.shape[-1]) @ self.weight((x.shape[-1], units)) + self.bias(units)
        return rows.reshape(*x.shape[:-1], units)

    def normalize(self, x, mean, variance):
        gamma, beta = self.weight(x.shape[-1:], jnp.ones), self.bias(x.shape[-1])
        return (x - mean) * (jax.lax.rsqrt(variance + 1e-3) * gamma) + beta

    def apply(self, layer, x):
        channels, between = x.shape[-1], tuple(range(1, x.ndim - 1))

        def window(size):
            return [size] * len(between)

        match layer:
            case net.Dense(units):
                return self.dense(units, x)
            case net.Conv(filters, size, stride, bias):
                y = self.convolve(x, self.weight((*window(size), channels, filters)), stride)
                return y + self.bias(filters) if bias else y
            case net.DepthwiseConv(size, stride):
                kernel = self.weight((*window(size), 1, channels))
                return self.convolve(x, kernel, stride, feature_group_count=channels)
            case net.ConvTranspose(filters, size, stride):
                kernel = self.weight((*window(size), channels, filters))
                return self.convolve(x, kernel, stride, jax.lax.conv_transpose) + self.bias(filters)
            case net.BatchNorm():
                mean = x.mean((0, *between))
                variance = (x * x).mean((0, *between)) - mean * mean
                self.follow(mean, jnp.zeros)
                self.follow(variance, jnp.ones)
                return self.normalize(x, mean, variance)
            case net.LayerNorm():
                mean = x.mean(-1, keepdims=True)
                return self.normalize(x, mean, (x * x).mean(-1, keepdims=True) - mean * mean)
            case net.Relu():
                return jax.nn.relu(x)
            case net.Gelu(approximate):
                return jax.nn.gelu(x, approximate)
            case net.Dropout(rate):
                return jnp.where(jax.random.bernoulli(self.fresh_key(), 1 - rate, x.shape), x / (1 - rate), 0)
            case net.MaxPool(size):
                # Slices instead of `reduce_window`, whose derivative is slow on this backend.
                for axis in between:
                    slices = (jax.lax.slice_in_dim(x, i, None, size, axis) for i in range(size))
                    x = functools.reduce(jnp.maximum, slices)
                return x
            case net.GlobalAverage():
                return x.mean(between)
            case net.GlobalMax():
                return x.max(between)
            case net.Embedding(ids, units):
                return self.weight((ids, units), self.normal)[x]
            case net.Positions():
                return x + self.weight(x.shape[1:], self.normal)
            case net.CausalAttention(heads):
                return self.attend(heads, x)
            case net.Recurrent(cell, units):
                return self.recur(cell, units, x)
            case net.Residual(body, shortcut):
                return self.chain(shortcut, x) + self.chain(body, x)
            case net.Skip(body):
                return jnp.concatenate([x, self.chain(body, x)], -1)


inputs, targets = (jnp.asarray(part) for part in step.batches(options))
loss_of = {
    "classes": optax.softmax_cross_entropy_with_integer_labels,
    "bits": optax.sigmoid_binary_cross_entropy,
    "numbers": lambda outputs, targets: jnp.square(outputs - targets),
}[network.loss]
adam = {
    "adam": optax.adam(common.LEARNING_RATE),
    "adamw": optax.adamw(common.LEARNING_RATE, weight_decay=common.WEIGHT_DECAY),
}[network.optimizer]


def initial(key, x):
    made = Forward(key)
    made.chain(network.layers, x)
    return made.weights, made.states, adam.init(made.weights), key


def loss_fn(weights, states, key, x, y):
    made = Forward(key, weights, states)
    return loss_of(made.chain(network.layers, x), y).mean(), (made.states, made.key)


def train(carry, batch):
    weights, states, moments, key = carry
    (loss, (states, key)), gradients = jax.value_and_grad(loss_fn, has_aux=True)(weights, states, key, *batch)
    changes, moments = adam.update(gradients, moments, weights)
    return (optax.apply_updates(weights, changes), states, moments, key), loss


compiled = jax.jit(train, donate_argnums=0)
scanned = jax.jit(lambda carry, batches: jax.lax.scan(train, carry, batches), donate_argnums=0)
carry = jax.jit(initial)(jax.random.key(options.seed), inputs[0])
parameters = sum(weight.size for weight in carry[0])
batches = list(zip(inputs, targets))


def pass_of_steps():
    global carry
    losses = []
    for batch in batches:
        carry, loss = compiled(carry, batch)
        losses.append(loss)
    return jax.device_get(losses)


def pass_of_scan():
    global carry
    carry, losses = scanned(carry, (inputs, targets))
    return jax.device_get(losses)


windows = step.time_steps(options, network.steps, pass_of_steps if options.setting == "step" else pass_of_scan)
step.report(jax.__version__, parameters, windows)
