"""Joins what was found with the lines that mend it: the line is shown where it is right, and one cause is told once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from .bench import Bench
from .findings import Diagnosis, Finding
from .mending import Mended, Written, copied_first, has_source, mend

__all__ = ["explained"]

_KINDS = ("gradient", "shape", "missing", "raises", "kinks")  # findings that a line of backward may mend
_VAGUE = ("unknown", "wrong_shape", "one_region", "backward_raises", "outside_the_kink")


def explained(bench: Bench, findings: Sequence[Finding], again: Callable[[], list[Finding]]) -> list[Finding]:
    """The findings with lines that were tried: `again` runs the check and gives the errors with the lines in place."""
    errors = [f for f in findings if f.severity == "error"]
    if bench.subject.style.module == "xp":  # a layer of this library: none of its author's code but formulas
        return list(findings)
    if bench.subject.elsewhere:
        return _without_lines(findings)
    changed = next((f for f in errors if f.mistake in ("inputs_overwritten", "dvalues_overwritten")), None)
    if changed is not None:
        copied = copied_first(bench, changed.mistake == "dvalues_overwritten")
        if copied is not None and _left(copied, again) == []:
            return _all_from(findings, changed, copied.written[0])
    if not any(f.kind in _KINDS for f in errors):
        return list(findings)
    forms = dict.fromkeys(d.write for f in errors for d in f.diagnoses if d.write and "..." not in d.write)
    mended = mend(bench, tuple(forms))
    if mended is None:
        return _without_lines(findings) if has_source(bench) else list(findings)
    left = _left(mended, again) if mended.whole else errors
    same = {(f.kind, f.array, f.mistake) for f in errors if f.kind not in _KINDS}
    right = all((f.kind, f.array, f.mistake) in same for f in left)  # what remains has other causes
    return _joined(bench, findings, mended, right, {(f.kind, f.array, f.mistake) for f in left})


def _left(mended: Mended, again: Callable[[], list[Finding]]) -> list[Finding]:
    """The errors that remain with the lines in place."""
    with mended.in_place():
        return again()


def _all_from(findings: Sequence[Finding], cause: Finding, written: Written) -> list[Finding]:
    """The findings where one of them explains all errors."""
    said = replace(cause.diagnoses[0], write=written.write, line=written.line, was=written.was)
    told = replace(cause, diagnoses=(said, *cause.diagnoses[1:]))
    rest = [replace(f, follows=cause.array) if f.severity == "error" else f for f in findings if f is not cause]
    return [told, *_without_lines(rest)]


def _without_lines(findings: Sequence[Finding]) -> list[Finding]:
    """A line that does not make the whole right where it is put is not shown."""
    return [replace(f, diagnoses=tuple(replace(d, write="") for d in f.diagnoses)) for f in findings]


def _joined(
    bench: Bench, findings: Sequence[Finding], mended: Mended, verified: bool, left: set[tuple[str, str, str]]
) -> list[Finding]:
    causes: dict[int, Written] = {}
    for written in mended.written:
        own = {bench.label(name) for name in written.arrays}
        fitting = [i for i, f in enumerate(findings) if f.severity == "error" and i not in causes and f.kind in _KINDS]
        named = [i for i in fitting if findings[i].array in own]
        if named or fitting:
            causes[(named or fitting)[0]] = written
    first = next((findings[i] for i in causes if findings[i].array), None)
    result = []
    for i, f in enumerate(_without_lines(findings)):
        if i in causes:
            result.append(_told(f, causes[i], verified))
        elif f.severity == "error" and verified and (f.kind, f.array, f.mistake) not in left:
            cause = _cause_of(bench, findings, causes, f) or first
            result.append(f if cause is None else replace(f, follows=cause.array))
        else:
            result.append(f)
    return result


def _cause_of(bench: Bench, findings: Sequence[Finding], causes: dict[int, Written], f: Finding) -> Finding | None:
    for i, written in causes.items():
        if f.array in {bench.label(name) for name in written.arrays}:
            return findings[i]
    return None


def _told(finding: Finding, written: Written, verified: bool) -> Finding:
    evidence = "with this line in its place, the check run again finds every gradient right" if verified else ""
    said = finding.diagnoses[0] if finding.diagnoses else Diagnosis("unknown", "", "")
    named = verified and written.mistake != "wrong_formula"  # better than a vague word
    if said.mistake == "unknown" or (said.mistake in _VAGUE and named):
        said = Diagnosis(written.mistake, written.says, evidence)
    if verified:
        said = replace(said, write=written.write, line=written.line, was=written.was)
    return replace(finding, diagnoses=(said, *finding.diagnoses[1:]) if finding.diagnoses else (said,))
