"""The peer of gradus-serve: the same network by PyTorch or Keras behind FastAPI and uvicorn, with TensorFlow Serving's JSON.

    python peer.py digits.safetensors torch 8502        # or keras

It predicts the weights of the file, request by request, as most such servers do. Needs fastapi, uvicorn, safetensors, numpy
and torch, or keras with a backend. FastAPI's own parsing of the body is left out: it would be slower.
"""

import json
import sys

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from safetensors.numpy import load_file

path, library, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
weights = load_file(path)
w1, b1, w2, b2 = (weights[name] for name in ("1/kernel", "1/bias", "2/kernel", "2/bias"))

if library == "torch":
    import torch

    torch.set_num_threads(1)
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10), torch.nn.Softmax(-1)
    )
    with torch.no_grad():
        for place, (kernel, bias) in {1: (w1, b1), 3: (w2, b2)}.items():
            network[place].weight.copy_(torch.from_numpy(kernel.T.copy()))
            network[place].bias.copy_(torch.from_numpy(bias))

    def predict(x):
        with torch.inference_mode():
            return network(torch.from_numpy(x)).numpy()
else:
    import keras

    network = keras.Sequential(
        [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(128, "relu"), keras.layers.Dense(10, "softmax")]
    )
    network.set_weights([w1, b1, w2, b2])

    def predict(x):
        return np.asarray(network(x))


app = FastAPI()


@app.post("/v1/models/digits:predict")
async def answer(request: Request):
    try:
        x = np.asarray(json.loads(await request.body())["instances"], dtype=np.float32) / 255
        if x.ndim != 3 or x.shape[1:] != (28, 28) or not np.isfinite(x).all():
            raise ValueError(f"instances of shape {x.shape}, expected (n, 28, 28)")
    except (ValueError, KeyError, TypeError) as error:
        return Response(json.dumps({"error": f"bad request: {error}"}), 400, media_type="application/json")
    return Response(json.dumps({"predictions": predict(x).tolist()}), media_type="application/json")


uvicorn.run(app, port=port, log_level="warning", access_log=False)
