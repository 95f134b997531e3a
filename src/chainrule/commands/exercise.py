"""`chainrule exercise`: the list, files to fill in, grades, worksheets."""

from __future__ import annotations

import json as jsons
from pathlib import Path
from typing import Any

from ..checking.submissions import Limits, isolation
from ..display.terminal import STYLES, terminal
from ..errors import ConfigurationError
from ..exercises import EXERCISES, exercise
from ..exercises.grading import Grade, GradedOutput
from ..exercises.grading import grade as graded
from ..files import write_atomically
from . import grades
from .console import say

__all__ = ["grade", "list_exercises", "start", "worksheet"]

_SIGNS = {"right": ("✓", "good"), "wrong": ("✗", "bad"), "not checked": ("?", "warn")}


def list_exercises() -> None:
    """Print names and titles in the order in which one builds on the other."""
    console = terminal()
    width = max(map(len, EXERCISES))
    for name, each in EXERCISES.items():
        say(console, f"{name:{width}}  {each.title}")
    say(console, "\nnext: chainrule exercise start neuron")


def start(name: str, out: Path | None, force: bool) -> None:
    """Write the file to work in."""
    path = out or Path(f"{name}.py")
    text = exercise(name).text()
    _require_absent(path, force)
    write_atomically(path, text.encode())
    say(terminal(), f"Saved {path}\nnext: fill in each ..., and then chainrule exercise grade {path}")


def _require_absent(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise ConfigurationError(
            f"{path} is there already, and may hold work: take another --out, or --force to lose it."
        )


def grade(file: Path, name: str | None, hint: bool, limits: Limits, json: bool) -> int:
    """Print what is right and what is wrong, and what to think about; returns the exit code."""
    found = graded(file, exercise(name) if name else None, limits)
    code = grades.exit_code(found.results)
    if json:
        print(jsons.dumps({"exercise": found.exercise, "file": found.file, "flags": found.flags,
                           "parts": [vars(part) for part in found.parts]}))  # fmt: skip
        return code
    console = terminal()
    say(terminal(stderr=True), isolation().says)
    say(console, f"{found.file}: {exercise(found.exercise).title}")
    _show(console, found, hint)
    for flag in found.flags:
        say(console, f"! {flag}")
    if not code:
        names = list(EXERCISES)
        after = names[names.index(found.exercise) + 1 :]
        say(
            console,
            f"All right.\nnext: chainrule exercise start {after[0]}" if after else "All right. That was the last.",
        )
    return code


def _show(console: Any, found: Grade, hint: bool) -> None:
    told: set[str] = set()
    for part in found.parts:
        console.print(_line(part))
        for text in (part.says, *_hints(part, hint, told)):
            for line in grades.wrapped(text, console.width):
                console.print(line, highlight=False, markup=False)
    if told and not hint:
        say(console, "\na stronger hint: --hint")


def _line(part: GradedOutput) -> Any:
    from rich.text import Text

    sign, colour = _SIGNS[part.result]
    name = f"{part.function}: {part.output}" if part.output else part.function
    return Text.assemble((f"{sign} ", STYLES[colour]), f"{name}  ", (part.result, STYLES[colour]))


def _hints(part: GradedOutput, stronger: bool, told: set[str]) -> list[str]:
    """The hint, once for all the parts that have the same."""
    if not part.hint or part.hint in told:
        return []
    told.add(part.hint)
    return [part.hint, part.more] if stronger else [part.hint]


def worksheet(name: str, seed: int, count: int, solutions: bool, out: Path | None, force: bool) -> None:
    """Write a page of problems."""
    from ..exercises.worksheet import worksheet as drawn

    path = out or Path(f"{name}-{seed}{'-solutions' if solutions else ''}.html")
    text = drawn(exercise(name), seed, count, solutions)
    _require_absent(path, force)
    write_atomically(path, text.encode())
    say(terminal(), f"Saved {path}")
