"""The usual mistakes in backward passes, each with the gradient that it would produce.

A hypothesis looks at one setting and yields candidates, each predicting the gradient that was received. A candidate
explains the fault if its prediction is right in every setting: batches of different lengths distinguish 1/B from a
constant, and random upstream gradients distinguish d from d².
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .forms import one_hot, products, right_form
from .measure import Comparison, Tolerance, measure

__all__ = ["HYPOTHESES", "Candidate"]

Floats = NDArray[np.float64]


class Candidate(NamedTuple):
    """A mistake, the gradient it would give at the compared entries (K,), and how to report it."""

    mistake: str
    predicted: Floats
    says: str
    write: str = ""  # instead of the right line found among the forms
    by_size: bool = False  # whether its factor depends on the number of samples or outputs: then the evidence lists it


def _samples(m: Comparison) -> int:
    return m.setting.samples


def _upstream(m: Comparison) -> Floats | None:
    """dL/d(output) at the compared entries, if the array has the output's shape."""
    if m.value.shape != m.setting.output.shape or not m.setting.subject.upstream:
        return None
    return np.asarray(m.setting.dvalues.reshape(-1)[m.flats])


def _output(m: Comparison) -> Floats:
    return np.asarray(m.setting.output.reshape(-1)[m.flats])


def _diagonal(m: Comparison) -> Floats:
    """∂output_k / ∂input_k."""
    return np.asarray(m.columns[np.arange(len(m.flats)), m.flats])


def _is_elementwise(m: Comparison) -> bool:
    """Whether the layer is entrywise: each input affects its own output and no other."""
    if m.value.shape != m.setting.output.shape:
        return False
    others = np.abs(m.columns).sum(axis=1) - np.abs(_diagonal(m))
    return bool((others <= 1e-9 * max(np.max(np.abs(m.columns), initial=0.0), 1e-300)).all())


def _is_gate(m: Comparison) -> bool:
    """Whether each entry passes the gradient unchanged or blocks it."""
    slope = _diagonal(m) if _is_elementwise(m) else np.array([0.5])
    open_, shut = np.isclose(slope, 1), np.isclose(slope, 0)
    return bool((open_ | shut).all() and shut.any())


def _is_softmax(m: Comparison) -> bool:
    """Whether the rows of the output are positive and add up to 1, or to the logarithm of that."""
    y = m.setting.output
    if m.value.shape != y.shape or y.ndim < 2 or _is_elementwise(m):
        return False
    return any(bool((p >= 0).all()) and np.allclose(p.sum(axis=-1), 1) for p in (y, np.exp(y)))


def _is_mask(m: Comparison) -> bool:
    """Whether each entry is blocked or scaled by the same factor above 1, as in dropout."""
    if not _is_elementwise(m):
        return False
    slope = _diagonal(m)
    passed = slope[np.abs(slope) > 1e-9]
    return bool(passed.size and passed.size < slope.size and np.allclose(passed, passed[0]) and passed[0] > 1 + 1e-9)


# Signs and factors


def wrong_sign(m: Comparison) -> Iterator[Candidate]:
    """The whole gradient is negated."""
    yield Candidate("wrong_sign", -m.expected, "The sign is wrong.")


def batch_mean(m: Comparison) -> Iterator[Candidate]:
    """The factor 1/B is missing, or applied once too often."""
    samples = _samples(m)
    if m.setting.subject.upstream:
        row = m.value.ndim == 1 or m.value.shape[:1] == (1,)
        sums = m.name in m.setting.subject.parameters and row and m.setting.dvalues.ndim > 1
        form = right_form(m) if sums else None
        if form is not None and ".sum(" in form.code:
            says = "It takes the mean over the batch where the sum belongs: only the loss divides by the batch size."
            yield Candidate("mean_for_sum", m.expected / samples, says, by_size=True)
        else:
            says = "It is divided by the batch size, which the loss has done already: leave the division out."
            yield Candidate("batch_mean_doubled", m.expected / samples, says, by_size=True)
        says = "It is multiplied by the batch size."
        yield Candidate("batch_mean_missing", m.expected * samples, says, by_size=True)
        return
    says = "The batch mean is missing: divide by the number of samples."
    yield Candidate("batch_mean_missing", m.expected * samples, says, by_size=True)
    says = "It is divided by the number of samples twice."
    yield Candidate("batch_mean_doubled", m.expected / samples, says, by_size=True)


