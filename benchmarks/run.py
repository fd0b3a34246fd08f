#!/usr/bin/env python3
"""Times gradus and its peers on the same training, one after another, and prints a table of medians.

Needs only Python's standard library; the Python peers run under the interpreter of `benchmarks/.venv`
(see README.md). Each round runs every peer once for each number of threads, in a process of its own, so
that a slow spell of the machine falls on all of them.
"""

import argparse
import functools
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target")).resolve()
# Below this a network has not learnt, and its time says nothing; and the same for a peer that runs only a part of each epoch.
PLAUSIBLE = {"dense": 0.95, "convnet": 0.97}
PLAUSIBLE_OF_A_PART = 0.8
# So that glibc's malloc returns no memory to the system after a step, which the next one would pay for page by page.
KEEP_MEMORY = {"MALLOC_TOP_PAD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "2147483648", "MALLOC_MMAP_THRESHOLD_": "1073741824"}


@dataclass
class Peer:
    """A framework in one way of writing it, and what the rounds measured: by number of threads."""

    name: str
    # A crate's folder or a script in this one.
    source: str
    setting: str = ""
    environment: dict = field(default_factory=dict)
    # Runs only a part of an epoch where --slow-fraction asks for it.
    is_slow: bool = False
    version: str = ""
    epochs: dict = field(default_factory=dict)
    predicts: dict = field(default_factory=dict)
    peaks: dict = field(default_factory=dict)
    accuracies: list = field(default_factory=list)
    failures: list = field(default_factory=list)

    @property
    def is_rust(self):
        return not self.source.endswith(".py")


def dense_peers():
    return [
        Peer("gradus", "gradus"),
        Peer("JAX, the epoch in one scan", "jax_optax.py", "scan"),
        Peer("JAX, a compiled step", "jax_optax.py", "step"),
        Peer("dfdx", "dfdx"),
        Peer("burn, flex", "burn", "flex"),
        Peer("Keras, the epoch compiled", "keras_tf.py", "compiled"),
        Peer("Keras, `fit`", "keras_tf.py", "fit"),
        Peer("PyTorch, tuned", "pytorch.py", "tuned"),
        Peer("PyTorch, `DataLoader`", "pytorch.py", "eager"),
        Peer("candle", "candle"),
    ]


def convnet_peers():
    return [
        Peer("gradus", "gradus"),
        Peer("PyTorch, channels last, keeping memory", "pytorch.py", "channels_last", KEEP_MEMORY),
        Peer("PyTorch, channels last", "pytorch.py", "channels_last"),
        Peer("PyTorch, tuned", "pytorch.py", "tuned"),
        Peer("PyTorch, `DataLoader`", "pytorch.py", "eager"),
        Peer("Keras, the epoch compiled", "keras_tf.py", "compiled"),
        Peer("Keras, `fit`", "keras_tf.py", "fit"),
        Peer("JAX, the epoch in one scan", "jax_optax.py", "scan", is_slow=True),
        Peer("JAX, a compiled step", "jax_optax.py", "step"),
        Peer("burn, flex", "burn", "flex", is_slow=True),
        Peer("burn, ndarray", "burn", "ndarray", is_slow=True),
        Peer("candle", "candle", is_slow=True),
    ]


PEERS = {"dense": dense_peers, "convnet": convnet_peers}


def fraction(text):
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"a fraction is above 0 and at most 1, not {text}")
    return value


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=PEERS, default="dense", help="what is trained; README.md lists the layers")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2, help="timed epochs in each process, after one that is not")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "datasets/data/mnist", help="folder of the four .gz files")
    parser.add_argument("--python", type=pathlib.Path, default=HERE / ".venv/bin/python", help="the Python peers' interpreter")
    parser.add_argument("--only", default="", help="run the peers whose name holds one of these words, as in gradus,jax")
    parser.add_argument(
        "--fraction", type=fraction, default=1.0, help="the part of each epoch that is run; times are scaled to whole ones"
    )
    parser.add_argument("--slow-fraction", type=fraction, default=1.0, help="the same for the slow peers of the convnet alone")
    parser.add_argument("--timeout", type=float, default=900, help="seconds a peer may take")
    parser.add_argument("--json", type=pathlib.Path, help="also write every measured number to this file")
    return parser.parse_args()


def build(peers):
    """Compiles the Rust peers as their lock files say; gradus has none here, its dependencies are the workspace's."""
    for folder in dict.fromkeys(peer.source for peer in peers if peer.is_rust):
        print(f"building {folder}", file=sys.stderr)
        command = ["cargo", "build", "--release", "--target-dir", str(TARGET)]
        command += ["--manifest-path", str(HERE / folder / "Cargo.toml")]
        subprocess.run(command if folder == "gradus" else [*command, "--locked"], check=True)


def part_of(peer, options):
    """The part of each epoch that this peer runs."""
    return min(options.fraction, options.slow_fraction) if peer.is_slow else options.fraction


