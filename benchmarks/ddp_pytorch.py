"""PyTorch's DistributedDataParallel over Gloo, beside `peer-gradus-ranks`: the same networks, batches and optimiser.

One process for each rank, as torch's launcher starts them: RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT say which one it is.
Without WORLD_SIZE, or with 1, the network is not wrapped. Rank 0 prints a line of JSON.
"""

import argparse
import json
import os
import statistics
import time

import torch
from torch import nn

import common

WIDTH = 2048


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=["convnet", "wide"], default="convnet")
    parser.add_argument("--setting", choices=["channels_first", "channels_last", "compile"], default="channels_first")
    parser.add_argument("--batch", type=int, default=128, help="samples of a batch, over all ranks")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=2, help="timed epochs, after one that is not")
    parser.add_argument("--data", default="datasets/data/mnist")
    return parser.parse_args()


def convnet(options, rows):
    images, labels, *_ = (torch.from_numpy(array) for array in common.mnist(options.data))
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(5 * 5 * 64, common.CLASSES),
    )
    images, labels = images[:rows], labels[:rows]
    if options.setting == "channels_last":
        # With one channel both layouts are the same numbers; the strides tell the convolution which one is meant.
        return network.to(memory_format=torch.channels_last), images.unsqueeze(-1).permute(0, 3, 1, 2), labels
    return network, images.unsqueeze(1), labels


def wide(rows):
    layers = [layer for _ in range(3) for layer in (nn.Linear(WIDTH, WIDTH), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(WIDTH, common.CLASSES)), torch.randn(rows, WIDTH), torch.randint(10, (rows,))


def main():
    options = parse_options()
    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    torch.set_num_threads(common.THREADS)
    torch.manual_seed(0)
    network, inputs, labels = wide(options.steps * options.batch) if options.network == "wide" else convnet(
        options, options.steps * options.batch
    )
    model = network
    if size > 1:
        torch.distributed.init_process_group("gloo")
        model = nn.parallel.DistributedDataParallel(network, gradient_as_bucket_view=True)
    if options.setting == "compile":
        model = torch.compile(model)
    cross_entropy = nn.CrossEntropyLoss()
    adam = torch.optim.Adam(network.parameters(), common.LEARNING_RATE, fused=True)
    share = options.batch // size
    ends = []

    def epoch():
        # Every rank draws the same order, and takes its part of each batch.
        order = torch.randperm(len(inputs)).view(options.steps, options.batch)[:, rank * share : (rank + 1) * share]
        for rows in order:
            adam.zero_grad()
            cross_entropy(model(inputs[rows]), labels[rows]).backward()
            adam.step()
            ends.append(time.perf_counter())

    epoch()
    ends.clear()
    cpu = time.process_time()
    for _ in range(options.epochs):
        epoch()
    cpu = (time.process_time() - cpu) / len(ends) * 1e3
    steps = [after - before for before, after in zip(ends, ends[1:])]
    if size > 1:
        cpu = torch.tensor(cpu)
        torch.distributed.all_reduce(cpu)
        cpu = cpu.item()
    if rank == 0:
        gradients = 4 * sum(weights.numel() for weights in network.parameters())
        line = {"ranks": size, "step_ms": statistics.median(steps) * 1e3, "mean_step_ms": statistics.mean(steps) * 1e3}
        line["quick_step_ms"] = sorted(steps)[len(steps) // 10] * 1e3
        print(json.dumps({**line, "cpu_ms": cpu, "gradient_bytes": gradients}))
    if size > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
