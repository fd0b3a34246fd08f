"""The CTC loss alone, with its gradient by the logits, in PyTorch, optax on JAX and Keras."""

import os

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import common
import kernels
from networks import CTCKernel

options = kernels.options(CTCKernel, ["pytorch", "optax", "keras"])
samples, frames, classes, labels = options.kernel
array = kernels.numbers(0, (samples, frames, classes))
targets = kernels.labels(1, options.kernel)


def pytorch():
    import torch

    torch.set_num_threads(common.THREADS)
    # PyTorch's own layout: frames first.
    logits = torch.from_numpy(array).transpose(0, 1).contiguous().requires_grad_()
    lengths = torch.full((samples,), frames), torch.full((samples,), labels)
    wanted = torch.from_numpy(targets)

    def call():
        logits.grad = None
        loss = torch.nn.functional.ctc_loss(logits.log_softmax(-1), wanted, *lengths, reduction="sum") / samples
        loss.backward()
        return [logits.grad]

    return torch.__version__, call


def optax():
    import jax
    import jax.numpy as jnp
    import optax

    padding = jnp.zeros((samples, frames)), jnp.zeros((samples, labels))
    gradient = jax.jit(jax.grad(lambda x: optax.ctc_loss(x, padding[0], targets, padding[1]).mean()))
    logits = jnp.asarray(array)
    return f"{optax.__version__} on JAX {jax.__version__}", lambda: [gradient(logits).block_until_ready()]


def keras():
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(common.THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(common.THREADS)
    logits, wanted = tf.constant(array), tf.constant(targets)
    loss = keras.losses.CTC()

    @tf.function
    def gradient(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(wanted, logits)
        return tape.gradient(value, logits)

    return f"{keras.__version__} on TensorFlow {tf.__version__}", lambda: [gradient(logits).numpy()]


kernels.time(options, *{"pytorch": pytorch, "optax": optax, "keras": keras}[options.setting]())
