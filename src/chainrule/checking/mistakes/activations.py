"""Mistakes in the derivatives of activations: gates, masks, softmax, functions of each entry by itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..measuring.comparison import Comparison, Tolerance
from ..measuring.measure import measure
from .candidates import Candidate, diagonal, is_elementwise, is_gate, is_mask, is_softmax, output, upstream
from .forms import names_of

__all__ = ["derivative_elsewhere", "dropout", "function_for_derivative", "gates", "softmax", "too_many_factors"]


# ReLU and its kin


def gates(m: Comparison) -> Iterator[Candidate]:
    """The gate is inverted, or tests the wrong array."""
    d = upstream(m)
    if d is None or not is_gate(m):
        return
    open_ = np.abs(diagonal(m)) > 0.5
    x = m.value.reshape(-1)[m.flats]
    d_ = m.setting.subject.style.dvalues
    says = "The gate is inverted: it passes where it should block."
    if np.array_equal(open_, x < 0):  # as np.minimum does
        says = (
            "The gate is inverted: backward passes what is above 0, and forward what is below, as np.minimum does. For "
            "a ReLU it is forward that is wrong: np.maximum."
        )
    yield Candidate("gate_inverted", np.where(open_, 0.0, d), says)
    says = f"The gate looks at the sign of {d_} instead of that of the inputs."
    yield Candidate("gate_on_upstream", np.where(d > 0, d, 0.0), says)
    yield Candidate("gate_on_upstream", np.where(d <= 0, d, 0.0), says)
    yield Candidate("gate_squared", np.where(open_, d * x, 0.0), "It multiplies by the inputs, whose derivative is 1.")


def dropout(m: Comparison) -> Iterator[Candidate]:
    """The mask is applied without its scale, or the scale without the mask."""
    d = upstream(m)
    if d is None or not is_mask(m):
        return
    slope = diagonal(m)
    scale = float(np.max(slope))
    says = f"The scale of the mask is missing: what passed was multiplied by {scale:.6g} in forward."
    yield Candidate("mask_scale_missing", np.where(slope > 0.5, d, 0.0), says)
    yield Candidate("mask_scale_doubled", np.where(slope > 0.5, d * scale * scale, 0.0), "The mask is applied twice.")
    says = "The mask is missing: entries that were dropped must pass no gradient."
    yield Candidate("mask_missing", d * scale, says)


# Softmax, sigmoid, tanh


def softmax(m: Comparison) -> Iterator[Candidate]:
    """Softmax: the off-diagonal part of the Jacobian is missing, or cross-entropy's gradient is mixed in."""
    d = upstream(m)
    if d is None or not is_softmax(m):
        return
    y = output(m)
    says = "The cross terms are missing: every input moves every output of its row, not its own alone."
    yield Candidate("missing_cross_terms", d * diagonal(m), says)
    folded = "It is the gradient of softmax and cross-entropy together: dvalues is not the target of a softmax."
    for predicted in (y - d, d - y, (y - d) / m.setting.samples):
        yield Candidate("crossentropy_folded_in", predicted, folded)
    row = np.sum(m.setting.dvalues * m.setting.output, axis=-1, keepdims=True)
    dot = np.broadcast_to(row, m.setting.output.shape).reshape(-1)[m.flats]
    yield Candidate("missing_factor", d - dot, "The factor in front is missing: multiply the whole by the output.")
    says = "The cross terms are missing: the Jacobian is diag(p) - p pᵀ, and this is diag(p) alone."
    yield Candidate("missing_cross_terms", d * y, says)
    plain = np.broadcast_to(np.sum(m.setting.dvalues, axis=-1, keepdims=True), m.setting.output.shape)
    total = plain.reshape(-1)[m.flats]
    if np.allclose(np.sum(m.setting.output, axis=-1), 1):
        says = "The sum over the row lacks the factor output: inside stands the sum of dvalues * output."
        yield Candidate("factor_outside_the_sum", y * (d - total), says)
        yield Candidate("factor_outside_the_sum", y * (d - total * y), says)
        says = "The sum over the row has the wrong sign: it is subtracted from the upstream gradient."
        yield Candidate("wrong_sign_of_term", y * (d + dot), says)
    else:
        p = np.exp(y)
        says = "The second term of log-softmax is wrong: it is minus softmax times the sum of the upstream gradient."
        for predicted in (d + p, d + p * total, d - p * d, d - total, d - p * total / m.value.shape[-1], d * (1 - p)):
            yield Candidate("wrong_second_term", predicted, says)
        says = "The sum of the upstream gradient is left out: softmax is multiplied by that sum over the classes."
        yield Candidate("sum_left_out", d - p, says)
    says = "Only the cross terms are there: the diagonal of the Jacobian is missing."
    yield Candidate("missing_diagonal", m.expected - d * diagonal(m), says)


