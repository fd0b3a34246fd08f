"""The peer of gradus-serve: the same network by PyTorch or Keras behind FastAPI and uvicorn, with TensorFlow Serving's JSON.

    python peer.py digits.safetensors --port 8502 --backend torch --workers 2

It predicts by the weights of the file, request by request, as most such servers do. Needs fastapi, uvicorn, safetensors, numpy
and torch, or keras with a backend (KERAS_BACKEND). FastAPI's own parsing of the body is left out: it would be slower.
"""

import argparse
import json
import os

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from safetensors.numpy import load_file


def torch_network(w1, b1, w2, b2):
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

    return predict


def keras_network(w1, b1, w2, b2):
    import keras

    network = keras.Sequential(
        [keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(128, "relu"), keras.layers.Dense(10, "softmax")]
    )
    network.set_weights([w1, b1, w2, b2])
    # model.predict is made for many samples; this is Keras's compiled form of a call. It is first called here, to compile.
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        call = tf.function(network, input_signature=[tf.TensorSpec((None, 28, 28))], jit_compile=False)
    else:
        call = network
    call(np.zeros((1, 28, 28), np.float32))
    return lambda x: np.asarray(call(x))


def make():
    """The application of one worker; its options come by the environment, as uvicorn starts workers as processes."""
    weights = load_file(os.environ["PEER_MODEL"])
    weights = [weights[name] for name in ("1/kernel", "1/bias", "2/kernel", "2/bias")]
    predict = {"torch": torch_network, "keras": keras_network}[os.environ["PEER_BACKEND"]](*weights)
    app = FastAPI()

    @app.post("/v1/models/digits:predict")
    async def answer(request: Request):
        try:
            x = np.asarray(json.loads(await request.body())["instances"], dtype=np.float32) / 255
            if x.ndim != 3 or x.shape[1:] != (28, 28) or not np.isfinite(x).all():
                raise ValueError(f"instances of shape {x.shape}, expected (n, 28, 28)")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return Response(json.dumps({"error": f"bad request: {error}"}), 400, media_type="application/json")
        return Response(json.dumps({"predictions": predict(x).tolist()}), media_type="application/json")

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--port", type=int, default=8502)
    parser.add_argument("--backend", choices=["torch", "keras"], default="torch")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    os.environ |= {"PEER_MODEL": options.model, "PEER_BACKEND": options.backend}
    uvicorn.run("peer:make", factory=True, port=options.port, workers=options.workers, log_level="warning", access_log=False)
