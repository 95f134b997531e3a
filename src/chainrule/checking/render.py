"""What a check found, in the terminal: what is wrong first, with its picture, then what is right."""

from __future__ import annotations

from typing import Any

from ..display.terminal import STYLES, as_plain_text
from .findings import Checked, CheckResult, Finding, Grid, number, tolerance

__all__ = ["WIDTH", "as_rich", "as_text", "compared", "following", "headline", "how"]

WIDTH = 88
_SIGNS = {"error": ("✗", STYLES["bad"]), "warning": ("!", STYLES["warn"]), "note": ("·", STYLES["note"])}
_CELLS = {
    "wrong": ("✗", STYLES["bad"]),
    "right": ("·", STYLES["good"]),
    "kink": ("∧", STYLES["warn"]),
    "not checked": (" ", STYLES["faint"]),
}


def as_text(result: CheckResult, width: int = WIDTH) -> str:
    """A check as plain text.

    >>> print(as_text(CheckResult("Dense")))
    Dense: nothing was compared.
    """
    return as_plain_text(as_rich(result), width)


def as_rich(result: CheckResult) -> Any:
    """A check as a renderable for rich, as wide as the console."""
    from rich.console import Group
    from rich.text import Text

    style = STYLES["bad"] if result.errors else f"bold {STYLES['good']}" if result.arrays else STYLES["title"]
    parts: list[Any] = [Text(headline(result), style=style)]
    several = len({finding.where for finding in result.findings} | {array.where for array in result.arrays}) > 1
    for finding in result.findings:
        if not finding.follows:
            parts += [Text(""), _finding(finding, several, following(result, finding))]
    passed = [array for array in result.arrays if array.passed]
    if passed:
        parts += [Text(""), _arrays(passed, several)]
    if result.arrays:
        parts += [Text(""), Text(how(result), style=STYLES["faint"])]
    return Group(*parts)


def headline(result: CheckResult) -> str:
    """One line that says whether all is right, or how many things are wrong."""
    if not result.arrays and not result.findings:
        return f"{result.subject}: nothing was compared."
    wrong = len(result.causes)
    if wrong:
        return f"{result.subject}: {wrong} thing{'s are' if wrong > 1 else ' is'} wrong."
    parts = []
    if result.arrays or not result.declared:
        parts.append(f"{_gradients(len(result.arrays))} right" if result.arrays else "nothing was compared")
    if result.declared:
        parts.append(f"{_gradients(len(result.declared))} declared on purpose and not judged")
    more = len([finding for finding in result.findings if finding.kind != "on_purpose"])
    parts += [f"{more} thing{'s' if more > 1 else ''} to know"] if more else []
    return f"{result.subject}: {', '.join(parts)}."


def _gradients(count: int) -> str:
    return f"{count} gradient{'s are' if count > 1 else ' is'}"


def how(result: CheckResult) -> str:
    """One sentence on how the numbers were compared."""
    return (
        f"Compared in float64: |received - expected| <= {tolerance(result.rtol)} · the larger + "
        f"{tolerance(result.atol)} · the array's largest; random upstream gradients, seed {result.seed}; "
        f"{result.seconds:.2f} s."
    )


def following(result: CheckResult, cause: Finding) -> str:
    """One sentence on what else a cause explains; empty where there is nothing."""
    after = [f for f in result.errors if f.follows and cause.severity == "error"]
    same = [f for f in after if f.follows == cause.array and f.where == cause.where]
    names = list(dict.fromkeys(f.array or f.kind for f in same if (f.array or f.kind) != cause.array))
    if not names:
        return ""
    one = len(names) == 1
    return f"{', '.join(names)} {'is' if one else 'are'} wrong for the same reason, and right with it."


def _finding(finding: Finding, several: bool, also: str = "") -> Any:
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    sign, style = _SIGNS[finding.severity]
    where = f"{finding.where}: " if several else ""
    head = Table.grid(padding=(0, 1))
    head.add_column(no_wrap=True)
    head.add_column()
    head.add_row(Text(sign, style=style), Text(where + finding.says))
    parts: list[Any] = [head]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style=STYLES["faint"])
    table.add_column()
    for position, diagnosis in enumerate(finding.diagnoses):
        if diagnosis.says != finding.says:
            table.add_row(
                "what it is" if not position else "or",
                Text(diagnosis.says, style=STYLES["title"] if not position else ""),
            )
        if diagnosis.evidence and not position:
            table.add_row("evidence", Text(diagnosis.evidence))
        if diagnosis.write and not position:
            table.add_row("write", Text(diagnosis.change, style=STYLES["code"]))
    if also:
        table.add_row("also", Text(also))
    if len(finding.samples) > 1:
        table.add_row("the worst", Text(_samples(finding)))
    if table.row_count:
        parts.append(Padding(table, (0, 0, 0, 2)))
    if finding.grid is not None and finding.checked > 1:
        parts.append(Padding(_grid(finding.grid), (0, 0, 0, 2)))
    return Group(*parts)


def _samples(finding: Finding) -> str:
    return "\n".join(
        f"{list(s.index)}: received {number(s.received)}, expected {number(s.expected)}" for s in finding.samples[:3]
    )


def _grid(grid: Grid) -> Any:
    from rich.text import Text

    text = Text()
    for row in grid.cells:
        for cell in row:
            sign, style = _CELLS[cell]
            text.append(f"{sign} ", style=style)
        text.append("…\n" if grid.more_columns else "\n")
    if grid.more_rows:
        text.append(f"… {grid.more_rows} more rows\n", style=STYLES["faint"])
    shown = {cell for row in grid.cells for cell in row}
    legend = [f"{_CELLS[name][0]} {name}" for name in ("wrong", "right", "kink") if name in shown]
    legend += ["blank: not checked"] if "not checked" in shown else []
    text.append("   ".join(legend), style=STYLES["faint"])
    return text


def _arrays(arrays: list[Checked], several: bool) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column()
    for item in arrays:
        name = f"{item.where}  {item.array}" if several else item.array
        table.add_row(Text("✓", style=STYLES["good"]), Text(name), Text(str(item.shape)), Text(compared(item)))
    return table


def compared(item: Checked) -> str:
    """How many entries of an array were compared, how, and the largest error."""
    whole = item.entries == item.size
    entries = f"all {item.size}" if whole or item.projections else f"{item.entries} of {item.size}"
    directions = f" along {item.projections} random directions" if item.projections else ""
    directions = f" one by one and{directions}" if whole and directions else directions
    settings = f" in {item.settings} settings" if item.settings > 1 else ""
    settings = settings if whole else f"{settings}, {item.entries} one by one"
    kinks = f", {item.kinks} on a kink" if item.kinks else ""
    worst = tolerance(float(f"{item.worst:.0e}"))
    return f"{entries} entries{directions}{settings}, {item.method}, largest error {worst}{kinks}"
