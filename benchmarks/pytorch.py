"""PyTorch. eager: as everyone writes it; tuned: a permuted copy cut into slices, the fused Adam."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import common
from common import BATCH, CLASSES, HIDDEN, LEARNING_RATE, PIXELS

options = common.options(["eager", "tuned"])
torch.set_num_threads(common.THREADS)
torch.manual_seed(options.seed)
x_train, y_train, x_test, y_test = (torch.from_numpy(a) for a in common.mnist(options.data))

network = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))
cross_entropy = nn.CrossEntropyLoss()
tuned = options.setting == "tuned"
adam = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=tuned or None)


def step(images, labels):
    adam.zero_grad()
    loss = cross_entropy(network(images), labels)
    loss.backward()
    adam.step()
    return loss


def epoch_of_slices():
    order = torch.randperm(len(x_train))
    images, labels = x_train[order], y_train[order]
    total = 0.0
    for start in range(0, len(order), BATCH):
        total += step(images[start : start + BATCH], labels[start : start + BATCH]).item()


loader = DataLoader(TensorDataset(x_train, y_train), batch_size=BATCH, shuffle=True)


def epoch_of_loader():
    total = 0.0
    for images, labels in loader:
        total += step(images, labels).item()


@torch.no_grad()
def predict(image):
    return torch.softmax(network(image), dim=-1).numpy()


@torch.inference_mode()
def predict_tuned(image):
    return torch.softmax(network(image), dim=-1).numpy()


epochs = common.time_epochs(options.epochs, epoch_of_slices if tuned else epoch_of_loader)
with torch.no_grad():
    accuracy = (network(x_test).argmax(-1) == y_test).float().mean()
predict_us = common.time_predict(predict_tuned if tuned else predict, x_test)
common.report(torch.__version__, epochs, accuracy, predict_us)