def _as_kept(m: Comparison, name: str) -> str:
    """A name of the object's inputs or its output, or what they are where it keeps them under none."""
    own = m.setting.subject.style.own
    usual = name in (f"{own}inputs", f"{own}output") and name.removeprefix(own) not in m.setting.memory
    return f"the {name.removeprefix(own)}" if own and m.setting.memory and usual else name


def derivative_elsewhere(m: Comparison) -> Iterator[Candidate]:
    """The right formula applied to the wrong array: the input instead of the output, or vice versa."""
    d = upstream(m)
    if d is None or not is_elementwise(m):
        return
    x, y, slope = m.value.reshape(-1)[m.flats], output(m), diagonal(m)
    x_, y_ = (_as_kept(m, name) for name in names_of(m.setting)[:2])
    for formula, at_output, at_input in (
        ("y·(1 - y)", y * (1 - y), x * (1 - x)),
        ("1 - y²", 1 - y * y, 1 - x * x),
        ("y", y, x),
    ):
        if np.allclose(slope, at_output, rtol=1e-6, atol=1e-12):
            says = f"The derivative {formula} is taken at {x_}; it belongs to {y_}."
            yield Candidate("derivative_at_input", d * at_input, says)
    moved = m.setting.at(values={m.name: m.setting.output})
    with np.errstate(all="ignore"):
        again = measure(moved, m.name, Tolerance(1.0, 1.0), np.random.default_rng(0), True) if m.complete else None
    if again is not None and again.columns.shape == m.columns.shape:
        says = f"The derivative is taken at {y_}; it belongs to {x_}."
        yield Candidate("derivative_at_output", d * diagonal(again), says)


def function_for_derivative(m: Comparison) -> Iterator[Candidate]:
    """The function itself stands where its derivative belongs."""
    d = upstream(m)
    if d is None or not is_elementwise(m):
        return
    y = output(m)
    says = "The function itself stands where its derivative belongs: this is the upstream gradient times the output."
    yield Candidate("function_for_derivative", d * y, says)


def too_many_factors(m: Comparison) -> Iterator[Candidate]:
    """A factor that is there twice or not at all: the input, the output, 1 - output, the slope itself."""
    d = upstream(m)
    if d is None or not is_elementwise(m):
        return
    x_, y_ = (_as_kept(m, name) for name in names_of(m.setting)[:2])
    x, y, slope = m.value.reshape(-1)[m.flats], output(m), diagonal(m)
    for name, factor in ((x_, x), (y_, y), (f"1 - {y_}", 1 - y), (f"1 + {y_}", 1 + y)):
        yield Candidate("missing_factor", m.expected / factor, f"The factor {name} is missing.")
        yield Candidate("stray_factor", m.expected * factor, f"It is multiplied by {name} once too often.")
    yield Candidate("slope_twice", d * slope * slope, "The function's own derivative is multiplied in twice.")
    yield Candidate("inverse_factor", d / slope, "It is divided by the function's own derivative: multiply.")
