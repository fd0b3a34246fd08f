#!/usr/bin/env python3
"""Times gradus and its peers on the same training, one after another, and prints a table of medians for each network.

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
from dataclasses import asdict, dataclass, field

from networks import KERNELS, NETWORKS, WRITINGS, AttentionKernel, CausalAttention, Conv, Recurrent, has

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
    # A program of the crate gradus or of another one, or a script of this folder.
    source: str
    setting: str = ""
    environment: dict = field(default_factory=dict)
    # Runs only a part of an epoch where --slow-fraction asks for it.
    is_slow: bool = False
    # Where a Rust peer's program is, if it is not built here.
    folder: pathlib.Path | None = None
    version: str = ""
    # Lists of numbers by what was measured, as the peer calls it, and number of threads.
    measured: dict = field(default_factory=dict)
    # Accuracies or numbers of parameters, one for each process.
    checked: list = field(default_factory=list)
    failures: list = field(default_factory=list)

    @property
    def is_rust(self):
        return not self.source.endswith(".py")

    def median(self, column, threads):
        numbers = self.measured.get(column, {}).get(threads)
        return statistics.median(numbers) if numbers else None


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


def step_peers(network):
    """Who takes part in timing a training step of one of `networks.py`."""
    convolutional = has(network, Conv)
    peers = [Peer("gradus", "gradus-step")]
    # PyTorch has this layout for two and three axes.
    if convolutional and len(network.input) > 2:
        peers.append(Peer("PyTorch, channels last", "step_pytorch.py", "channels_last", KEEP_MEMORY))
    peers += [
        Peer("PyTorch, channels first" if convolutional else "PyTorch", "step_pytorch.py", "channels_first", KEEP_MEMORY),
        Peer("Keras, a compiled step", "step_keras.py", "step"),
        Peer("Keras, all steps compiled", "step_keras.py", "pass"),
        Peer("JAX, a compiled step", "step_jax.py", "step"),
    ]
    if not convolutional:
        peers.append(Peer("JAX, all steps in one scan", "step_jax.py", "scan"))
    if has(network, Recurrent, CausalAttention):
        peers.append(Peer("PyTorch, compiled", "step_pytorch.py", "compile", KEEP_MEMORY))
        peers += [Peer("burn, flex", "burn-step"), Peer("candle", "candle-step")]
    if has(network, Recurrent):
        peers.append(Peer("candle, its own layer", "candle-step", "layer"))
    return peers


def kernel_peers(kernel):
    """Who takes part in timing an op alone."""
    peers = [Peer("gradus", "gradus-step")]
    if isinstance(kernel, AttentionKernel):
        return peers + [
            Peer("PyTorch", "attention.py", "pytorch", KEEP_MEMORY),
            Peer("PyTorch, compiled", "attention.py", "pytorch_compiled", KEEP_MEMORY),
            Peer("Keras, compiled", "attention.py", "keras"),
            Peer("JAX, compiled", "attention.py", "jax"),
            Peer("burn, flex", "burn-step"),
            Peer("candle", "candle-step"),
        ]
    return peers + [
        Peer("PyTorch", "ctc.py", "pytorch", KEEP_MEMORY),
        Peer("Keras, compiled", "ctc.py", "keras"),
        Peer("optax, compiled by JAX", "ctc.py", "optax"),
        Peer("burn, flex", "burn-step"),
    ]


def writing_peers():
    """Who takes part in timing the ids that a network writes."""
    return [
        Peer("gradus", "gradus-step"),
        Peer("PyTorch", "generate.py", "eager", KEEP_MEMORY),
        Peer("PyTorch, compiled", "generate.py", "compile", KEEP_MEMORY),
        Peer("JAX, a compiled step", "generate.py", "step"),
        Peer("JAX, all ids in one scan", "generate.py", "scan"),
    ]


@dataclass
class Job:
    """What is timed of a network, and the columns that report it: a key of the peers' JSON, title, unit and digits."""

    columns: list
    # A key of the peers' JSON by which a result is checked.
    check: str
    check_digits: int
    # By which part of the greatest the peers' results may differ, where they are compared.
    tolerance: float | None = None


