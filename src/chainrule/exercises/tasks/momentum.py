"""Gradient descent with momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...optimizers import SGD
from ..exercise import Exercise, Mistake, Problem, Solved, literal, product, whole

SOLUTION = '''\
def momentum_step(w, dw, velocity, rate, momentum):
    """w, dw, velocity: parameters, their gradient, the velocity so far, of one shape. Returns w and velocity after."""
    velocity = momentum * velocity + dw  # ?
    w = w - rate * velocity  # ?
    return w, velocity
'''


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    shape = tuple(rng.integers(2, 5, 2))
    w, dw, v = (rng.normal(size=shape) for _ in range(3))
    return {"momentum_step": (w, dw, v, float(rng.uniform(0.05, 0.5)), float(rng.uniform(0.3, 0.95)))}


def sheet(rng: np.random.Generator) -> Problem:
    w, dw, v = (whole(rng, 2) for _ in range(3))
    rate, mu = 0.1, float(rng.choice([0.5, 0.9]))
    after, slots = SGD(rate, momentum=mu).pure_update(np, 0, rate, w, dw, v)
    velocity = slots["velocity"]
    return Problem(
        {"w": w, "dw": dw, "v": v, "eta": rate, "mu": mu},
        (
            Solved("u", velocity, tuple((f"u[{i}]", f"{product(mu, v[i])} + {literal(dw[i])}") for i in range(2))),
            Solved("p", after, tuple((f"p[{i}]", f"{literal(w[i])} - {product(rate, velocity[i])}") for i in range(2))),
        ),
    )  # fmt: skip


EXERCISE = Exercise(
    name="momentum",
    title="Gradient descent with momentum",
    task="""A ball that rolls downhill keeps some of its speed. The velocity after a step is `momentum` times the
    velocity
    before plus the gradient; the parameters move against the new velocity, `rate` times as far. Write one step.""",
    by_hand="""
        w = 1, dw = 2, velocity = -1, rate = 0.1, momentum = 0.5
        velocity becomes -0.5 + 2 = 1.5
        w becomes 1 - 0.15 = 0.85
    """,
    solution=SOLUTION,
    outputs={"momentum_step": ("w", "velocity")},
    cases=cases,
    mistakes=(
        Mistake("uphill", "w - rate * velocity", "w + rate * velocity",
                "The velocity is right; w goes the wrong way.",
                "A gradient points uphill. Which way should the parameters go?"),
        Mistake("no_memory", "momentum * velocity + dw", "dw",
                "What was before the step makes no difference in your code.",
                "A ball that keeps nothing of its speed is plain gradient descent."),
        Mistake("damped_gradient", "momentum * velocity + dw", "momentum * velocity + (1 - momentum) * dw",
                "That is a running mean, which other optimizers use. Read the task once more.",
                "In this form the gradient enters with its whole weight."),
        Mistake("old_velocity", "w = w - rate * velocity", "w = w - rate * (velocity - dw) / momentum",
                "The velocity is right, and w moves with another one.",
                "In which order do the two lines come?"),
        Mistake("nothing_forgotten", "momentum * velocity + dw", "velocity + dw",
                "Your ball never loses any speed.",
                "How much of the old speed should be left after a step?"),
        Mistake("rate_missing", "w - rate * velocity", "w - velocity",
                "One of the arguments never enters that line.",
                "What says how far it goes with this velocity?"),
        Mistake("another_convention", "momentum * velocity + dw", "momentum * velocity - rate * dw",
                "Your velocity points downhill already, and has the rate in it.",
                "Some books do that. Here the second line takes care of both: what is left for the first?"),
    ),
    idea="Which of the two lines is it? Compare the velocity first, since w follows from it.",
    more="Take velocity = 0: then the step must be that of plain gradient descent.",
    sheet=sheet,
    sheet_task="One step of gradient descent with momentum μ and learning rate η: w are the parameters, dw is their "
    "gradient, v the velocity before the step. Compute the velocity u and the parameters p after it.",
)  # fmt: skip
