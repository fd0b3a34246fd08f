"""Writing with a key-value cache in PyTorch and JAX.

The weights are random. The settings:

* `eager`: PyTorch with a cache of fixed size, of which a step attends to the part that is filled.
* `compile`: `torch.compile` of the step, which attends to the whole cache with a mask.
* `step`: JAX, a compiled step; the cache is donated, so it is changed in place.
* `scan`: JAX, all steps in one `lax.scan`.
"""

import argparse
import os

import common
import step as clock
from networks import WRITINGS

parser = argparse.ArgumentParser()
parser.add_argument("--network", choices=WRITINGS, default="generate")
parser.add_argument("--seconds", type=float, default=2, help="windows are timed for so long, after two sequences to warm up")
parser.add_argument("--seed", type=int, default=0, help="has no effect: an id is as fast as any other")
parser.add_argument("--setting", choices=["eager", "compile", "step", "scan"], default="eager")
options = parser.parse_args()
IDS, WIDTH, BLOCKS, HEADS, LENGTH = WRITINGS[options.network]


def report(version, parameters, write):
    """Times `write`, which writes the whole sequence and returns its last id."""

    def one_pass():
        write()
        return [0.0] * LENGTH

    clock.report(version, parameters, clock.time_steps(options, LENGTH, one_pass))


def pytorch():
    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(common.THREADS)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x, cache, position, mask):
            q, k, v = self.qkv(self.norm1(x)).view(3, HEADS, 1, -1)
            if mask is None:
                cache[:, :, position : position + 1] = torch.stack([k, v])
                keys, values = cache[:, :, : position + 1]
            else:
                cache.index_copy_(2, position, torch.stack([k, v]))
                keys, values = cache
            y = functional.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
            x = x + self.out(y.reshape(1, WIDTH))
            return x + self.down(functional.gelu(self.up(self.norm2(x)), approximate="tanh"))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(IDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
            self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
            self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, IDS)

        def forward(self, id, place, caches, position, mask):
            x = self.tokens(id) + self.positions(place)
            for block, cache in zip(self.blocks, caches):
                x = block(x, cache, position, mask)
            return self.head(self.norm(x)).argmax(-1)

    model = GPT().eval()
    step = torch.compile(model) if options.setting == "compile" else model
    caches = [torch.zeros(2, HEADS, LENGTH, WIDTH // HEADS) for _ in range(BLOCKS)]
    places = [torch.tensor([position]) for position in range(LENGTH)]
    masks = [torch.arange(LENGTH)[None, :] <= position for position in range(LENGTH)]

    @torch.inference_mode()
    def write():
        id = torch.tensor([1])
        for position in range(LENGTH):
            if options.setting == "compile":
                id = step(id, places[position], caches, places[position], masks[position])
            else:
                id = step(id, places[position], caches, position, None)
        return id.item()

    report(torch.__version__, sum(weight.numel() for weight in model.parameters()), write)


def jax():
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if common.THREADS > 1 else 'false'}"
    import jax
    import numpy as np
    from jax import lax, numpy as jnp

    random = np.random.default_rng(1)

    def weights(*shape):
        return jnp.asarray(random.normal(0, 0.05, shape), jnp.float32)

    shapes = {"qkv": (WIDTH, 3 * WIDTH), "out": (WIDTH, WIDTH), "up": (WIDTH, 4 * WIDTH), "down": (4 * WIDTH, WIDTH)}
    dense = lambda shape: (weights(*shape), jnp.zeros(shape[-1]))  # noqa: E731
    norm = lambda: (jnp.ones(WIDTH), jnp.zeros(WIDTH))  # noqa: E731
    blocks = [{**{name: dense(shape) for name, shape in shapes.items()}, "n1": norm(), "n2": norm()} for _ in range(BLOCKS)]
    params = {"tokens": weights(IDS, WIDTH), "positions": weights(LENGTH, WIDTH), "blocks": blocks, "norm": norm(), "head": dense((WIDTH, IDS))}

    def normed(x, p):
        centred = x - x.mean()
        return centred * lax.rsqrt((centred**2).mean() + 1e-5) * p[0] + p[1]

    def linear(x, p):
        return x @ p[0] + p[1]

    def step(params, caches, id, position):
        x = params["tokens"][id] + params["positions"][position]
        seen = jnp.arange(LENGTH) <= position
        new = []
        for block, cache in zip(params["blocks"], caches):
            qkv = linear(normed(x, block["n1"]), block["qkv"]).reshape(3, HEADS, 1, -1)
            cache = lax.dynamic_update_slice(cache, qkv[1:], (0, 0, position, 0))
            new.append(cache)
            scores = jnp.einsum("hqd,hkd->hqk", qkv[0], cache[0]) / np.sqrt(WIDTH // HEADS)
            shares = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf), -1)
            x = x + linear(jnp.einsum("hqk,hkd->hqd", shares, cache[1]).reshape(WIDTH), block["out"])
            x = x + linear(jax.nn.gelu(linear(normed(x, block["n2"]), block["up"])), block["down"])
        return new, jnp.argmax(linear(normed(x, params["norm"]), params["head"]))

    def empty():
        return [jnp.zeros((2, HEADS, LENGTH, WIDTH // HEADS)) for _ in range(BLOCKS)]

    one = jax.jit(step, donate_argnums=1)

    def stepwise():
        caches, id = empty(), jnp.int32(1)
        for position in range(LENGTH):
            caches, id = one(params, caches, id, position)
        return int(id)

    @jax.jit
    def whole(params):
        def body(carry, position):
            caches, id = step(params, *carry, position)
            return (caches, id), id

        return lax.scan(body, (empty(), jnp.int32(1)), jnp.arange(LENGTH))[1]

    parameters = sum(weight.size for weight in jax.tree.leaves(params))
    report(jax.__version__, parameters, stepwise if options.setting == "step" else lambda: np.asarray(whole(params)))


(pytorch if options.setting in ("eager", "compile") else jax)()
