"""A training step of a small GPT in PyTorch, eager and compiled: what `cargo bench -p gradus-train --bench gpt` times.

python benchmarks/gpt.py [--threads 2] [--seconds 4] [--only eager]

4 blocks, 128 wide, 4 heads, 128 positions, 256 ids, batches of 16, AdamW, GELU by tanh, normalisation first.
"""

import argparse
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=4)
parser.add_argument("--only", choices=["eager", "compiled"], default=None)
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(options.threads)
os.sched_setaffinity(0, range(options.threads))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

torch.set_num_threads(options.threads)
BLOCKS, WIDTH, HEADS, LENGTH, IDS, BATCH = 4, 128, 4, 128, 256, 16


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(n, t, WIDTH))
        return x + self.down(functional.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(IDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, IDS)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
        return self.head(self.norm(self.blocks(x)))


def median_ms(step):
    for _ in range(3):
        step()
    times, end = [], time.perf_counter() + options.seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return 1e3 * np.median(times)


x, y = (torch.randint(0, IDS, (BATCH, LENGTH)) for _ in range(2))
for name in [options.only] if options.only else ["eager", "compiled"]:
    torch.manual_seed(0)
    model = GPT()
    adam = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
    compute = torch.compile(model) if name == "compiled" else model

    def step():
        adam.zero_grad()
        loss = functional.cross_entropy(compute(x).view(-1, IDS), y.view(-1))
        loss.backward()
        adam.step()
        return loss.item()

    count = sum(weight.numel() for weight in model.parameters())
    print(f"PyTorch {torch.__version__}, {name}: {median_ms(step):.1f} ms a step, {count} weights", flush=True)
