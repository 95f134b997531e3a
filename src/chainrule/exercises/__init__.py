"""Exercises in backpropagation, from one neuron to layer normalization: files to fill in, grades, worksheets.

An exercise is data (`exercise.Exercise`), one file each in `tasks`. `grading` runs somebody's file beside the solution
and says which idea to think about; `worksheet` makes pages of problems to be solved on paper.
"""

from __future__ import annotations

from ..errors import UnknownNameError
from .exercise import Exercise
from .tasks import (
    adam,
    combined,
    cross_entropy,
    dense,
    dropout,
    layer_norm,
    momentum,
    network,
    neuron,
    neuron_gradient,
    relu,
    softmax,
    sum_or_mean,
)

__all__ = ["EXERCISES", "Exercise", "exercise"]

EXERCISES: dict[str, Exercise] = {
    each.name: each
    for each in (
        neuron.EXERCISE,
        neuron_gradient.EXERCISE,
        relu.EXERCISE,
        dense.INPUTS,
        dense.WEIGHTS,
        dense.BIASES,
        dense.DENSE,
        sum_or_mean.EXERCISE,
        cross_entropy.EXERCISE,
        softmax.EXERCISE,
        combined.EXERCISE,
        network.EXERCISE,
        momentum.EXERCISE,
        adam.EXERCISE,
        dropout.EXERCISE,
        layer_norm.EXERCISE,
    )
}


def exercise(name: str) -> Exercise:
    """The exercise of that name. Raises `UnknownNameError` where there is none.

    >>> exercise("relu").title
    'The gate of ReLU'
    """
    if name not in EXERCISES:
        raise UnknownNameError("exercise", name, EXERCISES)
    return EXERCISES[name]
