"""Writes ctc.txt: losses of CTC with their gradients in float64, and strings read by greedy decoding and by a wide beam.

torch 2.15.0, keras 3.15.1 on tensorflow 2.21.0, numpy:

    python ctc.py > ctc.txt

Losses and gradients are PyTorch's, with reduction "none" and without zero_infinity; a gradient is NaN where the loss is inf.
Strings and scores are Keras's, in float32: of the greedy path the negative sum of its logits, of the beam's strings ln p.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
import torch

SAMPLES, FRAMES, CLASSES = 5, 9, 4
LENGTHS = [9, 7, 4, 5, 3]


def line(name, numbers):
    print(f"{name}:", *np.asarray(numbers).ravel().tolist())


def case(blank, targets, seed):
    print(f"\n## blank {blank}")
    logits = np.random.default_rng(seed).normal(0, 1.5, [SAMPLES, FRAMES, CLASSES])
    line("logits", logits)
    line("lengths", LENGTHS)
    for target in targets:
        line("target", target)
    x = torch.tensor(logits, requires_grad=True)
    losses = torch.nn.functional.ctc_loss(
        x.log_softmax(-1).transpose(0, 1),
        torch.tensor([label for target in targets for label in target]),
        torch.tensor(LENGTHS),
        torch.tensor([len(target) for target in targets]),
        blank=blank,
        reduction="none",
    )
    losses.sum().backward()
    line("losses", losses.detach())
    line("gradient", x.grad)
    for name, options in [("greedy", {}), ("beam", {"strategy": "beam_search", "beam_width": 500, "top_paths": 3})]:
        inputs = logits.astype("float32"), np.array(LENGTHS)
        strings, scores = keras.ops.ctc_decode(*inputs, mask_index=blank, **options)
        strings = keras.ops.convert_to_numpy(strings)
        for sample in range(SAMPLES):
            for path in strings[:, sample]:
                line(name, [label for label in path if label >= 0])
        line(f"{name} scores", scores)


print("# ctc.py beside this file has written this and says how.")
case(0, [[1, 2, 3, 1], [2, 2, 3], [1, 1, 1], [], [3]], 1)
case(2, [[3, 1, 0], [0, 0, 1, 1], [3, 1], [0, 1, 3, 0, 1], [1, 3, 1]], 2)
