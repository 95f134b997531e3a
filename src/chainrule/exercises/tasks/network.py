"""A whole network, with points of the spiral."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import layers
from ...datasets.generators import spiral
from ...losses import HalfSquaredError
from ..exercise import Exercise, Mistake, Problem, Solved, literal, product, total, whole

SOLUTION = '''\
def network(X, y, W1, b1, W2, b2):
    """X: (B,2). y: (B,), the arm of the spiral. W1: (2,N). b1: (1,N). W2: (N,3). b2: (1,3)."""
    z1 = np.dot(X, W1) + b1  # (B,N)
    a1 = np.maximum(z1, 0.0)  # (B,N)
    z2 = np.dot(a1, W2) + b2  # (B,3)
    e = np.exp(z2 - np.max(z2, axis=1, keepdims=True))
    p = e / np.sum(e, axis=1, keepdims=True)  # (B,3)
    onehot = np.eye(3)[y]  # (B,3)
    loss = -np.mean(np.sum(onehot * np.log(p), axis=1))

    dz2 = (p - onehot) / len(X)  # ? (B,3)
    dW2 = np.dot(a1.T, dz2)  # ? (N,3)
    db2 = np.sum(dz2, axis=0, keepdims=True)  # ? (1,3)
    dz1 = np.where(z1 > 0, np.dot(dz2, W2.T), 0.0)  # ? (B,N)
    dW1 = np.dot(X.T, dz1)  # ? (2,N)
    db1 = np.sum(dz1, axis=0, keepdims=True)  # ? (1,N)
    return loss, dW1, db1, dW2, db2
'''


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    X, y = spiral(samples=int(rng.integers(4, 9)), classes=3, seed=int(rng.integers(2**31)))
    n = int(rng.integers(4, 8))
    weights = rng.normal(size=(2, n)), rng.normal(size=(1, n)), rng.normal(size=(n, 3)), rng.normal(size=(1, 3))
    return {"network": (np.asarray(X, np.float64), np.asarray(y, np.int64), *weights)}


def sheet(rng: np.random.Generator) -> Problem:
    x, W, w = whole(rng, 2), whole(rng, 2, 2), whole(rng, 2)
    while not (x @ W > 0).any():
        W = whole(rng, 2, 2)
    first, second, gate, loss = layers.Dense(2, 2), layers.Dense(2, 1), layers.ReLU(), HalfSquaredError()
    z = first.pure_forward(np, x[None], W, np.zeros((1, 2)))
    a = gate.pure_forward(np, z)
    o = second.pure_forward(np, a, w[:, None], np.zeros((1, 1)))
    t = float(o[0, 0] + whole(rng))
    targets, shares = loss.prepare([[t]], (1, 1))
    do = loss.pure_backward(np, shares, o, targets)["dpredictions"]
    back = second.pure_backward(np, do, a, w[:, None])
    dz = gate.pure_backward(np, back["dinputs"], z)["dinputs"]
    dW = first.pure_backward(np, dz, x[None], W)["dweights"]
    both = range(2)
    return Problem(
        {"x": x, "W": W, "w": w, "t": t},
        (
            Solved("z", z[0], tuple((f"z[{n}]", total(product(x[i], W[i, n]) for i in both)) for n in both)),
            Solved("a", a[0], tuple((f"a[{n}]", f"max({literal(z[0, n])}, 0)") for n in both)),
            Solved("o", o[0, 0], (("o", total(product(a[0, n], w[n]) for n in both)),)),
            Solved("do", do[0, 0], (("do", f"{literal(o[0, 0])} - {literal(t)}"),)),
            Solved("dw", back["dweights"][:, 0], tuple((f"dw[{n}]", product(a[0, n], do[0, 0])) for n in both)),
            Solved("dz", dz[0], tuple((f"dz[{n}]", product(do[0, 0], w[n], z[0, n] > 0)) for n in both)),
            Solved("dW", dW, tuple((f"dW[{i},{n}]", product(x[i], dz[0, n])) for i in both for n in both)),
        ),
    )


EXERCISE = Exercise(
    name="network",
    title="A whole network",
    task="""A layer of N neurons, ReLU, a layer of three neurons, softmax, cross-entropy: points of a spiral are told
    apart by their arm. The forward pass is there. Write the backward pass, from the loss to the first weights.

    Every line is one of the exercises before. What is new is to hand the right array on from one to the next.""",
    by_hand="""
        What comes out of each line has the shape that stands beside it.
        For weights of zero all p are 1/3; with one sample of class 0:
        dz2 = [[-2/3, 1/3, 1/3]], db2 is the same, and dW1 is 0 everywhere
    """,
    solution=SOLUTION,
    outputs={"network": ("loss", "dW1", "db1", "dW2", "db2")},
    cases=cases,
    mistakes=(
        Mistake("batch_mean_missing", "(p - onehot) / len(X)", "p - onehot",
                "Everything is too large by the same factor, so that it happens at the very end of the network.",
                "Everything is too large by the number of samples. Look at the last line of the forward pass."),
        Mistake("gate_missing", "np.where(z1 > 0, np.dot(dz2, W2.T), 0.0)", "np.dot(dz2, W2.T)",
                "The last layer is right. On the way to the first, you walk past something.",
                "Three things lie between the two sums z1 and z2: weights, biases, and what else?"),
        Mistake("inputs_for_activations", "np.dot(a1.T, dz2)", "np.dot(z1.T, dz2)",
                "What did the second layer get to see?",
                "Between the two layers the numbers have changed. Which array went into the second product?"),
        Mistake("wrong_sign", "(p - onehot) / len(X)", "(onehot - p) / len(X)",
                "All sizes are right, all directions are not.",
                "Start at the loss: if the score of the right class rises, does the loss rise or fall?"),
        Mistake("mean_for_sum", "np.sum(dz1, axis=0, keepdims=True)", "np.mean(dz1, axis=0, keepdims=True)",
                "Something is divided by the number of samples that has been divided already.",
                "Only the loss takes a mean over the batch. How are frayed wires put into one cable?"),
        Mistake("gate_on_gradient", "np.where(z1 > 0, np.dot(dz2, W2.T), 0.0)",
                "np.where(np.dot(dz2, W2.T) > 0, np.dot(dz2, W2.T), 0.0)",
                "Your gate asks the wrong numbers whether it is open.",
                "The gate was set in the forward pass. What did ReLU look at?"),
        Mistake("multiplied_by_output", "np.where(z1 > 0, np.dot(dz2, W2.T), 0.0)",
                "np.where(z1 > 0, np.dot(dz2, W2.T), 0.0) * a1",
                "The right entries pass the gate, and then something happens to them.",
                "Where ReLU is open its output is its input. What is the slope of that?"),
    ),
    idea="Go backwards, and stop at the first array that is wrong: what comes after it only follows from it.",
    more="The order is: scores, second weights, second biases, through the weights, through the gate, first weights.",
    sheet=sheet,
    sheet_task="A network: z = x·W, a = ReLU(z), o = a·w, without biases, and the loss ½(o − t)². Compute the "
    "forward pass, "
    "then the gradients from the back to the front.",
    pair="network",
)  # fmt: skip
