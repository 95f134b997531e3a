"""Dropout: the same mask on the way back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import layers
from ..exercise import Exercise, Mistake, Problem, Solved, literal, whole

SOLUTION = '''\
def dropout_forward(inputs, mask, rate):
    """mask: 1 where an entry stays and 0 where it is dropped, (B,N). rate: the share that is dropped, such as 0.2."""
    return inputs * mask / (1 - rate)


def dropout_backward(dvalues, mask, rate):
    """dvalues: dL/d(output), (B,N). Returns dL/d(inputs), (B,N)."""
    dinputs = dvalues * mask / (1 - rate)  # ? (B,N)
    return dinputs
'''
LINE = "dvalues * mask / (1 - rate)  # ?"


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    shape, rate = tuple(rng.integers(3, 6, 2)), float(rng.choice([0.2, 0.3, 0.6]))
    mask = (rng.random(shape) >= rate).astype(float)
    mask[0, :2] = 0.0, 1.0
    return {
        "dropout_forward": (rng.normal(size=shape), mask, rate),
        "dropout_backward": (rng.normal(size=shape), mask, rate),
    }


def sheet(rng: np.random.Generator) -> Problem:
    rate = float(rng.choice([0.2, 0.5]))
    x, d, mask = (
        whole(rng, 1, 4, most=5),
        whole(rng, 1, 4, most=5),
        rng.permutation([1.0, 1.0, 0.0, float(rng.integers(2))]),
    )
    layer, noise = layers.Dropout(rate), np.where(mask[None] > 0, 0.99, 0.0)
    output = layer.pure_forward(np, x, noise, True)
    back = layer.pure_backward(np, d, noise, True)["dinputs"]

    def steps(name: str, values: Any) -> tuple[tuple[str, str], ...]:
        return tuple((f"{name}[{n}]", f"{literal(values[0, n])}*{int(mask[n])}/(1 - {rate:g})") for n in range(4))

    return Problem(
        {"inputs": x[0], "dvalues": d[0], "mask": mask, "rate": rate},
        (Solved("output", output[0], steps("output", x)), Solved("dinputs", back[0], steps("dinputs", d))),
    )


EXERCISE = Exercise(
    name="dropout",
    title="Dropout",
    task="""In training dropout switches a share of the numbers off, and makes the others larger, so that their sum
    stays
    the same on average. Which ones are off is said by a mask, that was drawn before. Write the gradient of the
    inputs.""",
    by_hand="""
        inputs = [[3, 1, 2, 5]], mask = [[1, 0, 1, 1]], rate = 0.2
        output = [[3.75, 0, 2.5, 6.25]]
        dvalues = [[4, 4, -8, 0]]
        dinputs = [[5, 0, -10, 0]]
    """,
    solution=SOLUTION,
    outputs={"dropout_forward": ("output",), "dropout_backward": ("dinputs",)},
    cases=cases,
    mistakes=(
        Mistake("mask_scale_missing", LINE, "dvalues * mask  # ?",
                "The right entries pass, and they are too small.",
                "A number that stayed was made larger on the way forward. What is the slope of that?"),
        Mistake("mask_missing", LINE, "dvalues / (1 - rate)  # ?",
                "Entries get a gradient that never had a part in the output.",
                "Move an input that was dropped: what does the output do?"),
        Mistake("divided_by_rate", LINE, "dvalues * mask / rate  # ?",
                "The right entries pass, with the wrong size.",
                "The rate is the share that is dropped. Which share stays?"),
        Mistake("multiplied", LINE, "dvalues * mask * (1 - rate)  # ?",
                "The right entries pass; they became smaller where they should become larger.",
                "Forward and backward scale an entry in the same way: a constant factor is its own slope."),
        Mistake("mask_inverted", "dvalues * mask / (1 - rate)  # ?", "dvalues * (1 - mask) / (1 - rate)  # ?",
                "What was dropped comes through, and what stayed does not.",
                "What does a 1 in the mask say?"),
    ),
    idea="Each entry is multiplied by a constant in forward. What is the slope of a constant times x?",
    more="There are two kinds of entries, dropped and kept. What is the constant of each?",
    sheet=sheet,
    sheet_task="A dropout layer with the given rate and mask, in training. Compute its output and the gradient of "
    "its inputs.",
    pair="dropout",
)  # fmt: skip
