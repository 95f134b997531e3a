"""Checking a Python file: what in it has a backward pass, and the checks of all of that."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import ChainruleError, ConfigurationError, UnknownNameError
from .checker import check, require_known
from .definitions import load
from .findings import Diagnosis, Finding
from .measuring.bench import own_limit
from .report import Report
from .subjects import checkable
from .subjects.calls import pairs_in
from .subjects.tape import operations_of

__all__ = ["check_file", "checks_of", "found_in", "load"]


def check_file(path: str | Path, name: str | None = None, **options: Any) -> Iterator[tuple[str, Report | str]]:
    """Check what a file holds, or one thing in it by name: pairs of (name, report or why it cannot be checked).

    Raises `ConfigurationError` where the file cannot be read or run, or holds nothing with a backward pass.
    """
    require_known(**{key: options[key] for key in ("reduction", "at_kinks", "only") if key in options})
    for found, run in checks_of(path, name, **options):
        report = run()
        if report is not None:
            yield found, report


def checks_of(
    path: str | Path, name: str | None = None, **options: Any
) -> Iterator[tuple[str, Callable[[], Report | str | None]]]:
    """The checks of a file, not run yet: (name, what runs it); None comes of a base class that others fill in."""
    names = load(path)
    items = found_in(names)
    if name is not None:
        if name not in items:
            raise UnknownNameError(f"class or pair of functions in {path}", name, items)
        items = {name: items[name]}
    if not items:
        raise ConfigurationError(
            f"{path} holds nothing that can be checked: a class needs forward and backward, functions come in pairs "
            "such as relu_forward and relu_backward."
        )
    for found, item in items.items():
        yield found, functools.partial(_checked, item, items, options, names.note)


def _checked(item: Any, items: dict[str, Any], options: dict[str, Any], note: str) -> Report | str | None:
    try:
        return _noted(_fitting(item, len(items) == 1, options), note)
    except ConfigurationError as error:
        others = [other for other in items.values() if isinstance(other, type) and other is not item]
        filled_in = isinstance(item, type) and any(issubclass(other, item) for other in others)
        says = f"{error} {note}".strip()
        unfinished = "NotImplementedError" in str(error) and len(items) > 1
        return None if filled_in or unfinished else says
    except ChainruleError:
        raise
    except Exception as error:  # the other things in the file are checked all the same
        return own_limit(error, getattr(item, "__name__", None) or type(item).__name__)


def _fitting(item: Any, alone: bool, options: dict[str, Any]) -> Report:
    """The check with the options; of several things in a file, those that inputs or arguments do not fit do without."""
    try:
        return check(item, **options)
    except ConfigurationError:
        rest = {key: value for key, value in options.items() if key not in ("arguments", "inputs")}
        if alone or rest == options:
            raise
        return check(item, **rest)


def _noted(report: Report, note: str) -> Report:
    if not note:
        return report
    finding = Finding("file", "note", report.subject, "", note, diagnoses=(Diagnosis("stand_in", note, ""),))
    return replace(report, findings=(*report.findings, finding))


def found_in(names: dict[str, Any]) -> dict[str, Any]:
    """What can be checked among a module's names: classes made there, pairs of functions, losses with their gradients.

    >>> def relu_forward(x): return x
    >>> def relu_backward(dvalues, x): return dvalues
    >>> list(found_in({"relu_forward": relu_forward, "relu_backward": relu_backward, "other": len}))
    ['relu']
    """
    modules = {getattr(value, "__module__", None) for value in names.values() if inspect.isfunction(value)}
    modules |= {value.__module__ for value in names.values() if isinstance(value, type)}
    own = {module for module in modules if module is not None and str(module).startswith(("checked_", "__main__"))}
    found: dict[str, Any] = {}
    for name, value in names.items():
        foreign = own and getattr(value, "__module__", None) not in own
        if isinstance(value, type) and not foreign and not inspect.isabstract(value) and checkable(value):
            found[name] = value
        elif isinstance(value, type) and not foreign:
            found |= {each.name: each for each in operations_of(value)}
    functions = {n: v for n, v in names.items() if inspect.isfunction(v) and (not own or v.__module__ in own)}
    return {**found, **dict(pairs_in(functions))}
