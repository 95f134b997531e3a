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
from ..checking.submissions import Limits, SubmissionResult, as_csv, check_folder, isolation
from ..display.terminal import terminal
from ..errors import ConfigurationError
from ..files import write_atomically
from . import grades
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
) -> int:
    """Check a file, a class in a file, or a folder; returns the exit code."""
    path, _, name = target.partition(":") if not Path(target).exists() else (target, "", "")
    options = {key: value for key, value in settings.items() if value is not None}
    if not math.isfinite(options.get("rtol", 0)):
        raise ConfigurationError(f"--rtol must be finite, not {options['rtol']}: with it every gradient would pass.")
    if inputs is not None:
        options["inputs"] = _shape(inputs)
    if arguments is not None:
        options["arguments"] = _arguments(arguments)
    if Path(path).is_dir():
        if html is not None:
            raise ConfigurationError("--html is for a file; for a folder there are --csv and --json.")
        return _folder(path, limits, options, json, csv)
    if csv:
        raise ConfigurationError("--csv is for a folder; for a file there is --json.")
    return _file(path, name or None, options, json, html)


def _file(path: str, name: str | None, options: dict[str, Any], json: bool, html: Path | None) -> int:
    console = terminal()
    results_of: list[str] = []
    answers: list[dict[str, Any]] = []
    reports: list[Report] = []
    quiet = contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext()  # the file may print
    with quiet:
        for found, report in check_file(path, name, **options):
            if isinstance(report, str):
                results_of.append("not checked")
                answers.append({"name": found, "passed": False, "error": report})
                if not json:
                    say(console, f"? {report}\n")
                continue
            results_of.append("right" if report.passed else "wrong")
            answers.append({"name": found, **report.to_json()})
            reports.append(report)
            if not json:
                _show(console, report)
    if json:
        print(jsons.dumps(answers))
    if html is not None:
        write_atomically(html, as_page(*reports).encode())
        if not json:
            say(console, f"Saved {html}")
    return grades.exit_code(results_of)


def _show(console: Any, report: Report) -> None:
    """Print a report; where no terminal reads it, without the blanks that fill its lines."""
    with console.capture() as shown:
        console.print(report)
        console.print()
    text = shown.get()
    text = text if console.is_terminal else "".join(f"{line.rstrip()}\n" for line in text.splitlines())
    console.file.write(text)


def _folder(path: str, limits: Limits, options: dict[str, Any], json: bool, csv: bool) -> int:
    """Show each result when it is there, and the sums at the end, also after Ctrl-C."""
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    shown = terminal()
    aside = shown if shown.is_terminal and not json and not csv else terminal(stderr=True)
    results = check_folder(path, limits, **options)
    say(terminal(stderr=True), isolation().says)
    rows: list[SubmissionResult] = []
    interrupted = False
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=aside, transient=True, disable=not aside.is_terminal) as progress:
        bar = progress.add_task("checking", total=None)
        try:
            for row in results:
                rows.append(row)
                progress.update(bar, description=f"{len(rows)} checked, the last {row.file}")
                if csv:
                    print(as_csv([row], header=len(rows) == 1), end="", flush=True)
                elif not json:
                    for line in grades.lines(row, shown.width):
                        shown.print(line, soft_wrap=True)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            results.close()
    if json:
        print(jsons.dumps([vars(row) for row in rows]))
    elif not csv:
        shown.print(grades.summary(rows), soft_wrap=True)
    if interrupted:
        say(terminal(stderr=True), "Stopped before the end: what is not listed was not checked.")
    return 130 if interrupted else grades.exit_code(row.result for row in rows)


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
