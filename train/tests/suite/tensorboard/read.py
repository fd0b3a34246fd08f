"""Prints what TensorBoard's own reader finds in a folder of logs, in the form that `train/tests/tensorboard.rs` prints.

    cargo test -p gradus-train --test suite tensorboard
    python read.py ../../../target/tmp/tensorboard-fixture > read.txt

Needs tensorboard 2.21.0, numpy 2.4.6 and pillow 13.0.0.
"""

import io
import os
import sys

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

EVERYTHING = {"scalars": 0, "histograms": 0, "images": 0, "tensors": 0}


def numbers(values):
    return " ".join(repr(float(value)) for value in values)


def show(run, events):
    tags = events.Tags()
    print(f"run {run}")
    for tag in sorted(tags["scalars"]):
        points = " ".join(f"{point.step}:{point.value!r}" for point in events.Scalars(tag))
        print(f"scalar {tag} {points}")
    for tag in sorted(tags["histograms"]):
        for event in events.Histograms(tag):
            of = event.histogram_value
            print(f"histogram {tag} {event.step}: {numbers([of.min, of.max, of.num, of.sum, of.sum_squares])}")
            print("  limits", numbers(of.bucket_limit))
            print("  counts", numbers(of.bucket))
    for tag in sorted(tags["images"]):
        for event in events.Images(tag):
            picture = Image.open(io.BytesIO(event.encoded_image_string))
            assert picture.size == (event.width, event.height)
            pixels = " ".join(str(byte) for byte in np.asarray(picture).ravel())
            print(f"image {tag} {event.step}: {event.height} x {event.width} {pixels}")
    if tags["graph"]:
        for node in events.Graph().node:
            shapes = [[axis.size for axis in shape.dim] for shape in node.attr["_output_shapes"].list.shape]
            params, shares = node.attr["params"].i, node.attr["shares"].s.decode()
            print(f"node {node.name}: {node.op} of {list(node.input)} gives {shapes}, {params} params, shares {shares!r}")


folder = sys.argv[1]
for run in sorted(os.listdir(folder)):
    events = EventAccumulator(os.path.join(folder, run), size_guidance=EVERYTHING)
    events.Reload()
    show(run, events)
