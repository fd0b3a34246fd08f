#!/usr/bin/env python3
"""Times training on ranks of one machine: gradus over MPI beside one process, and beside PyTorch's DistributedDataParallel.

Each round runs every program once, in processes of its own, so that a slow spell of the machine falls on all of them. Ratios are taken
within a round; the table has the medians of the rounds. On a machine that others use, too, `--quiet 0.1` measures in the pauses. All programs of a table have the same cores, which `--cores` says, and the
same number of threads in all: one rank has a thread for each core, two ranks have half of them each.

Needs Open MPI (`mpirun.openmpi`), and for PyTorch the interpreter of README.md.
"""

import argparse
import contextlib
import ctypes
import functools
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target")).resolve()
# As in run.py: so that glibc's malloc returns no memory to the system after a step.
KEEP_MEMORY = {"MALLOC_TOP_PAD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "2147483648", "MALLOC_MMAP_THRESHOLD_": "1073741824"}
# MPI starts no program of root's without these.
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
STEPS = {"convnet": 60, "wide": 8}


@dataclass
class Program:
    """What is timed, and what the rounds have measured: the lines of JSON."""

    name: str
    ranks: int
    # Of gradus: none, exact or fast. Of PyTorch: the layout or compile.
    setting: str
    is_gradus: bool = True
    shards: int = 8
    lines: list = field(default_factory=list)

    def median(self, key):
        return statistics.median(line[key] for line in self.lines)

    def ratio(self, base, key):
        pairs = zip(self.lines, base.lines)
        return statistics.median(own[key] / other[key] for own, other in pairs)


def programs(options):
    """Those of one network; the first one is what the others are compared with."""
    ranks = options.ranks
    chosen = [
        Program("gradus, one rank, exact", 1, "exact"),
        Program("gradus, one rank, fast", 1, "fast"),
        Program("gradus, one process without ranks", 1, "none"),
        Program(f"gradus, {ranks} ranks, exact", ranks, "exact"),
        Program(f"gradus, {ranks} ranks, exact, a shard for each", ranks, "exact", shards=ranks),
        Program(f"gradus, {ranks} ranks, fast", ranks, "fast"),
    ]
    for setting in options.pytorch:
        name = setting.replace("_", " ")
        if setting != "compile":
            chosen.append(Program(f"PyTorch, one process, {name}", 1, setting, is_gradus=False))
        chosen.append(Program(f"PyTorch, DDP, {ranks} ranks, {name}", ranks, setting, is_gradus=False))
    return chosen


def work(network, options):
    """What both programs are told."""
    told = ["--network", network, "--batch", str(options.batch), "--steps", str(options.steps or STEPS[network])]
    return [*told, "--epochs", str(options.epochs), "--data", str(options.data.resolve())]


def gradus(program, network, options):
    """The command of a rank."""
    own = ["--reduction", program.setting, "--shards", str(program.shards), "--bucket-mib", str(options.bucket_mib)]
    return [str(TARGET / "release/peer-gradus-ranks"), *work(network, options), *own]


def pytorch(program, network, options):
    return [str(options.python), str(HERE / "ddp_pytorch.py"), *work(network, options), "--setting", program.setting]


def threads_of(count):
    names = ["THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    return {name: str(count) for name in names}


def ended(processes, timeout):
    """The line of JSON that one of these processes has printed."""
    output = ""
    try:
        for process in processes:
            found, errors = process.communicate(timeout=timeout)
            if process.returncode != 0:
                raise RuntimeError(f"exit status {process.returncode}: {errors.strip()[-400:]}")
            output += found
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
    lines = [line for line in output.splitlines() if line.startswith("{")]
    return json.loads(lines[-1])


def start(command, environment, cores=None):
    hold = functools.partial(os.sched_setaffinity, 0, cores) if cores else None
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, preexec_fn=hold, stdout=pipe, stderr=pipe, text=True)


def adopt():
    """Makes this process the parent of programs whose launcher has ended, so that `busy` knows them for its own."""
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1)


