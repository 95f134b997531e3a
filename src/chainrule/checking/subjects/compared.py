"""What a loss compares with: targets in every form that people use, predictions of every kind; other fixed arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw", "forms_of", "predictions", "redrawn_like"]

_OF_VALUES = ("squared", "square", "mse", "absolute", "mae", "huber", "l1", "l2", "regression", "quadratic", "rmse")
_OF_NUMBERS = (*_OF_VALUES, "softmax", "sigmoid", "logit", "hinge", "svm", "margin", "linear")


def predictions(
    name: str, like: NDArray[Any], rng: np.random.Generator, logarithms: bool
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Predictions of a shape, each with its domain: probabilities first where there are logarithms to be taken of them,
    and the name of the loss does not speak of numbers."""
    name, shape = name.lower(), like.shape
    p = rng.uniform(0.1, 0.9, size=shape)
    sums = p if "binary" in name or len(shape) < 2 or shape[-1] == 1 else p / p.sum(-1, keepdims=True)
    numbers = not logarithms or any(word in name for word in _OF_NUMBERS)
    if not numbers:
        yield "probabilities", sums
    yield "numbers", like
    yield "positive", rng.uniform(0.5, 2.0, size=shape)
    if numbers:
        yield "probabilities", sums
    yield "probabilities", p


def forms_of(name: str, like: Any, below: int, shape: tuple[int, ...]) -> list[tuple[str, ...]]:
    """Groups of forms that targets may have, the likeliest by the name of the loss first.

    `like` is a target with which the loss ran, `below` the number of classes where it was used as an index, `shape`
    that of the predictions.
    """
    name = name.lower()
    if below:
        return [("classes", "onehot")] if np.ndim(like) == 1 else [("classes",)]
    several = max(shape[-1:], default=1) > 1 and len(shape) > 1
    classes = ("onehot", "classes") if np.ndim(like) > 1 else ("classes", "onehot")
    groups = [classes, ("columns",)] if several else [("bits",)]
    if "binary" in name or "sigmoid" in name:
        return [("answers",), ("bits",), *groups, ("values",), ("signs",)]
    if any(word in name for word in _OF_VALUES):
        return [("values",), ("answers",), *groups]
    if "hinge" in name or "svm" in name or "margin" in name:
        return [*groups, ("signs",), ("answers",), ("values",)]
    return [*groups, ("answers",), ("signs",), ("values",)]


def draw(form: str, rng: np.random.Generator, shape: tuple[int, ...], classes: int, of: tuple[int, ...] = ()) -> Any:
    """Targets of a form: `shape` that of the predictions, `of` that of the class numbers where it is another."""
    if form == "classes":
        return rng.integers(0, max(classes, 1), of or shape[:1])
    if form == "onehot":
        return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
    if form == "columns":
        return np.eye(shape[0])[rng.integers(0, shape[0], shape[-1])].T
    if form in ("answers", "bits"):
        bits = rng.integers(0, 2, shape)
        return bits if form == "bits" else bits.astype(np.float64)
    return rng.choice([-1.0, 1.0], shape) if form == "signs" else rng.normal(size=shape)


def redrawn_like(rng: np.random.Generator, like: Any, shape: tuple[int, ...]) -> Any:
    """Another array of a kind: integers of the same range with one that comes twice, a mask, numbers."""
    if like.dtype.kind in "iu":
        drawn = rng.integers(like.min(initial=0), like.max(initial=0) + 1, shape)
        if drawn.size > 1:
            drawn.flat[1] = drawn.flat[0]
        return drawn.astype(like.dtype)
    if like.dtype.kind == "b":
        mask = rng.random(shape) < max(like.mean(), 0.3)
        mask[..., :1] = True
        return mask
    if like.dtype.kind == "f" and like.size and set(np.unique(like)) <= {0.0, 1.0}:
        rows = np.resize(like, shape) if like.shape[1:] == shape[1:] else like
        if rows.shape == shape:
            return rows[rng.permutation(len(rows))]
        return rng.integers(0, 2, shape).astype(np.float64)
    return rng.uniform(0.2, 2.0, shape) * rng.choice([-1.0, 1.0], shape)
