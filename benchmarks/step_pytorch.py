"""A training step of PyTorch with the fused Adam or AdamW. channels_last: for Conv2D and Conv3D, with the channels last in memory; compile:
forward pass and loss by torch.compile."""

import torch
from torch import nn
from torch.nn import functional

import common
import networks as net
import step

options = step.options(["channels_first", "channels_last", "compile"])
network = options.network
torch.set_num_threads(common.THREADS)
torch.manual_seed(options.seed)


class Apply(nn.Module):
    """A function as a module, and the modules that it calls."""

    def __init__(self, function, *modules):
        super().__init__()
        self.function, self.inner = function, nn.ModuleList(modules)

    def forward(self, x):
        return self.function(x, *self.inner)


class LastOutput(nn.Module):
    """The last output of a recurrent layer, which has one bias of two here, as Keras's LSTM: the other is not trained."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        if isinstance(layer, nn.LSTM):
            layer.bias_hh_l0.requires_grad_(False).zero_()

    def forward(self, x):
        state = self.layer(x)[1]
        return state[0][0] if isinstance(state, tuple) else state[0]


class CausalAttention(nn.Module):
    """One product for queries, keys and values, as PyTorch's users write it."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, t, width = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(n, t, width))


class Positions(nn.Module):
    def __init__(self, length, width):
        super().__init__()
        self.rows = nn.Embedding(length, width)

    def forward(self, x):
        return x + self.rows.weight


def build(layers, x):
    """The chain of `layers`, each made for what reaches it when the chain is given `x`."""
    chain = nn.Sequential()
    for layer in layers:
        chain.append(make(layer, x))
        x = chain[-1](x)
    return chain


def make(layer, x):
    """The module of a layer for an input like `x`: [n, channels, lengths..] with convolutions, else [n, lengths.., channels]."""
    rank, channels = x.ndim - 2, x.shape[1]

    def over_axes(kind):
        return getattr(nn, f"{kind}{rank}d")

    match layer:
        case net.Dense(units):
            return nn.Linear(x.shape[-1], units)
        case net.Conv(filters, size, stride, bias):
            return over_axes("Conv")(channels, filters, size, stride, size // 2, bias=bias)
        case net.DepthwiseConv(size, stride):
            return over_axes("Conv")(channels, channels, size, stride, size // 2, groups=channels, bias=False)
        case net.ConvTranspose(filters, size, stride):
            padding = (size - stride + 1) // 2
            more = stride - size + 2 * padding
            return over_axes("ConvTranspose")(channels, filters, size, stride, padding, more)
        case net.BatchNorm():
            return over_axes("BatchNorm")(channels) if rank else nn.BatchNorm1d(channels)
        case net.LayerNorm():
            return nn.LayerNorm(x.shape[-1])
        case net.Relu():
            return nn.ReLU()
        case net.Gelu(approximate):
            return nn.GELU("tanh" if approximate else "none")
        case net.Dropout(rate):
            return nn.Dropout(rate)
        case net.MaxPool(size):
            return over_axes("MaxPool")(size)
        case net.GlobalAverage():
            return Apply(lambda x: x.mean(list(range(2, x.ndim)) if options.convolutional else 1))
        case net.GlobalMax():
            return Apply(lambda x: x.amax(list(range(2, x.ndim))))
        case net.Embedding(ids, units):
            return nn.Embedding(ids, units)
        case net.Positions():
            return Positions(*x.shape[1:])
        case net.CausalAttention(heads):
            return CausalAttention(x.shape[-1], heads)
        case net.Recurrent(cell, units):
            return LastOutput(getattr(nn, cell.upper())(x.shape[-1], units, batch_first=True))
        case net.Residual(body, shortcut):
            return Apply(lambda x, body, shortcut: shortcut(x) + body(x), build(body, x), build(shortcut, x))
        case net.Skip(body):
            return Apply(lambda x, body: torch.cat([x, body(x)], 1), build(body, x))


def laid_out(x):
    """Channels last in memory, where asked for; PyTorch knows this layout for two and three axes."""
    if options.setting == "channels_last":
        return x.contiguous(memory_format={4: torch.channels_last, 5: torch.channels_last_3d}[x.ndim])
    return x.contiguous()


inputs, targets = ([torch.from_numpy(batch) for batch in part] for part in step.batches(options))
if options.convolutional:
    inputs = [laid_out(x.movedim(-1, 1)) for x in inputs]
    targets = [laid_out(y.movedim(-1, 1)) if network.target else y for y in targets]

model = build(network.layers, inputs[0])
if options.setting == "channels_last":
    model = model.to(memory_format=torch.channels_last if inputs[0].ndim == 4 else torch.channels_last_3d)
loss_fn = {
    "classes": lambda outputs, targets: functional.cross_entropy(outputs.flatten(0, -2), targets.flatten()),
    "bits": functional.binary_cross_entropy_with_logits,
    "numbers": functional.mse_loss,
}[network.loss]
weights = [weight for weight in model.parameters() if weight.requires_grad]
adam = {
    "adam": torch.optim.Adam,
    "adamw": lambda *args, **more: torch.optim.AdamW(*args, weight_decay=common.WEIGHT_DECAY, **more),
}[network.optimizer](weights, common.LEARNING_RATE, fused=True)


def loss_of(x, y):
    return loss_fn(model(x), y)


if options.setting == "compile":
    loss_of = torch.compile(loss_of)


def train(x, y):
    adam.zero_grad()
    loss = loss_of(x, y)
    loss.backward()
    adam.step()
    return loss.item()


windows = step.time_steps(options, network.steps, lambda: [train(x, y) for x, y in zip(inputs, targets)])
step.report(torch.__version__, sum(weight.numel() for weight in weights), windows)
