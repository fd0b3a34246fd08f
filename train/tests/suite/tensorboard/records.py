"""Prints the bytes of a record as TensorFlow's TFRecordWriter writes it.

Needs tensorflow 2.21.0.
"""

import tempfile

import tensorflow as tf

with tempfile.NamedTemporaryFile() as file:
    with tf.io.TFRecordWriter(file.name) as writer:
        writer.write(b"gradus")
    print(", ".join(f"0x{byte:02x}" for byte in open(file.name, "rb").read()))
