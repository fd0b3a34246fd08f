"""Writes wav.txt: small WAV files as libsndfile writes them, in hexadecimal, and the samples that it reads back.

soundfile 0.14.0 with libsndfile 1.2.2, numpy 2.4.6:

    python wav.py > wav.txt
"""

import io

import numpy as np
import soundfile

print(f"# wav.py beside this file has written this, with soundfile {soundfile.__version__} and {soundfile.__libsndfile_version__}.")
samples = np.array([[0.0, 0.5], [-0.5, 0.25], [0.9999, -1.0], [0.1, -0.3], [1e-3, 0.7]])
for container in ["WAV", "WAVEX"]:
    for encoding in ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]:
        for channels in [1, 2]:
            file = io.BytesIO()
            soundfile.write(file, samples[:, :channels], 8000, format=container, subtype=encoding)
            read, rate = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)
            assert rate == 8000
            print(f"{container} {encoding} {channels}: {file.getvalue().hex()}", *read.ravel().tolist())
