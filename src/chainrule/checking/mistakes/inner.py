"""Mistakes in layers that end with an activation of what they compute: its derivative is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..measuring.comparison import Comparison
from .candidates import Candidate, is_elementwise, is_softmax
from .forms import products

__all__ = ["activation_left_out"]

Floats = NDArray[np.float64]


def activation_left_out(m: Comparison) -> Iterator[Candidate]:
    """The upstream gradient goes to the inner function as it is, not times the derivative of the activation behind."""
    if not m.setting.subject.upstream or is_elementwise(m) or is_softmax(m):
        return
    for called, slope in _slopes(m.setting.output):
        says = (
            f"A factor is missing: the derivative of {called}, which forward ends with. The gradients are those of "
            f"what goes into it. Multiply {m.setting.subject.style.dvalues} by that derivative first."
        )
        for predicted in _without(m, slope):
            yield Candidate("missing_local_derivative", predicted, says)


def _slopes(y: Floats) -> Iterator[tuple[str, Floats]]:
    """The derivatives that activations have by their output, for those that can have given it."""
    if (y >= 0).all() and (y == 0).any():
        yield "max(x, 0)", (y > 0).astype(np.float64)
    if (np.abs(y) < 1).all():
        yield "tanh", 1 - y * y
    if ((y > 0) & (y < 1)).all():
        yield "the sigmoid", y * (1 - y)


def _without(m: Comparison, slope: Floats) -> Iterator[Floats]:
    """What the gradient would be without that slope, where with it the gradient is right."""
    d = m.setting.dvalues
    if (slope != 0).all():
        yield m.by(d / slope)
        return
    with_slope = replace(m.setting, dvalues=d * slope)
    size = 1e-6 * max(float(np.max(np.abs(m.expected), initial=0.0)), 1e-300)
    pairs = [(_summed(d, m.value.shape), _summed(d * slope, m.value.shape))]
    if m.value.ndim == 2:
        right = products(replace(m, setting=with_slope))
        pairs += [(one.value, other.value) for one, other in zip(products(m), right, strict=True)]
    for without, whole in pairs:
        if whole is None or without is None or np.shape(whole) != m.value.shape:
            continue
        if (np.abs(whole.reshape(-1)[m.flats] - m.expected) <= size).all():
            yield without.reshape(-1)[m.flats]


def _summed(d: Floats, shape: tuple[int, ...]) -> Floats | None:
    """An upstream gradient added up over the axes along which a bias of a shape is the same."""
    wide = (1,) * (d.ndim - len(shape)) + shape
    if len(wide) != d.ndim or any(w not in (1, n) for w, n in zip(wide, d.shape, strict=True)):
        return None
    axes = tuple(k for k, w in enumerate(wide) if w == 1)
    return np.asarray(np.sum(d, axis=axes, keepdims=True).reshape(shape))
