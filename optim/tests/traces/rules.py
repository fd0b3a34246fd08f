"""Makes rules.txt: 8 steps of every elementwise rule in float64, by formulas in NumPy that other libraries confirm.

    pip install keras==3.15.1 jax==0.10.2 torch==2.15.0 optax==0.2.8 numpy==2.4.6
    KERAS_BACKEND=jax JAX_ENABLE_X64=1 python rules.py > rules.txt
"""

import keras
import numpy as np
import optax
import torch

keras.config.set_floatx("float64")

START = np.array([1.0, -2.0, 0.5])
SLOPE = np.array([0.1, -0.2, 0.3])
STEPS = 8


def gradient(p, t):
    return 2.0 * p + t * SLOPE


def follow(step):
    """The trace of `step(p, g, t, slots)`, t = 1, 2, .., which changes the dictionary `slots`."""
    p, slots, trace = START, {}, []
    for t in range(STEPS):
        p = step(p, gradient(p, t), t + 1, slots)
        trace.append(p)
    return trace


def by_keras(optimizer):
    p = keras.Variable(START, dtype="float64")
    optimizer.build([p])
    trace = []
    for t in range(STEPS):
        g = keras.ops.convert_to_tensor(gradient(np.array(p), t), dtype="float64")
        optimizer.apply_gradients([(g, p)])
        trace.append(np.array(p))
    return trace


def by_optax(transform):
    p, trace = START, []
    state = transform.init(p)
    for t in range(STEPS):
        updates, state = transform.update(gradient(p, t), state, p)
        p = np.array(optax.apply_updates(p, updates))
        trace.append(p)
    return trace


def by_torch(make, clip=None):
    p = torch.tensor(START, requires_grad=True)
    optimizer, trace = make([p]), []
    for t in range(STEPS):
        p.grad = torch.tensor(gradient(p.detach().numpy(), t))
        if clip:
            clip([p])
        optimizer.step()
        trace.append(p.detach().numpy().copy())
    return trace


def average(slots, name, keep, x):
    slots[name] = keep * slots.get(name, 0.0) + (1 - keep) * x
    return slots[name]


# The formulas. Each returns a step; the learning rate is 0.1, that of Adadelta 1.


def sgd(momentum=0.0, nesterov=False, decay=0.0, l2=0.0, change=lambda g: g):
    def step(p, g, t, slots):
        p, g = p - 0.1 * decay * p, change(g) + l2 * p
        b = slots["b"] = momentum * slots.get("b", 0.0) + g
        return p - 0.1 * (g + momentum * b if nesterov else b)

    return step


def adam(b1=0.9, b2=0.999, eps=1e-7, corrected=True, amsgrad=False, decay=0.0, l2=0.0, of_keras=False):
    def step(p, g, t, slots):
        p, g = p - 0.1 * decay * p, g + l2 * p
        m, v = average(slots, "m", b1, g), average(slots, "v", b2, g * g)
        if amsgrad:
            v = slots["top"] = np.maximum(slots.get("top", 0.0), v)
        if of_keras:
            return p - 0.1 * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)
        if corrected:
            m, v = m / (1 - b1**t), v / (1 - b2**t)
        return p - 0.1 * m / (np.sqrt(v) + eps)

    return step


def adamax(p, g, t, slots):
    m = average(slots, "m", 0.9, g)
    u = slots["u"] = np.maximum(0.999 * slots.get("u", 0.0), np.abs(g))
    return p - 0.1 / (1 - 0.9**t) * m / (u + 1e-7)


def nadam(p, g, t, slots):
    m, v = average(slots, "m", 0.9, g), average(slots, "v", 0.999, g * g)
    now, after = (0.9 * (1 - 0.5 * 0.96**k) for k in (t, t + 1))
    product = slots["product"] = slots.get("product", 1.0) * now
    ahead = after * m / (1 - product * after) + (1 - now) * g / (1 - product)
    return p - 0.1 * ahead / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)


