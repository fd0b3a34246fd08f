"""Writes triplet.txt: PyTorch's triplet margin loss, in float64.

torch 2.15.0:

    python triplet.py > triplet.txt

A line is: margin; swap; losses of the samples; gradient of their mean. Elements of the vectors [4, 3, 3] are
((7 i + 3) mod 11 - 5) / 4 + i / 100.
"""

import torch

torch.set_default_dtype(torch.float64)
i = torch.arange(36)
x = (((7 * i + 3) % 11 - 5) / 4 + i / 100).reshape(4, 3, 3).requires_grad_()
for margin, swap in ((1.0, False), (0.5, True)):
    losses = torch.nn.functional.triplet_margin_loss(x[:, 0], x[:, 1], x[:, 2], margin, swap=swap, reduction="none")
    (gradient,) = torch.autograd.grad(losses.mean(), x)
    numbers = lambda a: " ".join(repr(float(v)) for v in a.flatten())
    print(margin, str(swap).lower(), numbers(losses.detach()), numbers(gradient), sep="; ")
