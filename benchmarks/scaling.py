#!/usr/bin/env python3
"""A model of data-parallel training: the time of a step on p hosts, of measured numbers; and what it forecasts.

    T(p) = compute(batch / p) + copy G + 6 a log2(p) + max(E / n, E - B (n - 1) / n)
    E    = 2 (p - 1) / p G / W + n a (2 log2(p) + p)

G is the bytes of all gradients, W the bytes a second of a host's link, a the time of a message between two hosts, n the number of
buckets. `copy` is what the exchange costs a host's processors for each byte: gradients are copied into buckets and through TCP, and
added. E is the time of the exchange. A bucket takes two small messages among all, an all-to-all whose parts go out at once, and a ring of
p - 1 messages. B is the time of the backward sweep, taken for 0.6 of a step, beside which all but the last bucket can be sent. A step has six small messages
besides (what the ranks call, whether the batch is there, the loss). Processors that all ranks have in equal number are assumed, and
a network that carries all links at once.

    python3 benchmarks/scaling.py                             the forecast
    python3 benchmarks/scaling.py --measured network.json --compute wide:128:76,wide:64:47
                                                              beside what `network.py --json` has measured
"""

import argparse
import json
import math
import pathlib
import statistics
from dataclasses import dataclass


@dataclass
class Network:
    gradient_bytes: float
    # Buckets of about as many bytes each.
    buckets: int
    # The part of a step's compute that is its backward sweep.
    backward: float = 0.6


@dataclass
class Hosts:
    # Seconds.
    latency: float
    # Bytes a second.
    bandwidth: float
    # Seconds for each byte of gradients.
    copy: float


def step(network, hosts, count, compute):
    """Seconds of a step on so many hosts, each of which computes for so many seconds; and those that nothing hides."""
    if count == 1:
        return compute, 0.0
    n, rounds = network.buckets, math.log2(count)
    exchange = 2 * (count - 1) / count * network.gradient_bytes / hosts.bandwidth
    exchange += n * hosts.latency * (2 * rounds + count)
    unhidden = max(exchange / n, exchange - network.backward * compute * (n - 1) / n)
    return compute + hosts.copy * network.gradient_bytes + 6 * hosts.latency * rounds + unhidden, unhidden


# Of a link of 1 or 10 Gbit/s, as `network.py` measures it.
RATES = {1: 119e6, 10: 1.17e9}
NETWORKS = {"convnet": Network(139_304, 1), "wide": Network(50_438_184, 3)}


def line(*cells):
    print("| " + " | ".join(cells) + " |")


def forecast(options):
    """Ranks from 1 to 256 of a network of 100 million weights."""
    network = Network(400e6, 95)
    for gigabits, bandwidth in RATES.items():
        hosts = Hosts(options.latency, bandwidth, options.copy / options.cores)
        print(f"\n{gigabits} Gbit/s: weak scaling (a host computes {options.compute_seconds:g} s a step), and strong scaling of the "
              f"batch that one host computes in {options.strong:g} s\n")
        line("ranks", "step (s)", "efficiency", "unhidden (s)", "step (s)", "speed-up", "efficiency")
        line("---:", "---:", "---:", "---:", "---:", "---:", "---:")
        for count in [1, 2, 4, 8, 16, 32, 64, 128, 256]:
            weak, unhidden = step(network, hosts, count, options.compute_seconds)
            strong, _ = step(network, hosts, count, options.update + (options.strong - options.update) / count)
            efficiency, speedup = options.compute_seconds / weak, options.strong / strong
            line(str(count), f"{weak:.2f}", f"{efficiency:.2f}", f"{unhidden:.2f}", f"{strong:.2f}", f"{speedup:.1f}", f"{speedup / count:.2f}")


def compare(options):
    """The model beside measured steps of `network.py`."""
    computes = {}
    for entry in options.compute.split(","):
        name, batch, milliseconds = entry.split(":")
        computes[name, int(batch)] = float(milliseconds) / 1e3
    line("network", "Gbit/s", "program", "hosts", "measured (ms)", "model (ms)", "measured / model")
    line("---", "---:", "---", "---:", "---:", "---:", "---:")
    for measured in json.loads(options.measured.read_text()):
        name, count, gigabits = measured["network"], measured["ranks"], measured["gigabits"]
        quiet = [entry["step_ms"] for entry in measured["lines"] if entry.get("others", 0) <= options.quiet]
        compute = computes.get((name, options.batch // count))
        # With a shard for each host, a host computes what a process alone would.
        if "shard for each" not in measured["name"] or not quiet or compute is None:
            continue
        hosts = Hosts(options.latency, RATES[gigabits], options.copy)
        model = step(NETWORKS[name], hosts, count, compute)[0] * 1e3
        took = statistics.median(quiet)
        line(name, str(gigabits), measured["name"], str(count), f"{took:.1f}", f"{model:.1f}", f"{took / model:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latency", type=float, default=50e-6, help="seconds of a small message from host to host")
    parser.add_argument("--copy", type=float, default=1.3e-9, help="core seconds for each byte of gradients that is exchanged")
    parser.add_argument("--measured", type=pathlib.Path, help="the file that network.py --json has written")
    parser.add_argument("--compute", default="", help="measured milliseconds of a step alone, as network:batch:ms,..")
    parser.add_argument("--batch", type=int, default=128, help="samples of a batch in --measured")
    parser.add_argument("--quiet", type=float, default=0.15, help="of --measured, leave out what others have disturbed more")
    parser.add_argument("--compute-seconds", type=float, default=1.5, help="of a step on one host, for weak scaling")
    parser.add_argument("--strong", type=float, default=24, help="seconds of a step on one host, for strong scaling")
    parser.add_argument("--update", type=float, default=0.15, help="seconds of those that no host can share: the optimiser")
    parser.add_argument("--cores", type=int, default=4, help="cores of a host that copy at once")
    options = parser.parse_args()
    compare(options) if options.measured else forecast(options)


if __name__ == "__main__":
    main()
