"""An explanation as the page shows it: each step with its sentence, formulas as MathML, and where it stands."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..explaining import Explanation
from ..explaining.derivation import OptimizerStep
from ..explaining.notation import mathml
from ..explaining.question import written_entry
from ..explaining.render.digits import shown_step
from ..explaining.render.steps import shown
from ..layers import Dense
from ..nodes import Leaf
from .looks import number
from .sums import batch_strip, matrix_view
from .work import Snapshot

__all__ = ["lost", "told"]


def told(explanation: Explanation, notation: str, shot: Snapshot) -> dict[str, Any]:
    """The derivation of one gradient; each step and term names the numbers that it is about, for the page to light.

    With a parameter's come each sample's pull at it, and the row and the column that meet in it.
    """
    weighted = {leaf.name: leaf for leaf in shot.network.flat if isinstance(leaf.layer, Dense) and not leaf.joins}
    return {
        "of": str(explanation.quantity),
        "title": explanation.title,
        "kind": explanation.kind,
        "value": number(explanation.current),
        "gradient": number(explanation.value),
        "loss": number(explanation.loss),
        "samples": explanation.samples,
        "answer": explanation.answer,
        "notes": list(explanation.notes),
        "notation": notation,
        "steps": [_step(step, notation, weighted) for step in explanation.steps],
        "update": None if explanation.step is None else _update(explanation.step),
        **_beside(explanation, shot),
    }


def lost(what: str, reason: str, notation: str, shot: Snapshot) -> dict[str, Any]:
    """In place of a derivation, why there is none: how the numbers grow until one of them is not finite."""
    largest = {"inputs": shot.X} | {name: one.output for name, one in shot.trace.nodes.items()}
    return {
        **{"of": what, "title": what, "kind": "lost", "value": None, "gradient": None, "loss": None},
        **{
            "samples": len(shot.X),
            "answer": reason[:1].upper() + reason[1:],
            "notes": _growing(largest),
            "notation": notation,
            "steps": [],
        },
        **{"update": None, "phase": None, "here": [], "term": None},
    }


def _growing(arrays: Mapping[str, Any]) -> list[str]:
    """The largest number of each node, as far as the first that is not finite."""
    found: list[str] = []
    for name, array in arrays.items():
        size = float(np.abs(array).max())
        if not math.isfinite(size):
            return [*found, f"{name}: not finite any more"]
        found.append(f"{name}: up to {size:.3g} on these samples")
    return found


def _beside(explanation: Explanation, shot: Snapshot) -> dict[str, Any]:
    if explanation.kind != "parameter":
        return {}
    name, index = explanation.quantity.name, explanation.quantity.index
    return {"strip": batch_strip(shot, shot.trace, name, index), "matrix": matrix_view(shot, shot.trace, name, index)}


def _step(step: Any, notation: str, weighted: Mapping[str, Leaf]) -> dict[str, Any]:
    what = _what(step.id)
    return {
        "what": what,
        "id": step.id,
        "part": step.part,
        "title": step.title,
        "node": step.node,
        "sentence": step.sentence,
        "numpy": step.numpy,
        "folded": step.folded,
        "value": number(step.value),
        "terms": [_term(term, what, weighted) for term in step.terms],
        "rest": [step.rest_count, number(step.rest_sum)],
        **shown(step, notation),
    }


def _update(step: OptimizerStep) -> dict[str, Any]:
    """The optimizer's step, its lines as MathML too."""
    lines = [
        line.to_dict() | {"mathml": [mathml(line.name), mathml(line.formula), mathml(shown_step(line).terms[0], 17)]}
        for line in step.lines
    ]
    return {name: _finite(value) for name, value in (step.to_dict() | {"lines": lines}).items()}


def _finite(told: Any) -> Any:
    """The same with None for every number that JSON cannot hold."""
    if isinstance(told, dict):
        return {name: _finite(value) for name, value in told.items()}
    if isinstance(told, list | tuple):
        return [_finite(value) for value in told]
    return number(told) if isinstance(told, float) else told


def _what(name: str) -> str | None:
    """The number that a step tells of, by the step's id.

    >>> _what("backward-dense_0.weights-1-2"), _what("forward-relu_0-0-5"), _what("loss-L")
    ('dense_0.weights[1,2]', 'relu_0[0,5]', None)
    """
    found = re.fullmatch(r"(?:forward|backward)-(.+?)((?:-\d+)+)", name)
    return None if found is None else f"{found[1]}[{found[2][1:].replace('-', ',')}]"


def _term(term: Any, what: str | None, weighted: Mapping[str, Leaf]) -> dict[str, Any]:
    """Where a term comes from: the gradient above, and the weight or the input of a dense layer that multiplies it."""
    lights = [] if term.upstream is None else [str(term.upstream)]
    if what is not None and term.upstream is not None and term.node in weighted:
        leaf, (sample, unit) = weighted[term.node], term.upstream.index
        name, index = written_entry(what)
        row = (index or (0, 0))[-2:]
        if name == leaf.arrays["weights"]:
            lights.append(f"{leaf.reads}[{sample},{row[0]}]")
        elif name == leaf.reads:
            lights.append(f"{leaf.arrays['weights']}[{row[1]},{unit}]")
    return {"lights": lights, "local": number(term.local), "product": number(term.product)}
