"""An explanation as the page shows it: each step with its sentence, formulas as MathML, and where it stands."""

from __future__ import annotations

from typing import Any

from ..explaining import Explanation
from ..explaining.render.steps import shown
from .looks import number

__all__ = ["told"]


def told(explanation: Explanation, notation: str) -> dict[str, Any]:
    """The derivation of one gradient; `parts` of the numbers carry the ids by which the page lights them."""
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
        "steps": [_step(step, notation) for step in explanation.steps],
        "update": None if explanation.step is None else explanation.step.to_dict(),
    }


def _step(step: Any, notation: str) -> dict[str, Any]:
    return {
        "id": step.id,
        "part": step.part,
        "title": step.title,
        "node": step.node,
        "sentence": step.sentence,
        "numpy": step.numpy,
        "folded": step.folded,
        "value": number(step.value),
        "terms": [_term(term) for term in step.terms],
        "rest": [step.rest_count, number(step.rest_sum)],
        **shown(step, notation),
    }


def _term(term: Any) -> dict[str, Any]:
    """Where a term comes from, so that pointing at it lights its place in the network."""
    upstream = None if term.upstream is None else str(term.upstream)
    return {"from": upstream, "local": number(term.local), "product": number(term.product)}
