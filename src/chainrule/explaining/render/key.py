"""What the letters of the formulas stand for, in two sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..derivation import Derivation
from ..notation import text

__all__ = ["key_of"]

_ARRAYS = {
    "x": "x is what a layer reads",
    "w": "w its weights",
    "z": "z the sum that a dense layer gives",
    "out": "out what any other layer gives",
    "p": "p the prediction",
    "ŷ": "ŷ the probability of a class",
    "y": "y the target",
    "ℓ": "ℓ the loss of a sample",
}
_INDICES = {
    "b": "b the sample",
    "i": "i the input of a layer",
    "n": "n the neuron",
    "c": "c the class",
    "o": "o the output",
}
_OTHERS = (  # what stands in a formula, and what its letter is there
    (r"\bs\[", "s the share of a sample in the loss"),
    (r"\bq\[", "q the probability, kept from a to 1 - a"),
    (r"\bq\b(?!\[)", "q the part that dropout sets to 0"),
    (r"\bu\b", "u a random number from 0 to 1"),
    (r"\ba·x", "a the slope below 0"),
)
_COUNTS = {"B": "B samples", "O": "O outputs", "C": "C classes"}


def key_of(e: Derivation) -> str:
    """Of the letters that the formulas have, what each stands for.

    Those that are explained where they stand, such as ReLU's own, are left out.
    """
    written = " ".join(_formulas(e))
    letters = {name for name, _ in re.findall(r"(\w+)(\[|\b)", written)}
    indices = {letter for inside in re.findall(r"\[([^\]]*)\]", written) for letter in inside.split(",")}
    arrays, counted, sizes = _listed(_ARRAYS, letters), _listed(_INDICES, indices), _listed(_COUNTS, letters)
    arrays = ", ".join([arrays] * bool(arrays) + [meaning for form, meaning in _OTHERS if re.search(form, written)])
    said = [f"In the formulas {arrays}."] if arrays else []
    said += [f"An index counts from 0: {counted}{f'; there are {sizes}' if sizes else ''}."] if counted else []
    return " ".join(said)


def _formulas(e: Derivation) -> Iterator[str]:
    """Every formula that is written down, as text."""
    passed = {name for step in e.steps for name in (step.nodes or (step.node,))}
    yield from (text(part) for node in e.nodes if node.name in passed for rule in node.rule[:2] for part in rule)
    yield from (text(step.formula) for step in e.steps if step.formula)


def _listed(meanings: Mapping[str, str], there: set[str]) -> str:
    return ", ".join(meaning for letter, meaning in meanings.items() if letter in there)
