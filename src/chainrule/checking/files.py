"""Checking a Python file: what in it has a backward pass, and the checks of all of that."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError, UnknownNameError
from .checker import check, require_known
from .report import Report
from .subjects import checkable

__all__ = ["check_file", "found_in", "load"]


def check_file(path: str | Path, name: str | None = None, **options: Any) -> Iterator[tuple[str, Report | str]]:
    """Check what a file holds, or one thing in it by name: pairs of (name, report or why it cannot be checked).

    Raises `ConfigurationError` where the file cannot be read or run, or holds nothing with a backward pass.
    """
    require_known(**{key: options[key] for key in ("reduction", "at_kinks", "only") if key in options})
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
        try:
            yield found, check(item, **options)
        except ConfigurationError as error:
            yield found, str(error)


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
        if isinstance(value, type) and not foreign and not inspect.isabstract(value) and checkable(value):
            found[name] = value
        elif inspect.isfunction(value) and name.endswith("forward"):
            partner = names.get(name.removesuffix("forward") + "backward")
            if inspect.isfunction(partner):
                found[name.removesuffix("forward").strip("_") or "forward and backward"] = (value, partner)
    return found
