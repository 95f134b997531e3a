"""One layer of the network, or its loss, with what it reads, and what the symbols of its rule mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DefinitionError
from ..forking import cached_property
from ..nodes import parts_of
from ..pair import Pair
from .formula import ARRAYS, SCALARS, Arithmetic, Scope, evaluate, fixed, pattern
from .rules import Rule, rule_of

__all__ = ["LOSS", "Cell", "Source", "rule_scope"]

LOSS = "loss"
Index = tuple[int, ...]
Tree = Any  # the name of a value, or a tuple of trees


@dataclass(frozen=True)
class Source:
    """One array that a cell differentiates by: its name in the pair, and which part of a tuple of inputs."""

    local: str
    path: tuple[int, ...] = ()

    @property
    def entry(self) -> str:
        """How a rule calls it: `weights`, `inputs`, `inputs.1`."""
        return ".".join([self.local, *map(str, self.path)])

    def of(self, arrays: Mapping[str, Any]) -> Any:
        """This array among those by name."""
        found = arrays[self.local]
        for step in self.path:
            found = found[step]
        return found


@dataclass(frozen=True)
class Cell:
    """A layer, or the loss, with the names of what it reads."""

    name: str
    pair: Pair
    reads: Tree  # the names of the values that it reads
    parameters: Mapping[str, str]  # own name -> full name, of parameters and state
    training: bool
    path: str

    @property
    def kind(self) -> str:
        """The class of the layer."""
        return type(self.pair).__name__

    @property
    def mixes(self) -> bool:
        """Whether the samples of a batch take part in each other's output here."""
        return bool(getattr(self.pair, "mixes_samples", False)) and self.training

    @property
    def modes(self) -> bool:
        """Whether the layer does something else while the network trains."""
        return bool({"training", "noise"} & {*self.pair.forward_reads})

    @cached_property
    def rule(self) -> Rule | None:
        """The rule that the layer carries."""
        parts = len(self.reads) if isinstance(self.reads, tuple) else 1
        return rule_of(self.pair, self.training, parts)

    def sources(self) -> Iterator[tuple[Source, str]]:
        """Every array that the cell differentiates by, with the full name of the value or parameter."""
        for path, name in parts_of(self.reads):
            yield Source(self.pair.sources[0], path), name
        for local in self.pair.differentiated()[1:]:
            if local not in self.pair.absent:
                yield Source(local), self.parameters[local]


def rule_scope(
    cell: Cell, arrays: Mapping[str, Any], arithmetic: Arithmetic = SCALARS, indices: Mapping[str, Any] | None = None
) -> Scope:
    """What the symbols of a cell's rule mean for these arrays by name; `indices` fixes some of the letters."""
    rule = cell.rule
    assert rule is not None
    symbols: dict[str, Any] = {}
    for entry, shown in {cell.pair.result: rule.output, **rule.arrays}.items():
        local, *path = entry.split(".")
        if local in arrays:
            symbols[pattern(shown)[0]] = Source(local, tuple(map(int, path))).of(arrays)
    sizes = rule.sizes({name: np.shape(array) for name, array in symbols.items()})
    definitions = {pattern(left)[0]: (pattern(left)[1], right) for left, right in rule.where.items()}
    known: dict[tuple[str, Index], Any] = {}

    def look_up(name: str, index: Index) -> Any:
        if name in symbols:
            return symbols[name][index]
        if name in rule.settings:
            return getattr(cell.pair, rule.settings[name])
        if name not in definitions:
            raise DefinitionError(f"The rule of {cell.kind} has a formula with {name!r}, which it does not explain.")
        letters, formula = definitions[name]
        if arithmetic is ARRAYS:
            return evaluate(formula, Scope(look_up, fixed(letters, index), sizes, arithmetic))
        if (name, index) not in known:
            known[name, index] = evaluate(formula, Scope(look_up, fixed(letters, index), sizes, arithmetic))
        return known[name, index]

    return Scope(look_up, indices or {}, sizes, arithmetic)