MEMORY = ("peak_mib", "peak memory", "MiB", 0)
EPOCHS = Job([("epochs", "epoch", "s", 3), ("predict_us", "predict one", "us", 1), MEMORY], "accuracy", 4)
STEPS = Job([("steps_ms", "step", "ms", 3), MEMORY], "parameters", 0, tolerance=0)
IDS = Job([("steps_ms", "id", "ms", 3), MEMORY], "parameters", 0, tolerance=0)
CALLS = Job([("steps_ms", "call", "ms", 3), MEMORY], "result", 6, tolerance=1e-3)
PEERS = {"dense": dense_peers, "convnet": convnet_peers}
PEERS |= {name: functools.partial(step_peers, network) for name, network in NETWORKS.items()}
PEERS |= {name: writing_peers for name in WRITINGS}
PEERS |= {name: functools.partial(kernel_peers, kernel) for name, kernel in KERNELS.items()}


def job_of(name):
    return STEPS if name in NETWORKS else IDS if name in WRITINGS else CALLS if name in KERNELS else EPOCHS


def fraction(text):
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"a fraction is above 0 and at most 1, not {text}")
    return value


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--network", choices=PEERS, nargs="+", default=["dense"], help="what is trained or called; README.md lists them"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="for how long a process times steps or calls")
    parser.add_argument("--epochs", type=int, default=2, help="timed epochs in each process, after one that is not")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "datasets/data/mnist", help="folder of the four .gz files")
    parser.add_argument("--python", type=pathlib.Path, default=HERE / ".venv/bin/python", help="the Python peers' interpreter")
    parser.add_argument("--before", type=pathlib.Path, help="folder of an earlier build of gradus, which takes part, too")
    parser.add_argument("--only", default="", help="run the peers whose name holds one of these words, as in gradus,jax")
    parser.add_argument(
        "--fraction", type=fraction, default=1.0, help="the part of each epoch that is run; times are scaled to whole ones"
    )
    parser.add_argument("--slow-fraction", type=fraction, default=1.0, help="the same for the slow peers of the convnet alone")
    parser.add_argument("--timeout", type=float, default=900, help="seconds a peer may take")
    parser.add_argument("--json", type=pathlib.Path, help="also write every measured number to this file")
    return parser.parse_args()


def take_part(name, options):
    """The peers of a network, and an earlier gradus among them where there is one."""
    peers = PEERS[name]()
    if options.before:
        peers.insert(1, Peer("gradus before", peers[0].source, folder=options.before))
    words = [word.lower() for word in options.only.split(",") if word]
    chosen = [peer for peer in peers if not words or any(word in peer.name.lower() for word in words)]
    if not chosen:
        sys.exit(f"no peer's name holds {options.only!r}: {', '.join(peer.name for peer in peers)}")
    return chosen


def build(peers):
    """Compiles the Rust peers as their lock files say; gradus has none here, its dependencies are the workspace's."""
    for program in dict.fromkeys(peer.source for peer in peers if peer.is_rust and not peer.folder):
        print(f"building {program}", file=sys.stderr)
        crate = program.removesuffix("-step")
        command = ["cargo", "build", "--release", "--target-dir", str(TARGET), "--bin", f"peer-{program}"]
        command += ["--manifest-path", str(HERE / crate / "Cargo.toml")]
        subprocess.run(command if crate == "gradus" else [*command, "--locked"], check=True)


def part_of(peer, options):
    """The part of each epoch that this peer runs."""
    return min(options.fraction, options.slow_fraction) if peer.is_slow else options.fraction


def run(name, peer, threads, round_number, options):
    """One process of a peer, held to `threads` cores and told so in every way that a peer listens to."""
    if peer.is_rust:
        command = [str((peer.folder or TARGET / "release") / f"peer-{peer.source}")]
    else:
        command = [str(options.python), str(HERE / peer.source)]
    command += ["--network", name, "--seed", str(round_number)]
    if job_of(name) is not EPOCHS:
        command += ["--seconds", str(options.seconds)]
    else:
        command += ["--data", str(options.data.resolve()), "--epochs", str(options.epochs)]
        command += ["--fraction", str(part_of(peer, options))]
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


def measure(name, peers, options):
    job = job_of(name)
    for round_number in range(options.rounds):
        for threads in options.threads:
            for peer in peers:
                label = f"{name}, round {round_number + 1} of {options.rounds}, {threads} thread(s), {peer.name}"
                try:
                    result = run(name, peer, threads, round_number, options)
                except (OSError, RuntimeError, subprocess.TimeoutExpired, ValueError) as error:
                    peer.failures.append(f"{label}: {error}")
                    print(f"{label}: {error}", file=sys.stderr)
                    continue
                peer.version = result["version"]
                for key, *_ in job.columns:
                    numbers = result[key] if isinstance(result[key], list) else [result[key]]
                    peer.measured.setdefault(key, {}).setdefault(threads, []).extend(numbers)
                peer.checked.append(result[job.check])
                key, title, unit, digits = job.columns[0]
                print(f"{label}: {title} {statistics.median(result[key]):.{digits}f} {unit}", file=sys.stderr)
                if job is EPOCHS:
                    plausible = PLAUSIBLE[name] if part_of(peer, options) == 1 else PLAUSIBLE_OF_A_PART
                    if result["accuracy"] < plausible:
                        peer.failures.append(f"{label}: accuracy {result['accuracy']:.4f} is below {plausible}")


