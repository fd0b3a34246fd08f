"""PyTorch. eager: as everyone writes it; tuned: a permuted copy cut into slices, the fused Adam, a frozen trace to
predict with; channels_last: tuned, with pictures and convolutions laid out so that the channels lie together."""

import warnings

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import common
from common import CLASSES, HIDDEN, LEARNING_RATE, PIXELS

# Freezing a trace is announced to be on its way out; it is still the fastest.
warnings.filterwarnings("ignore", category=FutureWarning)

options = common.options(["eager", "tuned", "channels_last"])
tuned = options.setting != "eager"
channels_last = options.setting == "channels_last"
torch.set_num_threads(common.THREADS)
torch.manual_seed(options.seed)
x_train, y_train, x_test, y_test = (torch.from_numpy(a) for a in common.mnist(options.data))


def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))


def convnet():
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(5 * 5 * 64, CLASSES),
    )
    return network.to(memory_format=torch.channels_last) if channels_last else network


def pictures(images):
    """[n, 28, 28] as the network takes it: views, no copies."""
    if options.network == "dense":
        return images
    # With one channel both layouts are the same numbers; the strides tell the convolution which one is meant.
    return images.unsqueeze(-1).permute(0, 3, 1, 2) if channels_last else images.unsqueeze(1)


x_train, x_test = pictures(x_train), pictures(x_test)
network = dense() if options.network == "dense" else convnet()
cross_entropy = nn.CrossEntropyLoss()
adam = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=tuned or None)


def step(images, labels):
    adam.zero_grad()
    loss = cross_entropy(network(images), labels)
    loss.backward()
    adam.step()
    return loss


def epoch_of_slices(rows):
    order = torch.randperm(len(x_train))[:rows]
    images, labels = x_train[order], y_train[order]
    total = 0.0
    for start in range(0, rows, options.batch):
        total += step(images[start : start + options.batch], labels[start : start + options.batch]).item()


loader = DataLoader(TensorDataset(x_train, y_train), batch_size=options.batch, shuffle=True)


def epoch_of_loader(rows):
    total = 0.0
    for done, (images, labels) in enumerate(loader, start=1):
        total += step(images, labels).item()
        if done * options.batch >= rows:
            break


@torch.no_grad()
def predict(image):
    return torch.softmax(network(image), dim=-1).numpy()


training = common.time_epochs(options, len(x_train), epoch_of_slices if tuned else epoch_of_loader)
network.eval()
if tuned:
    frozen = torch.jit.freeze(torch.jit.trace(nn.Sequential(network, nn.Softmax(-1)).eval(), x_test[:1]))

    @torch.inference_mode()
    def predict(image):
        return frozen(image).numpy()


accuracy = common.accuracy(predict, x_test, y_test)
predict_us = common.time_predict(predict, x_test)
common.report(torch.__version__, training, accuracy, predict_us)
