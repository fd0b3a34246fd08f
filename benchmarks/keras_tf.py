"""Keras on TensorFlow. fit: as everyone writes it; compiled: one tf.function runs the whole epoch."""

import os

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import keras
import tensorflow as tf
from keras import layers

import common
from common import CLASSES, HIDDEN, LEARNING_RATE

options = common.options(["fit", "compiled"])
tf.config.threading.set_intra_op_parallelism_threads(common.THREADS)
tf.config.threading.set_inter_op_parallelism_threads(common.THREADS)
keras.utils.set_random_seed(options.seed)
x_train, y_train, x_test, labels_test = common.mnist(options.data)
y_train = keras.utils.to_categorical(y_train, CLASSES)


def dense():
    return [layers.Flatten(), layers.Dense(HIDDEN, activation="relu"), layers.Dense(CLASSES, activation="softmax")]


def convnet():
    return [
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(CLASSES, activation="softmax"),
    ]


if options.network == "convnet":
    x_train, x_test = x_train[..., None], x_test[..., None]
shape = x_train.shape[1:]
model = keras.Sequential([keras.Input(shape), *(dense() if options.network == "dense" else convnet())])
adam = keras.optimizers.Adam(LEARNING_RATE)
loss_fn = keras.losses.CategoricalCrossentropy()
model.compile(optimizer=adam, loss=loss_fn)
adam.build(model.trainable_variables)
total = len(x_train)

if options.setting == "compiled":
    images, targets = tf.constant(x_train), tf.constant(y_train)
    # Not kept twice.
    del x_train, y_train


@tf.function
def epoch_compiled(rows):
    order = tf.random.shuffle(tf.range(total))[:rows]
    x, y = tf.gather(images, order), tf.gather(targets, order)
    losses = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
    for start in tf.range(0, rows, options.batch):
        with tf.GradientTape() as tape:
            loss = loss_fn(y[start : start + options.batch], model(x[start : start + options.batch], training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        adam.apply(gradients, model.trainable_variables)
        losses = losses.write(losses.size(), loss)
    return losses.stack()


def epoch_of_fit(rows):
    model.fit(x_train[:rows], y_train[:rows], batch_size=options.batch, epochs=1, verbose=0)


@tf.function(input_signature=[tf.TensorSpec([1, *shape])], jit_compile=True)
def predict_compiled(image):
    return model(image, training=False)


if options.setting == "fit":
    training = common.time_epochs(options, total, epoch_of_fit)
    predict_us = common.time_predict(lambda image: model.predict(image, verbose=0), x_test, calls=100)
else:
    training = common.time_epochs(options, total, lambda rows: epoch_compiled(rows).numpy())
    # Without the look-up of which of a function's traces fits.
    predict = predict_compiled.get_concrete_function()
    predict_us = common.time_predict(lambda image: predict(tf.constant(image)).numpy(), x_test)
accuracy = common.accuracy(lambda images: model.predict(images, batch_size=1_000, verbose=0), x_test, labels_test)
common.report(f"{keras.__version__} on TensorFlow {tf.__version__}", training, accuracy, predict_us)