def run(peer, threads, round_number, options):
    """One process of a peer, held to `threads` cores and told so in every way that a peer listens to."""
    if peer.is_rust:
        command = [str(TARGET / "release" / f"peer-{peer.source}")]
    else:
        command = [str(options.python), str(HERE / peer.source)]
    command += ["--network", options.network, "--data", str(options.data.resolve()), "--seed", str(round_number)]
    command += ["--epochs", str(options.epochs), "--fraction", str(part_of(peer, options))]
    if peer.setting:
        command += ["--setting", peer.setting]
    names = ["THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    environment = {**os.environ, **{name: str(threads) for name in names}, **peer.environment}
    hold = None
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        hold = functools.partial(os.sched_setaffinity, 0, cores)
    done = subprocess.run(
        command, env=environment, preexec_fn=hold, timeout=options.timeout, capture_output=True, text=True
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"exit status {done.returncode}: {last}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(peers, options):
    for round_number in range(options.rounds):
        for threads in options.threads:
            for peer in peers:
                label = f"round {round_number + 1} of {options.rounds}, {threads} thread(s), {peer.name}"
                try:
                    result = run(peer, threads, round_number, options)
                except (OSError, RuntimeError, subprocess.TimeoutExpired, ValueError) as error:
                    peer.failures.append(f"{label}: {error}")
                    print(f"{label}: {error}", file=sys.stderr)
                    continue
                peer.version = result["version"]
                peer.epochs.setdefault(threads, []).extend(result["epochs"])
                peer.predicts.setdefault(threads, []).append(result["predict_us"])
                peer.peaks.setdefault(threads, []).append(result["peak_mib"])
                peer.accuracies.append(result["accuracy"])
                print(f"{label}: {statistics.median(result['epochs']):.3f} s an epoch", file=sys.stderr)
                plausible = PLAUSIBLE[options.network] if part_of(peer, options) == 1 else PLAUSIBLE_OF_A_PART
                if result["accuracy"] < plausible:
                    peer.failures.append(f"{label}: accuracy {result['accuracy']:.4f} is below {plausible}")


def median_of(measured, threads):
    return statistics.median(measured[threads]) if measured.get(threads) else None


def cells(value, base, digits):
    """A median and its ratio to gradus."""
    if value is None:
        return ["-", "-"]
    return [f"{value:.{digits}f}", f"{value / base:.2f}" if base else "-"]


def table(peers, options):
    gradus = next((peer for peer in peers if peer.name == "gradus"), None)
    columns = [("epochs", "epoch", "s", 3), ("predicts", "predict one", "us", 1), ("peaks", "peak memory", "MiB", 0)]
    head = ["peer", "version"]
    for _, title, unit, _ in columns:
        for threads in options.threads:
            head += [f"{title}, {threads} thr. ({unit})", "x gradus"]
    head.append("accuracy")
    rows = [head, ["---"] * 2 + ["---:"] * (len(head) - 2)]
    for peer in peers:
        part = part_of(peer, options)
        row = [peer.name if part == 1 else f"{peer.name} [{part:g} of each epoch]", peer.version or "-"]
        for measured, _, _, digits in columns:
            for threads in options.threads:
                base = median_of(getattr(gradus, measured), threads) if gradus else None
                row += cells(median_of(getattr(peer, measured), threads), base, digits)
        row.append(f"{statistics.median(peer.accuracies):.4f}" if peer.accuracies else "-")
        rows.append(row)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def machine():
    model = platform.processor() or platform.machine()
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.split()
    rust = f"rustc {rustc[1]}" if len(rustc) > 1 else "no rustc"
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}, {rust}"


def main():
    options = parse_options()
    words = [word.lower() for word in options.only.split(",") if word]
    everybody = PEERS[options.network]()
    peers = [peer for peer in everybody if not words or any(word in peer.name.lower() for word in words)]
    if not peers:
        sys.exit(f"no peer's name holds {options.only!r}: {', '.join(peer.name for peer in everybody)}")
    if not (options.data / "train-images-idx3-ubyte.gz").is_file():
        sys.exit(f"{options.data} does not hold train-images-idx3-ubyte.gz: name MNIST's folder with --data")
    if not options.python.is_file() and any(not peer.is_rust for peer in peers):
        sys.exit(f"{options.python} is not there: set the Python peers up as README.md says, or leave them out with --only")
    build(peers)
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 1.5:
        print(f"the machine is busy (load {os.getloadavg()[0]:.1f}): the times below will not be worth much", file=sys.stderr)
    measure(peers, options)

    print(f"\n{machine()}; {options.network}, medians of {options.rounds} rounds of {options.epochs} epochs.\n")
    print(table(peers, options))
    if options.json:
        options.json.write_text(json.dumps([vars(peer) for peer in peers], indent=1))
    failures = [failure for peer in peers for failure in peer.failures]
    if failures:
        print("\nWhat went wrong:\n" + "\n".join(f"- {failure}" for failure in failures))
        sys.exit(1)


if __name__ == "__main__":
    main()
