"""The file numpy.safetensors for tests/safetensors.rs. Needs numpy 2.4.6, ml_dtypes 0.6.0 and safetensors 0.8.0."""

import pathlib

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

floats = [1.5, -2.0, np.nan, np.inf, -np.inf, 6e-8]
tensors = {
    "f32": np.array([floats[:3], floats[3:]], np.float32),
    "f64": np.array([0.1, -0.0]),
    "f16": np.array(floats, np.float16),
    "bf16": np.array(floats, ml_dtypes.bfloat16),
    "i8": np.array([-128, 127], np.int8),
    "i16": np.array([-300, 300], np.int16),
    "i32": np.array([[-70000], [70000]], np.int32),
    "i64": np.array(2**40),
    "u8": np.array([0, 255], np.uint8),
    "u16": np.array([65535], np.uint16),
    "bool": np.array([True, False, True]),
    "empty": np.zeros((2, 0, 3), np.float32),
    "layer/ü \"quoted\"": np.array([7], np.int32),
}
path = pathlib.Path(__file__).parent / "numpy.safetensors"
save_file(tensors, path, metadata={"author": "a\nb", "title": "{\"é\": 1}"})