def failures_of(name, peers):
    failures = [failure for peer in peers for failure in peer.failures]
    job, checked = job_of(name), [found for peer in peers for found in peer.checked]
    if job.tolerance is not None and checked and max(checked) - min(checked) > job.tolerance * max(checked):
        found = ", ".join(f"{peer.name} {peer.checked[0]}" for peer in peers if peer.checked)
        failures.append(f"{name}: the peers differ in {job.check}: {found}")
    return failures


def cells(value, base, digits):
    """A median and its ratio to gradus."""
    if value is None:
        return ["-", "-"]
    return [f"{value:.{digits}f}", f"{value / base:.2f}" if base else "-"]


def lines_of(rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def table(name, peers, options):
    job = job_of(name)
    gradus = next((peer for peer in peers if peer.name == "gradus"), None)
    head = ["peer", "version"]
    for _, title, unit, _ in job.columns:
        for threads in options.threads:
            head += [f"{title}, {threads} thr. ({unit})", "x gradus"]
    head.append(job.check)
    rows = [head, ["---"] * 2 + ["---:"] * (len(head) - 2)]
    for peer in peers:
        part = part_of(peer, options)
        row = [peer.name if part == 1 else f"{peer.name} [{part:g} of each epoch]", peer.version or "-"]
        for key, _, _, digits in job.columns:
            for threads in options.threads:
                row += cells(peer.median(key, threads), gradus and gradus.median(key, threads), digits)
        row.append(f"{statistics.median(peer.checked):.{job.check_digits}f}" if peer.checked else "-")
        rows.append(row)
    return lines_of(rows)


def summary(peers_of, options):
    """Gradus and the fastest of its peers, a row for each network and number of threads."""
    rows = [["network", "threads", "gradus", "fastest peer", "", "gradus / peer"]]
    rows.append(["---", "---:", "---:", "---", "---:", "---:"])
    for name, peers in peers_of.items():
        key, _, unit, digits = job_of(name).columns[0]
        for threads in options.threads:
            own = {peer.name: peer.median(key, threads) for peer in peers if peer.source.startswith("gradus")}
            others = [(peer.median(key, threads), peer.name) for peer in peers if peer.name not in own]
            fastest, who = min((pair for pair in others if pair[0]), default=(None, "-"))
            if own.get("gradus") and fastest:
                times = [f"{time:.{digits}f} {unit}" for time in (own["gradus"], fastest)]
                rows.append([name, str(threads), times[0], who, times[1], f"{own['gradus'] / fastest:.2f}"])
    return lines_of(rows)


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
    peers_of = {name: take_part(name, options) for name in options.network}
    everybody = [peer for peers in peers_of.values() for peer in peers]
    needs_data = any(job_of(name) is EPOCHS for name in peers_of)
    if needs_data and not (options.data / "train-images-idx3-ubyte.gz").is_file():
        sys.exit(f"{options.data} does not hold train-images-idx3-ubyte.gz: name MNIST's folder with --data")
    if not options.python.is_file() and any(not peer.is_rust for peer in everybody):
        sys.exit(f"{options.python} is not there: set the Python peers up as README.md says, or leave them out with --only")
    build(everybody)
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > 1.5:
        print(f"the machine is busy (load {os.getloadavg()[0]:.1f}): the times below will not be worth much", file=sys.stderr)

    print(f"\n{machine()}; medians of {options.rounds} rounds.")
    for name, peers in peers_of.items():
        measure(name, peers, options)
        print(f"\n{name}\n\n{table(name, peers, options)}", flush=True)
    if len(peers_of) > 1:
        print("\n" + summary(peers_of, options))
    if options.json:
        numbers = {name: [asdict(peer) for peer in peers] for name, peers in peers_of.items()}
        options.json.write_text(json.dumps(numbers, indent=1, default=str))
    failures = [failure for name, peers in peers_of.items() for failure in failures_of(name, peers)]
    if failures:
        print("\nWhat went wrong:\n" + "\n".join(f"- {failure}" for failure in failures))
        sys.exit(1)


if __name__ == "__main__":
    main()