def feature_mean(m: Comparison) -> Iterator[Candidate]:
    """The factor 1/N of the mean over a sample's outputs is missing or applied twice."""
    shape = m.setting.output.shape if m.setting.output.ndim > 1 else m.value.shape
    features = shape[-1] if len(shape) > 1 else 1
    if features > 1:
        says = "The mean over the outputs is missing: divide by the number of outputs."
        yield Candidate("feature_mean_missing", m.expected * features, says, by_size=True)
        says = "It is divided by the number of outputs once too often."
        yield Candidate("feature_mean_doubled", m.expected / features, says, by_size=True)


# The upstream gradient


def upstream_gradient(m: Comparison) -> Iterator[Candidate]:
    """dvalues is left out, used twice, or reduced to its sign."""
    if not m.setting.subject.upstream:
        return
    d, d_ = m.setting.dvalues, m.setting.subject.style.dvalues
    says = f"The upstream gradient is missing: this is the local derivative alone; multiply it by {d_}."
    yield Candidate("missing_upstream", m.by(np.ones_like(d)), says)
    yield Candidate("upstream_twice", m.by(d * d), f"The upstream gradient {d_} is used twice.")


def passed_through(m: Comparison) -> Iterator[Candidate]:
    """dinputs is just dvalues: the layer's own derivative is missing."""
    d = _upstream(m)
    if d is None:
        return
    if _is_softmax(m):
        says = (
            "The upstream gradient is passed through unchanged, as if cross-entropy were folded in already: a softmax "
            "by itself must multiply by its Jacobian."
        )
        yield Candidate("crossentropy_folded_in", d, says)
    elif _is_mask(m):
        yield Candidate("mask_missing", d, "The mask is missing: entries that were dropped must pass no gradient.")
    elif _is_gate(m):
        says = "The gate is missing: where the input is not above 0 no gradient passes."
        yield Candidate("gate_missing", d, says)
    else:
        says = "The layer's own derivative is missing: the upstream gradient is passed through unchanged."
        yield Candidate("missing_local_derivative", d, says)


# ReLU and its kin


def gates(m: Comparison) -> Iterator[Candidate]:
    """The gate is inverted, or tests the wrong array."""
    d = _upstream(m)
    if d is None or not _is_gate(m):
        return
    open_ = np.abs(_diagonal(m)) > 0.5
    x = m.value.reshape(-1)[m.flats]
    d_ = m.setting.subject.style.dvalues
    yield Candidate("gate_inverted", np.where(open_, 0.0, d), "The gate is inverted: it passes where it should block.")
    says = f"The gate looks at the sign of {d_} instead of that of the inputs."
    yield Candidate("gate_on_upstream", np.where(d > 0, d, 0.0), says)
    yield Candidate("gate_on_upstream", np.where(d <= 0, d, 0.0), says)
    yield Candidate("gate_squared", np.where(open_, d * x, 0.0), "It multiplies by the inputs, whose derivative is 1.")


def dropout(m: Comparison) -> Iterator[Candidate]:
    """The mask is applied without its scale, or the scale without the mask."""
    d = _upstream(m)
    if d is None or not _is_mask(m):
        return
    slope = _diagonal(m)
    scale = float(np.max(slope))
    says = f"The scale of the mask is missing: what passed was multiplied by {scale:.6g} in forward."
    yield Candidate("mask_scale_missing", np.where(slope > 0.5, d, 0.0), says)
    yield Candidate("mask_scale_doubled", np.where(slope > 0.5, d * scale * scale, 0.0), "The mask is applied twice.")
    says = "The mask is missing: entries that were dropped must pass no gradient."
    yield Candidate("mask_missing", d * scale, says)


# Softmax, sigmoid, tanh


