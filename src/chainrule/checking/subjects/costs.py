"""A forward pass and the loss beside it as one function: what a backward pass that takes the targets belongs to."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .names import TARGETS
from .sources import parameters_of, required_of, returned_names

__all__ = ["WithCost", "cost_among", "methods_of", "target_of"]

_COST = re.compile(r"(?i)(^|_)(cost|loss|objective|criterion|error|cross_?entropy|nll|mse|bce)")
_NOT_A_COST = re.compile(
    r"(?i)numeric|check|plot|train|back|grad|deriv|prime|accuracy|update|history|total|print|delta"
)


class WithCost(NamedTuple):
    """The loss of what forward gives, with all that forward returned behind it; each by its name in an object."""

    forward: str
    cost: str
    target: str

    def on(self, item: Any) -> Callable[..., Any]:
        """The function of one object: the arguments of forward, then the targets."""
        forward, cost = getattr(item, self.forward), getattr(item, self.cost)
        known = list(inspect.signature(forward).parameters.values())
        plain = [p for p in known if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty]
        names = [p.name for p in plain]
        returned = returned_names(forward)

        def loss(*arguments: Any) -> tuple[Any, ...]:
            *inputs, target = arguments
            found = forward(*inputs)
            several = found if isinstance(found, tuple | list) else (found,)
            given = {**dict(zip(names, inputs, strict=True)), **dict(zip(returned, several, strict=False))}
            return cost(*self._handed(cost, given, several, target)), *several

        loss.__name__ = self.forward
        loss.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [*plain, inspect.Parameter(self.target, inspect.Parameter.POSITIONAL_OR_KEYWORD)]
        )
        loss.parts = (forward, cost)  # type: ignore[attr-defined]
        loss.returns = ("", *(returned or ("",)))  # type: ignore[attr-defined]
        return loss

    def _handed(self, cost: Any, given: dict[str, Any], several: Any, target: Any) -> Iterable[Any]:
        """What the loss is handed: the targets, what it names as forward does, and else what forward gave first."""
        for name in required_of(cost):
            if name == self.target or (name.lower() in TARGETS and name not in given):
                yield target
            else:
                yield given.get(name, several[0])


def methods_of(item: Any, forward: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """The functions beside forward, by name: the methods of an object, or the functions of a file."""
    names = getattr(forward, "__globals__", {}) if item is None else {n: getattr(item, n, None) for n in dir(item)}
    return {name: each for name, each in names.items() if inspect.isfunction(each) or inspect.ismethod(each)}


def target_of(forward: Callable[..., Any], backward: Callable[..., Any]) -> str:
    """The targets that backward takes and forward neither takes nor returns; "" without any."""
    known = {*parameters_of(forward), *returned_names(forward)}
    return next((n for n in required_of(backward) if n.lower() in TARGETS and n not in known), "")


def cost_among(functions: dict[str, Callable[..., Any]], forward: str, backward: str, target: str) -> str:
    """The name of the loss among functions: called so, and taking targets; "" where there is none."""
    for name, function in functions.items():
        if name in (forward, backward) or not _COST.search(name) or _NOT_A_COST.search(name):
            continue
        try:
            wanted = required_of(function)
        except (TypeError, ValueError):
            continue
        if len(wanted) > 1 and any(n == target or n.lower() in TARGETS for n in wanted):
            return name
    return ""
