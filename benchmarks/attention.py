"""Attention alone in PyTorch and JAX, forward and with its gradients: what `cargo bench -p gradus-tensor --bench attention` times.

python benchmarks/attention.py [--threads 2] [--seconds 2]

Shapes are [samples, positions, heads, length]. Every peer gets its operands in the order that it likes best.
"""

import argparse
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=2)
parser.add_argument("--only", default="")
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(options.threads)
os.sched_setaffinity(0, range(options.threads))

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.nn import functional  # noqa: E402

torch.set_num_threads(options.threads)
SHAPES = [(1, 2048, 8, 64), (16, 128, 4, 32), (32, 80, 4, 32)]


def median_ms(run):
    run()
    run()
    times, end = [], time.perf_counter() + options.seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * np.median(times)


def torch_runs(arrays, causal, compiled):
    q, k, v, g = (torch.from_numpy(a.transpose(0, 2, 1, 3).copy()) for a in arrays)
    attend = functional.scaled_dot_product_attention
    if compiled:
        attend = torch.compile(attend)

    def forward():
        with torch.no_grad():
            attend(q, k, v, is_causal=causal)

    def both():
        inputs = [x.detach().requires_grad_() for x in (q, k, v)]
        torch.autograd.grad(attend(*inputs, is_causal=causal), inputs, g)

    return forward, both


def jax_runs(arrays, causal):
    q, k, v, g = map(jnp.asarray, arrays)

    def attend(q, k, v):
        return jax.nn.dot_product_attention(q, k, v, is_causal=causal)

    forward = jax.jit(attend)
    both = jax.jit(lambda q, k, v, g: jax.vjp(attend, q, k, v)[1](g))
    return lambda: forward(q, k, v).block_until_ready(), lambda: jax.block_until_ready(both(q, k, v, g))


for causal in (False, True):
    for shape in SHAPES:
        random = np.random.default_rng(0)
        arrays = [random.standard_normal(shape, np.float32) for _ in range(4)]
        peers = {
            f"PyTorch {torch.__version__}": lambda: torch_runs(arrays, causal, False),
            "PyTorch, compiled": lambda: torch_runs(arrays, causal, True),
            f"JAX {jax.__version__}": lambda: jax_runs(arrays, causal),
        }
        for name, make in peers.items():
            if options.only.lower() in name.lower():
                forward, both = map(median_ms, make())
                print(f"{shape}{' causal' if causal else ''}, {name}: forward {forward:.2f} ms, both {both:.2f} ms", flush=True)
