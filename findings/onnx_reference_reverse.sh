#!/usr/bin/env bash
# onnx 1.22.0: the reference evaluator computes LSTM, GRU and RNN of direction "reverse" as if they ran forward.
#
# Expected: the steps are taken from the last to the first, as the operators' documentation says and as onnxruntime does, or an error.
# Seen: the numbers of "forward", without a word. Who holds a writer of ONNX files against the reference alone takes a network that
# reads backward for right when it is wrong, and the other way round. The checker accepts the files.
#
# Needs Python 3.11 or newer with pip. Ends with 1 if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.22.0 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

random = np.random.default_rng(7)
x = random.normal(size=(4, 1, 3)).astype(np.float32)
as_seen = True
print("onnx", onnx.__version__, "- onnxruntime", onnxruntime.__version__)
for operator, gates in [("LSTM", 4), ("GRU", 3), ("RNN", 1)]:
    kernel = random.normal(size=(1, 2 * gates, 3)).astype(np.float32)
    recurrent = random.normal(size=(1, 2 * gates, 2)).astype(np.float32)
    last = {}
    for direction in ["forward", "reverse"]:
        node = helper.make_node(operator, ["x", "w", "r"], ["", "h"], hidden_size=2, direction=direction)
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 1, 3])]
        outputs = [helper.make_tensor_value_info("h", TensorProto.FLOAT, [1, 1, 2])]
        weights = [numpy_helper.from_array(kernel, "w"), numpy_helper.from_array(recurrent, "r")]
        graph = helper.make_graph([node], "graph", inputs, outputs, weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        reference = ReferenceEvaluator(model).run(None, {"x": x})[0].ravel()
        runtime = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0].ravel()
        last[direction] = (reference, runtime)
        print(f"{operator} {direction}: the reference gives {reference}, onnxruntime {runtime}")
    forward, reverse = last["forward"], last["reverse"]
    as_seen &= np.allclose(*forward, atol=1e-5) and np.array_equal(reverse[0], forward[0])
    as_seen &= not np.allclose(*reverse, atol=1e-2)
raise SystemExit(0 if as_seen else 1)
PYTHON
