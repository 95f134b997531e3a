"""Arguments on which a function or a method runs: those given, and for the others shapes found by running it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import ConfigurationError
from .arguments import SEED, arguments_of, given_in, settings_of_both
from .calls import whole_source
from .initializers import initialized
from .names import attended, role_of
from .plans import Passes
from .runs import Draft, NoEntries, every_run, require_entries, run_once
from .sources import layered_in, role_in

__all__ = ["drafts"]


def drafts(call: Passes, inputs: Any, targets: Any) -> Iterator[Draft]:
    """Arguments on which the value runs, the likeliest first. Raises `ConfigurationError` where there are none."""
    names, target, training, keywords = arguments_of(call)
    arrays = [n for n in names if n not in (target, training, "xp", "ctx")]
    given, joined = given_in(call, inputs, arrays)
    given |= {name: word for name, word in (*call.words, *settings_of_both(call)) if name not in given}
    keywords |= {n for n in given if n not in names}
    names += tuple(n for n in given if n not in names and not joined)
    if targets is not None and not target and len(arrays) > 1:
        target = arrays[-1] if len(given) < len(arrays) else ""
    if targets is not None and target:
        given[target] = np.asarray(targets)
    made = {} if joined or inputs is not None else initialized(call.of(call.value, call.item), names)
    given |= {name: value for name, value in made.items() if name not in given}
    base = Draft(names, {}, {}, {}, target, None, 0, training, joined, keywords=keywords, meant=bool(made))
    source = whole_source(call)
    base.roles = {name: role for name in names if (role := role_in(source, name))}
    base.layered = {name: layered_in(source, name) for name in names}
    base.roles |= dict.fromkeys(attended(names), "input")
    if "a" in names and "b" in names and all(role_of(name) != "weights" for name in names):
        base.roles["b"] = "input"  # the second of two, where nothing else is a parameter
    if joined:
        base.keys = {name: name for name in given}
        base.values = given
        yield base
        return
    first: BaseException | None = None
    found = False
    for attempt in every_run(call, base, arrays, given):
        if isinstance(attempt, Draft):
            found = True
            yield attempt
        else:
            first = attempt if first is None or isinstance(attempt, NoEntries) else first
    if not found and not call.functions and len(arrays) == 1 and not given:
        rng = np.random.default_rng(SEED)  # a join takes its inputs as one tuple
        base.values = {f"inputs[{i}]": rng.normal(size=(5, 4)) for i in range(2)}
        base.keys, base.joined, found = {name: name for name in base.values}, True, True
        with contextlib.suppress(Exception, SystemExit):
            require_entries(run_once(call, base, {arrays[0]: tuple(base.values.values())}))
            yield base
            return
        found = False
    if not found:
        raise ConfigurationError(_refusal(call, arrays, given, first))


def _refusal(call: Passes, arrays: list[str], given: dict[str, Any], error: BaseException | None) -> str:
    reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}" if error else "nothing ran"
    if call.functions:
        missing = ", ".join(f"{name!r}: ..." for name in arrays if name not in given)
        how = f"check({call.title}, {{{missing}}})" if missing else "other arrays"
        return f"check: {call.title} fails on every shape tried ({reason}). Pass arrays that it takes: {how}."
    method = call.of(call.value, call.item).__name__
    if isinstance(error, NoEntries):
        return (
            f"check: {call.title}.{method} gives {error}, without entries, so that nothing can be compared. Pass "
            "larger inputs: check(layer, inputs)."
        )
    kind = call.item.__name__ if isinstance(call.item, type) else type(call.item).__name__
    return (
        f"check: {kind}.{method} fails on every input tried ({reason}). Pass inputs that it takes: "
        "check(layer, inputs)."
    )
