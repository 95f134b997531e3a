"""What is right with the settings that a constructor or a function has by default, with others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ...errors import ConfigurationError
from ..findings import Checked, Diagnosis, Finding
from ..measuring.bench import Bench
from ..report import Report

__all__ = ["in_other_settings"]

_KINDS = ("gradient", "shape", "raises", "finite")  # a gradient that is missing may be of what is not in use
_SAYS_LITTLE = (
    *("unknown", "one_region", "one_entry", "one_row", "one_column", "one_slice", "filled_in_part", "stray_factor"),
    *("time_not_carried", "all_zeros", "extra_term"),
)


def in_other_settings(bench: Bench, right: Report, check_one: Callable[[Bench], Report]) -> tuple[Bench, Report]:
    """The first setting in which it is wrong, or else all that was compared in any of them."""
    assert bench.subject.variations is not None
    for subject in bench.subject.variations():
        other = Bench(subject, bench.tolerance, bench.seed, bench.at_kinks)
        try:
            found = check_one(other)
            wrong = [f for f in found.errors if f.kind in _KINDS and f.mistake != "forward_raises"]
            if wrong and not _right_where_windows_fit(other, check_one):
                return other, replace(found, findings=tuple(_naming(subject.setting, f) for f in wrong))
        except ConfigurationError:
            continue
        right = right if found.errors else _with_more(right, found)
    return bench, right


def _naming(setting: str, finding: Finding) -> Finding:
    """A finding that blames the setting, where the numbers tell no more."""
    if finding.diagnoses and finding.mistake not in _SAYS_LITTLE:
        return finding
    says = (
        f"With {setting} it is wrong, and with the defaults it is right: backward does not follow this as forward does."
    )
    return replace(finding, diagnoses=(Diagnosis("setting_not_followed", says, ""), *finding.diagnoses[1:]))


def _right_where_windows_fit(bench: Bench, check_one: Callable[[Bench], Report]) -> bool:
    """Whether it is right on inputs one shorter: with a stride of 2 a last row may be left over, which is a limit."""
    first = next(iter(bench.subject.inputs), "")
    for array in _cropped(bench.subject.inputs[first]) if first else ():
        subject = replace(bench.subject, inputs={**bench.subject.inputs, first: array})
        report = check_one(Bench(subject, bench.tolerance, bench.seed, bench.at_kinks))
        if report.arrays and not report.errors:
            return True
    return False


def _cropped(array: Any) -> Iterator[Any]:
    """Arrays of pictures or rows that are one shorter along their sides, into which other windows fit."""
    sides: dict[int, tuple[tuple[int, ...], ...]] = {3: ((2,), (1,)), 4: ((2, 3), (1, 2))}
    for axes in sides.get(np.ndim(array), ()):
        if all(array.shape[axis] > 2 for axis in axes):
            yield array[tuple(slice(None, -1) if axis in axes else slice(None) for axis in range(array.ndim))]


def _with_more(right: Report, more: Report) -> Report:
    """A report with what was compared in one setting more."""
    found = {array.array: array for array in more.arrays}

    def together(array: Checked) -> Checked:
        other = found.get(array.array)
        if other is None:
            return array
        return replace(
            array,
            settings=array.settings + other.settings,
            compared=array.compared + other.compared,
            projections=array.projections + other.projections,
            worst=max(array.worst, other.worst),
        )

    return replace(right, arrays=tuple(map(together, right.arrays)))
