"""The usual mistakes in backward passes, each with the gradient that it would produce.

A hypothesis looks at one setting and yields candidates, each predicting the gradient that was received. A candidate
explains the fault if its prediction is right in every setting: batches of different lengths distinguish 1/B from a
constant, and random upstream gradients distinguish d from d².
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..measuring.comparison import Comparison, Tolerance
from ..measuring.measure import measure
from .activations import derivative_elsewhere, dropout, function_for_derivative, gates, softmax, too_many_factors
from .candidates import Candidate, is_gate, is_mask, is_softmax, upstream
from .forms import one_hot, products, right_form
from .inner import activation_left_out
from .normalizations import normalization
from .orders import orders

__all__ = ["HYPOTHESES", "Candidate"]

Floats = NDArray[np.float64]


# Signs and factors


def wrong_sign(m: Comparison) -> Iterator[Candidate]:
    """The whole gradient is negated."""
    yield Candidate("wrong_sign", -m.expected, "The sign is wrong.")


def no_derivative(m: Comparison) -> Iterator[Candidate]:
    """Forward does not move with the array at all, as a step or a sign does not."""
    if not np.any(m.columns) and not np.any(m.expected) and np.any(m.given):
        says = (
            "Forward does not move with it: the function is a step, or never reads it, and its derivative is 0 "
            "everywhere. Where another gradient is meant to pass, say so in a comment: # on purpose."
        )
        yield Candidate("no_derivative", m.given, says)


def batch_mean(m: Comparison) -> Iterator[Candidate]:
    """The factor 1/B is missing, or applied once too often."""
    samples = m.setting.samples
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
    """The factor 1/N of a loss's mean over a sample's outputs is missing or applied twice."""
    shape = m.setting.output.shape if m.setting.output.ndim > 1 else m.value.shape
    features = shape[-1] if len(shape) > 1 else 1
    if features > 1 and m.setting.subject.is_loss:
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
    d = upstream(m)
    if d is None:
        return
    if is_softmax(m):
        says = (
            "The upstream gradient is passed through unchanged, as if cross-entropy were folded in already: a softmax "
            "by itself must multiply by its Jacobian."
        )
        yield Candidate("crossentropy_folded_in", d, says)
    elif is_mask(m):
        yield Candidate("mask_missing", d, "The mask is missing: entries that were dropped must pass no gradient.")
    elif is_gate(m):
        says = "The gate is missing: where the input is not above 0 no gradient passes."
        yield Candidate("gate_missing", d, says)
    else:
        says = "The layer's own derivative is missing: the upstream gradient is passed through unchanged."
        yield Candidate("missing_local_derivative", d, says)


# Losses


def losses(m: Comparison) -> Iterator[Candidate]:
    """Mistakes in the gradient of a loss with respect to its predictions."""
    s = m.setting
    if not s.subject.is_loss:
        return
    p, t = m.value, one_hot(s)
    if t is None or t.shape != p.shape:
        return
    shares = bool(((t >= 0) & (t <= 1)).all())  # targets that are classes, or shares of them
    at = p.reshape(-1)[m.flats]
    if _proportional(m.expected * at, t.reshape(-1)[m.flats]):
        says = "It is not divided by the prediction: the derivative of -log p is -1/p."
        yield Candidate("not_divided_by_prediction", m.expected * at, says)
    says = "It is the gradient by the scores before the activation, and this loss gets probabilities."
    yield Candidate("activation_folded_in", m.expected * at * (1 - at), says)
    yield Candidate("divided_twice", m.expected / at, "It is divided by the prediction twice.")
    if p.ndim in (1, 2) and shares:
        yield from _by_the_scores(m, p, t)
    yield from _other_classes(m, t)


def _by_the_scores(m: Comparison, p: Floats, t: Floats) -> Iterator[Candidate]:
    """Predictions minus targets: the gradient by what goes into a softmax or a sigmoid."""
    s = m.setting
    by = (
        np.reshape(s.dvalues, (-1,) + (1,) * (p.ndim - 1)) if s.subject.upstream else np.full((1,) * p.ndim, 1 / len(p))
    )
    scores = s.subject.domain == "numbers" and p.ndim > 1
    for activated in (p, *([_softmax(p)] if p.ndim > 1 else []), *([1 / (1 + np.exp(-p))] if scores else [])):
        difference = np.broadcast_to((activated - t) * by, p.shape).reshape(-1)[m.flats]
        says = "It is predictions minus targets: the gradient by the scores before a softmax or sigmoid."
        if not _proportional(difference, m.expected):  # that of a loss with the softmax inside is right up to 1/B
            if activated is not p and scores:
                yield from _of_another_forward(m, difference, p.shape)
                continue
            yield Candidate("activation_folded_in", difference, says)
            if not s.subject.upstream:
                more = f"{says} The mean is missing too: forward divides by the number of samples, or of all entries."
                yield Candidate("activation_folded_in", difference * len(p), more)
                yield Candidate("activation_folded_in", difference * len(p) / p.size, says)
            continue
        whole = np.broadcast_to(activated * by, p.shape).reshape(-1)[m.flats]
        says = "The targets are not subtracted: the gradient by the scores is the probabilities minus the targets."
        yield Candidate("targets_not_subtracted", whole, says)


def _of_another_forward(m: Comparison, difference: Floats, shape: tuple[int, ...]) -> Iterator[Candidate]:
    """Backward is the gradient of the cross-entropy of scores, and forward is another function of them."""
    says = (
        "Forward is wrong, not backward: backward is the gradient of the cross-entropy with the softmax or sigmoid "
        "inside, by the scores, and forward does not give that loss."
    )
    for mean in (1.0, 1 / shape[-1]):
        yield Candidate("forward_wrong", difference * mean, says)


def _proportional(a: Floats, b: Floats) -> bool:
    factor = float(a @ b) / max(float(a @ a), 1e-300)
    return bool(np.allclose(factor * a, b, rtol=1e-4, atol=1e-9))


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


# Regularization, branches


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
    d = upstream(m)
    if d is not None and np.any(np.abs(m.expected - d) > 1e-9) and m.setting.memory:
        rest = (m.expected - d).reshape(-1)
        for name, array in m.setting.memory.items():
            if array.shape == m.value.shape and np.allclose(array.reshape(-1)[m.flats], rest):
                says = f"A fork is not joined: the gradient of the branch {style.own}{name} is not added."
                yield Candidate("branch_missing", d, says, f"+ {style.own}{name}")


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
    no_derivative,
    wrong_sign,
    regularization,
    losses,
    gates,
    dropout,
    softmax,
    derivative_elsewhere,
    function_for_derivative,
    branches,
    passed_through,
    activation_left_out,
    upstream_gradient,
    batch_mean,
    feature_mean,
    wrong_product,
    transposed,
    orders,
    normalization,
    too_many_factors,
)
