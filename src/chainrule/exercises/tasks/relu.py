"""ReLU's gate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import layers
from ..exercise import Exercise, Mistake, Problem, Solved, literal, whole

SOLUTION = '''\
def relu_forward(inputs):
    return np.maximum(inputs, 0.0)


def relu_backward(dvalues, inputs):
    """dvalues: dL/d(output). inputs: what forward got. Both (B,N); returns dL/d(inputs), (B,N)."""
    dinputs = np.where(inputs > 0, dvalues, 0.0)  # ? (B,N)
    return dinputs
'''


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    shape = tuple(rng.integers(2, 6, 2))
    x, d = rng.normal(size=shape), rng.normal(size=shape)
    return {"relu_forward": (x,), "relu_backward": (d, x)}


def sheet(rng: np.random.Generator) -> Problem:
    x, d = whole(rng, 2, 3, most=5), whole(rng, 2, 3, most=5)
    x[int(rng.integers(2)), int(rng.integers(3))] = 0.0
    dx = layers.ReLU().pure_backward(np, d, x)["dinputs"]
    steps = tuple(
        (f"dinputs[{b},{n}]", f"{literal(d[b, n])}*{1 if x[b, n] > 0 else 0}") for b in range(2) for n in range(3)
    )
    return Problem({"inputs": x, "dvalues": d}, (Solved("dinputs", dx, steps),))


EXERCISE = Exercise(
    name="relu",
    title="The gate of ReLU",
    task="""ReLU lets a number pass that is above zero, and puts out zero otherwise. Write the gradient of its inputs.

    At exactly zero, where the curve has its corner, take the flat side.""",
    by_hand="""
        inputs  = [[2, -1, 0]]
        dvalues = [[5, 7, -3]]
        dinputs = [[5, 0, 0]]
    """,
    solution=SOLUTION,
    outputs={"relu_forward": ("output",), "relu_backward": ("dinputs",)},
    cases=cases,
    mistakes=(
        Mistake("gate_on_upstream", "np.where(inputs > 0, dvalues, 0.0)", "np.where(dvalues > 0, dvalues, 0.0)",
                "Two arrays have the shape of the gate. Yours was cut from the wrong one.",
                "Whether a gate is open was decided in the forward pass. What did it look at then?"),
        Mistake("gate_inverted", "np.where(inputs > 0, dvalues, 0.0)", "np.where(inputs > 0, 0.0, dvalues)",
                "Your gate is open where it should be shut.",
                "For which inputs does the output move when the input moves?"),
        Mistake("missing_upstream", "np.where(inputs > 0, dvalues, 0.0)", "np.where(inputs > 0, 1.0, 0.0)",
                "That is the slope of ReLU itself. One link of the chain is missing.",
                "A slope of one layer is not yet the gradient of the loss: what came from behind?"),
        Mistake("gate_missing", "np.where(inputs > 0, dvalues, 0.0)", "dvalues.copy()",
                "Everything passes. Which entries should not?",
                "Move an input from -1 to -1.001: how much does the output move?"),
        Mistake("multiplied_by_inputs", "np.where(inputs > 0, dvalues, 0.0)",
                "np.where(inputs > 0, dvalues * inputs, 0.0)",
                "The right entries pass, and then something happens to them.",
                "Where the gate is open the output is the input itself. What is the slope of that?"),
        Mistake("gate_on_product", "np.where(inputs > 0, dvalues, 0.0)", "np.maximum(dvalues * inputs, 0.0)",
                "Two questions are mixed up in one product.",
                "The gate asks one array, and lets the other one through as it is."),
        Mistake("leaky", "np.where(inputs > 0, dvalues, 0.0)", "np.where(inputs > 0, dvalues, 0.01 * dvalues)",
                "A little comes through a gate that is shut.",
                "That is a leaky ReLU. How steep is this one below zero?"),
        Mistake("forward_again", "np.where(inputs > 0, dvalues, 0.0)", "np.maximum(inputs, 0.0)",
                "That is the forward pass once more.",
                "Backward does not ask how large the output is, but how fast the loss moves with the input."),
    ),
    idea="Look at one entry at a time: is its gate open, and what comes from behind?",
    more="There are two cases for an entry, and only one of them has a gradient other than zero.",
    sheet=sheet,
    sheet_task="The layer is ReLU. Compute the gradient of its inputs.",
    pair="relu",
)  # fmt: skip
