"""Runs ONNX's own test cases of operators that are functions of others, with the function in the file.

Needs onnx and a Rust toolchain: python conformance/onnx_functions.py

Each case calls a function of a set of its own, whose nodes are those that ONNX gives for the operator. With onnx 1.22.0, of 98 cases 95
pass, and 3 are refused for QuantizeLinear, which is not read.
"""

import collections
import os
import shutil
import subprocess
import sys
import tempfile

import onnx
from onnx import defs, helper

data = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "node")
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SET = "functions"


def with_function(model):
    """The model with a function in place of its operator, or None if its operator has none."""
    if len(model.graph.node) != 1 or model.graph.node[0].domain:
        return None
    (node,) = model.graph.node
    version = next(opset.version for opset in model.opset_import if not opset.domain)
    schema = defs.get_schema(node.op_type, version, "")
    if not schema.has_function:
        return None
    function = onnx.FunctionProto.FromString(schema.function_body.SerializeToString())
    function.domain, function.name = SET, node.op_type
    del function.opset_import[:]
    function.opset_import.append(helper.make_opsetid("", version))
    for name, attribute in schema.attributes.items():
        if attribute.default_value.type:
            if name in function.attribute:
                function.attribute.remove(name)
            function.attribute_proto.append(attribute.default_value)
    node.domain = SET
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid(SET, 1))
    onnx.checker.check_model(model)
    return model


with tempfile.TemporaryDirectory() as folder:
    for name in sorted(os.listdir(data)):
        path = os.path.join(data, name, "model.onnx")
        model = with_function(onnx.load(path)) if os.path.exists(path) and "_expanded" not in name else None
        if model:
            shutil.copytree(os.path.join(data, name), os.path.join(folder, name))
            onnx.save(model, os.path.join(folder, name, "model.onnx"))
    command = ["cargo", "run", "-q", "-p", "gradus-interchange", "--example", "onnx_node_tests", "--", folder]
    run = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    outcomes = [line.split("\t") for line in run.stdout.splitlines()]
for outcome, name, why in outcomes:
    if outcome != "passed":
        print(f"{outcome}: {name}: {why.split('model.onnx: ')[-1]}")
print(dict(collections.Counter(outcome for outcome, _, _ in outcomes)))
sys.exit(any(outcome == "failed" for outcome, _, _ in outcomes))
