"""The networks whose training step is timed on made-up data, and the ops that are timed alone, described once for all Python peers.

`gradus/src/bin/peer-gradus-step/networks.rs` describes the same ones for gradus. Convolutions and poolings keep or divide
the lengths of their input ("same" padding). The last layer gives logits, where the loss takes any.
"""

from typing import NamedTuple


class Dense(NamedTuple):
    units: int


class Conv(NamedTuple):
    """A convolution over all axes between the batch and the channels."""

    filters: int
    size: int
    stride: int = 1
    bias: bool = True


class DepthwiseConv(NamedTuple):
    """A convolution of each channel of pictures by itself, without bias."""

    size: int
    stride: int


class ConvTranspose(NamedTuple):
    filters: int
    size: int
    stride: int


class BatchNorm(NamedTuple):
    pass


class LayerNorm(NamedTuple):
    pass


class Relu(NamedTuple):
    pass


class Gelu(NamedTuple):
    """With the error function, or with its approximation by tanh."""

    approximate: bool = False


class Dropout(NamedTuple):
    rate: float


class MaxPool(NamedTuple):
    """The greatest of each window of this size along each axis, the windows side by side."""

    size: int


class GlobalAverage(NamedTuple):
    pass


class GlobalMax(NamedTuple):
    pass


class Embedding(NamedTuple):
    ids: int
    units: int


class Positions(NamedTuple):
    """Adds a learned row to each position."""


class CausalAttention(NamedTuple):
    """Attention of each position to itself and those before it, with biases; as wide as its input."""

    heads: int


class Recurrent(NamedTuple):
    """The last output of an LSTM or a GRU, with Keras's reset gate after the product."""

    cell: str
    units: int


class Residual(NamedTuple):
    """x + body(x), or shortcut(x) + body(x)."""

    body: list
    shortcut: list = []


class Skip(NamedTuple):
    """x and body(x), side by side in the channels."""

    body: list


class Network(NamedTuple):
    # Of a sample: lengths, then channels. With an embedding, a sample is a row of ids.
    input: tuple
    batch: int
    layers: list
    # "classes": cross-entropy of softmax; "bits": binary cross-entropy of sigmoid; "numbers": mean squared error.
    loss: str = "classes"
    # Of a sample's target; one class has none.
    target: tuple = ()
    # Batches in memory, which a pass goes through.
    steps: int = 8
    # "adam" or "adamw".
    optimizer: str = "adam"

    @property
    def classes(self):
        return self.layers[-1].units


def flat(*parts):
    """One list of layers, from layers and lists of them."""
    return [layer for part in parts for layer in (part if type(part) is list else [part])]


def conv_relu(*convolution):
    return [Conv(*convolution), Relu()]


def conv_norm(filters, size, stride=1):
    return [Conv(filters, size, stride, bias=False), BatchNorm()]


def residual(filters, stride):
    shortcut = conv_norm(filters, 1, stride) if stride > 1 else []
    return [Residual(flat(conv_norm(filters, 3, stride), Relu(), conv_norm(filters, 3)), shortcut), Relu()]


def separable(filters, stride):
    return flat(DepthwiseConv(3, stride), BatchNorm(), Relu(), conv_norm(filters, 1), Relu())


def unet_level(filters, inner):
    down = flat(MaxPool(2), inner, ConvTranspose(filters, 2, 2), Relu())
    return flat(conv_relu(filters, 3), conv_relu(filters, 3), Skip(down), conv_relu(filters, 3), conv_relu(filters, 3))


def hidden(*units):
    return flat(*([Dense(width), Relu()] for width in units))


def regularized(units):
    return [Dense(units), BatchNorm(), Relu(), Dropout(0.5)]


def feed_forward(units):
    return Residual([LayerNorm(), Dense(4 * units), Gelu(), Dense(units)])


def decoder(units, heads):
    """A block of a GPT: normalisation first."""
    return [
        Residual([LayerNorm(), CausalAttention(heads)]),
        Residual([LayerNorm(), Dense(4 * units), Gelu(approximate=True), Dense(units)]),
    ]


STAGES = [(16, 1), (16, 1), (16, 1), (32, 2), (32, 1), (32, 1), (64, 2), (64, 1), (64, 1)]
BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]

