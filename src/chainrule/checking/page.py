"""What a check found as HTML."""

from __future__ import annotations

from ..display import Html, article, folded, fragment, joined, page, scrolled, table, tag
from .findings import Checked, CheckResult, Diagnosis, Finding, Grid, number
from .render import compared, following, headline, how

__all__ = ["as_fragment", "as_page"]

_MANY = 8  # gradients that are right: beyond, their table is folded where something else is wrong


def as_page(*results: CheckResult) -> str:
    """A whole page of the checks of one object or several."""
    wrong = sum(bool(result.errors) for result in results)
    title = headline(results[0]) if len(results) == 1 else f"{len(results)} checks, {wrong} with something wrong"
    return page(title, *map(_article, results))


def as_fragment(result: CheckResult) -> str:
    """A check as a part of a page, for notebooks."""
    return fragment(_article(result))


def _article(result: CheckResult) -> Html:
    tone = "bad" if result.errors else "good" if result.arrays else None
    return article(
        tag("h1", headline(result), cls=tone),
        *(_finding(finding, following(result, finding)) for finding in result.findings if not finding.follows),
        _arrays(result),
        tag("p", how(result), cls="soft") if result.arrays else "",
    )


def _finding(finding: Finding, also: str) -> Html:
    parts = [tag("p", f"{finding.where}: {finding.says}")]
    for position, diagnosis in enumerate(finding.diagnoses):
        parts += _diagnosis(diagnosis, not position, finding.says)
    parts += [tag("p", also)] if also else []
    if finding.grid is not None and finding.checked > 1:
        parts += _grid(finding.grid)
    return tag("div", *parts, cls=f"finding {finding.severity}")


def _diagnosis(diagnosis: Diagnosis, first: bool, said: str) -> list[Html]:
    parts = []
    if diagnosis.says != said:
        parts.append(tag("p", "" if first else "or: ", diagnosis.says, cls="strong" if first else "soft"))
    if first and diagnosis.evidence:
        parts.append(tag("p", diagnosis.evidence, cls="soft"))
    if first and diagnosis.write:
        parts.append(tag("pre", diagnosis.change))
    return parts


def _grid(grid: Grid) -> list[Html]:
    more = [tag("td", "…")] if grid.more_columns else []
    rows = [
        tag("tr", *map(_cell, cells, wanted, got), *more)
        for cells, wanted, got in zip(grid.cells, grid.expected, grid.received, strict=True)
    ]
    if grid.more_rows:
        rows.append(tag("tr", tag("td", f"… {grid.more_rows} more rows", colspan=len(grid.cells[0]) + len(more))))
    says = "Received; where it is wrong, struck through, and the expected number under it."
    return [scrolled(tag("table", tag("tbody", *rows), cls="grid")), tag("p", says, cls="soft")]


def _cell(state: str, wanted: float | None, got: float | None) -> Html:
    if got is None or wanted is None:
        return tag("td", title="not checked")
    shown = joined([tag("s", f"{got:.4g}"), tag("br"), f"{wanted:.4g}"]) if state == "wrong" else f"{got:.4g}"
    return tag("td", shown, cls=state, title=f"{state}: received {number(got)}, expected {number(wanted)}")


def _arrays(result: CheckResult) -> Html:
    if not result.arrays:
        return Html()
    shown = table(("", "gradient", "shape", "compared"), map(_row, result.arrays))
    if result.findings and len(result.arrays) > _MANY:
        right = sum(array.passed for array in result.arrays)
        return folded(f"{right} of {len(result.arrays)} gradients are right", shown)
    return shown


def _row(array: Checked) -> tuple[object, ...]:
    mark = tag("span", "✓", cls="good") if array.passed else tag("span", "✗", cls="bad")
    return mark, f"{array.where}: {array.array}", array.shape, compared(array)
