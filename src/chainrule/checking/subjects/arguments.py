"""The arguments that a function or a method is handed: which they are, and those that were given."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import ConfigurationError
from .base import is_shape
from .names import TARGETS, TRAINING, is_gradient_name, role_of, same_stem
from .plans import Passes
from .signatures import parameters_of, required_of, returned_names, source_of
from .sources import indexes_with

__all__ = ["SEED", "arguments_of", "given_in", "settings_of_both"]

SEED = 1
_KEEPS = re.compile(r"(?i)cache|save|store|keep|retain|remember|grad")  # a switch without which backward has nothing


def arguments_of(call: Passes) -> tuple[tuple[str, ...], str, str, frozenset[str]]:
    """The arguments that the value is handed, its target, its switch, and those that go by name."""
    known = parameters_of(call.of(call.value, call.item))
    required = [name for name, default in known.items() if default is inspect.Parameter.empty]
    training = next((name for name in known if name.lower() in TRAINING), "") or next(
        (name for name, default in known.items() if default is False and _KEEPS.search(name)), ""
    )
    target = next((name for name in required if name.lower() in TARGETS), "")
    if not target and call.gradient is None:
        text = source_of(call.of(call.value, call.item))
        classes = [name for name in required if role_of(name) == "input" and indexes_with(text, name)]
        target = classes[0] if len(classes) == 1 else ""
    also = {training} - {""}
    if not target and (call.gradient is None or (len(required) == 1 and call.value != "forward")):
        text = "" if call.gradient is not None else source_of(call.of(call.value, call.item))
        without = [name for name, d in known.items() if d is None]  # without targets a loss gives the scores alone
        target = next((n for n in without if n.lower() in TARGETS or re.search(rf"\bif {n} is None\b", text)), "")
        also |= {target} - {""}
    if target and call.gradient is not None and (required == [target] or _has_gradient(call, required, target)):
        target = ""  # y is the only argument, or has a gradient as well: it is an input
    names = tuple(name for name in known if name in required or name in also)
    return names, target, training, frozenset(name for name in names if name not in required)


def _has_gradient(call: Passes, required: list[str], target: str) -> bool:
    """Whether the backward pass gives an argument named like targets a gradient: by name, or one for each argument."""
    backward = call.of(call.gradient, call.item)
    returned = returned_names(backward)
    each = len(returned) == len([name for name in required if name != "ctx"]) > 1 and "None" not in source_of(backward)
    return any(is_gradient_name(n) and same_stem(n, target) for n in returned) or (each and not any(returned))


def settings_of_both(call: Passes) -> list[tuple[str, Any]]:
    """The settings that forward has by default and backward must be handed."""
    if call.gradient is None:
        return []
    wanted = required_of(call.of(call.gradient, call.item))
    defaults = parameters_of(call.of(call.value, call.item)).items()
    return [(n, d) for n, d in defaults if n in wanted and isinstance(d, int | float | str | tuple)]


def given_in(call: Passes, inputs: Any, arrays: list[str]) -> tuple[dict[str, Any], bool]:
    """The arguments that were passed, by name; and whether they go in as one tuple."""
    if inputs is None or is_shape(inputs):
        made = {} if inputs is None or not arrays else {arrays[0]: np.random.default_rng(SEED).normal(size=inputs)}
        return made, False
    if isinstance(inputs, Mapping):
        known = parameters_of(call.of(call.value, call.item))
        strange = [name for name in inputs if name not in known]
        if strange or not inputs:
            raise ConfigurationError(
                f"check: {call.title} takes {', '.join(known)}, not {', '.join(map(repr, strange)) or 'an empty dict'}."
            )
        return {name: _as_argument(value) for name, value in inputs.items()}, False
    several = isinstance(inputs, tuple | list) and len(inputs) > 0 and not np.isscalar(inputs[0])
    if several and isinstance(inputs[0], np.ndarray) and len(arrays) == 1 and not call.functions:
        return {f"inputs[{i}]": np.array(each, dtype=np.float64) for i, each in enumerate(inputs)}, True
    if isinstance(inputs, tuple | list) and len(arrays) > 1 and several:
        return dict(zip(arrays, (_as_argument(each) for each in inputs), strict=False)), False
    array = np.array(inputs) if not hasattr(inputs, "numpy") else inputs.numpy()
    if array.dtype.kind not in "fiub":
        raise ConfigurationError(f"check: inputs must be an array of numbers, not {inputs!r:.60}.")
    return {arrays[0]: array.astype(np.float64) if isinstance(inputs, list) else _as_argument(array)}, False


def _as_argument(value: Any) -> Any:
    """An array of floats in float64; lists of numbers as arrays; anything else as it is."""
    if isinstance(value, list):
        value = np.array(value)
    return value.astype(np.float64) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value
