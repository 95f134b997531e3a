"""Mistakes in the derivative of a normalization: of its three terms one is left out, doubled or of the wrong sign."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..measuring.comparison import Comparison
from .candidates import Candidate, is_elementwise, upstream

__all__ = ["normalization"]

Floats = NDArray[np.float64]

_TERMS = ("the upstream gradient itself", "the mean of the upstream gradient", "the term of the variance")


def normalization(m: Comparison) -> Iterator[Candidate]:
    """inv · (a·q - b·mean(q) - c·xhat·mean(q·xhat)) with q = dvalues · gamma, where a, b and c must be 1."""
    d = upstream(m)
    if d is None or is_elementwise(m) or m.value.ndim < 2:
        return
    if m.value.size < 4:
        return
    for axes in _axes(m.value.ndim):
        for gamma in _gammas(m):
            terms = _terms(m, axes, gamma)
            if terms is None:
                continue
            matrix = np.stack([term.reshape(-1)[m.flats] for term in terms], axis=1)  # (K, 3)
            right = matrix @ (1.0, -1.0, -1.0)
            size = float(np.max(np.abs(m.expected), initial=0.0))
            if np.abs(right - m.expected).max() > 1e-4 * size:
                continue  # no normalization over these axes
            found = list(_said(m, matrix))
            yield from found or _other_variance(m, axes, gamma, matrix)
            return


def _said(m: Comparison, matrix: Floats) -> Iterator[Candidate]:
    found, _, rank, _ = np.linalg.lstsq(matrix, m.given, rcond=1e-9)
    factors = np.round(found * (1.0, -1.0, -1.0), 3)
    if rank < 3 or np.abs(matrix @ found - m.given).max() > 1e-5 * np.abs(m.given).max():
        return
    a, b, c = (float(f) for f in factors)
    predicted = m.expected + matrix @ ((a - 1), -(b - 1), -(c - 1))
    if (a, b, c) == (1.0, 0.0, 0.0):
        says = "Mean and variance are treated as constants: both move with every input."
        yield Candidate("statistics_constant", predicted, says)
        return
    off = [(name, f) for name, f in zip(_TERMS, (a, b, c), strict=True) if f != 1]
    if len(off) != 1:
        return
    (name, factor) = off[0]
    yield Candidate("statistics_constant" if factor == 0 else "normalization_term", predicted, _sentence(name, factor))


def _other_variance(m: Comparison, axes: tuple[int, ...], gamma: Floats, matrix: Floats) -> Iterator[Candidate]:
    """Something else in the place of the term of the variance."""
    x, q = m.value, np.broadcast_to(m.setting.dvalues * gamma, m.value.shape)
    inverse = 1 / np.sqrt(x.var(axis=axes, keepdims=True) + 1e-5)
    xhat = (x - x.mean(axis=axes, keepdims=True)) * inverse
    means = (q * xhat).mean(axis=axes, keepdims=True)
    for code, other in (
        ("xhat * q", xhat * q),
        ("xhat * q * xhat", xhat * q * xhat),
        ("mean(q * xhat)", np.broadcast_to(means, x.shape)),
        ("xhat * mean(q)", xhat * q.mean(axis=axes, keepdims=True)),
        ("q * mean(q * xhat)", q * means),
        ("xhat * mean(q * xhat), without inv,", xhat * means / inverse),
    ):
        predicted = matrix[:, 0] - matrix[:, 1] - (inverse * other).reshape(-1)[m.flats]
        says = (
            f"The term of the variance is wrong: {code} stands where xhat * mean(q * xhat) belongs, over the same axes."
        )
        yield Candidate("normalization_term", predicted, says)


def _sentence(name: str, factor: float) -> str:
    why = "the mean" if "mean" in name else "the variance"
    if name == _TERMS[0]:
        return f"Of the three terms of a normalization's gradient {name} has the factor {factor:g} and not 1."
    if factor == 0:
        return f"{why.capitalize()} is treated as a constant: it moves with every input as well, and {name} is missing."
    if factor == -1:
        return f"The sign of {name} is wrong: what flows back through {why} is subtracted."
    if factor > 2.5 and factor == int(factor):
        return f"What flows back through {why} is {factor:g} times too large: a sum stands where a mean belongs."
    times = "twice" if factor == 2 else "half" if factor == 0.5 else f"{factor:g} times"
    return f"What flows back through {why} is there {times} and belongs there once: {name} has a wrong factor."


def _axes(ndim: int) -> list[tuple[int, ...]]:
    if ndim == 2:
        return [(1,), (0,)]
    if ndim == 3:
        return [(2,), (1,), (0, 1), (1, 2), (0, 2)]
    return [(0, 2, 3), (2, 3), (1, 2, 3), (3,), (0, 1, 2)]


def _gammas(m: Comparison) -> Iterator[Floats]:
    yield np.ones((1,) * m.value.ndim)
    for name, array in m.setting.values.items():
        if name != m.name and array.size > 1:
            flat = array.reshape(-1)
            for axis, size in enumerate(m.value.shape):
                if size == flat.size:
                    yield flat.reshape([-1 if k == axis else 1 for k in range(m.value.ndim)])


def _terms(m: Comparison, axes: tuple[int, ...], gamma: Floats) -> tuple[Floats, Floats, Floats] | None:
    x = m.value
    mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    if not (variance > 0).all():
        return None
    inverse = 1 / np.sqrt(variance + 1e-5)
    xhat = (x - mean) * inverse
    q = m.setting.dvalues * gamma
    own = np.broadcast_to(inverse * q, x.shape)
    through_mean = np.broadcast_to(inverse * q.mean(axis=axes, keepdims=True), x.shape)
    through_variance = inverse * xhat * (q * xhat).mean(axis=axes, keepdims=True)
    return np.asarray(own), np.asarray(through_mean), np.asarray(through_variance)
