"""Gradients that are declared not to be the derivative: what is told of them."""

from __future__ import annotations

from dataclasses import replace

from .findings import Checked, Finding

__all__ = ["told_as_declared"]

_KINDS = ("gradient", "kinks", "finite", "switch", "batch")  # what a declaration covers


def told_as_declared(
    findings: list[Finding], arrays: list[Checked], reason: str
) -> tuple[list[Finding], list[Checked]]:
    """A gradient that its author says is not meant to be the derivative is no error; how it differs is still told."""
    meant = {f.array for f in findings if f.severity == "error" and f.kind in _KINDS}
    why = f" ({reason})" if reason else ""

    def says(f: Finding) -> str:
        differs = f.says.replace(" is wrong in ", " differs in ")
        return f"Declared on purpose{why}, and not judged: {f.array} is not the derivative. {differs}"

    told = [
        replace(
            f,
            kind="on_purpose",
            severity="note",
            says=says(f),
            diagnoses=(),
        )
        if f.severity == "error" and f.kind in _KINDS
        else f
        for f in findings
    ]
    return told, [a for a in arrays if a.array not in meant]
