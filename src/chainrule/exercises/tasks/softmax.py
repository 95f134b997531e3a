"""The Jacobian of softmax, multiplied by what comes from behind."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import layers
from ..exercise import Exercise, Mistake, Problem, Solved, literal, product, total, whole
from .cross_entropy import rows

SOLUTION = '''\
def softmax_forward(inputs):
    e = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def softmax_backward(dvalues, output):
    """dvalues: dL/d(output), (B,C). output: what forward returned, (B,C). Returns dL/d(inputs), (B,C)."""
    dinputs = output * (dvalues - np.sum(dvalues * output, axis=1, keepdims=True))  # ? (B,C)
    return dinputs
'''
LINE = "output * (dvalues - np.sum(dvalues * output, axis=1, keepdims=True))"


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    shape = int(rng.integers(2, 6)), int(rng.integers(3, 6))
    return {
        "softmax_forward": (rng.normal(size=shape),),
        "softmax_backward": (rng.normal(size=shape), rng.dirichlet(np.full(shape[1], 2.0), shape[0])),
    }


def sheet(rng: np.random.Generator) -> Problem:
    s, d = rows(rng, 1)[0], whole(rng, 3)
    layer = layers.Softmax()
    jacobian = layer.pure_backward(np, np.eye(3), np.tile(s, (3, 1)))["dinputs"]
    dx = layer.pure_backward(np, d[None], s[None])["dinputs"][0]
    of_j = tuple(
        (f"J[{j},{k}]", f"{literal(s[j])}*(1 - {literal(s[j])})" if j == k else f"-{product(s[j], s[k])}")
        for j in range(3)
        for k in range(3)
    )
    of_x = tuple((f"dx[{k}]", total(product(d[j], jacobian[j, k]) for j in range(3))) for k in range(3))
    return Problem({"s": s, "ds": d}, (Solved("J", jacobian, of_j), Solved("dx", dx, of_x)))


EXERCISE = Exercise(
    name="softmax",
    title="The Jacobian of softmax",
    task="""Softmax turns a row of scores into probabilities S. Every score moves every probability of its row, since
    they
    always add up to 1: its own one up, the others down. That makes a matrix of slopes for each sample,

    dS_j/dx_k = S_j·(δ_jk - S_k), with δ_jk = 1 where j = k and 0 elsewhere.

    Write the gradient of the inputs for a whole batch. You may build the matrix for each sample in a loop, or find out
    what is left of it once it is multiplied by the gradient from behind.""",
    by_hand="""
        S = [0.5, 0.25, 0.25], dvalues = [4, 0, 0]
        the matrix [[0.25, -0.125, -0.125], [-0.125, 0.1875, -0.0625], [-0.125, -0.0625, 0.1875]]
        dinputs = 4 times its first row = [1, -0.5, -0.5]      which adds up to 0
    """,
    solution=SOLUTION,
    outputs={"softmax_forward": ("output",), "softmax_backward": ("dinputs",)},
    cases=cases,
    mistakes=(
        Mistake("missing_cross_terms", LINE, "dvalues * output * (1 - output)",
                "Your row of gradients does not add up to 0. Should it?",
                "That is the derivative of a sigmoid, where each output has an input of its own. Here they share."),
        Mistake("crossentropy_folded_in", LINE, "dvalues.copy()",
                "The layer does nothing on the way back in your code.",
                "A shortcut for softmax together with a loss is known; here softmax stands by itself."),
        Mistake("factor_missing", LINE, "dvalues - np.sum(dvalues * output, axis=1, keepdims=True)",
                "You are close: a factor for each entry is missing.",
                "An output that is nearly 0 hardly moves. Does your gradient know that?"),
        Mistake("mean_for_sum", LINE, "output * (dvalues - np.mean(dvalues * output, axis=1, keepdims=True))",
                "The part that is common to a row is too small.",
                "In a product of a matrix and a vector, what is done with the products: averaged?"),
        Mistake("wrong_axis", LINE, "output * (dvalues - np.sum(dvalues * output, axis=0, keepdims=True))",
                "Samples see each other in your code.",
                "Which of the two axes holds the classes of one sample?"),
        Mistake("missing_upstream", LINE, "output * (1 - output)",
                "It is the same whatever comes from behind.",
                "The slope of one layer is not yet the gradient of the loss."),
        Mistake("sum_unweighted", LINE, "output * (dvalues - np.sum(dvalues, axis=1, keepdims=True))",
                "The part that is common to a row is not the right one.",
                "In that part every class has a say: an equal one, or by how likely it is?"),
        Mistake("sign_of_common", LINE, "output * (dvalues + np.sum(dvalues * output, axis=1, keepdims=True))",
                "One of the two terms has the wrong sign.",
                "If one probability rises, what do the others do? Look at the signs in the matrix."),
        Mistake("diagonal_alone", LINE, "output * dvalues",
                "Half of the matrix is left out.",
                "The δ alone would let each score move its own probability only. What is the other term for?"),
    ),
    idea="Test yourself: a constant added to all scores changes nothing, so that each row of gradients must add up "
    "to 0.",
    more="Work it with the matrix first, for one sample. Then see which of its two terms needs the whole row.",
    sheet=sheet,
    sheet_task="s is the output of a softmax for one sample, ds the gradient that comes from behind. Compute the "
    "Jacobian "
    "J, with J[j,k] the slope of s[j] by the score x[k], and with it the gradient of the scores.",
    pair="softmax",
)  # fmt: skip
