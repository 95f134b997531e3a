"""The points at which gradients are compared: the user's own batch, then random ones of other lengths and scales."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..subjects import Point, Subject, batch_of, fresh_targets, groups_of, sizes_of

__all__ = ["kinked_point", "points", "redrawn", "upstream"]

# Samples and scale of the inputs; all batches differ in length, so that a wrong 1/B shows.
_OTHERS = ((1, 1.0), (7, 1.0), (3, 0.1), (6, 10.0))
_WIDER = (0, 1, 2, 1)  # how much wider what may be wider is then, so that no width written into a formula can hide


def points(subject: Subject, rng: np.random.Generator, training: bool, others: int) -> Iterator[Point]:
    """The subject's own inputs and parameters, then up to `others` drawn ones, in other sizes."""
    own = Point({**subject.inputs, **subject.parameters}, None, training, "", fixed=subject.fixed)
    own = replace(own, sizes=sizes_of(subject))
    samples = own.sizes[0] if own.sizes else batch_of(own.values)
    targets = subject.targets or fresh_targets(subject, rng, own)
    label = _label(samples, 1.0, training, subject, own=subject.given)
    yield replace(own, targets=targets[0], label=label)
    for position, (length, size) in enumerate(_OTHERS[:others], start=1):
        batch = length + 1 if length == samples else length
        largest = 1.0 if subject.slack else 3.0 if subject.is_loss else 10.0  # softmax beyond that is clipped in a loss
        scale = min(size, largest) if subject.domain == "numbers" else 1.0
        point = redrawn(subject, rng, batch if own.sizes else samples, training, scale, _WIDER[position - 1])
        forms = fresh_targets(subject, rng, point)
        yield replace(point, targets=forms[position % len(forms)])
    if subject.any_rank and others:
        yield _higher(subject, rng, training)


def redrawn(
    subject: Subject, rng: np.random.Generator, batch: int, training: bool, scale: float = 1.0, wider: int = 0
) -> Point:
    """Other inputs and parameters, in a batch of another length, and wider where they may be; no targets yet."""
    sizes = tuple(batch if i == 0 else size + wider for i, size in enumerate(sizes_of(subject)))
    new = {place: size for group, size in zip(groups_of(subject), sizes, strict=False) for place in group}

    def shape(name: str, array: NDArray[Any]) -> tuple[int, ...]:
        return tuple(new.get((name, axis), size) for axis, size in enumerate(array.shape))

    values = {
        name: np.asarray(scale * redrawn_inputs(rng, array, shape(name, array), subject.domain))  # of one number, too
        for name, array in subject.inputs.items()
    }
    values |= {name: redrawn_parameter(rng, array, shape(name, array)) for name, array in subject.parameters.items()}
    fixed = dict(subject.fixed)
    for name, array in fixed.items():
        if isinstance(array, np.ndarray) and array.ndim and subject.redraw_fixed is not None:
            fixed[name] = subject.redraw_fixed(rng, name, shape(name, array))
    label = _label(batch, scale, training, subject)
    return Point(values, None, training, label, fixed=fixed, sizes=sizes)


def _higher(subject: Subject, rng: np.random.Generator, training: bool) -> Point:
    """The inputs with an axis more, for what works on each entry by itself."""
    values = {n: redrawn_inputs(rng, a, (2, 3, *a.shape[1:]), subject.domain) for n, a in subject.inputs.items()}
    return Point(values, None, training, f"inputs with {next(iter(values.values())).ndim} axes", fixed=subject.fixed)


def redrawn_inputs(rng: np.random.Generator, like: NDArray[Any], shape: tuple[int, ...], domain: str) -> NDArray[Any]:
    """Random inputs of another shape, away from 0, where many derivatives jump; about 1 in size."""
    if domain == "probabilities":
        p = rng.uniform(0.1, 0.9, shape)
        sums_to_one = like.ndim > 1 and like.shape[-1] > 1 and np.allclose(like.sum(axis=-1), 1)
        return np.asarray(p / p.sum(axis=-1, keepdims=True)) if sums_to_one else p
    if domain == "positive":
        return rng.uniform(0.3, 2.0, shape)
    return np.asarray(rng.uniform(0.2, 2.0, shape) * rng.choice([-1.0, 1.0], shape))


def redrawn_parameter(
    rng: np.random.Generator, like: NDArray[Any], shape: tuple[int, ...] | None = None
) -> NDArray[Any]:
    """Other values, of one sign where all have one, and no zeros or ones, at which mistakes hide; about 1 in size."""
    shape = like.shape if shape is None else shape
    if like.size and ((like > 0).all() or (like < 0).all()):
        return np.asarray(np.resize(like, shape) * np.exp(0.4 * rng.normal(size=shape)))
    wide = max(shape[0], 1) if len(shape) > 1 else 1
    return np.asarray(rng.uniform(0.3, 1.5, shape) * rng.choice([-1.0, 1.0], shape) / np.sqrt(wide))


def kinked_point(subject: Subject, rng: np.random.Generator, training: bool) -> Point | None:
    """A small batch with zeros and ties among its inputs, at which max, abs and their kin have a kink."""
    if subject.domain != "numbers" or not subject.inputs:
        return None
    point = redrawn(subject, rng, 2 if groups_of(subject) else batch_of(subject.inputs), training)
    for name in subject.inputs:
        array = point.values[name] = np.array(point.values[name])
        array[rng.random(array.shape) < 0.3] = 0.0
        if array.size:
            array.flat[0] = 0.0
    point = replace(point, label="2 samples, with zeros among the inputs")
    return replace(point, targets=fresh_targets(subject, rng, point)[0])


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
