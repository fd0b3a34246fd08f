"""Runs the ONNX files that Gradus has written, and compares their outputs with those of Gradus.

    GRADUS_ONNX_CASES=/tmp/cases cargo test -p gradus-interchange --lib cases_are_written
    python conformance/onnx_runtime.py /tmp/cases [--reference]

Needs numpy, onnx and onnxruntime; made with 2.4.6, 1.22.0 and 1.32.0. Prints the largest difference of each network, of each layer that
is not within 1e-6, and one line at the end. Fails if a difference is more than 1e-4, or a file is not valid.

With --reference, onnx's own reference computes instead. 1.22.0 cannot compute the files in which the cell state of an LSTM is an output:
4 cases fail, with the message that there is no such result.
"""

import pathlib
import sys

import numpy
import onnx
import onnx.reference
import onnxruntime


def difference(expected, found):
    """The largest difference, relative where numbers are larger than 1; infinite where shapes differ."""
    if expected.shape != found.shape:
        return float("inf")
    if expected.size == 0:
        return 0.0
    scale = numpy.maximum(numpy.abs(expected), 1)
    return float(numpy.max(numpy.abs(expected - found) / scale))


def runtime(path):
    """What computes the outputs of a file, by onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(folder, session_of):
    """The largest difference of a case, over its outputs."""
    path = str(folder / "model.onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    inputs = {given.name: numpy.load(folder / f"input_{place}.npy") for place, given in enumerate(model.graph.input)}
    outputs = session_of(path).run(None, inputs)
    return max(difference(numpy.load(folder / f"output_{place}.npy"), found) for place, found in enumerate(outputs))


def main():
    session_of = onnx.reference.ReferenceEvaluator if "--reference" in sys.argv else runtime
    folders = sorted(path for path in pathlib.Path(sys.argv[1]).iterdir() if path.is_dir())
    largest, failed, refused = 0.0, 0, 0
    for folder in folders:
        if (folder / "refused.txt").exists():
            print(f"{folder.name}: refused: {(folder / 'refused.txt').read_text()}")
            refused += 1
            continue
        try:
            found = run(folder, session_of)
        except Exception as error:
            print(f"{folder.name}: {type(error).__name__}: {str(error)[:300]}")
            failed += 1
            continue
        largest = max(largest, found)
        if not found <= 1e-6 or folder.name.startswith("net_"):
            print(f"{folder.name}: {found:.2g}")
        failed += not found <= 1e-4
    versions = f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}"
    print(f"{len(folders)} cases, {refused} refused, {failed} failed, largest difference {largest:.2g} ({versions})")
    sys.exit(1 if failed else 0)


main()
