"""Runs ONNX's own test cases through Gradus, and counts passed, failed and refused by operator.

Needs onnx and a Rust toolchain: python conformance/onnx_nodes.py [PART_OF_A_NAME]

With onnx 1.22.0, of 1,765 cases of single operators 1,252 pass, 513 are refused by name, and none fails; of 117 cases that PyTorch's
first exporter wrote (opset 6), all pass.
"""

import collections
import os
import subprocess
import sys

import onnx

data = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
command = ["cargo", "run", "-q", "-p", "gradus-interchange", "--example", "onnx_node_tests", "--"]

totals = collections.Counter()
by_operator = collections.defaultdict(collections.Counter)
reasons = collections.defaultdict(list)
for part in ["node", "pytorch-converted", "pytorch-operator"]:
    folder = os.path.join(data, part)
    run = subprocess.run([*command, folder, *sys.argv[1:]], cwd=root, check=True, capture_output=True, text=True)
    for line in run.stdout.splitlines():
        outcome, name, why = line.split("\t")
        totals[part, outcome] += 1
        # A case is one of its operator; one of several operators counts by itself.
        model = onnx.load(os.path.join(folder, name, "model.onnx"), load_external_data=False)
        operators = sorted({node.op_type for node in model.graph.node if node.op_type != "Constant"})
        operator = operators[0] if len(operators) == 1 else "(several)"
        by_operator[operator][outcome] += 1
        if outcome != "passed":
            why = why.split("model.onnx: ")[-1].split("; export it")[0]
            reasons[outcome, operator, why].append(name)

for operator, counts in sorted(by_operator.items()):
    print(f"{operator:28} passed {counts['passed']:4}  failed {counts['failed']:4}  refused {counts['refused']:4}")
for (outcome, operator, why), names in sorted(reasons.items()):
    print(f"{outcome}: {operator}: {why}: {', '.join(names[:4])}{' ..' if len(names) > 4 else ''} ({len(names)})")
for (part, outcome), count in sorted(totals.items()):
    print(f"{part}: {outcome} {count}")
sys.exit(any(outcome == "failed" for _, outcome in totals))
