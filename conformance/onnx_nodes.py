"""Runs ONNX's own test cases of single operators through Gradus, and counts passed, failed and refused by operator.

Needs onnx (1.22.0 has 1,765 cases) and a Rust toolchain: python conformance/onnx_nodes.py [PART_OF_A_NAME]
"""

import collections
import os
import subprocess
import sys

import onnx

folder = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "node")
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
command = ["cargo", "run", "-q", "-p", "gradus-interchange", "--example", "onnx_node_tests", "--", folder, *sys.argv[1:]]
lines = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()

totals = collections.Counter()
by_operator = collections.defaultdict(collections.Counter)
reasons = collections.defaultdict(list)
for line in lines:
    outcome, name, why = line.split("\t")
    totals[outcome] += 1
    # A case is named for its operator; one that is expanded to others counts by itself.
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
print(dict(totals))
sys.exit(1 if totals["failed"] else 0)