resnet20 = flat(conv_norm(16, 3), Relu(), *(residual(*stage) for stage in STAGES), GlobalAverage(), Dense(10))
mobile = flat(conv_norm(32, 3, 2), Relu(), *(separable(*block) for block in BLOCKS), GlobalAverage(), Dense(10))
series = flat(conv_relu(64, 7, 2), conv_relu(128, 5, 2), conv_relu(128, 3), GlobalMax(), Dense(10))
unet = flat(unet_level(16, unet_level(32, flat(conv_relu(64, 3), conv_relu(64, 3)))), Conv(1, 1))
video = flat(conv_relu(16, 3), MaxPool(2), conv_relu(32, 3), MaxPool(2), conv_relu(64, 3), GlobalAverage(), Dense(10))
conv_autoencoder = flat(
    conv_relu(32, 3, 2), conv_relu(64, 3, 2), ConvTranspose(32, 3, 2), Relu(), ConvTranspose(16, 3, 2), Relu(), Conv(3, 3)
)
gpt = flat(Embedding(256, 128), Positions(), *(decoder(128, 4) for _ in range(4)), LayerNorm(), Dense(256))

NETWORKS = {
    "resnet20": Network((32, 32, 3), 128, resnet20, steps=4),
    "mobile": Network((96, 96, 3), 32, mobile),
    "series": Network((1024, 8), 64, series),
    "wide": Network((1024,), 256, flat(hidden(1024, 1024), Dense(10))),
    "tabular": Network((256,), 128, flat(regularized(512), regularized(512), Dense(10)), steps=50),
    "tiny": Network((13,), 16, flat(hidden(64, 32), Dense(1)), "numbers", (1,), steps=50),
    "autoencoder": Network((784,), 128, flat(hidden(256, 64, 256), Dense(784)), "numbers", (784,), steps=20),
    "conv_autoencoder": Network((32, 32, 3), 64, conv_autoencoder, "numbers", (32, 32, 3)),
    "unet": Network((64, 64, 3), 16, unet, "bits", (64, 64, 1)),
    "video": Network((16, 32, 32, 3), 8, video),
    "embedding": Network((128,), 64, flat(Embedding(10_000, 64), GlobalAverage(), hidden(64), Dense(10)), steps=20),
    "lstm": Network((80,), 32, [Embedding(20_000, 128), Recurrent("lstm", 128), Dense(10)]),
    "gru": Network((80,), 32, [Embedding(20_000, 128), Recurrent("gru", 128), Dense(10)]),
    "transformer": Network((64, 256), 32, [feed_forward(256), feed_forward(256), GlobalAverage(), Dense(10)]),
    "gpt": Network((128,), 16, gpt, target=(128,), steps=4, optimizer="adamw"),
}


class AttentionKernel(NamedTuple):
    """Scaled dot-product attention; the last axis of queries, keys and values has `length` numbers."""

    samples: int
    positions: int
    heads: int
    length: int
    causal: bool = False

    @property
    def shape(self):
        return self.samples, self.positions, self.heads, self.length


class CTCKernel(NamedTuple):
    """The mean over the samples of the CTC loss of logits, and its gradient by the logits; the blank is class 0."""

    samples: int
    frames: int
    classes: int
    labels: int


class Writing(NamedTuple):
    """Ids that the network `gpt` writes with a key-value cache: the likeliest behind each, for one sequence, from the first position
    to the last. Its sizes once more, for peers that write the step out."""

    ids: int = 256
    width: int = 128
    blocks: int = 4
    heads: int = 4
    positions: int = 128


WRITINGS = {"generate": Writing()}

KERNELS = {
    "attention": AttentionKernel(1, 2048, 8, 64),
    "attention_causal": AttentionKernel(1, 2048, 8, 64, causal=True),
    "attention_short": AttentionKernel(16, 128, 4, 32, causal=True),
    "ctc": CTCKernel(32, 200, 30, 40),
}


def layers_of(layers):
    """Every layer, those within others included."""
    for layer in layers:
        yield layer
        for inner in layer:
            if type(inner) is list:
                yield from layers_of(inner)


def has(network, *kinds):
    return any(isinstance(layer, kinds) for layer in layers_of(network.layers))
