"""What the hypotheses share: what a candidate is, and what kind of function a layer seems to be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measuring.comparison import Comparison

__all__ = ["Candidate", "diagonal", "is_elementwise", "is_gate", "is_mask", "is_softmax", "output", "upstream"]

Floats = NDArray[np.float64]


class Candidate(NamedTuple):
    """A mistake, the gradient it would give at the compared entries (K,), and how to report it."""

    mistake: str
    predicted: Floats
    says: str
    write: str = ""  # instead of the right line found among the forms
    by_size: bool = False  # whether its factor depends on the number of samples or outputs: then the evidence lists it


def upstream(m: Comparison) -> Floats | None:
    """dL/d(output) at the compared entries, if the array has the output's shape."""
    if m.value.shape != m.setting.output.shape or not m.setting.subject.upstream:
        return None
    return np.asarray(m.setting.dvalues.reshape(-1)[m.flats])


def output(m: Comparison) -> Floats:
    """The output at the compared entries, if the array has its shape."""
    return np.asarray(m.setting.output.reshape(-1)[m.flats])


def diagonal(m: Comparison) -> Floats:
    """∂output_k / ∂input_k."""
    return np.asarray(m.columns[np.arange(len(m.flats)), m.flats])


def is_elementwise(m: Comparison) -> bool:
    """Whether the layer is entrywise: each input affects its own output and no other."""
    if m.value.shape != m.setting.output.shape:
        return False
    others = np.abs(m.columns).sum(axis=1) - np.abs(diagonal(m))
    return bool((others <= 1e-9 * max(np.max(np.abs(m.columns), initial=0.0), 1e-300)).all())


def is_gate(m: Comparison) -> bool:
    """Whether each entry passes the gradient unchanged or blocks it."""
    slope = diagonal(m) if is_elementwise(m) else np.array([0.5])
    open_, shut = np.isclose(slope, 1), np.isclose(slope, 0)
    return bool((open_ | shut).all() and shut.any())


def is_softmax(m: Comparison) -> bool:
    """Whether the rows of the output are positive and add up to 1, or to the logarithm of that."""
    y = m.setting.output
    if m.value.shape != y.shape or y.ndim < 2 or is_elementwise(m):
        return False
    return any(bool((p >= 0).all()) and np.allclose(p.sum(axis=-1), 1) for p in (y, np.exp(y)))


def is_mask(m: Comparison) -> bool:
    """Whether each entry is blocked or scaled by the same factor above 1, as in dropout."""
    if not is_elementwise(m):
        return False
    slope = diagonal(m)
    passed = slope[np.abs(slope) > 1e-9]
    return bool(passed.size and passed.size < slope.size and np.allclose(passed, passed[0]) and passed[0] > 1 + 1e-9)
