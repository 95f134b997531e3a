"""Compares every gradient in every setting and turns what is wrong into findings with diagnoses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from ..findings import Checked, Diagnosis, Finding, Grid, Sample, number
from ..measuring.bench import Bench, Broken
from ..measuring.comparison import Comparison, Tolerance
from ..measuring.measure import measure
from ..measuring.setting import Setting
from ..measuring.trials import points
from ..mistakes.diagnose import diagnose, diagnose_shape
from ..mistakes.forms import right_line
from .equal_sizes import with_equal_sizes

__all__ = ["compare"]

Floats = NDArray[Any]

_GRID = (12, 16)  # rows and columns of the picture of an array
_DIRECTIONS = 2  # along which every batch but the first is compared, and all with other settings
_SETTINGS = 3  # in which a gradient that is wrong somewhere is known in every entry
_ENOUGH = 2  # settings, for a diagnosis of a large array
_LARGE = 64  # entries of an array that is not measured in more settings than that once it is wrong
_SHOWN = 5  # entries listed in a finding


def compare(bench: Bench) -> tuple[list[Finding], list[Checked]]:
    """Compare every gradient in every mode and setting."""
    findings: list[Finding] = []
    measured: dict[tuple[str, bool], list[Comparison]] = {}
    for training in bench.subject.modes:
        others = bench.subject.settings if training == bench.subject.modes[0] else bench.subject.settings // 2
        for position, point in enumerate(points(bench.subject, bench.rng, training, others)):
            brief = position or bench.subject.setting  # with its defaults it was compared entry by entry
            known = [name for (name, mode), items in measured.items() if mode == training and _known_wrong(items)]
            for name, item in _in_setting(bench, point, _DIRECTIONS if brief else None, known):
                if isinstance(item, Comparison):
                    measured.setdefault((name, training), []).append(item)
                    _remember(bench, item)
                elif not any(_alike(item, other) for other in findings):
                    findings.append(item)
            if any(finding.kind == "raises" and finding.severity == "error" for finding in findings):
                break
    _require_compared(bench, measured)
    for (name, _), items in measured.items():
        wrong = [m for m in items if m.wrong.any()]
        if wrong:
            items[:] = _complete(bench, name, items)
            for item in items:
                _remember(bench, item)
        if wrong and not any(f.array == bench.label(name) and f.kind == "gradient" for f in findings):
            findings.append(_finding(bench, name, items))
    if measured and not bench.runner.moves and not any(finding.severity == "error" for finding in findings):
        raise ConfigurationError(
            f"check: the output of {bench.subject.title} is the same whatever goes in, so that nothing could be "
            "compared. Pass inputs on which it moves: check(layer, inputs)."
        )
    if bench.subject.uncompared:
        listed = ", ".join(bench.subject.uncompared)
        says = (
            f"The output depends on {listed}, for which no gradient was found, so that it was not compared. Store it "
            "as d<name> beside <name>, or return it."
        )
        findings.append(bench.warning("missing", listed, says, "not_compared"))
    names = dict.fromkeys(name for name, _ in measured)
    wrong_names = {finding.array for finding in findings if finding.severity == "error"}
    checked = [
        _checked(bench, name, [m for (n, _), items in measured.items() if n == name for m in items], wrong_names)
        for name in names
    ]
    return findings, checked


def _remember(bench: Bench, m: Comparison) -> None:
    """Keep what was measured in every entry for the search for a line, which needs the same."""
    if m.complete:
        bench.known[bench.key_of(m.setting.point, m.name)] = m.flats, m.expected


def _complete(bench: Bench, name: str, items: Sequence[Comparison]) -> list[Comparison]:
    """Where it is wrong, and in the smallest of the other settings, every entry: a diagnosis takes all of them."""
    known = [m for m in items if m.complete or m.wrong.any()]
    rest = sorted((m for m in items if not (m.complete or m.wrong.any())), key=lambda m: m.value.size)
    chosen = [*known, *rest[: max(_SETTINGS - len(known), 0)]]
    return [
        m if m.complete else measure(m.setting, name, bench.tolerance, bench.rng, True)
        for m in items
        if any(m is each for each in chosen)
    ]


def _require_compared(bench: Bench, measured: dict[tuple[str, bool], list[Comparison]]) -> None:
    """Nothing passes that was not compared. Raises `ConfigurationError` where no entry of a gradient could be."""
    for name in dict.fromkeys(name for name, _ in measured):
        items = [m for (other, _), found in measured.items() if other == name for m in found]
        if all(m.kinks.all() and not m.projections for m in items) and any(m.value.size for m in items):
            raise ConfigurationError(
                f"check: every entry of {bench.label(name)} lies on a kink or where {bench.subject.title} clips, so "
                "that nothing could be compared. Pass inputs away from there: check(layer, inputs)."
            )


def _known_wrong(items: Sequence[Comparison]) -> bool:
    """Whether a large array is known to be wrong, in every entry of settings of two lengths."""
    return items[0].value.size > _LARGE and sum(m.complete and bool(m.wrong.any()) for m in items) >= _ENOUGH


def _in_setting(
    bench: Bench, point: Any, directions: int | None = None, known: Sequence[str] = ()
) -> Iterator[tuple[str, Comparison | Finding]]:
    try:
        setting = bench.setting(point)
    except Broken as broken:
        if broken.finding.mistake != "backward_raises":  # on the object's own batch it ran: here it may be refused
            yield "", replace(broken.finding, severity="warning")
            return
        for finding, measured in with_equal_sizes(bench, broken.finding):
            yield "", finding if measured is None else _finding(bench, measured.name, [measured])
        return
    if not setting.output.size:
        return  # without entries nothing is compared
    if not np.isfinite(setting.output).all():
        if point.label.endswith("the inputs given"):
            yield "", bench.error("finite", "output", f"The output is not finite ({point.label}).", "not_finite")
        return  # a drawn batch may leave the domain of the layer
    rng = bench.rng
    for name in (name for name in setting.values if name not in known):
        problem = _problem(bench, setting, name)
        if problem is not None:
            yield name, problem
        else:
            yield name, measure(setting, name, bench.tolerance, rng, directions=directions)


def _problem(bench: Bench, setting: Setting, name: str) -> Finding | None:
    """The finding of a gradient that is missing, not numeric, or of the wrong shape."""
    array = bench.label(name)
    line = bench.line(name, "...")
    if name not in setting.gradients:
        says = f"There is no gradient for {name}: backward must give {array}."
        return bench.error("missing", array, says, "missing_gradient", write=line)
    try:
        received = np.asarray(setting.gradients[name], dtype=np.float64)
    except (TypeError, ValueError, np.exceptions.ComplexWarning):
        says = f"{array} is no array of numbers but {type(setting.gradients[name]).__name__}."
        return bench.error("missing", array, says, "missing_gradient", write=line)
    shape = setting.values[name].shape
    if received.shape == shape:
        if np.isfinite(received).all():
            return None
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(received))[0])
        says = f"{array} holds {received[index]} at {list(index)} ({setting.point.label})."
        return bench.error("finite", array, says, "not_finite")
    return _wrong_shape(bench, setting, name, received)


def _wrong_shape(bench: Bench, setting: Setting, name: str, received: Floats) -> Finding:
    whole = replace(setting, gradients={name: np.zeros(setting.values[name].shape)})
    right = measure(whole, name, Tolerance(1.0, 1.0), bench.rng, True)
    shape = setting.values[name].shape
    says = f"{bench.label(name)} has shape {received.shape}; {name} has shape {shape}, and its gradient must too."
    diagnosis = Diagnosis("wrong_shape", says, f"received {received.shape}")
    if right.complete:
        diagnosis = diagnose_shape(received, right.expected.reshape(shape), len(next(iter(setting.values.values()))))
    diagnosis = Diagnosis(diagnosis.mistake, diagnosis.says, diagnosis.evidence, right_line([right]))
    return Finding(
        "shape", "error", bench.subject.title, bench.label(name), says, setting=setting.point.label,
        diagnoses=(diagnosis,),
    )  # fmt: skip


def _alike(one: Finding, other: Finding) -> bool:
    return (one.kind, one.array, one.mistake) == (other.kind, other.array, other.mistake)


def _finding(bench: Bench, name: str, items: Sequence[Comparison]) -> Finding:
    worst = max(items, key=lambda m: (int(m.wrong.sum()), m.error))
    order = np.argsort(-np.abs(worst.given - worst.expected) * worst.wrong)[: int(min(worst.wrong.sum(), _SHOWN))]
    samples = tuple(
        Sample(
            tuple(int(i) for i in np.unravel_index(worst.flats[row], worst.value.shape)),
            float(worst.expected[row]),
            float(worst.given[row]),
        )
        for row in order
    )
    count, compared = int(worst.wrong.sum()), len(worst.flats)
    which = "every entry" if count == compared else f"{count} of {compared} entries"
    if not worst.complete:
        which = f"{count} of the {compared} entries compared"
    first = samples[0]
    says = (
        f"{bench.label(name)} is wrong in {which}: at {list(first.index)} {number(first.received)} was received and "
        f"{number(first.expected)} expected ({worst.setting.point.label})."
    )
    diagnoses = diagnose(items) or (
        Diagnosis("unknown", "None of the mistakes that check knows gives these numbers.", "", right_line(items)),
    )
    return Finding(
        "gradient", "error", bench.subject.title, bench.label(name), says, count, compared, samples,
        worst.setting.point.label, diagnoses, _grid(worst),
    )  # fmt: skip


def _grid(m: Comparison) -> Grid:
    shape = m.value.shape
    rows, columns = (int(np.prod(shape[:-1])), shape[-1]) if shape else (1, 1)
    states = np.full(m.value.size, "not checked", dtype=object)
    states[m.flats] = np.where(m.wrong, "wrong", np.where(m.kinks, "kink", "right"))
    expected = np.full(m.value.size, None, dtype=object)
    expected[m.flats] = m.expected
    received = np.full(m.value.size, None, dtype=object)
    received[m.flats] = m.given
    wrong = m.flats[m.wrong]
    top, left = _corner(wrong // columns, rows, _GRID[0]), _corner(wrong % columns, columns, _GRID[1])

    def window(array: Any) -> tuple[tuple[Any, ...], ...]:
        part = array.reshape(rows, columns)[top : top + _GRID[0], left : left + _GRID[1]]
        return tuple(tuple(None if v is None else v for v in row) for row in part.tolist())

    cells = window(states)
    return Grid(cells, window(expected), window(received), rows - len(cells), columns - len(cells[0]) if cells else 0)


def _corner(wrong: Floats, size: int, shown: int) -> int:
    """The first row and column shown, so that wrong entries are in the picture."""
    if size <= shown or not len(wrong):
        return 0
    return int(min(max(int(np.median(wrong)) - shown // 2, 0), size - shown))


def _checked(bench: Bench, name: str, items: Sequence[Comparison], wrong: set[str]) -> Checked:
    first = items[0]
    methods = dict.fromkeys(m.method for m in items)
    return Checked(
        where=bench.subject.title,
        array=bench.label(name),
        shape=first.value.shape,
        entries=len(first.flats),
        size=first.value.size,
        compared=sum(len(m.flats) for m in items),
        projections=sum(m.projections for m in items),
        settings=len(items),
        method=" and ".join(methods),
        worst=max(m.error for m in items) / (max(m.largest for m in items) or 1.0),
        kinks=sum(int(m.kinks.sum()) for m in items),
        passed=bench.label(name) not in wrong,
    )
