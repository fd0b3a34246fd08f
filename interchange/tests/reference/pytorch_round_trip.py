"""Networks of PyTorch in Gradus and back, and the time to read a large file. Needs torch 2.15.0, safetensors 0.8.0, numpy 2.4.6.

    cargo build --release -p gradus-interchange --example round_trip
    python pytorch_round_trip.py ../../../target/release/examples/round_trip

A ResNet-18 of full width and a text classifier are trained some steps in PyTorch. Gradus reads them, and its outputs are held against
PyTorch's; it trains them further and writes them, PyTorch reads that, and the outputs are held against each other again.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent.parent / "fixtures/pytorch"))
from make_models import Classifier, ResNet18, trained

program = Path(sys.argv[1]).resolve()
torch.manual_seed(3)


def check(name, model, x, theirs, classes, folder):
    trained(model, x, classes)
    # Inputs that it was not trained by.
    inputs = torch.randn(x.shape) if x.is_floating_point() else torch.randint_like(x, 0, int(x.max()) + 1)
    with torch.no_grad():
        y = model(inputs)
    source, target = folder / f"{name}.pt", folder / f"{name}.safetensors"
    torch.save({"state_dict": model.state_dict(), "x": theirs(inputs), "epoch": 4}, source)
    subprocess.run([program, name, source, target], check=True)
    before = np.load(target.with_suffix(".before.npz"))["y"]
    after = np.load(target.with_suffix(".after.npz"))["y"]
    print(f"{name}: read here, largest difference {np.abs(before - y.numpy()).max():.2e} of {y.abs().max():.2f}")
    assert np.allclose(before, y.numpy(), rtol=1e-4, atol=1e-4)
    again = type(model)(*model.arguments)
    again.load_state_dict(load_file(target), strict=True)
    with torch.no_grad():
        y = again.eval()(inputs)
    moved = np.abs(after - before).max()
    print(f"{name}: trained, written and read in PyTorch, largest difference {np.abs(after - y.numpy()).max():.2e} (moved by {moved:.2f})")
    assert np.allclose(after, y.numpy(), rtol=1e-4, atol=1e-4)
    assert moved > 1e-3


def speed(folder):
    """About 500 MB in 30 tensors of f32: against a copy of the file by `shutil.copyfile`."""
    tensors = {f"layer{i}.weight": torch.randn(2048, 2048) for i in range(30)}
    paths = {"pt": folder / "large.pt", "old pt": folder / "large_old.pt", "safetensors": folder / "large.safetensors"}
    torch.save(tensors, paths["pt"])
    torch.save(tensors, paths["old pt"], _use_new_zipfile_serialization=False)
    save_file(tensors, paths["safetensors"])
    for name, path in paths.items():
        size = path.stat().st_size
        times, peaks = {}, {}
        # By turns, and the least time: a busy machine makes single ones longer.
        for _ in range(7):
            begun = time.perf_counter()
            shutil.copyfile(path, folder / "copy")
            times.setdefault("copy", []).append(time.perf_counter() - begun)
            for what in ("read", "build"):
                out = subprocess.run([program, what, path], check=True, capture_output=True, text=True).stdout
                times.setdefault(what, []).append(float(out.split(" seconds")[0].split()[-1]))
                peaks[what] = int(out.split("VmHWM:")[1].split()[0]) * 1024 / size
        copy, read, build = (min(times[what]) for what in ("copy", "read", "build"))
        print(
            f"{name}: {size / 1e6:.0f} MB, copied in {copy:.3f} s, read in {read:.3f} s ({copy / read:.2f} of the speed, "
            f"peak {peaks['read']:.3f} of the file), as a model in {build:.3f} s (peak {peaks['build']:.3f})"
        )


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    resnet = ResNet18(64, 10)
    resnet.arguments = (64, 10)
    check("resnet", resnet, torch.randn(10, 3, 64, 64), lambda x: x.movedim(1, -1).contiguous(), 10, folder)
    classifier = Classifier(5000, 64, 48, 4)
    classifier.arguments = (5000, 64, 48, 4)
    check("classifier", classifier, torch.randint(0, 5000, (16, 20)), lambda x: x, 4, folder)
    speed(folder)
