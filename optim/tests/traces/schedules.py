"""Makes schedules.txt: learning rates at steps 0, 1, 2, .. in float64.

    pip install keras==3.15.1 jax==0.10.2 torch==2.15.0 numpy==2.4.6
    KERAS_BACKEND=jax JAX_ENABLE_X64=1 python schedules.py > schedules.txt
"""

import math

import keras
import torch

keras.config.set_floatx("float64")
S = keras.optimizers.schedules
SINGLE = 1e-7  # Keras's schedules compute a part in float32.


def fraction(step, steps, staircase):
    return math.floor(step / steps) if staircase else step / steps


def polynomial(step, power, cycle):
    steps = 5 * max(1, math.ceil(step / 5)) if cycle else 5
    return 0.09 * (1 - min(step, steps) / steps) ** power + 0.01


def cosine(step, initial, steps, alpha):
    return initial * (alpha + (1 - alpha) * 0.5 * (1 + math.cos(math.pi * min(step, steps) / steps)))


def warm_up(step, start, alpha):
    return start + (0.1 - start) * step / 4 if step < 4 else cosine(step - 4, 0.1, 8, alpha)


def restarts(step, first, t_mul, m_mul, alpha):
    length, height = first, 1.0
    while step >= length:
        step, length, height = step - length, length * t_mul, height * m_mul
    return 0.1 * (alpha + (1 - alpha) * height * 0.5 * (1 + math.cos(math.pi * step / length)))


# Title, number of rates, the formula, and the schedule of Keras that confirms it.
ROWS = []
for staircase in (False, True):
    title = f"Keras {{}}(0.1, decay_steps=4, decay_rate=0.5{', staircase' if staircase else ''})"
    ROWS += [
        (title.format("ExponentialDecay"), 13, lambda s, j=staircase: 0.1 * 0.5 ** fraction(s, 4, j),
         S.ExponentialDecay(0.1, 4, 0.5, staircase)),
        (title.format("InverseTimeDecay"), 13, lambda s, j=staircase: 0.1 / (1 + 0.5 * fraction(s, 4, j)),
         S.InverseTimeDecay(0.1, 4, 0.5, staircase)),
    ]
for power in (1.0, 2.0):
    for cycle in (False, True):
        title = f"Keras PolynomialDecay(0.1, decay_steps=5, end=0.01, power={power}{', cycle' if cycle else ''})"
        ROWS.append((title, 13, lambda s, p=power, c=cycle: polynomial(s, p, c), S.PolynomialDecay(0.1, 5, 0.01, power, cycle)))
ROWS += [
    ("Keras PiecewiseConstantDecay(boundaries=[3, 8], values=[0.1, 0.05, 0.01])", 13,
     lambda s: 0.1 if s <= 3 else 0.05 if s <= 8 else 0.01, S.PiecewiseConstantDecay([3, 8], [0.1, 0.05, 0.01])),
    ("Keras CosineDecay(0.1, decay_steps=10)", 13, lambda s: cosine(s, 0.1, 10, 0.0), S.CosineDecay(0.1, 10)),
    ("Keras CosineDecay(0.1, decay_steps=10, alpha=0.1)", 13, lambda s: cosine(s, 0.1, 10, 0.1), S.CosineDecay(0.1, 10, 0.1)),
    ("Keras CosineDecay(0.0, decay_steps=8, alpha=0.1, warmup_target=0.1, warmup_steps=4)", 15,
     lambda s: warm_up(s, 0.0, 0.1), S.CosineDecay(0.0, 8, 0.1, warmup_target=0.1, warmup_steps=4)),
    ("Keras CosineDecay(0.02, decay_steps=8, alpha=0, warmup_target=0.1, warmup_steps=4)", 15,
     lambda s: warm_up(s, 0.02, 0.0), S.CosineDecay(0.02, 8, 0.0, warmup_target=0.1, warmup_steps=4)),
    ("Keras CosineDecayRestarts(0.1, first_decay_steps=3)", 21, lambda s: restarts(s, 3, 2, 1.0, 0.0), S.CosineDecayRestarts(0.1, 3)),
    ("Keras CosineDecayRestarts(0.1, first_decay_steps=3, t_mul=2, m_mul=0.8, alpha=0.1)", 21,
     lambda s: restarts(s, 3, 2, 0.8, 0.1), S.CosineDecayRestarts(0.1, 3, 2.0, 0.8, 0.1)),
    ("Keras CosineDecayRestarts(0.1, first_decay_steps=4, t_mul=1, m_mul=0.5)", 21,
     lambda s: restarts(s, 4, 1, 0.5, 0.0), S.CosineDecayRestarts(0.1, 4, 1.0, 0.5)),
    ("Keras CosineDecayRestarts(0.1, first_decay_steps=4, t_mul=1.5, m_mul=0.9)", 21,
     lambda s: restarts(s, 4, 1.5, 0.9, 0.0), S.CosineDecayRestarts(0.1, 4, 1.5, 0.9)),
]


def by_torch(make, count, rate=1.0):
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([parameter], lr=rate)
    schedule = make(optimizer)
    rates = []
    for step in range(count):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if step + 1 < count:
            schedule.step()
    return rates


def one_cycle(rate, steps, **options):
    return by_torch(lambda o: torch.optim.lr_scheduler.OneCycleLR(o, rate, total_steps=steps, cycle_momentum=False, **options), steps)


TORCH = [
    ("torch OneCycleLR(max_lr=1.0, total_steps=13, pct_start=0.3, anneal_strategy='cos', div_factor=25, final_div_factor=1e4): lr",
     one_cycle(1.0, 13)),
    ("torch OneCycleLR(max_lr=1.0, total_steps=13, pct_start=0.3, anneal_strategy='linear', div_factor=25, final_div_factor=1e4): lr",
     one_cycle(1.0, 13, anneal_strategy="linear")),
    ("torch OneCycleLR(max_lr=0.1, total_steps=11, pct_start=0.5, cos, div_factor=10, final_div_factor=100)",
     one_cycle(0.1, 11, pct_start=0.5, div_factor=10, final_div_factor=100)),
    ("torch OneCycleLR(max_lr=0.1, total_steps=12, pct_start=0.3, three_phase=True, linear)",
     one_cycle(0.1, 12, three_phase=True, anneal_strategy="linear")),
    ("torch StepLR(lr=0.1, step_size=3, gamma=0.5)",
     by_torch(lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.5), 13, 0.1)),
]

print("# Made by schedules.py: learning rates at steps 0, 1, 2, .. in float64. A row named for Keras is the formula in Python, which")
print(f"# Keras {keras.__version__} on JAX confirms to {SINGLE} (it computes a part in float32); one named for torch is PyTorch {torch.__version__.split('+')[0]}'s.")
for title, count, formula, schedule in ROWS:
    rates = [float(formula(step)) for step in range(count)]
    for step, rate in enumerate(rates):
        assert abs(rate - float(schedule(step))) < SINGLE, (title, step, rate, float(schedule(step)))
    print(f"\n## {title}\n{rates}")
for title, rates in TORCH:
    print(f"\n## {title}\n{rates}")
