"""Sum or mean over the batch, and what it does to the learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...losses import MeanSquaredError
from ..exercise import Exercise, Mistake, Problem, Solved, literal, whole

SOLUTION = '''\
def loss_gradients(predictions, targets, rate):
    """predictions, targets: one number for each sample, (B,). rate: the learning rate that suits the mean."""
    of_sum = 2 * (predictions - targets)  # ? gradient of the sum of (predictions - targets)²
    of_mean = of_sum / len(predictions)  # ? gradient of the mean of (predictions - targets)²
    rate_for_sum = rate / len(predictions)  # ? the rate with which the sum takes the same step
    return of_sum, of_mean, rate_for_sum
'''


def cases(rng: np.random.Generator) -> dict[str, tuple[Any, ...]]:
    samples = int(rng.integers(3, 9))
    return {"loss_gradients": (rng.normal(size=samples), rng.normal(size=samples), float(rng.uniform(0.01, 1)))}


def sheet(rng: np.random.Generator) -> Problem:
    samples = int(rng.choice([2, 4, 5]))
    p, t, rate = whole(rng, samples, most=5), whole(rng, samples, most=5), float(rng.choice([0.1, 0.2, 0.4]))
    found = {}
    for reduction in ("sum", "mean"):
        loss = MeanSquaredError(reduction=reduction)
        targets, shares = loss.prepare(t[:, None], (samples, 1))
        found[reduction] = loss.pure_backward(np, shares, p[:, None], targets)["dpredictions"][:, 0]
    each = [f"2*({literal(p[b])} - {literal(t[b])})" for b in range(samples)]
    return Problem(
        {"predictions": p, "targets": t, "eta": rate},
        (
            Solved("dsum", found["sum"], tuple((f"dsum[{b}]", each[b]) for b in range(samples))),
            Solved("dmean", found["mean"], tuple((f"dmean[{b}]", f"{each[b]}/{samples}") for b in range(samples))),
            Solved("r", np.asarray(rate / samples), (("r", f"{literal(rate)}/{samples}"),)),
        ),
    )


EXERCISE = Exercise(
    name="sum_or_mean",
    title="Sum or mean over the batch",
    task="""The squared error of B samples can be added up or averaged. Write the gradient of both by the predictions.

    Plain gradient descent subtracts rate · gradient. Write also the rate with which the summed loss takes exactly the
    step that the averaged loss takes with `rate`.""",
    by_hand="""
        predictions = [3, 1], targets = [1, 2], rate = 0.1
        gradient of the sum  [4, -2]
        gradient of the mean [2, -1]
        step with the mean   0.1·[2, -1] = [0.2, -0.1]
        the same with the sum: 0.05·[4, -2]
    """,
    solution=SOLUTION,
    outputs={"loss_gradients": ("of_sum", "of_mean", "rate_for_sum")},
    cases=cases,
    mistakes=(
        Mistake("wrong_sign", "2 * (predictions - targets)", "2 * (targets - predictions)",
                "The sizes are right, the direction is not.",
                "A prediction is above its target. If it rises further, does the loss rise or fall?"),
        Mistake("factor_two", "2 * (predictions - targets)", "(predictions - targets)",
                "The direction is right; every number is off by the same factor.",
                "What is the derivative of a square?"),
        Mistake("rate_multiplied", "rate / len(predictions)", "rate * len(predictions)",
                "Your second step would be longer than the first, not equal to it.",
                "The larger the gradient, the smaller the rate must be for the same step."),
        Mistake("mean_not_divided", "of_mean = of_sum / len(predictions)", "of_mean = of_sum",
                "Sum and mean have the same gradient in your code.",
                "If all the samples count together as much as one did before, how much does each count?"),
        Mistake("value_for_slope", "2 * (predictions - targets)", "(predictions - targets) ** 2",
                "That is the loss itself.",
                "How fast does a square grow? Not as its own size says."),
        Mistake("distance", "2 * (predictions - targets)", "2 * np.abs(predictions - targets)",
                "The sizes are right, some of the signs are not.",
                "Where a prediction is too low: must it rise or fall for the loss to grow?"),
        Mistake("rate_unchanged", "rate / len(predictions)", "rate",
                "With that rate the two do not take the same step.",
                "One of the two gradients is larger. By how much, and what must the rate make up for?"),
    ),
    idea="Write the loss of two samples out as a formula, and differentiate it by the first prediction.",
    more="Sum and mean differ by one number, which does not depend on any prediction.",
    sheet=sheet,
    sheet_task="The loss is the squared error. Compute its gradient by the predictions where the samples are added up "
    "(dsum) and where they are averaged (dmean); and the learning rate r with which the sum takes the step that "
    "the mean takes with η.",
)  # fmt: skip