def busy():
    """Seconds that all cores of the machine have computed so far, and those that ended children of this process have."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    spent = [int(ticks) for ticks in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (sum(spent[:3]) + sum(spent[5:8])) / os.sysconf("SC_CLK_TCK"), own.ru_utime + own.ru_stime


def others_in(work):
    """What the work gives, and how many cores other programs have had meanwhile, on average."""
    (all_before, own_before), start = busy(), time.monotonic()
    result = work()
    (all_after, own_after), seconds = busy(), time.monotonic() - start
    return result, max(0, all_after - all_before - own_after + own_before) / seconds


def timed(work, options):
    """The line of a program, with what others have had. With `--quiet`, it is run when others do nothing, and again if they did."""
    give_up = time.monotonic() + options.patience
    while True:
        while options.quiet is not None and time.monotonic() < give_up and others_in(lambda: time.sleep(0.5))[1] > options.quiet:
            pass
        line, others = others_in(work)
        if options.quiet is None or others <= options.quiet or time.monotonic() >= give_up:
            return {**line, "others": others}


def run(program, network, options):
    cores = options.cores
    environment = {**os.environ, **AS_ROOT, **threads_of(max(1, len(cores) // program.ranks))}
    if program.is_gradus:
        command = gradus(program, network, options)
        if program.setting != "none":
            # With `none` a rank may use all cores of the launcher, which are those of all ranks.
            command = ["mpirun.openmpi", "--bind-to", options.bind_to, "--oversubscribe", "-n", str(program.ranks), *command]
        return ended([start(command, environment, cores)], options.timeout)
    command, environment = pytorch(program, network, options), {**environment, **KEEP_MEMORY}
    if program.ranks == 1:
        return ended([start(command, environment, cores)], options.timeout)
    job = {"WORLD_SIZE": str(program.ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29611", "GLOO_SOCKET_IFNAME": "lo"}
    ranks = [{**environment, **job, "RANK": str(rank)} for rank in range(program.ranks)]
    return ended([start(command, rank, cores) for rank in ranks], options.timeout)


def table(network, chosen):
    def column(program, key, digits=2, scale=1.0):
        return f"{program.median(key) * scale:.{digits}f}" if key in program.lines[0] else "-"

    head = ["program", "step (ms)", "x one rank", "quick step (ms)", "x one rank", "CPU of all ranks (ms)", "x one rank"]
    head += ["exchange (ms)", "waited (ms)", "hidden", "sent / 2 (p-1)/p gradients", "cores of others"]
    rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
    base = next((program for program in chosen if program.lines), None)
    for program in (program for program in chosen if program.lines):
        row = [program.name]
        for key in ["step_ms", "quick_step_ms", "cpu_ms"]:
            row += [column(program, key), f"{program.ratio(base, key):.2f}"]
        row += [column(program, "exchanged_ms"), column(program, "waited_ms")]
        if program.is_gradus and program.ranks > 1:
            least = 2 * (program.ranks - 1) / program.ranks * program.median("gradient_bytes")
            hidden = statistics.median(max(0, 1 - line["waited_ms"] / line["exchanged_ms"]) for line in program.lines)
            row += [f"{hidden:.2f}", f"{program.median('sent_bytes') / least:.4f}"]
        else:
            row += ["-", "-"]
        rows.append([*row, column(program, "others")])
    print(f"\n{network}, gradients of {base.median('gradient_bytes') / 1e6:.2f} MB\n")
    print("\n".join("| " + " | ".join(row) + " |" for row in rows))


def check(network, chosen):
    """What is wrong with the weights: exact sums over as many shards give the same, whatever the number of ranks."""
    found = []
    for program in (program for program in chosen if program.is_gradus):
        if not all(line["same_weights"] for line in program.lines):
            found.append(f"{network}, {program.name}: the ranks have different weights")
    exact = [program for program in chosen if program.is_gradus and program.setting == "exact" and program.shards == 8]
    if len({line["hash"] for program in exact for line in program.lines}) > 1:
        found.append(f"{network}: weights depend on the number of ranks")
    return found


def build():
    command = ["cargo", "build", "--release", "--target-dir", str(TARGET), "--features", "mpi", "--bin", "peer-gradus-ranks"]
    environment = {"MPICC": "mpicc.openmpi", **os.environ}
    subprocess.run([*command, "--manifest-path", str(HERE / "gradus/Cargo.toml")], check=True, env=environment)


def parser_of(description):
    """The options that network.py has, too."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--network", choices=STEPS, nargs="+", default=list(STEPS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128, help="samples of a batch, over all ranks")
    parser.add_argument("--steps", type=int, help="steps of an epoch; by default 60 of the convnet, 8 of the wide network")
    parser.add_argument("--epochs", type=int, default=2, help="timed epochs in each process, after one that is not")
    parser.add_argument("--bucket-mib", type=int, default=4, help="how much is exchanged at once")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "datasets/data/mnist", help="folder of the four .gz files")
    parser.add_argument("--python", type=pathlib.Path, default=HERE / ".venv/bin/python", help="PyTorch's interpreter")
    parser.add_argument("--only", default="", help="run the programs whose name holds one of these words, as in exact,DDP")
    parser.add_argument("--timeout", type=float, default=300, help="seconds a program may take")
    parser.add_argument("--quiet", type=float, help="wait until other programs have less than so many cores, and repeat what they disturbed")
    parser.add_argument("--patience", type=float, default=120, help="seconds that a program is waited for and repeated at most")
    parser.add_argument("--json", type=pathlib.Path, help="also write every measured number to this file")
    return parser


def chosen_of(candidates, options):
    words = [word.lower() for word in options.only.split(",") if word]
    return [program for program in candidates if not words or any(word in program.name.lower() for word in words)]


def main():
    parser = parser_of(__doc__.splitlines()[0])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--cores", type=int, nargs="+", default=sorted(os.sched_getaffinity(0))[:2])
    bindings = ["none", "core"]
    parser.add_argument("--bind-to", choices=bindings, default="none", help="hold each rank to a core, which one rank of all must not be")
    settings = ["channels_first", "channels_last", "compile"]
    parser.add_argument("--pytorch", choices=settings, nargs="*", default=settings[:2], help="how PyTorch is written")
    options = parser.parse_args()
    build()
    adopt()
    measured, failures = {}, []
    for network in options.network:
        # A dense network has no layout.
        layouts = [setting for setting in options.pytorch if network == "convnet" or setting != "channels_last"]
        chosen = chosen_of(programs(argparse.Namespace(**{**vars(options), "pytorch": layouts})), options)
        for number in range(options.rounds):
            for program in chosen:
                label = f"{network}, round {number + 1} of {options.rounds}, {program.name}"
                # Ratios are of the same round, so a program that fails ends all.
                line = timed(functools.partial(run, program, network, options), options)
                program.lines.append(line)
                others = f"{line['others']:.2f} cores taken by others"
                print(f"{label}: {line['step_ms']:.2f} ms, CPU {line['cpu_ms']:.2f} ms; {others}", file=sys.stderr)
            measured[network] = {program.name: program.lines for program in chosen}
            if options.json:
                options.json.write_text(json.dumps(measured, indent=1))
        table(network, chosen)
        failures += check(network, chosen)
    sys.exit("\n".join(failures) if failures else 0)


if __name__ == "__main__":
    main()
