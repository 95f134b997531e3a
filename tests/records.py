"""What check said of the tables of right and wrong code, kept in tests/checked: a change of it must be seen and meant.

Where one is meant, `CHAINRULE_RECORD=1 pytest tests/test_mistakes.py tests/test_repairs.py tests/test_strangers.py
tests/test_teacher.py` writes what is said now; read the difference before it is committed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from chainrule.checking.findings import Checked, CheckResult, Diagnosis, Finding, Grid

__all__ = ["arrays_said", "assert_recorded", "causes_said", "lines_shown", "right_said"]

FOLDER = Path(__file__).parent / "checked"


@cache
def _table(group: str) -> dict[str, list[str]]:
    path = FOLDER / f"{group}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def assert_recorded(group: str, name: str, said: list[str], more: bool = False) -> None:
    """That the lines said of a case are those of its record, if it has one; with `more`, others may be said beside."""
    table = _table(group)
    if os.environ.get("CHAINRULE_RECORD"):
        table[name] = said
        text = json.dumps(dict(sorted(table.items())), indent=1, ensure_ascii=False) + "\n"
        (FOLDER / f"{group}.json").write_text(text, encoding="utf-8")
    recorded = table.get(name, said)
    how = f"{group}: {name}: if it is meant, record it: see tests/records.py"
    assert (set(recorded) <= set(said)) if more else (said == recorded), how


def right_said(reports: dict[str, CheckResult]) -> list[str]:
    """Of right code: what was compared, in which shapes and how often, and every note."""
    lines = []
    for name, report in reports.items():
        notes = (f"{f.mistake}: {f.says}" for f in report.findings)
        lines += [f"{name}: {line}" for line in (*arrays_said(report.arrays), *notes)]
    return lines


def arrays_said(arrays: Iterable[Checked]) -> list[str]:
    """What was compared, in which shapes, how often and how."""
    return [
        f"{a.where}.{a.array} {a.shape}: {a.compared} entries, {a.projections} directions, {a.settings} settings, "
        f"{a.method}, {a.kinks} kinks, {'right' if a.passed else 'wrong'}"
        for a in arrays
    ]


def causes_said(findings: Iterable[Finding]) -> list[str]:
    """Of wrong code: each finding with all that explains it and the line to write."""
    lines = []
    for f in findings:
        lines.append(f"{f.severity} {f.where}.{f.array}: {f.says}" + (f" follows {f.follows}" if f.follows else ""))
        lines += [f"  {_told(d)}" for d in f.diagnoses]
        lines += [f"  {_picture(f.grid)}, the worst at {sorted(s.index for s in f.samples)}"] if f.grid else []
    return lines


def lines_shown(findings: Iterable[Finding]) -> list[str]:
    """Of wrong code: what is told first, where a line to write is shown with it."""
    best = [(f.array, f.diagnoses[0]) for f in findings if f.diagnoses and f.diagnoses[0].line]
    return [f"{array}: {d.mistake} | {d.says} | {d.change}" for array, d in best]


_SIGNS = {"wrong": "x", "right": ".", "kink": "^", "not checked": "-"}


def _picture(grid: Grid) -> str:
    rows = "/".join("".join(_SIGNS[cell] for cell in row) for row in grid.cells)
    return f"{rows} and {grid.more_rows} rows, {grid.more_columns} columns more"


def _told(diagnosis: Diagnosis) -> str:
    return " | ".join([diagnosis.mistake, diagnosis.says, diagnosis.evidence, diagnosis.change])
