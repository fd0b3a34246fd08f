"""Attention alone, with its gradients, in PyTorch (eager and compiled), Keras and JAX.

Every peer gets its operands in the order of axes that it likes best.
"""

import os

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")

import common
import kernels
from networks import AttentionKernel

options = kernels.options(AttentionKernel, ["pytorch", "pytorch_compiled", "keras", "jax"])
causal = options.kernel.causal
arrays = [kernels.numbers(i, options.kernel.shape) for i in range(4)]


def pytorch(compiled=False):
    import torch
    from torch.nn import functional

    torch.set_num_threads(common.THREADS)
    q, k, v, g = (torch.from_numpy(array.transpose(0, 2, 1, 3).copy()) for array in arrays)
    attend = functional.scaled_dot_product_attention
    if compiled:
        attend = torch.compile(attend)

    def call():
        inputs = [x.detach().requires_grad_() for x in (q, k, v)]
        return torch.autograd.grad(attend(*inputs, is_causal=causal), inputs, g)

    return torch.__version__, call


def keras():
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(common.THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(common.THREADS)
    q, k, v, g = map(tf.constant, arrays)

    @tf.function
    def gradients(q, k, v, g):
        with tf.GradientTape() as tape:
            tape.watch([q, k, v])
            y = keras.ops.dot_product_attention(q, k, v, is_causal=causal)
        return tape.gradient(y, [q, k, v], g)

    def call():
        return [gradient.numpy() for gradient in gradients(q, k, v, g)]

    return f"{keras.__version__} on TensorFlow {tf.__version__}", call


def jax():
    import jax

    q, k, v, g = map(jax.numpy.asarray, arrays)

    def attend(q, k, v):
        return jax.nn.dot_product_attention(q, k, v, is_causal=causal)

    gradients = jax.jit(lambda q, k, v, g: jax.vjp(attend, q, k, v)[1](g))
    return jax.__version__, lambda: jax.block_until_ready(gradients(q, k, v, g))


make = {"pytorch": pytorch, "pytorch_compiled": lambda: pytorch(compiled=True), "keras": keras, "jax": jax}
kernels.time(options, *make[options.setting]())