def softmax(m: Comparison) -> Iterator[Candidate]:
    """Softmax: the off-diagonal part of the Jacobian is missing, or cross-entropy's gradient is mixed in."""
    d = _upstream(m)
    if d is None or not _is_softmax(m):
        return
    y = _output(m)
    says = "The cross terms are missing: every input moves every output of its row, not its own alone."
    yield Candidate("missing_cross_terms", d * _diagonal(m), says)
    folded = "It is the gradient of softmax and cross-entropy together: dvalues is not the target of a softmax."
    for predicted in (y - d, d - y, (y - d) / _samples(m)):
        yield Candidate("crossentropy_folded_in", predicted, folded)
    row = np.sum(m.setting.dvalues * m.setting.output, axis=-1, keepdims=True)
    dot = np.broadcast_to(row, m.setting.output.shape).reshape(-1)[m.flats]
    yield Candidate("missing_factor", d - dot, "The factor in front is missing: multiply the whole by the output.")
    says = "Only the cross terms are there: the diagonal of the Jacobian is missing."
    yield Candidate("missing_diagonal", m.expected - d * _diagonal(m), says)


def derivative_elsewhere(m: Comparison) -> Iterator[Candidate]:
    """The right formula applied to the wrong array: the input instead of the output, or vice versa."""
    d = _upstream(m)
    if d is None or not _is_elementwise(m):
        return
    x, y, slope = m.value.reshape(-1)[m.flats], _output(m), _diagonal(m)
    own = m.setting.subject.style.own
    for formula, at_output, at_input in (
        ("y·(1 - y)", y * (1 - y), x * (1 - x)),
        ("1 - y²", 1 - y * y, 1 - x * x),
        ("y", y, x),
    ):
        if np.allclose(slope, at_output, rtol=1e-6, atol=1e-12):
            says = f"The derivative {formula} is taken at {own}inputs; it belongs to {own}output."
            yield Candidate("derivative_at_input", d * at_input, says)
    moved = m.setting.at(values={m.name: m.setting.output})
    with np.errstate(all="ignore"):
        again = measure(moved, m.name, Tolerance(1.0, 1.0), np.random.default_rng(0), True) if m.complete else None
    if again is not None and again.columns.shape == m.columns.shape:
        says = f"The derivative is taken at {own}output; it belongs to {own}inputs."
        yield Candidate("derivative_at_output", d * _diagonal(again), says)


# Losses


def losses(m: Comparison) -> Iterator[Candidate]:
    """Mistakes in the gradient of a loss with respect to its predictions."""
    s = m.setting
    if not s.subject.is_loss:
        return
    p, t = m.value, one_hot(s)
    if t is None or t.shape != p.shape:
        return
    at = p.reshape(-1)[m.flats]
    says = "It is not divided by the prediction: the derivative of -log p is -1/p."
    yield Candidate("not_divided_by_prediction", m.expected * at, says)
    says = "It is the gradient by the scores before the activation, and this loss gets probabilities."
    yield Candidate("activation_folded_in", m.expected * at * (1 - at), says)
    yield Candidate("divided_twice", m.expected / at, "It is divided by the prediction twice.")
    if p.ndim == 2:
        by = np.reshape(s.dvalues, (-1, 1)) if s.subject.upstream else np.full((1, 1), 1 / len(p))
        for activated in (p, _softmax(p)):
            difference = np.broadcast_to((activated - t) * by, p.shape).reshape(-1)[m.flats]
            says = "It is predictions minus targets: the gradient by the scores before a softmax or sigmoid."
            yield Candidate("activation_folded_in", difference, says)
    yield from _other_classes(m, t)


def _softmax(z: Floats) -> Floats:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _other_classes(m: Comparison, t: Floats) -> Iterator[Candidate]:
    targets = np.asarray(m.setting.point.targets)
    if t.ndim != 2 or t.shape[1] < 3 or not ((t == 0) | (t == 1)).all() or not (t.sum(axis=1) == 1).all():
        return
    classes = t.shape[1]
    for shift in (1, -1):
        other = (targets + shift) % classes if targets.ndim == 1 else np.roll(targets, shift, axis=1)
        moved = measure(m.setting.at(targets=other), m.name, Tolerance(1.0, 1.0), np.random.default_rng(0), True)
        if moved.expected.shape == m.expected.shape:
            says = (
                f"The class index is off by one: it is the gradient for the class {'after' if shift > 0 else 'before'}."
            )
            yield Candidate("off_by_one_class", moved.expected, says)


# Regularization, branches, normalization


