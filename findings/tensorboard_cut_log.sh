#!/usr/bin/env bash
# TensorBoard 2.21.0: what a page that is open shows when a run goes on from a checkpoint, and its log with it.
#
# Expected: a reader that has read to the end of a file stops if the file is cut and other events follow; a new file with a copy
# of what is kept, in place of the old one, is shown by the data server (the default), and twice over by the loader in Python
# (`--load_fast=false`, also where there is no data server).
# Seen: cut in place, both stop for good if the events that follow have other lengths, and both go on if they have the same
# lengths as those that were lost, as those of a run with the same bits have: the points that they had read stay. A new file is
# shown by the data server, but the loader in Python shows nothing more, though it runs on without an error.
#
# Needs Python 3.11 or newer with pip. Ends with 1 if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorboard==2.21.0 'setuptools<81'
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c


def record(event):
    data = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))


def points(steps, value, extra=0):
    """Records of several lengths, each longer by `extra`."""
    records = []
    for step in steps:
        summary = summary_pb2.Summary()
        summary.value.add(tag="loss", simple_value=value)
        summary.value.add(tag="x" * (step % 7 + 1 + extra), simple_value=0)
        records.append(record(event_pb2.Event(wall_time=1e9 + step, step=step, summary=summary)))
    return b"".join(records)


def shown(port):
    url = f"http://127.0.0.1:{port}/data/plugin/scalars/scalars?run=run&tag=loss"
    try:
        return [(step, value) for _, step, value in json.load(urllib.request.urlopen(url, timeout=5))]
    except OSError:
        return []


def wait(port, wanted, seconds):
    """What is shown when it is what is wanted, or after this time."""
    end = time.time() + seconds
    while shown(port) != wanted and time.time() < end:
        time.sleep(0.5)
    return shown(port)


def trial(root, fast, way):
    """The points that an open page shows of steps 0 to 7, of which 3 to 7 are lost, then written again and more up to 39."""
    run = os.path.join(root, f"{fast}-{way}", "run")
    os.makedirs(run)
    old, new = (os.path.join(run, f"events.out.tfevents.1.{name}") for name in "ab")
    version = record(event_pb2.Event(wall_time=1e9, file_version="brain.Event:2"))
    kept = version + points(range(3), 1.0)
    with open(old, "wb") as file:
        file.write(kept + points(range(3, 8), 1.0))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["tensorboard", "--logdir", os.path.dirname(run), "--port", str(port), "--host", "127.0.0.1"]
    command[0] = os.path.join(os.path.dirname(sys.executable), command[0])
    command += ["--reload_interval", "1", "--load_fast", fast]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert len(wait(port, [(step, 1.0) for step in range(8)], 60)) == 8, "the server does not show the run"
        later = points(range(3, 40), 2.0, extra=3 if way == "other lengths" else 0)
        if way == "new file":
            with open(os.path.join(run, "unfinished"), "wb") as file:
                file.write(kept)
            os.rename(os.path.join(run, "unfinished"), new)
            os.remove(old)
            with open(new, "ab") as file:
                file.write(later)
        else:
            with open(old, "r+b") as file:
                file.truncate(len(kept))
                file.seek(len(kept))
                file.write(later)
        wanted = [(step, 1.0 if step < (8 if way == "same lengths" else 3) else 2.0) for step in range(40)]
        found = wait(port, wanted, 20)
        return "goes on" if found == wanted else "stops" if len(found) == 8 else found
    finally:
        server.terminate()
        server.wait()


seen = {}
for fast, reader in [("true", "data server"), ("false", "loader in Python")]:
    for way in ["same lengths", "other lengths", "new file"]:
        seen[reader, way] = trial(sys.argv[1], fast, way)
        print(f"{reader}, {way}: {seen[reader, way]}")
stops = {("data server", "other lengths"), ("loader in Python", "other lengths"), ("loader in Python", "new file")}
raise SystemExit(0 if all(found == ("stops" if key in stops else "goes on") for key, found in seen.items()) else 1)
PYTHON
