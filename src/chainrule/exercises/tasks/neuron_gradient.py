"""The backward pass of one neuron."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import layers
from ..exercise import Exercise, Mistake, Problem, Solved, literal, product, total, whole

SOLUTION = '''\
def neuron_forward(x, w, b):
    return max(np.sum(x * w) + b, 0.0)


def neuron_backward(dvalue, x, w, b):
    """dvalue: dL/dy, a number that comes from behind. x, w: (I,). b: a number."""
    dz = dvalue if np.sum(x * w) + b > 0 else 0.0  # ? dL/dz, through the gate
    dx = dz * w  # ? dL/dx, (I,)
    dw = dz * x  # ? dL/dw, (I,)
    db = dz  # ? dL/db, a number
    return dx, dw, db
'''


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    wires = int(rng.integers(2, 6))
    x, w = rng.normal(size=wires), rng.normal(size=wires)
    sign = rng.choice([-1.0, 1.0], p=[0.3, 0.7])
    b = float(sign * rng.uniform(0.1, 2) - np.sum(x * w))
    return {"neuron_forward": (x, w, b), "neuron_backward": (float(rng.normal()), x, w, b)}


def sheet(rng: np.random.Generator) -> Problem:
    dense, relu = layers.Dense(3, 1), layers.ReLU()
    x, w, b, d = whole(rng, 3), whole(rng, 3), float(whole(rng)), float(whole(rng, most=2))
    while rng.random() < 0.7 and np.sum(x * w) + b <= 0:  # a shut neuron teaches something, once
        x, w, b = whole(rng, 3), whole(rng, 3), float(whole(rng))
    z = dense.pure_forward(np, x[None], w[:, None], b)
    dz = relu.pure_backward(np, np.array([[d]]), z)["dinputs"]
    found = dense.pure_backward(np, dz, x[None], w[:, None])
    g = float(dz[0, 0])
    added = total([*(product(*pair) for pair in zip(x, w, strict=True)), literal(b)])
    gate = f"{literal(d)}*{1 if z[0, 0] > 0 else 0}"
    return Problem(
        {"x": x, "w": w, "b": b, "dy": d},
        (
            Solved("dz", dz[0, 0], (("z", added), ("dz", gate))),
            Solved("dx", found["dinputs"][0], tuple((f"dx[{i}]", product(g, w[i])) for i in range(3))),
            Solved("dw", found["dweights"][:, 0], tuple((f"dw[{i}]", product(g, x[i])) for i in range(3))),
            Solved("db", found["dbiases"][0, 0], (("db", product(g, 1)),)),
        ),
    )


EXERCISE = Exercise(
    name="neuron_gradient",
    title="One neuron, backward",
    task="""The output of a neuron is y = ReLU(z) with z = Σ x·w + b. From behind comes dvalue = dL/dy: how much the
    loss
    moves when y moves. Write how much it moves when each input, each weight and the bias move.

    Go link by link: from y to z through the gate, from z to each product, from a product to its two factors.""",
    by_hand="""
        x = [1, -2, 3], w = [-3, -1, 2], b = 1, so z = 6: the gate is open
        dvalue = 1, so dz = 1
        dx = [-3, -1, 2]      dw = [1, -2, 3]      db = 1
        With b = -7 it is z = -2: the gate is shut, and all are 0
    """,
    solution=SOLUTION,
    outputs={"neuron_forward": ("y",), "neuron_backward": ("dx", "dw", "db")},
    cases=cases,
    mistakes=(
        Mistake("swapped", "dx = dz * w  # ? dL/dx, (I,)\n    dw = dz * x ", "dx = dz * x  # ?\n    dw = dz * w ",
                "You have the right numbers under the wrong names.",
                "When one factor of a product moves, how fast the product moves is said by the other factor."),
        Mistake("gate_missing", "dvalue if np.sum(x * w) + b > 0 else 0.0", "dvalue",
                "It is right as long as the neuron is on. Try the second example.",
                "If z is below zero and moves a little, what does y do?"),
        Mistake("gate_on_upstream", "dvalue if np.sum(x * w) + b > 0 else 0.0", "max(dvalue, 0.0)",
                "Your gate asks the wrong number whether it is open.",
                "The gate was set in the forward pass. A negative gradient may well pass through an open gate."),
        Mistake("missing_upstream", "dvalue if np.sum(x * w) + b > 0 else 0.0",
                "1.0 if np.sum(x * w) + b > 0 else 0.0",
                "It is right when dvalue is 1, and only then.",
                "What comes from behind is the first link of the chain, and you have left it out."),
        Mistake("slope_alone", "db = dz", "db = 1.0",
                "That is the slope of the sum by the bias. Is it the gradient of the loss?",
                "Two links come before that one: what arrives from behind, and the gate."),
        Mistake("gate_without_bias", "if np.sum(x * w) + b > 0", "if np.sum(x * w) > 0",
                "Your gate is sometimes set wrongly.",
                "What exactly does ReLU compare with zero? Is everything in it?"),
    ),
    idea="Which link of the chain is it: the gate, the sum, or the product? Print dz first.",
    more="Set dvalue to 1 and z above zero: what is left then is one product, and its two factors.",
    sheet=sheet,
    sheet_task="The neuron is y = max(z, 0) with z = x·w + b, and dy is what comes from behind. Compute dL/dz, and "
    "from it "
    "dL/dx, dL/dw and dL/db.",
)  # fmt: skip
