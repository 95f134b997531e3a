"""Checking a Python file: what in it has a backward pass, and the checks of all of that."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError, UnknownNameError
from .checker import check, require_known
from .report import Report
from .subjects import checkable

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
    items = found_in(load(path))
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
        yield found, functools.partial(_checked, item, items, options)


def _checked(item: Any, items: dict[str, Any], options: dict[str, Any]) -> Report | str | None:
    if isinstance(item, str):
        return item
    try:
        return check(item, **options)
    except ConfigurationError as error:
        others = [other for other in items.values() if isinstance(other, type) and other is not item]
        filled_in = isinstance(item, type) and any(issubclass(other, item) for other in others)
        return None if filled_in or "NotImplementedError" in str(error) else str(error)


def load(path: str | Path) -> dict[str, Any]:
    """Run a Python file as a module of its own and return its names. Raises `ConfigurationError` where it fails."""
    place = Path(path)
    if not place.is_file():
        raise ConfigurationError(f"{path} is no file; write chainrule check FILE.py, or FILE.py:Class.")
    name = f"checked_{re.sub(r'[^0-9A-Za-z_]', '_', place.stem)}"
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is no Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(place.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a file that is not ours: anything may come, sys.exit() too
        raise ConfigurationError(
            f"{path} does not run: {_where(error, place)}{type(error).__name__}: {error}"
        ) from None
    finally:
        sys.path.pop(0)
    return {found: value for found, value in vars(module).items() if not found.startswith("__")}


def _where(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"line {error.lineno}: "
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return f"line {lines[-1]}: " if lines else ""


def found_in(names: dict[str, Any]) -> dict[str, Any]:
    """What can be checked among a module's names: classes made there, objects of theirs, pairs of functions.

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
        if isinstance(value, type) and not foreign and not inspect.isabstract(value):
            if checkable(value):
                found[name] = value
            elif callable(getattr(value, "forward", None)) and callable(getattr(value, "backward", None)):
                found[name] = _refused(value)
        elif inspect.isfunction(value) and not foreign:
            partner = next((names[p] for p in _partners(name) if inspect.isfunction(names.get(p))), None)
            if partner is not None:
                found[re.sub(r"_?forward_?", "", name) or "forward and backward"] = (value, partner)
    return found


def _partners(name: str) -> Iterator[str]:
    """What the backward function of a forward function may be called."""
    if "backward" in name:
        return
    if "forward" in name:
        yield name.replace("forward", "backward")
    yield f"{name}_backward"
    yield f"backward_{name}"


def _refused(kind: type) -> str:
    forward, backward = (f"{m}{inspect.signature(getattr(kind, m))}" for m in ("forward", "backward"))
    return (
        f"{kind.__name__} has {forward} and {backward}, which do not fit each other: write forward(self, inputs) and "
        "backward(self, dvalues), or for a loss forward(self, y_pred, y_true) and backward(self, dvalues, y_true)."
    )