def rmsprop(momentum=0.0, centered=False):
    def step(p, g, t, slots):
        v = average(slots, "v", 0.9, g * g)
        if centered:
            v = v - average(slots, "a", 0.9, g) ** 2
        b = slots["b"] = momentum * slots.get("b", 0.0) + 0.1 * g / np.sqrt(v + 1e-7)
        return p - b

    return step


def adagrad(initial, eps=1e-7, of_keras=False):
    def step(p, g, t, slots):
        a = slots["a"] = slots.get("a", initial) + g * g
        return p - 0.1 * g / (np.sqrt(a + eps) if of_keras else np.sqrt(a) + eps)

    return step


def adadelta(p, g, t, slots):
    a = average(slots, "a", 0.95, g * g)
    step = np.sqrt(slots.get("d", 0.0) + 1e-7) / np.sqrt(a + 1e-7) * g
    average(slots, "d", 0.95, step * step)
    return p - step


def lion(decay=0.0, rate=0.1):
    def step(p, g, t, slots):
        u = np.sign(0.9 * slots.get("m", 0.0) + 0.1 * g)
        average(slots, "m", 0.99, g)
        return p - rate * (u + decay * p)

    return step


def ftrl(power=-0.5, initial=0.1, l1=0.0, l2=0.0, shrinkage=0.0, beta=0.0):
    def step(p, g, t, slots):
        before = slots.get("n", initial)
        n = slots["n"] = before + g * g
        z = slots.get("z", 0.0) + g + 2 * shrinkage * p - (n**-power - before**-power) / 0.1 * p
        slots["z"] = z
        return (np.clip(z, -l1, l1) - z) / ((n**-power + beta) / 0.1 + 2 * l2)

    return step


K, O, T = keras.optimizers, optax, torch.optim


def keras_(optimizer, **options):
    return ("keras", lambda: by_keras(optimizer(**{"learning_rate": 0.1, **options})))


def optax_(transform):
    return ("optax", lambda: by_optax(transform))


def torch_(optimizer, clip=None, **options):
    return ("torch", lambda: by_torch(lambda ps: optimizer(ps, **{"lr": 0.1, **options}), clip))


def norm(g):
    return g * min(1.0, 1.0 / np.linalg.norm(g))


def torch_adam(**options):
    return torch_(T.Adam, **options)


def rms(**options):
    keras_options = {**options, "epsilon": 1e-7}
    optax_options = {"decay": 0.9, "eps": 1e-7, "momentum": options.get("momentum"), "centered": options.get("centered", False)}
    return [keras_(K.RMSprop, **keras_options), optax_(O.rmsprop(0.1, eps_in_sqrt=True, **optax_options))]


