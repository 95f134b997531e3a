"""Joins what was found with the lines that mend it: the line is shown where it is right, and one cause is told once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..findings import Diagnosis, Finding
from ..measuring.bench import Bench
from ..measuring.cases import cases_of
from .forwards import mended_forward
from .search import Mended, Search, Written, clipped_first, copied_first, has_source, mend

__all__ = ["both_or_neither", "explained", "told_once"]

_EVIDENCE = "with this line in its place, the check run again finds every gradient right"
_ENDED = "The search for a line that mends it was ended after many were tried; there may be one."
_KINDS = ("gradient", "shape", "missing", "raises", "kinks")  # findings that a line of backward may mend
# What the numbers say less well than a line that mends them.
_VAGUE = (
    "unknown", "wrong_shape", "one_region", "one_entry", "one_row", "one_column", "one_slice", "filled_in_part",
    "backward_raises", "outside_the_kink", "all_zeros", "stray_factor", "missing_factor", "extra_term",
    "time_not_carried", "branch_missing", "missing_local_derivative", "inverse_factor", "time_mean_doubled",
    "written_size", "setting_not_followed",
)  # fmt: skip
# What a line says less well than any words about the numbers.
_PLAIN = ("wrong_formula", "wrong_array", "wrong_number", "constant_factor", "missing_division", "activation_left_out")
_NAMES = {"activation_left_out": "missing_local_derivative"}  # of the mistakes that two kinds of line mend


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
        for each in copied:
            if _left(each, again) == []:
                return _all_from(findings, changed, each.written[0])
        if changed.mistake == "inputs_overwritten":
            return _all_from(findings, changed, None)
    unclipped = next((f for f in errors if f.mistake == "clip_in_forward_only"), None)
    if unclipped is not None and len(errors) == 1:
        for each in clipped_first(bench):
            if _left(each, again) == []:
                return _all_from(findings, unclipped, each.written[0])
        return _without_lines(findings)
    if not any(f.kind in _KINDS for f in errors):
        return list(findings)
    if any(f.mistake == "no_derivative" for f in errors):  # what is meant is for its author to say
        return _without_lines(findings)
    forms = dict.fromkeys(d.write for f in errors for d in f.diagnoses if d.write and "..." not in d.write)
    same = {(f.kind, f.array, f.mistake) for f in errors if f.kind not in _KINDS}

    def accepts() -> bool:
        """Whether what remains now has other causes."""
        return all((f.kind, f.array, f.mistake) in same for f in again())

    wrong = {f.array for f in errors if f.kind in _KINDS}
    elsewhere = {key for key in same if key[1] not in wrong}  # another finding of the same array may have its cause

    def accepts_all() -> bool:
        return all((f.kind, f.array, f.mistake) in elsewhere for f in again())

    cases = cases_of(bench)
    other = mended_forward(bench, cases[0], accepts) if cases and _may_be_forward(errors) else None
    if other is not None:
        first = next(f for f in errors if f.kind in _KINDS)
        said = Diagnosis(other.written[0].mistake, other.written[0].says, _EVIDENCE)
        return _all_from(findings, replace(first, diagnoses=(said,)), other.written[0], first)
    if any(f.mistake == "forward_wrong" for f in errors):
        return _without_lines(findings)
    search = Search()
    mended = mend(bench, tuple(forms), accepts_all, search)
    if search.ended and (mended is None or not mended.whole):
        findings = [*findings, bench.note("search", "", _ENDED, "search_ended")]
    if mended is None:
        return _without_lines(findings) if has_source(bench) else list(findings)
    left = _left(mended, again) if mended.whole else errors
    right = all((f.kind, f.array, f.mistake) in same for f in left)
    return _joined(bench, findings, mended, right, {(f.kind, f.array, f.mistake) for f in left})


def _left(mended: Mended, again: Callable[[], list[Finding]]) -> list[Finding]:
    """The errors that remain with the lines in place."""
    with mended.in_place():
        return again()


def _may_be_forward(errors: Sequence[Finding]) -> bool:
    """Whether what is said of backward may come of a mistake in forward."""
    return any(
        f.mistake in ("gate_inverted", "unknown", "one_region", "forward_wrong") for f in errors if f.kind == "gradient"
    )


def _all_from(
    findings: Sequence[Finding], cause: Finding, written: Written | None, own: Finding | None = None
) -> list[Finding]:
    """The findings where one of them explains all errors; `own` is that one as it was."""
    said = cause.diagnoses[0]
    if written is not None:
        said = replace(said, write=written.write, line=written.line, was=written.was)
    told = replace(cause, diagnoses=(said, *cause.diagnoses[1:]))
    rest = [
        replace(f, follows=cause.array) if f.severity == "error" else f for f in findings if f is not (own or cause)
    ]
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
    evidence = _EVIDENCE if verified else ""
    said = finding.diagnoses[0] if finding.diagnoses else Diagnosis("unknown", "", "")
    only = written.mistake in _PLAIN  # a word only where there is none
    named = verified and not only  # better than a vague word
    mean = (said.mistake, written.mistake) == ("batch_mean_doubled", "mean_for_sum")
    if said.mistake == "unknown" or mean or (said.mistake in _VAGUE and named):
        said = Diagnosis(_NAMES.get(written.mistake, written.mistake), written.says, evidence)
    elif said.mistake in ("constant_factor", "regularization_factor") and named:  # how much it is off, and why
        mistake, says = written.mistake, f"{said.says} {written.says}"
        if said.mistake == "regularization_factor":
            mistake, why = said.mistake, written.says
            why = f"{why.partition(':')[0]}." if written.mistake == "branch_missing" else why
            says = f"{said.says.partition(' is left out')[0]} is not right. {why}"
        elif written.mistake == "overwritten_gradient":
            says = written.says
        said = replace(said, mistake=mistake, says=says)
    if verified:
        said = replace(said, write=written.write, line=written.line, was=written.was)
    return replace(finding, diagnoses=(said, *finding.diagnoses[1:]) if finding.diagnoses else (said,))


def both_or_neither(bench: Bench, findings: Sequence[Finding]) -> list[Finding]:
    """Where one parameter's gradient is a mean over the batch and another's is a sum, both are named."""
    wrong = {f.array for f in findings if f.severity == "error"}
    own = [bench.label(name) for name in bench.subject.parameters]
    sums = [label for label in own if label not in wrong]
    mean = [f for f in findings if f.mistake == "batch_mean_doubled" and f.array in own and sums]
    return [_with_the_others(f, sums) if f in mean else f for f in findings]


def _with_the_others(f: Finding, sums: Sequence[str]) -> Finding:
    said = f.diagnoses[0]
    does = "does not" if len(sums) == 1 else "do not"
    more = f"{' and '.join(sums)} {does} divide by it: both or neither must, and here it is taken that the loss does."
    return replace(f, diagnoses=(replace(said, says=f"{said.says} {more}"), *f.diagnoses[1:]))


def told_once(findings: Sequence[Finding]) -> list[Finding]:
    """Gradients that are off by the very same mistake, without a line of their own, as one cause with what follows."""
    first: dict[tuple[str, str, str], Finding] = {}
    result = []
    for f in dict.fromkeys(findings):  # the same of two settings is one
        best = f.diagnoses[0] if f.diagnoses else None
        if f.severity != "error" or f.kind != "gradient" or best is None or best.line or f.follows:
            result.append(f)
            continue
        key = (f.where, best.mistake, best.says)
        cause = first.setdefault(key, f)
        known = best.mistake not in ("unknown", "one_entry", "one_row", "one_column")
        result.append(f if cause is f or not known else replace(f, follows=cause.array))
    return [_following(f, result) for f in result]


def _following(f: Finding, findings: Sequence[Finding]) -> Finding:
    """What follows from another mistake says so, and not that nothing explains it."""
    causes = [c for c in findings if f.follows and c.array == f.follows and c.where == f.where and not c.follows]
    if not causes or not causes[0].diagnoses:
        return f
    cause = causes[0].diagnoses[0]
    says = f"It follows from the mistake in {f.follows}: {cause.says}"
    return replace(f, diagnoses=(Diagnosis(cause.mistake, says, ""),))
