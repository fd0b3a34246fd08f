"""A training step of Keras on TensorFlow. step: one tf.function runs a step; pass: one runs the steps of all batches."""

import os

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

import common
import networks as net
import step

options = step.options(["step", "pass"])
network = options.network
tf.config.threading.set_intra_op_parallelism_threads(common.THREADS)
tf.config.threading.set_inter_op_parallelism_threads(common.THREADS)
keras.utils.set_random_seed(options.seed)


class Positions(layers.Layer):
    def build(self, shape):
        self.rows = self.add_weight(shape=shape[1:])

    def call(self, x):
        return x + self.rows


def chain(parts, x):
    for layer in parts:
        x = apply(layer, x)
    return x


def apply(layer, x):
    rank = len(x.shape) - 2

    def over_axes(kind):
        return getattr(layers, kind.replace("*", f"{rank}D"))

    match layer:
        case net.Dense(units):
            return layers.Dense(units)(x)
        case net.Conv(filters, size, stride, bias):
            return over_axes("Conv*")(filters, size, stride, "same", use_bias=bias)(x)
        case net.DepthwiseConv(size, stride):
            return over_axes("DepthwiseConv*")(size, stride, "same", use_bias=False)(x)
        case net.ConvTranspose(filters, size, stride):
            return over_axes("Conv*Transpose")(filters, size, stride, "same")(x)
        case net.BatchNorm():
            return layers.BatchNormalization()(x)
        case net.LayerNorm():
            return layers.LayerNormalization()(x)
        case net.Relu():
            return layers.Activation("relu")(x)
        case net.Gelu(approximate):
            return layers.Activation(lambda x: keras.activations.gelu(x, approximate))(x)
        case net.Dropout(rate):
            return layers.Dropout(rate)(x)
        case net.MaxPool(size):
            return over_axes("MaxPooling*")(size)(x)
        case net.GlobalAverage():
            return over_axes("GlobalAveragePooling*")()(x)
        case net.GlobalMax():
            return over_axes("GlobalMaxPooling*")()(x)
        case net.Embedding(ids, units):
            return layers.Embedding(ids, units)(x)
        case net.Positions():
            return Positions()(x)
        case net.CausalAttention(heads):
            return layers.MultiHeadAttention(heads, x.shape[-1] // heads)(x, x, use_causal_mask=True)
        case net.Recurrent(cell, units):
            return getattr(layers, cell.upper())(units)(x)
        case net.Residual(body, shortcut):
            return layers.add([chain(shortcut, x), chain(body, x)])
        case net.Skip(body):
            return layers.concatenate([x, chain(body, x)])


inputs, targets = (tf.constant(part) for part in step.batches(options))
start = keras.Input(network.input, dtype=inputs.dtype)
model = keras.Model(start, chain(network.layers, start))
loss_fn = {
    "classes": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    "bits": keras.losses.BinaryCrossentropy(from_logits=True),
    "numbers": keras.losses.MeanSquaredError(),
}[network.loss]
adam = {
    "adam": keras.optimizers.Adam(common.LEARNING_RATE),
    "adamw": keras.optimizers.AdamW(common.LEARNING_RATE, weight_decay=common.WEIGHT_DECAY),
}[network.optimizer]
adam.build(model.trainable_variables)


def train(x, y):
    with tf.GradientTape() as tape:
        loss = loss_fn(y, model(x, training=True))
    adam.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    return loss


compiled = tf.function(train)
batches = list(zip(inputs, targets))


@tf.function
def compiled_pass():
    losses = tf.TensorArray(tf.float32, network.steps)
    for i in tf.range(network.steps):
        losses = losses.write(i, train(inputs[i], targets[i]))
    return losses.stack()


def pass_of_steps():
    losses = [compiled(x, y) for x, y in batches]
    return [loss.numpy() for loss in losses]


windows = step.time_steps(options, network.steps, pass_of_steps if options.setting == "step" else lambda: compiled_pass().numpy())
parameters = sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)
step.report(f"{keras.__version__} on TensorFlow {tf.__version__}", parameters, windows)
