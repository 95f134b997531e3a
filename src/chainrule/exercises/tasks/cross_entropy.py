"""The gradient of cross-entropy by the probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...losses import CategoricalCrossentropy
from ..exercise import Exercise, Floats, Mistake, Problem, Solved, literal

# Rows of probabilities whose reciprocals are no trouble.
ROWS = ((0.5, 0.25, 0.25), (0.2, 0.4, 0.4), (0.1, 0.4, 0.5), (0.25, 0.5, 0.25), (0.8, 0.1, 0.1), (0.2, 0.3, 0.5))

SOLUTION = '''\
def crossentropy_forward(probabilities, targets):
    """probabilities: (B,C). targets: the right class of each sample, (B,). Returns the mean over the batch."""
    right = probabilities[np.arange(len(probabilities)), targets]
    return np.mean(-np.log(right))


def crossentropy_backward(probabilities, targets):
    """Returns dL/d(probabilities), (B,C)."""
    onehot = np.eye(probabilities.shape[1])[targets]  # (B,C): 1 at the right class, else 0
    dprobabilities = -onehot / probabilities / len(probabilities)  # ? (B,C)
    return dprobabilities
'''


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    samples, classes = int(rng.integers(2, 7)), int(rng.integers(3, 6))
    p = rng.dirichlet(np.full(classes, 2.0), samples)
    y = rng.integers(0, classes, samples)
    return {"crossentropy_forward": (p, y), "crossentropy_backward": (p, y)}


def rows(rng: np.random.Generator, samples: int = 2) -> Floats:
    """Probabilities of so many samples, different rows in any order."""
    return np.array([rng.permutation(ROWS[i]) for i in rng.choice(len(ROWS), samples, replace=False)])


def sheet(rng: np.random.Generator) -> Problem:
    p, y = rows(rng), np.zeros(2, int)
    for b in range(2):
        y[b] = rng.choice([c for c in range(3) if p[b, c] != 0.3])
    loss = CategoricalCrossentropy()
    targets, shares = loss.prepare(y, p.shape)
    d = loss.pure_backward(np, shares, p, targets)["dpredictions"] + 0.0
    steps = tuple(
        (f"dp[{b},{c}]", f"-1/({literal(p[b, c])}*2)" if c == y[b] else "0") for b in range(2) for c in range(3)
    )
    return Problem({"p": p, "y": y}, (Solved("dp", d, steps),))


EXERCISE = Exercise(
    name="cross_entropy",
    title="The gradient of cross-entropy",
    task="""Cross-entropy looks at the probability that was given to the right class, and at nothing else: the loss of a
    sample is -log of it, and the loss of a batch is the mean over its samples. Write the gradient by all the
    probabilities.""",
    by_hand="""
        probabilities = [[0.5, 0.25, 0.25], [0.2, 0.4, 0.4]], targets = [0, 2]
        the slope of -log p at p = 0.5 is -2, at p = 0.4 it is -2.5; there are 2 samples
        gradient = [[-1, 0, 0], [0, 0, -1.25]]
    """,
    solution=SOLUTION,
    outputs={"crossentropy_forward": ("loss",), "crossentropy_backward": ("dprobabilities",)},
    cases=cases,
    mistakes=(
        Mistake("batch_mean_missing", "-onehot / probabilities / len(probabilities)", "-onehot / probabilities",
                "The numbers are too large, by the number of samples.",
                "Look at the last line of the forward pass: something in it is missing on the way back."),
        Mistake("wrong_sign", "-onehot / probabilities / len(probabilities)",
                "onehot / probabilities / len(probabilities)",
                "The sizes are right, the direction is not.",
                "If the right class gets more probability, does the loss rise or fall?"),
        Mistake("activation_folded_in", "-onehot / probabilities / len(probabilities)",
                "(probabilities - onehot) / len(probabilities)",
                "That is a true gradient, and of something else.",
                "You have the gradient by the scores in front of a softmax. Here no softmax is asked for."),
        Mistake("not_divided_by_prediction", "-onehot / probabilities / len(probabilities)",
                "-onehot / len(probabilities)",
                "The right entries are there, and the same number in all of them.",
                "Is -log p equally steep at p = 0.1 and at p = 0.9?"),
        Mistake("every_class", "-onehot / probabilities / len(probabilities)",
                "-1 / probabilities / len(probabilities)",
                "Entries have a gradient on which the loss does not depend.",
                "Move the probability of a wrong class alone, in the forward pass as it is written: what happens?"),
        Mistake("value_for_slope", "-onehot / probabilities / len(probabilities)",
                "-np.log(probabilities) / len(probabilities)",
                "That is the loss itself, not how fast it changes.",
                "What is the derivative of a logarithm?"),
        Mistake("multiplied", "-onehot / probabilities / len(probabilities)",
                "-onehot * probabilities / len(probabilities)",
                "The right entries are there, and their size goes the wrong way.",
                "Where is -log p steeper: at a small p, or at a large one?"),
        Mistake("classes_for_samples", "-onehot / probabilities / len(probabilities)",
                "-onehot / probabilities / probabilities.shape[1]",
                "It is divided by the wrong count.",
                "Over what does the loss take its mean: samples, or classes?"),
    ),
    idea="How many entries of a row does the loss read? What is the slope of -log there?",
    more="Draw -log p between 0 and 1: it falls, steeply at first. That gives the sign and the size.",
    sheet=sheet,
    sheet_task="p holds the probabilities of two samples, y their right classes (counted from 0). The loss is the "
    "mean of "
    "-log of the right class's probability. Compute its gradient by p.",
)  # fmt: skip
