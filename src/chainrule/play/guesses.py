"""What the reader predicts, beside what is so: a guess of the next number, and a nudge of a weight."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..backprop import loss_and_gradients
from ..errors import ConfigurationError
from ..explaining import Explanation
from .looks import number
from .work import Snapshot

__all__ = ["judged", "judged_value", "nudged"]

_CLOSE = 0.01  # of the right number, within which a guess is right


def judged(explanation: Explanation, guess: float) -> dict[str, Any]:
    """How far off a guess is, and the likeliest reason."""
    right, samples = explanation.value, explanation.samples
    close = abs(guess - right) <= _CLOSE * max(abs(right), 1e-12)
    says = "Right." if close else _reason(guess, right, samples, explanation)
    return {"guess": guess, "right": number(right), "close": close, "says": says}


def judged_value(explanation: Explanation, guess: float) -> dict[str, Any]:
    """How far off a guess of a neuron's own number is, on the way forward, and the likeliest reason."""
    right = explanation.current
    close = abs(guess - right) <= _CLOSE * max(abs(right), 1e-12)
    says = "Right." if close else _slip(guess, right, explanation)
    return {"guess": guess, "right": number(right), "close": close, "says": says}


def _slip(guess: float, right: float, explanation: Explanation) -> str:
    quantity = explanation.quantity
    wanted = f"forward-{quantity.name}-{'-'.join(map(str, quantity.index))}"
    terms = next((step.terms for step in explanation.steps if step.id == wanted), ())
    if right == 0 and guess < 0:
        return "ReLU makes 0 of what is below 0."
    if math.isclose(guess, -right, rel_tol=_CLOSE):
        return "The sign is turned."
    for term in terms:
        if len(terms) > 1 and math.isclose(guess, right - term.product, rel_tol=_CLOSE):
            return f"One of the {len(terms)} terms is missing: {term.product:.3g}."
        if len(terms) > 1 and math.isclose(guess, right - 2 * term.product, rel_tol=_CLOSE):
            return f"One of the {len(terms)} terms has its sign turned: it is {term.product:.3g}."
    return f"Off by {guess - right:+.3g}."


def _reason(guess: float, right: float, samples: int, explanation: Explanation) -> str:
    if right == 0:
        return explanation.answer or "It is 0: no gradient comes through here."
    ratio = guess / right
    reasons = {-1.0: "The sign is turned: moving the other way lowers the loss."}
    if samples > 1:
        reasons |= {
            float(samples): f"That is {samples} times too large: the loss is a mean over {samples} samples.",
            1 / samples: f"That is {samples} times too small: the sum over the samples is a sum, and no mean.",
        }
    terms = explanation.steps[-1].terms if explanation.steps else ()
    if len(terms) > 1 and math.isclose(guess, terms[0].product, rel_tol=_CLOSE):
        return f"That is the largest of {len(terms) + explanation.steps[-1].rest_count} terms; the others are added."
    for factor, says in reasons.items():
        if math.isclose(ratio, factor, rel_tol=_CLOSE):
            return says
    if terms and math.isclose(guess, sum(term.local for term in terms), rel_tol=_CLOSE):
        return "That leaves out the gradient that arrives from above: multiply by it."
    turned = ", with the sign turned" if ratio < 0 else ""
    return f"Off by {guess - right:+.3g}: {abs(ratio):.3g} times the right size{turned}."


def nudged(shot: Snapshot, explanation: Explanation, by: float) -> dict[str, Any]:
    """By how much the loss changes for a small change of one parameter: by the gradient, and in truth."""
    if explanation.kind != "parameter":
        raise ConfigurationError("Only a parameter can be nudged: choose a weight or a bias.")
    name, index = explanation.quantity.name, explanation.quantity.index
    moved = np.array(shot.values[name])
    moved[index] += by
    values = {**shot.values, name: moved}
    loss, _ = loss_and_gradients(shot.network, shot.loss, values, shot.X, shot.y, state=shot.state, training=False)
    return {
        "by": by,
        "predicted": number(explanation.value * by),
        "measured": number(loss - explanation.loss),
    }
