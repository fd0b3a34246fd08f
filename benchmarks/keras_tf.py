"""Keras on TensorFlow. fit: as everyone writes it; compiled: one tf.function runs the whole epoch."""

import os

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import keras
import numpy as np
import tensorflow as tf

import common
from common import BATCH, CLASSES, HIDDEN, LEARNING_RATE

options = common.options(["fit", "compiled"])
tf.config.threading.set_intra_op_parallelism_threads(common.THREADS)
tf.config.threading.set_inter_op_parallelism_threads(common.THREADS)
keras.utils.set_random_seed(options.seed)
x_train, y_train, x_test, y_test = common.mnist(options.data)
y_train = keras.utils.to_categorical(y_train, CLASSES)

model = keras.Sequential(
    [
        keras.Input((28, 28)),
        keras.layers.Flatten(),
        keras.layers.Dense(HIDDEN, activation="relu"),
        keras.layers.Dense(CLASSES, activation="softmax"),
    ]
)
adam = keras.optimizers.Adam(LEARNING_RATE)
loss_fn = keras.losses.CategoricalCrossentropy()
model.compile(optimizer=adam, loss=loss_fn)
adam.build(model.trainable_variables)

images, targets = tf.constant(x_train), tf.constant(y_train)


@tf.function
def epoch_compiled():
    order = tf.random.shuffle(tf.range(len(x_train)))
    x, y = tf.gather(images, order), tf.gather(targets, order)
    total = tf.constant(0.0)
    for start in tf.range(0, len(x_train), BATCH):
        with tf.GradientTape() as tape:
            loss = loss_fn(y[start : start + BATCH], model(x[start : start + BATCH], training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        adam.apply(gradients, model.trainable_variables)
        total += loss
    return total


def epoch_of_fit():
    model.fit(x_train, y_train, batch_size=BATCH, epochs=1, verbose=0)


@tf.function(input_signature=[tf.TensorSpec([1, 28, 28])])
def predict_compiled(image):
    return model(image, training=False)


if options.setting == "fit":
    epochs = common.time_epochs(options.epochs, epoch_of_fit)
    predict_us = common.time_predict(lambda image: model.predict(image, verbose=0), x_test, calls=100)
else:
    epochs = common.time_epochs(options.epochs, lambda: epoch_compiled().numpy())
    predict_us = common.time_predict(lambda image: predict_compiled(image).numpy(), x_test)
accuracy = np.mean(model.predict(x_test, batch_size=1_000, verbose=0).argmax(-1) == y_test)
common.report(f"{keras.__version__} on TensorFlow {tf.__version__}", epochs, accuracy, predict_us)
