#!/usr/bin/env python3
"""Times reading weights: 512 MB of PyTorch's as `.pt` and as safetensors, by gradus, candle and burn, and by the copying of the file.

Each round runs every program once. The files are in the cache of the system. The table has the medians, and ratios to gradus within
each round. Needs the interpreter of README.md with `safetensors==0.8.0` besides.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target")).resolve()

MAKE = """
import sys, torch, safetensors.torch
torch.manual_seed(7)
tensors = {}
for layer in range(8):
    tensors[f"layers.{layer}.weight"] = torch.randn(4000, 4000)
    tensors[f"layers.{layer}.bias"] = torch.randn(4000)
torch.save(tensors, sys.argv[1] + "/weights.pt")
safetensors.torch.save_file(tensors, sys.argv[1] + "/weights.safetensors")
"""


def read(program, path, *more):
    """The seconds of reading, and the peak of memory where it is said."""
    output = subprocess.run([str(TARGET / "release" / program), str(path), "1", *more], capture_output=True, text=True, check=True)
    lines = output.stdout.split("\n")
    peak = next((int(line.split()[1]) for line in lines if line.startswith("peak")), None)
    return float(lines[0]), peak


def copy(path):
    copied = path.with_suffix(".copy")
    start = time.monotonic()
    shutil.copyfile(path, copied)
    seconds = time.monotonic() - start
    copied.unlink()
    return seconds, None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=pathlib.Path, help="where the files are made; a temporary folder by default")
    parser.add_argument("--python", type=pathlib.Path, default=HERE / ".venv/bin/python")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        subprocess.run([str(options.python), "-c", MAKE, folder], check=True)
        for ending in ["pt", "safetensors"]:
            path = pathlib.Path(folder) / f"weights.{ending}"
            programs = {
                "gradus, tensors as they are": lambda: read("peer-gradus-weights", path),
                "gradus, a model, axes turned": lambda: read("peer-gradus-weights", path, "model"),
                "candle, tensors as they are": lambda: read("peer-candle-weights", path),
                "burn, a module, axes turned": lambda: read("peer-burn-weights", path),
                "copying the file": lambda: copy(path),
            }
            found = {name: [] for name in programs}
            for _ in range(options.rounds):
                for name, program in programs.items():
                    found[name].append(program())
            base = [seconds for seconds, _ in found["gradus, tensors as they are"]]
            size = path.stat().st_size
            print(f"\n{path.name}, {size / 1e6:.0f} MB\n\n| program | seconds | x gradus | peak memory, x the file |\n| --- | ---: | ---: | ---: |")
            for name, measured in found.items():
                seconds = statistics.median(seconds for seconds, _ in measured)
                ratio = statistics.median(seconds / other for (seconds, _), other in zip(measured, base))
                peak = f"{measured[0][1] / size:.2f}" if measured[0][1] else "-"
                print(f"| {name} | {seconds:.3f} | {ratio:.2f} | {peak} |")


if __name__ == "__main__":
    main()
