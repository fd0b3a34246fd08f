"""Fingerprints of all values of f16 and bf16, for src/stored/half.rs. Needs numpy and ml_dtypes."""

import ml_dtypes
import numpy as np

for kind in (np.float16, ml_dtypes.bfloat16):
    values = np.arange(65536, dtype=np.uint16).view(kind).astype(np.float32)
    data = values[~np.isnan(values)].astype("<f4").tobytes()
    fingerprint = 0xCBF29CE484222325
    for byte in data:
        fingerprint = (fingerprint ^ byte) * 0x100000001B3 % 2**64
    print(f"0x{fingerprint:016x}")
