"""Adam by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...optimizers import Adam
from ..exercise import Exercise, Mistake, Problem, Solved, literal, product, whole

SOLUTION = '''\
def adam_step(w, dw, m, v, t, rate, beta1, beta2, epsilon):
    """w, dw, m, v: of one shape; m and v are 0 before the first step. t: 1 in the first step. Returns w, m, v after."""
    m = beta1 * m + (1 - beta1) * dw  # ? running mean of the gradient
    v = beta2 * v + (1 - beta2) * dw**2  # ? running mean of its square
    mhat = m / (1 - beta1**t)  # ? corrected for its start at 0
    vhat = v / (1 - beta2**t)  # ? corrected for its start at 0
    w = w - rate * mhat / (np.sqrt(vhat) + epsilon)  # ?
    return w, m, v
'''


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    shape = tuple(rng.integers(2, 5, 2))
    w, dw, m = (rng.normal(size=shape) for _ in range(3))
    v, t = rng.uniform(0.1, 2, shape), int(rng.integers(2, 9))
    return {"adam_step": (w, dw, m, v, t, 0.1, float(rng.uniform(0.7, 0.95)), float(rng.uniform(0.8, 0.99)), 0.05)}


def sheet(rng: np.random.Generator) -> Problem:
    w, dw, rate = whole(rng, 2), whole(rng, 2, most=5), float(rng.choice([0.1, 0.2, 0.5]))
    zero = np.zeros(2)
    adam = Adam(rate, beta_1=0.9, beta_2=0.99, epsilon=0.0)
    after, slots = adam.pure_update(np, 0, rate, w, dw, zero, zero)
    m, v = np.round(slots["momentum"], 12), np.round(slots["cache"], 12)
    both = range(2)
    return Problem(
        {"w": w, "g": dw, "eta": rate, "beta1": 0.9, "beta2": 0.99},
        (
            Solved("m", m, tuple((f"m[{i}]", f"(1 - 0.9)*{literal(dw[i])}") for i in both)),
            Solved("c", v, tuple((f"c[{i}]", f"(1 - 0.99)*{product(dw[i], dw[i])}") for i in both)),
            Solved("mhat", m / 0.1, tuple((f"mhat[{i}]", f"{literal(m[i])}/(1 - 0.9)") for i in both)),
            Solved("chat", v / 0.01, tuple((f"chat[{i}]", f"{literal(v[i])}/(1 - 0.99)") for i in both)),
            Solved("p", np.round(after, 12), tuple(
                (f"p[{i}]", f"{literal(w[i])} - {product(rate, dw[i])}/sqrt({literal(dw[i] ** 2)})") for i in both
            )),
        ),
    )  # fmt: skip


EXERCISE = Exercise(
    name="adam",
    title="Adam by hand",
    task="""Adam keeps two running means: m of the gradient, v of its square. A running mean keeps `beta` of itself and
    takes (1 - beta) of what is new. Both start at 0, and are therefore too small at first: what is used is m and v
    divided by 1 - beta to the power t, where t counts the steps from 1. The parameters move against the corrected m,
    divided by the root of the corrected v plus epsilon, `rate` times as far. Write one step.""",
    by_hand="""
        w = 1, dw = 2, m = v = 0, t = 1, rate = 0.1, beta1 = 0.9, beta2 = 0.999, epsilon nearly 0
        m = 0.1·2 = 0.2                  v = 0.001·4 = 0.004
        corrected 0.2/0.1 = 2            corrected 0.004/0.001 = 4
        w becomes 1 - 0.1·2/2 = 0.9      the first step is as long as the rate, whatever the gradient
    """,
    solution=SOLUTION,
    outputs={"adam_step": ("w", "m", "v")},
    cases=cases,
    mistakes=(
        Mistake("no_correction", "mhat = m / (1 - beta1**t)  # ? corrected for its start at 0\n"
                "    vhat = v / (1 - beta2**t)", "mhat = m\n    vhat = v",
                "m and v are right. What is used of them is not yet.",
                "Two means that start at 0 lag behind at first. Where is that made good?"),
        Mistake("root_missing", "np.sqrt(vhat) + epsilon", "vhat + epsilon",
                "The units do not fit: a square stands against something that is none.",
                "v is a mean of squares. Before it is compared with a gradient, what must be undone?"),
        Mistake("epsilon_inside", "np.sqrt(vhat) + epsilon", "np.sqrt(vhat + epsilon)",
                "m and v are right, and w nearly. A small number stands in the wrong place.",
                "Read the task word by word: divided by the root of the corrected v plus epsilon."),
        Mistake("step_from_zero", "(1 - beta2**t)", "(1 - beta2**(t + 1))",
                "Your correction belongs to another step.",
                "How is t counted here: is it 0 or 1 in the first step?"),
        Mistake("square_missing", "(1 - beta2) * dw**2", "(1 - beta2) * dw",
                "m is right; v is a mean of the wrong thing.",
                "v says how large gradients are, and must not care for their sign."),
        Mistake("uphill", "w - rate * mhat", "w + rate * mhat",
                "m and v are right; w goes the wrong way.",
                "A gradient points uphill. Which way should the parameters go?"),
        Mistake("square_not_averaged", "(1 - beta2) * dw**2", "dw**2",
                "Your second average grows beyond what it averages.",
                "The parts of an average, old and new, add up to the whole."),
        Mistake("wrong_beta", "(1 - beta1) * dw ", "(1 - beta2) * dw ",
                "The two parts of one average do not fit together.",
                "The parts of an average, old and new, add up to the whole."),
        Mistake("square_uncorrected", "np.sqrt(vhat)", "np.sqrt(v)",
                "One of the two corrections is not used.",
                "Which averages belong into the last line, the raw or the corrected ones?"),
        Mistake("mean_uncorrected", "rate * mhat", "rate * m",
                "One of the two corrections is not used.",
                "Which averages belong into the last line, the raw or the corrected ones?"),
        Mistake("power_missing", "(1 - beta1**t)", "(1 - beta1)",
                "It is right in the first step, and not in the next.",
                "How much of an average's start at 0 is left after t steps?"),
    ),
    idea="Compare m first, then v, then w: what comes later follows from what comes before.",
    more="Take the first step by hand: whatever the gradient is, it must be as long as the rate.",
    sheet=sheet,
    sheet_task="The first step of Adam: m, the mean of the gradient, and c, that of its square, are 0 before it, g "
    "is the gradient, ε is 0. Compute m, c, their corrected "
    "values m̂ and ĉ, and the parameters p after the step.",
)  # fmt: skip
