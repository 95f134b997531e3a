"""`chainrule check`: checks the backward passes in a file or a folder of submissions."""

from __future__ import annotations

import contextlib
import json as jsons
import math
import sys
from pathlib import Path
from typing import Any

from ..checking import Report
from ..checking.files import check_file
from ..checking.page import as_page
from ..checking.submissions import Limits, SubmissionResult, as_csv, check_folder
from ..display.terminal import STYLES
from ..errors import ConfigurationError
from ..files import write_atomically
from .console import say


def check(
    target: str,
    inputs: str | None,
    arguments: str | None,
    settings: dict[str, Any],
    limits: Limits,
    json: bool,
    csv: bool,
    html: Path | None,
) -> bool:
    """Check a file, a class in a file, or a folder; returns whether everything is right."""
    path, _, name = target.partition(":") if not Path(target).exists() else (target, "", "")
    options = {key: value for key, value in settings.items() if value is not None}
    if not math.isfinite(options.get("rtol", 0)):
        raise ConfigurationError(f"--rtol must be finite, not {options['rtol']}: with it every gradient would pass.")
    if inputs is not None:
        options["inputs"] = _shape(inputs)
    if arguments is not None:
        options["arguments"] = _arguments(arguments)
    if Path(path).is_dir():
        return _folder(path, limits, options, json, csv)
    if csv:
        raise ConfigurationError("--csv is for a folder; for a file there is --json.")
    return _file(path, name or None, options, json, html)


def _file(path: str, name: str | None, options: dict[str, Any], json: bool, html: Path | None) -> bool:
    from rich.console import Console

    console = Console()
    right = True
    answers: list[dict[str, Any]] = []
    reports: list[Report] = []
    quiet = contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext()  # the file may print
    with quiet:
        results = list(check_file(path, name, **options))
    for found, report in results:
        if isinstance(report, str):
            right = False
            answers.append({"name": found, "passed": False, "error": report})
            if not json:
                say(console, f"✗ {report}\n")
            continue
        right = right and report.passed
        answers.append({"name": found, **report.to_json()})
        reports.append(report)
        if not json:
            console.print(report)
            console.print()
    if json:
        print(jsons.dumps(answers))
    if html is not None:
        write_atomically(html, as_page(*reports).encode())
        if not json:
            say(console, f"Saved {html}")
    return right


def _folder(path: str, limits: Limits, options: dict[str, Any], json: bool, csv: bool) -> bool:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    rows: list[SubmissionResult] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("checking", total=None)
        for row in check_folder(path, limits, **options):
            rows.append(row)
            progress.update(bar, description=row.file)
    if json:
        print(jsons.dumps([vars(row) for row in rows]))
    elif csv:
        print(as_csv(rows), end="")
    else:
        _table(rows)
    return all(row.result == "right" for row in rows)


def _table(rows: list[SubmissionResult]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("file", "class", "result", "what it is")
    styles = {"right": STYLES["good"], "wrong": STYLES["bad"], "not checked": STYLES["warn"]}
    for row in rows:
        what = row.mistakes if row.result != "not checked" else row.says
        table.add_row(Text(row.file), Text(row.name), Text(row.result, style=styles[row.result]), Text(what))
    console = Console()
    console.print(table)
    counts = {result: sum(row.result == result for row in rows) for result in styles}
    say(console, ", ".join(f"{count} {result}" for result, count in counts.items()))


def _shape(text: str) -> tuple[int, ...]:
    """Parse a shape such as 5x4."""
    try:
        shape = tuple(int(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        shape = (0,)
    if any(size < 1 for size in shape):
        raise ConfigurationError(f"--inputs: write samples and features, such as 5x4; not {text!r}.")
    return shape


def _arguments(text: str) -> tuple[Any, ...]:
    """Parse constructor arguments such as 4,3."""
    import ast

    try:
        return tuple(ast.literal_eval(f"[{text}]"))
    except (ValueError, SyntaxError):
        raise ConfigurationError(f"--arguments: write plain values with commas, such as 4,3; not {text!r}.") from None
