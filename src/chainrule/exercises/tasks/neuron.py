"""The forward pass of one neuron."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import layers
from ..exercise import Exercise, Mistake, Problem, Solved, literal, product, total, whole

SOLUTION = '''\
def neuron_forward(x, w, b):
    """x and w: an input and a weight for each wire, (I,). b: the bias, a number."""
    z = np.sum(x * w) + b  # ? the weighted sum
    y = max(z, 0.0)  # ? what the neuron puts out
    return z, y
'''


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    wires = int(rng.integers(2, 6))
    x, w = rng.normal(size=wires), rng.normal(size=wires)
    b = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.1, 2) - np.sum(x * w))  # on or off, as likely
    return {"neuron_forward": (x, w, b)}


def sheet(rng: np.random.Generator) -> Problem:
    x, w, b = whole(rng, 3), whole(rng, 3), float(whole(rng))
    z = layers.Dense(3, 1).pure_forward(np, x[None], w[:, None], b)
    y = layers.ReLU().pure_forward(np, z)
    added = total([*(product(*pair) for pair in zip(x, w, strict=True)), literal(b)])
    steps = (("z", added),), (("y", f"max({literal(z[0, 0])}, 0)"),)
    return Problem({"x": x, "w": w, "b": b}, (Solved("z", z[0, 0], steps[0]), Solved("y", y[0, 0], steps[1])))


EXERCISE = Exercise(
    name="neuron",
    title="One neuron, forward",
    task="""A neuron multiplies each input by the weight of its wire, adds the products up, adds its bias, and passes on
    what is above zero. Write the weighted sum z and the output y = ReLU(z).""",
    by_hand="""
        x = [1, -2, 3], w = [-3, -1, 2], b = 1
        1·(-3) = -3,  (-2)·(-1) = 2,  3·2 = 6
        z = -3 + 2 + 6 + 1 = 6, and y = 6
        With b = -7 it is z = -2, and y = 0
    """,
    solution=SOLUTION,
    outputs={"neuron_forward": ("z", "y")},
    cases=cases,
    mistakes=(
        Mistake("bias_missing", "np.sum(x * w) + b", "np.sum(x * w)",
                "One of the three arguments never enters your sum.",
                "Feed it x = 0: what should a neuron say whose wires are all silent?"),
        Mistake("bias_on_every_wire", "np.sum(x * w) + b", "np.sum(x * w + b)",
                "Your sum is right for one wire and wrong for more: count how often the bias is in it.",
                "A neuron has one bias, not one for each wire. What is inside of your sum, and what is outside?"),
        Mistake("gate_missing", "max(z, 0.0)", "z",
                "z and y are the same in your code for every input. When should they differ?",
                "Work the second example by hand: what leaves the neuron when its sum is -2?"),
        Mistake("gate_inverted", "max(z, 0.0)", "min(z, 0.0)",
                "Your gate is open where it should be shut.",
                "Which of two numbers should be kept, the larger or the smaller?"),
        Mistake("added_not_multiplied", "np.sum(x * w) + b", "np.sum(x + w) + b",
                "An input and its weight meet in another way.",
                "If the weight of a wire is 0, what arrives through it, whatever the input?"),
        Mistake("mean_for_sum", "np.sum(x * w) + b", "np.mean(x * w) + b",
                "Your sum shrinks when wires are added.",
                "Give a neuron twice as many wires that say the same: should its sum stay as it was?"),
        Mistake("bias_subtracted", "np.sum(x * w) + b", "np.sum(x * w) - b",
                "It would be right if the bias were 0.",
                "In which direction should a larger bias move the sum?"),
        Mistake("mirrored", "max(z, 0.0)", "abs(z)",
                "Something still comes out below zero.",
                "Work the second example by hand: what leaves the neuron when its sum is -2?"),
        Mistake("another_activation", "max(z, 0.0)", "1 / (1 + np.exp(-z))",
                "That is an activation, and another one.",
                "The first example says what leaves a neuron whose sum is 6. What does yours give?"),
    ),
    idea="Redo the example on paper, wire by wire, and print what your code has for each step.",
    more="Three products, then their sum, then the bias, then the gate: which of these four differs from the paper?",
    sheet=sheet,
    sheet_task="Compute the weighted sum z and the output y = max(z, 0) of the neuron.",
)  # fmt: skip