def regularization(m: Comparison) -> Iterator[Candidate]:
    """The penalty's gradient is missing, or lacks the factor 2 of an L2 penalty."""
    penalty = m.setting.penalty.get(m.name)
    if penalty is None or not np.any(penalty):
        return
    own = penalty.reshape(-1)[m.flats]
    name = m.name
    says = f"The regularization is missing: add its gradient, 2·λ·{name} for L2 and λ·sign({name}) for L1."
    yield Candidate("regularization_missing", m.expected - own, says)
    says = f"The factor 2 of L2 regularization is missing: the derivative of λ·w² is 2·λ·{name}."
    yield Candidate("regularization_factor", m.expected - own / 2, says)
    yield Candidate("regularization_sign", m.expected - 2 * own, "The regularization has the wrong sign.")


def branches(m: Comparison) -> Iterator[Candidate]:
    """A value that is used twice gets the gradient of only one use."""
    style = m.setting.subject.style
    held = {f"{style.own}{name}": array for name, array in m.setting.memory.items()}
    if m.setting.subject.upstream:
        held[style.dvalues] = m.setting.dvalues
    for name, array in held.items():
        if array.shape != m.value.shape or array.dtype.kind != "f" or name in (f"{style.own}d{m.name}", "self.dinputs"):
            continue
        one = array.reshape(-1)[m.flats]
        if not np.any(one) or np.allclose(m.expected, one):
            continue
        says = f"A fork is not joined: the gradient of the branch {name} is not added."
        yield Candidate("branch_missing", m.expected - one, says, f"+ {name}")
    d = _upstream(m)
    if d is not None and np.any(np.abs(m.expected - d) > 1e-9) and m.setting.memory:
        rest = (m.expected - d).reshape(-1)
        for name, array in m.setting.memory.items():
            if array.shape == m.value.shape and np.allclose(array.reshape(-1)[m.flats], rest):
                says = f"A fork is not joined: the gradient of the branch {style.own}{name} is not added."
                yield Candidate("branch_missing", d, says, f"+ {style.own}{name}")


def normalization(m: Comparison) -> Iterator[Candidate]:
    """Normalization: mean and variance are treated as constants."""
    d = _upstream(m)
    if d is None or _is_elementwise(m) or m.value.ndim != 2:
        return
    gammas = [np.ones((1, 1))]
    gammas += [a.reshape(1, -1) for n, a in m.setting.values.items() if n != m.name and a.size == m.value.shape[1]]
    for axis in (0, 1):
        std = np.sqrt(m.value.var(axis=axis, keepdims=True) + 1e-5)
        for gamma in gammas:
            local = np.broadcast_to(gamma / std, m.value.shape).reshape(-1)[m.flats]
            says = "Mean and variance are treated as constants: both move with every input."
            yield Candidate("statistics_constant", d * local, says)


# Matrix products


def wrong_product(m: Comparison) -> Iterator[Candidate]:
    """A product of the wrong matrices, or of the right ones with a wrong transpose."""
    right = right_form(m)
    if right is None or not m.complete or m.value.ndim != 2:
        return
    for form in products(m):
        if form.code == right.code:
            continue
        same = form.code.replace(".T", "") == right.code.replace(".T", "")
        reversed_ = _factors(form.code) == _factors(right.code)[::-1]
        mistake = "missing_transpose" if same else "transposed_product" if reversed_ else "wrong_product"
        says = f"It computes {form.code}; the derivative is {right.code}."
        yield Candidate(mistake, form.value.reshape(-1)[m.flats], says)


def _factors(code: str) -> list[str]:
    inside = code.partition("(")[2][:-1].replace(".T", "")
    return [part.strip() for part in inside.split(",")]


def transposed(m: Comparison) -> Iterator[Candidate]:
    """The whole (square) array is transposed."""
    if m.complete and m.value.ndim == 2 and m.value.shape[0] == m.value.shape[1] > 1:
        flipped = m.expected.reshape(m.value.shape).T.reshape(-1)
        yield Candidate("transposed_product", flipped, "The array is transposed.")


Hypothesis = Callable[[Comparison], Iterator[Candidate]]

# The more a hypothesis says, the earlier it stands: of two that explain the same numbers the first is reported first.
HYPOTHESES: tuple[Hypothesis, ...] = (
    wrong_sign,
    regularization,
    losses,
    gates,
    dropout,
    softmax,
    derivative_elsewhere,
    branches,
    passed_through,
    upstream_gradient,
    batch_mean,
    feature_mean,
    wrong_product,
    transposed,
    normalization,
)
