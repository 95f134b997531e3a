"""Other values for the settings that have a default: a wrong crop does not show where the padding is always 0."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .names import TRAINING
from .objects import arrays_of

__all__ = ["counts_in", "defaults_in", "remade", "said", "variations_of"]

_SIZES, _LOST = 6, 2  # sizes that are tried for arguments of a constructor, and how many of these
_MOST = 6  # settings that are tried beside the defaults
_COUNTS = re.compile(r"(?i)^(stride|pad(ding)?|dilation|n_?heads?|num_heads?|(n_|num_)?groups?)s?(_?[hwxy])?$")
_AXES = re.compile(r"(?i)^(axis|dim)$")
_IGNORED = re.compile(
    r"(?i)^(ignore_?(index|label|id|class|value)|(pad(ding)?|blank)_?(idx|index|id|token(_id)?|label))$"
)
_SMALL = re.compile(r"(?i)^(eps(ilon)?|small|stabili[sz]er)$")
_FACTORS = re.compile(
    r"(?i)^((negative_)?slope|alpha|beta|gamma|temp(erature)?|tau|t|delta|margin|(label_)?smoothing|scale|threshold|"
    r"leak(iness|y)?|(leaky_)?alpha|sharpness|cutoff|focusing|lam(bda)?_?)$"
)
_STRENGTHS = re.compile(r"^(weight|bias)_regularizer_l[12]$")  # of the book's penalties, all of which are tried at once
_FLAGS = re.compile(
    r"(?i)bias$|^affine$|_affine$|causal|masked|scaled?$|averaged?$|normalized?$|exact|approximate|from_logits|"
    r"return_seq|ceil_mode|count_include_pad|residual|channels_(first|last)|transposed?$|peephole|shifted|centered"
)
_WORDS = re.compile(
    r"(?i)^(mode|kind|type|method|reduction|activation|nonlinearity|act|pad(ding)?(_mode)?|pool(ing)?(_?(type|mode))?|"
    r"layout|data_format|norm|variant|reduce|loss(_type)?|gate_activation|approximate)$"
)
_NO_WORDS = ("none", "", "he", "xavier", "glorot", "train", "test", "eval", "training")


def variations_of(function: Callable[..., Any], source: str) -> Iterator[dict[str, Any]]:
    """Values that differ from the defaults of a function or a constructor, one setting after the other.

    >>> def pool(x, size, stride=2, pad=0): ...
    >>> list(variations_of(pool, ""))
    [{'stride': 1}, {'pad': 1}, {'stride': 1, 'pad': 1}]
    """
    defaults = defaults_in(function)
    singles = [{n: new} for n, default in defaults.items() for new in _others(n, default, source)][:_MOST]
    yield from singles
    unused = [name for name, default in defaults.items() if _STRENGTHS.match(name) and not default]
    if unused:
        yield dict(zip(unused, (0.37, 0.23, 0.43, 0.29), strict=False))  # of which none is a simple multiple
    together = {n: v for each in singles for n, v in each.items() if type(v) is int and not _AXES.match(n)}
    if len(together) > 1:
        yield together


def counts_in(fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that were guessed, with 2 for each stride, or number of heads or groups, that was taken to be 1.

    >>> counts_in({"conv_param": {"stride": 1, "pad": 1}, "pad": 0})
    {'conv_param': {'stride': 2, 'pad': 1}}
    """
    found: dict[str, Any] = {}
    for name, value in fixed.items():
        if isinstance(value, dict) and not any(isinstance(each, np.ndarray) for each in value.values()):
            other = {key: _two(key, each) for key, each in value.items()}
            found |= {name: other} if other != value else {}
        elif type(value) is int and _two(name, value) != value:
            found[name] = 2
    return found


def _two(name: str, value: Any) -> Any:
    one = type(value) is int and value == 1 and _COUNTS.match(str(name)) and not name.lower().startswith("pad")
    return 2 if one else value


def defaults_in(function: Callable[..., Any]) -> dict[str, Any]:
    """The arguments of a function, or of a constructor, that have a default."""
    try:
        known = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {p.name: p.default for p in known if p.default is not p.empty and p.name.lower() not in TRAINING}


def _others(name: str, default: Any, source: str) -> list[Any]:
    """Other values that a setting may have, by its name and its default."""
    if _IGNORED.match(name) and not isinstance(default, bool) and (default is None or type(default) is int):
        return [1 if default != 1 else 0]  # a class that occurs among the targets
    if isinstance(default, bool):
        return [not default] if _FLAGS.search(name) else []
    if isinstance(default, str):
        return [word for word in _compared(source, name) if word != default] if _WORDS.match(name) else []
    if isinstance(default, tuple) and default and all(type(each) is int for each in default):
        return [tuple(_count(name, each) for each in default)] if _COUNTS.match(name) else []
    if type(default) is int and _COUNTS.match(name):
        return [_count(name, default)]
    if type(default) is int and _AXES.match(name):
        return [0 if default else 1]
    if isinstance(default, float) and _SMALL.match(name) and default < 0.01:
        return [0.02]
    numbers = isinstance(default, float) or (type(default) is int and _FACTORS.match(name) and not _AXES.match(name))
    return [round(1.5 * float(default) + 0.1, 3)] if numbers and _FACTORS.match(name) else []


def _count(name: str, default: int) -> int:
    return 1 - default if name.lower().startswith("pad") and default < 2 else 2 if default == 1 else 1


def _compared(source: str, name: str) -> list[str]:
    """The words that a source compares an argument, or an attribute of that name, with."""
    found: list[str] = []
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and name in (getattr(node.left, "id", ""), getattr(node.left, "attr", "")):
            words = [e.value for e in ast.walk(node.comparators[0]) if isinstance(e, ast.Constant)]
            found += [w for w in words if isinstance(w, str) and w.lower() not in _NO_WORDS]
    return list(dict.fromkeys(found))


def remade(item: Any, changed: dict[str, Any]) -> Any:
    """An object like one that is there, with other settings; None where its constructor's arguments are not known.

    What it keeps under no name of its own is found by trial: arrays of the same shapes must come of it.
    """
    kind = type(item)
    shapes = [array.shape for _, array in arrays_of(item)]
    sizes = list(dict.fromkeys(size for shape in shapes for size in shape))[:_SIZES]
    try:
        known = inspect.signature(kind).parameters.values()
        held = {p.name: _held(item, p.name, p.default) for p in known if p.kind is p.POSITIONAL_OR_KEYWORD}
        lost = [name for name, value in held.items() if value is inspect.Parameter.empty]
        for values in itertools.product(sizes, repeat=len(lost)) if len(lost) <= _LOST else ():
            found = {**held, **dict(zip(lost, values, strict=True))}
            if not lost or [array.shape for _, array in arrays_of(kind(**found))] == shapes:
                return kind(**{**found, **changed})
    except Exception:  # the code is not ours: anything may come
        return None
    return None


def _held(item: Any, name: str, default: Any) -> Any:
    """The argument of that name, which the object keeps under its name, with an underscore or not."""
    return getattr(item, name, getattr(item, f"_{name}", default))


def said(changed: dict[str, Any]) -> str:
    """The settings as a title names them."""
    return ", ".join(f"{name}={value!r}" for name, value in changed.items())
