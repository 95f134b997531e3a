"""The points at which gradients are compared: the user's own batch, then random ones of other lengths and scales."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .subjects import Point, Subject, batch_of, fresh_targets

__all__ = ["kinked_point", "points", "upstream"]

# Samples and scale of the inputs; all batches differ in length, so that a wrong 1/B shows.
_OTHERS = ((1, 1.0), (7, 1.0), (3, 0.1), (6, 10.0))


def points(subject: Subject, rng: np.random.Generator, training: bool, others: int) -> Iterator[Point]:
    """The subject's own inputs and parameters, then up to `others` random ones."""
    own = {**subject.inputs, **subject.parameters}
    samples = batch_of(own)
    targets = subject.targets or fresh_targets(subject, rng, Point(own))
    yield Point(own, targets[0], training, _label(samples, 1.0, training, subject, own=subject.given))
    for position, (length, size) in enumerate(_OTHERS[:others], start=1):
        batch = length + 1 if length == samples else length
        largest = 3.0 if subject.is_loss else 10.0  # softmax beyond that is clipped in a loss
        scale = min(size, largest) if subject.domain == "numbers" else 1.0
        values = {
            name: scale * redrawn_inputs(rng, array, batch, subject.domain) for name, array in subject.inputs.items()
        }
        values |= {name: redrawn_parameter(rng, array) for name, array in subject.parameters.items()}
        point = Point(values, None, training, _label(batch, scale, training, subject))
        forms = fresh_targets(subject, rng, point)
        yield Point(values, forms[position % len(forms)], training, point.label)


def redrawn_inputs(rng: np.random.Generator, like: NDArray[Any], batch: int, domain: str) -> NDArray[Any]:
    """Random inputs of another batch length and of size about 1, kept away from 0, where many derivatives jump."""
    shape = (batch, *like.shape[1:])
    if domain == "probabilities":
        p = rng.uniform(0.1, 0.9, shape)
        sums_to_one = like.ndim > 1 and like.shape[-1] > 1 and np.allclose(like.sum(axis=-1), 1)
        return np.asarray(p / p.sum(axis=-1, keepdims=True)) if sums_to_one else p
    if domain == "positive":
        return rng.uniform(0.3, 2.0, shape)
    return np.asarray(rng.uniform(0.2, 2.0, shape) * rng.choice([-1.0, 1.0], shape))


def redrawn_parameter(rng: np.random.Generator, like: NDArray[Any]) -> NDArray[Any]:
    """Random values of size about 1, of one sign if the originals are; no zeros or ones, which hide mistakes."""
    if like.size and (like > 0).all():
        return np.asarray(like * np.exp(0.4 * rng.normal(size=like.shape)))
    if like.size and (like < 0).all():
        return np.asarray(like * np.exp(0.4 * rng.normal(size=like.shape)))
    wide = max(like.shape[0], 1) if like.ndim > 1 else 1
    return np.asarray(rng.uniform(0.3, 1.5, like.shape) * rng.choice([-1.0, 1.0], like.shape) / np.sqrt(wide))


def kinked_point(subject: Subject, rng: np.random.Generator, training: bool) -> Point | None:
    """A small batch with zeros and ties among its inputs, where functions such as max and abs have a kink."""
    if subject.domain != "numbers":
        return None
    values = {name: redrawn_inputs(rng, array, 2, subject.domain) for name, array in subject.inputs.items()}
    for array in values.values():
        array[rng.random(array.shape) < 0.3] = 0.0
        if array.size:
            array.flat[0] = 0.0
    values |= {name: redrawn_parameter(rng, array) for name, array in subject.parameters.items()}
    point = Point(values, None, training, "2 samples, with zeros among the inputs")
    return Point(values, fresh_targets(subject, rng, point)[0], training, point.label)


def upstream(subject: Subject, rng: np.random.Generator, output: NDArray[Any]) -> NDArray[Any]:
    """dL/d(output): random, of both signs and several scales; exactly 1 where the output is the loss itself."""
    if not subject.upstream:
        return np.ones(output.shape)
    size = (0.05, 1.0, 20.0)[len(output) % 3] if output.ndim else 1.0
    return np.asarray(size * rng.uniform(0.3, 0.9, output.shape) * rng.choice([-1.0, 1.0], output.shape))


def _label(samples: int, size: float, training: bool, subject: Subject, own: bool = False) -> str:
    parts = [f"{samples} sample{'s' if samples != 1 else ''}"]
    if own:
        parts.append("the inputs given")
    elif size != 1:
        parts.append(f"inputs of size {size:g}")
    if len(subject.modes) > 1:
        parts.append("in training" if training else "in inference")
    return ", ".join(parts)