# Title, formula in words, trace, and what confirms it.
ROWS = [
    ("sgd", "p -= lr g", sgd(), [torch_(T.SGD), optax_(O.sgd(0.1)), keras_(K.SGD)]),
    ("sgd momentum=0.9", "b = mu b + g; p -= lr b   (Keras keeps lr inside the buffer: the same for a constant lr)", sgd(0.9),
     [torch_(T.SGD, momentum=0.9), optax_(O.sgd(0.1, 0.9)), keras_(K.SGD, momentum=0.9)]),
    ("sgd momentum=0.9 nesterov", "b = mu b + g; p -= lr (g + mu b)", sgd(0.9, True),
     [torch_(T.SGD, momentum=0.9, nesterov=True), optax_(O.sgd(0.1, 0.9, True)), keras_(K.SGD, momentum=0.9, nesterov=True)]),
    ("sgd weight_decay=0.01 | decoupled", "p -= lr wd p; then p -= lr g", sgd(decay=0.01),
     [keras_(K.SGD, weight_decay=0.01)]),
    ("sgd weight_decay=0.01 | coupled", "g += wd p", sgd(l2=0.01), [torch_(T.SGD, weight_decay=0.01)]),
    ("sgd clipvalue=1", "g = clamp(g, -1, 1)", sgd(change=lambda g: np.clip(g, -1, 1)),
     [torch_(T.SGD, clip=lambda ps: torch.nn.utils.clip_grad_value_(ps, 1.0)), keras_(K.SGD, clipvalue=1.0),
      optax_(O.chain(O.clip(1.0), O.sgd(0.1)))]),
    ("sgd clipnorm=1", "g *= min(1, 1/||g||)", sgd(change=norm), [keras_(K.SGD, clipnorm=1.0)]),
    ("sgd global_clipnorm=1", "g *= min(1, 1/||all g||)  (torch divides by ||g||+1e-6)", sgd(change=norm),
     [optax_(O.chain(O.clip_by_global_norm(1.0), O.sgd(0.1))), keras_(K.SGD, global_clipnorm=1.0)]),
    ("adam eps=1e-7 | Kingma-Ba", "p -= lr mhat/(sqrt(vhat)+eps)", adam(), [torch_adam(eps=1e-7), optax_(O.adam(0.1, eps=1e-7))]),
    ("adam eps=1e-8 | Kingma-Ba", "as above", adam(eps=1e-8), [torch_adam(eps=1e-8), optax_(O.adam(0.1, eps=1e-8))]),
    ("adam eps=1e-2 | Kingma-Ba", "a large eps shows its place", adam(eps=1e-2),
     [torch_adam(eps=1e-2), optax_(O.adam(0.1, eps=1e-2))]),
    ("adam eps=1e-2 | Keras", "p -= lr sqrt(1-b2^t)/(1-b1^t) m/(sqrt(v)+eps)", adam(eps=1e-2, of_keras=True), [keras_(K.Adam, epsilon=1e-2)]),
    ("adam without bias correction eps=1e-7", "p -= lr m/(sqrt(v)+eps)", adam(corrected=False), []),
    ("adam amsgrad eps=1e-8 | max of v, then corrected", "the largest v so far in the place of v", adam(eps=1e-8, amsgrad=True),
     [torch_adam(eps=1e-8, amsgrad=True)]),
    ("adam weight_decay=0.01 (coupled L2) eps=1e-8", "g += wd p before the moments", adam(eps=1e-8, l2=0.01),
     [torch_adam(eps=1e-8, weight_decay=0.01)]),
    ("adamw weight_decay=0.01 eps=1e-7", "p *= 1 - lr wd, then Adam (optax adds wd p to the update: the same)", adam(decay=0.01),
     [torch_(T.AdamW, eps=1e-7, weight_decay=0.01), optax_(O.adamw(0.1, eps=1e-7, weight_decay=0.01))]),
    ("adamw weight_decay=0.1 eps=1e-7", "as above", adam(decay=0.1),
     [torch_(T.AdamW, eps=1e-7, weight_decay=0.1), optax_(O.adamw(0.1, eps=1e-7, weight_decay=0.1))]),
    ("adamax eps=1e-7 | eps in the denominator", "u = max(b2 u, |g|); p -= lr/(1-b1^t) m/(u+eps)", adamax, [keras_(K.Adamax)]),
    ("nadam eps=1e-7 | Keras schedule", "mu_t = b1 (1 - 0.5 * 0.96^t)", nadam, [keras_(K.Nadam)]),
    ("rmsprop rho=0.9 eps=1e-7 | eps inside the root", "sqrt(v+eps)", rmsprop(), rms()),
    ("rmsprop rho=0.9 centered | eps inside the root", "sqrt(v+eps)", rmsprop(centered=True), rms(centered=True)),
    ("rmsprop rho=0.9 momentum=0.9 | eps inside the root", "sqrt(v+eps)", rmsprop(0.9), rms(momentum=0.9)),
    ("rmsprop rho=0.9 momentum=0.9 centered | eps inside the root", "sqrt(v+eps)", rmsprop(0.9, True),
     rms(momentum=0.9, centered=True)),
    ("adagrad init=0.1 eps=1e-7 | eps outside", "sqrt(a)+eps", adagrad(0.1),
     [torch_(T.Adagrad, initial_accumulator_value=0.1, eps=1e-7)]),
    ("adagrad init=0 eps=1e-7 | eps outside", "sqrt(a)+eps", adagrad(0.0), [torch_(T.Adagrad, eps=1e-7)]),
    ("adagrad init=0.1 eps=1e-2 | Keras", "sqrt(a+eps)", adagrad(0.1, 1e-2, of_keras=True),
     [keras_(K.Adagrad, initial_accumulator_value=0.1, epsilon=1e-2)]),
    ("adadelta rho=0.95 eps=1e-7 lr=1", "eps inside both roots", adadelta,
     [torch_(T.Adadelta, lr=1.0, rho=0.95, eps=1e-7), optax_(O.adadelta(1.0, rho=0.95, eps=1e-7)),
      keras_(K.Adadelta, learning_rate=1.0, rho=0.95, epsilon=1e-7)]),
    ("lion beta=(0.9,0.99)", "u = sign(b1 m + (1-b1) g); m = b2 m + (1-b2) g; p -= lr u", lion(),
     [optax_(O.lion(0.1, weight_decay=0.0)), keras_(K.Lion)]),
    ("lion beta=(0.9,0.99) weight_decay=0.01", "p -= lr (u + wd p)", lion(0.01),
     [optax_(O.lion(0.1, weight_decay=0.01)), keras_(K.Lion, weight_decay=0.01)]),
    ("lion beta=(0.9,0.99) lr=0.5", "the gradient changes its sign before the average does, so the betas matter",
     lion(rate=0.5), [optax_(O.lion(0.5, weight_decay=0.0)), keras_(K.Lion, learning_rate=0.5)]),
    ("adam amsgrad beta=(0.5,0.5) eps=1e-8", "the average forgets fast enough for its maximum to matter",
     adam(0.5, 0.5, 1e-8, amsgrad=True), [torch_adam(betas=(0.5, 0.5), eps=1e-8, amsgrad=True)]),
    ("ftrl", "p = -z / (sqrt(n) / lr)", ftrl(), [keras_(K.Ftrl)]),
    ("ftrl power=-0.4 init=0.3 l1=0.2 l2=0.3 shrinkage=0.05 beta=0.5", "p = (clamp(z, -l1, l1) - z) / ((n^-power + beta) / lr + 2 l2)",
     ftrl(-0.4, 0.3, 0.2, 0.3, 0.05, 0.5),
     [keras_(K.Ftrl, learning_rate_power=-0.4, initial_accumulator_value=0.3, l1_regularization_strength=0.2,
             l2_regularization_strength=0.3, l2_shrinkage_regularization_strength=0.05, beta=0.5)]),
]


print(f"# Made by rules.py in float64: {STEPS} steps from p = [1.0, -2.0, 0.5] with g(p, t) = 2 p + t [0.1, -0.2, 0.3], t = 0, 1, .., at a")
print("# learning rate of 0.1 (adadelta: 1). Betas (0.9, 0.999) unless named; a row is p after a step. The formulas are NumPy's;")
print(f"# Keras {keras.__version__} on JAX, PyTorch {torch.__version__.split('+')[0]} and Optax {optax.__version__} confirm them as noted.")
for title, formula, step, checks in ROWS:
    trace, confirmed = follow(step), []
    for library, run in checks:
        difference = float(np.max(np.abs(np.array(run()) - np.array(trace))))
        assert difference < 1e-13, (title, library, difference)
        confirmed.append(f"{library} (differs by {difference:.1e})")
    print(f"\n## {title}\nformula: {formula}\nconfirmed by: {', '.join(confirmed) or '-'}")
    for p in trace:
        print([float(x) for x in p], end=",\n")
