"""Makes whole.txt: steps of rules that need the whole weight, in float64.

    pip install keras==3.15.1 jax==0.10.2 optax==0.2.8 numpy==2.4.6
    KERAS_BACKEND=jax JAX_ENABLE_X64=1 python whole.py > whole.txt
"""

import keras
import numpy as np
import optax

keras.config.set_floatx("float64")

STEPS = 8
MATRIX = np.array([[1.0, -2.0, 0.5], [-0.25, 0.75, 3.0]])
STARTS = {
    "matrix": MATRIX,
    "vector": np.array([1.0, -2.0, 0.5]),
    "two matrices": np.stack([MATRIX, MATRIX[::-1] * 0.5 + 0.125]),
    "zeros": np.zeros([2, 3]),
}


def gradient(p, t):
    """The gradient of step t at p: 2 p + t times slopes that differ along every axis."""
    slopes = 0.1 * np.cos(np.arange(p.size)).reshape(p.shape)
    return 2.0 * p + (t + 1) * slopes


def by_keras(optimizer, start):
    p = keras.Variable(start, dtype="float64")
    optimizer.build([p])
    for t in range(STEPS):
        optimizer.apply_gradients([(keras.ops.convert_to_tensor(gradient(np.array(p), t), dtype="float64"), p)])
        yield np.array(p)


def by_optax(transform, start):
    p, state = start, transform.init(start)
    for t in range(STEPS):
        updates, state = transform.update(gradient(p, t), state, p)
        p = np.array(optax.apply_updates(p, updates))
        yield p


def lamb(**options):
    """LAMB of Keras, which Optax confirms."""

    def run(start):
        trace = list(by_keras(keras.optimizers.Lamb(learning_rate=0.1, **options), start))
        if "weight_decay" not in options:
            b1, b2, eps = options.get("beta_1", 0.9), options.get("beta_2", 0.999), options.get("epsilon", 1e-7)
            other = by_optax(optax.lamb(0.1, b1=b1, b2=b2, eps=eps), start)
            assert np.allclose(trace, list(other), rtol=1e-12, atol=1e-12)
        return trace

    return run


def rms(x):
    return np.sqrt(np.mean(np.square(x)))


def adafactor(beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=1e-3, clip_threshold=1.0, weight_decay=0.0):
    """Adafactor of Keras line by line in NumPy. Keras confirms it to 1e-5: its mean on JAX is computed in float32."""
    options = dict(beta_2_decay=beta_2_decay, epsilon_1=epsilon_1, epsilon_2=epsilon_2, clip_threshold=clip_threshold)

    def run(start):
        p, r, c, v, trace = start, 0.0, 0.0, 0.0, []
        for t in range(STEPS):
            g, step = gradient(p, t), t + 1
            p = p - 0.5 * weight_decay * p
            alpha = max(epsilon_2, rms(p)) * min(0.5, 1 / np.sqrt(step))
            square = np.square(g) + epsilon_1
            beta = 1 - step**beta_2_decay
            if p.ndim >= 2:
                r = beta * r + (1 - beta) * square.mean(axis=-1)
                c = beta * c + (1 - beta) * square.mean(axis=-2)
                v = np.expand_dims(r / r.mean(axis=-1, keepdims=True), -1) * np.expand_dims(c, -2)
            else:
                v = beta * v + (1 - beta) * square
            u = g / np.sqrt(v)
            p = p - alpha * u / max(1.0, rms(u) / clip_threshold)
            trace.append(p)
        decay = {"weight_decay": weight_decay} if weight_decay else {}
        optimizer = keras.optimizers.Adafactor(learning_rate=0.5, **options, **decay)
        assert np.allclose(trace, list(by_keras(optimizer, start)), rtol=1e-5, atol=1e-5)
        return trace

    return run


def muon(momentum=0.95, nesterov=True, ns_steps=5, rms_rate=0.2, weight_decay=0.0):
    """Muon of Keras line by line in NumPy, with Adam's epsilon where the paper has it. Keras confirms the matrices to 1e-7 (it computes
    sqrt(max(rows, columns)) in float32), and vectors to 1e-5. More than two axes, which Keras leaves to Adam, are joined here."""
    options = dict(momentum=momentum, nesterov=nesterov, ns_steps=ns_steps, rms_rate=rms_rate)

    def run(start):
        p, m, v, trace = start, np.zeros_like(start), np.zeros_like(start), []
        for t in range(STEPS):
            g, step = gradient(p, t), t + 1
            p = p - 0.1 * weight_decay * p
            if p.ndim == 1:
                m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * np.square(g)
                p = p - 0.1 * m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-7)
            else:
                m = momentum * m + g
                u = g + momentum * m if nesterov else m
                x = u.reshape(-1, p.shape[-1])
                scale = rms_rate * np.sqrt(max(x.shape))
                x = x.T if x.shape[0] > x.shape[1] else x
                x = x / (np.linalg.norm(x) + 1e-7)
                for _ in range(ns_steps):
                    square = x @ x.T
                    x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
                x = x if x.shape[1] == p.shape[-1] and x.size // x.shape[1] == u.size // p.shape[-1] else x.T
                p = p - 0.1 * scale * x.reshape(p.shape)
            trace.append(p)
        if start.ndim < 3:
            optimizer = keras.optimizers.Muon(learning_rate=0.1, weight_decay=weight_decay, adam_weight_decay=weight_decay, **options)
            tolerance = 1e-7 if start.ndim == 2 else 1e-5
            assert np.allclose(trace, list(by_keras(optimizer, start)), rtol=tolerance, atol=tolerance)
        return trace

    return run


RULES = {
    "lamb": lamb(),
    "lamb beta=(0.5,0.75) eps=1e-2": lamb(beta_1=0.5, beta_2=0.75, epsilon=1e-2),
    "lamb weight_decay=0.1": lamb(weight_decay=0.1),
    "adafactor": adafactor(),
    "adafactor clip_threshold=0.5 beta_2_decay=-0.5": adafactor(clip_threshold=0.5, beta_2_decay=-0.5),
    "adafactor epsilon=(0.01,2)": adafactor(epsilon_1=0.01, epsilon_2=2.0),
    "adafactor weight_decay=0.1": adafactor(weight_decay=0.1),
    "muon": muon(),
    "muon weight_decay=0.1": muon(weight_decay=0.1),
    "muon momentum=0.5 not nesterov ns_steps=3 rms_rate=0.4": muon(momentum=0.5, nesterov=False, ns_steps=3, rms_rate=0.4),
}

print(f"# Made by whole.py: {STEPS} steps in float64 from p with the gradient 2 p + t 0.1 cos(i), t = 1, 2, .., i being the number of")
print("# the element; learning rate 0.1, but 0.5 of adafactor. A row is the elements of p after a step.")
print(f"# lamb: Keras {keras.__version__} on JAX, which Optax {optax.__version__} confirms to 1e-12; adafactor: Keras's lines in NumPy, which")
print("# Keras confirms to 1e-5; muon: Keras's lines in NumPy, which Keras confirms to 1e-7 for matrices.")
for name, start in STARTS.items():
    for rule, run in RULES.items():
        print(f"\n## {rule} | {name}")
        for p in run(start):
            print([float(x) for x in p.ravel()])
