"""Softmax and cross-entropy together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...losses import SoftmaxCrossentropy
from ..exercise import Exercise, Mistake, Problem, Solved, literal
from .cross_entropy import rows

SOLUTION = '''\
def softmax_loss(scores, y):
    """scores: (B,C). y: the right class of each sample, (B,). Returns the mean loss and dL/d(scores), (B,C)."""
    e = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    p = e / np.sum(e, axis=1, keepdims=True)
    onehot = np.eye(scores.shape[1])[y]  # (B,C): 1 at the right class, else 0
    loss = -np.mean(np.sum(onehot * np.log(p), axis=1))
    dscores = (p - onehot) / len(scores)  # ? (B,C)
    return loss, dscores
'''
LINE = "(p - onehot) / len(scores)"


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    samples, classes = int(rng.integers(2, 7)), int(rng.integers(3, 6))
    return {"softmax_loss": (rng.normal(size=(samples, classes)), rng.integers(0, classes, samples))}


def sheet(rng: np.random.Generator) -> Problem:
    p, y = rows(rng), rng.integers(0, 3, 2)
    loss = SoftmaxCrossentropy()
    targets, shares = loss.prepare(y, p.shape)
    d = loss.pure_backward(np, shares, p, targets)["dpredictions"]
    steps = tuple(
        (f"dscores[{b},{c}]", f"({literal(p[b, c])} - {int(c == y[b])})/2") for b in range(2) for c in range(3)
    )
    return Problem({"p": p, "y": y}, (Solved("dscores", np.round(d, 12), steps),))


EXERCISE = Exercise(
    name="combined",
    title="Softmax and cross-entropy together",
    task="""The last layer of a classifier is a softmax, and its loss cross-entropy. Each has a clumsy gradient: a
    division, a matrix for each sample. Chained together nearly everything cancels. Write the gradient of the mean loss
    by the scores in front of the softmax.

    Chain the two on paper, for one sample, and see what is left.""",
    by_hand="""
        one sample with p = [0.7, 0.1, 0.2] and y = 0
        by the probabilities: [-1/0.7, 0, 0]
        by the scores:        [-0.3, 0.1, 0.2]      which adds up to 0
    """,
    solution=SOLUTION,
    outputs={"softmax_loss": ("loss", "dscores")},
    cases=cases,
    mistakes=(
        Mistake("batch_mean_missing", LINE, "p - onehot",
                "The numbers are too large, by the number of samples.",
                "Look at how the loss of a batch is made from those of its samples."),
        Mistake("wrong_sign", LINE, "(onehot - p) / len(scores)",
                "The sizes are right, the direction is not.",
                "If the score of the right class rises, does the loss rise or fall?"),
        Mistake("softmax_left_out", LINE, "-onehot / p / len(scores)",
                "That is the gradient by the probabilities. One layer is still to come.",
                "The scores are on the other side of the softmax: multiply by its matrix, and watch what cancels."),
        Mistake("right_class_missing", LINE, "p / len(scores)",
                "For wrong classes it is right.",
                "Whatever the targets are, your gradient is the same. Where should they come in?"),
        Mistake("scores_for_probabilities", LINE, "(scores - onehot) / len(scores)",
                "The shape of it is right, and one array in it is not.",
                "Each row must add up to 0. Which of the arrays at hand has rows that add up to 1?"),
        Mistake("classes_for_samples", "(p - onehot) / len(scores)", "(p - onehot) / scores.shape[1]",
                "It is divided by the wrong count.",
                "Over what does the loss take its mean: samples, or classes?"),
        Mistake("sigmoid_slope", "(p - onehot) / len(scores)", "p * (1 - p) / len(scores)",
                "It does not know which class is right.",
                "That is how fast a probability moves with its own score. What does the loss make of it?"),
        Mistake("logarithm_kept", "(p - onehot) / len(scores)", "(np.log(p) - onehot) / len(scores)",
                "A logarithm is left that should be gone.",
                "What is the derivative of a logarithm, and what does softmax's own slope do to it?"),
    ),
    idea="Each row of the gradient must add up to 0: does yours? Look at the right class and at the others apart.",
    more="For a wrong class, only one term of the Jacobian is left; for the right class, two.",
    sheet=sheet,
    sheet_task="p holds what a softmax made of the scores of two samples, y their right classes (counted from 0). "
    "The loss "
    "is the mean cross-entropy. Compute its gradient by the scores.",
    pair="softmax_loss",
)  # fmt: skip
