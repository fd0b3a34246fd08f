"""Writes attention.txt: outputs of layers of attention and gradients by their inputs and weights, in float64.

keras 3.15.1 on jax 0.10.2, torch 2.15.0:

    python attention.py > attention.txt

A line is: name; shapes of the inputs, joined by commas; shape of the output; output; gradients of the sum of the output times a
fixed cotangent by each input and by each weight. Elements are ((7 i + 3 seed) mod 11 - 5) / 4: of input i with seed 1 + 20 i and
1/8 more, of the cotangent with seed 2, of the weights with seeds 3 and on, in the order of gradus. A mask of pairs is true where
(i mod 7) mod 3 is not 1, a mask of positions where (2 sample + position) mod 3 is not 1. A line "scores .." has
the weights of attention as its output, and no gradients.

The blocks of transformers are PyTorch's, of which those of KerasHub are the same formula.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"
import jax

jax.config.update("jax_enable_x64", True)
import keras
import numpy as np
import torch

keras.backend.set_floatx("float64")


def values(shape, seed):
    i = np.arange(int(np.prod(shape)))
    return (((7 * i + 3 * seed) % 11 - 5) / 4).reshape(shape)


def inputs_of(shapes):
    return [values(shape, 1 + 20 * i) + 1 / 8 for i, shape in enumerate(shapes)]


def pairs(n, tq, tk):
    return (np.arange(n * tq * tk) % 7 % 3 != 1).reshape(n, tq, tk)


def positions(n, t):
    return (2 * np.arange(n)[:, None] + np.arange(t)) % 3 != 1


def write(name, shapes, y, grads):
    lengths = lambda shape: " ".join(map(str, shape))
    numbers = lambda a: " ".join(repr(float(v)) for v in np.asarray(a, "float64").ravel())
    print("; ".join([name, ",".join(map(lengths, shapes)), lengths(np.shape(y)), numbers(y), *map(numbers, grads)]))


def keras_line(name, layer, shapes, scores=False, **call):
    xs = inputs_of(shapes)
    # Keras takes query, value and key.
    given = xs if len(xs) > 1 else [xs[0], xs[0]]
    layer.build(*(x.shape for x in given))
    weights = [values(weight.shape, seed) for seed, weight in enumerate(layer.trainable_variables, 3)]

    # Keras 3.15.1 refuses a value_dim that is not key_dim, unless it is asked for the scores.
    def compute(weights, xs, which=0):
        given = xs if len(xs) > 1 else [xs[0], xs[0]]
        fixed = [v.value for v in layer.non_trainable_variables]
        return layer.stateless_call(weights, fixed, *given, **call, return_attention_scores=True)[0][which]

    if scores:
        return write(f"scores {name}", shapes, compute(weights, xs, 1), [])
    y = compute(weights, xs)
    loss = lambda weights, xs: (compute(weights, xs) * values(y.shape, 2)).sum()
    of_weights, of_xs = jax.grad(loss, (0, 1))(weights, xs)
    write(name, shapes, y, [*of_xs, *of_weights])


mha, gqa = keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention
x, other = (2, 6, 4), (2, 9, 3)
keras_line("itself", mha(2, 3), [x])
keras_line("one head, causal", mha(1, 5), [x], use_causal_mask=True)
keras_line("value_dim, no bias, output_shape", mha(2, 3, value_dim=2, use_bias=False, output_shape=5), [x])
keras_line("query and value", mha(2, 3), [x, other])
keras_line("query, value and key", mha(2, 3, value_dim=4), [x, other, (2, 9, 5)])
keras_line("attention mask", mha(2, 3), [x, other], attention_mask=pairs(2, 6, 9))
keras_line("mask and causal", mha(2, 3), [x], attention_mask=pairs(2, 6, 6), use_causal_mask=True)
keras_line("value mask", mha(2, 3), [x, other], value_mask=positions(2, 9))
keras_line("itself", mha(2, 3), [x], scores=True)
keras_line("attention mask", mha(2, 3), [x, other], scores=True, attention_mask=pairs(2, 6, 9))
keras_line("groups", gqa(3, 4, 2), [x])
keras_line("one group, causal, no bias", gqa(3, 4, 1, use_bias=False), [x], use_causal_mask=True)
keras_line("groups, query and value", gqa(2, 6, 3), [x, other])


def torch_line(name, layer, shapes, heads, units, causal=False, scores=False):
    features = shapes[0][-1]
    xs = [torch.tensor(x, requires_grad=True) for x in inputs_of(shapes)]
    weights = []

    def weight(*shape):
        weights.append(torch.tensor(values(shape, len(weights) + 3), requires_grad=True))
        return weights[-1]

    def attention():
        depth = features // heads
        projections = [(weight(features, heads, depth), weight(heads, depth)) for _ in range(3)]
        return {
            "in_proj_weight": torch.cat([kernel.reshape(features, -1).T for kernel, _ in projections]),
            "in_proj_bias": torch.cat([bias.reshape(-1) for _, bias in projections]),
            "out_proj.weight": weight(heads, depth, features).reshape(-1, features).T,
            "out_proj.bias": weight(features),
        }

    given = {f"self_attn.{key}": value for key, value in attention().items()}
    given |= {"norm1.weight": weight(features), "norm1.bias": weight(features)}
    last = "norm2"
    if len(shapes) > 1:
        given |= {f"multihead_attn.{key}": value for key, value in attention().items()}
        given |= {"norm2.weight": weight(features), "norm2.bias": weight(features)}
        last = "norm3"
    given |= {"linear1.weight": weight(features, units).T, "linear1.bias": weight(units)}
    given |= {"linear2.weight": weight(units, features).T, "linear2.bias": weight(features)}
    given |= {f"{last}.weight": weight(features), f"{last}.bias": weight(features)}
    length = shapes[0][1]
    hidden = torch.ones(length, length, dtype=bool).triu(1) if causal else None
    masks = {("tgt_mask" if len(shapes) > 1 else "src_mask"): hidden}
    attention = layer.multihead_attn if len(shapes) > 1 else layer.self_attn
    forward, kept = attention.forward, []

    def keep(*given, **how):
        kept.append(forward(*given, **how | {"need_weights": True, "average_attn_weights": False}))
        return kept[0]

    attention.forward = keep if scores else forward
    y = torch.func.functional_call(layer, given, tuple(xs), masks)
    if scores:
        return write(f"scores {name}", shapes, kept[0][1].detach().numpy(), [])
    (y * torch.tensor(values(y.shape, 2))).sum().backward()
    write(name, shapes, y.detach().numpy(), [x.grad.numpy() for x in xs + weights])


options = dict(dim_feedforward=5, dropout=0.0, batch_first=True, dtype=torch.float64)
encoder, decoder = torch.nn.TransformerEncoderLayer, torch.nn.TransformerDecoderLayer
torch_line("encoder", encoder(4, 2, layer_norm_eps=1e-5, **options), [x], 2, 5)
torch_line("encoder, gelu, first", encoder(4, 2, activation="gelu", norm_first=True, layer_norm_eps=1e-2, **options), [x], 2, 5)
torch_line("decoder alone, first", encoder(4, 4, norm_first=True, **options), [x], 4, 5, causal=True)
torch_line("decoder", decoder(4, 2, **options), [x, (2, 3, 4)], 2, 5, causal=True)
torch_line("decoder, first", decoder(4, 2, norm_first=True, **options), [x, (2, 3, 4)], 2, 5, causal=True)
torch_line("encoder", encoder(4, 2, layer_norm_eps=1e-5, **options), [x], 2, 5, scores=True)
torch_line("decoder alone, first", encoder(4, 4, norm_first=True, **options), [x], 4, 5, causal=True, scores=True)
torch_line("decoder", decoder(4, 2, **options), [x, (2, 3, 4)], 2, 5, causal=True, scores=True)
