"""A report as HTML: readable without a script, without the network, in light and in dark."""

from __future__ import annotations

from html import escape

from .render import compared, headline, how
from .report import Checked, Diagnosis, Finding, Grid, Report, number

__all__ = ["as_fragment", "as_page"]

_STYLE = """
.cr-report { --ink: #1c1e21; --faint: #6a6f76; --line: #dcdfe3; --bad: #b3261e; --good: #1a7f4b; --warn: #8a5a00;
  --badfill: #f6cfcb; --goodfill: #d8efe2; --kinkfill: #f5e3b5; --code: #f2f4f7;
  font: 16px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 56rem;
  margin: 0 0 2.5rem; }
@media (prefers-color-scheme: dark) { .cr-report { --ink: #e6e8eb; --faint: #9aa1a9; --line: #3a3f45; --bad: #ff8a80;
  --good: #6fd3a0; --warn: #e5b567; --badfill: #6b2420; --goodfill: #1e4632; --kinkfill: #5a4a1c; --code: #26292d; } }
.cr-report h2 { font-size: 1.25rem; margin: 0 0 1rem; }
.cr-report .cr-finding { border-left: 4px solid var(--bad); padding: 0 0 0 1rem; margin: 1.25rem 0; }
.cr-report .cr-warning { border-color: var(--warn); } .cr-report .cr-note { border-color: var(--line); }
.cr-report p { margin: .3rem 0; } .cr-report .cr-is { font-weight: 600; }
.cr-report .cr-faint { color: var(--faint); font-size: .875rem; }
.cr-report pre { background: var(--code); padding: .5rem .75rem; border-radius: 4px; overflow-x: auto; margin: .5rem 0;
  font: .875rem/1.5 ui-monospace, monospace; }
.cr-report .cr-grid { border-collapse: separate; border-spacing: 2px; margin: .6rem 0; display: block;
  overflow-x: auto; }
.cr-report .cr-grid td { font: .75rem ui-monospace, monospace; padding: .2rem .4rem; text-align: right;
  border-radius: 3px; background: var(--goodfill); white-space: nowrap; }
.cr-report .cr-grid td.cr-wrong { background: var(--badfill); outline: 1px solid var(--bad); }
.cr-report .cr-grid td.cr-kink { background: var(--kinkfill); } .cr-report .cr-grid td.cr-not { background: none; }
.cr-report .cr-grid s { color: var(--faint); text-decoration: line-through; }
.cr-report .cr-arrays { border-collapse: collapse; width: 100%; font-size: .875rem; }
.cr-report .cr-arrays td, .cr-report .cr-arrays th { padding: .25rem .75rem .25rem 0; text-align: left;
  vertical-align: top; border-bottom: 1px solid var(--line); }
.cr-report .cr-good { color: var(--good); } .cr-report .cr-bad { color: var(--bad); }
"""


def as_page(*reports: Report) -> str:
    """A whole HTML page of one report or several."""
    title = "; ".join(headline(report) for report in reports)
    body = "".join(as_fragment(report) for report in reports)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>body {{ margin: 2rem auto; padding: 0 1rem; "
        f"max-width: 56rem; }}</style></head><body>{body}</body></html>"
    )


def as_fragment(report: Report) -> str:
    """The report as a part of a page, for notebooks."""
    tone = "cr-bad" if report.errors else "cr-good"
    findings = "".join(_finding(finding) for finding in report.findings)
    arrays = "".join(_array(array) for array in report.arrays)
    table = (
        f'<table class="cr-arrays"><tr><th></th><th>gradient</th><th>shape</th><th>compared</th></tr>{arrays}</table>'
        if arrays
        else ""
    )
    return (
        f'<div class="cr-report"><style>{_STYLE}</style><h2 class="{tone}">{escape(headline(report))}</h2>'
        f'{findings}{table}<p class="cr-faint">{escape(how(report))}</p></div>'
    )


def _finding(finding: Finding) -> str:
    parts = [f"<p>{escape(finding.where)}: {escape(finding.says)}</p>"]
    for position, diagnosis in enumerate(finding.diagnoses):
        parts.append(_diagnosis(diagnosis, first=not position, said=finding.says))
    if finding.grid is not None and finding.checked > 1:
        parts.append(_grid(finding.grid))
    tone = "" if finding.severity == "error" else f" cr-{finding.severity}"
    return f'<div class="cr-finding{tone}">{"".join(parts)}</div>'


def _diagnosis(diagnosis: Diagnosis, first: bool, said: str) -> str:
    text = ""
    if diagnosis.says != said:
        text += f'<p class="{"cr-is" if first else "cr-faint"}">{"" if first else "or: "}{escape(diagnosis.says)}</p>'
    if first and diagnosis.evidence:
        text += f'<p class="cr-faint">{escape(diagnosis.evidence)}</p>'
    if first and diagnosis.write:
        text += f"<pre>{escape(diagnosis.write)}</pre>"
    return text


def _grid(grid: Grid) -> str:
    rows = []
    for cells, wanted, got in zip(grid.cells, grid.expected, grid.received, strict=True):
        row = "".join(_cell(*entry) for entry in zip(cells, wanted, got, strict=True))
        rows.append(f"<tr>{row}{'<td class=cr-not>…</td>' if grid.more_columns else ''}</tr>")
    if grid.more_rows:
        rows.append(f'<tr><td class="cr-not">… {grid.more_rows} more rows</td></tr>')
    return (
        f'<table class="cr-grid">{"".join(rows)}</table>'
        '<p class="cr-faint">Received; where it is wrong, struck through, and the expected number under it.</p>'
    )


def _cell(state: str, wanted: float | None, got: float | None) -> str:
    if got is None or wanted is None:
        return '<td class="cr-not" title="not checked"></td>'
    title = f"{state}: received {number(got)}, expected {number(wanted)}"
    kind = {"wrong": "cr-wrong", "kink": "cr-kink"}.get(state, "")
    text = f"<s>{got:.4g}</s><br>{wanted:.4g}" if state == "wrong" else f"{got:.4g}"
    return f'<td class="{kind}" title="{escape(title)}">{text}</td>'


def _array(array: Checked) -> str:
    sign = '<span class="cr-good">✓</span>' if array.passed else '<span class="cr-bad">✗</span>'
    cells = (f"{array.where}: {array.array}", str(array.shape), compared(array))
    return f"<tr><td>{sign}</td>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
